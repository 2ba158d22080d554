/*
 * Top lists: of the last 24 hours from the tables that are kept for it, of any other span (from,
 * until) from the query log in memory or, where that does not reach back so far, from the history.
 */
#include <string.h>

#include "api/device_rows.h"
#include "api/routes.h"
#include "api/tally.h"

enum { COUNT_DEFAULT = 10 };

static uint32_t asked_count(const struct call *c)
{
    return (uint32_t)param_number(c, "count", 0, TOP_NAMES_MAX, COUNT_DEFAULT);
}

static void reply_top(struct call *c, const char *name, json_t *rows, uint64_t total,
                      uint64_t blocked)
{
    reply_json(c, 200,
               json_pack("{s:o, s:I, s:I}", name, rows, "total_queries", (json_int_t)total,
                         "blocked_queries", (json_int_t)blocked));
}

static void reply_top_of_day(struct call *c, const char *name, json_t *rows)
{
    struct stats_totals t;
    stats_day(c->api->stats, &t);
    reply_top(c, name, rows, t.total, t.outcome[OUTCOME_BLOCKED]);
}

/* --- names ----------------------------------------------------------------------------------- */

static void add_name(json_t *rows, json_t *domain, uint64_t count)
{
    json_array_append_new(rows,
                          json_pack("{s:o, s:I}", "domain", domain, "count", (json_int_t)count));
}

static void top_names_of_span(struct call *c, struct span_of_time span, bool blocked, uint32_t n)
{
    struct topk_row rows[TOP_NAMES_MAX];
    struct tally t;
    json_t *array = json_array();
    tally_log(c->api, span, TALLY_NAMES, blocked ? TALLY_BLOCKED : TALLY_PERMITTED, &t);
    n = topk_read(c->api->scratch, rows, n);
    for (uint32_t i = 0; i < n; i++) {
        add_name(array, json_wire_name(span_of(rows[i].key, rows[i].key_len)), rows[i].count);
    }
    reply_top(c, "domains", array, t.total, t.blocked);
}

void view_top_domains(struct call *c)
{
    struct span_of_time span = param_span(c);
    bool blocked = param_bool(c, "blocked", false);
    uint32_t n = asked_count(c);
    if (span.given && !tally_covers(c->api, span)) {
        view_database_domains(c);
        return;
    }
    if (span.given) {
        top_names_of_span(c, span, blocked, n);
        return;
    }
    json_t *array = json_array();
    n = stats_top_names(c->api->stats, blocked, c->api->names, n);
    for (uint32_t i = 0; i < n; i++) {
        add_name(array, json_name(&c->api->names[i].name), c->api->names[i].count);
    }
    reply_top_of_day(c, "domains", array);
}

/* --- clients --------------------------------------------------------------------------------- */

static void add_client(const struct call *c, json_t *rows, const struct ip_addr *client,
                       uint64_t count)
{
    char addr[IP_TEXT_MAX], name[DNS_NAME_TEXT];
    ip_format(client, addr);
    client_name_of(c->api, client, name);
    json_array_append_new(rows, json_pack("{s:s, s:o, s:I}", "ip", addr, "name", json_text(name),
                                          "count", (json_int_t)count));
}

static void top_clients_of_span(struct call *c, struct span_of_time span, bool blocked, uint32_t n)
{
    struct topk_row rows[TOP_NAMES_MAX];
    struct tally t;
    json_t *array = json_array();
    tally_log(c->api, span, TALLY_CLIENTS, blocked ? TALLY_BLOCKED : TALLY_ALL, &t);
    uint32_t read = topk_read(c->api->scratch, rows, TOP_NAMES_MAX);
    struct address_count of[TOP_NAMES_MAX];
    for (uint32_t i = 0; i < read; i++) {
        memcpy(of[i].addr.b, rows[i].key, sizeof of[i].addr.b);
        of[i].count = rows[i].count;
    }
    uint32_t count = device_rows_join(c->api, of, read);
    for (uint32_t i = 0; i < count && i < n; i++) {
        add_client(c, array, &of[i].addr, of[i].count);
    }
    reply_top(c, "clients", array, t.total, t.blocked);
}

void view_top_clients(struct call *c)
{
    struct span_of_time span = param_span(c);
    bool blocked = param_bool(c, "blocked", false);
    uint32_t n = asked_count(c);
    if (span.given && !tally_covers(c->api, span)) {
        view_database_clients(c);
        return;
    }
    if (span.given) {
        top_clients_of_span(c, span, blocked, n);
        return;
    }
    const struct device_rows *devices = device_rows_load(c->api, blocked);
    json_t *array = json_array();
    for (uint32_t i = 0; i < devices->count && i < n; i++) {
        const struct device_row *r = &devices->row[i];
        add_client(c, array, &r->addr, blocked ? r->blocked : r->total);
    }
    reply_top_of_day(c, "clients", array);
}

/* --- the newest blocked names ---------------------------------------------------------------- */

void view_recent_blocked(struct call *c)
{
    const struct stats *s = c->api->stats;
    uint32_t left = (uint32_t)param_number(c, "count", 0, TOP_NAMES_MAX, 1);
    struct stats_log_entry e;
    json_t *array = json_array();
    for (uint64_t id = stats_log_next(s); left > 0 && stats_log_at(s, --id, &e);) {
        if (query_outcome_of(e.status) == OUTCOME_BLOCKED) {
            json_array_append_new(array, json_wire_name(e.qname));
            left--;
        }
    }
    reply_json(c, 200, json_pack("{s:o}", "blocked", array));
}
