/* Open addressing with linear probing; see index.h. */
#include "stats/index.h"

#include "base/require.h"

uint32_t index_slots(uint32_t entries)
{
    uint32_t n = 16;
    while (n < entries * UINT64_C(2)) {
        n *= 2;
    }
    return n;
}

bool index_init(struct index *ix, struct arena *a, uint32_t entries)
{
    uint32_t n = index_slots(entries);
    ix->slot = ARENA_ARRAY(a, struct index_slot, n);
    if (!ix->slot) {
        return false;
    }
    ix->mask = n - 1;
    index_clear(ix);
    return true;
}

void index_clear(struct index *ix)
{
    for (uint32_t i = 0; i <= ix->mask; i++) {
        ix->slot[i].entry = INDEX_NONE;
    }
}

void index_insert(struct index *ix, uint64_t hash, uint32_t entry)
{
    uint32_t at = index_first(ix, hash);
    while (ix->slot[at].entry != INDEX_NONE) {
        at = (at + 1) & ix->mask;
    }
    ix->slot[at] = (struct index_slot){.tag = (uint32_t)hash, .entry = entry};
}

/* Would moving the slot at `from` to the hole bring it before its home? */
static bool may_fill(const struct index *ix, uint32_t hole, uint32_t from)
{
    uint32_t home = ix->slot[from].tag & ix->mask;
    return ((from - home) & ix->mask) >= ((from - hole) & ix->mask);
}

void index_remove(struct index *ix, uint64_t hash, uint32_t entry)
{
    uint32_t hole = index_first(ix, hash);
    while (ix->slot[hole].entry != entry) {
        REQUIRE(ix->slot[hole].entry != INDEX_NONE);
        hole = (hole + 1) & ix->mask;
    }
    for (uint32_t at = (hole + 1) & ix->mask; ix->slot[at].entry != INDEX_NONE;
         at = (at + 1) & ix->mask) {
        if (may_fill(ix, hole, at)) {
            ix->slot[hole] = ix->slot[at];
            hole = at;
        }
    }
    ix->slot[hole].entry = INDEX_NONE;
}
