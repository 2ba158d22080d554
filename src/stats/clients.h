/*
 * Who asked, and how much, over the last 24 hours in slots of ten minutes. Bounded: when the table
 * is full, the client that was not heard of for the longest time goes. Memory: 1.2 KiB a client.
 */
#ifndef SINKHOLE_STATS_CLIENTS_H
#define SINKHOLE_STATS_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/ip.h"
#include "base/siphash.h"
#include "base/time.h"
#include "stats/index.h"

#define CLIENTS_SLOTS 145 /* as the 24 h series: the current slot and 144 before it */

struct client {
    struct ip_addr addr;
    int64_t first_seen, last_seen; /* monotonic time in us; negative: before this start */
    uint64_t total, blocked;       /* sums of the slots */
    uint32_t newer, older;         /* chain by last_seen */
    uint32_t slot_total[CLIENTS_SLOTS];
    uint32_t slot_blocked[CLIENTS_SLOTS];
};

struct clients {
    struct client *row;
    uint32_t cap, count;
    uint32_t newest, oldest; /* ends of the chain; INDEX_NONE if empty */
    uint32_t slot;           /* place of the current slot */
    uint64_t replaced;       /* clients that made room for others */
    struct siphash_key key;
    struct index index;
};

size_t clients_memory(uint32_t entries);
bool clients_init(struct clients *c, struct arena *a, uint32_t entries, struct siphash_key key);

void clients_clear(struct clients *c);

void clients_add(struct clients *c, const struct ip_addr *addr, int64_t time, bool blocked);

/* `slots` slots have ended. */
void clients_next_slot(struct clients *c, uint32_t slots);

/* The row of an address, or NULL. */
const struct client *clients_find(const struct clients *c, const struct ip_addr *addr);

/* The row of an address, made if it is new, as last heard of at `time`. Its counts are the caller's
 * to change. */
struct client *clients_touch(struct clients *c, const struct ip_addr *addr, int64_t time);

/* Place of the slot `ago` slots before the current one in a client's arrays, ago < CLIENTS_SLOTS.
 */
static inline uint32_t clients_slot_at(const struct clients *c, uint32_t ago)
{
    return c->slot >= ago ? c->slot - ago : c->slot + CLIENTS_SLOTS - ago;
}

#endif
