/*
 * UDP packets in batches: many received by one call into the buffers in which they are answered,
 * and the answers sent by one call.
 *
 *     n = udp_receive(b, fd, wildcard);
 *     for i in 0..n-1:  udp_peer(b, i, &peer); udp_packet(b, i, &packet); …; udp_reply(b, i, len);
 *     udp_flush(b, fd);
 */
#ifndef SINKHOLE_HOST_UDP_H
#define SINKHOLE_HOST_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"
#include "resolver/resolver.h"

#define UDP_BATCH  64   /* packets */
#define UDP_IN_MAX 2048 /* octets of a query; longer ones are dropped */

struct udp_batch;

MUST_CHECK enum err udp_batch_new(struct udp_batch **out);
void udp_batch_free(struct udp_batch *b);

/*
 * Receive what is there, at most UDP_BATCH packets; returns how many, 0 when there is none.
 * `wildcard`: the socket is bound to all addresses.
 */
unsigned udp_receive(struct udp_batch *b, int fd, bool wildcard);

/* Packet i: false if it cannot be answered (cut off, source port 0). Sets addr, local, scope and
 * port, clears the rest. */
bool udp_peer(struct udp_batch *b, unsigned i, const struct ip_addr *bound, struct peer *out);
void udp_packet(struct udp_batch *b, unsigned i, struct packet *out);

/* The buffer of packet i holds an answer of `len` octets for its sender. */
void udp_reply(struct udp_batch *b, unsigned i, size_t len);

/* Send all replies. Returns how many the kernel did not take. */
unsigned udp_flush(struct udp_batch *b, int fd);

/* Answers that come later: copied, and sent together. */
struct udp_answers;

MUST_CHECK enum err udp_answers_new(struct udp_answers **out);
void udp_answers_free(struct udp_answers *a);

/*
 * Add one; a full batch and one for another socket is sent first. `wildcard` as above. Returns how
 * many the kernel did not take.
 */
unsigned udp_answer(struct udp_answers *a, int fd, bool wildcard, const struct peer *to,
                    const uint8_t *data, size_t len);
unsigned udp_answers_flush(struct udp_answers *a);

/* Octets of a batch and of its answers. */
size_t udp_memory(void);

#endif
