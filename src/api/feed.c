/* Streamed responses: a table of slots, and the api_more that drives them. */
#include "api/feed.h"

#include <string.h>

void piece_text(struct piece *p, const char *text)
{
    size_t len = strlen(text);
    if (len <= piece_room(p)) {
        memcpy(p->buf + p->len, text, len);
        p->len += len;
    }
}

bool piece_json(struct piece *p, json_t *value)
{
    size_t len = 0;
    bool ok = value && json_write(value, p->buf + p->len, piece_room(p), &len) == ERR_OK;
    p->len += ok ? len : 0;
    json_decref(value);
    return ok;
}

static long feed_more(void *state, char *buf, size_t cap, usec_t now)
{
    struct feed *s = state;
    struct piece p = {.buf = buf, .cap = cap};
    enum feed_step step = s->fill(s, &p, now);
    while (p.len == 0 && step == FEED_MORE && !s->filler) {
        step = s->fill(s, &p, now);
    }
    if (p.len > 0) {
        s->last_sent = now;
        return (long)p.len;
    }
    if (step == FEED_MORE) {
        buf[0] = s->filler;
        return 1;
    }
    return step == FEED_LATER ? API_MORE_LATER : API_MORE_END;
}

void feed_drop_history(struct feed *f)
{
    if (f->job) {
        f->api->be->history_close(f->api->be->ctx, f->job);
        f->job = NULL;
    }
}

static void feed_release(void *state)
{
    struct feed *s = state;
    feed_drop_history(s);
    json_decref(s->tree);
    memset(s, 0, sizeof *s);
}

struct feed *feed_open(struct call *c, const char *content_type,
                       enum feed_step (*fill)(struct feed *s, struct piece *p, usec_t now))
{
    struct api *a = c->api;
    for (int i = 0; i < FEEDS_MAX; i++) {
        struct feed *s = &a->feeds[i];
        if (s->used) {
            continue;
        }
        *s = (struct feed){.used = true, .api = a, .fill = fill, .filler = ' '};
        s->last_sent = c->now;
        reply_static(c, 200, content_type, NULL, 0);
        c->res->body_static = false;
        c->res->more = feed_more;
        c->res->more_state = s;
        c->res->release = feed_release;
        return s;
    }
    reply_header(c, "Retry-After", "1");
    reply_error(c, 503, "busy", "Too many streams are open", NULL);
    return NULL;
}

/* --- a text in parts ------------------------------------------------------------------------- */

static enum feed_step fill_text(struct feed *f, struct piece *p, usec_t now)
{
    (void)now;
    while (piece_room(p) > 0) {
        const json_t *part = json_array_get(f->tree, f->text.part);
        if (!part) {
            return FEED_END;
        }
        size_t left = json_string_length(part) - f->text.at;
        size_t n = left < piece_room(p) ? left : piece_room(p);
        memcpy(p->buf + p->len, json_string_value(part) + f->text.at, n);
        p->len += n;
        f->text.at += n;
        if (n == left) {
            f->text.part++;
            f->text.at = 0;
        }
    }
    return FEED_MORE;
}

void feed_text(struct call *c, const char *content_type, json_t *parts)
{
    unsigned under_way = 0;
    for (int i = 0; i < FEEDS_MAX; i++) {
        under_way += c->api->feeds[i].used && c->api->feeds[i].fill == fill_text;
    }
    if (under_way >= API_LARGE_ANSWERS) {
        reply_header(c, "Retry-After", "1");
        reply_error(c, 503, "busy", "Too many large answers are under way", NULL);
        json_decref(parts);
        return;
    }
    struct feed *f = feed_open(c, content_type, fill_text);
    if (!f) {
        json_decref(parts);
        return;
    }
    f->tree = parts;
}
