/*
 * Building images: what is kept of each rule, bounds, passes, and names that the hash cannot tell
 * apart.
 */
#include <stdio.h>
#include <stdlib.h>

#include "dns/suffix.c" /* its steps, to make two labels of one hash */
#include "lists_fixture.h"
#include "octets.h"
#include "unit.h"

static void nothing_is_an_image_too(void **state)
{
    (void)state;
    struct fixture_rules none = {0};
    struct built b;
    built_make(&b, &none, 1);
    assert_int_equal(b.image.rule_count, 0);
    assert_int_equal(built_match(&b, "ads.example", NULL).action, BL_NONE);
    assert_int_equal(built_match(&b, ".", NULL).action, BL_NONE);
    assert_int_equal(built_match(&b, "example", NULL).action, BL_NONE);
    struct bl_list_info info;
    bl_image_list(&b.image, 0, &info);
    assert_false(info.used);
    built_free(&b);
}

static void lists_keep_their_names_and_counts(void **state)
{
    (void)state;
    struct fixture_rules rules = {0};
    struct built b;
    rules_add(&rules, 3, "a.example", BL_EXACT, 0, 1);
    rules_add(&rules, 3, "b.example", BL_BOTH, 0, 2);
    rules_add(&rules, 3, "b.example", BL_EXACT, 0, 3); /* said already */
    rules_add(&rules, 3, "b.example", BL_BOTH, BL_RANK_ALLOW, 4);
    rules_add(&rules, 3, "zip", BL_BOTH, 0, 5);
    rules_add(&rules, 3, "zip", BL_BELOW, 0, 6); /* said already */
    rules_add(&rules, 200, "a.example", BL_EXACT, 0, 1);
    for (unsigned passes = 1; passes <= 64; passes *= 2) {
        struct bl_list_info info;
        built_make(&b, &rules, passes);
        bl_image_list(&b.image, 3, &info);
        assert_true(info.used);
        assert_int_equal(info.rules, 4);
        assert_int_equal(info.duplicates, 2);
        assert_int_equal(info.rejected, 7);
        assert_int_equal(info.lines, 1000);
        assert_true(span_equal(info.name, span_str("list 3")));
        assert_true(span_equal(info.url, span_str("https://lists.example/3")));
        bl_image_list(&b.image, 200, &info);
        assert_int_equal(info.rules, 1);
        bl_image_list(&b.image, 4, &info);
        assert_false(info.used);
        bl_image_list(&b.image, 256, &info);
        assert_false(info.used);
        assert_int_equal(b.image.rule_count,
                         4); /* a.example; b.example twice, block and allow; zip */
        assert_int_equal(b.image.built_unix, 1767225600);
        built_free(&b);
    }
    fixture_rules_free(&rules);
}

/* A name in many lists: all are told, in order, with their lines. */
static void every_source_is_told(void **state)
{
    (void)state;
    struct fixture_rules rules = {0};
    struct built b;
    struct bl_source s[1200];
    for (unsigned list = 0; list < 256; list++) {
        rules_add(&rules, list, "ads.example", BL_EXACT, 0, 1 + list * list * 300);
        rules_add(&rules, list, "ads.example", BL_BELOW, 0, 2 + list);
        if (list % 16 == 0) {
            rules_add(&rules, list, "other.example", BL_BOTH, BL_RANK_IMPORTANT_ALLOW, 4000000000u);
        }
    }
    built_make(&b, &rules, 4);
    struct bl_verdict v = built_match(&b, "ads.example", NULL);
    assert_int_equal(bl_image_sources(&b.image, v.rule, s, 1200), 512);
    for (unsigned list = 0; list < 256; list++) {
        assert_int_equal(s[2 * list].list, list);
        assert_int_equal(s[2 * list].line, 1 + list * list * 300);
        assert_int_equal(s[2 * list].kind, BL_EXACT);
        assert_int_equal(s[2 * list + 1].line, 2 + list);
        assert_int_equal(s[2 * list + 1].kind, BL_BELOW);
    }
    v = built_match(&b, "other.example", NULL);
    assert_int_equal(bl_image_sources(&b.image, v.rule, s, 1200), 16);
    assert_int_equal(s[15].list, 240);
    assert_int_equal(s[15].line, 4000000000u);
    assert_int_equal(s[15].rank, BL_RANK_IMPORTANT_ALLOW);
    assert_int_equal(bl_image_sources(&b.image, v.rule, s, 3), 16);
    assert_int_equal(bl_image_sources(&b.image, v.rule + 1, s, 3), 0);
    assert_int_equal(bl_image_sources(&b.image, BL_RULE_NONE, s, 3), 0);
    built_free(&b);
    fixture_rules_free(&rules);
}

/* More sources of one name than an image keeps lines of: verdicts and filters stay exact. */
static void too_many_sources_fold(void **state)
{
    (void)state;
    struct fixture_rules rules = {0};
    struct built b;
    struct bl_source s[1200];
    for (unsigned list = 0; list < 256; list++) {
        for (unsigned rank = 0; rank < 4; rank++) {
            rules_add(&rules, list, "ads.example", BL_EXACT, rank, rank + 1);
            rules_add(&rules, list, "ads.example", BL_BELOW, rank, rank + 10);
        }
    }
    built_make(&b, &rules, 1);
    size_t n = bl_image_sources(&b.image, built_match(&b, "ads.example", NULL).rule, s, 1200);
    assert_in_range(n, 256, 956);
    for (unsigned list = 0; list < 256; list += 5) {
        struct bl_list_set set = {{0}};
        bl_list_set_add(&set, list);
        assert_int_equal(built_match(&b, "ads.example", &set).rank, BL_RANK_IMPORTANT_ALLOW);
        assert_int_equal(built_match(&b, "x.ads.example", &set).rank, BL_RANK_IMPORTANT_ALLOW);
    }
    built_free(&b);
    fixture_rules_free(&rules);
}

/* So many different sets of lists that class numbers take one to four octets. */
static void many_classes(void **state)
{
    (void)state;
    enum { NAMES = 6000 };
    struct fixture_rules rules = {0};
    struct built b;
    for (unsigned list = 0; list < 13; list++) {
        for (unsigned i = 1; i <= NAMES; i++) {
            if (i >> list & 1) {
                char name[40];
                snprintf(name, sizeof name, "n%u.example", i);
                rules_add(&rules, list, name, BL_BOTH, 0, i);
            }
        }
    }
    built_make(&b, &rules, 2);
    assert_int_equal(b.image.class_count, NAMES + 1);
    for (unsigned i = 1; i <= NAMES; i += 7) {
        char name[40];
        struct bl_source s[16];
        snprintf(name, sizeof name, "n%u.example", i);
        size_t n = bl_image_sources(&b.image, built_match(&b, name, NULL).rule, s, 16);
        assert_int_equal(n, __builtin_popcount(i));
        for (size_t k = 0; k < n; k++) {
            assert_true(i >> s[k].list & 1);
            assert_int_equal(s[k].line, i);
        }
        struct bl_list_set set = {{(uint64_t)~i & 0x1fff}};
        assert_int_equal(built_match(&b, name, &set).action, BL_NONE);
    }
    built_free(&b);
    fixture_rules_free(&rules);
}

/* All names below one second-level name, and all below one another: nothing is spread, all still
 * works. */
static void one_crowded_place(void **state)
{
    (void)state;
    enum { NAMES = 150000 };
    struct fixture_rules rules = {0};
    struct built b;
    char name[64];
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "n%u.x%u.crowd.example", i, i % 3 ? 0 : i % 300);
        rules_add(&rules, 0, name, BL_EXACT, 0, i + 1);
    }
    size_t memory = bl_compile_memory(&(struct bl_compile_config){.rules_max = NAMES, .passes = 1});
    for (unsigned passes = 1; passes <= 16; passes *= 4) { /* more passes do not help here */
        assert_int_equal(built_try(&b, &rules, passes, memory), ERR_OK);
        assert_int_equal(b.image.rule_count, NAMES);
        for (unsigned i = 0; i < NAMES; i += 101) {
            struct bl_source s;
            snprintf(name, sizeof name, "n%u.x%u.crowd.example", i, i % 3 ? 0 : i % 300);
            struct bl_verdict v = built_match(&b, name, NULL);
            assert_int_equal(v.action, BL_BLOCK);
            assert_int_equal(bl_image_sources(&b.image, v.rule, &s, 1), 1);
            assert_int_equal(s.line, i + 1);
            name[0] = 'm';
            assert_int_equal(built_match(&b, name, NULL).action, BL_NONE);
        }
        built_free(&b);
    }
    fixture_rules_free(&rules);
}

static void take_back(uint64_t *h, uint64_t factor)
{
    /* The inverse of step() without its word: of h ^ h >> 32, then of the multiplication. */
    uint64_t inverse = factor;
    for (unsigned i = 0; i < 6; i++) {
        inverse *= 2 - factor * inverse;
    }
    *h ^= *h >> 32;
    *h *= inverse;
}

static bool is_label(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", p[i]) || p[i] == 0) {
            return false;
        }
    }
    return true;
}

/* Two labels of 16 characters with the same hash: the second word of one is worked out from the
 * first words of both. */
static void colliding_labels(char a[17], char b[17])
{
    static const char characters[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
    struct test_random r = {9};
    memcpy(a, "collision-number", 17);
    uint64_t want = label_hash((const uint8_t *)a, 16), first = want;
    take_back(&first, LABEL_STEP); /* = (hash after the first word) ^ second word */
    for (;;) {
        uint8_t word[16] = {0};
        uint64_t x = test_random_u64(&r);
        for (unsigned i = 0; i < 8; i++) {
            word[i] = (uint8_t)characters[(x >> 8 * i & 0xff) % 38];
        }
        uint64_t second = step(16 * CHAIN_STEP, le64_read(word), LABEL_STEP) ^ first;
        le64_write(word + 8, second);
        if (is_label(word + 8, 8) && memcmp(word, a, 16) != 0) {
            memcpy(b, word, 16);
            b[16] = '\0';
            assert_true(label_hash(word, 16) == want);
            return;
        }
    }
}

static void equal_hashes_are_told_apart(void **state)
{
    (void)state;
    char a[17], b[17], name[80];
    colliding_labels(a, b);
    for (unsigned which = 0; which < 4; which++) { /* neither, a, b, both */
        struct fixture_rules rules = {0};
        struct built built;
        static const char *const places[] = {"%s.example", "x.%s.example", "%s.below.example",
                                             "ads.%s.below.example"};
        rules_add(&rules, 0, "other.below.example", BL_EXACT, 0, 9);
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            for (unsigned k = 0; k < 2; k++) {
                if (which >> k & 1) {
                    char part[2][40];
                    snprintf(part[0], sizeof part[0], "%s", places[i]);
                    char *at = strstr(part[0], "%s");
                    *at = '\0';
                    snprintf(name, sizeof name, "%s%s%s", part[0], k ? b : a, at + 2);
                    rules_add(&rules, 0, name, BL_EXACT, 0, 1 + k);
                }
            }
        }
        built_make(&built, &rules, 1);
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            for (unsigned k = 0; k < 2; k++) {
                char part[40];
                snprintf(part, sizeof part, "%s", places[i]);
                char *at = strstr(part, "%s");
                *at = '\0';
                snprintf(name, sizeof name, "%s%s%s", part, k ? b : a, at + 2);
                struct dns_name n = fixture_name(name);
                struct bl_verdict want = model_match(&rules, &n, NULL),
                                  got = image_match(&built.image, &n, NULL);
                if (want.action != got.action) {
                    fail_msg("%s with %u", name, which);
                }
                if (got.action != BL_NONE) {
                    struct bl_source s;
                    assert_int_equal(bl_image_sources(&built.image, got.rule, &s, 1), 1);
                    assert_int_equal(s.line, 1 + k);
                }
            }
        }
        built_free(&built);
        fixture_rules_free(&rules);
    }
}

/* With too little scratch the answer is ERR_SPACE, never half an image; with a little more it
 * works. */
static void scratch_is_bounded(void **state)
{
    (void)state;
    struct fixture_rules rules = {0};
    char name[64];
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "n%u.second%u.example", i % 7, i / 7);
        rules_add(&rules, 0, name, BL_EXACT, 0, i + 1);
    }
    unsigned failed = 0, worked = 0;
    size_t least = 0;
    for (size_t memory = 1000; memory < 6000000; memory = memory * 5 / 4) {
        struct built b;
        enum err e = built_try(&b, &rules, 1, memory);
        if (e == ERR_OK) {
            worked++;
            least = least ? least : memory;
            assert_int_equal(b.image.rule_count, 20000);
            assert_in_range(b.scratch_peak, 1, memory);
            built_free(&b);
        } else {
            assert_int_equal(e, ERR_SPACE);
            assert_int_equal(worked, 0);
            failed++;
        }
    }
    assert_true(failed > 10 && worked > 3);
    /* More passes, less scratch. */
    struct built b;
    assert_int_equal(built_try(&b, &rules, 8, least * 9 / 10), ERR_OK);
    built_free(&b);
    fixture_rules_free(&rules);
}

static enum err full_sink(void *ctx, uint64_t offset, const void *data, size_t len)
{
    (void)data;
    return offset + len > *(uint64_t *)ctx ? ERR_IO : ERR_OK;
}

static void errors_of_the_sink_come_out(void **state)
{
    (void)state;
    struct fixture_rules rules = {0};
    struct built whole;
    struct dns_name name = fixture_name("ads.example");
    rules_add(&rules, 0, "ads.example", BL_EXACT, 0, 1);
    built_make(&whole, &rules, 1);
    uint64_t room, size;
    struct bl_compile_config cfg = {.rules_max = 10, .passes = 1, .sink = {full_sink, &room}};
    size_t len = bl_compile_memory(&cfg);
    void *mem = malloc(len);
    assert_non_null(mem);
    for (room = 0; room <= whole.len; room += 64) {
        struct bl_compile *c;
        struct bl_rule rule = {.name = name, .kind = BL_EXACT, .line = 1};
        assert_int_equal(bl_compile_init(&c, mem, len, &cfg), ERR_OK);
        struct bl_feed *f = bl_compile_feed(c, 0);
        bl_feed_list(f, 0, span_str("list 0"), span_str("https://lists.example/0"));
        bl_feed_rule(f, &rule);
        bl_feed_list_end(f, 0, 1);
        assert_false(bl_compile_pass(c));
        assert_int_equal(bl_compile_finish(c, &size), room >= whole.len ? ERR_OK : ERR_IO);
    }
    free(mem);
    built_free(&whole);
    fixture_rules_free(&rules);
}

static void configurations_that_are_wrong(void **state)
{
    (void)state;
    static _Alignas(16) uint8_t mem[16];
    struct bl_compile *c = NULL;
    struct bl_compile_config cfg = {.passes = 3};
    assert_int_equal(bl_compile_init(&c, mem, sizeof mem, &cfg), ERR_RANGE);
    cfg.passes = 0;
    assert_int_equal(bl_compile_init(&c, mem, sizeof mem, &cfg), ERR_RANGE);
    cfg.passes = 128;
    assert_int_equal(bl_compile_init(&c, mem, sizeof mem, &cfg), ERR_RANGE);
    cfg.passes = 1;
    assert_int_equal(bl_compile_init(&c, mem, sizeof mem, &cfg), ERR_SPACE);
    assert_null(c);
}

/* Names whose octets an image cannot hold are refused, not garbled. */
static void foreign_octets_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"a\\.b.example", "\\200.example", "\\129x.sub.example",
                                        "a*b.example"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct fixture_rules rules = {0};
        struct built b;
        rules_add(&rules, 0, "fine.example", BL_EXACT, 0, 1);
        rules_add(&rules, 0, names[i], BL_EXACT, 0, 1);
        assert_int_equal(built_try(&b, &rules, 1, 0), ERR_FORMAT);
        fixture_rules_free(&rules);
    }
}

/* Many top-level domains: numbers of two octets, and long ones. */
static void many_top_level_domains(void **state)
{
    (void)state;
    struct fixture_rules rules = {0};
    struct built b;
    char name[80];
    for (unsigned i = 0; i < 6000; i++) {
        snprintf(name, sizeof name, "ads.tld%u%s", i,
                 i % 10 ? "" : "-with-a-name-that-is-longer-than-eight-octets");
        rules_add(&rules, 0, name, BL_EXACT, 0, i + 1);
        if (i % 2) {
            rules_add(&rules, 0, strchr(name, '.') + 1, BL_BELOW, BL_RANK_ALLOW, 7000 + i);
        }
    }
    built_make(&b, &rules, 1);
    for (unsigned i = 0; i < 6000; i += 3) {
        snprintf(name, sizeof name, "ads.tld%u%s", i,
                 i % 10 ? "" : "-with-a-name-that-is-longer-than-eight-octets");
        assert_int_equal(built_match(&b, name, NULL).action, i % 2 ? BL_ALLOW : BL_BLOCK);
        name[2] = 'x';
        assert_int_equal(built_match(&b, name, NULL).action, i % 2 ? BL_ALLOW : BL_NONE);
    }
    built_free(&b);
    fixture_rules_free(&rules);
}

struct walked {
    const struct fixture_rules *rules;
    size_t count, stop_at;
};

static bool walk_rule(void *ctx, const struct bl_image_rule *rule)
{
    struct walked *w = ctx;
    unsigned effect = 0;
    for (size_t i = 0; i < w->rules->count; i++) {
        if (dns_name_equal(&w->rules->rule[i].rule.name, &rule->name)) {
            effect |= (unsigned)w->rules->rule[i].rule.kind << 2 * w->rules->rule[i].rule.rank;
        }
    }
    assert_int_equal(rule->effect, effect);
    return ++w->count != w->stop_at;
}

static void a_walk_sees_every_rule_once(void **state)
{
    (void)state;
    struct fixture_rules rules = {0};
    struct built b;
    char name[64];
    struct test_random r = {4};
    for (unsigned i = 0; i < 900; i++) {
        snprintf(name, sizeof name, "a%02u.b%u.c%u.example", i % 30, i % 7, i % 2);
        rules_add(&rules, i / 300, name + (test_random_below(&r, 2) ? 4 : 0), 1 + i % 3,
                  test_random_below(&r, 4), i + 1);
    }
    rules_add(&rules, 3, "zip", BL_BOTH, 0, 1);
    size_t distinct = 0;
    for (size_t i = 0; i < rules.count; i++) {
        bool first = true;
        for (size_t k = 0; k < i; k++) {
            first = first && !dns_name_equal(&rules.rule[i].rule.name, &rules.rule[k].rule.name);
        }
        distinct += first;
    }
    built_make(&b, &rules, 1);
    struct walked w = {.rules = &rules};
    assert_int_equal(bl_image_walk(&b.image, walk_rule, &w), ERR_OK);
    assert_int_equal(w.count, distinct);
    w = (struct walked){.rules = &rules, .stop_at = 5};
    assert_int_equal(bl_image_walk(&b.image, walk_rule, &w), ERR_OK);
    assert_int_equal(w.count, 5);
    built_free(&b);
    fixture_rules_free(&rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_an_image_too),
        cmocka_unit_test(lists_keep_their_names_and_counts),
        cmocka_unit_test(every_source_is_told),
        cmocka_unit_test(too_many_sources_fold),
        cmocka_unit_test(many_classes),
        cmocka_unit_test(one_crowded_place),
        cmocka_unit_test(equal_hashes_are_told_apart),
        cmocka_unit_test(scratch_is_bounded),
        cmocka_unit_test(errors_of_the_sink_come_out),
        cmocka_unit_test(configurations_that_are_wrong),
        cmocka_unit_test(foreign_octets_are_refused),
        cmocka_unit_test(many_top_level_domains),
        cmocka_unit_test(a_walk_sees_every_rule_once),
    };
    return UNIT_RUN(tests);
}
