/*
 * One set of the cache: 16 ways that share 64 granules of room.
 *
 *      line 0   seq | main | stamps | 16 tags of 16 bits | 16 starts of 8 bits | used granules
 *      line 1   16 hit counters | 16 stamps of 16 bits | 16 sizes of 8 bits
 *      line 2   fingerprints of names that left probation unasked
 *      then     64 granules of octets_each / 4 octets, in which entries lie one behind the other
 *
 * An entry, in words of 64 bits, is a run of granules:
 *
 *      0  hash of the whole key
 *      1  time it was stored, µs
 *      2  fresh for, s (32) | epoch (32)
 *      3  octets of records (16) | of name (8) | rcode, DO, CD (8) | type (16) | class (16)
 *      4  answers (16) | authorities (16) | EDE (16) | flags (8)
 *      5  judged (32) | failed until, s (32)
 *      6  name, padded to words; offsets of TTLs (16 bits each), padded; records, padded
 *
 * Readers and writers meet through `seq`: odd while a writer is at work. Shared words are read with
 * acquire and written with release order, so that a reader that saw a new word also sees that seq
 * has moved. That is all: no fence, no lock, and every shared access is an atomic one.
 */
#ifndef SINKHOLE_RESOLVER_CACHE_SET_H
#define SINKHOLE_RESOLVER_CACHE_SET_H

#include <stdatomic.h>

#include "resolver/cache.h"

enum {
    WAYS = 16,
    GRANULES = 64,
    HEAD_WORDS = 6,
    GHOSTS = 31,
    HITS_MAX = 15,
    HITS_CLAIMED = 0x80 /* somebody is asking for it anew */
};

struct cache_set {
    _Atomic uint32_t seq;
    uint16_t main;       /* bit: the way is in the main queue, else on probation; writers only */
    uint16_t next_stamp; /* writers only */
    _Atomic uint64_t tags[WAYS / 4];   /* 0: the way is free */
    _Atomic uint64_t starts[WAYS / 8]; /* first granule, 0..GRANULES-1 */
    uint64_t used;                     /* bit: the granule is taken; writers only */
    _Atomic uint8_t hits[WAYS];
    uint16_t stamp[WAYS]; /* order of arrival in its queue; writers only */
    uint8_t size[WAYS];   /* granules; 0: the way is free; writers only */
    uint16_t next_ghost;
    uint16_t ghosts[GHOSTS]; /* a ring; 0: empty; writers only */
};

_Static_assert(sizeof(struct cache_set) == 192, "three lines");

typedef _Atomic uint64_t cache_word;

struct cache {
    uint8_t *sets; /* each cache_set is followed by its granules */
    size_t stride; /* octets from one set to the next */
    uint32_t set_count;
    uint32_t granule_words;
    struct siphash_key key;
    _Alignas(CACHE_LINE) _Atomic uint32_t epoch; /* entries of another epoch do not exist */
    _Alignas(CACHE_LINE) _Atomic uint32_t entries;
    _Atomic uint64_t octets;
    _Atomic uint64_t inserted, evicted, dropped;
};

static inline uint64_t word_get(const cache_word *w)
{
    return atomic_load_explicit(w, memory_order_acquire);
}

static inline void word_put(cache_word *w, uint64_t v)
{
    atomic_store_explicit(w, v, memory_order_release);
}

static inline struct cache_set *cache_set_at(const struct cache *c, uint64_t key_hash)
{
    uint64_t i = (key_hash >> 32) * c->set_count >> 32;
    return (struct cache_set *)(void *)(c->sets + i * c->stride);
}

static inline cache_word *cache_set_words(struct cache_set *s)
{
    return (cache_word *)(void *)((uint8_t *)s + sizeof *s);
}

static inline uint16_t cache_tag(uint64_t key_hash)
{
    uint16_t tag = (uint16_t)key_hash;
    return tag != 0 ? tag : 1;
}

static inline unsigned cache_set_start(const struct cache_set *s, unsigned way)
{
    return (unsigned)(word_get(&s->starts[way / 8]) >> way % 8 * 8) & (GRANULES - 1);
}

static inline uint16_t cache_set_tag(const struct cache_set *s, unsigned way)
{
    return (uint16_t)(word_get(&s->tags[way / 4]) >> way % 4 * 16);
}

static inline size_t cache_words(size_t octets)
{
    return (octets + 7) / 8;
}

/* The name, type, class and flags of an entry are the key's; `e` may be half written, `words`
 * bounds what may be read. */
bool cache_entry_is(const cache_word *e, size_t words, const struct cache_key *key,
                    uint64_t key_hash);

uint64_t cache_key_hash(const struct cache_key *key);

/* Words of an entry with so many octets of name and records, and so many records. */
size_t cache_entry_words(size_t name_len, size_t records, size_t len);

/* Take the set for writing; false if somebody else has it. */
bool cache_set_lock(struct cache_set *s);
void cache_set_unlock(struct cache_set *s);

/* For the holder: the way of an entry, WAYS if there is none; drop one; make room for one of `size`
 * granules. */
unsigned cache_set_find(const struct cache *c, struct cache_set *s, const struct cache_key *key,
                        uint64_t key_hash);
void cache_set_drop(struct cache *c, struct cache_set *s, unsigned way);
unsigned cache_set_place(struct cache *c, struct cache_set *s, unsigned size, uint64_t key_hash,
                         usec_t now);

#endif
