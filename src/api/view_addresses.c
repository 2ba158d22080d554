/* Addresses that a person does not want in answers: /api/sinkhole/addresses[/{address}]. */
#include "api/items.h"
#include "api/routes.h"

static json_t *address_object(const struct address_view *v)
{
    return json_pack("{s:s, s:o, s:b, s:O, s:I, s:I, s:I}", "address", v->address, "comment",
                     json_text_or_null(v->comment), "enabled", (int)v->enabled, "groups", v->groups,
                     "id", (json_int_t)v->id, "date_added", (json_int_t)v->added_unix,
                     "date_modified", (json_int_t)v->modified_unix);
}

static json_t *addresses_array(const struct call *c)
{
    struct address_view v;
    json_t *array = json_array();
    for (uint32_t i = 0; rules_address_at(c->api->rules, i, &v); i++) {
        json_array_append_new(array, address_object(&v));
    }
    return array;
}

void view_addresses_get(struct call *c)
{
    reply_json(c, 200, json_pack("{s:o}", "addresses", addresses_array(c)));
}

struct addition {
    struct call *c;
    struct rules next;
    struct processed processed;
};

static void add_one(void *ctx, const char *item)
{
    struct addition *a = ctx;
    const char *why = NULL;
    enum err e = rules_address_add(&a->next, item, body_text(a->c, "comment"),
                                   body_bool(a->c, "enabled", true), body_groups(a->c),
                                   a->c->unix_us / 1000000, &why);
    processed_add(&a->processed, item, e, why);
}

/* {"address": text or array of texts, "comment", "enabled", "groups"} */
void view_addresses_post(struct call *c)
{
    struct addition a = {.c = c};
    if (!body_is_object(c) || !rules_begin(c, &a.next)) {
        return;
    }
    a.processed = processed_new(c);
    if (!items_each(c, "address", add_one, &a)) {
        rules_free(&a.next);
        processed_free(&a.processed);
        return;
    }
    if (a.processed.done == 0) {
        rules_free(&a.next);
    } else if (!rules_commit(c, &a.next, RULES_OWN)) {
        processed_free(&a.processed);
        return;
    }
    reply_json(c, 201,
               json_pack("{s:o, s:o}", "addresses", addresses_array(c), "processed",
                         processed_object(&a.processed)));
}

static bool find_in(struct call *c, struct rules *next, uint32_t *index)
{
    if (!rules_begin(c, next)) {
        return false;
    }
    enum err e = rules_address_find(next, c->param[0], index);
    if (e != ERR_OK) {
        rules_free(next);
        reply_rules_error(c, e, NULL, c->param[0]);
    }
    return e == ERR_OK;
}

void view_addresses_put(struct call *c)
{
    struct rules next;
    uint32_t index;
    if (!body_is_object(c) || !find_in(c, &next, &index)) {
        return;
    }
    enum err e =
        rules_address_set(&next, index, body_text(c, "comment"), body_bool(c, "enabled", true),
                          body_groups(c), c->unix_us / 1000000);
    if (e != ERR_OK) {
        rules_free(&next);
        reply_rules_error(c, e, "not a valid comment or groups", NULL);
    } else if (rules_commit(c, &next, RULES_OWN)) {
        view_addresses_get(c);
    }
}

void view_addresses_delete(struct call *c)
{
    struct rules next;
    uint32_t index;
    if (find_in(c, &next, &index)) {
        rules_address_remove(&next, index);
        if (rules_commit(c, &next, RULES_OWN)) {
            reply_empty(c, 204);
        }
    }
}
