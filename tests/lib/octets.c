/*
 * Octets for tests.
 */
#include "octets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *p = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
    if (p == NULL) {
        fprintf(stderr, "octets_of_hex: not a digit: %c\n", c);
        abort();
    }
    return (unsigned)(p - digits);
}

size_t octets_of_hex(const char *hex, uint8_t *out, size_t cap)
{
    size_t n = 0;
    while (*hex != '\0') {
        if (*hex == ' ' || *hex == '\n') {
            hex++;
            continue;
        }
        if (n == cap) {
            fprintf(stderr, "octets_of_hex: more than %zu octets\n", cap);
            abort();
        }
        out[n++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
        hex += 2;
    }
    return n;
}

/* The finaliser of splitmix64 over a counter. */
uint64_t test_random_u64(struct test_random *r)
{
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t test_random_below(struct test_random *r, uint32_t bound)
{
    return (uint32_t)(test_random_u64(r) % bound);
}

void test_random_bytes(struct test_random *r, void *out, size_t len)
{
    uint8_t *p = out;
    for (size_t i = 0; i < len; i++) {
        p[i] = (uint8_t)test_random_u64(r);
    }
}
