/*
 * Publication of snapshots: nothing is freed while a worker may see it, everything is freed in the
 * end (run under ThreadSanitizer as well).
 */
#include "host/publish.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "resolver/snapshot.h"

static atomic_uint freed;

static struct snapshot *new_snapshot(uint64_t generation)
{
    struct snapshot *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->generation = generation;
    s->block_ttl_s = (uint32_t)generation * 3;
    return s;
}

static void free_snapshot(void *arg, const struct snapshot *s)
{
    (void)arg;
    struct snapshot *mine = (struct snapshot *)(uintptr_t)s;
    memset(mine, 0xee, sizeof *mine);
    free(mine);
    atomic_fetch_add(&freed, 1);
}

static struct publisher *new_publisher(unsigned workers)
{
    struct publisher *p = NULL;
    freed = 0;
    assert_int_equal(publisher_new(&p, workers, new_snapshot(1), free_snapshot, NULL), ERR_OK);
    return p;
}

static void take(struct publisher *p, unsigned worker)
{
    publisher_taken(p, worker, publisher_take(p, worker));
}

static void frees_only_when_all_have_moved_on(void **state)
{
    (void)state;
    struct publisher *p = new_publisher(2);
    assert_false(publisher_has_new(p, 0));
    assert_int_equal(publisher_put(p, new_snapshot(2)), ERR_OK);
    assert_true(publisher_has_new(p, 0));
    assert_int_equal(publisher_reap(p), 1);
    take(p, 0);
    assert_false(publisher_has_new(p, 0));
    assert_int_equal(publisher_reap(p), 1);
    assert_int_equal(freed, 0);
    take(p, 1);
    assert_int_equal(publisher_reap(p), 0);
    assert_int_equal(freed, 1);
    publisher_free(p);
    assert_int_equal(freed, 2);
}

static void frees_what_nobody_ever_took(void **state)
{
    (void)state;
    struct publisher *p = new_publisher(1);
    const struct snapshot *held = publisher_take(p, 0);
    for (uint64_t g = 2; g <= 10; g++) {
        assert_int_equal(publisher_put(p, new_snapshot(g)), ERR_OK);
    }
    assert_int_equal(publisher_reap(p), 9);
    assert_int_equal(held->generation, 1);
    take(p, 0);
    assert_int_equal(publisher_reap(p), 0);
    assert_int_equal(freed, 9);
    assert_int_equal(publisher_current(p)->generation, 10);
    publisher_free(p);
}

static void keeps_a_snapshot_for_a_slow_worker(void **state)
{
    (void)state;
    struct publisher *p = new_publisher(2);
    assert_int_equal(publisher_put(p, new_snapshot(2)), ERR_OK);
    take(p, 0);
    take(p, 1);
    assert_int_equal(publisher_put(p, new_snapshot(3)), ERR_OK);
    take(p, 0);
    assert_int_equal(publisher_put(p, new_snapshot(4)), ERR_OK);
    take(p, 0);
    assert_int_equal(publisher_reap(p), 2); /* 2 is in use by worker 1, 3 could be */
    take(p, 1);
    assert_int_equal(publisher_reap(p), 0);
    publisher_free(p);
}

/* Workers read the snapshot in force over and over while it is replaced thousands of times. */
#define WORKERS 4
#define ROUNDS  5000

struct reader {
    struct publisher *p;
    unsigned number;
    atomic_bool *stop;
    bool bad;
};

static void *read_on(void *arg)
{
    struct reader *r = arg;
    const struct snapshot *s = publisher_take(r->p, r->number);
    publisher_taken(r->p, r->number, s);
    while (!atomic_load(r->stop)) {
        uint64_t before = s->generation;
        r->bad |= s->block_ttl_s != (uint32_t)s->generation * 3;
        if (publisher_has_new(r->p, r->number)) {
            s = publisher_take(r->p, r->number);
            r->bad |= s->generation < before;
            publisher_taken(r->p, r->number, s);
        }
    }
    return NULL;
}

static void survives_constant_change(void **state)
{
    (void)state;
    struct publisher *p = new_publisher(WORKERS);
    pthread_t thread[WORKERS];
    struct reader reader[WORKERS];
    atomic_bool stop = false;
    for (unsigned i = 0; i < WORKERS; i++) {
        reader[i] = (struct reader){.p = p, .number = i, .stop = &stop};
        assert_int_equal(pthread_create(&thread[i], NULL, read_on, &reader[i]), 0);
    }
    for (uint64_t g = 2; g < ROUNDS; g++) {
        assert_int_equal(publisher_put(p, new_snapshot(g)), ERR_OK);
        publisher_reap(p);
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < WORKERS; i++) {
        pthread_join(thread[i], NULL);
        assert_false(reader[i].bad);
    }
    publisher_free(p);
    assert_int_equal(freed, ROUNDS - 1);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frees_only_when_all_have_moved_on),
        cmocka_unit_test(frees_what_nobody_ever_took),
        cmocka_unit_test(keeps_a_snapshot_for_a_slow_worker),
        cmocka_unit_test(survives_constant_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
