/*
 * The checksum of the rules document: each octet that changes is noticed, and the file stays a
 * document.
 */
#include "host/rules_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/rules.h"

static struct text printed(const char *document)
{
    struct rules r = {0};
    struct text t = {0};
    char what[200] = "";
    if (rules_parse(&r, span_str(document), what, sizeof what) != ERR_OK) {
        fail_msg("%s", what);
    }
    assert_int_equal(rules_print(&r, text_put, &t), ERR_OK);
    rules_free(&r);
    return t;
}

static const char with_comment[] =
    "{\"version\":1,\"own\":[{\"id\":1,\"type\":\"deny\",\"kind\":\"exact\",\"domain\":"
    "\"ads.example\",\"comment\":\"the neighbour's telly\",\"enabled\":true}]}";

/* Hardening S4: a flipped octet in a comment is not noticed by the reader of the document. */
static void notices_every_octet(void **state)
{
    (void)state;
    struct text t = printed(with_comment);
    assert_int_equal(rules_file_check(span_of(t.data, t.len)), RULES_SEAL_NONE);
    assert_int_equal(rules_file_seal(&t), ERR_OK);
    assert_int_equal(rules_file_check(span_of(t.data, t.len)), RULES_SEAL_GOOD);
    for (size_t i = 0; i < t.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            struct rules r = {0};
            t.data[i] = (char)(t.data[i] ^ 1 << bit);
            struct span now = span_of(t.data, t.len);
            if (rules_file_check(now) == RULES_SEAL_GOOD) {
                fail_msg("bit %d of octet %zu is not noticed", bit, i);
            }
            /* Where the field's own name is hit, the document is refused as one with an unknown
             * field. */
            if (rules_file_check(now) == RULES_SEAL_NONE) {
                assert_int_not_equal(rules_parse(&r, now, NULL, 0), ERR_OK);
            }
            rules_free(&r);
            t.data[i] = (char)(t.data[i] ^ 1 << bit);
        }
    }
    assert_int_equal(rules_file_check(span_of(t.data, t.len - 1)), RULES_SEAL_BROKEN);
    assert_int_equal(rules_file_check(span_of(t.data, 0)), RULES_SEAL_NONE);
    text_free(&t);
}

static void stays_a_document(void **state)
{
    (void)state;
    struct text t = printed(with_comment);
    struct text again = {0};
    struct rules r = {0};
    char what[200] = "";
    assert_int_equal(rules_file_seal(&t), ERR_OK);
    if (rules_parse(&r, span_of(t.data, t.len), what, sizeof what) != ERR_OK) {
        fail_msg("%s", what);
    }
    assert_int_equal(rules_print(&r, text_put, &again), ERR_OK);
    assert_int_equal(rules_file_check(span_of(again.data, again.len)), RULES_SEAL_NONE);
    assert_int_equal(rules_file_seal(&again), ERR_OK); /* of the same text it is the same */
    assert_int_equal(again.len, t.len);
    assert_memory_equal(again.data, t.data, t.len);
    rules_free(&r);
    text_free(&again);
    text_free(&t);
}

static void knows_a_field_in_another_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum rules_seal seal;
    } rows[] = {
        {"{\"version\": 1}", RULES_SEAL_NONE},
        {"{\"checksum\":1}", RULES_SEAL_BROKEN},
        {"{\"version\": 1, \"checksum\": \"00000000\"}", RULES_SEAL_BROKEN},
        {"{\n  \"version\": 1,\n  \"checksum\": \"00000000\"\n}\n", RULES_SEAL_BROKEN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rules_file_check(span_str(rows[i].text)) != rows[i].seal) {
            fail_msg("%s", rows[i].text);
        }
    }
    struct text t = {0};
    assert_int_equal(rules_file_seal(&t), ERR_FORMAT);
    assert_int_equal(text_put("[]", 2, &t), 0);
    assert_int_equal(rules_file_seal(&t), ERR_FORMAT);
    assert_int_equal(t.len, 2);
    text_free(&t);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notices_every_octet),
        cmocka_unit_test(stays_a_document),
        cmocka_unit_test(knows_a_field_in_another_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
