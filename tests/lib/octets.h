/*
 * Octets for tests: out of hexadecimal text, and random ones that are the same at each run.
 */
#ifndef SINKHOLE_TESTS_OCTETS_H
#define SINKHOLE_TESTS_OCTETS_H

#include <stddef.h>
#include <stdint.h>

/* Digits in pairs, blanks between them ignored. Ends the program on anything else, and if it
 * exceeds cap. */
size_t octets_of_hex(const char *hex, uint8_t *out, size_t cap);

/* A generator that starts from a fixed seed, so that a failure can be repeated. Not for anything
 * but tests. */
struct test_random {
    uint64_t state;
};

uint64_t test_random_u64(struct test_random *r);
uint32_t test_random_below(struct test_random *r, uint32_t bound);
void test_random_bytes(struct test_random *r, void *out, size_t len);

#endif
