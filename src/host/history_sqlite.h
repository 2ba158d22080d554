/*
 * The query history as an SQLite database: the program's one door to that library, in three files
 * (history_sqlite.c opens, _write.c writes and trims, _read.c reads). Nothing here has a thread or
 * a clock; a connection belongs to one thread.
 *
 *     name(id, text)                          domains as text
 *     client(id, addr)
 *     kind(id, type, status, reply, …)        everything that few different rows share
 *     query(id, time, name, client, kind, us, cname)      time in ms; no index but the id
 *     slot(slot, first, last)                 which ids the ten minutes slot*600 hold
 *     slot_kind(slot, kind, count, us, squares)           sums, from which most questions are
 *     slot_client(slot, client, total, blocked)           answered without a look at rows
 *
 * Rows come in the order of their ids, which is that of time as long as nobody sets the clock, so
 * new rows, and the removal of old ones, touch neighbouring pages: that is what keeps writes small.
 */
#ifndef SINKHOLE_HOST_HISTORY_SQLITE_H
#define SINKHOLE_HOST_HISTORY_SQLITE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/history.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/siphash.h"
#include "stats/stats.h"

#define HISTORY_SLOT_S 600

/* Rows on their way to the disk: items one behind the other, each with its names behind it. */
struct history_item {
    uint64_t id;
    int64_t unix_us;
    uint32_t latency_us, list_id;
    struct ip_addr client;
    uint16_t size; /* of the item with its names, a multiple of 8 */
    uint16_t qtype;
    int16_t upstream; /* row in the batch's texts, -1: none */
    uint8_t status, reply, rcode;
    int8_t ede;
    uint8_t flags, qname_len, cname_len;
};

struct history_batch {
    uint32_t count;
    size_t len;
    char upstream[STATS_UPSTREAM_ROWS][HISTORY_UPSTREAM_TEXT];
    uint8_t data[];
};

/* A connection. */
struct history_db;

enum history_mode { HISTORY_WRITE, HISTORY_READ };

/*
 * Open; a writer makes the file if there is none. Errors of all functions here:
 *   ERR_CHECKSUM  the file is damaged, or no history of ours (ERR_VERSION: of another version)
 *   ERR_SPACE     the disk is full
 *   ERR_IO        it cannot be read or written, or is read-only
 *   ERR_MEMORY, ERR_TIMEOUT (interrupted)
 * `why` gets a line for people on an error.
 */
#define HISTORY_WHY 160
MUST_CHECK enum err history_db_open(const char *path, enum history_mode mode,
                                    struct history_db **out, char why[HISTORY_WHY]);
/* Reads through the whole file: is all of it as it should be? */
bool history_db_is_sound(struct history_db *db);

void history_db_close(struct history_db *db); /* NULL is allowed */
const char *history_db_why(const struct history_db *db);

/* Octets that went to the disk through all connections since the process started. */
uint64_t history_db_written(void);
const char *history_db_version(void);

/* --- writing ---------------------------------------------------------------------------------- */

/* A whole batch or nothing of it. */
MUST_CHECK enum err history_db_write(struct history_db *db, const struct history_batch *batch);

/*
 * A piece of the work of keeping within age and size: removes rows of before oldest_unix, and the
 * oldest ones while the file holds more than max_octets; at most some 20 000 rows. *more: call
 * again. Rows from more than a day after now_unix are of a clock that was wrong, and go too.
 */
MUST_CHECK enum err history_db_trim(struct history_db *db, int64_t oldest_unix, int64_t now_unix,
                                    uint64_t max_octets, bool *more);

/* Remove names that no row has any more. Reads all rows: to be called once a day at most. */
MUST_CHECK enum err history_db_sweep(struct history_db *db, const atomic_bool *stop);

struct history_extent {
    uint64_t first_id, last_id; /* 0: no rows */
    int64_t oldest_unix;
    uint64_t octets; /* in use */
};
MUST_CHECK enum err history_db_extent(struct history_db *db, struct history_extent *out);

/* --- reading ---------------------------------------------------------------------------------- */

/* A question under way. */
struct history_scan;

/* The ask is copied. NULL: no memory. */
struct history_scan *history_scan_new(const struct history_ask *ask);
void history_scan_free(struct history_scan *s); /* NULL is allowed */

/*
 * Work on a question for some tens of milliseconds; *stop set by another thread ends it early with
 * ERR_TIMEOUT. *state: HISTORY_WORKING (call again), HISTORY_PAGE_READY (rows are full: look at the
 * result, set rows to 0, call again) or HISTORY_DONE.
 */
MUST_CHECK enum err history_scan_step(struct history_scan *s, struct history_db *db,
                                      const atomic_bool *stop, enum history_state *state);
/* Octets that a question takes at most, and a connection. */
uint64_t history_scan_memory(void);
uint64_t history_db_memory(enum history_mode mode);

struct history_result *history_scan_result(struct history_scan *s);

/* --- what a list would have blocked ----------------------------------------------------------- */

/*
 * Counts queries from from_us on that were answered and not blocked, by name: `hit` is asked once
 * for each different name whether it counts; `found` is told each name that does with each client's
 * count of it. ERR_TIMEOUT: *stop was set.
 */
struct history_match {
    int64_t from_us;
    bool (*hit)(void *ctx, const struct dns_name *name);
    void (*found)(void *ctx, const struct dns_name *name, const struct ip_addr *client,
                  uint64_t count);
    void *ctx;
    uint64_t queries; /* looked at */
    bool partial;     /* more different names than there was room for */
    uint64_t last_id; /* of the last row that was looked at; 0: none */
};
MUST_CHECK enum err history_db_match(struct history_db *db, struct history_match *m,
                                     const atomic_bool *stop);

#endif
