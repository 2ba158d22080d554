/*
 * Health of upstreams. The fastest that is up gets the questions. Three silent attempts in a row
 * mark an upstream as down: it then is the last choice, and a question of our own (the name servers
 * of the root, which tells nobody anything) is sent to it each second until it answers. Nothing
 * here is for ever: what an upstream does not bear is forgotten after a while.
 */
#include "resolver/upstream.h"

#include <string.h>

#include "resolver/resolver_int.h"

enum {
    FAILS_DOWN = 3,
    ERRORS_DOWN = 10,
    TRIES_DOWN = 2, /* how many tries at others an upstream that is down comes after */
    STRIKES = 3,    /* at three different names, or letters changed three times in a row */
    PATIENCE_MIN_MS = 150,
    PATIENCE_MAX_MS = 800,
    PATIENCE_NEW_MS = 400, /* for one that was never measured */
    PATIENCE_STREAM_MS = 1500
};

#define PROBE_EVERY    USEC_PER_SEC        /* a dead one is asked each second */
#define PROBE_IDLE     (30 * USEC_PER_SEC) /* one that gets no questions is measured this often */
#define CLIENTS_LATELY (60 * USEC_PER_SEC) /* without clients for so long nothing is probed */
#define FORGET         (600 * USEC_PER_SEC)

static struct upstream *at(struct resolver *r, uint16_t i)
{
    return &r->upstreams[i];
}

/* Timers of the wheel behind those of questions. */
static uint32_t probe_timer(const struct resolver *r, uint16_t i)
{
    return r->pendings.slot_pool.cap + i;
}

static uint32_t get(const _Atomic uint32_t *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

static void put(_Atomic uint32_t *v, uint32_t value)
{
    atomic_store_explicit(v, value, memory_order_relaxed);
}

static bool is_up(const struct upstream *u)
{
    return atomic_load_explicit(&u->up, memory_order_relaxed);
}

static void set_up(struct upstream *u, bool up)
{
    atomic_store_explicit(&u->up, up, memory_order_relaxed);
}

static void begin(struct upstream *u, uint64_t id, usec_t now)
{
    put(&u->srtt_us, 0);
    put(&u->rttvar_us, 0);
    put(&u->fails, 0);
    set_up(u, true);
    u->id = id;
    u->errors = 0;
    u->sampled = now;
    u->edns_off_until = u->case_off_until = 0;
    u->edns_name = 0;
    u->edns_strikes = u->case_strikes = 0;
    u->probing = false;
}

static void move(struct upstream *to, const struct upstream *from)
{
    put(&to->srtt_us, get(&from->srtt_us));
    put(&to->rttvar_us, get(&from->rttvar_us));
    put(&to->fails, get(&from->fails));
    set_up(to, is_up(from));
    to->id = from->id;
    to->errors = from->errors;
    to->sampled = from->sampled;
    to->edns_off_until = from->edns_off_until;
    to->edns_name = from->edns_name;
    to->edns_strikes = from->edns_strikes;
    to->case_off_until = from->case_off_until;
    to->case_strikes = from->case_strikes;
    to->probing = false;
}

void upstreams_init(struct resolver *r)
{
    for (uint16_t i = 0; i < UPSTREAM_MAX; i++) {
        begin(at(r, i), i < r->snap->upstream_count ? r->snap->upstreams[i].id : 0, r->now);
    }
}

static uint16_t find_id(const struct snapshot *s, uint64_t id)
{
    for (uint16_t i = 0; i < s->upstream_count; i++) {
        if (s->upstreams[i].id == id) {
            return i;
        }
    }
    return UPSTREAM_NONE;
}

void upstreams_swap(struct resolver *r, const struct snapshot *old, const struct snapshot *new,
                    uint16_t to[UPSTREAM_MAX])
{
    struct upstream known[UPSTREAM_MAX];
    for (uint16_t i = 0; i < UPSTREAM_MAX; i++) {
        to[i] = i < old->upstream_count ? find_id(new, old->upstreams[i].id) : UPSTREAM_NONE;
        move(&known[i], at(r, i));
        wheel_cancel(&r->wheel, probe_timer(r, i));
    }
    for (uint16_t i = 0; i < new->upstream_count; i++) {
        uint16_t from = find_id(old, new->upstreams[i].id);
        if (from != UPSTREAM_NONE) {
            move(at(r, i), &known[from]);
        } else {
            begin(at(r, i), new->upstreams[i].id, r->now);
        }
        if (!is_up(at(r, i))) {
            wheel_set(&r->wheel, probe_timer(r, i), r->now + PROBE_EVERY);
        }
    }
}

/* Lower is better. A silence weighs as much as an answer that takes as long as we are ready to
 * wait. */
static uint64_t rank(const struct resolver *r, const struct pending *p, uint16_t i)
{
    const struct upstream *u = &r->upstreams[i];
    unsigned tries = p->tries[i] + (is_up(u) ? 0U : TRIES_DOWN);
    return ((uint64_t)tries << 48) + get(&u->srtt_us) +
           get(&u->fails) * PATIENCE_NEW_MS * USEC_PER_MSEC;
}

uint16_t upstream_choose(const struct resolver *r, const struct pending *p)
{
    uint16_t best = UPSTREAM_NONE;
    for (uint16_t i = 0; i < r->snap->upstream_count; i++) {
        if (r->snap->upstreams[i].route != p->route || (p->refused >> i & 1) != 0) {
            continue;
        }
        if (best == UPSTREAM_NONE || rank(r, p, i) < rank(r, p, best)) {
            best = i;
        }
    }
    return best;
}

bool upstream_any_up(const struct resolver *r, uint16_t route)
{
    for (uint16_t i = 0; i < r->snap->upstream_count; i++) {
        if (r->snap->upstreams[i].route == route && is_up(&r->upstreams[i])) {
            return true;
        }
    }
    return false;
}

usec_t upstream_patience(const struct resolver *r, uint16_t i, unsigned tries)
{
    const struct upstream *u = &r->upstreams[i];
    uint64_t wait = PATIENCE_NEW_MS * USEC_PER_MSEC;
    if (get(&u->srtt_us) != 0) {
        wait = get(&u->srtt_us) + 4 * (uint64_t)get(&u->rttvar_us);
    }
    uint64_t least = PATIENCE_MIN_MS * USEC_PER_MSEC;
    wait = wait < least ? least : wait;
    for (; tries > 1; tries--) {
        wait += wait / 2;
    }
    if (r->snap->upstreams[i].transport != UPSTREAM_UDP) {
        least = PATIENCE_STREAM_MS * USEC_PER_MSEC; /* a connection may have to be made first */
        return wait < least ? least : wait;
    }
    uint64_t most = PATIENCE_MAX_MS * USEC_PER_MSEC;
    return wait > most ? most : wait;
}

bool upstream_takes_edns(const struct resolver *r, uint16_t i)
{
    return r->now >= r->upstreams[i].edns_off_until;
}

bool upstream_keeps_case(const struct resolver *r, uint16_t i)
{
    return r->now >= r->upstreams[i].case_off_until;
}

static void measure(struct upstream *u, usec_t rtt_us)
{
    uint32_t rtt = rtt_us > UINT32_MAX / 4 ? UINT32_MAX / 4 : (uint32_t)rtt_us;
    uint32_t srtt = get(&u->srtt_us), var = get(&u->rttvar_us);
    if (srtt == 0) {
        srtt = rtt;
        var = rtt / 2;
    } else { /* RFC 6298 2.3 */
        uint32_t off = srtt > rtt ? srtt - rtt : rtt - srtt;
        var = var - var / 4 + off / 4;
        srtt = srtt - srtt / 8 + rtt / 8;
    }
    put(&u->srtt_us, srtt == 0 ? 1 : srtt);
    put(&u->rttvar_us, var);
}

void upstream_answered(struct resolver *r, uint16_t i, usec_t rtt_us)
{
    struct upstream *u = at(r, i);
    if (rtt_us != 0) {
        measure(u, rtt_us);
    }
    put(&u->fails, 0);
    u->errors = 0;
    u->sampled = r->now;
    if (!is_up(u)) {
        set_up(u, true);
        wheel_cancel(&r->wheel, probe_timer(r, i));
    }
}

static void mark_down(struct resolver *r, uint16_t i)
{
    if (is_up(at(r, i))) {
        set_up(at(r, i), false);
        wheel_set(&r->wheel, probe_timer(r, i), r->now + PROBE_EVERY);
    }
}

void upstream_lost(struct resolver *r, uint16_t i)
{
    uint32_t fails = get(&at(r, i)->fails) + 1;
    put(&at(r, i)->fails, fails);
    if (fails >= FAILS_DOWN) {
        mark_down(r, i);
    }
}

void upstream_error(struct resolver *r, uint16_t i)
{
    /* It lives; but one that has nothing but errors to say is of no use. */
    put(&at(r, i)->fails, 0);
    if (++at(r, i)->errors >= ERRORS_DOWN) {
        mark_down(r, i);
    }
}

void upstream_alive(struct resolver *r, uint16_t i)
{
    if (at(r, i)->errors < ERRORS_DOWN) {
        upstream_answered(r, i, 0);
    }
}

void upstream_case_changed(struct resolver *r, uint16_t i, bool certain)
{
    struct upstream *u = at(r, i);
    u->case_strikes = (uint8_t)(certain ? STRIKES : u->case_strikes + 1);
    if (u->case_strikes >= STRIKES) {
        u->case_strikes = 0;
        u->case_off_until = r->now + FORGET;
    }
}

void upstream_case_kept(struct resolver *r, uint16_t i)
{
    at(r, i)->case_strikes = 0;
}

void upstream_edns_refused(struct resolver *r, uint16_t i, uint64_t name_hash)
{
    struct upstream *u = at(r, i);
    if (u->edns_strikes > 0 && u->edns_name == name_hash) {
        return; /* one name cannot do it alone */
    }
    u->edns_name = name_hash;
    if (++u->edns_strikes >= STRIKES) {
        u->edns_strikes = 0;
        u->edns_off_until = r->now + FORGET;
    }
}

static void probe(struct resolver *r, uint16_t i)
{
    struct upstream *u = at(r, i);
    if (!u->probing) {
        u->sampled = r->now;
        u->probing = true;
        forward_probe(r, i);
    }
}

void upstream_probe_idle(struct resolver *r)
{
    r->asked = r->now;
    for (uint16_t i = 0; i < r->snap->upstream_count; i++) {
        struct upstream *u = at(r, i);
        /* One that has no rival need not be measured to be chosen. */
        bool doubtful = !is_up(u) || get(&u->fails) > 0;
        usec_t wait = doubtful                      ? PROBE_EVERY
                      : r->snap->upstream_count > 1 ? PROBE_IDLE
                                                    : USEC_NEVER;
        if (UNLIKELY(r->now - u->sampled >= wait)) {
            probe(r, i);
        }
    }
}

void upstream_probe_timer(struct resolver *r, uint16_t i)
{
    if (i >= r->snap->upstream_count || is_up(at(r, i)) || r->now - r->asked > CLIENTS_LATELY) {
        return; /* upstream_probe_idle takes it up again with the next question */
    }
    probe(r, i);
    wheel_set(&r->wheel, probe_timer(r, i), r->now + PROBE_EVERY);
}

void upstream_probe_done(struct resolver *r, uint16_t i)
{
    at(r, i)->probing = false;
}
