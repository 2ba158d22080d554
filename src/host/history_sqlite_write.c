/*
 * Writing: a batch is one transaction. Sums of slots are added up in memory first, so that each of
 * their rows is touched once a batch. Removal works at the old end, in pieces that fit into the
 * write-ahead log.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/name.h"
#include "host/history_sqlite_int.h"
#include "stats/names.h"

enum {
    SUMS = 1024, /* different (slot, kind) and (slot, client) of a batch; more come in turns */
    TRIM_ROWS = 20000,     /* at most, of one piece */
    FREE_PAGES_MIN = 1024, /* that many unused ones stay in the file for what comes */
    VACUUM_PAGES = 512
};

struct sum {
    int64_t slot, id;   /* of a kind or a client; id 0: free */
    uint64_t count, us; /* clients: total, blocked */
    double squares;
};

struct sums {
    struct sum row[SUMS];
    uint32_t count;
};

/* --- numbers of names, clients and kinds ------------------------------------------------------ */

static uint64_t hash_of(const struct history_db *db, const void *data, size_t len)
{
    return siphash13(db->key, data, len);
}

static enum err load(struct history_db *db, struct history_dict *dict, enum statement which)
{
    sqlite3_stmt *st = history_statement(db, which);
    int rc = SQLITE_ERROR;
    history_dict_clear(dict);
    if (st && which == ST_NAMES) {
        sqlite3_bind_int64(st, 1, HISTORY_DICT_MAX - HISTORY_DICT_MAX / 4);
    }
    while (st && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(st, 1);
        uint64_t hash = hash_of(db, text ? text : "", text ? strlen(text) : 0);
        if (history_dict_find(dict, hash) == 0) {
            history_dict_add(dict, hash, (uint64_t)sqlite3_column_int64(st, 0));
        }
    }
    if (st) {
        sqlite3_reset(st);
    }
    return rc == SQLITE_DONE ? ERR_OK : history_error(db, rc);
}

/* What makes a kind, as octets to be hashed. */
static uint64_t hash_kind(const struct history_db *db, const struct history_kind *k)
{
    char text[HISTORY_UPSTREAM_TEXT + 80];
    int len = snprintf(text, sizeof text, "%u %u %u %u %d %u %u %s", k->qtype, k->status, k->reply,
                       k->rcode, k->ede, k->flags, (unsigned)k->list_id, k->upstream);
    return hash_of(db, text, (size_t)len);
}

static enum err load_kinds(struct history_db *db)
{
    struct history_kinds kinds;
    enum err e = history_kinds_load(db, &kinds);
    history_dict_clear(&db->kinds);
    for (uint32_t i = 0; e == ERR_OK && i < kinds.count; i++) {
        if (kinds.kind[i].known) {
            history_dict_add(&db->kinds, hash_kind(db, &kinds.kind[i]), i);
        }
    }
    if (e == ERR_OK) {
        history_kinds_free(&kinds);
    }
    return e;
}

static enum err load_all(struct history_db *db)
{
    enum err e = db->loaded ? ERR_OK : load(db, &db->names, ST_NAMES);
    e = e == ERR_OK && !db->loaded ? load(db, &db->clients, ST_CLIENTS) : e;
    e = e == ERR_OK && !db->loaded ? load_kinds(db) : e;
    db->loaded = e == ERR_OK;
    return e;
}

/* The number of a text, made if it is new. */
static enum err number_of(struct history_db *db, struct history_dict *dict, enum statement add,
                          const char *text, size_t len, uint64_t *out)
{
    uint64_t hash = hash_of(db, text, len);
    enum err e = ERR_OK;
    *out = history_dict_find(dict, hash);
    if (*out == 0) {
        sqlite3_stmt *st = history_statement(db, add);
        if (st) {
            sqlite3_bind_text(st, 1, text, (int)len, SQLITE_STATIC);
        }
        e = history_run(db, st);
        *out = (uint64_t)sqlite3_last_insert_rowid(db->sqlite);
        if (e == ERR_OK) {
            history_dict_add(dict, hash, *out);
        }
    }
    return e;
}

static enum err number_of_name(struct history_db *db, const uint8_t *wire, size_t len,
                               uint64_t *out)
{
    struct dns_name name;
    char text[DNS_NAME_TEXT];
    *out = 0;
    if (len == 0 || dns_name_from_wire(wire, len, &name) != ERR_OK) {
        return ERR_OK;
    }
    size_t text_len = dns_name_format(&name, text);
    return number_of(db, &db->names, ST_ADD_NAME, text, text_len, out);
}

static enum err add_kind(struct history_db *db, const struct history_kind *k)
{
    sqlite3_stmt *st = history_statement(db, ST_ADD_KIND);
    if (st) {
        sqlite3_bind_int(st, 1, k->qtype);
        sqlite3_bind_text(st, 2, query_status_label((enum query_status)k->status), -1,
                          SQLITE_STATIC);
        sqlite3_bind_text(st, 3, query_reply_name((enum query_reply)k->reply), -1, SQLITE_STATIC);
        sqlite3_bind_int(st, 4, k->rcode);
        sqlite3_bind_int(st, 5, k->ede);
        sqlite3_bind_int64(st, 6, k->list_id);
        sqlite3_bind_text(st, 7, k->upstream, -1, SQLITE_STATIC);
        sqlite3_bind_int(st, 8, k->flags);
    }
    return history_run(db, st);
}

static enum err number_of_kind(struct history_db *db, const struct history_batch *b,
                               const struct history_item *item, uint64_t *out)
{
    struct history_kind k = {.qtype = item->qtype,
                             .status = item->status,
                             .reply = item->reply,
                             .rcode = item->rcode,
                             .ede = item->ede,
                             .flags = item->flags,
                             .list_id = item->list_id};
    if (item->upstream >= 0 && item->upstream < STATS_UPSTREAM_ROWS) {
        memcpy(k.upstream, b->upstream[item->upstream], sizeof k.upstream);
    }
    uint64_t hash = hash_kind(db, &k);
    *out = history_dict_find(&db->kinds, hash);
    if (*out != 0) {
        return ERR_OK;
    }
    enum err e = add_kind(db, &k);
    *out = (uint64_t)sqlite3_last_insert_rowid(db->sqlite);
    if (e == ERR_OK) {
        history_dict_add(&db->kinds, hash, *out);
    }
    return e;
}

/* --- sums ------------------------------------------------------------------------------------- */

static enum err flush_sums(struct history_db *db, struct sums *s, enum statement which)
{
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < SUMS && e == ERR_OK; i++) {
        const struct sum *r = &s->row[i];
        if (r->id == 0) {
            continue;
        }
        sqlite3_stmt *st = history_statement(db, which);
        if (st) {
            sqlite3_bind_int64(st, 1, r->slot);
            sqlite3_bind_int64(st, 2, r->id);
            sqlite3_bind_int64(st, 3, (int64_t)r->count);
            sqlite3_bind_int64(st, 4, (int64_t)r->us);
        }
        if (st && which == ST_ADD_SLOT_KIND) {
            sqlite3_bind_double(st, 5, r->squares);
        }
        e = history_run(db, st);
    }
    memset(s, 0, sizeof *s);
    return e;
}

static enum err sum_at(struct history_db *db, struct sums *s, enum statement which, int64_t slot,
                       uint64_t id, struct sum **out)
{
    if (s->count > SUMS / 2) {
        enum err e = flush_sums(db, s, which);
        if (e != ERR_OK) {
            return e;
        }
    }
    uint32_t i = (uint32_t)((uint64_t)slot * 31 + id) % SUMS;
    while (s->row[i].id != 0 && (s->row[i].id != (int64_t)id || s->row[i].slot != slot)) {
        i = (i + 1) % SUMS;
    }
    s->count += s->row[i].id == 0;
    s->row[i].id = (int64_t)id;
    s->row[i].slot = slot;
    *out = &s->row[i];
    return ERR_OK;
}

/* --- a batch ---------------------------------------------------------------------------------- */

struct writing {
    struct sums kinds, clients;
    int64_t slot; /* of the rows from first on */
    uint64_t first, last;
};

static enum err end_slot(struct history_db *db, struct writing *w)
{
    if (w->first == 0) {
        return ERR_OK;
    }
    sqlite3_stmt *st = history_statement(db, ST_ADD_SLOT);
    if (st) {
        sqlite3_bind_int64(st, 1, w->slot);
        sqlite3_bind_int64(st, 2, (int64_t)w->first);
        sqlite3_bind_int64(st, 3, (int64_t)w->last);
    }
    w->first = 0;
    return history_run(db, st);
}

static enum err add_sums(struct history_db *db, struct writing *w, const struct history_item *item,
                         int64_t slot, uint64_t kind, uint64_t client)
{
    enum query_outcome outcome = query_outcome_of((enum query_status)item->status);
    struct sum *sum;
    double s = item->latency_us / 1e6;
    enum err e = sum_at(db, &w->kinds, ST_ADD_SLOT_KIND, slot, kind, &sum);
    if (e != ERR_OK) {
        return e;
    }
    sum->count++;
    sum->us += item->latency_us;
    sum->squares += s * s;
    if (outcome != OUTCOME_IGNORED) {
        e = sum_at(db, &w->clients, ST_ADD_SLOT_CLIENT, slot, client, &sum);
        if (e == ERR_OK) {
            sum->count++;
            sum->us += outcome == OUTCOME_BLOCKED;
        }
    }
    return e;
}

static void bind_name(sqlite3_stmt *st, int column, uint64_t id)
{
    if (id) {
        sqlite3_bind_int64(st, column, (int64_t)id);
    } else {
        sqlite3_bind_null(st, column);
    }
}

static enum err add_row(struct history_db *db, const struct history_item *item, uint64_t name,
                        uint64_t cname, uint64_t client, uint64_t kind)
{
    sqlite3_stmt *st = history_statement(db, ST_ADD_QUERY);
    if (!st) {
        return history_run(db, st);
    }
    sqlite3_bind_int64(st, 1, (int64_t)item->id);
    sqlite3_bind_int64(st, 2, item->unix_us / 1000);
    bind_name(st, 3, name);
    sqlite3_bind_int64(st, 4, (int64_t)client);
    sqlite3_bind_int64(st, 5, (int64_t)kind);
    sqlite3_bind_int64(st, 6, item->latency_us);
    bind_name(st, 7, cname);
    return history_run(db, st);
}

static enum err add_item(struct history_db *db, const struct history_batch *b,
                         const struct history_item *item, struct writing *w)
{
    const uint8_t *names = (const uint8_t *)(item + 1);
    char addr[IP_TEXT_MAX];
    uint64_t name = 0, cname = 0, client, kind;
    int64_t slot = item->unix_us / (INT64_C(1000000) * HISTORY_SLOT_S);
    enum err e = ERR_OK;
    if (w->first != 0 && slot != w->slot) {
        e = end_slot(db, w);
    }
    size_t addr_len = ip_format(&item->client, addr);
    e = e == ERR_OK ? number_of_name(db, names, item->qname_len, &name) : e;
    e = e == ERR_OK ? number_of_name(db, names + item->qname_len, item->cname_len, &cname) : e;
    e = e == ERR_OK ? number_of(db, &db->clients, ST_ADD_CLIENT, addr, addr_len, &client) : e;
    e = e == ERR_OK ? number_of_kind(db, b, item, &kind) : e;
    e = e == ERR_OK ? add_row(db, item, name, cname, client, kind) : e;
    e = e == ERR_OK ? add_sums(db, w, item, slot, kind, client) : e;
    w->first = w->first ? w->first : item->id;
    w->last = item->id;
    w->slot = slot;
    return e;
}

static enum err add_all(struct history_db *db, const struct history_batch *b, struct writing *w)
{
    enum err e = load_all(db);
    size_t at = 0;
    for (uint32_t i = 0; i < b->count && e == ERR_OK; i++) {
        const struct history_item *item = (const struct history_item *)(const void *)(b->data + at);
        e = add_item(db, b, item, w);
        at += item->size;
    }
    e = e == ERR_OK ? end_slot(db, w) : e;
    e = e == ERR_OK ? flush_sums(db, &w->kinds, ST_ADD_SLOT_KIND) : e;
    return e == ERR_OK ? flush_sums(db, &w->clients, ST_ADD_SLOT_CLIENT) : e;
}

/* Ends a transaction with a commit, or takes all of it back; the tables in memory may know numbers
 * that are gone then. */
static enum err end_transaction(struct history_db *db, enum err e)
{
    char why[HISTORY_WHY];
    e = e == ERR_OK ? history_run(db, history_statement(db, ST_COMMIT)) : e;
    if (e != ERR_OK) {
        memcpy(why, db->why, sizeof why);
        if (!sqlite3_get_autocommit(db->sqlite)) {
            enum err back = history_run(db, history_statement(db, ST_ROLLBACK));
            (void)back; /* the first error counts */
        }
        memcpy(db->why, why, sizeof why);
        db->loaded = false;
    }
    return e;
}

enum err history_db_write(struct history_db *db, const struct history_batch *batch)
{
    struct writing *w = calloc(1, sizeof *w);
    enum err e = w ? history_run(db, history_statement(db, ST_BEGIN)) : ERR_MEMORY;
    if (e == ERR_OK) {
        e = end_transaction(db, add_all(db, batch, w));
    }
    free(w);
    return e;
}

/* --- removal ---------------------------------------------------------------------------------- */

static enum err id_of(struct history_db *db, enum statement which, uint64_t *out)
{
    sqlite3_stmt *st = history_statement(db, which);
    int rc = st ? sqlite3_step(st) : SQLITE_ERROR;
    *out = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(st, 0) : 0;
    if (st) {
        sqlite3_reset(st);
    }
    return rc == SQLITE_ROW ? ERR_OK : history_error(db, rc);
}

enum err history_db_extent(struct history_db *db, struct history_extent *out)
{
    int64_t pages = 0, unused = 0, size = 0;
    uint64_t slot = 0;
    enum err e = id_of(db, ST_FIRST, &out->first_id);
    e = e == ERR_OK ? id_of(db, ST_LAST, &out->last_id) : e;
    e = e == ERR_OK ? id_of(db, ST_OLDEST, &slot) : e;
    e = e == ERR_OK ? history_number(db, "PRAGMA page_count", &pages) : e;
    e = e == ERR_OK ? history_number(db, "PRAGMA freelist_count", &unused) : e;
    e = e == ERR_OK ? history_number(db, "PRAGMA page_size", &size) : e;
    out->oldest_unix = (int64_t)slot * HISTORY_SLOT_S;
    out->octets = (uint64_t)((pages - unused) * size);
    return e;
}

static enum err remove_below(struct history_db *db, uint64_t id, int64_t slot)
{
    char sql[400];
    snprintf(sql, sizeof sql,
             "DELETE FROM query WHERE id<%llu;"
             "DELETE FROM slot_kind WHERE slot<%lld;"
             "DELETE FROM slot_client WHERE slot<%lld;"
             "DELETE FROM slot WHERE slot<%lld;",
             (unsigned long long)id, (long long)slot, (long long)slot, (long long)slot);
    enum err e = history_run(db, history_statement(db, ST_BEGIN));
    return e == ERR_OK ? end_transaction(db, history_exec(db, sql)) : e;
}

/* The slot in which the row `id` is: what is before it goes with the rows before. */
static enum err slot_of(struct history_db *db, uint64_t id, int64_t *out)
{
    char sql[120];
    snprintf(sql, sizeof sql, "SELECT min(slot) FROM slot WHERE last>=%llu",
             (unsigned long long)id);
    return history_number(db, sql, out);
}

/* Gives back pages that nothing is in, but for some that new rows will take anyway. */
static enum err give_back(struct history_db *db, bool *more)
{
    int64_t pages = 0, unused = 0;
    enum err e = history_number(db, "PRAGMA page_count", &pages);
    e = e == ERR_OK ? history_number(db, "PRAGMA freelist_count", &unused) : e;
    if (e != ERR_OK || unused < FREE_PAGES_MIN || unused < pages / 4) {
        return e;
    }
    char sql[60];
    snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%d)", VACUUM_PAGES);
    *more = true;
    return history_exec(db, sql);
}

static enum err remove_future(struct history_db *db, int64_t now_unix)
{
    char sql[300];
    long long slot = (long long)(now_unix + 86400) / HISTORY_SLOT_S;
    int64_t any = 0;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM slot WHERE slot>%lld", slot);
    enum err e = history_number(db, sql, &any);
    if (e != ERR_OK || any == 0) {
        return e;
    }
    snprintf(sql, sizeof sql,
             "BEGIN IMMEDIATE;DELETE FROM query WHERE id>=(SELECT min(first) FROM slot WHERE"
             " slot>%lld) AND time>%lld;DELETE FROM slot_kind WHERE slot>%lld;"
             "DELETE FROM slot_client WHERE slot>%lld;DELETE FROM slot WHERE slot>%lld;",
             slot, slot * HISTORY_SLOT_S * 1000, slot, slot, slot);
    return end_transaction(db, history_exec(db, sql));
}

enum err history_db_trim(struct history_db *db, int64_t oldest_unix, int64_t now_unix,
                         uint64_t max_octets, bool *more)
{
    struct history_extent x = {0};
    uint64_t last_old = 0, keep_from;
    int64_t slot = 0;
    char sql[120];
    *more = false;
    enum err e = remove_future(db, now_unix);
    e = e == ERR_OK ? history_db_extent(db, &x) : e;
    if (e != ERR_OK || x.first_id == 0) {
        return e;
    }
    snprintf(sql, sizeof sql, "SELECT max(last) FROM slot WHERE slot<%lld",
             (long long)oldest_unix / HISTORY_SLOT_S);
    e = history_number(db, sql, (int64_t *)&last_old);
    keep_from = last_old + 1;
    if (x.octets > max_octets) { /* a twentieth below, so that this does not come at each batch */
        uint64_t spare = x.octets - max_octets + max_octets / 20;
        double part = (double)spare / (double)x.octets;
        uint64_t oldest = x.first_id + (uint64_t)(part * (double)(x.last_id - x.first_id)) + 1;
        keep_from = oldest > keep_from ? oldest : keep_from;
    }
    if (e == ERR_OK && keep_from > x.first_id) {
        uint64_t step = x.first_id + TRIM_ROWS;
        *more = keep_from > step;
        keep_from = *more ? step : keep_from;
        e = slot_of(db, keep_from, &slot);
        slot = slot ? slot : (oldest_unix / HISTORY_SLOT_S);
        e = e == ERR_OK ? remove_below(db, keep_from, slot) : e;
    }
    return e == ERR_OK ? give_back(db, more) : e;
}

/* --- names that nothing refers to ------------------------------------------------------------- */

struct marks {
    uint64_t first, count; /* ids */
    uint8_t *bits;
};

static void mark(struct marks *m, sqlite3_stmt *st, int column)
{
    uint64_t id = (uint64_t)sqlite3_column_int64(st, column);
    if (id >= m->first && id - m->first < m->count) {
        m->bits[(id - m->first) / 8] |= (uint8_t)(1u << (id - m->first) % 8);
    }
}

static enum err mark_names(struct history_db *db, struct marks *m, const atomic_bool *stop)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db->sqlite, "SELECT name,cname FROM query", -1, &st, NULL);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = atomic_load_explicit(stop, memory_order_relaxed) ? SQLITE_INTERRUPT : sqlite3_step(st);
        if (rc == SQLITE_ROW) {
            mark(m, st, 0);
            mark(m, st, 1);
        }
    }
    enum err e = rc == SQLITE_DONE ? ERR_OK : history_error(db, rc);
    sqlite3_finalize(st);
    return e;
}

static enum err remove_unmarked(struct history_db *db, const struct marks *m)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db->sqlite, "DELETE FROM name WHERE id=?", -1, &st, NULL);
    enum err e = rc == SQLITE_OK ? ERR_OK : history_error(db, rc);
    for (uint64_t i = 0; i < m->count && e == ERR_OK; i++) {
        if (!(m->bits[i / 8] >> i % 8 & 1)) {
            sqlite3_bind_int64(st, 1, (int64_t)(m->first + i));
            e = history_run(db, st);
        }
    }
    sqlite3_finalize(st);
    return e;
}

enum err history_db_sweep(struct history_db *db, const atomic_bool *stop)
{
    int64_t first = 0, last = 0;
    enum err e = history_number(db, "SELECT min(id) FROM name", &first);
    e = e == ERR_OK ? history_number(db, "SELECT max(id) FROM name", &last) : e;
    if (e != ERR_OK || last == 0) {
        return e;
    }
    struct marks m = {.first = (uint64_t)first, .count = (uint64_t)(last - first) + 1};
    m.bits = calloc(m.count / 8 + 1, 1);
    e = m.bits ? mark_names(db, &m, stop) : ERR_MEMORY;
    e = e == ERR_OK ? history_run(db, history_statement(db, ST_BEGIN)) : e;
    if (e == ERR_OK) {
        e = end_transaction(db, remove_unmarked(db, &m));
        db->loaded = false; /* some numbers are gone */
    }
    free(m.bits);
    return e;
}
