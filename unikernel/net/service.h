/*
 * DNS on the network: the resolver between lwIP's sockets. UDP and TCP listeners for clients; for
 * each ticket of the resolver a UDP socket with a random port, or a place on a stream to its
 * upstream.
 */
#ifndef UNIKERNEL_SERVICE_H
#define UNIKERNEL_SERVICE_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/time.h"

struct resolver;
struct snapshot;

enum { SERVICE_TICKETS_MAX = 1000, SERVICE_TCP_MAX = 96, SERVICE_STREAM_FLIGHTS = 32 };

/* TCP clients, as the options tcp-connections (at most SERVICE_TCP_MAX here), tcp-per-client,
 * tcp-idle. */
struct service_tcp_limits {
    uint32_t connections, per_client;
    usec_t idle_us;
};

/* Listen on port 53, all addresses. The resolver and the generator are kept for ever. ERR_MEMORY,
 * ERR_STATE (port in use). */
MUST_CHECK enum err service_start(struct resolver *r, struct rng *rng, uint16_t port,
                                  const struct service_tcp_limits *tcp);

/* The snapshot that upstream numbers refer to; call with each resolver_set_snapshot. */
void service_set_snapshot(const struct snapshot *snapshot);

/* Send everything that the resolver has to send. */
void service_flush(void);

/* Run what is due and send what the resolver wants sent. Returns when to call again at the latest.
 */
usec_t service_run(void);

struct service_gauges {
    uint32_t tickets, tickets_peak;
    uint32_t tcp_clients, tcp_clients_peak;
    uint32_t streams;         /* to upstreams */
    uint64_t tcp_evicted;     /* clients that made room */
    uint64_t first_answer_us; /* clock at the first answer, 0: none yet */
};
void service_get_gauges(struct service_gauges *out);

#endif
