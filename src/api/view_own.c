/* Own rules in one piece: /api/sinkhole/own, as text or JSON, out and in. */
#include <string.h>

#include "api/feed.h"
#include "api/items.h"
#include "api/routes.h"
#include "api/rules_text.h"
#include "base/strbuf.h"

enum { LINE_MAX = 4096 };

static enum feed_step fill(struct feed *f, struct piece *p, usec_t now)
{
    struct rule_view v;
    char line[LINE_MAX];
    struct strbuf s;
    (void)now;
    if (f->phase == 0) {
        piece_text(p, "# Own rules: allow or deny, a name, *.NAME for all below too, or "
                      "/EXPRESSION/.\n");
        f->phase = 1;
    }
    while (piece_room(p) >= LINE_MAX) {
        if (!rules_own_at(f->api->rules, f->rules.at++, &v)) {
            return FEED_END;
        }
        strbuf_init(&s, line, sizeof line - 1);
        rules_export_line(&v, &s);
        strbuf_char(&s, '\n');
        piece_text(p, line);
    }
    return FEED_MORE;
}

/* ?format=text, or JSON: the rules as rules.json has them. */
void view_own_get(struct call *c)
{
    char format[16] = "json";
    if (param_text(c, "format", format, sizeof format) && strcmp(format, "text") == 0) {
        (void)feed_open(c, "text/plain; charset=utf-8", fill);
    } else if (strcmp(format, "json") == 0) {
        reply_json(c, 200, json_pack("{s:O}", "own", json_object_get(c->api->rules->doc, "own")));
    } else {
        bad_request(c, "Invalid \"format\", expected text or json");
    }
}

static enum err check(void *ctx, const char *pattern, char *why)
{
    return items_check_regex(ctx, pattern, why);
}

static void reply_report(struct call *c, int status, struct rules_import *io, bool done)
{
    json_t *errors = io->errors ? io->errors : json_array();
    io->errors = NULL;
    reply_json(c, status,
               json_pack("{s:b, s:I, s:I, s:I, s:o}", "imported", (int)done, "added",
                         (json_int_t)(done ? io->added : 0), "present", (json_int_t)io->present,
                         "bad", (json_int_t)io->bad, "errors", errors));
}

/* {"text": "…"} or {"own": […]}; "replace": what is there goes. All of it or nothing. */
void view_own_post(struct call *c)
{
    struct rules next;
    const json_t *text = json_object_get(c->body, "text"), *own = json_object_get(c->body, "own");
    if (!json_is_string(text) == !json_is_array(own)) {
        bad_request(c, "Expected {\"text\": a text} or {\"own\": an array of rules}");
        return;
    }
    if (!rules_begin(c, &next)) {
        return;
    }
    struct rules_import io = {.replace = body_bool(c, "replace", false),
                              .now_unix = c->unix_us / 1000000,
                              .check = check,
                              .ctx = c};
    enum err e = text ? rules_import_text(
                            &next, span_of(json_string_value(text), json_string_length(text)), &io)
                      : rules_import_json(&next, own, &io);
    if (e != ERR_OK) {
        rules_free(&next);
        if (e == ERR_FORMAT) {
            reply_report(c, 400, &io, false);
        } else {
            reply_rules_error(c, e, NULL, NULL);
        }
    } else if (rules_commit(c, &next, RULES_OWN)) {
        reply_report(c, 200, &io, true);
    }
    json_decref(io.errors);
}
