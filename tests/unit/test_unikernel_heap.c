/* The bare-metal heap against a plain model: contents stay, blocks do not overlap, everything comes
 * back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../unikernel/lib/heap.c"

enum { ARENA = 1 << 20, SLOTS = 512, ROUNDS = 40000 };

static uint8_t *arena;

static int setup(void **state)
{
    (void)state;
    arena = malloc(ARENA);
    heap_init();
    heap_add(arena, ARENA);
    return arena ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    free(arena);
    return 0;
}

static uint32_t next_random(uint32_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    return *x;
}

static struct heap_gauges gauges(void)
{
    struct heap_gauges g;
    heap_get_gauges(&g);
    return g;
}

static void blocks_are_aligned_and_large_enough(void **state)
{
    (void)state;
    for (size_t size = 0; size < 5000; size += 7) {
        uint8_t *p = heap_alloc(size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        assert_true(heap_block_size(p) >= size);
        memset(p, 0xa5, heap_block_size(p));
        heap_free(p);
    }
    assert_int_equal(gauges().used, 0);
    assert_int_equal(gauges().blocks, 0);
}

static void random_use_keeps_contents_and_leaks_nothing(void **state)
{
    (void)state;
    static struct {
        uint8_t *p;
        size_t size;
        uint8_t fill;
    } slot[SLOTS];
    uint32_t x = 2463534242U;
    memset(slot, 0, sizeof slot);
    for (int round = 0; round < ROUNDS; round++) {
        size_t i = next_random(&x) % SLOTS;
        for (size_t k = 0; k < slot[i].size; k++) {
            assert_int_equal(slot[i].p[k], slot[i].fill);
        }
        size_t size = next_random(&x) % (next_random(&x) % 8 == 0 ? 20000 : 300);
        if (slot[i].p && next_random(&x) % 3 == 0) {
            size_t keep = size < slot[i].size ? size : slot[i].size;
            uint8_t *p = heap_resize(slot[i].p, size);
            if (!p) {
                continue;
            }
            for (size_t k = 0; k < keep; k++) {
                assert_int_equal(p[k], slot[i].fill);
            }
            slot[i].p = p;
        } else {
            heap_free(slot[i].p);
            slot[i].p = heap_alloc(size);
            if (!slot[i].p) {
                size = 0;
            }
        }
        slot[i].size = size;
        slot[i].fill = (uint8_t)next_random(&x);
        memset(slot[i].p ? slot[i].p : (uint8_t *)&size, slot[i].fill, slot[i].p ? size : 0);
    }
    assert_true(gauges().peak > ARENA / 2);
    for (size_t i = 0; i < SLOTS; i++) {
        heap_free(slot[i].p);
    }
    assert_int_equal(gauges().used, 0);
    assert_int_equal(gauges().blocks, 0);
    /* All joined again: one block of nearly the whole arena is there. */
    void *all = heap_alloc(ARENA - ARENA / 8);
    assert_non_null(all);
    heap_free(all);
}

static void refuses_what_does_not_fit(void **state)
{
    (void)state;
    assert_null(heap_alloc(ARENA));
    assert_null(heap_alloc(SIZE_MAX));
    void *p = heap_alloc(100);
    assert_null(heap_resize(p, SIZE_MAX - 4));
    heap_free(p);
    assert_int_equal(gauges().failed, 3);
}

/* What the firmware put into the middle of memory leaves two pieces: both are used, and they never
 * join over what lies between. */
static void two_pieces_are_one_heap(void **state)
{
    (void)state;
    enum { HOLE = ARENA / 2, HOLE_LEN = 4096 };
    memset(arena + HOLE, 0x5a, HOLE_LEN);
    heap_init();
    heap_add(arena, HOLE);
    heap_add(arena + HOLE + HOLE_LEN, ARENA - HOLE - HOLE_LEN);
    heap_add(arena + HOLE, 8); /* too small for anything */
    assert_true(heap_largest() < HOLE && heap_largest() > HOLE / 2);
    uint8_t *a = heap_alloc(HOLE - HOLE / 8), *b = heap_alloc(HOLE - HOLE / 8);
    assert_non_null(a);
    assert_non_null(b);
    memset(a, 1, HOLE - HOLE / 8);
    memset(b, 2, HOLE - HOLE / 8);
    for (size_t i = 0; i < HOLE_LEN; i++) {
        assert_int_equal(arena[HOLE + i], 0x5a);
    }
    heap_free(a);
    heap_free(b);
    assert_int_equal(gauges().used, 0);
    assert_null(heap_alloc(HOLE + HOLE / 2));
    void *largest = heap_alloc(heap_largest());
    assert_non_null(largest);
    heap_free(largest);
}

static int broken_count;
static jmp_buf broken_return;

static void on_broken(const char *file, int line, const char *expr)
{
    (void)file;
    (void)line;
    (void)expr;
    broken_count++;
    longjmp(broken_return, 1);
}

static void notices_a_double_free_and_a_foreign_pointer(void **state)
{
    (void)state;
    require_set_handler(on_broken);
    static int outside;
    void *a = heap_alloc(64), *b = heap_alloc(64);
    broken_count = 0;
    if (setjmp(broken_return) == 0) {
        heap_free(&outside);
    }
    assert_int_equal(broken_count, 1);
    heap_free(a);
    if (setjmp(broken_return) == 0) {
        heap_free(a);
    }
    assert_int_equal(broken_count, 2);
    heap_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(blocks_are_aligned_and_large_enough, setup, teardown),
        cmocka_unit_test_setup_teardown(random_use_keeps_contents_and_leaks_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(refuses_what_does_not_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(two_pieces_are_one_heap, setup, teardown),
        cmocka_unit_test_setup_teardown(notices_a_double_free_and_a_foreign_pointer, setup,
                                        teardown),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("unikernel_heap", tests, NULL, NULL);
}
