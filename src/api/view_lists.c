/*
 * Lists: those of the configuration and those that a person added. The platform tells their state;
 * what a person changes goes into the rules document. A list of the configuration can be switched
 * off here, but not removed.
 */
#include <string.h>

#include "api/items.h"
#include "api/list_hits.h"
#include "api/routes.h"

static json_t *examples_array(const struct api_list *l)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < l->example_count && i < ARRAY_LEN(l->example); i++) {
        json_array_append_new(array, json_text(l->example[i]));
    }
    return array;
}

/* What the document says of a list; a list of the configuration alone is everybody's. */
static json_t *groups_of(const struct list_view *v)
{
    return v->groups ? json_incref((json_t *)(uintptr_t)v->groups) : json_pack("[i]", 0);
}

static void find_entry(const struct call *c, const struct api_list *l, struct list_view *out)
{
    uint32_t index;
    if (rules_list_find(c->api->rules, l->url, l->allow, &index) != ERR_OK ||
        !rules_list_at(c->api->rules, index, out)) {
        *out = (struct list_view){.url = l->url};
    }
}

/* `hits` may be NULL: then what no other list would have blocked is not told. */
static json_t *list_object(const struct call *c, const struct api_list *l,
                           const struct list_hits_table *hits, bool of_span)
{
    struct stats_list_use use;
    struct list_view entry;
    char name[128];
    find_entry(c, l, &entry);
    list_display_name(l, name, sizeof name);
    stats_list_use(c->api->stats, l->id, &use);
    json_t *o = json_pack("{s:o, s:s, s:o, s:o, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i}",
                          "address", json_text(l->url), "type", l->allow ? "allow" : "block",
                          "comment", json_text_or_null(entry.comment), "groups", groups_of(&entry),
                          "enabled", (int)l->enabled, "id", (json_int_t)l->id, "date_added",
                          (json_int_t)l->added_unix, "date_modified", (json_int_t)l->modified_unix,
                          "date_updated", (json_int_t)l->updated_unix, "number",
                          (json_int_t)l->rules, "invalid_domains", (json_int_t)l->rejected,
                          "abp_entries", (json_int_t)l->adblock, "status", (int)l->status);
    json_object_set_new(o, "name", json_text(name));
    struct list_hits h = hits ? list_hits_of(hits, l->id) : (struct list_hits){0};
    json_object_set_new(o, "hits", json_integer((json_int_t)(of_span ? h.blocked : use.day)));
    json_object_set_new(o, "unique_hits",
                        hits && !l->allow ? json_integer((json_int_t)h.alone) : json_null());
    json_object_set_new(o, "hits_ever", json_integer((json_int_t)use.ever));
    json_object_set_new(o, "unique",
                        l->unique == UINT32_MAX ? json_null() : json_integer(l->unique));
    json_object_set_new(o, "duplicates", json_integer(l->duplicates));
    json_object_set_new(o, "ignored", json_integer(l->ignored));
    json_object_set_new(o, "format", json_text_or_null(l->format));
    json_object_set_new(o, "octets", json_integer((json_int_t)l->octets));
    json_object_set_new(o, "checked", json_integer((json_int_t)l->checked_unix));
    json_object_set_new(o, "error", json_text_or_null(l->error));
    json_object_set_new(o, "examples", examples_array(l));
    json_object_set_new(o, "configured", json_boolean(l->configured));
    json_object_set_new(o, "fetching", json_boolean(l->fetching));
    json_object_set_new(o, "needs_confirm", json_boolean(l->needs_confirm));
    json_object_set_new(o, "guard", json_boolean(l->guard));
    json_object_set_new(o, "notice", json_text_or_null(l->notice));
    return o;
}

/* --- which ones ------------------------------------------------------------------------------ */

/* The query's type: 1 allow, 0 block, -1 both. */
static int asked_type(const struct call *c)
{
    char type[8];
    if (!param_text(c, "type", type, sizeof type)) {
        return -1;
    }
    return strcmp(type, "allow") == 0 ? 1 : strcmp(type, "block") == 0 ? 0 : -1;
}

static bool find_list(const struct call *c, const char *url, bool allow, struct api_list *out)
{
    uint32_t count = c->api->be->list_count(c->api->be->ctx);
    for (uint32_t i = 0; i < count; i++) {
        memset(out, 0, sizeof *out);
        c->api->be->list_at(c->api->be->ctx, i, out);
        if (out->allow == allow && strcmp(out->url, url) == 0) {
            return true;
        }
    }
    return false;
}

void view_lists_get(struct call *c)
{
    const struct api_backend *be = c->api->be;
    struct api_list l;
    json_t *array = json_array();
    uint32_t count = be->list_count(be->ctx);
    int type = asked_type(c);
    struct list_hits_table hits;
    struct span_of_time span = param_span(c),
                        day = {.from_us = c->unix_us - INT64_C(86400) * 1000000,
                               .until_us = INT64_MAX};
    list_hits_count(c->api, span.given ? span : day, &hits);
    for (uint32_t i = 0; i < count; i++) {
        memset(&l, 0, sizeof l);
        be->list_at(be->ctx, i, &l);
        if ((type < 0 || l.allow == type) && (!c->param[0] || strcmp(l.url, c->param[0]) == 0)) {
            json_array_append_new(array, list_object(c, &l, &hits, span.given));
        }
    }
    reply_json(c, 200, json_pack("{s:o}", "lists", array));
}

/* --- changes --------------------------------------------------------------------------------- */

struct list_change {
    struct call *c;
    struct rules next;
    struct processed processed;
    bool allow;
    enum err last;
    const char *why;
};

/* Only what can be fetched from elsewhere may come in by the API: no files of this machine. */
static const char *problem_of_address(const char *url)
{
    return strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0 ||
                   strstr(url, "+http://") || strstr(url, "+https://")
               ? NULL
               : "expected an address that starts with http:// or https://";
}

static void add_list(void *ctx, const char *url)
{
    struct list_change *x = ctx;
    struct api_list known;
    x->why = problem_of_address(url);
    if (x->why) {
        x->last = ERR_FORMAT;
    } else if (find_list(x->c, url, x->allow, &known)) {
        x->last = ERR_EXISTS;
    } else {
        x->last = rules_list_add(&x->next, url, x->allow, false, body_text(x->c, "comment"),
                                 body_bool(x->c, "enabled", true), body_groups(x->c),
                                 x->c->unix_us / 1000000, &x->why);
    }
    processed_add(&x->processed, url, x->last, x->why);
}

static json_t *current_lists(struct call *c, const json_t *urls, bool allow)
{
    json_t *array = json_array();
    size_t count = json_is_array(urls) ? json_array_size(urls) : 1;
    for (size_t i = 0; i < count; i++) {
        struct api_list l;
        const char *url = json_string_value(json_is_array(urls) ? json_array_get(urls, i) : urls);
        if (url && find_list(c, url, allow, &l)) {
            json_array_append_new(array, list_object(c, &l, NULL, false));
        }
    }
    return array;
}

static void reply_lists(struct call *c, int status, const json_t *urls, bool allow,
                        struct processed *p)
{
    reply_json(c, status,
               json_pack("{s:o, s:o}", "lists", current_lists(c, urls, allow), "processed",
                         processed_object(p)));
}

/* The type may stand in the query or in the body. */
static bool read_list_type(struct call *c, bool *allow)
{
    const char *body = body_text(c, "type");
    int type = asked_type(c);
    if (type < 0 && body) {
        type = strcmp(body, "allow") == 0 ? 1 : strcmp(body, "block") == 0 ? 0 : -1;
    }
    if (type < 0) {
        reply_error(c, 400, "bad_request", "Missing or invalid type",
                    "Add ?type=block or ?type=allow");
        return false;
    }
    *allow = type == 1;
    return true;
}

void view_lists_post(struct call *c)
{
    struct list_change x = {.c = c};
    const json_t *urls = json_object_get(c->body, "address");
    if (!body_is_object(c) || !read_list_type(c, &x.allow) || !rules_begin(c, &x.next)) {
        return;
    }
    x.processed = processed_new(c);
    if (!items_each(c, "address", add_list, &x)) {
        rules_free(&x.next);
        processed_free(&x.processed);
    } else if (json_is_string(urls) && x.last != ERR_OK) {
        rules_free(&x.next);
        processed_free(&x.processed);
        reply_rules_error(c, x.last, x.why, json_string_value(urls));
    } else if (x.processed.done == 0) {
        rules_free(&x.next);
        reply_lists(c, 201, urls, x.allow, &x.processed);
    } else if (rules_commit(c, &x.next, RULES_LISTS)) {
        if (json_is_string(urls)) {
            reply_location(c, "/api/lists/", json_string_value(urls));
        }
        reply_lists(c, 201, urls, x.allow, &x.processed);
    } else {
        processed_free(&x.processed);
    }
}

/* Write a list's entry; a list of the configuration gets one. */
static enum err set_list(struct call *c, struct rules *next, const struct api_list *l,
                         const char **why)
{
    uint32_t index;
    enum err e;
    const char *comment = body_text(c, "comment");
    bool enabled = body_bool(c, "enabled", true);
    if (rules_list_find(next, l->url, l->allow, &index) == ERR_OK) {
        *why = "not a valid comment or groups";
        e = rules_list_set(next, index, comment, enabled, body_groups(c), c->unix_us / 1000000);
    } else {
        e = rules_list_add(next, l->url, l->allow, l->configured, comment, enabled, body_groups(c),
                           c->unix_us / 1000000, why);
    }
    e = e == ERR_OK ? rules_list_find(next, l->url, l->allow, &index) : e;
    return e == ERR_OK && json_object_get(c->body, "guard")
               ? rules_list_set_guard(next, index, body_bool(c, "guard", true))
               : e;
}

void view_lists_put(struct call *c)
{
    struct rules next;
    struct api_list l;
    bool allow;
    const char *why = NULL;
    if (!body_is_object(c) || !read_list_type(c, &allow)) {
        return;
    }
    if (!find_list(c, c->param[0], allow, &l)) {
        not_found(c, "There is no such list");
        return;
    }
    if (!rules_begin(c, &next)) {
        return;
    }
    enum err e = set_list(c, &next, &l, &why);
    if (e != ERR_OK) {
        rules_free(&next);
        reply_rules_error(c, e, why, l.url);
    } else if (rules_commit(c, &next, RULES_LISTS)) {
        struct processed p = processed_new(c);
        json_t *url = json_string(l.url);
        processed_add(&p, l.url, ERR_OK, NULL);
        reply_lists(c, 200, url, allow, &p);
        json_decref(url);
    }
}

/* ERR_STATE: the list stands in the configuration. */
static enum err remove_list(struct rules *next, const char *url, bool allow)
{
    uint32_t index;
    struct list_view v;
    if (rules_list_find(next, url, allow, &index) != ERR_OK || !rules_list_at(next, index, &v)) {
        return ERR_NOT_FOUND;
    }
    if (v.configured) {
        return ERR_STATE;
    }
    rules_list_remove(next, index);
    return ERR_OK;
}

void view_lists_delete(struct call *c)
{
    struct rules next;
    struct api_list l;
    bool allow;
    if (!read_list_type(c, &allow) || !rules_begin(c, &next)) {
        return;
    }
    enum err e = remove_list(&next, c->param[0], allow);
    if (e == ERR_OK) {
        if (rules_commit(c, &next, RULES_LISTS)) {
            reply_empty(c, 204);
        }
        return;
    }
    rules_free(&next);
    if (e == ERR_STATE || (find_list(c, c->param[0], allow, &l) && l.configured)) {
        reply_error(c, 400, "bad_request", "The list stands in the configuration file",
                    "Switch it off with PUT {\"enabled\":false}, or remove it there");
    } else {
        not_found(c, "There is no such list");
    }
}

static void delete_list(void *ctx, const json_t *item)
{
    struct list_change *x = ctx;
    const char *type = json_string_value(json_object_get(item, "type"));
    const char *url = json_string_value(json_object_get(item, "item"));
    if (remove_list(&x->next, url, type && strcmp(type, "allow") == 0) == ERR_OK) {
        x->processed.done++;
    }
}

void view_lists_batch(struct call *c)
{
    struct list_change x = {.c = c};
    if (!rules_begin(c, &x.next)) {
        return;
    }
    if (!batch_each(c, delete_list, &x)) {
        rules_free(&x.next);
    } else if (x.processed.done == 0) {
        rules_free(&x.next);
        not_found(c, "None of the lists can be removed");
    } else if (rules_commit(c, &x.next, RULES_LISTS)) {
        reply_empty(c, 204);
    }
}

/* --- one list, now --------------------------------------------------------------------------- */

static bool read_id(const char *text, uint32_t *out)
{
    uint64_t id = 0;
    for (; *text >= '0' && *text <= '9' && id < UINT32_MAX; text++) {
        id = id * 10 + (uint64_t)(*text - '0');
    }
    *out = (uint32_t)id;
    return !*text && id <= UINT32_MAX;
}

static void act_on_list(struct call *c, enum err (*act)(void *ctx, uint32_t id))
{
    struct api_list l;
    uint32_t id;
    if (!read_id(c->param[0], &id) || !list_by_id(c->api, id, &l)) {
        not_found(c, "There is no such list");
    } else if (!act) {
        reply_error(c, 501, "not_implemented", "This platform does not do that", NULL);
    } else if (act(c->api->be->ctx, id) != ERR_OK) {
        reply_error(c, 409, "conflict", "It is not possible now", NULL);
    } else {
        reply_json(c, 202, json_pack("{s:o}", "list", list_object(c, &l, NULL, false)));
    }
}

void view_list_update(struct call *c)
{
    act_on_list(c, c->api->be->list_update);
}

void view_list_confirm(struct call *c)
{
    act_on_list(c, c->api->be->list_confirm);
}

void view_list_refuse(struct call *c)
{
    act_on_list(c, c->api->be->list_refuse);
}

/* --- an update that is held back ------------------------------------------------------------- */

static json_t *rules_array(const struct bl_diff_side *side)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < side->shown; i++) {
        const struct bl_diff_rule *r = &side->rule[i];
        char name[DNS_NAME_TEXT];
        dns_name_format(&r->name, name);
        json_array_append_new(array,
                              json_pack("{s:o, s:b, s:b, s:s}", "name", json_text(name), "itself",
                                        (int)((r->kind & BL_EXACT) != 0), "below",
                                        (int)((r->kind & BL_BELOW) != 0), "type",
                                        bl_rank_action(r->rank) == BL_ALLOW ? "allow" : "block"));
    }
    return array;
}

static json_t *names_array(const struct bl_guard_names *names)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < names->shown; i++) {
        char name[DNS_NAME_TEXT];
        dns_name_format(&names->name[i].name, name);
        json_array_append_new(array, json_pack("{s:o, s:s, s:b}", "name", json_text(name), "kind",
                                               bl_guard_kind_name(names->name[i].kind), "below",
                                               (int)names->name[i].below));
    }
    return array;
}

static json_t *held_object(const struct api_held *h)
{
    json_t *counts = json_object();
    for (unsigned k = 0; k < BL_GUARD_KINDS; k++) {
        json_object_set_new(counts, bl_guard_kind_name((enum bl_guard_kind)k),
                            json_integer(h->names.count[k]));
    }
    json_t *o =
        json_pack("{s:o, s:I, s:I, s:I, s:I, s:b, s:o, s:o}", "reason", json_text(h->reason),
                  "fetched", (json_int_t)h->fetched_unix, "octets", (json_int_t)h->octets, "rules",
                  (json_int_t)h->rules, "rules_before", (json_int_t)h->rules_before, "compared",
                  (int)h->compared, "counts", counts, "names", names_array(&h->names));
    json_object_set_new(o, "added", json_integer(h->added.count));
    json_object_set_new(o, "removed", json_integer(h->removed.count));
    json_object_set_new(o, "added_rules", rules_array(&h->added));
    json_object_set_new(o, "removed_rules", rules_array(&h->removed));
    return o;
}

void view_list_held(struct call *c)
{
    struct api_list l;
    uint32_t id;
    if (!read_id(c->param[0], &id) || !list_by_id(c->api, id, &l)) {
        not_found(c, "There is no such list");
        return;
    }
    const struct api_backend *be = c->api->be;
    const struct api_held *h = be->list_held ? be->list_held(be->ctx, id) : NULL;
    if (!h) {
        not_found(c, "No update of that list is held back");
        return;
    }
    reply_json(
        c, 200,
        json_pack("{s:o, s:o}", "list", list_object(c, &l, NULL, false), "held", held_object(h)));
}
