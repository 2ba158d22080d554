/*
 * Names and images for the benches of the blocklist: the published lists of ../shared/data when
 * they are there, made-up names of the same kind otherwise.
 */
#ifndef SINKHOLE_BENCH_LISTS_H
#define SINKHOLE_BENCH_LISTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blocklist/image.h"
#include "blocklist/rule.h"

/* Rules as text lines "name<TAB>flags", and the same in wire format. */
struct bench_rules {
    size_t count;
    uint32_t *wire_at; /* of each name in wire */
    uint8_t *kind, *rank;
    uint8_t *wire;
    size_t wire_len;
    bool real; /* from published lists */
};

struct bench_rules bench_rules_load(void);

/* Wire names, one behind the other. */
struct bench_names {
    size_t count;
    uint32_t *at;
    uint8_t *wire;
};

struct bench_names bench_names_listed(const struct bench_rules *rules, size_t count);
struct bench_names bench_names_benign(size_t count);
struct bench_names bench_names_deep(const struct bench_rules *rules,
                                    size_t count); /* absent names below listed ones */

/* An image of the rules; ends the program if that fails. */
struct bl_image bench_image(const struct bench_rules *rules, unsigned passes);

uint64_t bench_random(void);
void *bench_alloc(size_t len);

/* A whole file, unpacked, with a NUL behind it. NULL: not there. */
char *bench_file(const char *path, size_t *len);

#endif
