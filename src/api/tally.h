/*
 * Counting over a span of the query log, for top lists of any time that a person marks. Bounded:
 * the scratch table of the API holds 1024 keys; beyond that the counts of rare keys are lower
 * bounds (stats/topk.h). Cost: about 0.1 us an entry of the log.
 */
#ifndef SINKHOLE_API_TALLY_H
#define SINKHOLE_API_TALLY_H

#include "api/api_int.h"
#include "stats/topk.h"

enum tally_key { TALLY_NAMES, TALLY_CLIENTS, TALLY_UPSTREAMS };
enum tally_of { TALLY_PERMITTED, TALLY_BLOCKED, TALLY_ALL };

struct tally {
    uint64_t total, blocked; /* queries in the span */
    uint64_t cached, forwarded;
    struct {
        uint64_t count;
        double sum_s, squares_s2;
    } upstream[STATS_UPSTREAM_ROWS]; /* only for TALLY_UPSTREAMS */
};

/* Does the log in memory reach back to the span's beginning? Also true where there is no history
 * that would reach further. */
bool tally_covers(const struct api *a, struct span_of_time span);

/* Fills *out, and a->scratch with the keys (names in wire form, 16 octets of an address). */
void tally_log(struct api *a, struct span_of_time span, enum tally_key key, enum tally_of of,
               struct tally *out);

#endif
