/*
 * Own rules as text and JSON: what each line means, errors with their lines, and that what is
 * exported comes back as it was.
 */
#include "api/rules_text.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

static enum err import_text(struct rules *r, const char *text, struct rules_import *io)
{
    io->now_unix = 1000;
    return rules_import_text(r, span_str(text), io);
}

static void export_all(const struct rules *r, char *out, size_t cap)
{
    struct rule_view v;
    struct strbuf s;
    strbuf_init(&s, out, cap);
    for (uint32_t i = 0; rules_own_at(r, i, &v); i++) {
        rules_export_line(&v, &s);
        strbuf_char(&s, '\n');
    }
    assert_false(s.truncated);
}

static void lines_and_what_they_come_to(void **state)
{
    (void)state;
    static const struct {
        const char *line, *back;
    } rows[] = {
        {"ads.example", "deny ads.example"},
        {"deny ADS.Example.", "deny ads.example"},
        {"allow ok.example", "allow ok.example"},
        {"*.ads.example", "deny *.ads.example"},
        {"||ads.example^", "deny *.ads.example"},
        {"@@||ok.example^", "allow *.ok.example"},
        {"allow\t.ok.example", "allow *.ok.example"},
        {"/^ad[0-9]+\\./", "deny /^ad[0-9]+\\./"},
        {"allow /^ad[0-9]+\\./  # why not", "allow /^ad[0-9]+\\./  # why not"},
        {"^ad[0-9]+\\.", "deny /^ad[0-9]+\\./"},
        {"(\\.|^)ads\\.example$", "deny *.ads.example"},
        {"/a#b/ off", "deny /a#b/ off"},
        {"(\\.|^)1$", "deny /(\\.|^)1$/"},
        {"ads.example#no comment", NULL},
        {"deny ads.example   #   a note  ", "deny ads.example  # a note"},
        {"deny ads.example # \x01", "deny ads.example"},
        {"deny ads.example # \x01 a\x02note \x1f", "deny ads.example  # a note"},
        {"deny ads.example off until=1790000000 groups=0,2 client=192.0.2.7 # x",
         "deny ads.example client=192.0.2.7 groups=0,2 until=1790000000 off  # x"},
        {"deny ads.example groups=0", "deny ads.example"},
        {"allow", NULL},
        {"deny # x", NULL},
        {"deny ads..example", NULL},
        {"deny ads.example because", NULL},
        {"deny ads.example client=192.0.2", NULL},
        {"deny ads.example client=", NULL},
        {"deny ads.example until=soon", NULL},
        {"deny ads.example groups=1,x", NULL},
        {"deny ads.example groups=1 groups=2", NULL},
        {"||*.ads.example^", NULL},
        {"||ads.example^$important", NULL},
        {"/^ads", NULL},
        {"/ads;querytype=A/", NULL},
        {"http://ads.example/x", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rules r = {0};
        struct rules_import io = {.replace = false};
        char back[4096] = "", expected[4096];
        assert_int_equal(rules_clear(&r), ERR_OK);
        enum err e = import_text(&r, rows[i].line, &io);
        if ((e == ERR_OK) != (rows[i].back != NULL)) {
            fail_msg("%s: %d", rows[i].line, e);
        }
        export_all(&r, back, sizeof back);
        snprintf(expected, sizeof expected, "%s\n", rows[i].back ? rows[i].back : "");
        if (rows[i].back && strcmp(back, expected) != 0) {
            fail_msg("%s: %s", rows[i].line, back);
        }
        if (!rows[i].back) {
            assert_int_equal(io.bad, 1);
            assert_int_equal(json_array_size(io.errors), 1);
        }
        json_decref(io.errors);
        rules_free(&r);
    }
}

static void errors_tell_their_lines(void **state)
{
    (void)state;
    struct rules r = {0};
    struct rules_import io = {.replace = false};
    assert_int_equal(rules_clear(&r), ERR_OK);
    assert_int_equal(
        import_text(&r, "# a comment\n\nads.example\r\nbad..example\n! x\nallow\n", &io),
        ERR_FORMAT);
    assert_int_equal(io.bad, 2);
    const json_t *first = json_array_get(io.errors, 0), *second = json_array_get(io.errors, 1);
    assert_int_equal(json_integer_value(json_object_get(first, "line")), 4);
    assert_string_equal(json_string_value(json_object_get(first, "text")), "bad..example");
    assert_string_equal(json_string_value(json_object_get(first, "error")),
                        "a name with an empty label");
    assert_int_equal(json_integer_value(json_object_get(second, "line")), 6);
    json_decref(io.errors);
    char many[4000] = "";
    for (int i = 0; i < RULES_IMPORT_ERRORS + 7; i++) {
        strcat(many, "bad..example\n");
    }
    assert_int_equal(import_text(&r, many, &io), ERR_FORMAT);
    assert_int_equal(io.bad, RULES_IMPORT_ERRORS + 7);
    assert_int_equal(json_array_size(io.errors), RULES_IMPORT_ERRORS);
    json_decref(io.errors);
    rules_free(&r);
}

static void what_is_there_is_not_added_again(void **state)
{
    (void)state;
    struct rules r = {0};
    struct rules_import io = {.replace = false};
    char text[4096];
    assert_int_equal(rules_clear(&r), ERR_OK);
    assert_int_equal(import_text(&r, "ads.example\nads.example client=192.0.2.7\n", &io), ERR_OK);
    assert_int_equal(io.added, 2);
    json_decref(io.errors);
    assert_int_equal(
        import_text(&r, "deny ads.example # again\nads.example\nallow ads.example\n", &io), ERR_OK);
    assert_int_equal(io.added, 1);
    assert_int_equal(io.present, 2);
    json_decref(io.errors);
    io.replace = true;
    assert_int_equal(import_text(&r, "one.example\n", &io), ERR_OK);
    assert_int_equal(io.added, 1);
    json_decref(io.errors);
    export_all(&r, text, sizeof text);
    assert_string_equal(text, "deny one.example\n");
    rules_free(&r);
}

static enum err refuse_ads(void *ctx, const char *pattern, char *why)
{
    ++*(int *)ctx;
    if (strstr(pattern, "ads")) {
        strcpy(why, "no ads");
        return ERR_FORMAT;
    }
    return ERR_OK;
}

static void the_engine_has_its_word(void **state)
{
    (void)state;
    struct rules r = {0};
    int asked = 0;
    struct rules_import io = {.check = refuse_ads, .ctx = &asked};
    assert_int_equal(rules_clear(&r), ERR_OK);
    assert_int_equal(import_text(&r, "/ok/\n*.ads.example\n/ads/\n", &io), ERR_FORMAT);
    assert_int_equal(asked, 2); /* a name and all below needs no engine */
    assert_string_equal(json_string_value(json_object_get(json_array_get(io.errors, 0), "error")),
                        "no ads");
    json_decref(io.errors);
    rules_free(&r);
}

static void json_comes_back_as_it_was(void **state)
{
    (void)state;
    struct rules r = {0}, other = {0};
    struct rules_import io = {.replace = false};
    char a[8192], b[8192];
    assert_int_equal(rules_clear(&r), ERR_OK);
    assert_int_equal(rules_clear(&other), ERR_OK);
    assert_int_equal(
        import_text(&r,
                    "ads.example # one\nallow *.ok.example off\n/x+y/ until=1790000000\n"
                    "a.example client=192.0.2.0/24 groups=1,2 # caf\xc3\xa9 # and more\n",
                    &io),
        ERR_OK);
    json_decref(io.errors);
    assert_int_equal(rules_import_json(&other, json_object_get(r.doc, "own"), &io), ERR_OK);
    assert_int_equal(io.added, 4);
    json_decref(io.errors);
    export_all(&r, a, sizeof a);
    export_all(&other, b, sizeof b);
    assert_string_equal(a, b);
    assert_true(json_equal(r.doc, other.doc));
    json_t *bad = json_pack("[{s:s, s:s, s:s}, {s:s, s:s, s:s, s:i}]", "type", "deny", "kind",
                            "exact", "domain", "two.example", "type", "deny", "kind", "exact",
                            "domain", "three.example", "surprise", 1);
    assert_int_equal(rules_import_json(&other, bad, &io), ERR_FORMAT);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(io.errors, 0), "line")), 2);
    json_decref(io.errors);
    json_decref(bad);
    rules_free(&r);
    rules_free(&other);
}

static void bounds(void **state)
{
    (void)state;
    struct rules r = {0};
    struct rules_import io = {.replace = false};
    size_t cap = (RULES_OWN_MAX + 2) * 20, len = 0;
    char *text = malloc(cap);
    assert_non_null(text);
    assert_int_equal(rules_clear(&r), ERR_OK);
    for (int i = 0; i < RULES_OWN_MAX; i++) {
        len += (size_t)snprintf(text + len, cap - len, "a%d.example\n", i);
    }
    assert_int_equal(import_text(&r, text, &io), ERR_OK);
    assert_int_equal(io.added, RULES_OWN_MAX);
    json_decref(io.errors);
    assert_int_equal(import_text(&r, "one.example\n", &io), ERR_LIMIT);
    json_decref(io.errors);
    free(text);
    rules_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_and_what_they_come_to),
        cmocka_unit_test(errors_tell_their_lines),
        cmocka_unit_test(what_is_there_is_not_added_again),
        cmocka_unit_test(the_engine_has_its_word),
        cmocka_unit_test(json_comes_back_as_it_was),
        cmocka_unit_test(bounds),
    };
    return UNIT_RUN(tests);
}
