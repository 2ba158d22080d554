/* Space-Saving by the hour: exact while there is room, bounded error beyond, and the window ends.
 */
#include "stats/topk.h"

#include <stdlib.h>

#include "octets.h"
#include "unit.h"

enum { ENTRIES = 64, KEY_MAX = 16 };

struct fixture {
    struct topk top;
    void *mem;
};

static int open_top(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct arena a;
    size_t size = topk_memory(ENTRIES, KEY_MAX);
    f->mem = malloc(size);
    arena_init(&a, f->mem, size);
    assert_true(topk_init(&f->top, &a, ENTRIES, KEY_MAX));
    *state = f;
    return 0;
}

static int close_top(void **state)
{
    struct fixture *f = *state;
    free(f->mem);
    free(f);
    return 0;
}

/* A poor hash on purpose: keys collide in the index. */
static uint64_t hash_of(uint32_t key)
{
    return (uint64_t)(key % 7) << 32 | key % 5;
}

static void add(struct topk *t, uint32_t key, uint32_t times)
{
    while (times-- > 0) {
        topk_add(t, hash_of(key), (const uint8_t *)&key, sizeof key);
    }
}

static uint32_t key_of(const struct topk_row *row)
{
    uint32_t key = 0;
    assert_int_equal(row->key_len, sizeof key);
    memcpy(&key, row->key, sizeof key);
    return key;
}

static uint64_t count_of(const struct topk *t, uint32_t key)
{
    struct topk_row rows[ENTRIES];
    uint32_t n = topk_read(t, rows, ENTRIES);
    for (uint32_t i = 0; i < n; i++) {
        if (key_of(&rows[i]) == key) {
            return rows[i].count;
        }
    }
    return 0;
}

static void counts_exactly_while_there_is_room(void **state)
{
    struct topk *t = &((struct fixture *)*state)->top;
    for (uint32_t key = 1; key <= ENTRIES; key++) {
        add(t, key, key);
    }
    struct topk_row rows[ENTRIES];
    assert_int_equal(topk_read(t, rows, ENTRIES), ENTRIES);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        assert_int_equal(key_of(&rows[i]), ENTRIES - i);
        assert_int_equal(rows[i].count, ENTRIES - i);
        assert_int_equal(rows[i].err, 0);
    }
}

static void reads_only_as_many_as_asked(void **state)
{
    struct topk *t = &((struct fixture *)*state)->top;
    struct topk_row rows[3];
    assert_int_equal(topk_read(t, rows, 3), 0);
    add(t, 1, 5);
    add(t, 2, 9);
    assert_int_equal(topk_read(t, rows, 3), 2);
    add(t, 3, 7);
    add(t, 4, 6);
    assert_int_equal(topk_read(t, rows, 0), 0);
    assert_int_equal(topk_read(t, rows, 3), 3);
    assert_int_equal(key_of(&rows[0]), 2);
    assert_int_equal(key_of(&rows[1]), 3);
    assert_int_equal(key_of(&rows[2]), 4);
}

/* The promise of the algorithm, on a skewed random stream. */
static void true_counts_lie_within_the_error(void **state)
{
    struct topk *t = &((struct fixture *)*state)->top;
    enum { KEYS = 1000, EVENTS = 50000 };
    static uint32_t truth[KEYS];
    struct test_random random = {.state = 1};
    memset(truth, 0, sizeof truth);
    for (int i = 0; i < EVENTS; i++) {
        uint32_t key = test_random_below(&random, test_random_below(&random, KEYS) + 1);
        truth[key]++;
        add(t, key, 1);
    }
    struct topk_row rows[ENTRIES];
    uint32_t n = topk_read(t, rows, ENTRIES);
    bool seen[KEYS] = {false};
    assert_int_equal(n, ENTRIES);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t key = key_of(&rows[i]);
        assert_true(rows[i].count <= truth[key]);
        assert_true(rows[i].count + rows[i].err >= truth[key]);
        seen[key] = true;
    }
    for (uint32_t key = 0; key < KEYS; key++) {
        if (truth[key] > EVENTS / ENTRIES && !seen[key]) {
            fail_msg("key %u with %u of %d events is missing", key, truth[key], EVENTS);
        }
    }
}

/* Many keys that are seen once each, as in a flood: those with a place keep it. */
static void keys_seen_once_do_not_push_others_out(void **state)
{
    struct topk *t = &((struct fixture *)*state)->top;
    for (uint32_t key = 0; key < ENTRIES; key++) {
        add(t, key, 3);
    }
    for (uint32_t key = 1000; key < 1000 + t->cells; key++) {
        uint64_t spread = key * UINT64_C(0x9e3779b97f4a7c15);
        topk_add(t, spread, (const uint8_t *)&key, sizeof key);
    }
    struct topk_row rows[ENTRIES];
    uint32_t kept = 0;
    assert_int_equal(topk_read(t, rows, ENTRIES), ENTRIES);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        kept += key_of(&rows[i]) < ENTRIES;
    }
    assert_true(kept > ENTRIES / 2);
}

/* What was counted in a cell a day and a half ago does not weigh any more. */
static void cells_are_forgotten(void **state)
{
    struct topk *t = &((struct fixture *)*state)->top;
    for (uint32_t key = 0; key < ENTRIES; key++) {
        add(t, key, 100);
    }
    add(t, 1000, 90);
    topk_next_hour(t, 48);
    add(t, 1000, 1);
    struct topk_row row;
    assert_int_equal(topk_read(t, &row, 1), 1);
    assert_int_equal(row.count, 1);
    assert_int_equal(row.err, 0);
}

static void window_is_24_hours(void **state)
{
    struct topk *t = &((struct fixture *)*state)->top;
    add(t, 1, 10);
    topk_next_hour(t, 1);
    add(t, 1, 5);
    assert_int_equal(count_of(t, 1), 15);
    topk_next_hour(t, 22);
    assert_int_equal(count_of(t, 1), 15);
    topk_next_hour(t, 1);
    assert_int_equal(count_of(t, 1), 5);
    topk_next_hour(t, 1);
    assert_int_equal(count_of(t, 1), 0);
    assert_int_equal(t->count, 0);
}

static void long_silence_empties_everything(void **state)
{
    struct topk *t = &((struct fixture *)*state)->top;
    for (uint32_t key = 0; key < 3 * ENTRIES; key++) {
        add(t, key, 2);
    }
    topk_next_hour(t, 1000000);
    assert_int_equal(t->count, 0);
    add(t, 7, 3);
    assert_int_equal(count_of(t, 7), 3);
}

static void inherited_error_ends_with_the_window(void **state)
{
    struct topk *t = &((struct fixture *)*state)->top;
    for (uint32_t key = 0; key < ENTRIES; key++) {
        add(t, key, 4);
    }
    add(t, 1000, 10);
    struct topk_row row;
    assert_int_equal(topk_read(t, &row, 1), 1);
    assert_int_equal(key_of(&row), 1000);
    assert_int_equal(row.count, 6); /* four were counted before it was more than the others */
    assert_int_equal(row.err, 4);
    topk_next_hour(t, 23);
    add(t, 1000, 1);
    topk_next_hour(t, 1);
    assert_int_equal(topk_read(t, &row, 1), 1);
    assert_int_equal(row.count, 1);
    assert_int_equal(row.err, 0);
}

static void survives_many_hours_of_replacing(void **state)
{
    struct topk *t = &((struct fixture *)*state)->top;
    struct test_random random = {.state = 2};
    for (int hour = 0; hour < 100; hour++) {
        for (int i = 0; i < 500; i++) {
            add(t, test_random_below(&random, 300), 1);
        }
        topk_next_hour(t, test_random_below(&random, 4));
        /* The heap's order and back pointers hold. */
        for (uint32_t i = 0; i < t->count; i++) {
            const struct topk_item *item = &t->heap[i];
            const struct topk_entry *e = &t->entry[item->entry];
            assert_int_equal(e->heap_pos, i);
            assert_int_equal(item->estimate, e->total + e->err);
            assert_true(t->heap[i > 0 ? (i - 1) / 2 : 0].estimate <= item->estimate);
        }
    }
}

static void saved_hours_come_back(void **state)
{
    struct topk *t = &((struct fixture *)*state)->top;
    uint32_t key = 5, hours[TOPK_HOURS];
    struct topk_row row;
    add(t, key, 3);
    topk_next_hour(t, 2);
    add(t, key, 4);
    assert_int_equal(topk_read(t, &row, 1), 1);
    topk_hours(t, &row, hours);
    assert_int_equal(hours[TOPK_HOURS - 1], 4);
    assert_int_equal(hours[TOPK_HOURS - 3], 3);
    topk_next_hour(t, 100);
    topk_restore(t, hash_of(key), (const uint8_t *)&key, sizeof key, hours);
    assert_int_equal(count_of(t, key), 7);
    topk_next_hour(t, 22);
    assert_int_equal(count_of(t, key), 4);
    hours[0] = UINT32_MAX;
    topk_restore(t, hash_of(key), (const uint8_t *)&key, sizeof key, hours);
    topk_restore(t, hash_of(key), (const uint8_t *)&key, sizeof key, hours);
    assert_true(count_of(t, key) <= (uint64_t)UINT32_MAX + 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_top, close_top)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(counts_exactly_while_there_is_room),
        TEST(reads_only_as_many_as_asked),
        TEST(true_counts_lie_within_the_error),
        TEST(keys_seen_once_do_not_push_others_out),
        TEST(cells_are_forgotten),
        TEST(window_is_24_hours),
        TEST(long_silence_empties_everything),
        TEST(inherited_error_ends_with_the_window),
        TEST(survives_many_hours_of_replacing),
        TEST(saved_hours_come_back),
    };
    return UNIT_RUN(tests);
}
