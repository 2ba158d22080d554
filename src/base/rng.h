/*
 * Random numbers that an attacker cannot predict: ChaCha20 (RFC 8439) with fast key erasure. The
 * platform gives 32 octets of real entropy at start; a platform without any must refuse to start.
 */
#ifndef SINKHOLE_BASE_RNG_H
#define SINKHOLE_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

#define RNG_SEED_OCTETS 32

struct rng {
    uint32_t key[8];
    uint8_t buf[512]; /* octets made and not yet given; given ones are wiped */
    size_t pos;       /* next octet of buf to give */
};

void rng_init(struct rng *r, const uint8_t seed[RNG_SEED_OCTETS]);
void rng_bytes(struct rng *r, void *out, size_t len);
uint16_t rng_u16(struct rng *r);
uint32_t rng_u32(struct rng *r);
uint64_t rng_u64(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t bound); /* uniform in 0..bound-1; bound > 0 */

/* Mix fresh entropy into the key. */
void rng_stir(struct rng *r, const void *data, size_t len);

#endif
