#include "stats_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "dns/proto.h"

static const struct stats_config small = {
    .workers_max = 2, .log_entries = 256, .top_names = 64, .top_clients = 16};
static const struct stats_worker_config small_worker = {.ring_octets = 64 * 1024};
static const uint8_t key[16] = "fixture hash key";

static void fail(const char *what)
{
    fprintf(stderr, "stats fixture: %s\n", what);
    abort();
}

static void *block(size_t size)
{
    void *mem = malloc(size);
    if (!mem) {
        fail("no memory");
    }
    return mem;
}

static void open_worker(struct stats_fixture *f)
{
    size_t size = stats_worker_memory(&small_worker);
    f->worker_mem = block(size);
    if (stats_worker_init(&f->worker, f->worker_mem, size, &small_worker) != ERR_OK) {
        fail("worker");
    }
}

static void open_stats(struct stats_fixture *f)
{
    size_t size = stats_memory(&small);
    f->stats_mem = block(size);
    if (stats_init(&f->stats, f->stats_mem, size, &small, f->now, f->unix_us, key) != ERR_OK ||
        stats_attach(f->stats, f->worker) != ERR_OK) {
        fail("stats");
    }
}

void stats_fixture_open(struct stats_fixture *f)
{
    f->now = 3600 * USEC_PER_SEC;
    f->unix_us = FIXTURE_UNIX_S * 1000000;
    open_worker(f);
    open_stats(f);
}

void stats_fixture_close(struct stats_fixture *f)
{
    free(f->stats_mem);
    free(f->worker_mem);
}

void stats_fixture_restart(struct stats_fixture *f)
{
    stats_fixture_close(f);
    open_worker(f);
    open_stats(f);
}

uint32_t stats_fixture_collect(struct stats_fixture *f)
{
    return stats_collect(f->stats, f->now, f->unix_us);
}

void stats_fixture_wait(struct stats_fixture *f, uint64_t seconds)
{
    f->now += seconds * USEC_PER_SEC;
    f->unix_us += (int64_t)(seconds * USEC_PER_SEC);
    stats_fixture_collect(f);
}

struct dns_name name_of(const char *text)
{
    struct dns_name name;
    if (dns_name_parse(span_str(text), &name) != ERR_OK) {
        fail(text);
    }
    return name;
}

struct ip_addr ip_of(const char *text)
{
    struct ip_addr addr;
    if (ip_parse(span_str(text), &addr) != ERR_OK) {
        fail(text);
    }
    return addr;
}

struct stats_event stats_fixture_event(const struct stats_fixture *f, const struct dns_name *name,
                                       const char *client)
{
    return (struct stats_event){
        .time = f->now,
        .latency_us = 1000,
        .client = ip_of(client),
        .qtype = DNS_A,
        .upstream = STATS_NO_UPSTREAM,
        .list = STATS_NO_LIST,
        .status = QUERY_FORWARDED,
        .reply = REPLY_IP,
        .ede = DNS_EDE_NONE,
        .qname = name,
    };
}

void stats_fixture_query(struct stats_fixture *f, const char *name, const char *client,
                         enum query_status status)
{
    struct dns_name qname = name_of(name);
    struct stats_event e = stats_fixture_event(f, &qname, client);
    e.status = (uint8_t)status;
    stats_record(f->worker, &e);
}
