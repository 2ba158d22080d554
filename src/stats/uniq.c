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
    uint8_t rank = 1;
    while (rank < UNIQ_RANK_MAX && !(rest >> 63)) {
        rest <<= 1;
        rank++;
    }
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

/* Natural logarithm of x >= 1: x = 2^k * m with 1 <= m < 2, and ln m = 2 artanh((m - 1) / (m + 1)).
 */
static double ln(double x)
{
    const double ln2 = 0.69314718055994530942;
    double k = 0;
    while (x >= 2) {
        x /= 2;
        k += 1;
    }
    double z = (x - 1) / (x + 1), power = z, sum = 0;
    for (int i = 1; i < 40; i += 2) {
        sum += power / i;
        power *= z * z;
    }
    return k * ln2 + 2 * sum;
}

uint32_t uniq_count(const struct uniq *u)
{
    const double m = UNIQ_REGISTERS;
    const double alpha = 0.7213 / (1 + 1.079 / m);
    double sum = 0;
    uint32_t zero = 0;
    uint32_t of_rank[UNIQ_RANK_MAX + 1] = {0};
    for (uint32_t i = 0; i < UNIQ_REGISTERS; i++) {
        uint8_t rank = 0;
        for (uint32_t h = 0; h < UNIQ_HOURS; h++) {
            rank = u->hour[h][i] > rank ? u->hour[h][i] : rank;
        }
        of_rank[rank]++;
    }
    zero = of_rank[0];
    for (uint32_t r = 0; r <= UNIQ_RANK_MAX; r++) {
        sum += (double)of_rank[r] / (double)(UINT64_C(1) << r);
    }
    double estimate = alpha * m * m / sum;
    if (estimate <= 2.5 * m && zero > 0) {
        estimate = m * ln(m / zero);
    }
    return (uint32_t)(estimate + 0.5);
}
