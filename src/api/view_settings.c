/*
 * Settings: options that a person sets from afar. They are kept in the rules document and stand
 * above the configuration file; each option is told with the value in force, where that comes from,
 * and what it may be. What names files of this machine is not set here, nor are lists, which have
 * routes of their own.
 */
#include <string.h>

#include "api/items.h"
#include "api/routes.h"
#include "config/config.h"

enum { WHY_MAX = 512 };

/* What the process is on its machine (user, sandbox) is not for the page to say either. */
static bool can_be_set(enum cfg_option option)
{
    const struct cfg_row *row = cfg_row(option);
    bool process = row->reload == CFG_START && strcmp(cfg_section(option), "Process") == 0;
    return !process && row->type != CFG_PATH && row->type != CFG_PATHS && row->type != CFG_SOURCES;
}

/* What the page needs to know of a type; all others are texts. */
static const char *type_word(enum cfg_type type)
{
    static const char *const words[] = {
        [CFG_BOOL] = "bool", [CFG_U32] = "number", [CFG_DURATION] = "duration",
        [CFG_SIZE] = "size", [CFG_ENUM] = "word",  [CFG_BLOCK_MODE] = "block-mode"};
    if ((size_t)type < ARRAY_LEN(words) && words[type]) {
        return words[type];
    }
    return cfg_is_repeatable(type) ? "texts" : "text";
}

static json_t *values_array(const struct config *config, enum cfg_option option)
{
    char text[CFG_VALUE_MAX];
    json_t *array = json_array();
    uint32_t count = cfg_value_count(config, option);
    for (uint32_t i = 0; i < count; i++) {
        struct strbuf s;
        strbuf_init(&s, text, sizeof text);
        cfg_value_format(config, option, i, &s);
        json_array_append_new(array, json_text(text));
    }
    return array;
}

static json_t *option_object(const struct config *config, enum cfg_option option)
{
    const struct cfg_row *row = cfg_row(option);
    char expected[WHY_MAX];
    struct strbuf s;
    strbuf_init(&s, expected, sizeof expected);
    cfg_expected(option, &s);
    return json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "name", row->name,
                     "section", cfg_section(option), "type", type_word(row->type), "value",
                     values_array(config, option), "source",
                     cfg_source_name(config->origin[option].source), "default", row->def, "words",
                     row->words, "unit", row->unit, "expected", expected, "help", row->help, "live",
                     (int)(row->reload == CFG_RELOAD));
}

static json_t *options_array(const struct call *c)
{
    const struct api_backend *be = c->api->be;
    const struct config *config = be->config ? be->config(be->ctx) : NULL;
    json_t *array = json_array();
    for (int i = 0; config && i < CFG_OPT_COUNT; i++) {
        if (can_be_set((enum cfg_option)i)) {
            json_array_append_new(array, option_object(config, (enum cfg_option)i));
        }
    }
    return array;
}

void view_settings_get(struct call *c)
{
    json_t *settings = json_object();
    const char *name, *value;
    for (uint32_t i = 0; rules_setting_at(c->api->rules, i, &name, &value); i++) {
        json_object_set_new(settings, name, json_string(value));
    }
    reply_json(c, 200, json_pack("{s:o, s:o}", "settings", settings, "options", options_array(c)));
}

/* May this option have this value? The reason is written to `why` when not. */
static enum err check_setting(const struct call *c, const char *name, const char *value,
                              char why[WHY_MAX])
{
    const struct api_backend *be = c->api->be;
    enum cfg_option option;
    struct strbuf s;
    strbuf_init(&s, why, WHY_MAX);
    if (cfg_find(span_str(name), &option) != ERR_OK) {
        strbuf_str(&s, "not the name of an option");
        return ERR_FORMAT;
    }
    if (!can_be_set(option)) {
        strbuf_str(&s,
                   "not set from afar: it names files of the machine, or has a route of its own");
        return ERR_FORMAT;
    }
    enum err e = be->setting_check ? be->setting_check(be->ctx, name, value, &s) : ERR_OK;
    return e == ERR_OK && option == CFG_OPT_block_service ? services_check(c, value, &s) : e;
}

static enum err set_one(struct call *c, struct rules *next, const char *name, const json_t *value,
                        char why[WHY_MAX])
{
    const char *reason = "expected a text or null", *text = json_string_value(value);
    enum err e = ERR_FORMAT;
    if (text || json_is_null(value)) {
        e = text ? check_setting(c, name, text, why) : ERR_OK;
        if (e != ERR_OK) {
            return e;
        }
        e = rules_set_setting(next, name, text, &reason);
    }
    if (e == ERR_NOT_FOUND && !text) {
        return ERR_OK; /* nothing to take back */
    }
    if (e != ERR_OK) {
        struct strbuf s;
        strbuf_init(&s, why, WHY_MAX);
        strbuf_str(&s, reason ? reason : "");
    }
    return e;
}

/* {"settings": {"block-mode": "nxdomain", "block-ttl": null}}: those that are named; null takes one
 * back. */
void view_settings_put(struct call *c)
{
    struct rules next;
    char why[WHY_MAX] = "";
    json_t *settings = json_object_get(c->body, "settings");
    if (!json_is_object(settings)) {
        bad_request(c, "Expected {\"settings\": {name: value or null}}");
        return;
    }
    if (!rules_begin(c, &next)) {
        return;
    }
    for (void *at = json_object_iter(settings); at; at = json_object_iter_next(settings, at)) {
        const char *name = json_object_iter_key(at);
        enum err e = set_one(c, &next, name, json_object_iter_value(at), why);
        if (e != ERR_OK) {
            rules_free(&next);
            reply_rules_error(c, e, why, name);
            return;
        }
    }
    if (rules_commit(c, &next, RULES_SETTINGS)) {
        view_settings_get(c);
    }
}
