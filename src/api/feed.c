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
