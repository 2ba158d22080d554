/*
 * The judge of texts (blocklist/judge.h) with what the daemon has beside it: international names
 * and the facts of a copy.
 */
#include "host/list_judge.h"

#include "host/idna.h"

static void mark_rule(void *ctx, const struct bl_rule *rule)
{
    list_marks_rule(ctx, rule);
}

static bool mark_pattern(void *ctx, struct span pattern, uint8_t rank, uint32_t line)
{
    (void)line;
    list_marks_pattern(ctx, pattern, rank);
    return true;
}

void judge_init(struct list_judge *j, enum bl_format format, bool as_allow,
                struct list_marks *marks)
{
    struct bl_parse_config cfg = {.format = format,
                                  .as_allow = as_allow,
                                  .rule = marks ? mark_rule : NULL,
                                  .regex = marks ? mark_pattern : NULL,
                                  .ctx = marks,
                                  .idna = idna_to_ascii};
    bl_judge_init(&j->judge, &cfg);
}

bool judge_feed(struct list_judge *j, struct span text)
{
    return bl_judge_feed(&j->judge, text);
}

const char *judge_end(struct list_judge *j, char *reason)
{
    struct strbuf text;
    strbuf_init(&text, reason, FETCH_ERROR_MAX);
    return bl_judge_end(&j->judge, &text) ? NULL : reason;
}

uint32_t judge_examples(const struct bl_parse_stats *stats,
                        char out[LIST_EXAMPLES_MAX][LIST_EXAMPLE_MAX])
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < stats->examples && n < LIST_EXAMPLES_MAX; i++) {
        struct strbuf s;
        strbuf_init(&s, out[n++], LIST_EXAMPLE_MAX);
        bl_judge_example(stats, i, &s);
    }
    return n;
}

void judge_facts(const struct list_judge *j, struct copy_meta *out)
{
    const struct bl_parse_stats *s = &j->judge.parser.stats;
    out->rules = bl_judge_rules(&j->judge);
    out->rejected = s->rejected;
    out->ignored = s->comments;
    out->examples_count = judge_examples(s, out->examples);
}
