/*
 * A question on its way to upstreams: sent, sent again, carried over to TCP or to another upstream,
 * answered or given up. The sockets of earlier attempts stay open, so a slow answer is still an
 * answer.
 *
 *      0 ms            first send, to the best upstream
 *      150-800 ms      silence: the next send, to the next best one (each wait half as long again)
 *      1.75 s          if the cache has something expired, clients get it now; the question goes on
 * for the cache 4.5 s           given up: SERVFAIL, or stale
 */
#include "resolver/resolver_int.h"

#include <string.h>

#include "base/require.h"

#define GIVE_UP        (4500 * USEC_PER_MSEC)
#define STALE_AFTER    (1750 * USEC_PER_MSEC) /* RFC 8767 5: 1.8 s */
#define PROBE_WAIT     (900 * USEC_PER_MSEC)
#define NO_SOCKET_WAIT (100 * USEC_PER_MSEC)
#define FAILED_FOR \
    (5 * USEC_PER_SEC)  /* stale answers stand in at once for so long after a failure */
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

static void key_of(const struct pending *p, struct cache_key *key)
{
    *key = (struct cache_key){
        .name = &p->name,
        .hash = p->hash,
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
static void send_to(struct resolver *r, uint32_t i, uint16_t upstream)
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
static bool send_next(struct resolver *r, uint32_t i)
{
    struct pending *p = at(r, i);
    uint16_t upstream = upstream_choose(r, p);
    if (upstream == UPSTREAM_NONE) {
        return false;
    }
    if (p->packets < PENDING_PACKETS_MAX) {
        send_to(r, i, upstream);
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
static void give_up(struct resolver *r, uint32_t i)
{
    struct pending *p = at(r, i);
    struct cache_key key;
    struct cache_hit hit;
    key_of(p, &key);
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
        at(r, i)->route = forward_route(r, key->name);
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
    } else if (!send_next(r, i)) {
        give_up(r, i);
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
        p->route = forward_route(r, &p->name);
        if (lost && !send_next(r, i)) {
            give_up(r, i);
        }
    }
}

void forward_refresh(struct resolver *r, const struct cache_key *key)
{
    if (pending_find(r, key) != PENDING_NONE) {
        return;
    }
    uint32_t i = begin(r, key, PENDING_REFRESH, NULL);
    if (i != PENDING_NONE && !send_next(r, i)) {
        give_up(r, i);
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
    send_to(r, i, upstream);
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
        give_up(r, i);
        return;
    }
    if (r->now >= p->stale_at) {
        p->stale_at = USEC_NEVER;
        p->stale_told = true;
        pending_answer(r, i, WAITER_CACHED);
    }
    if (r->now >= p->next_try) {
        if (!on_silence(r, i) || !send_next(r, i)) {
            give_up(r, i);
            return;
        }
    }
    pending_arm(r, i);
}

/* This attempt brought nothing: go on with another upstream, or end. */
static void try_another(struct resolver *r, uint32_t i, struct attempt *a, bool refused)
{
    struct pending *p = at(r, i);
    uint16_t upstream = a->upstream;
    attempt_close(r, i, a);
    if (p->kind == PENDING_PROBE) {
        forward_fail(r, i);
        return;
    }
    if (refused) {
        p->refused |= (uint16_t)(1U << upstream);
    }
    if (!send_next(r, i)) {
        give_up(r, i);
    }
}

/* Ask the same upstream once more, in another way. */
static void try_again(struct resolver *r, uint32_t i, struct attempt *a)
{
    uint16_t upstream = a->upstream;
    attempt_close(r, i, a);
    if (at(r, i)->packets < PENDING_PACKETS_MAX) {
        send_to(r, i, upstream);
    }
    pending_arm(r, i);
}

/* Somebody may be guessing: no more answers by UDP for this question. */
static void go_to_stream(struct resolver *r, uint32_t i, uint16_t upstream)
{
    struct pending *p = at(r, i);
    if (p->use_stream) {
        return;
    }
    p->use_stream = true;
    for (unsigned k = 0; k < PENDING_ATTEMPTS; k++) {
        if (p->attempts[k].state == ATTEMPT_OPEN && !p->attempts[k].stream) {
            attempt_close(r, i, &p->attempts[k]);
        }
    }
    if (p->packets < PENDING_PACKETS_MAX) {
        send_to(r, i, upstream);
    }
    pending_arm(r, i);
}

static void on_foreign(struct resolver *r, uint32_t i, const struct attempt *a)
{
    struct pending *p = at(r, i);
    stats_count(r->stats, COUNTER_upstream_mismatches, 1);
    if (p->wrong < PENDING_WRONG_MAX && ++p->wrong == PENDING_WRONG_MAX && !a->stream) {
        go_to_stream(r, i, a->upstream);
    }
}

/* 0, unknown, if it was sent more than once: who knows which one is answered (Karn's rule, RFC 6298
 * 3). */
static usec_t rtt_of(const struct resolver *r, const struct attempt *a)
{
    usec_t rtt = r->now - a->sent;
    return a->sends != 1 ? 0 : rtt == 0 ? 1 : rtt;
}

/* A prefetch is no query of anybody's, but it went to an upstream. */
static void record_refresh(struct resolver *r, const struct pending *p)
{
    struct stats_event event = {
        .time = p->started,
        .upstream = p->last,
        .list = STATS_NO_LIST,
        .status = QUERY_FORWARDED,
        .reply = REPLY_NONE,
        .flags = STATS_PREFETCH,
    };
    stats_record(r->stats, &event);
}

/* The answer goes to the cache and to everybody who waits for it. */
static void on_good(struct resolver *r, uint32_t i, const struct attempt *a)
{
    struct pending *p = at(r, i);
    struct reply *reply = &r->reply;
    upstream_answered(r, a->upstream, rtt_of(r, a));
    if (p->kind == PENDING_PROBE) {
        forward_fail(r, i);
        return;
    }
    if (p->edns_refused && !a->edns) {
        upstream_edns_refused(r, a->upstream, p->hash);
    }
    if (reply->case_changed) {
        upstream_case_changed(r, a->upstream, true);
    } else if (a->case_random) {
        upstream_case_kept(r, a->upstream);
    }
    p->last = a->upstream;
    if (p->kind == PENDING_REFRESH) {
        record_refresh(r, p);
    }
    struct cache_key key;
    key_of(p, &key);
    pipeline_judge_reply(r);
    if (reply->ttl_s > 0) {
        struct cache_value value = {
            .records = reply->msg + reply->records,
            .len = reply->hit.len,
            .ttl_off = reply->ttl_off,
            .answers = reply->hit.answers,
            .authorities = reply->hit.authorities,
            .ttl_s = reply->ttl_s,
            .rcode = reply->hit.rcode,
            .flags = reply->hit.flags,
            .ede = reply->hit.ede,
            .judged = reply->hit.judged,
        };
        if (reply->nxdomain) {
            cache_remove(r->cache, &key);
            key.type = CACHE_ANY_TYPE;
        }
        cache_insert(r->cache, &key, r->now, &value);
    } else {
        cache_remove(r->cache, &key); /* what stood there is no longer true */
    }
    pending_finish(r, i, WAITER_RESPONSE);
}

static void on_failure(struct resolver *r, uint32_t i, struct attempt *a, bool malformed)
{
    struct pending *p = at(r, i);
    stats_count(r->stats, COUNTER_upstream_malformed, malformed);
    if (p->kind == PENDING_PROBE) {
        upstream_alive(r, a->upstream);
    } else {
        upstream_error(r, a->upstream);
    }
    p->refused_rcode = true;
    if (!malformed && r->reply.hit.ede != DNS_EDE_NONE) {
        p->ede = r->reply.hit.ede;
    }
    try_another(r, i, a, true);
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

void resolver_response(struct resolver *r, usec_t now, uint32_t ticket, const uint8_t *data,
                       size_t len)
{
    uint32_t i;
    r->now = now;
    REQUIRE(r->pendings.answer_first == PENDING_NONE); /* what was there before has been taken */
    struct attempt *a = attempt_of(r, ticket, &i);
    if (a == NULL) {
        return;
    }
    struct pending *p = at(r, i);
    uint8_t wire[DNS_NAME_MAX];
    forward_spell(p, a, wire);
    struct reply_expect expect = {
        .name = &p->name,
        .wire = wire,
        .id = a->id,
        .type = p->type,
        .klass = p->klass,
        .stream = a->stream,
        .edns = a->edns,
        .dnssec_ok = p->dnssec_ok,
    };
    const struct snapshot *s = r->snap;
    struct reply_limits limits = {s->ttl_min_s, s->ttl_max_s, s->ttl_negative_max_s};
    switch (reply_read(data, len, &expect, &limits, &r->reply)) {
    case RESPONSE_FOREIGN:
        on_foreign(r, i, a);
        break;
    case RESPONSE_CASE:
        upstream_case_changed(r, a->upstream, false);
        stats_count(r->stats, COUNTER_upstream_mismatches, 1);
        go_to_stream(r, i, a->upstream);
        break;
    case RESPONSE_TRUNCATED:
        upstream_answered(r, a->upstream, rtt_of(r, a));
        go_to_stream(r, i, a->upstream);
        break;
    case RESPONSE_NO_EDNS:
        p->no_edns = p->edns_refused = true;
        try_again(r, i, a);
        break;
    case RESPONSE_FAILURE:
        on_failure(r, i, a, false);
        break;
    case RESPONSE_MALFORMED:
        on_failure(r, i, a, true);
        break;
    case RESPONSE_GOOD:
        on_good(r, i, a);
        break;
    }
}

void resolver_failed(struct resolver *r, usec_t now, uint32_t ticket, enum resolver_failure why)
{
    uint32_t i;
    r->now = now;
    struct attempt *a = attempt_of(r, ticket, &i);
    if (a == NULL) {
        return;
    }
    struct pending *p = at(r, i);
    stats_count(r->stats, COUNTER_upstream_errors, 1);
    if (why == RESOLVER_NO_SOCKET) {
        /* Our own want, not the upstream's: a little later there may be one. */
        attempt_close(r, i, a);
        p->next_try = r->now + NO_SOCKET_WAIT;
        p->last = UPSTREAM_NONE;
        pending_arm(r, i);
        return;
    }
    upstream_lost(r, a->upstream);
    p->unreachable = true;
    bool once_more = why == RESOLVER_CLOSED &&
                     p->tries[a->upstream] == 1; /* it may have closed just when we wrote */
    try_another(r, i, a, !once_more);
}
