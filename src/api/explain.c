/*
 * What decides first stands first: a local record, own allow rules, own deny rules, rules of lists
 * by rank.
 */
#include "api/explain.h"

#include "api/policy_plan.h"
#include "base/strbuf.h"
#include "blocklist/catalog.h"
#include "blocklist/match.h"
#include "blocklist/overlay.h"
#include "blocklist/regex.h"

enum { HITS_MAX = 256 };

static void add_match(struct api_verdict *out, const struct api_match *m)
{
    if (out->count < API_MATCHES_MAX) {
        out->match[out->count++] = *m;
    } else {
        out->left_off++;
    }
}

/* Is the rule in force for who asks? */
static bool is_in_force(const struct explain_source *src, const struct rule_view *v)
{
    struct bl_own own;
    policy_plan_asker(src->plan, v, &own);
    return rules_own_active(v, src->now_unix) &&
           bl_own_counts(&own, &policy_plan_profile(src->plan, src->client)->asker);
}

/* Own rules of one kind, all that fit; true if there are any. */
static bool explain_own(const struct explain_source *src, const struct dns_name *name, bool allow,
                        bool decided, struct api_verdict *out)
{
    struct rule_view v;
    struct api_match m;
    bool any = false;
    for (uint32_t i = 0; i < rules_own_count(src->rules); i++) {
        m = (struct api_match){.allow = allow};
        if (!rules_own_at(src->rules, i, &v) || v.allow != allow || !is_in_force(src, &v) ||
            v.kind == RULE_REGEX || dns_name_parse(span_str(v.domain), &m.rule) != ERR_OK) {
            continue;
        }
        m.subtree = v.kind == RULE_SUBTREE;
        if (dns_name_equal(name, &m.rule) || (m.subtree && dns_name_within(name, &m.rule))) {
            m.line = (uint32_t)v.id;
            m.wins = !decided && !any;
            add_match(out, &m);
            any = true;
        }
    }
    return any;
}

/* Names of services that are blocked for who asks; true if there are any. */
static bool explain_services(const struct explain_source *src, const struct dns_name *name,
                             bool decided, struct api_verdict *out)
{
    const struct catalog *services = src->plan->services;
    const struct bl_asker *asker = &policy_plan_profile(src->plan, src->client)->asker;
    bool any = false;
    for (uint32_t i = 0; services && i < services->count; i++) {
        struct api_match m = {.subtree = true, .service = services->section[i].id};
        struct bl_own own;
        size_t cursor = 0;
        if (!policy_plan_service(src->plan, i, &own) || !bl_own_counts(&own, asker)) {
            continue;
        }
        while (catalog_name(&services->section[i], &cursor, &m.rule)) {
            if (dns_name_within(name, &m.rule)) {
                m.wins = !decided && !any;
                any = true;
                add_match(out, &m);
            }
        }
    }
    return any;
}

/* Regular expressions of one rank, all that match; true if there are any. */
static bool explain_regex(const struct explain_source *src, const struct dns_name *name,
                          unsigned rank, const struct bl_filter *filter, bool decided,
                          struct api_verdict *out)
{
    const struct bl_regexes *set = src->snapshot->regexes;
    const struct bl_regex_asker who = {.whose = &policy_plan_profile(src->plan, src->client)->asker,
                                       .filter = filter,
                                       .now = src->now,
                                       .user = src->regex_user};
    bool any = false;
    for (uint32_t i = 0; set && i < set->count; i++) {
        const struct bl_regex_rule *r = &set->rules[i];
        if (r->rank != rank || !bl_regex_matches(set, i, name, &who)) {
            continue;
        }
        add_match(out, &(struct api_match){
                           .list = r->list == BL_REGEX_OWN ? 0 : src->list_id(src->ctx, r->list),
                           .line = r->own.id,
                           .allow = bl_regex_action(rank) == BL_ALLOW,
                           .important = r->list != BL_REGEX_OWN && bl_rank_important(rank),
                           .wins = !decided && !any,
                           .regex = r->text,
                           .rule = *name});
        any = true;
    }
    return any;
}

static struct api_match match_of(const struct explain_source *src, const struct dns_name *name,
                                 const struct bl_hit *hit)
{
    struct api_match m = {.list = src->list_id(src->ctx, hit->source.list),
                          .line = hit->source.line,
                          .allow = bl_rank_action(hit->source.rank) == BL_ALLOW,
                          .important = bl_rank_important(hit->source.rank),
                          .subtree = (hit->source.kind & BL_BELOW) != 0};
    struct span wire = dns_name_suffix(name, hit->label);
    if (dns_name_from_wire(wire.ptr, wire.len, &m.rule) != ERR_OK) {
        m.rule = *name;
    }
    return m;
}

/* The lists that count for who asks. */
static void lists_in_force(const struct explain_source *src, struct bl_list_set *out)
{
    uint64_t groups = policy_plan_profile(src->plan, src->client)->asker.groups;
    *out = (struct bl_list_set){{0}};
    for (unsigned slot = 0; slot < BL_LISTS_MAX; slot++) {
        if ((policy_plan_list(src->plan, src->list_id(src->ctx, slot)) & groups) != 0) {
            bl_list_set_add(out, slot);
        }
    }
}

/* Rules of lists, the highest rank first and within it names before expressions, the most specific
 * first; what they come to. */
static enum bl_action explain_lists(const struct explain_source *src, const struct dns_name *name,
                                    bool decided, struct api_verdict *out)
{
    struct bl_hit hits[HITS_MAX];
    struct bl_verdict verdict;
    struct bl_filter filter = {.effects = NULL};
    enum bl_action action = BL_NONE;
    size_t count = 0;
    lists_in_force(src, &filter.lists);
    if (src->snapshot->image) {
        count = bl_explain(src->snapshot->image, name, &filter.lists, hits, HITS_MAX, &verdict);
        count = count < HITS_MAX ? count : HITS_MAX;
    }
    for (unsigned rank = BL_RANK_COUNT; rank-- > 0;) {
        bool any = false;
        for (size_t i = count; i-- > 0;) {
            if (hits[i].applies && hits[i].source.rank == rank) {
                struct api_match m = match_of(src, name, &hits[i]);
                m.wins = !decided && !any;
                any = true;
                add_match(out, &m);
            }
        }
        any |= explain_regex(src, name, rank, &filter, decided || any, out);
        action = any && action == BL_NONE ? bl_rank_action(rank) : action;
        decided |= any;
    }
    return action;
}

/* ---- How the client is treated. ---- */

static void write_text(char out[API_WHY_TEXT], const char *a, const char *b, const char *c)
{
    struct strbuf s;
    strbuf_init(&s, out, API_WHY_TEXT);
    strbuf_str(&s, a);
    strbuf_str(&s, b);
    strbuf_str(&s, c);
}

static void tell_groups(const struct policy_plan *plan, uint64_t groups, struct api_verdict *out)
{
    struct strbuf s;
    strbuf_init(&s, out->groups, sizeof out->groups);
    for (unsigned n = 1; n <= plan->groups.count; n++) {
        unsigned i = n % plan->groups.count; /* everybody's last, as they are put together */
        const struct policy_group *g = &plan->groups.item[i];
        if (!(groups >> i & 1)) {
            continue;
        }
        strbuf_str(&s, s.len > 0 ? ", " : "");
        strbuf_str(&s, g->name);
        if (g->schedule && (out->schedule[0] == '\0' || g->blocks)) {
            write_text(out->schedule, g->name, ": ", g->schedule);
        }
    }
}

/* Which pause lasts longest decides; all of them are told by the widest. */
static void tell_pause(const struct explain_source *src, const struct profile *p,
                       struct api_verdict *out)
{
    const struct policy_plan *plan = src->plan;
    if (src->now >= p->pause_until) {
        return;
    }
    if (src->now < plan->pause_until) {
        write_text(out->pause, "everything", "", "");
        return;
    }
    for (unsigned i = 0; i < plan->groups.count; i++) {
        if ((p->asker.groups >> i & 1) && src->now < plan->groups.item[i].pause_until) {
            write_text(out->pause, "group ", plan->groups.item[i].name, "");
            return;
        }
    }
    if (src->now < plan->own_pause[policy_plan_number(plan, src->client)]) {
        write_text(out->pause, "the client", "", "");
    } else {
        write_text(out->pause, "at this time: ", out->schedule, "");
    }
}

static void tell_client(const struct explain_source *src, struct api_verdict *out)
{
    const struct profile *p = policy_plan_profile(src->plan, src->client);
    const struct policy_entry *e = policy_plan_entry(src->plan, src->client);
    if (e) {
        write_text(out->entry, e->client, e->in_document ? " (page)" : " (configuration)", "");
    }
    tell_groups(src->plan, p->asker.groups, out);
    tell_pause(src, p, out);
    out->no_clock = src->now_unix < SCHEDULE_CLOCK_MIN;
    out->block_mode = p->block_mode;
    out->block_v4 = p->block_v4;
    out->block_v6 = p->block_v6;
}

bool explain_allowed(const struct snapshot *s, const struct dns_name *name, unsigned regex_user,
                     usec_t now)
{
    const struct profile *who = &s->everybody;
    const struct bl_regex_asker asker = {
        .whose = &who->asker, .filter = who->filter, .now = now, .user = regex_user};
    struct bl_overlay_verdict own;
    struct bl_verdict listed;
    struct bl_regex_verdict matched = {.rule = BL_RULE_NONE};
    struct dns_suffixes suffixes;
    int rank = -1;
    dns_suffixes_make(name, &suffixes);
    enum bl_action action = bl_overlay_match(s->rules, name, &suffixes, &who->asker, now, &own);
    if (action != BL_NONE) {
        rank = action == BL_ALLOW ? BL_RANK_OWN_ALLOW : BL_RANK_OWN_DENY;
    } else if (s->image && bl_match(s->image, name, &suffixes, who->filter, &listed) != BL_NONE) {
        rank = listed.rank;
    }
    if (s->regexes) {
        bl_regex_match(s->regexes, name, &asker, &matched);
    }
    if (matched.rule != BL_RULE_NONE && (int)matched.rank > rank) {
        rank = matched.rank;
    }
    return rank >= 0 && bl_regex_action((unsigned)rank) == BL_ALLOW;
}

void explain_name(const struct explain_source *src, const struct dns_name *name,
                  struct api_verdict *out)
{
    enum resolver_source source = resolver_source_of(src->snapshot, name);
    bool before = source == RESOLVER_SOURCE_LOCAL;
    bool allowed = explain_own(src, name, true, before, out);
    allowed |= explain_regex(src, name, BL_RANK_OWN_ALLOW, NULL, before || allowed, out);
    tell_client(src, out);
    out->at_times = !before && !allowed && policy_plan_profile(src->plan, src->client)->blocks_all;
    before |= out->at_times;
    bool denied = explain_own(src, name, false, before || allowed, out);
    denied |= explain_services(src, name, before || allowed || denied, out);
    denied |= explain_regex(src, name, BL_RANK_OWN_DENY, NULL, before || allowed || denied, out);
    enum bl_action lists = explain_lists(src, name, before || allowed || denied, out);
    bool blocked = out->at_times || (!before && !allowed && (denied || lists == BL_BLOCK));
    if (out->at_times) {
        out->reason = "schedule";
    } else if (before) {
        out->reason = "local record";
    } else if (source == RESOLVER_SOURCE_SPECIAL && !blocked) {
        out->reason = "special-use name";
    } else if (allowed || denied) {
        out->reason = "own rule";
    } else {
        out->reason = lists == BL_NONE ? "none" : "list";
    }
    out->paused = blocked && src->now < policy_plan_profile(src->plan, src->client)->pause_until;
    out->blocked = blocked;
}
