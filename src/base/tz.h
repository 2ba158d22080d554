/*
 * Local time by a rule as POSIX writes it in TZ: "CET-1CEST,M3.5.0,M10.5.0/3" (POSIX.1-2017 8.3,
 * with RFC 8536 3.3.1's hours from -167 to 167). No table of past changes: good for now and the
 * time to come, which is what schedules ask for.
 */
#ifndef SINKHOLE_BASE_TZ_H
#define SINKHOLE_BASE_TZ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

/* When the offset changes in a year. */
struct tz_rule {
    enum { TZ_MONTH_WEEK_DAY, TZ_DAY_NO_LEAP, TZ_DAY } kind; /* Mm.w.d, Jn, n */
    uint8_t month, week, weekday; /* 1..12; 1..5, 5: the last; 0..6 from Sunday */
    uint16_t day;                 /* Jn: 1..365, February 29 is not counted; n: 0..365 */
    int32_t second;               /* of the day, in the local time before the change */
};

struct tz {
    int32_t standard, summer; /* seconds east of Greenwich */
    bool has_summer;
    struct tz_rule start, end; /* of summer time */
};

/* All zero is Greenwich. ERR_FORMAT: not such a rule, or one without the days of change. */
MUST_CHECK enum err tz_parse(struct span text, struct tz *out);

/* Seconds east at a moment. */
int32_t tz_offset(const struct tz *tz, int64_t unix_s);

/* The next moment after `unix_s` at which summer time begins or ends; until then the offset stays.
 * INT64_MAX: never. */
int64_t tz_next_change(const struct tz *tz, int64_t unix_s);

/* What a clock on the wall shows. */
struct tz_local {
    int64_t day;     /* since 1970-01-01 */
    uint8_t weekday; /* 0: Monday … 6: Sunday */
    uint16_t minute; /* of the day */
};
void tz_local(const struct tz *tz, int64_t unix_s, struct tz_local *out);

#endif
