/*
 * The query log, newest first, as a stream: a page of a hundred rows and an export of all go the
 * same way, and neither needs a buffer for more than a few rows. First come the rows in memory,
 * then, where the memory ends, those of the history; ids are the same in both. The cursor is the
 * highest id of the first page; entries that come later do not move the pages.
 */
#include <string.h>

#include "api/feed.h"
#include "api/routes.h"
#include "dns/msg.h"

enum {
    LENGTH_DEFAULT = 100,
    ROW_OCTETS = 7168,  /* a row with two names of the worst kind is shorter */
    SCAN_AT_ONCE = 8192 /* entries looked at before others get their turn */
};

enum phase { HEAD, MEMORY, HISTORY, TAIL, END };

json_t *query_object(struct api *a, const struct stats_log_entry *e, const char *upstream)
{
    char client[IP_TEXT_MAX], name[DNS_NAME_TEXT], text[300], type[16];
    const char *list = e->list_id ? list_name_of(a, e->list_id) : NULL;
    ip_format(&e->client, client);
    client_name_of(a, &e->client, name);
    if (!upstream) {
        upstream_text(a->stats, e->upstream, text);
        upstream = text;
    }
    return json_pack(
        "{s:I, s:o, s:s, s:o, s:o, s:s, s:{s:s, s:o}, s:s, s:{s:s, s:o}, s:o, s:o, s:{s:i, s:o}}",
        "id", (json_int_t)e->id, "time", json_rounded((double)e->unix_us / 1e6), "type",
        dns_type_format(e->qtype, type), "domain",
        e->qname.len ? json_wire_name(e->qname) : json_string(""), "cname",
        json_wire_name(e->cname), "status", query_status_name(e->status), "client", "ip", client,
        "name", json_text_or_null(name), "dnssec", "UNKNOWN", "reply", "type",
        query_reply_name(e->reply), "time", json_rounded(e->latency_us / 1e6), "list_id",
        e->list_id ? json_integer(e->list_id) : json_null(), "upstream",
        json_text_or_null(upstream), "ede", "code", (int)e->ede, "text",
        e->ede >= 0 ? json_text_or_null(list) : json_null());
}

/* --- one row in each form --------------------------------------------------------------------- */

static void csv_char(struct piece *p, char c)
{
    if (piece_room(p) > 0) {
        p->buf[p->len++] = c;
    }
}

/* In quotes. A text that a spreadsheet would take for a formula gets an apostrophe before it. */
static void csv_field(struct piece *p, const json_t *value, bool last)
{
    const char *text = json_string_value(value);
    if (json_is_number(value)) {
        (void)piece_json(p, json_incref((json_t *)(uintptr_t)value));
    } else if (text) {
        csv_char(p, '"');
        if (text[0] != '\0' && strchr("=+-@\t\r", text[0])) {
            csv_char(p, '\'');
        }
        for (; *text; text++) {
            if (*text == '"') {
                csv_char(p, '"');
            }
            csv_char(p, *text);
        }
        csv_char(p, '"');
    }
    piece_text(p, last ? "\r\n" : ",");
}

static void write_csv(struct piece *p, const json_t *row)
{
    static const char *const fields[][2] = {
        {"time", NULL},     {"domain", NULL},   {"type", NULL},    {"status", NULL},
        {"client", "ip"},   {"client", "name"}, {"reply", "type"}, {"reply", "time"},
        {"upstream", NULL}, {"cname", NULL},    {"list_id", NULL}, {"id", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const json_t *value = json_object_get(row, fields[i][0]);
        value = fields[i][1] ? json_object_get(value, fields[i][1]) : value;
        csv_field(p, value, i + 1 == ARRAY_LEN(fields));
    }
}

static void write_row(struct feed *f, struct piece *p, json_t *row)
{
    switch (f->queries.form) {
    case WRITE_JSON:
        piece_text(p, f->queries.any ? "," : "");
        (void)piece_json(p, row);
        break;
    case WRITE_LINES:
        (void)piece_json(p, row);
        piece_text(p, "\n");
        break;
    case WRITE_CSV:
        write_csv(p, row);
        json_decref(row);
        break;
    }
    f->queries.any = true;
}

/* --- head and tail ---------------------------------------------------------------------------- */

static void write_head(struct feed *f, struct piece *p)
{
    if (f->queries.form == WRITE_JSON) {
        piece_text(p, "{\"queries\":[");
    } else if (f->queries.form == WRITE_CSV) {
        piece_text(p, "time,domain,type,status,client_ip,client_name,reply,reply_s,upstream,alias,"
                      "list_id,id\r\n");
    }
}

static void write_tail(struct feed *f, struct piece *p)
{
    char tail[256];
    struct strbuf text;
    if (f->queries.form != WRITE_JSON) {
        return;
    }
    strbuf_init(&text, tail, sizeof tail);
    strbuf_printf(
        &text,
        "],\"cursor\":%llu,\"recordsTotal\":%llu,\"recordsFiltered\":%llu,\"draw\":0,\"took\":",
        (unsigned long long)f->queries.cursor, (unsigned long long)f->queries.total,
        (unsigned long long)f->queries.matched);
    piece_text(p, tail);
    (void)piece_json(p, json_rounded(f->queries.took));
    piece_text(p, "}");
}

/* --- the rows --------------------------------------------------------------------------------- */

/* One entry further; writes it if it is on the page. */
static void step(struct feed *f, struct piece *p, const struct stats_log_entry *e,
                 const char *upstream)
{
    if (!query_filter_takes(f->api, &f->queries.filter, e, upstream)) {
        return;
    }
    f->queries.matched++;
    if (f->queries.skip > 0) {
        f->queries.skip--;
    } else if (f->queries.left > 0) {
        f->queries.left--;
        json_t *row = query_object(f->api, e, upstream);
        if (row) {
            write_row(f, p, row);
        }
    }
}

/* Nothing more to find out: the page is full, and how many there are is known. */
static bool is_through(const struct feed *f)
{
    return f->queries.left == 0 && (f->queries.filter.everything || f->queries.form != WRITE_JSON);
}

/* Rows in memory, and those of the history that are not in memory any more. */
static uint64_t count_rows(const struct api *a, bool with_history)
{
    uint64_t first = stats_log_first(a->stats), next = stats_log_next(a->stats);
    struct history_status h = {0};
    if (!with_history || !history_exists(a) || !a->be->history_status(a->be->ctx, &h)) {
        return next - first;
    }
    uint64_t both = h.newest_id >= first ? h.newest_id - first + 1 : 0;
    return next - first + (h.rows > both ? h.rows - both : 0);
}

/* May rows that are wanted lie before those in memory? */
static bool goes_on_in_history(const struct feed *f)
{
    struct stats_log_entry oldest;
    const struct stats *s = f->api->stats;
    return f->queries.disk != DISK_NO &&
           count_rows(f->api, true) > stats_log_next(s) - stats_log_first(s) &&
           (!stats_log_at(s, stats_log_first(s), &oldest) ||
            oldest.unix_us >= f->queries.filter.span.from_us);
}

static void begin_history(struct feed *f)
{
    struct history_ask ask;
    const struct api_backend *be = f->api->be;
    query_filter_ask(f->api, &f->queries.filter, &ask);
    ask.before = f->queries.next + 1;
    ask.time_us = (f->queries.form != WRITE_JSON     ? 3600
                   : f->queries.disk == DISK_BRIEFLY ? 3
                                                     : 30) *
                  USEC_PER_SEC;
    f->job = be->history_open(be->ctx, &ask);
    f->queries.row = 0;
    f->phase = f->job ? HISTORY : TAIL;
}

static void fill_from_memory(struct feed *f, struct piece *p)
{
    struct stats_log_entry e;
    for (int n = 0; n < SCAN_AT_ONCE && piece_room(p) >= ROW_OCTETS; n++) {
        if (is_through(f)) {
            f->phase = TAIL;
            return;
        }
        if (!stats_log_at(f->api->stats, f->queries.next, &e)) {
            bool older = goes_on_in_history(f);
            if (older && f->queries.left > 0) {
                begin_history(f);
            } else {
                f->queries.matched += older; /* there may be one more */
                f->phase = TAIL;
            }
            return;
        }
        f->queries.next--;
        step(f, p, &e, NULL);
    }
}

static enum feed_step fill_from_history(struct feed *f, struct piece *p)
{
    const struct api_backend *be = f->api->be;
    const struct history_result *r;
    enum history_state state = be->history_poll(be->ctx, f->job, &r);
    if (state == HISTORY_WORKING) {
        return FEED_LATER;
    }
    while (f->queries.row < r->rows && f->queries.left > 0) {
        if (piece_room(p) < ROW_OCTETS) {
            return FEED_MORE;
        }
        const struct history_row *row = &r->row[f->queries.row++];
        step(f, p, &row->entry, row->upstream);
    }
    if (state == HISTORY_DONE || f->queries.left == 0) {
        /* There may be one more: how many there are in all would take a look at each row. */
        f->queries.matched += state != HISTORY_DONE || r->partial || f->queries.row < r->rows;
        feed_drop_history(f);
        f->phase = TAIL;
        return FEED_MORE;
    }
    f->queries.row = 0;
    be->history_next(be->ctx, f->job);
    return FEED_LATER;
}

static enum feed_step fill(struct feed *f, struct piece *p, usec_t now)
{
    (void)now;
    switch ((enum phase)f->phase) {
    case HEAD:
        write_head(f, p);
        f->phase = MEMORY;
        fill_from_memory(f, p);
        return FEED_MORE;
    case MEMORY:
        fill_from_memory(f, p);
        return FEED_MORE;
    case HISTORY:
        return fill_from_history(f, p);
    case TAIL:
        /* Without a filter every entry counts, and what is left need not be looked at. */
        f->queries.matched = f->queries.filter.everything ? f->queries.total : f->queries.matched;
        write_tail(f, p);
        f->phase = END;
        return FEED_MORE;
    case END:
        break;
    }
    return FEED_END;
}

static struct feed *open_log(struct call *c, const char *content_type, uint64_t length)
{
    const struct stats *s = c->api->stats;
    uint64_t newest = stats_log_next(s) - 1;
    int64_t asked = param_number(c, "cursor", 0, INT64_MAX / 2, INT64_MAX / 2);
    struct feed *f = feed_open(c, content_type, fill);
    char disk[8];
    if (!f) {
        return NULL;
    }
    list_names_load(c->api);
    query_filter_read(c, &f->queries.filter);
    f->queries.cursor = (uint64_t)asked < newest ? (uint64_t)asked : newest;
    f->queries.next = f->queries.cursor;
    f->queries.skip = (uint64_t)param_number(c, "start", 0, INT32_MAX, 0);
    f->queries.left = length;
    f->queries.disk = !param_text(c, "disk", disk, sizeof disk) ? DISK_BRIEFLY
                      : param_bool(c, "disk", false)            ? DISK_YES
                                                                : DISK_NO;
    f->queries.total = count_rows(c->api, f->queries.disk != DISK_NO);
    f->queries.took = call_took(c);
    return f;
}

void view_queries(struct call *c)
{
    (void)open_log(c, "application/json; charset=utf-8",
                   (uint64_t)param_number(c, "length", 0, INT32_MAX, LENGTH_DEFAULT));
}

void view_export(struct call *c)
{
    char format[16] = "csv";
    (void)param_text(c, "format", format, sizeof format);
    bool lines = strcmp(format, "jsonl") == 0;
    if (!lines && strcmp(format, "csv") != 0) {
        reply_error(c, 400, "bad_request", "Unknown format", "format=csv or format=jsonl");
        return;
    }
    struct feed *f = open_log(c, lines ? "application/x-ndjson" : "text/csv; charset=utf-8",
                              (uint64_t)param_number(c, "length", 0, INT64_MAX / 2, INT64_MAX / 2));
    if (f) {
        f->queries.form = lines ? WRITE_LINES : WRITE_CSV;
        f->filler = '\0';
        reply_header(c, "Content-Disposition",
                     lines ? "attachment; filename=\"queries.jsonl\""
                           : "attachment; filename=\"queries.csv\"");
    }
}
