/*
 * Which entries of the query log are wanted. Texts may have '*' for any number of characters; case
 * does not matter. All that is given must hold.
 */
#ifndef SINKHOLE_API_QUERY_FILTER_H
#define SINKHOLE_API_QUERY_FILTER_H

#include "api/api_int.h"

enum filter_group { GROUP_ANY, GROUP_BLOCKED, GROUP_CACHED, GROUP_PERMITTED };

struct query_filter {
    struct span_of_time span;
    char domain[256], client_ip[64], client_name[256], upstream[300], type[16]; /* "" any */
    enum filter_group group; /* the words blocklist, cache and permitted of `upstream` */
    uint32_t statuses;       /* bit for each enum query_status */
    uint32_t replies;        /* bit for each enum query_reply */
    bool nothing;            /* a value that no entry can have */
    bool everything;         /* nothing was asked for */
};

/* Reads from, until, domain, client_ip, client_name, upstream, type, status, reply, dnssec. */
void query_filter_read(const struct call *c, struct query_filter *out);

/* upstream: as upstream_text; NULL: that of the entry's row. */
bool query_filter_takes(const struct api *a, const struct query_filter *f,
                        const struct stats_log_entry *e, const char *upstream);

/* The same question to the history; rows that come back are still to be judged. */
void query_filter_ask(const struct api *a, const struct query_filter *f, struct history_ask *ask);

/* "9.9.9.9#53", or the server's name with its port. "" if the row is not in use. */
void upstream_text(const struct stats *s, int row, char out[300]);

bool wildcard_matches(const char *pattern, const char *text);

#endif
