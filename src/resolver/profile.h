/*
 * What is decided for a set of clients that are all treated the same: which own rules and lists
 * count, how a blocked name is answered, which upstreams are asked, how long blocking is paused.
 * There is one profile for everybody, and one more for each distinct treatment that the groups and
 * rules of known clients come to. Profiles are part of a snapshot and as immutable.
 *
 * Which profile a client has is found by its address in a table of addresses and prefixes; the
 * longest prefix that holds the address decides.
 */
#ifndef SINKHOLE_RESOLVER_PROFILE_H
#define SINKHOLE_RESOLVER_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/time.h"
#include "blocklist/match.h"
#include "blocklist/overlay.h"

enum block_mode { BLOCK_NULL, BLOCK_NXDOMAIN, BLOCK_NODATA, BLOCK_REFUSED, BLOCK_ADDRESS };

struct profile {
    struct bl_asker asker;          /* which own rules count */
    const struct bl_filter *filter; /* which lists count; NULL: all of the image */
    enum block_mode block_mode;
    struct ip_addr block_v4, block_v6; /* for BLOCK_ADDRESS */
    usec_t pause_until; /* monotonic; nothing is blocked before it; 0: not paused, USEC_NEVER: until
                           resumed */
    uint64_t view;      /* names without a route of their own: 0: the upstreams of everybody; else
                           what tells these upstreams, and so their answers, from all others */
    uint16_t route;     /* … the number of those upstreams in the snapshot */
    bool blocks_all;    /* only what an own rule allows is not blocked */
    uint8_t safe_search; /* enum safe_bit, safe.h; a set */
    uint8_t number;      /* place among the snapshot's profiles, everybody's is 0; at most
                            PROFILE_NUMBER_MAX: that many and beyond */
};

#define PROFILES_MAX       1024 /* in a snapshot, with that of everybody */
#define PROFILE_NUMBER_MAX 255

/* Addresses and prefixes, each with the number of its clients' profile. */
struct client_map {
    uint32_t count; /* 0: no client is known, all are everybody */
    uint32_t mask;  /* slots - 1 */
    const struct client_row *rows;
    uint8_t lengths[129]; /* that occur, longest first */
    uint8_t length_count;
};

struct client_row {
    struct ip_addr addr;
    uint8_t bits;
    bool used;
    uint16_t profile;
};

/* HOT for clients that a worker has not seen lately, else asked once a client and snapshot. Cost:
 * nothing when no client is known, else one probe for each length of prefix that occurs. */
uint16_t client_map_find(const struct client_map *m, const struct ip_addr *addr);

/* The number that stands at one prefix of an address; false: none. */
bool client_map_at(const struct client_map *m, const struct ip_addr *addr, unsigned bits,
                   uint16_t *out);

/* Making one: octets for `count` rows; then as many client_map_add. `mem` is kept. */
size_t client_map_memory(uint32_t count);
void client_map_init(struct client_map *m, void *mem, uint32_t count);

/* ERR_EXISTS: the prefix is there already, with *profile. */
MUST_CHECK enum err client_map_add(struct client_map *m, const struct ip_prefix *prefix,
                                   uint16_t profile, uint16_t *other);

/* Is there room for one more row? */
bool client_map_has_room(const struct client_map *m);

/* After the last one. */
void client_map_done(struct client_map *m);

#endif
