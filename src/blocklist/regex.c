/*
 * Which expression decides. The rules stand by rank, so the first that matches is the one.
 */
#include "blocklist/regex.h"

#include "base/require.h"

static bool counts(const struct bl_regex_rule *r, const struct bl_regex_asker *who)
{
    if (r->list != BL_REGEX_OWN) {
        return who->filter == NULL || bl_list_set_has(&who->filter->lists, r->list);
    }
    return bl_own_counts(&r->own, who->whose) && (r->own.expires == 0 || who->now < r->own.expires);
}

void bl_regex_match(const struct bl_regexes *set, const struct dns_name *name,
                    const struct bl_regex_asker *who, struct bl_regex_verdict *out)
{
    char text[DNS_NAME_TEXT];
    struct bl_sieve has;
    *out = (struct bl_regex_verdict){.rule = BL_RULE_NONE, .until = USEC_NEVER};
    if (name->labels == 0) {
        return;
    }
    size_t len = dns_name_format(name, text);
    bl_sieve_of_text(text, len, &has);
    for (uint32_t i = 0; i < set->count && out->gave_up < BL_REGEX_GIVE_UPS; i++) {
        const struct bl_regex_rule *r = &set->rules[i];
        if (LIKELY(!bl_sieve_lets(&has, &r->needs)) || !counts(r, who)) {
            continue;
        }
        enum bl_regex_result result = set->match(set, i, who->user, text, len);
        out->asked++;
        if (result == BL_REGEX_YES) {
            out->rule = i;
            out->rank = r->rank;
            out->until = r->own.expires != 0 ? r->own.expires : USEC_NEVER;
            return;
        }
        out->gave_up = (uint8_t)(out->gave_up + (result == BL_REGEX_GAVE_UP));
    }
}

bool bl_regex_matches(const struct bl_regexes *set, uint32_t i, const struct dns_name *name,
                      const struct bl_regex_asker *who)
{
    char text[DNS_NAME_TEXT];
    REQUIRE(i < set->count);
    if (name->labels == 0 || !counts(&set->rules[i], who)) {
        return false;
    }
    size_t len = dns_name_format(name, text);
    return set->match(set, i, who->user, text, len) == BL_REGEX_YES;
}

const char *bl_pattern_problem(struct span pattern)
{
    if (pattern.len == 0) {
        return "an empty regular expression";
    }
    if (pattern.len > BL_PATTERN_MAX) {
        return "a regular expression of more than 1024 octets";
    }
    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.ptr[i] < 0x20 || pattern.ptr[i] == 0x7f) {
            return "control characters in a regular expression";
        }
        if (pattern.ptr[i] == ';') {
            return "found ';' in a regular expression: no name has one, and options such as "
                   "Pi-hole's ;querytype= are not supported";
        }
    }
    return NULL;
}
