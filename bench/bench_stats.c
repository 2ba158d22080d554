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

static void make_events(void)
{
    for (uint32_t i = 0; i < NAMES; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s%u.site%u.example", i % 3 ? "www" : "cdn-assets", i % 7, i);
        if (dns_name_parse(span_str(text), &names[i]) != ERR_OK) {
            abort();
        }
    }
    for (uint32_t i = 0; i < EVENTS; i++) {
        /* 1/x law: rank = NAMES^u. */
        uint32_t rank = 1;
        for (uint32_t bits = random_below(15); bits > 0; bits--) {
            rank *= 2;
        }
        rank = (rank + random_below(rank)) % NAMES;
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

int main(void)
{
    const struct stats_worker_config wcfg = {.ring_octets = 1 << 20};
    const struct stats_config cfg = {
        .workers_max = 1, .log_entries = 100000, .top_names = 4096, .top_clients = 1024};
    const uint8_t key[16] = {1};
    struct stats_worker *w;
    struct stats *s;
    size_t wsize = stats_worker_memory(&wcfg), size = stats_memory(&cfg);
    void *wmem = malloc(wsize), *mem = malloc(size);
    if (stats_worker_init(&w, wmem, wsize, &wcfg) != ERR_OK ||
        stats_init(&s, mem, size, &cfg, 0, 0, key) != ERR_OK || stats_attach(s, w) != ERR_OK) {
        return 1;
    }
    make_events();
    static uint8_t copy[BATCH * 96];
    double record = 1e9, collect = 1e9, base = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double t_record = 0, t_collect = 0, t_base = 0;
        for (uint32_t i = 0; i < EVENTS; i += BATCH) {
            double t0 = now_ns();
            for (uint32_t k = i; k < i + BATCH; k++) {
                stats_record(w, &events[k]);
            }
            double t1 = now_ns();
            if (stats_collect(s, 1, 1) != BATCH) {
                return 1;
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
    static uint8_t saved[1 << 22];
    size_t n = 0;
    double t0 = now_ns();
    uint32_t unique = stats_unique_names(s);
    double t1 = now_ns();
    if (stats_save(s, saved, sizeof saved, &n) != ERR_OK) {
        return 1;
    }
    double t2 = now_ns();
    printf("| what | ns | of copying |\n|---|---|---|\n");
    printf("| copy of 80 octets | %.1f | 1.0 |\n", base);
    printf("| stats_record | %.1f | %.1f |\n", record, record / base);
    printf("| collect one event | %.1f | %.1f |\n", collect, collect / base);
    printf("\nmemory: %zu KiB and %zu KiB a worker; unique names (%u): %.0f us; save: %.0f us, %zu "
           "octets\n",
           size / 1024, wsize / 1024, unique, (t1 - t0) / 1e3, (t2 - t1) / 1e3, n);
    free(mem);
    free(wmem);
    return 0;
}
