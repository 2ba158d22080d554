/* Things to do: fetch lists, read the configuration again, forget the cache, log more or less. */
#include <string.h>

#include "api/feed.h"
#include "api/routes.h"
#include "base/log.h"

/* --- fetch lists, telling as it goes --------------------------------------------------------- */

enum { UPDATE_MAX_S = 600, LINE_OCTETS = 2048 };

static bool is_told(const struct feed *f, uint32_t i)
{
    return f->update.told[i / 64] >> i % 64 & 1;
}

static void tell(struct feed *f, uint32_t i)
{
    f->update.told[i / 64] |= UINT64_C(1) << i % 64;
}

static void line_of_list(const struct api_list *l, struct strbuf *out)
{
    char name[128];
    list_display_name(l, name, sizeof name);
    strbuf_str(out, "  ");
    strbuf_escaped(out, span_str(name));
    if (l->error[0]) {
        strbuf_str(out, ": ");
        strbuf_escaped(out, span_str(l->error));
        strbuf_str(out,
                   l->status == API_LIST_KEPT ? "; the last good copy stays in force\n" : "\n");
    } else {
        strbuf_printf(out, ": %u rules, %u of the lines rejected%s\n", (unsigned)l->rules,
                      (unsigned)l->rejected, l->status == API_LIST_UNCHANGED ? ", unchanged" : "");
    }
}

/* Lists that were tried since the start and are not told yet. */
static void write_lists(struct feed *f, struct piece *p)
{
    const struct api_backend *be = f->api->be;
    struct api_list l;
    uint32_t count = be->list_count(be->ctx);
    for (uint32_t i = 0; i < count && i < RULES_LISTS_MAX * 2 && piece_room(p) >= LINE_OCTETS;
         i++) {
        memset(&l, 0, sizeof l);
        be->list_at(be->ctx, i, &l);
        if (!is_told(f, i) && l.enabled && !l.fetching && l.checked_unix >= f->update.since_unix) {
            char line[LINE_OCTETS];
            struct strbuf text;
            strbuf_init(&text, line, sizeof line);
            line_of_list(&l, &text);
            piece_text(p, line);
            tell(f, i);
        }
    }
}

static enum feed_step fill_update(struct feed *f, struct piece *p, usec_t now)
{
    const struct api_backend *be = f->api->be;
    if (f->phase == 0) {
        piece_text(p, "Fetching the lists\n");
        f->phase = 1;
        return FEED_MORE;
    }
    if (f->phase == 2) {
        return FEED_END;
    }
    bool running = be->update_running(be->ctx);
    write_lists(f, p);
    if (p->len > 0) {
        return FEED_MORE;
    }
    if (running && now < f->update.deadline) {
        return FEED_LATER;
    }
    struct api_gauges g = {0};
    char line[128];
    struct strbuf text;
    be->gauges(be->ctx, &g);
    strbuf_init(&text, line, sizeof line);
    if (running) {
        strbuf_str(&text, "Still at it; see the page for what comes\n");
    } else {
        strbuf_printf(&text, "Done: %llu rules\n", (unsigned long long)g.rules_in_image);
    }
    piece_text(p, line);
    f->phase = 2;
    return FEED_MORE;
}

void view_gravity(struct call *c)
{
    enum err e = c->api->be->update_lists(c->api->be->ctx);
    if (e != ERR_OK && e != ERR_STATE) { /* ERR_STATE: one is under way; tell of that one */
        reply_rules_error(c, e, NULL, NULL);
        return;
    }
    struct feed *f = feed_open(c, "text/plain; charset=utf-8", fill_update);
    if (f) {
        f->update.since_unix = c->unix_us / 1000000 - (e == ERR_STATE ? 60 : 0);
        f->update.deadline = c->now + UPDATE_MAX_S * USEC_PER_SEC;
    }
}

/* --- one-line actions ------------------------------------------------------------------------ */

static void reply_done(struct call *c, enum err e)
{
    if (e == ERR_OK) {
        reply_json(c, 200, json_pack("{s:s}", "status", "success"));
    } else {
        reply_rules_error(c, e, NULL, NULL);
    }
}

void view_restart(struct call *c)
{
    if (!c->api->be->reload) {
        reply_error(c, 501, "not_implemented", "This platform does not do that", NULL);
        return;
    }
    reply_done(c, c->api->be->reload(c->api->be->ctx));
}

void view_flush(struct call *c)
{
    reply_done(c, c->api->be->flush_cache(c->api->be->ctx));
}

/* --- the log --------------------------------------------------------------------------------- */

enum { LOG_LINES_A_STEP = 32 };

/* The last lines, or those after ?after=ID. */
static json_t *log_lines(struct call *c)
{
    const struct api_backend *be = c->api->be;
    struct log_ring_line line[LOG_LINES_A_STEP];
    uint64_t after = (uint64_t)param_number(c, "after", 0, INT64_MAX, 0);
    json_t *out = json_array();
    uint32_t n = LOG_LINES_A_STEP;
    while (be->log_lines && n == LOG_LINES_A_STEP) {
        n = be->log_lines(be->ctx, after, line, LOG_LINES_A_STEP);
        for (uint32_t i = 0; i < n; i++) {
            after = line[i].id;
            json_array_append_new(
                out,
                json_pack("{s:I,s:f,s:s,s:s,s:o}", "id", (json_int_t)line[i].id, "time",
                          (double)line[i].unix_us / 1e6, "area", log_area_name(line[i].area),
                          "level", log_level_name(line[i].level), "text", json_text(line[i].text)));
        }
    }
    return out;
}

void view_log_get(struct call *c)
{
    json_t *levels = json_object();
    for (int a = 0; a < LOG_AREA_COUNT; a++) {
        enum log_area area = (enum log_area)a;
        json_object_set_new(levels, log_area_name(area),
                            json_string(log_level_name(log_get_level(area))));
    }
    reply_json(c, 200, json_pack("{s:o,s:o}", "levels", levels, "lines", log_lines(c)));
}

static bool level_of(const char *text, enum log_level *out)
{
    for (int l = 0; text && l < LOG_LEVEL_COUNT; l++) {
        if (strcmp(text, log_level_name((enum log_level)l)) == 0) {
            *out = (enum log_level)l;
            return true;
        }
    }
    return false;
}

/* {"levels": {"resolver": "debug"}}: those that are named; all names are checked before any is set.
 */
void view_log_put(struct call *c)
{
    json_t *levels = json_object_get(c->body, "levels");
    enum log_level set[LOG_AREA_COUNT];
    size_t known = 0;
    if (!json_is_object(levels)) {
        bad_request(c, "Expected {\"levels\": {area: level}}");
        return;
    }
    for (int a = 0; a < LOG_AREA_COUNT; a++) {
        const json_t *value = json_object_get(levels, log_area_name((enum log_area)a));
        set[a] = log_get_level((enum log_area)a);
        if (value && !level_of(json_string_value(value), &set[a])) {
            bad_request(c, "A level is not known: expected error, warning, info or debug");
            return;
        }
        known += value != NULL;
    }
    if (known != json_object_size(levels)) {
        bad_request(c, "An area is not known");
        return;
    }
    for (int a = 0; a < LOG_AREA_COUNT; a++) {
        log_set_level((enum log_area)a, set[a]);
    }
    view_log_get(c);
}
