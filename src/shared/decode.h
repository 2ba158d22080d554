/*
 * Streaming decompression of what others send: gzip (also several members in a row) by zlib, brotli
 * by its own library. Bounded output, and a stream that ends early is an error: libcurl's own
 * decoding would pass a cut gzip stream as complete.
 */
#ifndef SINKHOLE_SHARED_DECODE_H
#define SINKHOLE_SHARED_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum decode_kind {
    DECODE_PLAIN,  /* octets as they are */
    DECODE_GZIP,   /* RFC 1952 */
    DECODE_BROTLI, /* RFC 7932 */
    DECODE_SNIFF   /* gzip if it starts like it, else plain */
};

/* Decoded octets in order; false ends the decoding with ERR_STATE. */
typedef bool decode_sink(void *arg, struct span data);

struct decoder;

/* octets_max: of output; more is ERR_LIMIT. ERR_MEMORY. */
MUST_CHECK enum err decode_open(enum decode_kind kind, uint64_t octets_max, decode_sink *sink,
                                void *arg, struct decoder **out);
void decode_close(struct decoder *d); /* NULL is allowed */

/* More input. ERR_FORMAT (not such a stream, or octets after its end), ERR_LIMIT, ERR_STATE (the
 * sink said stop), ERR_MEMORY. Sticky. */
MUST_CHECK enum err decode_feed(struct decoder *d, struct span data);

/* No more input comes: ERR_SHORT if the stream is not at its end, else the sticky error. */
MUST_CHECK enum err decode_finish(struct decoder *d);

uint64_t decode_octets(const struct decoder *d); /* of output so far */

#endif
