/*
 * What outbound.c (tickets, sending, receiving) and outbound_socket.c (the life of sockets) share.
 */
#ifndef SINKHOLE_HOST_OUTBOUND_INT_H
#define SINKHOLE_HOST_OUTBOUND_INT_H

#include <sys/socket.h>

#include "base/pool.h"
#include "dns/proto.h"
#include "host/outbound.h"
#include "host/ticketmap.h"

#define OUTBOUND_QUERY_MAX 512 /* octets of a question that can wait for others */

/* A socket, and the questions that left through its present port: one cache line. */
struct out_slot {
    int fd;                          /* -1: none */
    uint32_t next;                   /* in the list of unused ones, or of those with failures */
    uint32_t ticket[OUTBOUND_SHARE]; /* 0: over; what still comes for it is not looked at */
    uint16_t id[OUTBOUND_SHARE];     /* the message IDs, all different */
    uint16_t life;                   /* changes with the port */
    uint8_t inet6;
    uint8_t count;  /* of ticket and id */
    uint8_t live;   /* tickets that are not over */
    uint8_t failed; /* bit k: ticket k could not be sent and was not told so yet */
    uint8_t why;    /* enum resolver_failure, if any failed */
};

struct outbound {
    struct outbound_config cfg;
    struct rng rng;
    struct out_slot *slot;
    uint32_t *chain;
    struct pool pool; /* slots without a socket */
    uint32_t kept[2]; /* open, unused sockets: IPv4, IPv6 */
    uint32_t kept_count;
    uint32_t used;
    uint32_t failing; /* slots with failures to tell */
    struct ticketmap tickets;

    uint32_t open; /* the slot whose questions are still here; POOL_NONE: none is */
    struct ip_endpoint open_to;
    uint16_t len[OUTBOUND_SHARE];
    uint8_t data[OUTBOUND_SHARE][OUTBOUND_QUERY_MAX];
};

/* An unused socket of that family, kept or new; POOL_NONE when there is none to have. */
uint32_t outbound_take_slot(struct outbound *o, bool inet6);

/* Give it a port and an upstream. False with errno. */
MUST_CHECK bool outbound_connect_slot(struct outbound *o, struct out_slot *s,
                                      const struct ip_endpoint *upstream);

/* A slot that is not used any more: keep its socket or close it. */
void outbound_give_slot(struct outbound *o, uint32_t i);

/* recvfrom and its kin without the C library's wrappers, which make each call a point of thread
 * cancellation (4 % of an uncached query). */
ssize_t outbound_receive(int fd, uint8_t *buf, size_t cap);

#endif
