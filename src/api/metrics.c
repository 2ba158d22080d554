/*
 * /metrics in Prometheus' text format, version 0.0.4. Counters are those of the running process (a
 * restart is a reset, as the format expects), names have base units, labels are escaped. No name
 * that a client asked for is in it.
 */
#include "api/query_filter.h"
#include "api/routes.h"
#include "stats/names.h"

static void help(struct strbuf *t, const char *name, const char *type, const char *text)
{
    strbuf_printf(t, "# HELP sinkhole_%s %s\n# TYPE sinkhole_%s %s\n", name, text, name, type);
}

static void plain(struct strbuf *t, const char *name, const char *type, const char *text,
                  uint64_t value)
{
    help(t, name, type, text);
    strbuf_printf(t, "sinkhole_%s %llu\n", name, (unsigned long long)value);
}

static void put_seconds(struct strbuf *t, uint64_t us)
{
    strbuf_printf(t, "%llu.%06llu", (unsigned long long)(us / 1000000),
                  (unsigned long long)(us % 1000000));
}

/* A label's value: backslash, quote and line feed are escaped by the format, other control bytes
 * have no place in it, and it is UTF-8. */
static void put_label(struct strbuf *t, const char *value)
{
    json_t *checked = json_text(value);
    for (const char *p = checked ? json_string_value(checked) : ""; *p; p++) {
        unsigned char ch = (unsigned char)*p;
        if (ch == '\\' || ch == '"') {
            strbuf_char(t, '\\');
        }
        strbuf_char(t, ch < 0x20 || ch == 0x7f ? '?' : *p);
    }
    json_decref(checked);
}

static void labelled(struct strbuf *t, const char *name, const char *label, const char *value,
                     uint64_t n)
{
    strbuf_printf(t, "sinkhole_%s{%s=\"", name, label);
    put_label(t, value);
    strbuf_printf(t, "\"} %llu\n", (unsigned long long)n);
}

static void put_queries(struct strbuf *t, const struct stats *s)
{
    help(t, "queries_total", "counter", "Questions by how they ended");
    for (int i = 0; i < QUERY_STATUS_COUNT; i++) {
        labelled(t, "queries_total", "status", query_status_label((enum query_status)i),
                 stats_status_counter(s, (enum query_status)i));
    }
    help(t, "query_types_total", "counter", "Answered questions by type");
    for (int i = 0; i < STATS_TYPE_COUNT; i++) {
        labelled(t, "query_types_total", "type", query_type_name((enum query_type)i),
                 stats_type_counter(s, (enum query_type)i));
    }
    help(t, "replies_total", "counter", "Answers by their kind");
    for (int i = 0; i < REPLY_COUNT; i++) {
        labelled(t, "replies_total", "reply", query_reply_name((enum query_reply)i),
                 stats_reply_counter(s, (enum query_reply)i));
    }
}

static void put_counters(struct strbuf *t, const struct stats *s)
{
    for (int i = 0; i < COUNTER_COUNT; i++) {
        char name[64];
        struct strbuf text;
        if (i == COUNTER_latency_us) {
            continue; /* the histogram has it */
        }
        strbuf_init(&text, name, sizeof name);
        strbuf_printf(&text, "%s_total", counter_name((enum stats_counter)i));
        plain(t, name, "counter", counter_help((enum stats_counter)i),
              stats_counter(s, (enum stats_counter)i));
    }
}

/* Limits are powers of two microseconds, at which the histogram's buckets begin, so the counts are
 * exact. */
static void put_duration(struct strbuf *t, const struct stats *s)
{
    static const char name[] = "query_duration_seconds";
    help(t, name, "histogram", "Time from question to answer, by what gave the answer");
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        const struct hist *h = stats_latency(s, (enum query_outcome)o);
        const char *outcome = query_outcome_name((enum query_outcome)o);
        for (uint64_t us = 32; us <= UINT64_C(8388608); us *= 2) {
            strbuf_printf(t, "sinkhole_%s_bucket{outcome=\"%s\",le=\"", name, outcome);
            put_seconds(t, us);
            strbuf_printf(t, "\"} %llu\n", (unsigned long long)hist_count_below(h, us));
        }
        strbuf_printf(
            t,
            "sinkhole_%s_bucket{outcome=\"%s\",le=\"+Inf\"} %llu\nsinkhole_%s_sum{outcome=\"%s\"} ",
            name, outcome, (unsigned long long)h->count, name, outcome);
        put_seconds(t, h->sum_us);
        strbuf_printf(t, "\nsinkhole_%s_count{outcome=\"%s\"} %llu\n", name, outcome,
                      (unsigned long long)h->count);
    }
}

static void put_upstreams(struct strbuf *t, const struct api *a)
{
    const struct snapshot *snap = a->be->snapshot(a->be->ctx);
    help(t, "upstream_answers_total", "counter", "Answers taken from each upstream");
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t row = 0; row < STATS_UPSTREAM_ROWS; row++) {
            struct stats_upstream_use use;
            char name[300];
            if (!stats_upstream_at(a->stats, row, &use) || !use.current) {
                continue;
            }
            upstream_text(a->stats, (int)row, name);
            if (pass == 0) {
                labelled(t, "upstream_answers_total", "upstream", name, use.ever);
            } else {
                strbuf_str(t, "sinkhole_upstream_response_seconds{upstream=\"");
                put_label(t, name);
                strbuf_str(t, "\"} ");
                put_seconds(t, (uint64_t)(use.response_s * 1e6));
                strbuf_char(t, '\n');
            }
        }
        if (pass == 0) {
            help(t, "upstream_response_seconds", "gauge",
                 "Mean time to an upstream's answer over the last 24 hours");
        }
    }
    help(t, "upstream_up", "gauge", "1 if the upstream is thought to work");
    for (uint16_t i = 0; snap && i < snap->upstream_count; i++) {
        struct upstream_health health = {0};
        char ip[IP_ENDPOINT_TEXT];
        a->be->upstream(a->be->ctx, i, &health);
        ip_endpoint_format(&snap->upstreams[i].endpoint, ip);
        strbuf_str(t, "sinkhole_upstream_up{upstream=\"");
        put_label(t, snap->upstreams[i].name[0] ? snap->upstreams[i].name : ip);
        strbuf_printf(t, "\",index=\"%u\"} %d\n", (unsigned)i, (int)health.up);
    }
}

static void put_lists(struct strbuf *t, const struct api *a)
{
    static const struct {
        const char *name, *type, *help;
    } rows[] = {
        {"list_rules", "gauge", "Rules accepted from each list"},
        {"list_rejected_lines", "gauge", "Lines of each list that could not be used"},
        {"list_hits_total", "counter", "Questions that each list decided"},
        {"list_updated_timestamp_seconds", "gauge", "When the content of each list last changed"},
        {"list_failed", "gauge", "1 if the last attempt to fetch the list failed"},
    };
    uint32_t count = a->be->list_count(a->be->ctx);
    for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
        help(t, rows[r].name, rows[r].type, rows[r].help);
        for (uint32_t i = 0; i < count; i++) {
            struct api_list l = {0};
            struct stats_list_use use;
            char name[128];
            a->be->list_at(a->be->ctx, i, &l);
            stats_list_use(a->stats, l.id, &use);
            list_display_name(&l, name, sizeof name);
            const uint64_t values[] = {l.rules, l.rejected, use.ever, (uint64_t)l.updated_unix,
                                       l.error[0] != 0};
            strbuf_printf(t, "sinkhole_%s{id=\"%u\",list=\"", rows[r].name, (unsigned)l.id);
            put_label(t, name);
            strbuf_printf(t, "\"} %llu\n", (unsigned long long)values[r]);
        }
    }
}

static void put_gauges(struct strbuf *t, const struct call *c)
{
    struct api_gauges g = {0};
    struct api_system sys = {0};
    int64_t timer;
    c->api->be->gauges(c->api->be->ctx, &g);
    c->api->be->system(c->api->be->ctx, &sys);
    plain(t, "blocking_enabled", "gauge", "0 while blocking is paused",
          blocking_state(c, &timer)[0] == 'e');
    plain(t, "ready", "gauge", "1 once questions are answered", g.ready);
    plain(t, "blocklist_rules", "gauge", "Names in the compiled lists", g.rules_in_image);
    plain(t, "blocklist_bytes", "gauge", "Size of the compiled lists", g.image_octets);
    plain(t, "blocklist_built_timestamp_seconds", "gauge", "When the lists were compiled",
          (uint64_t)g.image_built_unix);
    plain(t, "cache_entries", "gauge", "Answers in the cache", g.cache.entries);
    plain(t, "cache_entries_max", "gauge", "Room for answers in the cache", g.cache.entries_max);
    plain(t, "cache_bytes", "gauge", "Octets of answers in the cache", g.cache.octets);
    plain(t, "cache_inserted_total", "counter", "Answers put into the cache", g.cache.inserted);
    plain(t, "cache_evicted_total", "counter", "Answers that made room for others",
          g.cache.evicted);
    plain(t, "cache_dropped_total", "counter", "Answers that could not be put into the cache",
          g.cache.dropped);
    plain(t, "questions_in_flight", "gauge", "Questions that wait for upstreams",
          g.resolver.pending);
    plain(t, "questions_in_flight_max", "gauge", "Room for them", g.resolver.pending_max);
    plain(t, "clients_waiting", "gauge", "Clients that wait for those answers", g.resolver.waiting);
    plain(t, "tcp_clients", "gauge", "Open TCP connections of clients", g.tcp_clients);
    plain(t, "clients_active", "gauge", "Clients with questions in the last 24 hours",
          stats_clients_active(c->api->stats));
    plain(t, "unique_names", "gauge", "Different names asked for in the last 24 hours, about",
          stats_unique_names(c->api->stats));
    plain(t, "workers", "gauge", "Threads that answer questions", g.workers);
    plain(t, "memory_bytes", "gauge", "Resident memory of the process", sys.process_ram * 1024);
    plain(t, "uptime_seconds", "gauge", "Since the process started",
          (c->now - c->api->start) / USEC_PER_SEC);
}

static void put_history(struct strbuf *t, const struct api *a)
{
    struct history_status s = {0};
    if (!a->be->history_status || !a->be->history_status(a->be->ctx, &s)) {
        return;
    }
    plain(t, "history_bytes", "gauge", "Size of the query history on the disk", s.octets);
    plain(t, "history_bytes_max", "gauge", "Its largest size", s.octets_max);
    plain(t, "history_queries", "gauge", "Queries in it", s.rows);
    plain(t, "history_oldest_timestamp_seconds", "gauge", "The oldest of them",
          (uint64_t)s.oldest_unix);
    plain(t, "history_writable", "gauge", "1 if the last write succeeded", s.writable);
    plain(t, "history_written_bytes_total", "counter", "Octets written to the disk for it",
          s.written_octets);
    plain(t, "history_writes_total", "counter", "Batches of queries that were written", s.batches);
    plain(t, "history_queries_total", "counter", "Queries that were written", s.written_rows);
    plain(t, "history_lost_total", "counter", "Queries that were not written", s.lost_rows);
}

void view_metrics(struct call *c)
{
    struct strbuf t;
    strbuf_init(&t, c->api->response, c->api->response_cap);
    help(&t, "build_info", "gauge", "1, with the version as label");
    labelled(&t, "build_info", "version", c->api->cfg->version, 1);
    put_queries(&t, c->api->stats);
    put_counters(&t, c->api->stats);
    put_duration(&t, c->api->stats);
    put_gauges(&t, c);
    put_history(&t, c->api);
    put_upstreams(&t, c->api);
    put_lists(&t, c->api);
    if (c->api->be->metrics) {
        c->api->be->metrics(c->api->be->ctx, &t);
    }
    reply_text(c, 200, "text/plain; version=0.0.4; charset=utf-8", &t);
}
