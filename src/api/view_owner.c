/* What belongs to the owner: backup and restore of the rules document, password, app passwords. */
#include <string.h>

#include "api/auth.h"
#include "api/items.h"
#include "api/routes.h"

/* --- backup and restore ---------------------------------------------------------------------- */

void view_rules_get(struct call *c)
{
    reply_json(c, 200, json_deep_copy(c->api->rules->doc));
}

/* The engine's word on the expressions of a document. */
static enum err check_patterns(struct call *c, const struct rules *next, char *what, size_t cap)
{
    struct rule_view v;
    for (uint32_t i = 0; rules_own_at(next, i, &v); i++) {
        char why[API_WHY_MAX];
        enum err e = v.kind == RULE_REGEX ? items_check_regex(c, v.written, why) : ERR_OK;
        if (e != ERR_OK) {
            struct strbuf text;
            strbuf_init(&text, what, cap);
            strbuf_printf(&text, "own[%u].domain: %s", i, why);
            return e;
        }
    }
    return ERR_OK;
}

void view_rules_put(struct call *c)
{
    struct rules next = {0};
    char what[API_WHY_MAX + 64];
    if (!body_is_object(c)) {
        return;
    }
    enum err e = rules_parse(&next, c->req->body, what, sizeof what);
    if (e == ERR_OK && (e = check_patterns(c, &next, what, sizeof what)) != ERR_OK) {
        rules_free(&next);
    }
    if (e == ERR_FORMAT || e == ERR_VERSION || e == ERR_LIMIT) {
        reply_error(c, 400, "bad_request", "Not a good rules document", what);
    } else if (e != ERR_OK) {
        reply_rules_error(c, e, NULL, NULL);
    } else if (rules_commit(c, &next, RULES_ALL)) {
        view_rules_get(c);
    }
}

/* --- passwords ------------------------------------------------------------------------------- */

void view_password(struct call *c)
{
    const json_t *password = json_object_get(c->body, "password");
    if (!c->api->be->password_set) {
        reply_error(c, 501, "not_implemented", "The password cannot be changed here", NULL);
        return;
    }
    if (!json_is_string(password)) {
        bad_request(c, "Expected {\"password\": text}");
        return;
    }
    enum err e = c->api->be->password_set(
        c->api->be->ctx, span_of(json_string_value(password), json_string_length(password)));
    if (e == ERR_RANGE) {
        reply_error(c, 400, "bad_request", "The password is too short or too long",
                    "8 to 1024 octets");
    } else if (e == ERR_STATE) {
        reply_error(c, 409, "conflict", "The password comes from a file of the configuration",
                    NULL);
    } else if (e != ERR_OK) {
        reply_rules_error(c, e, NULL, NULL);
    } else {
        auth_end_all_sessions(c->api, c->session);
        reply_json(c, 200, json_pack("{s:s}", "status", "success"));
    }
}

static bool has_keys(struct call *c)
{
    const struct api_backend *be = c->api->be;
    if (be->key_new && be->key_list && be->key_delete) {
        return true;
    }
    reply_error(c, 501, "not_implemented", "This platform has no app passwords", NULL);
    return false;
}

void view_keys_get(struct call *c)
{
    enum { KEYS = 64 };
    struct api_key_info keys[KEYS];
    if (!has_keys(c)) {
        return;
    }
    uint32_t n = c->api->be->key_list(c->api->be->ctx, keys, KEYS);
    json_t *array = json_array();
    for (uint32_t i = 0; i < n && i < KEYS; i++) {
        json_array_append_new(array, json_pack("{s:I, s:o, s:b, s:I}", "id", (json_int_t)keys[i].id,
                                               "name", json_text(keys[i].name), "read_only",
                                               (int)keys[i].read_only, "created",
                                               (json_int_t)keys[i].created_unix));
    }
    reply_json(c, 200, json_pack("{s:o}", "keys", array));
}

void view_keys_post(struct call *c)
{
    char secret[API_KEY_TEXT];
    uint32_t id = 0;
    const char *name = body_text(c, "name");
    if (!has_keys(c) || !body_is_object(c)) {
        return;
    }
    bool read_only = body_bool(c, "read_only", false);
    enum err e = c->api->be->key_new(c->api->be->ctx, name ? name : "app", read_only, secret, &id);
    if (e != ERR_OK) {
        reply_rules_error(c, e, "expected a name of at most 63 octets without colons", NULL);
        return;
    }
    reply_json(c, 201,
               json_pack("{s:{s:I, s:o, s:b, s:s}}", "key", "id", (json_int_t)id, "name",
                         json_text(name ? name : "app"), "read_only", (int)read_only, "secret",
                         secret));
}

/* Sessions that were opened with the key end: all but the owner's, as they do not remember which
 * key it was. */
void view_keys_delete(struct call *c)
{
    uint64_t id = 0;
    const char *p = c->param[0];
    if (!has_keys(c)) {
        return;
    }
    for (; *p >= '0' && *p <= '9' && id < UINT32_MAX; p++) {
        id = id * 10 + (uint64_t)(*p - '0');
    }
    if (*p || id == 0 || id > UINT32_MAX ||
        c->api->be->key_delete(c->api->be->ctx, (uint32_t)id) != ERR_OK) {
        not_found(c, "There is no such key");
        return;
    }
    auth_end_all_sessions(c->api, c->session);
    reply_empty(c, 204);
}
