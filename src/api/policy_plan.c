/*
 * Profiles are made by going through every address and prefix that the document speaks of, as
 * clients or as owners of rules: each of them is treated as the entries and rules that hold it say,
 * and addresses in between are treated as the longest prefix that holds them.
 */
#include "api/policy_plan.h"

#include "base/log.h"
#include "config/catalogs.h"
#include "config/snapshot_fill.h"

/* ---- Groups. ---- */

static void add_groups(struct policy_plan *plan, const struct rules *r)
{
    struct group_view v;
    plan->group[0] = (struct policy_group){.id = 0, .enabled = true};
    plan->group_count = 1;
    for (uint32_t i = 0; rules_group_at(r, i, &v) && plan->group_count < POLICY_GROUPS_MAX; i++) {
        plan->group[plan->group_count++] = (struct policy_group){.id = v.id, .enabled = v.enabled};
    }
}

static uint64_t group_bit(const struct policy_plan *plan, int64_t id)
{
    for (unsigned i = 0; i < plan->group_count; i++) {
        if (plan->group[i].id == id) {
            return plan->group[i].enabled ? UINT64_C(1) << i : 0;
        }
    }
    return 0;
}

uint64_t policy_plan_groups(const struct policy_plan *plan, const json_t *ids)
{
    uint64_t groups = 0;
    for (size_t i = 0; i < json_array_size(ids); i++) {
        groups |= group_bit(plan, json_integer_value(json_array_get(ids, i)));
    }
    return groups;
}

/* ---- Lists. ---- */

static void add_lists(struct policy_plan *plan, const struct rules *r)
{
    struct list_view v;
    for (uint32_t i = 0; rules_list_at(r, i, &v); i++) {
        plan->list[plan->list_count++] =
            (struct policy_list){.id = v.id, .groups = policy_plan_groups(plan, v.groups)};
    }
}

uint64_t policy_plan_list(const struct policy_plan *plan, uint32_t id)
{
    for (uint32_t i = 0; i < plan->list_count; i++) {
        if (plan->list[i].id == id) {
            return plan->list[i].groups;
        }
    }
    return 1;
}

/* ---- Who is spoken of. ---- */

static bool read_client(const char *text, struct ip_prefix *out)
{
    return text && ip_prefix_parse(span_str(text), out) == ERR_OK;
}

/* Two entries for one prefix: the first counts. */
static void add_entries(struct policy_plan *plan, const struct rules *r)
{
    struct client_view v;
    struct ip_prefix prefix;
    uint16_t other;
    for (uint32_t i = 0; rules_client_at(r, i, &v); i++) {
        if (read_client(v.client, &prefix) &&
            client_map_add(&plan->entries, &prefix, (uint16_t)i, &other) != ERR_OK) {
            log_warning(RESOLVER, "client %s is described twice: the first counts", v.client);
        }
    }
    client_map_done(&plan->entries);
}

static void add_numbers(struct policy_plan *plan, const struct rules *r)
{
    struct rule_view v;
    struct ip_prefix prefix;
    uint16_t other;
    uint16_t next = 1;
    for (uint32_t i = 0; rules_own_at(r, i, &v); i++) {
        if (read_client(v.client, &prefix) &&
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
    } else if (read_client(rule->client, &prefix)) {
        (void)client_map_at(&plan->numbers, &prefix.addr, prefix.bits, &out->client);
    }
}

/* ---- How they are treated. ---- */

struct treatment {
    uint64_t groups;
    uint16_t number[POLICY_NUMBERS_MAX];
    uint16_t numbers;
};

/* Of everybody who is in the prefix and in no longer one. */
static void treat(const struct policy_plan *plan, const struct rules *r,
                  const struct ip_prefix *prefix, struct treatment *out)
{
    struct client_view v;
    uint16_t place;
    *out = (struct treatment){.groups = 1};
    for (unsigned bits = prefix->bits; bits <= 128; bits--) {
        if (client_map_at(&plan->entries, &prefix->addr, bits, &place)) {
            out->groups = rules_client_at(r, place, &v) ? policy_plan_groups(plan, v.groups) : 0;
            break;
        }
    }
    for (unsigned bits = prefix->bits; bits <= 128 && out->numbers < POLICY_NUMBERS_MAX; bits--) {
        if (client_map_at(&plan->numbers, &prefix->addr, bits, &out->number[out->numbers])) {
            out->numbers++;
        }
    }
}

static bool is_treatment(const struct profile *p, const struct treatment *t)
{
    return p->asker.groups == t->groups && p->asker.client_count == t->numbers &&
           memcmp(p->asker.clients, t->number, t->numbers * sizeof t->number[0]) == 0;
}

/* The number of the profile of this treatment, made if need be; ERR_LIMIT. */
static enum err profile_of(struct policy_plan *plan, struct arena *arena, const struct treatment *t,
                           uint16_t *out)
{
    for (uint32_t i = 0; i < plan->profile_count; i++) {
        if (is_treatment(&plan->profile[i], t)) {
            *out = (uint16_t)i;
            return ERR_OK;
        }
    }
    uint16_t *numbers = ARENA_ARRAY(arena, uint16_t, t->numbers + 1U);
    if (!numbers || plan->profile_count == PROFILES_MAX) {
        return numbers ? ERR_LIMIT : ERR_SPACE;
    }
    memcpy(numbers, t->number, t->numbers * sizeof *numbers);
    struct profile *p = &plan->profile[plan->profile_count];
    *p = plan->profile[0];
    p->asker =
        (struct bl_asker){.groups = t->groups, .clients = numbers, .client_count = t->numbers};
    p->number = (uint8_t)(plan->profile_count < PROFILE_NUMBER_MAX ? plan->profile_count
                                                                   : PROFILE_NUMBER_MAX);
    *out = (uint16_t)plan->profile_count++;
    return ERR_OK;
}

static enum err add_client(struct policy_plan *plan, const struct rules *r, struct arena *arena,
                           const char *text)
{
    struct ip_prefix prefix;
    struct treatment t;
    uint16_t number;
    uint16_t other;
    if (!read_client(text, &prefix) ||
        client_map_at(&plan->clients, &prefix.addr, prefix.bits, &other)) {
        return ERR_OK;
    }
    treat(plan, r, &prefix, &t);
    enum err e = profile_of(plan, arena, &t, &number);
    if (e == ERR_LIMIT) {
        log_warning(RESOLVER,
                    "more than %d kinds of clients: %s is left out and treated as everybody",
                    PROFILES_MAX, text);
        return ERR_OK;
    }
    return e == ERR_OK ? client_map_add(&plan->clients, &prefix, number, &other) : e;
}

static enum err add_clients(struct policy_plan *plan, const struct rules *r, struct arena *arena)
{
    struct client_view client;
    struct rule_view rule;
    enum err e = ERR_OK;
    for (uint32_t i = 0; e == ERR_OK && rules_client_at(r, i, &client); i++) {
        e = add_client(plan, r, arena, client.client);
    }
    for (uint32_t i = 0; e == ERR_OK && rules_own_at(r, i, &rule); i++) {
        e = rule.client ? add_client(plan, r, arena, rule.client) : ERR_OK;
    }
    client_map_done(&plan->clients);
    return e;
}

/* ---- Services. ---- */

static const struct catalog *services_of(const struct config *c)
{
    return c->catalogs ? &c->catalogs->services : NULL;
}

static void add_services(struct policy_plan *plan, const struct policy_source *src)
{
    plan->services = services_of(src->config);
    for (uint32_t i = 0; plan->services && i < plan->services->count; i++) {
        plan->service_groups[i] =
            catalogs_blocked(src->config, plan->services->section[i].id) ? BL_GROUPS_ALL : 0;
    }
}

bool policy_plan_service(const struct policy_plan *plan, uint32_t i, struct bl_own *out)
{
    *out = (struct bl_own){.groups = plan->service_groups[i],
                           .id = RULE_SERVICE | i,
                           .kind = BL_BOTH,
                           .action = BL_BLOCK};
    return out->groups != 0;
}

const struct profile *policy_plan_profile(const struct policy_plan *plan,
                                          const struct ip_addr *client)
{
    return &plan->profile[client ? client_map_find(&plan->clients, client) : 0];
}

/* ---- The plan. ---- */

static uint32_t count_rule_clients(const struct rules *r)
{
    struct rule_view v;
    uint32_t count = 0;
    for (uint32_t i = 0; rules_own_at(r, i, &v); i++) {
        count += v.client != NULL;
    }
    return count;
}

static uint32_t profiles_bound(uint32_t clients)
{
    return clients + 1 < PROFILES_MAX ? clients + 1 : PROFILES_MAX;
}

size_t policy_plan_memory(const struct policy_source *src)
{
    uint32_t entries = rules_client_count(src->rules);
    uint32_t owners = count_rule_clients(src->rules);
    uint32_t profiles = profiles_bound(entries + owners);
    return client_map_memory(entries) + client_map_memory(owners) +
           client_map_memory(entries + owners) +
           (rules_list_count(src->rules) + 1) * sizeof(struct policy_list) +
           CATALOG_SECTIONS_MAX * sizeof(uint64_t) +
           profiles * (sizeof(struct profile) + (POLICY_NUMBERS_MAX + 2) * sizeof(uint16_t)) +
           8 * _Alignof(max_align_t);
}

static enum err init_map(struct client_map *m, struct arena *arena, uint32_t count)
{
    size_t len = client_map_memory(count);
    void *mem = len > 0 ? arena_alloc(arena, len, _Alignof(struct client_row)) : NULL;
    if (len > 0 && !mem) {
        return ERR_SPACE;
    }
    client_map_init(m, mem, count);
    return ERR_OK;
}

enum err policy_plan_make(struct policy_plan *plan, const struct policy_source *src, void *mem,
                          size_t len)
{
    struct arena arena;
    uint32_t entries = rules_client_count(src->rules);
    uint32_t owners = count_rule_clients(src->rules);
    *plan = (struct policy_plan){.profile_count = 1};
    arena_init(&arena, mem, len);
    plan->profile = ARENA_ARRAY(&arena, struct profile, profiles_bound(entries + owners));
    plan->list = ARENA_ARRAY(&arena, struct policy_list, rules_list_count(src->rules) + 1);
    plan->service_groups = ARENA_ARRAY(&arena, uint64_t, CATALOG_SECTIONS_MAX);
    enum err e = plan->profile && plan->list && plan->service_groups
                     ? init_map(&plan->entries, &arena, entries)
                     : ERR_SPACE;
    e = e == ERR_OK ? init_map(&plan->numbers, &arena, owners) : e;
    e = e == ERR_OK ? init_map(&plan->clients, &arena, entries + owners) : e;
    if (e != ERR_OK) {
        return e;
    }
    cfg_fill_everybody(src->config, &plan->profile[0]);
    plan->profile[0].pause_until = rules_pause_until(src->rules, src->now, src->now_unix);
    add_groups(plan, src->rules);
    add_lists(plan, src->rules);
    add_services(plan, src);
    add_entries(plan, src->rules);
    add_numbers(plan, src->rules);
    return add_clients(plan, src->rules, &arena);
}
