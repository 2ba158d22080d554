/*
 * Dropping root. System-call filters and file-system rules, which bind the process further, are in
 * confine.c.
 */
#include "host/privdrop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

#define DEPTH_MAX 4 /* of sub-directories in the state directory */

enum err privdrop_find(const char *user, const char *default_user, struct privdrop *out)
{
    *out = (struct privdrop){0};
    if (geteuid() != 0) {
        return ERR_OK;
    }
    if (!user || user[0] == '\0') {
        log_warning(MAIN, "running as root, as told");
        return ERR_OK;
    }
    errno = 0;
    const struct passwd *pw = getpwnam(user);
    if (!pw && strcmp(user, default_user) == 0) {
        pw = getpwnam("nobody");
        if (pw) {
            log_warning(MAIN, "there is no user \"%s\" on this machine; running as \"nobody\"",
                        user);
        }
    }
    if (!pw) {
        log_error(MAIN, "user: found \"%s\", expected a user of this machine", user);
        return ERR_NOT_FOUND;
    }
    *out = (struct privdrop){.uid = pw->pw_uid, .gid = pw->pw_gid, .needed = pw->pw_uid != 0};
    return ERR_OK;
}

/* Only what root owns changes hands: what belongs to somebody else was not made by us. */
static void give_fd(const struct privdrop *p, int dir, const char *name)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid == 0 &&
        (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) && (S_ISDIR(st.st_mode) || st.st_nlink == 1)) {
        int failed = fchownat(dir, name, p->uid, p->gid, AT_SYMLINK_NOFOLLOW);
        (void)failed; /* a file that cannot be had is reported by whoever needs it */
    }
}

static void give_tree(const struct privdrop *p, int fd, int depth)
{
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return;
    }
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        give_fd(p, dirfd(dir), entry->d_name);
        int sub = depth < DEPTH_MAX ? openat(dirfd(dir), entry->d_name,
                                             O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                                    : -1;
        if (sub >= 0) {
            give_tree(p, sub, depth + 1);
        }
    }
    closedir(dir);
}

void privdrop_give(const struct privdrop *p, const char *dir)
{
    if (!p->needed) {
        return;
    }
    give_fd(p, AT_FDCWD, dir);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        give_tree(p, fd, 0);
    }
}

enum err privdrop_prepare(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return ERR_IO;
    }
    /* This needs a capability, which those who start unprivileged lack: they have nothing to lose
     * then. */
    for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
        prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return ERR_OK;
}

/* The change of user takes the capabilities of every thread; the calling one's are given up once
 * more by name. */
static bool drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    return syscall(SYS_capset, &head, none) == 0;
}

/* The C library does each of these in all threads. */
static bool become(const struct privdrop *p)
{
    return setgroups(0, NULL) == 0 && setresgid(p->gid, p->gid, p->gid) == 0 &&
           setresuid(p->uid, p->uid, p->uid) == 0;
}

enum err privdrop_apply(const struct privdrop *p)
{
    if (!p->needed) {
        /* Whoever started us may have lent the right to bind. Threads to come inherit none of it.
         */
        return geteuid() == 0 || drop_capabilities() ? ERR_OK : ERR_IO;
    }
    if (!become(p) || !drop_capabilities() || setuid(0) == 0) {
        log_error(MAIN, "cannot become user %u: %s", (unsigned)p->uid, strerror(errno));
        return ERR_IO;
    }
    /* Changing the user makes a process unreadable in /proc and without core dumps; leave it so:
     * memory holds secrets. */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    return ERR_OK;
}
