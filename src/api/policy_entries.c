/*
 * Who is spoken of: entries of the configuration and the document, each an address, a prefix, a
 * device or a name; what they stand for now; and whose the own rules for one client are.
 */
#include "api/policy_plan_int.h"

#include <string.h>

/* ---- Who is spoken of. ---- */

static struct policy_entry *entry_of(struct policy_plan *plan, const char *client)
{
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        if (strcmp(plan->entry[i].client, client) == 0) {
            return &plan->entry[i];
        }
    }
    struct policy_entry *e = &plan->entry[plan->entry_count++];
    *e = (struct policy_entry){.client = client};
    return e;
}

static void add_configured_entries(struct policy_plan *plan, const struct policy_source *src)
{
    for (uint32_t i = 0; i < src->config->groups.value_count; i++) {
        const struct cfg_group_value *v = &src->config->groups.value[i];
        for (unsigned g = 0; v->key == CFG_GROUP_CLIENT && g < plan->groups.count; g++) {
            const struct policy_group *group = &plan->groups.item[g];
            if (group->configured != v->group) {
                continue;
            }
            struct policy_entry *e = entry_of(plan, v->text);
            if (!e->in_document) {
                e->groups |=
                    (group->enabled ? UINT64_C(1) << g : 0) | (group->with_default ? 1 : 0);
                e->has_groups = true;
            }
        }
    }
}

void policy_add_entries(struct policy_plan *plan, const struct policy_source *src)
{
    struct client_view v;
    struct pause_view p;
    for (uint32_t i = 0; rules_client_at(src->rules, i, &v); i++) {
        struct policy_entry *e = &plan->entry[plan->entry_count++]; /* no two of them are alike */
        *e = (struct policy_entry){.client = v.client,
                                   .groups = policy_plan_groups(plan, v.groups),
                                   .in_document = true,
                                   .has_groups = true};
    }
    add_configured_entries(plan, src);
    for (uint32_t i = 0; rules_pause_at(src->rules, i, &p); i++) {
        usec_t until = rules_pause_deadline(p.until_unix, src->now, src->now_unix);
        struct policy_entry *e = p.client && until > src->now ? entry_of(plan, p.client) : NULL;
        if (e && until > e->pause_until) {
            e->pause_until = until;
        }
    }
}

static bool read_client(const char *text, struct ip_prefix *out)
{
    return text && ip_prefix_parse(span_str(text), out) == ERR_OK;
}

enum policy_kind policy_prefix_of(const char *client, struct ip_prefix *out)
{
    if (read_client(client, out)) {
        return POLICY_PREFIX;
    }
    *out = (struct ip_prefix){.addr = device_of_text(span_str(client)), .bits = 128};
    return device_is_name(&out->addr) ? POLICY_NAME : POLICY_MAC;
}

/* The first that speaks of a prefix counts. */
static void put_first(struct client_map *m, const struct ip_prefix *prefix, uint16_t value)
{
    uint16_t other;
    if (client_map_has_room(m)) {
        enum err e = client_map_add(m, prefix, value, &other);
        (void)e; /* it is there already */
    }
}

void policy_map_entries(struct policy_plan *plan, usec_t now)
{
    for (unsigned kind = 0; kind < POLICY_KINDS; kind++) {
        for (uint32_t i = 0; i < plan->entry_count; i++) {
            const struct policy_entry *e = &plan->entry[i];
            struct ip_prefix prefix;
            if (policy_prefix_of(e->client, &prefix) != kind) {
                continue;
            }
            if (e->has_groups) {
                put_first(&plan->entries, &prefix, (uint16_t)i);
            }
            if (e->pause_until > now) {
                put_first(&plan->pauses, &prefix, (uint16_t)i);
            }
        }
    }
    client_map_done(&plan->entries);
    client_map_done(&plan->pauses);
}

void policy_add_numbers(struct policy_plan *plan, const struct rules *r)
{
    struct rule_view v;
    struct ip_prefix prefix;
    uint16_t other;
    uint16_t next = 1;
    for (uint32_t i = 0; rules_own_at(r, i, &v); i++) {
        if (!v.client) {
            continue;
        }
        (void)policy_prefix_of(v.client, &prefix);
        if (client_map_add(&plan->numbers, &prefix, next, &other) == ERR_OK) {
            next++;
        }
    }
    client_map_done(&plan->numbers);
}

void policy_plan_asker(const struct policy_plan *plan, const struct rule_view *rule,
                       struct bl_own *out)
{
    struct ip_prefix prefix;
    out->groups = 0;
    out->client = 0;
    if (!rule->client) {
        out->groups = policy_plan_groups(plan, rule->groups);
    } else {
        (void)policy_prefix_of(rule->client, &prefix);
        (void)client_map_at(&plan->numbers, &prefix.addr, prefix.bits, &out->client);
    }
}

static void add_key(struct policy_keys *k, struct ip_addr addr)
{
    for (unsigned i = 0; i < k->count; i++) {
        if (ip_equal(&k->item[i], &addr)) {
            return;
        }
    }
    k->item[k->count++] = addr;
}

void policy_find_keys(const struct ip_addr *addr, const struct policy_address *device,
                      struct policy_keys *out)
{
    *out = (struct policy_keys){.count = 0};
    add_key(out, *addr);
    if (device && device->has_mac && !device->past) {
        add_key(out, device_of_mac(device->mac));
    }
    if (device && device->name && !device->past) {
        struct span name = span_str(device->name);
        const uint8_t *dot = memchr(name.ptr, '.', name.len);
        add_key(out, device_of_name(name));
        if (dot) {
            add_key(out, device_of_name(span_of(name.ptr, (size_t)(dot - name.ptr))));
        }
    }
}

const struct policy_entry *policy_entry_in(const struct policy_plan *plan,
                                           const struct policy_keys *keys, unsigned bits)
{
    uint16_t place;
    for (unsigned i = 0; bits == 128 && i < keys->count; i++) {
        if (client_map_at(&plan->entries, &keys->item[i], bits, &place)) {
            return &plan->entry[place];
        }
    }
    for (; bits <= 128; bits--) {
        if (client_map_at(&plan->entries, &keys->item[0], bits, &place)) {
            return &plan->entry[place];
        }
    }
    return NULL;
}

static const struct policy_address *device_of(const struct policy_plan *plan,
                                              const struct ip_addr *addr)
{
    uint8_t mac[MAC_OCTETS];
    bool by_mac = device_mac(addr, mac);
    for (uint32_t i = 0; i < plan->address_count; i++) {
        const struct policy_address *a = &plan->address[i];
        if (ip_equal(&a->addr, addr) ||
            (by_mac && a->has_mac && !a->past && memcmp(a->mac, mac, MAC_OCTETS) == 0)) {
            return a;
        }
    }
    return NULL;
}

const struct policy_entry *policy_plan_entry(const struct policy_plan *plan,
                                             const struct ip_addr *client)
{
    struct policy_keys keys;
    if (!client) {
        return NULL;
    }
    policy_find_keys(client, device_of(plan, client), &keys);
    return policy_entry_in(plan, &keys, 128);
}
