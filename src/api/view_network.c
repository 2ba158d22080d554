/* The network as far as the questions show it, a device a row: addresses of one hardware address,
 * or of one name that somebody is described by, belong together. */
#include "api/device_rows.h"
#include "api/policy_groups.h"
#include "api/routes.h"
#include "base/device.h"

enum { ADDRESSES_MAX = 64 }; /* of one device */

static json_t *address_object(const struct call *c, const struct ip_addr *address, int64_t seen)
{
    char addr[IP_TEXT_MAX], name[DNS_NAME_TEXT];
    ip_format(address, addr);
    client_name_of(c->api, address, name);
    return json_pack("{s:s, s:o, s:I, s:I}", "ip", addr, "name", json_text_or_null(name),
                     "lastSeen", (json_int_t)seen, "nameUpdated", (json_int_t)seen);
}

/* Those that have asked, then those that are known besides. */
static json_t *addresses_array(const struct call *c, const struct device_rows *d,
                               const struct device_row *row, const struct ip_addr *key)
{
    json_t *array = json_array();
    struct policy_source src = {.address_count = 0};
    for (uint32_t k = row->first; k != DEVICE_ROWS_NONE; k = d->next[k]) {
        if (json_array_size(array) < ADDRESSES_MAX) {
            json_array_append_new(
                array, address_object(c, &d->client[k].addr, d->client[k].last_seen_unix));
        }
    }
    if (!c->api->be->device) {
        return array;
    }
    c->api->be->policy_source(c->api->be->ctx, c->unix_us / 1000000, &src);
    for (uint32_t i = 0; i < src.address_count && json_array_size(array) < ADDRESSES_MAX; i++) {
        struct stats_client asked;
        const struct policy_address *a = &src.address[i];
        struct ip_addr other = a->has_mac ? device_of_mac(a->mac) : a->addr;
        if (ip_equal(&other, key) && !stats_client_find(c->api->stats, &a->addr, &asked)) {
            json_array_append_new(array, address_object(c, &a->addr, 0));
        }
    }
    return array;
}

static json_t *device_object(const struct call *c, const struct device_rows *d,
                             const struct device_row *row, uint32_t id)
{
    char hwaddr[IP_TEXT_MAX + 3] = "ip-", name[DNS_NAME_TEXT];
    uint8_t mac[MAC_OCTETS];
    struct ip_addr key = device_key_of(c->api, &row->addr);
    enum api_name_source source = client_name_of(c->api, &row->addr, name);
    if (device_mac(&key, mac)) {
        mac_format(mac, hwaddr);
    } else {
        ip_format(&row->addr, hwaddr + 3);
    }
    return json_pack("{s:I, s:s, s:s, s:I, s:I, s:I, s:n, s:o, s:o, s:s}", "id", (json_int_t)id,
                     "hwaddr", hwaddr, "interface", "", "firstSeen",
                     (json_int_t)row->first_seen_unix, "lastQuery", (json_int_t)row->last_seen_unix,
                     "numQueries", (json_int_t)row->total, "macVendor", "ips",
                     addresses_array(c, d, row, &key), "name", json_text_or_null(name),
                     "name_source", name_source_text(source));
}

void view_devices(struct call *c)
{
    enum { SHOWN_MAX = 250 };
    uint32_t n = (uint32_t)param_number(c, "max_devices", 0, SHOWN_MAX, 10);
    const struct device_rows *d = device_rows_load(c->api, false);
    json_t *array = json_array();
    for (uint32_t i = 0; i < d->count && i < n; i++) {
        json_array_append_new(array, device_object(c, d, &d->row[i], i + 1));
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
