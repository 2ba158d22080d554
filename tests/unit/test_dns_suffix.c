/*
 * Suffix hashes: of a suffix and its parent only, and different for different names.
 */
#include <stdio.h>
#include <stdlib.h>

#include "dns/suffix.h"
#include "unit.h"

static struct dns_suffixes hashes_of(const char *text, struct dns_name *n)
{
    struct dns_suffixes s;
    /* What stands after the name must not matter. */
    memset(n, 0xc3, sizeof *n);
    assert_int_equal(dns_name_parse(span_str(text), n), ERR_OK);
    dns_suffixes_make(n, &s);
    return s;
}

static uint64_t hash_of(const char *text)
{
    struct dns_name n;
    return hashes_of(text, &n).hash[0];
}

static void each_suffix_hashes_as_if_alone(void **state)
{
    (void)state;
    struct dns_name n;
    struct dns_suffixes s = hashes_of("www.ads.a-rather-long-label.example", &n);
    static const char *const suffixes[] = {"www.ads.a-rather-long-label.example",
                                           "ads.a-rather-long-label.example",
                                           "a-rather-long-label.example", "example", "."};
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        assert_true(s.hash[i] == hash_of(suffixes[i]));
    }
}

static void case_does_not_matter(void **state)
{
    (void)state;
    assert_true(hash_of("ADS.Example") == hash_of("ads.example"));
}

static void does_not_depend_on_what_follows_the_name(void **state)
{
    (void)state;
    struct dns_name a, b;
    memset(&a, 0, sizeof a);
    memset(&b, 0xff, sizeof b);
    const uint8_t wire[] = {3, 'a', 'd', 's', 2, 'i', 'o', 0};
    assert_int_equal(dns_name_from_wire(wire, sizeof wire, &a), ERR_OK);
    assert_int_equal(dns_name_from_wire(wire, sizeof wire, &b), ERR_OK);
    struct dns_suffixes x, y;
    dns_suffixes_make(&a, &x);
    dns_suffixes_make(&b, &y);
    assert_memory_equal(x.hash, y.hash, 3 * sizeof x.hash[0]);
}

static void where_labels_begin_matters(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "ab.c",
        "a.bc",
        "a.b.c",
        "abc",
        "c.ab",
        "c.b.a",
        "b.a.c",
        "a\\.b.c",
        "a\\000.bc",
        "a\\000",
        "a",
        "\\000",
        "\\000\\000",
        "\\000.\\000",
        ".",
        "aaaaaaaa",
        "aaaaaaaaa",
        "aaaaaaaa.a",
        "a.aaaaaaaa",
        "aaaaaaaa\\000",
        "aaaaaaaaaaaaaaaa",
        "aaaaaaaa.aaaaaaaa",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        for (size_t j = 0; j < i; j++) {
            if (hash_of(texts[i]) == hash_of(texts[j])) {
                fail_msg("%s and %s collide", texts[i], texts[j]);
            }
        }
    }
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Numbered names differ in few bits: neither whole hashes nor their upper or lower halves may
 * cluster. */
static void numbered_names_spread(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    static uint64_t hash[COUNT];
    static uint8_t low[1 << 17], high[1 << 17];
    unsigned low_used = 0, high_used = 0;
    for (int i = 0; i < COUNT; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, i % 2 ? "ad%d.example.com" : "x.tracker-number-%d.net",
                       i);
        hash[i] = hash_of(text);
        low_used += !low[hash[i] & 0x1ffff]++;
        high_used += !high[hash[i] >> 47]++;
    }
    /* 200 000 balls in 131 072 boxes fill 1 - e^-1.526 of them: 102 566. */
    assert_in_range(low_used, 102000, 103100);
    assert_in_range(high_used, 102000, 103100);
    qsort(hash, COUNT, sizeof hash[0], by_value);
    for (int i = 1; i < COUNT; i++) {
        assert_true(hash[i] != hash[i - 1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_suffix_hashes_as_if_alone),
        cmocka_unit_test(case_does_not_matter),
        cmocka_unit_test(does_not_depend_on_what_follows_the_name),
        cmocka_unit_test(where_labels_begin_matters),
        cmocka_unit_test(numbered_names_spread),
    };
    return UNIT_RUN(tests);
}
