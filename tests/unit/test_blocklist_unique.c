/* How many names of each list no other list speaks of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "blocklist/image.h"
#include "lists_fixture.h"

static void counts_names_that_one_list_alone_has(void **state)
{
    (void)state;
    struct fixture_rules rules = {0};
    struct built b;
    uint32_t unique[BL_LISTS_MAX];
    rules_add(&rules, 0, "both.example", BL_EXACT, BL_RANK_BLOCK, 1);
    rules_add(&rules, 0, "first.example", BL_EXACT, BL_RANK_BLOCK, 2);
    rules_add(&rules, 0, "a.first.example", BL_EXACT, BL_RANK_BLOCK, 3);
    rules_add(&rules, 0, "twice.example", BL_EXACT, BL_RANK_BLOCK, 4);
    rules_add(&rules, 0, "twice.example", BL_BELOW, BL_RANK_BLOCK, 5);
    rules_add(&rules, 2, "both.example", BL_BOTH, BL_RANK_ALLOW, 1);
    rules_add(&rules, 2, "second.example", BL_BOTH, BL_RANK_BLOCK, 2);
    rules_add(&rules, 2, "zip", BL_BOTH, BL_RANK_BLOCK, 3);
    built_make(&b, &rules, 1);
    assert_int_equal(bl_image_unique(&b.image, unique), ERR_OK);
    assert_int_equal(unique[0], 3); /* "twice" stands there in two kinds, but it is one name */
    assert_int_equal(unique[1], 0);
    assert_int_equal(unique[2], 2);
    built_free(&b);
    fixture_rules_free(&rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_names_that_one_list_alone_has),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("blocklist_unique", tests, NULL, NULL);
}
