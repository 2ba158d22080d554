/*
 * How many descriptors each part may use, so that together they stay below the limit of open files
 * and DNS always has what it needs.
 */
#ifndef SINKHOLE_HOST_BUDGET_H
#define SINKHOLE_HOST_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

struct budget_wish {
    uint32_t limit; /* of open files */
    uint32_t open;  /* open already, and listeners */
    uint32_t workers;
    uint32_t pending;          /* questions in flight, per worker: one socket each at best */
    uint32_t tcp_connections;  /* of clients, in all */
    uint32_t http_connections; /* 0: there is no HTTP server */
    bool https;                /* there are HTTPS upstreams */
};

struct budget {
    uint32_t sockets;         /* UDP sockets to upstreams, per worker */
    uint32_t streams;         /* TCP connections to upstreams, per worker */
    uint32_t spare;           /* of the above, held from the start on, per worker */
    uint32_t tcp_connections; /* of clients, per worker */
    uint32_t http_connections;
    uint32_t transfers; /* lists fetched at the same time */
};

#define BUDGET_STREAMS_MAX   32
#define BUDGET_TRANSFERS_MAX 6

/* What a configuration wishes; `open` is what it listens on alone, `limit` is left out. */
void budget_wish(const struct config *c, uint32_t workers, struct budget_wish *out);

/* What the limit should be raised to for everything to be granted. */
uint32_t budget_wanted(const struct budget_wish *w);

/* The least limit that the program can serve with. */
uint32_t budget_least(const struct budget_wish *w);

/* The sum of all shares stays below the limit if that is at least budget_least; below that the
 * shares are the least ones. */
void budget_share(const struct budget_wish *w, struct budget *out);

#endif
