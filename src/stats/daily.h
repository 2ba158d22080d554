/*
 * Names that are permitted and asked for day after day: for each of the last seven days that are
 * over, whether a name was among the most asked for. Filled once a day from the top list, so it
 * costs a query nothing and holds no name that the top list does not.
 *
 * Full: a name of few days makes room. Names longer than DAILY_NAME_MAX octets are left out.
 */
#ifndef SINKHOLE_STATS_DAILY_H
#define SINKHOLE_STATS_DAILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "stats/topk.h"

#define DAILY_NAMES    1024 /* names kept; 136 octets each */
#define DAILY_TOP      512  /* of the top list that count as used on a day */
#define DAILY_NAME_MAX 126  /* octets of a name in wire form */
#define DAILY_WINDOW   7    /* days */
#define DAILY_DAYS     5    /* of them on which a name must have been used to be a daily one */

struct daily_name {
    uint64_t hash;
    uint8_t days; /* bit i: i + 1 days ago; 0: free */
    uint8_t len;
    uint8_t wire[DAILY_NAME_MAX];
};

struct daily {
    struct daily_name *name; /* DAILY_NAMES */
    uint32_t generation;     /* grows when something changes */
};

/* false: the arena is used up. */
bool daily_init(struct daily *d, struct arena *a);

void daily_clear(struct daily *d);

/* `days` days are over, the first of them with these names at its top. rows: room for DAILY_TOP. */
void daily_pass(struct daily *d, uint32_t days, const struct topk *top, struct topk_row *rows,
                uint64_t (*hash)(void *ctx, const uint8_t *wire, size_t len), void *ctx);

/* Take over one that was saved. */
void daily_restore(struct daily *d, uint64_t hash, const uint8_t *wire, size_t len, uint8_t days);

bool daily_is_used(const struct daily_name *n);

#endif
