/*
 * The cache by itself: what is found, what makes room, and that memory stays what it was.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "dns/msg.h"
#include "octets.h"
#include "resolver/cache.h"
#include "unit.h"

#define NOW (1000 * USEC_PER_SEC)

static struct cache *cache;
static void *memory;

static void open_cache(uint32_t entries, uint32_t octets_each)
{
    struct cache_config cfg = {.entries = entries, .octets_each = octets_each};
    size_t len = cache_memory(&cfg);
    memory = calloc(1, len);
    assert_non_null(memory);
    assert_int_equal(cache_init(&cache, memory, len, &cfg, (struct siphash_key){3, 4}), ERR_OK);
}

static void close_cache(void)
{
    free(memory);
}

static struct cache_key key_for(struct dns_name *name, const char *text, uint16_t type)
{
    assert_int_equal(dns_name_parse(span_str(text), name), ERR_OK);
    return (struct cache_key){
        .name = name, .hash = cache_hash(cache, name), .type = type, .klass = DNS_IN};
}

/* An answer of n A records, owner by pointer. */
static uint8_t records[16 * 300];
static uint16_t offsets[300];

static struct cache_value value_of(unsigned n, uint8_t mark, uint32_t ttl_s)
{
    for (unsigned i = 0; i < n; i++) {
        uint8_t *p = records + 16 * i;
        const uint8_t head[] = {0xc0, 12, 0, 1, 0, 1};
        memcpy(p, head, sizeof head);
        be32_write(p + 6, ttl_s + i);
        be16_write(p + 10, 4);
        memset(p + 12, mark, 4);
        offsets[i] = (uint16_t)(16 * i + 6);
    }
    return (struct cache_value){.records = records,
                                .len = 16 * n,
                                .ttl_off = offsets,
                                .answers = (uint16_t)n,
                                .ttl_s = ttl_s,
                                .ede = DNS_EDE_NONE};
}

static void put(const char *text, uint16_t type, unsigned n, uint8_t mark, uint32_t ttl_s,
                usec_t now)
{
    struct dns_name name;
    struct cache_key key = key_for(&name, text, type);
    struct cache_value value = value_of(n, mark, ttl_s);
    cache_insert(cache, &key, now, &value);
}

static uint8_t room[8192];
static struct cache_hit hit;

static enum cache_state get(const char *text, uint16_t type, usec_t now, uint32_t stale_s,
                            uint32_t stale_ttl)
{
    struct dns_name name;
    struct cache_key key = key_for(&name, text, type);
    memset(room, 0xee, sizeof room);
    return cache_find(cache, &key, now, stale_s, stale_ttl, room, sizeof room, &hit);
}

static void gives_back_what_was_put(void **state)
{
    (void)state;
    open_cache(1024, 0);
    for (unsigned n = 1; n <= 100; n += 9) {
        put("www.example", DNS_A, n, (uint8_t)n, 100, NOW);
        assert_int_equal(get("www.example", DNS_A, NOW + 30 * USEC_PER_SEC, 0, 0), CACHE_FRESH);
        assert_int_equal(hit.len, 16 * n);
        assert_int_equal(hit.answers, n);
        assert_int_equal(hit.ttl_s, 70);
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(be32_read(room + 16 * i + 6), 70 + i);
            assert_int_equal(room[16 * i + 12], n);
        }
        assert_int_equal(room[16 * n + 8], 0xee);
    }
    assert_int_equal(get("ww.example", DNS_A, NOW, 0, 0), CACHE_MISS);
    assert_int_equal(get("www.example", DNS_AAAA, NOW, 0, 0), CACHE_MISS);
    close_cache();
}

static void ends_with_its_ttl_and_then_is_stale(void **state)
{
    (void)state;
    open_cache(256, 0);
    put("www.example", DNS_A, 1, 1, 10, NOW);
    assert_int_equal(get("www.example", DNS_A, NOW + 10 * USEC_PER_SEC - 1, 0, 0), CACHE_FRESH);
    assert_int_equal(hit.ttl_s, 1);
    assert_int_equal(get("www.example", DNS_A, NOW + 10 * USEC_PER_SEC, 0, 0), CACHE_MISS);
    assert_int_equal(get("www.example", DNS_A, NOW + 10 * USEC_PER_SEC, 60, 0), CACHE_STALE);
    assert_int_equal(room[0], 0xee);
    assert_int_equal(get("www.example", DNS_A, NOW + 69 * USEC_PER_SEC, 60, 30), CACHE_STALE);
    assert_int_equal(be32_read(room + 6), 30);
    assert_int_equal(get("www.example", DNS_A, NOW + 70 * USEC_PER_SEC, 60, 30), CACHE_MISS);
    close_cache();
}

/* Another worker's clock reading may be a little older than the insert. */
static void time_a_little_before_the_insert_is_fresh(void **state)
{
    (void)state;
    open_cache(256, 0);
    put("www.example", DNS_A, 1, 1, 10, NOW);
    assert_int_equal(get("www.example", DNS_A, NOW - 500, 0, 0), CACHE_FRESH);
    assert_int_equal(hit.ttl_s, 10);
    close_cache();
}

static void keys_differ_in_every_part(void **state)
{
    (void)state;
    open_cache(256, 0);
    struct dns_name name;
    struct cache_key key = key_for(&name, "www.example", DNS_A);
    struct cache_value value = value_of(1, 1, 100);
    cache_insert(cache, &key, NOW, &value);
    for (unsigned bits = 0; bits < 8; bits++) {
        struct cache_key k = key;
        k.dnssec_ok = bits & 1;
        k.checking_disabled = bits & 2;
        k.klass = bits & 4 ? DNS_CH : DNS_IN;
        assert_int_equal(cache_find(cache, &k, NOW, 0, 0, room, sizeof room, &hit),
                         bits == 0 ? CACHE_FRESH : CACHE_MISS);
    }
    close_cache();
}

/* A name with a dot or NUL inside a label is another name. */
static void names_are_compared_as_octets(void **state)
{
    (void)state;
    open_cache(256, 0);
    put("a\\.b.example", DNS_A, 1, 1, 100, NOW);
    assert_int_equal(get("a.b.example", DNS_A, NOW, 0, 0), CACHE_MISS);
    put("a\\000.example", DNS_A, 1, 1, 100, NOW);
    assert_int_equal(get("a.example", DNS_A, NOW, 0, 0), CACHE_MISS);
    assert_int_equal(get("a\\000.example", DNS_A, NOW, 0, 0), CACHE_FRESH);
    close_cache();
}

static void nxdomain_answers_every_type_until_the_name_exists(void **state)
{
    (void)state;
    open_cache(256, 0);
    struct dns_name name;
    struct cache_key any = key_for(&name, "no.example", CACHE_ANY_TYPE);
    struct cache_value no = {.rcode = DNS_NXDOMAIN, .ttl_s = 50, .ede = DNS_EDE_NONE};
    cache_insert(cache, &any, NOW, &no);
    assert_int_equal(get("no.example", DNS_A, NOW, 0, 0), CACHE_FRESH);
    assert_int_equal(hit.rcode, DNS_NXDOMAIN);
    assert_int_equal(get("no.example", DNS_HTTPS, NOW, 0, 0), CACHE_FRESH);
    put("no.example", DNS_A, 1, 1, 100, NOW);
    assert_int_equal(get("no.example", DNS_HTTPS, NOW, 0, 0), CACHE_MISS);
    assert_int_equal(get("no.example", DNS_A, NOW, 0, 0), CACHE_FRESH);
    assert_int_equal(hit.rcode, DNS_NOERROR);
    close_cache();
}

static void the_newer_of_two_stale_entries_counts(void **state)
{
    (void)state;
    open_cache(256, 0);
    put("x.example", DNS_A, 1, 1, 10, NOW);
    struct dns_name name;
    struct cache_key any = key_for(&name, "x.example", CACHE_ANY_TYPE);
    struct cache_value no = {.rcode = DNS_NXDOMAIN, .ttl_s = 10, .ede = DNS_EDE_NONE};
    cache_insert(cache, &any, NOW + 20 * USEC_PER_SEC, &no);
    assert_int_equal(get("x.example", DNS_A, NOW + 40 * USEC_PER_SEC, 3600, 30), CACHE_STALE);
    assert_int_equal(hit.rcode, DNS_NXDOMAIN);
    close_cache();
}

static void too_large_answers_and_zero_ttls_are_not_kept(void **state)
{
    (void)state;
    open_cache(256, 256);
    put("fits.example", DNS_A, 100, 1, 100, NOW);
    assert_int_equal(get("fits.example", DNS_A, NOW, 0, 0), CACHE_FRESH);
    put("large.example", DNS_A, 112, 1, 100, NOW);
    assert_int_equal(get("large.example", DNS_A, NOW, 0, 0), CACHE_MISS);
    put("zero.example", DNS_A, 1, 1, 0, NOW);
    assert_int_equal(get("zero.example", DNS_A, NOW, 0, 0), CACHE_MISS);
    close_cache();
    open_cache(256, 1024);
    put("many.example", DNS_A, CACHE_RECORDS_MAX, 1, 100, NOW);
    assert_int_equal(get("many.example", DNS_A, NOW, 0, 0), CACHE_FRESH);
    put("more.example", DNS_A, CACHE_RECORDS_MAX + 1, 1, 100, NOW);
    assert_int_equal(get("more.example", DNS_A, NOW, 0, 0), CACHE_MISS);
    close_cache();
}

static void says_what_room_it_wants(void **state)
{
    (void)state;
    open_cache(256, 0);
    put("www.example", DNS_A, 3, 1, 100, NOW);
    struct dns_name name;
    struct cache_key key = key_for(&name, "www.example", DNS_A);
    memset(room, 0xee, sizeof room);
    assert_int_equal(cache_find(cache, &key, NOW, 0, 0, room, 47, &hit), CACHE_FRESH);
    assert_int_equal(hit.len, 48);
    assert_int_equal(room[0], 0xee);
    assert_int_equal(cache_find(cache, &key, NOW, 0, 0, room, 48, &hit), CACHE_FRESH);
    assert_int_equal(room[0], 0xc0);
    assert_int_equal(room[48], 0xee);
    close_cache();
}

static void flush_and_remove(void **state)
{
    (void)state;
    open_cache(256, 0);
    put("a.example", DNS_A, 1, 1, 100, NOW);
    put("b.example", DNS_A, 1, 1, 100, NOW);
    struct dns_name name;
    struct cache_key key = key_for(&name, "a.example", DNS_A);
    cache_remove(cache, &key);
    assert_int_equal(get("a.example", DNS_A, NOW, 0, 0), CACHE_MISS);
    assert_int_equal(get("b.example", DNS_A, NOW, 0, 0), CACHE_FRESH);
    cache_flush(cache);
    assert_int_equal(get("b.example", DNS_A, NOW, 3600, 0), CACHE_MISS);
    put("b.example", DNS_A, 1, 1, 100, NOW);
    assert_int_equal(get("b.example", DNS_A, NOW, 0, 0), CACHE_FRESH);
    close_cache();
}

static void marks_are_kept(void **state)
{
    (void)state;
    open_cache(256, 0);
    put("a.example", DNS_A, 1, 1, 10, NOW);
    struct dns_name name;
    struct cache_key key = key_for(&name, "a.example", DNS_A);
    cache_mark_judged(cache, &key, 77);
    assert_int_equal(get("a.example", DNS_A, NOW, 0, 0), CACHE_FRESH);
    assert_int_equal(hit.judged, 77);
    cache_mark_failed(cache, &key, NOW + 25 * USEC_PER_SEC);
    assert_int_equal(get("a.example", DNS_A, NOW + 20 * USEC_PER_SEC, 100, 0), CACHE_STALE);
    assert_true(hit.failed_lately);
    assert_int_equal(hit.judged, 77);
    assert_int_equal(get("a.example", DNS_A, NOW + 30 * USEC_PER_SEC, 100, 0), CACHE_STALE);
    assert_false(hit.failed_lately);
    close_cache();
}

static void prefetch_is_wanted_once_near_the_end_of_popular_names(void **state)
{
    (void)state;
    open_cache(256, 0);
    put("a.example", DNS_A, 1, 1, 100, NOW);
    assert_int_equal(get("a.example", DNS_A, NOW + 95 * USEC_PER_SEC, 0, 0), CACHE_FRESH);
    assert_false(hit.prefetch);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(get("a.example", DNS_A, NOW + 50 * USEC_PER_SEC, 0, 0), CACHE_FRESH);
        assert_false(hit.prefetch);
    }
    assert_int_equal(get("a.example", DNS_A, NOW + 91 * USEC_PER_SEC, 0, 0), CACHE_FRESH);
    assert_true(hit.prefetch);
    assert_int_equal(get("a.example", DNS_A, NOW + 92 * USEC_PER_SEC, 0, 0), CACHE_FRESH);
    assert_false(hit.prefetch);
    close_cache();
}

static bool all_there(unsigned from, unsigned to, const char *kind, usec_t now, unsigned *missing)
{
    *missing = 0;
    for (unsigned i = from; i < to; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s%u.example", kind, i);
        *missing += get(text, DNS_A, now, 0, 0) != CACHE_FRESH;
    }
    return *missing == 0;
}

static void put_many(unsigned from, unsigned to, const char *kind, unsigned n, uint32_t ttl_s,
                     usec_t now)
{
    for (unsigned i = from; i < to; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s%u.example", kind, i);
        put(text, DNS_A, n, (uint8_t)i, ttl_s, now);
    }
}

/* Names asked for again and again stay, though ten times as many pass by that are asked for once.
 */
static void a_scan_does_not_push_out_popular_names(void **state)
{
    (void)state;
    open_cache(1024, 0);
    unsigned missing;
    put_many(0, 300, "popular", 1, 86400, NOW);
    for (unsigned round = 0; round < 100; round++) {
        (void)all_there(0, 300, "popular", NOW + round * USEC_PER_SEC, &missing);
        put_many(round * 100, round * 100 + 100, "scan", 1, 86400, NOW + round * USEC_PER_SEC);
    }
    (void)all_there(0, 300, "popular", NOW + 200 * USEC_PER_SEC, &missing);
    assert_true(missing <= 6);
    close_cache();
}

/* Large answers asked for once do not push out small popular ones either. */
static void large_answers_do_not_push_out_popular_names(void **state)
{
    (void)state;
    open_cache(1024, 0);
    unsigned missing;
    put_many(0, 200, "popular", 1, 86400, NOW);
    for (unsigned round = 0; round < 50; round++) {
        (void)all_there(0, 200, "popular", NOW + round * USEC_PER_SEC, &missing);
        put_many(round * 20, round * 20 + 20, "huge", 110, 86400, NOW + round * USEC_PER_SEC);
    }
    (void)all_there(0, 200, "popular", NOW + 200 * USEC_PER_SEC, &missing);
    assert_true(missing <= 6);
    close_cache();
}

/* What was popular once gives way in the end to what is popular now. */
static void yesterdays_popular_names_leave(void **state)
{
    (void)state;
    open_cache(256, 0);
    unsigned missing;
    put_many(0, 200, "old", 1, 86400, NOW);
    for (int i = 0; i < 20; i++) {
        (void)all_there(0, 200, "old", NOW, &missing);
    }
    for (unsigned round = 0; round < 60; round++) {
        for (unsigned i = 0; i < 150; i++) {
            char text[64];
            snprintf(text, sizeof text, "new%u.example", i);
            if (get(text, DNS_A, NOW, 0, 0) != CACHE_FRESH) {
                put(text, DNS_A, 1, 1, 86400, NOW);
            }
        }
    }
    (void)all_there(0, 150, "new", NOW, &missing);
    assert_true(missing <= 10);
    close_cache();
}

static void expired_entries_go_first(void **state)
{
    (void)state;
    open_cache(256, 0);
    unsigned missing;
    put_many(0, 100, "long", 1, 86400, NOW);
    put_many(0, 100, "short", 1, 5, NOW);
    put_many(0, 60, "later", 1, 86400, NOW + 10 * USEC_PER_SEC);
    (void)all_there(0, 100, "long", NOW + 10 * USEC_PER_SEC, &missing);
    assert_true(missing <= 8); /* sets are not all equally full */
    close_cache();
}

/* Random inserts, look-ups, removals of answers of all sizes: what is found is what was put last,
 * and gauges stay in bounds. */
static void agrees_with_a_model(void **state)
{
    (void)state;
    enum { NAMES = 400 };
    static struct {
        uint8_t mark;
        unsigned n;
        usec_t end;
    } model[NAMES];
    memset(model, 0, sizeof model);
    struct test_random rnd = {99};
    usec_t now = NOW;
    open_cache(256, 128);
    for (unsigned round = 0; round < 60000; round++) {
        unsigned i = test_random_below(&rnd, NAMES);
        char text[64];
        snprintf(text, sizeof text, "n%u.x%u.example", i, i * i);
        now += test_random_below(&rnd, 100000);
        if (test_random_below(&rnd, 2) == 0) {
            unsigned n = 1 + test_random_below(&rnd, test_random_below(&rnd, 8) == 0 ? 70 : 5);
            uint32_t ttl = 1 + test_random_below(&rnd, 300);
            model[i].mark = (uint8_t)round;
            model[i].n = n;
            model[i].end = now + ttl * USEC_PER_SEC;
            struct dns_name name;
            struct cache_key key = key_for(&name, text, DNS_A);
            cache_remove(cache, &key);
            put(text, DNS_A, n, model[i].mark, ttl, now);
        } else {
            enum cache_state s = get(text, DNS_A, now, 0, 0);
            assert_true(s == CACHE_MISS || s == CACHE_FRESH);
            if (s == CACHE_FRESH) {
                assert_true(now < model[i].end);
                assert_int_equal(hit.answers, model[i].n);
                assert_int_equal(room[12], model[i].mark);
                assert_int_equal(room[16 * model[i].n - 1], model[i].mark);
            }
        }
        struct cache_gauges g;
        cache_get_gauges(cache, &g);
        assert_true(g.entries <= g.entries_max && g.octets <= g.octets_max);
    }
    close_cache();
}

static void rejects_wrong_configurations(void **state)
{
    (void)state;
    struct cache *c;
    uint8_t small[64];
    const struct {
        struct cache_config cfg;
        enum err want;
    } rows[] = {
        {{.entries = 255}, ERR_RANGE},
        {{.entries = 4 * 1024 * 1024 + 1}, ERR_RANGE},
        {{.entries = 256, .octets_each = 63}, ERR_RANGE},
        {{.entries = 256, .octets_each = 1025}, ERR_RANGE},
        {{.entries = 256}, ERR_SPACE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        c = NULL;
        assert_int_equal(
            cache_init(&c, small, sizeof small, &rows[i].cfg, (struct siphash_key){0, 0}),
            rows[i].want);
        assert_null(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_back_what_was_put),
        cmocka_unit_test(ends_with_its_ttl_and_then_is_stale),
        cmocka_unit_test(time_a_little_before_the_insert_is_fresh),
        cmocka_unit_test(keys_differ_in_every_part),
        cmocka_unit_test(names_are_compared_as_octets),
        cmocka_unit_test(nxdomain_answers_every_type_until_the_name_exists),
        cmocka_unit_test(the_newer_of_two_stale_entries_counts),
        cmocka_unit_test(too_large_answers_and_zero_ttls_are_not_kept),
        cmocka_unit_test(says_what_room_it_wants),
        cmocka_unit_test(flush_and_remove),
        cmocka_unit_test(marks_are_kept),
        cmocka_unit_test(prefetch_is_wanted_once_near_the_end_of_popular_names),
        cmocka_unit_test(a_scan_does_not_push_out_popular_names),
        cmocka_unit_test(large_answers_do_not_push_out_popular_names),
        cmocka_unit_test(yesterdays_popular_names_leave),
        cmocka_unit_test(expired_entries_go_first),
        cmocka_unit_test(agrees_with_a_model),
        cmocka_unit_test(rejects_wrong_configurations),
    };
    return UNIT_RUN(tests);
}
