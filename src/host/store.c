/*
 * Files of the state directory: temporary file, fsync, rename, fsync of the directory. The
 * directory is held open and everything is done relative to it, so that later changes of the
 * working directory, the root or a parent's permissions do not matter. Temporary names carry the
 * process and a counter and end in ".tmp"; store_claim sweeps what a killed process left.
 */
#include "host/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/require.h"

#define TEMP_SUFFIX ".tmp"
#define LOCK_NAME   ".lock"
#define TEMP_MAX    (STORE_NAME_MAX + 64)

static const char seal_magic[8] = {'S', 'K', 'S', 'T', 'O', 'R', 'E', '1'};

struct store {
    int fd;      /* the directory */
    int lock_fd; /* -1 if not claimed */
    char *dir;
};

struct store_file {
    int dir_fd; /* the directory that the file is in, a descriptor of its own */
    int fd;
    int error; /* first errno, 0 if none */
    uint64_t size;
    char leaf[STORE_NAME_MAX]; /* name inside dir_fd */
    char temp[TEMP_MAX];
};

static _Atomic(store_fault *) fault_hook;
static atomic_uint temp_counter;

void store_set_fault(store_fault *fault)
{
    atomic_store(&fault_hook, fault);
}

static int fault_at(enum store_step step, const char *name)
{
    store_fault *fault = atomic_load(&fault_hook);
    return fault ? fault(step, name) : 0;
}

static enum err err_of(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case ENOMEM:
        return ERR_MEMORY;
    default:
        return ERR_IO;
    }
}

static bool ends_in(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && memcmp(text + len - end_len, end, end_len) == 0;
}

/* Opens the directory part of `name`; *leaf is what is left. -1 with errno set. */
static int open_parent(const struct store *s, const char *name, const char **leaf)
{
    const char *slash = strchr(name, '/');
    size_t len = strlen(name);
    REQUIRE(len > 0 && len < STORE_NAME_MAX);
    if (!slash) {
        *leaf = name;
        return fcntl(s->fd, F_DUPFD_CLOEXEC, 3);
    }
    char parent[STORE_NAME_MAX];
    size_t parent_len = (size_t)(slash - name);
    memcpy(parent, name, parent_len);
    parent[parent_len] = '\0';
    *leaf = slash + 1;
    REQUIRE(**leaf && !strchr(*leaf, '/'));
    return openat(s->fd, parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

enum err store_open(const char *dir, struct store **out)
{
    if (mkdir(dir, 0700) != 0 && errno != EEXIST && errno != EROFS && errno != EACCES) {
        return err_of(errno);
    }
    return store_open_existing(dir, out);
}

enum err store_open_existing(const char *dir, struct store **out)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return err_of(errno);
    }
    struct store *s = malloc(sizeof *s);
    char *copy = strdup(dir);
    if (!s || !copy) {
        free(s);
        free(copy);
        close(fd);
        return ERR_MEMORY;
    }
    *s = (struct store){.fd = fd, .lock_fd = -1, .dir = copy};
    *out = s;
    return ERR_OK;
}

void store_close(struct store *s)
{
    if (!s) {
        return;
    }
    if (s->lock_fd >= 0) {
        close(s->lock_fd);
    }
    close(s->fd);
    free(s->dir);
    free(s);
}

const char *store_dir(const struct store *s)
{
    return s->dir;
}

/* Calls visit for each plain file; with `temporary`, for the temporary ones alone. */
static void each_file(struct store *s, const char *subdir, bool temporary,
                      void (*visit)(void *, int, const char *), void *arg)
{
    int fd = openat(s->fd, subdir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        struct stat st;
        if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode) ||
            strcmp(e->d_name, LOCK_NAME) == 0) {
            continue;
        }
        if (ends_in(e->d_name, TEMP_SUFFIX) == temporary) {
            visit(arg, fd, e->d_name);
        }
    }
    closedir(d);
}

static void visit_unlink(void *arg, int dir_fd, const char *name)
{
    (void)arg;
    (void)unlinkat(dir_fd, name, 0);
}

struct visit_plain {
    store_visit *visit;
    void *arg;
};

static void visit_name(void *arg, int dir_fd, const char *name)
{
    const struct visit_plain *v = arg;
    (void)dir_fd;
    v->visit(v->arg, name);
}

void store_each(struct store *s, const char *subdir, store_visit *visit, void *arg)
{
    each_file(s, subdir, false, visit_name, &(struct visit_plain){visit, arg});
}

enum err store_claim(struct store *s)
{
    if (s->lock_fd >= 0) {
        return ERR_OK;
    }
    int fd = openat(s->fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return ERR_IO;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        enum err e = errno == EWOULDBLOCK ? ERR_STATE : ERR_IO;
        close(fd);
        return e;
    }
    s->lock_fd = fd;
    each_file(s, ".", true, visit_unlink, NULL);
    DIR *d = opendir(s->dir);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        if (e->d_name[0] != '.') {
            each_file(s, e->d_name, true, visit_unlink, NULL);
        }
    }
    if (d) {
        closedir(d);
    }
    return ERR_OK;
}

enum err store_mkdir(struct store *s, const char *name)
{
    return mkdirat(s->fd, name, 0700) == 0 || errno == EEXIST ? ERR_OK : err_of(errno);
}

/* Reading */

int store_open_read(struct store *s, const char *name)
{
    const char *leaf;
    int dir_fd = open_parent(s, name, &leaf);
    if (dir_fd < 0) {
        return -1;
    }
    int fd = openat(dir_fd, leaf, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int error = errno;
    close(dir_fd);
    errno = error;
    return fd;
}

void store_blob_free(struct store_blob *b)
{
    free(b->data);
    *b = (struct store_blob){NULL, 0};
}

/* Reads until the end or until cap octets are there; the count or -1. */
static ssize_t read_full(int fd, uint8_t *buf, size_t cap)
{
    size_t len = 0;
    while (len < cap) {
        ssize_t n = read(fd, buf + len, cap - len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        len += (size_t)n;
    }
    return (ssize_t)len;
}

static enum err read_once(struct store *s, const char *name, size_t max, struct store_blob *out)
{
    int fd = store_open_read(s, name);
    if (fd < 0) {
        return err_of(errno);
    }
    struct stat st;
    enum err e = ERR_OK;
    uint8_t *data = NULL;
    if (fstat(fd, &st) != 0) {
        e = ERR_IO;
    } else if (!S_ISREG(st.st_mode)) {
        e = ERR_IO;
        errno = EISDIR;
    } else if (st.st_size < 0 || (uint64_t)st.st_size > max) {
        e = ERR_LIMIT;
    } else if (!(data = malloc((size_t)st.st_size + 1))) {
        e = ERR_MEMORY;
    }
    ssize_t len = e == ERR_OK ? read_full(fd, data, (size_t)st.st_size) : -1;
    int error = errno;
    close(fd);
    if (len < 0) {
        free(data);
        errno = error;
        return e == ERR_OK ? ERR_IO : e;
    }
    data[len] = 0;
    *out = (struct store_blob){data, (size_t)len};
    return ERR_OK;
}

/* Once more after an error: what is short of descriptors or memory for a moment should not cost a
 * house its rules. */
enum err store_read(struct store *s, const char *name, size_t max, struct store_blob *out)
{
    enum err e = read_once(s, name, max, out);
    return e == ERR_IO || e == ERR_MEMORY ? read_once(s, name, max, out) : e;
}

static uint32_t seal_sum(const uint8_t *header, struct span payload)
{
    uLong sum = crc32_z(0, header, 24);
    return (uint32_t)crc32_z(sum, payload.ptr, payload.len);
}

enum err store_read_sealed(struct store *s, const char *name, const char kind[static 4],
                           uint32_t version, size_t max, struct store_blob *out)
{
    struct store_blob b;
    enum err e = store_read(s, name, max + STORE_HEADER_OCTETS, &b);
    if (e != ERR_OK) {
        return e;
    }
    struct span payload = {0};
    if (b.len >= STORE_HEADER_OCTETS) {
        payload = span_of(b.data + STORE_HEADER_OCTETS, b.len - STORE_HEADER_OCTETS);
    }
    if (b.len < STORE_HEADER_OCTETS || memcmp(b.data, seal_magic, sizeof seal_magic) != 0 ||
        le64_read(b.data + 16) != payload.len || le32_read(b.data + 28) != 0 ||
        le32_read(b.data + 24) != seal_sum(b.data, payload)) {
        e = ERR_CHECKSUM;
    } else if (memcmp(b.data + 8, kind, 4) != 0) {
        e = ERR_FORMAT;
    } else if (le32_read(b.data + 12) != version) {
        e = ERR_VERSION;
    }
    if (e != ERR_OK) {
        store_blob_free(&b);
        return e;
    }
    memmove(b.data, b.data + STORE_HEADER_OCTETS, payload.len);
    b.data[payload.len] = 0;
    b.len = payload.len;
    *out = b;
    return ERR_OK;
}

int64_t store_mtime_unix(struct store *s, const char *name)
{
    struct stat st;
    return fstatat(s->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (int64_t)st.st_mtime : 0;
}

void store_touch(struct store *s, const char *name)
{
    (void)utimensat(s->fd, name, NULL, AT_SYMLINK_NOFOLLOW);
}

/* Writing */

enum err store_begin(struct store *s, const char *name, struct store_file **out)
{
    const char *leaf;
    struct store_file *f = calloc(1, sizeof *f);
    if (!f) {
        return ERR_MEMORY;
    }
    f->fd = -1;
    f->dir_fd = open_parent(s, name, &leaf);
    if (f->dir_fd < 0) {
        enum err e = err_of(errno);
        free(f);
        return e;
    }
    memcpy(f->leaf, leaf, strlen(leaf) + 1);
    (void)snprintf(f->temp, sizeof f->temp, "%s.%ld-%u" TEMP_SUFFIX, leaf, (long)getpid(),
                   atomic_fetch_add(&temp_counter, 1));
    int error = fault_at(STORE_STEP_CREATE, f->leaf);
    if (error == 0) {
        f->fd =
            openat(f->dir_fd, f->temp, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        error = f->fd < 0 ? errno : 0;
    }
    if (error != 0) {
        close(f->dir_fd);
        free(f);
        errno = error;
        return ERR_IO;
    }
    *out = f;
    return ERR_OK;
}

void store_retarget(struct store_file *f, const char *name)
{
    const char *slash = strrchr(name, '/');
    (void)snprintf(f->leaf, sizeof f->leaf, "%s", slash ? slash + 1 : name);
}

void store_append(struct store_file *f, struct span data)
{
    const uint8_t *p = data.ptr;
    size_t left = data.len;
    if (f->error == 0 && left > 0) {
        f->error = fault_at(STORE_STEP_WRITE, f->leaf);
    }
    while (f->error == 0 && left > 0) {
        ssize_t n = write(f->fd, p, left);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            f->error = n < 0 ? errno : EIO;
            break;
        }
        p += n;
        left -= (size_t)n;
        f->size += (uint64_t)n;
    }
}

uint64_t store_size(const struct store_file *f)
{
    return f->size;
}

int store_fd(const struct store_file *f)
{
    return f->fd;
}

static void file_free(struct store_file *f)
{
    if (f->fd >= 0) {
        close(f->fd);
    }
    close(f->dir_fd);
    free(f);
}

void store_abort(struct store_file *f)
{
    if (!f) {
        return;
    }
    (void)unlinkat(f->dir_fd, f->temp, 0);
    file_free(f);
}

/* Remembers the injected error or that of a system call; nothing happens after the first one. */
static bool commit_step(struct store_file *f, enum store_step step)
{
    if (f->error == 0) {
        f->error = fault_at(step, f->leaf);
    }
    return f->error == 0;
}

enum err store_commit(struct store_file *f)
{
    bool placed = false;
    if (commit_step(f, STORE_STEP_SYNC) && fsync(f->fd) != 0) {
        f->error = errno;
    }
    if (commit_step(f, STORE_STEP_RENAME)) {
        placed = renameat(f->dir_fd, f->temp, f->dir_fd, f->leaf) == 0;
        f->error = placed ? 0 : errno;
    }
    if (commit_step(f, STORE_STEP_SYNC_DIR) && fsync(f->dir_fd) != 0) {
        f->error = errno;
    }
    int error = f->error;
    if (!placed) {
        (void)unlinkat(f->dir_fd, f->temp, 0);
    }
    file_free(f);
    errno = error;
    return error == 0 ? ERR_OK : ERR_IO;
}

enum err store_write(struct store *s, const char *name, struct span data)
{
    struct store_file *f;
    enum err e = store_begin(s, name, &f);
    if (e != ERR_OK) {
        return e;
    }
    store_append(f, data);
    return store_commit(f);
}

enum err store_write_sealed(struct store *s, const char *name, const char kind[static 4],
                            uint32_t version, struct span payload)
{
    uint8_t header[STORE_HEADER_OCTETS] = {0};
    memcpy(header, seal_magic, sizeof seal_magic);
    memcpy(header + 8, kind, 4);
    le32_write(header + 12, version);
    le64_write(header + 16, payload.len);
    le32_write(header + 24, seal_sum(header, payload));
    struct store_file *f;
    enum err e = store_begin(s, name, &f);
    if (e != ERR_OK) {
        return e;
    }
    store_append(f, span_of(header, sizeof header));
    store_append(f, payload);
    return store_commit(f);
}

enum err store_set_aside(struct store *s, const char *name)
{
    const char *leaf;
    char kept[STORE_NAME_MAX + sizeof STORE_ASIDE];
    int dir_fd = open_parent(s, name, &leaf);
    if (dir_fd < 0) {
        return err_of(errno);
    }
    (void)snprintf(kept, sizeof kept, "%s" STORE_ASIDE, leaf);
    enum err e = renameat(dir_fd, leaf, dir_fd, kept) == 0 ? ERR_OK : err_of(errno);
    int error = errno;
    if (e == ERR_OK) {
        (void)fsync(dir_fd);
    }
    close(dir_fd);
    errno = error;
    return e;
}

enum err store_rename(struct store *s, const char *from, const char *to)
{
    const char *leaf, *slash = strrchr(to, '/');
    int dir_fd = open_parent(s, from, &leaf);
    if (dir_fd < 0) {
        return err_of(errno);
    }
    enum err e =
        renameat(dir_fd, leaf, dir_fd, slash ? slash + 1 : to) == 0 ? ERR_OK : err_of(errno);
    int error = errno;
    if (e == ERR_OK) {
        (void)fsync(dir_fd);
    }
    close(dir_fd);
    errno = error;
    return e;
}

enum err store_remove(struct store *s, const char *name)
{
    const char *leaf;
    int dir_fd = open_parent(s, name, &leaf);
    if (dir_fd < 0) {
        return err_of(errno);
    }
    enum err e = unlinkat(dir_fd, leaf, 0) == 0 ? ERR_OK : err_of(errno);
    if (e == ERR_OK) {
        (void)fsync(dir_fd);
    }
    close(dir_fd);
    return e;
}
