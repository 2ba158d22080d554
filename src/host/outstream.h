/*
 * TCP and TLS connections to upstreams: shared by the questions of one worker, several in flight on
 * each (RFC 7766), opened when needed, closed when idle. Answers come back in any order and are
 * known by their ID.
 */
#ifndef SINKHOLE_HOST_OUTSTREAM_H
#define SINKHOLE_HOST_OUTSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/time.h"
#include "host/outbound.h"
#include "resolver/snapshot.h"

struct tls_trust;

#define OUTSTREAM_QUERY_MAX    512 /* octets of one question to an upstream */
#define OUTSTREAM_FLIGHTS      32  /* questions on one connection */
#define OUTSTREAM_PER_UPSTREAM 8

struct outstream_config {
    int epoll;
    uint32_t streams_max; /* open at once, >= 1; full: an idle one is closed, else the question
                             fails for want of a socket */
    struct spare *spare;  /* for when there are no other descriptors; may be NULL */
    usec_t idle_us;       /* a connection without questions closes after this time */
    usec_t connect_us;    /* longest time for connection and handshake */
    struct outbound_events events;
};

struct outstreams;

MUST_CHECK enum err outstreams_new(struct outstreams **out, const struct outstream_config *cfg);
void outstreams_free(struct outstreams *o);

/* The trust store for TLS upstreams; kept until the end. Without one they fail. */
void outstreams_set_trust(struct outstreams *o, struct tls_trust *trust);

/* Send a question over a stream to the upstream: TLS if its transport is that, else TCP. False: it
 * could not be, as in outbound_send. */
MUST_CHECK bool outstreams_send(struct outstreams *o, usec_t now, uint32_t ticket,
                                const struct upstream_spec *upstream, const uint8_t *data,
                                size_t len, enum resolver_failure *why);

/* As outbound_release. */
bool outstreams_release(struct outstreams *o, usec_t now, uint32_t ticket);

/* Epoll reported `events` for a slot. */
void outstreams_ready(struct outstreams *o, usec_t now, uint32_t slot, uint32_t events);

/* When outstreams_tick wants to be called; USEC_NEVER. */
usec_t outstreams_deadline(const struct outstreams *o);
void outstreams_tick(struct outstreams *o, usec_t now);

uint32_t outstreams_open(const struct outstreams *o);

/* Octets that one of these takes at most, for `sinkhole config --limits`. */
size_t outstreams_memory(uint32_t streams);

#endif
