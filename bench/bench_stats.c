/*
 * What statistics cost: nanoseconds for stats_record on the packet path, and for the collector to
 * work up one event. Names follow a Zipf law over 20 000 names of usual length, from 40 clients, a
 * fifth of them blocked. Beside each figure stands a baseline of the same run: a memcpy of the same
 * octets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dns/proto.h"
#include "stats/stats.h"

enum { NAMES = 20000, CLIENTS = 40, EVENTS = 1 << 16, ROUNDS = 7, BATCH = 4096 };

static double now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static uint64_t random_state = 88172645463325252u;

static uint32_t random_below(uint32_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 32) * bound >> 32);
}

static struct dns_name names[NAMES];
static struct stats_event events[EVENTS];

/* Each octave of ranks is as frequent as the next one. */
static uint32_t zipf_rank(void)
{
    uint32_t rank = 1U << random_below(15);
    return (rank + random_below(rank)) % NAMES;
}

static void make_names(void)
{
    for (uint32_t i = 0; i < NAMES; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s%u.site%u.example", i % 3 ? "www" : "cdn-assets", i % 7, i);
        if (dns_name_parse(span_str(text), &names[i]) != ERR_OK) {
            abort();
        }
    }
}

static void make_events(bool even)
{
    for (uint32_t i = 0; i < EVENTS; i++) {
        uint32_t rank = even ? random_below(NAMES) : zipf_rank();
        bool blocked = rank % 5 == 0;
        uint8_t octets[4] = {192, 168, 1, (uint8_t)(1 + random_below(CLIENTS))};
        events[i] = (struct stats_event){
            .time = i,
            .latency_us = 20 + random_below(400),
            .client = ip_v4(octets),
            .qtype = i % 3 ? DNS_A : DNS_AAAA,
            .upstream = STATS_NO_UPSTREAM,
            .list = blocked ? (uint16_t)random_below(6) : STATS_NO_LIST,
            .status = blocked ? QUERY_BLOCKED_LIST : QUERY_CACHED,
            .reply = REPLY_IP,
            .ede = -1,
            .qname = &names[rank],
        };
    }
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

struct bench {
    struct stats_worker *worker;
    struct stats *stats;
    size_t worker_octets, stats_octets;
};

static void open_bench(struct bench *b)
{
    const struct stats_worker_config wcfg = {.ring_octets = 1 << 20};
    const struct stats_config cfg = {
        .workers_max = 1, .log_entries = 100000, .top_names = 4096, .top_clients = 1024};
    const uint8_t key[16] = {1};
    b->worker_octets = stats_worker_memory(&wcfg);
    b->stats_octets = stats_memory(&cfg);
    if (stats_worker_init(&b->worker, malloc(b->worker_octets), b->worker_octets, &wcfg) !=
            ERR_OK ||
        stats_init(&b->stats, malloc(b->stats_octets), b->stats_octets, &cfg, 0, 0, key) !=
            ERR_OK ||
        stats_attach(b->stats, b->worker) != ERR_OK) {
        abort();
    }
}

static void run(struct bench *b, const char *what)
{
    static uint8_t copy[BATCH * 96];
    double record = 1e9, collect = 1e9, base = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double t_record = 0, t_collect = 0, t_base = 0;
        for (uint32_t i = 0; i < EVENTS; i += BATCH) {
            double t0 = now_ns();
            for (uint32_t k = i; k < i + BATCH; k++) {
                stats_record(b->worker, &events[k]);
            }
            double t1 = now_ns();
            if (stats_collect(b->stats, 1, 1) != BATCH) {
                abort();
            }
            double t2 = now_ns();
            for (uint32_t k = i; k < i + BATCH; k++) {
                memcpy(copy + (k - i) * 96, &events[k], 48);
                memcpy(copy + (k - i) * 96 + 48, events[k].qname->wire, 32);
                __asm__ volatile("" ::"r"(copy) : "memory");
            }
            double t3 = now_ns();
            t_record += t1 - t0;
            t_collect += t2 - t1;
            t_base += t3 - t2;
        }
        record = least(record, t_record / EVENTS);
        collect = least(collect, t_collect / EVENTS);
        base = least(base, t_base / EVENTS);
    }
    printf("| %s: copy of 80 octets | %.1f | 1.0 |\n", what, base);
    printf("| %s: stats_record | %.1f | %.1f |\n", what, record, record / base);
    printf("| %s: collect one event | %.1f | %.1f |\n", what, collect, collect / base);
}

int main(void)
{
    struct bench b;
    static uint8_t saved[1 << 22];
    size_t n = 0;
    open_bench(&b);
    make_names();
    printf("| what | ns | of copying |\n|---|---|---|\n");
    make_events(false);
    run(&b, "as in a house");
    make_events(true);
    run(&b, "all names alike");
    double t0 = now_ns();
    uint32_t unique = stats_unique_names(b.stats);
    double t1 = now_ns();
    if (stats_save(b.stats, saved, sizeof saved, &n) != ERR_OK) {
        return 1;
    }
    double t2 = now_ns();
    printf("\nmemory: %zu KiB, and %zu KiB a worker; unique names (%u): %.0f us; save: %.0f us, "
           "%zu octets\n",
           b.stats_octets / 1024, b.worker_octets / 1024, unique, (t1 - t0) / 1e3, (t2 - t1) / 1e3,
           n);
    return 0;
}
