/* Groups: names that clients of the API may give to sets of rules. Group 0, "Default", is always
 * there and cannot be changed. */
#include <string.h>

#include "api/items.h"
#include "api/policy_groups.h"
#include "api/routes.h"

static json_t *group_object(const struct group_view *v)
{
    return json_pack("{s:s, s:o, s:b, s:I, s:I, s:I}", "name", v->name, "comment",
                     json_text_or_null(v->comment), "enabled", (int)v->enabled, "id",
                     (json_int_t)v->id, "date_added", (json_int_t)v->added_unix, "date_modified",
                     (json_int_t)v->modified_unix);
}

/* Groups that only the configuration has. */
static void add_configured(const struct call *c, const char *name, json_t *array)
{
    struct policy_source src;
    uint32_t index;
    c->api->be->policy_source(c->api->be->ctx, c->unix_us / 1000000, &src);
    for (uint32_t i = 0; i < src.config->groups.count; i++) {
        struct group_view v = {.name = src.config->groups.item[i].name,
                               .comment = "of the configuration",
                               .enabled = true};
        v.id = policy_group_id(v.name);
        if (strcmp(v.name, CFG_GROUP_DEFAULT) != 0 && (!name || strcmp(name, v.name) == 0) &&
            rules_group_find(c->api->rules, v.name, &index) != ERR_OK) {
            json_array_append_new(array, group_object(&v));
        }
    }
}

static json_t *groups_array(const struct call *c, const char *name)
{
    const struct rules *r = c->api->rules;
    const struct group_view everybody = {
        .name = "Default", .comment = "The default group", .enabled = true};
    struct group_view v;
    json_t *array = json_array();
    if (!name || strcmp(name, everybody.name) == 0) {
        json_array_append_new(array, group_object(&everybody));
    }
    for (uint32_t i = 0; rules_group_at(r, i, &v); i++) {
        if (v.id != 0 && (!name || strcmp(name, v.name) == 0)) {
            json_array_append_new(array, group_object(&v));
        }
    }
    add_configured(c, name, array);
    return array;
}

void view_groups_get(struct call *c)
{
    reply_json(c, 200, json_pack("{s:o}", "groups", groups_array(c, c->param[0])));
}

struct group_change {
    struct call *c;
    struct rules next;
    struct processed processed;
    enum err last;
    const char *why;
};

static void add_group(void *ctx, const char *name)
{
    struct group_change *x = ctx;
    x->last = rules_group_add(&x->next, name, body_text(x->c, "comment"),
                              body_bool(x->c, "enabled", true), x->c->unix_us / 1000000, &x->why);
    processed_add(&x->processed, name, x->last, x->why);
}

static void reply_group(struct call *c, int status, const char *name, struct processed *p)
{
    reply_json(
        c, status,
        json_pack("{s:o, s:o}", "groups", groups_array(c, name), "processed", processed_object(p)));
}

void view_groups_post(struct call *c)
{
    struct group_change x = {.c = c};
    const char *name = body_text(c, "name");
    if (!body_is_object(c) || !rules_begin(c, &x.next)) {
        return;
    }
    x.processed = processed_new(c);
    if (!items_each(c, "name", add_group, &x)) {
        rules_free(&x.next);
        processed_free(&x.processed);
    } else if (x.processed.done == 0) {
        rules_free(&x.next);
        processed_free(&x.processed);
        reply_rules_error(c, x.last, x.why, name);
    } else if (rules_commit(c, &x.next, RULES_GROUPS)) {
        if (name) {
            reply_location(c, "/api/groups/", name);
        }
        reply_group(c, 201, name, &x.processed);
    } else {
        processed_free(&x.processed);
    }
}

/* A group of the configuration has its members and lists there, by its name. */
static const char *problem_of_rename(const struct call *c, const char *from, const char *to)
{
    struct policy_source src;
    c->api->be->policy_source(c->api->be->ctx, c->unix_us / 1000000, &src);
    for (uint32_t i = 0; strcmp(from, to) != 0 && i < src.config->groups.count; i++) {
        if (strcmp(src.config->groups.item[i].name, from) == 0) {
            return "the configuration has this group by its name: rename it there";
        }
    }
    return NULL;
}

void view_groups_put(struct call *c)
{
    struct rules next;
    uint32_t index;
    const char *why = NULL, *name = body_text(c, "name");
    name = name ? name : c->param[0];
    if (!body_is_object(c) || !rules_begin(c, &next)) {
        return;
    }
    enum err e = rules_group_find(&next, c->param[0], &index);
    if (e == ERR_OK) {
        why = problem_of_rename(c, c->param[0], name);
        e = why ? ERR_FORMAT : ERR_OK;
    }
    if (e == ERR_OK) {
        e = rules_group_set(&next, index, name, body_text(c, "comment"),
                            body_bool(c, "enabled", true), c->unix_us / 1000000, &why);
    }
    if (e != ERR_OK) {
        rules_free(&next);
        reply_rules_error(c, e, why, c->param[0]);
    } else if (rules_commit(c, &next, RULES_GROUPS)) {
        struct processed p = processed_new(c);
        processed_add(&p, name, ERR_OK, NULL);
        reply_group(c, 200, name, &p);
    }
}

void view_groups_delete(struct call *c)
{
    struct rules next;
    uint32_t index;
    if (!rules_begin(c, &next)) {
        return;
    }
    enum err e = rules_group_find(&next, c->param[0], &index);
    if (e != ERR_OK) {
        rules_free(&next);
        reply_rules_error(c, e, NULL, c->param[0]);
        return;
    }
    rules_group_remove(&next, index);
    if (rules_commit(c, &next, RULES_GROUPS)) {
        reply_empty(c, 204);
    }
}

static void delete_group(void *ctx, const json_t *item)
{
    struct group_change *x = ctx;
    uint32_t index;
    if (rules_group_find(&x->next, json_string_value(json_object_get(item, "item")), &index) ==
        ERR_OK) {
        rules_group_remove(&x->next, index);
        x->processed.done++;
    }
}

void view_groups_batch(struct call *c)
{
    struct group_change x = {.c = c};
    if (!rules_begin(c, &x.next)) {
        return;
    }
    if (!batch_each(c, delete_group, &x)) {
        rules_free(&x.next);
    } else if (x.processed.done == 0) {
        rules_free(&x.next);
        not_found(c, "None of the groups exists");
    } else if (rules_commit(c, &x.next, RULES_GROUPS)) {
        reply_empty(c, 204);
    }
}
