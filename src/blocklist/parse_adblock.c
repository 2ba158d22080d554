/*
 * Adblock rules as far as a DNS server can honour them: ||name^ and |name^, with @@ before and
 * $important behind. All else (paths, patterns, modifiers that ask for a page or a client, element
 * hiding) is counted and left out: half a rule would block what its author spared.
 */
#include "blocklist/parse_int.h"

/* Markers of rules that work on the page: name##selector and its kin. */
bool bl_looks_cosmetic(struct text line)
{
    static const char *const marks[] = {"##",   "#@#", "#?#",  "#@?#", "#$#",
                                        "#@$#", "#%#", "#@%#", "$$",   "$@$"};
    for (const uint8_t *p = line.p; p < line.end; p++) {
        if (*p != '#' && *p != '$') {
            continue;
        }
        if (*p == '#' && p > line.p && is_blank(p[-1])) {
            return false; /* a comment begins here: "name  ## why" */
        }
        for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
            if (text_starts((struct text){p, line.end}, marks[i], NULL)) {
                return true;
            }
        }
    }
    return false;
}

/* Cut "$modifiers" off. False if one of them is not honoured. */
static bool take_modifiers(struct text *body, bool *important)
{
    const uint8_t *dollar = text_find(*body, '$');
    if (!dollar) {
        return true;
    }
    struct text list = {dollar + 1, body->end};
    body->end = dollar;
    while (list.p <= list.end) {
        const uint8_t *comma = text_find(list, ',');
        struct text one = text_trim((struct text){list.p, comma ? comma : list.end});
        if (!text_is(one, "important")) {
            return false;
        }
        *important = true;
        if (!comma) {
            break;
        }
        list.p = comma + 1;
    }
    return true;
}

/* Is the whole of it /expression/ or /expression/$modifiers? */
static bool split_regex(struct text rule, struct text *pattern, struct text *after)
{
    if (text_len(rule) < 3 || *rule.p != '/') {
        return false;
    }
    const uint8_t *slash = rule.end - 1;
    while (slash > rule.p && !(*slash == '/' && (slash + 1 == rule.end || slash[1] == '$'))) {
        slash--;
    }
    *pattern = (struct text){rule.p + 1, slash};
    *after = (struct text){slash + 1, rule.end};
    return slash > rule.p + 1;
}

static enum bl_rank rank_of(bool allow, bool important)
{
    return (important ? BL_RANK_IMPORTANT_BLOCK : BL_RANK_BLOCK) + (allow ? 1 : 0);
}

static void regex_rule(struct bl_parser *p, struct text line, struct text pattern,
                       struct text after, bool allow)
{
    bool important = false;
    if (!take_modifiers(&after, &important)) {
        bl_reject(p, BL_REASON_MODIFIER, line);
        return;
    }
    bl_take_pattern(p, pattern, rank_of(allow, important), line);
}

/* The part between | or || and ^. */
static void anchored_rule(struct bl_parser *p, struct text line, struct text body, bool whole,
                          enum bl_rank rank)
{
    const uint8_t *caret = text_find(body, '^');
    bool closed = caret && (caret + 1 == body.end || (caret + 2 == body.end && caret[1] == '|'));
    struct text name = {body.p, closed ? caret : body.end};
    enum bl_kind kind = whole ? BL_BOTH : BL_EXACT;
    if (whole && text_starts(name, "*.", &name)) {
        kind = BL_BELOW;
    }
    if (text_find(name, '*')) {
        bl_reject(p, BL_REASON_GLOB, line);
    } else if (text_find(name, '/')) {
        bl_reject(p, BL_REASON_URL, line);
    } else if (text_find(name, ':')) {
        bl_reject(p, BL_REASON_PORT, line);
    } else if (!closed) {
        bl_reject(p, BL_REASON_PATTERN, line);
    } else {
        bl_take(p, name, kind, rank, kind == BL_EXACT ? 0 : NAME_SINGLE_OK, BL_FORMAT_ADBLOCK);
    }
}

void bl_line_adblock(struct bl_parser *p, struct text line)
{
    if (bl_looks_cosmetic(line)) {
        bl_reject(p, BL_REASON_COSMETIC, line);
        return;
    }
    struct text body = line, pattern, after;
    bool allow = text_starts(body, "@@", &body);
    bool important = false;
    if (split_regex(body, &pattern, &after)) {
        regex_rule(p, line, pattern, after, allow);
        return;
    }
    body = text_word(&body); /* AdGuard writes comments behind rules */
    if (!take_modifiers(&body, &important)) {
        bl_reject(p, BL_REASON_MODIFIER, line);
    } else if (text_starts(body, "||", &body)) {
        anchored_rule(p, line, body, true, rank_of(allow, important));
    } else if (text_starts(body, "|", &body)) {
        anchored_rule(p, line, body, false, rank_of(allow, important));
    } else if (text_find(body, '/')) {
        bl_reject(p, BL_REASON_URL, line);
    } else if (allow || important || text_find(body, '^') || text_find(body, '|')) {
        bl_reject(p, BL_REASON_PATTERN, line);
    } else {
        bl_line_domain(p, body); /* a plain name may stand in such a list too */
    }
}
