/*
 * The answer cache, shared by all workers of the process. Key: (lower-case name, type, class, DO, CD). Readers take no lock: an
 * entry is copied out and the copy checked against the entry's sequence number. Each question has one writing worker (see
 * resolver.h), so writers never meet on one entry; writers that meet in one set give way (the insert is dropped and counted).
 *
 * Bounded by `entries` and by the memory given. Full: an entry that was not hit lately goes first (a scan of names asked once
 * does not push out popular ones).
 */
#ifndef SINKHOLE_RESOLVER_CACHE_H
#define SINKHOLE_RESOLVER_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/siphash.h"
#include "base/time.h"
#include "dns/name.h"

struct cache;

struct cache_config {
    uint32_t entries;       /* 256 … 4 Mi */
    uint32_t octets_each;   /* average room for an answer; 0: the default of 256 */
};

size_t cache_memory(const struct cache_config *cfg);
MUST_CHECK enum err cache_init(struct cache **out, void *mem, size_t len, const struct cache_config *cfg, struct siphash_key key);

/* Forget everything; safe while workers read. */
void cache_flush(struct cache *c);

struct cache_gauges {
    uint32_t entries, entries_max;
    uint64_t inserted, evicted, dropped, octets, octets_max;
};
void cache_get_gauges(const struct cache *c, struct cache_gauges *out);

#endif
