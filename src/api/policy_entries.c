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

bool policy_read_client(const char *text, struct ip_prefix *out)
{
    return text && ip_prefix_parse(span_str(text), out) == ERR_OK;
}

static enum policy_kind kind_of(const char *client, uint8_t mac[MAC_OCTETS])
{
    struct ip_prefix prefix;
    return policy_read_client(client, &prefix)          ? POLICY_PREFIX
           : mac_parse(span_str(client), mac) == ERR_OK ? POLICY_MAC
                                                        : POLICY_NAME;
}

/* Names of hosts, whatever the case; the device's is in lower case. */
static bool same_name(const char *name, const char *client)
{
    for (; *name && *client; name++, client++) {
        char c = *client >= 'A' && *client <= 'Z' ? (char)(*client + 0x20) : *client;
        if (*name != c) {
            return false;
        }
    }
    return *name == *client;
}

static bool is_device(const struct policy_address *a, enum policy_kind kind, const char *client,
                      const uint8_t mac[MAC_OCTETS])
{
    return kind == POLICY_MAC ? a->has_mac && memcmp(a->mac, mac, MAC_OCTETS) == 0
                              : a->name != NULL && same_name(a->name, client);
}

void policy_each_prefix(const struct policy_source *src, enum policy_kind wanted,
                        const char *client, uint16_t value, policy_prefix_function *each, void *ctx)
{
    struct ip_prefix prefix;
    uint8_t mac[MAC_OCTETS];
    if (kind_of(client, mac) != wanted) {
        return;
    }
    if (wanted == POLICY_PREFIX) {
        (void)policy_read_client(client, &prefix);
        each(ctx, &prefix, value);
        return;
    }
    for (uint32_t i = 0; i < src->address_count; i++) {
        if (is_device(&src->address[i], wanted, client, mac)) {
            prefix = (struct ip_prefix){.addr = src->address[i].addr, .bits = 128};
            each(ctx, &prefix, value);
        }
    }
}

/* The first that speaks of a prefix counts. */
static void put_first(void *ctx, const struct ip_prefix *prefix, uint16_t value)
{
    struct client_map *m = ctx;
    uint16_t other;
    if (client_map_has_room(m)) {
        enum err e = client_map_add(m, prefix, value, &other);
        (void)e; /* it is there already */
    }
}

void policy_map_entries(struct policy_plan *plan, const struct policy_source *src)
{
    for (unsigned kind = 0; kind < POLICY_KINDS; kind++) {
        for (uint32_t i = 0; i < plan->entry_count; i++) {
            const struct policy_entry *e = &plan->entry[i];
            if (e->has_groups) {
                policy_each_prefix(src, (enum policy_kind)kind, e->client, (uint16_t)i, put_first,
                                   &plan->entries);
            }
            if (e->pause_until > src->now) {
                policy_each_prefix(src, (enum policy_kind)kind, e->client, (uint16_t)i, put_first,
                                   &plan->pauses);
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
        if (policy_read_client(v.client, &prefix) &&
            client_map_add(&plan->numbers, &prefix, next, &other) == ERR_OK) {
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
    } else if (policy_read_client(rule->client, &prefix)) {
        (void)client_map_at(&plan->numbers, &prefix.addr, prefix.bits, &out->client);
    }
}

const struct policy_entry *policy_entry_in(const struct policy_plan *plan, const struct ip_addr *a,
                                           unsigned bits)
{
    uint16_t place;
    for (; bits <= 128; bits--) {
        if (client_map_at(&plan->entries, a, bits, &place)) {
            return &plan->entry[place];
        }
    }
    return NULL;
}

const struct policy_entry *policy_plan_entry(const struct policy_plan *plan,
                                             const struct ip_addr *client)
{
    return client ? policy_entry_in(plan, client, 128) : NULL;
}
