/*
 * The rules document: text to JSON value and back, and reading it. The value is kept as it was
 * checked, so readers here need not look at types again; absent optional fields read as NULL, false
 * or 0.
 */
#include "api/rules.h"

#include <string.h>

#include "api/api.h"
#include "api/json.h"
#include "api/rules_int.h"
#include "base/siphash.h"
#include "config/schedule.h"

enum err rules_clear(struct rules *r)
{
    struct strbuf what;
    char storage[1];
    strbuf_init(&what, storage, sizeof storage);
    json_t *doc = json_pack("{s:i}", "version", RULES_VERSION);
    enum err e = doc ? rules_check(doc, &what) : ERR_MEMORY;
    if (e != ERR_OK) {
        json_decref(doc);
        return ERR_MEMORY;
    }
    json_decref(r->doc);
    r->doc = doc;
    return ERR_OK;
}

void rules_free(struct rules *r)
{
    json_decref(r->doc);
    r->doc = NULL;
}

_Static_assert(RULES_TEXT_MAX <= API_BODY_MAX, "what was saved can be restored");

enum err rules_parse(struct rules *r, struct span text, char *what, size_t cap)
{
    char unused[1];
    struct strbuf message;
    json_error_t error;
    strbuf_init(&message, what && cap > 0 ? what : unused, what && cap > 0 ? cap : 1);
    if (text.len > RULES_TEXT_MAX) {
        strbuf_printf(&message, "%zu octets, expected at most %d", text.len, RULES_TEXT_MAX);
        return ERR_LIMIT;
    }
    if (!json_is_shallow(text)) {
        strbuf_printf(&message, "more than %d values within values", JSON_DEPTH_MAX);
        return ERR_FORMAT;
    }
    json_t *doc = NULL;
    enum err e = json_read(text, &doc, &error);
    if (e == ERR_FORMAT) {
        strbuf_printf(&message, "line %d: ", error.line);
        strbuf_escaped(&message, span_str(error.text));
    }
    if (e != ERR_OK) {
        return e;
    }
    e = rules_check(doc, &message);
    if (e != ERR_OK) {
        json_decref(doc);
        return e;
    }
    json_decref(r->doc);
    r->doc = doc;
    return ERR_OK;
}

enum err rules_print(const struct rules *r, rules_put *put, void *arg)
{
    return json_dump_callback(r->doc, put, arg, JSON_INDENT(2)) == 0 ? ERR_OK : ERR_IO;
}

enum err rules_copy(struct rules *to, const struct rules *from)
{
    to->doc = json_deep_copy(from->doc);
    return to->doc ? ERR_OK : ERR_MEMORY;
}

json_t *rules_section(const struct rules *r, const char *name)
{
    return json_object_get(r->doc, name);
}

static const char *text_of(const json_t *item, const char *name)
{
    return json_string_value(json_object_get(item, name));
}

static bool flag_of(const json_t *item, const char *name)
{
    return json_is_true(json_object_get(item, name));
}

static int64_t number_of(const json_t *item, const char *name)
{
    return (int64_t)json_integer_value(json_object_get(item, name));
}

static uint32_t count_of(const struct rules *r, const char *section)
{
    return (uint32_t)json_array_size(rules_section(r, section));
}

static const json_t *item_at(const struct rules *r, const char *section, uint32_t i)
{
    return json_array_get(rules_section(r, section), i);
}

uint32_t rules_own_count(const struct rules *r)
{
    return count_of(r, "own");
}

bool rules_own_at(const struct rules *r, uint32_t i, struct rule_view *out)
{
    const json_t *item = item_at(r, "own", i);
    if (!item) {
        return false;
    }
    const char *kind = text_of(item, "kind"), *covers = text_of(item, "covers");
    const char *domain = text_of(item, "domain");
    bool regex = strcmp(kind, "regex") == 0;
    *out = (struct rule_view){
        .id = number_of(item, "id"),
        .allow = strcmp(text_of(item, "type"), "allow") == 0,
        .kind = strcmp(kind, "exact") == 0 ? RULE_EXACT
                : regex && !covers         ? RULE_REGEX
                                           : RULE_SUBTREE,
        .domain = covers ? covers : domain,
        .written = domain,
        .regex_form = regex,
        .comment = text_of(item, "comment"),
        .enabled = flag_of(item, "enabled"),
        .added_unix = number_of(item, "added"),
        .modified_unix = number_of(item, "modified"),
        .until_unix = number_of(item, "until"),
        .client = text_of(item, "client"),
        .groups = json_object_get(item, "groups"),
    };
    return true;
}

uint32_t rules_address_count(const struct rules *r)
{
    return count_of(r, "addresses");
}

bool rules_address_at(const struct rules *r, uint32_t i, struct address_view *out)
{
    const json_t *item = item_at(r, "addresses", i);
    if (item) {
        *out = (struct address_view){.id = number_of(item, "id"),
                                     .address = text_of(item, "address"),
                                     .comment = text_of(item, "comment"),
                                     .enabled = flag_of(item, "enabled"),
                                     .added_unix = number_of(item, "added"),
                                     .modified_unix = number_of(item, "modified"),
                                     .groups = json_object_get(item, "groups")};
    }
    return item != NULL;
}

bool rules_own_active(const struct rule_view *v, int64_t now_unix)
{
    if (v->until_unix != 0 && now_unix < SCHEDULE_CLOCK_MIN) {
        return v->enabled && !v->allow; /* no clock is known: the stricter side holds */
    }
    return v->enabled && (v->until_unix == 0 || v->until_unix > now_unix);
}

int64_t rules_next_end(const struct rules *r)
{
    int64_t next = 0;
    struct rule_view v;
    for (uint32_t i = 0; rules_own_at(r, i, &v); i++) {
        if (v.until_unix != 0 && (next == 0 || v.until_unix < next)) {
            next = v.until_unix;
        }
    }
    return next;
}

uint32_t rules_list_id(const char *url, bool allow)
{
    static const struct siphash_key block_key = {1, 0}, allow_key = {2, 0};
    uint64_t hash = siphash24(allow ? allow_key : block_key, url, strlen(url));
    uint32_t id = (uint32_t)(hash & INT32_MAX);
    return id != 0 ? id : 1;
}

uint32_t rules_list_count(const struct rules *r)
{
    return count_of(r, "lists");
}

bool rules_list_at(const struct rules *r, uint32_t i, struct list_view *out)
{
    const json_t *item = item_at(r, "lists", i);
    if (!item) {
        return false;
    }
    *out = (struct list_view){
        .url = text_of(item, "url"),
        .allow = strcmp(text_of(item, "type"), "allow") == 0,
        .enabled = flag_of(item, "enabled"),
        .configured = flag_of(item, "configured"),
        .guard = flag_of(item, "guard"),
        .comment = text_of(item, "comment"),
        .added_unix = number_of(item, "added"),
        .modified_unix = number_of(item, "modified"),
        .groups = json_object_get(item, "groups"),
    };
    out->id = rules_list_id(out->url, out->allow);
    return true;
}

uint32_t rules_group_count(const struct rules *r)
{
    return count_of(r, "groups");
}

bool rules_group_at(const struct rules *r, uint32_t i, struct group_view *out)
{
    const json_t *item = item_at(r, "groups", i);
    if (!item) {
        return false;
    }
    *out = (struct group_view){
        .id = number_of(item, "id"),
        .name = text_of(item, "name"),
        .comment = text_of(item, "comment"),
        .enabled = flag_of(item, "enabled"),
        .added_unix = number_of(item, "added"),
        .modified_unix = number_of(item, "modified"),
        .item = item,
    };
    return true;
}

uint32_t rules_client_count(const struct rules *r)
{
    return count_of(r, "clients");
}

bool rules_client_at(const struct rules *r, uint32_t i, struct client_view *out)
{
    const json_t *item = item_at(r, "clients", i);
    if (!item) {
        return false;
    }
    *out = (struct client_view){
        .id = number_of(item, "id"),
        .client = text_of(item, "client"),
        .comment = text_of(item, "comment"),
        .added_unix = number_of(item, "added"),
        .modified_unix = number_of(item, "modified"),
        .groups = json_object_get(item, "groups"),
    };
    return true;
}

const char *rules_local_section(enum rules_local kind)
{
    static const char *const names[] = {"hosts", "cnames", "records"};
    return names[kind];
}

const char *rules_local_at(const struct rules *r, enum rules_local kind, uint32_t i)
{
    return json_string_value(item_at(r, rules_local_section(kind), i));
}

bool rules_setting_at(const struct rules *r, uint32_t i, const char **name, const char **value)
{
    json_t *settings = rules_section(r, "settings");
    for (void *at = json_object_iter(settings); at; at = json_object_iter_next(settings, at)) {
        if (i-- == 0) {
            *name = json_object_iter_key(at);
            *value = json_string_value(json_object_iter_value(at));
            return true;
        }
    }
    return false;
}

const char *rules_group_value(const struct group_view *v, enum cfg_group_key key, uint32_t n)
{
    const char *field = rules_group_field(key);
    const json_t *value = field ? json_object_get(v->item, field) : NULL;
    if (json_is_array(value)) {
        return json_string_value(json_array_get(value, n));
    }
    if (n > 0 || !value) {
        return NULL;
    }
    return json_is_boolean(value) ? (json_is_true(value) ? "on" : "off") : json_string_value(value);
}

bool rules_pause_at(const struct rules *r, uint32_t i, struct pause_view *out)
{
    const json_t *item = item_at(r, "pauses", i);
    if (!item) {
        return false;
    }
    *out = (struct pause_view){.group = text_of(item, "group"),
                               .client = text_of(item, "client"),
                               .until_unix = number_of(item, "until")};
    return true;
}

usec_t rules_pause_deadline(int64_t until_unix, usec_t now, int64_t now_unix)
{
    if (until_unix == 0) {
        return USEC_NEVER;
    }
    /* A clock that was never set would make it last for years. */
    return until_unix > now_unix && now_unix >= SCHEDULE_CLOCK_MIN
               ? now + (usec_t)(until_unix - now_unix) * USEC_PER_SEC
               : 0;
}

usec_t rules_pause_until(const struct rules *r, usec_t now, int64_t now_unix)
{
    const json_t *pause = json_object_get(r->doc, "pause");
    if (!json_is_object(pause)) {
        return 0;
    }
    return rules_pause_deadline(number_of(pause, "until"), now, now_unix);
}
