/*
 * The TTLs inside a stored message: find them once, age them at each answer.
 */
#ifndef SINKHOLE_DNS_TTL_H
#define SINKHOLE_DNS_TTL_H

#include "dns/msg.h"

#define DNS_TTL_CAP                                                                               \
    604800 /* seven days; larger ones are cut to it, ones with the top bit set are 0 (RFC 2181 8) \
            */

struct dns_ttl_limits {
    uint32_t min_s, max_s;   /* positive answers are clamped to these */
    uint32_t negative_max_s; /* NXDOMAIN and NODATA */
};

/*
 * How long a response may be kept: the least TTL of its answer section, or for negative ones
 * min(SOA TTL, SOA MINIMUM) by RFC 2308 5 (0 if there is no SOA). Clamped to limits; 0 means do not
 * cache.
 */
uint32_t dns_ttl_of_response(const uint8_t *msg, size_t len, const struct dns_ttl_limits *limits);

/* Offsets of all TTL fields but OPT's. Returns how many there are; writes at most `max`. */
size_t dns_ttl_offsets(const uint8_t *msg, size_t len, uint16_t *offsets, size_t max);

/* Lower each TTL at the given offsets by age_s (not below 0), and cut it to cap_s. */
void dns_ttl_age(uint8_t *msg, const uint16_t *offsets, size_t count, uint32_t age_s,
                 uint32_t cap_s);

/* Set each TTL at the given offsets to ttl_s (stale answers, RFC 8767 4). */
void dns_ttl_set(uint8_t *msg, const uint16_t *offsets, size_t count, uint32_t ttl_s);

#endif
