/*
 * Verdicts against a model that looks at every rule: random rules and names, all kinds and ranks,
 * several lists and filters.
 */
#include <stdlib.h>

#include "lists_fixture.h"
#include "octets.h"
#include "unit.h"

/* The names are few and alike, so that rules meet: same names in many lists, above and below each
 * other. */
struct style {
    const char *why;
    const char *const *labels;
    unsigned label_count, depth, rules, lists;
};

static const char *const short_labels[] = {"a", "b", "ab", "abc", "c", "x-y", "_z"};
static const char *const mixed_labels[] = {
    "com",
    "net",
    "ads",
    "a",
    "aa",
    "aaa",
    "this-label-is-rather-long-so-that-its-code-spans-words",
    "0123456789012345678901234567890123456789012345678901234567890ab",
    "x",
    "xn--80ak6aa92e"};
static const char *const many_labels[] = {
    "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "b0", "b1", "b2", "b3",
    "b4", "b5", "b6", "b7", "b8", "b9", "c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7",
    "c8", "c9", "d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9"};

static const struct style styles[] = {
    {"dense: nearly every name has rules", short_labels, 7, 3, 300, 3},
    {"deep and sparse: runs of only children", short_labels, 7, 12, 40, 2},
    {"long labels", mixed_labels, 10, 4, 200, 5},
    {"fans: nodes with many children", many_labels, 40, 3, 3000, 4},
    {"one rule", short_labels, 7, 3, 1, 1},
    {"many lists", short_labels, 7, 3, 2000, 200},
};

static void random_name(struct test_random *r, const struct style *s, struct dns_name *out)
{
    char text[DNS_NAME_TEXT];
    size_t len = 0;
    unsigned labels = 1 + test_random_below(r, s->depth);
    for (unsigned i = 0; i < labels; i++) {
        const char *label = s->labels[test_random_below(r, s->label_count)];
        if (len + strlen(label) + 1 > 250) {
            break;
        }
        if (len > 0) {
            text[len++] = '.';
        }
        memcpy(text + len, label, strlen(label));
        len += strlen(label);
    }
    assert_int_equal(dns_name_parse(span_of(text, len), out), ERR_OK);
}

static int by_list(const void *a, const void *b)
{
    const struct fixture_rule *x = a, *y = b;
    if (x->list != y->list) {
        return (int)x->list - (int)y->list;
    }
    return x->rule.line < y->rule.line ? -1 : x->rule.line > y->rule.line;
}

static void random_rules(struct test_random *r, const struct style *s, struct fixture_rules *rules)
{
    for (unsigned i = 0; i < s->rules; i++) {
        struct bl_rule rule = {
            .kind = (uint8_t)(1 + test_random_below(r, 3)), .rank = 0, .line = 1 + i};
        if (test_random_below(r, 3) == 0) {
            rule.rank = (uint8_t)test_random_below(r, BL_RANK_COUNT);
        }
        random_name(r, s, &rule.name);
        rules_add_rule(rules, test_random_below(r, s->lists), &rule);
    }
    qsort(rules->rule, rules->count, sizeof *rules->rule, by_list);
}

static struct bl_list_set random_set(struct test_random *r)
{
    struct bl_list_set set;
    for (unsigned i = 0; i < BL_LISTS_MAX / 64; i++) {
        set.bits[i] =
            test_random_u64(r) & (test_random_below(r, 2) ? test_random_u64(r) : UINT64_MAX);
    }
    return set;
}

static void assert_same(const struct bl_verdict *got, const struct bl_verdict *want,
                        const struct dns_name *name, const char *why)
{
    if (got->action != want->action ||
        (got->action != BL_NONE && (got->rank != want->rank || got->label != want->label))) {
        char text[DNS_NAME_TEXT];
        dns_name_format(name, text);
        fail_msg("%s: %s: action %d rank %d label %d, expected %d %d %d", why, text, got->action,
                 got->rank, got->label, want->action, want->rank, want->label);
    }
}

/* Each rule of the model that bears on the name is told, and no other. */
static void assert_explained(const struct built *b, const struct fixture_rules *rules,
                             const struct dns_name *name, const struct bl_list_set *set,
                             const struct bl_verdict *want)
{
    static struct bl_hit hits[8192];
    struct bl_verdict v;
    size_t n = bl_explain(&b->image, name, set, hits, 8192, &v);
    assert_in_range(n, 0, 8192);
    assert_same(&v, want, name, "explained");
    unsigned applying = 0;
    for (size_t i = 0; i < n; i++) {
        const struct bl_hit *h = &hits[i];
        bool found = false;
        for (size_t k = 0; k < rules->count && !found; k++) {
            const struct bl_rule *r = &rules->rule[k].rule;
            found = rules->rule[k].list == h->source.list && r->line == h->source.line &&
                    r->rank == h->source.rank && (h->source.kind & r->kind) == h->source.kind &&
                    span_equal(dns_name_suffix(name, h->label), dns_name_suffix(&r->name, 0));
        }
        assert_true(found);
        bool fits = h->source.kind & (h->label == 0 ? BL_EXACT : BL_BELOW);
        assert_int_equal(h->applies, fits && (!set || bl_list_set_has(set, h->source.list)));
        assert_int_equal(h->wins, h->applies && h->source.rank == want->rank);
        applying += h->wins;
    }
    assert_int_equal(applying > 0, want->action != BL_NONE);
}

static void check_name(const struct built *b, const struct fixture_rules *rules,
                       const struct dns_name *name, const struct bl_list_set *set, const char *why)
{
    struct bl_verdict want = model_match(rules, name, set);
    struct bl_verdict got = image_match(&b->image, name, set);
    assert_same(&got, &want, name, why);
    if (got.action != BL_NONE) {
        struct bl_source sources[1024];
        size_t n = bl_image_sources(&b->image, got.rule, sources, 1024);
        bool found = false;
        for (size_t i = 0; i < n; i++) {
            found |= sources[i].rank == got.rank && (!set || bl_list_set_has(set, sources[i].list));
        }
        assert_true(found);
    }
}

static void agrees_with_the_model(void **state)
{
    (void)state;
    struct test_random r = {UINT64_C(0x51f0b10c)};
    for (size_t s = 0; s < ARRAY_LEN(styles); s++) {
        for (unsigned round = 0; round < 12; round++) {
            struct fixture_rules rules = {0};
            struct built b;
            random_rules(&r, &styles[s], &rules);
            built_make(&b, &rules, 1u << round % 7);
            for (unsigned i = 0; i < 200; i++) {
                struct dns_name name;
                struct bl_list_set set = random_set(&r);
                random_name(&r, &styles[s], &name);
                check_name(&b, &rules, &name, NULL, styles[s].why);
                check_name(&b, &rules, &name, &set, styles[s].why);
                check_name(&b, &rules,
                           &rules.rule[test_random_below(&r, (uint32_t)rules.count)].rule.name,
                           &set, styles[s].why);
                if (i % 10 == 0) {
                    struct bl_verdict want = model_match(&rules, &name, &set);
                    assert_explained(&b, &rules, &name, &set, &want);
                    want = model_match(&rules, &name, NULL);
                    assert_explained(&b, &rules, &name, NULL, &want);
                }
            }
            built_free(&b);
            fixture_rules_free(&rules);
        }
    }
}

/* Two lists and every combination of them, rule by rule. */
static void filter_uncovers_the_next_rule(void **state)
{
    (void)state;
    struct fixture_rules rules = {0};
    struct built b;
    rules_add(&rules, 0, "ads.example", BL_BOTH, BL_RANK_BLOCK, 1);
    rules_add(&rules, 1, "ads.example", BL_BOTH, BL_RANK_ALLOW, 2);
    rules_add(&rules, 2, "example", BL_BELOW, BL_RANK_IMPORTANT_BLOCK, 3);
    rules_add(&rules, 3, "x.ads.example", BL_EXACT, BL_RANK_IMPORTANT_ALLOW, 4);
    built_make(&b, &rules, 1);
    for (unsigned bits = 0; bits < 16; bits++) {
        struct bl_list_set set = {{bits}};
        struct bl_verdict v = built_match(&b, "x.ads.example", &set);
        unsigned want = bits & 8   ? BL_ALLOW
                        : bits & 4 ? BL_BLOCK
                        : bits & 2 ? BL_ALLOW
                        : bits & 1 ? BL_BLOCK
                                   : BL_NONE;
        assert_int_equal(v.action, want);
        if (v.action != BL_NONE) {
            assert_int_equal(v.label, bits & 8 ? 0 : bits & 4 ? 2 : 1);
        }
    }
    built_free(&b);
    fixture_rules_free(&rules);
}

/*
 * Enough names that tags of eight bits and buckets coincide often: every one is found, and none
 * whose last letter differs. Once a look-up went on with the wrong label after a record of several
 * labels had the same tag as the right one.
 */
static void many_names_share_tags(void **state)
{
    (void)state;
    enum { NAMES = 60000 };
    struct test_random r = {7};
    struct fixture_rules rules = {0};
    struct built b;
    for (unsigned i = 0; i < NAMES; i++) {
        char text[80];
        size_t len = 0;
        unsigned labels = 1 + test_random_below(&r, 4);
        for (unsigned k = 0; k < labels; k++) {
            unsigned n = 2 + test_random_below(&r, k + 1 == labels ? 20 : 6);
            for (unsigned j = 0; j < n; j++) {
                text[len++] = (char)('a' + test_random_below(&r, 25));
            }
            text[len++] = '.';
        }
        memcpy(text + len, "com", 4);
        rules_add(&rules, 0, text, BL_EXACT, BL_RANK_BLOCK, i + 1);
    }
    built_make(&b, &rules, 1);
    for (size_t i = 0; i < rules.count; i++) {
        struct dns_name *name = &rules.rule[i].rule.name;
        struct bl_source source;
        struct bl_verdict v = image_match(&b.image, name, NULL);
        assert_int_equal(v.action, BL_BLOCK);
        assert_int_equal(bl_image_sources(&b.image, v.rule, &source, 1), 1);
        assert_in_range(source.line, 1, i + 1);
        name->wire[name->off[0] + name->wire[name->off[0]]] = 'z';
        assert_int_equal(image_match(&b.image, name, NULL).action, BL_NONE);
    }
    built_free(&b);
    fixture_rules_free(&rules);
}

/* Octets that no rule has, and names that look like others once lengths and dots are confused. */
static void strange_names_are_not_mistaken(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *text;
        unsigned action;
    } rows[] = {
        {"the rule itself", "ads.track.example.com", BL_BLOCK},
        {"a dot inside of a label", "ads\\.track.example.com", BL_NONE},
        {"a dot inside of the last label", "ads.track.example\\.com", BL_NONE},
        {"all in one label", "ads\\.track\\.example\\.com", BL_NONE},
        {"a zero octet at the end of a label", "ads\\000.track.example.com", BL_NONE},
        {"an octet beyond ASCII", "ads\\228.track.example.com", BL_NONE},
        {"capitals are lowered before", "ADS.Track.EXAMPLE.com", BL_BLOCK},
        {"a length octet inside of a label", "ads.track\\007example\\003com", BL_NONE},
        {"the run of only children, cut", "track.example.com", BL_NONE},
        {"the run, in part", "example.com", BL_NONE},
        {"another last label in the run", "adr.track.example.com", BL_NONE},
        {"another middle label", "ads.trick.example.com", BL_NONE},
        {"below an exact rule", "x.ads.track.example.com", BL_NONE},
        {"one label", "com", BL_NONE},
        {"the root", ".", BL_NONE},
    };
    struct fixture_rules rules = {0};
    struct built b;
    rules_add(&rules, 0, "ads.track.example.com", BL_EXACT, BL_RANK_BLOCK, 1);
    built_make(&b, &rules, 1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (built_match(&b, rows[i].text, NULL).action != rows[i].action) {
            fail_msg("%s", rows[i].why);
        }
    }
    built_free(&b);
    fixture_rules_free(&rules);
}

static void rules_on_top_level_domains(void **state)
{
    (void)state;
    struct fixture_rules rules = {0};
    struct built b;
    rules_add(&rules, 0, "zip", BL_BOTH, BL_RANK_BLOCK, 1);
    rules_add(&rules, 0, "mov", BL_BELOW, BL_RANK_BLOCK, 2);
    rules_add(&rules, 1, "good.zip", BL_BOTH, BL_RANK_ALLOW, 1);
    rules_add(&rules, 1, "a-top-level-domain-with-a-long-name", BL_BOTH, BL_RANK_BLOCK, 2);
    built_make(&b, &rules, 1);
    assert_int_equal(built_match(&b, "zip", NULL).action, BL_BLOCK);
    assert_int_equal(built_match(&b, "a.b.zip", NULL).action, BL_BLOCK);
    assert_int_equal(built_match(&b, "a.b.zip", NULL).label, 2);
    assert_int_equal(built_match(&b, "good.zip", NULL).action, BL_ALLOW);
    assert_int_equal(built_match(&b, "x.good.zip", NULL).action, BL_ALLOW);
    assert_int_equal(built_match(&b, "mov", NULL).action, BL_NONE);
    assert_int_equal(built_match(&b, "a.mov", NULL).action, BL_BLOCK);
    assert_int_equal(built_match(&b, "x.a-top-level-domain-with-a-long-name", NULL).action,
                     BL_BLOCK);
    assert_int_equal(built_match(&b, "x.a-top-level-domain-with-a-long-nama", NULL).action,
                     BL_NONE);
    assert_int_equal(built_match(&b, "zi", NULL).action, BL_NONE);
    assert_int_equal(built_match(&b, "a.zipp", NULL).action, BL_NONE);
    struct bl_source s[4];
    assert_int_equal(bl_image_sources(&b.image, built_match(&b, "zip", NULL).rule, s, 4), 1);
    assert_int_equal(s[0].line, 1);
    built_free(&b);
    fixture_rules_free(&rules);
}

/* The longest name and the most labels that there are. */
static void longest_names(void **state)
{
    (void)state;
    char deep[260] = "", wide[260] = "";
    for (unsigned i = 0; i < 127; i++) {
        memcpy(deep + 2 * i, "a.", 3);
    }
    deep[253] = '\0';
    for (unsigned i = 0; i < 253; i++) {
        wide[i] = i % 64 == 63 ? '.' : (char)("q9_-zxj"[i % 7]);
    }
    wide[252] = 'z';
    struct fixture_rules rules = {0};
    struct built b;
    rules_add(&rules, 0, deep, BL_BOTH, BL_RANK_BLOCK, 1);
    rules_add(&rules, 0, wide, BL_EXACT, BL_RANK_BLOCK, 2);
    rules_add(&rules, 0, deep + 2, BL_EXACT, BL_RANK_BLOCK, 3);
    built_make(&b, &rules, 1);
    assert_int_equal(built_match(&b, deep, NULL).action, BL_BLOCK);
    assert_int_equal(built_match(&b, deep, NULL).label, 0);
    assert_int_equal(built_match(&b, deep + 2, NULL).action, BL_BLOCK);
    assert_int_equal(built_match(&b, deep + 4, NULL).action, BL_NONE);
    assert_int_equal(built_match(&b, wide, NULL).action, BL_BLOCK);
    wide[0] = 'w';
    assert_int_equal(built_match(&b, wide, NULL).action, BL_NONE);
    built_free(&b);
    fixture_rules_free(&rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_model),
        cmocka_unit_test(filter_uncovers_the_next_rule),
        cmocka_unit_test(many_names_share_tags),
        cmocka_unit_test(strange_names_are_not_mistaken),
        cmocka_unit_test(rules_on_top_level_domains),
        cmocka_unit_test(longest_names),
    };
    return UNIT_RUN(tests);
}
