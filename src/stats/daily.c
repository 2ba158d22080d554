/*
 * One table, searched from end to end: it is looked at once a day.
 */
#include "stats/daily.h"

#include <string.h>

bool daily_init(struct daily *d, struct arena *a)
{
    d->name = ARENA_ARRAY(a, struct daily_name, DAILY_NAMES);
    d->generation = 1;
    return d->name != NULL;
}

void daily_clear(struct daily *d)
{
    memset(d->name, 0, DAILY_NAMES * sizeof d->name[0]);
    d->generation++;
}

static unsigned days_of(const struct daily_name *n)
{
    unsigned count = 0;
    for (unsigned i = 0; i < DAILY_WINDOW; i++) {
        count += n->days >> i & 1;
    }
    return count;
}

bool daily_is_used(const struct daily_name *n)
{
    return days_of(n) >= DAILY_DAYS;
}

/* The name's place, or the one that it may take: a free one, else that of the fewest days, if those
 * are fewer than `days`. NULL: none. */
static struct daily_name *place(struct daily *d, uint64_t hash, const uint8_t *wire, size_t len,
                                unsigned days)
{
    struct daily_name *least = NULL;
    unsigned fewest = days;
    for (uint32_t i = 0; i < DAILY_NAMES; i++) {
        struct daily_name *n = &d->name[i];
        if (n->days != 0 && n->hash == hash && n->len == len && memcmp(n->wire, wire, len) == 0) {
            return n;
        }
        if (days_of(n) < fewest) {
            least = n;
            fewest = days_of(n);
        }
    }
    if (least != NULL) {
        least->hash = hash;
        least->days = 0;
        least->len = (uint8_t)len;
        memcpy(least->wire, wire, len);
    }
    return least;
}

void daily_restore(struct daily *d, uint64_t hash, const uint8_t *wire, size_t len, uint8_t days)
{
    struct daily_name mark = {.days = days & ((1U << DAILY_WINDOW) - 1)};
    struct daily_name *n =
        len > 0 && len <= DAILY_NAME_MAX ? place(d, hash, wire, len, days_of(&mark)) : NULL;
    if (n != NULL) {
        n->days |= mark.days;
        d->generation++;
    }
}

void daily_pass(struct daily *d, uint32_t days, const struct topk *top, struct topk_row *rows,
                uint64_t (*hash)(void *ctx, const uint8_t *wire, size_t len), void *ctx)
{
    d->generation++;
    for (uint32_t i = 0; i < DAILY_NAMES; i++) {
        unsigned moved = days < DAILY_WINDOW ? (unsigned)d->name[i].days << days : 0;
        d->name[i].days = (uint8_t)(moved & ((1U << DAILY_WINDOW) - 1));
    }
    if (days == 0 || days > DAILY_WINDOW) {
        return;
    }
    uint32_t count = topk_read(top, rows, DAILY_TOP);
    for (uint32_t i = 0; i < count; i++) {
        /* Two days' weight: a name of today may take the place of one that was seen only once. */
        struct daily_name *n =
            rows[i].key_len <= DAILY_NAME_MAX
                ? place(d, hash(ctx, rows[i].key, rows[i].key_len), rows[i].key, rows[i].key_len, 2)
                : NULL;
        if (n != NULL) {
            n->days |= (uint8_t)(1U << (days - 1));
        }
    }
}
