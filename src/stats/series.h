/*
 * Counts over time: a ring of slots of equal length, aligned to wall time, newest last. A slot
 * counts every status, reply and type, so that any total of a span is a sum of slots.
 */
#ifndef SINKHOLE_STATS_SERIES_H
#define SINKHOLE_STATS_SERIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "stats/event.h"

#define SERIES_CELLS (QUERY_STATUS_COUNT + REPLY_COUNT + STATS_TYPE_COUNT)

struct series_slot {
    uint32_t status[QUERY_STATUS_COUNT];
    uint32_t reply[REPLY_COUNT];
    uint32_t type[STATS_TYPE_COUNT];
};

struct series {
    uint32_t slot_s; /* length of a slot in seconds */
    uint32_t cap;    /* slots kept, the current one included */
    uint32_t head;   /* place of the current slot */
    int64_t newest;  /* its number: unix time / slot_s */
    struct series_slot *slot;
};

/* false: the arena is used up. */
bool series_init(struct series *s, struct arena *a, uint32_t slot_s, uint32_t cap,
                 int64_t now_unix_s);

/* Close slots that have ended; slots in between are empty. An earlier time than before changes
 * nothing. */
void series_advance(struct series *s, int64_t now_unix_s);

/* The wall clock was set by `step_s` seconds: what was recorded moves along, to the nearest slot.
 */
void series_redate(struct series *s, int64_t step_s);

/* Sum of two slots, cell by cell. */
void series_add(struct series_slot *into, const struct series_slot *from);

static inline struct series_slot *series_current(struct series *s)
{
    return &s->slot[s->head];
}

/* The slot `ago` slots before the current one, ago < cap. */
static inline const struct series_slot *series_at(const struct series *s, uint32_t ago)
{
    return &s->slot[s->head >= ago ? s->head - ago : s->head + s->cap - ago];
}

/* Unix time at which that slot starts. */
static inline int64_t series_start(const struct series *s, uint32_t ago)
{
    return (s->newest - (int64_t)ago) * (int64_t)s->slot_s;
}

#endif
