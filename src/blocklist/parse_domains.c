/*
 * One name a line: `ads.example` is that name; `*.ads.example` and `.ads.example` are the name and
 * all below. Also lists of regular expressions, one a line.
 */
#include "blocklist/parse_int.h"

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
    if (p->cfg.regex) {
        p->cfg.regex(p->cfg.ctx, text_span(line), p->cfg.as_allow ? BL_RANK_ALLOW : BL_RANK_BLOCK,
                     p->line);
    }
    bl_reject(p, BL_REASON_REGEX, line);
}
