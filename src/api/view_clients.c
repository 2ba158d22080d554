/* Clients that a person has described, and those that were seen and might be. */
#include <string.h>

#include "api/device_rows.h"
#include "api/items.h"
#include "api/policy_groups.h"
#include "api/routes.h"
#include "base/device.h"

enum { ADDRESSES_TOLD = 16 };

/* Those that the device is known to have; of a network none. */
static json_t *known_addresses(const struct call *c, const char *client)
{
    struct policy_source src = {.address_count = 0};
    struct ip_addr key = device_of_text(span_str(client));
    struct ip_prefix prefix;
    json_t *array = json_array();
    if (ip_prefix_parse(span_str(client), &prefix) == ERR_OK) {
        key = device_key_of(c->api, &prefix.addr);
        if (prefix.bits < 128) {
            return array;
        }
    }
    c->api->be->policy_source(c->api->be->ctx, c->unix_us / 1000000, &src);
    for (uint32_t i = 0; i < src.address_count && json_array_size(array) < ADDRESSES_TOLD; i++) {
        const struct policy_address *a = &src.address[i];
        struct ip_addr mac = a->has_mac ? device_of_mac(a->mac) : a->addr;
        struct ip_addr name = a->name ? device_of_name(span_str(a->name)) : a->addr;
        if (ip_equal(&mac, &key) || ip_equal(&name, &key)) {
            char addr[IP_TEXT_MAX];
            ip_format(&a->addr, addr);
            json_array_append_new(array, json_string(addr));
        }
    }
    return array;
}

static json_t *client_object(const struct call *c, const struct client_view *v)
{
    struct ip_addr addr;
    char name[DNS_NAME_TEXT] = "";
    enum api_name_source source = API_NAME_NONE;
    if (ip_parse(span_str(v->client), &addr) == ERR_OK || device_by_text(c, v->client, &addr)) {
        source = device_name_of(c->api, &addr, name);
    }
    return json_pack("{s:o, s:o, s:s, s:o, s:o, s:O, s:I, s:I, s:I}", "client",
                     json_text(v->client), "name", json_text_or_null(name), "name_source",
                     name_source_text(source), "addresses", known_addresses(c, v->client),
                     "comment", json_text_or_null(v->comment), "groups", v->groups, "id",
                     (json_int_t)v->id, "date_added", (json_int_t)v->added_unix, "date_modified",
                     (json_int_t)v->modified_unix);
}

static json_t *clients_array(const struct call *c, const char *client)
{
    struct client_view v;
    json_t *array = json_array();
    for (uint32_t i = 0; rules_client_at(c->api->rules, i, &v); i++) {
        if (!client || strcmp(client, v.client) == 0) {
            json_array_append_new(array, client_object(c, &v));
        }
    }
    return array;
}

void view_clients_get(struct call *c)
{
    reply_json(c, 200, json_pack("{s:o}", "clients", clients_array(c, c->param[0])));
}

/* Does the document describe any address of the device, or itself? */
static bool is_described(const struct call *c, const struct device_rows *d,
                         const struct device_row *row, const struct ip_addr *key)
{
    uint16_t place;
    bool found = client_map_at(&c->api->people, key, 128, &place);
    for (uint32_t k = row->first; !found && k != DEVICE_ROWS_NONE; k = d->next[k]) {
        found = client_map_at(&c->api->people, &d->client[k].addr, 128, &place);
    }
    return found;
}

/* "192.0.2.20,2001:db8::20" */
static json_t *addresses_text(const struct device_rows *d, const struct device_row *row)
{
    char text[16 * IP_TEXT_MAX], addr[IP_TEXT_MAX];
    struct strbuf s;
    strbuf_init(&s, text, sizeof text);
    for (uint32_t k = row->first; k != DEVICE_ROWS_NONE && s.len + IP_TEXT_MAX < sizeof text;
         k = d->next[k]) {
        ip_format(&d->client[k].addr, addr);
        strbuf_str(&s, s.len > 0 ? "," : "");
        strbuf_str(&s, addr);
    }
    return json_text(text);
}

void view_clients_suggestions(struct call *c)
{
    enum { SHOWN = 100 };
    const struct device_rows *d = device_rows_load(c->api, false);
    json_t *array = json_array();
    for (uint32_t i = 0; i < d->count && i < SHOWN; i++) {
        const struct device_row *row = &d->row[i];
        char name[DNS_NAME_TEXT], hwaddr[MAC_TEXT] = "";
        uint8_t mac[MAC_OCTETS];
        struct ip_addr key = device_key_of(c->api, &row->addr);
        enum api_name_source source = client_name_of(c->api, &row->addr, name);
        if (device_mac(&key, mac)) {
            mac_format(mac, hwaddr);
        }
        if (!is_described(c, d, row, &key)) {
            json_array_append_new(array, json_pack("{s:o, s:n, s:I, s:o, s:o, s:s}", "hwaddr",
                                                   json_text_or_null(hwaddr), "macVendor",
                                                   "lastQuery", (json_int_t)row->last_seen_unix,
                                                   "addresses", addresses_text(d, row), "names",
                                                   json_text_or_null(name), "name_source",
                                                   name_source_text(source)));
        }
    }
    reply_json(c, 200, json_pack("{s:o}", "clients", array));
}

struct client_change {
    struct call *c;
    struct rules next;
    struct processed processed;
    enum err last;
    const char *why;
};

static void add_client(void *ctx, const char *client)
{
    struct client_change *x = ctx;
    x->last = rules_client_add(&x->next, client, body_text(x->c, "comment"), body_groups(x->c),
                               x->c->unix_us / 1000000, &x->why);
    processed_add(&x->processed, client, x->last, x->why);
}

static void reply_client(struct call *c, int status, const char *client, struct processed *p)
{
    reply_json(c, status,
               json_pack("{s:o, s:o}", "clients", clients_array(c, client), "processed",
                         processed_object(p)));
}

void view_clients_post(struct call *c)
{
    struct client_change x = {.c = c};
    const char *client = body_text(c, "client");
    if (!body_is_object(c) || !rules_begin(c, &x.next)) {
        return;
    }
    x.processed = processed_new(c);
    if (!items_each(c, "client", add_client, &x)) {
        rules_free(&x.next);
        processed_free(&x.processed);
    } else if (x.processed.done == 0) {
        rules_free(&x.next);
        processed_free(&x.processed);
        reply_rules_error(c, x.last, x.why, client);
    } else if (rules_commit(c, &x.next, RULES_GROUPS)) {
        if (client) {
            reply_location(c, "/api/clients/", client);
        }
        reply_client(c, 201, client, &x.processed);
    } else {
        processed_free(&x.processed);
    }
}

void view_clients_put(struct call *c)
{
    struct rules next;
    uint32_t index;
    if (!body_is_object(c) || !rules_begin(c, &next)) {
        return;
    }
    enum err e = rules_client_find(&next, c->param[0], &index);
    if (e == ERR_OK) {
        e = rules_client_set(&next, index, body_text(c, "comment"), body_groups(c),
                             c->unix_us / 1000000);
    }
    if (e != ERR_OK) {
        rules_free(&next);
        reply_rules_error(c, e, "not a valid comment or groups", c->param[0]);
    } else if (rules_commit(c, &next, RULES_GROUPS)) {
        struct processed p = processed_new(c);
        processed_add(&p, c->param[0], ERR_OK, NULL);
        reply_client(c, 200, c->param[0], &p);
    }
}

void view_clients_delete(struct call *c)
{
    struct rules next;
    uint32_t index;
    if (!rules_begin(c, &next)) {
        return;
    }
    enum err e = rules_client_find(&next, c->param[0], &index);
    if (e != ERR_OK) {
        rules_free(&next);
        reply_rules_error(c, e, NULL, c->param[0]);
        return;
    }
    rules_client_remove(&next, index);
    if (rules_commit(c, &next, RULES_GROUPS)) {
        reply_empty(c, 204);
    }
}

static void delete_client(void *ctx, const json_t *item)
{
    struct client_change *x = ctx;
    uint32_t index;
    if (rules_client_find(&x->next, json_string_value(json_object_get(item, "item")), &index) ==
        ERR_OK) {
        rules_client_remove(&x->next, index);
        x->processed.done++;
    }
}

void view_clients_batch(struct call *c)
{
    struct client_change x = {.c = c};
    if (!rules_begin(c, &x.next)) {
        return;
    }
    if (!batch_each(c, delete_client, &x)) {
        rules_free(&x.next);
    } else if (x.processed.done == 0) {
        rules_free(&x.next);
        not_found(c, "None of the clients exists");
    } else if (rules_commit(c, &x.next, RULES_GROUPS)) {
        reply_empty(c, 204);
    }
}
