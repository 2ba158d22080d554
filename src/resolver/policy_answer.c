/*
 * The verdict on an answer: the names that its CNAMEs lead to and the addresses in it, and that it
 * passed, which is remembered with it.
 */
#include "resolver/address.h"
#include "resolver/policy.h"
#include "resolver/resolver_int.h"

enum { JUDGED_FREE = 1 << 10, JUDGED_SPOKEN_OF = 1 << 11 };
_Static_assert(JUDGED_FREE == 1 << POLICY_JUDGED_PROFILES &&
                   JUDGED_SPOKEN_OF << 1 == 1 << POLICY_JUDGED_BITS,
               "beside the bits of profiles");

static bool judges_chain(const struct resolver *r, uint8_t flags)
{
    return (flags & CACHE_HAS_CNAME) != 0 && r->snap->cname_check;
}

static bool judges_addresses(const struct resolver *r, uint16_t type)
{
    return UNLIKELY(r->snap->addresses != NULL || r->snap->list_addresses != NULL) &&
           address_in_type(type);
}

bool policy_judges_answer(const struct resolver *r, uint8_t flags, uint16_t type)
{
    return judges_chain(r, flags) || judges_addresses(r, type);
}

static bool judge_addresses(const struct resolver *r, const struct profile *profile,
                            const uint8_t *msg, size_t len, struct policy_verdict *out)
{
    const struct snapshot *s = r->snap;
    const struct address_rule *rule =
        s->addresses != NULL ? address_rules_judge(s->addresses, msg, len, &profile->asker) : NULL;
    bool own = rule != NULL;
    if (!own && s->list_addresses != NULL) {
        rule = address_rules_judge_listed(s->list_addresses, msg, len, profile->filter, false);
    }
    if (rule == NULL) {
        return false;
    }
    *out = (struct policy_verdict){.verdict = VERDICT_BLOCK,
                                   .status = own ? QUERY_BLOCKED_RULE : QUERY_BLOCKED_LIST,
                                   .list = own ? STATS_NO_LIST : rule->list,
                                   .address = rule->reason};
    return true;
}

/* The next name that a CNAME leads to. */
static bool next_target(struct dns_walk *walk, const uint8_t *msg, size_t len, struct dns_name *out)
{
    struct dns_record rr;
    while (dns_walk_next(walk, &rr) && rr.section == DNS_SECTION_ANSWER) {
        size_t pos = rr.rdata;
        if (rr.type == DNS_CNAME && dns_name_read(msg, len, &pos, out) == ERR_OK) {
            return true;
        }
    }
    return false;
}

static bool judge_chain(const struct resolver *r, const struct profile *profile, const uint8_t *msg,
                        size_t len, struct policy_verdict *out, struct dns_name *name)
{
    struct dns_walk walk;
    struct dns_suffixes suffixes;
    if (dns_walk_begin(msg, len, &walk) != ERR_OK) {
        return false;
    }
    while (next_target(&walk, msg, len, name)) {
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

/* Does anybody's rule speak of the answer? */
static bool is_spoken_of(const struct resolver *r, const uint8_t *msg, size_t len, uint8_t flags,
                         uint16_t type)
{
    struct dns_walk walk;
    struct dns_name name;
    struct dns_suffixes suffixes;
    if (judges_chain(r, flags) && dns_walk_begin(msg, len, &walk) == ERR_OK) {
        while (next_target(&walk, msg, len, &name)) {
            dns_suffixes_make(&name, &suffixes);
            if (policy_speaks(r, &name, &suffixes)) {
                return true;
            }
        }
    }
    const struct snapshot *s = r->snap;
    return judges_addresses(r, type) &&
           ((s->addresses != NULL && address_rules_judge(s->addresses, msg, len, NULL) != NULL) ||
            (s->list_addresses != NULL &&
             address_rules_judge_listed(s->list_addresses, msg, len, NULL, true) != NULL));
}

/* A rule that allowed the chain may have ended since, though the snapshot is the same: then nothing
 * that was remembered of a profile holds, and nothing is. */
static bool remembers(const struct resolver *r, const struct profile *profile)
{
    return profile->number < POLICY_JUDGED_PROFILES && r->now < r->list_policy.allow_ends;
}

bool policy_has_passed(const struct resolver *r, const struct profile *profile, uint32_t judged)
{
    if (judged >> POLICY_JUDGED_BITS != r->policy) {
        return false;
    }
    if (LIKELY((judged & JUDGED_FREE) != 0)) {
        return !profile->blocks_all;
    }
    return remembers(r, profile) && (judged >> profile->number & 1) != 0;
}

uint32_t policy_passed(const struct resolver *r, const struct profile *profile, const uint8_t *msg,
                       size_t len, uint8_t flags, uint16_t type, uint32_t judged)
{
    if (judged >> POLICY_JUDGED_BITS != r->policy) {
        judged = r->policy << POLICY_JUDGED_BITS;
    }
    if ((judged & (JUDGED_FREE | JUDGED_SPOKEN_OF)) == 0) {
        judged |= is_spoken_of(r, msg, len, flags, type) ? JUDGED_SPOKEN_OF : JUDGED_FREE;
    }
    return remembers(r, profile) ? judged | 1U << profile->number : judged;
}
