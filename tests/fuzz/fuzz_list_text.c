/*
 * Octets as a list, in the format that the first octet names: rules do not depend on how the text
 * is cut into pieces; what they compile to opens, and knows each rule's name.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "lists_fixture.h"

enum { INPUT_MAX = 1 << 15, PASSES = 1 };

static void compare(const struct parsed *a, const struct parsed *b)
{
    FUZZ_CHECK(a->err == b->err && a->rules.count == b->rules.count);
    FUZZ_CHECK(a->stats.lines == b->stats.lines && a->stats.rejected == b->stats.rejected);
    for (size_t i = 0; i < a->rules.count; i++) {
        const struct bl_rule *x = &a->rules.rule[i].rule;
        const struct bl_rule *y = &b->rules.rule[i].rule;
        FUZZ_CHECK(x->kind == y->kind && x->rank == y->rank && x->line == y->line);
        FUZZ_CHECK(x->name.len == y->name.len &&
                   memcmp(x->name.wire, y->name.wire, x->name.len) == 0);
    }
}

/* The image says what the plain look at each rule says. */
static void ask(const struct built *b, const struct fixture_rules *rules,
                const struct dns_name *name)
{
    struct bl_verdict found = image_match(&b->image, name, NULL);
    struct bl_verdict expected = model_match(rules, name, NULL);
    FUZZ_CHECK(found.action == expected.action);
    FUZZ_CHECK(found.action == BL_NONE ||
               (found.rank == expected.rank && found.label == expected.label));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2 || len > INPUT_MAX) {
        return 0;
    }
    struct parsed whole, cut;
    struct built built = {0};
    enum bl_format format = (enum bl_format)(data[0] % BL_FORMAT_COUNT);
    size_t piece = 1 + data[1] % 40;
    struct span text = span_of(data + 2, len - 2);
    parsed_make(&whole, format, text, 0, NULL);
    parsed_make(&cut, format, text, piece, NULL);
    compare(&whole, &cut);
    if (whole.err == ERR_OK && whole.rules.count > 0) {
        FUZZ_CHECK(built_try(&built, &whole.rules, PASSES, 0) == ERR_OK);
        for (size_t i = 0; i < whole.rules.count && i < 64; i++) {
            ask(&built, &whole.rules, &whole.rules.rule[i].rule.name);
        }
        built_free(&built);
    }
    parsed_free(&whole);
    parsed_free(&cut);
    return 0;
}
