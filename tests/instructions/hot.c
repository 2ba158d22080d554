/*
 * The HOT functions of ARCHITECTURE.md, each called a fixed number of times with inputs that are
 * the same in every run, for a tool that counts instructions (check.py). A function count_NAME is
 * what is counted; what prepares its inputs stands outside. Prints each NAME and how many calls it
 * stands for.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/attr.h"
#include "blocklist/match.h"
#include "dns/msg.h"
#include "dns/suffix.h"
#include "engine.h"
#include "host/udp.h"
#include "lists.h"
#include "resolver/cache.h"

enum { CALLS = 1024, TURNS = CALLS / UDP_BATCH };

#define COUNTED __attribute__((noinline))

COUNTED uint64_t count_request_parse(struct packets *p);
COUNTED uint64_t count_suffixes_make(void);
COUNTED uint64_t count_match_listed(void);
COUNTED uint64_t count_match_benign(void);
COUNTED uint64_t count_match_deep(void);
COUNTED uint64_t count_query_blocked(struct engine *b);
COUNTED uint64_t count_query_cached(struct engine *b);
COUNTED uint64_t count_query_forwarded(struct engine *b);
COUNTED uint64_t count_policy_blocked(struct engine *b);
COUNTED uint64_t count_policy_cached(struct engine *b);
COUNTED uint64_t count_policy_cname(struct engine *b);
COUNTED uint64_t count_policy_forwarded(struct engine *b);
COUNTED uint64_t count_query_cname(struct engine *b);
COUNTED uint64_t count_stats_record(struct stats_worker *w);
COUNTED uint64_t count_stats_collect(struct stats *s);
COUNTED uint64_t count_udp_batch(int fd, struct udp_batch *batch);

static struct engine engine;
static struct packets blocked, cached, cname, fresh, fresher;
static struct dns_request request[CALLS];
static struct dns_suffixes suffixes[CALLS];
static struct bl_image image;

struct asked {
    struct dns_name name;
    struct dns_suffixes suffixes;
};
static struct asked listed[CALLS], benign[CALLS], deep[CALLS];

/* ---- What is counted. ---- */

uint64_t count_request_parse(struct packets *p)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < CALLS; i++) {
        sum += dns_request_parse(p->data[i], p->len[i], &request[i]);
    }
    return sum;
}

uint64_t count_suffixes_make(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < CALLS; i++) {
        dns_suffixes_make(&request[i].qname, &suffixes[i]);
        sum += suffixes[i].hash[0];
    }
    return sum;
}

static inline uint64_t match_all(const struct asked *q)
{
    struct bl_verdict v;
    uint64_t sum = 0;
    for (unsigned i = 0; i < CALLS; i++) {
        sum += bl_match(&image, &q[i].name, &q[i].suffixes, NULL, &v);
    }
    return sum;
}

uint64_t count_match_listed(void)
{
    return match_all(listed);
}

uint64_t count_match_benign(void)
{
    return match_all(benign);
}

uint64_t count_match_deep(void)
{
    return match_all(deep);
}

static inline uint64_t ask_all(struct engine *b, struct packets *p, enum resolver_outcome wanted)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < CALLS; i++) {
        sum += engine_ask(b, p->data[i], p->len[i], i) == wanted;
    }
    return sum;
}

uint64_t count_query_blocked(struct engine *b)
{
    return ask_all(b, &blocked, RESOLVER_ANSWER);
}

uint64_t count_query_cached(struct engine *b)
{
    return ask_all(b, &cached, RESOLVER_ANSWER);
}

static inline uint64_t forward_all(struct engine *b, struct packets *p)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < CALLS; i++) {
        sum += engine_ask(b, p->data[i], p->len[i], i) == RESOLVER_PENDING ? engine_take(b, 0) : 0;
    }
    return sum;
}

uint64_t count_query_forwarded(struct engine *b)
{
    return forward_all(b, &fresh);
}

uint64_t count_query_cname(struct engine *b)
{
    return ask_all(b, &cname, RESOLVER_ANSWER);
}

/* With 50 groups, 1000 clients, 10 000 own rules and 100 expressions. */
uint64_t count_policy_blocked(struct engine *b)
{
    return ask_all(b, &blocked, RESOLVER_ANSWER);
}

uint64_t count_policy_cached(struct engine *b)
{
    return ask_all(b, &cached, RESOLVER_ANSWER);
}

uint64_t count_policy_cname(struct engine *b)
{
    return ask_all(b, &cname, RESOLVER_ANSWER);
}

uint64_t count_policy_forwarded(struct engine *b)
{
    return forward_all(b, &fresher);
}

uint64_t count_stats_record(struct stats_worker *w)
{
    for (unsigned i = 0; i < CALLS; i++) {
        struct stats_event e = {.time = engine.now,
                                .qname = &request[i].qname,
                                .qtype = DNS_A,
                                .status = QUERY_BLOCKED_LIST,
                                .reply = REPLY_IP,
                                .upstream = STATS_NO_UPSTREAM,
                                .client = {.b = {192, 168, 1, (uint8_t)i}}};
        stats_record(w, &e);
    }
    return 0;
}

uint64_t count_stats_collect(struct stats *s)
{
    return stats_collect(s, engine.now, INT64_C(1700000000000000));
}

uint64_t count_udp_batch(int fd, struct udp_batch *batch)
{
    static const struct ip_addr any;
    uint64_t sum = 0;
    unsigned n = udp_receive(batch, fd, false);
    for (unsigned i = 0; i < n; i++) {
        struct peer peer;
        struct packet packet;
        sum += udp_peer(batch, i, &any, &peer);
        udp_packet(batch, i, &packet);
        udp_reply(batch, i, packet.len);
    }
    return sum - udp_flush(batch, fd);
}

/* ---- What prepares it. ---- */

static void require(bool holds, const char *what)
{
    if (!holds) {
        engine_die(what);
    }
}

static void take_names(const struct bench_names *n, struct asked *out)
{
    for (unsigned i = 0; i < CALLS; i++) {
        require(dns_name_from_wire(n->wire + n->at[i], n->at[i + 1] - n->at[i], &out[i].name) ==
                    ERR_OK,
                "name");
        dns_suffixes_make(&out[i].name, &out[i].suffixes);
    }
}

static void match(void)
{
    struct bench_rules rules = bench_rules_load(); /* SINKHOLE_SHARED leads nowhere: made up */
    struct bench_names l = bench_names_listed(&rules, CALLS), b = bench_names_benign(CALLS),
                       d = bench_names_deep(&rules, CALLS);
    image = bench_image(&rules, 1);
    take_names(&l, listed);
    take_names(&b, benign);
    take_names(&d, deep);
    require(count_match_listed() == CALLS, "a listed name is blocked");
    count_match_benign();
    count_match_deep();
}

static void query(void)
{
    engine_start(&engine);
    engine_packets(&blocked, "ads", true);
    engine_packets(&cached, "web", true);
    engine_packets(&fresh, "new", true);
    engine_packets(&cname, "cdn", true);
    engine_fill_cache(&engine, &cached, 0);
    engine_fill_cache(&engine, &cname, 1);
    require(count_request_parse(&blocked) == 0, "queries are well formed");
    count_suffixes_make();
    require(count_query_blocked(&engine) == CALLS, "blocked names are answered");
    engine_empty_ring(&engine);
    require(count_query_cached(&engine) == CALLS, "cached names are answered");
    engine_empty_ring(&engine);
    require(count_query_cname(&engine) == CALLS, "cached names with a CNAME are answered");
    engine_empty_ring(&engine);
    require(count_query_forwarded(&engine) == CALLS, "new names are forwarded");
    engine_empty_ring(&engine);
}

/* The second time, as nearly all are. */
static void policy(void)
{
    engine_add_policy(&engine, ENGINE_EXPRESSIONS);
    for (int i = 0; i < 3; i++) {
        struct packets *p = i == 0 ? &blocked : i == 1 ? &cached : &cname;
        require(ask_all(&engine, p, RESOLVER_ANSWER) == CALLS, "known names are answered");
        engine_empty_ring(&engine);
        uint64_t n = i == 0   ? count_policy_blocked(&engine)
                     : i == 1 ? count_policy_cached(&engine)
                              : count_policy_cname(&engine);
        require(n == CALLS, "known names are answered again");
        engine_empty_ring(&engine);
    }
    engine_packets(&fresher, "old", true);
    require(count_policy_forwarded(&engine) == CALLS, "new names are forwarded");
}

static void collect(void)
{
    struct stats_worker_config wc = {.ring_octets = 1 << 20};
    struct stats_config sc = {
        .workers_max = 1, .log_entries = 10000, .top_names = 4096, .top_clients = 1024};
    static const uint8_t key[16] = {1};
    struct stats_worker *w = NULL;
    struct stats *s = NULL;
    require(stats_worker_init(&w, bench_alloc(stats_worker_memory(&wc)), stats_worker_memory(&wc),
                              &wc) == ERR_OK &&
                stats_init(&s, bench_alloc(stats_memory(&sc)), stats_memory(&sc), &sc, engine.now,
                           INT64_C(1700000000000000), key) == ERR_OK &&
                stats_attach(s, w) == ERR_OK,
            "statistics");
    count_stats_record(w);
    require(count_stats_collect(s) == CALLS, "events are worked up");
    count_stats_record(w); /* known names */
    require(count_stats_collect(s) == CALLS, "events are worked up");
}

/* The worker's loop without the kernel's part, which is not counted. */
static void batch(void)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof here;
    struct udp_batch *b = NULL;
    int in = socket(AF_INET, SOCK_DGRAM, 0);
    int out = socket(AF_INET, SOCK_DGRAM, 0);
    require(in >= 0 && out >= 0 && bind(in, (struct sockaddr *)&here, len) == 0 &&
                getsockname(in, (struct sockaddr *)&here, &len) == 0 &&
                connect(out, (struct sockaddr *)&here, len) == 0 && udp_batch_new(&b) == ERR_OK,
            "sockets");
    for (unsigned i = 0; i < TURNS; i++) {
        for (unsigned k = 0; k < UDP_BATCH; k++) {
            require(send(out, blocked.data[k], blocked.len[k], 0) > 0, "send");
        }
        require(count_udp_batch(in, b) == UDP_BATCH, "packets are received");
    }
    close(in);
    close(out);
    udp_batch_free(b);
}

static const struct {
    const char *name;
    int calls;
} counted[] = {
    {"request_parse", CALLS},       {"suffixes_make", CALLS},    {"query_blocked", CALLS},
    {"query_cached", CALLS},        {"query_cname", CALLS},      {"query_forwarded", CALLS},
    {"policy_blocked", CALLS},      {"policy_cached", CALLS},    {"policy_cname", CALLS},
    {"policy_forwarded", CALLS},    {"match_listed", CALLS},     {"match_benign", CALLS},
    {"match_deep", CALLS},          {"stats_record", 2 * CALLS}, {"stats_collect", 2 * CALLS},
    {"udp_batch", TURNS *UDP_BATCH}};

int main(void)
{
    query();
    match();
    collect();
    batch();
    policy();
    for (size_t i = 0; i < ARRAY_LEN(counted); i++) {
        (void)printf("%s %d\n", counted[i].name, counted[i].calls);
    }
    return 0;
}
