/*
 * Any octets as a list: whatever comes out is well-formed, the size of pieces does not matter, and
 * an image of the rules says what the rules say. The first octet chooses format and piece.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "lists_fixture.h"

enum { RULES_MAX = 400 };

static void check_name(const struct dns_name *n)
{
    struct dns_name again;
    FUZZ_CHECK(dns_name_from_wire(n->wire, n->len, &again) == ERR_OK);
    FUZZ_CHECK(again.len == n->len && again.labels == n->labels && n->labels > 0);
    FUZZ_CHECK(memcmp(again.off, n->off, n->labels + 1u) == 0);
    FUZZ_CHECK(memcmp(again.wire, n->wire, n->len) == 0);
    for (unsigned i = 0; i < n->labels; i++) {
        const uint8_t *label = n->wire + n->off[i];
        for (unsigned k = 1; k <= label[0]; k++) {
            FUZZ_CHECK(label[k] && strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", label[k]));
        }
    }
}

static void check_stats(const struct parsed *p)
{
    uint32_t rejected = 0, rules = 0;
    for (unsigned i = 0; i < BL_REASON_COUNT; i++) {
        rejected += p->stats.by_reason[i];
    }
    for (unsigned i = 0; i < BL_FORMAT_COUNT; i++) {
        rules += p->stats.by_format[i];
    }
    FUZZ_CHECK(rejected == p->stats.rejected);
    FUZZ_CHECK(rules == p->stats.rules && rules == p->rules.count);
    FUZZ_CHECK(p->stats.examples <= BL_PARSE_EXAMPLES);
}

static void check_image(const struct fixture_rules *rules)
{
    struct built b;
    built_make(&b, rules, 2);
    for (size_t i = 0; i < rules->count; i++) {
        struct dns_name name;
        dns_name_copy(&name, &rules->rule[i].rule.name);
        for (unsigned below = 0; below < 2; below++) {
            struct bl_verdict want = model_match(rules, &name, NULL),
                              got = image_match(&b.image, &name, NULL);
            FUZZ_CHECK(want.action == got.action);
            FUZZ_CHECK(want.action == BL_NONE ||
                       (want.rank == got.rank && want.label == got.label));
            name.wire[name.off[0] + 1] = 'q';
        }
    }
    built_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct parsed whole, pieces;
    if (len == 0) {
        return 0;
    }
    enum bl_format format = (enum bl_format)(data[0] % BL_FORMAT_COUNT);
    size_t piece = data[0] / BL_FORMAT_COUNT + 1u;
    struct span text = span_of(data + 1, len - 1);
    parsed_make(&whole, format, text, 0, NULL);
    parsed_make(&pieces, format, text, piece, NULL);
    check_stats(&whole);
    FUZZ_CHECK(whole.err == pieces.err && (whole.err == ERR_OK || whole.err == ERR_FORMAT));
    FUZZ_CHECK(whole.rules.count == pieces.rules.count);
    FUZZ_CHECK(
        memcmp(whole.stats.by_reason, pieces.stats.by_reason, sizeof whole.stats.by_reason) == 0);
    for (size_t i = 0; i < whole.rules.count; i++) {
        const struct bl_rule *a = &whole.rules.rule[i].rule, *b = &pieces.rules.rule[i].rule;
        check_name(&a->name);
        FUZZ_CHECK(dns_name_equal(&a->name, &b->name) && a->kind == b->kind && a->rank == b->rank &&
                   a->line == b->line);
    }
    if (whole.rules.count <= RULES_MAX) {
        check_image(&whole.rules);
    }
    parsed_free(&whole);
    parsed_free(&pieces);
    return 0;
}
