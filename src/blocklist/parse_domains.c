/*
 * One name a line: `ads.example` is that name; `*.ads.example` and `.ads.example` are the name and
 * all below. Also lists of regular expressions, one a line.
 */
#include "blocklist/parse_int.h"
#include "blocklist/regex.h"

void bl_line_domain(struct bl_parser *p, struct text line)
{
    struct text rest = text_uncomment(line);
    struct text name = text_word(&rest);
    if (text_trim(rest).p != text_trim(rest).end) {
        bl_reject(p, BL_REASON_WORDS, line);
        return;
    }
    struct text below = name;
    if (text_starts(name, "*.", &below) || text_starts(name, ".", &below)) {
        bl_take(p, below, BL_BOTH, BL_RANK_BLOCK, NAME_SINGLE_OK, BL_FORMAT_DOMAINS);
    } else {
        bl_take(p, name, BL_EXACT, BL_RANK_BLOCK, 0, BL_FORMAT_DOMAINS);
    }
}

void bl_line_regex(struct bl_parser *p, struct text line)
{
    bl_take_pattern(p, line, BL_RANK_BLOCK, line);
}

bool bl_looks_regex(struct text line)
{
    return (text_starts(line, "^", NULL) || text_starts(line, "(^|\\.)", NULL) ||
            text_starts(line, "(\\.|^)", NULL)) &&
           !text_find(line, '/') && line.end[-1] != '^';
}

void bl_take_pattern(struct bl_parser *p, struct text pattern, enum bl_rank rank, struct text line)
{
    if (p->cfg.as_allow && bl_rank_action(rank) == BL_BLOCK) {
        rank = (enum bl_rank)(rank | 1);
    }
    if (p->cfg.regex && bl_pattern_problem(text_span(pattern)) == NULL &&
        p->cfg.regex(p->cfg.ctx, text_span(pattern), (uint8_t)rank, p->line)) {
        p->stats.patterns++;
    } else {
        bl_reject(p, BL_REASON_REGEX, line);
    }
}
