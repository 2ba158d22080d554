/*
 * The last queries: a ring of records with whole names. Each has a number (id) that grows by one
 * and is never used again while the process runs. Bounded by `entries` and by `entries * 96`
 * octets, whichever comes first; full: the oldest goes.
 */
#ifndef SINKHOLE_STATS_QLOG_H
#define SINKHOLE_STATS_QLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "stats/ring.h"

#define QLOG_OCTETS_EACH 96 /* 48 and a name of 48 octets */

struct qlog {
    uint8_t *data;
    uint64_t
        cap; /* octets; the block has RING_RECORD_MAX more, so that a record lies in one piece */
    uint64_t head; /* position of the next record; place = position % cap */
    uint64_t head_place;
    uint64_t tail;   /* position of the oldest */
    uint64_t *start; /* positions of the records, in a ring */
    uint32_t entries;
    uint32_t first_slot, next_slot; /* places of `first` and `next` in start */
    uint64_t first;                 /* id of the oldest record kept; ids start at 1 */
    uint64_t next;                  /* id of the next one */
};

size_t qlog_memory(uint32_t entries);
bool qlog_init(struct qlog *q, struct arena *a, uint32_t entries);

/* Forget all records; the next one gets the number `next`, which must not be below q->next. */
void qlog_clear(struct qlog *q, uint64_t next);

/* Append a copy of a record with its names (rec->size octets); returns the copy. */
struct ring_record *qlog_append(struct qlog *q, const struct ring_record *rec);

/* The record with this id, or NULL if it is gone or not yet there. Borrowed until the next append.
 */
const struct ring_record *qlog_at(const struct qlog *q, uint64_t id);

#endif
