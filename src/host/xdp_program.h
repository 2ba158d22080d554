/*
 * The little program that the kernel runs for each packet of an interface: plain UDP packets for
 * one of the given addresses and ports go to the socket of their queue, all else goes on.
 */
#ifndef SINKHOLE_HOST_XDP_PROGRAM_H
#define SINKHOLE_HOST_XDP_PROGRAM_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"

#define XDP_TARGETS_MAX 32

struct xdp_program {
    int map;  /* from queue to socket */
    int link; /* while it is open, the program runs */
};

/* ERR_IO with errno. `queues` are in the map; those without a socket are left to the kernel. */
MUST_CHECK enum err xdp_program_start(struct xdp_program *p, unsigned interface, uint32_t queues,
                                      const struct ip_endpoint *targets, uint32_t count);
MUST_CHECK enum err xdp_program_add(const struct xdp_program *p, uint32_t queue, int socket);
void xdp_program_stop(struct xdp_program *p);

#endif
