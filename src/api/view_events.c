/*
 * Server-sent events for open pages: totals and new rows of the log at most once a second, and
 * which parts of a page have changed. A page that reads slowly misses rows and is told how many.
 */
#include "api/feed.h"
#include "api/routes.h"
#include "api/summary.h"

enum {
    ROWS_MAX = 50, /* of one event */
    ROW_OCTETS = 7168,
    EVENT_OCTETS = 1024, /* of the other events */
    QUIET_S = 15         /* after so long a comment goes out, to find connections that are gone */
};
#define PERIOD_US       \
    (USEC_PER_SEC * 9 / \
     10) /* a little less than the collector's second, so that none is left out */

static json_t *totals_object(const struct feed *f, const struct stats_totals *t, uint32_t rate,
                             usec_t now)
{
    const struct call c = {.api = f->api, .now = now};
    uint64_t blocked = t->outcome[OUTCOME_BLOCKED];
    json_t *o = json_pack("{s:I, s:I, s:o, s:o}", "total", (json_int_t)t->total, "blocked",
                          (json_int_t)blocked, "percent_blocked",
                          json_rounded(summary_percent(blocked, t->total)), "frequency",
                          json_rounded(rate / 1000.0));
    add_blocking(&c, o);
    return o;
}

static void write_event(struct piece *p, const char *name, json_t *data)
{
    piece_text(p, "event: ");
    piece_text(p, name);
    piece_text(p, "\ndata: ");
    (void)piece_json(p, data);
    piece_text(p, "\n\n");
}

static void write_totals(struct feed *f, struct piece *p, usec_t now)
{
    struct stats_totals t;
    uint32_t rate = stats_rate_milli(f->api->stats);
    stats_day(f->api->stats, &t);
    bool changed = t.total != f->events.sent_total ||
                   t.outcome[OUTCOME_BLOCKED] != f->events.sent_blocked ||
                   rate != f->events.sent_rate || f->api->pause_until != f->events.pause_until;
    bool pause_changed = f->api->pause_until != f->events.pause_until;
    if (f->phase == 0 || pause_changed || (changed && now - f->events.totals_at >= PERIOD_US)) {
        write_event(p, "totals", totals_object(f, &t, rate, now));
        f->events.totals_at = now;
        f->events.sent_total = t.total;
        f->events.sent_blocked = t.outcome[OUTCOME_BLOCKED];
        f->events.sent_rate = rate;
        f->events.pause_until = f->api->pause_until;
    }
}

/* Newest first, as many as fit. */
static void write_queries(struct feed *f, struct piece *p, usec_t now)
{
    const struct stats *s = f->api->stats;
    uint64_t next = stats_log_next(s), since = f->events.next, written = 0;
    struct stats_log_entry e;
    if (next == since || now - f->events.queries_at < PERIOD_US || piece_room(p) < 2 * ROW_OCTETS) {
        return;
    }
    list_names_load(f->api);
    piece_text(p, "event: queries\ndata: {\"queries\":[");
    for (uint64_t id = next - 1;
         id >= since && written < ROWS_MAX && piece_room(p) >= 2 * ROW_OCTETS; id--) {
        json_t *row = stats_log_at(s, id, &e) ? query_object(f->api, &e, NULL) : NULL;
        if (!row) {
            break;
        }
        piece_text(p, written > 0 ? "," : "");
        (void)piece_json(p, row);
        written++;
    }
    char tail[64];
    struct strbuf text;
    strbuf_init(&text, tail, sizeof tail);
    strbuf_printf(&text, "],\"skipped\":%llu}\n\n", (unsigned long long)(next - since - written));
    piece_text(p, tail);
    f->events.next = next;
    f->events.queries_at = now;
}

static void write_changes(struct feed *f, struct piece *p)
{
    static const char *const words[CHANGE_COUNT] = {"lists", "domains", "blocking", "settings"};
    for (int i = 0; i < CHANGE_COUNT; i++) {
        if (f->events.changes[i] != f->api->changes[i]) {
            write_event(p, "change", json_pack("{s:s}", "what", words[i]));
            f->events.changes[i] = f->api->changes[i];
        }
    }
}

/* The stream lives as long as the session that opened it, and keeps that alive: an open page is in
 * use. */
static bool is_allowed(struct feed *f, usec_t now)
{
    if (f->events.session == 0) {
        return true;
    }
    for (int i = 0; i < SESSIONS_MAX; i++) {
        struct session *s = &f->api->sessions[i];
        if (s->used && s->id == f->events.session) {
            s->last = now;
            return true;
        }
    }
    return false;
}

static enum feed_step fill(struct feed *f, struct piece *p, usec_t now)
{
    if (!is_allowed(f, now)) {
        return FEED_END;
    }
    write_totals(f, p, now);
    write_changes(f, p);
    write_queries(f, p, now);
    f->phase = 1;
    if (p->len == 0 && now - f->last_sent >= QUIET_S * USEC_PER_SEC) {
        piece_text(p, ":\n\n");
    }
    return p->len > 0 ? FEED_MORE : FEED_LATER;
}

void view_events(struct call *c)
{
    struct feed *f = feed_open(c, "text/event-stream; charset=utf-8", fill);
    if (!f) {
        return;
    }
    c->res->event_stream = true;
    f->events.session = c->session ? c->session->id : 0;
    f->events.next = stats_log_next(c->api->stats);
    for (int i = 0; i < CHANGE_COUNT; i++) {
        f->events.changes[i] = c->api->changes[i];
    }
}
