/*
 * One row for each part. Parts of libraries, which tell nobody their size, have constants here,
 * each a measured figure rounded up; the end-to-end tests and the soak hold the process to the sum.
 */
#include "host/limits.h"

#include <stdio.h>

#include "api/api.h"
#include "api/rules.h"
#include "dns/proto.h"
#include "host/daemon_int.h"
#include "host/doh.h"
#include "host/http_mhd.h"
#include "host/list_build.h"
#include "host/preview.h"
#include "host/sys.h"
#include "shared/regex_pcre2.h"

#define MIB            (UINT64_C(1) << 20)
#define PROGRAM_OCTETS (28 * MIB) /* text and data of the program and its libraries in use */
#define STACK_OCTETS   (UINT64_C(256) << 10) /* touched by a thread */
#define THREADS_BESIDE                                                                       \
    15 /* control, lists and three that help it compile, two of HTTP, DNS over HTTPS, names, \
          history, a list that is tried */
#define TLS_OCTETS        (UINT64_C(96) << 10)  /* of OpenSSL, a connection */
#define TRUST_OCTETS      (4 * MIB)             /* certificates of the system */
#define TRANSFER_OCTETS   (UINT64_C(192) << 10) /* of libcurl with TLS and HTTP/2, each */
#define RULE_OCTETS_SPARE 4                     /* the shortest name of a list with its line end */
#define SNAPSHOTS_AT_ONCE 3                     /* in force, to come, not yet let go by a worker */
#define RULES_TEXT_FORMS  6                     /* the document as text, as a tree, and changed */
#define HTTP_STREAM       (UINT64_C(33) << 10)  /* buffer of a streamed answer */
#define HTTP_STREAMS      24                    /* FEEDS_MAX of src/api */
#define ALLOCATOR_PERCENT 5                     /* what malloc rounds up and keeps */

struct rows {
    struct limit *item;
    uint32_t count;
};

static struct limit *put(struct rows *r, const char *part, uint64_t octets, const char *options)
{
    struct limit *l = &r->item[r->count++];
    *l = (struct limit){.part = part, .octets = octets, .options = options};
    return l;
}

static struct worker_config worker_of(const struct config *c, uint32_t workers)
{
    struct budget_wish wish;
    struct budget budget;
    budget_wish(c, workers, &wish);
    wish.limit = UINT32_MAX;
    budget_share(&wish, &budget);
    return (struct worker_config){
        .resolver = {.pending_max = c->pending_max < PENDING_MAX ? c->pending_max : PENDING_MAX,
                     .waiting_max = c->waiting_max,
                     .clients_max = c->clients_max,
                     .regex_memo = REGEX_MEMO,
                     .rate_limit = c->rate_limit,
                     .workers = (uint16_t)workers},
        .tcp_connections = budget.tcp_connections,
        .mailbox_cells = MAILBOX_CELLS,
        .sockets_max = budget.sockets,
        .streams_max = budget.streams};
}

static void worker_rows(struct rows *r, const struct config *c, uint32_t workers)
{
    struct worker_config cfg = worker_of(c, workers);
    struct worker_octets w;
    worker_octets(&cfg, &w);
    struct limit *l = put(r, "questions and clients", workers * w.resolver,
                          "pending-max waiting-max clients-max");
    snprintf(l->bound, sizeof l->bound, "%u+%u+%u x %u", cfg.resolver.pending_max, c->waiting_max,
             c->clients_max, workers);
    l = put(r, "UDP batches", workers * w.udp, "workers");
    snprintf(l->bound, sizeof l->bound, "%u workers", workers);
    if (c->xdp[0] != '\0') {
        l = put(r, "frames", workers * xdp_memory(), "xdp workers");
        snprintf(l->bound, sizeof l->bound, "%u frames x %u", XDP_FRAMES, workers);
    }
    l = put(r, "TCP clients", workers * w.tcp, "tcp-connections");
    snprintf(l->bound, sizeof l->bound, "%u connections", cfg.tcp_connections * workers);
    l = put(r, "sockets to upstreams",
            workers * (w.upstreams + (uint64_t)cfg.streams_max * TLS_OCTETS), "pending-max");
    snprintf(l->bound, sizeof l->bound, "%u+%u x %u", cfg.sockets_max, cfg.streams_max, workers);
    l = put(r, "mail between workers", workers * w.mailbox, "workers");
    snprintf(l->bound, sizeof l->bound, "%u messages x %u", MAILBOX_CELLS, workers);
}

static void statistics_rows(struct rows *r, const struct config *c, uint32_t workers)
{
    struct stats_worker_config ring = {.ring_octets = RING_OCTETS};
    struct stats_config s = {.workers_max = workers,
                             .log_entries = c->log_entries,
                             .top_names = c->top_names,
                             .top_clients = c->top_clients};
    struct limit *l =
        put(r, "events to be counted", workers * stats_worker_memory(&ring), "workers");
    snprintf(l->bound, sizeof l->bound, "%u MiB x %u", RING_OCTETS >> 20, workers);
    /* Twice: while they are saved a copy stands beside. */
    l = put(r, "statistics", 2 * stats_memory(&s), "log-entries top-names top-clients");
    snprintf(l->bound, sizeof l->bound, "%u queries, %u names", c->log_entries, c->top_names);
}

static void http_rows(struct rows *r, const struct config *c)
{
    if (c->http.count == 0) {
        return;
    }
    struct api_config api = {0};
    uint64_t octets = api_memory(&api) + API_BODIES_MAX + API_LARGE_ANSWERS * RULES_TEXT_MAX +
                      HTTP_RESPONSES_MAX + HTTP_STREAMS * HTTP_STREAM +
                      (uint64_t)c->http_connections * HTTP_POOL_OCTETS;
    struct limit *l = put(r, "HTTP", octets, "http-connections");
    snprintf(l->bound, sizeof l->bound, "%u connections", c->http_connections);
}

static void https_rows(struct rows *r, const struct config *c)
{
    struct budget_wish wish;
    budget_wish(c, 1, &wish);
    if (wish.https) {
        struct limit *l = put(r, "HTTPS upstreams",
                              doh_transfers_max() * (TRANSFER_OCTETS + DNS_TCP_MAX), "upstream");
        snprintf(l->bound, sizeof l->bound, "%u questions", doh_transfers_max());
    }
}

static void decision_rows(struct rows *r)
{
    struct limit *l = put(r, "configuration", 3 * (uint64_t)cfg_memory(), "");
    snprintf(l->bound, sizeof l->bound, "3 x %zu KiB", cfg_memory() >> 10);
    l = put(r, "own rules and records",
            (uint64_t)(RULES_TEXT_FORMS + SNAPSHOTS_AT_ONCE) * RULES_TEXT_MAX, "");
    snprintf(l->bound, sizeof l->bound, "%u MiB of rules.json", RULES_TEXT_MAX >> 20);
}

/* Two sets while one takes the place of the other. */
static void regex_rows(struct rows *r, uint32_t workers)
{
    struct limit *l = put(r, "regular expressions",
                          2 * ((uint64_t)BL_REGEXES_MAX * (REGEX_OCTETS_MAX + BL_PATTERN_MAX) +
                               (workers + 1) * (uint64_t)REGEX_MATCH_OCTETS),
                          "workers");
    snprintf(l->bound, sizeof l->bound, "%u of %u KiB", BL_REGEXES_MAX, REGEX_OCTETS_MAX >> 10);
}

/* A rule of a list costs no more in the image than its line in the text, but for the fixed part. */
static void list_rows(struct rows *r, const struct config *c)
{
    uint64_t lists = (uint64_t)c->list.count + c->allow_list.count;
    uint64_t text = lists * c->list_max_octets;
    uint64_t rules = text / RULE_OCTETS_SPARE;
    struct limit *l =
        put(r, "lists being compiled",
            build_scratch_max(rules < UINT32_MAX ? (uint32_t)rules : UINT32_MAX) +
                lists * sizeof(struct list_held) + BUDGET_TRANSFERS_MAX * TRANSFER_OCTETS + 3 * MIB,
            "list-max-size");
    snprintf(l->bound, sizeof l->bound, "%llu lists", (unsigned long long)lists);
    l = put(r, "compiled lists", 2 * (text + MIB), "list list-max-size");
    snprintf(l->bound, sizeof l->bound, "%llu x %llu MiB, twice", (unsigned long long)lists,
             (unsigned long long)(c->list_max_octets >> 20));
    l->mapped = true;
}

static void history_rows(struct rows *r, const struct config *c)
{
    if (c->history) {
        struct limit *l = put(r, "history", history_memory(), "history");
        snprintf(l->bound, sizeof l->bound, "%d rows", HISTORY_ROWS_MAX);
    }
    if (c->http.count > 0) {
        uint64_t rules = c->list_max_octets / RULE_OCTETS_SPARE;
        struct limit *l = put(r, "a list that is tried",
                              preview_memory() + TRANSFER_OCTETS + c->list_max_octets +
                                  build_scratch_max((uint32_t)rules),
                              "list-max-size");
        snprintf(l->bound, sizeof l->bound, "1 x %llu MiB",
                 (unsigned long long)(c->list_max_octets >> 20));
    }
}

static void add_allocator(struct rows *r)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        sum += r->item[i].mapped ? 0 : r->item[i].octets;
    }
    struct limit *l = put(r, "allocator", sum * ALLOCATOR_PERCENT / 100, "");
    snprintf(l->bound, sizeof l->bound, "%u %% of the above", ALLOCATOR_PERCENT);
}

uint32_t limits_of(const struct config *c, struct limit out[LIMITS_MAX])
{
    struct rows r = {.item = out};
    struct cache_config cache = {.entries = c->cache_entries};
    uint32_t workers = c->workers != 0 ? c->workers : sys_cpus();
    workers = workers < WORKERS_MAX ? workers : WORKERS_MAX;
    struct limit *l = put(&r, "cache", cache_memory(&cache), "cache-entries");
    snprintf(l->bound, sizeof l->bound, "%u answers", c->cache_entries);
    worker_rows(&r, c, workers);
    statistics_rows(&r, c, workers);
    http_rows(&r, c);
    https_rows(&r, c);
    decision_rows(&r);
    regex_rows(&r, workers);
    list_rows(&r, c);
    history_rows(&r, c);
    uint32_t threads = workers + THREADS_BESIDE;
    l = put(&r, "program and threads", PROGRAM_OCTETS + TRUST_OCTETS + threads * STACK_OCTETS,
            "workers");
    snprintf(l->bound, sizeof l->bound, "%u threads", threads);
    add_allocator(&r);
    return r.count;
}
