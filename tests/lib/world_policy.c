/*
 * Groups, clients and rules of a world: a rules document, changed with the functions that the API
 * uses, and turned into profiles as a platform does it.
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/policy_plan.h"
#include "api/rules_snapshot.h"
#include "api/services_part.h"
#include "base/mac.h"
#include "config/config.h"

static struct rules *document(struct world *w)
{
    if (w->rules.doc == NULL && rules_clear(&w->rules) != ERR_OK) {
        abort();
    }
    return &w->rules;
}

bool world_has_policy(const struct world *w)
{
    return w->rules.doc != NULL || w->config_text != NULL;
}

void world_add_config(struct world *w, const char *line)
{
    size_t have = w->config_text ? strlen(w->config_text) : 0;
    char *more = realloc(w->config_text, have + strlen(line) + 2);
    if (more == NULL) {
        abort();
    }
    sprintf(more + have, "%s\n", line);
    w->config_text = more;
}

usec_t world_time_of(const struct world *w, int64_t unix_s)
{
    return unix_s <= w->unix_start ? WORLD_START
                                   : WORLD_START + (usec_t)(unix_s - w->unix_start) * USEC_PER_SEC;
}

bool world_pause(struct world *w, const char *group, const char *client, int64_t until_unix)
{
    const char *why = NULL;
    return rules_set_pause_of(document(w), group, client, until_unix, world_unix(w), &why) ==
           ERR_OK;
}

bool world_add_schedule(struct world *w, const char *group, const char *text)
{
    const char *why = NULL;
    uint32_t index;
    struct group_view v;
    json_t *all = json_array();
    if (rules_group_find(document(w), group, &index) == ERR_OK &&
        rules_group_at(&w->rules, index, &v)) {
        const char *have;
        for (uint32_t n = 0; (have = rules_group_value(&v, CFG_GROUP_SCHEDULE, n)) != NULL; n++) {
            json_array_append_new(all, json_string(have));
        }
    }
    json_array_append_new(all, json_string(text));
    json_t *values = json_pack("{s:o}", "schedules", all);
    enum err e = rules_group_treat(&w->rules, group, values, world_unix(w), &why);
    json_decref(values);
    return e == ERR_OK;
}

int64_t world_unix(const struct world *w)
{
    return w->unix_start + (int64_t)((w->now - WORLD_START) / USEC_PER_SEC);
}

static int64_t group_id(struct world *w, const char *name)
{
    uint32_t index;
    struct group_view v;
    if (strcmp(name, "default") == 0) {
        return 0;
    }
    return rules_group_find(document(w), name, &index) == ERR_OK &&
                   rules_group_at(&w->rules, index, &v)
               ? v.id
               : -1;
}

bool world_add_group(struct world *w, const char *name)
{
    const char *why = NULL;
    return rules_group_add(document(w), name, NULL, true, world_unix(w), &why) == ERR_OK;
}

/* Add a group to an item's groups, of which there may be none. */
static json_t *with_group(const json_t *groups, int64_t id)
{
    json_t *array = groups ? json_deep_copy(groups) : json_array();
    json_array_append_new(array, json_integer((json_int_t)id));
    return array;
}

bool world_add_member(struct world *w, const char *group, const char *client)
{
    uint32_t index;
    struct client_view v = {0};
    const char *why = NULL;
    int64_t id = group_id(w, group);
    bool known = rules_client_find(document(w), client, &index) == ERR_OK &&
                 rules_client_at(&w->rules, index, &v);
    json_t *groups = with_group(v.groups, id);
    enum err e = known ? rules_client_set(&w->rules, index, NULL, groups, world_unix(w))
                       : rules_client_add(&w->rules, client, NULL, groups, world_unix(w), &why);
    json_decref(groups);
    return id >= 0 && e == ERR_OK;
}

bool world_add_device(struct world *w, const char *mac, const char *name, const char *addr)
{
    struct policy_address *a = &w->device[w->devices];
    (void)document(w);
    if (w->devices == WORLD_PREFIXES || ip_parse(span_str(addr), &a->addr) != ERR_OK ||
        mac_parse(span_str(mac), a->mac) != ERR_OK) {
        return false;
    }
    a->has_mac = true;
    if (name != NULL) {
        char *copy = world_memory(w, strlen(name) + 1);
        a->name = strcpy(copy, name);
    }
    w->devices++;
    return true;
}

static void list_url(const char *name, char out[64])
{
    snprintf(out, 64, "https://lists.example/%s", name);
}

bool world_add_group_list(struct world *w, const char *group, const char *list)
{
    uint32_t index;
    char url[64];
    struct list_view v = {0};
    const char *why = NULL;
    int64_t id = group_id(w, group);
    bool allow = strcmp(list, "allowed") == 0;
    list_url(list, url);
    bool known = rules_list_find(document(w), url, allow, &index) == ERR_OK &&
                 rules_list_at(&w->rules, index, &v);
    json_t *groups = with_group(v.groups, id);
    enum err e = known ? rules_list_set(&w->rules, index, NULL, true, groups, world_unix(w))
                       : rules_list_add(&w->rules, url, allow, false, NULL, true, groups,
                                        world_unix(w), &why);
    json_decref(groups);
    return id >= 0 && e == ERR_OK;
}

/* "*.NAME" is the name and all below. */
static struct rule_key key_of(bool allow, const char *rule, char text[512])
{
    bool below = strncmp(rule, "*.", 2) == 0;
    size_t n = 0;
    if (below) {
        n = (size_t)snprintf(text, 512, "(\\.|^)");
    }
    for (const char *p = rule + (below ? 2 : 0); *p && n + 4 < 512; p++) {
        if (below && *p == '.') {
            text[n++] = '\\';
        }
        text[n++] = *p;
    }
    if (below) {
        text[n++] = '$';
    }
    text[n] = '\0';
    return (struct rule_key){.allow = allow, .regex = below, .text = text};
}

bool world_add_rule(struct world *w, bool allow, const char *rule, const char *owner, usec_t until)
{
    char text[512];
    const char *why = NULL;
    struct rule_key key = key_of(allow, rule, text);
    bool client = group_id(w, owner) < 0;
    json_t *groups = with_group(NULL, client ? 0 : group_id(w, owner));
    key.client = client ? owner : NULL;
    struct rule_edit edit = {.enabled = true, .groups = groups};
    edit.until_unix =
        until == 0 ? 0 : w->unix_start + (int64_t)((until - WORLD_START) / USEC_PER_SEC);
    bool good = rules_own_add(document(w), &key, &edit, world_unix(w), &why) == ERR_OK;
    json_decref(groups);
    return good;
}

static uint32_t id_of_slot(const void *ctx, unsigned slot)
{
    const struct world *w = ctx;
    char url[64];
    if (slot >= WORLD_LISTS || w->list_name[slot] == NULL) {
        return 0;
    }
    list_url(w->list_name[slot], url);
    return rules_list_id(url, w->list_allows[slot]);
}

static const struct catalogs *world_catalogs(void)
{
    static struct catalogs catalogs;
    const struct catalog_text none = {.file = NULL};
    struct cfg_error error;
    if (catalogs.services.count == 0 && catalogs_read(&catalogs, &none, &none, &error) != ERR_OK) {
        abort();
    }
    return &catalogs;
}

bool world_block_service(struct world *w, const char *id)
{
    const struct catalog_section *s = catalog_find(&world_catalogs()->services, span_str(id));
    if (s == NULL || w->service_count == ARRAY_LEN(w->services)) {
        return false;
    }
    char *copy = world_memory(w, strlen(id) + 1);
    memcpy(copy, id, strlen(id) + 1);
    w->services[w->service_count++] = copy;
    return document(w) != NULL;
}

bool world_safe_search(struct world *w, bool on, const char *youtube)
{
    w->safe_search = on;
    w->safe_youtube = strcmp(youtube, "moderate") == 0 ? 1 : strcmp(youtube, "off") == 0 ? 2 : 0;
    return document(w) != NULL;
}

static uint32_t id_of_list(const char *text, bool allow)
{
    return rules_list_id(text, allow);
}

static struct config *config_of(struct world *w)
{
    struct config *c = NULL;
    struct cfg_error error;
    const char *text = w->config_text ? w->config_text : "";
    if (cfg_init(&c, world_memory(w, cfg_memory()), cfg_memory()) != ERR_OK) {
        abort();
    }
    c->list.count = 0; /* a world's lists are everybody's unless a group has them */
    if (cfg_apply_text(c, "story", span_str(text), &error) != ERR_OK) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    c->block_mode = (struct cfg_block_mode){.mode = w->draft.everybody.block_mode,
                                            .v4 = w->draft.everybody.block_v4,
                                            .v6 = w->draft.everybody.block_v6};
    c->catalogs = world_catalogs();
    c->block_service.item = w->services;
    c->block_service.count = w->service_count;
    c->safe_search = w->safe_search;
    c->safe_search_youtube = w->safe_youtube;
    return c;
}

static void apply_services(struct world *w, struct snapshot *s)
{
    const struct services_part *part = NULL;
    size_t len = services_part_memory(world_catalogs());
    if (services_part_make(world_catalogs(), world_memory(w, len), len, &part) != ERR_OK) {
        abort();
    }
    services_part_apply(part, s);
}

void world_apply_policy(struct world *w, struct snapshot *s)
{
    (void)document(w);
    const struct policy_source from = {.config = config_of(w),
                                       .rules = &w->rules,
                                       .now = w->now,
                                       .now_unix = world_unix(w),
                                       .tz = &w->tz,
                                       .address = w->device,
                                       .address_count = w->devices,
                                       .list_id = id_of_list};
    struct policy_plan plan;
    struct bl_overlay *overlay = NULL;
    struct arena arena;
    uint32_t count;
    size_t len = policy_plan_memory(&from);
    if (w->own_count > 0 || policy_plan_make(&plan, &from, world_memory(w, len), len) != ERR_OK) {
        abort(); /* own rules stand in the document if there is one */
    }
    len = policy_apply_memory(&plan, s->image, id_of_slot, w);
    arena_init(&arena, world_memory(w, len), len);
    if (policy_apply(&plan, id_of_slot, w, &arena, s) != ERR_OK) {
        abort();
    }
    len = rules_overlay_memory(&w->rules, &plan, from.now_unix, &count);
    if (len > 0 && rules_overlay_make(&w->rules, &plan, from.now, from.now_unix,
                                      world_memory(w, len), len, count, &overlay) != ERR_OK) {
        abort();
    }
    s->rules = overlay;
    apply_services(w, s);
    w->next_change = plan.groups.next_change;
}
