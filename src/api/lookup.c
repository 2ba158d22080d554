/* Small questions to the platform that several views ask. */
#include <string.h>

#include "api/api_int.h"
#include "api/policy_groups.h"
#include "base/device.h"
#include "config/config.h"

/* ---- Names of devices. ---- */

void people_load(struct api *a)
{
    struct client_view v;
    struct ip_prefix prefix;
    uint16_t other;
    client_map_init(&a->people, a->people_room, RULES_CLIENTS_MAX);
    for (uint32_t i = 0; rules_client_at(a->rules, i, &v); i++) {
        if (ip_prefix_parse(span_str(v.client), &prefix) != ERR_OK) {
            prefix = (struct ip_prefix){.addr = device_of_text(span_str(v.client)), .bits = 128};
        }
        if (client_map_has_room(&a->people)) {
            enum err e = client_map_add(&a->people, &prefix, (uint16_t)i, &other);
            (void)e; /* described twice: the first counts */
        }
    }
    client_map_done(&a->people);
}

static const struct policy_address *device_of(const struct api *a, const struct ip_addr *addr)
{
    return a->be->device ? a->be->device(a->be->ctx, addr) : NULL;
}

/* What a person calls whoever is described by just this address, as comment. */
static bool name_by_person(const struct api *a, const struct ip_addr *key, char out[DNS_NAME_TEXT])
{
    struct client_view v;
    struct strbuf s;
    uint16_t place;
    if (!client_map_at(&a->people, key, 128, &place) || !rules_client_at(a->rules, place, &v) ||
        !v.comment || v.comment[0] == '\0') {
        return false;
    }
    strbuf_init(&s, out, DNS_NAME_TEXT);
    strbuf_str(&s, v.comment);
    return true;
}

static struct ip_addr mac_key(const struct policy_address *device, const struct ip_addr *addr)
{
    return device && device->has_mac ? device_of_mac(device->mac) : *addr;
}

enum api_name_source client_name_of(const struct api *a, const struct ip_addr *addr,
                                    char out[DNS_NAME_TEXT])
{
    const struct policy_address *device = device_of(a, addr);
    struct ip_addr mac = mac_key(device, addr);
    if (name_by_person(a, addr, out) || name_by_person(a, &mac, out)) {
        return API_NAME_PERSON;
    }
    if (device && device->name) {
        struct ip_addr name = device_of_name(span_str(device->name));
        if (name_by_person(a, &name, out)) {
            return API_NAME_PERSON;
        }
    }
    return device_name_of(a, addr, out);
}

enum api_name_source device_name_of(const struct api *a, const struct ip_addr *addr,
                                    char out[DNS_NAME_TEXT])
{
    const struct policy_address *device = device_of(a, addr);
    struct strbuf s;
    if (a->be->client_name && a->be->client_name(a->be->ctx, addr, out) > 0) {
        return API_NAME_RECORD;
    }
    strbuf_init(&s, out, DNS_NAME_TEXT);
    strbuf_str(&s, device && device->name ? device->name : "");
    return device && device->name ? (enum api_name_source)device->source : API_NAME_NONE;
}

const char *name_source_text(enum api_name_source source)
{
    static const char *const text[] = {"none", "page", "record", "lease", "router", "mdns"};
    return text[source];
}

static bool is_configured(const struct api *a, const char *client)
{
    const struct config *c = a->be->config ? a->be->config(a->be->ctx) : NULL;
    struct ip_addr key = device_of_name(span_str(client));
    for (uint32_t i = 0; c && i < c->groups.value_count; i++) {
        const struct cfg_group_value *v = &c->groups.value[i];
        struct ip_addr other = device_of_text(span_str(v->key == CFG_GROUP_CLIENT ? v->text : ""));
        if (v->key == CFG_GROUP_CLIENT && ip_equal(&key, &other)) {
            return true;
        }
    }
    return false;
}

struct ip_addr device_key_of(const struct api *a, const struct ip_addr *addr)
{
    const struct policy_address *device = device_of(a, addr);
    uint16_t place;
    if (device && !device->has_mac && device->name) {
        struct ip_addr name = device_of_name(span_str(device->name));
        if (client_map_at(&a->people, &name, 128, &place) || is_configured(a, device->name)) {
            return name;
        }
    }
    return mac_key(device, addr);
}

/* The address of a device by its hardware address or name, as the platform knows it. */
bool device_by_text(const struct call *c, const char *text, struct ip_addr *out)
{
    struct ip_addr key = device_of_text(span_str(text));
    struct policy_source src;
    c->api->be->policy_source(c->api->be->ctx, c->unix_us / 1000000, &src);
    for (uint32_t i = 0; i < src.address_count; i++) {
        const struct policy_address *a = &src.address[i];
        struct ip_addr mac = device_of_mac(a->mac);
        struct ip_addr name = device_of_name(span_str(a->name ? a->name : ""));
        if ((a->has_mac && ip_equal(&mac, &key)) || (a->name && ip_equal(&name, &key))) {
            *out = a->addr;
            return true;
        }
    }
    return false;
}

/* Somebody who has asked here, by the name that is shown. */
static bool asker_by_name(const struct api *a, const char *text, struct ip_addr *out)
{
    struct stats_client seen[TOP_NAMES_MAX];
    struct ip_addr key = device_of_name(span_str(text));
    uint32_t n = stats_top_clients(a->stats, false, seen, TOP_NAMES_MAX);
    for (uint32_t i = 0; i < n; i++) {
        char name[DNS_NAME_TEXT];
        client_name_of(a, &seen[i].addr, name);
        struct ip_addr found = device_of_name(span_str(name));
        if (name[0] && ip_equal(&found, &key)) {
            *out = seen[i].addr;
            return true;
        }
    }
    return false;
}

/* Is a device described so, though it has no address that is known? */
static bool is_described(const struct call *c, const char *text)
{
    struct policy_source src;
    uint32_t index;
    c->api->be->policy_source(c->api->be->ctx, c->unix_us / 1000000, &src);
    for (uint32_t i = 0; i < src.config->groups.value_count; i++) {
        const struct cfg_group_value *v = &src.config->groups.value[i];
        if (v->key == CFG_GROUP_CLIENT && strcmp(v->text, text) == 0) {
            return true;
        }
    }
    return rules_client_find(src.rules, text, &index) == ERR_OK;
}

bool client_by_text(const struct call *c, const char *text, struct ip_addr *out)
{
    if (ip_parse(span_str(text), out) == ERR_OK || device_by_text(c, text, out) ||
        asker_by_name(c->api, text, out)) {
        return true;
    }
    *out = device_of_text(span_str(text));
    return !device_is_name(out) || is_described(c, text);
}

bool list_by_id(const struct api *a, uint32_t id, struct api_list *out)
{
    uint32_t count = a->be->list_count(a->be->ctx);
    for (uint32_t i = 0; i < count; i++) {
        memset(out, 0, sizeof *out);
        a->be->list_at(a->be->ctx, i, out);
        if (out->id == id) {
            return true;
        }
    }
    return false;
}

/* The list's own name, or the last part of its address. */
void list_display_name(const struct api_list *list, char *out, size_t cap)
{
    struct strbuf text;
    strbuf_init(&text, out, cap);
    if (list->name[0]) {
        strbuf_str(&text, list->name);
        return;
    }
    const char *last = list->url;
    for (const char *p = list->url; *p; p++) {
        if (*p == '/' && p[1] && p[1] != '?' && p[1] != '#') {
            last = p + 1;
        }
    }
    strbuf_bytes(&text, last, strcspn(last, "?#"));
}

void list_names_load(struct api *a)
{
    struct api_list list;
    uint32_t count = a->be->list_count(a->be->ctx);
    a->list_names_count = 0;
    for (uint32_t i = 0; i < count && a->list_names_count < ARRAY_LEN(a->list_names); i++) {
        memset(&list, 0, sizeof list);
        a->be->list_at(a->be->ctx, i, &list);
        a->list_names[a->list_names_count].id = list.id;
        list_display_name(&list, a->list_names[a->list_names_count].name,
                          sizeof a->list_names[0].name);
        a->list_names_count++;
    }
}

const char *list_name_of(const struct api *a, uint32_t id)
{
    for (uint32_t i = 0; i < a->list_names_count; i++) {
        if (a->list_names[i].id == id) {
            return a->list_names[i].name;
        }
    }
    return "";
}
