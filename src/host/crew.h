/*
 * A few threads that share a piece of work and wait for the next one: what struct bl_jobs asks for.
 * They have the priority and the signal mask of the thread that made them, which takes part itself.
 */
#ifndef SINKHOLE_HOST_CREW_H
#define SINKHOLE_HOST_CREW_H

struct crew;

/* `threads` in all, the caller's included; fewer if the system has no more. NULL: no memory. */
struct crew *crew_new(unsigned threads);
void crew_free(struct crew *crew); /* NULL allowed */
unsigned crew_threads(const struct crew *crew);

/* job(arg, i) for each i below count; returns when all are done. ctx is the crew; by its maker
 * only. */
void crew_run(void *ctx, void (*job)(void *arg, unsigned i), void *arg, unsigned count);

#endif
