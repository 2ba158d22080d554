/*
 * Bump allocation. Addresses, not offsets, are aligned, so the block itself may start anywhere.
 */
#include "base/arena.h"

#include <string.h>

#include "base/require.h"

void arena_init(struct arena *a, void *mem, size_t len)
{
    REQUIRE(mem != NULL || len == 0);
    *a = (struct arena){.base = mem, .cap = len};
}

void *arena_alloc(struct arena *a, size_t size, size_t align)
{
    REQUIRE(align != 0 && (align & (align - 1)) == 0);
    size_t pad = (size_t)(-((uintptr_t)a->base + a->used) & (align - 1));
    size_t left = a->cap - a->used;
    if (left < pad || left - pad < size) {
        return NULL;
    }
    uint8_t *p = a->base + a->used + pad;
    a->used += pad + size;
    if (size > 0) {
        memset(p, 0, size);
    }
    return p;
}

char *arena_strdup(struct arena *a, const char *text, size_t len)
{
    if (len == SIZE_MAX) {
        return NULL;
    }
    char *copy = arena_alloc(a, len + 1, 1);
    if (copy != NULL && len > 0) {
        memcpy(copy, text, len);
    }
    return copy;
}

void arena_reset(struct arena *a)
{
    a->used = 0;
}
