/*
 * The query history that a platform keeps beyond the log in memory: what the API asks of it and
 * what it gets. Asking is a job: opened, polled, closed; the platform works on it elsewhere, so
 * that nobody waits for a disk.
 */
#ifndef SINKHOLE_API_HISTORY_H
#define SINKHOLE_API_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "dns/name.h"
#include "stats/stats.h"

#define HISTORY_CLIENTS_ASKED 64   /* clients that a job can be narrowed to */
#define HISTORY_TOP_MAX       250  /* rows of a top list */
#define HISTORY_SLOTS_MAX     2048 /* of a timeline */
#define HISTORY_LINES_MAX     100  /* clients of a timeline by client */
#define HISTORY_PAGE          128  /* rows handed over at once */
#define HISTORY_UPSTREAM_TEXT 300

/* What is wanted. Sums come by slots of ten minutes: those that begin within the span. */
enum history_what {
    HISTORY_ROWS,         /* queries, newest first */
    HISTORY_TOTALS,       /* totals, upstreams */
    HISTORY_TIMELINE,     /* and slots */
    HISTORY_CLIENTS,      /* totals, top clients */
    HISTORY_CLIENT_LINES, /* totals, top clients, and their slots */
    HISTORY_NAMES         /* totals, top names; looks at each row */
};

/* Which rows; texts may have '*' for any number of characters, "" is any. */
struct history_ask {
    enum history_what what;
    int64_t from_us, until_us; /* until is not in it */
    uint32_t count;            /* of a top list, at most HISTORY_TOP_MAX */
    bool blocked;              /* top lists: of what was blocked */
    uint32_t slot_s;           /* of a timeline, a multiple of 600 */
    usec_t time_us;            /* of work; then the job ends as it is, with `partial` */
    /* HISTORY_ROWS alone */
    uint64_t before; /* ids below this */
    char domain[256], client_ip[64], upstream[HISTORY_UPSTREAM_TEXT], type[16];
    uint32_t statuses, replies; /* a bit for each that is wanted */
    uint32_t client_count;      /* UINT32_MAX: any client */
    struct ip_addr client[HISTORY_CLIENTS_ASKED];
};

struct history_row {
    struct stats_log_entry entry; /* its spans point into this row */
    uint8_t qname[DNS_NAME_MAX], cname[DNS_NAME_MAX];
    char upstream[HISTORY_UPSTREAM_TEXT]; /* "9.9.9.9#53", "" if none */
};

struct history_name {
    struct dns_name name;
    uint64_t count;
};

struct history_client {
    struct ip_addr addr;
    uint64_t total, blocked;
};

struct history_upstream {
    char text[HISTORY_UPSTREAM_TEXT];
    uint64_t count;
    double sum_s, squares_s2; /* of the answers' times */
};

struct history_result {
    bool partial;       /* time ran out */
    const char *failed; /* static text; NULL: it did not */
    struct stats_totals totals;
    uint32_t clients_seen; /* how many different ones */
    uint32_t rows, names, clients, upstreams, slots;
    struct history_row *row;       /* HISTORY_PAGE */
    struct history_name *name;     /* HISTORY_TOP_MAX */
    struct history_client *client; /* HISTORY_TOP_MAX */
    struct history_upstream upstream[STATS_UPSTREAM_ROWS];
    struct stats_slot *slot; /* oldest first; those without queries are left out */
    uint32_t *line;          /* [slot * HISTORY_LINES_MAX + client]; of each slot and client */
};

enum history_state {
    HISTORY_WORKING,
    HISTORY_PAGE_READY, /* rows; there may be more: next */
    HISTORY_DONE        /* rows or sums, and no more */
};

/* How the history is. */
struct history_status {
    bool enabled;
    bool writable;     /* the last batch was written */
    char problem[160]; /* for people; "" if all is well */
    int64_t problem_unix;
    uint64_t octets, octets_max;      /* of the file */
    int64_t keep_s;                   /* how long rows are kept */
    uint64_t rows;                    /* about */
    int64_t oldest_unix;              /* 0: none */
    uint64_t newest_id;               /* of what is written */
    uint64_t written_rows, lost_rows; /* since the start */
    uint64_t written_octets;          /* to the disk, since the start */
    uint64_t written_octets_day;      /* in the last 24 hours, or since the start */
    uint64_t batches;
    char version[16]; /* of the library */
};

#endif
