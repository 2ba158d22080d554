/* Rings of time slots; see series.h. */
#include "stats/series.h"

#include <string.h>

#include "base/require.h"

/* Division that rounds down for times before 1970 too. */
static int64_t slot_number(int64_t unix_s, uint32_t slot_s)
{
    int64_t n = unix_s / (int64_t)slot_s;
    return unix_s % (int64_t)slot_s < 0 ? n - 1 : n;
}

bool series_init(struct series *s, struct arena *a, uint32_t slot_s, uint32_t cap,
                 int64_t now_unix_s)
{
    REQUIRE(slot_s > 0 && cap > 0);
    *s = (struct series){.slot_s = slot_s, .cap = cap};
    s->slot = ARENA_ARRAY(a, struct series_slot, cap);
    s->newest = slot_number(now_unix_s, slot_s);
    return s->slot != NULL;
}

void series_advance(struct series *s, int64_t now_unix_s)
{
    int64_t number = slot_number(now_unix_s, s->slot_s);
    if (number <= s->newest) {
        return;
    }
    uint64_t steps = (uint64_t)(number - s->newest);
    s->newest = number;
    for (uint64_t i = 0; i < steps && i < s->cap; i++) {
        s->head = s->head + 1 == s->cap ? 0 : s->head + 1;
        memset(&s->slot[s->head], 0, sizeof s->slot[0]);
    }
}

void series_redate(struct series *s, int64_t step_s)
{
    s->newest += slot_number(step_s + (int64_t)(s->slot_s / 2), s->slot_s);
}

void series_add(struct series_slot *into, const struct series_slot *from)
{
    for (int i = 0; i < QUERY_STATUS_COUNT; i++) {
        into->status[i] += from->status[i];
    }
    for (int i = 0; i < REPLY_COUNT; i++) {
        into->reply[i] += from->reply[i];
    }
    for (int i = 0; i < STATS_TYPE_COUNT; i++) {
        into->type[i] += from->type[i];
    }
}
