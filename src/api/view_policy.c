/*
 * Groups as they are treated, and what is paused. Pi-hole's routes for groups and clients stay as
 * they are (view_groups.c, view_clients.c); here is what it does not have.
 */
#include <string.h>

#include "api/items.h"
#include "api/policy_groups.h"
#include "api/routes.h"

enum { TIMER_MAX_S = 10 * 365 * 86400 };

static const struct {
    const char *field;
    enum cfg_group_key key;
    bool array;
} group_fields[] = {
    {"block_mode", CFG_GROUP_BLOCK_MODE, false}, {"safe_search", CFG_GROUP_SAFE_SEARCH, false},
    {"upstreams", CFG_GROUP_UPSTREAM, true},     {"schedules", CFG_GROUP_SCHEDULE, true},
    {"services", CFG_GROUP_SERVICE, true},
};

/* The values of a key: those of the page first, then the configuration's. */
static json_t *values_of(const struct policy_source *src, const struct policy_group *g, size_t i)
{
    const char *text;
    json_t *array = json_array();
    for (uint32_t n = 0; (text = policy_group_value(src, g, group_fields[i].key, n)) != NULL; n++) {
        json_array_append_new(array, json_text(text));
    }
    if (group_fields[i].array) {
        return array;
    }
    json_t *first = json_array_get(array, 0);
    json_t *one = !first ? json_null()
                  : group_fields[i].key == CFG_GROUP_SAFE_SEARCH
                      ? json_boolean(cfg_group_is_on(json_string_value(first)))
                      : json_incref(first);
    json_decref(array);
    return one;
}

/* Those of the configuration alone. */
static json_t *configured_values(const struct policy_source *src, const struct policy_group *g,
                                 enum cfg_group_key key)
{
    const char *text;
    json_t *array = json_array();
    for (uint32_t n = 0;
         g->configured >= 0 &&
         (text = cfg_group_value(&src->config->groups, (uint32_t)g->configured, key, n)) != NULL;
         n++) {
        json_array_append_new(array, json_text(text));
    }
    return array;
}

/* What cannot be taken away here: PUT sets what stands beside it. */
static json_t *file_object(const struct policy_source *src, const struct policy_group *g)
{
    json_t *o = json_object();
    for (size_t i = 0; i < ARRAY_LEN(group_fields); i++) {
        if (group_fields[i].array) {
            json_object_set_new(o, group_fields[i].field,
                                configured_values(src, g, group_fields[i].key));
        }
    }
    return o;
}

static json_t *group_object(const struct policy_source *src, const struct policy_group *g)
{
    json_t *o = json_pack(
        "{s:o, s:I, s:b, s:b, s:o, s:o, s:s, s:o}", "name", json_text(g->name), "id",
        (json_int_t)g->id, "enabled", (int)g->enabled, "configured", (int)(g->configured >= 0),
        "clients", configured_values(src, g, CFG_GROUP_CLIENT), "file", file_object(src, g), "now",
        g->blocks   ? "blocks"
        : g->pauses ? "pauses"
                    : "as usual",
        "schedule", json_text_or_null(g->schedule ? g->schedule : ""));
    for (size_t i = 0; i < ARRAY_LEN(group_fields); i++) {
        json_object_set_new(o, group_fields[i].field, values_of(src, g, i));
    }
    return o;
}

static json_t *pauses_array(const struct call *c)
{
    struct pause_view p;
    json_t *array = json_array();
    int64_t now = c->unix_us / 1000000;
    for (uint32_t i = 0; rules_pause_at(c->api->rules, i, &p); i++) {
        if (p.until_unix == 0 || p.until_unix > now) {
            json_array_append_new(
                array,
                json_pack("{s:o, s:o, s:o}", "group", json_text_or_null(p.group ? p.group : ""),
                          "client", json_text_or_null(p.client ? p.client : ""), "timer",
                          p.until_unix == 0 ? json_null()
                                            : json_integer((json_int_t)(p.until_unix - now))));
        }
    }
    return array;
}

static void reply_policy(struct call *c)
{
    struct policy_source src;
    struct policy_groups groups;
    struct arena arena;
    json_t *array = json_array();
    c->api->be->policy_source(c->api->be->ctx, c->unix_us / 1000000, &src);
    arena_init(&arena, c->api->groups_room, API_GROUPS_ROOM);
    enum err e = policy_groups_make(&groups, &src, &arena);
    for (unsigned i = 0; e == ERR_OK && i < groups.count; i++) {
        json_array_append_new(array, group_object(&src, &groups.item[i]));
    }
    reply_json(c, 200, json_pack("{s:o, s:o}", "groups", array, "pauses", pauses_array(c)));
}

void view_policy_get(struct call *c)
{
    reply_policy(c);
}

static bool is_group(struct call *c, const char *name)
{
    struct policy_source src;
    struct policy_groups groups;
    struct arena arena;
    c->api->be->policy_source(c->api->be->ctx, c->unix_us / 1000000, &src);
    arena_init(&arena, c->api->groups_room, API_GROUPS_ROOM);
    if (policy_groups_make(&groups, &src, &arena) != ERR_OK) {
        return false;
    }
    for (unsigned i = 0; i < groups.count; i++) {
        if (strcmp(groups.item[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* A group that only the configuration has gets an entry in the document, under the same number. */
void view_policy_group_put(struct call *c)
{
    struct rules next;
    const char *why = NULL;
    if (!body_is_object(c)) {
        return;
    }
    if (!is_group(c, c->param[0])) {
        not_found(c, "There is no such group");
        return;
    }
    if (!rules_begin(c, &next)) {
        return;
    }
    enum err e = rules_group_treat(&next, c->param[0], c->body, c->unix_us / 1000000, &why);
    if (e != ERR_OK) {
        rules_free(&next);
        reply_rules_error(c, e, why, c->param[0]);
    } else if (rules_commit(c, &next, RULES_GROUPS)) {
        reply_policy(c);
    }
}

/* Seconds, 0: for good, -1: no more; -2: a value that cannot be. */
static int64_t read_seconds(const struct call *c)
{
    const json_t *timer = json_object_get(c->body, "timer");
    const json_t *blocking = json_object_get(c->body, "blocking");
    if (json_is_true(blocking)) {
        return -1;
    }
    if (!timer || json_is_null(timer)) {
        return 0;
    }
    return json_is_integer(timer) && json_integer_value(timer) >= 1 &&
                   json_integer_value(timer) <= TIMER_MAX_S
               ? (int64_t)json_integer_value(timer)
               : -2;
}

void view_pause_post(struct call *c)
{
    struct rules next;
    const char *why = NULL;
    const char *group = body_text(c, "group"), *client = body_text(c, "client");
    if (!body_is_object(c)) {
        return;
    }
    int64_t seconds = read_seconds(c), now = c->unix_us / 1000000;
    if (seconds == -2) {
        reply_error(c, 400, "body_error", "Invalid \"timer\", expected seconds or null", NULL);
        return;
    }
    if (group && !is_group(c, group)) {
        not_found(c, "There is no such group");
        return;
    }
    if (!rules_begin(c, &next)) {
        return;
    }
    enum err e =
        rules_set_pause_of(&next, group, client, seconds > 0 ? now + seconds : seconds, now, &why);
    if (e != ERR_OK) {
        rules_free(&next);
        reply_rules_error(c, e, why, group ? group : client);
    } else if (rules_commit(c, &next, RULES_GROUPS)) {
        reply_policy(c);
    }
}
