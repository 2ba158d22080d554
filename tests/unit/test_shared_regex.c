/*
 * The engine: what it takes, what it refuses and how it says so; sets of published expressions
 * against each expression alone; several threads in one set.
 */
#include "shared/regex_pcre2.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "lists_fixture.h"
#include "unit.h"

static void good_ones(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "^ad([sxv]?[0-9]*|system)[_.-]([^.[:space:]]+\\.){1,}|[_.-]ad([sxv]?[0-9]*|system)[_.-]",
        "^(.+[_.-])?adse?rv(er?|ice)?s?[0-9]*[_.-]",
        "(^|\\.)giraffic\\.com$",
        "^[a-rt-z][a-z]{10,14}$",
        "^api\\..*\\.hismarttv\\.com$",
        "^(?=.*ads)(?=.*track).*$",
        "^(.)(.)\\2\\1\\.",
        "ADS",
        ".*",
        "^([a-z0-9-]+\\.)*tracker[0-9]+\\.",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char why[REGEX_WHY_MAX] = "";
        if (regex_check(span_str(rows[i]), why) != ERR_OK) {
            fail_msg("%s: %s", rows[i], why);
        }
    }
}

static void bad_ones_are_told_why(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *says;
    } rows[] = {
        {"(ads", "character 4: missing closing parenthesis"},
        {"[a-z", "character 4: missing terminating ]"},
        {"a**+*", "character"},
        {"\\C", "character"},
        {"(*UTF)a", "(* at the start"},
        {"a;querytype=A", "querytype"},
        {"", "empty"},
        {"(((a{1,60}){1,60}){1,60}){1,60}", "too large"},
        {"(a+)+$", "steps"},
        {"(a|aa)+$", "steps"},
        {"(x+x+)+y", "steps"},
        {"^(([a-z])+.)+[A-Z]([a-z])+$", "steps"},
        {"^(.*\\.)*ads\\.", "steps"},
        {"(.*\\.)?ads?[0-9]*\\..*", "a ^ at its start"},
        {"([a-zA-Z]+)*x", "steps"},
        {"(a|a?)+b", "steps"},
        {"((((((((((((((((((((((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))))))))))"
         "))))))))))))))))",
         "character"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char why[REGEX_WHY_MAX] = "";
        if (regex_check(span_str(rows[i].pattern), why) != ERR_FORMAT ||
            !strstr(why, rows[i].says)) {
            fail_msg("%s: said \"%s\", expected \"%s\"", rows[i].pattern, why, rows[i].says);
        }
    }
}

static const char *const published[] = {
    "^ad([sxv]?[0-9]*|system)[_.-]([^.[:space:]]+\\.){1,}|[_.-]ad([sxv]?[0-9]*|system)[_.-]",
    "^(.+[_.-])?adse?rv(er?|ice)?s?[0-9]*[_.-]",
    "^(.+[_.-])?telemetry[_.-]",
    "^adim(age|g)s?[0-9]*[_.-]",
    "^adtrack(er|ing)?[0-9]*[_.-]",
    "^advert(s|is(ing|ements?))?[0-9]*[_.-]",
    "^aff(iliat(es?|ion))?[_.-]",
    "^analytics?[_.-]",
    "^banners?[_.-]",
    "^beacons?[0-9]*[_.-]",
    "^count(ers?)?[0-9]*[_.-]",
    "^mads\\.",
    "^pixels?[-.]",
    "^stat(s|istics)?[0-9]*[_.-]",
    "(^|\\.)giraffic\\.com$",
    "^[a-rt-z][a-z]{10,14}$",
    "^api\\..*\\.hismarttv\\.com$",
};

static struct regex_set *make_set(unsigned users, bool machine_code)
{
    struct regex_source sources[ARRAY_LEN(published)];
    struct regex_set *set;
    for (size_t i = 0; i < ARRAY_LEN(published); i++) {
        sources[i] = (struct regex_source){.pattern = span_str(published[i]),
                                           .rule = {.list = 1, .own = {.id = (uint32_t)i}}};
    }
    const struct regex_set_config cfg = {.users = users, .machine_code = machine_code};
    assert_int_equal(regex_set_new(sources, ARRAY_LEN(published), &cfg, &set), ERR_OK);
    return set;
}

/* Names out of pieces that expressions look for. */
static void random_name(struct rng *rng, char out[256])
{
    static const char *const pieces[] = {
        "ad",  "ads",       "adserv", "er",  "telemetry", "stats",    "-",        "_",        ".",
        "1",   "beacon",    "pixels", "x",   "mads",      "giraffic", "com",      "a",        "tv",
        "api", "hismarttv", "count",  "img", "adim",      "age",      "analytic", "trackingg"};
    size_t n = 1 + rng_u64(rng) % 7, len = 0;
    for (size_t i = 0; i < n; i++) {
        const char *p = pieces[rng_u64(rng) % ARRAY_LEN(pieces)];
        memcpy(out + len, p, strlen(p));
        len += strlen(p);
    }
    out[len] = '\0';
}

static void the_sieve_spares_no_match(void **state)
{
    (void)state;
    struct regex_set *plain = make_set(1, false), *jit = make_set(1, true);
    const struct bl_regexes *set = regex_set_get(plain), *fast = regex_set_get(jit);
    uint8_t seed[32] = {7};
    struct rng rng;
    unsigned matches = 0, spared = 0;
    rng_init(&rng, seed);
    for (int round = 0; round < 20000; round++) {
        char text[256];
        struct bl_sieve has;
        random_name(&rng, text);
        bl_sieve_of_text(text, strlen(text), &has);
        for (uint32_t i = 0; i < set->count; i++) {
            bool yes = set->match(set, i, 0, text, strlen(text)) == BL_REGEX_YES;
            bool let = bl_sieve_lets(&has, &set->rules[i].needs);
            matches += yes;
            spared += !let;
            if (yes && !let) {
                fail_msg("%.*s matches %s", (int)set->rules[i].text.len,
                         (const char *)set->rules[i].text.ptr, text);
            }
            assert_int_equal(fast->match(fast, i, 0, text, strlen(text)) == BL_REGEX_YES, yes);
        }
    }
    assert_true(matches > 1000);
    assert_true(spared > 20000);
    regex_set_free(plain);
    regex_set_free(jit);
}

/* Index, first letters and lengths beside trying each expression. */
static void a_search_finds_what_trying_all_finds(void **state)
{
    (void)state;
    struct regex_set *made = make_set(1, false);
    const struct bl_regexes *set = regex_set_get(made);
    const struct bl_regex_asker anybody = {.whose = NULL};
    uint8_t seed[32] = {9};
    struct rng rng;
    unsigned matches = 0, asked = 0, names = 0;
    rng_init(&rng, seed);
    for (int round = 0; round < 20000; round++) {
        char text[256], back[DNS_NAME_TEXT];
        struct dns_name name;
        struct bl_regex_verdict v;
        random_name(&rng, text);
        if (dns_name_parse(span_str(text), &name) != ERR_OK || name.labels == 0) {
            continue;
        }
        size_t len = dns_name_format(&name, back);
        uint32_t first = 0;
        while (first < set->count && set->match(set, first, 0, back, len) != BL_REGEX_YES) {
            first++;
        }
        bl_regex_match(set, &name, &anybody, &v);
        if (v.rule != (first < set->count ? first : BL_RULE_NONE)) {
            fail_msg("%s: rule %u, expected %u of %u", text, v.rule, first, set->count);
        }
        names++;
        matches += first < set->count;
        asked += v.asked;
    }
    assert_true(matches > 1000 && matches < names - 1000);
    assert_true(asked < names * set->count / 8);
    regex_set_free(made);
}

static void names_that_need_escapes_are_seen_as_they_are_written(void **state)
{
    (void)state;
    static const uint8_t wire[][16] = {"\4a.ds\3com", "\3a\001b\3com", "\3\\ds\3com", "\2ad\3c;m"};
    for (size_t i = 0; i < ARRAY_LEN(wire); i++) {
        struct dns_name name;
        struct bl_regex_name seen;
        struct bl_sieve has;
        char text[DNS_NAME_TEXT];
        size_t len = strlen((const char *)wire[i]) + 1;
        assert_int_equal(dns_name_from_wire(wire[i], len, &name), ERR_OK);
        bl_regex_name_make(&name, &seen);
        assert_int_equal(dns_name_format(&name, text), seen.len);
        assert_string_equal(text, seen.text);
        bl_sieve_of_text(text, seen.len, &has);
        assert_true(bl_sieve_lets(&seen.has, &has));
        assert_int_equal(seen.first, bl_letter_bit((uint8_t)text[0]));
    }
}

static void count_refused(void *ctx, const struct regex_source *source, const char *why)
{
    assert_int_equal(source->rule.own.id, 12);
    assert_non_null(strstr(why, "steps"));
    ++*(unsigned *)ctx;
}

static void a_set_stands_by_rank_without_the_bad_ones(void **state)
{
    (void)state;
    const struct regex_source sources[] = {
        {span_str("ads"), {.rank = BL_RANK_BLOCK, .list = 3, .own = {.id = 10}}},
        {span_str("good"), {.rank = BL_RANK_ALLOW, .list = 3, .own = {.id = 11}}},
        {span_str("(a+)+$"), {.rank = BL_RANK_BLOCK, .list = 3, .own = {.id = 12}}},
        {span_str("mine"), {.rank = BL_RANK_OWN_DENY, .list = BL_REGEX_OWN, .own = {.id = 13}}},
    };
    struct regex_set *set, *again, *none;
    unsigned refused = 0;
    struct regex_set_config cfg = {.users = 2, .refused = count_refused, .ctx = &refused};
    assert_int_equal(regex_set_new(sources, 4, &cfg, &set), ERR_OK);
    const struct bl_regexes *s = regex_set_get(set);
    assert_int_equal(refused, 1);
    assert_int_equal(s->count, 3);
    assert_int_equal(s->rules[0].own.id, 13);
    assert_int_equal(s->rules[1].own.id, 11);
    assert_int_equal(s->rules[2].own.id, 10);
    assert_memory_equal(s->rules[0].text.ptr, "mine", 4);
    assert_int_equal(regex_set_compiled(set), 0);
    cfg.known[1] = set;
    assert_int_equal(regex_set_new(sources, 4, &cfg, &again), ERR_OK);
    assert_int_equal(refused, 1); /* what was not taken is not tried again, nor told */
    assert_int_equal(regex_set_get(again)->count, 3);
    assert_int_equal(regex_set_new(sources + 2, 1, &cfg, &none), ERR_OK);
    assert_null(regex_set_get(none));
    regex_set_free(none);
    assert_int_equal(regex_set_new(sources, 0, &cfg, &none), ERR_OK);
    assert_null(none);
    assert_null(regex_set_get(none));
    regex_set_free(set);
    regex_set_free(again);
    regex_set_free(NULL);
}

static void breathe(void *ctx)
{
    ++*(unsigned *)ctx;
}

static void a_set_for_nobody_only_tries(void **state)
{
    (void)state;
    const struct regex_source sources[] = {{span_str("ads"), {.own = {.id = 11}}},
                                           {span_str("(a+)+$"), {.own = {.id = 12}}}};
    struct regex_set *tried, *set;
    unsigned breaths = 0, refused = 0;
    const struct regex_set_config trying = {.breathe = breathe, .ctx = &breaths};
    assert_int_equal(regex_set_new(sources, 2, &trying, &tried), ERR_OK);
    assert_int_equal(breaths, 2);
    assert_null(regex_set_get(tried));
    const struct regex_set_config cfg = {
        .users = 1, .known = {tried}, .refused = count_refused, .ctx = &refused};
    assert_int_equal(regex_set_new(sources, 2, &cfg, &set), ERR_OK);
    assert_int_equal(regex_set_get(set)->count, 1);
    assert_int_equal(refused, 0);
    regex_set_free(tried);
    regex_set_free(set);
}

static void more_than_the_bound_are_left_out(void **state)
{
    (void)state;
    struct regex_source *sources = calloc(BL_REGEXES_MAX + 5, sizeof *sources);
    struct regex_set *set;
    assert_non_null(sources);
    for (uint32_t i = 0; i < BL_REGEXES_MAX + 5; i++) {
        sources[i] = (struct regex_source){span_str("a.b"), {.own = {.id = i}}};
    }
    /* The first makes the others known. */
    struct regex_set *known;
    struct regex_set_config cfg = {.users = 1};
    assert_int_equal(regex_set_new(sources, 1, &cfg, &known), ERR_OK);
    cfg.known[0] = known;
    assert_int_equal(regex_set_new(sources, BL_REGEXES_MAX + 5, &cfg, &set), ERR_OK);
    assert_int_equal(regex_set_get(set)->count, BL_REGEXES_MAX);
    regex_set_free(set);
    regex_set_free(known);
    free(sources);
}

struct asking {
    const struct bl_regexes *set;
    unsigned user;
    unsigned matches;
};

static void *ask_much(void *arg)
{
    struct asking *a = arg;
    uint8_t seed[32] = {11};
    struct rng rng;
    rng_init(&rng, seed);
    for (int round = 0; round < 2000; round++) {
        char text[256];
        struct bl_regex_verdict v;
        struct dns_name name;
        random_name(&rng, text);
        if (dns_name_parse(span_str(text), &name) == ERR_OK) {
            bl_regex_match(a->set, &name, &(struct bl_regex_asker){.user = a->user}, &v);
            a->matches += v.rule != BL_RULE_NONE;
        }
    }
    return NULL;
}

static void threads_share_a_set(void **state)
{
    (void)state;
    struct regex_set *set = make_set(4, false);
    struct asking asking[4];
    pthread_t thread[4];
    for (unsigned i = 0; i < 4; i++) {
        asking[i] = (struct asking){.set = regex_set_get(set), .user = i};
        assert_int_equal(pthread_create(&thread[i], NULL, ask_much, &asking[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(asking[i].matches, asking[0].matches);
    }
    assert_true(asking[0].matches > 100);
    regex_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones),
        cmocka_unit_test(bad_ones_are_told_why),
        cmocka_unit_test(the_sieve_spares_no_match),
        cmocka_unit_test(a_search_finds_what_trying_all_finds),
        cmocka_unit_test(names_that_need_escapes_are_seen_as_they_are_written),
        cmocka_unit_test(a_set_stands_by_rank_without_the_bad_ones),
        cmocka_unit_test(a_set_for_nobody_only_tries),
        cmocka_unit_test(more_than_the_bound_are_left_out),
        cmocka_unit_test(threads_share_a_set),
    };
    return UNIT_RUN(tests);
}
