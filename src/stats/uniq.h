/*
 * How many different keys were seen in the last 24 hours: HyperLogLog (Flajolet et al., 2007) with
 * one sketch an hour. Standard error 0.8 %; some hundred keys are usually counted exactly.
 * Memory: 24 sketches of 16 KiB.
 */
#ifndef SINKHOLE_STATS_UNIQ_H
#define SINKHOLE_STATS_UNIQ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

#define UNIQ_HOURS     24
#define UNIQ_BITS      14
#define UNIQ_REGISTERS (1U << UNIQ_BITS)
#define UNIQ_RANK_MAX  (64 - UNIQ_BITS + 1)

struct uniq {
    uint8_t *hour[UNIQ_HOURS]; /* registers: the highest rank seen */
    uint32_t now; /* number of the current hour; its sketch is hour[now % UNIQ_HOURS] */
};

bool uniq_init(struct uniq *u, struct arena *a);

/* hash: 64 uniformly distributed bits of the key. */
void uniq_add(struct uniq *u, uint64_t hash);
void uniq_next_hour(struct uniq *u, uint32_t hours);

/* The estimate over the current hour and the 23 before it. Cost: one pass over all sketches. */
uint32_t uniq_count(const struct uniq *u);

#endif
