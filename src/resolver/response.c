/*
 * What comes of an attempt: an answer, a lie, an error, the end of its socket. What belongs to the
 * question ends it; what does not is counted, and waiting goes on.
 */
#include "resolver/resolver_int.h"

#include "base/require.h"

#define NO_SOCKET_WAIT (100 * USEC_PER_MSEC)

static struct pending *at(struct resolver *r, uint32_t p)
{
    return &r->pendings.slots[p];
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
    if (!forward_next(r, i)) {
        forward_give_up(r, i);
    }
}

/* Ask the same upstream once more, in another way. */
static void try_again(struct resolver *r, uint32_t i, struct attempt *a)
{
    uint16_t upstream = a->upstream;
    attempt_close(r, i, a);
    if (at(r, i)->packets < PENDING_PACKETS_MAX) {
        forward_send(r, i, upstream);
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
        forward_send(r, i, upstream);
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

/* How the one who asked first is treated; everybody if nobody waits. */
static const struct profile *profile_of_waiters(const struct resolver *r, const struct pending *p)
{
    if (p->first_waiter == PENDING_NONE) {
        return &r->snap->everybody;
    }
    const struct waiter *w = &r->pendings.waiters[p->first_waiter];
    return client_profile(r, &w->peer.addr, &w->told);
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
    pending_key(p, &key);
    pipeline_judge_reply(r, profile_of_waiters(r, p), p->type);
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
        if (p->kind == PENDING_PROBE) {
            forward_fail(r, i); /* the next one comes by itself */
            return;
        }
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
