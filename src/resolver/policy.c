/*
 * The verdict on a name. A person's own rules stand above all lists; while blocking is paused
 * nothing is blocked at all. Nothing is decided here about local records or special names: those
 * are asked before (pipeline.c).
 */
#include "resolver/policy.h"

#include <string.h>

#include "blocklist/match.h"
#include "blocklist/overlay.h"
#include "resolver/address.h"
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

/* What expressions say, if one of a higher rank than `rank` says anything. */
static bool judge_regex(const struct resolver *r, const struct profile *profile,
                        const struct dns_name *name, const struct dns_suffixes *suffixes, int rank,
                        struct policy_verdict *out)
{
    const struct bl_regexes *set = r->snap->regexes;
    const struct bl_regex_asker who = {
        .whose = &profile->asker, .filter = profile->filter, .now = r->now, .user = r->cfg.worker};
    struct bl_regex_verdict v;
    if (memo_find(&r->memo, name, suffixes, &who, r->policy, &v)) {
        stats_count(r->stats, COUNTER_regex_remembered, 1);
    } else {
        bl_regex_match(set, name, &who, &v);
        memo_keep(&r->memo, name, suffixes, &who, r->policy, &v);
        stats_count(r->stats, COUNTER_regex_asked, v.asked);
        stats_count(r->stats, COUNTER_regex_gave_up, v.gave_up);
    }
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

static bool judges_chain(const struct resolver *r, uint8_t flags)
{
    return (flags & CACHE_HAS_CNAME) != 0 && r->snap->cname_check;
}

static bool judges_addresses(const struct resolver *r, uint16_t type)
{
    return UNLIKELY(r->snap->addresses != NULL) && address_in_type(type);
}

bool policy_judges_answer(const struct resolver *r, uint8_t flags, uint16_t type)
{
    return judges_chain(r, flags) || judges_addresses(r, type);
}

static bool judge_addresses(const struct resolver *r, const struct profile *profile,
                            const uint8_t *msg, size_t len, struct policy_verdict *out)
{
    const struct address_rule *rule =
        address_rules_judge(r->snap->addresses, msg, len, &profile->asker);
    if (rule == NULL) {
        return false;
    }
    *out = (struct policy_verdict){.verdict = VERDICT_BLOCK,
                                   .status = QUERY_BLOCKED_RULE,
                                   .list = STATS_NO_LIST,
                                   .address = rule->reason};
    return true;
}

static bool judge_chain(const struct resolver *r, const struct profile *profile, const uint8_t *msg,
                        size_t len, struct policy_verdict *out, struct dns_name *name)
{
    struct dns_walk walk;
    struct dns_record rr;
    if (dns_walk_begin(msg, len, &walk) != ERR_OK) {
        return false;
    }
    while (dns_walk_next(&walk, &rr) && rr.section == DNS_SECTION_ANSWER) {
        size_t pos = rr.rdata;
        if (rr.type != DNS_CNAME || dns_name_read(msg, len, &pos, name) != ERR_OK) {
            continue;
        }
        struct dns_suffixes suffixes;
        dns_suffixes_make(name, &suffixes);
        policy_judge(r, profile, name, &suffixes, out);
        if (out->verdict == VERDICT_BLOCK) {
            return true;
        }
    }
    return false;
}

bool policy_judge_answer(const struct resolver *r, const struct profile *profile,
                         const uint8_t *msg, size_t len, uint8_t flags, uint16_t type,
                         struct policy_verdict *out, struct dns_name *name)
{
    if (judges_chain(r, flags) && judge_chain(r, profile, msg, len, out, name)) {
        return true;
    }
    return judges_addresses(r, type) && judge_addresses(r, profile, msg, len, out);
}

/* A rule that allowed the chain may have ended since, though the snapshot is the same: then nothing
 * that was remembered holds, and nothing is. */
static bool remembers(const struct resolver *r, const struct profile *profile)
{
    return profile->number < POLICY_JUDGED_PROFILES && r->now < r->list_policy.allow_ends;
}

bool policy_has_passed(const struct resolver *r, const struct profile *profile, uint32_t judged)
{
    return judged >> POLICY_JUDGED_PROFILES == r->policy && remembers(r, profile) &&
           (judged >> profile->number & 1) != 0;
}

uint32_t policy_passed(const struct resolver *r, const struct profile *profile, uint32_t judged)
{
    if (!remembers(r, profile)) {
        return judged;
    }
    uint32_t others = judged >> POLICY_JUDGED_PROFILES == r->policy ? judged : 0;
    return r->policy << POLICY_JUDGED_PROFILES | (others & ((1U << POLICY_JUDGED_PROFILES) - 1)) |
           1U << profile->number;
}
