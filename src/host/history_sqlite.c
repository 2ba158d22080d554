/*
 * Opening the history's database.
 *
 * Both connections are in this process and no other process may have the file open ("unix-excl"):
 * then the index of the write-ahead log is in memory and there is no file for it whose pages the
 * kernel would write now and then. What is written is counted by standing between the library and
 * its file functions.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "host/history_sqlite_int.h"
#include "host/sys.h"

#define APPLICATION_ID   0x534b4849 /* "SKHI" */
#define VERSION          1
#define VFS_NAME         "sinkhole-history"
#define CACHE_OCTETS     (2u << 20) /* cache_size below */
#define STATEMENT_OCTETS (1u << 20) /* what the library takes besides, rounded up */

/* --- counting what is written ----------------------------------------------------------------- */

static atomic_uint_fast64_t written;
static sqlite3_vfs *base_vfs;
static sqlite3_vfs vfs;

/* The library has a table of functions for databases and one for the files beside them; each gets a
 * copy whose write is ours. */
static struct {
    const sqlite3_io_methods *base;
    sqlite3_io_methods counted;
} file_kinds[4];

static int (*base_write)(sqlite3_file *, const void *, int, sqlite3_int64); /* the same in all */

static int counted_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
    int rc = base_write(file, data, len, at);
    if (rc == SQLITE_OK) {
        atomic_fetch_add_explicit(&written, (uint64_t)len, memory_order_relaxed);
    }
    return rc;
}

static pthread_mutex_t file_kinds_lock = PTHREAD_MUTEX_INITIALIZER;

/* With the lock. */
static void count_writes(sqlite3_file *file)
{
    if (!base_write) {
        base_write = file->pMethods->xWrite;
    }
    for (size_t i = 0; i < ARRAY_LEN(file_kinds) && file->pMethods->xWrite == base_write; i++) {
        if (!file_kinds[i].base) {
            file_kinds[i].counted = *file->pMethods;
            file_kinds[i].counted.xWrite = counted_write;
            file_kinds[i].base = file->pMethods;
        }
        if (file_kinds[i].base == file->pMethods) {
            file->pMethods = &file_kinds[i].counted;
            return;
        }
    }
}

static int counted_open(sqlite3_vfs *v, const char *name, sqlite3_file *file, int flags, int *out)
{
    (void)v;
    int rc = base_vfs->xOpen(base_vfs, name, file, flags, out);
    if (rc == SQLITE_OK) {
        pthread_mutex_lock(&file_kinds_lock);
        count_writes(file);
        pthread_mutex_unlock(&file_kinds_lock);
    }
    return rc;
}

static bool prepare_vfs(void)
{
    static bool done;
    if (done) {
        return true;
    }
    base_vfs = sqlite3_initialize() == SQLITE_OK ? sqlite3_vfs_find("unix-excl") : NULL;
    if (!base_vfs) {
        return false;
    }
    vfs = *base_vfs;
    vfs.zName = VFS_NAME;
    vfs.pNext = NULL;
    vfs.xOpen = counted_open;
    done = sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
    return done;
}

uint64_t history_db_written(void)
{
    return atomic_load_explicit(&written, memory_order_relaxed);
}

uint64_t history_db_memory(enum history_mode mode)
{
    uint64_t table = UINT64_C(3) * HISTORY_DICT_MAX * sizeof(struct history_dict_place);
    return CACHE_OCTETS + STATEMENT_OCTETS + (mode == HISTORY_WRITE ? table : 0);
}

const char *history_db_version(void)
{
    return sqlite3_libversion();
}

/* --- errors ----------------------------------------------------------------------------------- */

enum err history_error(struct history_db *db, int rc)
{
    snprintf(db->why, sizeof db->why, "%s",
             db->sqlite ? sqlite3_errmsg(db->sqlite) : sqlite3_errstr(rc));
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return ERR_OK;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH:
        return ERR_CHECKSUM;
    case SQLITE_FULL:
        return ERR_SPACE;
    case SQLITE_INTERRUPT:
        return ERR_TIMEOUT;
    case SQLITE_NOMEM:
        return ERR_MEMORY;
    default:
        return ERR_IO;
    }
}

const char *history_db_why(const struct history_db *db)
{
    return db->why;
}

/* --- statements ------------------------------------------------------------------------------- */

static const char *const texts[ST_COUNT] = {
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",
    [ST_ADD_NAME] = "INSERT INTO name(text) VALUES(?)",
    [ST_ADD_CLIENT] = "INSERT INTO client(addr) VALUES(?)",
    [ST_ADD_KIND] = "INSERT INTO kind(type,status,reply,rcode,ede,list,upstream,flags)"
                    " VALUES(?,?,?,?,?,?,?,?)",
    [ST_ADD_QUERY] =
        "INSERT OR IGNORE INTO query(id,time,name,client,kind,us,cname) VALUES(?,?,?,?,?,?,?)",
    [ST_ADD_SLOT] = "INSERT INTO slot(slot,first,last) VALUES(?,?,?) ON CONFLICT(slot) DO UPDATE"
                    " SET first=min(first,excluded.first),last=max(last,excluded.last)",
    [ST_ADD_SLOT_KIND] = "INSERT INTO slot_kind(slot,kind,count,us,squares) VALUES(?,?,?,?,?)"
                         " ON CONFLICT(slot,kind) DO UPDATE SET count=count+excluded.count,"
                         "us=us+excluded.us,squares=squares+excluded.squares",
    [ST_ADD_SLOT_CLIENT] = "INSERT INTO slot_client(slot,client,total,blocked) VALUES(?,?,?,?)"
                           " ON CONFLICT(slot,client) DO UPDATE SET total=total+excluded.total,"
                           "blocked=blocked+excluded.blocked",
    [ST_KINDS] = "SELECT id,type,status,reply,rcode,ede,list,upstream,flags FROM kind",
    [ST_CLIENTS] = "SELECT id,addr FROM client",
    [ST_NAMES] = "SELECT id,text FROM name ORDER BY id DESC LIMIT ?",
    [ST_NAME] = "SELECT text FROM name WHERE id=?",
    [ST_ROWS] = "SELECT id,time,name,client,kind,us,cname FROM query WHERE id BETWEEN ? AND ?"
                " ORDER BY id DESC",
    [ST_SPAN] = "SELECT min(first),max(last) FROM slot WHERE slot BETWEEN ? AND ?",
    [ST_FIRST] = "SELECT min(id) FROM query",
    [ST_LAST] = "SELECT max(id) FROM query",
    [ST_OLDEST] = "SELECT min(slot) FROM slot",
    [ST_SLOT_KINDS] = "SELECT slot,kind,count,us,squares FROM slot_kind"
                      " WHERE slot BETWEEN ? AND ? ORDER BY slot",
    [ST_SLOT_CLIENTS] = "SELECT slot,client,total,blocked FROM slot_client"
                        " WHERE slot BETWEEN ? AND ? ORDER BY slot",
};

sqlite3_stmt *history_statement(struct history_db *db, enum statement which)
{
    if (!db->statement[which]) {
        int rc = sqlite3_prepare_v3(db->sqlite, texts[which], -1, SQLITE_PREPARE_PERSISTENT,
                                    &db->statement[which], NULL);
        if (rc != SQLITE_OK) {
            (void)history_error(db, rc);
            return NULL;
        }
    }
    sqlite3_reset(db->statement[which]);
    return db->statement[which];
}

enum err history_run(struct history_db *db, sqlite3_stmt *st)
{
    if (!st) {
        return history_error(db, sqlite3_errcode(db->sqlite));
    }
    int rc = sqlite3_step(st);
    enum err e = rc == SQLITE_DONE || rc == SQLITE_ROW ? ERR_OK : history_error(db, rc);
    sqlite3_reset(st);
    return e;
}

enum err history_exec(struct history_db *db, const char *sql)
{
    int rc = sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? ERR_OK : history_error(db, rc);
}

enum err history_number(struct history_db *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(db->sqlite, sql, -1, &st, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(st);
        *out = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    }
    enum err e = rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_OK : history_error(db, rc);
    sqlite3_finalize(st);
    return e;
}

/* --- opening ---------------------------------------------------------------------------------- */

/* Settings that the file remembers come before its first table. */
static const char made_with[] = "PRAGMA page_size=4096;"
                                "PRAGMA auto_vacuum=INCREMENTAL;";

static const char used_with[] = "PRAGMA journal_mode=WAL;"
                                "PRAGMA synchronous=NORMAL;"
                                "PRAGMA temp_store=MEMORY;"
                                "PRAGMA cache_size=-2048;"
                                "PRAGMA journal_size_limit=4194304;"
                                "PRAGMA secure_delete=OFF;"
                                "PRAGMA mmap_size=0;"
                                "PRAGMA trusted_schema=OFF;";

static const char schema[] =
    "BEGIN;"
    "PRAGMA application_id=1397442633;" /* APPLICATION_ID */
    "PRAGMA user_version=1;"            /* VERSION */
    "CREATE TABLE name(id INTEGER PRIMARY KEY,text TEXT NOT NULL);"
    "CREATE TABLE client(id INTEGER PRIMARY KEY,addr TEXT NOT NULL);"
    "CREATE TABLE kind(id INTEGER PRIMARY KEY,type INTEGER NOT NULL,status TEXT NOT NULL,"
    "reply TEXT NOT NULL,rcode INTEGER NOT NULL,ede INTEGER NOT NULL,list INTEGER NOT NULL,"
    "upstream TEXT NOT NULL,flags INTEGER NOT NULL);"
    "CREATE TABLE query(id INTEGER PRIMARY KEY,time INTEGER NOT NULL,name INTEGER,"
    "client INTEGER NOT NULL,kind INTEGER NOT NULL,us INTEGER NOT NULL,cname INTEGER);"
    "CREATE TABLE slot(slot INTEGER PRIMARY KEY,first INTEGER NOT NULL,last INTEGER NOT NULL);"
    "CREATE TABLE slot_kind(slot INTEGER,kind INTEGER,count INTEGER NOT NULL,us INTEGER NOT NULL,"
    "squares REAL NOT NULL,PRIMARY KEY(slot,kind)) WITHOUT ROWID;"
    "CREATE TABLE slot_client(slot INTEGER,client INTEGER,total INTEGER NOT NULL,"
    "blocked INTEGER NOT NULL,PRIMARY KEY(slot,client)) WITHOUT ROWID;"
    "COMMIT;";

/* A file without tables gets ours; one with others is not ours. */
static enum err check_schema(struct history_db *db)
{
    int64_t tables = 0, application = 0, version = 0;
    enum err e = history_number(db, "SELECT count(*) FROM sqlite_schema", &tables);
    e = e == ERR_OK ? history_number(db, "PRAGMA application_id", &application) : e;
    e = e == ERR_OK ? history_number(db, "PRAGMA user_version", &version) : e;
    if (e != ERR_OK) {
        return e;
    }
    if (tables == 0 && db->mode == HISTORY_WRITE) {
        return history_exec(db, schema);
    }
    if (application != APPLICATION_ID) {
        snprintf(db->why, sizeof db->why, "not a history of queries");
        return ERR_CHECKSUM;
    }
    if (version != VERSION) {
        snprintf(db->why, sizeof db->why, "version %lld, expected %d", (long long)version, VERSION);
        return ERR_VERSION;
    }
    return ERR_OK;
}

/* Each statement is made once now: a table that is missing shows at the start. */
static enum err check_statements(struct history_db *db)
{
    for (int i = 0; i < ST_COUNT; i++) {
        if (!history_statement(db, (enum statement)i)) {
            enum err e = history_error(db, sqlite3_errcode(db->sqlite));
            return e == ERR_IO && sqlite3_errcode(db->sqlite) == SQLITE_ERROR ? ERR_CHECKSUM : e;
        }
    }
    return ERR_OK;
}

static enum err open_file(struct history_db *db, const char *path)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                (db->mode == HISTORY_WRITE ? SQLITE_OPEN_CREATE : 0);
    int rc = sqlite3_open_v2(path, &db->sqlite, flags, VFS_NAME);
    if (rc != SQLITE_OK) {
        return history_error(db, rc);
    }
    sqlite3_extended_result_codes(db->sqlite, 1);
    sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_busy_timeout(db->sqlite, 2000);
    enum err e = db->mode == HISTORY_WRITE ? history_exec(db, made_with) : ERR_OK;
    e = e == ERR_OK ? history_exec(db, used_with) : e;
    e = e == ERR_OK ? check_schema(db) : e;
    if (e == ERR_OK && db->mode == HISTORY_READ) {
        e = history_exec(db, "PRAGMA query_only=ON");
    }
    return e == ERR_OK ? check_statements(db) : e;
}

enum err history_db_open(const char *path, enum history_mode mode, struct history_db **out,
                         char why[HISTORY_WHY])
{
    struct history_db *db = calloc(1, sizeof *db);
    if (!db || !prepare_vfs()) {
        free(db);
        snprintf(why, HISTORY_WHY, "the library does not start");
        return ERR_MEMORY;
    }
    db->mode = mode;
    enum err e = sys_entropy(&db->key, sizeof db->key);
    e = e == ERR_OK ? open_file(db, path) : e;
    if (e != ERR_OK) {
        snprintf(why, HISTORY_WHY, "%s", db->why);
        history_db_close(db);
        return e;
    }
    *out = db;
    return ERR_OK;
}

bool history_db_is_sound(struct history_db *db)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db->sqlite, "PRAGMA quick_check(1)", -1, &st, NULL);
    bool sound = rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW &&
                 strcmp((const char *)sqlite3_column_text(st, 0), "ok") == 0;
    sqlite3_finalize(st);
    return sound;
}

void history_db_close(struct history_db *db)
{
    if (!db) {
        return;
    }
    for (int i = 0; i < ST_COUNT; i++) {
        sqlite3_finalize(db->statement[i]);
    }
    sqlite3_close(db->sqlite);
    history_dict_clear(&db->names);
    history_dict_clear(&db->clients);
    history_dict_clear(&db->kinds);
    free(db);
}

/* --- for both sides --------------------------------------------------------------------------- */

enum err history_span(struct history_db *db, int64_t from_us, int64_t until_us, uint64_t *first,
                      uint64_t *last)
{
    const int64_t slot_us = INT64_C(1000000) * HISTORY_SLOT_S;
    sqlite3_stmt *st = history_statement(db, ST_SPAN);
    if (!st) {
        return history_error(db, sqlite3_errcode(db->sqlite));
    }
    sqlite3_bind_int64(st, 1, from_us / slot_us);
    sqlite3_bind_int64(st, 2, until_us / slot_us);
    int rc = sqlite3_step(st);
    bool any = rc == SQLITE_ROW && sqlite3_column_type(st, 0) != SQLITE_NULL;
    *first = any ? (uint64_t)sqlite3_column_int64(st, 0) : 1;
    *last = any ? (uint64_t)sqlite3_column_int64(st, 1) : 0;
    sqlite3_reset(st);
    return rc == SQLITE_ROW ? ERR_OK : history_error(db, rc);
}
