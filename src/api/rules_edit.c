/*
 * Changes of a rules document. Each makes one item or changes fields of one; what comes in is
 * checked by the same functions as whole documents, so a document that was good stays good.
 */
#include <string.h>

#include "api/policy_groups.h"
#include "api/rules_int.h"

/* One more than the highest id of a section. */
static json_int_t next_id(const json_t *array)
{
    json_int_t id = 0;
    for (size_t i = 0; i < json_array_size(array); i++) {
        json_int_t v = json_integer_value(json_object_get(json_array_get(array, i), "id"));
        id = v > id && v < POLICY_GROUP_ID_CONFIGURED ? v : id;
    }
    return id + 1;
}

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static json_t *groups_or_default(const json_t *groups)
{
    return groups ? json_deep_copy(groups) : json_pack("[i]", 0);
}

/* Takes over `item`, which may be NULL. */
static enum err append(json_t *array, size_t max, json_t *item)
{
    if (!item) {
        return ERR_MEMORY;
    }
    if (json_array_size(array) >= max) {
        json_decref(item);
        return ERR_LIMIT;
    }
    return json_array_append_new(array, item) == 0 ? ERR_OK : ERR_MEMORY;
}

/* Takes over `value`, which may be NULL. */
static bool set(json_t *item, const char *name, json_t *value)
{
    return json_object_set_new(item, name, value) == 0;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* --- how members of a group are treated ------------------------------------------------------ */

/* Of a group that the document does not have, under the number that it has all the same. */
static enum err make_group_entry(struct rules *r, const char *name, int64_t now_unix,
                                 const char **why)
{
    bool everybody = strcmp(name, CFG_GROUP_DEFAULT) == 0;
    *why = rules_problem_of_group(name);
    if (*why) {
        return ERR_FORMAT;
    }
    return append(rules_section(r, "groups"), RULES_GROUPS_MAX,
                  json_pack("{s:I, s:s, s:b, s:n, s:I, s:I}", "id",
                            (json_int_t)(everybody ? 0 : policy_group_id(name)), "name", name,
                            "enabled", 1, "comment", "added", (json_int_t)now_unix, "modified",
                            (json_int_t)now_unix));
}

enum err rules_group_treat(struct rules *r, const char *name, const json_t *values,
                           int64_t now_unix, const char **why)
{
    uint32_t index;
    enum err e = ERR_OK;
    for (unsigned key = 0; key < CFG_GROUP_KEYS; key++) {
        const char *field = rules_group_field((enum cfg_group_key)key);
        const json_t *value = field ? json_object_get(values, field) : NULL;
        *why = value ? rules_problem_of_group_value((enum cfg_group_key)key, value) : NULL;
        if (*why) {
            return ERR_FORMAT;
        }
    }
    if (rules_group_find(r, name, &index) != ERR_OK) {
        e = make_group_entry(r, name, now_unix, why);
        e = e == ERR_OK ? rules_group_find(r, name, &index) : e;
    }
    json_t *item = e == ERR_OK ? json_array_get(rules_section(r, "groups"), index) : NULL;
    for (unsigned key = 0; item && key < CFG_GROUP_KEYS; key++) {
        const char *field = rules_group_field((enum cfg_group_key)key);
        json_t *value = field ? json_object_get(values, field) : NULL;
        if (value && !set(item, field, json_deep_copy(value))) {
            e = ERR_MEMORY;
        }
    }
    return e;
}

/* --- own rules ------------------------------------------------------------------------------- */

/* The key's text in the form in which it is stored; NULL if it cannot be stored at all. */
static const char *stored_text(const struct rule_key *key, char name[DNS_NAME_TEXT],
                               const char **why)
{
    *why =
        key->regex ? rules_problem_of_pattern(key->text) : rules_problem_of_name(key->text, name);
    if (*why) {
        return NULL;
    }
    return key->regex ? key->text : name;
}

static bool has_key(const struct rule_view *v, const struct rule_key *key)
{
    return v->allow == key->allow && v->regex_form == key->regex &&
           same_text(v->client, key->client);
}

enum err rules_own_find(const struct rules *r, const struct rule_key *key, uint32_t *index)
{
    char name[DNS_NAME_TEXT];
    const char *why, *text = stored_text(key, name, &why);
    struct rule_view v;
    const json_t *own = rules_section(r, "own");
    for (uint32_t i = 0; text && i < json_array_size(own); i++) {
        const json_t *domain = json_object_get(json_array_get(own, i), "domain");
        if (strcmp(json_string_value(domain), text) == 0 && rules_own_at(r, i, &v) &&
            has_key(&v, key)) {
            *index = i;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

enum err rules_own_add(struct rules *r, const struct rule_key *key, const struct rule_edit *edit,
                       int64_t now_unix, const char **why)
{
    char name[DNS_NAME_TEXT], covered[DNS_NAME_TEXT];
    uint32_t index;
    json_t *own = rules_section(r, "own");
    const char *text = stored_text(key, name, why);
    if (text && key->client) {
        *why = rules_problem_of_client(key->client);
    }
    if (text && !*why && edit->comment) {
        *why = rules_problem_of_comment(edit->comment);
    }
    if (text && !*why && edit->groups) {
        *why = rules_problem_of_groups(edit->groups);
    }
    if (!text || *why) {
        return ERR_FORMAT;
    }
    if (rules_own_find(r, key, &index) == ERR_OK) {
        return ERR_EXISTS;
    }
    json_t *item =
        json_pack("{s:I, s:s, s:s, s:s, s:o, s:b, s:I, s:I, s:I, s:o, s:o}", "id", next_id(own),
                  "type", key->allow ? "allow" : "deny", "kind", key->regex ? "regex" : "exact",
                  "domain", text, "comment", text_or_null(edit->comment), "enabled",
                  (int)edit->enabled, "added", (json_int_t)now_unix, "modified",
                  (json_int_t)now_unix, "until", (json_int_t)edit->until_unix, "client",
                  text_or_null(key->client), "groups", groups_or_default(edit->groups));
    if (item && key->regex && rules_covers(text, covered) &&
        !set(item, "covers", json_string(covered))) {
        json_decref(item);
        item = NULL;
    }
    return append(own, RULES_OWN_MAX, item);
}

enum err rules_own_set(struct rules *r, uint32_t index, const struct rule_edit *edit,
                       int64_t now_unix)
{
    json_t *item = json_array_get(rules_section(r, "own"), index);
    if (!item) {
        return ERR_NOT_FOUND;
    }
    if ((edit->comment && rules_problem_of_comment(edit->comment)) ||
        (edit->groups && rules_problem_of_groups(edit->groups))) {
        return ERR_FORMAT;
    }
    bool ok = set(item, "comment", text_or_null(edit->comment)) &&
              set(item, "enabled", json_boolean(edit->enabled)) &&
              set(item, "until", json_integer((json_int_t)edit->until_unix)) &&
              set(item, "modified", json_integer((json_int_t)now_unix)) &&
              (!edit->groups || set(item, "groups", json_deep_copy(edit->groups)));
    return ok ? ERR_OK : ERR_MEMORY;
}

void rules_own_remove(struct rules *r, uint32_t index)
{
    (void)json_array_remove(rules_section(r, "own"), index);
}

uint32_t rules_own_expire(struct rules *r, int64_t now_unix)
{
    uint32_t ended = 0;
    struct rule_view v;
    for (uint32_t i = rules_own_count(r); i-- > 0;) {
        if (rules_own_at(r, i, &v) && v.until_unix != 0 && v.until_unix <= now_unix) {
            rules_own_remove(r, i);
            ended++;
        }
    }
    return ended;
}

/* --- lists ----------------------------------------------------------------------------------- */

enum err rules_list_find(const struct rules *r, const char *url, bool allow, uint32_t *index)
{
    struct list_view v;
    for (uint32_t i = 0; rules_list_at(r, i, &v); i++) {
        if (v.allow == allow && strcmp(v.url, url) == 0) {
            *index = i;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

enum err rules_list_add(struct rules *r, const char *url, bool allow, bool configured,
                        const char *comment, bool enabled, json_t *groups, int64_t now_unix,
                        const char **why)
{
    uint32_t index;
    *why = rules_problem_of_url(url);
    if (!*why && comment) {
        *why = rules_problem_of_comment(comment);
    }
    if (!*why && groups) {
        *why = rules_problem_of_groups(groups);
    }
    if (*why) {
        return ERR_FORMAT;
    }
    if (rules_list_find(r, url, allow, &index) == ERR_OK) {
        return ERR_EXISTS;
    }
    return append(rules_section(r, "lists"), RULES_LISTS_MAX,
                  json_pack("{s:s, s:s, s:b, s:b, s:b, s:o, s:o, s:I, s:I}", "url", url, "type",
                            allow ? "allow" : "block", "enabled", (int)enabled, "configured",
                            (int)configured, "guard", 1, "comment", text_or_null(comment), "groups",
                            groups_or_default(groups), "added", (json_int_t)now_unix, "modified",
                            (json_int_t)now_unix));
}

enum err rules_list_set(struct rules *r, uint32_t index, const char *comment, bool enabled,
                        json_t *groups, int64_t now_unix)
{
    json_t *item = json_array_get(rules_section(r, "lists"), index);
    if (!item) {
        return ERR_NOT_FOUND;
    }
    if ((comment && rules_problem_of_comment(comment)) ||
        (groups && rules_problem_of_groups(groups))) {
        return ERR_FORMAT;
    }
    bool ok = set(item, "comment", text_or_null(comment)) &&
              set(item, "enabled", json_boolean(enabled)) &&
              (!groups || set(item, "groups", json_deep_copy(groups))) &&
              set(item, "modified", json_integer((json_int_t)now_unix));
    return ok ? ERR_OK : ERR_MEMORY;
}

enum err rules_list_set_guard(struct rules *r, uint32_t index, bool guard)
{
    json_t *item = json_array_get(rules_section(r, "lists"), index);
    if (!item) {
        return ERR_NOT_FOUND;
    }
    return set(item, "guard", json_boolean(guard)) ? ERR_OK : ERR_MEMORY;
}

void rules_list_remove(struct rules *r, uint32_t index)
{
    (void)json_array_remove(rules_section(r, "lists"), index);
}

/* --- groups and clients ---------------------------------------------------------------------- */

enum err rules_group_find(const struct rules *r, const char *name, uint32_t *index)
{
    struct group_view v;
    for (uint32_t i = 0; rules_group_at(r, i, &v); i++) {
        if (strcmp(v.name, name) == 0) {
            *index = i;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

static const char *problem_of_group(const char *name, const char *comment)
{
    const char *problem = rules_problem_of_group(name);
    return !problem && comment ? rules_problem_of_comment(comment) : problem;
}

enum err rules_group_add(struct rules *r, const char *name, const char *comment, bool enabled,
                         int64_t now_unix, const char **why)
{
    uint32_t index;
    json_t *groups = rules_section(r, "groups");
    *why = problem_of_group(name, comment);
    if (*why) {
        return ERR_FORMAT;
    }
    if (strcmp(name, "Default") == 0 || rules_group_find(r, name, &index) == ERR_OK) {
        return ERR_EXISTS;
    }
    return append(groups, RULES_GROUPS_MAX,
                  json_pack("{s:I, s:s, s:b, s:o, s:I, s:I}", "id", next_id(groups), "name", name,
                            "enabled", (int)enabled, "comment", text_or_null(comment), "added",
                            (json_int_t)now_unix, "modified", (json_int_t)now_unix));
}

/* A pause is of a group by its name: it goes with it, or away (to NULL). */
static bool move_pauses(struct rules *r, const char *from, const char *to)
{
    json_t *pauses = rules_section(r, "pauses");
    struct pause_view p;
    bool ok = true;
    for (uint32_t i = (uint32_t)json_array_size(pauses); i-- > 0;) {
        if (!rules_pause_at(r, i, &p) || !p.group || strcmp(p.group, from) != 0) {
            continue;
        }
        if (to) {
            ok &= set(json_array_get(pauses, i), "group", json_string(to));
        } else {
            (void)json_array_remove(pauses, i);
        }
    }
    return ok;
}

enum err rules_group_set(struct rules *r, uint32_t index, const char *name, const char *comment,
                         bool enabled, int64_t now_unix, const char **why)
{
    uint32_t other;
    json_t *item = json_array_get(rules_section(r, "groups"), index);
    *why = problem_of_group(name, comment);
    if (!item || *why) {
        return item ? ERR_FORMAT : ERR_NOT_FOUND;
    }
    if (strcmp(name, "Default") == 0 ||
        (rules_group_find(r, name, &other) == ERR_OK && other != index)) {
        return ERR_EXISTS;
    }
    const char *before = json_string_value(json_object_get(item, "name"));
    bool ok = (strcmp(before, name) == 0 || move_pauses(r, before, name)) &&
              set(item, "name", json_string(name)) && set(item, "comment", text_or_null(comment)) &&
              set(item, "enabled", json_boolean(enabled)) &&
              set(item, "modified", json_integer((json_int_t)now_unix));
    return ok ? ERR_OK : ERR_MEMORY;
}

void rules_group_remove(struct rules *r, uint32_t index)
{
    struct group_view v;
    if (rules_group_at(r, index, &v)) {
        (void)move_pauses(r, v.name, NULL);
    }
    (void)json_array_remove(rules_section(r, "groups"), index);
}

enum err rules_client_find(const struct rules *r, const char *client, uint32_t *index)
{
    struct client_view v;
    for (uint32_t i = 0; rules_client_at(r, i, &v); i++) {
        if (strcmp(v.client, client) == 0) {
            *index = i;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

/* --- addresses ------------------------------------------------------------------------------- */

enum err rules_address_find(const struct rules *r, const char *address, uint32_t *index)
{
    char text[IP_PREFIX_TEXT];
    struct address_view v;
    if (rules_problem_of_address(address, text)) {
        return ERR_NOT_FOUND;
    }
    for (uint32_t i = 0; rules_address_at(r, i, &v); i++) {
        char other[IP_PREFIX_TEXT];
        if (!rules_problem_of_address(v.address, other) && strcmp(other, text) == 0) {
            *index = i;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

enum err rules_address_add(struct rules *r, const char *address, const char *comment, bool enabled,
                           json_t *groups, int64_t now_unix, const char **why)
{
    uint32_t index;
    char text[IP_PREFIX_TEXT];
    json_t *addresses = rules_section(r, "addresses");
    *why = rules_problem_of_address(address, text);
    if (!*why && comment) {
        *why = rules_problem_of_comment(comment);
    }
    if (!*why && groups) {
        *why = rules_problem_of_groups(groups);
    }
    if (*why) {
        return ERR_FORMAT;
    }
    if (rules_address_find(r, text, &index) == ERR_OK) {
        return ERR_EXISTS;
    }
    return append(addresses, RULES_ADDRESSES_MAX,
                  json_pack("{s:I, s:s, s:o, s:b, s:I, s:I, s:o}", "id", next_id(addresses),
                            "address", text, "comment", text_or_null(comment), "enabled",
                            (int)enabled, "added", (json_int_t)now_unix, "modified",
                            (json_int_t)now_unix, "groups", groups_or_default(groups)));
}

enum err rules_address_set(struct rules *r, uint32_t index, const char *comment, bool enabled,
                           json_t *groups, int64_t now_unix)
{
    json_t *item = json_array_get(rules_section(r, "addresses"), index);
    if (!item) {
        return ERR_NOT_FOUND;
    }
    if ((comment && rules_problem_of_comment(comment)) ||
        (groups && rules_problem_of_groups(groups))) {
        return ERR_FORMAT;
    }
    bool ok = set(item, "comment", text_or_null(comment)) &&
              set(item, "enabled", json_boolean(enabled)) &&
              (!groups || set(item, "groups", json_deep_copy(groups))) &&
              set(item, "modified", json_integer((json_int_t)now_unix));
    return ok ? ERR_OK : ERR_MEMORY;
}

void rules_address_remove(struct rules *r, uint32_t index)
{
    (void)json_array_remove(rules_section(r, "addresses"), index);
}

/* --- clients --------------------------------------------------------------------------------- */

enum err rules_client_add(struct rules *r, const char *client, const char *comment, json_t *groups,
                          int64_t now_unix, const char **why)
{
    uint32_t index;
    json_t *clients = rules_section(r, "clients");
    *why = rules_problem_of_device(client);
    if (!*why && comment) {
        *why = rules_problem_of_comment(comment);
    }
    if (!*why && groups) {
        *why = rules_problem_of_groups(groups);
    }
    if (*why) {
        return ERR_FORMAT;
    }
    if (rules_client_find(r, client, &index) == ERR_OK) {
        return ERR_EXISTS;
    }
    return append(clients, RULES_CLIENTS_MAX,
                  json_pack("{s:I, s:s, s:o, s:o, s:I, s:I}", "id", next_id(clients), "client",
                            client, "comment", text_or_null(comment), "groups",
                            groups_or_default(groups), "added", (json_int_t)now_unix, "modified",
                            (json_int_t)now_unix));
}

enum err rules_client_set(struct rules *r, uint32_t index, const char *comment, json_t *groups,
                          int64_t now_unix)
{
    json_t *item = json_array_get(rules_section(r, "clients"), index);
    if (!item) {
        return ERR_NOT_FOUND;
    }
    if ((comment && rules_problem_of_comment(comment)) ||
        (groups && rules_problem_of_groups(groups))) {
        return ERR_FORMAT;
    }
    bool ok = set(item, "comment", text_or_null(comment)) &&
              (!groups || set(item, "groups", json_deep_copy(groups))) &&
              set(item, "modified", json_integer((json_int_t)now_unix));
    return ok ? ERR_OK : ERR_MEMORY;
}

void rules_client_remove(struct rules *r, uint32_t index)
{
    (void)json_array_remove(rules_section(r, "clients"), index);
}

/* --- local records, pause, settings ---------------------------------------------------------- */

static bool find_text(const json_t *array, const char *text, size_t *index)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (strcmp(json_string_value(json_array_get(array, i)), text) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

enum err rules_local_add(struct rules *r, enum rules_local kind, const char *text, const char **why)
{
    size_t index;
    json_t *array = rules_section(r, rules_local_section(kind));
    *why = rules_problem_of_local(kind, text);
    if (*why) {
        return ERR_FORMAT;
    }
    if (find_text(array, text, &index)) {
        return ERR_EXISTS;
    }
    return append(array, RULES_LOCAL_MAX, json_string(text));
}

enum err rules_local_remove(struct rules *r, enum rules_local kind, const char *text)
{
    size_t index;
    json_t *array = rules_section(r, rules_local_section(kind));
    if (!find_text(array, text, &index)) {
        return ERR_NOT_FOUND;
    }
    (void)json_array_remove(array, index);
    return ERR_OK;
}

enum err rules_set_pause(struct rules *r, int64_t until_unix)
{
    json_t *value =
        until_unix < 0 ? json_null() : json_pack("{s:I}", "until", (json_int_t)until_unix);
    return set(r->doc, "pause", value) ? ERR_OK : ERR_MEMORY;
}

/* Is the pause the one of this group or client, or over? */
static bool pause_goes(const struct pause_view *p, const char *group, const char *client,
                       int64_t now_unix)
{
    return (same_text(p->group, group) && same_text(p->client, client)) ||
           (p->until_unix != 0 && p->until_unix <= now_unix);
}

enum err rules_set_pause_of(struct rules *r, const char *group, const char *client,
                            int64_t until_unix, int64_t now_unix, const char **why)
{
    json_t *pauses = rules_section(r, "pauses");
    struct pause_view p;
    *why = !group == !client ? "expected a group or a client"
           : group           ? rules_problem_of_group(group)
                             : rules_problem_of_device(client);
    if (*why) {
        return ERR_FORMAT;
    }
    for (uint32_t i = (uint32_t)json_array_size(pauses); i-- > 0;) {
        if (rules_pause_at(r, i, &p) && pause_goes(&p, group, client, now_unix)) {
            (void)json_array_remove(pauses, i);
        }
    }
    if (until_unix < 0) {
        return ERR_OK;
    }
    return append(pauses, RULES_PAUSES_MAX,
                  json_pack("{s:o, s:o, s:I}", "group", text_or_null(group), "client",
                            text_or_null(client), "until", (json_int_t)until_unix));
}

enum err rules_set_setting(struct rules *r, const char *name, const char *value, const char **why)
{
    json_t *settings = rules_section(r, "settings");
    *why = rules_problem_of_setting(name, value ? value : "");
    if (*why) {
        return ERR_FORMAT;
    }
    if (!value) {
        return json_object_del(settings, name) == 0 ? ERR_OK : ERR_NOT_FOUND;
    }
    return set(settings, name, json_string(value)) ? ERR_OK : ERR_MEMORY;
}
