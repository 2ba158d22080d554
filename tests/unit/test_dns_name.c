/*
 * Names on the wire, as text, and against each other.
 */
#include "dns/name.h"
#include "dns/name_scan.h"
#include "octets.h"
#include "unit.h"

enum { AT = 12 }; /* names stand after a header */

static struct dns_name name_of(const char *text)
{
    struct dns_name n;
    if (dns_name_parse(span_str(text), &n) != ERR_OK) {
        fail_msg("not a name: %s", text);
    }
    return n;
}

static const char *text_of(const struct dns_name *n)
{
    static char text[DNS_NAME_TEXT];
    size_t len = dns_name_format(n, text);
    assert_int_equal(len, strlen(text));
    return text;
}

/* A message of twelve zero octets and the given ones. */
static size_t message(const char *hex, uint8_t *msg, size_t cap)
{
    memset(msg, 0, AT);
    return AT + octets_of_hex(hex, msg + AT, cap - AT);
}

struct row {
    const char *why;
    const char *hex; /* from offset 12 */
    size_t pos;
    enum err e;
    const char *text;
    size_t after;
};

static const struct row rows[] = {
    {"the root", "00", 12, ERR_OK, ".", 13},
    {"plain", "03616473 076578616d706c65 00", 12, ERR_OK, "ads.example", 25},
    {"capitals are lowered", "03414453 0745584d41504c45 00", 12, ERR_OK, "ads.exmaple", 25},
    {"a pointer to the whole", "016100 c00c", 15, ERR_OK, "a", 17},
    {"a pointer to a suffix", "01610162 00 0163 c00e", 17, ERR_OK, "c.b", 21},
    {"a pointer to a pointer", "016100 c00c c00f", 17, ERR_OK, "a", 19},
    {"a pointer to the root", "00 0161c00c", 13, ERR_OK, "a", 17},
    {"NUL and dot inside a label", "03002e5c 00", 12, ERR_OK, "\\000\\.\\\\", 17},
    {"high octets stay", "02ffc3 00", 12, ERR_OK, "\\255\\195", 16},
    {"what zone files use is escaped", "072228293b402420 00", 12, ERR_OK,
     "\\\"\\(\\)\\;\\@\\$\\032", 21},
    {"no octet at all", "", 12, ERR_SHORT, NULL, 0},
    {"no root", "0161", 12, ERR_SHORT, NULL, 0},
    {"label runs out", "0461", 12, ERR_SHORT, NULL, 0},
    {"half a pointer", "c0", 12, ERR_SHORT, NULL, 0},
    {"pointer to itself", "c00c", 12, ERR_FORMAT, NULL, 0},
    {"pointer forward", "c00e 00", 12, ERR_FORMAT, NULL, 0},
    {"pointer beyond the end", "c3ff", 12, ERR_FORMAT, NULL, 0},
    {"pointer into the header", "c000", 12, ERR_FORMAT, NULL, 0},
    {"pointer to the last octet of the header", "c00b", 12, ERR_FORMAT, NULL, 0},
    {"loop through a label", "0161 c00c", 12, ERR_FORMAT, NULL, 0},
    {"loop of two pointers", "c00e c00c", 14, ERR_FORMAT, NULL, 0},
    {"pointer into the own labels", "020161 c00d", 12, ERR_FORMAT, NULL, 0},
    {"reserved label type 01", "4161 00", 12, ERR_FORMAT, NULL, 0},
    {"reserved label type 10", "8161 00", 12, ERR_FORMAT, NULL, 0},
    {"reserved label type behind a pointer", "4161 00 c00c", 15, ERR_FORMAT, NULL, 0},
};

static void reads_names_and_refuses_bad_ones(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        uint8_t msg[64];
        size_t len = message(row->hex, msg, sizeof msg);
        struct dns_name n;
        memset(&n, 0xa5, sizeof n);
        size_t pos = row->pos;
        enum err e = dns_name_read(msg, len, &pos, &n);
        if (e != row->e) {
            fail_msg("%s: %s", row->why, err_text(e));
        }
        if (e == ERR_OK) {
            assert_string_equal(text_of(&n), row->text);
            assert_int_equal(pos, row->after);
            size_t skipped = row->pos;
            assert_int_equal(dns_name_skip(msg, len, &skipped), ERR_OK);
            assert_int_equal(skipped, row->after);
            assert_true(dns_name_matches(msg, len, row->pos, &n));
        } else {
            const uint8_t *octets = (const uint8_t *)&n;
            for (size_t j = 0; j < sizeof n; j++) {
                assert_int_equal(octets[j], 0xa5); /* nothing was written */
            }
            assert_int_equal(pos, row->pos);
        }
    }
}

/* A label of n octets at p; returns the place after it. */
static uint8_t *label(uint8_t *p, unsigned n)
{
    *p++ = (uint8_t)n;
    memset(p, 'x', n);
    return p + n;
}

static void label_of_63_is_the_longest(void **state)
{
    (void)state;
    uint8_t msg[128] = {0};
    size_t pos = AT;
    struct dns_name n;
    *label(msg + AT, 63) = 0;
    assert_int_equal(dns_name_read(msg, AT + 65, &pos, &n), ERR_OK);
    assert_int_equal(n.len, 65);
    pos = AT;
    *label(msg + AT, 64) = 0;
    assert_int_equal(dns_name_read(msg, AT + 66, &pos, &n), ERR_FORMAT);
    assert_int_equal(dns_name_skip(msg, AT + 66, &pos), ERR_FORMAT);
}

static void name_of_255_is_the_longest(void **state)
{
    (void)state;
    uint8_t msg[512] = {0};
    struct dns_name n;
    for (unsigned last = 61; last <= 62; last++) {
        uint8_t *p = label(label(label(label(msg + AT, 63), 63), 63), last);
        *p++ = 0;
        size_t len = (size_t)(p - msg), pos = AT, skip = AT;
        enum err want = last == 61 ? ERR_OK : ERR_FORMAT;
        assert_int_equal(dns_name_read(msg, len, &pos, &n), want);
        assert_int_equal(dns_name_skip(msg, len, &skip), want);
        assert_int_equal(dns_name_from_wire(msg + AT, len - AT, &n), want);
    }
    assert_int_equal(n.len, 255);
}

static void length_counts_through_pointers(void **state)
{
    (void)state;
    uint8_t msg[512] = {0};
    uint8_t *p = label(label(label(msg + AT, 63), 63), 63);
    *p++ = 0; /* 193 octets */
    for (unsigned first = 61; first <= 62; first++) {
        size_t pos = (size_t)(p - msg);
        uint8_t *q = label(p, first);
        be16_write(q, 0xc000 | AT);
        struct dns_name n;
        assert_int_equal(dns_name_read(msg, (size_t)(q + 2 - msg), &pos, &n),
                         first == 61 ? ERR_OK : ERR_FORMAT);
    }
}

static void has_127_labels_at_most(void **state)
{
    (void)state;
    uint8_t msg[512] = {0};
    uint8_t *p = msg + AT;
    for (int i = 0; i < 127; i++) {
        p = label(p, 1);
    }
    *p++ = 0;
    size_t pos = AT;
    struct dns_name n;
    assert_int_equal(dns_name_read(msg, (size_t)(p - msg), &pos, &n), ERR_OK);
    assert_int_equal(n.labels, 127);
    assert_int_equal(n.len, 255);
    assert_int_equal(n.off[127], 254);
    p = label(p - 1, 1);
    *p++ = 0;
    pos = AT;
    assert_int_equal(dns_name_read(msg, (size_t)(p - msg), &pos, &n), ERR_FORMAT);
}

static void follows_so_many_pointers_and_no_more(void **state)
{
    (void)state;
    uint8_t msg[1024] = {0};
    /* The root at 12, then a pointer to it, then pointers each to the one before. */
    size_t len = AT + 1;
    for (unsigned i = 0; i <= DNS_NAME_HOPS; i++, len += 2) {
        be16_write(msg + len, (uint16_t)(0xc000 | (i == 0 ? AT : len - 2)));
    }
    struct dns_name n;
    size_t pos = len - 4;
    assert_int_equal(dns_name_read(msg, len, &pos, &n), ERR_OK);
    pos = len - 2;
    assert_int_equal(dns_name_read(msg, len, &pos, &n), ERR_FORMAT);
    /* With a memory of the message the verdict is the same. */
    struct dns_name_memo memo;
    dns_name_memo_init(&memo, len);
    size_t at = AT;
    assert_int_equal(dns_name_check(msg, len, &at, &memo), ERR_OK);
    for (unsigned i = 0; i <= DNS_NAME_HOPS; i++) {
        at = AT + 1 + 2 * (size_t)i;
        assert_int_equal(dns_name_check(msg, len, &at, &memo),
                         i < DNS_NAME_HOPS ? ERR_OK : ERR_FORMAT);
    }
}

static void text_and_wire_are_inverse(void **state)
{
    (void)state;
    static const char *const texts[] = {
        ".",
        "a",
        "ads.example",
        "a\\.b.example",
        "\\000\\001\\255",
        "xn--bcher-kva.example",
        "_dns.resolver.arpa",
        "1.0.0.127.in-addr.arpa",
        "*.example",
        "a\\032b",
        "a\\\\b\\@\\$",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct dns_name n = name_of(texts[i]), again;
        assert_string_equal(text_of(&n), texts[i]);
        assert_int_equal(dns_name_from_wire(n.wire, n.len, &again), ERR_OK);
        assert_true(dns_name_equal(&n, &again));
        assert_int_equal(n.off[n.labels], n.len - 1);
    }
}

static void text_is_lowered_and_unescaped(void **state)
{
    (void)state;
    static const char *const rows_[][2] = {
        {"ADS.Example", "ads.example"},
        {"ads.example.", "ads.example"},
        {"\\065", "a"},
        {"\\A\\b", "ab"},
        {"a\\046b", "a\\.b"},
        {"\\ ", "\\032"},
        {"b\xc3\xbc", "b\\195\\188"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows_); i++) {
        struct dns_name n = name_of(rows_[i][0]);
        assert_string_equal(text_of(&n), rows_[i][1]);
    }
}

static void bad_text_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",    "..",  ".a",   "a..b",  "a...",  " a",    "a b",   "a\tb", "a\n",
        "a\\", "\\2", "\\25", "\\256", "\\999", "\\2x5", "a\x7f", "\\\n", "\x01",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct dns_name n = {.len = 77};
        if (dns_name_parse(span_str(bad[i]), &n) != ERR_FORMAT || n.len != 77) {
            fail_msg("taken as a name: row %zu", i);
        }
    }
}

static void text_limits(void **state)
{
    (void)state;
    char text[300];
    struct dns_name n;
    memset(text, 'a', sizeof text);
    assert_int_equal(dns_name_parse(span_of(text, 63), &n), ERR_OK);
    assert_int_equal(dns_name_parse(span_of(text, 64), &n), ERR_FORMAT);
    text[63] = text[127] = text[191] = '.';
    assert_int_equal(dns_name_parse(span_of(text, 253), &n), ERR_OK);
    assert_int_equal(n.len, 255);
    assert_int_equal(dns_name_parse(span_of(text, 254), &n), ERR_FORMAT);
    text[253] = '.';
    assert_int_equal(dns_name_parse(span_of(text, 254), &n), ERR_OK);
    assert_int_equal(n.len, 255);
    for (size_t i = 0; i < 255; i++) {
        text[i] = i % 2 ? '.' : 'b';
    }
    assert_int_equal(dns_name_parse(span_of(text, 253), &n), ERR_OK);
    assert_int_equal(n.labels, 127);
    assert_int_equal(dns_name_parse(span_of(text, 255), &n), ERR_FORMAT);
}

static void longest_text_fits(void **state)
{
    (void)state;
    uint8_t wire[255];
    uint8_t *p = label(label(label(label(wire, 63), 63), 63), 61);
    *p = 0;
    for (size_t i = 0; i < sizeof wire - 1; i++) {
        wire[i] = wire[i] == 'x' ? 0xff : wire[i];
    }
    struct dns_name n, again;
    assert_int_equal(dns_name_from_wire(wire, sizeof wire, &n), ERR_OK);
    const char *text = text_of(&n);
    assert_int_equal(strlen(text), 250 * 4 + 3);
    assert_true(strlen(text) < DNS_NAME_TEXT);
    assert_int_equal(dns_name_parse(span_str(text), &again), ERR_OK);
    assert_true(dns_name_equal(&n, &again));
}

static void stored_wire_is_taken_whole_or_not(void **state)
{
    (void)state;
    struct dns_name n;
    const uint8_t good[] = {1, 'A', 0, 0};
    assert_int_equal(dns_name_from_wire(good, 3, &n), ERR_OK);
    assert_string_equal(text_of(&n), "a");
    assert_int_equal(dns_name_from_wire(good, 4, &n), ERR_FORMAT);
    assert_int_equal(dns_name_from_wire(good, 2, &n), ERR_SHORT);
    assert_int_equal(dns_name_from_wire(good, 1, &n), ERR_SHORT);
    assert_int_equal(dns_name_from_wire(good, 0, &n), ERR_SHORT);
    assert_int_equal(dns_name_from_wire((uint8_t[]){0xc0, 0x0c}, 2, &n), ERR_FORMAT);
}

static void within_goes_by_labels(void **state)
{
    (void)state;
    static const struct {
        const char *name, *ancestor;
        bool within;
    } table[] = {
        {"a.example", "example", true},  {"example", "example", true},
        {"a.example", ".", true},        {".", ".", true},
        {".", "example", false},         {"badexample", "example", false},
        {"example", "a.example", false}, {"a.b.c", "b.c", true},
        {"a.b.c", "a.b", false},         {"x\\007example", "example", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct dns_name n = name_of(table[i].name), a = name_of(table[i].ancestor);
        if (dns_name_within(&n, &a) != table[i].within) {
            fail_msg("%s within %s", table[i].name, table[i].ancestor);
        }
    }
}

/* The example of RFC 4034 6.1. */
static void order_is_canonical(void **state)
{
    (void)state;
    static const char *const order[] = {
        "example",   "a.example",       "yljkjljk.a.example", "Z.a.example",     "zABC.a.EXAMPLE",
        "z.example", "\\001.z.example", "*.z.example",        "\\200.z.example",
    };
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        for (size_t j = 0; j < ARRAY_LEN(order); j++) {
            struct dns_name a = name_of(order[i]), b = name_of(order[j]);
            int got = dns_name_compare(&a, &b);
            assert_int_equal((got > 0) - (got < 0), (i > j) - (i < j));
        }
    }
}

static void matching_ignores_case_and_compression(void **state)
{
    (void)state;
    uint8_t msg[64];
    size_t len = message("03616453 0745584d41504c65 00 03414473 c010", msg, sizeof msg);
    struct dns_name n = name_of("ads.exmaple"), longer = name_of("www.ads.exmaple"),
                    shorter = name_of("exmaple"), other = name_of("adt.exmaple");
    for (size_t pos = AT; pos <= 25; pos += 13) {
        assert_true(dns_name_matches(msg, len, pos, &n));
        assert_false(dns_name_matches(msg, len, pos, &longer));
        assert_false(dns_name_matches(msg, len, pos, &shorter));
        assert_false(dns_name_matches(msg, len, pos, &other));
    }
    assert_true(dns_name_matches(msg, len, 16, &shorter));
    assert_false(dns_name_matches(msg, 20, AT, &n)); /* cut off */
}

static void copies_only_what_is_used(void **state)
{
    (void)state;
    struct dns_name n = name_of("www.example"), copy;
    memset(&copy, 0xee, sizeof copy);
    dns_name_copy(&copy, &n);
    assert_true(dns_name_equal(&copy, &n));
    assert_int_equal(copy.labels, 2);
    assert_memory_equal(copy.off, n.off, 3);
    assert_int_equal(copy.wire[n.len], 0xee);
}

/* Each octet in each place of a word, against the plain rule. */
static void lowers_letters_and_nothing_else(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        uint8_t want = (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        assert_int_equal(dns_lower1((uint8_t)c), want);
        for (size_t len = 1; len < 25; len++) {
            for (size_t place = 0; place < len; place++) {
                uint8_t in[24], out[24], expected[24];
                memset(in, 'Q', sizeof in);
                memset(expected, 'q', sizeof expected);
                in[place] = (uint8_t)c;
                expected[place] = want;
                memset(out, 0xee, sizeof out);
                memset(expected + len, 0xee, sizeof expected - len);
                dns_lower_copy(out, in, len);
                assert_memory_equal(out, expected, sizeof out);
            }
        }
    }
}

/* Random octets: a name that can be read can be matched and skipped, and survives text and back. */
static void random_octets_are_judged_alike(void **state)
{
    (void)state;
    struct test_random r = {3};
    unsigned good = 0;
    for (int i = 0; i < 100000; i++) {
        uint8_t msg[48];
        test_random_bytes(&r, msg, sizeof msg);
        for (size_t j = 0; j < sizeof msg; j++) { /* mostly short labels, roots and near pointers */
            uint32_t kind = test_random_below(&r, 8);
            msg[j] = kind < 5 ? msg[j] & 3 : kind == 5 ? 0xc0 : kind == 6 ? msg[j] % 48 : msg[j];
        }
        size_t start = 12 + test_random_below(&r, 36), pos = start, skip = start, check = start;
        struct dns_name n, again;
        enum err e = dns_name_read(msg, sizeof msg, &pos, &n);
        assert_int_equal(dns_name_check(msg, sizeof msg, &check, NULL), e);
        if (e != ERR_OK) {
            continue;
        }
        good++;
        assert_int_equal(check, pos);
        assert_int_equal(dns_name_skip(msg, sizeof msg, &skip), ERR_OK);
        assert_int_equal(skip, pos);
        assert_true(dns_name_matches(msg, sizeof msg, start, &n));
        assert_int_equal(dns_name_parse(span_str(text_of(&n)), &again), ERR_OK);
        assert_true(dns_name_equal(&n, &again));
        assert_int_equal(dns_name_from_wire(n.wire, n.len, &again), ERR_OK);
        assert_memory_equal(again.off, n.off, (size_t)n.labels + 1);
    }
    assert_true(good > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_names_and_refuses_bad_ones),
        cmocka_unit_test(label_of_63_is_the_longest),
        cmocka_unit_test(name_of_255_is_the_longest),
        cmocka_unit_test(length_counts_through_pointers),
        cmocka_unit_test(has_127_labels_at_most),
        cmocka_unit_test(follows_so_many_pointers_and_no_more),
        cmocka_unit_test(text_and_wire_are_inverse),
        cmocka_unit_test(text_is_lowered_and_unescaped),
        cmocka_unit_test(bad_text_is_refused),
        cmocka_unit_test(text_limits),
        cmocka_unit_test(longest_text_fits),
        cmocka_unit_test(stored_wire_is_taken_whole_or_not),
        cmocka_unit_test(within_goes_by_labels),
        cmocka_unit_test(order_is_canonical),
        cmocka_unit_test(matching_ignores_case_and_compression),
        cmocka_unit_test(copies_only_what_is_used),
        cmocka_unit_test(lowers_letters_and_nothing_else),
        cmocka_unit_test(random_octets_are_judged_alike),
    };
    return UNIT_RUN(tests);
}
