/*
 * What Pi-hole reads from its database: sums over any time that the history covers. Where there is
 * no history, the statistics in memory answer: hours for 31 days, everything else for one.
 */
#include <string.h>

#include "api/feed.h"
#include "api/routes.h"
#include "api/summary.h"

/* --- the file --------------------------------------------------------------------------------- */

static json_t *problem_of(const struct history_status *s)
{
    return json_text_or_null(s->problem);
}

void view_database_status(struct call *c)
{
    const struct api_backend *be = c->api->be;
    struct history_status s = {0};
    bool supported = be->history_status != NULL;
    if (supported) {
        (void)be->history_status(be->ctx, &s);
    }
    reply_json(
        c, 200,
        json_pack("{s:{s:b, s:b, s:b, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}}",
                  "database", "supported", (int)supported, "enabled", (int)s.enabled, "writable",
                  (int)s.writable, "problem", problem_of(&s), "octets", (json_int_t)s.octets,
                  "octets_max", (json_int_t)s.octets_max, "keep_s", (json_int_t)s.keep_s, "queries",
                  (json_int_t)s.rows, "oldest", (json_int_t)s.oldest_unix, "batches",
                  (json_int_t)s.batches, "written_queries", (json_int_t)s.written_rows,
                  "lost_queries", (json_int_t)s.lost_rows, "written_octets",
                  (json_int_t)s.written_octets, "written_octets_day",
                  (json_int_t)s.written_octets_day));
}

/* In the words of Pi-hole. Who owns the file is nobody's business. */
void view_database_info(struct call *c)
{
    const struct api_backend *be = c->api->be;
    struct history_status s = {0};
    if (be->history_status) {
        (void)be->history_status(be->ctx, &s);
    }
    json_t *owner = json_pack("{s:{s:i, s:s, s:n}, s:{s:i, s:s}}", "user", "uid", 0, "name", "",
                              "info", "group", "gid", 0, "name", "");
    reply_json(c, 200,
               json_pack("{s:I, s:s, s:s, s:i, s:i, s:i, s:o, s:I, s:o, s:s}", "size",
                         (json_int_t)s.octets, "type", "Regular file", "mode", "rw-------", "atime",
                         0, "mtime", 0, "ctime", 0, "owner", owner, "queries", (json_int_t)s.rows,
                         "earliest_timestamp", json_rounded((double)s.oldest_unix),
                         "sqlite_version", s.version));
}

void view_database_erase(struct call *c)
{
    const struct api_backend *be = c->api->be;
    if (!be->history_erase) {
        reply_error(c, 501, "not_implemented", "This platform keeps no history", NULL);
        return;
    }
    enum err e = be->history_erase(be->ctx);
    if (e != ERR_OK) {
        reply_error(c, 500, "database_error", "The history could not be erased", err_text(e));
        return;
    }
    reply_empty(c, 204);
}

/* --- sums ------------------------------------------------------------------------------------- */

static json_t *write_summary(struct feed *f, const struct history_result *r)
{
    uint64_t blocked = r->totals.outcome[OUTCOME_BLOCKED];
    (void)f;
    return json_pack("{s:I, s:I, s:o, s:I}", "sum_queries", (json_int_t)r->totals.total,
                     "sum_blocked", (json_int_t)blocked, "percent_blocked",
                     json_rounded(summary_percent(blocked, r->totals.total)), "total_clients",
                     (json_int_t)r->clients_seen);
}

void view_database_summary(struct call *c)
{
    if (!history_reply(c, HISTORY_CLIENTS, write_summary)) {
        view_summary_of_hours(c);
    }
}

static json_t *write_types(struct feed *f, const struct history_result *r)
{
    (void)f;
    return json_pack("{s:o}", "types", types_object(&r->totals));
}

void view_database_types(struct call *c)
{
    if (!history_reply(c, HISTORY_TOTALS, write_types)) {
        view_query_types(c);
    }
}

static json_t *with_totals(const char *name, json_t *rows, const struct history_result *r)
{
    return json_pack("{s:o, s:I, s:I}", name, rows, "total_queries", (json_int_t)r->totals.total,
                     "blocked_queries", (json_int_t)r->totals.outcome[OUTCOME_BLOCKED]);
}

static json_t *write_domains(struct feed *f, const struct history_result *r)
{
    json_t *rows = json_array();
    (void)f;
    for (uint32_t i = 0; i < r->names; i++) {
        json_array_append_new(rows, json_pack("{s:o, s:I}", "domain", json_name(&r->name[i].name),
                                              "count", (json_int_t)r->name[i].count));
    }
    return with_totals("domains", rows, r);
}

void view_database_domains(struct call *c)
{
    if (!history_reply(c, HISTORY_NAMES, write_domains)) {
        view_top_domains(c);
    }
}

static json_t *write_clients(struct feed *f, const struct history_result *r)
{
    json_t *rows = json_array();
    for (uint32_t i = 0; i < r->clients; i++) {
        char addr[IP_TEXT_MAX], name[DNS_NAME_TEXT];
        const struct history_client *client = &r->client[i];
        ip_format(&client->addr, addr);
        client_name_of(f->api, &client->addr, name);
        json_array_append_new(
            rows, json_pack("{s:s, s:o, s:I}", "ip", addr, "name", json_text(name), "count",
                            (json_int_t)(f->history.blocked ? client->blocked : client->total)));
    }
    return with_totals("clients", rows, r);
}

void view_database_clients(struct call *c)
{
    if (!history_reply(c, HISTORY_CLIENTS, write_clients)) {
        view_top_clients(c);
    }
}

/* --- upstreams -------------------------------------------------------------------------------- */

/* "9.9.9.9#53" */
static json_t *upstream_object(const struct history_upstream *u)
{
    char text[HISTORY_UPSTREAM_TEXT];
    int port = 0;
    double n = u->count ? (double)u->count : 1, mean = u->sum_s / n;
    double variance = u->squares_s2 / n - mean * mean;
    memcpy(text, u->text, sizeof text);
    char *hash = NULL;
    for (char *p = text; *p; p++) {
        hash = *p == '#' ? p : hash;
    }
    for (const char *p = hash ? hash + 1 : ""; *p >= '0' && *p <= '9' && port < 65536; p++) {
        port = 10 * port + (*p - '0');
    }
    if (hash) {
        *hash = '\0';
    }
    return upstream_row(text, text, port, u->count, mean, variance > 0 ? variance : 0);
}

static json_t *write_upstreams(struct feed *f, const struct history_result *r)
{
    json_t *rows =
        upstream_fixed_rows(r->totals.outcome[OUTCOME_BLOCKED], summary_cached(r->totals.outcome));
    (void)f;
    for (uint32_t i = 0; i < r->upstreams; i++) {
        json_array_append_new(rows, upstream_object(&r->upstream[i]));
    }
    return json_pack("{s:o, s:I, s:I}", "upstreams", rows, "forwarded_queries",
                     (json_int_t)summary_forwarded(r->totals.outcome), "total_queries",
                     (json_int_t)r->totals.total);
}

void view_database_upstreams(struct call *c)
{
    if (!history_reply(c, HISTORY_TOTALS, write_upstreams)) {
        view_upstreams(c);
    }
}

/* --- timelines -------------------------------------------------------------------------------- */

static json_t *write_timeline(struct feed *f, const struct history_result *r)
{
    json_t *history = json_array();
    (void)f;
    for (uint32_t i = 0; i < r->slots; i++) {
        json_array_append_new(history, slot_object(&r->slot[i]));
    }
    return json_pack("{s:o}", "history", history);
}

void view_database_history(struct call *c)
{
    if (!history_reply(c, HISTORY_TIMELINE, write_timeline)) {
        view_history(c);
    }
}

static json_t *line_object(const struct history_result *r, uint32_t slot)
{
    json_t *data = json_object();
    for (uint32_t i = 0; i < r->clients && i < HISTORY_LINES_MAX; i++) {
        char addr[IP_TEXT_MAX];
        uint32_t count = r->line[slot * HISTORY_LINES_MAX + i];
        if (count > 0) {
            ip_format(&r->client[i].addr, addr);
            json_object_set_new(data, addr, json_integer(count));
        }
    }
    return json_pack("{s:I, s:o}", "timestamp", (json_int_t)r->slot[slot].start_unix, "data", data);
}

static json_t *write_lines(struct feed *f, const struct history_result *r)
{
    json_t *clients = json_object(), *history = json_array();
    for (uint32_t i = 0; i < r->clients && i < HISTORY_LINES_MAX; i++) {
        char addr[IP_TEXT_MAX], name[DNS_NAME_TEXT];
        ip_format(&r->client[i].addr, addr);
        client_name_of(f->api, &r->client[i].addr, name);
        json_object_set_new(clients, addr,
                            json_pack("{s:o, s:I}", "name", json_text_or_null(name), "total",
                                      (json_int_t)r->client[i].total));
    }
    for (uint32_t i = 0; i < r->slots; i++) {
        json_array_append_new(history, line_object(r, i));
    }
    return json_pack("{s:o, s:o}", "clients", clients, "history", history);
}

void view_database_history_clients(struct call *c)
{
    if (!history_reply(c, HISTORY_CLIENT_LINES, write_lines)) {
        view_history_clients(c);
    }
}
