/*
 * Framing: whatever pieces the octets come in, the same messages come out.
 */
#include "octets.h"
#include "resolver/stream.h"
#include "unit.h"

enum { MIN = 12 };

static void waits_for_the_whole_message(void **state)
{
    (void)state;
    uint8_t buf[64] = {0, 20};
    size_t off = 99, len = 99;
    assert_int_equal(stream_next(buf, 0, MIN, &off, &len), STREAM_MORE);
    assert_int_equal(len, 2);
    assert_int_equal(stream_next(buf, 1, MIN, &off, &len), STREAM_MORE);
    assert_int_equal(len, 2);
    for (size_t have = 2; have < 22; have++) {
        assert_int_equal(stream_next(buf, have, MIN, &off, &len), STREAM_MORE);
        assert_int_equal(len, 22);
    }
    assert_int_equal(off, 99);
    assert_int_equal(stream_next(buf, 22, MIN, &off, &len), STREAM_MESSAGE);
    assert_int_equal(off, 2);
    assert_int_equal(len, 20);
}

static void short_and_zero_lengths_end_the_connection(void **state)
{
    (void)state;
    size_t off, len;
    const uint8_t zero[] = {0, 0, 1, 2}, small[] = {0, MIN - 1}, least[] = {0, MIN};
    assert_int_equal(stream_next(zero, sizeof zero, MIN, &off, &len), STREAM_BAD);
    assert_int_equal(stream_next(zero, 2, 0, &off, &len), STREAM_BAD);
    assert_int_equal(stream_next(small, 2, MIN, &off, &len), STREAM_BAD);
    assert_int_equal(stream_next(least, 2, MIN, &off, &len), STREAM_MORE);
}

static void the_longest_message(void **state)
{
    (void)state;
    static uint8_t buf[STREAM_PREFIX + 65535];
    size_t off, len;
    stream_prefix(buf, 65535);
    assert_int_equal(stream_next(buf, sizeof buf - 1, MIN, &off, &len), STREAM_MORE);
    assert_int_equal(len, sizeof buf);
    assert_int_equal(stream_next(buf, sizeof buf, MIN, &off, &len), STREAM_MESSAGE);
    assert_int_equal(len, 65535);
}

/* A stream of messages cut at random places. */
static void any_cut_gives_the_same_messages(void **state)
{
    (void)state;
    static uint8_t wire[20000], buf[20000];
    struct test_random rnd = {7};
    for (unsigned round = 0; round < 200; round++) {
        size_t total = 0, sizes[20], count = 1 + test_random_below(&rnd, 20);
        for (size_t i = 0; i < count; i++) {
            sizes[i] = MIN + test_random_below(&rnd, 500);
            stream_prefix(wire + total, sizes[i]);
            memset(wire + total + 2, (int)i, sizes[i]);
            total += sizes[i] + 2;
        }
        size_t have = 0, fed = 0, next = 0;
        while (next < count) {
            size_t off, len;
            if (stream_next(buf, have, MIN, &off, &len) == STREAM_MESSAGE) {
                assert_int_equal(len, sizes[next]);
                assert_int_equal(buf[off], next);
                assert_int_equal(buf[off + len - 1], next);
                next++;
                have -= off + len;
                memmove(buf, buf + off + len, have);
                continue;
            }
            size_t n = 1 + test_random_below(&rnd, 700);
            n = n < total - fed ? n : total - fed;
            assert_true(n > 0);
            memcpy(buf + have, wire + fed, n);
            have += n;
            fed += n;
        }
        assert_int_equal(have, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_for_the_whole_message),
        cmocka_unit_test(short_and_zero_lengths_end_the_connection),
        cmocka_unit_test(the_longest_message),
        cmocka_unit_test(any_cut_gives_the_same_messages),
    };
    return UNIT_RUN(tests);
}
