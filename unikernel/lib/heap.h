/*
 * The heap behind malloc on bare metal: two-level segregated fit (Masmano, Ripoll, Crespo, Real,
 * 2004). Allocate and free take a bounded number of steps however fragmented the memory is;
 * picolibc's own allocator walks a sorted free list, which takes minutes with some hundred thousand
 * objects. Only jansson and mbedTLS use it: the core has its memory given at start.
 */
#ifndef UNIKERNEL_HEAP_H
#define UNIKERNEL_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_gauges {
    size_t total;  /* octets given to the heap */
    size_t used;   /* octets in blocks handed out, headers included */
    size_t peak;   /* most ever used */
    size_t blocks; /* handed out now: a leak shows here */
    size_t failed; /* allocations refused */
};

/* An empty heap; then each piece of memory that is its. Pieces too small for a block are left
 * alone. */
void heap_init(void);
void heap_add(void *memory, size_t len);
void *
heap_alloc(size_t size); /* 16-octet aligned; NULL when there is no block; size 0 gives a block */
void *heap_resize(void *payload, size_t size); /* as realloc */
void heap_free(
    void *payload);        /* NULL allowed; a double free or a foreign pointer stops the machine */
size_t heap_largest(void); /* a request of this size would succeed now; 0: none */
size_t heap_block_size(const void *payload); /* usable octets */
void heap_get_gauges(struct heap_gauges *out);

#endif
