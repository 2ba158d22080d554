/*
 * How open files are shared out.
 */
#include "host/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static uint32_t spent(const struct budget_wish *w, const struct budget *b)
{
    return w->open + b->http_connections +
           w->workers * (b->sockets + b->streams + b->tcp_connections);
}

static void grants_everything_when_there_is_room(void **state)
{
    (void)state;
    struct budget_wish w = {
        .open = 20, .workers = 4, .pending = 2048, .tcp_connections = 512, .http_connections = 256};
    struct budget b;
    w.limit = budget_wanted(&w);
    budget_share(&w, &b);
    assert_int_equal(b.sockets, 3072);
    assert_int_equal(b.streams, BUDGET_STREAMS_MAX);
    assert_int_equal(b.tcp_connections, 128);
    assert_int_equal(b.http_connections, 256);
    assert_true(spent(&w, &b) + BUDGET_RESERVE <= w.limit);
}

static void stays_below_every_limit(void **state)
{
    (void)state;
    for (uint32_t workers = 1; workers <= 8; workers *= 2) {
        for (uint32_t limit = 64 * workers; limit < 20000; limit += 97) {
            struct budget_wish w = {.limit = limit,
                                    .open = 10 + 4 * workers,
                                    .workers = workers,
                                    .pending = 2048,
                                    .tcp_connections = 512,
                                    .http_connections = 256};
            struct budget b;
            budget_share(&w, &b);
            if (spent(&w, &b) + BUDGET_RESERVE > limit) {
                fail_msg("limit %u with %u workers: %u are spent", limit, workers, spent(&w, &b));
            }
        }
    }
}

static void leaves_nobody_with_nothing(void **state)
{
    (void)state;
    struct budget_wish w = {.limit = 16,
                            .open = 15,
                            .workers = 4,
                            .pending = 2048,
                            .tcp_connections = 512,
                            .http_connections = 256};
    struct budget b;
    budget_share(&w, &b);
    assert_true(b.sockets >= 2 && b.streams >= 1 && b.tcp_connections >= 1 &&
                b.http_connections >= 1);
}

/* Hardening D8: 64 files and one worker are enough for a few questions at once. */
static void makes_do_with_64(void **state)
{
    (void)state;
    struct budget_wish w = {.limit = 64,
                            .open = 14,
                            .workers = 1,
                            .pending = 2048,
                            .tcp_connections = 512,
                            .http_connections = 256};
    struct budget b;
    budget_share(&w, &b);
    assert_true(b.sockets >= 8);
    assert_true(b.tcp_connections >= 4);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grants_everything_when_there_is_room),
        cmocka_unit_test(stays_below_every_limit),
        cmocka_unit_test(leaves_nobody_with_nothing),
        cmocka_unit_test(makes_do_with_64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
