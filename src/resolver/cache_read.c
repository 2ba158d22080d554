/*
 * HOT. Reading the cache without a lock: what is wanted is copied straight to where it will be sent
 * from, and the copy counts if the set's number is the same before and after.
 */
#include <string.h>

#include "dns/ttl.h"
#include "resolver/cache_set.h"

enum {
    READ_TRIES = 64,   /* a writer needs a microsecond, or is asleep for longer than this */
    PREFETCH_HITS = 3, /* of an entry whose last tenth is worth a question ahead of time */
    PREFETCH_TTL_MIN = 10
};

/* What reading one set gave. */
struct reading {
    enum cache_state state;
    usec_t stored;
    uint32_t ttl_s, failed_s, epoch;
    unsigned way;
    uint16_t ttl_off[CACHE_RECORDS_MAX + 4];
    struct cache_hit hit;
};

struct want {
    usec_t now;
    uint32_t stale_s, stale_ttl, epoch;
    uint8_t *room;
    size_t cap;
};

static void copy_out(const cache_word *from, size_t len, uint8_t *to, size_t cap)
{
    size_t i = 0;
    for (; i < len && i + 8 <= cap; i += 8) {
        uint64_t v = word_get(&from[i / 8]);
        memcpy(to + i, &v, 8);
    }
    if (i < len) {
        uint64_t v = word_get(&from[i / 8]);
        memcpy(to + i, &v, len - i);
    }
}

static enum cache_state state_of(const struct reading *g, const struct want *want)
{
    if (g->epoch != want->epoch) {
        return CACHE_MISS;
    }
    /* Another worker's `now` may be a little ahead of ours. */
    usec_t age = want->now > g->stored ? want->now - g->stored : 0;
    usec_t ttl = g->ttl_s * USEC_PER_SEC;
    if (age < ttl) {
        return CACHE_FRESH;
    }
    return age - ttl < want->stale_s * USEC_PER_SEC ? CACHE_STALE : CACHE_MISS;
}

/* Read an entry whose key fits. False if its octets cannot be: it was being written. */
static bool entry_read(const cache_word *e, size_t words, const struct want *want,
                       struct reading *g)
{
    uint64_t w2 = word_get(&e[2]), w3 = word_get(&e[3]), w4 = word_get(&e[4]), w5 = word_get(&e[5]);
    g->stored = word_get(&e[1]);
    g->ttl_s = (uint32_t)w2;
    g->epoch = (uint32_t)(w2 >> 32);
    g->failed_s = (uint32_t)(w5 >> 32);
    struct cache_hit *hit = &g->hit;
    hit->len = (uint16_t)w3;
    hit->rcode = (uint8_t)(w3 >> 24 & 0xf);
    hit->answers = (uint16_t)w4;
    hit->authorities = (uint16_t)(w4 >> 16);
    hit->ede = (int16_t)(uint16_t)(w4 >> 32);
    hit->flags = (uint8_t)(w4 >> 48);
    hit->judged = (uint32_t)w5;
    size_t records = (size_t)hit->answers + hit->authorities;
    size_t name_words = cache_words((size_t)(w3 >> 16 & 0xff));
    if (records > CACHE_RECORDS_MAX ||
        HEAD_WORDS + name_words + cache_words(records * 2) + cache_words(hit->len) > words) {
        return false;
    }
    g->state = state_of(g, want);
    bool copy = g->state == CACHE_FRESH || (g->state == CACHE_STALE && want->stale_ttl > 0);
    if (copy && hit->len <= want->cap) {
        const cache_word *at = e + HEAD_WORDS + name_words;
        for (size_t i = 0; i < cache_words(records * 2); i++) {
            uint64_t v = word_get(&at[i]);
            memcpy(&g->ttl_off[i * 4], &v, 8);
        }
        copy_out(at + cache_words(records * 2), hit->len, want->room, want->cap);
    }
    return true;
}

/* Bits of 16-bit lanes that equal the tag; may show a lane above a true one besides, which the key
 * then tells apart. */
static uint64_t tag_lanes(uint64_t tags, uint16_t tag)
{
    const uint64_t ones = UINT64_C(0x0001000100010001);
    uint64_t x = tags ^ ones * tag;
    return (x - ones) & ~x & ones << 15;
}

static bool set_read_once(const struct cache *c, struct cache_set *s, const struct cache_key *key,
                          uint64_t key_hash, const struct want *want, struct reading *g)
{
    g->state = CACHE_MISS;
    for (unsigned word = 0; word < WAYS / 4; word++) {
        uint64_t lanes = tag_lanes(word_get(&s->tags[word]), cache_tag(key_hash));
        for (unsigned lane = 0; lanes != 0; lane++, lanes >>= 16) {
            if ((lanes & 0x8000) == 0) {
                continue;
            }
            unsigned way = word * 4 + lane;
            size_t start = (size_t)cache_set_start(s, way) * c->granule_words;
            const cache_word *e = cache_set_words(s) + start;
            PREFETCH(e + CACHE_LINE / sizeof *e);
            PREFETCH(e + 2 * CACHE_LINE / sizeof *e);
            size_t words = (size_t)GRANULES * c->granule_words - start;
            if (cache_entry_is(e, words, key, key_hash)) {
                g->way = way;
                return entry_read(e, words, want, g);
            }
        }
    }
    return true;
}

static void set_read(const struct cache *c, struct cache_set *s, const struct cache_key *key,
                     uint64_t key_hash, const struct want *want, struct reading *g)
{
    for (int i = 0; i < READ_TRIES; i++) {
        uint32_t seq = atomic_load_explicit(&s->seq, memory_order_acquire);
        if ((seq & 1) == 0 && set_read_once(c, s, key, key_hash, want, g) &&
            atomic_load_explicit(&s->seq, memory_order_relaxed) == seq) {
            return;
        }
    }
    g->state = CACHE_BUSY;
}

void cache_prefetch(const struct cache *c, const struct cache_key *key)
{
    struct cache_set *s = cache_set_at(c, cache_key_hash(key));
    PREFETCH(s);
}

/* Count a hit, and say whether the caller is the one to ask ahead of time. The counter is no more
 * written once it is full. */
static bool count_hit(struct cache_set *s, const struct reading *g, uint32_t left_s)
{
    uint8_t hits = atomic_load_explicit(&s->hits[g->way], memory_order_relaxed);
    if ((hits & HITS_MAX) < HITS_MAX) {
        hits++;
        atomic_store_explicit(&s->hits[g->way], hits, memory_order_relaxed);
    }
    if (LIKELY(left_s > g->ttl_s / 10) || g->ttl_s < PREFETCH_TTL_MIN ||
        (hits & HITS_MAX) < PREFETCH_HITS || (hits & HITS_CLAIMED) != 0) {
        return false;
    }
    uint8_t claimed = hits | HITS_CLAIMED;
    return atomic_compare_exchange_strong_explicit(&s->hits[g->way], &hits, claimed,
                                                   memory_order_relaxed, memory_order_relaxed);
}

static uint32_t age_s(const struct reading *g, usec_t now)
{
    return now > g->stored ? (uint32_t)((now - g->stored) / USEC_PER_SEC) : 0;
}

enum cache_state cache_find(struct cache *c, const struct cache_key *key, usec_t now,
                            uint32_t stale_s, uint32_t stale_ttl, uint8_t *room, size_t cap,
                            struct cache_hit *out)
{
    struct want want = {
        .now = now,
        .stale_s = stale_s,
        .stale_ttl = 0,
        .epoch = atomic_load_explicit(&c->epoch, memory_order_acquire),
        .room = room,
        .cap = cap,
    };
    struct cache_key any = *key;
    any.type = CACHE_ANY_TYPE;
    uint64_t hash = cache_key_hash(key);
    uint64_t any_hash = 0;
    struct cache_set *set = cache_set_at(c, hash), *any_set = NULL;
    struct reading g, other;
    set_read(c, set, key, hash, &want, &g);
    if (g.state != CACHE_FRESH) {
        any_hash = cache_key_hash(&any);
        any_set = cache_set_at(c, any_hash);
        set_read(c, any_set, &any, any_hash, &want, &other);
        if (other.state == CACHE_FRESH || g.state == CACHE_MISS ||
            (other.state == CACHE_STALE && g.state == CACHE_STALE && other.stored > g.stored)) {
            g = other;
            set = any_set;
            hash = any_hash;
            key = &any;
        }
    }
    if (g.state == CACHE_STALE && stale_ttl > 0) {
        want.stale_ttl = stale_ttl;
        set_read(c, set, key, hash, &want, &g);
    }
    size_t records = (size_t)g.hit.answers + g.hit.authorities;
    switch (g.state) {
    case CACHE_FRESH:
        g.hit.ttl_s = g.ttl_s - age_s(&g, now);
        g.hit.prefetch = count_hit(set, &g, g.hit.ttl_s);
        g.hit.failed_lately = false;
        if (g.hit.len <= cap) {
            dns_ttl_age(room, g.ttl_off, records, age_s(&g, now), DNS_TTL_CAP);
        }
        break;
    case CACHE_STALE:
        g.hit.ttl_s = stale_ttl;
        g.hit.prefetch = false;
        g.hit.failed_lately = g.failed_s > now / USEC_PER_SEC;
        if (stale_ttl > 0 && g.hit.len <= cap) {
            dns_ttl_set(room, g.ttl_off, records, stale_ttl);
        }
        break;
    case CACHE_MISS:
    case CACHE_BUSY:
        return g.state;
    }
    *out = g.hit;
    return g.state;
}
