/*
 * The tables of questions in flight.
 */
#include <stdio.h>

#include "resolver/resolver_int.h"
#include "unit.h"
#include "world.h"

static struct world w;
static struct resolver *r;
static struct dns_name names[64];

static void begin(void)
{
    world_open(&w);
    w.rc.pending_max = 16;
    w.rc.waiting_max = 32;
    world_apply(&w);
    r = w.resolver[0];
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        char text[32];
        snprintf(text, sizeof text, "n%u.example", i);
        assert_int_equal(dns_name_parse(span_str(text), &names[i]), ERR_OK);
    }
}

static void end(void)
{
    const char *why = "";
    if (!world_is_idle(&w, &why)) {
        fail_msg("%s", why);
    }
    world_close(&w);
}

static struct cache_key key_for(unsigned i, uint16_t type)
{
    return (struct cache_key){
        .name = &names[i], .hash = cache_hash(w.cache, &names[i]), .type = type, .klass = DNS_IN};
}

static uint32_t open_question(unsigned i, const struct peer *peer)
{
    struct cache_key key = key_for(i, DNS_A);
    uint32_t p = pending_open(r, &key, PENDING_QUESTION, peer);
    assert_int_not_equal(p, PENDING_NONE);
    r->pendings.slots[p].give_up = r->now + USEC_PER_SEC;
    pending_arm(r, p);
    return p;
}

static void found_by_every_part_of_the_key(void **state)
{
    (void)state;
    begin();
    struct peer peer = {.port = 1};
    uint32_t p = open_question(3, &peer);
    struct cache_key key = key_for(3, DNS_A);
    assert_int_equal(pending_find(r, &key), p);
    key.type = DNS_AAAA;
    assert_int_equal(pending_find(r, &key), PENDING_NONE);
    key = key_for(3, DNS_A);
    key.dnssec_ok = true;
    assert_int_equal(pending_find(r, &key), PENDING_NONE);
    key = key_for(3, DNS_A);
    key.checking_disabled = true;
    assert_int_equal(pending_find(r, &key), PENDING_NONE);
    key = key_for(4, DNS_A);
    assert_int_equal(pending_find(r, &key), PENDING_NONE);
    pending_finish(r, p, WAITER_FAILED);
    key = key_for(3, DNS_A);
    assert_int_equal(pending_find(r, &key), PENDING_NONE);
    end();
}

static void the_oldest_gives_way(void **state)
{
    (void)state;
    begin();
    struct peer peers[2] = {{.port = 1}, {.port = 2}};
    peers[1].addr.b[15] = 1; /* another bucket */
    assert_int_not_equal(pending_share_of(r, &peers[0]), pending_share_of(r, &peers[1]));
    for (unsigned i = 0; i < 40; i++) {
        open_question(i, &peers[i % 2]);
        struct cache_key key = key_for(i, DNS_A);
        assert_int_not_equal(pending_find(r, &key), PENDING_NONE);
        assert_true(r->pendings.active <= 16);
        if (i >= 16) {
            key = key_for(i - 16, DNS_A);
            assert_int_equal(pending_find(r, &key), PENDING_NONE);
            key = key_for(i - 15, DNS_A);
            assert_int_not_equal(pending_find(r, &key), PENDING_NONE);
        }
    }
    end();
}

static void a_client_has_three_quarters_at_most(void **state)
{
    (void)state;
    begin();
    struct peer peer = {.port = 1}, other = {.port = 2};
    other.addr.b[15] = 1;
    uint32_t p = open_question(50, &other);
    for (unsigned i = 0; i < 40; i++) {
        open_question(i, &peer);
        assert_true(r->pendings.active <= 13);
    }
    struct cache_key key = key_for(50, DNS_A);
    assert_int_equal(pending_find(r, &key), p);
    end();
}

static void what_nobody_waits_for_takes_no_place_from_others(void **state)
{
    (void)state;
    begin();
    struct peer peers[2] = {{.port = 1}, {.port = 2}};
    peers[1].addr.b[15] = 1;
    for (unsigned i = 0; i < 16; i++) {
        open_question(i, &peers[i % 2]);
    }
    struct cache_key key = key_for(60, DNS_A);
    assert_int_equal(pending_open(r, &key, PENDING_REFRESH, NULL), PENDING_NONE);
    assert_int_equal(r->pendings.active, 16);
    end();
}

static void tickets_are_not_used_again_soon(void **state)
{
    (void)state;
    begin();
    struct peer peer = {.port = 1};
    uint32_t seen[200];
    for (unsigned n = 0; n < ARRAY_LEN(seen); n++) {
        uint32_t p = open_question(n % 50, &peer), found;
        struct attempt *a = attempt_open(r, p, 0, false);
        seen[n] = attempt_ticket(r, p, a);
        assert_int_not_equal(seen[n], 0);
        for (unsigned k = 0; k < n; k++) {
            assert_int_not_equal(seen[k], seen[n]);
            assert_null(attempt_of(r, seen[k], &found));
        }
        assert_ptr_equal(attempt_of(r, seen[n], &found), a);
        assert_int_equal(found, p);
        pending_finish(r, p, WAITER_FAILED);
    }
    uint32_t found;
    assert_null(attempt_of(r, 0, &found));
    assert_null(attempt_of(r, UINT32_MAX, &found));
    end();
}

static void four_attempts_at_most(void **state)
{
    (void)state;
    begin();
    struct peer peer = {.port = 1};
    uint32_t p = open_question(0, &peer);
    struct attempt *a = NULL;
    for (unsigned i = 0; i < PENDING_ATTEMPTS; i++) {
        a = attempt_open(r, p, 0, false);
        assert_non_null(a);
    }
    assert_null(attempt_open(r, p, 0, false));
    attempt_close(r, p, a); /* never told: free at once */
    assert_non_null(attempt_open(r, p, 0, false));
    pending_finish(r, p, WAITER_FAILED);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_by_every_part_of_the_key),
        cmocka_unit_test(the_oldest_gives_way),
        cmocka_unit_test(a_client_has_three_quarters_at_most),
        cmocka_unit_test(what_nobody_waits_for_takes_no_place_from_others),
        cmocka_unit_test(tickets_are_not_used_again_soon),
        cmocka_unit_test(four_attempts_at_most),
    };
    return UNIT_RUN(tests);
}
