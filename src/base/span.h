/*
 * Octets with a length, and big- and little-endian integers in them. Spans borrow; they own
 * nothing.
 */
#ifndef SINKHOLE_BASE_SPAN_H
#define SINKHOLE_BASE_SPAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *ptr; /* may be NULL only if len is 0 */
    size_t len;         /* octets */
};

static inline struct span span_of(const void *ptr, size_t len)
{
    return (struct span){.ptr = ptr, .len = len};
}

static inline struct span span_str(const char *text)
{
    return span_of(text, strlen(text));
}

static inline int span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Blanks within a line. */
static inline int span_is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Without blanks at either end. */
static inline struct span span_trim(struct span t)
{
    while (t.len > 0 && span_is_blank(t.ptr[0])) {
        t = span_of(t.ptr + 1, t.len - 1);
    }
    while (t.len > 0 && span_is_blank(t.ptr[t.len - 1])) {
        t.len--;
    }
    return t;
}

static inline uint16_t be16_read(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint32_t be32_read(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void be16_write(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void be32_write(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static inline uint16_t le16_read(const uint8_t *p)
{
    return (uint16_t)(p[0] | (unsigned)p[1] << 8);
}

static inline void le16_write(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline uint32_t le32_read(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static inline uint64_t le64_read(const uint8_t *p)
{
    return (uint64_t)le32_read(p + 4) << 32 | le32_read(p);
}

static inline void le32_write(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

static inline void le64_write(uint8_t *p, uint64_t v)
{
    le32_write(p, (uint32_t)v);
    le32_write(p + 4, (uint32_t)(v >> 32));
}

#endif
