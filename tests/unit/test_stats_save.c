/* Statistics over a restart: they come back whole, aged by the time between; damage is found. */
#include <stdlib.h>

#include "stats_fixture.h"
#include "unit.h"

static uint8_t *saved;
static size_t saved_len;

static void fill(struct stats_fixture *f)
{
    static const struct stats_upstream up = {
        .id = 5, .name = "dns.example", .endpoint = {.port = 853}};
    stats_set_lists(f->stats, (const uint32_t[]){77}, 1);
    stats_set_upstreams(f->stats, &up, 1);
    for (int i = 0; i < 12; i++) {
        struct dns_name name = name_of("ads.example");
        struct stats_event e = stats_fixture_event(f, &name, "192.0.2.1");
        e.status = QUERY_BLOCKED_LIST;
        e.list = 0;
        stats_record(f->worker, &e);
        e.status = QUERY_FORWARDED;
        e.list = STATS_NO_LIST;
        e.upstream = 0;
        e.latency_us = 20000;
        stats_record(f->worker, &e);
        stats_fixture_query(f, "www.example.com", "2001:db8::1", QUERY_CACHED);
        stats_fixture_wait(f, 600);
    }
}

static int open_fixture(void **state)
{
    struct stats_fixture *f = calloc(1, sizeof *f);
    stats_fixture_open(f);
    fill(f);
    size_t cap = stats_save_memory(f->stats);
    saved = malloc(cap);
    assert_int_equal(stats_save(f->stats, saved, cap, &saved_len), ERR_OK);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct stats_fixture *f = *state;
    stats_fixture_close(f);
    free(f);
    free(saved);
    return 0;
}

static void later(struct stats_fixture *f, int64_t seconds)
{
    f->now += (usec_t)seconds * USEC_PER_SEC;
    f->unix_us += seconds * 1000000;
    stats_fixture_restart(f);
}

static struct stats_totals day(const struct stats_fixture *f)
{
    struct stats_totals t;
    stats_day(f->stats, &t);
    return t;
}

static void all_comes_back(void **state)
{
    struct stats_fixture *f = *state;
    struct stats_totals before = day(f), after;
    uint32_t unique = stats_unique_names(f->stats);
    later(f, 5);
    assert_int_equal(stats_load(f->stats, saved, saved_len), ERR_OK);
    after = day(f);
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(after.total, 36);
    assert_int_equal(stats_unique_names(f->stats), unique);
    assert_int_equal(stats_since_unix(f->stats), FIXTURE_UNIX_S);
    struct stats_totals ever;
    stats_ever(f->stats, &ever);
    assert_int_equal(ever.total, 36);

    struct stats_name name;
    struct dns_name ads = name_of("ads.example");
    assert_int_equal(stats_top_names(f->stats, true, &name, 1), 1);
    assert_true(dns_name_equal(&name.name, &ads));
    assert_int_equal(name.count, 12);

    struct stats_client clients[3];
    struct ip_addr one = ip_of("192.0.2.1");
    assert_int_equal(stats_top_clients(f->stats, false, clients, 3), 2);
    assert_true(ip_equal(&clients[0].addr, &one));
    assert_int_equal(clients[0].total, 24);
    assert_int_equal(clients[0].blocked, 12);
    assert_int_equal(clients[0].first_seen_unix, FIXTURE_UNIX_S);
    assert_int_equal(clients[0].last_seen_unix, FIXTURE_UNIX_S + 11 * 600);

    struct stats_list_use list;
    stats_list_use(f->stats, 77, &list);
    assert_int_equal(list.day, 12);
    assert_int_equal(list.ever, 12);

    struct stats_upstream_use up;
    assert_true(stats_upstream_at(f->stats, 0, &up));
    assert_string_equal(up.upstream.name, "dns.example");
    assert_int_equal(up.upstream.endpoint.port, 853);
    assert_int_equal(up.count, 12);
    assert_float_equal(up.response_s, 0.02, 1e-9);
    assert_float_equal(up.variance_s2, 0, 1e-9);
}

static void new_queries_join_the_old(void **state)
{
    struct stats_fixture *f = *state;
    struct stats_name name;
    later(f, 5);
    assert_int_equal(stats_load(f->stats, saved, saved_len), ERR_OK);
    stats_fixture_query(f, "ads.example", "192.0.2.1", QUERY_BLOCKED_LIST);
    stats_fixture_collect(f);
    assert_int_equal(stats_top_names(f->stats, true, &name, 1), 1);
    assert_int_equal(name.count, 13);
    assert_int_equal(stats_unique_names(f->stats), 2);
    assert_int_equal(stats_clients_known(f->stats), 2);
}

static void slots_stand_at_their_old_times(void **state)
{
    struct stats_fixture *f = *state;
    later(f, 7200);
    assert_int_equal(stats_load(f->stats, saved, saved_len), ERR_OK);
    for (uint32_t ago = 0; ago < 145; ago++) {
        struct stats_slot slot;
        assert_true(stats_timeline_at(f->stats, TIMELINE_10MIN, ago, &slot));
        bool filled = slot.start_unix > FIXTURE_UNIX_S && slot.start_unix <= FIXTURE_UNIX_S + 7200;
        assert_int_equal(slot.total, filled ? 3 : 0);
    }
}

static void what_is_older_than_a_day_is_left_out(void **state)
{
    struct stats_fixture *f = *state;
    struct stats_name name;
    struct stats_client client;
    struct stats_totals ever;
    struct stats_list_use list;
    later(f, 2 * 86400);
    assert_int_equal(stats_load(f->stats, saved, saved_len), ERR_OK);
    assert_int_equal(day(f).total, 0);
    assert_int_equal(stats_top_names(f->stats, true, &name, 1), 0);
    assert_int_equal(stats_top_clients(f->stats, false, &client, 1), 0);
    assert_int_equal(stats_unique_names(f->stats), 0);
    stats_list_use(f->stats, 77, &list);
    assert_int_equal(list.day, 0);
    assert_int_equal(list.ever, 12);
    stats_ever(f->stats, &ever);
    assert_int_equal(ever.total, 36);
    uint64_t month = 0;
    for (uint32_t ago = 0; ago < 745; ago++) {
        struct stats_slot slot;
        assert_true(stats_timeline_at(f->stats, TIMELINE_1H, ago, &slot));
        month += slot.total;
    }
    assert_int_equal(month, 36);
}

/* A machine without a battery for its clock starts in the past; then it is told the time. */
static void a_clock_in_the_past_costs_nothing(void **state)
{
    struct stats_fixture *f = *state;
    later(f, -86400 * 300);
    assert_int_equal(stats_load(f->stats, saved, saved_len), ERR_OK);
    assert_int_equal(day(f).total, 36);
    f->unix_us += INT64_C(86400) * 300 * 1000000;
    stats_fixture_wait(f, 1);
    assert_int_equal(day(f).total, 36);
}

static void every_flipped_or_missing_octet_is_found(void **state)
{
    struct stats_fixture *f = *state;
    later(f, 5);
    for (size_t i = 0; i < saved_len; i++) {
        saved[i] ^= 0x10;
        assert_int_not_equal(stats_load(f->stats, saved, saved_len), ERR_OK);
        saved[i] ^= 0x10;
        assert_int_not_equal(stats_load(f->stats, saved, i), ERR_OK);
    }
    assert_int_equal(day(f).total, 0);
    assert_int_equal(stats_load(f->stats, saved, saved_len), ERR_OK);
    assert_int_equal(day(f).total, 36);
}

static void no_room_is_an_error(void **state)
{
    struct stats_fixture *f = *state;
    uint8_t *small = malloc(saved_len);
    size_t len = 0;
    for (size_t cap = 0; cap < saved_len; cap += 7) {
        assert_int_equal(stats_save(f->stats, small, cap, &len), ERR_SPACE);
    }
    assert_int_equal(len, 0);
    assert_int_equal(stats_save(f->stats, small, saved_len, &len), ERR_OK);
    assert_int_equal(len, saved_len);
    assert_memory_equal(small, saved, len);
    free(small);
}

static void a_quiet_house_has_a_small_file(void **state)
{
    (void)state;
    assert_in_range(saved_len, 500, 8192);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_comes_back),
        TEST(new_queries_join_the_old),
        TEST(slots_stand_at_their_old_times),
        TEST(what_is_older_than_a_day_is_left_out),
        TEST(a_clock_in_the_past_costs_nothing),
        TEST(every_flipped_or_missing_octet_is_found),
        TEST(no_room_is_an_error),
        TEST(a_quiet_house_has_a_small_file),
    };
    return UNIT_RUN(tests);
}
