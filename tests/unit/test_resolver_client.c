/*
 * Access list and limits, at the functions themselves.
 */
#include <stdio.h>

#include "resolver/resolver_int.h"
#include "unit.h"
#include "world.h"

static struct world w;
static struct resolver *r;

static void begin(uint32_t rate)
{
    world_open(&w);
    w.rc.rate_limit = rate;
    w.rc.clients_max = 16;
    world_apply(&w);
    r = w.resolver[0];
    r->now = w.now;
}

static struct peer peer_of(const char *text)
{
    struct peer p = {.port = 1000};
    assert_int_equal(ip_parse(span_str(text), &p.addr), ERR_OK);
    return p;
}

static enum client_admission admit(const char *text)
{
    struct peer p = peer_of(text);
    struct query q = {.peer = &p};
    return client_admit(r, &q);
}

static void the_first_match_of_the_list_decides(void **state)
{
    (void)state;
    static const struct {
        const char *list[4];
        const char *addr;
        bool allowed;
    } rows[] = {
        {{"192.0.2.0/24"}, "192.0.2.1", true},
        {{"192.0.2.0/24"}, "192.0.3.1", false},
        {{"!192.0.2.7", "192.0.2.0/24"}, "192.0.2.7", false},
        {{"192.0.2.0/24", "!192.0.2.7"}, "192.0.2.7", true},
        {{"!10.0.0.0/8", "0.0.0.0/0"}, "10.1.1.1", false},
        {{"!10.0.0.0/8", "0.0.0.0/0"}, "8.8.8.8", true},
        {{"0.0.0.0/0"}, "2001:db8::1", false},
        {{"::/0"}, "2001:db8::1", true},
        {{"fe80::/10"}, "fe80::1", true},
        {{NULL}, "127.0.0.1", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        world_open(&w);
        w.draft.allow_from_count = 0;
        for (unsigned k = 0; rows[i].list[k] != NULL; k++) {
            bool negated = rows[i].list[k][0] == '!';
            w.allow_from_negated[k] = negated;
            assert_int_equal(ip_prefix_parse(span_str(rows[i].list[k] + negated), &w.allow_from[k]),
                             ERR_OK);
            w.draft.allow_from_count++;
        }
        world_apply(&w);
        r = w.resolver[0];
        r->now = w.now;
        for (int again = 0; again < 2; again++) { /* out of the list, then out of the table */
            if ((admit(rows[i].addr) == CLIENT_ADMITTED) != rows[i].allowed) {
                fail_msg("row %zu: %s", i, rows[i].addr);
            }
        }
        world_close(&w);
    }
}

static unsigned admitted_of(const char *addr, unsigned n)
{
    unsigned good = 0;
    for (unsigned i = 0; i < n; i++) {
        good += admit(addr) == CLIENT_ADMITTED;
    }
    return good;
}

/* Addresses that differ in their last octets only, as those of a house do, do not stand in a heap.
 */
static void the_table_of_clients_has_short_ways(void **state)
{
    (void)state;
    enum { HOUSE = 1000 };
    void *mem = malloc(client_map_memory(HOUSE));
    struct client_map m;
    uint16_t other;
    unsigned run = 0, longest = 0;
    assert_non_null(mem);
    client_map_init(&m, mem, HOUSE);
    for (unsigned i = 0; i < HOUSE; i++) {
        const uint8_t v4[4] = {192, 168, (uint8_t)(i / 250), (uint8_t)(i % 250)};
        struct ip_prefix p = {.addr = ip_v4(v4), .bits = 128};
        assert_int_equal(client_map_add(&m, &p, (uint16_t)i, &other), ERR_OK);
    }
    client_map_done(&m);
    for (uint32_t i = 0; i <= m.mask; i++) {
        run = m.rows[i].used ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    assert_true(longest < 40);
    free(mem);
}

static void the_bucket_holds_two_seconds_and_fills_up(void **state)
{
    (void)state;
    begin(100);
    assert_int_equal(admitted_of("192.0.2.1", 500), 200);
    assert_int_equal(admitted_of("192.0.2.2", 500), 200);
    r->now += 100 * USEC_PER_MSEC;
    assert_int_equal(admitted_of("192.0.2.1", 500), 10);
    r->now += 10 * USEC_PER_SEC;
    assert_int_equal(admitted_of("192.0.2.1", 500), 200);
    world_close(&w);
}

static void off_is_off(void **state)
{
    (void)state;
    begin(0);
    assert_int_equal(admitted_of("192.0.2.1", 5000), 5000);
    assert_int_equal(admit("203.0.113.1"), CLIENT_REFUSED);
    world_close(&w);
}

/* Other clients push one out of a full table, never one that asks all the time. */
static void the_idle_leave_the_table_first(void **state)
{
    (void)state;
    begin(100);
    char text[32];
    assert_int_equal(admitted_of("192.0.2.1", 200), 200);
    for (unsigned i = 0; i < 100; i++) {
        r->now += USEC_PER_MSEC;
        snprintf(text, sizeof text, "10.0.0.%u", i);
        assert_int_equal(admit(text), CLIENT_ADMITTED);
        (void)admit("192.0.2.1");
    }
    assert_true(admitted_of("192.0.2.1", 100) <= 10);
    world_close(&w);
}

static void answers_that_could_hurt_others_are_limited(void **state)
{
    (void)state;
    begin(1000);
    struct peer a = peer_of("192.0.2.1"), b = peer_of("192.0.2.99"), c = peer_of("10.0.0.1");
    struct query q = {.peer = &a, .request_len = 40, .is_error = true};
    unsigned sent = 0, slipped = 0, dropped = 0;
    for (unsigned i = 0; i < 200; i++) {
        q.peer = i % 2 ? &a : &b; /* one network */
        switch (client_limit_answer(r, &q, 40)) {
        case CLIENT_SEND:
            sent++;
            break;
        case CLIENT_SLIP:
            slipped++;
            break;
        case CLIENT_DROP:
            dropped++;
            break;
        }
    }
    assert_int_equal(sent, 100);
    assert_int_equal(slipped, 50);
    assert_int_equal(dropped, 50);
    q.peer = &c;
    assert_int_equal(client_limit_answer(r, &q, 40), CLIENT_SEND);
    q.peer = &a;
    q.is_error = false;
    assert_int_equal(client_limit_answer(r, &q, 500), CLIENT_SEND); /* neither error nor large */
    for (unsigned i = 0; i < 400; i++) {
        assert_int_equal(client_limit_answer(r, &q, 1200), CLIENT_SEND);
    }
    assert_int_not_equal(client_limit_answer(r, &q, 1200), CLIENT_SEND);
    q.cookie_valid = true;
    assert_int_equal(client_limit_answer(r, &q, 1200), CLIENT_SEND);
    q.cookie_valid = false;
    a.tcp = true;
    assert_int_equal(client_limit_answer(r, &q, 1200), CLIENT_SEND);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_match_of_the_list_decides),
        cmocka_unit_test(the_table_of_clients_has_short_ways),
        cmocka_unit_test(the_bucket_holds_two_seconds_and_fills_up),
        cmocka_unit_test(off_is_off),
        cmocka_unit_test(the_idle_leave_the_table_first),
        cmocka_unit_test(answers_that_could_hurt_others_are_limited),
    };
    return UNIT_RUN(tests);
}
