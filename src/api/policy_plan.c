/*
 * Profiles are made by going through every address and prefix that is spoken of, as clients, as
 * owners of rules or as paused ones: each of them is treated as the entries and rules that hold it
 * say, and addresses in between are treated as the longest prefix that holds them.
 */
#include "api/policy_plan_int.h"

#include <string.h>

#include "base/log.h"
#include "config/catalogs.h"
#include "config/snapshot_fill.h"

/* ---- Groups of things. ---- */

uint64_t policy_plan_groups(const struct policy_plan *plan, const json_t *ids)
{
    uint64_t groups = 0;
    for (size_t i = 0; i < json_array_size(ids); i++) {
        groups |= policy_group_bit(&plan->groups, json_integer_value(json_array_get(ids, i)));
    }
    return groups;
}

/* ---- How they are treated. ---- */

struct treatment {
    uint64_t groups;
    usec_t pause_until;
    uint16_t number[POLICY_NUMBERS_MAX];
    uint16_t numbers;
};

/* Pause and rules of one key. */
static void add_treatment(const struct policy_plan *plan, const struct ip_addr *key, unsigned bits,
                          struct treatment *out)
{
    uint16_t place;
    if (client_map_at(&plan->pauses, key, bits, &place) &&
        plan->entry[place].pause_until > out->pause_until) {
        out->pause_until = plan->entry[place].pause_until;
    }
    if (out->numbers < POLICY_NUMBERS_MAX &&
        client_map_at(&plan->numbers, key, bits, &out->number[out->numbers])) {
        out->numbers++;
    }
}

/* Of everybody who is in the prefix and in no longer one. */
static void treat(const struct policy_plan *plan, const struct ip_prefix *prefix,
                  const struct policy_address *device, struct treatment *out)
{
    struct policy_keys keys;
    policy_find_keys(&prefix->addr, prefix->bits == 128 ? device : NULL, &keys);
    const struct policy_entry *e = policy_entry_in(plan, &keys, prefix->bits);
    *out = (struct treatment){.groups = e ? e->groups : 1};
    for (unsigned i = 1; i < keys.count; i++) {
        add_treatment(plan, &keys.item[i], 128, out);
    }
    for (unsigned bits = prefix->bits; bits <= 128; bits--) {
        add_treatment(plan, &prefix->addr, bits, out);
    }
}

static usec_t later(usec_t a, usec_t b)
{
    return a > b ? a : b;
}

/* Put together what the groups say; `of_client` is its own pause. A pause that a person told stands
 * above schedules; of these, one that blocks stands above one that does not. The first group that
 * has an opinion on answers or upstreams has its way, everybody's last. Safe search is on if any of
 * them says so, off if one says that, else as for everybody. */
static void fold_groups(const struct policy_plan *plan, usec_t of_client, struct profile *p,
                        int8_t *upstreams)
{
    const struct policy_groups *all = &plan->groups;
    bool pauses = false, has_mode = false;
    int8_t safe = -1;
    *upstreams = -1;
    p->pause_until = later(plan->pause_until, of_client);
    for (unsigned n = 1; n <= all->count; n++) {
        unsigned i = n % all->count;
        const struct policy_group *g = &all->item[i];
        if (!(p->asker.groups >> i & 1)) {
            continue;
        }
        p->pause_until = later(p->pause_until, g->pause_until);
        p->blocks_all |= g->blocks;
        safe = g->safe_search > safe ? g->safe_search : safe;
        pauses |= g->pauses;
        if (g->has_block_mode && !has_mode) {
            has_mode = true;
            p->block_mode = g->block_mode.mode;
            p->block_v4 = g->block_mode.v4;
            p->block_v6 = g->block_mode.v6;
        }
        if (g->upstream_count > 0 && *upstreams < 0) {
            *upstreams = (int8_t)i;
            p->view = g->view;
        }
    }
    p->safe_search = safe < 0 ? p->safe_search : safe > 0 ? plan->safe_bits : 0;
    if (pauses && !p->blocks_all) {
        p->pause_until = USEC_NEVER; /* until the plan that is made when it ends */
    }
}

static bool is_treatment(const struct profile *p, usec_t pause, const struct treatment *t)
{
    return p->asker.groups == t->groups && p->asker.client_count == t->numbers &&
           pause == t->pause_until &&
           (t->numbers == 0 ||
            memcmp(p->asker.clients, t->number, t->numbers * sizeof t->number[0]) == 0);
}

/* The number of the profile of this treatment, made if need be; ERR_LIMIT, ERR_SPACE. */
static enum err profile_of(struct policy_plan *plan, struct arena *arena, const struct treatment *t,
                           uint16_t *out)
{
    for (uint32_t i = 0; i < plan->profile_count; i++) {
        if (is_treatment(&plan->profile[i], plan->own_pause[i], t)) {
            *out = (uint16_t)i;
            return ERR_OK;
        }
    }
    if (plan->profile_count == PROFILES_MAX) {
        return ERR_LIMIT;
    }
    uint16_t *numbers = ARENA_ARRAY(arena, uint16_t, t->numbers + 1U);
    if (!numbers) {
        return ERR_SPACE;
    }
    uint32_t n = plan->profile_count++;
    struct profile *p = &plan->profile[n];
    memcpy(numbers, t->number, t->numbers * sizeof *numbers);
    *p = plan->base;
    p->asker =
        (struct bl_asker){.groups = t->groups, .clients = numbers, .client_count = t->numbers};
    p->number = (uint8_t)(n < PROFILE_NUMBER_MAX ? n : PROFILE_NUMBER_MAX);
    plan->own_pause[n] = t->pause_until;
    fold_groups(plan, t->pause_until, p, &plan->upstreams[n]);
    *out = (uint16_t)n;
    return ERR_OK;
}

/* Adding rows to the table of clients. */
struct adding {
    struct policy_plan *plan;
    struct arena *arena;
    enum err error;
    bool told;
};

static void add_row(struct adding *a, const struct ip_prefix *prefix,
                    const struct policy_address *device)
{
    struct treatment t;
    uint16_t number;
    uint16_t other;
    if (a->error != ERR_OK ||
        client_map_at(&a->plan->clients, &prefix->addr, prefix->bits, &other)) {
        return;
    }
    treat(a->plan, prefix, device, &t);
    enum err e = client_map_has_room(&a->plan->clients) ? profile_of(a->plan, a->arena, &t, &number)
                                                        : ERR_LIMIT;
    if (e == ERR_OK) {
        e = client_map_add(&a->plan->clients, prefix, number, &other);
    } else if (e == ERR_LIMIT && !a->told) {
        char text[IP_PREFIX_TEXT];
        a->told = true;
        ip_prefix_format(prefix, text);
        log_warning(RESOLVER,
                    "more than %d kinds of clients or %d addresses of devices: %s and others are "
                    "treated as the network that they are in",
                    PROFILES_MAX, POLICY_ADDRESSES_MAX, text);
    }
    a->error = e == ERR_LIMIT ? ERR_OK : e;
}

static bool is_spoken_of(const struct policy_plan *plan, const struct ip_addr *key)
{
    uint16_t value;
    return client_map_at(&plan->entries, key, 128, &value) ||
           client_map_at(&plan->pauses, key, 128, &value) ||
           client_map_at(&plan->numbers, key, 128, &value);
}

/* The address of a device, and what stands for it when only its hardware address is told. */
static void add_device(struct adding *a, const struct policy_address *device)
{
    struct policy_keys keys;
    bool known = false;
    policy_find_keys(&device->addr, device, &keys);
    for (unsigned i = 1; i < keys.count; i++) {
        known |= is_spoken_of(a->plan, &keys.item[i]);
    }
    if (!known) {
        return;
    }
    add_row(a, &(struct ip_prefix){.addr = device->addr, .bits = 128}, device);
    if (device->has_mac && !device->past) {
        add_row(a, &(struct ip_prefix){.addr = device_of_mac(device->mac), .bits = 128}, device);
    }
}

static enum err add_clients(struct policy_plan *plan, const struct policy_source *src,
                            struct arena *arena)
{
    struct adding a = {.plan = plan, .arena = arena};
    struct rule_view rule;
    struct ip_prefix prefix;
    for (uint32_t i = 0; i < plan->address_count; i++) {
        add_device(&a, &plan->address[i]);
    }
    for (unsigned kind = 0; kind < POLICY_KINDS; kind++) {
        for (uint32_t i = 0; i < plan->entry_count; i++) {
            if (policy_prefix_of(plan->entry[i].client, &prefix) == kind) {
                add_row(&a, &prefix, NULL);
            }
        }
    }
    for (uint32_t i = 0; plan->numbers.count > 0 && rules_own_at(src->rules, i, &rule); i++) {
        if (rule.client) {
            (void)policy_prefix_of(rule.client, &prefix);
            add_row(&a, &prefix, NULL);
        }
    }
    client_map_done(&plan->clients);
    return a.error;
}

uint16_t policy_plan_number(const struct policy_plan *plan, const struct ip_addr *client)
{
    return client ? client_map_find(&plan->clients, client) : 0;
}

const struct profile *policy_plan_profile(const struct policy_plan *plan,
                                          const struct ip_addr *client)
{
    return &plan->profile[policy_plan_number(plan, client)];
}
/* ---- The plan. ---- */

/* How many there may be of each. */
struct bounds {
    uint32_t lists, entries, owners, rows, profiles;
};

static uint32_t count_values(const struct cfg_groups *g, enum cfg_group_key key)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < g->value_count; i++) {
        count += g->value[i].key == key;
    }
    return count;
}

static struct bounds bounds_of(const struct policy_source *src)
{
    const struct config *c = src->config;
    struct bounds b = {0};
    struct rule_view v;
    struct pause_view p;
    uint32_t addresses =
        src->address_count < POLICY_ADDRESSES_MAX ? src->address_count : POLICY_ADDRESSES_MAX;
    b.lists = rules_list_count(src->rules) + c->list.count + c->allow_list.count +
              count_values(&c->groups, CFG_GROUP_LIST) +
              count_values(&c->groups, CFG_GROUP_ALLOW_LIST);
    b.entries = rules_client_count(src->rules) + count_values(&c->groups, CFG_GROUP_CLIENT);
    for (uint32_t i = 0; rules_pause_at(src->rules, i, &p); i++) {
        b.entries++;
    }
    for (uint32_t i = 0; rules_own_at(src->rules, i, &v); i++) {
        b.owners += v.client != NULL;
    }
    b.rows = b.entries + b.owners + (b.entries + b.owners > 0 ? 2 * addresses : 0);
    b.profiles = b.rows + 1 < PROFILES_MAX ? b.rows + 1 : PROFILES_MAX;
    return b;
}

size_t policy_plan_memory(const struct policy_source *src)
{
    struct bounds b = bounds_of(src);
    return policy_groups_memory(src) + (b.lists + 1) * sizeof(struct policy_list) +
           CATALOG_SECTIONS_MAX * sizeof(uint64_t) + (b.entries + 1) * sizeof(struct policy_entry) +
           3 * client_map_memory(b.rows) + client_map_memory(b.owners) +
           b.profiles * (sizeof(struct profile) + sizeof(usec_t) + sizeof(int8_t) +
                         (POLICY_NUMBERS_MAX + 2) * sizeof(uint16_t)) +
           16 * _Alignof(max_align_t);
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

static enum err take_room(struct policy_plan *plan, const struct bounds *b, struct arena *arena)
{
    plan->profile = ARENA_ARRAY(arena, struct profile, b->profiles);
    plan->own_pause = ARENA_ARRAY(arena, usec_t, b->profiles);
    plan->entry = ARENA_ARRAY(arena, struct policy_entry, b->entries + 1);
    plan->list = ARENA_ARRAY(arena, struct policy_list, b->lists + 1);
    plan->service_groups = ARENA_ARRAY(arena, uint64_t, CATALOG_SECTIONS_MAX);
    plan->upstreams = ARENA_ARRAY(arena, int8_t, b->profiles);
    enum err e = plan->upstreams ? init_map(&plan->entries, arena, b->rows) : ERR_SPACE;
    e = e == ERR_OK ? init_map(&plan->pauses, arena, b->rows) : e;
    e = e == ERR_OK ? init_map(&plan->clients, arena, b->rows) : e;
    return e == ERR_OK ? init_map(&plan->numbers, arena, b->owners) : e;
}

enum err policy_plan_make(struct policy_plan *plan, const struct policy_source *src, void *mem,
                          size_t len)
{
    struct arena arena;
    struct bounds b = bounds_of(src);
    uint16_t everybody;
    arena_init(&arena, mem, len);
    *plan = (struct policy_plan){.address = src->address,
                                 .address_count = src->address_count < POLICY_ADDRESSES_MAX
                                                      ? src->address_count
                                                      : POLICY_ADDRESSES_MAX};
    enum err e = take_room(plan, &b, &arena);
    if (e != ERR_OK) {
        return e;
    }
    e = policy_groups_make(&plan->groups, src, &arena);
    if (e != ERR_OK) {
        return e;
    }
    cfg_fill_everybody(src->config, &plan->base);
    plan->safe_bits = catalogs_safe_bits(src->config);
    plan->pause_until = rules_pause_until(src->rules, src->now, src->now_unix);
    policy_add_lists(plan, src);
    policy_add_services(plan, src);
    policy_add_entries(plan, src);
    policy_map_entries(plan, src->now);
    policy_add_numbers(plan, src->rules);
    e = profile_of(plan, &arena, &(struct treatment){.groups = 1}, &everybody);
    return e == ERR_OK ? add_clients(plan, src, &arena) : e;
}
