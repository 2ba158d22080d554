/* Brotli (RFC 7932) for decode.c, step by step; a platform without it says so when one is opened.
 */
#ifndef SINKHOLE_SHARED_DECODE_BROTLI_H
#define SINKHOLE_SHARED_DECODE_BROTLI_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct brotli;

enum brotli_step {
    BROTLI_MORE,  /* all input is used up */
    BROTLI_AGAIN, /* there is more output */
    BROTLI_END,   /* the stream is complete; what is left of *in lies behind it */
    BROTLI_BROKEN
};

/* ERR_MEMORY; ERR_UNSUPPORTED where there is no brotli. */
MUST_CHECK enum err brotli_open(struct brotli **out);
void brotli_close(struct brotli *b); /* NULL is allowed */

/* Octets of *in, which is moved on, become at most cap octets in out; *made says how many. */
enum brotli_step brotli_read(struct brotli *b, struct span *in, uint8_t *out, size_t cap,
                             size_t *made);

#endif
