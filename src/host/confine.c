/*
 * Two tables: calls that are allowed, calls that end the process. The first was found by running
 * the end-to-end tests under strace; it holds what the C library, libcurl, libmicrohttpd and
 * OpenSSL do on our behalf. Calls whose danger lies in an argument have a row in `argument_rules`.
 *
 * Landlock has no wrapper in the C library. Each version of it knows more rights; a right that is
 * not known to the running kernel must not be named to it.
 */
#include "host/confine.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/prctl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

const char *confine_state_text(enum confine_state state)
{
    switch (state) {
    case CONFINE_ON:
        return "on";
    case CONFINE_MISSING:
        return "not known to this kernel";
    case CONFINE_UNFIT:
        return "left out of this build";
    }
    return "?";
}

/* ---- System calls. ---- */

/* Names, as machines have different ones; what a machine does not have is passed over. */
static const char *const allowed[] = {
    /* sockets, waiting */
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen",
    "recvfrom", "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown",
    "socketpair", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait",
    "eventfd2", "poll", "ppoll", "pselect6", "select", "signalfd4", "pipe2",
    /* files; Landlock says which */
    "access", "close", "close_range", "dup", "dup3", "faccessat", "faccessat2", "fallocate",
    "fcntl", "fdatasync", "flock", "fstat", "fstatfs", "fsync", "ftruncate", "getcwd", "getdents64",
    "lseek", "lstat", "mkdir", "mkdirat", "newfstatat", "open", "openat", "pread64", "preadv",
    "pwrite64", "pwritev", "read", "readlink", "readlinkat", "readv", "rename", "renameat",
    "renameat2", "sendfile", "stat", "statfs", "statx", "unlink", "unlinkat", "utimensat", "write",
    "writev", "fadvise64", "umask", "inotify_add_watch", "inotify_init1", "inotify_rm_watch",
    /* memory */
    "brk", "madvise", "mincore", "mremap", "msync", "munmap",
    /* threads, time, signals */
    "clock_getres", "clock_gettime", "clock_nanosleep", "exit", "exit_group", "futex",
    "get_robust_list", "getcpu", "gettimeofday", "membarrier", "nanosleep", "restart_syscall",
    "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait",
    "sched_getaffinity", "sched_yield", "set_robust_list", "set_tid_address", "setpriority",
    "sigaltstack", "time", "timerfd_create", "timerfd_settime",
    /* who and where we are */
    "getegid", "geteuid", "getgid", "getpid", "getppid", "getpriority", "getrandom", "getresgid",
    "getresuid", "getrlimit", "getrusage", "gettid", "getuid", "sysinfo", "times", "uname"};

/* fchmod and fchown are refused and not here: SQLite makes the files beside its database like it,
 * and goes on if it may not. */
static const char *const deadly[] = {
    /* other programs and processes */
    "execve", "execveat", "vfork", "ptrace", "process_vm_readv", "process_vm_writev",
    "process_madvise", "pidfd_getfd", "pidfd_open", "pidfd_send_signal", "kcmp", "kill", "tkill",
    "rt_sigqueueinfo", "rt_tgsigqueueinfo",
    /* code from data, memory of others */
    "memfd_create", "memfd_secret", "userfaultfd", "remap_file_pages", "pkey_mprotect",
    "modify_ldt", "shmat", "shmget",
    /* rights, users, name spaces */
    "capset", "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups",
    "setfsuid", "setfsgid", "setns", "unshare", "chroot", "pivot_root", "personality", "keyctl",
    "add_key", "request_key",
    /* the file system as such */
    "mount", "umount2", "move_mount", "open_tree", "fsopen", "fsmount", "fsconfig", "fspick",
    "mount_setattr", "name_to_handle_at", "open_by_handle_at", "mknod", "mknodat", "symlink",
    "symlinkat", "link", "linkat", "chmod", "fchmodat", "chown", "lchown", "fchownat", "setxattr",
    "lsetxattr", "fsetxattr", "swapon", "swapoff", "quotactl", "acct",
    /* the kernel */
    "bpf", "perf_event_open", "io_uring_setup", "io_uring_enter", "io_uring_register",
    "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot",
    "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname",
    "syslog", "iopl", "ioperm", "lookup_dcookie", "nfsservctl", "vhangup"};

static int add(scmp_filter_ctx filter, uint32_t action, const char *name,
               const struct scmp_arg_cmp *arg)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) {
        return 0; /* a call that this machine or this libseccomp does not have */
    }
    int rc = seccomp_rule_add_array(filter, action, number, arg ? 1 : 0, arg);
    return rc == -EDOM || rc == -EEXIST ? 0 : rc; /* EDOM: not on this machine */
}

static int add_all(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t count)
{
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = add(filter, action, names[i], NULL);
    }
    return rc;
}

/* Calls that are allowed with some arguments only: one row for each way. */
struct argument_rule {
    const char *name;
    uint32_t action;
    struct scmp_arg_cmp arg;
};

#define LOW32   0xffffffffu
#define NO_CALL SCMP_ACT_ERRNO(ENOSYS)
#define NO_CODE                                                                      \
    SCMP_ACT_ERRNO(EACCES) /* what a loader of libraries takes as "cannot be loaded" \
                            */

static int add_arguments(scmp_filter_ctx filter)
{
    const uint32_t ok = SCMP_ACT_ALLOW;
    const struct argument_rule rows[] = {
        /* Threads yes, processes no. What clone3 asks for stands in memory, which a filter cannot
         * read: it is not on the list, and the C library then uses clone. */
        {"clone", ok, SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)},
        {"clone", SCMP_ACT_KILL_PROCESS, SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)},
        {"fork", SCMP_ACT_KILL_PROCESS, {0}},
        /* Memory is never code, and code never changes. */
        {"mmap", ok, SCMP_CMP64(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
        {"mmap", NO_CODE, SCMP_CMP64(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC)},
        {"mprotect", ok, SCMP_CMP64(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
        {"mprotect", NO_CODE, SCMP_CMP64(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC)},
        /* Unix for the service manager and the C library's name service cache, netlink for our
         * addresses. Others, raw packets among them, fail as on a kernel without. */
        {"socket", ok, SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, LOW32, AF_INET)},
        {"socket", ok, SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, LOW32, AF_INET6)},
        {"socket", ok, SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, LOW32, AF_UNIX)},
        {"socket", ok, SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, LOW32, AF_NETLINK)},
        /* Looking at a terminal and at interfaces; TIOCSTI would type into the operator's shell. */
        {"ioctl", ok, SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, LOW32, FIONBIO)},
        {"ioctl", ok, SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, LOW32, FIONREAD)},
        {"ioctl", ok, SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, LOW32, TCGETS)},
        {"ioctl", ok, SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, LOW32, TIOCGWINSZ)},
        {"ioctl", ok, SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, LOW32, SIOCGIFNAME)},
        {"ioctl", ok, SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, LOW32, SIOCGIFINDEX)},
        {"ioctl", ok, SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, LOW32, SIOCGIFFLAGS)},
        {"prctl", ok, SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, LOW32, PR_SET_NAME)},
        {"prctl", ok, SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, LOW32, PR_SET_VMA)},
        /* Limits are read; a new one is a pointer in the third argument. */
        {"prlimit64", ok, SCMP_CMP64(2, SCMP_CMP_EQ, 0, 0)},
        /* A thread may step back behind all others. */
        {"sched_setscheduler", ok, SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, LOW32, SCHED_IDLE)},
        /* abort() signals its own thread. */
        {"tgkill", ok, SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, LOW32, (scmp_datum_t)getpid())}};
    int rc = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows) && rc == 0; i++) {
        bool whole = rows[i].arg.op == 0;
        rc = add(filter, rows[i].action, rows[i].name, whole ? NULL : &rows[i].arg);
    }
    return rc;
}

static int load_filter(void)
{
    scmp_filter_ctx filter = seccomp_init(NO_CALL);
    if (!filter) {
        return -ENOMEM;
    }
    int rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    rc = rc == 0 ? seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) : rc;
    rc = rc == 0 ? add_all(filter, SCMP_ACT_ALLOW, allowed, ARRAY_LEN(allowed)) : rc;
    rc = rc == 0 ? add_all(filter, SCMP_ACT_KILL_PROCESS, deadly, ARRAY_LEN(deadly)) : rc;
    rc = rc == 0 ? add_arguments(filter) : rc;
    rc = rc == 0 ? seccomp_load(filter) : rc;
    seccomp_release(filter);
    return rc;
}

enum err confine_calls(enum confine_state *out)
{
#ifdef SANDBOX_UNFIT
    (void)load_filter; /* compiled all the same */
    *out = CONFINE_UNFIT;
    return ERR_OK;
#else
    /* Asking with no program: EFAULT where filters are known, EINVAL where they are not. */
    if (syscall(SYS_seccomp, 1 /* SECCOMP_SET_MODE_FILTER */, 0, NULL) != 0 && errno != EFAULT) {
        *out = CONFINE_MISSING;
        return ERR_OK;
    }
    int rc = load_filter();
    if (rc != 0) {
        errno = -rc;
        return ERR_IO;
    }
    *out = CONFINE_ON;
    return ERR_OK;
#endif
}

/* ---- Files. ---- */

#ifndef SANDBOX_UNFIT

/* Of later versions than this machine's headers may know. */
#define RIGHT_TRUNCATE  (1ull << 14) /* version 3 */
#define RIGHT_IOCTL_DEV (1ull << 15) /* version 5 */

#define RIGHTS_FILE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHT_TRUNCATE)
#define RIGHTS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RIGHTS_WRITE                                                                              \
    (RIGHTS_READ | RIGHTS_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | (1ull << 13 /* refer */))

/* All rights that a version knows: 13 in the first, one more each in 2, 3 and 5. */
static uint64_t rights_known(long version)
{
    uint64_t known = (1ull << 13) - 1;
    known |= version >= 2 ? 1ull << 13 : 0;
    known |= version >= 3 ? RIGHT_TRUNCATE : 0;
    known |= version >= 5 ? RIGHT_IOCTL_DEV : 0;
    return known;
}

/* Paths that are not there, or that we may not look at, need no rule. */
static bool is_absent(int error)
{
    return error == ENOENT || error == ENOTDIR || error == EACCES || error == ELOOP;
}

static int add_path(int ruleset, uint64_t known, const struct confine_path *p)
{
    struct stat st;
    int fd = open(p->path, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        return is_absent(errno) && !p->write ? 0 : -1;
    }
    if (fstat(fd, &st) != 0) {
        close(fd);
        return -1;
    }
    struct landlock_path_beneath_attr rule = {
        .allowed_access = (p->write ? RIGHTS_WRITE : RIGHTS_READ) & known, .parent_fd = fd};
    if (!S_ISDIR(st.st_mode)) {
        rule.allowed_access &= RIGHTS_FILE;
    }
    long rc = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(fd);
    return (int)rc;
}

static enum err restrict_files(long version, const struct confine_path *paths, size_t count)
{
    struct landlock_ruleset_attr attr = {.handled_access_fs = rights_known(version)};
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    int rc = ruleset < 0 ? -1 : 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = add_path(ruleset, attr.handled_access_fs, &paths[i]);
    }
    rc = rc == 0 ? (int)syscall(SYS_landlock_restrict_self, ruleset, 0) : rc;
    int why = errno;
    if (ruleset >= 0) {
        close(ruleset);
    }
    errno = why;
    return rc == 0 ? ERR_OK : ERR_IO;
}

#endif

enum err confine_files(const struct confine_path *paths, size_t count, enum confine_state *out)
{
#ifdef SANDBOX_UNFIT
    (void)paths, (void)count;
    *out = CONFINE_UNFIT;
    return ERR_OK;
#else
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) {
        *out = CONFINE_MISSING;
        return ERR_OK;
    }
    enum err e = restrict_files(version, paths, count);
    *out = e == ERR_OK ? CONFINE_ON : CONFINE_MISSING;
    return e;
#endif
}
