/*
 * Which upstream is asked, and what is remembered of them.
 */
#include "resolver/resolver_int.h"
#include "unit.h"
#include "world.h"

static struct world w;
static struct resolver *r;
static struct pending question;

static void begin(unsigned upstreams)
{
    world_open(&w);
    for (unsigned i = 0; i < upstreams; i++) {
        world_add_upstream(&w, UPSTREAM_UDP, 0);
    }
    world_apply(&w);
    r = w.resolver[0];
    memset(&question, 0, sizeof question);
}

static void answers_in(uint16_t i, usec_t rtt_us)
{
    for (int n = 0; n < 20; n++) {
        upstream_answered(r, i, rtt_us);
    }
}

static void one_that_was_never_measured_is_tried_then_the_fastest(void **state)
{
    (void)state;
    begin(3);
    answers_in(0, 20000);
    answers_in(1, 5000);
    assert_int_equal(upstream_choose(r, &question), 2);
    answers_in(2, 8000);
    assert_int_equal(upstream_choose(r, &question), 1);
    world_close(&w);
}

static void each_try_goes_to_another(void **state)
{
    (void)state;
    begin(3);
    answers_in(0, 1000);
    answers_in(1, 2000);
    answers_in(2, 3000);
    for (uint16_t n = 0; n < 6; n++) {
        uint16_t i = upstream_choose(r, &question);
        assert_int_equal(i, n % 3);
        question.tries[i]++;
    }
    question.refused = 1;
    assert_int_equal(upstream_choose(r, &question), 1);
    question.refused = 7;
    assert_int_equal(upstream_choose(r, &question), UPSTREAM_NONE);
    world_close(&w);
}

static void one_that_is_down_is_the_last_resort(void **state)
{
    (void)state;
    begin(2);
    answers_in(0, 1000);
    answers_in(1, 50000);
    upstream_lost(r, 0);
    assert_int_equal(upstream_choose(r, &question), 1); /* one silence is enough to be doubted */
    upstream_lost(r, 0);
    upstream_lost(r, 0);
    struct upstream_health h;
    resolver_get_upstream(r, 0, &h);
    assert_false(h.up);
    assert_int_equal(h.fails_in_row, 3);
    question.tries[1] = 1;
    assert_int_equal(upstream_choose(r, &question), 1);
    question.tries[1] = 3;
    assert_int_equal(upstream_choose(r, &question), 0);
    assert_true(upstream_any_up(r, 0));
    upstream_lost(r, 1);
    upstream_lost(r, 1);
    upstream_lost(r, 1);
    assert_false(upstream_any_up(r, 0));
    upstream_answered(r, 0, 0);
    assert_true(upstream_any_up(r, 0));
    resolver_get_upstream(r, 0, &h);
    assert_true(h.up && h.fails_in_row == 0);
    world_close(&w);
}

static void nothing_but_errors_is_as_good_as_dead(void **state)
{
    (void)state;
    begin(2);
    struct upstream_health h;
    for (int i = 0; i < 9; i++) {
        upstream_error(r, 0);
    }
    resolver_get_upstream(r, 0, &h);
    assert_true(h.up);
    upstream_error(r, 0);
    resolver_get_upstream(r, 0, &h);
    assert_false(h.up);
    upstream_alive(r, 0); /* an error in answer to a probe does not help it */
    resolver_get_upstream(r, 0, &h);
    assert_false(h.up);
    upstream_answered(r, 0, 1000);
    resolver_get_upstream(r, 0, &h);
    assert_true(h.up);
    world_close(&w);
}

static void patience_follows_what_was_measured(void **state)
{
    (void)state;
    begin(2);
    assert_int_equal(upstream_patience(r, 0, 1), 400 * USEC_PER_MSEC);
    answers_in(0, 1000);
    assert_int_equal(upstream_patience(r, 0, 1), 150 * USEC_PER_MSEC);
    assert_int_equal(upstream_patience(r, 0, 2), 225 * USEC_PER_MSEC);
    assert_int_equal(upstream_patience(r, 0, 9), 800 * USEC_PER_MSEC);
    answers_in(1, 300000);
    assert_true(upstream_patience(r, 1, 1) >= 300 * USEC_PER_MSEC);
    assert_true(upstream_patience(r, 1, 1) <= 400 * USEC_PER_MSEC);
    world_close(&w);
}

static void what_it_does_not_bear_is_forgotten_after_a_while(void **state)
{
    (void)state;
    begin(1);
    for (uint64_t name = 1; name <= 3; name++) {
        assert_true(upstream_takes_edns(r, 0));
        upstream_edns_refused(r, 0, name);
        upstream_edns_refused(r, 0, name);
    }
    assert_false(upstream_takes_edns(r, 0));
    upstream_case_changed(r, 0, false);
    upstream_case_changed(r, 0, false);
    upstream_case_kept(r, 0);
    upstream_case_changed(r, 0, false);
    assert_true(upstream_keeps_case(r, 0));
    upstream_case_changed(r, 0, true);
    assert_false(upstream_keeps_case(r, 0));
    r->now += 601 * USEC_PER_SEC;
    assert_true(upstream_takes_edns(r, 0));
    assert_true(upstream_keeps_case(r, 0));
    world_close(&w);
}

static void a_new_snapshot_keeps_what_is_known(void **state)
{
    (void)state;
    begin(3);
    answers_in(0, 1000);
    answers_in(1, 2000);
    answers_in(2, 3000);
    struct upstream_spec first = w.draft.upstreams[0];
    w.draft.upstreams[0] = w.draft.upstreams[2];
    w.draft.upstreams[1].id = 4711;
    w.draft.upstreams[2] = first;
    world_apply(&w);
    struct upstream_health h;
    resolver_get_upstream(r, 0, &h);
    assert_true(h.rtt_us > 2500 && h.rtt_us < 3500);
    resolver_get_upstream(r, 1, &h);
    assert_int_equal(h.rtt_us, 0);
    assert_true(h.up);
    resolver_get_upstream(r, 2, &h);
    assert_true(h.rtt_us > 500 && h.rtt_us < 1500);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_was_never_measured_is_tried_then_the_fastest),
        cmocka_unit_test(each_try_goes_to_another),
        cmocka_unit_test(one_that_is_down_is_the_last_resort),
        cmocka_unit_test(nothing_but_errors_is_as_good_as_dead),
        cmocka_unit_test(patience_follows_what_was_measured),
        cmocka_unit_test(what_it_does_not_bear_is_forgotten_after_a_while),
        cmocka_unit_test(a_new_snapshot_keeps_what_is_known),
    };
    return UNIT_RUN(tests);
}
