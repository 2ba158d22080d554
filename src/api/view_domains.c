/*
 * A person's own rules: /api/domains/{allow|deny}/{exact|regex}/{name}. A change is stored and in
 * force before it is answered. Beside Pi-hole's fields there are "timer" (seconds until the rule
 * goes by itself) and, in answers, "expires", "client" and "active": false for a rule that is not
 * in force.
 */
#include <string.h>

#include "api/feed.h"
#include "api/items.h"
#include "api/routes.h"

enum { ROW_OCTETS = 7168, CLIENT_TEXT = 64, TIMER_MAX_S = 10 * 365 * 86400 };

static json_t *time_or_null(int64_t unix_s)
{
    return unix_s ? json_integer((json_int_t)unix_s) : json_null();
}

static json_t *domain_object(const struct api *api, const struct rule_view *v, int64_t now_unix)
{
    bool active =
        rules_own_active(v, now_unix) && (v->kind != RULE_REGEX || api->be->regex_check != NULL);
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:O, s:b, s:I, s:I, s:I, s:o, s:o, s:b}", "domain",
                     v->written, "unicode", v->written, "type", v->allow ? "allow" : "deny", "kind",
                     v->regex_form ? "regex" : "exact", "comment", json_text_or_null(v->comment),
                     "groups", v->groups, "enabled", (int)v->enabled, "id", (json_int_t)v->id,
                     "date_added", (json_int_t)v->added_unix, "date_modified",
                     (json_int_t)v->modified_unix, "expires", time_or_null(v->until_unix), "client",
                     json_text_or_null(v->client), "active", (int)active);
}

/* --- which ones ------------------------------------------------------------------------------ */

/* Type and kind of the path; false: answered with 400. */
static bool read_type(struct call *c, const char *type, bool *allow)
{
    *allow = strcmp(type, "allow") == 0;
    if (!*allow && strcmp(type, "deny") != 0) {
        bad_request(c, "Invalid type, expected allow or deny");
        return false;
    }
    return true;
}

static bool read_kind(struct call *c, const char *kind, bool *regex)
{
    *regex = strcmp(kind, "regex") == 0;
    if (!*regex && strcmp(kind, "exact") != 0) {
        bad_request(c, "Invalid kind, expected exact or regex");
        return false;
    }
    return true;
}

/* The same name in another way of writing is the same rule. */
static bool same_item(const struct rule_view *v, const char *item)
{
    char name[DNS_NAME_TEXT];
    struct dns_name parsed;
    if (strcmp(v->written, item) == 0) {
        return true;
    }
    if (v->regex_form || dns_name_parse(span_str(item), &parsed) != ERR_OK) {
        return false;
    }
    dns_name_format(&parsed, name);
    return strcmp(v->written, name) == 0;
}

static bool is_wanted(const struct feed *f, const struct rule_view *v)
{
    return (f->rules.type < 0 || f->rules.type == v->allow) &&
           (f->rules.kind < 0 || f->rules.kind == v->regex_form) &&
           (!f->rules.item[0] || same_item(v, f->rules.item));
}

static enum feed_step fill(struct feed *f, struct piece *p, usec_t now)
{
    struct rule_view v;
    (void)now;
    if (f->phase == 2) {
        return FEED_END;
    }
    piece_text(p, f->phase == 0 ? "{\"domains\":[" : "");
    f->phase = 1;
    while (piece_room(p) >= ROW_OCTETS) {
        if (!rules_own_at(f->api->rules, f->rules.at++, &v)) {
            piece_text(p, "],\"took\":");
            (void)piece_json(p, json_rounded(f->rules.took));
            piece_text(p, "}");
            f->phase = 2;
            return FEED_MORE;
        }
        json_t *row =
            is_wanted(f, &v)
                ? domain_object(f->api, &v, f->api->be->unix_us(f->api->be->ctx) / 1000000)
                : NULL;
        if (row) {
            piece_text(p, f->rules.any ? "," : "");
            f->rules.any = true;
            (void)piece_json(p, row);
        }
    }
    return FEED_MORE;
}

void view_domains_get(struct call *c)
{
    bool allow = false, regex = false;
    const char *item = c->param[2] ? c->param[2] : "";
    if ((c->param[0] && !read_type(c, c->param[0], &allow)) ||
        (c->param[1] && !read_kind(c, c->param[1], &regex))) {
        return;
    }
    struct feed *f = feed_open(c, "application/json; charset=utf-8", fill);
    if (f) {
        struct strbuf text;
        f->rules.type = c->param[0] ? allow : -1;
        f->rules.kind = c->param[1] ? regex : -1;
        f->rules.took = call_took(c);
        strbuf_init(&text, f->rules.item, sizeof f->rules.item);
        strbuf_str(&text, item);
    }
}

/* --- changes --------------------------------------------------------------------------------- */

struct addition {
    struct call *c;
    struct rules next;
    struct processed processed;
    struct rule_key key;
    struct rule_edit edit;
    int64_t now_unix;
    enum err last;
    const char *why;
};

static void add_one(void *ctx, const char *item)
{
    struct addition *a = ctx;
    char problem[API_WHY_MAX];
    a->key.text = item;
    a->why = NULL;
    a->last = a->key.regex ? items_check_regex(a->c, item, problem) : ERR_OK;
    if (a->last == ERR_OK) {
        a->last = rules_own_add(&a->next, &a->key, &a->edit, a->now_unix, &a->why);
    } else {
        a->why = problem;
    }
    processed_add(&a->processed, item, a->last, a->why);
    a->why = NULL;
}

/* The fields of the body that a rule has beside its name. false: answered with 400. */
static bool read_edit(struct call *c, struct rule_edit *out)
{
    const json_t *timer = json_object_get(c->body, "timer");
    double seconds = json_number_value(timer);
    if (timer && !json_is_null(timer) &&
        (!json_is_number(timer) || !(seconds >= 0) || seconds > TIMER_MAX_S)) {
        reply_error(c, 400, "body_error", "Invalid \"timer\", expected seconds or null", NULL);
        return false;
    }
    *out = (struct rule_edit){.comment = body_text(c, "comment"),
                              .enabled = body_bool(c, "enabled", true),
                              .groups = body_groups(c)};
    out->until_unix = seconds > 0 ? c->unix_us / 1000000 + (int64_t)(seconds + 0.999) : 0;
    return true;
}

/* The items of a request as they are now. */
static json_t *current_items(struct call *c, const struct rule_key *key, const json_t *items)
{
    json_t *array = json_array();
    size_t count = json_is_array(items) ? json_array_size(items) : 1;
    for (size_t i = 0; i < count; i++) {
        uint32_t index;
        struct rule_view v;
        struct rule_key one = *key;
        one.text = json_string_value(json_is_array(items) ? json_array_get(items, i) : items);
        if (rules_own_find(c->api->rules, &one, &index) == ERR_OK &&
            rules_own_at(c->api->rules, index, &v)) {
            json_array_append_new(array, domain_object(c->api, &v, c->unix_us / 1000000));
        }
    }
    return array;
}

static void reply_items(struct call *c, int status, const struct rule_key *key, const json_t *items,
                        struct processed *p)
{
    reply_json(c, status,
               json_pack("{s:o, s:o}", "domains", current_items(c, key, items), "processed",
                         processed_object(p)));
}

void view_domains_post(struct call *c)
{
    struct addition a = {
        .c = c, .now_unix = c->unix_us / 1000000, .key.client = body_text(c, "client")};
    const json_t *items = json_object_get(c->body, "domain");
    if (!body_is_object(c) || !read_type(c, c->param[0], &a.key.allow) ||
        !read_kind(c, c->param[1], &a.key.regex) || !read_edit(c, &a.edit) ||
        !rules_begin(c, &a.next)) {
        return;
    }
    a.processed = processed_new(c);
    if (!items_each(c, "domain", add_one, &a)) {
        rules_free(&a.next);
        processed_free(&a.processed);
    } else if (json_is_string(items) &&
               (a.last == ERR_EXISTS || a.last == ERR_LIMIT || a.last == ERR_MEMORY)) {
        rules_free(&a.next);
        processed_free(&a.processed);
        reply_rules_error(c, a.last, a.why, json_string_value(items));
    } else if (a.processed.done == 0) {
        rules_free(&a.next);
        reply_items(c, 201, &a.key, items, &a.processed);
    } else if (rules_commit(c, &a.next, RULES_OWN)) {
        char base[64];
        struct strbuf text;
        strbuf_init(&text, base, sizeof base);
        strbuf_printf(&text, "/api/domains/%s/%s/", c->param[0], c->param[1]);
        if (json_is_string(items)) {
            reply_location(c, base, json_string_value(items));
        }
        reply_items(c, 201, &a.key, items, &a.processed);
    } else {
        processed_free(&a.processed);
    }
}

/* The rule that the path and the query's "client" name, in the copy; `client` is room for the
 * latter. false: answered. */
static bool find_in(struct call *c, struct rules *next, struct rule_key *key,
                    char client[CLIENT_TEXT], uint32_t *index)
{
    if (!read_type(c, c->param[0], &key->allow) || !read_kind(c, c->param[1], &key->regex) ||
        !rules_begin(c, next)) {
        return false;
    }
    key->text = c->param[2];
    key->client = param_text(c, "client", client, CLIENT_TEXT) ? client : NULL;
    enum err e = rules_own_find(next, key, index);
    if (e != ERR_OK) {
        rules_free(next);
        reply_rules_error(c, e, NULL, c->param[2]);
    }
    return e == ERR_OK;
}

void view_domains_put(struct call *c)
{
    struct rules next;
    struct rule_key key = {0};
    struct rule_edit edit;
    char client[CLIENT_TEXT];
    uint32_t index;
    if (!body_is_object(c) || !read_edit(c, &edit) || !find_in(c, &next, &key, client, &index)) {
        return;
    }
    enum err e = rules_own_set(&next, index, &edit, c->unix_us / 1000000);
    if (e != ERR_OK) {
        rules_free(&next);
        reply_rules_error(c, e, "not a valid comment or groups", NULL);
    } else if (rules_commit(c, &next, RULES_OWN)) {
        struct processed p = processed_new(c);
        json_t *item = json_string(c->param[2]);
        processed_add(&p, c->param[2], ERR_OK, NULL);
        reply_items(c, 200, &key, item, &p);
        json_decref(item);
    }
}

void view_domains_delete(struct call *c)
{
    struct rules next;
    struct rule_key key = {0};
    char client[CLIENT_TEXT];
    uint32_t index;
    if (find_in(c, &next, &key, client, &index)) {
        rules_own_remove(&next, index);
        if (rules_commit(c, &next, RULES_OWN)) {
            reply_empty(c, 204);
        }
    }
}

static void delete_one(void *ctx, const json_t *item)
{
    struct addition *a = ctx;
    const char *type = json_string_value(json_object_get(item, "type"));
    const char *kind = json_string_value(json_object_get(item, "kind"));
    uint32_t index;
    a->key = (struct rule_key){.allow = type && strcmp(type, "allow") == 0,
                               .regex = kind && strcmp(kind, "regex") == 0,
                               .text = json_string_value(json_object_get(item, "item")),
                               .client = json_string_value(json_object_get(item, "client"))};
    if (rules_own_find(&a->next, &a->key, &index) == ERR_OK) {
        rules_own_remove(&a->next, index);
        a->processed.done++;
    }
}

void view_domains_batch(struct call *c)
{
    struct addition a = {0};
    if (!rules_begin(c, &a.next)) {
        return;
    }
    if (!batch_each(c, delete_one, &a)) {
        rules_free(&a.next);
    } else if (a.processed.done == 0) {
        rules_free(&a.next);
        not_found(c, "None of the items exists");
    } else if (rules_commit(c, &a.next, RULES_OWN)) {
        reply_empty(c, 204);
    }
}
