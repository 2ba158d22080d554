/* What the three files of the history's database share. */
#ifndef SINKHOLE_HOST_HISTORY_SQLITE_INT_H
#define SINKHOLE_HOST_HISTORY_SQLITE_INT_H

#include <sqlite3.h>

#include "host/history_dict.h"
#include "host/history_sqlite.h"

/* Statements that are prepared once. */
enum statement {
    ST_BEGIN,
    ST_COMMIT,
    ST_ROLLBACK,
    ST_ADD_NAME,
    ST_ADD_CLIENT,
    ST_ADD_KIND,
    ST_ADD_QUERY,
    ST_ADD_SLOT,
    ST_ADD_SLOT_KIND,
    ST_ADD_SLOT_CLIENT,
    ST_KINDS,
    ST_CLIENTS,
    ST_NAMES,
    ST_NAME,
    ST_ROWS,
    ST_SPAN,
    ST_FIRST,
    ST_LAST,
    ST_OLDEST,
    ST_SLOT_KINDS,
    ST_SLOT_CLIENTS,
    ST_COUNT
};

struct history_db {
    sqlite3 *sqlite;
    enum history_mode mode;
    sqlite3_stmt *statement[ST_COUNT];
    char why[HISTORY_WHY];
    /* of a writer */
    struct siphash_key key;
    struct history_dict names, clients, kinds;
    bool loaded; /* the tables above */
};

/* A statement ready for its parameters; NULL: db->why says why. */
sqlite3_stmt *history_statement(struct history_db *db, enum statement which);

/* One step of a statement that gives no rows; resets it. */
MUST_CHECK enum err history_run(struct history_db *db, sqlite3_stmt *st);

/* Simple SQL, and the first column of its first row. */
MUST_CHECK enum err history_exec(struct history_db *db, const char *sql);
MUST_CHECK enum err history_number(struct history_db *db, const char *sql, int64_t *out);

/* A result code of the library as an error; notes why. */
enum err history_error(struct history_db *db, int rc);

/* Kinds of rows, by id. */
struct history_kind {
    bool known;
    uint16_t qtype;
    uint8_t status, reply, rcode;
    int8_t ede;
    uint8_t flags;
    uint32_t list_id;
    char upstream[HISTORY_UPSTREAM_TEXT];
};
struct history_kinds {
    struct history_kind *kind;
    uint32_t count; /* ids below this */
};
#define HISTORY_KINDS_MAX 16384 /* beyond that rows are passed over */
MUST_CHECK enum err history_kinds_load(struct history_db *db, struct history_kinds *out);
void history_kinds_free(struct history_kinds *k);

/* Which ids a span of time may hold, first <= id <= last; first > last: none. */
MUST_CHECK enum err history_span(struct history_db *db, int64_t from_us, int64_t until_us,
                                 uint64_t *first, uint64_t *last);

#endif
