/*
 * Bounded text. A strbuf writes into storage of the caller, is always NUL-terminated, and when it
 * is full it drops the rest and remembers that it did.
 */
#ifndef SINKHOLE_BASE_STRBUF_H
#define SINKHOLE_BASE_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

struct strbuf {
    char *text;
    size_t cap;     /* octets of storage, the NUL included; at least 1 */
    size_t len;     /* octets in text without the NUL */
    bool truncated; /* something did not fit */
};

void strbuf_init(struct strbuf *s, char *storage, size_t cap);
void strbuf_clear(struct strbuf *s);
void strbuf_char(struct strbuf *s, char c);
void strbuf_str(struct strbuf *s, const char *text);
void strbuf_bytes(struct strbuf *s, const void *data, size_t len);
void strbuf_u64(struct strbuf *s, uint64_t v);
void strbuf_i64(struct strbuf *s, int64_t v);

/* Foreign bytes for logs and terminals: printable ASCII as it is, the rest (and backslash) as \xHH.
 */
void strbuf_escaped(struct strbuf *s, struct span bytes);

/*
 * The part of printf that the program uses: %s %.*s %c %d %i %u %x %X %% with the lengths l, ll, z,
 * a width (number or *) and the flags 0 and -. No floating point. An unknown conversion and all
 * that follows it is copied as it stands.
 */
void strbuf_printf(struct strbuf *s, const char *format, ...) PRINTF_LIKE(2, 3);
void strbuf_vprintf(struct strbuf *s, const char *format, va_list args) PRINTF_LIKE(2, 0);

#endif
