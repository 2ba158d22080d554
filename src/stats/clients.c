/* The table of clients: rows in a chain by last use, found by a keyed hash of the address. */
#include "stats/clients.h"

#include <string.h>

#include "base/require.h"

size_t clients_memory(uint32_t entries)
{
    return entries * sizeof(struct client) + index_slots(entries) * sizeof(struct index_slot) +
           2 * CACHE_LINE;
}

bool clients_init(struct clients *c, struct arena *a, uint32_t entries, struct siphash_key key)
{
    REQUIRE(entries > 0);
    *c = (struct clients){.cap = entries, .newest = INDEX_NONE, .oldest = INDEX_NONE, .key = key};
    c->row = ARENA_ARRAY(a, struct client, entries);
    return c->row && index_init(&c->index, a, entries);
}

void clients_clear(struct clients *c)
{
    c->count = 0;
    c->newest = c->oldest = INDEX_NONE;
    index_clear(&c->index);
}

static uint64_t hash_of(const struct clients *c, const struct ip_addr *addr)
{
    return siphash13(c->key, addr->b, sizeof addr->b);
}

static uint32_t find(const struct clients *c, uint64_t hash, const struct ip_addr *addr)
{
    uint32_t e;
    for (uint32_t at = index_first(&c->index, hash);
         (e = index_next(&c->index, hash, &at)) != INDEX_NONE;) {
        if (ip_equal(&c->row[e].addr, addr)) {
            return e;
        }
    }
    return INDEX_NONE;
}

static void unchain(struct clients *c, uint32_t e)
{
    struct client *row = &c->row[e];
    if (row->newer != INDEX_NONE) {
        c->row[row->newer].older = row->older;
    } else {
        c->newest = row->older;
    }
    if (row->older != INDEX_NONE) {
        c->row[row->older].newer = row->newer;
    } else {
        c->oldest = row->newer;
    }
}

static void chain_newest(struct clients *c, uint32_t e)
{
    c->row[e].newer = INDEX_NONE;
    c->row[e].older = c->newest;
    if (c->newest != INDEX_NONE) {
        c->row[c->newest].newer = e;
    } else {
        c->oldest = e;
    }
    c->newest = e;
}

static uint32_t take_row(struct clients *c, uint64_t hash, const struct ip_addr *addr, int64_t time)
{
    uint32_t e;
    if (c->count < c->cap) {
        e = c->count++;
    } else {
        e = c->oldest;
        c->replaced++;
        unchain(c, e);
        index_remove(&c->index, hash_of(c, &c->row[e].addr), e);
    }
    c->row[e] = (struct client){.addr = *addr, .first_seen = time};
    index_insert(&c->index, hash, e);
    chain_newest(c, e);
    return e;
}

struct client *clients_touch(struct clients *c, const struct ip_addr *addr, int64_t time)
{
    uint64_t hash = hash_of(c, addr);
    uint32_t e = find(c, hash, addr);
    if (e == INDEX_NONE) {
        e = take_row(c, hash, addr, time);
    } else if (e != c->newest) {
        unchain(c, e);
        chain_newest(c, e);
    }
    c->row[e].last_seen = time;
    return &c->row[e];
}

void clients_add(struct clients *c, const struct ip_addr *addr, int64_t time, bool blocked)
{
    struct client *row = clients_touch(c, addr, time);
    row->total++;
    row->slot_total[c->slot]++;
    row->blocked += blocked;
    row->slot_blocked[c->slot] += blocked;
}

void clients_next_slot(struct clients *c, uint32_t slots)
{
    if (slots > CLIENTS_SLOTS) {
        slots = CLIENTS_SLOTS;
    }
    while (slots-- > 0) {
        c->slot = c->slot + 1 == CLIENTS_SLOTS ? 0 : c->slot + 1;
        for (uint32_t e = 0; e < c->count; e++) {
            struct client *row = &c->row[e];
            row->total -= row->slot_total[c->slot];
            row->blocked -= row->slot_blocked[c->slot];
            row->slot_total[c->slot] = 0;
            row->slot_blocked[c->slot] = 0;
        }
    }
}

const struct client *clients_find(const struct clients *c, const struct ip_addr *addr)
{
    uint32_t e = find(c, hash_of(c, addr), addr);
    return e == INDEX_NONE ? NULL : &c->row[e];
}
