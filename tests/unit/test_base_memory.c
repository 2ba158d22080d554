/*
 * Arena, pool, cursors, and the contracts that guard them.
 */
#include "base/arena.h"
#include "base/cursor.h"
#include "base/pool.h"
#include "base/require.h"
#include "unit.h"

static jmp_buf broken;

static void on_broken(const char *file, int line, const char *expr)
{
    assert_non_null(file);
    assert_true(line > 0);
    assert_non_null(expr);
    longjmp(broken, 1);
}

/* True if the statement breaks a contract. */
#define BREAKS(statement) (setjmp(broken) != 0 ? true : ((void)(statement), false))

static void arena_aligns_zeroes_and_ends(void **state)
{
    (void)state;
    uint8_t block[64];
    memset(block, 0xff, sizeof block);
    struct arena a;
    arena_init(&a, block + 1, 40); /* on purpose not aligned */
    uint64_t *first = ARENA_NEW(&a, uint64_t);
    assert_non_null(first);
    assert_int_equal((uintptr_t)first % _Alignof(uint64_t), 0);
    assert_int_equal(*first, 0);
    uint8_t *rest = arena_alloc(&a, a.cap - a.used, 1);
    assert_non_null(rest);
    assert_null(arena_alloc(&a, 1, 1));
    assert_int_equal(block[0], 0xff);
    assert_int_equal(block[41], 0xff);
    arena_reset(&a);
    assert_non_null(arena_alloc(&a, 40, 1));
}

static void arena_refuses_what_would_overflow(void **state)
{
    (void)state;
    uint8_t block[32];
    struct arena a;
    arena_init(&a, block, sizeof block);
    assert_null(arena_alloc(&a, SIZE_MAX, 16));
    assert_null(arena_strdup(&a, "x", SIZE_MAX));
    assert_null(arena_alloc(&a, 33, 1));
    assert_int_equal(a.used, 0);
}

static void arena_copies_text(void **state)
{
    (void)state;
    char block[6];
    struct arena a;
    arena_init(&a, block, sizeof block);
    assert_string_equal(arena_strdup(&a, "abcdef", 3), "abc");
    assert_null(arena_strdup(&a, "de", 2));
    assert_string_equal(arena_strdup(&a, "", 0), "");
}

static void pool_hands_out_each_slot_once(void **state)
{
    (void)state;
    uint32_t next[5];
    bool seen[5] = {false};
    struct pool p;
    pool_init(&p, next, 5);
    for (int i = 0; i < 5; i++) {
        uint32_t slot = pool_take(&p);
        assert_in_range(slot, 0, 4);
        assert_false(seen[slot]);
        seen[slot] = true;
    }
    assert_int_equal(pool_take(&p), POOL_NONE);
    assert_int_equal(p.failed, 1);
    pool_give(&p, 3);
    assert_int_equal(pool_take(&p), 3);
    for (uint32_t i = 0; i < 5; i++) {
        pool_give(&p, i);
    }
    assert_int_equal(p.used, 0);
    assert_int_equal(p.peak, 5);
}

static void empty_pool_has_nothing(void **state)
{
    (void)state;
    struct pool p;
    pool_init(&p, NULL, 0);
    assert_int_equal(pool_take(&p), POOL_NONE);
}

static void pool_catches_a_slot_given_twice(void **state)
{
    (void)state;
    uint32_t next[2];
    struct pool p;
    pool_init(&p, next, 2);
    uint32_t slot = pool_take(&p);
    pool_give(&p, slot);
    assert_true(BREAKS(pool_give(&p, slot)));
    assert_true(BREAKS(pool_give(&p, 1))); /* never taken */
    assert_true(BREAKS(pool_give(&p, 2))); /* not there */
    assert_int_equal(p.used, 0);
}

static void reader_stays_bad_after_an_overrun(void **state)
{
    (void)state;
    const uint8_t data[] = {1, 2, 3, 4, 5};
    struct reader r = reader_of(data, sizeof data);
    assert_int_equal(reader_be16(&r), 0x0102);
    assert_int_equal(reader_be32(&r), 0);
    assert_true(r.bad);
    assert_int_equal(reader_u8(&r), 0);
    assert_int_equal(r.pos, 2);
}

static void writer_stays_bad_after_an_overrun(void **state)
{
    (void)state;
    uint8_t data[4] = {9, 9, 9, 9};
    struct writer w = writer_of(data, 3);
    writer_be16(&w, 0x0102);
    writer_be32(&w, 0);
    writer_u8(&w, 3);
    assert_true(w.bad);
    assert_int_equal(w.len, 2);
    assert_memory_equal(data, ((uint8_t[]){1, 2, 9, 9}), 4);
}

static void integers_keep_their_byte_order(void **state)
{
    (void)state;
    uint8_t b[8];
    be32_write(b, 0x01020304);
    assert_memory_equal(b, ((uint8_t[]){1, 2, 3, 4}), 4);
    assert_int_equal(be32_read(b), 0x01020304);
    le64_write(b, UINT64_C(0x0102030405060708));
    assert_memory_equal(b, ((uint8_t[]){8, 7, 6, 5, 4, 3, 2, 1}), 8);
    assert_true(le64_read(b) == UINT64_C(0x0102030405060708));
    be16_write(b, 0xfffe);
    assert_int_equal(be16_read(b), 0xfffe);
}

int main(void)
{
    require_set_handler(on_broken);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_aligns_zeroes_and_ends),
        cmocka_unit_test(arena_refuses_what_would_overflow),
        cmocka_unit_test(arena_copies_text),
        cmocka_unit_test(pool_hands_out_each_slot_once),
        cmocka_unit_test(empty_pool_has_nothing),
        cmocka_unit_test(pool_catches_a_slot_given_twice),
        cmocka_unit_test(reader_stays_bad_after_an_overrun),
        cmocka_unit_test(writer_stays_bad_after_an_overrun),
        cmocka_unit_test(integers_keep_their_byte_order),
    };
    return UNIT_RUN(tests);
}
