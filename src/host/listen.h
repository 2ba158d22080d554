/*
 * Sockets that clients talk to. Each worker has its own on every address (SO_REUSEPORT), so the
 * kernel spreads clients over workers.
 */
#ifndef SINKHOLE_HOST_LISTEN_H
#define SINKHOLE_HOST_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"

#define LISTENERS_MAX 32 /* addresses */

/* One address with its sockets, one of each kind a worker. */
struct listener {
    struct ip_endpoint endpoint; /* with the port in use */
    bool wildcard;               /* all addresses: each packet tells which one was asked */
    int *udp, *tcp;              /* [workers] */
};

struct listeners {
    struct listener item[LISTENERS_MAX];
    uint32_t count;
    uint32_t workers;
};

/*
 * Bind all addresses for UDP and TCP; port 0 takes a free one, the same for both. An address that
 * the machine does not have yet is bound all the same, with a warning. ERR_LIMIT (too many),
 * ERR_MEMORY, ERR_IO: a line in the log says what and why.
 */
MUST_CHECK enum err listeners_open(struct listeners *l, const struct ip_endpoint *endpoint,
                                   uint32_t count, uint32_t workers);
void listeners_close(struct listeners *l);

/*
 * From now on the kernel gives a UDP packet that it handles on core C to worker C modulo `workers`,
 * in place of a hash of the addresses (SO_ATTACH_REUSEPORT_CBPF, socket(7)). False with errno: it
 * stays as it was.
 */
MUST_CHECK bool listeners_steer(const struct listeners *l);

/* The smallest receive buffer that the kernel granted, in octets. */
uint32_t listeners_buffer(const struct listeners *l);

#define LISTEN_BUFFER_WANTED (4u << 20) /* octets asked for */
#define LISTEN_BUFFER_NEEDED (1u << 20) /* a burst of 1000 queries fits in here */

#endif
