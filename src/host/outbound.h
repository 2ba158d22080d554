/*
 * UDP sockets to upstreams: connected, each with a fresh random source port that a forger has to
 * guess, for one ticket or for some that were sent in the same batch.
 * (docs/adr/0006-upstream-sockets.md, 0021-questions-of-a-batch-share-a-port.md)
 */
#ifndef SINKHOLE_HOST_OUTBOUND_H
#define SINKHOLE_HOST_OUTBOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/rng.h"
#include "host/spare.h"
#include "resolver/resolver.h"

/* What happens to tickets; shared with outstream.h. The callee may send and release tickets from
 * within. */
struct outbound_events {
    void (*response)(void *arg, uint32_t ticket, const uint8_t *data, size_t len);
    void (*failed)(void *arg, uint32_t ticket, enum resolver_failure why);
    void *arg;
};

/* How a socket gets its next port. */
enum outbound_ports {
    OUTBOUND_RENEW, /* let go of the port and take another from the kernel's generator */
    OUTBOUND_FRESH  /* a new socket for each ticket, its port from our generator */
};

#define OUTBOUND_SHARE 8 /* questions of one batch that leave through one port, at most */

struct outbound_config {
    int epoll;             /* the worker's */
    uint32_t sockets_max;  /* open at once, and tickets on their way */
    uint32_t sockets_kept; /* at most so many stay open for reuse */
    enum outbound_ports ports;
    struct spare *spare; /* for when there are no other descriptors; may be NULL */
    uint8_t *buffer; /* for what comes in, `buffer_len` octets; used during outbound_ready only */
    size_t buffer_len;
    uint8_t seed[RNG_SEED_OCTETS];
    struct outbound_events events;
};

struct outbound;

/*
 * What this kernel can do: RENEW where it chooses ports with a cryptographic generator (Linux 5.19)
 * out of at least OUTBOUND_PORTS_MIN, else FRESH.
 */
#define OUTBOUND_PORTS_MIN 20000
enum outbound_ports outbound_detect(void);

MUST_CHECK enum err outbound_new(struct outbound **out, const struct outbound_config *cfg);
void outbound_free(struct outbound *o);

/*
 * Send a message of a ticket; the first one leaves at the next outbound_flush at the latest, and if
 * it cannot, events.failed is called from there. False: it could not be sent, *why says why, and
 * there is nothing (more) to release.
 */
MUST_CHECK bool outbound_send(struct outbound *o, uint32_t ticket,
                              const struct ip_endpoint *upstream, const uint8_t *data, size_t len,
                              enum resolver_failure *why);

/* The batch is over: what waits is sent. To be called before the worker sleeps. */
void outbound_flush(struct outbound *o);

/* The ticket is over; what comes for it from now on is not seen. True if it was one of ours. */
bool outbound_release(struct outbound *o, uint32_t ticket);

/* A socket is readable or in error: hand over what came. */
void outbound_ready(struct outbound *o, uint32_t slot);

/* Tickets on their way; sockets open. */
uint32_t outbound_used(const struct outbound *o);
uint32_t outbound_open(const struct outbound *o);

/* Octets that one of these takes at most, for `sinkhole config --limits`. */
size_t outbound_memory(uint32_t sockets);

#endif
