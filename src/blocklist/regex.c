/*
 * Which expression decides. The rules stand by rank, so the first that matches is the one.
 */
#include "blocklist/regex.h"

#include <string.h>

#include "base/require.h"

static bool counts(const struct bl_regex_rule *r, const struct bl_regex_asker *who)
{
    if (r->list != BL_REGEX_OWN) {
        return who->filter == NULL || bl_list_set_has(&who->filter->lists, r->list);
    }
    return who->whose == NULL || (bl_own_counts(&r->own, who->whose) &&
                                  (r->own.expires == 0 || who->now < r->own.expires));
}

/* Can the rule match, as far as that is cheap to tell? */
static bool may_match(const struct bl_regex_rule *r, const struct bl_regex_name *name)
{
    uint64_t begins = r->anchored ? name->first : name->letters;
    return (r->starts == 0 || (r->starts & begins) != 0) && name->len >= r->least &&
           bl_sieve_lets(&name->has, &r->needs);
}

/* True: the search is over. */
static bool try_rule(const struct bl_regexes *set, uint32_t i, const struct bl_regex_name *name,
                     const struct bl_regex_asker *who, struct bl_regex_verdict *out)
{
    const struct bl_regex_rule *r = &set->rules[i];
    if (LIKELY(!may_match(r, name)) || !counts(r, who)) {
        return false;
    }
    enum bl_regex_result result = set->match(set, i, who->user, name->text, name->len);
    out->asked++;
    if (result == BL_REGEX_YES) {
        out->rule = i;
        out->rank = r->rank;
        out->until = who->whose != NULL && r->own.expires != 0 ? r->own.expires : USEC_NEVER;
        return true;
    }
    out->gave_up = (uint8_t)(out->gave_up + (result == BL_REGEX_GAVE_UP));
    return out->gave_up == BL_REGEX_GIVE_UPS;
}

void bl_regex_match(const struct bl_regexes *set, const struct dns_name *name,
                    const struct bl_regex_asker *who, struct bl_regex_verdict *out)
{
    struct bl_regex_name at;
    uint64_t some[BL_REGEX_WORDS];
    *out = (struct bl_regex_verdict){.rule = BL_RULE_NONE, .until = USEC_NEVER};
    if (name->labels == 0) {
        return;
    }
    bl_regex_name_make(name, &at);
    if (LIKELY(set->index != NULL)) {
        bl_regex_index_find(set->index, &at.has, some);
    } else {
        memset(some, 0xff, sizeof some);
    }
    for (uint32_t word = 0; word * 64 < set->count; word++) {
        for (uint64_t left = some[word]; left != 0; left &= left - 1) {
            uint32_t i = word * 64 + (uint32_t)__builtin_ctzll(left);
            if (i >= set->count || try_rule(set, i, &at, who, out)) {
                return;
            }
        }
    }
}

bool bl_regex_matches(const struct bl_regexes *set, uint32_t i, const struct dns_name *name,
                      const struct bl_regex_asker *who)
{
    struct bl_regex_name at;
    REQUIRE(i < set->count);
    if (name->labels == 0 || !counts(&set->rules[i], who)) {
        return false;
    }
    bl_regex_name_make(name, &at);
    return set->match(set, i, who->user, at.text, at.len) == BL_REGEX_YES;
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
