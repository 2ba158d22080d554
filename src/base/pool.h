/*
 * A fixed number of equal slots, handed out by index, with a high-water mark. Free slots are a
 * chain through an index array.
 */
#ifndef SINKHOLE_BASE_POOL_H
#define SINKHOLE_BASE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_NONE UINT32_MAX

struct pool {
    uint32_t *next;  /* next[i]: next free slot after i; POOL_NONE ends the chain; a mark while i is
                        handed out */
    uint32_t free;   /* first free slot */
    uint32_t cap;    /* slots in all */
    uint32_t used;   /* slots handed out now */
    uint32_t peak;   /* most ever handed out at once */
    uint32_t failed; /* times that no slot was left */
};

/* `next` has room for cap indexes and stays the pool's. */
void pool_init(struct pool *p, uint32_t *next, uint32_t cap);

/* A free slot's index, or POOL_NONE (counted in failed). */
uint32_t pool_take(struct pool *p);
void pool_give(struct pool *p, uint32_t slot);

#endif
