/*
 * A ring of variable-length records from one writing thread to one reading thread, without lock.
 *
 *      0            tail              head            cap    cap+slack
 *      |  free      | r | record | r  |  free         |      |
 *
 * head and tail only grow; a position's place is its remainder by cap. A record always lies in one
 * piece: one that starts before cap may run into the slack behind it, and the same number of octets
 * at the start of the ring then stay unused.
 */
#ifndef SINKHOLE_STATS_RING_H
#define SINKHOLE_STATS_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* One event in the ring; the names' wire forms follow it, qname first, padded to a multiple of 8.
 */
struct ring_record {
    uint64_t time;
    uint32_t latency_us;
    uint16_t size; /* octets of the whole record, a multiple of 8 */
    uint16_t qtype;
    uint16_t upstream;
    uint16_t list;
    uint8_t status, reply, rcode;
    int8_t ede;
    uint8_t flags;
    uint8_t match_labels;
    uint8_t qname_len; /* 0: none */
    uint8_t cname_len; /* 0: none */
    uint8_t client[16];
    uint32_t list_id; /* in the log only: the collector's name of `list` */
};

_Static_assert(sizeof(struct ring_record) == 48,
               "the record's head is three quarters of a cache line");

#define RING_RECORD_MAX 560 /* 48 + 2 names of 255 octets, padded */
#define RING_CHUNK                                                                      \
    32 /* names are copied in one piece of this size if they fit: a fixed size is a few \
          instructions */
#define RING_SLACK (RING_RECORD_MAX + RING_CHUNK)

struct ring {
    uint8_t *data;                              /* cap + RING_SLACK octets, aligned to 8 */
    uint64_t cap;                               /* a power of two */
    _Alignas(CACHE_LINE) _Atomic uint64_t head; /* written by the writer */
    uint64_t tail_seen;                         /* the writer's last look at tail */
    _Alignas(CACHE_LINE) _Atomic uint64_t tail; /* written by the reader */
};

/* Room for `size` (at most RING_SLACK) octets, or NULL if the ring is full. Writer only. */
static ALWAYS_INLINE uint8_t *ring_reserve(struct ring *r, uint32_t size)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    if (UNLIKELY(head + size - r->tail_seen > r->cap)) {
        r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
        if (head + size - r->tail_seen > r->cap) {
            return NULL;
        }
    }
    return r->data + (head & (r->cap - 1));
}

/* Publish the first `size` (a multiple of 8) of the reserved octets. Writer only. */
static ALWAYS_INLINE void ring_commit(struct ring *r, uint32_t size)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    atomic_store_explicit(&r->head, head + size, memory_order_release);
}

/* Octets waiting to be read; either side. */
static inline uint64_t ring_used(const struct ring *r)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    return atomic_load_explicit(&r->head, memory_order_relaxed) - tail;
}

#endif
