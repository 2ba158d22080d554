/*
 * Which expression decides, with an engine that only knows words; the sieve by hand.
 */
#include "blocklist/regex.h"

#include "lists_fixture.h"
#include "unit.h"

static unsigned asked;

/* An expression "word" matches a text that holds it; "?" gives up. */
static enum bl_regex_result match_word(const struct bl_regexes *set, uint32_t i, unsigned user,
                                       const char *text, size_t len)
{
    char word[64] = "";
    memcpy(word, set->rules[i].text.ptr, set->rules[i].text.len);
    assert_int_equal(user, 3);
    assert_int_equal(strlen(text), len);
    asked++;
    return word[0] == '?' ? BL_REGEX_GAVE_UP : strstr(text, word) ? BL_REGEX_YES : BL_REGEX_NO;
}

static struct bl_regex_rule rule(const char *text, unsigned rank, uint16_t list, uint32_t id)
{
    struct bl_regex_rule r = {.text = span_str(text),
                              .own = {.groups = list == BL_REGEX_OWN ? 1 : 0, .id = id},
                              .list = list,
                              .rank = (uint8_t)rank};
    return r;
}

static struct bl_regex_verdict ask(const struct bl_regexes *set, const char *text, uint64_t groups,
                                   const struct bl_list_set *lists, usec_t now)
{
    struct dns_name name = fixture_name(text);
    const struct bl_asker asker = {.groups = groups};
    const struct bl_filter filter = {.lists = lists ? *lists : (struct bl_list_set){{0}}};
    const struct bl_regex_asker who = {
        .whose = &asker, .filter = lists ? &filter : NULL, .now = now, .user = 3};
    struct bl_regex_verdict v;
    asked = 0;
    bl_regex_match(set, &name, &who, &v);
    assert_int_equal(v.asked, asked);
    return v;
}

static void the_first_in_rank_decides(void **state)
{
    (void)state;
    const struct bl_regex_rule rules[] = {
        rule("good", BL_RANK_OWN_ALLOW, BL_REGEX_OWN, 1),
        rule("ads", BL_RANK_OWN_DENY, BL_REGEX_OWN, 2),
        rule("ads", BL_RANK_IMPORTANT_BLOCK, 5, 40),
        rule("plain", BL_RANK_BLOCK, 6, 41),
    };
    const struct bl_regexes set = {.rules = rules, .count = 4, .match = match_word};
    assert_int_equal(ask(&set, "good.ads.example", 1, NULL, 0).rule, 0);
    assert_int_equal(ask(&set, "ads.example", 1, NULL, 0).rule, 1);
    assert_int_equal(ask(&set, "ads.example", 2, NULL, 0).rule, 2); /* own ones of another group */
    assert_int_equal(ask(&set, "plain.example", 1, NULL, 0).rule, 3);
    assert_int_equal(ask(&set, "x.example", 1, NULL, 0).rule, BL_RULE_NONE);
    assert_int_equal(ask(&set, ".", 1, NULL, 0).rule, BL_RULE_NONE);
    assert_int_equal(asked, 0);
}

static void lists_that_do_not_count_are_not_asked(void **state)
{
    (void)state;
    const struct bl_regex_rule rules[] = {rule("ads", BL_RANK_BLOCK, 5, 1),
                                          rule("ads", BL_RANK_BLOCK, 200, 2)};
    const struct bl_regexes set = {.rules = rules, .count = 2, .match = match_word};
    struct bl_list_set lists = {{0}};
    assert_int_equal(ask(&set, "ads.example", 1, &lists, 0).rule, BL_RULE_NONE);
    assert_int_equal(asked, 0);
    bl_list_set_add(&lists, 200);
    assert_int_equal(ask(&set, "ads.example", 1, &lists, 0).rule, 1);
}

static void a_rule_ends_and_the_verdict_says_when(void **state)
{
    (void)state;
    struct bl_regex_rule rules[] = {rule("ads", BL_RANK_OWN_DENY, BL_REGEX_OWN, 1)};
    const struct bl_regexes set = {.rules = rules, .count = 1, .match = match_word};
    assert_true(ask(&set, "ads.example", 1, NULL, 5).until == USEC_NEVER);
    rules[0].own.expires = 10;
    struct bl_regex_verdict v = ask(&set, "ads.example", 1, NULL, 9);
    assert_int_equal(v.rule, 0);
    assert_int_equal(v.until, 10);
    v = ask(&set, "ads.example", 1, NULL, 10);
    assert_int_equal(v.rule, BL_RULE_NONE);
    assert_true(v.until == USEC_NEVER);
}

static void giving_up_is_no_match_and_ends(void **state)
{
    (void)state;
    struct bl_regex_rule rules[BL_REGEX_GIVE_UPS + 1];
    for (unsigned i = 0; i < BL_REGEX_GIVE_UPS; i++) {
        rules[i] = rule("?", BL_RANK_OWN_DENY, BL_REGEX_OWN, i);
    }
    rules[BL_REGEX_GIVE_UPS] = rule("ads", BL_RANK_BLOCK, 0, 9);
    struct bl_regexes set = {.rules = rules, .count = BL_REGEX_GIVE_UPS + 1, .match = match_word};
    struct bl_regex_verdict v = ask(&set, "ads.example", 1, NULL, 0);
    assert_int_equal(v.rule, BL_RULE_NONE);
    assert_int_equal(v.gave_up, BL_REGEX_GIVE_UPS);
    assert_int_equal(asked, BL_REGEX_GIVE_UPS);
    set.rules = rules + 1; /* one fewer: the last is asked */
    set.count = BL_REGEX_GIVE_UPS;
    assert_int_equal(ask(&set, "ads.example", 1, NULL, 0).rule, BL_REGEX_GIVE_UPS - 1);
}

static void one_rule_by_hand(void **state)
{
    (void)state;
    const struct bl_regex_rule rules[] = {rule("ads", BL_RANK_BLOCK, 5, 1)};
    const struct bl_regexes set = {.rules = rules, .count = 1, .match = match_word};
    struct dns_name name = fixture_name("ads.example");
    const struct bl_filter none = {.effects = NULL};
    struct bl_regex_asker who = {.user = 3};
    assert_true(bl_regex_matches(&set, 0, &name, &who));
    who.filter = &none;
    assert_false(bl_regex_matches(&set, 0, &name, &who));
}

/* Does the sieve let the text through to the expression? */
static bool lets(const char *pattern, const char *text)
{
    struct bl_sieve needs, has;
    bl_sieve_of_pattern(span_str(pattern), &needs);
    bl_sieve_of_text(text, strlen(text), &has);
    return bl_sieve_lets(&has, &needs);
}

static void the_sieve_keeps_out_what_cannot_match(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool lets;
        const char *why;
    } rows[] = {
        {"^ads\\.", "www.example.org", false, "letters that are not there"},
        {"^ads\\.", "ads.example.org", true, "letters that are there"},
        {"ADS\\.", "ads.example.org", true, "case of the expression"},
        {"(^|\\.)tracker\\.com$", "www.example.com", false, "after a group"},
        {"(^|\\.)tracker\\.com$", "a.tracker.com", true, "after a group"},
        {"colou?r", "color.example", true, "an optional letter"},
        {"colou*r", "color.example", true, "a letter that may be left out"},
        {"colou{0,3}r", "color.example", true, "a counted letter that may be left out"},
        {"colou+r", "colouuur.example", true, "a letter that comes again"},
        {"colou{2}r", "colouur.example", true, "a counted letter"},
        {"colou{2}r", "blank.example", false, "a counted letter"},
        {"ab?+c", "ac.example", true, "possessive"},
        {"ab??c", "ac.example", true, "lazy"},
        {"ads|track", "track.example", true, "alternatives need nothing"},
        {"(ads|track)er", "tracker.example", true, "alternatives in a group"},
        {"[ads]track", "xtrack.example", true, "a class"},
        {"[]ads]track", "]track.example", true, "a class that begins with a bracket"},
        {"[[:alpha:]]track", "atrack.example", true, "a class with a name"},
        {"[^ads\\]]track", "xtrack.example", true, "a class with an escape"},
        {"\\bads\\b", "ads.example", true, "a border of words"},
        {"\\x61ds", "ads.example", true, "an escape that is not read"},
        {"\\Qads\\E", "ads.example", true, "quoting"},
        {"a\\.d", "a.d.example", true, "an escaped dot"},
        {"a.ds", "axds.example", true, "any letter between"},
        {"(?i)ads", "track.example", true, "options: not read"},
        {"(?!ads)track", "track.example", true, "looking ahead: not read"},
        {"a{ds", "track.example", true, "a brace that counts nothing: not read"},
        {"(?x) a d s", "ads.example", true, "blanks that do not count: not read"},
        {"a(?#bc)d", "ad.example", true, "a comment: not read"},
        {"x", "www.example.org", true, "one letter says nothing"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (lets(rows[i].pattern, rows[i].text) != rows[i].lets) {
            fail_msg("%s: %s on %s", rows[i].why, rows[i].pattern, rows[i].text);
        }
    }
}

static void what_is_wrong_without_an_engine(void **state)
{
    (void)state;
    char longest[BL_PATTERN_MAX + 1];
    memset(longest, 'a', sizeof longest);
    assert_null(bl_pattern_problem(span_of(longest, BL_PATTERN_MAX)));
    assert_non_null(bl_pattern_problem(span_of(longest, BL_PATTERN_MAX + 1)));
    assert_non_null(bl_pattern_problem(span_str("")));
    assert_non_null(bl_pattern_problem(span_str("a\tb")));
    assert_non_null(strstr(bl_pattern_problem(span_str("ads;querytype=A")), "querytype"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_in_rank_decides),
        cmocka_unit_test(lists_that_do_not_count_are_not_asked),
        cmocka_unit_test(a_rule_ends_and_the_verdict_says_when),
        cmocka_unit_test(giving_up_is_no_match_and_ends),
        cmocka_unit_test(one_rule_by_hand),
        cmocka_unit_test(the_sieve_keeps_out_what_cannot_match),
        cmocka_unit_test(what_is_wrong_without_an_engine),
    };
    return UNIT_RUN(tests);
}
