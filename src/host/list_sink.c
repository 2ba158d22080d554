/*
 * Sinks for compiled images. The compiler writes front to back in small pieces and comes back to
 * the start once, for the header.
 */
#include "host/list_sink.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void list_sink_file(struct list_sink *s, int fd)
{
    *s = (struct list_sink){.fd = fd};
}

enum err list_sink_memory(struct list_sink *s, size_t cap)
{
    void *mem =
        mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mem == MAP_FAILED) {
        return ERR_MEMORY;
    }
    *s = (struct list_sink){.fd = -1, .mem = mem, .cap = cap};
    return ERR_OK;
}

void list_sink_drop(struct list_sink *s)
{
    if (s->mem) {
        munmap(s->mem, s->cap);
        s->mem = NULL;
    }
}

static enum err write_at(int fd, uint64_t offset, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, data, len, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return ERR_IO;
        }
        data += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return ERR_OK;
}

static enum err flush(struct list_sink *s)
{
    enum err e = write_at(s->fd, s->start, s->buf, s->len);
    s->start += s->len;
    s->len = 0;
    return e;
}

static enum err write_file(struct list_sink *s, uint64_t offset, const void *data, size_t len)
{
    enum err e = ERR_OK;
    if (offset != s->start + s->len || len > LIST_SINK_OCTETS - s->len) {
        e = flush(s);
        s->start = offset;
    }
    if (e != ERR_OK) {
        return e;
    }
    if (len > LIST_SINK_OCTETS) {
        s->start = offset + len;
        return write_at(s->fd, offset, data, len);
    }
    memcpy(s->buf + s->len, data, len);
    s->len += len;
    return ERR_OK;
}

enum err list_sink_write(void *ctx, uint64_t offset, const void *data, size_t len)
{
    struct list_sink *s = ctx;
    if (len == 0) {
        return ERR_OK;
    }
    if (!s->mem) {
        return write_file(s, offset, data, len);
    }
    if (offset > s->cap || len > s->cap - (size_t)offset) {
        return ERR_SPACE;
    }
    memcpy(s->mem + offset, data, len);
    return ERR_OK;
}

enum err list_sink_reset(struct list_sink *s)
{
    s->start = s->len = 0;
    return s->mem || ftruncate(s->fd, 0) == 0 ? ERR_OK : ERR_IO;
}

enum err list_sink_finish(struct list_sink *s, size_t size)
{
    s->size = size;
    if (s->mem) {
        return ERR_OK;
    }
    enum err e = flush(s);
    return e == ERR_OK && ftruncate(s->fd, (off_t)size) != 0 ? ERR_IO : e;
}
