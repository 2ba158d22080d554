/* Timelines: 24 hours in slots of ten minutes, by client too, and the spans that the page draws. */
#include <string.h>

#include "api/device_rows.h"
#include "api/routes.h"
#include "api/summary.h"

json_t *slot_object(const struct stats_slot *slot)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "timestamp", (json_int_t)slot->start_unix,
                     "total", (json_int_t)slot->total, "cached",
                     (json_int_t)summary_cached(slot->outcome), "blocked",
                     (json_int_t)slot->outcome[OUTCOME_BLOCKED], "forwarded",
                     (json_int_t)summary_forwarded(slot->outcome));
}

void view_history(struct call *c)
{
    json_t *history = json_array();
    struct stats_slot slot;
    for (uint32_t ago = stats_timeline_slots(c->api->stats, TIMELINE_10MIN); ago-- > 0;) {
        if (stats_timeline_at(c->api->stats, TIMELINE_10MIN, ago, &slot)) {
            json_array_append_new(history, slot_object(&slot));
        }
    }
    reply_json(c, 200, json_pack("{s:o}", "history", history));
}

/* --- by client ------------------------------------------------------------------------------- */

enum { CLIENTS_SHOWN = 20, CLIENTS_SHOWN_MAX = 100 };

static json_t *clients_object(const struct call *c, const struct device_rows *d, uint32_t n)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < n; i++) {
        char addr[IP_TEXT_MAX], name[DNS_NAME_TEXT];
        ip_format(&d->row[i].addr, addr);
        client_name_of(c->api, &d->row[i].addr, name);
        json_object_set_new(object, addr,
                            json_pack("{s:o, s:I}", "name", json_text_or_null(name), "total",
                                      (json_int_t)d->row[i].total));
    }
    return object;
}

static json_t *data_object(const struct stats *s, const struct device_rows *d, uint32_t n,
                           uint32_t ago)
{
    json_t *data = json_object();
    for (uint32_t i = 0; i < n; i++) {
        char addr[IP_TEXT_MAX];
        uint64_t count = 0;
        for (uint32_t k = d->row[i].first; k != DEVICE_ROWS_NONE; k = d->next[k]) {
            count += stats_client_slot(s, d->client[k].row, ago, NULL);
        }
        if (count > 0) {
            ip_format(&d->row[i].addr, addr);
            json_object_set_new(data, addr, json_integer((json_int_t)count));
        }
    }
    return data;
}

void view_history_clients(struct call *c)
{
    const struct stats *s = c->api->stats;
    const struct device_rows *d = device_rows_load(c->api, false);
    uint32_t want = (uint32_t)param_number(c, "N", 0, CLIENTS_SHOWN_MAX, CLIENTS_SHOWN);
    uint32_t n = want ? want : CLIENTS_SHOWN_MAX;
    n = n < d->count ? n : d->count;
    json_t *history = json_array();
    struct stats_slot slot;
    for (uint32_t ago = stats_timeline_slots(s, TIMELINE_10MIN); ago-- > 0;) {
        if (stats_timeline_at(s, TIMELINE_10MIN, ago, &slot)) {
            json_array_append_new(history,
                                  json_pack("{s:I, s:o}", "timestamp", (json_int_t)slot.start_unix,
                                            "data", data_object(s, d, n, ago)));
        }
    }
    reply_json(c, 200,
               json_pack("{s:o, s:o}", "clients", clients_object(c, d, n), "history", history));
}

/* --- the page's spans ------------------------------------------------------------------------ */

static const struct view_span {
    const char *name;
    enum stats_timeline timeline;
    uint32_t slots, merge; /* slots shown; how many of the timeline make one */
} spans[] = {
    {"24h", TIMELINE_10MIN, 144, 1},
    {"1h", TIMELINE_1MIN, 60, 1},
    {"7d", TIMELINE_1H, 168, 1},
    {"30d", TIMELINE_1H, 120, 6},
};

static const struct view_span *asked_span(const struct call *c)
{
    char name[8];
    for (size_t i = 0; param_text(c, "span", name, sizeof name) && i < ARRAY_LEN(spans); i++) {
        if (strcmp(name, spans[i].name) == 0) {
            return &spans[i];
        }
    }
    return &spans[0];
}

static void add_slot(struct stats_slot *sum, const struct stats_slot *slot)
{
    sum->total += slot->total;
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        sum->outcome[o] += slot->outcome[o];
    }
}

void view_history_span(struct call *c)
{
    const struct stats *s = c->api->stats;
    const struct view_span *v = asked_span(c);
    int64_t length = (int64_t)stats_timeline_seconds(s, v->timeline) * v->merge;
    int64_t first = stats_since_unix(s) / length * length, newest;
    json_t *history = json_array();
    struct stats_slot slot, sum = {0};
    (void)stats_timeline_at(s, v->timeline, 0, &slot);
    newest = slot.start_unix / length * length;
    /* Merged slots are aligned too: they start where the time of day says, not where the ring
     * starts. */
    for (uint32_t ago = stats_timeline_slots(s, v->timeline); ago-- > 0;) {
        (void)stats_timeline_at(s, v->timeline, ago, &slot);
        int64_t start = slot.start_unix / length * length;
        if (start <= newest - (int64_t)(v->slots + 1) * length || start < first) {
            continue;
        }
        if (start != sum.start_unix && sum.start_unix != 0) {
            json_array_append_new(history, slot_object(&sum));
            sum = (struct stats_slot){0};
        }
        sum.start_unix = start;
        add_slot(&sum, &slot);
    }
    if (sum.start_unix != 0) {
        json_array_append_new(history, slot_object(&sum));
    }
    reply_json(c, 200,
               json_pack("{s:I, s:I, s:o}", "span_s", (json_int_t)length * v->slots, "slot_s",
                         (json_int_t)length, "history", history));
}
