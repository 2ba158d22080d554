/*
 * Tickets to slots, against a plain array.
 */
#include "host/ticketmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"

#define MAX 100

static void agrees_with_an_array(void **state)
{
    (void)state;
    struct ticketmap m;
    struct rng rng;
    uint8_t seed[RNG_SEED_OCTETS] = {1};
    uint32_t held[MAX] = {0};
    rng_init(&rng, seed);
    assert_int_equal(ticketmap_init(&m, MAX), ERR_OK);
    for (uint32_t round = 0; round < 200000; round++) {
        uint32_t i = rng_below(&rng, MAX);
        if (held[i] != 0) {
            assert_int_equal(ticketmap_find(&m, held[i]), i);
            assert_int_equal(ticketmap_remove(&m, held[i]), i);
            assert_int_equal(ticketmap_remove(&m, held[i]), TICKETMAP_NONE);
            held[i] = 0;
        } else {
            /* Neighbours in number, and now and then far away ones. */
            held[i] = round % 7 ? round + 1 : rng_u32(&rng) | 1u << 31;
            ticketmap_insert(&m, held[i], i);
        }
    }
    assert_int_equal(ticketmap_find(&m, 0), TICKETMAP_NONE);
    for (uint32_t i = 0; i < MAX; i++) {
        assert_true(held[i] == 0 || ticketmap_find(&m, held[i]) == i);
    }
    ticketmap_fini(&m);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_an_array)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
