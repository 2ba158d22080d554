/*
 * Statistics: what was counted and seen, bounded, on both platforms.
 *
 * Each worker owns a struct stats_worker: counters (counters.def; one writer, relaxed reads) and a
 * ring of events. One reader, the collector, empties the rings now and then (stats_collect) into
 * totals, series, top lists, clients and the query log; it works off the packet path. If a ring
 * overflows before it is read, counters stay exact and the lost events are counted.
 *
 * Readers of the collector (the API) are serialised with it by the platform: one thread, or a mutex
 * around both.
 */
#ifndef SINKHOLE_STATS_STATS_H
#define SINKHOLE_STATS_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "base/strbuf.h"
#include "stats/counters.h"
#include "stats/event.h"
#include "stats/hist.h"
#include "stats/names.h"

struct stats_worker_config {
    uint32_t ring_octets; /* a power of two, >= 64 KiB; 1 MiB by default (about 10 000 events) */
};
size_t stats_worker_memory(const struct stats_worker_config *cfg);
/* ERR_RANGE: ring_octets. ERR_SPACE: mem too small. The block is the worker's until the process
 * ends. */
MUST_CHECK enum err stats_worker_init(struct stats_worker **out, void *mem, size_t len,
                                      const struct stats_worker_config *cfg);

/* Add to one row of counters.def; only the worker's own thread may. */
void stats_count(struct stats_worker *w, enum stats_counter counter, uint64_t n);

/* More than half of the ring is used: a worker that sees this after a batch wakes the collector. */
bool stats_worker_is_filling(const struct stats_worker *w);

/* The counting class of a question type. */
enum query_type stats_type_of(uint16_t qtype);

struct stats;

#define STATS_WORKERS_MAX   64
#define STATS_LOG_MIN       256
#define STATS_LOG_MAX       (1U << 22)
#define STATS_TOP_MIN       64
#define STATS_TOP_MAX       (1U << 18)
#define STATS_UPSTREAM_ROWS 32 /* upstreams remembered by id; an unused one makes room */

struct stats_config {
    uint32_t workers_max; /* rings that can be attached, 1..STATS_WORKERS_MAX */
    uint32_t log_entries; /* queries kept for the log; 100 000 by default, 104 octets each */
    uint32_t top_names;   /* names tracked, for each of permitted and blocked; 4096 by default, 448
                             octets each, twice */
    uint32_t top_clients; /* clients tracked; 1024 by default, 1.2 KiB each; full: the one that
                             asked longest ago goes */
};
size_t stats_memory(const struct stats_config *cfg);

/* ERR_RANGE: a field of cfg. ERR_SPACE: mem too small. hash_key: secret, random. */
MUST_CHECK enum err stats_init(struct stats **out, void *mem, size_t len,
                               const struct stats_config *cfg, usec_t now, int64_t now_unix_us,
                               const uint8_t hash_key[16]);
MUST_CHECK enum err stats_attach(struct stats *s,
                                 struct stats_worker *w); /* ERR_LIMIT beyond workers_max */

/*
 * Empty the rings, close series slots that have ended. Returns the number of events worked up. To
 * be called at least each second; more often keeps rings short. A step of the wall clock against
 * `now` of more than a minute moves what was recorded along with it.
 */
uint32_t stats_collect(struct stats *s, usec_t now, int64_t now_unix_us);

/*
 * What is kept of queries beside sums: applied before anything is kept at all. Each level has what
 * the one before it has, too.
 */
enum stats_privacy {
    PRIVACY_FULL,
    PRIVACY_CLIENTS, /* of a client the network: /24 of IPv4, /48 of IPv6 */
    PRIVACY_NAMES,   /* no names */
    PRIVACY_NOTHING  /* no log, no clients: sums alone */
};

/* From now on. A higher level than before forgets what was kept: log, top lists, clients. */
void stats_set_privacy(struct stats *s, enum stats_privacy level);
enum stats_privacy stats_privacy(const struct stats *s);

/* Forget names, clients and the log; sums stay. */
void stats_forget(struct stats *s);

/* Before anything was logged: the id of the first entry, for a log that goes on from a former one.
 */
void stats_log_begin(struct stats *s, uint64_t id);

/*
 * What the indexes in events mean from now on. Call stats_collect first, then this, then give
 * workers the new snapshot; events of the old one that are still under way are counted under the
 * new meaning. ids[i]: rules_list_id of list i of the image; 0: unknown.
 */
void stats_set_lists(struct stats *s, const uint32_t *ids, uint32_t count);

struct stats_upstream {
    uint64_t id; /* upstream_spec.id */
    struct ip_endpoint endpoint;
    char name[256]; /* TLS server name or URL, "" if none */
};
void stats_set_upstreams(struct stats *s, const struct stats_upstream *upstreams, uint32_t count);

/* Sums over a span. `total` counts answered queries: all statuses but refused, rate limited and
 * invalid. */
struct stats_totals {
    uint64_t total;
    uint64_t outcome[OUTCOME_COUNT];
    uint64_t status[QUERY_STATUS_COUNT];
    uint64_t reply[REPLY_COUNT];
    uint64_t type[STATS_TYPE_COUNT];
};
void stats_day(const struct stats *s,
               struct stats_totals *out); /* the current 10-minute slot and the 143 before it */
void stats_ever(const struct stats *s,
                struct stats_totals *out); /* since statistics were first kept, over restarts */
int64_t stats_since_unix(const struct stats *s); /* when that was */

/* Sum of one row of counters.def, or of one status or list, over all workers since the start of the
 * process. */
uint64_t stats_counter(const struct stats *s, enum stats_counter c);
uint64_t stats_status_counter(const struct stats *s, enum query_status status);
uint64_t stats_reply_counter(const struct stats *s, enum query_reply reply);
uint64_t stats_type_counter(const struct stats *s, enum query_type type);

uint32_t
stats_unique_names(const struct stats *s); /* names asked for in the last 24 h; error 0.8 % */
uint32_t
stats_rate_milli(const struct stats *s); /* queries in 1000 seconds, over the last minute */

/* Time from question to answer of one outcome, since the start of the process; restarts forget it.
 */
const struct hist *stats_latency(const struct stats *s, enum query_outcome outcome);

/* The same for the current hour and the one before it. Returns how many seconds that is. */
uint32_t stats_recent_latency(const struct stats *s, enum query_outcome outcome, struct hist *out);

/* Timelines. Slots are aligned to wall time; the newest is not over yet. */
enum stats_timeline {
    TIMELINE_10S,   /* the last 10 minutes */
    TIMELINE_1MIN,  /* the last hour */
    TIMELINE_10MIN, /* the last 24 h: 145 slots */
    TIMELINE_1H,    /* the last 31 days */
    TIMELINE_COUNT
};
struct stats_slot {
    int64_t start_unix;
    uint64_t total;
    uint64_t outcome[OUTCOME_COUNT];
};
uint32_t stats_timeline_slots(const struct stats *s,
                              enum stats_timeline t); /* how many there are */
uint32_t stats_timeline_seconds(const struct stats *s, enum stats_timeline t); /* length of one */
bool stats_timeline_at(const struct stats *s, enum stats_timeline t, uint32_t ago,
                       struct stats_slot *out); /* 0: the newest */

/* Top names of the last 24 h (the current hour and the 23 before it), most first. */
struct stats_name {
    struct dns_name name;
    uint64_t count;
    uint64_t error; /* the true count is at least `count` and at most count + error */
};
#define STATS_TOP_READ_MAX 1000
uint32_t stats_top_names(const struct stats *s, bool blocked, struct stats_name *out, uint32_t n);

/*
 * Names that were permitted and much asked for on most of the last days (daily.h), a line each.
 * Returns how many; `out` says whether they had room: STATS_DAILY_TEXT octets are usually enough.
 * The number of stats_daily_changed grows when they may be others.
 */
#define STATS_DAILY_TEXT (256 * 1024)
uint32_t stats_daily_names(const struct stats *s, struct strbuf *out);
uint32_t stats_daily_changed(const struct stats *s);

/* Clients, by total or by blocked queries of the last 24 h, most first; those without any are left
 * out. n <= STATS_TOP_READ_MAX. */
struct stats_client {
    struct ip_addr addr;
    uint64_t total, blocked;
    int64_t first_seen_unix, last_seen_unix;
    uint32_t row; /* for stats_client_slot, until the next stats_collect */
};
uint32_t stats_top_clients(const struct stats *s, bool blocked, struct stats_client *out,
                           uint32_t n);
uint32_t stats_clients_known(const struct stats *s);  /* in the table */
uint32_t stats_clients_active(const struct stats *s); /* of them, with queries in the last 24 h */
bool stats_client_find(const struct stats *s, const struct ip_addr *addr, struct stats_client *out);
uint32_t stats_client_slot(const struct stats *s, uint32_t row, uint32_t ago,
                           uint32_t *blocked); /* ago as in TIMELINE_10MIN */

/* Upstreams of the last 24 h. `row` numbers are those of log entries. */
struct stats_upstream_use {
    struct stats_upstream upstream;
    bool current;      /* in the snapshot now */
    uint64_t ever;     /* answers taken from it since statistics were first kept */
    uint64_t count;    /* of them, in the last 24 hours */
    double response_s; /* mean time to its answer; 0 if there was none */
    double variance_s2;
};
bool stats_upstream_at(const struct stats *s, uint32_t row,
                       struct stats_upstream_use *out); /* false: row not in use */

/* Queries that a list decided. */
struct stats_list_use {
    uint64_t day, ever;
};
void stats_list_use(const struct stats *s, uint32_t list_id, struct stats_list_use *out);

/* The log. Ids grow by one; the oldest entries go first. Entries are borrowed until the next
 * stats_collect. */
struct stats_log_entry {
    uint64_t id;
    int64_t unix_us;
    uint32_t latency_us;
    struct ip_addr client;
    uint32_t list_id; /* rules_list_id, 0: none */
    int upstream;     /* row of stats_upstream_at, -1: none */
    uint16_t qtype;
    enum query_status status;
    enum query_reply reply;
    uint8_t rcode;
    int8_t ede;
    uint8_t flags;
    uint8_t match_labels;
    struct span qname, cname; /* wire form, len 0: none */
};
uint64_t stats_log_first(const struct stats *s); /* id of the oldest entry */
uint64_t
stats_log_next(const struct stats *s); /* id that the next one will have; equal to first: empty */
bool stats_log_at(const struct stats *s, uint64_t id, struct stats_log_entry *out);

/*
 * Keep statistics over a restart: everything but the log, the fine timelines and latencies, as
 * octets with a version and a checksum. stats_save_memory is an upper bound; the usual size is a
 * few per cent of it.
 */
size_t stats_save_memory(const struct stats *s);
MUST_CHECK enum err stats_save(const struct stats *s, void *buf, size_t cap, size_t *len);

/*
 * Right after stats_init. The octets may be hostile. ERR_SHORT, ERR_CHECKSUM, ERR_VERSION,
 * ERR_FORMAT: nothing was taken. Data that is younger than the wall clock says is possible (a
 * machine without a clock that runs over power cuts) is taken as ending now.
 */
MUST_CHECK enum err stats_load(struct stats *s, const void *buf, size_t len);

#endif
