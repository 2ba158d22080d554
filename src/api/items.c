/* Common to the routes that change items of the rules document. */
#include "api/items.h"

#include <string.h>

#include "base/strbuf.h"
#include "blocklist/regex.h"

enum err items_check_regex(struct call *c, const char *pattern, char why[API_WHY_MAX])
{
    const struct api_backend *be = c->api->be;
    const char *problem = bl_pattern_problem(span_str(pattern));
    struct strbuf text;
    why[0] = '\0';
    if (problem) {
        strbuf_init(&text, why, API_WHY_MAX);
        strbuf_str(&text, problem);
        return ERR_FORMAT;
    }
    return be->regex_check ? be->regex_check(be->ctx, span_str(pattern), why) : ERR_OK;
}

struct processed processed_new(struct call *c)
{
    return (struct processed){.success = json_array(), .errors = json_array(), .c = c};
}

const char *err_words(enum err e, const char *why)
{
    if (e == ERR_FORMAT) {
        return why ? why : "not a valid value";
    }
    if (e == ERR_EXISTS) {
        return "it is there already";
    }
    if (e == ERR_LIMIT) {
        return "there are too many already";
    }
    return e == ERR_NOT_FOUND ? "there is no such item" : err_text(e);
}

void processed_add(struct processed *p, const char *item, enum err e, const char *why)
{
    if (e == ERR_OK) {
        json_array_append_new(p->success, json_pack("{s:o}", "item", json_text(item)));
        p->done++;
    } else {
        json_array_append_new(p->errors, json_pack("{s:o, s:s}", "item", json_text(item), "error",
                                                   err_words(e, why)));
    }
}

json_t *processed_object(struct processed *p)
{
    json_t *o = json_pack("{s:o, s:o}", "success", p->success, "errors", p->errors);
    p->success = p->errors = NULL;
    return o;
}

void processed_free(struct processed *p)
{
    json_decref(p->success);
    json_decref(p->errors);
    p->success = p->errors = NULL;
}

bool body_is_object(struct call *c)
{
    if (json_is_object(c->body)) {
        return true;
    }
    reply_error(c, 400, "bad_request", "Invalid request body data (expected a JSON object)", NULL);
    return false;
}

bool items_each(struct call *c, const char *name, item_function *each, void *ctx)
{
    const json_t *value = json_object_get(c->body, name);
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_string(item) || count > ITEMS_MAX) {
            reply_error(c, 400, "bad_request", "Expected a text or an array of at most 1000 texts",
                        name);
            return false;
        }
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
        each(ctx, json_string_value(item));
    }
    return true;
}

bool batch_each(struct call *c, batch_function *each, void *ctx)
{
    if (!json_is_array(c->body) || json_array_size(c->body) > ITEMS_MAX) {
        bad_request(c, "Invalid request body data (expected an array of at most 1000 objects)");
        return false;
    }
    for (size_t i = 0; i < json_array_size(c->body); i++) {
        if (!json_is_string(json_object_get(json_array_get(c->body, i), "item"))) {
            bad_request(c, "Invalid request body data (an object without \"item\")");
            return false;
        }
    }
    for (size_t i = 0; i < json_array_size(c->body); i++) {
        each(ctx, json_array_get(c->body, i));
    }
    return true;
}

const char *body_text(const struct call *c, const char *name)
{
    return json_string_value(json_object_get(c->body, name));
}

bool body_bool(const struct call *c, const char *name, bool absent)
{
    const json_t *value = json_object_get(c->body, name);
    return json_is_boolean(value) ? json_is_true(value) : absent;
}

json_t *body_groups(const struct call *c)
{
    json_t *groups = json_object_get(c->body, "groups");
    return json_is_null(groups) ? NULL : groups;
}

bool rules_begin(struct call *c, struct rules *next)
{
    *next = (struct rules){0};
    enum err e = rules_copy(next, c->api->rules);
    if (e != ERR_OK) {
        reply_rules_error(c, e, NULL, NULL);
    }
    return e == ERR_OK;
}

void reply_location(struct call *c, const char *base, const char *item)
{
    static const char digits[] = "0123456789ABCDEF";
    char location[300];
    struct strbuf text;
    strbuf_init(&text, location, sizeof location);
    strbuf_str(&text, base);
    for (const char *p = item; *p; p++) {
        unsigned char ch = (unsigned char)*p;
        bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                     (ch >= '0' && ch <= '9') || strchr("-._~", ch);
        if (plain) {
            strbuf_char(&text, (char)ch);
        } else {
            strbuf_printf(&text, "%%%c%c", digits[ch >> 4], digits[ch & 15]);
        }
    }
    if (!text.truncated) {
        reply_header(c, "Location", location);
    }
}
