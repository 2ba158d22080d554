/*
 * The resolver's outer side: start, events in, work out. What happens in between is told in
 * pipeline.c and forward.c.
 */
#include "resolver/resolver.h"

#include <string.h>

#include "base/require.h"
#include "resolver/policy.h"
#include "resolver/resolver_int.h"

static bool config_is_valid(const struct resolver_config *cfg)
{
    return cfg->pending_max >= 16 && cfg->pending_max <= PENDING_LIMIT && cfg->waiting_max >= 16 &&
           cfg->waiting_max <= 1024 * 1024 && cfg->clients_max >= 16 &&
           cfg->clients_max <= 1024 * 1024 && cfg->rate_limit <= 1000 * 1000 && cfg->workers >= 1 &&
           cfg->worker < cfg->workers && (cfg->regex_memo & (cfg->regex_memo - 1)) == 0 &&
           (cfg->regex_memo == 0 || cfg->regex_memo >= MEMO_WAYS) &&
           cfg->regex_memo <= 1024 * 1024 && cfg->cache != NULL && cfg->stats != NULL;
}

size_t resolver_memory(const struct resolver_config *cfg)
{
    return sizeof(struct resolver) + pendings_memory(cfg->pending_max, cfg->waiting_max) +
           client_table_memory(cfg->clients_max) + aliases_memory() + memo_memory(cfg->regex_memo) +
           (cfg->pending_max + PENDING_SPARE + UPSTREAM_MAX) * sizeof(struct wheel_item) +
           2 * (size_t)RESOLVER_MESSAGE_ROOM + 8 * CACHE_LINE;
}

static void set_snapshot(struct resolver *r, const struct snapshot *s)
{
    r->snap = s;
    /* Generations are the same in all workers, so what one judged holds for the others. */
    uint32_t policy = (uint32_t)s->generation & (UINT32_MAX >> POLICY_JUDGED_BITS);
    r->policy = policy != 0 ? policy : 1;
    r->clients.generation++;
    r->clients.generation |= r->clients.generation == 0;
    memcpy(r->cookie_key.key, s->cookie_key, sizeof r->cookie_key.key);
    policy_load(r);
}

enum err resolver_init(struct resolver **out, void *mem, size_t len,
                       const struct resolver_config *cfg, const struct snapshot *snapshot,
                       const uint8_t seed[32], usec_t now)
{
    if (!config_is_valid(cfg)) {
        return ERR_RANGE;
    }
    if (len < resolver_memory(cfg)) {
        return ERR_SPACE;
    }
    REQUIRE(snapshot != NULL);
    struct arena arena;
    arena_init(&arena, mem, len);
    struct resolver *r = arena_alloc(&arena, sizeof *r, CACHE_LINE);
    if (r == NULL) {
        return ERR_SPACE;
    }
    r->cfg = *cfg;
    r->cache = cfg->cache;
    r->stats = cfg->stats;
    r->now = r->asked = now;
    rng_init(&r->rng, seed);
    uint64_t key[2] = {rng_u64(&r->rng), rng_u64(&r->rng)};
    client_table_init(&r->clients, &arena, cfg->clients_max, cfg->rate_limit, key);
    pendings_init(&r->pendings, &arena, cfg->pending_max, cfg->waiting_max);
    aliases_init(&r->aliases, &arena);
    memo_init(&r->memo, &arena, cfg->regex_memo);
    uint32_t timers = r->pendings.slot_pool.cap + UPSTREAM_MAX;
    wheel_init(&r->wheel, ARENA_ARRAY(&arena, struct wheel_item, timers), timers, now);
    r->reply.msg = arena_alloc(&arena, RESOLVER_MESSAGE_ROOM, CACHE_LINE);
    r->reply.cap = DNS_TCP_MAX;
    r->room = arena_alloc(&arena, RESOLVER_MESSAGE_ROOM, CACHE_LINE);
    if (r->room == NULL) {
        return ERR_SPACE;
    }
    set_snapshot(r, snapshot);
    upstreams_init(r);
    *out = r;
    return ERR_OK;
}

static void query_begin(struct query *q, const struct peer *peer, struct packet *packet,
                        usec_t arrived)
{
    q->peer = peer;
    q->client = &peer->addr;
    q->told.has_addr = q->told.has_device = false;
    q->packet = packet;
    q->profile = NULL;
    q->arrived = arrived;
    q->request_len = packet->len;
    q->outcome = RESOLVER_DROP;
    q->cookie_valid = q->allowed = q->is_error = q->again = false;
    q->alias = ALIAS_NONE;
    q->verdict = VERDICT_PASS;
    q->status = QUERY_INVALID;
    q->flags = 0;
    q->list = STATS_NO_LIST;
    q->upstream = STATS_NO_UPSTREAM;
    q->match_labels = 0;
    q->ede = DNS_EDE_NONE;
    q->ede_text = NULL;
    q->cname = NULL;
    q->req.qtype = 0;
}

enum resolver_outcome resolver_query(struct resolver *r, usec_t now, const struct peer *peer,
                                     struct packet *packet, uint16_t *owner)
{
    struct query q;
    REQUIRE(packet->cap >= DNS_UDP_MIN && packet->len <= packet->cap);
    r->now = now;
    query_begin(&q, peer, packet, now);
    pipeline_query(r, &q, owner);
    return q.outcome;
}

/* A waiter becomes a query again, its question written out in the resolver's own room. */
static void restore(struct resolver *r, const struct waiter *w, const struct pending *p,
                    struct packet *packet, struct query *q)
{
    *packet = (struct packet){.data = r->room, .len = 0, .cap = DNS_TCP_MAX};
    query_begin(q, &w->peer, packet, w->arrived);
    q->request_len = w->request_len;
    q->told = w->told;
    client_known(r, q);
    q->cookie_valid = w->cookie_valid;
    q->allowed = w->allowed;
    q->alias = w->alias;
    q->upstream = p->last;
    q->flags = p->packets > 1 ? STATS_RETRIED : 0;
    q->ede = p->ede;
    struct dns_request *req = &q->req;
    req->id = w->id;
    req->flags = w->flags;
    req->qtype = p->type;
    req->qclass = p->klass;
    req->question_len = (uint16_t)(p->name.len + 4);
    dns_name_copy(&req->qname, &p->name);
    dns_edns_none(&req->edns);
    req->edns.present = w->has_edns;
    req->edns.dnssec_ok = p->dnssec_ok;
    req->edns.udp_size = w->udp_size;
    req->edns.has_keepalive = w->has_keepalive;
    req->edns.cookie_len = w->has_cookie ? DNS_COOKIE_CLIENT : 0;
    memcpy(req->edns.cookie, w->cookie, sizeof w->cookie);
    uint8_t *wire = packet->data + DNS_HEADER_OCTETS;
    memset(packet->data, 0, DNS_HEADER_OCTETS);
    for (unsigned i = 0; i < p->name.len; i++) {
        bool capital = w->capitals[i / 64] >> i % 64 & 1;
        wire[i] = (uint8_t)(p->name.wire[i] - (capital ? 0x20 : 0));
    }
    be16_write(wire + p->name.len, p->type);
    be16_write(wire + p->name.len + 2, p->klass);
}

/* The next waiter whose answer is there. */
static bool answer_output(struct resolver *r, struct output *out)
{
    struct pendings *t = &r->pendings;
    while (t->answer_first != PENDING_NONE) {
        uint32_t i = t->answer_first;
        struct waiter *w = &t->waiters[i];
        struct packet packet;
        struct query q;
        t->answer_first = w->next;
        if (t->answer_first == PENDING_NONE) {
            t->answer_last = PENDING_NONE;
        }
        restore(r, w, &t->slots[w->pending], &packet, &q);
        pipeline_waited(r, &q, w->result);
        *out = (struct output){
            .kind = OUTPUT_ANSWER, .peer = w->peer, .data = packet.data, .len = packet.len};
        pending_told(r, w->pending);
        waiter_free(r, i);
        if (q.outcome == RESOLVER_ANSWER) {
            return true;
        }
    }
    return false;
}

static void send_output(struct resolver *r, uint32_t pending, struct attempt *a, struct output *out)
{
    const struct pending *p = &r->pendings.slots[pending];
    uint8_t wire[DNS_NAME_MAX];
    forward_spell(p, a, wire);
    uint16_t flags = (uint16_t)(DNS_RD | (p->checking_disabled ? DNS_CD : 0));
    a->want_send = false;
    a->told = true;
    *out = (struct output){
        .kind = a->stream ? OUTPUT_STREAM : OUTPUT_UDP,
        .ticket = attempt_ticket(r, pending, a),
        .upstream = a->upstream,
        .data = r->room,
        .len = dns_build_query(r->room, RESOLVER_MESSAGE_ROOM, a->id, flags, wire, p->name.len,
                               p->type, p->klass, a->edns, p->dnssec_ok),
    };
}

/* The next attempt that has something to tell. */
static bool work_output(struct resolver *r, struct output *out)
{
    struct pendings *t = &r->pendings;
    while (t->work_first != PENDING_NONE) {
        uint32_t pending = t->work_first / PENDING_ATTEMPTS;
        struct attempt *a = &t->slots[pending].attempts[t->work_first % PENDING_ATTEMPTS];
        t->work_first = a->next;
        if (t->work_first == PENDING_NONE) {
            t->work_last = PENDING_NONE;
        }
        a->queued = false;
        if (a->state == ATTEMPT_OPEN && a->want_send) {
            send_output(r, pending, a, out);
            return true;
        }
        if (a->state == ATTEMPT_CLOSING) {
            *out = (struct output){
                .kind = OUTPUT_RELEASE,
                .ticket = attempt_ticket(r, pending, a),
                .upstream = a->upstream,
            };
            a->state = ATTEMPT_FREE;
            pending_told(r, pending);
            return true;
        }
    }
    return false;
}

bool resolver_output(struct resolver *r, struct output *out)
{
    return answer_output(r, out) || work_output(r, out);
}

usec_t resolver_deadline(const struct resolver *r)
{
    return wheel_next(&r->wheel);
}

void resolver_tick(struct resolver *r, usec_t now)
{
    r->now = now;
    for (;;) {
        uint32_t i = wheel_expire(&r->wheel, now);
        if (i == WHEEL_NONE) {
            return;
        }
        if (i < r->pendings.slot_pool.cap) {
            forward_timer(r, i);
        } else {
            upstream_probe_timer(r, (uint16_t)(i - r->pendings.slot_pool.cap));
        }
    }
}

void resolver_peer_gone(struct resolver *r, uint32_t conn)
{
    struct pendings *t = &r->pendings;
    for (uint32_t p = t->oldest; p != PENDING_NONE && t->tcp_waiters > 0; p = t->slots[p].newer) {
        pending_forget(r, p, conn);
    }
}

void resolver_set_snapshot(struct resolver *r, usec_t now, const struct snapshot *snapshot)
{
    REQUIRE(snapshot != NULL);
    uint16_t to[UPSTREAM_MAX];
    const struct snapshot *old = r->snap;
    r->now = now;
    upstreams_swap(r, old, snapshot, to);
    set_snapshot(r, snapshot);
    forward_swap(r, to);
}

void resolver_get_gauges(const struct resolver *r, struct resolver_gauges *out)
{
    const struct pendings *t = &r->pendings;
    *out = (struct resolver_gauges){
        .pending = t->active,
        .pending_peak = t->active_peak,
        .pending_max = t->pending_max,
        .waiting = t->waiting,
        .waiting_peak = t->waiting_peak,
        .waiting_max = t->waiting_max,
    };
}

void resolver_get_upstream(const struct resolver *r, uint16_t upstream, struct upstream_health *out)
{
    REQUIRE(upstream < UPSTREAM_MAX);
    const struct upstream *u = &r->upstreams[upstream];
    *out = (struct upstream_health){
        .rtt_us = atomic_load_explicit(&u->srtt_us, memory_order_relaxed),
        .rtt_var_us = atomic_load_explicit(&u->rttvar_us, memory_order_relaxed),
        .fails_in_row = atomic_load_explicit(&u->fails, memory_order_relaxed),
        .up = atomic_load_explicit(&u->up, memory_order_relaxed),
    };
}
