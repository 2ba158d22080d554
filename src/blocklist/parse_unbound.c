/*
 * unbound configuration: local-zone of a type that refuses blocks the name and all below;
 * local-data with a null or loopback address blocks the name.
 */
#include "blocklist/parse_int.h"

bool bl_looks_unbound(struct text line)
{
    static const char *const words[] = {
        "local-zone:", "local-data:", "local-data-ptr:", "server:", "include:"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (text_starts(line, words[i], NULL)) {
            return true;
        }
    }
    return false;
}

/* A word, or what stands between quotes. False if the quote does not end. */
static bool take_value(struct text *t, struct text *value)
{
    *t = text_trim(*t);
    if (t->p == t->end || (*t->p != '"' && *t->p != '\'')) {
        *value = text_word(t);
        return true;
    }
    struct text inner = {t->p + 1, t->end};
    const uint8_t *close = text_find(inner, *t->p);
    if (!close) {
        return false;
    }
    *value = text_trim((struct text){inner.p, close});
    t->p = close + 1;
    return true;
}

/* Types that give names of the zone no answer from elsewhere; see unbound.conf(5), local-zone. */
static bool refuses(struct text type)
{
    static const char *const types[] = {"always_null", "always_nxdomain", "always_refuse",
                                        "always_deny", "always_nodata",   "refuse",
                                        "deny",        "static",          "redirect",
                                        "inform_deny", "inform_redirect"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (text_is(type, types[i])) {
            return true;
        }
    }
    return false;
}

/* name [ttl] [IN] A|AAAA address */
static void line_data(struct bl_parser *p, struct text line, struct text record)
{
    struct text name = text_word(&record);
    struct text word = text_word(&record);
    while (word.p < word.end && ((*word.p >= '0' && *word.p <= '9') || text_is(word, "in"))) {
        word = text_word(&record);
    }
    struct text address = text_word(&record);
    if ((text_is(word, "a") || text_is(word, "aaaa")) && bl_address(address) == ADDRESS_NULL) {
        bl_take(p, name, BL_EXACT, BL_RANK_BLOCK, 0, BL_FORMAT_UNBOUND);
    } else {
        bl_reject(p, BL_REASON_OTHER_DATA, line);
    }
}

void bl_line_unbound(struct bl_parser *p, struct text line)
{
    struct text rest, value;
    if (text_starts(line, "local-zone:", &rest) && take_value(&rest, &value)) {
        struct text type = text_uncomment(rest);
        struct text bare;
        if (!take_value(&type, &bare) || !refuses(bare)) {
            bl_reject(p, BL_REASON_OTHER_DATA, line);
        } else {
            bl_take(p, value, BL_BOTH, BL_RANK_BLOCK, NAME_SINGLE_OK, BL_FORMAT_UNBOUND);
        }
    } else if (text_starts(line, "local-data:", &rest) && take_value(&rest, &value)) {
        line_data(p, line, value);
    } else {
        bl_reject(p, BL_REASON_OTHER_DATA, line);
    }
}
