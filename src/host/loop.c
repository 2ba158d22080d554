/*
 * A handful of descriptors and timers: lists are enough.
 */
#include "host/loop.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "host/sys.h"

#define WATCHES_MAX 32

struct loop_watch {
    int fd; /* -1: free */
    loop_ready *call;
    void *arg;
};

struct loop {
    int epoll;
    struct loop_watch watch[WATCHES_MAX];
    struct loop_timer *timers;
};

enum err loop_new(struct loop **out)
{
    struct loop *l = calloc(1, sizeof *l);
    if (!l) {
        return ERR_MEMORY;
    }
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll < 0) {
        free(l);
        return ERR_IO;
    }
    for (unsigned i = 0; i < WATCHES_MAX; i++) {
        l->watch[i].fd = -1;
    }
    *out = l;
    return ERR_OK;
}

void loop_free(struct loop *l)
{
    if (l) {
        close(l->epoll);
        free(l);
    }
}

enum err loop_watch(struct loop *l, int fd, loop_ready *call, void *arg)
{
    unsigned i = 0;
    while (i < WATCHES_MAX && l->watch[i].fd >= 0) {
        i++;
    }
    if (i == WATCHES_MAX) {
        return ERR_LIMIT;
    }
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = i};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) != 0) {
        return ERR_IO;
    }
    l->watch[i] = (struct loop_watch){.fd = fd, .call = call, .arg = arg};
    return ERR_OK;
}

void loop_unwatch(struct loop *l, int fd)
{
    for (unsigned i = 0; i < WATCHES_MAX; i++) {
        if (l->watch[i].fd == fd) {
            epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
            l->watch[i].fd = -1;
        }
    }
}

void loop_timer_add(struct loop *l, struct loop_timer *t, loop_ready *call, void *arg)
{
    *t = (struct loop_timer){.due = USEC_NEVER, .call = call, .arg = arg, .next = l->timers};
    l->timers = t;
}

void loop_timer_set(struct loop_timer *t, usec_t due)
{
    t->due = due;
}

void loop_timer_clear(struct loop_timer *t)
{
    t->due = USEC_NEVER;
}

static int wait_ms(const struct loop *l, usec_t now)
{
    usec_t due = USEC_NEVER;
    for (const struct loop_timer *t = l->timers; t; t = t->next) {
        due = t->due < due ? t->due : due;
    }
    if (due == USEC_NEVER) {
        return -1;
    }
    usec_t ms = due <= now ? 0 : (due - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC;
    return (int)(ms < 3600000 ? ms : 3600000);
}

void loop_turn(struct loop *l)
{
    struct epoll_event ev[WATCHES_MAX];
    int n = epoll_wait(l->epoll, ev, WATCHES_MAX, wait_ms(l, sys_now()));
    for (int i = 0; i < n; i++) {
        const struct loop_watch *w = &l->watch[ev[i].data.u32];
        if (w->fd >= 0) {
            w->call(w->arg);
        }
    }
    usec_t now = sys_now();
    for (struct loop_timer *t = l->timers; t; t = t->next) {
        if (t->due <= now) {
            t->due = USEC_NEVER;
            t->call(t->arg);
        }
    }
}
