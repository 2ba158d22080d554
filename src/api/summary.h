/* How outcomes are added up for Pi-hole's API, in one place. */
#ifndef SINKHOLE_API_SUMMARY_H
#define SINKHOLE_API_SUMMARY_H

#include "api/api_int.h"

double summary_percent(uint64_t part, uint64_t whole);          /* 0 of nothing */
uint64_t summary_cached(const uint64_t outcome[OUTCOME_COUNT]); /* cache and local records */
uint64_t summary_forwarded(
    const uint64_t outcome[OUTCOME_COUNT]); /* answered by an upstream, or by none in time */

json_t *slot_object(const struct stats_slot *slot); /* an item of /api/history */

/* Rows of /api/stats/upstreams; the fixed ones stand for the lists and the cache. */
json_t *upstream_row(const char *ip, const char *name, int port, uint64_t count, double response,
                     double variance);
json_t *upstream_fixed_rows(uint64_t blocked, uint64_t cached);

#endif
