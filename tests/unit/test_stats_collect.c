/* The collector and its readers: totals, timelines, top lists, lists and upstreams, hours that
 * pass, clocks that are set. */
#include <stdlib.h>

#include "dns/proto.h"
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

static void ask(struct stats_fixture *f, const char *name, const char *client,
                enum query_status status, int times)
{
    while (times-- > 0) {
        stats_fixture_query(f, name, client, status);
    }
}

static struct stats_totals day(const struct stats_fixture *f)
{
    struct stats_totals t;
    stats_day(f->stats, &t);
    return t;
}

static void every_status_is_one_outcome(void **state)
{
    struct stats_fixture *f = *state;
    for (int s = 0; s < QUERY_STATUS_COUNT; s++) {
        ask(f, "a.example", "192.0.2.1", (enum query_status)s, 1);
    }
    stats_fixture_collect(f);
    struct stats_totals t = day(f);
    uint64_t outcomes = 0;
    for (int s = 0; s < QUERY_STATUS_COUNT; s++) {
        assert_int_equal(t.status[s], 1);
        assert_int_equal(stats_status_counter(f->stats, (enum query_status)s), 1);
    }
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        outcomes += t.outcome[o];
    }
    assert_int_equal(outcomes, QUERY_STATUS_COUNT);
    assert_int_equal(t.outcome[OUTCOME_BLOCKED], 6);
    assert_int_equal(t.outcome[OUTCOME_CACHED], 2);
    assert_int_equal(t.outcome[OUTCOME_IGNORED], 3);
    assert_int_equal(t.total, QUERY_STATUS_COUNT - 3);
    assert_int_equal(t.reply[REPLY_IP], t.total);
    assert_int_equal(t.type[TYPE_A], t.total);
    assert_int_equal(stats_reply_counter(f->stats, REPLY_IP), t.total);
    assert_int_equal(stats_type_counter(f->stats, TYPE_A), t.total);
}

static void names_exist_for_all(void **state)
{
    (void)state;
    for (int i = 0; i < QUERY_STATUS_COUNT; i++) {
        assert_non_null(query_status_name((enum query_status)i));
        assert_non_null(query_status_label((enum query_status)i));
    }
    for (int i = 0; i < REPLY_COUNT; i++) {
        assert_non_null(query_reply_name((enum query_reply)i));
    }
    for (int i = 0; i < STATS_TYPE_COUNT; i++) {
        assert_non_null(query_type_name((enum query_type)i));
    }
    for (int i = 0; i < COUNTER_COUNT; i++) {
        assert_non_null(counter_name((enum stats_counter)i));
        assert_non_null(counter_help((enum stats_counter)i));
    }
    assert_null(query_status_name(QUERY_STATUS_COUNT));
    assert_null(counter_name(COUNTER_COUNT));
}

static void top_names_are_split_by_outcome(void **state)
{
    struct stats_fixture *f = *state;
    struct stats_name top[4];
    ask(f, "good.example", "192.0.2.1", QUERY_CACHED, 3);
    ask(f, "better.example", "192.0.2.1", QUERY_FORWARDED, 5);
    ask(f, "ads.example", "192.0.2.2", QUERY_BLOCKED_LIST, 4);
    ask(f, "bad.example", "192.0.2.1", QUERY_REFUSED, 9);
    stats_fixture_collect(f);
    assert_int_equal(stats_top_names(f->stats, false, top, 4), 2);
    struct dns_name better = name_of("better.example"), ads = name_of("ads.example");
    assert_true(dns_name_equal(&top[0].name, &better));
    assert_int_equal(top[0].count, 5);
    assert_int_equal(stats_top_names(f->stats, true, top, 4), 1);
    assert_true(dns_name_equal(&top[0].name, &ads));
    assert_int_equal(top[0].count, 4);
    assert_int_equal(top[0].error, 0);
    assert_int_equal(stats_unique_names(f->stats), 3);
}

static void clients_are_ranked(void **state)
{
    struct stats_fixture *f = *state;
    struct stats_client top[4];
    ask(f, "a.example", "192.0.2.1", QUERY_CACHED, 5);
    ask(f, "b.example", "192.0.2.2", QUERY_BLOCKED_LIST, 3);
    ask(f, "a.example", "192.0.2.3", QUERY_CACHED, 4);
    ask(f, "a.example", "192.0.2.4", QUERY_REFUSED, 100);
    stats_fixture_collect(f);
    struct ip_addr one = ip_of("192.0.2.1"), two = ip_of("192.0.2.2"), three = ip_of("192.0.2.3");
    assert_int_equal(stats_top_clients(f->stats, false, top, 4), 3);
    assert_true(ip_equal(&top[0].addr, &one));
    assert_true(ip_equal(&top[1].addr, &three));
    assert_true(ip_equal(&top[2].addr, &two));
    assert_int_equal(top[2].blocked, 3);
    assert_int_equal(top[0].last_seen_unix, FIXTURE_UNIX_S);
    assert_int_equal(stats_top_clients(f->stats, true, top, 4), 1);
    assert_true(ip_equal(&top[0].addr, &two));
    assert_int_equal(stats_top_clients(f->stats, false, top, 1), 1);
    assert_true(ip_equal(&top[0].addr, &one));
    assert_int_equal(stats_clients_known(f->stats), 3);
    assert_int_equal(stats_clients_active(f->stats), 3);
    struct stats_client found;
    assert_true(stats_client_find(f->stats, &three, &found));
    uint32_t blocked;
    assert_int_equal(stats_client_slot(f->stats, found.row, 0, &blocked), 4);
    assert_int_equal(blocked, 0);
}

static void timelines_hold_each_slot(void **state)
{
    struct stats_fixture *f = *state;
    struct stats_slot slot;
    static const uint32_t seconds[TIMELINE_COUNT] = {10, 60, 600, 3600};
    static const uint32_t slots[TIMELINE_COUNT] = {61, 61, 145, 745};
    ask(f, "a.example", "192.0.2.1", QUERY_CACHED, 2);
    stats_fixture_wait(f, 5);
    ask(f, "b.example", "192.0.2.1", QUERY_BLOCKED_LIST, 3);
    stats_fixture_wait(f, 3); /* what was recorded belongs to the slot in which it is collected */
    stats_fixture_wait(f, 4000);
    for (int t = 0; t < TIMELINE_COUNT; t++) {
        enum stats_timeline line = (enum stats_timeline)t;
        assert_int_equal(stats_timeline_seconds(f->stats, line), seconds[t]);
        assert_int_equal(stats_timeline_slots(f->stats, line), slots[t]);
        uint64_t total = 0, blocked = 0;
        int64_t newest = (FIXTURE_UNIX_S + 4008) / seconds[t] * seconds[t];
        for (uint32_t ago = 0; ago < slots[t]; ago++) {
            assert_true(stats_timeline_at(f->stats, line, ago, &slot));
            assert_int_equal(slot.start_unix, newest - (int64_t)ago * seconds[t]);
            total += slot.total;
            blocked += slot.outcome[OUTCOME_BLOCKED];
        }
        bool in_window = (uint64_t)slots[t] * seconds[t] > 4008 + seconds[t];
        assert_int_equal(total, in_window ? 5 : 0);
        assert_int_equal(blocked, in_window ? 3 : 0);
        assert_false(stats_timeline_at(f->stats, line, slots[t], &slot));
    }
    assert_true(stats_timeline_at(f->stats, TIMELINE_10MIN, 6, &slot));
    assert_int_equal(slot.start_unix, FIXTURE_UNIX_S);
    assert_int_equal(slot.total, 5);
}

static void a_day_later_nothing_is_left_but_the_totals(void **state)
{
    struct stats_fixture *f = *state;
    struct stats_totals ever;
    struct stats_name name;
    struct stats_client client;
    ask(f, "a.example", "192.0.2.1", QUERY_CACHED, 7);
    stats_fixture_collect(f);
    stats_fixture_wait(f, 86400 + 3600);
    assert_int_equal(day(f).total, 0);
    assert_int_equal(stats_top_names(f->stats, false, &name, 1), 0);
    assert_int_equal(stats_top_clients(f->stats, false, &client, 1), 0);
    assert_int_equal(stats_unique_names(f->stats), 0);
    assert_int_equal(stats_clients_known(f->stats), 1);
    assert_int_equal(stats_clients_active(f->stats), 0);
    stats_ever(f->stats, &ever);
    assert_int_equal(ever.total, 7);
    assert_int_equal(stats_log_next(f->stats) - stats_log_first(f->stats), 7);
}

static void within_a_day_all_is_there(void **state)
{
    struct stats_fixture *f = *state;
    struct stats_name name;
    ask(f, "a.example", "192.0.2.1", QUERY_CACHED, 7);
    stats_fixture_collect(f);
    for (int hour = 0; hour < 23; hour++) {
        stats_fixture_wait(f, 3600);
    }
    assert_int_equal(day(f).total, 7);
    assert_int_equal(stats_top_names(f->stats, false, &name, 1), 1);
    assert_int_equal(stats_unique_names(f->stats), 1);
    assert_int_equal(stats_clients_active(f->stats), 1);
}

/* A machine that starts in 1970 and is then told the time, or whose clock was days ahead. */
static void clock_steps_lose_nothing(void **state)
{
    struct stats_fixture *f = *state;
    static const int64_t steps[] = {172800, -172800, 86400 * 365 * 20, -61, 3600};
    ask(f, "a.example", "192.0.2.1", QUERY_CACHED, 7);
    stats_fixture_collect(f);
    int64_t step_sum = 0;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct stats_slot slot;
        struct stats_name name;
        struct stats_log_entry entry;
        f->unix_us += steps[i] * 1000000;
        step_sum += steps[i];
        stats_fixture_wait(f, 1);
        assert_int_equal(day(f).total, 7);
        assert_int_equal(stats_top_names(f->stats, false, &name, 1), 1);
        assert_true(stats_timeline_at(f->stats, TIMELINE_10S, 0, &slot));
        int64_t off = slot.start_unix - f->unix_us / 1000000;
        assert_in_range(off + 20, 0, 20);
        assert_true(stats_log_at(f->stats, 1, &entry));
        assert_int_equal(entry.unix_us / 1000000, FIXTURE_UNIX_S + step_sum);
    }
}

static void slow_drift_is_followed(void **state)
{
    struct stats_fixture *f = *state;
    struct stats_slot slot;
    for (int i = 0; i < 100; i++) {
        f->unix_us += 500000;
        stats_fixture_wait(f, 10);
    }
    assert_true(stats_timeline_at(f->stats, TIMELINE_10S, 0, &slot));
    assert_int_equal(slot.start_unix, f->unix_us / 10000000 * 10);
}

static void rate_is_of_the_last_minute(void **state)
{
    struct stats_fixture *f = *state;
    assert_int_equal(stats_rate_milli(f->stats), 0);
    stats_fixture_wait(f, 4);
    for (int i = 0; i < 12; i++) {
        ask(f, "a.example", "192.0.2.1", QUERY_CACHED, 20);
        stats_fixture_wait(f, 10);
    }
    assert_in_range(stats_rate_milli(f->stats), 1800, 2300);
    stats_fixture_wait(f, 70);
    assert_int_equal(stats_rate_milli(f->stats), 0);
}

static void latency_is_kept_by_outcome(void **state)
{
    struct stats_fixture *f = *state;
    ask(f, "a.example", "192.0.2.1", QUERY_CACHED, 3);
    ask(f, "a.example", "192.0.2.1", QUERY_BLOCKED_RULE, 1);
    stats_fixture_collect(f);
    assert_int_equal(stats_latency(f->stats, OUTCOME_CACHED)->count, 3);
    assert_int_equal(stats_latency(f->stats, OUTCOME_CACHED)->sum_us, 3000);
    assert_int_equal(stats_latency(f->stats, OUTCOME_BLOCKED)->count, 1);
    assert_int_equal(stats_latency(f->stats, OUTCOME_FORWARDED)->count, 0);
}

static void recent_latency_forgets_after_two_hours(void **state)
{
    struct stats_fixture *f = *state;
    struct hist h;
    stats_fixture_wait(f, 1800);
    ask(f, "a.example", "192.0.2.1", QUERY_CACHED, 3);
    stats_fixture_wait(f, 10);
    assert_int_equal(stats_recent_latency(f->stats, OUTCOME_CACHED, &h), 1810);
    assert_int_equal(h.count, 3);
    stats_fixture_wait(f, 3600);
    assert_int_equal(stats_recent_latency(f->stats, OUTCOME_CACHED, &h), 5410);
    assert_int_equal(h.count, 3);
    stats_fixture_wait(f, 1800);
    assert_int_equal(stats_recent_latency(f->stats, OUTCOME_CACHED, &h), 3610);
    assert_int_equal(h.count, 0);
    assert_int_equal(stats_latency(f->stats, OUTCOME_CACHED)->count, 3);
}

/* --- lists and upstreams --------------------------------------------------------------------- */

static void record_list(struct stats_fixture *f, uint16_t list, int times)
{
    struct dns_name name = name_of("ads.example");
    struct stats_event e = stats_fixture_event(f, &name, "192.0.2.1");
    e.status = QUERY_BLOCKED_LIST;
    e.list = list;
    while (times-- > 0) {
        stats_record(f->worker, &e);
    }
    stats_fixture_collect(f);
}

static struct stats_list_use use_of(const struct stats_fixture *f, uint32_t id)
{
    struct stats_list_use use;
    stats_list_use(f->stats, id, &use);
    return use;
}

static void list_hits_follow_the_list_not_its_place(void **state)
{
    struct stats_fixture *f = *state;
    struct stats_log_entry entry;
    stats_set_lists(f->stats, (const uint32_t[]){70, 80}, 2);
    record_list(f, 0, 2);
    record_list(f, 1, 3);
    record_list(f, 2, 5);
    stats_set_lists(f->stats, (const uint32_t[]){80, 90, 70}, 3);
    record_list(f, 0, 10);
    record_list(f, 1, 20);
    assert_int_equal(use_of(f, 70).day, 2);
    assert_int_equal(use_of(f, 80).day, 13);
    assert_int_equal(use_of(f, 90).day, 20);
    assert_int_equal(use_of(f, 91).day, 0);
    assert_int_equal(use_of(f, 0).ever, 0);
    assert_true(stats_log_at(f->stats, 3, &entry));
    assert_int_equal(entry.list_id, 80);
    assert_true(stats_log_at(f->stats, 6, &entry));
    assert_int_equal(entry.list_id, 0);
    stats_fixture_wait(f, 90000);
    assert_int_equal(use_of(f, 80).day, 0);
    assert_int_equal(use_of(f, 80).ever, 13);
}

static void lists_in_use_are_never_pushed_out(void **state)
{
    struct stats_fixture *f = *state;
    static uint32_t ids[STATS_LISTS_MAX];
    for (uint32_t i = 0; i < STATS_LISTS_MAX; i++) {
        ids[i] = 1000 + i;
    }
    stats_set_lists(f->stats, ids, STATS_LISTS_MAX);
    record_list(f, STATS_LISTS_MAX - 1, 4);
    /* One list goes, another comes, and the last one moves to the front. */
    ids[0] = 1000 + STATS_LISTS_MAX - 1;
    ids[STATS_LISTS_MAX - 1] = 5000;
    stats_set_lists(f->stats, ids, STATS_LISTS_MAX);
    record_list(f, 0, 1);
    record_list(f, STATS_LISTS_MAX - 1, 2);
    assert_int_equal(use_of(f, 1000 + STATS_LISTS_MAX - 1).ever, 5);
    assert_int_equal(use_of(f, 5000).ever, 2);
}

static void record_upstream(struct stats_fixture *f, uint16_t upstream, uint32_t latency_us)
{
    struct dns_name name = name_of("a.example");
    struct stats_event e = stats_fixture_event(f, &name, "192.0.2.1");
    e.upstream = upstream;
    e.latency_us = latency_us;
    stats_record(f->worker, &e);
    stats_fixture_collect(f);
}

static void upstreams_have_mean_and_variance(void **state)
{
    struct stats_fixture *f = *state;
    struct stats_upstream ups[2] = {{.id = 11, .name = "one"}, {.id = 22, .name = "two"}};
    struct stats_upstream_use use;
    struct stats_log_entry entry;
    stats_set_upstreams(f->stats, ups, 2);
    record_upstream(f, 0, 10000);
    record_upstream(f, 0, 30000);
    record_upstream(f, 1, 7000);
    assert_true(stats_upstream_at(f->stats, 0, &use));
    assert_string_equal(use.upstream.name, "one");
    assert_true(use.current);
    assert_int_equal(use.count, 2);
    assert_float_equal(use.response_s, 0.02, 1e-9);
    assert_float_equal(use.variance_s2, 1e-4, 1e-9);
    /* The other way round: rows stay with the upstream. */
    struct stats_upstream turned[2] = {ups[1], {.id = 33, .name = "three"}};
    stats_set_upstreams(f->stats, turned, 2);
    record_upstream(f, 0, 9000);
    assert_true(stats_upstream_at(f->stats, 1, &use));
    assert_int_equal(use.upstream.id, 22);
    assert_int_equal(use.count, 2);
    assert_true(stats_upstream_at(f->stats, 0, &use));
    assert_false(use.current);
    assert_true(stats_upstream_at(f->stats, 2, &use));
    assert_int_equal(use.count, 0);
    assert_float_equal(use.response_s, 0, 0);
    assert_true(stats_log_at(f->stats, 4, &entry));
    assert_int_equal(entry.upstream, 1);
    assert_false(stats_upstream_at(f->stats, 3, &use));
    assert_false(stats_upstream_at(f->stats, STATS_UPSTREAM_ROWS, &use));
}

/* --- bounds ---------------------------------------------------------------------------------- */

static void junk_does_not_push_out_the_log(void **state)
{
    struct stats_fixture *f = *state;
    struct stats_log_entry entry;
    ask(f, "a.example", "192.0.2.1", QUERY_CACHED, 1);
    stats_fixture_collect(f);
    for (int i = 0; i < 20; i++) {
        ask(f, "junk.example", "198.51.100.1", QUERY_REFUSED, 500);
        stats_fixture_collect(f);
    }
    assert_true(stats_log_at(f->stats, 1, &entry));
    assert_int_equal(stats_log_next(f->stats), 102);
    assert_int_equal(day(f).status[QUERY_REFUSED], 10000);
    assert_int_equal(day(f).total, 1);
}

static void refuses_bad_configurations(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        struct stats_config cfg;
    } rows[] = {
        {"no worker", {0, 256, 64, 16}},     {"too many workers", {65, 256, 64, 16}},
        {"log too short", {1, 255, 64, 16}}, {"log too long", {1, STATS_LOG_MAX + 1, 64, 16}},
        {"few names", {1, 256, 63, 16}},     {"many names", {1, 256, STATS_TOP_MAX + 1, 16}},
        {"few clients", {1, 256, 64, 15}},   {"many clients", {1, 256, 64, STATS_TOP_MAX + 1}},
    };
    static uint8_t mem[64];
    struct stats *s = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (stats_init(&s, mem, sizeof mem, &rows[i].cfg, 0, 0, mem) != ERR_RANGE) {
            fail_msg("%s", rows[i].why);
        }
    }
    const struct stats_config good = {1, 256, 64, 16};
    assert_int_equal(stats_init(&s, mem, sizeof mem, &good, 0, 0, mem), ERR_SPACE);
    assert_null(s);
}

static void memory_is_enough_at_any_address(void **state)
{
    (void)state;
    const struct stats_config cfg = {3, 300, 100, 17};
    size_t size = stats_memory(&cfg);
    uint8_t *mem = malloc(size + 64), key[16] = {0};
    for (size_t shift = 0; shift < 64; shift += 8) {
        struct stats *s;
        assert_int_equal(stats_init(&s, mem + shift, size, &cfg, 0, 0, key), ERR_OK);
    }
    free(mem);
}

static void no_more_workers_than_stated(void **state)
{
    struct stats_fixture *f = *state;
    assert_int_equal(stats_attach(f->stats, f->worker), ERR_OK);
    assert_int_equal(stats_attach(f->stats, f->worker), ERR_LIMIT);
}

/* Question i goes to worker i % 2; each asks a hundred microseconds after the last. */
static void ask_both(struct stats_fixture *f, struct stats_worker *other, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct dns_name name = name_of("merged.example");
        struct stats_event event = stats_fixture_event(f, &name, "192.0.2.1");
        f->now += 100;
        f->unix_us += 100;
        event.time = f->now;
        stats_record(i % 2 == 0 ? f->worker : other, &event);
    }
}

static void the_log_is_in_order_of_time_whichever_worker_was_asked(void **state)
{
    struct stats_fixture *f = *state;
    const struct stats_worker_config cfg = {.ring_octets = 64 * 1024};
    size_t size = stats_worker_memory(&cfg);
    void *mem = malloc(size);
    struct stats_worker *other;
    int64_t last = 0;
    assert_int_equal(stats_worker_init(&other, mem, size, &cfg), ERR_OK);
    assert_int_equal(stats_attach(f->stats, other), ERR_OK);
    ask_both(f, other, 100);
    assert_int_equal(stats_fixture_collect(f), 100);
    for (uint64_t id = stats_log_first(f->stats); id != stats_log_next(f->stats); id++) {
        struct stats_log_entry entry;
        assert_true(stats_log_at(f->stats, id, &entry));
        assert_true(entry.unix_us > last);
        last = entry.unix_us;
    }
    /* With much waiting nothing is lost, and one worker is not read far ahead of the other. */
    ask_both(f, other, 1000);
    assert_int_equal(stats_fixture_collect(f), 1000);
    assert_int_equal(day(f).total, 1100);
    free(mem);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_status_is_one_outcome),
        TEST(names_exist_for_all),
        TEST(top_names_are_split_by_outcome),
        TEST(clients_are_ranked),
        TEST(timelines_hold_each_slot),
        TEST(a_day_later_nothing_is_left_but_the_totals),
        TEST(within_a_day_all_is_there),
        TEST(clock_steps_lose_nothing),
        TEST(slow_drift_is_followed),
        TEST(rate_is_of_the_last_minute),
        TEST(latency_is_kept_by_outcome),
        TEST(recent_latency_forgets_after_two_hours),
        TEST(list_hits_follow_the_list_not_its_place),
        TEST(lists_in_use_are_never_pushed_out),
        TEST(upstreams_have_mean_and_variance),
        TEST(junk_does_not_push_out_the_log),
        TEST(refuses_bad_configurations),
        TEST(memory_is_enough_at_any_address),
        TEST(no_more_workers_than_stated),
        TEST(the_log_is_in_order_of_time_whichever_worker_was_asked),
    };
    return UNIT_RUN(tests);
}
