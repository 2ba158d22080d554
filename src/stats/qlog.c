/* A ring of records; see qlog.h. The way in which records lie in one piece is that of ring.h. */
#include "stats/qlog.h"

#include <string.h>

#include "base/require.h"

size_t qlog_memory(uint32_t entries)
{
    return (size_t)entries * (QLOG_OCTETS_EACH + sizeof(uint64_t)) + RING_RECORD_MAX +
           2 * CACHE_LINE;
}

bool qlog_init(struct qlog *q, struct arena *a, uint32_t entries)
{
    REQUIRE(entries >= 16);
    *q = (struct qlog){.entries = entries, .first = 1, .next = 1};
    q->cap = (uint64_t)entries * QLOG_OCTETS_EACH;
    q->data = arena_alloc(a, (size_t)q->cap + RING_RECORD_MAX, CACHE_LINE);
    q->start = ARENA_ARRAY(a, uint64_t, entries);
    return q->data && q->start;
}

void qlog_clear(struct qlog *q, uint64_t next)
{
    REQUIRE(next >= q->next);
    q->first = q->next = next;
    q->first_slot = q->next_slot;
    q->tail = q->head;
}

static struct ring_record *record_at(const struct qlog *q, uint64_t pos)
{
    return (struct ring_record *)(void *)(q->data + pos % q->cap);
}

static uint32_t next_of(uint32_t at, uint64_t cap)
{
    return at + 1 == cap ? 0 : at + 1;
}

/* The oldest record's size is told by where the next one starts, so that what goes is not fetched
 * once more. */
static void drop_oldest(struct qlog *q)
{
    q->first++;
    q->first_slot = next_of(q->first_slot, q->entries);
    q->tail = q->first == q->next ? q->head : q->start[q->first_slot];
}

struct ring_record *qlog_append(struct qlog *q, const struct ring_record *rec)
{
    REQUIRE(rec->size >= sizeof *rec && rec->size <= RING_RECORD_MAX && rec->size % 8 == 0);
    while (q->first < q->next &&
           (q->next - q->first == q->entries || q->head + rec->size - q->tail > q->cap)) {
        drop_oldest(q);
    }
    struct ring_record *copy = (struct ring_record *)(void *)(q->data + q->head_place);
    memcpy(copy, rec, rec->size);
    q->start[q->next_slot] = q->head;
    q->head += rec->size;
    q->head_place += rec->size;
    q->head_place -= q->head_place >= q->cap ? q->cap : 0;
    q->next++;
    q->next_slot = next_of(q->next_slot, q->entries);
    return copy;
}

const struct ring_record *qlog_at(const struct qlog *q, uint64_t id)
{
    if (id < q->first || id >= q->next) {
        return NULL;
    }
    return record_at(q, q->start[(id - q->first + q->first_slot) % q->entries]);
}
