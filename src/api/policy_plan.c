/*
 * Profiles are made by going through every address and prefix that is spoken of, as clients, as
 * owners of rules or as paused ones: each of them is treated as the entries and rules that hold it
 * say, and addresses in between are treated as the longest prefix that holds them.
 */
#include "api/policy_plan.h"

#include <string.h>

#include "base/log.h"
#include "config/catalogs.h"
#include "config/mac.h"
#include "config/schedule.h"
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

/* ---- Lists. ---- */

static struct policy_list *find_list(const struct policy_plan *plan, uint32_t id)
{
    for (uint32_t i = 0; i < plan->list_count; i++) {
        if (plan->list[i].id == id) {
            return &plan->list[i];
        }
    }
    return NULL;
}

uint64_t policy_plan_list(const struct policy_plan *plan, uint32_t id)
{
    const struct policy_list *l = find_list(plan, id);
    return l ? l->groups : 1;
}

static struct policy_list *list_of(struct policy_plan *plan, uint32_t id)
{
    struct policy_list *l = find_list(plan, id);
    if (!l) {
        l = &plan->list[plan->list_count++];
        *l = (struct policy_list){.id = id};
    }
    return l;
}

/* Without the groups for which a list counts only at other times. */
static uint64_t groups_now(const struct policy_plan *plan, const struct policy_source *src,
                           uint64_t groups, const char *url)
{
    for (unsigned i = 0; i < plan->groups.count; i++) {
        if ((groups >> i & 1) && !policy_group_has_list(src, &plan->groups.item[i], url)) {
            groups &= ~(UINT64_C(1) << i);
        }
    }
    return groups;
}

/* A list of the configuration on which the page decided nothing but [0] is as the file says. */
static bool says_groups(const struct list_view *v)
{
    return !v->configured || json_array_size(v->groups) != 1 ||
           json_integer_value(json_array_get(v->groups, 0)) != 0;
}

static void add_document_lists(struct policy_plan *plan, const struct policy_source *src)
{
    struct list_view v;
    for (uint32_t i = 0; rules_list_at(src->rules, i, &v); i++) {
        if (says_groups(&v)) {
            struct policy_list *l = list_of(plan, v.id);
            l->in_document = true;
            l->groups = groups_now(plan, src, policy_plan_groups(plan, v.groups), v.url);
        }
    }
}

static void add_configured_list(struct policy_plan *plan, const struct policy_source *src,
                                uint64_t groups, const char *text, bool allow)
{
    struct policy_list *l = list_of(plan, src->list_id(text, allow));
    if (!l->in_document) {
        l->groups |= groups_now(plan, src, groups, text);
    }
}

/* Lists of groups; those of everybody count too if a group has them as well, or at times only. */
static void add_configured_lists(struct policy_plan *plan, const struct policy_source *src)
{
    const struct config *c = src->config;
    for (uint32_t i = 0; i < c->groups.value_count; i++) {
        const struct cfg_group_value *v = &c->groups.value[i];
        bool allow = v->key == CFG_GROUP_ALLOW_LIST;
        if (!allow && v->key != CFG_GROUP_LIST) {
            continue;
        }
        for (unsigned g = 0; g < plan->groups.count; g++) {
            if (plan->groups.item[g].configured == v->group) {
                add_configured_list(plan, src, UINT64_C(1) << g, v->text, allow);
            }
        }
    }
    for (uint32_t i = 0; src->list_id && i < c->list.count; i++) {
        add_configured_list(plan, src, 1, c->list.item[i], false);
    }
    for (uint32_t i = 0; src->list_id && i < c->allow_list.count; i++) {
        add_configured_list(plan, src, 1, c->allow_list.item[i], true);
    }
}

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

static void add_entries(struct policy_plan *plan, const struct policy_source *src)
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

/* What names a device; the kinds in the order in which they stand for an address. */
enum kind { KIND_PREFIX, KIND_MAC, KIND_NAME, KINDS };

static enum kind kind_of(const char *client, uint8_t mac[MAC_OCTETS])
{
    struct ip_prefix prefix;
    return read_client(client, &prefix)                 ? KIND_PREFIX
           : mac_parse(span_str(client), mac) == ERR_OK ? KIND_MAC
                                                        : KIND_NAME;
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

static bool is_device(const struct policy_address *a, enum kind kind, const char *client,
                      const uint8_t mac[MAC_OCTETS])
{
    return kind == KIND_MAC ? a->has_mac && memcmp(a->mac, mac, MAC_OCTETS) == 0
                            : a->name != NULL && same_name(a->name, client);
}

/* Calls `each` for every prefix that a client stands for now. */
typedef void prefix_function(void *ctx, const struct ip_prefix *prefix, uint16_t value);

static void each_prefix(const struct policy_source *src, enum kind wanted, const char *client,
                        uint16_t value, prefix_function *each, void *ctx)
{
    struct ip_prefix prefix;
    uint8_t mac[MAC_OCTETS];
    if (kind_of(client, mac) != wanted) {
        return;
    }
    if (wanted == KIND_PREFIX) {
        (void)read_client(client, &prefix);
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

static void map_entries(struct policy_plan *plan, const struct policy_source *src)
{
    for (unsigned kind = 0; kind < KINDS; kind++) {
        for (uint32_t i = 0; i < plan->entry_count; i++) {
            const struct policy_entry *e = &plan->entry[i];
            if (e->has_groups) {
                each_prefix(src, (enum kind)kind, e->client, (uint16_t)i, put_first,
                            &plan->entries);
            }
            if (e->pause_until > src->now) {
                each_prefix(src, (enum kind)kind, e->client, (uint16_t)i, put_first, &plan->pauses);
            }
        }
    }
    client_map_done(&plan->entries);
    client_map_done(&plan->pauses);
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
    usec_t pause_until;
    uint16_t number[POLICY_NUMBERS_MAX];
    uint16_t numbers;
};

static const struct policy_entry *entry_in(const struct policy_plan *plan, const struct ip_addr *a,
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

/* Of everybody who is in the prefix and in no longer one. */
static void treat(const struct policy_plan *plan, const struct ip_prefix *prefix,
                  struct treatment *out)
{
    const struct policy_entry *e = entry_in(plan, &prefix->addr, prefix->bits);
    uint16_t place;
    *out = (struct treatment){.groups = e ? e->groups : 1};
    for (unsigned bits = prefix->bits; bits <= 128; bits--) {
        if (client_map_at(&plan->pauses, &prefix->addr, bits, &place) &&
            plan->entry[place].pause_until > out->pause_until) {
            out->pause_until = plan->entry[place].pause_until;
        }
        if (out->numbers < POLICY_NUMBERS_MAX &&
            client_map_at(&plan->numbers, &prefix->addr, bits, &out->number[out->numbers])) {
            out->numbers++;
        }
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

static void add_row(void *ctx, const struct ip_prefix *prefix, uint16_t value)
{
    struct adding *a = ctx;
    struct treatment t;
    uint16_t number;
    uint16_t other;
    (void)value;
    if (a->error != ERR_OK ||
        client_map_at(&a->plan->clients, &prefix->addr, prefix->bits, &other)) {
        return;
    }
    treat(a->plan, prefix, &t);
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

static enum err add_clients(struct policy_plan *plan, const struct policy_source *src,
                            struct arena *arena)
{
    struct adding a = {.plan = plan, .arena = arena};
    struct rule_view rule;
    struct ip_prefix prefix;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        for (uint32_t i = 0; i < plan->entry_count; i++) {
            each_prefix(src, (enum kind)kind, plan->entry[i].client, 0, add_row, &a);
        }
    }
    for (uint32_t i = 0; plan->numbers.count > 0 && rules_own_at(src->rules, i, &rule); i++) {
        if (read_client(rule.client, &prefix)) {
            add_row(&a, &prefix, 0);
        }
    }
    client_map_done(&plan->clients);
    return a.error;
}

uint16_t policy_plan_number(const struct policy_plan *plan, const struct ip_addr *client)
{
    return client ? client_map_find(&plan->clients, client) : 0;
}

/* ---- Services. ---- */

static const struct catalog *services_of(const struct config *c)
{
    return c->catalogs ? &c->catalogs->services : NULL;
}

static void block_service(struct policy_plan *plan, const struct policy_group *group,
                          struct span name, uint64_t bit)
{
    const struct catalog_section *s = plan->services ? catalog_find(plan->services, name) : NULL;
    if (s) {
        plan->service_groups[s - plan->services->section] |= bit;
    } else {
        log_warning(RESOLVER, "group %s: there is no service %.*s", group->name, (int)name.len,
                    (const char *)name.ptr);
    }
}

/* Services of a group, those included that a schedule asks for now. */
static void add_group_services(struct policy_plan *plan, const struct policy_source *src,
                               const struct policy_group *group, uint64_t bit)
{
    const char *text;
    struct schedule s;
    struct span name;
    for (uint32_t n = 0; (text = policy_group_value(src, group, CFG_GROUP_SERVICE, n)); n++) {
        block_service(plan, group, span_str(text), bit);
    }
    for (uint32_t n = 0; policy_group_schedule(src, group, n, &s, &text); n++) {
        while (s.action == SCHEDULE_SERVICES && policy_schedule_is_active(src, &s) &&
               schedule_next_name(&s.what, &name)) {
            block_service(plan, group, name, bit);
        }
    }
}

static void add_services(struct policy_plan *plan, const struct policy_source *src)
{
    plan->services = services_of(src->config);
    for (uint32_t i = 0; plan->services && i < plan->services->count; i++) {
        plan->service_groups[i] =
            catalogs_blocked(src->config, plan->services->section[i].id) ? BL_GROUPS_ALL : 0;
    }
    for (unsigned g = 0; g < plan->groups.count; g++) {
        if (plan->groups.item[g].enabled) {
            add_group_services(plan, src, &plan->groups.item[g], UINT64_C(1) << g);
        }
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
    return &plan->profile[policy_plan_number(plan, client)];
}

const struct policy_entry *policy_plan_entry(const struct policy_plan *plan,
                                             const struct ip_addr *client)
{
    return client ? entry_in(plan, client, 128) : NULL;
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
    b.rows = b.entries + b.owners + (b.entries > 0 ? addresses : 0);
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
    *plan = (struct policy_plan){0};
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
    add_document_lists(plan, src);
    add_configured_lists(plan, src);
    add_services(plan, src);
    add_entries(plan, src);
    map_entries(plan, src);
    add_numbers(plan, src->rules);
    e = profile_of(plan, &arena, &(struct treatment){.groups = 1}, &everybody);
    return e == ERR_OK ? add_clients(plan, src, &arena) : e;
}
