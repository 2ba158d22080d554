/*
 * Images from disk: every flipped or missing octet is found or does no harm, and one that was
 * forged, with right checksums over wrong content, leads no look-up astray.
 */
#include <stdio.h>
#include <stdlib.h>

#include "blocklist/checksum.h"
#include "blocklist/format.h"
#include "lists_fixture.h"
#include "octets.h"
#include "unit.h"

/* Some of everything: fans, runs, top-level domains, several lists and classes. */
static void build_sample(struct built *b, struct fixture_rules *rules)
{
    char name[64];
    *rules = (struct fixture_rules){0};
    for (unsigned list = 0; list < 3; list++) {
        for (unsigned i = 0; i < 120; i++) {
            snprintf(name, sizeof name, "n%u.fan.example", i);
            rules_add(rules, list, name, 1 + (i + list) % 3, (i + list) % 4, i + 1);
            snprintf(name, sizeof name, "a.long.run%u.org", i % 40);
            rules_add(rules, list, name, BL_EXACT, 0, 200 + i);
        }
        rules_add(rules, list, "zip", BL_BOTH, 0, 500);
        rules_add(rules, list, "b.a.long.run3.org", BL_BOTH, 0, 501);
    }
    built_make(b, rules, 1);
}

/* Names to ask: all of the rules, some below, some beside. */
static unsigned ask_all(const struct bl_image *image, const struct fixture_rules *rules)
{
    unsigned sum = 0;
    struct bl_source s[8];
    for (size_t i = 0; i < rules->count; i += 3) {
        struct dns_name n;
        dns_name_copy(&n, &rules->rule[i].rule.name);
        struct bl_verdict v = image_match(image, &n, NULL);
        sum = sum * 31 + v.action * 4u + v.rank;
        if (v.action != BL_NONE) {
            sum += (unsigned)bl_image_sources(image, v.rule, s, 8);
        }
        n.wire[1] ^= 1;
        sum = sum * 31 + image_match(image, &n, NULL).action;
    }
    return sum;
}

static bool count_rule(void *ctx, const struct bl_image_rule *rule)
{
    *(unsigned *)ctx += rule->name.len;
    return true;
}

static void a_flipped_octet_is_found_or_harmless(void **state)
{
    (void)state;
    struct built b;
    struct fixture_rules rules;
    build_sample(&b, &rules);
    unsigned want = ask_all(&b.image, &rules), found = 0, harmless = 0;
    for (size_t i = 0; i < b.len; i++) {
        for (unsigned bit = 0; bit < 8; bit += i < BL_HEADER ? 1 : 3) {
            struct bl_image image;
            b.mem[i] ^= (uint8_t)(1u << bit);
            if (bl_image_open(b.mem, b.len, &image) != ERR_OK) {
                found++;
            } else {
                assert_int_equal(ask_all(&image, &rules), want);
                harmless++;
            }
            b.mem[i] ^= (uint8_t)(1u << bit);
        }
    }
    /* Only the octets that align sections are under no checksum. */
    assert_true(harmless < found / 50);
    built_free(&b);
    fixture_rules_free(&rules);
}

static void a_missing_end_is_found(void **state)
{
    (void)state;
    struct built b;
    struct fixture_rules rules;
    struct bl_image image;
    build_sample(&b, &rules);
    for (size_t len = 0; len < b.len; len++) {
        uint8_t *cut = malloc(len ? len : 1);
        assert_non_null(cut);
        memcpy(cut, b.mem, len);
        assert_int_equal(bl_image_open(cut, len, &image), ERR_SHORT);
        free(cut);
    }
    built_free(&b);
    fixture_rules_free(&rules);
}

static void what_follows_an_image_does_not_matter(void **state)
{
    (void)state;
    struct built b;
    struct fixture_rules rules;
    struct bl_image image;
    build_sample(&b, &rules);
    uint8_t *longer = malloc(b.len + 5000);
    assert_non_null(longer);
    for (size_t shift = 0; shift < 8; shift++) { /* nor where it lies */
        memset(longer, 0xee, b.len + 5000);
        memcpy(longer + shift, b.mem, b.len);
        assert_int_equal(bl_image_open(longer + shift, b.len + 5000 - shift, &image), ERR_OK);
        assert_int_equal(ask_all(&image, &rules), ask_all(&b.image, &rules));
    }
    free(longer);
    built_free(&b);
    fixture_rules_free(&rules);
}

static void other_files_and_versions(void **state)
{
    (void)state;
    struct built b;
    struct fixture_rules rules;
    struct bl_image image;
    static const uint8_t zeros[4096];
    assert_int_equal(bl_image_open(zeros, sizeof zeros, &image), ERR_FORMAT);
    assert_int_equal(bl_image_open(zeros, 0, &image), ERR_SHORT);
    build_sample(&b, &rules);
    b.mem[BL_AT_VERSION]++;
    assert_int_equal(bl_image_open(b.mem, b.len, &image), ERR_VERSION);
    b.mem[BL_AT_VERSION]--;
    static const size_t checks[] = {BL_AT_HASH, BL_AT_CODES, BL_AT_SECTIONS_COUNT};
    for (size_t i = 0; i < sizeof checks / sizeof checks[0];
         i++) { /* made with another hash, or other codes */
        b.mem[checks[i]] ^= 1;
        le64_write(b.mem + BL_AT_CHECKSUM, bl_checksum_of(b.mem, BL_AT_CHECKSUM));
        assert_int_equal(bl_image_open(b.mem, b.len, &image), ERR_VERSION);
        b.mem[checks[i]] ^= 1;
    }
    built_free(&b);
    fixture_rules_free(&rules);
}

/* Put right checksums over whatever stands there. */
static void forge(uint8_t *mem, size_t len)
{
    for (unsigned i = 0; i < BL_SECTION_COUNT; i++) {
        uint8_t *row = mem + BL_AT_SECTIONS + (size_t)i * 24;
        uint64_t off = le64_read(row), size = le64_read(row + 8);
        if (off <= len && size <= len - off) {
            le64_write(row + 16, bl_checksum_of(mem + off, (size_t)size));
        }
    }
    le64_write(mem + BL_AT_CHECKSUM, bl_checksum_of(mem, BL_AT_CHECKSUM));
}

/* Under a sanitizer this shows reads outside; without, that all of it ends. */
static void forged_images_stay_within_themselves(void **state)
{
    (void)state;
    struct built b;
    struct fixture_rules rules;
    struct test_random r = {21};
    build_sample(&b, &rules);
    uint8_t *mem = malloc(b.len);
    assert_non_null(mem);
    unsigned opened = 0;
    for (unsigned round = 0; round < 3000; round++) {
        struct bl_image image;
        memcpy(mem, b.mem, b.len);
        unsigned changes = 1 + test_random_below(&r, 20);
        for (unsigned i = 0; i < changes; i++) {
            size_t where = test_random_below(&r, 30)
                               ? BL_HEADER + test_random_below(&r, (uint32_t)b.len - BL_HEADER)
                               : BL_AT_SECTIONS + test_random_below(&r, BL_SECTION_COUNT * 24);
            mem[where] = (uint8_t)(test_random_below(&r, 2) ? test_random_u64(&r) : 0xff);
        }
        forge(mem, b.len);
        if (bl_image_open(mem, b.len, &image) != ERR_OK) {
            continue;
        }
        opened++;
        unsigned octets = 0;
        struct bl_hit hits[8];
        struct bl_verdict v;
        struct bl_list_info info;
        (void)ask_all(&image, &rules);
        enum err walked = bl_image_walk(&image, count_rule, &octets);
        assert_true(walked == ERR_OK || walked == ERR_FORMAT);
        (void)bl_explain(&image, &rules.rule[round % rules.count].rule.name, NULL, hits, 8, &v);
        bl_image_list(&image, round % 256, &info);
        struct bl_list_set all = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
        (void)image_match(&image, &rules.rule[0].rule.name, &all);
    }
    assert_true(opened > 1000);
    free(mem);
    built_free(&b);
    fixture_rules_free(&rules);
}

static void checksums_find_what_they_promise(void **state)
{
    (void)state;
    struct test_random r = {2};
    uint8_t data[200];
    test_random_bytes(&r, data, sizeof data);
    for (size_t len = 0; len <= sizeof data; len++) {
        uint64_t whole = bl_checksum_of(data, len);
        for (size_t cut = 0; cut <= len; cut += 7) { /* in two pieces it is the same */
            struct bl_checksum c;
            bl_checksum_init(&c);
            bl_checksum_add(&c, data, cut);
            bl_checksum_add(&c, data + cut, len - cut);
            assert_true(bl_checksum_end(&c) == whole);
        }
        if (len > 0) {
            assert_true(bl_checksum_of(data, len - 1) != whole);
            size_t at = test_random_below(&r, (uint32_t)len);
            for (unsigned v = 1; v < 256; v++) {
                data[at] ^= (uint8_t)v;
                assert_true(bl_checksum_of(data, len) != whole);
                data[at] ^= (uint8_t)v;
            }
        }
    }
    static const uint8_t zeros[64];
    assert_true(bl_checksum_of(zeros, 32) != bl_checksum_of(zeros, 64));
}

static void sizes_add_up(void **state)
{
    (void)state;
    struct built b;
    struct fixture_rules rules;
    struct bl_image_sizes s;
    build_sample(&b, &rules);
    bl_image_sizes(&b.image, &s);
    assert_int_equal(s.total, b.len);
    assert_int_equal(s.verdict + s.attribution + s.tables, s.total);
    built_free(&b);
    fixture_rules_free(&rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flipped_octet_is_found_or_harmless),
        cmocka_unit_test(a_missing_end_is_found),
        cmocka_unit_test(what_follows_an_image_does_not_matter),
        cmocka_unit_test(other_files_and_versions),
        cmocka_unit_test(forged_images_stay_within_themselves),
        cmocka_unit_test(checksums_find_what_they_promise),
        cmocka_unit_test(sizes_add_up),
    };
    return UNIT_RUN(tests);
}
