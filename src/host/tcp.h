/*
 * TCP connections of clients, RFC 7766: queries one after the other or many at once, answers in the
 * order in which they are ready. All connections of a worker lie in one table of fixed size.
 *
 * Full, or one client has too many: the connection that was idle for longest makes room. Idle ones
 * are closed after `idle_us`, sooner under pressure. A client that takes too long to send a query
 * or to read an answer is cut.
 */
#ifndef SINKHOLE_HOST_TCP_H
#define SINKHOLE_HOST_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/time.h"
#include "resolver/resolver.h"

#define TCP_PIPELINE_MAX \
    64 /* questions of one connection that wait for answers; more are not read */

enum tcp_verdict {
    TCP_ANSWER,  /* the packet holds the answer */
    TCP_PENDING, /* tcp_answer brings it later */
    TCP_IGNORE
};

struct tcp_config {
    int epoll;
    uint16_t worker;          /* for struct peer */
    uint32_t connections_max; /* 1..65535 */
    uint32_t per_client;      /* of one IPv4 address or IPv6 /64 */
    uint32_t buffers; /* of 64 KiB, for long messages and slow readers; none left: the connection is
                         cut */
    usec_t idle_us;
    enum tcp_verdict (*query)(void *arg, const struct peer *peer, struct packet *packet);
    void (*gone)(void *arg, uint32_t conn); /* a connection with unanswered questions is no more */
    void *arg;
};

#define TCP_PRESSURE_IDLE_US \
    (2 * USEC_PER_SEC) /* idle time when more than three quarters of the table are used */
#define TCP_STALL_US (10 * USEC_PER_SEC) /* for one query to arrive, or one answer to be read */

struct tcp;

MUST_CHECK enum err tcp_new(struct tcp **out, const struct tcp_config *cfg);
void tcp_free(struct tcp *t);

/* Take connections from a listening socket; it is the caller's. ERR_RANGE: more than LISTENERS_MAX.
 * ERR_IO. */
MUST_CHECK enum err tcp_listen(struct tcp *t, uint16_t listener, int fd);

/* Epoll: a listening socket, a connection. */
void tcp_accept(struct tcp *t, usec_t now, uint16_t listener);
void tcp_ready(struct tcp *t, usec_t now, uint32_t slot, uint32_t events);

/* An answer for a connection of ours; one that is gone drops it. */
void tcp_answer(struct tcp *t, usec_t now, uint32_t token, const uint8_t *data, size_t len);

/* After other work: go on with connections that had to wait. Calls `query`. */
void tcp_run(struct tcp *t, usec_t now);

usec_t tcp_deadline(const struct tcp *t);
void tcp_tick(struct tcp *t, usec_t now);

uint32_t tcp_count(const struct tcp *t); /* connections open now; any thread */

/* Octets that one of these takes at most, for `sinkhole config --limits`. */
size_t tcp_memory(uint32_t connections, uint32_t buffers);

#endif
