/*
 * Sticky readers and writers of octets: after the first overrun the rest does nothing, and one
 * check at the end decides.
 */
#ifndef SINKHOLE_BASE_CURSOR_H
#define SINKHOLE_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"

struct reader {
    const uint8_t *data;
    size_t len; /* octets in data */
    size_t pos; /* next octet to read, <= len */
    bool bad;   /* an overrun happened; every read since returned 0 */
};

struct writer {
    uint8_t *data;
    size_t cap; /* octets of room */
    size_t len; /* octets written, <= cap */
    bool bad;   /* an overrun happened; nothing was written since */
};

static inline struct reader reader_of(const void *data, size_t len)
{
    return (struct reader){.data = data, .len = len};
}

static inline size_t reader_left(const struct reader *r)
{
    return r->len - r->pos;
}

/* The next n octets, or NULL (and bad) if they are not there. */
static inline const uint8_t *reader_take(struct reader *r, size_t n)
{
    if (r->bad || r->len - r->pos < n) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *p = r->data + r->pos;
    r->pos += n;
    return p;
}

static inline uint8_t reader_u8(struct reader *r)
{
    const uint8_t *p = reader_take(r, 1);
    return p ? *p : 0;
}

static inline uint16_t reader_be16(struct reader *r)
{
    const uint8_t *p = reader_take(r, 2);
    return p ? be16_read(p) : 0;
}

static inline uint32_t reader_be32(struct reader *r)
{
    const uint8_t *p = reader_take(r, 4);
    return p ? be32_read(p) : 0;
}

static inline struct writer writer_of(void *data, size_t cap)
{
    return (struct writer){.data = data, .cap = cap};
}

/* Room for n octets, or NULL (and bad) if there is none. */
static inline uint8_t *writer_room(struct writer *w, size_t n)
{
    if (w->bad || w->cap - w->len < n) {
        w->bad = true;
        return NULL;
    }
    uint8_t *p = w->data + w->len;
    w->len += n;
    return p;
}

static inline void writer_u8(struct writer *w, uint8_t v)
{
    uint8_t *p = writer_room(w, 1);
    if (p) {
        *p = v;
    }
}

static inline void writer_be16(struct writer *w, uint16_t v)
{
    uint8_t *p = writer_room(w, 2);
    if (p) {
        be16_write(p, v);
    }
}

static inline void writer_be32(struct writer *w, uint32_t v)
{
    uint8_t *p = writer_room(w, 4);
    if (p) {
        be32_write(p, v);
    }
}

static inline void writer_bytes(struct writer *w, const void *data, size_t len)
{
    uint8_t *p = writer_room(w, len);
    if (p && len > 0) {
        memcpy(p, data, len);
    }
}

#endif
