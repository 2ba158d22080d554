/*
 * Sums of the history as a response: the job is opened, the stream waits for it, and what it brings
 * becomes a JSON object that is written member by member, so that its size does not matter.
 */
#include "api/feed.h"
#include "api/routes.h"

enum {
    ITEM_OCTETS = 7168, /* one item of an array or object of the first level */
    COUNT_DEFAULT = 10,
    TIME_S = 60 /* of work for sums */
};

bool history_exists(const struct api *a)
{
    struct history_status s = {0};
    const struct api_backend *be = a->be;
    return be->history_status && be->history_status(be->ctx, &s) && s.enabled;
}

/* --- an object in pieces ---------------------------------------------------------------------- */

static void write_key(struct piece *p, const char *key)
{
    (void)piece_json(p, json_string(key));
    piece_text(p, ":");
}

static void write_value(struct piece *p, json_t *value)
{
    (void)piece_json(p, json_incref(value));
}

/* Items of the array or object at f->history.member; true: all are written. */
static bool write_items(struct feed *f, struct piece *p, json_t *value)
{
    if (json_is_array(value)) {
        piece_text(p, f->history.index == 0 ? "[" : "");
        for (; f->history.index < json_array_size(value); f->history.index++) {
            if (piece_room(p) < ITEM_OCTETS) {
                return false;
            }
            piece_text(p, f->history.index > 0 ? "," : "");
            write_value(p, json_array_get(value, f->history.index));
        }
        piece_text(p, "]");
        return true;
    }
    if (f->history.index == 0) {
        piece_text(p, "{");
        f->history.inner = json_object_iter(value);
    }
    for (; f->history.inner; f->history.index++) {
        if (piece_room(p) < ITEM_OCTETS) {
            return false;
        }
        piece_text(p, f->history.index > 0 ? "," : "");
        write_key(p, json_object_iter_key(f->history.inner));
        write_value(p, json_object_iter_value(f->history.inner));
        f->history.inner = json_object_iter_next(value, f->history.inner);
    }
    piece_text(p, "}");
    return true;
}

enum phase { WAIT, MEMBER, ITEMS, END };

static enum feed_step write_tree(struct feed *f, struct piece *p)
{
    while (f->phase != END && piece_room(p) >= ITEM_OCTETS) {
        json_t *value = json_object_iter_value(f->history.member);
        if (f->phase == MEMBER) {
            write_key(p, json_object_iter_key(f->history.member));
            f->history.index = 0;
            f->phase = ITEMS;
        }
        if (json_is_array(value) || json_is_object(value)) {
            if (!write_items(f, p, value)) {
                break;
            }
        } else {
            write_value(p, value);
        }
        f->history.member = json_object_iter_next(f->tree, f->history.member);
        piece_text(p, f->history.member ? "," : "}");
        f->phase = f->history.member ? MEMBER : END;
    }
    return FEED_MORE;
}

static enum feed_step fill(struct feed *f, struct piece *p, usec_t now)
{
    const struct api_backend *be = f->api->be;
    const struct history_result *r;
    (void)now;
    if (f->phase == WAIT) {
        if (be->history_poll(be->ctx, f->job, &r) == HISTORY_WORKING) {
            return FEED_LATER;
        }
        f->tree = f->history.write(f, r);
        feed_drop_history(f);
        if (!f->tree || json_object_set_new(f->tree, "took", json_rounded(f->history.took)) != 0) {
            return FEED_END;
        }
        f->history.member = json_object_iter(f->tree);
        piece_text(p, "{");
        f->phase = MEMBER;
    }
    return f->phase == END ? FEED_END : write_tree(f, p);
}

/* Few slots for a long time: a chart has no room for more. */
static uint32_t slot_of(const struct call *c, const struct history_ask *ask)
{
    struct history_status s = {0};
    int64_t from = ask->from_us, until = c->unix_us < ask->until_us ? c->unix_us : ask->until_us;
    (void)c->api->be->history_status(c->api->be->ctx, &s);
    from = from < s.oldest_unix * 1000000 ? s.oldest_unix * 1000000 : from;
    int64_t days = (until - from) / (INT64_C(86400) * 1000000);
    return days < 2 ? 600 : days < 62 ? 3600 : 86400;
}

bool history_reply(struct call *c, enum history_what what, history_writer *write)
{
    const struct api_backend *be = c->api->be;
    struct span_of_time span = param_span(c);
    uint32_t count = (uint32_t)param_number(c, "count", 0, HISTORY_TOP_MAX, COUNT_DEFAULT);
    if (what == HISTORY_CLIENT_LINES) {
        count = (uint32_t)param_number(c, "N", 0, HISTORY_LINES_MAX, 20);
        count = count ? count : HISTORY_LINES_MAX;
    }
    if (!history_exists(c->api)) {
        return false;
    }
    struct history_ask ask = {.what = what,
                              .from_us = span.from_us,
                              .until_us = span.until_us,
                              .count = count,
                              .blocked = param_bool(c, "blocked", false),
                              .time_us = TIME_S * USEC_PER_SEC};
    ask.slot_s = slot_of(c, &ask);
    void *job = be->history_open(be->ctx, &ask);
    if (!job) {
        reply_header(c, "Retry-After", "2");
        reply_error(c, 503, "busy", "The history is being read for others", NULL);
        return true;
    }
    struct feed *f = feed_open(c, "application/json; charset=utf-8", fill);
    if (!f) {
        be->history_close(be->ctx, job);
        return true;
    }
    f->job = job;
    f->history.write = write;
    f->history.count = count;
    f->history.blocked = ask.blocked;
    f->history.took = call_took(c);
    return true;
}
