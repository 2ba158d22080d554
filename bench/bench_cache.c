/*
 * The cache alone: hits, misses, inserts, with few names (all in the processor's caches) and with
 * many. The baseline is a memcpy of the same octets out of a flat array of as many slots: what any
 * cache has to do at least.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dns/msg.h"
#include "measure.h"
#include "resolver/cache.h"

enum { FEW = 256, MANY = 40000, COUNT = 2000000, HUGE = 2 << 20 };

static struct cache *cache;
static struct dns_name *names;
static uint8_t *flat;
static uint8_t room[2048];
static uint8_t records[64];
static const uint16_t offsets[] = {6, 22};

struct range {
    uint32_t first, count;
};

static uint64_t next_random(void)
{
    static uint64_t x = UINT64_C(0x2545f4914f6cdd1d);
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

static void *get(size_t len)
{
    size_t size = (len + HUGE - 1) / HUGE * HUGE;
    void *p = aligned_alloc(HUGE, size);
    if (p == NULL) {
        exit(1);
    }
    (void)madvise(p, size, MADV_HUGEPAGE);
    memset(p, 0, size);
    return p;
}

static void insert(uint32_t i)
{
    struct cache_key key = {
        .name = &names[i], .hash = cache_hash(cache, &names[i]), .type = DNS_A, .klass = DNS_IN};
    struct cache_value value = {.records = records,
                                .len = 32,
                                .ttl_off = offsets,
                                .answers = 2,
                                .ttl_s = 300,
                                .ede = DNS_EDE_NONE};
    cache_insert(cache, &key, 1000 * USEC_PER_SEC, &value);
}

static uint64_t copy(void *context, size_t count)
{
    const struct range *r = context;
    uint64_t sum = 0;
    for (size_t n = 0; n < count; n++) {
        uint32_t i = r->first + (uint32_t)next_random() % r->count;
        memcpy(room, flat + (size_t)i * 256, 32);
        sum += room[0];
    }
    return sum;
}

static uint64_t find(void *context, size_t count)
{
    const struct range *r = context;
    uint64_t sum = 0;
    for (size_t n = 0; n < count; n++) {
        struct cache_hit hit;
        uint32_t i = r->first + (uint32_t)next_random() % r->count;
        struct cache_key key = {.name = &names[i],
                                .hash = cache_hash(cache, &names[i]),
                                .type = DNS_A,
                                .klass = DNS_IN};
        sum += cache_find(cache, &key, 1100 * USEC_PER_SEC, 0, 0, room, sizeof room, &hit) ==
               CACHE_FRESH;
    }
    return sum;
}

static uint64_t put(void *context, size_t count)
{
    const struct range *r = context;
    for (size_t n = 0; n < count; n++) {
        insert(r->first + (uint32_t)next_random() % r->count);
    }
    return 0;
}

int main(void)
{
    struct cache_config cfg = {.entries = 65536};
    size_t len = cache_memory(&cfg);
    names = get(3 * MANY * sizeof *names);
    flat = get(3 * MANY * 256);
    if (cache_init(&cache, get(len), len, &cfg, (struct siphash_key){1, 2}) != ERR_OK) {
        return 1;
    }
    for (uint32_t i = 0; i < 3 * MANY; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "host%u.site%u.example", i, i % 977);
        if (dns_name_parse(span_str(text), &names[i]) != ERR_OK) {
            return 1;
        }
    }
    struct range few = {0, FEW}, many = {0, MANY}, absent = {MANY, MANY}, scan = {2 * MANY, MANY};
    for (uint32_t i = 0; i < MANY; i++) {
        insert(i);
    }
    measure_head("the cache");
    double base = measure_ns(copy, &few, COUNT);
    measure_row("copy of 32 octets, few slots", base, base);
    measure_row("hit, 256 names", measure_ns(find, &few, COUNT), base);
    base = measure_ns(copy, &many, COUNT);
    measure_row("copy of 32 octets, many slots", base, base);
    measure_row("hit, 40 000 names", measure_ns(find, &many, COUNT), base);
    measure_row("miss (both keys of a name)", measure_ns(find, &absent, COUNT), base);
    measure_row("insert in place of an older answer", measure_ns(put, &few, COUNT / 4), base);
    measure_row("insert of names asked once", measure_ns(put, &scan, COUNT / 4), base);
    struct cache_gauges g;
    cache_get_gauges(cache, &g);
    (void)printf("\n%u entries of at most %u; %zu octets of memory, %.1f used an entry\n",
                 g.entries, g.entries_max, len, (double)g.octets / g.entries);
    return 0;
}
