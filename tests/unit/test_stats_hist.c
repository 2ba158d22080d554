/* Latency histogram: buckets tile the numbers, quantiles are within an eighth. */
#include "stats/hist.h"

#include "unit.h"

static void buckets_tile_all_values(void **state)
{
    (void)state;
    for (uint32_t b = 0; b < HIST_BUCKETS; b++) {
        uint64_t start = hist_bucket_start(b), end = hist_bucket_start(b + 1);
        assert_true(start < end);
        assert_int_equal(hist_bucket_of((uint32_t)start), b);
        assert_int_equal(hist_bucket_of((uint32_t)(end - 1)), b);
    }
    assert_true(hist_bucket_start(HIST_BUCKETS) == UINT64_C(1) << 32);
    assert_int_equal(hist_bucket_of(UINT32_MAX), HIST_BUCKETS - 1);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    for (uint32_t v = 0; v < 16; v++) {
        assert_int_equal(hist_bucket_of(v), v);
        assert_int_equal(hist_bucket_start(v), v);
    }
}

static void buckets_are_an_eighth_wide(void **state)
{
    (void)state;
    for (uint32_t b = 16; b < HIST_BUCKETS; b++) {
        uint64_t start = hist_bucket_start(b);
        assert_true((hist_bucket_start(b + 1) - start) * 8 <= start);
    }
}

static void quantiles_of_a_ramp(void **state)
{
    (void)state;
    struct hist h = {0};
    for (uint32_t v = 1; v <= 10000; v++) {
        hist_add(&h, v);
    }
    static const struct {
        uint32_t permille, value;
    } rows[] = {{1, 10}, {100, 1000}, {500, 5000}, {990, 9900}, {1000, 10000}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t q = hist_quantile(&h, rows[i].permille);
        if (q < rows[i].value || q > rows[i].value + rows[i].value / 7) {
            fail_msg("permille %u: %u, expected about %u", rows[i].permille, q, rows[i].value);
        }
    }
    assert_int_equal(h.count, 10000);
    assert_int_equal(h.sum_us, 10000 * 10001 / 2);
}

static void quantile_of_few_values(void **state)
{
    (void)state;
    struct hist h = {0};
    assert_int_equal(hist_quantile(&h, 500), 0);
    hist_add(&h, 7);
    assert_int_equal(hist_quantile(&h, 1), 7);
    assert_int_equal(hist_quantile(&h, 500), 7);
    assert_int_equal(hist_quantile(&h, 1000), 7);
    hist_add(&h, 9);
    assert_int_equal(hist_quantile(&h, 500), 7);
    assert_int_equal(hist_quantile(&h, 501), 9);
}

static void counts_below_powers_of_two_exactly(void **state)
{
    (void)state;
    struct hist h = {0};
    for (uint32_t v = 0; v < 5000; v++) {
        hist_add(&h, v);
    }
    hist_add(&h, UINT32_MAX);
    for (uint32_t limit = 1; limit <= 4096; limit *= 2) {
        assert_int_equal(hist_count_below(&h, limit), limit);
    }
    assert_int_equal(hist_count_below(&h, UINT64_C(1) << 31), 5000);
    assert_int_equal(hist_count_below(&h, UINT64_C(1) << 32), 5001);
}

static void merge_adds(void **state)
{
    (void)state;
    struct hist a = {0}, b = {0};
    hist_add(&a, 5);
    hist_add(&b, 5);
    hist_add(&b, 1000);
    hist_merge(&a, &b);
    assert_int_equal(a.count, 3);
    assert_int_equal(a.sum_us, 1010);
    assert_int_equal(a.bucket[5], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_tile_all_values),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(buckets_are_an_eighth_wide),
        cmocka_unit_test(quantiles_of_a_ramp),
        cmocka_unit_test(quantile_of_few_values),
        cmocka_unit_test(counts_below_powers_of_two_exactly),
        cmocka_unit_test(merge_adds),
    };
    return UNIT_RUN(tests);
}
