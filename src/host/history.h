/*
 * The query history: what the log in memory holds is moved to a database in the state directory, in
 * few large writes, and questions to it are answered. Two threads of its own: one writes and
 * removes, one reads, at a priority at which it runs only when nobody else wants to. Whatever is
 * wrong with the disk, nothing here waits for it but these two.
 *
 * The file is history.db. One that is damaged is kept as history.db.bad, and a new one begun.
 */
#ifndef SINKHOLE_HOST_HISTORY_H
#define SINKHOLE_HOST_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "api/history.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/time.h"
#include "stats/stats.h"

#define HISTORY_FILE     "history.db"
#define HISTORY_JOBS_MAX 4      /* questions under way; more are refused */
#define HISTORY_ROWS_MAX 16384  /* of one write; more come in several */
#define HISTORY_A_SECOND 500    /* rows that may be written on average; more are counted as lost */
#define HISTORY_AT_ONCE  200000 /* … and after a time with fewer */

struct history_config {
    const char *dir;         /* the state directory; copied */
    int64_t keep_s;          /* how long rows are kept */
    uint64_t octets_max;     /* of the file */
    usec_t interval;         /* between two writes */
    void (*wake)(void *arg); /* an answer is there; called from the reading thread */
    void *arg;
};

struct history;

/* Opens the file and starts the threads. A file that cannot be opened is tried again later: that is
 * no error here. ERR_MEMORY, ERR_IO (no threads). */
MUST_CHECK enum err history_open(struct history **out, const struct history_config *config);

/* Writes what was handed over, closes. NULL is allowed. Jobs must have been closed. */
void history_close(struct history *h);

/* The id that the first row should have: above all that are on the disk. */
uint64_t history_next_id(const struct history *h);

/*
 * Hand over rows of the log that were not yet, if it is time; `all`: in any case (the end is near).
 * Serialised with stats_collect, and called after it. Cost: a copy of at most HISTORY_ROWS_MAX
 * rows, each some minutes.
 */
void history_take(struct history *h, const struct stats *stats, usec_t now, bool all);

/* Hand over all of it before the end; waits for the disk, but not for long. */
void history_finish(struct history *h, const struct stats *stats);

/* New bounds, from now on. */
void history_set_limits(struct history *h, int64_t keep_s, uint64_t octets_max, usec_t interval);

/* Erase the file; what is in memory and not written is passed over. Returns when it is done, or
 * after some seconds with ERR_TIMEOUT: it will be. */
MUST_CHECK enum err history_erase(struct history *h, const struct stats *stats);

void history_get_status(struct history *h, struct history_status *out);

/* Jobs, as in api/backend.h; by one thread at a time. */
void *history_job_open(struct history *h, const struct history_ask *ask);
enum history_state history_job_poll(void *job, const struct history_result **out);
void history_job_next(void *job);
void history_job_close(void *job);

/* Octets that the history takes at most: tables of numbers, rows under way, questions. */
uint64_t history_memory(void);

/* Where the file is, for a connection of one's own. */
const char *history_path(const struct history *h);

#endif
