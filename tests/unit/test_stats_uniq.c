/* Distinct counting: the error that the header states, and the window. */
#include "stats/uniq.h"

#include <stdlib.h>

#include "base/siphash.h"
#include "unit.h"

enum { MEMORY = UNIQ_HOURS * (UNIQ_REGISTERS + 64) };

static void *mem;
static struct uniq u;

static int open_uniq(void **state)
{
    (void)state;
    struct arena a;
    mem = malloc(MEMORY);
    arena_init(&a, mem, MEMORY);
    return uniq_init(&u, &a) ? 0 : -1;
}

static int close_uniq(void **state)
{
    (void)state;
    free(mem);
    return 0;
}

static void add_keys(uint32_t from, uint32_t to)
{
    const struct siphash_key key = {1, 2};
    for (uint32_t i = from; i < to; i++) {
        uniq_add(&u, siphash13(key, &i, sizeof i));
    }
}

static void assert_about(uint32_t expected, double permille)
{
    uint32_t n = uniq_count(&u);
    double off = (double)n - (double)expected;
    if (off < 0) {
        off = -off;
    }
    if (off > (double)expected * permille / 1000 + 0.5) {
        fail_msg("estimate %u for %u", n, expected);
    }
}

static void few_keys_are_counted_exactly(void **state)
{
    (void)state;
    assert_int_equal(uniq_count(&u), 0);
    for (uint32_t n = 1; n <= 40; n++) {
        add_keys(0, n);
        assert_int_equal(uniq_count(&u), n);
    }
}

static void error_stays_small_at_all_sizes(void **state)
{
    (void)state;
    uint32_t done = 0;
    /* Three standard errors; around 2.5 * registers the estimators change over. */
    static const uint32_t sizes[] = {100, 1000, 5000, 20000, 40000, 60000, 200000, 1000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        add_keys(done, sizes[i]);
        done = sizes[i];
        assert_about(sizes[i], 25);
    }
}

static void repeats_do_not_count(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        add_keys(0, 1000);
    }
    assert_about(1000, 10);
}

static void hours_are_united_and_leave(void **state)
{
    (void)state;
    add_keys(0, 500);
    uniq_next_hour(&u, 1);
    add_keys(250, 750);
    assert_about(750, 10);
    uniq_next_hour(&u, 23);
    assert_about(500, 10);
    uniq_next_hour(&u, 1);
    assert_int_equal(uniq_count(&u), 0);
    add_keys(0, 3);
    uniq_next_hour(&u, 1000);
    assert_int_equal(uniq_count(&u), 0);
}

static void extreme_hashes_are_in_bounds(void **state)
{
    (void)state;
    uniq_add(&u, 0);
    uniq_add(&u, UINT64_MAX);
    assert_int_equal(u.hour[0][0], UNIQ_RANK_MAX);
    assert_int_equal(u.hour[0][UNIQ_REGISTERS - 1], 1);
    assert_int_equal(uniq_count(&u), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_uniq, close_uniq)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(few_keys_are_counted_exactly), TEST(error_stays_small_at_all_sizes),
        TEST(repeats_do_not_count),         TEST(hours_are_united_and_leave),
        TEST(extreme_hashes_are_in_bounds),
    };
    return UNIT_RUN(tests);
}
