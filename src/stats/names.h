/*
 * Names of what is counted, as Pi-hole's API spells them; tables by the enums of event.h.
 */
#ifndef SINKHOLE_STATS_NAMES_H
#define SINKHOLE_STATS_NAMES_H

#include "stats/event.h"

const char *query_status_name(enum query_status s);  /* "GRAVITY"; NULL out of range */
const char *query_status_label(enum query_status s); /* ours, finer: "blocked_list" */
const char *query_reply_name(enum query_reply r);    /* "NXDOMAIN" */
const char *query_type_name(enum query_type t);      /* "AAAA", "OTHER" */

/* How the totals count a status. */
enum query_outcome {
    OUTCOME_FORWARDED,
    OUTCOME_CACHED, /* the cache, fresh or stale */
    OUTCOME_BLOCKED,
    OUTCOME_LOCAL, /* local records, special-use names */
    OUTCOME_FAILED,
    OUTCOME_IGNORED, /* refused, limited, malformed: not a query that was answered; in no total */
    OUTCOME_COUNT
};
enum query_outcome query_outcome_of(enum query_status s);
const char *query_outcome_name(enum query_outcome o); /* "forwarded" */

#endif
