/*
 * Is this text a list? The parser decides about lines; here is decided about the whole. Real lists hold much that is not for DNS (URLs,
 * ports, cosmetic rules): that is recognised and does not count against them. Text that is no list at all shows itself by words,
 * by characters that no name has, by names that are none.
 */
#include "host/list_judge.h"

#include <stdio.h>

#include "base/strbuf.h"
#include "host/idna.h"

#define HOPE_OCTETS ((uint64_t)4 << 20) /* text without a single rule that is read before giving up */

static void drop_rule(void *ctx, const struct bl_rule *rule)
{
    (void)ctx;
    (void)rule;
}

void judge_init(struct list_judge *j, enum bl_format format, bool as_allow)
{
    struct bl_parse_config cfg = {.format = format, .as_allow = as_allow, .rule = drop_rule, .idna = idna_to_ascii};
    j->octets = 0;
    j->hopeless = false;
    bl_parse_init(&j->parser, &cfg);
}

bool judge_feed(struct list_judge *j, struct span text)
{
    j->octets += text.len;
    if (!j->hopeless) {
        j->hopeless = bl_parse_feed(&j->parser, text.ptr, text.len) != ERR_OK ||
                      (j->octets > HOPE_OCTETS && j->parser.stats.rules == 0);
    }
    return !j->hopeless;
}

/* Lines that nobody would write into a list, as opposed to rules that are good elsewhere. */
static bool is_garbage(enum bl_reason reason)
{
    switch ((int)reason) {
    case BL_REASON_SINGLE_LABEL:
    case BL_REASON_EMPTY_LABEL:
    case BL_REASON_LONG_LABEL:
    case BL_REASON_LONG_NAME:
    case BL_REASON_BAD_CHARACTER:
    case BL_REASON_NUMERIC_TLD:
    case BL_REASON_HYPHEN_TLD:
    case BL_REASON_NOT_ASCII:
    case BL_REASON_WORDS:
    case BL_REASON_LONG_LINE:
        return true;
    default:
        return false;
    }
}

const char *judge_end(struct list_judge *j, uint32_t before, uint32_t min_percent, char *reason, bool *shrunk)
{
    const struct bl_parse_stats *s = &j->parser.stats;
    enum err e = j->parser.state;
    uint32_t garbage = 0;
    *shrunk = false;
    if (e == ERR_OK && !j->hopeless) {
        e = bl_parse_end(&j->parser);
    }
    for (int i = 0; i < BL_REASON_COUNT; i++) {
        garbage += is_garbage((enum bl_reason)i) ? s->by_reason[i] : 0;
    }
    uint32_t recognised = s->rules + s->rejected - garbage;
    if (e != ERR_OK) {
        (void)snprintf(reason, FETCH_ERROR_MAX, "not a list: HTML, XML, UTF-16 or binary data");
    } else if (j->octets == 0) {
        (void)snprintf(reason, FETCH_ERROR_MAX, "the list is empty");
    } else if (s->rules == 0) {
        (void)snprintf(reason, FETCH_ERROR_MAX, "no usable rule in %u lines", s->lines);
    } else if (garbage > recognised) {
        (void)snprintf(reason, FETCH_ERROR_MAX, "does not look like a list: %u lines cannot be read, %u are rules", garbage, s->rules);
    } else if (min_percent > 0 && (uint64_t)s->rules * 100 < (uint64_t)before * min_percent) {
        (void)snprintf(reason, FETCH_ERROR_MAX, "only %u rules where %u were before; confirm it if that is right", s->rules, before);
        *shrunk = true;
    } else {
        return NULL;
    }
    return reason;
}

uint32_t judge_examples(const struct bl_parse_stats *stats, char out[LIST_EXAMPLES_MAX][LIST_EXAMPLE_MAX])
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < stats->examples && n < LIST_EXAMPLES_MAX; i++) {
        const struct bl_parse_example *e = &stats->example[i];
        struct strbuf s;
        strbuf_init(&s, out[n], LIST_EXAMPLE_MAX);
        strbuf_printf(&s, "line %u: ", e->line);
        /* Escapes may make four characters of one octet; the reason behind is worth more than the end of a long line. */
        strbuf_escaped(&s, span_of(e->text, e->len < 60 ? e->len : 60));
        strbuf_printf(&s, ": %s", bl_reason_text((enum bl_reason)e->reason));
        n++;
    }
    return n;
}

void judge_facts(const struct list_judge *j, struct copy_meta *out)
{
    const struct bl_parse_stats *s = &j->parser.stats;
    out->rules = s->rules;
    out->rejected = s->rejected;
    out->ignored = s->comments;
    out->examples_count = judge_examples(s, out->examples);
}
