/*
 * SHA-1 over short texts: the padded message lies in one buffer and is worked off block by block,
 * so there is no state to keep between calls.
 */
#include "base/sha1.h"

#include "base/require.h"

enum { BLOCK = 64, DATA_MAX = 256, ROUNDS = 80 };

static uint32_t rotate(uint32_t v, unsigned n)
{
    return v << n | v >> (32 - n);
}

/* FIPS 180-4, 4.1.1 and 4.2.1. */
static uint32_t mix(unsigned t, uint32_t b, uint32_t c, uint32_t d)
{
    switch (t / 20) {
    case 0:
        return ((b & c) ^ (~b & d)) + 0x5a827999u;
    case 1:
        return (b ^ c ^ d) + 0x6ed9eba1u;
    case 2:
        return ((b & c) ^ (b & d) ^ (c & d)) + 0x8f1bbcdcu;
    default:
        return (b ^ c ^ d) + 0xca62c1d6u;
    }
}

/* 6.1.2 */
static void add_block(uint32_t h[5], const uint8_t *block)
{
    uint32_t w[ROUNDS];
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (unsigned t = 0; t < ROUNDS; t++) {
        w[t] = t < 16 ? be32_read(block + 4 * t)
                      : rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
        uint32_t next = rotate(a, 5) + mix(t, b, c, d) + e + w[t];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

void sha1(struct span data, uint8_t out[SHA1_OCTETS])
{
    uint8_t text[DATA_MAX + BLOCK] = {0};
    uint32_t h[5] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u};
    REQUIRE(data.len <= DATA_MAX);
    if (data.len > 0) {
        memcpy(text, data.ptr, data.len);
    }
    text[data.len] = 0x80;
    size_t blocks = (data.len + 9 + BLOCK - 1) / BLOCK;
    be32_write(text + blocks * BLOCK - 4, (uint32_t)data.len * 8);
    for (size_t i = 0; i < blocks; i++) {
        add_block(h, text + i * BLOCK);
    }
    for (int i = 0; i < 5; i++) {
        be32_write(out + 4 * i, h[i]);
    }
}

void sha1_hmac(struct span key, struct span data, uint8_t out[SHA1_OCTETS])
{
    uint8_t inner[BLOCK + DATA_MAX / 2], outer[BLOCK + SHA1_OCTETS];
    REQUIRE(key.len <= BLOCK && data.len <= DATA_MAX / 2);
    for (size_t i = 0; i < BLOCK; i++) {
        uint8_t k = i < key.len ? key.ptr[i] : 0;
        inner[i] = k ^ 0x36;
        outer[i] = k ^ 0x5c;
    }
    if (data.len > 0) {
        memcpy(inner + BLOCK, data.ptr, data.len);
    }
    sha1(span_of(inner, BLOCK + data.len), outer + BLOCK);
    sha1(span_of(outer, sizeof outer), out);
}
