/*
 * SipHash-2-4 and the faster SipHash-1-3 (Aumasson and Bernstein, 2012): keyed hashes for tables
 * whose keys come from the network, and the pseudo-random function of DNS cookies (RFC 9018).
 */
#ifndef SINKHOLE_BASE_SIPHASH_H
#define SINKHOLE_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t k0, k1;
};

uint64_t siphash24(struct siphash_key key, const void *data, size_t len);
uint64_t siphash13(struct siphash_key key, const void *data, size_t len);

#endif
