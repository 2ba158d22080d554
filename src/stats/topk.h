/*
 * The most frequent keys of the last 24 hours, in bounded memory: Filtered Space-Saving (Homem,
 * Carvalho, 2010) with counts kept by the hour.
 *
 * While there are no more different keys than entries all counts are exact. When the table is full,
 * keys that are not in it are counted together with others in cells, by hash. A key whose cell has
 * come up to the least estimate in the table takes that key's place; what the cell had counted is
 * kept beside it as `err`. So for every key: count <= true count <= count + err, and no key that
 * occurred more often than the least estimate is missing. Keys that are seen once or twice, the
 * many, cost one add and no place.
 *
 * The window is the current hour and the 23 before it; topk_next_hour drops the oldest. Cells are
 * counted for 24 to 48 hours, which may make `err` larger than it needs to be, never smaller.
 * Memory: entries * (key_max + 168) octets, the index, and 32 to 64 octets of cells an entry.
 */
#ifndef SINKHOLE_STATS_TOPK_H
#define SINKHOLE_STATS_TOPK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "stats/index.h"

#define TOPK_HOURS 24

struct topk_entry {
    uint64_t hash;
    uint64_t total;    /* sum of its hours */
    uint64_t err;      /* what may have been missed of it before it had a place */
    uint32_t err_hour; /* number of the hour in which it did */
    uint32_t heap_pos;
    uint8_t key_len;
    uint32_t hours[TOPK_HOURS]; /* counts; the current hour's is at hour % TOPK_HOURS */
};

/* The heap keeps estimates beside entry numbers, so that finding the least touches nothing else. */
struct topk_item {
    uint64_t estimate; /* total + err */
    uint32_t entry;
};

struct topk {
    uint32_t cap, count;
    uint32_t key_max;
    uint32_t hour; /* number of the current hour */
    struct index index;
    struct topk_entry *entry;
    struct topk_item *heap; /* the least estimate first */
    uint32_t *free;         /* entry numbers not in use, as a stack */
    uint8_t *keys;          /* key_max octets each */
    uint32_t cells;         /* a power of two */
    uint32_t *cell;         /* occurrences of keys without a place in this day, */
    uint32_t *cell_before;  /* and in the day before */
};

struct topk_row {
    const uint8_t *key; /* borrowed until the next change */
    uint32_t key_len;
    uint64_t count;
    uint64_t err;
};

size_t topk_memory(uint32_t entries, uint32_t key_max);

/* false: the arena is used up. */
bool topk_init(struct topk *t, struct arena *a, uint32_t entries, uint32_t key_max);

/* Forget all keys. */
void topk_clear(struct topk *t);

/* Count one occurrence. len <= key_max. Cost: O(log entries) at worst, usually one look-up. */
void topk_add(struct topk *t, uint64_t hash, const uint8_t *key, size_t len);

/* Have what stands under a hash fetched, for a topk_add soon. */
static inline void topk_prefetch(const struct topk *t, uint64_t hash)
{
    PREFETCH(&t->index.slot[index_first(&t->index, hash)]);
    PREFETCH(&t->cell[(uint32_t)(hash >> 32) & (t->cells - 1)]);
}

/* `hours` hours have passed. */
void topk_next_hour(struct topk *t, uint32_t hours);

/* The n most frequent keys, most frequent first; equal counts by key. Returns how many. Cost:
 * O(entries * log n). */
uint32_t topk_read(const struct topk *t, struct topk_row *out, uint32_t n);

/* For saving: the counts by hour of the entry that row i of topk_read came from, oldest first; and
 * back: add a whole key. */
void topk_hours(const struct topk *t, const struct topk_row *row, uint32_t hours[TOPK_HOURS]);
void topk_restore(struct topk *t, uint64_t hash, const uint8_t *key, size_t len,
                  const uint32_t hours[TOPK_HOURS]);

#endif
