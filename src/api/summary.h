/* How outcomes are added up for Pi-hole's API, in one place. */
#ifndef SINKHOLE_API_SUMMARY_H
#define SINKHOLE_API_SUMMARY_H

#include "api/api_int.h"

double summary_percent(uint64_t part, uint64_t whole);          /* 0 of nothing */
uint64_t summary_cached(const uint64_t outcome[OUTCOME_COUNT]); /* cache and local records */
uint64_t summary_forwarded(
    const uint64_t outcome[OUTCOME_COUNT]); /* answered by an upstream, or by none in time */

#endif
