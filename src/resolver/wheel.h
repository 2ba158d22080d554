/*
 * A timer wheel: one deadline an item, items known by index. Setting, cancelling and firing cost a
 * few instructions, whatever the number of items. Deadlines are rounded up to the next step, so
 * nothing fires early, and at most WHEEL_STEP_US late.
 */
#ifndef SINKHOLE_RESOLVER_WHEEL_H
#define SINKHOLE_RESOLVER_WHEEL_H

#include <stdint.h>

#include "base/time.h"

#define WHEEL_SLOTS      1024
#define WHEEL_STEP_SHIFT 12 /* a step is 4096 µs, the whole wheel 4.2 s */
#define WHEEL_STEP_US    (1U << WHEEL_STEP_SHIFT)
#define WHEEL_NONE       UINT32_MAX

struct wheel_item {
    usec_t when;   /* the deadline as set */
    uint32_t next; /* in the slot's ring */
    uint32_t prev;
    uint32_t slot; /* WHEEL_NONE: not set */
};

struct wheel {
    uint64_t step;                   /* all steps up to this one have fired */
    uint64_t used[WHEEL_SLOTS / 64]; /* bit: the slot holds items */
    uint32_t head[WHEEL_SLOTS];      /* meaningful where the bit is set */
    struct wheel_item *items;        /* the caller's, one an index */
    uint32_t count;                  /* items set now */
};

void wheel_init(struct wheel *w, struct wheel_item *items, uint32_t cap, usec_t now);

/* Set or move item's deadline. One beyond the wheel's end waits in the last slot and is set again
 * when that comes. */
void wheel_set(struct wheel *w, uint32_t item, usec_t when);
void wheel_cancel(struct wheel *w, uint32_t item);

/* The next item whose deadline is past, taken out; WHEEL_NONE when there is none. Call until then.
 */
uint32_t wheel_expire(struct wheel *w, usec_t now);

/* The earliest time at which wheel_expire may give something; USEC_NEVER if nothing is set. */
usec_t wheel_next(const struct wheel *w);

#endif
