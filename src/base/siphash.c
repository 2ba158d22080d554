/*
 * SipHash, from the paper's description: two compression rounds a word and four at the end, or one
 * and three. Words are little-endian; the last one carries the length's low octet on top.
 */
#include "base/siphash.h"

#include "base/attr.h"
#include "base/span.h"

struct state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static inline void sip_round(struct state *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 = rotl(s->v2, 32);
}

static ALWAYS_INLINE void absorb(struct state *s, uint64_t word, unsigned rounds)
{
    s->v3 ^= word;
    for (unsigned i = 0; i < rounds; i++) {
        sip_round(s);
    }
    s->v0 ^= word;
}

static ALWAYS_INLINE uint64_t siphash(struct siphash_key key, const uint8_t *p, size_t len,
                                      unsigned rounds, unsigned last_rounds)
{
    struct state s = {
        .v0 = key.k0 ^ UINT64_C(0x736f6d6570736575),
        .v1 = key.k1 ^ UINT64_C(0x646f72616e646f6d),
        .v2 = key.k0 ^ UINT64_C(0x6c7967656e657261),
        .v3 = key.k1 ^ UINT64_C(0x7465646279746573),
    };
    size_t whole = len & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        absorb(&s, le64_read(p + i), rounds);
    }
    uint64_t last = (uint64_t)(len & 0xff) << 56;
    for (size_t i = whole; i < len; i++) {
        last |= (uint64_t)p[i] << (8 * (i - whole));
    }
    absorb(&s, last, rounds);
    s.v2 ^= 0xff;
    for (unsigned i = 0; i < last_rounds; i++) {
        sip_round(&s);
    }
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t siphash24(struct siphash_key key, const void *data, size_t len)
{
    return siphash(key, data, len, 2, 4);
}

uint64_t siphash13(struct siphash_key key, const void *data, size_t len)
{
    return siphash(key, data, len, 1, 3);
}
