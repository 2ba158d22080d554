/*
 * Names that are used day after day.
 */
#include <stdio.h>
#include <stdlib.h>

#include "stats/daily.h"
#include "stats_fixture.h"
#include "unit.h"

enum { DAY_S = 86400 };

static struct stats_fixture f;

static int set_up(void **state)
{
    (void)state;
    stats_fixture_open(&f);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stats_fixture_close(&f);
    return 0;
}

static void ask(const char *name, enum query_status status)
{
    stats_fixture_query(&f, name, "192.0.2.7", status);
    stats_fixture_collect(&f);
}

/* The daily names, a line each. */
static const char *names(void)
{
    static char text[4096];
    struct strbuf out;
    strbuf_init(&out, text, sizeof text);
    (void)stats_daily_names(f.stats, &out);
    return text;
}

static void save_and_restart(uint64_t later_s)
{
    size_t cap = stats_save_memory(f.stats), len;
    void *buf = malloc(cap);
    assert_non_null(buf);
    assert_int_equal(stats_save(f.stats, buf, cap, &len), ERR_OK);
    f.now += later_s * USEC_PER_SEC;
    f.unix_us += (int64_t)(later_s * USEC_PER_SEC);
    stats_fixture_restart(&f);
    assert_int_equal(stats_load(f.stats, buf, len), ERR_OK);
    free(buf);
}

static void five_days_of_seven_make_a_daily_name(void **state)
{
    (void)state;
    for (unsigned day = 0; day < 5; day++) {
        assert_string_equal(names(), "");
        ask("school.example", QUERY_FORWARDED);
        ask("ads.example", QUERY_BLOCKED_LIST);
        if (day < 4) {
            ask("now-and-then.example", QUERY_CACHED);
        }
        stats_fixture_wait(&f, DAY_S);
    }
    assert_string_equal(names(), "school.example\n");
    uint32_t changed = stats_daily_changed(f.stats);
    stats_fixture_wait(&f, 2 * DAY_S);
    assert_string_equal(names(), "school.example\n"); /* five of the last seven still */
    assert_true(stats_daily_changed(f.stats) > changed);
    stats_fixture_wait(&f, DAY_S);
    assert_string_equal(names(), "");
}

static void it_outlives_restarts(void **state)
{
    (void)state;
    for (unsigned day = 0; day < 5; day++) {
        stats_fixture_wait(&f, 18 * 3600);
        ask("school.example", QUERY_FORWARDED);
        save_and_restart(60);
        save_and_restart(6 * 3600 - 60); /* over midnight while we were off */
    }
    assert_string_equal(names(), "school.example\n");
    save_and_restart(3 * DAY_S);
    assert_string_equal(names(), "");
    save_and_restart(30 * DAY_S);
    assert_string_equal(names(), "");
}

static void a_step_of_the_clock_is_not_days(void **state)
{
    (void)state;
    for (unsigned day = 0; day < 5; day++) {
        ask("school.example", QUERY_FORWARDED);
        stats_fixture_wait(&f, DAY_S);
    }
    f.unix_us += 400 * (int64_t)DAY_S * (int64_t)USEC_PER_SEC; /* the network told the time */
    stats_fixture_collect(&f);
    assert_string_equal(names(), "school.example\n");
}

static void what_is_forgotten_is_forgotten_here_too(void **state)
{
    (void)state;
    for (unsigned day = 0; day < 5; day++) {
        ask("school.example", QUERY_FORWARDED);
        stats_fixture_wait(&f, DAY_S);
    }
    assert_string_equal(names(), "school.example\n");
    uint32_t changed = stats_daily_changed(f.stats);
    stats_forget(f.stats);
    assert_string_equal(names(), "");
    assert_true(stats_daily_changed(f.stats) > changed);
}

static uint64_t plain_hash(void *ctx, const uint8_t *wire, size_t len)
{
    uint64_t h = 5381;
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        h = h * 33 + wire[i];
    }
    return h;
}

/* A thousand names that come and go each day, and one that stays. */
static void a_full_table_keeps_what_stays(void **state)
{
    (void)state;
    struct arena arena;
    struct topk top;
    struct daily d;
    static struct topk_row rows[DAILY_TOP];
    size_t len =
        topk_memory(DAILY_TOP, DNS_NAME_MAX) + DAILY_NAMES * sizeof(struct daily_name) + 256;
    void *mem = malloc(len);
    assert_non_null(mem);
    arena_init(&arena, mem, len);
    assert_true(topk_init(&top, &arena, DAILY_TOP, DNS_NAME_MAX));
    assert_true(daily_init(&d, &arena));
    for (unsigned day = 0; day < 7; day++) {
        topk_clear(&top);
        for (unsigned i = 0; i < DAILY_TOP; i++) {
            char text[40];
            snprintf(text, sizeof text, "d%u-n%u.example", i == 0 ? 0 : day, i);
            struct dns_name n = name_of(text);
            topk_add(&top, plain_hash(NULL, n.wire, n.len), n.wire, n.len);
        }
        daily_pass(&d, 1, &top, rows, plain_hash, NULL);
    }
    unsigned used = 0;
    for (unsigned i = 0; i < DAILY_NAMES; i++) {
        used += daily_is_used(&d.name[i]);
    }
    assert_int_equal(used, 1);
    free(mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(five_days_of_seven_make_a_daily_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_outlives_restarts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_step_of_the_clock_is_not_days, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_forgotten_is_forgotten_here_too, set_up, tear_down),
        cmocka_unit_test(a_full_table_keeps_what_stays),
    };
    return UNIT_RUN(tests);
}
