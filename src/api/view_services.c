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

static json_t *services_array(const struct config *config)
{
    json_t *array = json_array();
    for (uint32_t i = 0; config && i < config->catalogs->services.count; i++) {
        const struct catalog_section *s = &config->catalogs->services.section[i];
        json_array_append_new(array, json_pack("{s:o, s:o, s:I, s:b}", "id", json_text_span(s->id),
                                               "title", json_text_span(s->title), "names",
                                               (json_int_t)s->names, "blocked",
                                               (int)catalogs_blocked(config, s->id)));
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
               json_pack("{s:o, s:{s:b, s:o}}", "services", services_array(config), "safe_search",
                         "on", config && config->safe_search, "engines", engines_array(config)));
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

/* {"blocked": true}: for everybody. */
void view_services_put(struct call *c)
{
    const struct config *config = config_of(c);
    const json_t *blocked = json_object_get(c->body, "blocked");
    char value[VALUE_MAX];
    struct strbuf text;
    struct rules next;
    const char *why = NULL;
    if (!config || !catalog_find(&config->catalogs->services, span_str(c->param[0]))) {
        not_found(c, "There is no such service");
        return;
    }
    if (!json_is_boolean(blocked)) {
        bad_request(c, "Expected {\"blocked\": true or false}");
        return;
    }
    strbuf_init(&text, value, sizeof value);
    if (!make_value(config, c->param[0], json_is_true(blocked), &text) || !rules_begin(c, &next)) {
        return;
    }
    enum err e = rules_set_setting(&next, "block-service", value, &why);
    if (e != ERR_OK) {
        rules_free(&next);
        reply_rules_error(c, e, why, c->param[0]);
    } else if (rules_commit(c, &next, RULES_SETTINGS)) {
        view_services_get(c);
    }
}
