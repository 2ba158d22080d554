/*
 * A histogram of microseconds with log-linear buckets: exact below 16, then eight buckets an
 * octave, so a bucket's limits are at most 12.5 % apart. 240 buckets hold every 32-bit value.
 */
#ifndef SINKHOLE_STATS_HIST_H
#define SINKHOLE_STATS_HIST_H

#include <stdint.h>

#define HIST_BUCKETS 240

struct hist {
    uint64_t count;
    uint64_t sum_us;
    uint64_t bucket[HIST_BUCKETS];
};

void hist_add(struct hist *h, uint32_t us);

/* The bucket of a value, and the least value of a bucket (bucket HIST_BUCKETS: 2^32). */
uint32_t hist_bucket_of(uint32_t us);
uint64_t hist_bucket_start(uint32_t bucket);

/* How many values are below `us`; exact if `us` is the start of a bucket, as every power of two is.
 */
uint64_t hist_count_below(const struct hist *h, uint64_t us);

/* A value that `permille` of the values do not exceed: the end of its bucket less one. 0 if there
 * are none. */
uint32_t hist_quantile(const struct hist *h, uint32_t permille);

void hist_merge(struct hist *into, const struct hist *from);

#endif
