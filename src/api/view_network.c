/* The network as far as the questions show it: one device an address, as we do not look at hardware
 * addresses. */
#include "api/routes.h"

static json_t *device_object(const struct call *c, const struct stats_client *client, uint32_t id)
{
    char addr[IP_TEXT_MAX], name[DNS_NAME_TEXT];
    ip_format(&client->addr, addr);
    client_name_of(c->api, &client->addr, name);
    return json_pack(
        "{s:I, s:s+, s:s, s:I, s:I, s:I, s:n, s:[{s:s, s:o, s:I, s:I}]}", "id", (json_int_t)id,
        "hwaddr", "ip-", addr, "interface", "", "firstSeen", (json_int_t)client->first_seen_unix,
        "lastQuery", (json_int_t)client->last_seen_unix, "numQueries", (json_int_t)client->total,
        "macVendor", "ips", "ip", addr, "name", json_text_or_null(name), "lastSeen",
        (json_int_t)client->last_seen_unix, "nameUpdated", (json_int_t)client->last_seen_unix);
}

void view_devices(struct call *c)
{
    enum { SHOWN_MAX = 250 };
    struct stats_client clients[SHOWN_MAX];
    uint32_t n = (uint32_t)param_number(c, "max_devices", 0, SHOWN_MAX, 10);
    n = stats_top_clients(c->api->stats, false, clients, n);
    json_t *array = json_array();
    for (uint32_t i = 0; i < n; i++) {
        json_array_append_new(array, device_object(c, &clients[i], i + 1));
    }
    reply_json(c, 200, json_pack("{s:o}", "devices", array));
}

static void add_gateway(json_t *array, const char *family, const char *name, const char *gateway,
                        const char *local)
{
    if (name[0] && gateway[0]) {
        json_array_append_new(array, json_pack("{s:s, s:o, s:o, s:[o]}", "family", family,
                                               "interface", json_text(name), "address",
                                               json_text(gateway), "local", json_text(local)));
    }
}

void view_gateway(struct call *c)
{
    struct api_system s = {.temperature_c = -300};
    c->api->be->system(c->api->be->ctx, &s);
    json_t *array = json_array();
    add_gateway(array, "inet", s.v4.name, s.v4.gateway, s.v4.addr);
    add_gateway(array, "inet6", s.v6.name, s.v6.gateway, s.v6.addr);
    json_t *body = json_pack("{s:o}", "gateway", array);
    if (param_bool(c, "detailed", false)) {
        json_object_set_new(body, "interfaces", json_array());
        json_object_set_new(body, "routes", json_array());
    }
    reply_json(c, 200, body);
}
