/*
 * A connection out: TCP, or TLS over it, as octets in and out. All callbacks come from the main
 * loop.
 */
#ifndef UNIKERNEL_STREAM_H
#define UNIKERNEL_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"

struct stream;

struct stream_events {
    void (*ready)(void *ctx, struct stream *s); /* connected, and the peer is who it should be */
    void (*data)(void *ctx, struct stream *s, const uint8_t *data, size_t len); /* may close s */
    /* Over: ERR_OK the peer ended it, else what happened, in words too. `s` is gone when this
     * returns. */
    void (*end)(void *ctx, enum err e, const char *reason);
};

struct stream_target {
    struct ip_addr addr;
    uint16_t port;
    const char *tls_name; /* NULL: no TLS; else the name that the certificate must be for; borrowed
                             until ready or end */
    uint32_t idle_us;     /* no progress for so long ends it with ERR_TIMEOUT */
};

/* ERR_MEMORY: no slot (STREAMS_MAX) or no memory. ERR_STATE: TLS has no roots. Events come later,
 * never during the call. */
enum { STREAMS_MAX = 32 };
MUST_CHECK enum err stream_open(const struct stream_target *target,
                                const struct stream_events *events, void *ctx, struct stream **out);

/* All of data or nothing: ERR_SPACE when the send buffer is full now. */
MUST_CHECK enum err stream_write(struct stream *s, const void *data, size_t len);

/* No more events come. */
void stream_close(struct stream *s);

unsigned stream_count(void); /* open now */

#endif
