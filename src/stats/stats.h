/*
 * Statistics: what was counted and seen, bounded, on both platforms.
 *
 * Each worker owns a struct stats_worker: counters (counters.def; one writer, relaxed reads) and a ring of events. One reader, the
 * collector, empties the rings now and then (stats_collect) into totals, series, top lists, clients and the query log; it works off
 * the packet path. If a ring overflows before it is read, counters stay exact and the lost events are counted.
 *
 * Readers of the collector (the API) are serialised with it by the platform: one thread, or a mutex around both.
 */
#ifndef SINKHOLE_STATS_STATS_H
#define SINKHOLE_STATS_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "stats/counters.h"
#include "stats/event.h"

struct stats_worker_config {
    uint32_t ring_octets;    /* a power of two, >= 64 KiB; 1 MiB by default (about 10 000 events) */
};
size_t stats_worker_memory(const struct stats_worker_config *cfg);
/* ERR_RANGE: ring_octets. ERR_SPACE: mem too small. The block is the worker's until the process ends. */
MUST_CHECK enum err stats_worker_init(struct stats_worker **out, void *mem, size_t len, const struct stats_worker_config *cfg);

/* Add to one row of counters.def; only the worker's own thread may. */
void stats_count(struct stats_worker *w, enum stats_counter counter, uint64_t n);

/* More than half of the ring is used: a worker that sees this after a batch wakes the collector. */
bool stats_worker_is_filling(const struct stats_worker *w);

/* The counting class of a question type. */
enum query_type stats_type_of(uint16_t qtype);

struct stats;

struct stats_config {
    uint32_t workers_max;    /* rings that can be attached */
    uint32_t log_entries;    /* queries kept for the log; 100 000 by default */
    uint32_t top_names;      /* names tracked for top lists; 4096 by default */
    uint32_t top_clients;    /* 1024 by default */
};
size_t stats_memory(const struct stats_config *cfg);
MUST_CHECK enum err stats_init(struct stats **out, void *mem, size_t len, const struct stats_config *cfg, usec_t now, int64_t now_unix_us, const uint8_t hash_key[16]);
MUST_CHECK enum err stats_attach(struct stats *s, struct stats_worker *w);

/* Empty the rings, close series slots that have ended. Returns the number of events worked up. */
uint32_t stats_collect(struct stats *s, usec_t now, int64_t now_unix_us);

#endif
