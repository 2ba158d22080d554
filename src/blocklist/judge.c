/*
 * Real lists hold much that is not for DNS (URLs, ports, cosmetic rules): that is recognised and
 * does not count against them. Text that is no list at all shows itself by words, by characters
 * that no name has, by names that are none.
 */
#include "blocklist/judge.h"

/* Text without a single rule that is read before giving up. */
#define HOPE_OCTETS ((uint64_t)4 << 20)

enum { EXAMPLE_TEXT = 60 };

static void drop_rule(void *ctx, const struct bl_rule *rule)
{
    (void)ctx;
    (void)rule;
}

static bool take_pattern(void *ctx, struct span pattern, uint8_t rank, uint32_t line)
{
    (void)ctx;
    (void)pattern;
    (void)rank;
    (void)line;
    return true;
}

void bl_judge_init(struct bl_judge *j, const struct bl_parse_config *cfg)
{
    struct bl_parse_config own = *cfg;
    own.rule = cfg->rule != NULL ? cfg->rule : drop_rule;
    own.regex = cfg->regex != NULL ? cfg->regex : take_pattern;
    j->octets = 0;
    j->hopeless = false;
    bl_parse_init(&j->parser, &own);
}

uint32_t bl_judge_rules(const struct bl_judge *j)
{
    return j->parser.stats.rules + j->parser.stats.patterns;
}

bool bl_judge_feed(struct bl_judge *j, struct span text)
{
    j->octets += text.len;
    if (!j->hopeless) {
        j->hopeless = bl_parse_feed(&j->parser, text.ptr, text.len) != ERR_OK ||
                      (j->octets > HOPE_OCTETS && bl_judge_rules(j) == 0);
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

bool bl_judge_end(struct bl_judge *j, struct strbuf *reason)
{
    const struct bl_parse_stats *s = &j->parser.stats;
    enum err e = j->parser.state;
    uint32_t garbage = 0, rules;
    if (e == ERR_OK && !j->hopeless) {
        e = bl_parse_end(&j->parser);
    }
    for (int i = 0; i < BL_REASON_COUNT; i++) {
        garbage += is_garbage((enum bl_reason)i) ? s->by_reason[i] : 0;
    }
    rules = bl_judge_rules(j);
    uint32_t recognised = rules + s->rejected - garbage;
    if (e != ERR_OK) {
        strbuf_str(reason, "not a list: HTML, XML, UTF-16 or binary data");
    } else if (j->octets == 0) {
        strbuf_str(reason, "the list is empty");
    } else if (rules == 0) {
        strbuf_printf(reason, "no usable rule in %u lines", s->lines);
    } else if (garbage > recognised) {
        strbuf_printf(reason, "does not look like a list: %u lines cannot be read, %u are rules",
                      garbage, rules);
    } else {
        return true;
    }
    return false;
}

void bl_judge_example(const struct bl_parse_stats *stats, uint32_t i, struct strbuf *out)
{
    const struct bl_parse_example *e = &stats->example[i];
    strbuf_printf(out, "line %u: ", e->line);
    /* Escapes may make four characters of one octet; the reason behind is worth more than the end
     * of a long line. */
    strbuf_escaped(out, span_of(e->text, e->len < EXAMPLE_TEXT ? e->len : EXAMPLE_TEXT));
    strbuf_printf(out, ": %s", bl_reason_text((enum bl_reason)e->reason));
}
