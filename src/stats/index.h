/*
 * A hash index over entries that are kept elsewhere: open addressing, linear probing, removal by
 * shifting back. It holds (32 bits of the hash, entry number); the caller compares keys.
 *
 *     for (uint32_t at = index_first(ix, hash); (e = index_next(ix, hash, &at)) != INDEX_NONE;) {
 * if (same(e)) … }
 */
#ifndef SINKHOLE_STATS_INDEX_H
#define SINKHOLE_STATS_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

#define INDEX_NONE UINT32_MAX

struct index_slot {
    uint32_t tag;   /* low half of the hash */
    uint32_t entry; /* INDEX_NONE: free */
};

struct index {
    struct index_slot *slot;
    uint32_t mask;
};

/* Slots for `entries` entries: the power of two that is at least twice as many. */
uint32_t index_slots(uint32_t entries);

/* false: the arena is used up. */
bool index_init(struct index *ix, struct arena *a, uint32_t entries);

void index_clear(struct index *ix);

static inline uint32_t index_first(const struct index *ix, uint64_t hash)
{
    return (uint32_t)hash & ix->mask;
}

/* The next entry whose tag is the hash's, from *at on; INDEX_NONE at the end of the run. */
static inline uint32_t index_next(const struct index *ix, uint64_t hash, uint32_t *at)
{
    for (;;) {
        const struct index_slot *s = &ix->slot[*at];
        if (s->entry == INDEX_NONE) {
            return INDEX_NONE;
        }
        *at = (*at + 1) & ix->mask;
        if (s->tag == (uint32_t)hash) {
            return s->entry;
        }
    }
}

/* At most half of the slots may be in use; the caller has no more entries than it asked room for.
 */
void index_insert(struct index *ix, uint64_t hash, uint32_t entry);

/* The entry must be there. */
void index_remove(struct index *ix, uint64_t hash, uint32_t entry);

#endif
