/*
 * Counters of one worker: one writer, any number of readers, no lock. A row of counters.def is one
 * counter.
 */
#ifndef SINKHOLE_STATS_COUNTERS_H
#define SINKHOLE_STATS_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/attr.h"
#include "stats/event.h"

enum stats_counter {
#define COUNTER(name, help) COUNTER_##name,
#include "stats/counters.def"
#undef COUNTER
    COUNTER_COUNT
};

const char *counter_name(enum stats_counter c); /* "queries_udp" */
const char *counter_help(enum stats_counter c);

/* A cell that its owner alone writes. Readers see each value whole, but not all of one instant. */
typedef _Atomic uint64_t counter_cell;

/* The order is that of use: what every query touches stands together at the start. */
struct counters {
    _Alignas(CACHE_LINE) counter_cell row[COUNTER_COUNT];
    counter_cell status[QUERY_STATUS_COUNT];
    counter_cell reply[REPLY_COUNT];
    counter_cell type[STATS_TYPE_COUNT];
    counter_cell
        upstream[STATS_UPSTREAMS_MAX];  /* answers taken from it, by index in the snapshot */
    counter_cell list[STATS_LISTS_MAX]; /* queries it decided, by index in the image */
};

/* A plain load, add and store: the owner needs no read-modify-write. */
static ALWAYS_INLINE void counter_add(counter_cell *cell, uint64_t n)
{
    atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline uint64_t counter_read(const counter_cell *cell)
{
    return atomic_load_explicit(cell, memory_order_relaxed);
}

#endif
