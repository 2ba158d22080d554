/*
 * Single rules, and the names of formats and reasons.
 */
#include "base/attr.h"
#include "blocklist/parse_int.h"

struct one {
    struct bl_rule *out;
    unsigned count;
};

static void keep_one(void *ctx, const struct bl_rule *rule)
{
    struct one *one = ctx;
    if (one->count++ == 0) {
        *one->out = *rule;
    }
}

enum err bl_parse_one(struct span text, struct bl_rule *out, enum bl_reason *why)
{
    struct bl_rule found;
    struct one one = {.out = &found};
    struct bl_parser p;
    uint8_t line[DNS_NAME_TEXT + BL_PARSE_SLACK];
    struct text t = text_trim((struct text){text.ptr, text.ptr + text.len});
    *why = BL_REASON_LONG_NAME;
    if (text_len(t) > DNS_NAME_TEXT) {
        return ERR_FORMAT;
    }
    memcpy(line, t.p, text_len(t));
    t = (struct text){line, line + text_len(t)};
    bl_parse_init(&p, &(struct bl_parse_config){.ctx = &one, .rule = keep_one});
    *why = BL_REASON_EMPTY_LABEL;
    if (t.p == t.end) {
        return ERR_FORMAT;
    }
    if (*t.p == '|' || *t.p == '@') {
        bl_line_adblock(&p, t);
    } else {
        struct text below = t;
        bool wide = text_starts(t, "*.", &below) || text_starts(t, ".", &below);
        bl_take(&p, below, wide ? BL_BOTH : BL_EXACT, BL_RANK_BLOCK, NAME_SINGLE_OK,
                BL_FORMAT_DOMAINS);
    }
    if (one.count != 1) {
        *why = (enum bl_reason)p.stats.example[0].reason;
        return ERR_FORMAT;
    }
    *out = found;
    return ERR_OK;
}

static const char *const reason_text[BL_REASON_COUNT] = {
#define BL_REASON(name, text) [BL_REASON_##name] = text,
#include "blocklist/reasons.def"
#undef BL_REASON
};

static const char *const reason_name[BL_REASON_COUNT] = {
#define BL_REASON(name, text) [BL_REASON_##name] = #name,
#include "blocklist/reasons.def"
#undef BL_REASON
};

static const char *const format_name[BL_FORMAT_COUNT] = {"auto",    "hosts",   "domains", "adblock",
                                                         "dnsmasq", "unbound", "rpz",     "regex"};

const char *bl_reason_text(enum bl_reason reason)
{
    return (unsigned)reason < BL_REASON_COUNT ? reason_text[reason] : "unknown";
}

const char *bl_reason_name(enum bl_reason reason)
{
    return (unsigned)reason < BL_REASON_COUNT ? reason_name[reason] : "unknown";
}

const char *bl_format_name(enum bl_format format)
{
    return (unsigned)format < BL_FORMAT_COUNT ? format_name[format] : "unknown";
}

enum err bl_format_parse(struct span text, enum bl_format *out)
{
    for (unsigned i = 0; i < BL_FORMAT_COUNT; i++) {
        if (span_equal(text, span_str(format_name[i]))) {
            *out = (enum bl_format)i;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}
