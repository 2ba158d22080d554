/*
 * Clients that wait for a question in flight. Only what the answer has to repeat is kept of their
 * requests; the case of the name takes one bit an octet.
 */
#include <string.h>

#include "resolver/resolver_int.h"

enum { SAME_CLIENT_LOOKS = 8 };

static bool is_same_client(const struct waiter *w, const struct query *q)
{
    return w->id == q->req.id && w->peer.port == q->peer->port && w->peer.conn == q->peer->conn &&
           ip_equal(&w->peer.addr, &q->peer->addr);
}

/* Which octets of the name, as the client wrote it, are capitals. */
static void note_capitals(struct waiter *w, const struct query *q)
{
    const uint8_t *wire = q->packet->data + DNS_HEADER_OCTETS;
    memset(w->capitals, 0, sizeof w->capitals);
    for (unsigned i = 0; i < q->req.qname.len; i++) {
        w->capitals[i / 64] |= (uint64_t)(wire[i] != q->req.qname.wire[i]) << i % 64;
    }
}

/* A place for one more waiter; the oldest question that has any gives way if there is none. */
static uint32_t take_waiter(struct resolver *r, uint32_t keep, uint16_t share)
{
    struct pendings *t = &r->pendings;
    if (t->shares[share].waiting >= t->waiter_share_max) {
        return PENDING_NONE;
    }
    uint32_t i = t->oldest;
    while (t->waiting >= t->waiting_max && i != PENDING_NONE) {
        uint32_t newer = t->slots[i].newer;
        if (i != keep && t->slots[i].first_waiter != PENDING_NONE) {
            forward_fail(r, i);
            break;
        }
        i = newer;
    }
    return pool_take(&t->waiter_pool);
}

enum wait_result pending_wait(struct resolver *r, uint32_t pending, const struct query *q)
{
    struct pendings *t = &r->pendings;
    struct pending *p = &t->slots[pending];
    uint32_t at = p->first_waiter;
    for (int i = 0; i < SAME_CLIENT_LOOKS && at != PENDING_NONE; i++, at = t->waiters[at].next) {
        if (is_same_client(&t->waiters[at], q)) {
            return WAIT_AGAIN;
        }
    }
    uint16_t share = pending_share_of(r, q->peer);
    uint32_t i = take_waiter(r, pending, share);
    if (i == PENDING_NONE) {
        return WAIT_FULL;
    }
    struct waiter *w = &t->waiters[i];
    const struct dns_edns *e = &q->req.edns;
    *w = (struct waiter){
        .peer = *q->peer,
        .told = q->told,
        .arrived = q->arrived,
        .next = PENDING_NONE,
        .pending = pending,
        .alias = q->alias,
        .id = q->req.id,
        .flags = q->req.flags,
        .request_len = (uint16_t)q->request_len,
        .udp_size = e->udp_size,
        .share = share,
        .has_edns = e->present,
        .has_cookie = e->cookie_len != 0,
        .has_keepalive = e->has_keepalive,
        .cookie_valid = q->cookie_valid,
        .allowed = q->allowed,
        .result = WAITER_WAITING,
    };
    memcpy(w->cookie, e->cookie, sizeof w->cookie);
    note_capitals(w, q);
    *(p->last_waiter != PENDING_NONE ? &t->waiters[p->last_waiter].next : &p->first_waiter) = i;
    p->last_waiter = i;
    t->shares[share].waiting++;
    t->waiting++;
    t->waiting_peak = t->waiting > t->waiting_peak ? t->waiting : t->waiting_peak;
    t->tcp_waiters += q->peer->tcp;
    return WAIT_BEGUN;
}

void waiter_free(struct resolver *r, uint32_t i)
{
    struct pendings *t = &r->pendings;
    t->shares[t->waiters[i].share].waiting--;
    t->tcp_waiters -= t->waiters[i].peer.tcp;
    pool_give(&t->waiter_pool, i);
}

void pending_forget(struct resolver *r, uint32_t pending, uint32_t conn)
{
    struct pendings *t = &r->pendings;
    struct pending *p = &t->slots[pending];
    uint32_t *link = &p->first_waiter;
    p->last_waiter = PENDING_NONE;
    while (*link != PENDING_NONE) {
        uint32_t i = *link;
        const struct peer *peer = &t->waiters[i].peer;
        if (peer->tcp && peer->conn == conn && peer->worker == r->cfg.worker) {
            *link = t->waiters[i].next;
            t->waiting--;
            alias_free(r, t->waiters[i].alias);
            waiter_free(r, i);
        } else {
            p->last_waiter = i;
            link = &t->waiters[i].next;
        }
    }
}
