/*
 * HOT. The way of a query, from the packet to its answer or to the upstreams. Each step either ends
 * the query or hands it on; every end goes through query_finish.
 *
 *      parse -> who asks -> class -> local record -> lists -> type -> special names -> cache -> ask
 */
#include <string.h>

#include "base/require.h"
#include "resolver/dns64.h"
#include "resolver/policy.h"
#include "resolver/resolver_int.h"
#include "resolver/special.h"

static bool check_cookie(const struct resolver *r, const struct query *q)
{
    const struct ip_addr *a = &q->peer->addr;
    bool v4 = ip_is_v4(a);
    return q->req.edns.cookie_len == 24 &&
           dns_cookie_valid(&r->cookie_key, q->req.edns.cookie, v4 ? a->b + 12 : a->b, v4 ? 4 : 16,
                            (uint32_t)(r->now / USEC_PER_SEC));
}

/* Names with a route of their own have the same upstreams for everybody. */
static uint64_t query_view(const struct resolver *r, const struct query *q)
{
    uint64_t view = q->profile->view;
    return LIKELY(view == 0) || forward_route(r, &q->req.qname) != 0 ? 0 : view;
}

void query_key(const struct resolver *r, const struct query *q, struct cache_key *key)
{
    *key = (struct cache_key){
        .name = &q->req.qname,
        .hash = cache_hash(r->cache, &q->req.qname),
        .view = query_view(r, q),
        .type = q->req.qtype,
        .klass = q->req.qclass,
        .dnssec_ok = q->req.edns.dnssec_ok,
        .checking_disabled = (q->req.flags & DNS_CD) != 0,
    };
}

/* Top-level domains that do not exist outside: whoever answers for them is in the house. */
static bool is_inside(const struct dns_name *name)
{
    static const char *const tops[] = {"lan",      "internal", "home",       "corp",
                                       "intranet", "private",  "localdomain"};
    for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
        if (special_ends_with(name, tops[i])) {
            return true;
        }
    }
    return name->labels <= 1;
}

/* May this name have private addresses? Names that the house itself answers for, and exceptions of
 * the settings. */
static bool rebind_exempt(const struct resolver *r, const struct dns_name *name)
{
    const struct snapshot *s = r->snap;
    for (uint32_t i = 0; i < s->rebind_allow_count; i++) {
        if (dns_name_within(name, &s->rebind_allow[i])) {
            return true;
        }
    }
    return is_inside(name) || forward_route(r, name) != 0;
}

static bool is_upstream_block(const struct cache_hit *hit)
{
    return hit->ede == DNS_EDE_BLOCKED || hit->ede == DNS_EDE_CENSORED ||
           hit->ede == DNS_EDE_FILTERED ||
           (hit->flags & (CACHE_HAS_NULL | CACHE_HAS_PRIVATE)) == CACHE_HAS_NULL;
}

/* The answer in q's packet leads to a blocked name by CNAME, or to a blocked address. */
static void answer_blocked_late(struct resolver *r, struct query *q, const struct policy_verdict *v,
                                const struct dns_name *name)
{
    q->status = v->address != NULL ? v->status : QUERY_BLOCKED_CNAME;
    q->list = v->list;
    q->match_labels = v->labels;
    q->cname = v->address != NULL ? NULL : name;
    q->ede = DNS_EDE_BLOCKED;
    q->ede_text = policy_reason(r, v);
    blocked_answer(r, q);
}

static bool is_to_judge(const struct resolver *r, const struct query *q,
                        const struct cache_hit *hit)
{
    return policy_judges_answer(r, hit->flags, q->req.qtype) && !q->allowed &&
           !policy_has_passed(r, q->profile, hit->judged) && policy_is_on(r, q->profile);
}

/* The answer ends in a CNAME: go on with what it leads to. */
static void follow(struct resolver *r, struct query *q, const struct cache_hit *hit, size_t len)
{
    struct dns_walk walk;
    struct dns_record rr;
    struct dns_name target;
    bool found = false;
    be16_write(q->packet->data + 4, 1);
    be16_write(q->packet->data + 6, hit->answers);
    if (dns_walk_begin(q->packet->data, len, &walk) == ERR_OK) {
        while (dns_walk_next(&walk, &rr) && rr.section == DNS_SECTION_ANSWER) {
            size_t pos = rr.rdata;
            found = rr.type == DNS_CNAME
                        ? dns_name_read(q->packet->data, len, &pos, &target) == ERR_OK
                        : found;
        }
    }
    if (!found) {
        pipeline_failure(r, q);
        return;
    }
    alias_follow(r, q, len, hit->answers, &target);
}

void pipeline_records(struct resolver *r, struct query *q, const struct cache_hit *hit,
                      const struct cache_key *key)
{
    struct dns_build b;
    if (UNLIKELY((hit->flags & (CACHE_HAS_PRIVATE | CACHE_HAS_NULL)) != 0)) {
        bool null = is_upstream_block(hit);
        if (r->snap->rebind_protection && !rebind_exempt(r, &q->req.qname)) {
            q->status = null ? QUERY_BLOCKED_UPSTREAM : QUERY_BLOCKED_REBIND;
            blocked_rebind_answer(r, q);
            return;
        }
    }
    if (dns64_answer(r, q, hit)) {
        return;
    }
    if (UNLIKELY(is_upstream_block(hit)) && q->status != QUERY_FAILED) {
        q->status = QUERY_BLOCKED_UPSTREAM;
    }
    if (hit->ede != DNS_EDE_NONE && q->ede == DNS_EDE_NONE) {
        q->ede = hit->ede;
    }
    query_build(q, &b, hit->rcode);
    if (b.w.cap - b.w.len < hit->len) {
        b.w.bad = true; /* dns_build_end cuts it to TC */
    } else {
        b.w.len += hit->len;
        b.answers = hit->answers;
        b.authorities = hit->authorities;
    }
    if (UNLIKELY(is_to_judge(r, q, hit)) && !b.w.bad) {
        struct dns_name name;
        struct policy_verdict v;
        be16_write(q->packet->data + 4, 1);
        be16_write(q->packet->data + 6, hit->answers);
        if (policy_judge_answer(r, q->profile, q->packet->data, b.w.len, hit->flags, q->req.qtype,
                                &v, &name)) {
            answer_blocked_late(r, q, &v, &name);
            return;
        }
        if (key != NULL) {
            cache_mark_judged(r->cache, key,
                              policy_passed(r, q->profile, q->packet->data, b.w.len, hit->flags,
                                            q->req.qtype, hit->judged));
        }
    }
    if (UNLIKELY((hit->flags & CACHE_DANGLING) != 0) && !b.w.bad) {
        follow(r, q, hit, b.w.len);
        return;
    }
    query_close(r, q, &b);
}

void pipeline_judge_reply(struct resolver *r, const struct profile *profile, uint16_t type)
{
    struct reply *reply = &r->reply;
    struct dns_name name;
    struct policy_verdict v;
    reply->hit.judged = 0;
    if (!policy_judges_answer(r, reply->hit.flags, type) || !policy_is_on(r, profile)) {
        return;
    }
    size_t len = reply->records + reply->hit.len;
    uint8_t flags = reply->hit.flags;
    be16_write(reply->msg + 6, reply->hit.answers);
    if (!policy_judge_answer(r, profile, reply->msg, len, flags, type, &v, &name)) {
        reply->hit.judged = policy_passed(r, profile, reply->msg, len, flags, type, 0);
    }
}

static uint16_t owner_of(const struct resolver *r, uint64_t name_hash)
{
    return (uint16_t)((name_hash & UINT32_MAX) * r->cfg.workers >> 32);
}

/* Has everybody who could refresh this name been silent lately? */
static bool stale_at_once(const struct resolver *r, const struct cache_key *key,
                          const struct cache_hit *hit)
{
    return hit->failed_lately || !upstream_any_up(r, forward_route_of(r, key->name, key->view));
}

/* Answer with what expired, and ask anew behind it. */
static bool answer_stale(struct resolver *r, struct query *q, const struct cache_key *key)
{
    struct cache_hit hit;
    size_t start = DNS_HEADER_OCTETS + (size_t)q->req.question_len;
    enum cache_state state =
        cache_find(r->cache, key, r->now, r->snap->stale_s, RESOLVER_STALE_TTL_S,
                   q->packet->data + start, q->packet->cap - start, &hit);
    if (state == CACHE_FRESH) {
        q->status = QUERY_CACHED;
    } else if (state == CACHE_STALE) {
        q->status = QUERY_STALE;
        q->ede = hit.rcode == DNS_NXDOMAIN ? DNS_EDE_STALE_NXDOMAIN : DNS_EDE_STALE_ANSWER;
    } else {
        return false;
    }
    if (hit.rcode == DNS_SERVFAIL) {
        return false;
    }
    pipeline_records(r, q, &hit, key);
    return true;
}

/* The cache, then the upstreams. */
static void resolve(struct resolver *r, struct query *q, const struct cache_key *key,
                    uint16_t *owner)
{
    struct cache_hit hit;
    size_t start = DNS_HEADER_OCTETS + (size_t)q->req.question_len;
    enum cache_state state = cache_find(r->cache, key, r->now, r->snap->stale_s, 0,
                                        q->packet->data + start, q->packet->cap - start, &hit);
    if (LIKELY(state == CACHE_FRESH)) {
        q->status = hit.rcode == DNS_SERVFAIL ? QUERY_FAILED : QUERY_CACHED;
        if (UNLIKELY(hit.prefetch) && r->snap->prefetch) {
            forward_refresh(r, key);
        }
        pipeline_records(r, q, &hit, key);
        return;
    }
    uint16_t belongs = owner_of(r, key->hash);
    /* After a busy read the packet may hold rubbish behind its question, and behind an alias
     * another question: they stay here. */
    if (belongs != r->cfg.worker && q->peer->worker == r->cfg.worker && state != CACHE_BUSY &&
        q->alias == ALIAS_NONE) {
        stats_count(r->stats, COUNTER_handoffs, 1);
        *owner = belongs;
        q->outcome = RESOLVER_HANDOFF;
        return;
    }
    if ((q->req.flags & DNS_RD) == 0) {
        query_error(r, q, DNS_REFUSED, QUERY_REFUSED, DNS_EDE_NOT_AUTHORITATIVE,
                    "recursion was not asked for");
        return;
    }
    if (state == CACHE_STALE && stale_at_once(r, key, &hit) && answer_stale(r, q, key)) {
        upstream_probe_idle(r);
        forward_refresh(r, key);
        return;
    }
    forward_query(r, q, key, state == CACHE_STALE);
}

/* Local record, lists, special names, cache, upstreams. */
static void by_name(struct resolver *r, struct query *q, uint16_t *owner)
{
    struct cache_key key;
    query_key(r, q, &key);
    cache_prefetch(r->cache, &key); /* the lists take about as long as memory does */
    if (r->snap->local != NULL && local_answer(r, q)) {
        return;
    }
    if (q->alias == ALIAS_NONE || !q->allowed) {
        policy_decide(r, q);
    }
    if (q->verdict == VERDICT_BLOCK) {
        blocked_answer(r, q);
        return;
    }
    if (UNLIKELY(q->profile->safe_search != 0) && safe_answer(r, q)) {
        return;
    }
    if (special_type_answer(r, q)) {
        return;
    }
    if (dns64_reverse(r, q)) {
        return;
    }
    if ((r->snap->route_count == 0 || forward_route(r, &q->req.qname) == 0) &&
        special_answer(r, q)) {
        return;
    }
    resolve(r, q, &key, owner);
}

/* The steps that go by the name; again for each name that a CNAME leads to. */
static void go(struct resolver *r, struct query *q, uint16_t *owner)
{
    do {
        q->again = false;
        by_name(r, q, owner);
    } while (UNLIKELY(q->again));
}

static void answer_waited(struct resolver *r, struct query *q, enum waiter_result result)
{
    struct cache_key key;
    size_t start = DNS_HEADER_OCTETS + (size_t)q->req.question_len;
    query_key(r, q, &key);
    if (result == WAITER_RESPONSE) {
        q->status = QUERY_FORWARDED;
        if (r->reply.hit.len <= q->packet->cap - start) {
            memcpy(q->packet->data + start, r->reply.msg + r->reply.records, r->reply.hit.len);
        }
        pipeline_records(r, q, &r->reply.hit, NULL);
        return;
    }
    int16_t ede = q->ede;
    q->ede = DNS_EDE_NONE;
    if (r->snap->stale_s > 0 && answer_stale(r, q, &key)) {
        return;
    }
    q->ede = ede;
    if (!dns64_nothing(r, q)) {
        pipeline_failure(r, q);
    }
}

void pipeline_waited(struct resolver *r, struct query *q, enum waiter_result result)
{
    uint16_t owner;
    answer_waited(r, q, result);
    if (UNLIKELY(q->again)) {
        go(r, q, &owner);
    }
}

static bool admit(struct resolver *r, struct query *q)
{
    if (q->peer->worker != r->cfg.worker) {
        client_tell(r, q);
        client_known(r, q);
        return true; /* the worker that received it has asked */
    }
    switch (client_admit(r, q)) {
    case CLIENT_ADMITTED:
        return true;
    case CLIENT_REFUSED:
        query_error(r, q, DNS_REFUSED, QUERY_REFUSED, DNS_EDE_PROHIBITED,
                    "this resolver serves its own network only");
        return false;
    case CLIENT_LIMITED:
        query_error(r, q, DNS_REFUSED, QUERY_RATE_LIMITED, DNS_EDE_PROHIBITED,
                    "too many questions");
        return false;
    }
    return false;
}

static bool parse(struct resolver *r, struct query *q)
{
    switch (dns_request_parse(q->packet->data, q->packet->len, &q->req)) {
    case DNS_REQUEST_OK:
        return true;
    case DNS_REQUEST_DROP:
        stats_count(r->stats, COUNTER_packets_dropped, 1);
        q->outcome = RESOLVER_DROP;
        return false;
    case DNS_REQUEST_FORMERR:
        q->req.question_len = 0; /* what could be read of it is not repeated */
        query_error(r, q, DNS_FORMERR, QUERY_INVALID, DNS_EDE_NONE, NULL);
        return false;
    case DNS_REQUEST_NOTIMP:
        q->req.question_len = 0;
        query_error(r, q, DNS_NOTIMP, QUERY_INVALID, DNS_EDE_NONE, NULL);
        return false;
    case DNS_REQUEST_BADVERS:
        query_error(r, q, DNS_BADVERS, QUERY_INVALID, DNS_EDE_NONE, NULL);
        return false;
    }
    return false;
}

void pipeline_query(struct resolver *r, struct query *q, uint16_t *owner)
{
    if (!parse(r, q)) {
        return;
    }
    if (UNLIKELY(q->req.edns.cookie_len != 0)) {
        q->cookie_valid = check_cookie(r, q);
    }
    if (!admit(r, q) || special_class_answer(r, q)) {
        return;
    }
    dns_suffixes_make(&q->req.qname, &q->suffixes);
    go(r, q, owner);
}
