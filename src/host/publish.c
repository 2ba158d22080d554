/*
 * A snapshot with generation g can be freed when every worker has taken one with a greater
 * generation. Workers always take the newest, so one that was replaced before anybody took it goes
 * the same way.
 */
#include "host/publish.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "resolver/snapshot.h"

/* A worker's own line: the generation that it uses. */
struct publish_reader {
    _Alignas(CACHE_LINE) atomic_ullong taken;
};

struct retired {
    const struct snapshot *snapshot;
    struct retired *next;
};

struct publisher {
    _Alignas(CACHE_LINE) _Atomic(const struct snapshot *) current;
    atomic_ullong generation;
    publish_free *free_one;
    void *arg;
    struct retired *retired; /* oldest last; the control thread's */
    unsigned workers;
    struct publish_reader reader[];
};

enum err publisher_new(struct publisher **out, unsigned workers, const struct snapshot *first,
                       publish_free *free_one, void *arg)
{
    REQUIRE(workers > 0 && first);
    size_t size = sizeof(struct publisher) + workers * sizeof(struct publish_reader);
    struct publisher *p = aligned_alloc(CACHE_LINE, size);
    if (!p) {
        return ERR_MEMORY;
    }
    memset(p, 0, size);
    atomic_init(&p->current, first);
    atomic_init(&p->generation, first->generation);
    p->free_one = free_one;
    p->arg = arg;
    p->workers = workers;
    for (unsigned i = 0; i < workers; i++) {
        atomic_init(&p->reader[i].taken, first->generation);
    }
    *out = p;
    return ERR_OK;
}

static void free_retired(struct publisher *p, struct retired *r)
{
    while (r) {
        struct retired *next = r->next;
        p->free_one(p->arg, r->snapshot);
        free(r);
        r = next;
    }
}

void publisher_free(struct publisher *p)
{
    if (!p) {
        return;
    }
    free_retired(p, p->retired);
    p->free_one(p->arg, atomic_load(&p->current));
    free(p);
}

enum err publisher_put(struct publisher *p, const struct snapshot *snapshot)
{
    const struct snapshot *old = atomic_load_explicit(&p->current, memory_order_relaxed);
    REQUIRE(snapshot->generation > old->generation);
    struct retired *r = malloc(sizeof *r);
    if (!r) {
        return ERR_MEMORY;
    }
    *r = (struct retired){.snapshot = old, .next = p->retired};
    p->retired = r;
    atomic_store(&p->current, snapshot);
    atomic_store(&p->generation, snapshot->generation);
    return ERR_OK;
}

unsigned publisher_reap(struct publisher *p)
{
    unsigned long long oldest = UINT64_MAX;
    for (unsigned i = 0; i < p->workers; i++) {
        unsigned long long taken = atomic_load(&p->reader[i].taken);
        oldest = taken < oldest ? taken : oldest;
    }
    unsigned held = 0;
    struct retired **link = &p->retired;
    while (*link && (*link)->snapshot->generation >= oldest) {
        held++;
        link = &(*link)->next;
    }
    struct retired *done = *link;
    *link = NULL;
    free_retired(p, done);
    return held;
}

const struct snapshot *publisher_current(const struct publisher *p)
{
    return atomic_load_explicit(&p->current, memory_order_relaxed);
}

bool publisher_has_new(const struct publisher *p, unsigned worker)
{
    return atomic_load_explicit(&p->generation, memory_order_relaxed) !=
           atomic_load_explicit(&p->reader[worker].taken, memory_order_relaxed);
}

const struct snapshot *publisher_take(struct publisher *p, unsigned worker)
{
    REQUIRE(worker < p->workers);
    return atomic_load_explicit(&p->current, memory_order_acquire);
}

void publisher_taken(struct publisher *p, unsigned worker, const struct snapshot *snapshot)
{
    REQUIRE(worker < p->workers);
    atomic_store(&p->reader[worker].taken, snapshot->generation);
}
