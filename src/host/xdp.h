/*
 * A door past the kernel's network stack: questions that arrive on one interface for our addresses
 * are handed to the workers as Ethernet frames (AF_XDP), and their answers leave as such. What is
 * not a plain UDP packet for one of our listeners, and all that comes on other interfaces, goes the
 * usual way; so does an answer that has to wait for an upstream. docs/xdp.md tells when it pays.
 *
 * Opening needs root (CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF); what follows needs no right.
 */
#ifndef SINKHOLE_HOST_XDP_H
#define SINKHOLE_HOST_XDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "host/listen.h"
#include "resolver/resolver.h"

#define XDP_BATCH  64
#define XDP_FRAMES 2048 /* of a queue; 2 KiB each */

struct xdp;
struct xdp_queue; /* of the interface; one a worker */

/*
 * Take over the interface's questions. Only listeners with an address of their own count, not those
 * on all addresses. ERR_NOT_FOUND (no such interface), ERR_RANGE (no listener with an address, or
 * the interface's MTU is too small), ERR_MEMORY, ERR_IO: a line in the log says what and why.
 */
MUST_CHECK enum err xdp_open(struct xdp **out, const char *interface,
                             const struct listeners *listeners, uint32_t workers);

/* The kernel takes all packets again. NULL allowed. */
void xdp_close(struct xdp *x);

/* A worker's queue, NULL if the interface has no more. */
struct xdp_queue *xdp_queue_of(struct xdp *x, uint32_t worker);

/* To be waited for with these events of poll(2). */
int xdp_fd(const struct xdp_queue *q);
short xdp_events(const struct xdp_queue *q);

/* Take what is there, at most XDP_BATCH frames. */
unsigned xdp_receive(struct xdp_queue *q);

/* Frame i; false if it cannot be answered. Sets peer's addr, local, scope, port and listener,
 * clears the rest. */
bool xdp_packet(struct xdp_queue *q, unsigned i, struct peer *peer, struct packet *out);

/* The buffer of packet i holds an answer of `len` octets for its sender. */
void xdp_reply(struct xdp_queue *q, unsigned i, size_t len);

/* Send all replies and give the other frames back. */
void xdp_flush(struct xdp_queue *q);

/* Octets of one queue. */
size_t xdp_memory(void);

#endif
