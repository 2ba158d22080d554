/*
 * Weekly times at which a group is treated otherwise: "mon-fri 21:00-06:30 block". The days are
 * those on which a time begins; one whose end is not after its beginning ends on the next day. It
 * is in force whenever a clock on the wall shows a time within it, so an hour that comes twice or
 * never, when summer time ends or begins, counts twice or never.
 */
#ifndef SINKHOLE_CONFIG_SCHEDULE_H
#define SINKHOLE_CONFIG_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "base/strbuf.h"
#include "base/tz.h"

enum schedule_action {
    SCHEDULE_BLOCK,    /* everything that no own rule allows */
    SCHEDULE_PAUSE,    /* nothing */
    SCHEDULE_SERVICES, /* these services */
    SCHEDULE_LISTS     /* these lists count only then */
};

struct schedule {
    uint8_t days;      /* bit 0: Monday */
    uint16_t from, to; /* minutes of the day, 0..1440; equal: the whole day */
    enum schedule_action action;
    struct span what; /* of SERVICES and LISTS: names separated by blanks or commas; borrowed */
};

/* What a schedule looks like, for messages. */
#define SCHEDULE_EXPECTED                                                                    \
    "DAYS HH:MM-HH:MM and block, pause, services NAME..., or lists URL..., such as mon-fri " \
    "21:00-06:30 block"

/* DAYS: daily, or mon tue wed thu fri sat sun, with '-' and ','. Without a word for what happens:
 * block. ERR_FORMAT. */
MUST_CHECK enum err schedule_parse(struct span text, struct schedule *out);
void schedule_format(const struct schedule *s, struct strbuf *out);

bool schedule_is_active(const struct schedule *s, const struct tz_local *at);

/* The next moment after `unix_s` at which it begins or ends; INT64_MAX: it never does. */
int64_t schedule_next_change(const struct schedule *s, const struct tz *tz, int64_t unix_s);

/* The next name of `what`, taken off it; false: there is none. */
bool schedule_next_name(struct span *what, struct span *name);

/* Before this nobody can have known the time: a clock that was never set. */
#define SCHEDULE_CLOCK_MIN INT64_C(1735689600) /* 2025-01-01 */

#endif
