/* Inside of a struct stats, shared by collect.c, read.c and save.c. */
#ifndef SINKHOLE_STATS_STATS_INT_H
#define SINKHOLE_STATS_STATS_INT_H

#include "base/siphash.h"
#include "stats/clients.h"
#include "stats/daily.h"
#include "stats/qlog.h"
#include "stats/series.h"
#include "stats/stats.h"
#include "stats/topk.h"
#include "stats/uniq.h"
#include "stats/worker.h"

#define STATS_HOURS 24 /* hours of what is kept by the hour; TOPK_HOURS and UNIQ_HOURS too */
#define DAY_SLOTS   145
#define MONTH_SLOTS 745
#define IGNORED_PER_S \
    100 /* refused, limited and malformed queries that enter the log in one second */

_Static_assert(TOPK_HOURS == STATS_HOURS && UNIQ_HOURS == STATS_HOURS, "one rotation serves all");
_Static_assert(CLIENTS_SLOTS == DAY_SLOTS, "one rotation serves both");

struct upstream_row {
    bool used;
    bool current;
    struct stats_upstream upstream;
    uint64_t ever;               /* answers since statistics were first kept */
    uint64_t count[STATS_HOURS]; /* by hour number % STATS_HOURS, as all arrays of this length */
    uint64_t samples[STATS_HOURS];
    double sum_us[STATS_HOURS];
    double squares_us2[STATS_HOURS];
};

struct list_row {
    uint32_t id; /* 0: not in use */
    bool current;
    uint64_t ever;
    uint32_t hour[STATS_HOURS];
};

/* A worker and what of its counters was taken over already. */
struct attached {
    struct stats_worker *worker;
    uint64_t status[QUERY_STATUS_COUNT];
    uint64_t reply[REPLY_COUNT];
    uint64_t type[STATS_TYPE_COUNT];
    uint64_t upstream[STATS_UPSTREAMS_MAX];
    uint64_t list[STATS_LISTS_MAX];
    uint64_t head; /* of the ring, when collecting began */
};

struct stats {
    struct siphash_key key;
    struct attached *attached;
    uint32_t attached_count, attached_max;

    usec_t now;
    int64_t offset_us; /* unix time less monotonic time */
    int64_t since_unix;
    usec_t start; /* stats_init */
    enum stats_privacy privacy;

    uint64_t ever_status[QUERY_STATUS_COUNT];
    uint64_t ever_reply[REPLY_COUNT];
    uint64_t ever_type[STATS_TYPE_COUNT];
    struct series series[TIMELINE_COUNT];
    struct hist latency[OUTCOME_COUNT];
    struct hist recent[2]
                      [OUTCOME_COUNT]; /* of the current hour at hour % 2, and of the one before */

    uint32_t hour; /* number of the current hour, from 0 at init */
    struct topk permitted, blocked;
    struct daily daily;
    struct uniq names;
    struct clients clients;
    struct qlog log;

    struct upstream_row upstream[STATS_UPSTREAM_ROWS];
    int16_t upstream_map[STATS_UPSTREAMS_MAX]; /* index in the snapshot to row; -1: unknown */
    struct list_row list[STATS_LISTS_MAX];
    int16_t list_map[STATS_LISTS_MAX]; /* index in the image to row */

    struct topk_row *scratch; /* STATS_TOP_READ_MAX rows, for readers */

    uint64_t ignored_second;
    uint32_t ignored_count;
};

static inline int64_t stats_unix_s(const struct stats *s)
{
    int64_t us = (int64_t)s->now + s->offset_us;
    return us >= 0 ? us / 1000000 : -((-us + 999999) / 1000000);
}

uint64_t stats_hash_name(const struct stats *s, const uint8_t *wire, size_t len);

/* `days` days are over: note what was permitted on the first of them. */
void stats_next_day(struct stats *s, uint32_t days);

/* The row of an upstream or list, made if it is new in place of one that is not current; -1 if
 * there is no room. */
int stats_upstream_row(struct stats *s, const struct stats_upstream *u);
int stats_list_row(struct stats *s, uint32_t id);

#endif
