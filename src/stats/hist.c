/*
 * Log-linear histogram. For values from 16 up the exponent picks the octave and the next three bits
 * the bucket in it.
 */
#include "stats/hist.h"

#include "base/attr.h"
#include "base/require.h"

enum { LINEAR = 16, LINEAR_BITS = 4, SUB_BITS = 3, SUB = 1 << SUB_BITS };

uint32_t hist_bucket_of(uint32_t us)
{
    if (us < LINEAR) {
        return us;
    }
    uint32_t e = 63 - LEADING_ZEROS(us);
    return LINEAR + (e - LINEAR_BITS) * SUB + ((us >> (e - SUB_BITS)) & (SUB - 1));
}

uint64_t hist_bucket_start(uint32_t bucket)
{
    if (bucket < LINEAR) {
        return bucket;
    }
    uint32_t e = (bucket - LINEAR) / SUB + LINEAR_BITS;
    uint64_t sub = (bucket - LINEAR) % SUB;
    return (UINT64_C(1) << e) + (sub << (e - SUB_BITS));
}

void hist_add(struct hist *h, uint32_t us)
{
    h->count++;
    h->sum_us += us;
    h->bucket[hist_bucket_of(us)]++;
}

uint64_t hist_count_below(const struct hist *h, uint64_t us)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < HIST_BUCKETS && hist_bucket_start(i + 1) <= us; i++) {
        n += h->bucket[i];
    }
    return n;
}

uint32_t hist_quantile(const struct hist *h, uint32_t permille)
{
    REQUIRE(permille <= 1000);
    if (h->count == 0) {
        return 0;
    }
    /* The rank is rounded up, so that the median of one value is that value. */
    uint64_t rank = h->count / 1000 * permille + (h->count % 1000 * permille + 999) / 1000;
    if (rank == 0) {
        rank = 1;
    }
    uint64_t seen = 0;
    for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen >= rank) {
            return (uint32_t)(hist_bucket_start(i + 1) - 1);
        }
    }
    return UINT32_MAX;
}

void hist_merge(struct hist *into, const struct hist *from)
{
    into->count += from->count;
    into->sum_us += from->sum_us;
    for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
        into->bucket[i] += from->bucket[i];
    }
}
