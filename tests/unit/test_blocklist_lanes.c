/*
 * Compiling with threads, and in small steps: the image is the same octet by octet, and no list
 * keeps the caller from other work for long.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "lists_fixture.h"
#include "octets.h"
#include "unit.h"

/* ---- threads ---- */

struct crew {
    void (*job)(void *arg, unsigned i);
    void *arg;
    unsigned count, threads;
    atomic_uint next, runs;
};

static void *work(void *arg)
{
    struct crew *crew = arg;
    for (unsigned i; (i = atomic_fetch_add(&crew->next, 1)) < crew->count;) {
        crew->job(crew->arg, i);
    }
    return NULL;
}

static void run_jobs(void *ctx, void (*job)(void *arg, unsigned i), void *arg, unsigned count)
{
    struct crew *crew = ctx;
    pthread_t thread[BL_THREADS_MAX];
    crew->job = job;
    crew->arg = arg;
    crew->count = count;
    crew->runs++;
    atomic_store(&crew->next, 0);
    for (unsigned i = 1; i < crew->threads; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, work, crew), 0);
    }
    work(crew);
    for (unsigned i = 1; i < crew->threads; i++) {
        pthread_join(thread[i], NULL);
    }
}

/* Names of several lists that overlap, with allow rules, names of many labels, top-level domains,
 * one name said over and over and, if wanted, many below one other. */
static void make_rules(struct fixture_rules *rules, unsigned names, unsigned crowd)
{
    static const unsigned lists[] = {0, 3, 40, 90, 130, 131, 200, 255};
    struct test_random r = {5};
    for (unsigned l = 0; l < sizeof lists / sizeof lists[0]; l++) {
        char name[200];
        for (unsigned i = 0; i < names; i++) {
            unsigned n = (unsigned)(test_random_u64(&r) % (names * 2));
            const char *shape[] = {"n%u.tld%u", "www.n%u.co%u.example", "a.b.c.d.e.f%u.g%u.example",
                                   "very-long-label-of-a-name-%u.cdn%u.net"};
            snprintf(name, sizeof name, shape[n % 4], n, n % 97);
            rules_add(rules, lists[l], name, n % 3 ? BL_EXACT : BL_BOTH,
                      n % 11 ? BL_RANK_BLOCK : BL_RANK_ALLOW, i + 1);
        }
        for (unsigned i = 0; i < 30; i++) {
            rules_add(rules, lists[l], "again.example", BL_EXACT, 0, names + i);
            snprintf(name, sizeof name, "tld%u", i + l);
            rules_add(rules, lists[l], name, BL_BOTH, 0, names + 100 + i);
        }
        for (unsigned i = 0; i < crowd; i++) {
            snprintf(name, sizeof name, "n%u.x%u.crowd.example", i, i % 3 ? 0 : i % 300);
            rules_add(rules, lists[l], name, BL_EXACT, 0, names + 200 + i);
        }
    }
}

static void threads_make_the_same_image(void **state)
{
    (void)state;
    static const struct {
        unsigned names, crowd, threads, passes;
    } rows[] = {
        {20, 0, 2, 1},   {4000, 0, 2, 1},    {4000, 0, 3, 4},    {4000, 0, 8, 1},
        {50, 900, 2, 1}, {2000, 4000, 4, 1}, {2000, 4000, 2, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture_rules rules = {0};
        struct built one, many;
        struct crew crew = {.threads = rows[i].threads};
        struct bl_compile_config how = {.passes = rows[i].passes,
                                        .jobs = {run_jobs, &crew, rows[i].threads}};
        make_rules(&rules, rows[i].names, rows[i].crowd);
        /* For the crowd's sake as for one pass: names in one place are not shared out. */
        size_t memory = bl_compile_memory(&(struct bl_compile_config){
            .rules_max = (uint32_t)rules.count, .passes = 1, .jobs = how.jobs});
        assert_int_equal(built_try(&one, &rules, rows[i].passes, memory), ERR_OK);
        assert_int_equal(built_with(&many, &rules, memory, &how), ERR_OK);
        assert_true(crew.runs > 2 * 256 / rows[i].threads); /* they did take part */
        if (one.len != many.len || memcmp(one.mem, many.mem, one.len) != 0) {
            fail_msg("%u names, %u in one place: not the same with %u threads in %u passes",
                     rows[i].names, rows[i].crowd, rows[i].threads, rows[i].passes);
        }
        built_free(&one);
        built_free(&many);
        fixture_rules_free(&rules);
    }
}

/* What does not fit in a thread's share of the memory is done alone; what does not fit at all is
 * ERR_SPACE, and never another image. */
static void threads_with_little_memory(void **state)
{
    (void)state;
    struct fixture_rules rules = {0};
    struct built want;
    unsigned worked = 0, failed = 0;
    make_rules(&rules, 1500, 300);
    built_make(&want, &rules, 1);
    for (size_t memory = 200000; memory < 8000000; memory = memory * 9 / 8) {
        struct crew crew = {.threads = 2};
        struct built b;
        enum err e = built_with(
            &b, &rules, memory,
            &(struct bl_compile_config){.passes = 1, .jobs = {run_jobs, &crew, crew.threads}});
        assert_true(e == ERR_OK || e == ERR_SPACE);
        if (e == ERR_OK) {
            worked++;
            assert_int_equal(b.len, want.len);
            assert_memory_equal(b.mem, want.mem, want.len);
            built_free(&b);
        } else {
            failed++;
        }
    }
    assert_true(worked > 3 && failed > 3);
    built_free(&want);
    fixture_rules_free(&rules);
}

static void more_threads_than_there_may_be(void **state)
{
    (void)state;
    static _Alignas(16) uint8_t mem[64];
    struct bl_compile *c;
    struct bl_compile_config cfg = {.passes = 1, .jobs = {run_jobs, NULL, BL_THREADS_MAX + 1}};
    assert_int_equal(bl_compile_init(&c, mem, sizeof mem, &cfg), ERR_RANGE);
}

/* Expressions of all feeds together have a bound: the surplus is rejected as if it came in one. */
static void expressions_of_two_feeds(void **state)
{
    (void)state;
    struct bl_sink_memory to[2] = {{.cap = 1 << 20}, {.cap = 1 << 20}};
    uint64_t size[2];
    for (unsigned threads = 1; threads <= 2; threads++) {
        struct crew crew = {.threads = threads};
        struct bl_sink_memory *sink = &to[threads - 1];
        struct bl_compile_config cfg = {.rules_max = 100,
                                        .passes = 1,
                                        .sink = {bl_sink_memory_write, sink},
                                        .jobs = {run_jobs, &crew, threads}};
        size_t len = bl_compile_memory(&cfg) + (1 << 20);
        void *scratch = malloc(len);
        struct bl_compile *c;
        sink->mem = malloc(sink->cap);
        assert_non_null(scratch);
        assert_non_null(sink->mem);
        assert_int_equal(bl_compile_init(&c, scratch, len, &cfg), ERR_OK);
        for (unsigned list = 0; list < 2; list++) {
            struct bl_feed *f = bl_compile_feed(c, threads == 2 ? list : 0);
            uint32_t refused = 0;
            bl_feed_list(f, list, span_str("expressions"), span_str("file:x"));
            for (uint32_t i = 0; i < 2500; i++) {
                char text[24];
                snprintf(text, sizeof text, "^ad%u-%u[.]", list, i);
                refused += !bl_feed_pattern(f, span_str(text), BL_RANK_BLOCK, i + 1);
            }
            bl_feed_list_end(f, refused, 2500);
        }
        assert_false(bl_compile_pass(c));
        assert_int_equal(bl_compile_finish(c, &size[threads - 1]), ERR_OK);
        free(scratch);
    }
    struct bl_image image;
    struct bl_list_info info;
    assert_int_equal(bl_image_open(to[1].mem, size[1], &image), ERR_OK);
    bl_image_list(&image, 1, &info);
    assert_int_equal(info.rules, 4096 - 2500);
    assert_int_equal(info.rejected, 5000 - 4096);
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(to[0].mem, to[1].mem, size[0]);
    free(to[0].mem);
    free(to[1].mem);
}

/* ---- small steps ---- */

struct pauses {
    uint32_t most;
    uint64_t calls, steps;
};

static void take_pause(void *ctx, uint32_t steps)
{
    struct pauses *p = ctx;
    p->calls++;
    p->steps += steps;
    p->most = steps > p->most ? steps : p->most;
}

static void add_crowd(struct fixture_rules *rules)
{
    for (unsigned i = 0; i < 100000; i++) {
        char name[64];
        snprintf(name, sizeof name, "shop%u.co.uk", i * 7919 % 100000);
        rules_add(rules, 0, name, BL_BOTH, 0, i + 1);
    }
}

static void add_the_same(struct fixture_rules *rules)
{
    for (unsigned i = 0; i < 100000; i++) {
        rules_add(rules, i / 400, "said.again.example", BL_EXACT, 0, i + 1);
    }
}

/* Each below the one before: 120 labels, many times. */
static void add_deep(struct fixture_rules *rules)
{
    for (unsigned i = 0; i < 300; i++) {
        char name[254];
        int n = snprintf(name, sizeof name, "%u.deep.example", 1000 + i);
        for (unsigned k = 0; k < 110; k++) {
            memmove(name + 2, name, (size_t)n + 1);
            memcpy(name, "x.", 2);
            n += 2;
            rules_add(rules, 0, name, BL_EXACT, 0, k + 1);
        }
    }
}

static void add_top_level(struct fixture_rules *rules)
{
    for (unsigned i = 0; i < 20000; i++) {
        char name[32];
        snprintf(name, sizeof name, "tld%u", i % 16000);
        rules_add(rules, 0, name, BL_BOTH, 0, i + 1);
    }
}

static void add_spread(struct fixture_rules *rules)
{
    make_rules(rules, 10000, 0);
}

static void no_list_keeps_the_caller_long(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        void (*add)(struct fixture_rules *rules);
    } rows[] = {
        {"many names below one suffix", add_crowd},
        {"one name over and over", add_the_same},
        {"names below names", add_deep},
        {"top-level domains", add_top_level},
        {"usual lists", add_spread},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (unsigned passes = 1; passes <= 4; passes *= 4) {
            struct fixture_rules rules = {0};
            struct pauses seen = {0};
            struct built plain, b;
            rows[i].add(&rules);
            size_t memory = 2 * bl_compile_memory(&(struct bl_compile_config){
                                    .rules_max = (uint32_t)rules.count, .passes = 1});
            struct bl_compile_config how = {.passes = passes, .pause = {take_pause, &seen}};
            assert_int_equal(built_try(&plain, &rules, passes, memory), ERR_OK);
            assert_int_equal(built_with(&b, &rules, memory, &how), ERR_OK);
            if (seen.most > BL_PAUSE_MOST || seen.steps < rules.count * 3 / 2) {
                fail_msg("%s: %u steps without a pause, %llu in all for %zu rules", rows[i].why,
                         seen.most, (unsigned long long)seen.steps, rules.count);
            }
            assert_int_equal(b.len, plain.len);
            assert_memory_equal(b.mem, plain.mem, b.len);
            built_free(&plain);
            built_free(&b);
            fixture_rules_free(&rules);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_make_the_same_image),
        cmocka_unit_test(threads_with_little_memory),
        cmocka_unit_test(more_threads_than_there_may_be),
        cmocka_unit_test(expressions_of_two_feeds),
        cmocka_unit_test(no_list_keeps_the_caller_long),
    };
    return UNIT_RUN(tests);
}
