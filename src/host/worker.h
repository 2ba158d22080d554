/*
 * A worker: one thread with its own sockets and its own resolver, which answers queries and does
 * nothing else. What it shares with others is the cache, the snapshot and the mailboxes.
 */
#ifndef SINKHOLE_HOST_WORKER_H
#define SINKHOLE_HOST_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "host/listen.h"
#include "host/mailbox.h"
#include "host/outbound.h"
#include "host/publish.h"
#include "resolver/resolver.h"

struct doh;
struct tls_trust;

/* How workers call the control thread: one eventfd for all, and why. */
enum control_call {
    CONTROL_SNAPSHOT = 1, /* a worker took a new snapshot */
    CONTROL_TRAFFIC = 2,  /* queries came after a time without any */
    CONTROL_FILLING = 4,  /* a ring of events should be emptied soon */
    CONTROL_IMAGE = 8,    /* from the lists' thread: there is a new image */
    CONTROL_LISTS = 16,   /* … and something in the state of lists has changed */
    CONTROL_ANSWER = 32   /* from other threads: a page that waits can go on */
};

struct control_line {
    int event;          /* eventfd */
    atomic_uint calls;  /* enum control_call, set by workers, taken by the control thread */
    atomic_bool active; /* the control thread collects statistics regularly: no call for traffic is
                           needed */
};

struct worker_config {
    uint16_t number;                   /* of this worker */
    bool steer;                        /* stays on the cores that are its own (listen.h) */
    const struct listeners *listeners; /* with sockets for `workers` */
    struct xdp_queue *xdp;             /* a second way for questions to come; may be NULL */
    struct publisher *publisher;
    struct mailbox **mailboxes; /* [workers]; [number] is this worker's own */
    struct control_line *control;
    struct doh *doh;                 /* for HTTPS upstreams; may be NULL */
    struct resolver_config resolver; /* worker, workers, cache and stats included */
    uint32_t tcp_connections, tcp_per_client;
    usec_t tcp_idle_us;
    uint32_t mailbox_cells; /* of each mailbox; for worker_octets alone */
    struct spare *spare;    /* the worker's, for its questions to upstreams; may be NULL */
    uint32_t sockets_max;   /* UDP sockets to upstreams */
    uint32_t streams_max;   /* TCP connections to upstreams */
    enum outbound_ports ports;
    uint8_t seed[RNG_SEED_OCTETS];
};

struct worker;

/* Makes everything but the thread. The mailbox and the sockets stay the caller's. ERR_MEMORY,
 * ERR_IO, ERR_RANGE. */
MUST_CHECK enum err worker_new(struct worker **out, const struct worker_config *cfg);
void worker_free(struct worker *w); /* the thread was joined or never started */

MUST_CHECK enum err worker_start(struct worker *w);

/*
 * Finish: no new questions, those in flight are answered, or not, within `grace_us`. worker_join
 * waits for it. A worker that was never started is fine.
 */
void worker_stop(struct worker *w, usec_t grace_us);
void worker_join(struct worker *w);

/* A trust store for TLS upstreams, before the snapshot that needs it is published; any thread. */
void worker_set_trust(struct worker *w, struct tls_trust *trust);

/* Look at the publisher, the trust store or the stop flag soon; any thread. */
void worker_wake(struct worker *w);

/* For the watchdog: ask for a sign of life, and whether the last one was given. */
void worker_ping(struct worker *w);
bool worker_answered(const struct worker *w);

/* Octets that a worker of this configuration takes at most. */
struct worker_octets {
    size_t resolver, udp, tcp, upstreams, mailbox;
};
void worker_octets(const struct worker_config *cfg, struct worker_octets *out);

/* Gauges; any thread. */
struct worker_gauges {
    struct resolver_gauges resolver;
    uint32_t tcp_clients, tcp_clients_max;
    uint64_t lost; /* packets that the kernel did not take, and mail that found no room */
};
void worker_get_gauges(const struct worker *w, struct worker_gauges *out);
void worker_get_upstream(const struct worker *w, uint16_t upstream, struct upstream_health *out);

#endif
