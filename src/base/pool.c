/*
 * Fixed slots by index. A slot that is handed out is marked in `next`, so that giving it back
 * twice, or giving one that was never taken, is caught where it happens.
 */
#include "base/pool.h"

#include "base/require.h"

#define POOL_TAKEN (UINT32_MAX - 1)

void pool_init(struct pool *p, uint32_t *next, uint32_t cap)
{
    REQUIRE(cap < POOL_TAKEN && (next != NULL || cap == 0));
    *p = (struct pool){.next = next, .free = cap > 0 ? 0 : POOL_NONE, .cap = cap};
    for (uint32_t i = 0; i < cap; i++) {
        next[i] = i + 1 < cap ? i + 1 : POOL_NONE;
    }
}

uint32_t pool_take(struct pool *p)
{
    uint32_t slot = p->free;
    if (slot == POOL_NONE) {
        p->failed++;
        return POOL_NONE;
    }
    p->free = p->next[slot];
    p->next[slot] = POOL_TAKEN;
    p->used++;
    if (p->used > p->peak) {
        p->peak = p->used;
    }
    return slot;
}

void pool_give(struct pool *p, uint32_t slot)
{
    REQUIRE(slot < p->cap && p->next[slot] == POOL_TAKEN);
    p->next[slot] = p->free;
    p->free = slot;
    p->used--;
}
