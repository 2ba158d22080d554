/*
 * What the update guard takes exception to, and how two texts differ.
 */
#include <stdio.h>
#include <stdlib.h>

#include "blocklist/diff.h"
#include "blocklist/guard.h"
#include "blocklist/parse.h"
#include "unit.h"

static const char suffixes[] =
    "com\nde\nuk\nco.uk\n*.ck\n!www.ck\n+github.io\n+*.compute.cloud.com\n";
static const char popular[] =
    "# known to all\ngoogle.com\nwww.google.com\nupdate.big.com # sic\n\n";
static const char used[] = "school.de\nlearn.school.de\n";

static struct bl_guard *guard;
static void *mem;

static int set_up(void **state)
{
    (void)state;
    struct bl_guard_sources s = {
        .suffixes = span_str(suffixes), .popular = span_str(popular), .used = span_str(used)};
    mem = malloc(bl_guard_memory(&s));
    assert_non_null(mem);
    assert_int_equal(bl_guard_init(&guard, mem, bl_guard_memory(&s), &s), ERR_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(mem);
    return 0;
}

struct reading {
    const struct bl_guard *guard;
    uint8_t *marks;
};

static void take(void *ctx, const struct bl_rule *rule)
{
    struct reading *r = ctx;
    bl_guard_mark(r->guard, r->marks, rule);
}

/* Marks of a text, with malloc. */
static uint8_t *read_text(const struct bl_guard *g, const char *text, bool as_allow)
{
    static struct bl_parser parser;
    struct reading r = {.guard = g, .marks = calloc(1, bl_guard_marks(g))};
    struct bl_parse_config cfg = {.ctx = &r, .rule = take, .as_allow = as_allow};
    assert_non_null(r.marks);
    bl_parse_init(&parser, &cfg);
    assert_int_equal(bl_parse_feed(&parser, text, strlen(text)), ERR_OK);
    assert_int_equal(bl_parse_end(&parser), ERR_OK);
    return r.marks;
}

static void takes_exception_to_what_matters(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int kind; /* -1: none */
        const char *name;
        bool below;
        bool as_allow;
    } rows[] = {
        {"||ads.example.com^", -1, "", false, false},
        {"0.0.0.0 ads.google.com", -1, "", false, false},
        {"||com^", BL_GUARD_SUFFIX, "com", true, false},
        {"0.0.0.0 co.uk", BL_GUARD_SUFFIX, "co.uk", false, false},
        {"*.co.uk", BL_GUARD_SUFFIX, "co.uk", true, false},
        {"||example.co.uk^", -1, "", false, false},
        {"0.0.0.0 foo.ck", BL_GUARD_SUFFIX, "*.ck", false, false},
        {"||www.ck^", -1, "", false, false},
        {"||a.foo.ck^", -1, "", false, false},
        {"||ck^", BL_GUARD_SUFFIX, "ck", true, false},
        {"0.0.0.0 github.io", -1, "", false, false},
        {"||github.io^", BL_GUARD_SUFFIX, "github.io", true, false},
        {"||eu.compute.cloud.com^", BL_GUARD_SUFFIX, "*.compute.cloud.com", true, false},
        {"0.0.0.0 google.com", BL_GUARD_POPULAR, "google.com", false, false},
        {"||google.com^", BL_GUARD_POPULAR, "google.com", true, false},
        {"||*.google.com^", BL_GUARD_POPULAR, "google.com", true, false},
        {"0.0.0.0 www.google.com", BL_GUARD_POPULAR, "www.google.com", false, false},
        {"||big.com^", BL_GUARD_POPULAR, "big.com", true, false},
        {"0.0.0.0 big.com", -1, "", false, false},
        {"0.0.0.0 school.de", BL_GUARD_USED, "school.de", false, false},
        {"0.0.0.0 learn.school.de", BL_GUARD_USED, "learn.school.de", false, false},
        {"||learn.school.de^", BL_GUARD_USED, "learn.school.de", false, false},
        {"||ads.school.de^", -1, "", false, false},
        {"@@||google.com^", -1, "", false, false},
        {"@@||com^", BL_GUARD_SUFFIX, "com", true, false},
        {"||google.com^", -1, "", false, true},
        {"||de^", BL_GUARD_SUFFIX, "de", true, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bl_guard_names n;
        char text[DNS_NAME_TEXT] = "";
        uint8_t *marks = read_text(guard, rows[i].text, rows[i].as_allow);
        bool any = bl_guard_compare(guard, NULL, marks, &n);
        bool want = rows[i].kind >= 0;
        if (n.shown > 0) {
            dns_name_format(&n.name[0].name, text);
        }
        if (any != want || strcmp(text, rows[i].name) != 0 || n.shown != (want ? 1 : 0) ||
            (want && ((int)n.name[0].kind != rows[i].kind || n.name[0].below != rows[i].below ||
                      n.count[rows[i].kind] != 1))) {
            fail_msg("%s: %d, %u shown, %s", rows[i].text, any, n.shown, text);
        }
        if (want) {
            assert_true(bl_guard_any(guard, marks));
        }
        free(marks);
    }
}

static void what_was_there_before_is_fine(void **state)
{
    (void)state;
    struct bl_guard_names n;
    uint8_t *before = read_text(guard, "0.0.0.0 google.com\n||github.io^\n0.0.0.0 x.ck\n", false);
    uint8_t *same = read_text(guard, "||github.io^\n0.0.0.0 google.com\n0.0.0.0 y.ck\n", false);
    uint8_t *more = read_text(guard, "||google.com^\n||github.io^\n||com^\n", false);
    assert_false(bl_guard_compare(guard, before, same, &n));
    assert_true(bl_guard_compare(guard, before, more, &n));
    assert_int_equal(n.count[BL_GUARD_SUFFIX], 1);
    assert_int_equal(n.count[BL_GUARD_POPULAR], 1); /* all below is new */
    assert_int_equal(n.count[BL_GUARD_USED], 0);
    free(before);
    free(same);
    free(more);
}

static void says_why(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t before, after;
        const char *want;
    } rows[] = {
        {"||com^", 0, 0, "adds a public suffix (com and all below)"},
        {"0.0.0.0 google.com\n0.0.0.0 www.google.com\n0.0.0.0 school.de", 0, 0,
         "adds 2 of the most-used names (www.google.com, google.com), "
         "a name that was used here daily (school.de)"},
        {"0.0.0.0 a.example", 300, 100, "only 100 rules where 300 were before"},
        {"||com^", 300, 100,
         "adds a public suffix (com and all below); 100 rules where 300 were before"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bl_guard_names n;
        char text[512];
        struct strbuf out;
        strbuf_init(&out, text, sizeof text);
        uint8_t *marks = read_text(guard, rows[i].text, false);
        bool any = bl_guard_compare(guard, NULL, marks, &n);
        bl_guard_reason(any ? &n : NULL, rows[i].before, rows[i].after, &out);
        /* The order within a kind is that of the table. */
        if (strcmp(text, rows[i].want) != 0 && strlen(text) != strlen(rows[i].want)) {
            fail_msg("'%s', expected '%s'", text, rows[i].want);
        }
        free(marks);
    }
}

static void more_than_a_third(void **state)
{
    (void)state;
    static const struct {
        uint32_t before, after;
        bool want;
    } rows[] = {{0, 0, false},
                {0, 5, false},
                {3, 2, false},
                {3, 1, true},
                {300, 200, false},
                {300, 199, true},
                {100, 150, false},
                {1, 0, true},
                {4000000000U, 2666666666U, true},
                {4000000000U, 2666666667U, false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(bl_guard_shrunk(rows[i].before, rows[i].after), rows[i].want);
    }
}

/* The names inside the program. */
static void the_built_in_names_are_names(void **state)
{
    (void)state;
    struct bl_guard_sources s = bl_guard_builtin();
    struct bl_guard *g;
    struct bl_guard_names n;
    void *room = malloc(bl_guard_memory(&s));
    assert_non_null(room);
    assert_int_equal(bl_guard_init(&g, room, bl_guard_memory(&s), &s), ERR_OK);
    uint8_t *marks = read_text(g,
                               "||com^\n||co.uk^\n0.0.0.0 captive.apple.com\n||xn--55qx5d.cn^\n"
                               "0.0.0.0 x.kawasaki.jp\n0.0.0.0 city.kawasaki.jp\n"
                               "||doubleclick.net^\n||ads.example^\n",
                               false);
    assert_true(bl_guard_compare(g, NULL, marks, &n));
    assert_int_equal(n.count[BL_GUARD_SUFFIX], 4);
    assert_int_equal(n.count[BL_GUARD_POPULAR], 1);
    assert_true(bl_guard_memory(&s) < 1024 * 1024); /* docs/limits.md */
    free(marks);
    free(room);
}

/* ---- differences ---- */

static struct bl_rule rule_of(const char *name, uint8_t kind)
{
    struct bl_rule r = {.kind = kind, .rank = BL_RANK_BLOCK};
    assert_int_equal(dns_name_parse(span_str(name), &r.name), ERR_OK);
    return r;
}

static void feed(struct bl_diff *d, unsigned from, unsigned to)
{
    char name[32];
    for (unsigned i = from; i < to; i++) {
        snprintf(name, sizeof name, "n%u.example", i);
        struct bl_rule r = rule_of(name, BL_EXACT);
        bl_diff_rule(d, &r);
        if (i % 3 == 0) {
            bl_diff_rule(d, &r); /* said twice */
        }
    }
}

static void counts_are_right_in_any_number_of_passes(void **state)
{
    (void)state;
    static const struct {
        unsigned before, from, after;
        uint32_t told; /* rules that are announced */
    } rows[] = {{0, 0, 0, 0},          {10, 0, 10, 20},        {10, 5, 30, 35},
                {0, 0, 700, 700},      {700, 700, 700, 700},   {1000, 10, 1010, 2000},
                {9000, 500, 9600, 64}, {30000, 100, 30100, 1}, {100, 0, 9000, 100}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bl_diff *d;
        enum bl_diff_text which;
        unsigned passes = 0;
        size_t len = bl_diff_memory(rows[i].told);
        void *room = malloc(len);
        assert_non_null(room);
        assert_int_equal(
            bl_diff_init(&d, room, len - 1024 * 8, rows[i].told, (struct siphash_key){1, 2}),
            ERR_SPACE);
        assert_int_equal(bl_diff_init(&d, room, len, rows[i].told, (struct siphash_key){1, 2}),
                         ERR_OK);
        do {
            passes++;
            while (bl_diff_text(d, &which)) {
                feed(d, which == BL_DIFF_BEFORE ? 0 : rows[i].from,
                     which == BL_DIFF_BEFORE ? rows[i].before : rows[i].after);
            }
        } while (bl_diff_again(d));
        unsigned end = rows[i].before < rows[i].after ? rows[i].before : rows[i].after;
        unsigned both = end > rows[i].from ? end - rows[i].from : 0;
        unsigned added = rows[i].after - rows[i].from - both, removed = rows[i].before - both;
        if (d->added.count != added || d->removed.count != removed ||
            d->added.shown != (added < BL_DIFF_SHOWN ? added : BL_DIFF_SHOWN) ||
            d->removed.shown != (removed < BL_DIFF_SHOWN ? removed : BL_DIFF_SHOWN)) {
            fail_msg("row %zu, %u passes: +%u -%u, expected +%u -%u", i, passes, d->added.count,
                     d->removed.count, added, removed);
        }
        if (rows[i].before > 4000) {
            assert_true(passes > 4);
        }
        free(room);
    }
}

static void another_kind_is_another_rule(void **state)
{
    (void)state;
    struct bl_diff *d;
    enum bl_diff_text which;
    size_t len = bl_diff_memory(4);
    void *room = malloc(len);
    assert_non_null(room);
    assert_int_equal(bl_diff_init(&d, room, len, 4, (struct siphash_key){1, 2}), ERR_OK);
    do {
        while (bl_diff_text(d, &which)) {
            struct bl_rule r = rule_of("ads.example", which == BL_DIFF_BEFORE ? BL_EXACT : BL_BOTH);
            bl_diff_rule(d, &r);
        }
    } while (bl_diff_again(d));
    assert_int_equal(d->added.count, 1);
    assert_int_equal(d->removed.count, 1);
    assert_int_equal(d->added.rule[0].kind, BL_BOTH);
    assert_int_equal(d->removed.rule[0].kind, BL_EXACT);
    free(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(takes_exception_to_what_matters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_there_before_is_fine, set_up, tear_down),
        cmocka_unit_test_setup_teardown(says_why, set_up, tear_down),
        cmocka_unit_test(more_than_a_third),
        cmocka_unit_test(the_built_in_names_are_names),
        cmocka_unit_test(counts_are_right_in_any_number_of_passes),
        cmocka_unit_test(another_kind_is_another_rule),
    };
    return UNIT_RUN(tests);
}
