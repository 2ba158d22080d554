/*
 * The verdict on a name. A person's own rules stand above all lists; while blocking is paused
 * nothing is blocked at all. Nothing is decided here about local records or special names: those
 * are asked before (pipeline.c).
 */
#include "resolver/policy.h"

#include <string.h>

#include "blocklist/match.h"
#include "blocklist/overlay.h"
#include "resolver/resolver_int.h"

static const char own_rule[] = "denied by own rule";
static const char at_this_time[] = "blocked at this time";

/* List names as they go into answers: printable text, cut to what is useful there. */
static void copy_name(char *to, struct span name)
{
    size_t n = 0;
    for (size_t i = 0; i < name.len && n + 1 < POLICY_LIST_NAME; i++) {
        if (name.ptr[i] >= 0x20 && name.ptr[i] != 0x7f) {
            to[n++] = (char)name.ptr[i];
        }
    }
    while (n > 0 && n + 1 == POLICY_LIST_NAME && ((uint8_t)to[n - 1] & 0x80) != 0) {
        n--; /* it may have been cut inside a UTF-8 sequence */
    }
    to[n] = '\0';
}

static usec_t first_allow_end(const struct snapshot *s)
{
    usec_t first = bl_overlay_allow_ends(s->rules);
    for (uint32_t i = 0; s->regexes != NULL && i < s->regexes->count; i++) {
        const struct bl_regex_rule *rule = &s->regexes->rules[i];
        if (rule->rank == BL_RANK_OWN_ALLOW && rule->own.expires != 0 &&
            rule->own.expires < first) {
            first = rule->own.expires;
        }
    }
    return first;
}

void policy_load(struct resolver *r)
{
    r->list_policy.allow_ends = first_allow_end(r->snap);
    for (unsigned i = 0; i < BL_LISTS_MAX; i++) {
        struct bl_list_info info;
        r->list_policy.list_names[i][0] = '\0';
        if (r->snap->image != NULL) {
            bl_image_list(r->snap->image, i, &info);
            copy_name(r->list_policy.list_names[i], info.name);
        }
    }
}

bool policy_is_on(const struct resolver *r, const struct profile *profile)
{
    return r->now >= profile->pause_until;
}

/* What expressions say for somebody; remembered. */
static void ask_regex(const struct resolver *r, const struct bl_regex_asker *who,
                      const struct dns_name *name, const struct dns_suffixes *suffixes,
                      struct bl_regex_verdict *out)
{
    if (memo_find(&r->memo, name, suffixes, who, r->policy, out)) {
        stats_count(r->stats, COUNTER_regex_remembered, 1);
        return;
    }
    bl_regex_match(r->snap->regexes, name, who, out);
    memo_keep(&r->memo, name, suffixes, who, r->policy, out);
    stats_count(r->stats, COUNTER_regex_asked, out->asked);
    stats_count(r->stats, COUNTER_regex_gave_up, out->gave_up);
}

/* Does an expression of anybody match, one that has ended included? Most names are done with this,
 * whoever asks, so that is what is remembered of them. */
static bool regex_speaks(const struct resolver *r, const struct dns_name *name,
                         const struct dns_suffixes *suffixes)
{
    const struct bl_regex_asker anybody = {.now = r->now, .user = r->cfg.worker};
    struct bl_regex_verdict v;
    ask_regex(r, &anybody, name, suffixes, &v);
    return v.rule != BL_RULE_NONE || v.gave_up > 0;
}

/* What expressions say, if one of a higher rank than `rank` says anything. */
static bool judge_regex(const struct resolver *r, const struct profile *profile,
                        const struct dns_name *name, const struct dns_suffixes *suffixes, int rank,
                        struct policy_verdict *out)
{
    const struct bl_regexes *set = r->snap->regexes;
    const struct bl_regex_asker who = {
        .whose = &profile->asker, .filter = profile->filter, .now = r->now, .user = r->cfg.worker};
    struct bl_regex_verdict v;
    if (LIKELY(!regex_speaks(r, name, suffixes))) {
        return false;
    }
    ask_regex(r, &who, name, suffixes, &v);
    if (v.rule == BL_RULE_NONE || (int)v.rank <= rank) {
        return false;
    }
    if (bl_regex_action(v.rank) == BL_ALLOW) {
        out->verdict = VERDICT_ALLOW;
        return true;
    }
    out->verdict = VERDICT_BLOCK;
    out->status = QUERY_BLOCKED_REGEX;
    out->list = set->rules[v.rule].list == BL_REGEX_OWN ? STATS_NO_LIST : set->rules[v.rule].list;
    return true;
}

/* May an expression have more to say than a rule on names of this rank? */
static bool asks_regex(const struct resolver *r, int rank)
{
    const struct bl_regexes *set = r->snap->regexes;
    return UNLIKELY(set != NULL) && (int)set->rules[0].rank > rank;
}

static void judge_listed(const struct resolver *r, const struct profile *profile,
                         const struct dns_name *name, const struct dns_suffixes *suffixes,
                         struct policy_verdict *out)
{
    const struct bl_image *image = r->snap->image;
    struct bl_verdict listed = {.action = BL_NONE};
    int rank = -1;
    if (image != NULL && bl_match(image, name, suffixes, profile->filter, &listed) != BL_NONE) {
        rank = listed.rank;
    }
    if (asks_regex(r, rank) && judge_regex(r, profile, name, suffixes, rank, out)) {
        return;
    }
    if (listed.action == BL_ALLOW) {
        out->verdict = VERDICT_ALLOW;
    } else if (listed.action == BL_BLOCK) {
        out->verdict = VERDICT_BLOCK;
        out->status = QUERY_BLOCKED_LIST;
        out->labels = (uint8_t)(name->labels - listed.label);
        out->list = (uint16_t)bl_verdict_list(image, profile->filter, &listed);
    }
}

void policy_judge(const struct resolver *r, const struct profile *profile,
                  const struct dns_name *name, const struct dns_suffixes *suffixes,
                  struct policy_verdict *out)
{
    struct bl_overlay_verdict own;
    *out = (struct policy_verdict){.verdict = VERDICT_PASS, .list = STATS_NO_LIST};
    switch (bl_overlay_match(r->snap->rules, name, suffixes, &profile->asker, r->now, &own)) {
    case BL_ALLOW:
        out->verdict = VERDICT_ALLOW;
        return;
    case BL_NONE:
        if (LIKELY(!profile->blocks_all)) {
            break;
        }
        out->at_times = true;
        FALLTHROUGH;
    case BL_BLOCK:
        if (asks_regex(r, BL_RANK_OWN_DENY) &&
            judge_regex(r, profile, name, suffixes, BL_RANK_OWN_DENY, out)) {
            return;
        }
        out->verdict = VERDICT_BLOCK;
        out->status = QUERY_BLOCKED_RULE;
        out->service = !out->at_times && (own.id & RULE_SERVICE)
                           ? (uint16_t)((own.id & RULE_SERVICE_MASK) + 1)
                           : 0;
        out->labels = (uint8_t)(out->at_times ? 0 : name->labels - own.label);
        return;
    }
    judge_listed(r, profile, name, suffixes, out);
}

bool policy_speaks(const struct resolver *r, const struct dns_name *name,
                   const struct dns_suffixes *suffixes)
{
    struct bl_overlay_verdict own;
    struct bl_verdict listed;
    const struct snapshot *s = r->snap;
    return bl_overlay_match(s->rules, name, suffixes, NULL, 0, &own) != BL_NONE ||
           (s->image != NULL && bl_match(s->image, name, suffixes, NULL, &listed) != BL_NONE) ||
           (s->regexes != NULL && regex_speaks(r, name, suffixes));
}

const char *policy_reason(const struct resolver *r, const struct policy_verdict *v)
{
    if (v->address != NULL) {
        return v->address;
    }
    if (v->service != 0) {
        return r->snap->service_reasons[v->service - 1];
    }
    return v->list < BL_LISTS_MAX ? r->list_policy.list_names[v->list]
           : v->at_times          ? at_this_time
                                  : own_rule;
}

void policy_decide(struct resolver *r, struct query *q)
{
    struct policy_verdict v = {.verdict = VERDICT_PASS};
    if (LIKELY(policy_is_on(r, q->profile))) {
        policy_judge(r, q->profile, &q->req.qname, &q->suffixes, &v);
    }
    q->verdict = v.verdict;
    q->allowed = v.verdict == VERDICT_ALLOW;
    if (v.verdict == VERDICT_BLOCK) {
        q->status = v.status;
        q->list = v.list;
        q->match_labels = v.labels;
        q->ede = DNS_EDE_BLOCKED;
        q->ede_text = policy_reason(r, &v);
    }
}
