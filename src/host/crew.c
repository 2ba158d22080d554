/*
 * Threads for one maker. A round of work has a number; whoever sees a new one takes jobs until none
 * is left, and the last one out wakes the maker.
 */
#include "host/crew.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#define CREW_MAX 16

struct crew {
    pthread_mutex_t lock;
    pthread_cond_t begun, ended;
    unsigned round, busy; /* busy: threads that are not done with the round */
    bool over;
    void (*job)(void *arg, unsigned i);
    void *arg;
    unsigned count;
    atomic_uint next;
    unsigned helpers;
    pthread_t helper[CREW_MAX];
};

static void take_jobs(struct crew *c)
{
    for (unsigned i;
         (i = atomic_fetch_add_explicit(&c->next, 1, memory_order_relaxed)) < c->count;) {
        c->job(c->arg, i);
    }
}

static void *help(void *arg)
{
    struct crew *c = arg;
    unsigned seen = 0;
    (void)pthread_setname_np(pthread_self(), "lists helper");
    pthread_mutex_lock(&c->lock);
    for (;;) {
        while (c->round == seen && !c->over) {
            pthread_cond_wait(&c->begun, &c->lock);
        }
        if (c->over) {
            break;
        }
        seen = c->round;
        pthread_mutex_unlock(&c->lock);
        take_jobs(c);
        pthread_mutex_lock(&c->lock);
        if (--c->busy == 0) {
            pthread_cond_signal(&c->ended);
        }
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

struct crew *crew_new(unsigned threads)
{
    struct crew *c = calloc(1, sizeof *c);
    if (!c) {
        return NULL;
    }
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->begun, NULL);
    pthread_cond_init(&c->ended, NULL);
    while (c->helpers + 1 < threads && c->helpers < CREW_MAX &&
           pthread_create(&c->helper[c->helpers], NULL, help, c) == 0) {
        c->helpers++;
    }
    return c;
}

void crew_free(struct crew *c)
{
    if (!c) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    c->over = true;
    pthread_cond_broadcast(&c->begun);
    pthread_mutex_unlock(&c->lock);
    for (unsigned i = 0; i < c->helpers; i++) {
        pthread_join(c->helper[i], NULL);
    }
    pthread_cond_destroy(&c->begun);
    pthread_cond_destroy(&c->ended);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

unsigned crew_threads(const struct crew *c)
{
    return c->helpers + 1;
}

void crew_run(void *ctx, void (*job)(void *arg, unsigned i), void *arg, unsigned count)
{
    struct crew *c = ctx;
    pthread_mutex_lock(&c->lock);
    c->job = job;
    c->arg = arg;
    c->count = count;
    atomic_store_explicit(&c->next, 0, memory_order_relaxed);
    c->busy = c->helpers;
    c->round++;
    pthread_cond_broadcast(&c->begun);
    pthread_mutex_unlock(&c->lock);
    take_jobs(c);
    pthread_mutex_lock(&c->lock);
    while (c->busy > 0) {
        pthread_cond_wait(&c->ended, &c->lock);
    }
    pthread_mutex_unlock(&c->lock);
}
