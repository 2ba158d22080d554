/*
 * HyperLogLog. The sketch of a window is the maximum of its hours' sketches, register by register.
 * There is no libm in the core, so the logarithm that linear counting needs is made here, by the
 * series of the inverse hyperbolic tangent.
 */
#include "stats/uniq.h"

#include <string.h>

bool uniq_init(struct uniq *u, struct arena *a)
{
    *u = (struct uniq){.now = 0};
    for (uint32_t h = 0; h < UNIQ_HOURS; h++) {
        u->hour[h] = ARENA_ARRAY(a, uint8_t, UNIQ_REGISTERS);
        if (!u->hour[h]) {
            return false;
        }
    }
    return true;
}

void uniq_add(struct uniq *u, uint64_t hash)
{
    uint8_t *reg = &u->hour[u->now % UNIQ_HOURS][hash >> (64 - UNIQ_BITS)];
    uint64_t rest = hash << UNIQ_BITS;
    uint8_t rank = rest ? (uint8_t)(LEADING_ZEROS(rest) + 1) : UNIQ_RANK_MAX;
    if (rank > *reg) {
        *reg = rank;
    }
}

void uniq_next_hour(struct uniq *u, uint32_t hours)
{
    if (hours > UNIQ_HOURS) {
        hours = UNIQ_HOURS;
    }
    while (hours-- > 0) {
        u->now++;
        memset(u->hour[u->now % UNIQ_HOURS], 0, UNIQ_REGISTERS);
    }
}

/*
 * The estimator's part for registers that are still empty; x is their share, below 1. It is the sum
 * of x^(2^k) * 2^(k-1) for all k >= 1, and x.
 */
static double sigma(double x)
{
    double y = 1, z = x, before;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

uint32_t uniq_count(const struct uniq *u)
{
    const double m = UNIQ_REGISTERS;
    const double alpha = 0.72134752044448170; /* 1 / (2 ln 2) */
    uint32_t of_rank[UNIQ_RANK_MAX + 1] = {0};
    for (uint32_t i = 0; i < UNIQ_REGISTERS; i++) {
        uint8_t rank = 0;
        for (uint32_t h = 0; h < UNIQ_HOURS; h++) {
            rank = u->hour[h][i] > rank ? u->hour[h][i] : rank;
        }
        of_rank[rank]++;
    }
    if (of_rank[0] == UNIQ_REGISTERS) {
        return 0;
    }
    double z = 0;
    for (uint32_t r = UNIQ_RANK_MAX; r >= 1; r--) {
        z = (z + of_rank[r]) / 2;
    }
    z += m * sigma(of_rank[0] / m);
    double estimate = alpha * m * m / z + 0.5;
    return estimate < UINT32_MAX ? (uint32_t)estimate : UINT32_MAX;
}
