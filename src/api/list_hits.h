/*
 * What each list did in a span of the query log: queries that it blocked, and those of them that no
 * other list would have blocked. Whether another list holds a name is asked of the image in force
 * for the names that were blocked most; for the others it is not known, and they do not count.
 * Cost: a pass over the log, as tally.h's, and a look-up for each of LIST_HITS_NAMES names.
 */
#ifndef SINKHOLE_API_LIST_HITS_H
#define SINKHOLE_API_LIST_HITS_H

#include "api/api_int.h"

#define LIST_HITS_NAMES 512

struct list_hits {
    uint32_t id; /* rules_list_id */
    uint64_t blocked;
    uint64_t alone; /* at most `blocked` */
};

struct list_hits_table {
    struct list_hits row[RULES_LISTS_MAX * 2];
    uint32_t count;
};

/* Uses a->scratch. */
void list_hits_count(struct api *a, struct span_of_time span, struct list_hits_table *out);

/* Zeros for a list that did nothing. */
struct list_hits list_hits_of(const struct list_hits_table *t, uint32_t id);

#endif
