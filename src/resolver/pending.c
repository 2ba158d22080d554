/*
 * The tables of questions in flight: found by hash, ordered by age (all of them, and those of each
 * bucket of clients), so that who has to give way is known at once. What has to be told to the
 * platform waits in two queues that run through the entries themselves, so they cannot overflow.
 */
#include "resolver/pending.h"

#include <string.h>

#include "base/require.h"
#include "resolver/resolver_int.h"

static uint32_t bucket_count(uint32_t pending_max)
{
    uint32_t n = 16;
    while (n < pending_max) {
        n *= 2;
    }
    return n;
}

size_t pendings_memory(uint32_t pending_max, uint32_t waiting_max)
{
    size_t slots = (size_t)pending_max + PENDING_SPARE,
           waiters = (size_t)waiting_max + PENDING_SPARE;
    return slots * (sizeof(struct pending) + sizeof(uint32_t)) +
           waiters * (sizeof(struct waiter) + sizeof(uint32_t)) +
           bucket_count(pending_max) * sizeof(uint32_t) + 8 * CACHE_LINE;
}

void pendings_init(struct pendings *t, struct arena *arena, uint32_t pending_max,
                   uint32_t waiting_max)
{
    uint32_t slots = pending_max + PENDING_SPARE, waiters = waiting_max + PENDING_SPARE;
    t->slots = ARENA_ARRAY(arena, struct pending, slots);
    t->waiters = ARENA_ARRAY(arena, struct waiter, waiters);
    t->bucket_mask = bucket_count(pending_max) - 1;
    t->buckets = ARENA_ARRAY(arena, uint32_t, t->bucket_mask + 1);
    pool_init(&t->slot_pool, ARENA_ARRAY(arena, uint32_t, slots), slots);
    pool_init(&t->waiter_pool, ARENA_ARRAY(arena, uint32_t, waiters), waiters);
    t->pending_max = pending_max;
    t->waiting_max = waiting_max;
    for (uint32_t i = 0; i <= t->bucket_mask; i++) {
        t->buckets[i] = PENDING_NONE;
    }
    for (uint32_t i = 0; i < PENDING_SHARES; i++) {
        t->shares[i] = (struct pending_share){.oldest = PENDING_NONE, .newest = PENDING_NONE};
    }
    t->share_max = pending_max / 4 * 3;
    t->waiter_share_max = waiting_max / 4 * 3;
    t->oldest = t->newest = PENDING_NONE;
    t->answer_first = t->answer_last = PENDING_NONE;
    t->work_first = t->work_last = PENDING_NONE;
}

static uint32_t bucket_of(const struct pendings *t, uint64_t hash, uint16_t type)
{
    return (uint32_t)(hash ^ hash >> 32 ^ type * UINT32_C(0x9e3779b1)) & t->bucket_mask;
}

static bool is_key(const struct pending *p, const struct cache_key *key)
{
    return p->hash == key->hash && p->view == key->view && p->type == key->type &&
           p->klass == key->klass && p->dnssec_ok == key->dnssec_ok &&
           p->checking_disabled == key->checking_disabled && dns_name_equal(&p->name, key->name);
}

uint32_t pending_find(const struct resolver *r, const struct cache_key *key)
{
    const struct pendings *t = &r->pendings;
    uint32_t i = t->buckets[bucket_of(t, key->hash, key->type)];
    while (i != PENDING_NONE && !is_key(&t->slots[i], key)) {
        i = t->slots[i].hash_next;
    }
    return i;
}

static void hash_remove(struct pendings *t, uint32_t i)
{
    uint32_t *link = &t->buckets[bucket_of(t, t->slots[i].hash, t->slots[i].type)];
    while (*link != i) {
        ASSERT(*link != PENDING_NONE);
        link = &t->slots[*link].hash_next;
    }
    *link = t->slots[i].hash_next;
}

static void age_append(struct pendings *t, uint32_t i)
{
    struct pending *p = &t->slots[i];
    p->older = t->newest;
    p->newer = PENDING_NONE;
    *(t->newest != PENDING_NONE ? &t->slots[t->newest].newer : &t->oldest) = i;
    t->newest = i;
    t->active++;
    t->active_peak = t->active > t->active_peak ? t->active : t->active_peak;
    if (p->share == PENDING_SHARES) {
        return;
    }
    struct pending_share *s = &t->shares[p->share];
    p->share_older = s->newest;
    p->share_newer = PENDING_NONE;
    *(s->newest != PENDING_NONE ? &t->slots[s->newest].share_newer : &s->oldest) = i;
    s->newest = i;
    s->pending++;
}

static void age_remove(struct pendings *t, uint32_t i)
{
    struct pending *p = &t->slots[i];
    *(p->older != PENDING_NONE ? &t->slots[p->older].newer : &t->oldest) = p->newer;
    *(p->newer != PENDING_NONE ? &t->slots[p->newer].older : &t->newest) = p->older;
    t->active--;
    if (p->share == PENDING_SHARES) {
        return;
    }
    struct pending_share *s = &t->shares[p->share];
    *(p->share_older != PENDING_NONE ? &t->slots[p->share_older].share_newer : &s->oldest) =
        p->share_newer;
    *(p->share_newer != PENDING_NONE ? &t->slots[p->share_newer].share_older : &s->newest) =
        p->share_older;
    s->pending--;
}

uint16_t pending_share_of(const struct resolver *r, const struct peer *peer)
{
    return (uint16_t)(client_hash(&r->clients, &peer->addr) >> 32 & (PENDING_SHARES - 1));
}

/* The rule for a full table: the oldest gives way, of the same client if that has its share. */
static void make_room(struct resolver *r, uint16_t share)
{
    struct pendings *t = &r->pendings;
    if (t->shares[share].pending >= t->share_max) {
        stats_count(r->stats, COUNTER_pending_full, 1);
        forward_fail(r, t->shares[share].oldest);
    } else if (t->active >= t->pending_max) {
        stats_count(r->stats, COUNTER_pending_full, 1);
        forward_fail(r, t->oldest);
    }
}

uint32_t pending_open(struct resolver *r, const struct cache_key *key, enum pending_kind kind,
                      const struct peer *peer)
{
    struct pendings *t = &r->pendings;
    uint16_t share = PENDING_SHARES;
    if (peer != NULL) {
        share = pending_share_of(r, peer);
        make_room(r, share);
    } else if (t->active >= t->pending_max) {
        return PENDING_NONE;
    }
    uint32_t i = pool_take(&t->slot_pool);
    if (i == PENDING_NONE) {
        return PENDING_NONE; /* the platform has not taken what there is to tell */
    }
    struct pending *p = &t->slots[i];
    uint16_t generations[PENDING_ATTEMPTS];
    bool queued[PENDING_ATTEMPTS];
    uint32_t nexts[PENDING_ATTEMPTS];
    for (unsigned k = 0; k < PENDING_ATTEMPTS; k++) {
        generations[k] = p->attempts[k].generation;
        queued[k] = p->attempts[k].queued;
        nexts[k] = p->attempts[k].next;
    }
    memset(p, 0, offsetof(struct pending, name));
    for (unsigned k = 0; k < PENDING_ATTEMPTS; k++) {
        p->attempts[k].generation = generations[k];
        p->attempts[k].queued = queued[k];
        p->attempts[k].next = nexts[k];
    }
    p->hash = key->hash;
    p->view = key->view;
    p->type = key->type;
    p->klass = key->klass;
    p->dnssec_ok = key->dnssec_ok;
    p->checking_disabled = key->checking_disabled;
    dns_name_copy(&p->name, key->name);
    p->kind = (uint8_t)kind;
    p->share = share;
    p->started = r->now;
    p->next_try = p->stale_at = USEC_NEVER;
    p->last = UPSTREAM_NONE;
    p->ede = DNS_EDE_NONE;
    p->first_waiter = p->last_waiter = PENDING_NONE;
    if (kind != PENDING_PROBE) {
        uint32_t *bucket = &t->buckets[bucket_of(t, p->hash, p->type)];
        p->hash_next = *bucket;
        *bucket = i;
    }
    age_append(t, i);
    return i;
}

enum { SAME_CLIENT_LOOKS = 8 };

void pending_answer(struct resolver *r, uint32_t pending, enum waiter_result result)
{
    struct pendings *t = &r->pendings;
    struct pending *p = &t->slots[pending];
    if (p->first_waiter == PENDING_NONE) {
        return;
    }
    for (uint32_t i = p->first_waiter; i != PENDING_NONE; i = t->waiters[i].next) {
        t->waiters[i].result = (uint8_t)result;
        t->waiting--;
        p->untold++;
    }
    *(t->answer_last != PENDING_NONE ? &t->waiters[t->answer_last].next : &t->answer_first) =
        p->first_waiter;
    t->answer_last = p->last_waiter;
    p->first_waiter = p->last_waiter = PENDING_NONE;
}

void pending_finish(struct resolver *r, uint32_t pending, enum waiter_result result)
{
    struct pendings *t = &r->pendings;
    struct pending *p = &t->slots[pending];
    ASSERT(p->state == PENDING_ACTIVE);
    p->untold++; /* so that the slot stays ours until the end of this function */
    pending_answer(r, pending, result);
    for (unsigned k = 0; k < PENDING_ATTEMPTS; k++) {
        if (p->attempts[k].state == ATTEMPT_OPEN) {
            attempt_close(r, pending, &p->attempts[k]);
        }
    }
    wheel_cancel(&r->wheel, pending);
    if (p->kind != PENDING_PROBE) {
        hash_remove(t, pending);
    }
    age_remove(t, pending);
    p->state = PENDING_DONE;
    pending_told(r, pending);
}

void pending_told(struct resolver *r, uint32_t pending)
{
    struct pending *p = &r->pendings.slots[pending];
    ASSERT(p->untold > 0);
    if (--p->untold == 0 && p->state == PENDING_DONE) {
        pool_give(&r->pendings.slot_pool, pending);
    }
}

static void queue_work(struct resolver *r, uint32_t pending, struct attempt *a)
{
    struct pendings *t = &r->pendings;
    if (a->queued) {
        return;
    }
    uint32_t i = pending * PENDING_ATTEMPTS + (uint32_t)(a - t->slots[pending].attempts);
    a->queued = true;
    a->next = PENDING_NONE;
    if (t->work_last != PENDING_NONE) {
        t->slots[t->work_last / PENDING_ATTEMPTS].attempts[t->work_last % PENDING_ATTEMPTS].next =
            i;
    } else {
        t->work_first = i;
    }
    t->work_last = i;
}

struct attempt *attempt_open(struct resolver *r, uint32_t pending, uint16_t upstream, bool stream)
{
    struct pending *p = &r->pendings.slots[pending];
    for (unsigned k = 0; k < PENDING_ATTEMPTS; k++) {
        struct attempt *a = &p->attempts[k];
        if (a->state != ATTEMPT_FREE) {
            continue;
        }
        a->state = ATTEMPT_OPEN;
        a->generation++;
        a->generation = (uint16_t)(a->generation == 0 ? 1 : a->generation);
        a->upstream = upstream;
        a->stream = stream;
        a->id = rng_u16(&r->rng);
        a->case_bits = rng_u64(&r->rng);
        a->sent = 0;
        a->sends = 0;
        a->want_send = a->told = false;
        p->untold++;
        return a;
    }
    return NULL;
}

void attempt_send(struct resolver *r, uint32_t pending, struct attempt *a)
{
    a->want_send = true;
    a->sent = r->now;
    a->sends++;
    queue_work(r, pending, a);
}

void attempt_close(struct resolver *r, uint32_t pending, struct attempt *a)
{
    ASSERT(a->state == ATTEMPT_OPEN);
    a->want_send = false;
    if (a->told) {
        a->state = ATTEMPT_CLOSING;
        queue_work(r, pending, a);
        return;
    }
    a->state = ATTEMPT_FREE; /* the platform never heard of it */
    pending_told(r, pending);
}

uint32_t attempt_ticket(const struct resolver *r, uint32_t pending, const struct attempt *a)
{
    uint32_t k = (uint32_t)(a - r->pendings.slots[pending].attempts);
    return (uint32_t)a->generation << 16 | (pending * PENDING_ATTEMPTS + k);
}

struct attempt *attempt_of(struct resolver *r, uint32_t ticket, uint32_t *pending)
{
    uint32_t i = ticket & 0xffff;
    if (i / PENDING_ATTEMPTS >= r->pendings.slot_pool.cap) {
        return NULL;
    }
    struct attempt *a = &r->pendings.slots[i / PENDING_ATTEMPTS].attempts[i % PENDING_ATTEMPTS];
    if (a->state != ATTEMPT_OPEN || a->generation != ticket >> 16) {
        return NULL;
    }
    *pending = i / PENDING_ATTEMPTS;
    return a;
}

void pending_arm(struct resolver *r, uint32_t pending)
{
    const struct pending *p = &r->pendings.slots[pending];
    usec_t when = p->give_up;
    when = p->next_try < when ? p->next_try : when;
    when = p->stale_at < when ? p->stale_at : when;
    wheel_set(&r->wheel, pending, when);
}
