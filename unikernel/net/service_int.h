/* What the parts of the DNS service share. */
#ifndef UNIKERNEL_SERVICE_INT_H
#define UNIKERNEL_SERVICE_INT_H

#include <stdbool.h>

#include "net/service.h"
#include "resolver/resolver.h"
#include "resolver/snapshot.h"

extern struct service {
    struct resolver *resolver;
    struct rng *rng;
    const struct snapshot *snapshot;
    struct service_gauges gauges;
} service;

/* service_upstream.c */
void upstream_send_udp(uint32_t ticket, uint16_t upstream, const uint8_t *data, size_t len);
void upstream_release(uint32_t ticket);

/* service_line.c */
void line_send(uint32_t ticket, uint16_t upstream, const uint8_t *data, size_t len);
void line_release(uint32_t ticket);

/* service_tcp.c */
MUST_CHECK enum err tcp_clients_start(uint16_t port, const struct service_tcp_limits *limits);
void tcp_clients_run(void); /* go on with connections that had to wait for an answer */
void tcp_client_answer(const struct peer *peer, const uint8_t *data, size_t len);

#endif
