/*
 * Between letting one go and the call that wants it another thread may be quicker. Each part has a
 * share of its own (host/budget.c), so this is rare; the question is tried again soon, and the next
 * descriptor that comes back is held.
 */
#include "host/spare.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/require.h"

enum err spare_open(struct spare *s, int source, uint32_t wanted)
{
    REQUIRE(wanted <= SPARE_MAX);
    *s = (struct spare){.source = source, .wanted = wanted};
    while (s->count < wanted) {
        int fd = fcntl(source, F_DUPFD_CLOEXEC, 0);
        if (fd < 0) {
            int error = errno;
            spare_close(s);
            errno = error;
            return ERR_IO;
        }
        s->fd[s->count++] = fd;
    }
    return ERR_OK;
}

void spare_close(struct spare *s)
{
    while (s->count > 0) {
        close(s->fd[--s->count]);
    }
    s->wanted = 0;
}

bool spare_lend(struct spare *s, int error)
{
    if (!s || s->count == 0 || (error != EMFILE && error != ENFILE)) {
        return false;
    }
    close(s->fd[--s->count]);
    return true;
}

void spare_return(struct spare *s, int fd)
{
    if (s && s->count < s->wanted && dup3(s->source, fd, O_CLOEXEC) >= 0) {
        s->fd[s->count++] = fd;
    } else {
        close(fd);
    }
}
