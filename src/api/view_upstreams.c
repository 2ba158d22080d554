/* Upstreams of the last 24 hours, with the two rows that Pi-hole counts beside them: the lists and
 * the cache. */
#include "api/routes.h"
#include "api/summary.h"
#include "api/tally.h"

json_t *upstream_row(const char *ip, const char *name, int port, uint64_t count, double response,
                     double variance)
{
    return json_pack("{s:s, s:o, s:i, s:I, s:{s:o, s:o}}", "ip", ip, "name", json_text(name),
                     "port", port, "count", (json_int_t)count, "statistics", "response",
                     json_rounded(response), "variance", json_real(variance));
}

json_t *upstream_fixed_rows(uint64_t blocked, uint64_t cached)
{
    json_t *rows = json_array();
    json_array_append_new(rows, upstream_row("blocklist", "blocklist", -1, blocked, 0, 0));
    json_array_append_new(rows, upstream_row("cache", "cache", -1, cached, 0, 0));
    return rows;
}

static void add_upstream(json_t *rows, const struct stats_upstream_use *use)
{
    char ip[IP_TEXT_MAX];
    if (use->current || use->count > 0) {
        ip_format(&use->upstream.endpoint.addr, ip);
        json_array_append_new(rows,
                              upstream_row(ip, use->upstream.name, use->upstream.endpoint.port,
                                           use->count, use->response_s, use->variance_s2));
    }
}

static void reply_upstreams(struct call *c, json_t *rows, uint64_t forwarded, uint64_t total)
{
    reply_json(c, 200,
               json_pack("{s:o, s:I, s:I}", "upstreams", rows, "forwarded_queries",
                         (json_int_t)forwarded, "total_queries", (json_int_t)total));
}

static void upstreams_of_span(struct call *c, struct span_of_time span)
{
    struct tally t;
    struct stats_upstream_use use;
    tally_log(c->api, span, TALLY_UPSTREAMS, TALLY_ALL, &t);
    json_t *rows = upstream_fixed_rows(t.blocked, t.cached);
    for (uint32_t i = 0; i < STATS_UPSTREAM_ROWS; i++) {
        if (!stats_upstream_at(c->api->stats, i, &use)) {
            continue;
        }
        double n = (double)t.upstream[i].count;
        use.count = t.upstream[i].count;
        use.response_s = n > 0 ? t.upstream[i].sum_s / n : 0;
        double variance =
            n > 0 ? t.upstream[i].squares_s2 / n - use.response_s * use.response_s : 0;
        use.variance_s2 = variance > 0 ? variance : 0;
        add_upstream(rows, &use);
    }
    reply_upstreams(c, rows, t.forwarded, t.total);
}

void view_upstreams(struct call *c)
{
    struct span_of_time span = param_span(c);
    struct stats_totals t;
    struct stats_upstream_use use;
    if (span.given && !tally_covers(c->api, span)) {
        view_database_upstreams(c);
        return;
    }
    if (span.given) {
        upstreams_of_span(c, span);
        return;
    }
    stats_day(c->api->stats, &t);
    json_t *rows = upstream_fixed_rows(t.outcome[OUTCOME_BLOCKED], summary_cached(t.outcome));
    for (uint32_t i = 0; i < STATS_UPSTREAM_ROWS; i++) {
        if (stats_upstream_at(c->api->stats, i, &use)) {
            add_upstream(rows, &use);
        }
    }
    reply_upstreams(c, rows, summary_forwarded(t.outcome), t.total);
}
