/*
 * What is recorded of one query. The packet path fills one struct stats_event and calls
 * stats_record once, in query_finish; that adds to the worker's counters and appends to its event
 * ring. Names, clients and times are worked up later by whoever reads the ring (stats.h), off the
 * packet path.
 */
#ifndef SINKHOLE_STATS_EVENT_H
#define SINKHOLE_STATS_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/time.h"
#include "dns/name.h"

/* How a query ended. The order is the index of counters; names for people and for the API are in
 * status.def. */
enum query_status {
    QUERY_FORWARDED,        /* answered by an upstream */
    QUERY_CACHED,           /* answered from the cache */
    QUERY_STALE,            /* expired answer stood in (RFC 8767) */
    QUERY_LOCAL,            /* local record, hosts file */
    QUERY_SPECIAL,          /* special-use name, ANY, CHAOS: answered by rule */
    QUERY_BLOCKED_LIST,     /* a list holds the name */
    QUERY_BLOCKED_RULE,     /* a person's own deny */
    QUERY_BLOCKED_REGEX,    /* a regular expression */
    QUERY_BLOCKED_CNAME,    /* a name in the answer's CNAME chain is blocked */
    QUERY_BLOCKED_UPSTREAM, /* the upstream says that it blocked the name */
    QUERY_BLOCKED_REBIND,   /* private address for a public name */
    QUERY_REFUSED,          /* client not allowed */
    QUERY_RATE_LIMITED,
    QUERY_INVALID, /* malformed, NOTIMP, BADVERS */
    QUERY_FAILED,  /* SERVFAIL: no upstream answered */
    QUERY_STATUS_COUNT
};

/* Refused, rate limited and invalid ones are in no total but their own: they count no type and no
 * reply either. */
static inline bool query_is_answered(enum query_status s)
{
    return s < QUERY_REFUSED || s > QUERY_INVALID;
}

/* The kind of the answer, as Pi-hole's API counts them. */
enum query_reply {
    REPLY_NONE,
    REPLY_NODATA,
    REPLY_NXDOMAIN,
    REPLY_CNAME,
    REPLY_IP,
    REPLY_DOMAIN, /* PTR, NS, MX … */
    REPLY_SERVFAIL,
    REPLY_REFUSED,
    REPLY_NOTIMP,
    REPLY_BLOB, /* other types with data */
    REPLY_OTHER,
    REPLY_COUNT
};

/* Question types, as Pi-hole's API counts them; the names are in names.h. */
enum query_type {
    TYPE_A,
    TYPE_AAAA,
    TYPE_ANY,
    TYPE_SRV,
    TYPE_SOA,
    TYPE_PTR,
    TYPE_TXT,
    TYPE_NAPTR,
    TYPE_MX,
    TYPE_DS,
    TYPE_RRSIG,
    TYPE_DNSKEY,
    TYPE_NS,
    TYPE_SVCB,
    TYPE_HTTPS,
    TYPE_OTHER,
    STATS_TYPE_COUNT
};

#define STATS_NO_UPSTREAM UINT16_MAX
#define STATS_NO_LIST     UINT16_MAX

#define STATS_UPSTREAMS_MAX \
    16 /* upstream indexes that are counted one by one; UPSTREAM_MAX of the resolver */
#define STATS_LISTS_MAX \
    512 /* list indexes that are counted one by one; a higher one is not counted by list */

struct stats_event {
    usec_t time;         /* arrival, monotonic */
    uint32_t latency_us; /* arrival to answer */
    struct ip_addr client;
    uint16_t qtype;
    uint16_t upstream; /* index in the snapshot, or STATS_NO_UPSTREAM */
    uint16_t list;     /* list of the deciding rule, or STATS_NO_LIST */
    uint8_t status;    /* enum query_status */
    uint8_t reply;     /* enum query_reply */
    uint8_t rcode;
    int8_t ede;                   /* EDE code sent, -1 none */
    uint8_t flags;                /* STATS_TCP, STATS_DO … */
    uint8_t match_labels;         /* labels of the matched suffix, 0: none */
    const struct dns_name *qname; /* borrowed for the call; NULL for malformed queries */
    const struct dns_name *cname; /* the blocked name of a chain, else NULL */
};

enum stats_event_flag { STATS_TCP = 1, STATS_DO = 2, STATS_PREFETCH = 4, STATS_RETRIED = 8 };

struct stats_worker;

/*
 * Count and log one query. An event with STATS_PREFETCH is no client's query: only `prefetches` and
 * its upstream are counted. If the ring is full the event is counted (and in events_lost) but not
 * logged. Cost: a few adds and one copy of 48 octets and the names, in this worker's own memory; no
 * lock, no atomic read-modify-write.
 */
void stats_record(struct stats_worker *w, const struct stats_event *event);

/* Other things worth counting have a row each in counters.def: stats_count(w, COUNTER_truncated, 1)
 * in stats.h. */

#endif
