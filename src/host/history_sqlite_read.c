/*
 * Reading. Sums come from the tables of slots; rows are looked at newest first in pieces of ids, so
 * that no transaction is open for long, others get their turn between two pieces, and a question
 * can be dropped. Conditions on names, clients and kinds are judged once for each of these, not for
 * each row.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/query_filter.h"
#include "dns/msg.h"
#include "host/history_sqlite_int.h"
#include "host/sys.h"

enum {
    PIECE = 50000,        /* ids looked at in one step */
    CHECK_OPS = 20000,    /* of the database's machine, between two looks at the clock */
    COUNTS_MAX = 1 << 18, /* different names that are counted */
    CLIENTS_MAX = 1 << 16,
    MERGE = 4 /* top names are read so many times over, as one name may have two numbers */
};

/* --- a table of counts by number -------------------------------------------------------------- */

struct counts {
    struct count {
        uint64_t id; /* 0: free */
        uint64_t n;
    } * place;
    uint32_t places, used;
    bool full; /* some were not counted */
};

static void counts_free(struct counts *c)
{
    free(c->place);
    *c = (struct counts){0};
}

static struct count *counts_find(const struct counts *c, uint64_t id)
{
    for (uint64_t i = id * UINT64_C(0x9e3779b97f4a7c15) >> 32;; i++) {
        struct count *p = &c->place[i & (c->places - 1)];
        if (p->id == id || p->id == 0) {
            return p;
        }
    }
}

static bool counts_grow(struct counts *c)
{
    struct counts next = {.places = c->places ? 2 * c->places : 4096, .used = c->used};
    next.place = next.places <= 2 * COUNTS_MAX ? calloc(next.places, sizeof *next.place) : NULL;
    if (!next.place) {
        return false;
    }
    for (uint32_t i = 0; i < c->places; i++) {
        if (c->place[i].id) {
            *counts_find(&next, c->place[i].id) = c->place[i];
        }
    }
    free(c->place);
    *c = next;
    return true;
}

static void counts_add(struct counts *c, uint64_t id, uint64_t n)
{
    if (c->used >= c->places / 2 && !counts_grow(c) && c->used >= c->places / 2) {
        c->full = true;
        struct count *known = c->places ? counts_find(c, id) : NULL;
        if (known && known->id == id) {
            known->n += n;
        }
        return;
    }
    struct count *p = counts_find(c, id);
    c->used += p->id == 0;
    p->id = id;
    p->n += n;
}

/* --- kinds ------------------------------------------------------------------------------------ */

static bool read_label(const char *text, int count, const char *(*name)(int), uint8_t *out)
{
    for (int i = 0; text && i < count; i++) {
        if (strcmp(text, name(i)) == 0) {
            *out = (uint8_t)i;
            return true;
        }
    }
    return false;
}

static const char *status_at(int i)
{
    return query_status_label((enum query_status)i);
}

static const char *reply_at(int i)
{
    return query_reply_name((enum query_reply)i);
}

static const char *text_of(sqlite3_stmt *st, int column)
{
    const char *text = (const char *)sqlite3_column_text(st, column);
    return text ? text : "";
}

static void read_kind(sqlite3_stmt *st, struct history_kind *k)
{
    k->known = read_label(text_of(st, 2), QUERY_STATUS_COUNT, status_at, &k->status) &&
               read_label(text_of(st, 3), REPLY_COUNT, reply_at, &k->reply);
    k->qtype = (uint16_t)sqlite3_column_int(st, 1);
    k->rcode = (uint8_t)sqlite3_column_int(st, 4);
    k->ede = (int8_t)sqlite3_column_int(st, 5);
    k->list_id = (uint32_t)sqlite3_column_int64(st, 6);
    snprintf(k->upstream, sizeof k->upstream, "%s", text_of(st, 7));
    k->flags = (uint8_t)sqlite3_column_int(st, 8);
}

static enum err kinds_count(struct history_db *db, uint32_t *out)
{
    int64_t max = 0;
    enum err e = history_number(db, "SELECT max(id) FROM kind", &max);
    *out = max < 0 ? 0 : max >= HISTORY_KINDS_MAX ? HISTORY_KINDS_MAX : (uint32_t)max + 1;
    return e;
}

enum err history_kinds_load(struct history_db *db, struct history_kinds *out)
{
    *out = (struct history_kinds){0};
    enum err e = kinds_count(db, &out->count);
    out->kind = e == ERR_OK ? calloc(out->count + 1u, sizeof *out->kind) : NULL;
    sqlite3_stmt *st = out->kind ? history_statement(db, ST_KINDS) : NULL;
    int rc = SQLITE_ERROR;
    while (st && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        uint64_t id = (uint64_t)sqlite3_column_int64(st, 0);
        if (id < out->count) {
            read_kind(st, &out->kind[id]);
        }
    }
    if (st) {
        sqlite3_reset(st);
    }
    if (rc == SQLITE_DONE) {
        return ERR_OK;
    }
    e = e != ERR_OK ? e : out->kind ? history_error(db, rc) : ERR_MEMORY;
    history_kinds_free(out);
    return e;
}

void history_kinds_free(struct history_kinds *k)
{
    free(k->kind);
    *k = (struct history_kinds){0};
}

static const struct history_kind *kind_at(const struct history_kinds *k, uint64_t id)
{
    return id < k->count && k->kind[id].known ? &k->kind[id] : NULL;
}

/* --- a question ------------------------------------------------------------------------------- */

/* Which numbers are wanted; any: all are. */
struct chosen {
    bool any;
    uint8_t *bits;
    uint64_t count;
};

struct history_scan {
    struct history_ask ask;
    struct history_result result;
    struct history_kinds kinds;
    struct chosen names, clients, wanted; /* wanted: kinds */
    struct ip_addr *client;               /* addresses by number */
    uint64_t client_count;
    uint64_t first, next; /* ids still to be looked at: first..next-1, from above */
    struct counts counts;
    usec_t spent;
    bool begun;
};

struct history_scan *history_scan_new(const struct history_ask *ask)
{
    struct history_scan *s = calloc(1, sizeof *s);
    if (!s) {
        return NULL;
    }
    s->ask = *ask;
    struct history_result *r = &s->result;
    r->row = ask->what == HISTORY_ROWS ? calloc(HISTORY_PAGE, sizeof *r->row) : NULL;
    r->name = calloc(HISTORY_TOP_MAX, sizeof *r->name);
    r->client = calloc(HISTORY_TOP_MAX, sizeof *r->client);
    r->slot = calloc(HISTORY_SLOTS_MAX, sizeof *r->slot);
    r->line = ask->what == HISTORY_CLIENT_LINES
                  ? calloc((size_t)HISTORY_SLOTS_MAX * HISTORY_LINES_MAX, sizeof *r->line)
                  : NULL;
    if (!r->name || !r->client || !r->slot || (ask->what == HISTORY_ROWS && !r->row) ||
        (ask->what == HISTORY_CLIENT_LINES && !r->line)) {
        history_scan_free(s);
        return NULL;
    }
    return s;
}

/* Of the two kinds of sums with most; while a table grows there are one and a half of it. */
uint64_t history_scan_memory(void)
{
    uint64_t lines = (uint64_t)HISTORY_SLOTS_MAX * HISTORY_LINES_MAX * sizeof(uint32_t);
    uint64_t counts = UINT64_C(3) * COUNTS_MAX * sizeof(struct count);
    uint64_t clients = CLIENTS_MAX * (sizeof(struct ip_addr) + 2 * sizeof(uint64_t));
    return sizeof(struct history_scan) + HISTORY_PAGE * sizeof(struct history_row) +
           HISTORY_TOP_MAX * (sizeof(struct history_name) + sizeof(struct history_client)) +
           HISTORY_SLOTS_MAX * sizeof(struct stats_slot) + clients +
           HISTORY_KINDS_MAX * sizeof(struct history_kind) + (counts > lines ? counts : lines);
}

void history_scan_free(struct history_scan *s)
{
    if (!s) {
        return;
    }
    history_kinds_free(&s->kinds);
    counts_free(&s->counts);
    free(s->names.bits);
    free(s->clients.bits);
    free(s->wanted.bits);
    free(s->client);
    free(s->result.row);
    free(s->result.name);
    free(s->result.client);
    free(s->result.slot);
    free(s->result.line);
    free(s);
}

struct history_result *history_scan_result(struct history_scan *s)
{
    return &s->result;
}

static bool is_chosen(const struct chosen *c, uint64_t id)
{
    return c->any || (id < c->count && (c->bits[id / 8] >> id % 8 & 1));
}

static enum err chosen_open(struct chosen *c, uint64_t count)
{
    c->count = count;
    c->bits = calloc(count / 8 + 1, 1);
    return c->bits ? ERR_OK : ERR_MEMORY;
}

static void choose(struct chosen *c, uint64_t id)
{
    if (id < c->count) {
        c->bits[id / 8] |= (uint8_t)(1u << id % 8);
    }
}

/* --- what is wanted, by number ---------------------------------------------------------------- */

static enum err choose_names(struct history_scan *s, struct history_db *db)
{
    int64_t max = 0;
    s->names.any = s->ask.domain[0] == '\0';
    if (s->names.any) {
        return ERR_OK;
    }
    enum err e = history_number(db, "SELECT max(id) FROM name", &max);
    e = e == ERR_OK ? chosen_open(&s->names, (uint64_t)max + 1) : e;
    sqlite3_stmt *st = e == ERR_OK ? history_statement(db, ST_NAMES) : NULL;
    int rc = SQLITE_ERROR;
    if (st) {
        sqlite3_bind_int64(st, 1, -1);
    }
    while (st && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        if (wildcard_matches(s->ask.domain, text_of(st, 1))) {
            choose(&s->names, (uint64_t)sqlite3_column_int64(st, 0));
        }
    }
    if (st) {
        sqlite3_reset(st);
    }
    return e != ERR_OK || rc == SQLITE_DONE ? e : history_error(db, rc);
}

static bool wants_client(const struct history_ask *ask, const struct ip_addr *addr,
                         const char *text)
{
    bool among = ask->client_count == UINT32_MAX;
    for (uint32_t i = 0; !among && i < ask->client_count && i < HISTORY_CLIENTS_ASKED; i++) {
        among = ip_equal(&ask->client[i], addr);
    }
    return among && (!ask->client_ip[0] || wildcard_matches(ask->client_ip, text));
}

static enum err load_clients(struct history_scan *s, struct history_db *db)
{
    int64_t max = 0;
    enum err e = history_number(db, "SELECT max(id) FROM client", &max);
    s->client_count = max < 0 || max >= CLIENTS_MAX ? CLIENTS_MAX : (uint64_t)max + 1;
    s->client = calloc(s->client_count, sizeof *s->client);
    e = e == ERR_OK && !s->client ? ERR_MEMORY : e;
    e = e == ERR_OK ? chosen_open(&s->clients, s->client_count) : e;
    s->clients.any = s->ask.client_count == UINT32_MAX && !s->ask.client_ip[0];
    sqlite3_stmt *st = e == ERR_OK ? history_statement(db, ST_CLIENTS) : NULL;
    int rc = SQLITE_ERROR;
    while (st && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        uint64_t id = (uint64_t)sqlite3_column_int64(st, 0);
        const char *text = text_of(st, 1);
        if (id < s->client_count && ip_parse(span_str(text), &s->client[id]) == ERR_OK &&
            wants_client(&s->ask, &s->client[id], text)) {
            choose(&s->clients, id);
        }
    }
    if (st) {
        sqlite3_reset(st);
    }
    return e != ERR_OK || rc == SQLITE_DONE ? e : history_error(db, rc);
}

static bool wants_kind(const struct history_ask *ask, const struct history_kind *k)
{
    char type[16];
    enum query_outcome outcome = query_outcome_of((enum query_status)k->status);
    if (ask->what == HISTORY_NAMES) {
        return outcome != OUTCOME_IGNORED && ask->blocked == (outcome == OUTCOME_BLOCKED);
    }
    return (ask->statuses >> k->status & 1) && (ask->replies >> k->reply & 1) &&
           (!ask->type[0] || wildcard_matches(ask->type, dns_type_format(k->qtype, type))) &&
           (!ask->upstream[0] || wildcard_matches(ask->upstream, k->upstream));
}

static enum err choose_kinds(struct history_scan *s, struct history_db *db)
{
    history_kinds_free(&s->kinds);
    free(s->wanted.bits);
    s->wanted = (struct chosen){0};
    enum err e = history_kinds_load(db, &s->kinds);
    e = e == ERR_OK ? chosen_open(&s->wanted, s->kinds.count) : e;
    for (uint32_t i = 0; e == ERR_OK && i < s->kinds.count; i++) {
        if (s->kinds.kind[i].known && wants_kind(&s->ask, &s->kinds.kind[i])) {
            choose(&s->wanted, i);
        }
    }
    return e;
}

/* --- rows ------------------------------------------------------------------------------------- */

static size_t read_name(struct history_db *db, sqlite3_stmt *st, int column,
                        uint8_t out[DNS_NAME_MAX])
{
    struct dns_name name;
    size_t len = 0;
    sqlite3_stmt *names = history_statement(db, ST_NAME);
    if (!names || sqlite3_column_type(st, column) == SQLITE_NULL) {
        return 0;
    }
    sqlite3_bind_int64(names, 1, sqlite3_column_int64(st, column));
    if (sqlite3_step(names) == SQLITE_ROW &&
        dns_name_parse(span_str(text_of(names, 0)), &name) == ERR_OK) {
        memcpy(out, name.wire, name.len);
        len = name.len;
    }
    sqlite3_reset(names);
    return len;
}

static void read_row(struct history_scan *s, struct history_db *db, sqlite3_stmt *st,
                     const struct history_kind *k)
{
    struct history_row *row = &s->result.row[s->result.rows++];
    uint64_t client = (uint64_t)sqlite3_column_int64(st, 3);
    row->entry = (struct stats_log_entry){.id = (uint64_t)sqlite3_column_int64(st, 0),
                                          .unix_us = sqlite3_column_int64(st, 1) * 1000,
                                          .latency_us = (uint32_t)sqlite3_column_int64(st, 5),
                                          .list_id = k->list_id,
                                          .upstream = -1,
                                          .qtype = k->qtype,
                                          .status = (enum query_status)k->status,
                                          .reply = (enum query_reply)k->reply,
                                          .rcode = k->rcode,
                                          .ede = k->ede,
                                          .flags = k->flags};
    if (client < s->client_count) {
        row->entry.client = s->client[client];
    }
    memcpy(row->upstream, k->upstream, sizeof row->upstream);
    row->entry.qname = span_of(row->qname, read_name(db, st, 2, row->qname));
    row->entry.cname = span_of(row->cname, read_name(db, st, 6, row->cname));
}

static void look_at(struct history_scan *s, struct history_db *db, sqlite3_stmt *st)
{
    uint64_t kind = (uint64_t)sqlite3_column_int64(st, 4);
    int64_t time_us = sqlite3_column_int64(st, 1) * 1000;
    uint64_t name = (uint64_t)sqlite3_column_int64(st, 2);
    if (!is_chosen(&s->wanted, kind) || time_us < s->ask.from_us || time_us >= s->ask.until_us) {
        return;
    }
    if (s->ask.what == HISTORY_NAMES) {
        if (name != 0) {
            counts_add(&s->counts, name, 1);
        }
    } else if (is_chosen(&s->names, name) &&
               is_chosen(&s->clients, (uint64_t)sqlite3_column_int64(st, 3))) {
        read_row(s, db, st, &s->kinds.kind[kind]);
    }
}

/* Rows of ids from below s->next, until the page is full or a piece has been looked at. */
static enum err look_at_piece(struct history_scan *s, struct history_db *db)
{
    uint64_t floor = s->next - s->first > PIECE ? s->next - PIECE : s->first;
    sqlite3_stmt *st = history_statement(db, ST_ROWS);
    int rc = SQLITE_ERROR;
    if (st) {
        sqlite3_bind_int64(st, 1, (int64_t)floor);
        sqlite3_bind_int64(st, 2, (int64_t)s->next - 1);
    }
    while (st && s->result.rows < HISTORY_PAGE && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        look_at(s, db, st);
        s->next = (uint64_t)sqlite3_column_int64(st, 0);
    }
    if (st) {
        sqlite3_reset(st);
    }
    if (rc == SQLITE_DONE) {
        s->next = floor;
    }
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? ERR_OK : history_error(db, rc);
}

static int by_count(const void *a, const void *b)
{
    const struct count *x = a, *y = b;
    return x->n != y->n ? (x->n < y->n ? 1 : -1) : (x->id > y->id) - (x->id < y->id);
}

static int name_by_count(const void *a, const void *b)
{
    const struct history_name *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count ? 1 : -1)
                                : dns_name_compare(&x->name, &y->name);
}

/* One name may have two numbers: their counts are added. */
static void add_top(struct history_result *r, const struct dns_name *name, uint64_t n)
{
    for (uint32_t i = 0; i < r->names; i++) {
        if (dns_name_equal(&r->name[i].name, name)) {
            r->name[i].count += n;
            return;
        }
    }
    if (r->names < HISTORY_TOP_MAX) {
        dns_name_copy(&r->name[r->names].name, name);
        r->name[r->names++].count = n;
    }
}

static enum err text_to_name(struct history_db *db, uint64_t id, struct dns_name *out)
{
    sqlite3_stmt *st = history_statement(db, ST_NAME);
    int rc = SQLITE_ERROR;
    if (st) {
        sqlite3_bind_int64(st, 1, (int64_t)id);
        rc = sqlite3_step(st);
    }
    enum err e = rc == SQLITE_ROW ? dns_name_parse(span_str(text_of(st, 0)), out) : ERR_NOT_FOUND;
    if (st) {
        sqlite3_reset(st);
    }
    return e;
}

static void take_top_names(struct history_scan *s, struct history_db *db)
{
    struct history_result *r = &s->result;
    uint32_t n = 0, want = s->ask.count < HISTORY_TOP_MAX ? s->ask.count : HISTORY_TOP_MAX;
    struct count *all = s->counts.place;
    struct dns_name name;
    for (uint32_t i = 0; i < s->counts.places; i++) {
        if (all[i].id) {
            all[n++] = all[i];
        }
    }
    if (n > 0) {
        qsort(all, n, sizeof *all, by_count);
    }
    for (uint32_t i = 0; i < n && i < MERGE * want; i++) {
        if (text_to_name(db, all[i].id, &name) == ERR_OK) {
            add_top(r, &name, all[i].n);
        }
    }
    qsort(r->name, r->names, sizeof *r->name, name_by_count);
    r->names = r->names < want ? r->names : want;
    r->partial |= s->counts.full;
    counts_free(&s->counts);
}

/* --- sums ------------------------------------------------------------------------------------- */

static void add_upstream(struct history_result *r, const struct history_kind *k, uint64_t count,
                         double sum_s, double squares)
{
    uint32_t i = 0;
    while (i < r->upstreams && strcmp(r->upstream[i].text, k->upstream) != 0) {
        i++;
    }
    if (i == STATS_UPSTREAM_ROWS) {
        return;
    }
    struct history_upstream *u = &r->upstream[i];
    if (i == r->upstreams) {
        *u = (struct history_upstream){0};
        memcpy(u->text, k->upstream, sizeof u->text);
        r->upstreams++;
    }
    u->count += count;
    u->sum_s += sum_s;
    u->squares_s2 += squares;
}

static struct stats_slot *slot_at(struct history_scan *s, int64_t start)
{
    struct history_result *r = &s->result;
    if (r->slots > 0 && r->slot[r->slots - 1].start_unix == start) {
        return &r->slot[r->slots - 1];
    }
    if (r->slots == HISTORY_SLOTS_MAX) {
        r->partial = true;
        return NULL;
    }
    r->slot[r->slots] = (struct stats_slot){.start_unix = start};
    return &r->slot[r->slots++];
}

static int64_t start_of(const struct history_scan *s, int64_t slot)
{
    int64_t length = s->ask.slot_s >= HISTORY_SLOT_S ? s->ask.slot_s : HISTORY_SLOT_S;
    return slot * HISTORY_SLOT_S / length * length;
}

static void add_kind_sum(struct history_scan *s, sqlite3_stmt *st)
{
    const struct history_kind *k = kind_at(&s->kinds, (uint64_t)sqlite3_column_int64(st, 1));
    uint64_t n = (uint64_t)sqlite3_column_int64(st, 2);
    struct stats_totals *t = &s->result.totals;
    if (!k) {
        return;
    }
    enum query_outcome outcome = query_outcome_of((enum query_status)k->status);
    t->status[k->status] += n;
    t->outcome[outcome] += n;
    if (outcome == OUTCOME_IGNORED) {
        return;
    }
    t->total += n;
    t->reply[k->reply] += n;
    t->type[stats_type_of(k->qtype)] += n;
    if (k->upstream[0]) {
        add_upstream(&s->result, k, n, (double)sqlite3_column_int64(st, 3) / 1e6,
                     sqlite3_column_double(st, 4));
    }
    struct stats_slot *slot = slot_at(s, start_of(s, sqlite3_column_int64(st, 0)));
    if (slot) {
        slot->total += n;
        slot->outcome[outcome] += n;
    }
}

/* Slots that begin within the span. */
static sqlite3_stmt *slots_of(const struct history_scan *s, struct history_db *db,
                              enum statement which)
{
    const int64_t slot_us = INT64_C(1000000) * HISTORY_SLOT_S;
    sqlite3_stmt *st = history_statement(db, which);
    if (st) {
        sqlite3_bind_int64(st, 1, s->ask.from_us / slot_us + (s->ask.from_us % slot_us != 0));
        sqlite3_bind_int64(st, 2, (s->ask.until_us - 1) / slot_us);
    }
    return st;
}

static enum err sum_kinds(struct history_scan *s, struct history_db *db)
{
    sqlite3_stmt *st = slots_of(s, db, ST_SLOT_KINDS);
    int rc = SQLITE_ERROR;
    while (st && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        add_kind_sum(s, st);
    }
    if (st) {
        sqlite3_reset(st);
    }
    return rc == SQLITE_DONE ? ERR_OK : history_error(db, rc);
}

struct client_sum {
    uint64_t total, blocked;
};

static enum err add_clients(struct history_scan *s, struct history_db *db, struct client_sum *sums)
{
    sqlite3_stmt *st = slots_of(s, db, ST_SLOT_CLIENTS);
    int rc = SQLITE_ERROR;
    while (st && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        uint64_t id = (uint64_t)sqlite3_column_int64(st, 1);
        if (id < s->client_count) {
            sums[id].total += (uint64_t)sqlite3_column_int64(st, 2);
            sums[id].blocked += (uint64_t)sqlite3_column_int64(st, 3);
        }
    }
    if (st) {
        sqlite3_reset(st);
    }
    return rc == SQLITE_DONE ? ERR_OK : history_error(db, rc);
}

/* Into the result, kept in order; the last one drops out when it is full. */
static void insert_client(struct history_scan *s, uint32_t want, const struct ip_addr *addr,
                          const struct client_sum *sum)
{
    struct history_result *r = &s->result;
    bool blocked = s->ask.blocked;
    uint64_t n = blocked ? sum->blocked : sum->total;
    uint32_t at = r->clients;
    while (at > 0 && (blocked ? r->client[at - 1].blocked : r->client[at - 1].total) < n) {
        at--;
    }
    if (n == 0 || at >= want) {
        return;
    }
    r->clients += r->clients < want;
    memmove(&r->client[at + 1], &r->client[at], (r->clients - at - 1) * sizeof r->client[0]);
    r->client[at] =
        (struct history_client){.addr = *addr, .total = sum->total, .blocked = sum->blocked};
}

static uint32_t line_of(const struct history_scan *s, uint64_t id)
{
    for (uint32_t i = 0; i < s->result.clients && i < HISTORY_LINES_MAX; i++) {
        if (id < s->client_count && ip_equal(&s->result.client[i].addr, &s->client[id])) {
            return i;
        }
    }
    return UINT32_MAX;
}

static enum err add_lines(struct history_scan *s, struct history_db *db)
{
    struct history_result *r = &s->result;
    sqlite3_stmt *st = slots_of(s, db, ST_SLOT_CLIENTS);
    int rc = SQLITE_ERROR;
    uint32_t at = 0;
    while (st && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        uint32_t line = line_of(s, (uint64_t)sqlite3_column_int64(st, 1));
        int64_t start = start_of(s, sqlite3_column_int64(st, 0));
        while (at + 1 < r->slots && r->slot[at].start_unix < start) {
            at++;
        }
        if (line != UINT32_MAX && at < r->slots && r->slot[at].start_unix == start) {
            r->line[at * HISTORY_LINES_MAX + line] += (uint32_t)sqlite3_column_int64(st, 2);
        }
    }
    if (st) {
        sqlite3_reset(st);
    }
    return rc == SQLITE_DONE ? ERR_OK : history_error(db, rc);
}

static enum err sum_clients(struct history_scan *s, struct history_db *db)
{
    uint32_t most = s->ask.what == HISTORY_CLIENT_LINES ? HISTORY_LINES_MAX : HISTORY_TOP_MAX;
    uint32_t want = s->ask.count < most ? s->ask.count : most;
    struct client_sum *sums = calloc(s->client_count, sizeof *sums);
    enum err e = sums ? add_clients(s, db, sums) : ERR_MEMORY;
    for (uint64_t i = 0; e == ERR_OK && i < s->client_count; i++) {
        s->result.clients_seen += sums[i].total > 0;
        insert_client(s, want, &s->client[i], &sums[i]);
    }
    free(sums);
    return e == ERR_OK && s->ask.what == HISTORY_CLIENT_LINES ? add_lines(s, db) : e;
}

/* --- one step --------------------------------------------------------------------------------- */

static int is_stopped(void *arg)
{
    const atomic_bool *stop = arg;
    return atomic_load_explicit(stop, memory_order_relaxed);
}

static enum err begin(struct history_scan *s, struct history_db *db)
{
    uint64_t first, last;
    enum err e = choose_kinds(s, db);
    e = e == ERR_OK ? load_clients(s, db) : e;
    if (s->ask.what != HISTORY_ROWS) {
        e = e == ERR_OK ? sum_kinds(s, db) : e;
    }
    if (s->ask.what == HISTORY_CLIENTS || s->ask.what == HISTORY_CLIENT_LINES) {
        e = e == ERR_OK ? sum_clients(s, db) : e;
    }
    if (e == ERR_OK && (s->ask.what == HISTORY_ROWS || s->ask.what == HISTORY_NAMES)) {
        e = choose_names(s, db);
        e = e == ERR_OK ? history_span(db, s->ask.from_us, s->ask.until_us, &first, &last) : e;
        if (e == ERR_OK && s->ask.before != 0 && s->ask.before <= last) {
            last = s->ask.before - 1;
        }
        s->first = e == ERR_OK ? first : 1;
        s->next = e == ERR_OK && last >= first ? last + 1 : s->first;
    }
    s->begun = e == ERR_OK;
    return e;
}

static enum err step(struct history_scan *s, struct history_db *db, enum history_state *state)
{
    usec_t start = sys_now();
    enum err e = s->begun ? ERR_OK : begin(s, db);
    if (e == ERR_OK && s->next > s->first) {
        e = look_at_piece(s, db);
    }
    s->spent += sys_now() - start;
    *state = HISTORY_WORKING;
    if (e != ERR_OK || s->next <= s->first) {
        *state = HISTORY_DONE;
    } else if (s->result.rows == HISTORY_PAGE) {
        *state = HISTORY_PAGE_READY;
    } else if (s->spent > s->ask.time_us) {
        s->result.partial = true;
        *state = HISTORY_DONE;
    }
    if (e == ERR_OK && *state == HISTORY_DONE && s->ask.what == HISTORY_NAMES) {
        take_top_names(s, db);
    }
    return e;
}

enum err history_scan_step(struct history_scan *s, struct history_db *db, const atomic_bool *stop,
                           enum history_state *state)
{
    sqlite3_progress_handler(db->sqlite, CHECK_OPS, is_stopped, (void *)(uintptr_t)stop);
    enum err e = step(s, db, state);
    sqlite3_progress_handler(db->sqlite, 0, NULL, NULL);
    if (e != ERR_OK) {
        s->result.failed = "the history could not be read";
        s->result.partial = true;
        *state = HISTORY_DONE;
    }
    return e;
}

/* --- what a list would have blocked ----------------------------------------------------------- */

struct matching {
    struct history_match *m;
    struct history_kinds kinds;
    struct counts names;   /* first all of them; then those that hit */
    struct counts clients; /* of those that hit, by name and client */
    uint64_t first, last;
    const atomic_bool *stop;
    bool pairs;
};

#define PAIR_CLIENTS (UINT64_C(1) << 20)

static void count_row(struct matching *x, sqlite3_stmt *st)
{
    const struct history_kind *k = kind_at(&x->kinds, (uint64_t)sqlite3_column_int64(st, 4));
    uint64_t name = (uint64_t)sqlite3_column_int64(st, 2);
    enum query_outcome outcome =
        k ? query_outcome_of((enum query_status)k->status) : OUTCOME_IGNORED;
    if (name == 0 || outcome == OUTCOME_IGNORED || outcome == OUTCOME_BLOCKED ||
        sqlite3_column_int64(st, 1) * 1000 < x->m->from_us) {
        return;
    }
    uint64_t client = (uint64_t)sqlite3_column_int64(st, 3);
    if (!x->pairs) {
        x->m->queries++;
        counts_add(&x->names, name, 1);
    } else if (client < PAIR_CLIENTS) {
        struct count *hit = counts_find(&x->names, name);
        if (hit->id == name) {
            counts_add(&x->clients, name * PAIR_CLIENTS + client, 1);
        }
    }
}

static enum err walk(struct matching *x, struct history_db *db)
{
    enum err e = ERR_OK;
    for (uint64_t at = x->first; at <= x->last && e == ERR_OK; at += PIECE) {
        uint64_t end = x->last - at < PIECE ? x->last : at + PIECE - 1;
        sqlite3_stmt *st = history_statement(db, ST_ROWS);
        int rc = SQLITE_ERROR;
        if (st) {
            sqlite3_bind_int64(st, 1, (int64_t)at);
            sqlite3_bind_int64(st, 2, (int64_t)end);
        }
        while (st && (rc = sqlite3_step(st)) == SQLITE_ROW) {
            count_row(x, st);
        }
        if (st) {
            sqlite3_reset(st);
        }
        e = rc == SQLITE_DONE ? ERR_OK : history_error(db, rc);
        e = e == ERR_OK && atomic_load(x->stop) ? ERR_TIMEOUT : e;
    }
    return e;
}

/* The table is made anew with the names that hit. */
static void keep_hits(struct matching *x, struct history_db *db)
{
    struct counts hits = {0};
    struct dns_name name;
    for (uint32_t i = 0; i < x->names.places && !atomic_load(x->stop); i++) {
        uint64_t id = x->names.place[i].id;
        if (id && text_to_name(db, id, &name) == ERR_OK && x->m->hit(x->m->ctx, &name)) {
            counts_add(&hits, id, 0);
        }
    }
    x->m->partial |= x->names.full;
    counts_free(&x->names);
    x->names = hits;
    x->pairs = true;
}

static void tell_pairs(struct matching *x, struct history_db *db)
{
    struct dns_name name;
    struct ip_addr addr;
    for (uint32_t i = 0; i < x->clients.places; i++) {
        const struct count *c = &x->clients.place[i];
        char sql[80];
        if (c->id == 0 || text_to_name(db, c->id / PAIR_CLIENTS, &name) != ERR_OK) {
            continue;
        }
        sqlite3_stmt *st = NULL;
        snprintf(sql, sizeof sql, "SELECT addr FROM client WHERE id=%llu",
                 (unsigned long long)(c->id % PAIR_CLIENTS));
        if (sqlite3_prepare_v2(db->sqlite, sql, -1, &st, NULL) == SQLITE_OK &&
            sqlite3_step(st) == SQLITE_ROW && ip_parse(span_str(text_of(st, 0)), &addr) == ERR_OK) {
            x->m->found(x->m->ctx, &name, &addr, c->n);
        }
        sqlite3_finalize(st);
    }
    x->m->partial |= x->names.full || x->clients.full;
}

enum err history_db_match(struct history_db *db, struct history_match *m, const atomic_bool *stop)
{
    struct matching x = {.m = m, .stop = stop};
    enum err e = history_kinds_load(db, &x.kinds);
    e = e == ERR_OK ? history_span(db, m->from_us, INT64_MAX, &x.first, &x.last) : e;
    if (e == ERR_OK && x.last >= x.first) {
        m->last_id = x.last;
        e = walk(&x, db);
        if (e == ERR_OK) {
            keep_hits(&x, db);
            e = x.names.places ? walk(&x, db) : ERR_OK;
        }
        if (e == ERR_OK) {
            tell_pairs(&x, db);
        }
    }
    counts_free(&x.names);
    counts_free(&x.clients);
    history_kinds_free(&x.kinds);
    return e;
}
