/*
 * The writing side of a set: where entries lie and which one goes when there is no room.
 *
 * The rule is S3-FIFO (Yang et al., SOSP 2023) inside each set: a newcomer is on probation, in a
 * queue of a quarter of the set. Leaving that, it goes if nobody asked for it meanwhile, else into
 * the main queue, where each round costs it half of its hits. So names asked for once pass through
 * without touching popular ones. A name that comes again soon after it had to go is remembered by a
 * fingerprint and goes into the main queue at once. Expired entries go before all others.
 */
#include "resolver/cache_set.h"

#include "base/require.h"

enum { PROBATION_WAYS = WAYS / 4, PROBATION_GRANULES = GRANULES / 4 };

bool cache_set_lock(struct cache_set *s)
{
    uint32_t seq = atomic_load_explicit(&s->seq, memory_order_relaxed);
    return (seq & 1) == 0 &&
           atomic_compare_exchange_strong_explicit(&s->seq, &seq, seq + 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

void cache_set_unlock(struct cache_set *s)
{
    uint32_t seq = atomic_load_explicit(&s->seq, memory_order_relaxed);
    atomic_store_explicit(&s->seq, seq + 1, memory_order_release);
}

static uint64_t run_mask(unsigned start, unsigned size)
{
    return (size == GRANULES ? ~UINT64_C(0) : (UINT64_C(1) << size) - 1) << start;
}

static void set_tag(struct cache_set *s, unsigned way, uint16_t tag)
{
    unsigned shift = way % 4 * 16;
    uint64_t v = word_get(&s->tags[way / 4]) & ~(UINT64_C(0xffff) << shift);
    word_put(&s->tags[way / 4], v | (uint64_t)tag << shift);
}

static void set_start(struct cache_set *s, unsigned way, unsigned start)
{
    unsigned shift = way % 8 * 8;
    uint64_t v = word_get(&s->starts[way / 8]) & ~(UINT64_C(0xff) << shift);
    word_put(&s->starts[way / 8], v | (uint64_t)start << shift);
}

static cache_word *entry_at(const struct cache *c, struct cache_set *s, unsigned way)
{
    return cache_set_words(s) + (size_t)cache_set_start(s, way) * c->granule_words;
}

unsigned cache_set_find(const struct cache *c, struct cache_set *s, const struct cache_key *key,
                        uint64_t key_hash)
{
    uint16_t tag = cache_tag(key_hash);
    for (unsigned way = 0; way < WAYS; way++) {
        if (s->size[way] != 0 && cache_set_tag(s, way) == tag &&
            cache_entry_is(entry_at(c, s, way), (size_t)s->size[way] * c->granule_words, key,
                           key_hash)) {
            return way;
        }
    }
    return WAYS;
}

void cache_set_drop(struct cache *c, struct cache_set *s, unsigned way)
{
    ASSERT(s->size[way] != 0);
    set_tag(s, way, 0);
    s->used &= ~run_mask(cache_set_start(s, way), s->size[way]);
    atomic_fetch_sub_explicit(&c->entries, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&c->octets, (uint64_t)s->size[way] * c->granule_words * 8,
                              memory_order_relaxed);
    s->size[way] = 0;
    s->main &= (uint16_t) ~(1U << way);
}

/* Seconds since the entry's end, 0 if it is fresh; one of another epoch ended long ago. */
static uint64_t expired_s(const struct cache *c, struct cache_set *s, unsigned way, usec_t now)
{
    const cache_word *e = entry_at(c, s, way);
    uint64_t w2 = word_get(&e[2]);
    if (w2 >> 32 != atomic_load_explicit(&c->epoch, memory_order_relaxed)) {
        return UINT64_MAX;
    }
    usec_t end = word_get(&e[1]) + (w2 & UINT32_MAX) * USEC_PER_SEC;
    return now >= end ? (now - end) / USEC_PER_SEC + 1 : 0;
}

static uint16_t fingerprint(uint64_t key_hash)
{
    uint16_t f = (uint16_t)(key_hash >> 16);
    return f != 0 ? f : 1;
}

static void remember_ghost(struct cache_set *s, uint64_t key_hash)
{
    s->ghosts[s->next_ghost] = fingerprint(key_hash);
    s->next_ghost = (uint16_t)((s->next_ghost + 1U) % GHOSTS);
}

static bool take_ghost(struct cache_set *s, uint64_t key_hash)
{
    for (unsigned i = 0; i < GHOSTS; i++) {
        if (s->ghosts[i] == fingerprint(key_hash)) {
            s->ghosts[i] = 0;
            return true;
        }
    }
    return false;
}

/* The oldest way of one queue, WAYS if it is empty. */
static unsigned oldest(const struct cache_set *s, bool main)
{
    unsigned found = WAYS;
    for (unsigned way = 0; way < WAYS; way++) {
        if (s->size[way] != 0 && (s->main >> way & 1) == main &&
            (found == WAYS || (int16_t)(s->stamp[way] - s->stamp[found]) < 0)) {
            found = way;
        }
    }
    return found;
}

static bool probation_is_long(const struct cache_set *s)
{
    unsigned ways = 0, granules = 0;
    for (unsigned way = 0; way < WAYS; way++) {
        if ((s->main >> way & 1) == 0) {
            ways += s->size[way] != 0;
            granules += s->size[way];
        }
    }
    return ways >= PROBATION_WAYS || granules >= PROBATION_GRANULES;
}

static unsigned longest_expired(const struct cache *c, struct cache_set *s, usec_t now)
{
    unsigned found = WAYS;
    uint64_t most = 0;
    for (unsigned way = 0; way < WAYS; way++) {
        uint64_t age = s->size[way] != 0 ? expired_s(c, s, way, now) : 0;
        if (age > most) {
            most = age;
            found = way;
        }
    }
    return found;
}

/* Which entry goes. Each turn of the loop promotes one or halves its hits, so it ends. */
static unsigned choose_victim(const struct cache *c, struct cache_set *s, usec_t now)
{
    unsigned way = longest_expired(c, s, now);
    if (way != WAYS) {
        return way;
    }
    for (;;) {
        unsigned young = oldest(s, false);
        unsigned old = oldest(s, true);
        bool from_probation = old == WAYS || (young != WAYS && probation_is_long(s));
        way = from_probation ? young : old;
        uint8_t hits = atomic_load_explicit(&s->hits[way], memory_order_relaxed);
        if ((hits & HITS_MAX) == 0) {
            if (from_probation) {
                remember_ghost(s, word_get(&entry_at(c, s, way)[0]));
            }
            return way;
        }
        s->main |= (uint16_t)(1U << way);
        s->stamp[way] = s->next_stamp++;
        if (!from_probation) {
            hits = (uint8_t)((hits & HITS_CLAIMED) | (hits & HITS_MAX) >> 1);
            atomic_store_explicit(&s->hits[way], hits, memory_order_relaxed);
        }
    }
}

static unsigned free_way(const struct cache_set *s)
{
    unsigned way = 0;
    while (way < WAYS && s->size[way] != 0) {
        way++;
    }
    return way;
}

static unsigned free_granules(const struct cache_set *s)
{
    unsigned taken = 0;
    for (unsigned way = 0; way < WAYS; way++) {
        taken += s->size[way];
    }
    return GRANULES - taken;
}

/* First granule of a free run, GRANULES if there is none of that size. */
static unsigned free_run(const struct cache_set *s, unsigned size)
{
    for (unsigned start = 0; start + size <= GRANULES; start++) {
        if ((s->used & run_mask(start, size)) == 0) {
            return start;
        }
    }
    return GRANULES;
}

/* Push all entries together at the front; readers that were in one of them start again, because seq
 * has moved. */
static void compact(const struct cache *c, struct cache_set *s)
{
    unsigned to = 0;
    cache_word *words = cache_set_words(s);
    for (unsigned from = 0; from < GRANULES; from++) {
        for (unsigned way = 0; way < WAYS; way++) {
            if (s->size[way] == 0 || cache_set_start(s, way) != from) {
                continue;
            }
            size_t n = (size_t)s->size[way] * c->granule_words;
            for (size_t i = 0; i < n && from != to; i++) {
                word_put(&words[to * c->granule_words + i],
                         word_get(&words[from * c->granule_words + i]));
            }
            set_start(s, way, to);
            to += s->size[way];
            from += s->size[way] - 1U;
            break;
        }
    }
    s->used = to == 0 ? 0 : run_mask(0, to);
}

unsigned cache_set_place(struct cache *c, struct cache_set *s, unsigned size, uint64_t key_hash,
                         usec_t now)
{
    bool known = take_ghost(s, key_hash);
    ASSERT(size > 0 && size <= GRANULES / 2);
    while (free_way(s) == WAYS || free_granules(s) < size) {
        cache_set_drop(c, s, choose_victim(c, s, now));
        atomic_fetch_add_explicit(&c->evicted, 1, memory_order_relaxed);
    }
    unsigned start = free_run(s, size);
    if (start == GRANULES) {
        compact(c, s);
        start = free_run(s, size);
    }
    unsigned way = free_way(s);
    s->size[way] = (uint8_t)size;
    s->used |= run_mask(start, size);
    s->stamp[way] = s->next_stamp++;
    s->main |= (uint16_t)((unsigned)known << way);
    atomic_store_explicit(&s->hits[way], 0, memory_order_relaxed);
    set_start(s, way, start);
    set_tag(s, way, cache_tag(key_hash));
    atomic_fetch_add_explicit(&c->entries, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->octets, (uint64_t)size * c->granule_words * 8,
                              memory_order_relaxed);
    return way;
}
