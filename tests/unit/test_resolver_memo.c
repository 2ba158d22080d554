/* The memory of what expressions said. */
#include "resolver/memo.h"

#include <stdio.h>
#include <stdlib.h>

#include "lists_fixture.h"
#include "unit.h"

struct fixture {
    void *mem;
    struct memo memo;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct arena arena;
    size_t len = memo_memory(16);
    f->mem = malloc(len);
    assert_non_null(f->mem);
    arena_init(&arena, f->mem, len);
    memo_init(&f->memo, &arena, 16);
    assert_non_null(f->memo.rows);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    free(f->mem);
    free(f);
    return 0;
}

static bool find(const struct fixture *f, const char *text, const struct bl_regex_asker *who,
                 uint32_t generation, struct bl_regex_verdict *v)
{
    struct dns_name name = fixture_name(text);
    struct dns_suffixes suffixes;
    dns_suffixes_make(&name, &suffixes);
    return memo_find(&f->memo, &name, &suffixes, who, generation, v);
}

static void keep(const struct fixture *f, const char *text, const struct bl_regex_asker *who,
                 uint32_t generation, uint32_t rule, usec_t until)
{
    struct dns_name name = fixture_name(text);
    struct dns_suffixes suffixes;
    dns_suffixes_make(&name, &suffixes);
    memo_keep(&f->memo, &name, &suffixes, who, generation,
              &(struct bl_regex_verdict){.rule = rule, .rank = 4, .until = until});
}

static void known_to_the_same_asker_only(void **state)
{
    const struct fixture *f = *state;
    const struct bl_asker one = {.groups = 6}, other = {.groups = 6};
    struct bl_regex_asker who = {.whose = &one, .now = 100};
    struct bl_regex_verdict v;
    assert_false(find(f, "ads.example", &who, 1, &v));
    keep(f, "ads.example", &who, 1, 7, USEC_NEVER);
    assert_true(find(f, "ads.example", &who, 1, &v));
    assert_int_equal(v.rule, 7);
    assert_int_equal(v.rank, 4);
    assert_false(find(f, "ads.example", &who, 2, &v));
    assert_false(find(f, "bds.example", &who, 1, &v));
    assert_false(find(f, "x.ads.example", &who, 1, &v));
    who.whose = &other;
    assert_false(find(f, "ads.example", &who, 1, &v));
}

static void names_are_compared(void **state)
{
    const struct fixture *f = *state;
    struct bl_regex_asker who = {.now = 100};
    struct bl_regex_verdict v;
    keep(f, "ads.example", &who, 1, 7, USEC_NEVER);
    struct dns_name name = fixture_name("bds.example");
    struct dns_suffixes suffixes;
    struct dns_name other = fixture_name("ads.example");
    dns_suffixes_make(&other, &suffixes); /* as if the hashes met */
    assert_false(memo_find(&f->memo, &name, &suffixes, &who, 1, &v));
}

static void it_ends(void **state)
{
    const struct fixture *f = *state;
    struct bl_regex_asker who = {.now = 100};
    struct bl_regex_verdict v;
    keep(f, "ads.example", &who, 1, 7, 101);
    assert_true(find(f, "ads.example", &who, 1, &v));
    who.now = 101;
    assert_false(find(f, "ads.example", &who, 1, &v));
}

static void long_names_are_not_kept(void **state)
{
    const struct fixture *f = *state;
    struct bl_regex_asker who = {.now = 1};
    struct bl_regex_verdict v;
    char text[MEMO_NAME + 2];
    /* text of n characters has n + 2 octets on the wire */
    memset(text, 'a', sizeof text);
    text[40] = '.';
    text[MEMO_NAME - 2] = '\0';
    keep(f, text, &who, 1, 7, USEC_NEVER);
    assert_true(find(f, text, &who, 1, &v));
    text[MEMO_NAME - 2] = 'a';
    text[MEMO_NAME - 1] = '\0';
    keep(f, text, &who, 1, 7, USEC_NEVER);
    assert_false(find(f, text, &who, 1, &v));
}

static void two_names_that_meet_are_both_kept(void **state)
{
    const struct fixture *f = *state;
    struct bl_regex_asker who = {.now = 1};
    struct bl_regex_verdict v;
    for (unsigned i = 0; i < 200; i++) {
        char text[32];
        snprintf(text, sizeof text, "a%u.example", i);
        keep(f, "one.example", &who, 1, 7, USEC_NEVER);
        keep(f, text, &who, 1, 8, USEC_NEVER);
        assert_true(find(f, text, &who, 1, &v));
        assert_int_equal(v.rule, 8);
        assert_true(find(f, "one.example", &who, 1, &v));
        assert_int_equal(v.rule, 7);
    }
}

static void without_rows_nothing_is_kept(void **state)
{
    (void)state;
    struct fixture f = {.mem = NULL};
    struct bl_regex_asker who = {.now = 1};
    struct bl_regex_verdict v;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    memo_init(&f.memo, &arena, 0);
    keep(&f, "ads.example", &who, 1, 7, USEC_NEVER);
    assert_false(find(&f, "ads.example", &who, 1, &v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(known_to_the_same_asker_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_compared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_names_are_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_names_that_meet_are_both_kept, set_up, tear_down),
        cmocka_unit_test(without_rows_nothing_is_kept),
    };
    return UNIT_RUN(tests);
}
