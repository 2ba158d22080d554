/* Recording a query: exact counters, whole records, a full ring, and a reader beside the writer. */
#include <pthread.h>
#include <stdlib.h>

#include "dns/proto.h"
#include "octets.h"
#include "stats/worker.h"
#include "stats_fixture.h"
#include "unit.h"

static int open_fixture(void **state)
{
    struct stats_fixture *f = calloc(1, sizeof *f);
    stats_fixture_open(f);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct stats_fixture *f = *state;
    stats_fixture_close(f);
    free(f);
    return 0;
}

/* A name of `len` octets on the wire, different for each `n`. */
static struct dns_name long_name(uint8_t len, uint32_t n)
{
    char text[300];
    size_t at = 0;
    for (uint8_t left = (uint8_t)(len - 1); left > 0;) {
        uint8_t label = left > 64 ? (left == 65 ? 62 : 63) : (uint8_t)(left - 1);
        for (uint8_t i = 0; i < label; i++) {
            text[at++] = (char)('a' + (n >> (i % 4 * 4) & 15));
        }
        text[at++] = '.';
        left = (uint8_t)(left - label - 1);
    }
    text[at] = '\0';
    return name_of(text);
}

static void counts_each_field(void **state)
{
    struct stats_fixture *f = *state;
    struct dns_name name = name_of("www.example.com");
    struct stats_event e = stats_fixture_event(f, &name, "192.0.2.1");
    e.flags = STATS_TCP | STATS_DO | STATS_RETRIED;
    e.qtype = DNS_HTTPS;
    e.upstream = 3;
    e.list = 7;
    e.status = QUERY_BLOCKED_CNAME;
    e.reply = REPLY_NODATA;
    stats_record(f->worker, &e);
    e.flags = 0;
    e.qtype = 65280;
    e.upstream = STATS_UPSTREAMS_MAX;
    e.list = STATS_LISTS_MAX;
    stats_record(f->worker, &e);
    const struct counters *c = &f->worker->counters;
    assert_int_equal(counter_read(&c->row[COUNTER_queries_tcp]), 1);
    assert_int_equal(counter_read(&c->row[COUNTER_queries_udp]), 1);
    assert_int_equal(counter_read(&c->row[COUNTER_queries_do]), 1);
    assert_int_equal(counter_read(&c->row[COUNTER_retried]), 1);
    assert_int_equal(counter_read(&c->row[COUNTER_latency_us]), 2000);
    assert_int_equal(counter_read(&c->status[QUERY_BLOCKED_CNAME]), 2);
    assert_int_equal(counter_read(&c->reply[REPLY_NODATA]), 2);
    assert_int_equal(counter_read(&c->type[TYPE_HTTPS]), 1);
    assert_int_equal(counter_read(&c->type[TYPE_OTHER]), 1);
    assert_int_equal(counter_read(&c->upstream[3]), 1);
    assert_int_equal(counter_read(&c->list[7]), 1);
}

static void prefetches_are_no_queries(void **state)
{
    struct stats_fixture *f = *state;
    struct dns_name name = name_of("www.example.com");
    struct stats_event e = stats_fixture_event(f, &name, "192.0.2.1");
    e.flags = STATS_PREFETCH;
    e.upstream = 0;
    stats_record(f->worker, &e);
    const struct counters *c = &f->worker->counters;
    assert_int_equal(counter_read(&c->row[COUNTER_prefetches]), 1);
    assert_int_equal(counter_read(&c->upstream[0]), 1);
    assert_int_equal(counter_read(&c->row[COUNTER_queries_udp]), 0);
    assert_int_equal(counter_read(&c->status[QUERY_FORWARDED]), 0);
    assert_int_equal(stats_fixture_collect(f), 0);
}

static void stats_count_adds_to_a_row(void **state)
{
    struct stats_fixture *f = *state;
    stats_count(f->worker, COUNTER_truncated, 2);
    stats_count(f->worker, COUNTER_truncated, 3);
    assert_int_equal(stats_counter(f->stats, COUNTER_truncated), 5);
}

static void every_type_has_its_class(void **state)
{
    (void)state;
    static const struct {
        uint16_t qtype;
        enum query_type type;
    } rows[] = {
        {DNS_A, TYPE_A},         {DNS_AAAA, TYPE_AAAA},   {DNS_ANY, TYPE_ANY},
        {DNS_SRV, TYPE_SRV},     {DNS_SOA, TYPE_SOA},     {DNS_PTR, TYPE_PTR},
        {DNS_TXT, TYPE_TXT},     {DNS_NAPTR, TYPE_NAPTR}, {DNS_MX, TYPE_MX},
        {DNS_DS, TYPE_DS},       {DNS_RRSIG, TYPE_RRSIG}, {DNS_DNSKEY, TYPE_DNSKEY},
        {DNS_NS, TYPE_NS},       {DNS_SVCB, TYPE_SVCB},   {DNS_HTTPS, TYPE_HTTPS},
        {DNS_CNAME, TYPE_OTHER}, {0, TYPE_OTHER},         {UINT16_MAX, TYPE_OTHER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(stats_type_of(rows[i].qtype), rows[i].type);
    }
}

static void log_shows_what_was_recorded(void **state)
{
    struct stats_fixture *f = *state;
    struct dns_name name = name_of("a.tracker.example"), chain = name_of("x.blocked.example");
    struct stats_event e = stats_fixture_event(f, &name, "2001:db8::7");
    struct stats_log_entry entry;
    e.cname = &chain;
    e.latency_us = 4321;
    e.qtype = DNS_AAAA;
    e.status = QUERY_BLOCKED_CNAME;
    e.reply = REPLY_NODATA;
    e.rcode = DNS_NXDOMAIN;
    e.ede = DNS_EDE_BLOCKED;
    e.flags = STATS_DO;
    e.match_labels = 2;
    stats_record(f->worker, &e);
    assert_int_equal(stats_fixture_collect(f), 1);
    assert_true(stats_log_at(f->stats, stats_log_first(f->stats), &entry));
    assert_int_equal(entry.id, 1);
    assert_int_equal(entry.unix_us, f->unix_us);
    assert_int_equal(entry.latency_us, 4321);
    assert_true(ip_equal(&entry.client, &e.client));
    assert_int_equal(entry.qtype, DNS_AAAA);
    assert_int_equal(entry.status, QUERY_BLOCKED_CNAME);
    assert_int_equal(entry.reply, REPLY_NODATA);
    assert_int_equal(entry.rcode, DNS_NXDOMAIN);
    assert_int_equal(entry.ede, DNS_EDE_BLOCKED);
    assert_int_equal(entry.flags, STATS_DO);
    assert_int_equal(entry.match_labels, 2);
    assert_int_equal(entry.upstream, -1);
    assert_int_equal(entry.list_id, 0);
    assert_true(span_equal(entry.qname, span_of(name.wire, name.len)));
    assert_true(span_equal(entry.cname, span_of(chain.wire, chain.len)));
}

static void names_of_all_lengths_arrive_whole(void **state)
{
    struct stats_fixture *f = *state;
    for (uint32_t round = 0; round < 40; round++) {
        for (uint32_t len = 3; len <= DNS_NAME_MAX; len++) {
            struct dns_name name = long_name((uint8_t)len, round * 256 + len);
            struct dns_name chain = long_name((uint8_t)(258 - len), len);
            struct stats_event e = stats_fixture_event(f, &name, "192.0.2.1");
            struct stats_log_entry entry;
            e.cname = len % 3 ? &chain : NULL;
            assert_int_equal(name.len, len);
            stats_record(f->worker, &e);
            assert_int_equal(stats_fixture_collect(f), 1);
            assert_true(stats_log_at(f->stats, stats_log_next(f->stats) - 1, &entry));
            assert_true(span_equal(entry.qname, span_of(name.wire, name.len)));
            assert_true(span_equal(entry.cname, span_of(chain.wire, e.cname ? chain.len : 0)));
        }
    }
    assert_int_equal(stats_counter(f->stats, COUNTER_events_lost), 0);
}

static void malformed_queries_have_no_name(void **state)
{
    struct stats_fixture *f = *state;
    struct stats_event e = stats_fixture_event(f, NULL, "192.0.2.1");
    struct stats_log_entry entry;
    e.status = QUERY_INVALID;
    e.reply = REPLY_NONE;
    stats_record(f->worker, &e);
    stats_fixture_collect(f);
    assert_true(stats_log_at(f->stats, 1, &entry));
    assert_int_equal(entry.qname.len, 0);
    assert_int_equal(stats_clients_known(f->stats), 0);
}

static void a_full_ring_loses_details_but_no_count(void **state)
{
    struct stats_fixture *f = *state;
    enum { EVENTS = 3000 };
    struct stats_totals t;
    for (int i = 0; i < EVENTS; i++) {
        stats_fixture_query(f, "www.example.com", "192.0.2.1", QUERY_CACHED);
        if (i == 100) {
            assert_false(stats_worker_is_filling(f->worker));
        }
    }
    assert_true(stats_worker_is_filling(f->worker));
    uint32_t seen = stats_fixture_collect(f);
    uint64_t lost = stats_counter(f->stats, COUNTER_events_lost);
    assert_true(lost > 0);
    assert_int_equal(seen + lost, EVENTS);
    /* 64 KiB of records of 48 + 17 octets, padded to 72. */
    assert_in_range(seen, 65536 / 72 - 2, 65536 / 72);
    stats_day(f->stats, &t);
    assert_int_equal(t.total, EVENTS);
    assert_int_equal(t.outcome[OUTCOME_CACHED], EVENTS);
    assert_false(stats_worker_is_filling(f->worker));
}

static void refuses_bad_sizes(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 1, 32768, 65535, 65537, 100000, 134217728};
    static uint8_t mem[70000];
    struct stats_worker *w = NULL;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const struct stats_worker_config cfg = {.ring_octets = sizes[i]};
        assert_int_equal(stats_worker_init(&w, mem, sizeof mem, &cfg), ERR_RANGE);
    }
    const struct stats_worker_config cfg = {.ring_octets = 65536};
    assert_int_equal(stats_worker_init(&w, mem, 66000, &cfg), ERR_SPACE);
    assert_null(w);
}

/* --- one writer, one reader ------------------------------------------------------------------ */

enum { THREAD_EVENTS = 200000 };

static void *write_events(void *arg)
{
    struct stats_fixture *f = arg;
    struct dns_name names[8];
    for (uint32_t i = 0; i < 8; i++) {
        names[i] = long_name((uint8_t)(3 + i * 36), i);
    }
    for (uint32_t i = 0; i < THREAD_EVENTS; i++) {
        struct stats_event e = stats_fixture_event(f, &names[i % 8], "192.0.2.1");
        e.time = i;
        e.latency_us = i;
        stats_record(f->worker, &e);
    }
    return NULL;
}

/* Looks at entries that came since *next: they are in order and whole. */
static void look_at_log(const struct stats_fixture *f, uint64_t *next, uint64_t *last_time)
{
    struct stats_log_entry e;
    if (*next < stats_log_first(f->stats)) {
        *next = stats_log_first(f->stats);
    }
    for (; stats_log_at(f->stats, *next, &e); ++*next) {
        struct dns_name expected =
            long_name((uint8_t)(3 + e.latency_us % 8 * 36), e.latency_us % 8);
        uint64_t time = (uint64_t)(e.unix_us - (f->unix_us - (int64_t)f->now));
        assert_int_equal(time, e.latency_us);
        assert_true(*last_time == UINT64_MAX || time > *last_time);
        assert_true(span_equal(e.qname, span_of(expected.wire, expected.len)));
        *last_time = time;
    }
}

static void reader_and_writer_run_side_by_side(void **state)
{
    struct stats_fixture *f = *state;
    pthread_t writer;
    uint64_t seen = 0, next = 1, last_time = UINT64_MAX;
    assert_int_equal(pthread_create(&writer, NULL, write_events, f), 0);
    uint64_t counted = 0;
    while (counted < THREAD_EVENTS) {
        seen += stats_fixture_collect(f);
        counted = stats_counter(f->stats, COUNTER_queries_udp);
        look_at_log(f, &next, &last_time);
    }
    pthread_join(writer, NULL);
    seen += stats_fixture_collect(f);
    assert_int_equal(seen + stats_counter(f->stats, COUNTER_events_lost), THREAD_EVENTS);
    struct stats_totals t;
    stats_day(f->stats, &t);
    assert_int_equal(t.total, THREAD_EVENTS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(counts_each_field),
        TEST(prefetches_are_no_queries),
        TEST(stats_count_adds_to_a_row),
        TEST(every_type_has_its_class),
        TEST(log_shows_what_was_recorded),
        TEST(names_of_all_lengths_arrive_whole),
        TEST(malformed_queries_have_no_name),
        TEST(a_full_ring_loses_details_but_no_count),
        TEST(refuses_bad_sizes),
        TEST(reader_and_writer_run_side_by_side),
    };
    return UNIT_RUN(tests);
}
