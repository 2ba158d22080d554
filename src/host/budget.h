/*
 * How many descriptors each part may use, so that together they stay below the limit of open files
 * and DNS over UDP always has what it needs.
 */
#ifndef SINKHOLE_HOST_BUDGET_H
#define SINKHOLE_HOST_BUDGET_H

#include <stdint.h>

struct budget_wish {
    uint32_t limit; /* of open files */
    uint32_t open;  /* open already, listeners included */
    uint32_t workers;
    uint32_t pending;         /* questions in flight, per worker: one socket each at best */
    uint32_t tcp_connections; /* of clients, in all */
    uint32_t http_connections;
};

struct budget {
    uint32_t sockets;         /* UDP sockets to upstreams, per worker */
    uint32_t streams;         /* TCP connections to upstreams, per worker */
    uint32_t tcp_connections; /* of clients, per worker */
    uint32_t http_connections;
};

/* Descriptors for files, list downloads, the HTTP server's own and the like. */
#define BUDGET_RESERVE     20
#define BUDGET_STREAMS_MAX 32

/* What the limit should be raised to for everything to be granted. */
uint32_t budget_wanted(const struct budget_wish *w);

/* Every share is at least 1 (sockets 2), even if the limit is too low for that. */
void budget_share(const struct budget_wish *w, struct budget *out);

#endif
