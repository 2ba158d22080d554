/*
 * The query log, newest first, as a stream: a page of a hundred rows and an export of all go the
 * same way, and neither needs a buffer for more than a few rows. The cursor is the highest id of
 * the first page; entries that come later do not move the pages.
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

json_t *query_object(struct api *a, const struct stats_log_entry *e)
{
    char client[IP_TEXT_MAX], name[DNS_NAME_TEXT], upstream[300], type[16];
    const char *list = e->list_id ? list_name_of(a, e->list_id) : NULL;
    ip_format(&e->client, client);
    client_name_of(a, &e->client, name);
    upstream_text(a->stats, e->upstream, upstream);
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

static enum feed_step write_end(struct feed *f, struct piece *p)
{
    char tail[256];
    struct strbuf text;
    strbuf_init(&text, tail, sizeof tail);
    strbuf_printf(
        &text,
        "],\"cursor\":%llu,\"recordsTotal\":%llu,\"recordsFiltered\":%llu,\"draw\":0,\"took\":",
        (unsigned long long)f->queries.cursor, (unsigned long long)f->queries.total,
        (unsigned long long)f->queries.matched);
    piece_text(p, tail);
    (void)piece_json(p, json_rounded(f->queries.took));
    piece_text(p, "}");
    f->phase = 2;
    return FEED_MORE;
}

/* One entry further; writes it if it is on the page. */
static void step(struct feed *f, struct piece *p, const struct stats_log_entry *e)
{
    if (!query_filter_takes(f->api, &f->queries.filter, e)) {
        return;
    }
    f->queries.matched++;
    if (f->queries.skip > 0) {
        f->queries.skip--;
    } else if (f->queries.left > 0) {
        f->queries.left--;
        json_t *row = query_object(f->api, e);
        if (row) {
            piece_text(p, f->queries.any ? "," : "");
            f->queries.any = true;
            (void)piece_json(p, row);
        }
    }
}

static bool page_is_full(const struct feed *f)
{
    return f->queries.left == 0 && f->queries.filter.everything;
}

static enum feed_step fill(struct feed *f, struct piece *p, usec_t now)
{
    struct stats_log_entry e;
    (void)now;
    if (f->phase == 0) {
        piece_text(p, "{\"queries\":[");
        f->phase = 1;
    }
    if (f->phase == 2) {
        return FEED_END;
    }
    for (int n = 0; n < SCAN_AT_ONCE; n++) {
        if (piece_room(p) < ROW_OCTETS) {
            return FEED_MORE;
        }
        if (page_is_full(f) || !stats_log_at(f->api->stats, f->queries.next, &e)) {
            /* Without a filter every entry counts, and what is left need not be looked at. */
            f->queries.matched =
                f->queries.filter.everything ? f->queries.total : f->queries.matched;
            return write_end(f, p);
        }
        f->queries.next--;
        step(f, p, &e);
    }
    return FEED_MORE;
}

void view_queries(struct call *c)
{
    const struct stats *s = c->api->stats;
    uint64_t newest = stats_log_next(s) - 1;
    int64_t asked = param_number(c, "cursor", 0, INT64_MAX / 2, INT64_MAX / 2);
    uint64_t cursor = (uint64_t)asked < newest ? (uint64_t)asked : newest;
    struct feed *f = feed_open(c, "application/json; charset=utf-8", fill);
    if (!f) {
        return;
    }
    list_names_load(c->api);
    query_filter_read(c, &f->queries.filter);
    f->queries.cursor = cursor;
    f->queries.next = cursor;
    f->queries.skip = (uint64_t)param_number(c, "start", 0, INT32_MAX, 0);
    f->queries.left = (uint64_t)param_number(c, "length", 0, INT32_MAX, LENGTH_DEFAULT);
    f->queries.total = newest + 1 - stats_log_first(s);
    f->queries.took = call_took(c);
}

/* --- what a person may type into the filters ------------------------------------------------- */

enum { SUGGESTIONS = 30 };

static json_t *words_of_statuses(void)
{
    json_t *array = json_array();
    for (int i = 0; i < QUERY_STATUS_COUNT; i++) {
        const char *name = query_status_name((enum query_status)i);
        bool repeated = false;
        for (int k = 0; k < i; k++) {
            repeated = repeated || strcmp(name, query_status_name((enum query_status)k)) == 0;
        }
        if (!repeated) {
            json_array_append_new(array, json_string(name));
        }
    }
    return array;
}

static void add_names(struct call *c, json_t *array, bool blocked)
{
    uint32_t n = stats_top_names(c->api->stats, blocked, c->api->names, SUGGESTIONS);
    for (uint32_t i = 0; i < n; i++) {
        json_array_append_new(array, json_name(&c->api->names[i].name));
    }
}

static void add_clients(struct call *c, json_t *ips, json_t *names)
{
    struct stats_client clients[SUGGESTIONS];
    uint32_t n = stats_top_clients(c->api->stats, false, clients, SUGGESTIONS);
    for (uint32_t i = 0; i < n; i++) {
        char text[DNS_NAME_TEXT];
        ip_format(&clients[i].addr, text);
        json_array_append_new(ips, json_string(text));
        client_name_of(c->api, &clients[i].addr, text);
        if (text[0]) {
            json_array_append_new(names, json_text(text));
        }
    }
}

static json_t *upstreams_array(const struct stats *s)
{
    json_t *array = json_pack("[s, s, s]", "blocklist", "cache", "permitted");
    for (int row = 0; row < STATS_UPSTREAM_ROWS; row++) {
        char text[300];
        upstream_text(s, row, text);
        if (text[0]) {
            json_array_append_new(array, json_text(text));
        }
    }
    return array;
}

void view_suggestions(struct call *c)
{
    json_t *domains = json_array(), *ips = json_array(), *names = json_array(),
           *types = json_array(), *replies = json_array();
    add_names(c, domains, true);
    add_names(c, domains, false);
    add_clients(c, ips, names);
    for (int i = 0; i < STATS_TYPE_COUNT; i++) {
        json_array_append_new(types, json_string(query_type_name((enum query_type)i)));
    }
    for (int i = 0; i < REPLY_COUNT; i++) {
        json_array_append_new(replies, json_string(query_reply_name((enum query_reply)i)));
    }
    reply_json(c, 200,
               json_pack("{s:{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:[s]}}", "suggestions", "domain",
                         domains, "client_ip", ips, "client_name", names, "upstream",
                         upstreams_array(c->api->stats), "type", types, "status",
                         words_of_statuses(), "reply", replies, "dnssec", "UNKNOWN"));
}
