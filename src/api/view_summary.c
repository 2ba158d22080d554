/*
 * The totals of the last 24 hours, in the words of Pi-hole's API. It has no word for what local
 * records answer, so that counts as cached, and none for questions that failed, so those count as
 * forwarded: total is always blocked + cached + forwarded.
 */
#include "api/summary.h"

#include <string.h>

#include "api/routes.h"

static const char *const status_names[] = {
    "UNKNOWN",
    "GRAVITY",
    "FORWARDED",
    "CACHE",
    "REGEX",
    "DENYLIST",
    "EXTERNAL_BLOCKED_IP",
    "EXTERNAL_BLOCKED_NULL",
    "EXTERNAL_BLOCKED_NXRA",
    "GRAVITY_CNAME",
    "REGEX_CNAME",
    "DENYLIST_CNAME",
    "RETRIED",
    "RETRIED_DNSSEC",
    "IN_PROGRESS",
    "DBBUSY",
    "SPECIAL_DOMAIN",
    "CACHE_STALE",
    "EXTERNAL_BLOCKED_EDE15",
};

static const char *const reply_names[] = {
    "UNKNOWN",  "NODATA",  "NXDOMAIN", "CNAME", "IP",     "DOMAIN", "RRNAME",
    "SERVFAIL", "REFUSED", "NOTIMP",   "OTHER", "DNSSEC", "NONE",   "BLOB",
};

/* An object with all names, 0 each. */
static json_t *zeroes(const char *const *names, size_t count)
{
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++) {
        json_object_set_new(object, names[i], json_integer(0));
    }
    return object;
}

static void add_to(json_t *object, const char *name, uint64_t n)
{
    json_t *value = json_object_get(object, name);
    if (value) {
        json_integer_set(value, json_integer_value(value) + (json_int_t)n);
    }
}

json_t *types_object(const struct stats_totals *t)
{
    json_t *types = json_object();
    for (int i = 0; i < STATS_TYPE_COUNT; i++) {
        json_object_set_new(types, query_type_name((enum query_type)i),
                            json_integer((json_int_t)t->type[i]));
    }
    return types;
}

static json_t *status_object(const struct stats_totals *t)
{
    json_t *object = zeroes(status_names, ARRAY_LEN(status_names));
    for (int i = 0; i < QUERY_STATUS_COUNT; i++) {
        if (query_outcome_of((enum query_status)i) != OUTCOME_IGNORED) {
            add_to(object, query_status_name((enum query_status)i), t->status[i]);
        }
    }
    return object;
}

static json_t *replies_object(const struct stats_totals *t)
{
    json_t *object = zeroes(reply_names, ARRAY_LEN(reply_names));
    for (int i = 0; i < REPLY_COUNT; i++) {
        add_to(object, query_reply_name((enum query_reply)i), t->reply[i]);
    }
    return object;
}

double summary_percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

uint64_t summary_cached(const uint64_t outcome[OUTCOME_COUNT])
{
    return outcome[OUTCOME_CACHED] + outcome[OUTCOME_LOCAL];
}

uint64_t summary_forwarded(const uint64_t outcome[OUTCOME_COUNT])
{
    return outcome[OUTCOME_FORWARDED] + outcome[OUTCOME_FAILED];
}

void view_summary(struct call *c)
{
    struct stats_totals t;
    struct api_gauges g = {0};
    const struct stats *s = c->api->stats;
    uint64_t blocked;
    stats_day(s, &t);
    blocked = t.outcome[OUTCOME_BLOCKED];
    c->api->be->gauges(c->api->be->ctx, &g);
    json_t *queries = json_pack(
        "{s:I, s:I, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "total", (json_int_t)t.total,
        "blocked", (json_int_t)blocked, "percent_blocked",
        json_rounded(summary_percent(blocked, t.total)), "unique_domains",
        (json_int_t)stats_unique_names(s), "forwarded", (json_int_t)summary_forwarded(t.outcome),
        "cached", (json_int_t)summary_cached(t.outcome), "frequency",
        json_rounded(stats_rate_milli(s) / 1000.0), "types", types_object(&t), "status",
        status_object(&t), "replies", replies_object(&t));
    reply_json(c, 200,
               json_pack("{s:o, s:{s:I, s:I}, s:{s:I, s:I}}", "queries", queries, "clients",
                         "active", (json_int_t)stats_clients_active(s), "total",
                         (json_int_t)stats_clients_known(s), "gravity", "domains_being_blocked",
                         (json_int_t)g.rules_in_image, "last_update",
                         (json_int_t)g.image_built_unix));
}

void view_query_types(struct call *c)
{
    struct stats_totals t;
    stats_day(c->api->stats, &t);
    reply_json(c, 200, json_pack("{s:o}", "types", types_object(&t)));
}

/* Without a history: hours for 31 days, and clients for one. */
void view_summary_of_hours(struct call *c)
{
    const struct stats *s = c->api->stats;
    struct span_of_time span = param_span(c);
    struct stats_slot slot;
    uint64_t total = 0, blocked = 0;
    for (uint32_t ago = 0; stats_timeline_at(s, TIMELINE_1H, ago, &slot); ago++) {
        int64_t start_us = slot.start_unix * 1000000;
        if (start_us + INT64_C(3600000000) > span.from_us && start_us < span.until_us) {
            total += slot.total;
            blocked += slot.outcome[OUTCOME_BLOCKED];
        }
    }
    reply_json(c, 200,
               json_pack("{s:I, s:I, s:o, s:I}", "sum_queries", (json_int_t)total, "sum_blocked",
                         (json_int_t)blocked, "percent_blocked",
                         json_rounded(summary_percent(blocked, total)), "total_clients",
                         (json_int_t)stats_clients_known(s)));
}
