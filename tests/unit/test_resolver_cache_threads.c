/*
 * Readers and writers of one cache at once: every answer that is found is whole, and is the one
 * that was put under its name. Built with the thread sanitizer (CONFIG=tsan) it also shows that no
 * access races.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/attr.h"
#include "dns/msg.h"
#include "octets.h"
#include "resolver/cache.h"
#include "unit.h"

enum { NAMES = 256, THREADS = 4, ROUNDS = 60000 };

static struct cache *cache;
static struct dns_name names[NAMES];

/* The content tells the name and a version: each record holds both, so a mixture shows. */
static void write_answer(unsigned i, unsigned version, usec_t now)
{
    uint8_t records[16 * 40];
    uint16_t offsets[40];
    unsigned n = 1 + version % 40;
    for (unsigned k = 0; k < n; k++) {
        uint8_t *p = records + 16 * k;
        const uint8_t head[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4};
        memcpy(p, head, sizeof head);
        be16_write(p + 12, (uint16_t)i);
        be16_write(p + 14, (uint16_t)version);
        offsets[k] = (uint16_t)(16 * k + 6);
    }
    struct cache_key key = {
        .name = &names[i], .hash = cache_hash(cache, &names[i]), .type = DNS_A, .klass = DNS_IN};
    struct cache_value value = {.records = records,
                                .len = 16 * n,
                                .ttl_off = offsets,
                                .answers = (uint16_t)n,
                                .ttl_s = 256,
                                .judged = version};
    cache_insert(cache, &key, now, &value);
}

static bool check_answer(unsigned i, const uint8_t *p, const struct cache_hit *hit)
{
    bool good = hit->len == 16U * hit->answers && hit->answers == 1 + (uint16_t)hit->judged % 40;
    for (unsigned k = 0; good && k < hit->answers; k++) {
        good = be16_read(p + 16 * k + 12) == i &&
               be16_read(p + 16 * k + 14) == (uint16_t)hit->judged &&
               be32_read(p + 16 * k + 6) <= 256;
    }
    return good;
}

static void *work(void *arg)
{
    unsigned self = (unsigned)(uintptr_t)arg;
    struct test_random rnd = {self + 1};
    uint8_t room[2048];
    uintptr_t bad = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned i = test_random_below(&rnd, NAMES);
        usec_t now = (1000 + round / 1000) * USEC_PER_SEC;
        struct cache_key key = {.name = &names[i],
                                .hash = cache_hash(cache, &names[i]),
                                .type = DNS_A,
                                .klass = DNS_IN};
        struct cache_hit hit;
        switch (test_random_below(&rnd, 16)) {
        case 0:
        case 1: /* each name has its writer, but now and then another one writes too */
            write_answer(test_random_below(&rnd, 4) != 0 ? (i & ~(THREADS - 1U)) + self : i,
                         (uint16_t)round, now);
            break;
        case 2:
            cache_remove(cache, &key);
            break;
        case 3:
            cache_mark_failed(cache, &key, now);
            break;
        case 4:
            if (test_random_below(&rnd, 500) == 0) {
                cache_flush(cache);
            }
            break;
        default:
            if (cache_find(cache, &key, now, 0, 0, room, sizeof room, &hit) == CACHE_FRESH) {
                bad += !check_answer(i, room, &hit);
            }
            break;
        }
    }
    return (void *)bad;
}

static void answers_are_whole_and_the_right_ones(void **state)
{
    (void)state;
    struct cache_config cfg = {.entries = 256}; /* small, so that threads meet */
    size_t len = cache_memory(&cfg);
    void *mem = calloc(1, len);
    pthread_t threads[THREADS];
    assert_non_null(mem);
    assert_int_equal(cache_init(&cache, mem, len, &cfg, (struct siphash_key){5, 6}), ERR_OK);
    for (unsigned i = 0; i < NAMES; i++) {
        char text[32];
        snprintf(text, sizeof text, "host%u.example", i);
        assert_int_equal(dns_name_parse(span_str(text), &names[i]), ERR_OK);
    }
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)i), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        void *bad = NULL;
        assert_int_equal(pthread_join(threads[i], &bad), 0);
        assert_null(bad);
    }
    struct cache_gauges g;
    cache_get_gauges(cache, &g);
    assert_true(g.inserted > 1000);
    assert_true(g.entries <= g.entries_max);
    free(mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_whole_and_the_right_ones),
    };
    return UNIT_RUN(tests);
}
