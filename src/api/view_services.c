/* Services that are blocked as a whole, and safe search: which there are, and for whom. */
#include <string.h>

#include "api/items.h"
#include "api/routes.h"
#include "base/strbuf.h"
#include "config/catalogs.h"

enum { VALUE_MAX = 4096 };

static const struct config *config_of(const struct call *c)
{
    const struct api_backend *be = c->api->be;
    const struct config *config = be->config ? be->config(be->ctx) : NULL;
    return config && config->catalogs ? config : NULL;
}

enum err services_check(const struct call *c, const char *value, struct strbuf *why)
{
    const struct config *config = config_of(c);
    const char *word = value;
    for (word += strspn(word, " \t"); config && *word; word += strspn(word, " \t")) {
        struct span id = span_of(word, strcspn(word, " \t"));
        if (!catalog_find(&config->catalogs->services, id) && !span_equal(id, span_str("none"))) {
            strbuf_printf(why, "there is no service \"%.*s\"", (int)id.len, (const char *)id.ptr);
            return ERR_FORMAT;
        }
        word += id.len;
    }
    return ERR_OK;
}

/* The nth service that the document blocks for a group. */
static const char *group_service(const struct call *c, const char *group, uint32_t n)
{
    struct group_view v;
    uint32_t index;
    return rules_group_find(c->api->rules, group, &index) == ERR_OK &&
                   rules_group_at(c->api->rules, index, &v)
               ? rules_group_value(&v, CFG_GROUP_SERVICE, n)
               : NULL;
}

/* Does the configuration block the service for a group? Then nothing here takes that back. */
static bool is_configured(const struct config *config, const char *group, struct span id)
{
    const char *service;
    for (uint32_t i = 0; i < config->groups.count; i++) {
        for (uint32_t n = 0;
             strcmp(config->groups.item[i].name, group) == 0 &&
             (service = cfg_group_value(&config->groups, i, CFG_GROUP_SERVICE, n)) != NULL;
             n++) {
            if (span_equal(id, span_str(service))) {
                return true;
            }
        }
    }
    return false;
}

static bool group_blocks(const struct call *c, const struct config *config, const char *group,
                         struct span id)
{
    const char *service;
    for (uint32_t n = 0; (service = group_service(c, group, n)) != NULL; n++) {
        if (span_equal(id, span_str(service))) {
            return true;
        }
    }
    return is_configured(config, group, id);
}

/* The ith group of document and configuration together, each once; NULL beyond the last. */
static const char *group_at(const struct call *c, const struct config *config, uint32_t i)
{
    uint32_t count = rules_group_count(c->api->rules), index;
    struct group_view v;
    if (i < count) {
        return rules_group_at(c->api->rules, i, &v) ? v.name : NULL;
    }
    for (uint32_t k = 0; k < config->groups.count; k++) {
        const char *name = config->groups.item[k].name;
        if (rules_group_find(c->api->rules, name, &index) != ERR_OK && i-- == count) {
            return name;
        }
    }
    return NULL;
}

static json_t *groups_array(const struct call *c, const struct config *config, struct span id)
{
    json_t *array = json_array();
    const char *group;
    for (uint32_t i = 0; (group = group_at(c, config, i)) != NULL; i++) {
        if (group_blocks(c, config, group, id)) {
            json_array_append_new(array, json_text(group));
        }
    }
    return array;
}

static json_t *services_array(const struct call *c, const struct config *config)
{
    json_t *array = json_array();
    for (uint32_t i = 0; config && i < config->catalogs->services.count; i++) {
        const struct catalog_section *s = &config->catalogs->services.section[i];
        json_array_append_new(
            array, json_pack("{s:o, s:o, s:I, s:b, s:o}", "id", json_text_span(s->id), "title",
                             json_text_span(s->title), "names", (json_int_t)s->names, "blocked",
                             (int)catalogs_blocked(config, s->id), "groups",
                             groups_array(c, config, s->id)));
    }
    return array;
}

static json_t *engines_array(const struct config *config)
{
    json_t *array = json_array();
    for (uint32_t i = 0; config && i < config->catalogs->safe_search.count; i++) {
        const struct catalog_section *s = &config->catalogs->safe_search.section[i];
        json_array_append_new(array,
                              json_pack("{s:o, s:o, s:I}", "id", json_text_span(s->id), "stands_in",
                                        json_text_span(s->title), "names", (json_int_t)s->names));
    }
    return array;
}

void view_services_get(struct call *c)
{
    const struct config *config = config_of(c);
    reply_json(c, 200,
               json_pack("{s:o, s:{s:b, s:o}}", "services", services_array(c, config),
                         "safe_search", "on", config && config->safe_search, "engines",
                         engines_array(config)));
}

/* block-service as it is to be: all that it names now, but for `id`, and that if it is wanted. */
static bool make_value(const struct config *config, const char *id, bool wanted, struct strbuf *out)
{
    for (uint32_t i = 0; i < config->block_service.count; i++) {
        if (strcmp(config->block_service.item[i], id) != 0) {
            strbuf_printf(out, "%s%s", out->len > 0 ? " " : "", config->block_service.item[i]);
        }
    }
    if (wanted) {
        strbuf_printf(out, "%s%s", out->len > 0 ? " " : "", id);
    }
    if (out->len == 0) {
        strbuf_str(out, "none");
    }
    return !out->truncated;
}

/* For everybody: the option block-service. */
static enum err block_for_all(const struct config *config, struct rules *next, const char *id,
                              bool blocked, const char **why)
{
    char value[VALUE_MAX];
    struct strbuf text;
    strbuf_init(&text, value, sizeof value);
    return make_value(config, id, blocked, &text)
               ? rules_set_setting(next, "block-service", value, why)
               : ERR_LIMIT;
}

/* For one group: the services of its entry in the document. */
static enum err block_for_group(struct call *c, const struct config *config, struct rules *next,
                                const char *group, const char *id, bool blocked, const char **why)
{
    if (!blocked && is_configured(config, group, span_str(id))) {
        *why = "the configuration blocks it for this group";
        return ERR_FORMAT;
    }
    json_t *services = json_array();
    const char *other;
    for (uint32_t n = 0; (other = group_service(c, group, n)) != NULL; n++) {
        if (strcmp(other, id) != 0) {
            json_array_append_new(services, json_string(other));
        }
    }
    if (blocked) {
        json_array_append_new(services, json_string(id));
    }
    json_t *values = json_pack("{s:o}", "services", services);
    enum err e =
        values ? rules_group_treat(next, group, values, c->unix_us / 1000000, why) : ERR_MEMORY;
    json_decref(values);
    return e;
}

static bool is_group(const struct call *c, const struct config *config, const char *name)
{
    const char *group;
    bool found = strcmp(name, CFG_GROUP_DEFAULT) == 0;
    for (uint32_t i = 0; !found && (group = group_at(c, config, i)) != NULL; i++) {
        found = strcmp(group, name) == 0;
    }
    return found;
}

/* {"blocked": true}: for everybody; with "group": for its members. */
void view_services_put(struct call *c)
{
    const struct config *config = config_of(c);
    const json_t *blocked = json_object_get(c->body, "blocked");
    const char *id = c->param[0], *group = body_text(c, "group"), *why = NULL;
    struct rules next;
    if (!config || !catalog_find(&config->catalogs->services, span_str(id))) {
        not_found(c, "There is no such service");
        return;
    }
    if (!json_is_boolean(blocked)) {
        bad_request(c, "Expected {\"blocked\": true or false}");
        return;
    }
    if (group && !is_group(c, config, group)) {
        not_found(c, "There is no such group");
        return;
    }
    if (!rules_begin(c, &next)) {
        return;
    }
    bool on = json_is_true(blocked);
    enum err e = group ? block_for_group(c, config, &next, group, id, on, &why)
                       : block_for_all(config, &next, id, on, &why);
    if (e != ERR_OK) {
        rules_free(&next);
        reply_rules_error(c, e, why, id);
    } else if (rules_commit(c, &next, group ? RULES_GROUPS : RULES_SETTINGS)) {
        view_services_get(c);
    }
}
