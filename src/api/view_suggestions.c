/*
 * What a person may type into the filters of the query log: what there was most of in memory, and
 * what the history's newest rows before that have besides.
 */
#include <string.h>

#include "api/feed.h"
#include "api/query_filter.h"
#include "api/routes.h"
#include "dns/msg.h"

enum {
    SUGGESTIONS = 30,   /* of each kind, and as many more of the history */
    HISTORY_PAGES = 40, /* that are looked through */
    HISTORY_TIME_S = 1, /* of work for them */
    WORD_OCTETS = 2048  /* one word as JSON */
};

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

static json_t *words_in_memory(struct call *c)
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
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:[s]}", "domain", domains, "client_ip",
                     ips, "client_name", names, "upstream", upstreams_array(c->api->stats), "type",
                     types, "status", words_of_statuses(), "reply", replies, "dnssec", "UNKNOWN");
}

/* --- and in the history ----------------------------------------------------------------------- */

/* Adds a word that is not there yet, up to twice of what memory gives. */
static void add_word(json_t *words, const char *kind, json_t *word)
{
    json_t *array = json_object_get(words, kind), *known;
    size_t i;
    bool full = json_array_size(array) >= 2 * 2 * SUGGESTIONS;
    if (!word || full) {
        json_decref(word);
        return;
    }
    json_array_foreach(array, i, known)
    {
        if (json_equal(known, word)) {
            json_decref(word);
            return;
        }
    }
    json_array_append_new(array, word);
}

static void add_row(struct feed *f, const struct history_row *row)
{
    char text[DNS_NAME_TEXT];
    if (row->entry.qname.len > 0) {
        add_word(f->tree, "domain", json_wire_name(row->entry.qname));
    }
    ip_format(&row->entry.client, text);
    add_word(f->tree, "client_ip", json_string(text));
    client_name_of(f->api, &row->entry.client, text);
    if (text[0]) {
        add_word(f->tree, "client_name", json_text(text));
    }
    if (row->upstream[0]) {
        add_word(f->tree, "upstream", json_text(row->upstream));
    }
}

enum phase { READ, WRITE, END };

static enum feed_step read_page(struct feed *f, struct piece *p)
{
    const struct api_backend *be = f->api->be;
    const struct history_result *r;
    enum history_state state = be->history_poll(be->ctx, f->job, &r);
    if (state == HISTORY_WORKING) {
        return FEED_LATER;
    }
    for (uint32_t i = 0; i < r->rows; i++) {
        add_row(f, &r->row[i]);
    }
    if (state == HISTORY_PAGE_READY && --f->history.count > 0) {
        be->history_next(be->ctx, f->job);
        return FEED_LATER;
    }
    feed_drop_history(f);
    f->history.member = json_object_iter(f->tree);
    piece_text(p, "{\"suggestions\":{");
    f->phase = WRITE;
    return FEED_MORE;
}

/* The array at f->history.member, word by word; false: there is no room for the next. */
static bool write_words(struct feed *f, struct piece *p)
{
    json_t *array = json_object_iter_value(f->history.member);
    if (f->history.index == 0) {
        (void)piece_json(p, json_string(json_object_iter_key(f->history.member)));
        piece_text(p, ":[");
    }
    while (f->history.index < json_array_size(array)) {
        if (piece_room(p) < WORD_OCTETS) {
            return false;
        }
        piece_text(p, f->history.index > 0 ? "," : "");
        (void)piece_json(p, json_incref(json_array_get(array, f->history.index++)));
    }
    piece_text(p, "]");
    f->history.index = 0;
    return true;
}

static enum feed_step write_all(struct feed *f, struct piece *p)
{
    while (f->history.member && piece_room(p) >= 2 * WORD_OCTETS && write_words(f, p)) {
        f->history.member = json_object_iter_next(f->tree, f->history.member);
        piece_text(p, f->history.member ? "," : "},\"took\":");
    }
    if (!f->history.member && piece_room(p) >= WORD_OCTETS) {
        (void)piece_json(p, json_rounded(f->history.took));
        piece_text(p, "}");
        f->phase = END;
    }
    return FEED_MORE;
}

static enum feed_step fill(struct feed *f, struct piece *p, usec_t now)
{
    (void)now;
    return f->phase == READ ? read_page(f, p) : f->phase == WRITE ? write_all(f, p) : FEED_END;
}

/* The history's rows before those in memory; NULL: there is none, or others are reading it. */
static void *open_history(const struct call *c)
{
    const struct api_backend *be = c->api->be;
    struct history_ask ask = {.what = HISTORY_ROWS,
                              .until_us = INT64_MAX,
                              .statuses = UINT32_MAX,
                              .replies = UINT32_MAX,
                              .client_count = UINT32_MAX,
                              .before = stats_log_first(c->api->stats),
                              .time_us = HISTORY_TIME_S * USEC_PER_SEC};
    return history_exists(c->api) ? be->history_open(be->ctx, &ask) : NULL;
}

void view_suggestions(struct call *c)
{
    void *job = open_history(c);
    if (!job) {
        reply_json(c, 200, json_pack("{s:o}", "suggestions", words_in_memory(c)));
        return;
    }
    struct feed *f = feed_open(c, "application/json; charset=utf-8", fill);
    if (!f) {
        c->api->be->history_close(c->api->be->ctx, job);
        return;
    }
    f->job = job;
    f->tree = words_in_memory(c);
    f->history.count = HISTORY_PAGES;
    f->history.took = call_took(c);
}
