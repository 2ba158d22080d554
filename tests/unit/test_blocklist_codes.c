/*
 * The label code: every run of labels has its own octets, and a match means that octet by octet.
 */
#include "blocklist/codes.h"
#include "lists_fixture.h"
#include "octets.h"
#include "unit.h"

static const char characters[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";

enum { ROOM = DNS_NAME_MAX + 16 };

/* Codes of a path with '.' between labels. */
static size_t codes_of(const char *path, uint8_t out[ROOM])
{
    uint8_t octets[ROOM] = {0};
    size_t n = strlen(path);
    for (size_t i = 0; i < n; i++) {
        octets[i] = path[i] == '.' ? 0 : (uint8_t)path[i];
    }
    return bl_code_run(octets, n, out, DNS_NAME_MAX);
}

static void random_path(struct test_random *r, char *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = characters[test_random_below(r, 38)];
        if (i > 0 && i + 1 < n && out[i - 1] != '.' && test_random_below(r, 8) == 0) {
            out[i] = '.';
        }
    }
    out[n] = '\0';
}

static void two_octets_hold_three_characters(void **state)
{
    (void)state;
    static const size_t size[] = {0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8, 8, 9};
    for (size_t n = 0; n < sizeof size / sizeof size[0]; n++) {
        assert_int_equal(bl_code_size(n), size[n]);
    }
}

static void every_path_comes_back(void **state)
{
    (void)state;
    struct test_random r = {1};
    for (unsigned i = 0; i < 20000; i++) {
        char path[ROOM];
        uint8_t codes[ROOM], back[ROOM];
        size_t n = 1 + test_random_below(&r, i % 10 ? 40 : 250);
        random_path(&r, path, n);
        size_t len = codes_of(path, codes);
        assert_int_equal(len, bl_code_size(n));
        assert_int_equal(bl_decode_run(codes, len, back, sizeof back), n);
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(back[k], path[k] == '.' ? 0 : path[k]);
        }
        assert_int_equal(bl_decode_run(codes, len, back, n - 1), 0);
    }
}

/* All labels of one, two and three characters have codes of their own. */
static void short_labels_are_told_apart(void **state)
{
    (void)state;
    static uint8_t seen[3][65536];
    memset(seen, 0, sizeof seen);
    for (unsigned n = 1; n <= 3; n++) {
        unsigned all = n == 1 ? 38 : n == 2 ? 38 * 38 : 38 * 38 * 38;
        for (unsigned i = 0; i < all; i++) {
            char path[4] = {characters[i % 38], n > 1 ? characters[i / 38 % 38] : '\0',
                            n > 2 ? characters[i / 38 / 38] : '\0'};
            uint8_t codes[ROOM] = {0};
            size_t len = codes_of(path, codes);
            assert_int_equal(len, bl_code_size(n));
            unsigned value = codes[0] | (unsigned)(len > 1 ? codes[1] : 0) << 8;
            assert_int_equal(seen[len][value], 0);
            seen[len][value] = 1;
        }
    }
}

/* The name's labels from `label` down, nearest the root first, as a path. */
static void path_of(const struct dns_name *name, unsigned from, unsigned to, char *out)
{
    for (unsigned i = from;; i--) {
        const uint8_t *label = name->wire + name->off[i];
        memcpy(out, label + 1, label[0]);
        out += label[0];
        if (i == to) {
            break;
        }
        *out++ = '.';
    }
    *out = '\0';
}

static void matches_exactly_its_own_labels(void **state)
{
    (void)state;
    struct test_random r = {3};
    for (unsigned i = 0; i < 30000; i++) {
        char text[ROOM], path[ROOM], other[ROOM];
        uint8_t codes[ROOM] = {0};
        random_path(&r, text, 1 + test_random_below(&r, i % 5 ? 30 : 60));
        struct dns_name name;
        if (dns_name_parse(span_str(text), &name) != ERR_OK) {
            continue; /* an empty or long label */
        }
        unsigned from = test_random_below(&r, name.labels), to = test_random_below(&r, from + 1),
                 label = from;
        path_of(&name, from, to, path);
        size_t len = codes_of(path, codes);
        assert_true(bl_code_match(codes, len, &name, &label));
        assert_int_equal(label, to);
        /* One character changed, added or taken away: no match, and the label stays. */
        strcpy(other, path);
        size_t n = strlen(other), at = test_random_below(&r, (uint32_t)n);
        unsigned how = test_random_below(&r, 3);
        if (how == 0) {
            char c = characters[test_random_below(&r, 38)];
            other[at] = other[at] == c ? '-' == c ? 'a' : '-' : c;
        } else if (how == 1) {
            memmove(other + at + 1, other + at, n - at + 1);
            other[at] = characters[test_random_below(&r, 38)];
        } else if (n > 1) {
            memmove(other + at, other + at + 1, n - at);
        }
        memset(codes, 0, sizeof codes);
        len = codes_of(other, codes);
        label = from;
        unsigned end = from + 1;
        /* Unless the name happens to go on like that. */
        for (unsigned k = from + 1; k-- > 0;) {
            path_of(&name, from, k, path);
            if (strcmp(path, other) == 0) {
                end = k;
            }
        }
        bool match = bl_code_match(codes, len, &name, &label);
        assert_int_equal(match, end <= from);
        assert_int_equal(label, match ? end : from);
    }
}

static void octets_without_a_digit_have_no_code(void **state)
{
    (void)state;
    uint8_t codes[ROOM];
    for (unsigned c = 0; c < 256; c++) {
        uint8_t path[16] = {'a', (uint8_t)c, 'b'};
        bool fine = c == 0 || strchr(characters, (int)c);
        assert_int_equal(bl_code_run(path, 3, codes, 8) != 0, fine);
        /* In a label of a name no octet passes for an end, a joint or another octet. */
        struct dns_name name = fixture_name("axb.example");
        name.wire[2] = (uint8_t)c;
        unsigned label = 0;
        static const char *const like[] = {"ab", "a.b", "a", "aab", "a-b"};
        for (size_t i = 0; i < sizeof like / sizeof like[0]; i++) {
            uint8_t theirs[ROOM] = {0};
            size_t len = codes_of(like[i], theirs);
            bool same = strlen(like[i]) == 3 && like[i][1] == (char)c && c != '.';
            assert_int_equal(bl_code_match(theirs, len, &name, &label), same);
        }
    }
    uint8_t path[16] = "abcdef";
    assert_int_equal(bl_code_run(path, 6, codes, 3), 0);
    assert_int_equal(bl_code_run(path, 6, codes, 4), 4);
}

static void broken_codes_do_not_decode(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        uint8_t codes[4];
        size_t len;
    } rows[] = {
        {"a unit beyond the last digit", {0xff, 0xff}, 2},
        {"an end in the middle of a unit", {41, 0, 41, 6}, 4},
        {"an end before another unit", {0x29, 0x00, 0x6a, 0x06}, 4},
        {"an octet beyond the last digit", {40}, 1},
        {"nothing but an end", {0}, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t path[16];
        if (bl_decode_run(rows[i].codes, rows[i].len, path, sizeof path) != 0) {
            fail_msg("%s", rows[i].why);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_octets_hold_three_characters),
        cmocka_unit_test(every_path_comes_back),
        cmocka_unit_test(short_labels_are_told_apart),
        cmocka_unit_test(matches_exactly_its_own_labels),
        cmocka_unit_test(octets_without_a_digit_have_no_code),
        cmocka_unit_test(broken_codes_do_not_decode),
    };
    return UNIT_RUN(tests);
}
