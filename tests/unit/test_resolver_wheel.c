/*
 * The timer wheel against a plain list of deadlines.
 */
#include "octets.h"
#include "resolver/wheel.h"
#include "unit.h"

enum { ITEMS = 200 };

static struct wheel wheel;
static struct wheel_item items[ITEMS];

static void fires_in_time_and_once(void **state)
{
    (void)state;
    wheel_init(&wheel, items, ITEMS, 1000000);
    wheel_set(&wheel, 3, 1010000);
    assert_true(wheel_next(&wheel) >= 1010000);
    assert_true(wheel_next(&wheel) < 1010000 + WHEEL_STEP_US);
    assert_int_equal(wheel_expire(&wheel, 1009999), WHEEL_NONE);
    assert_int_equal(wheel_expire(&wheel, wheel_next(&wheel)), 3);
    assert_int_equal(wheel_expire(&wheel, 99000000), WHEEL_NONE);
    assert_true(wheel_next(&wheel) == USEC_NEVER);
}

static void cancelled_and_moved_items_do_not_fire(void **state)
{
    (void)state;
    wheel_init(&wheel, items, ITEMS, 0);
    wheel_set(&wheel, 0, 50000);
    wheel_set(&wheel, 1, 50000);
    wheel_set(&wheel, 2, 50000);
    wheel_cancel(&wheel, 1);
    wheel_cancel(&wheel, 1);
    wheel_set(&wheel, 2, 900000);
    assert_int_equal(wheel_expire(&wheel, 100000), 0);
    assert_int_equal(wheel_expire(&wheel, 100000), WHEEL_NONE);
    assert_int_equal(wheel_expire(&wheel, 1000000), 2);
}

static void a_deadline_of_the_past_fires_at_the_next_look(void **state)
{
    (void)state;
    wheel_init(&wheel, items, ITEMS, 5000000);
    wheel_set(&wheel, 7, 1);
    assert_int_equal(wheel_expire(&wheel, 5000000 + WHEEL_STEP_US), 7);
}

static void deadlines_beyond_the_end_wait(void **state)
{
    (void)state;
    const usec_t far = 3600 * USEC_PER_SEC;
    wheel_init(&wheel, items, ITEMS, 0);
    wheel_set(&wheel, 9, far);
    for (unsigned looks = 0; wheel_next(&wheel) < far; looks++) {
        assert_true(looks < 1000);
        assert_int_equal(wheel_expire(&wheel, wheel_next(&wheel)), WHEEL_NONE);
    }
    assert_int_equal(wheel_expire(&wheel, wheel_next(&wheel)), 9);
}

/* Any order of setting, cancelling and time: nothing fires early, nothing later than a step after
 * its deadline. */
static void agrees_with_a_list(void **state)
{
    (void)state;
    static usec_t due[ITEMS]; /* 0: not set */
    struct test_random rnd = {42};
    usec_t now = 12345678;
    memset(due, 0, sizeof due);
    wheel_init(&wheel, items, ITEMS, now);
    for (unsigned round = 0; round < 20000; round++) {
        uint32_t i = test_random_below(&rnd, ITEMS);
        switch (test_random_below(&rnd, 4)) {
        case 0:
        case 1:
            due[i] = now + test_random_below(&rnd, 3) * test_random_below(&rnd, 9000000) + 1;
            wheel_set(&wheel, i, due[i]);
            break;
        case 2:
            due[i] = 0;
            wheel_cancel(&wheel, i);
            break;
        default:
            now += test_random_below(&rnd, 200000);
            for (uint32_t k = wheel_expire(&wheel, now); k != WHEEL_NONE;
                 k = wheel_expire(&wheel, now)) {
                assert_true(due[k] != 0 && due[k] <= now);
                due[k] = 0;
            }
            for (uint32_t k = 0; k < ITEMS; k++) {
                assert_true(due[k] == 0 || due[k] + 2 * WHEEL_STEP_US > now);
                assert_true(due[k] == 0 || wheel_next(&wheel) <= due[k] + 2 * WHEEL_STEP_US);
            }
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_in_time_and_once),
        cmocka_unit_test(cancelled_and_moved_items_do_not_fire),
        cmocka_unit_test(a_deadline_of_the_past_fires_at_the_next_look),
        cmocka_unit_test(deadlines_beyond_the_end_wait),
        cmocka_unit_test(agrees_with_a_list),
    };
    return UNIT_RUN(tests);
}
