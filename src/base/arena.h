/*
 * Bump allocation inside one block of the caller: no free but all at once. The core's only way to
 * get memory after its init functions were given theirs.
 */
#ifndef SINKHOLE_BASE_ARENA_H
#define SINKHOLE_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct arena {
    uint8_t *base;
    size_t cap;
    size_t used; /* octets handed out, padding included */
};

void arena_init(struct arena *a, void *mem, size_t len);

/* `size` zeroed octets aligned to `align` (a power of two), or NULL when the block is used up. */
void *arena_alloc(struct arena *a, size_t size, size_t align);

/* A NUL-terminated copy, or NULL when the block is used up. */
char *arena_strdup(struct arena *a, const char *text, size_t len);

void arena_reset(struct arena *a);

#define ARENA_NEW(a, type)      ((type *)arena_alloc((a), sizeof(type), _Alignof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc((a), sizeof(type) * (n), _Alignof(type)))

#endif
