/*
 * DNS64 (RFC 6147): on a network that reaches IPv4 through a translator (NAT64), names that have
 * only IPv4 addresses get IPv6 addresses made of the translator's prefix and those. Off unless the
 * snapshot has a prefix.
 *
 * A question for AAAA that comes to nothing goes on as one for A (alias.h), through lists, cache
 * and upstreams like any other, and its addresses are turned when the answer is put together.
 */
#ifndef SINKHOLE_RESOLVER_DNS64_H
#define SINKHOLE_RESOLVER_DNS64_H

#include "base/ip.h"
#include "resolver/cache.h"
#include "resolver/query.h"
#include "resolver/reply.h"

struct resolver;

/* May a prefix be one: 32, 40, 48, 56, 64 or 96 bits with bits 64 to 71 zero (RFC 6052 2.2)? */
bool dns64_prefix_ok(const struct ip_prefix *p);

/* The address with `v4` in it, and back. False: `addr` is not within the prefix. */
void dns64_embed(const struct ip_prefix *p, const uint8_t v4[4], uint8_t out[16]);
bool dns64_extract(const struct ip_prefix *p, const uint8_t addr[16], uint8_t out[4]);

/*
 * An answer whose records stand behind the question in q's packet: has it nothing for a client that
 * needs an IPv6 address? True: q goes on as a question for A.
 */
bool dns64_answer(struct resolver *r, struct query *q, const struct cache_hit *hit);

/* The same where there are no records to look at: no data, or no answer at all. */
bool dns64_nothing(struct resolver *r, struct query *q);

/* A reverse name within the prefix leads by CNAME to that of the IPv4 address (RFC 6147 5.3.1).
 * True if q was one. */
bool dns64_reverse(struct resolver *r, struct query *q);

/* Copy the records of a message, A as AAAA of at most this TTL; false if that fails. *answers is
 * how many records the answer section has then. */
bool dns64_copy(const struct resolver *r, struct rewrite *rw, const uint8_t *msg, size_t len,
                uint32_t ttl_max_s, unsigned *answers);

#endif
