/*
 * A question on its way to upstreams: sent, sent again, given up. What comes back is response.c's.
 * The sockets of earlier attempts stay open, so a slow answer is still an answer.
 *
 *      0 ms         first send, to the best upstream
 *      150-800 ms   silence: the next send, to the next best one; each wait is half as long again
 *      1.75 s       clients get what the cache has expired, if anything; the question goes on
 *      4.5 s        given up: SERVFAIL, or stale
 */
#include "resolver/resolver_int.h"

#include <string.h>

#include "base/require.h"

#define GIVE_UP     (4500 * USEC_PER_MSEC)
#define STALE_AFTER (1750 * USEC_PER_MSEC) /* RFC 8767 5: 1.8 s */
#define PROBE_WAIT  (900 * USEC_PER_MSEC)
#define FAILED_FOR  (5 * USEC_PER_SEC) /* after a failure stale answers stand in at once */

#define FAILURE_TTL_S 1 /* RFC 9520 3.2 asks for at least one second */

static struct pending *at(struct resolver *r, uint32_t p)
{
    return &r->pendings.slots[p];
}

uint16_t forward_route(const struct resolver *r, const struct dns_name *name)
{
    const struct snapshot *s = r->snap;
    uint16_t route = 0;
    unsigned labels = 0;
    for (uint32_t i = 0; i < s->route_count; i++) {
        const struct route *candidate = &s->routes[i];
        if (candidate->domain.labels >= labels && dns_name_within(name, &candidate->domain)) {
            labels = candidate->domain.labels;
            route = candidate->route;
        }
    }
    return route;
}

uint16_t forward_route_of(const struct resolver *r, const struct dns_name *name, uint64_t view)
{
    const struct snapshot *s = r->snap;
    uint16_t route = forward_route(r, name);
    for (uint32_t i = 0; view != 0 && route == 0 && i <= s->profile_count; i++) {
        const struct profile *p = snapshot_profile(s, (uint16_t)i);
        route = p->view == view ? p->route : 0;
    }
    return route;
}

void pending_key(const struct pending *p, struct cache_key *key)
{
    *key = (struct cache_key){
        .name = &p->name,
        .hash = p->hash,
        .view = p->view,
        .type = p->type,
        .klass = p->klass,
        .dnssec_ok = p->dnssec_ok,
        .checking_disabled = p->checking_disabled,
    };
}

static bool by_stream(const struct resolver *r, const struct pending *p, uint16_t upstream)
{
    return p->use_stream || r->snap->upstreams[upstream].transport != UPSTREAM_UDP;
}

/* An attempt at this upstream that a send could repeat. */
static struct attempt *open_attempt(struct pending *p, uint16_t upstream, bool stream)
{
    for (unsigned k = 0; k < PENDING_ATTEMPTS; k++) {
        struct attempt *a = &p->attempts[k];
        if (a->state == ATTEMPT_OPEN && a->upstream == upstream && a->stream == stream) {
            return a;
        }
    }
    return NULL;
}

static struct attempt *new_attempt(struct resolver *r, uint32_t i, uint16_t upstream, bool stream)
{
    struct pending *p = at(r, i);
    struct attempt *a = attempt_open(r, i, upstream, stream);
    if (a != NULL) {
        enum upstream_transport transport = r->snap->upstreams[upstream].transport;
        bool guessable = transport == UPSTREAM_UDP || transport == UPSTREAM_TCP;
        a->edns = !p->no_edns && upstream_takes_edns(r, upstream);
        a->case_random = guessable && r->snap->case_random && upstream_keeps_case(r, upstream);
    }
    return a;
}

/* Send to one upstream, again on the same socket if there is one. */
void forward_send(struct resolver *r, uint32_t i, uint16_t upstream)
{
    struct pending *p = at(r, i);
    bool stream = by_stream(r, p, upstream);
    struct attempt *a = open_attempt(p, upstream, stream);
    bool again = a != NULL;
    if (!again) {
        a = new_attempt(r, i, upstream, stream);
    }
    p->last = upstream;
    p->tries[upstream]++;
    p->next_try = r->now + upstream_patience(r, upstream, p->tries[upstream]);
    if (a == NULL || (again && stream)) {
        return; /* a stream loses nothing */
    }
    p->packets++;
    stats_count(r->stats, COUNTER_upstream_queries, 1);
    stats_count(r->stats, COUNTER_upstream_retries, p->packets > 1);
    stats_count(r->stats, COUNTER_upstream_tcp, p->use_stream);
    attempt_send(r, i, a);
}

/* The next send, if there still is one. False: no upstream is left that could answer. */
bool forward_next(struct resolver *r, uint32_t i)
{
    struct pending *p = at(r, i);
    uint16_t upstream = upstream_choose(r, p);
    if (upstream == UPSTREAM_NONE) {
        return false;
    }
    if (p->packets < PENDING_PACKETS_MAX) {
        forward_send(r, i, upstream);
    } else {
        p->next_try = USEC_NEVER; /* wait for what was sent */
    }
    pending_arm(r, i);
    return true;
}

void forward_fail(struct resolver *r, uint32_t i)
{
    struct pending *p = at(r, i);
    if (p->kind == PENDING_PROBE) {
        upstream_probe_done(r, p->last);
    }
    pending_finish(r, i, WAITER_FAILED);
}

/* Every upstream failed: remember that for a moment, so that the next client is not kept waiting
 * for the same. */
void forward_give_up(struct resolver *r, uint32_t i)
{
    struct pending *p = at(r, i);
    struct cache_key key;
    struct cache_hit hit;
    pending_key(p, &key);
    if (p->kind == PENDING_PROBE) {
        upstream_lost(r, p->last);
        forward_fail(r, i);
        return;
    }
    if (p->ede == DNS_EDE_NONE && !p->refused_rcode) {
        p->ede = p->unreachable ? DNS_EDE_NETWORK_ERROR : DNS_EDE_NO_REACHABLE;
    }
    if (cache_find(r->cache, &key, r->now, r->snap->stale_s, 0, NULL, 0, &hit) == CACHE_MISS) {
        struct cache_value failure = {.ttl_s = FAILURE_TTL_S, .rcode = DNS_SERVFAIL, .ede = p->ede};
        cache_insert(r->cache, &key, r->now, &failure);
    } else {
        cache_mark_failed(r->cache, &key, r->now + FAILED_FOR);
    }
    forward_fail(r, i);
}

static uint32_t begin(struct resolver *r, const struct cache_key *key, enum pending_kind kind,
                      const struct peer *peer)
{
    uint32_t i = pending_open(r, key, kind, peer);
    if (i != PENDING_NONE) {
        at(r, i)->route = forward_route_of(r, key->name, key->view);
        at(r, i)->give_up = r->now + GIVE_UP;
    }
    return i;
}

static void refuse_for_room(struct resolver *r, struct query *q)
{
    stats_count(r->stats, COUNTER_pending_full, 1);
    q->ede = DNS_EDE_OTHER;
    q->ede_text = "too many questions in flight";
    pipeline_failure(r, q);
}

void forward_query(struct resolver *r, struct query *q, const struct cache_key *key, bool has_stale)
{
    upstream_probe_idle(r);
    uint32_t i = pending_find(r, key);
    bool joined = i != PENDING_NONE;
    if (!joined) {
        i = begin(r, key, PENDING_QUESTION, q->peer);
    }
    if (i == PENDING_NONE) {
        refuse_for_room(r, q);
        return;
    }
    struct pending *p = at(r, i);
    enum wait_result wait = pending_wait(r, i, q);
    if (wait == WAIT_FULL) {
        if (!joined) {
            forward_fail(r, i);
        }
        refuse_for_room(r, q);
        return;
    }
    q->outcome = RESOLVER_PENDING;
    if (wait == WAIT_AGAIN) {
        q->outcome = RESOLVER_DROP;
        alias_free(r, q->alias);
    }
    if (has_stale && p->stale_at == USEC_NEVER) {
        p->stale_at = r->now + STALE_AFTER;
    }
    if (joined) {
        p->kind = PENDING_QUESTION;
        stats_count(r->stats, COUNTER_joined, wait == WAIT_BEGUN);
        pending_arm(r, i);
    } else if (!forward_next(r, i)) {
        forward_give_up(r, i);
    }
}

/* What was tried, by the upstreams' new places. */
static void forget_tries(struct pending *p, const uint16_t to[UPSTREAM_MAX])
{
    uint8_t tries[UPSTREAM_MAX] = {0};
    uint16_t refused = 0;
    for (uint16_t k = 0; k < UPSTREAM_MAX; k++) {
        if (to[k] != UPSTREAM_NONE) {
            tries[to[k]] = p->tries[k];
            refused |= (uint16_t)(((uint32_t)p->refused >> k & 1U) << to[k]);
        }
    }
    memcpy(p->tries, tries, sizeof tries);
    p->refused = refused;
    p->last = p->last == UPSTREAM_NONE ? UPSTREAM_NONE : to[p->last];
}

void forward_swap(struct resolver *r, const uint16_t to[UPSTREAM_MAX])
{
    struct pendings *t = &r->pendings;
    uint32_t newer;
    for (uint32_t i = t->oldest; i != PENDING_NONE; i = newer) {
        struct pending *p = at(r, i);
        newer = p->newer;
        if (p->kind == PENDING_PROBE) {
            pending_finish(r, i, WAITER_FAILED);
            continue;
        }
        bool lost = false;
        for (unsigned k = 0; k < PENDING_ATTEMPTS; k++) {
            struct attempt *a = &p->attempts[k];
            if (a->state == ATTEMPT_FREE) {
                continue;
            }
            uint16_t place = to[a->upstream];
            a->upstream = place == UPSTREAM_NONE ? 0 : place;
            if (place == UPSTREAM_NONE && a->state == ATTEMPT_OPEN) {
                attempt_close(r, i, a);
                lost = true;
            }
        }
        forget_tries(p, to);
        p->route = forward_route_of(r, &p->name, p->view);
        if (lost && !forward_next(r, i)) {
            forward_give_up(r, i);
        }
    }
}

void forward_refresh(struct resolver *r, const struct cache_key *key)
{
    if (pending_find(r, key) != PENDING_NONE) {
        return;
    }
    uint32_t i = begin(r, key, PENDING_REFRESH, NULL);
    if (i != PENDING_NONE && !forward_next(r, i)) {
        forward_give_up(r, i);
    }
}

void forward_probe(struct resolver *r, uint16_t upstream)
{
    struct dns_name root = {.len = 1};
    struct cache_key key = {.name = &root, .hash = 0, .type = DNS_NS, .klass = DNS_IN};
    uint32_t i = pending_open(r, &key, PENDING_PROBE, NULL);
    if (i == PENDING_NONE) {
        upstream_probe_done(r, upstream);
        return;
    }
    struct pending *p = at(r, i);
    p->give_up = r->now + PROBE_WAIT;
    p->route = r->snap->upstreams[upstream].route;
    forward_send(r, i, upstream);
    p->next_try = USEC_NEVER;
    pending_arm(r, i);
}

/* No answer in time. False if it is of no use to go on. */
static bool on_silence(struct resolver *r, uint32_t i)
{
    const struct pending *p = at(r, i);
    if (p->last == UPSTREAM_NONE) {
        return true; /* nothing was sent */
    }
    stats_count(r->stats, COUNTER_upstream_timeouts, 1);
    upstream_lost(r, p->last);
    return p->refused == 0 || p->tries[p->last] < 2; /* one says no, the other says nothing */
}

void forward_timer(struct resolver *r, uint32_t i)
{
    struct pending *p = at(r, i);
    if (r->now >= p->give_up) {
        if (p->next_try != USEC_NEVER && p->last != UPSTREAM_NONE && p->kind != PENDING_PROBE) {
            upstream_lost(r, p->last);
        }
        forward_give_up(r, i);
        return;
    }
    if (r->now >= p->stale_at) {
        p->stale_at = USEC_NEVER;
        p->stale_told = true;
        pending_answer(r, i, WAITER_CACHED);
    }
    if (r->now >= p->next_try) {
        if (!on_silence(r, i) || !forward_next(r, i)) {
            forward_give_up(r, i);
            return;
        }
    }
    pending_arm(r, i);
}

void forward_spell(const struct pending *p, const struct attempt *a, uint8_t *out)
{
    memcpy(out, p->name.wire, p->name.len);
    if (!a->case_random) {
        return;
    }
    for (unsigned i = 0; i < p->name.len; i++) {
        bool letter = out[i] >= 'a' && out[i] <= 'z';
        out[i] = letter && (a->case_bits >> i % 64 & 1) != 0 ? (uint8_t)(out[i] - 0x20) : out[i];
    }
}
