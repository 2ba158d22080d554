/*
 * The control thread's event loop: descriptors and timers with functions that are called when they
 * are due. It sleeps as long as there is nothing to do.
 */
#ifndef SINKHOLE_HOST_LOOP_H
#define SINKHOLE_HOST_LOOP_H

#include "base/attr.h"
#include "base/err.h"
#include "base/time.h"

struct loop;

typedef void loop_ready(void *arg);

/* A timer; the storage is the owner's. */
struct loop_timer {
    usec_t due; /* USEC_NEVER: not set */
    loop_ready *call;
    void *arg;
    struct loop_timer *next; /* the loop's */
};

MUST_CHECK enum err loop_new(struct loop **out);
void loop_free(struct loop *l);

/* Call when `fd` is readable, until loop_unwatch. ERR_IO, ERR_LIMIT (more than 32). */
MUST_CHECK enum err loop_watch(struct loop *l, int fd, loop_ready *call, void *arg);
void loop_unwatch(struct loop *l, int fd);

/* Make a timer known (not set yet). It stays with the loop until the end. */
void loop_timer_add(struct loop *l, struct loop_timer *t, loop_ready *call, void *arg);

/* Set it; it fires once. A timer that is set already is moved. */
void loop_timer_set(struct loop_timer *t, usec_t due);
void loop_timer_clear(struct loop_timer *t);

/* Wait once and call what is due. */
void loop_turn(struct loop *l);

#endif
