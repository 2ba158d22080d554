/*
 * ChaCha20 as a generator with fast key erasure: each refill makes eight blocks, the first 32
 * octets replace the key at once and the rest is given out and wiped as it goes. Somebody who reads
 * the state later learns nothing about numbers given before.
 */
#include "base/rng.h"

#include <string.h>

#include "base/require.h"
#include "base/span.h"

#define BLOCK_OCTETS 64

struct chacha_block {
    uint32_t w[16];
};

static inline uint32_t rotl(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static inline void quarter(uint32_t *w, unsigned a, unsigned b, unsigned c, unsigned d)
{
    w[a] += w[b];
    w[d] = rotl(w[d] ^ w[a], 16);
    w[c] += w[d];
    w[b] = rotl(w[b] ^ w[c], 12);
    w[a] += w[b];
    w[d] = rotl(w[d] ^ w[a], 8);
    w[c] += w[d];
    w[b] = rotl(w[b] ^ w[c], 7);
}

/* One block, RFC 8439 2.3. */
static void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3],
                           uint8_t out[BLOCK_OCTETS])
{
    const uint32_t start[16] = {
        0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, key[0],  key[1],   key[2],   key[3],
        key[4],     key[5],     key[6],     key[7],     counter, nonce[0], nonce[1], nonce[2],
    };
    struct chacha_block b;
    memcpy(b.w, start, sizeof b.w);
    for (unsigned i = 0; i < 10; i++) {
        quarter(b.w, 0, 4, 8, 12);
        quarter(b.w, 1, 5, 9, 13);
        quarter(b.w, 2, 6, 10, 14);
        quarter(b.w, 3, 7, 11, 15);
        quarter(b.w, 0, 5, 10, 15);
        quarter(b.w, 1, 6, 11, 12);
        quarter(b.w, 2, 7, 8, 13);
        quarter(b.w, 3, 4, 9, 14);
    }
    for (unsigned i = 0; i < 16; i++) {
        le32_write(out + 4 * (size_t)i, b.w[i] + start[i]);
    }
}

static void refill(struct rng *r)
{
    static const uint32_t nonce[3] = {0, 0, 0};
    _Static_assert(sizeof r->buf % BLOCK_OCTETS == 0, "whole blocks");
    for (uint32_t i = 0; i < sizeof r->buf / BLOCK_OCTETS; i++) {
        chacha20_block(r->key, i, nonce, r->buf + (size_t)i * BLOCK_OCTETS);
    }
    for (size_t i = 0; i < 8; i++) {
        r->key[i] = le32_read(r->buf + 4 * i);
    }
    memset(r->buf, 0, RNG_SEED_OCTETS);
    r->pos = RNG_SEED_OCTETS;
}

void rng_init(struct rng *r, const uint8_t seed[RNG_SEED_OCTETS])
{
    for (size_t i = 0; i < 8; i++) {
        r->key[i] = le32_read(seed + 4 * i);
    }
    refill(r);
}

void rng_bytes(struct rng *r, void *out, size_t len)
{
    uint8_t *p = out;
    while (len > 0) {
        if (r->pos == sizeof r->buf) {
            refill(r);
        }
        size_t n = sizeof r->buf - r->pos;
        if (n > len) {
            n = len;
        }
        memcpy(p, r->buf + r->pos, n);
        memset(r->buf + r->pos, 0, n);
        r->pos += n;
        p += n;
        len -= n;
    }
}

uint16_t rng_u16(struct rng *r)
{
    uint8_t b[2];
    rng_bytes(r, b, sizeof b);
    return be16_read(b);
}

uint32_t rng_u32(struct rng *r)
{
    uint8_t b[4];
    rng_bytes(r, b, sizeof b);
    return le32_read(b);
}

uint64_t rng_u64(struct rng *r)
{
    uint8_t b[8];
    rng_bytes(r, b, sizeof b);
    return le64_read(b);
}

/* Lemire's multiplication; the few products that would make some results likelier are thrown away.
 */
uint32_t rng_below(struct rng *r, uint32_t bound)
{
    REQUIRE(bound > 0);
    uint64_t product = (uint64_t)rng_u32(r) * bound;
    if ((uint32_t)product < bound) {
        uint32_t uneven = (uint32_t)-bound % bound;
        while ((uint32_t)product < uneven) {
            product = (uint64_t)rng_u32(r) * bound;
        }
    }
    return (uint32_t)(product >> 32);
}

void rng_stir(struct rng *r, const void *data, size_t len)
{
    const uint8_t *p = data;
    do {
        uint8_t chunk[RNG_SEED_OCTETS] = {0};
        size_t n = len < sizeof chunk ? len : sizeof chunk;
        if (n > 0) {
            memcpy(chunk, p, n);
        }
        for (size_t i = 0; i < 8; i++) {
            r->key[i] ^= le32_read(chunk + 4 * i);
        }
        refill(r);
        p += n;
        len -= n;
    } while (len > 0);
}
