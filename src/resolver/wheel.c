/*
 * Slots are rings of items; a bitmap of used slots finds the next one in a few words. The wheel
 * turns only as far as `now` tells, so an idle resolver costs nothing.
 */
#include "resolver/wheel.h"

#include "base/require.h"

#include <stdbool.h>
#include <string.h>

void wheel_init(struct wheel *w, struct wheel_item *items, uint32_t cap, usec_t now)
{
    memset(w->used, 0, sizeof w->used);
    w->step = now >> WHEEL_STEP_SHIFT;
    w->items = items;
    w->count = 0;
    for (uint32_t i = 0; i < cap; i++) {
        items[i].slot = WHEEL_NONE;
    }
}

static void link_item(struct wheel *w, uint32_t item, uint32_t slot)
{
    struct wheel_item *it = &w->items[item];
    uint64_t bit = UINT64_C(1) << slot % 64;
    if (w->used[slot / 64] & bit) {
        struct wheel_item *head = &w->items[w->head[slot]];
        it->next = w->head[slot];
        it->prev = head->prev;
        w->items[head->prev].next = item;
        head->prev = item;
    } else {
        it->next = it->prev = item;
        w->head[slot] = item;
        w->used[slot / 64] |= bit;
    }
    it->slot = slot;
    w->count++;
}

static void unlink_item(struct wheel *w, uint32_t item)
{
    struct wheel_item *it = &w->items[item];
    uint32_t slot = it->slot;
    if (it->next == item) {
        w->used[slot / 64] &= ~(UINT64_C(1) << slot % 64);
    } else {
        w->items[it->prev].next = it->next;
        w->items[it->next].prev = it->prev;
        if (w->head[slot] == item) {
            w->head[slot] = it->next;
        }
    }
    it->slot = WHEEL_NONE;
    w->count--;
}

static uint32_t slot_of(const struct wheel *w, usec_t when)
{
    uint64_t step = (when + WHEEL_STEP_US - 1) >> WHEEL_STEP_SHIFT;
    if (step <= w->step) {
        step = w->step + 1;
    } else if (step > w->step + WHEEL_SLOTS - 1) {
        step = w->step + WHEEL_SLOTS - 1;
    }
    return (uint32_t)(step % WHEEL_SLOTS);
}

void wheel_set(struct wheel *w, uint32_t item, usec_t when)
{
    struct wheel_item *it = &w->items[item];
    uint32_t slot = slot_of(w, when);
    it->when = when;
    if (it->slot == slot) {
        return;
    }
    wheel_cancel(w, item);
    link_item(w, item, slot);
}

void wheel_cancel(struct wheel *w, uint32_t item)
{
    if (w->items[item].slot != WHEEL_NONE) {
        unlink_item(w, item);
    }
}

static unsigned lowest_bit(uint64_t v)
{
    unsigned n = 0;
    while ((v & 0xff) == 0) {
        v >>= 8;
        n += 8;
    }
    while ((v & 1) == 0) {
        v >>= 1;
        n++;
    }
    return n;
}

/* Steps from w->step to the next used slot, 1..WHEEL_SLOTS; 0 if no slot is used. */
static uint32_t steps_to_next(const struct wheel *w)
{
    if (w->count == 0) {
        return 0;
    }
    uint32_t from = (uint32_t)((w->step + 1) % WHEEL_SLOTS);
    for (uint32_t i = 0; i <= WHEEL_SLOTS / 64; i++) {
        uint32_t word = (from / 64 + i) % (WHEEL_SLOTS / 64);
        uint64_t bits = w->used[word];
        if (i == 0) {
            bits &= ~UINT64_C(0) << from % 64;
        }
        if (bits != 0) {
            uint32_t slot = word * 64 + lowest_bit(bits);
            return (slot - from + WHEEL_SLOTS) % WHEEL_SLOTS + 1;
        }
    }
    ASSERT(false);
    return 0;
}

uint32_t wheel_expire(struct wheel *w, usec_t now)
{
    uint64_t target = now >> WHEEL_STEP_SHIFT;
    for (;;) {
        uint32_t steps = steps_to_next(w);
        if (steps == 0 || w->step + steps > target) {
            if (w->step < target) {
                w->step = target;
            }
            return WHEEL_NONE;
        }
        w->step += steps - 1; /* the slot stays the next one until it is empty */
        uint32_t item = w->head[(w->step + 1) % WHEEL_SLOTS];
        unlink_item(w, item);
        if (w->items[item].when <= now) {
            return item;
        }
        /* It lay beyond the wheel's end when it was set; from here it is nearer. */
        w->step++;
        wheel_set(w, item, w->items[item].when);
        w->step--;
    }
}

usec_t wheel_next(const struct wheel *w)
{
    uint32_t steps = steps_to_next(w);
    return steps == 0 ? USEC_NEVER : (w->step + steps) << WHEEL_STEP_SHIFT;
}
