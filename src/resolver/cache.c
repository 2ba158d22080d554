/*
 * The cache as its users see it: keys, reading without a lock, inserting. How a set is laid out and
 * who has to leave it is in cache_set.h and cache_set.c. Nothing here knows policy or upstreams.
 */
#include "resolver/cache.h"

#include <string.h>

#include "base/arena.h"
#include "base/require.h"
#include "resolver/cache_set.h"

enum {
    ENTRIES_MIN = 256,
    ENTRIES_MAX = 4 * 1024 * 1024,
    OCTETS_MIN = 64,
    OCTETS_MAX = 1024,
    OCTETS_DEFAULT = 256,
};

static uint32_t octets_each(const struct cache_config *cfg)
{
    return cfg->octets_each == 0 ? OCTETS_DEFAULT : cfg->octets_each;
}

static uint32_t granule_words(const struct cache_config *cfg)
{
    return (octets_each(cfg) * WAYS / GRANULES + 7) / 8;
}

static size_t stride(const struct cache_config *cfg)
{
    size_t octets = sizeof(struct cache_set) + (size_t)GRANULES * granule_words(cfg) * 8;
    return (octets + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

static uint32_t set_count(const struct cache_config *cfg)
{
    return (cfg->entries + WAYS - 1) / WAYS;
}

size_t cache_memory(const struct cache_config *cfg)
{
    return sizeof(struct cache) + stride(cfg) * set_count(cfg) + 2 * CACHE_LINE;
}

enum err cache_init(struct cache **out, void *mem, size_t len, const struct cache_config *cfg,
                    struct siphash_key key)
{
    if (cfg->entries < ENTRIES_MIN || cfg->entries > ENTRIES_MAX || octets_each(cfg) < OCTETS_MIN ||
        octets_each(cfg) > OCTETS_MAX) {
        return ERR_RANGE;
    }
    struct arena arena;
    arena_init(&arena, mem, len);
    struct cache *c = ARENA_NEW(&arena, struct cache);
    uint8_t *sets = arena_alloc(&arena, stride(cfg) * set_count(cfg), CACHE_LINE);
    if (c == NULL || sets == NULL) {
        return ERR_SPACE;
    }
    c->sets = sets;
    c->stride = stride(cfg);
    c->set_count = set_count(cfg);
    c->granule_words = granule_words(cfg);
    c->key = key;
    *out = c;
    return ERR_OK;
}

void cache_flush(struct cache *c)
{
    atomic_fetch_add_explicit(&c->epoch, 1, memory_order_release);
}

void cache_get_gauges(const struct cache *c, struct cache_gauges *out)
{
    *out = (struct cache_gauges){
        .entries = atomic_load_explicit(&c->entries, memory_order_relaxed),
        .entries_max = c->set_count * WAYS,
        .inserted = atomic_load_explicit(&c->inserted, memory_order_relaxed),
        .evicted = atomic_load_explicit(&c->evicted, memory_order_relaxed),
        .dropped = atomic_load_explicit(&c->dropped, memory_order_relaxed),
        .octets = atomic_load_explicit(&c->octets, memory_order_relaxed),
        .octets_max = (uint64_t)c->set_count * GRANULES * c->granule_words * 8,
    };
}

uint64_t cache_hash(const struct cache *c, const struct dns_name *name)
{
    return siphash13(c->key, name->wire, name->len);
}

static unsigned key_flags(const struct cache_key *key)
{
    return (key->dnssec_ok ? 1U : 0U) | (key->checking_disabled ? 2U : 0U);
}

/* The secret is in key->hash; this only spreads the rest of the key over it. Each step can be
 * undone, so questions that differ in their view only never have the same. */
uint64_t cache_key_hash(const struct cache_key *key)
{
    uint64_t h = key->hash ^ key->view ^
                 ((uint64_t)key->type << 32 | (uint64_t)key->klass << 8 | key_flags(key));
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    return h ^ h >> 32;
}

size_t cache_entry_words(size_t name_len, size_t records, size_t len)
{
    return HEAD_WORDS + cache_words(name_len) + cache_words(records * 2) + cache_words(len);
}

static uint64_t load_octets(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    memcpy(&v, p, n < 8 ? n : 8);
    return v;
}

static uint64_t key_word(const struct cache_key *key)
{
    return (uint64_t)key->name->len << 16 | (uint64_t)key_flags(key) << 28 |
           (uint64_t)key->type << 32 | (uint64_t)key->klass << 48;
}
#define KEY_WORD_MASK                                                           \
    UINT64_C(0xfffffffff0ff0000) /* all but the octets of records and the rcode \
                                  */

bool cache_entry_is(const cache_word *e, size_t words, const struct cache_key *key,
                    uint64_t key_hash)
{
    if (words < HEAD_WORDS || word_get(&e[0]) != key_hash ||
        (word_get(&e[3]) & KEY_WORD_MASK) != key_word(key)) {
        return false;
    }
    size_t len = key->name->len;
    const uint8_t *wire = key->name->wire;
    size_t full = len / 8;
    if (words < HEAD_WORDS + cache_words(len)) {
        return false;
    }
    for (size_t i = 0; i < full; i++) {
        uint64_t v;
        memcpy(&v, wire + i * 8, 8);
        if (word_get(&e[HEAD_WORDS + i]) != v) {
            return false;
        }
    }
    return len % 8 == 0 || word_get(&e[HEAD_WORDS + full]) == load_octets(wire + full * 8, len % 8);
}

/* Writes octets as words, the last one filled up with zeros. Returns the word behind them. */
static cache_word *write_octets(cache_word *to, const void *data, size_t len)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i += 8) {
        word_put(to++, load_octets(p + i, len - i));
    }
    return to;
}

static void entry_write(const struct cache *c, cache_word *e, const struct cache_key *key,
                        uint64_t key_hash, usec_t now, const struct cache_value *v)
{
    uint64_t epoch = atomic_load_explicit(&c->epoch, memory_order_relaxed);
    word_put(&e[0], key_hash);
    word_put(&e[1], now);
    word_put(&e[2], v->ttl_s | epoch << 32);
    word_put(&e[3], key_word(key) | v->len | (uint64_t)v->rcode << 24);
    word_put(&e[4], v->answers | (uint64_t)v->authorities << 16 | (uint64_t)(uint16_t)v->ede << 32 |
                        (uint64_t)v->flags << 48);
    word_put(&e[5], v->judged);
    cache_word *to = write_octets(e + HEAD_WORDS, key->name->wire, key->name->len);
    to = write_octets(to, v->ttl_off, 2 * ((size_t)v->answers + v->authorities));
    write_octets(to, v->records, v->len);
}

/* The hits of the entry that a new one replaces: what was popular stays so, with half of its
 * credit. */
static uint8_t take_over(struct cache *c, struct cache_set *s, unsigned old, bool *main)
{
    uint8_t hits = atomic_load_explicit(&s->hits[old], memory_order_relaxed) & HITS_MAX;
    *main = (s->main >> old & 1) != 0;
    cache_set_drop(c, s, old);
    return hits >> 1;
}

void cache_insert(struct cache *c, const struct cache_key *key, usec_t now,
                  const struct cache_value *value)
{
    size_t records = (size_t)value->answers + value->authorities;
    size_t words = cache_entry_words(key->name->len, records, value->len);
    size_t granules = (words + c->granule_words - 1) / c->granule_words;
    if (value->ttl_s == 0 || records > CACHE_RECORDS_MAX || granules > GRANULES / 2 ||
        value->len > UINT16_MAX) {
        return;
    }
    uint64_t hash = cache_key_hash(key);
    struct cache_set *s = cache_set_at(c, hash);
    if (!cache_set_lock(s)) {
        atomic_fetch_add_explicit(&c->dropped, 1, memory_order_relaxed);
        return;
    }
    uint8_t hits = 0;
    bool main = false;
    unsigned old = cache_set_find(c, s, key, hash);
    if (old != WAYS) {
        hits = take_over(c, s, old, &main);
    }
    unsigned way = cache_set_place(c, s, (unsigned)granules, hash, now);
    s->main |= (uint16_t)((unsigned)main << way);
    atomic_store_explicit(&s->hits[way], hits, memory_order_relaxed);
    entry_write(c, cache_set_words(s) + (size_t)cache_set_start(s, way) * c->granule_words, key,
                hash, now, value);
    cache_set_unlock(s);
    atomic_fetch_add_explicit(&c->inserted, 1, memory_order_relaxed);
    if (key->type != CACHE_ANY_TYPE && value->answers > 0) {
        struct cache_key any = *key;
        any.type = CACHE_ANY_TYPE;
        cache_remove(c, &any);
    }
}

/* The entry of a key with its set locked; NULL and unlocked if it is not there or somebody else
 * writes. */
static cache_word *entry_lock(struct cache *c, const struct cache_key *key, struct cache_set **set,
                              unsigned *way)
{
    uint64_t hash = cache_key_hash(key);
    struct cache_set *s = cache_set_at(c, hash);
    if (!cache_set_lock(s)) {
        return NULL;
    }
    *way = cache_set_find(c, s, key, hash);
    if (*way == WAYS) {
        cache_set_unlock(s);
        return NULL;
    }
    *set = s;
    return cache_set_words(s) + (size_t)cache_set_start(s, *way) * c->granule_words;
}

void cache_remove(struct cache *c, const struct cache_key *key)
{
    struct cache_set *s;
    unsigned way;
    if (entry_lock(c, key, &s, &way) != NULL) {
        cache_set_drop(c, s, way);
        cache_set_unlock(s);
    }
}

void cache_mark_failed(struct cache *c, const struct cache_key *key, usec_t until)
{
    struct cache_key any = *key;
    any.type = CACHE_ANY_TYPE;
    const struct cache_key *keys[] = {key, &any};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct cache_set *s;
        unsigned way;
        cache_word *e = entry_lock(c, keys[i], &s, &way);
        if (e != NULL) {
            word_put(&e[5], (word_get(&e[5]) & UINT32_MAX) | (until / USEC_PER_SEC) << 32);
            cache_set_unlock(s);
        }
    }
}

void cache_mark_judged(struct cache *c, const struct cache_key *key, uint32_t judged)
{
    struct cache_set *s;
    unsigned way;
    cache_word *e = entry_lock(c, key, &s, &way);
    if (e != NULL) {
        word_put(&e[5], (word_get(&e[5]) & ~(uint64_t)UINT32_MAX) | judged);
        cache_set_unlock(s);
    }
}
