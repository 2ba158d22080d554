/*
 * Error texts, bounded text, and the small printf held against the C library's.
 */
#include <limits.h>
#include <stdio.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "unit.h"

static void each_error_has_its_own_text(void **state)
{
    (void)state;
    for (int a = 0; a < ERR_COUNT; a++) {
        assert_non_null(err_text((enum err)a));
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(err_text((enum err)a), err_text((enum err)b));
        }
    }
    assert_non_null(err_text(ERR_COUNT));
}

static void full_text_is_cut_and_remembered(void **state)
{
    (void)state;
    char storage[5];
    struct strbuf s;
    strbuf_init(&s, storage, sizeof storage);
    strbuf_str(&s, "abcd");
    assert_false(s.truncated);
    assert_string_equal(storage, "abcd");
    strbuf_char(&s, 'e');
    assert_true(s.truncated);
    assert_string_equal(storage, "abcd");
    assert_int_equal(s.len, 4);
    strbuf_clear(&s);
    strbuf_str(&s, "abcdefgh");
    assert_true(s.truncated);
    assert_string_equal(storage, "abcd");
}

static void nothing_follows_a_cut(void **state)
{
    (void)state;
    char storage[8];
    struct strbuf s;
    strbuf_init(&s, storage, sizeof storage);
    strbuf_str(&s, "12345");
    strbuf_str(&s, "longer");
    strbuf_clear(&s);
    strbuf_str(&s, "1234567");
    strbuf_str(&s, "89");
    strbuf_str(&s, "");
    assert_string_equal(storage, "1234567");
}

static void a_single_octet_holds_the_empty_text(void **state)
{
    (void)state;
    char storage[1] = {'x'};
    struct strbuf s;
    strbuf_init(&s, storage, sizeof storage);
    strbuf_char(&s, 'a');
    assert_int_equal(storage[0], '\0');
    assert_true(s.truncated);
}

static void integers_at_their_limits(void **state)
{
    (void)state;
    char storage[64];
    struct strbuf s;
    strbuf_init(&s, storage, sizeof storage);
    strbuf_u64(&s, UINT64_MAX);
    strbuf_char(&s, ' ');
    strbuf_i64(&s, INT64_MIN);
    strbuf_char(&s, ' ');
    strbuf_i64(&s, 0);
    assert_string_equal(storage, "18446744073709551615 -9223372036854775808 0");
}

static void foreign_octets_are_escaped(void **state)
{
    (void)state;
    char storage[64];
    struct strbuf s;
    strbuf_init(&s, storage, sizeof storage);
    strbuf_escaped(&s, span_of("a\n\x1b\\\x7f\xff~ \0", 9));
    assert_string_equal(storage, "a\\x0a\\x1b\\x5c\\x7f\\xff~ \\x00");
}

/* The same arguments to both; the C library is the oracle. */
#define SAME(...)                                             \
    do {                                                      \
        char ours_[128], theirs_[128];                        \
        struct strbuf s_;                                     \
        strbuf_init(&s_, ours_, sizeof ours_);                \
        strbuf_printf(&s_, __VA_ARGS__);                      \
        (void)snprintf(theirs_, sizeof theirs_, __VA_ARGS__); \
        assert_string_equal(ours_, theirs_);                  \
    } while (0)

static void printf_agrees_with_the_c_library(void **state)
{
    (void)state;
    SAME("plain");
    SAME("%s|%5s|%-5s|%.2s|%.*s", "abc", "abc", "abc", "abc", 1, "xyz");
    SAME("%c%c %3c|%-3c|", 'a', 'b', 'c', 'd');
    SAME("%d %i %u %x %X", INT_MIN, INT_MAX, UINT_MAX, 0xdeadbeefU, 0xdeadbeefU);
    SAME("%ld %lu %lx", LONG_MIN, ULONG_MAX, ULONG_MAX);
    SAME("%lld %llu %llX", LLONG_MIN, ULLONG_MAX, ULLONG_MAX);
    SAME("%zu %zx", SIZE_MAX, SIZE_MAX);
    SAME("%5d|%-5d|%05d|%05d|%*d|%02x|%2u", 42, 42, 42, -42, 6, 7, 5U, 123U);
    SAME("100%% %s", "done");
    SAME("%30d|%030d|%-30d|", 1, -1, 1);
}

static void printf_does_not_read_past_a_precision(void **state)
{
    (void)state;
    const char unterminated[3] = {'a', 'b', 'c'};
    char storage[8];
    struct strbuf s;
    strbuf_init(&s, storage, sizeof storage);
    strbuf_printf(&s, "%.*s", 3, unterminated);
    assert_string_equal(storage, "abc");
}

static void printf_stops_at_what_it_does_not_know(void **state)
{
    (void)state;
    char storage[64];
    struct strbuf s;
    strbuf_init(&s, storage, sizeof storage);
    strbuf_printf(&s, "%u %f %s", 7U, 1.5, "text");
    assert_string_equal(storage, "7 %f %s");
}

static void printf_cuts_wide_fields(void **state)
{
    (void)state;
    char storage[8];
    struct strbuf s;
    strbuf_init(&s, storage, sizeof storage);
    strbuf_printf(&s, "%9999d|", 1);
    assert_string_equal(storage, "       ");
    assert_true(s.truncated);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_error_has_its_own_text),
        cmocka_unit_test(full_text_is_cut_and_remembered),
        cmocka_unit_test(nothing_follows_a_cut),
        cmocka_unit_test(a_single_octet_holds_the_empty_text),
        cmocka_unit_test(integers_at_their_limits),
        cmocka_unit_test(foreign_octets_are_escaped),
        cmocka_unit_test(printf_agrees_with_the_c_library),
        cmocka_unit_test(printf_does_not_read_past_a_precision),
        cmocka_unit_test(printf_stops_at_what_it_does_not_know),
        cmocka_unit_test(printf_cuts_wide_fields),
    };
    return UNIT_RUN(tests);
}
