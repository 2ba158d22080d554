/*
 * Files watched through inotify on their directories.
 */
#include "host/filewatch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MOVED_FROM)

struct watched {
    int directory; /* inotify's number */
    char *name;    /* in it */
};

struct filewatch {
    int fd;
    unsigned count;
    struct watched file[FILEWATCH_MAX];
};

enum err filewatch_new(struct filewatch **out)
{
    struct filewatch *w = calloc(1, sizeof *w);
    if (!w) {
        return ERR_MEMORY;
    }
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0) {
        free(w);
        return ERR_IO;
    }
    *out = w;
    return ERR_OK;
}

void filewatch_clear(struct filewatch *w)
{
    for (unsigned i = 0; i < w->count; i++) {
        inotify_rm_watch(w->fd,
                         w->file[i].directory); /* the second time for one directory fails: fine */
        free(w->file[i].name);
    }
    w->count = 0;
}

void filewatch_free(struct filewatch *w)
{
    if (w) {
        filewatch_clear(w);
        close(w->fd);
        free(w);
    }
}

enum err filewatch_add(struct filewatch *w, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = !slash          ? strdup(".")
                : slash == path ? strdup("/")
                                : strndup(path, (size_t)(slash - path));
    char *name = strdup(slash ? slash + 1 : path);
    enum err e = !dir || !name ? ERR_MEMORY : w->count == FILEWATCH_MAX ? ERR_LIMIT : ERR_OK;
    int directory = e == ERR_OK ? inotify_add_watch(w->fd, dir, EVENTS) : -1;
    free(dir);
    if (directory < 0) {
        free(name);
        return e == ERR_OK ? ERR_IO : e;
    }
    w->file[w->count++] = (struct watched){.directory = directory, .name = name};
    return ERR_OK;
}

int filewatch_fd(const struct filewatch *w)
{
    return w->fd;
}

static bool is_ours(const struct filewatch *w, const struct inotify_event *e)
{
    for (unsigned i = 0; i < w->count; i++) {
        if (w->file[i].directory == e->wd && e->len > 0 && strcmp(w->file[i].name, e->name) == 0) {
            return true;
        }
    }
    return (e->mask & IN_Q_OVERFLOW) != 0;
}

bool filewatch_changed(struct filewatch *w)
{
    _Alignas(struct inotify_event) char buf[4096];
    bool changed = false;
    ssize_t n;
    while ((n = read(w->fd, buf, sizeof buf)) > 0) {
        for (ssize_t pos = 0; pos < n;) {
            const struct inotify_event *e = (const struct inotify_event *)(const void *)(buf + pos);
            changed |= is_ours(w, e);
            pos += (ssize_t)(sizeof *e + e->len);
        }
    }
    return changed;
}
