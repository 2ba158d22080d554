/*
 * Token buckets in two small tables, one by address, one by network. Time in them is a 32-bit
 * number of milliseconds, of which only differences count; the worst that its wrap after 49 days
 * can do is to give a client a burst too few or too many.
 *
 * The limit holds in each worker for itself: a client whose questions reach several workers may ask
 * that much of each.
 */
#include "resolver/client.h"

#include <string.h>

#include "resolver/resolver_int.h"

enum {
    SET = 4,
    NETWORKS = 1024,
    TOKEN = 1000,    /* one question or answer, in thousandths */
    BURST_S = 2,     /* a client may save up what this many seconds give */
    ERRORS_A_S = 50, /* answers to one network that are errors */
    LARGE_A_S = 200, /* … that are large and more than AMPLIFIED times the question */
    LARGE_OCTETS = 512,
    AMPLIFIED = 4
};

static uint32_t sets_of(uint32_t clients)
{
    return (clients + SET - 1) / SET;
}

size_t client_table_memory(uint32_t clients_max)
{
    return (size_t)sets_of(clients_max) * SET * sizeof(struct client) +
           NETWORKS * sizeof(struct client_network) + 2 * CACHE_LINE;
}

void client_table_init(struct client_table *c, struct arena *arena, uint32_t clients_max,
                       uint32_t rate, const uint64_t key[2])
{
    c->sets = sets_of(clients_max);
    c->network_sets = NETWORKS / SET;
    c->table = arena_alloc(arena, (size_t)c->sets * SET * sizeof *c->table, CACHE_LINE);
    c->networks = arena_alloc(arena, NETWORKS * sizeof *c->networks, CACHE_LINE);
    c->rate = rate;
    c->generation = 1;
    c->key[0] = key[0];
    c->key[1] = key[1] | 1;
}

uint64_t client_hash(const struct client_table *c, const struct ip_addr *addr)
{
    uint64_t a, b;
    memcpy(&a, addr->b, 8);
    memcpy(&b, addr->b + 8, 8);
    uint64_t h = (a ^ c->key[0]) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ h >> 29 ^ b) * c->key[1];
    h ^= h >> 32;
    return h * UINT64_C(0xd6e8feb86659fd93);
}

bool client_is_allowed(const struct resolver *r, const struct ip_addr *addr)
{
    const struct snapshot *s = r->snap;
    for (uint32_t i = 0; i < s->allow_from_count; i++) {
        if (ip_in_prefix(addr, &s->allow_from[i])) {
            return !s->allow_from_negated[i];
        }
    }
    return false;
}

static uint32_t now_ms(const struct resolver *r)
{
    return (uint32_t)(r->now / USEC_PER_MSEC);
}

static uint32_t refill(uint32_t tokens, uint32_t elapsed_ms, uint32_t rate, uint32_t burst_s)
{
    uint64_t full = (uint64_t)rate * burst_s * TOKEN;
    uint64_t sum = tokens + (uint64_t)elapsed_ms * rate;
    return (uint32_t)(sum < full ? sum : full);
}

static uint32_t full_bucket(uint32_t rate)
{
    return rate * BURST_S * TOKEN;
}

/* The client's slot; a new client takes the one that was idle longest. */
static struct client *find_client(struct resolver *r, const struct ip_addr *addr, uint32_t now)
{
    struct client_table *c = &r->clients;
    uint32_t set = (uint32_t)((client_hash(c, addr) >> 32) * c->sets >> 32);
    struct client *ways = &c->table[set * SET], *victim = ways;
    for (unsigned i = 0; i < SET; i++) {
        if (ip_equal(&ways[i].addr, addr)) {
            return &ways[i];
        }
        if (now - ways[i].seen_ms > now - victim->seen_ms) {
            victim = &ways[i];
        }
    }
    victim->addr = *addr;
    victim->seen_ms = now;
    victim->tokens = full_bucket(c->rate);
    victim->generation = 0;
    return victim;
}

static bool is_trusted(const struct resolver *r, const struct ip_addr *addr)
{
    const struct snapshot *s = r->snap;
    for (uint32_t i = 0; i < s->client_id_count; i++) {
        if (ip_in_prefix(addr, &s->client_id_from[i])) {
            return true;
        }
    }
    return false;
}

static bool tells(const struct query *q)
{
    return q->req.edns.client.has_addr || q->req.edns.client.has_device;
}

void client_tell(const struct resolver *r, struct query *q)
{
    if (UNLIKELY(tells(q)) && is_trusted(r, &q->peer->addr)) {
        q->told = q->req.edns.client;
    }
}

/* As for somebody who asks himself: the address stands before the device, that before networks. Of
 * a device that nothing describes the network is the router's. */
const struct profile *client_profile(const struct resolver *r, const struct ip_addr *sender,
                                     const struct dns_edns_client *told)
{
    const struct client_map *m = &r->snap->clients;
    uint16_t number;
    if ((!told->has_addr || !client_map_at(m, &told->addr, 128, &number)) &&
        (!told->has_device || !client_map_at(m, &told->device, 128, &number))) {
        number = client_map_find(m, told->has_addr ? &told->addr : sender);
    }
    return snapshot_profile(r->snap, number);
}

void client_known(const struct resolver *r, struct query *q)
{
    q->client = q->told.has_addr     ? &q->told.addr
                : q->told.has_device ? &q->told.device
                                     : &q->peer->addr;
    q->profile = client_profile(r, &q->peer->addr, &q->told);
}

/* The slot of who sent the question, as the snapshot in force has him. */
static struct client *find_sender(struct resolver *r, const struct ip_addr *addr, uint32_t now)
{
    struct client_table *c = &r->clients;
    struct client *client = find_client(r, addr, now);
    if (UNLIKELY(client->generation != c->generation)) {
        client->generation = c->generation;
        client->allowed = client_is_allowed(r, addr);
        client->trusted = is_trusted(r, addr);
        client->profile = client_map_find(&r->snap->clients, addr);
    }
    return client;
}

static ALWAYS_INLINE enum client_admission admit_at_rate(const struct client_table *c,
                                                         struct client *client, uint32_t now)
{
    if (c->rate == 0) {
        client->seen_ms = now;
        return CLIENT_ADMITTED;
    }
    if (client->seen_ms != now) {
        client->tokens = refill(client->tokens, now - client->seen_ms, c->rate, BURST_S);
        client->seen_ms = now;
    }
    if (UNLIKELY(client->tokens < TOKEN)) {
        return CLIENT_LIMITED;
    }
    client->tokens -= TOKEN;
    return CLIENT_ADMITTED;
}

enum client_admission client_admit(struct resolver *r, struct query *q)
{
    struct client_table *c = &r->clients;
    uint32_t now = now_ms(r);
    struct client *client = find_sender(r, &q->peer->addr, now);
    q->profile = snapshot_profile(r->snap, client->profile);
    if (UNLIKELY(client->trusted && client->allowed && tells(q))) {
        client->seen_ms = now;
        q->told = q->req.edns.client;
        client_known(r, q);
        return admit_at_rate(c, find_client(r, q->client, now), now);
    }
    if (UNLIKELY(!client->allowed)) {
        client->seen_ms = now;
        return CLIENT_REFUSED;
    }
    return admit_at_rate(c, client, now);
}

/* The /24 or /56 that the address is in. */
static struct ip_addr network_of(const struct ip_addr *addr)
{
    struct ip_addr net = *addr;
    unsigned keep = ip_is_v4(addr) ? 15 : 7;
    memset(net.b + keep, 0, sizeof net.b - keep);
    return net;
}

static struct client_network *find_network(struct resolver *r, const struct ip_addr *addr,
                                           uint32_t now)
{
    struct client_table *c = &r->clients;
    struct ip_addr net = network_of(addr);
    uint32_t set = (uint32_t)((client_hash(c, &net) >> 32) * c->network_sets >> 32);
    struct client_network *ways = &c->networks[set * SET], *victim = ways;
    for (unsigned i = 0; i < SET; i++) {
        if (ip_equal(&ways[i].net, &net)) {
            return &ways[i];
        }
        if (now - ways[i].seen_ms > now - victim->seen_ms) {
            victim = &ways[i];
        }
    }
    *victim = (struct client_network){
        .net = net,
        .seen_ms = now,
        .errors = full_bucket(ERRORS_A_S),
        .large = full_bucket(LARGE_A_S),
    };
    return victim;
}

enum client_limit client_limit_answer(struct resolver *r, const struct query *q, size_t len)
{
    bool large = len > LARGE_OCTETS && len > AMPLIFIED * q->request_len;
    if (LIKELY(!large && !q->is_error) || q->peer->tcp || q->cookie_valid || r->clients.rate == 0) {
        return CLIENT_SEND;
    }
    uint32_t now = now_ms(r);
    struct client_network *n = find_network(r, &q->peer->addr, now);
    if (n->seen_ms != now) {
        n->errors = refill(n->errors, now - n->seen_ms, ERRORS_A_S, BURST_S);
        n->large = refill(n->large, now - n->seen_ms, LARGE_A_S, BURST_S);
        n->seen_ms = now;
    }
    uint32_t *tokens = q->is_error ? &n->errors : &n->large;
    if (*tokens >= TOKEN) {
        *tokens -= TOKEN;
        return CLIENT_SEND;
    }
    /* Each second one says TC: who is not forged comes back by TCP. */
    return n->slip++ % 2 == 0 ? CLIENT_SLIP : CLIENT_DROP;
}
