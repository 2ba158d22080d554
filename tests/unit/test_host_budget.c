/*
 * How open files are shared out.
 */
#include "host/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* As in budget.c: what the program has open besides, and a list being fetched. */
#define OTHERS     20
#define A_TRANSFER 5

static uint32_t spent(const struct budget_wish *w, const struct budget *b)
{
    return w->open + OTHERS + b->http_connections + b->transfers * A_TRANSFER +
           w->workers * (2 + b->sockets + b->streams + b->tcp_connections);
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
    assert_int_equal(b.transfers, BUDGET_TRANSFERS_MAX);
    assert_int_equal(b.spare, 17);
    assert_int_equal(spent(&w, &b), w.limit);
}

static void stays_below_every_limit(void **state)
{
    (void)state;
    for (uint32_t workers = 1; workers <= 8; workers *= 2) {
        for (uint32_t limit = 0; limit < 20000; limit += limit < 400 ? 1 : 97) {
            struct budget_wish w = {.limit = limit,
                                    .open = 10 + 4 * workers,
                                    .workers = workers,
                                    .pending = 2048,
                                    .tcp_connections = 512,
                                    .http_connections = 256};
            struct budget b;
            budget_share(&w, &b);
            if (spent(&w, &b) > (limit < budget_least(&w) ? budget_least(&w) : limit)) {
                fail_msg("limit %u with %u workers: %u are spent", limit, workers, spent(&w, &b));
            }
        }
    }
}

/* What a start is refused below; all that is above goes to somebody. */
static void knows_the_least(void **state)
{
    (void)state;
    struct budget_wish w = {
        .open = 14, .workers = 2, .pending = 2048, .tcp_connections = 512, .http_connections = 256};
    struct budget b;
    w.limit = budget_least(&w);
    assert_int_equal(w.limit, 14 + 20 + 8 + 5 + 2 * (2 + 4 + 1 + 1));
    budget_share(&w, &b);
    assert_int_equal(spent(&w, &b), w.limit);
    assert_int_equal(b.sockets, 4);
    assert_int_equal(b.spare, 5);
    w.https = true;
    assert_int_equal(budget_least(&w), w.limit + 11);
    w.http_connections = 0;
    assert_int_equal(budget_least(&w), w.limit + 11 - 8);
    w.limit = budget_wanted(&w) - 1;
    budget_share(&w, &b);
    assert_true(spent(&w, &b) + 11 > w.limit - 100 && spent(&w, &b) + 11 <= w.limit);
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
    assert_true(b.sockets >= 4 && b.spare == 5 && b.streams >= 1 && b.tcp_connections >= 1 &&
                b.http_connections >= 8 && b.transfers >= 1);
}

/* Hardening D8: 64 files and one worker are enough for a few questions at once. */
static void makes_do_with_64(void **state)
{
    (void)state;
    struct budget_wish w = {.limit = 64,
                            .open = 8,
                            .workers = 1,
                            .pending = 2048,
                            .tcp_connections = 512,
                            .http_connections = 256};
    struct budget b;
    budget_share(&w, &b);
    assert_true(b.sockets >= 8);
    assert_true(b.tcp_connections >= 4);
    assert_true(w.limit >= budget_least(&w));
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grants_everything_when_there_is_room),
        cmocka_unit_test(stays_below_every_limit),
        cmocka_unit_test(knows_the_least),
        cmocka_unit_test(leaves_nobody_with_nothing),
        cmocka_unit_test(makes_do_with_64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
