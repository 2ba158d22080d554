/*
 * The resolver: (packet, peer, now) in, packets and deadlines out. It makes no system call, and a
 * platform drives it:
 *
 *     outcome = resolver_query(r, now, &peer, &packet);      a client's question arrived
 *     resolver_response(r, now, ticket, &packet);            something arrived on a ticket's socket
 * or stream resolver_failed(r, now, ticket, why);                  a ticket's socket or stream
 * broke while (resolver_output(r, &out)) …                     after each of the above and after
 * tick resolver_tick(r, now);                                 not later than resolver_deadline(r)
 *
 * A resolver belongs to one thread (a worker). Workers share the cache (cache.h; one writer a
 * question) and the snapshot (snapshot.h; immutable). With several workers a question that is not
 * in the cache belongs to one of them, by hash, so that equal questions are asked once in the whole
 * house; the platform carries it there (RESOLVER_HANDOFF).
 *
 * `now` is monotonic and enters once per event.
 */
#ifndef SINKHOLE_RESOLVER_RESOLVER_H
#define SINKHOLE_RESOLVER_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/time.h"

struct cache;
struct dns_name;
struct snapshot;
struct stats_worker;
struct resolver;

/* Where a question came from, and so where its answer goes. Opaque to the core but for addr, port
 * and tcp. */
struct peer {
    struct ip_addr addr;  /* the client */
    struct ip_addr local; /* the address of ours that it asked; answers leave from it */
    uint32_t scope;       /* interface index for link-local clients */
    uint16_t port;
    uint16_t listener; /* the platform's listener */
    uint32_t conn;   /* the platform's token of the TCP connection (with a generation); 0 for UDP */
    uint16_t worker; /* the worker that received it (owner of conn) */
    bool tcp;
};

/* A message in a buffer of the platform's. The buffer has room for cap octets; answers are built in
 * it. */
struct packet {
    uint8_t *data;
    size_t len;
    size_t cap; /* at least DNS_UDP_MAX for UDP; for TCP 65535 or what the platform can send */
};

enum resolver_outcome {
    RESOLVER_DROP,    /* no answer; the buffer is the platform's again */
    RESOLVER_ANSWER,  /* packet->data holds the answer, packet->len octets: send it to the peer */
    RESOLVER_PENDING, /* copied what is needed; the answer comes by resolver_output */
    RESOLVER_HANDOFF  /* give the unchanged packet and peer to worker *owner's resolver_query */
};

/* One client message. `owner` is written only with RESOLVER_HANDOFF. */
enum resolver_outcome resolver_query(struct resolver *r, usec_t now, const struct peer *peer,
                                     struct packet *packet, uint16_t *owner);

/*
 * Work that the resolver wants done. A ticket names one attempt at one upstream: the platform ties
 * a socket with a fresh random source port to it (or a message on a stream) and keeps it until
 * OUTPUT_RELEASE of the same ticket. Tickets are never 0 and not reused soon. OUTPUT_UDP with a
 * ticket that is open already means: the same message once more from the same socket (so that
 * guessing gets no easier by retransmission). A ticket that failed (resolver_failed) is released
 * like any other.
 */
enum output_kind {
    OUTPUT_ANSWER, /* send data to peer */
    OUTPUT_UDP,    /* send data to the upstream from a port that nothing else uses now */
    OUTPUT_STREAM, /* send data over a stream (TCP, TLS, HTTPS: the upstream's transport) */
    OUTPUT_RELEASE /* the ticket is over: its socket may close or be used anew */
};

struct output {
    enum output_kind kind;
    uint32_t ticket;     /* for all but OUTPUT_ANSWER */
    uint16_t upstream;   /* index into the snapshot's upstreams, for OUTPUT_UDP and _STREAM */
    struct peer peer;    /* for OUTPUT_ANSWER */
    const uint8_t *data; /* borrowed until the next call into this resolver */
    size_t len;
};

/* The next piece of work; false when there is none. Take all of it before the next
 * resolver_response. */
bool resolver_output(struct resolver *r, struct output *out);

/*
 * A message that arrived on a ticket's socket (the kernel or the unikernel's stack has matched the
 * upstream's address and both ports) or stream. Anything may arrive; what does not match the
 * question exactly is ignored and waiting goes on.
 */
void resolver_response(struct resolver *r, usec_t now, uint32_t ticket, const uint8_t *data,
                       size_t len);

enum resolver_failure {
    RESOLVER_UNREACHABLE, /* ICMP error or no route */
    RESOLVER_REFUSED,     /* connection refused or reset */
    RESOLVER_TLS_FAILED,  /* handshake or certificate */
    RESOLVER_NO_SOCKET,   /* the platform is out of sockets or memory; not the upstream's fault */
    RESOLVER_CLOSED       /* stream ended before the answer */
};
void resolver_failed(struct resolver *r, usec_t now, uint32_t ticket, enum resolver_failure why);

/* A TCP client of this worker went away: answers to it are forgotten. */
void resolver_peer_gone(struct resolver *r, uint32_t conn);

/* When to call resolver_tick at the latest; USEC_NEVER if nothing is waiting. */
usec_t resolver_deadline(const struct resolver *r);
void resolver_tick(struct resolver *r, usec_t now);

/*
 * Answer from this snapshot from now on. The old one is not touched after the call. Upstream health
 * is carried over for upstreams that are in both. NULL is not allowed. Questions in flight to an
 * upstream that is gone are asked anew.
 */
void resolver_set_snapshot(struct resolver *r, usec_t now, const struct snapshot *snapshot);

struct resolver_config {
    uint32_t pending_max; /* questions in flight at upstreams, 16 … 16000; 2048 by default */
    uint32_t waiting_max; /* clients waiting on them, all together; 4096 by default */
    uint32_t
        clients_max; /* clients tracked for rate limits; oldest goes when full; 4096 by default */
    uint32_t regex_memo;        /* names for which the verdict of regular expressions is kept, a
                                   power of two; 0: none; 128 octets each */
    uint32_t rate_limit;        /* queries a second and client, 0: off */
    uint16_t worker, workers;   /* this worker's number, how many there are */
    struct cache *cache;        /* shared; may not be NULL */
    struct stats_worker *stats; /* this worker's; may not be NULL */
};

/* Octets that resolver_init wants, aligned to CACHE_LINE. */
size_t resolver_memory(const struct resolver_config *cfg);

/* ERR_SPACE: mem too small. ERR_RANGE: a field out of its range. `snapshot` as in
 * resolver_set_snapshot. */
MUST_CHECK enum err resolver_init(struct resolver **out, void *mem, size_t len,
                                  const struct resolver_config *cfg,
                                  const struct snapshot *snapshot, const uint8_t seed[32],
                                  usec_t now);

/* Figures that are the engine's own, for the status page; counted ones are in stats. */
struct resolver_gauges {
    uint32_t pending, pending_peak, pending_max;
    uint32_t waiting, waiting_peak, waiting_max;
};
void resolver_get_gauges(const struct resolver *r, struct resolver_gauges *out);

#define UPSTREAM_MAX 16 /* upstreams in a snapshot */

/* Health of one upstream as this worker sees it; safe to call from another thread (relaxed reads).
 */
struct upstream_health {
    uint32_t rtt_us; /* smoothed; 0 if never measured */
    uint32_t rtt_var_us;
    uint32_t fails_in_row;
    bool up;
};
void resolver_get_upstream(const struct resolver *r, uint16_t upstream,
                           struct upstream_health *out);

/* Who answers for a name before lists are asked: for people who want to know why; microseconds. */
enum resolver_source { RESOLVER_SOURCE_LISTS, RESOLVER_SOURCE_LOCAL, RESOLVER_SOURCE_SPECIAL };
enum resolver_source resolver_source_of(const struct snapshot *s, const struct dns_name *name);

#endif
