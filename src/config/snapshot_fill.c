/*
 * Configuration to snapshot: the part that is the same on every platform.
 */
#include "config/snapshot_fill.h"

#include <string.h>

#include "base/log.h"
#include "base/siphash.h"
#include "base/span.h"
#include "base/strbuf.h"
#include "config/catalogs.h"

/* ---- Upstreams and routes. ---- */

uint64_t cfg_upstream_id(const struct cfg_upstream *u)
{
    static const struct siphash_key key = {.k0 = 0x75707374, .k1 = 0x7265616d};
    uint8_t text[64 + UPSTREAM_NAME_MAX] = {0};
    size_t name = strlen(u->name);
    if (name >= UPSTREAM_NAME_MAX) {
        name = UPSTREAM_NAME_MAX - 1;
    }
    text[0] = (uint8_t)u->transport;
    memcpy(text + 1, u->endpoint.addr.b, 16);
    be32_write(text + 17, u->endpoint.scope);
    be16_write(text + 21, u->endpoint.port);
    memcpy(text + 23, u->name, name);
    uint64_t id = siphash24(key, text, 23 + name);
    return id != 0 ? id : 1;
}

static void add_upstream(struct snapshot *out, const struct cfg_upstream *u, uint16_t route)
{
    uint64_t id = cfg_upstream_id(u);
    for (uint16_t i = 0; i < out->upstream_count; i++) {
        if (out->upstreams[i].id == id && out->upstreams[i].route == route) {
            return;
        }
    }
    if (out->upstream_count == UPSTREAM_MAX) {
        char text[IP_ENDPOINT_TEXT];
        ip_endpoint_format(&u->endpoint, text);
        log_warning(RESOLVER, "more than %d upstreams and routes: %s is left out", UPSTREAM_MAX,
                    text);
        return;
    }
    struct upstream_spec *spec = &out->upstreams[out->upstream_count++];
    struct strbuf name;
    *spec = (struct upstream_spec){
        .id = id, .transport = u->transport, .endpoint = u->endpoint, .route = route};
    strbuf_init(&name, spec->name, sizeof spec->name);
    strbuf_str(&name, u->name);
}

bool cfg_fill_route(struct snapshot *out, const struct cfg_upstream *u, uint32_t count,
                    uint16_t *route)
{
    uint16_t before = out->upstream_count;
    *route = 0;
    for (uint16_t i = 0; i < before; i++) {
        *route = out->upstreams[i].route > *route ? out->upstreams[i].route : *route;
    }
    ++*route;
    for (uint32_t i = 0; i < count; i++) {
        add_upstream(out, &u[i], *route);
    }
    return out->upstream_count > before;
}

static void add_endpoint(struct snapshot *out, const struct ip_endpoint *endpoint)
{
    struct cfg_upstream u = {.transport = UPSTREAM_UDP, .endpoint = *endpoint, .name = ""};
    add_upstream(out, &u, 0);
}

/* Those of the configuration, else those of the machine, else two well-known public ones. */
static void fill_upstreams(struct snapshot *out, const struct config *cfg,
                           const struct cfg_machine *machine)
{
    static const uint8_t public_v4[2][4] = {{9, 9, 9, 9}, {1, 1, 1, 1}};
    for (uint32_t i = 0; i < cfg->upstream.count; i++) {
        add_upstream(out, &cfg->upstream.item[i], 0);
    }
    if (cfg->upstream.count > 0) {
        return;
    }
    for (uint32_t i = 0; i < machine->server_count; i++) {
        add_endpoint(out, &machine->servers[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(public_v4) && machine->server_count == 0; i++) {
        struct ip_endpoint server = {.addr = ip_v4(public_v4[i]), .port = 53};
        add_endpoint(out, &server);
    }
}

/* Do the configuration's routes a and b lead to the same upstreams? */
static bool same_targets(const struct cfg_routes *all, const struct dns_name *a,
                         const struct dns_name *b)
{
    uint64_t sum[2] = {0, 0};
    for (uint32_t i = 0; i < all->count; i++) {
        uint64_t id = cfg_upstream_id(&all->item[i].upstream);
        sum[0] += dns_name_equal(&all->item[i].domain, a) ? id : 0;
        sum[1] += dns_name_equal(&all->item[i].domain, b) ? id : 0;
    }
    return sum[0] == sum[1];
}

static bool has_domain(const struct snapshot *out, const struct dns_name *domain)
{
    for (uint32_t i = 0; i < out->route_count; i++) {
        if (dns_name_equal(&out->routes[i].domain, domain)) {
            return true;
        }
    }
    return false;
}

/* The number of an earlier domain with the same upstreams, else a new one with its upstreams added.
 */
static uint16_t route_number(struct snapshot *out, const struct cfg_routes *all,
                             const struct dns_name *domain)
{
    uint16_t highest = 0;
    for (uint32_t i = 0; i < out->route_count; i++) {
        if (same_targets(all, &out->routes[i].domain, domain)) {
            return out->routes[i].route;
        }
        highest = out->routes[i].route > highest ? out->routes[i].route : highest;
    }
    uint16_t number = (uint16_t)(highest + 1);
    for (uint32_t i = 0; i < all->count; i++) {
        if (dns_name_equal(&all->item[i].domain, domain)) {
            add_upstream(out, &all->item[i].upstream, number);
        }
    }
    return number;
}

static enum err fill_routes(struct snapshot *out, const struct config *cfg, struct arena *arena)
{
    struct route *routes = ARENA_ARRAY(arena, struct route, cfg->route.count + 1);
    if (!routes) {
        return ERR_SPACE;
    }
    out->routes = routes;
    out->route_count = 0;
    for (uint32_t i = 0; i < cfg->route.count; i++) {
        const struct dns_name *domain = &cfg->route.item[i].domain;
        if (!has_domain(out, domain)) {
            uint16_t number = route_number(out, &cfg->route, domain);
            routes[out->route_count++] = (struct route){.domain = *domain, .route = number};
        }
    }
    return ERR_OK;
}

/* ---- Who may ask, and the rest. ---- */

static uint32_t expand_networks(const struct config *cfg, const struct cfg_machine *machine,
                                struct cfg_cidr *out)
{
    uint32_t count = 0;
    bool expanded = false;
    for (uint32_t i = 0; i < cfg->allow_from.count; i++) {
        const struct cfg_cidr *c = &cfg->allow_from.item[i];
        if (!c->connected) {
            out[count++] = *c;
            continue;
        }
        for (uint32_t k = 0; k < machine->network_count && !expanded; k++) {
            out[count++] = (struct cfg_cidr){.prefix = machine->networks[k], .negated = c->negated};
        }
        expanded = true;
    }
    cfg_cidrs_sort(out, count);
    return count;
}

static enum err fill_allow_from(struct snapshot *out, const struct config *cfg,
                                const struct cfg_machine *machine, struct arena *arena)
{
    uint32_t room = cfg->allow_from.count + machine->network_count + 1;
    struct cfg_cidr *cidr = ARENA_ARRAY(arena, struct cfg_cidr, room);
    struct ip_prefix *prefixes = ARENA_ARRAY(arena, struct ip_prefix, room);
    bool *negated = ARENA_ARRAY(arena, bool, room);
    if (!cidr || !prefixes || !negated) {
        return ERR_SPACE;
    }
    uint32_t count = expand_networks(cfg, machine, cidr);
    for (uint32_t i = 0; i < count; i++) {
        prefixes[i] = cidr[i].prefix;
        negated[i] = cidr[i].negated;
    }
    out->allow_from = prefixes;
    out->allow_from_negated = negated;
    out->allow_from_count = count;
    return ERR_OK;
}

static enum err fill_rebind_allow(struct snapshot *out, const struct config *cfg,
                                  struct arena *arena)
{
    struct dns_name *names = ARENA_ARRAY(arena, struct dns_name, cfg->rebind_allow.count + 1);
    if (!names) {
        return ERR_SPACE;
    }
    if (cfg->rebind_allow.count > 0) {
        memcpy(names, cfg->rebind_allow.item, cfg->rebind_allow.count * sizeof *names);
    }
    out->rebind_allow = names;
    out->rebind_allow_count = cfg->rebind_allow.count;
    return ERR_OK;
}

static enum err fill_client_ids(struct snapshot *out, const struct config *cfg, struct arena *arena)
{
    struct ip_prefix *prefixes =
        ARENA_ARRAY(arena, struct ip_prefix, cfg->client_id_from.count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; prefixes && i < cfg->client_id_from.count; i++) {
        count += ip_prefix_parse(span_str(cfg->client_id_from.item[i]), &prefixes[count]) == ERR_OK;
    }
    out->client_id_from = prefixes;
    out->client_id_count = count;
    return prefixes ? ERR_OK : ERR_SPACE;
}

static uint32_t seconds(usec_t us)
{
    return (uint32_t)(us / USEC_PER_SEC);
}

void cfg_fill_everybody(const struct config *cfg, struct profile *out)
{
    *out = (struct profile){.asker = {.groups = 1},
                            .block_mode = cfg->block_mode.mode,
                            .block_v4 = cfg->block_mode.v4,
                            .block_v6 = cfg->block_mode.v6,
                            .safe_search = cfg->safe_search ? catalogs_safe_bits(cfg) : 0};
}

static void fill_settings(struct snapshot *out, const struct config *cfg)
{
    cfg_fill_everybody(cfg, &out->everybody);
    out->block_ttl_s = seconds(cfg->block_ttl_us);
    out->ttl_min_s = seconds(cfg->ttl_min_us);
    out->ttl_max_s = seconds(cfg->ttl_max_us);
    out->ttl_negative_max_s = seconds(cfg->ttl_negative_max_us);
    out->stale_s = seconds(cfg->serve_stale_us);
    out->prefetch = cfg->prefetch;
    out->rebind_protection = cfg->rebind_protection;
    out->block_icloud_relay = cfg->block_icloud_relay;
    out->block_canary = cfg->block_canary;
    out->cname_check = cfg->cname_check;
    out->case_random = cfg->case_random;
    out->dns64 = cfg->dns64;
}

size_t cfg_fill_memory(const struct config *cfg, const struct cfg_machine *machine)
{
    size_t cidrs = cfg->allow_from.count + machine->network_count + 1;
    return cidrs * (sizeof(struct cfg_cidr) + sizeof(struct ip_prefix) + sizeof(bool)) +
           (cfg->route.count + 1) * sizeof(struct route) +
           (cfg->client_id_from.count + 1) * sizeof(struct ip_prefix) +
           (cfg->rebind_allow.count + 1) * sizeof(struct dns_name) + 8 * _Alignof(max_align_t);
}

enum err cfg_fill_snapshot(const struct config *cfg, const struct cfg_machine *machine,
                           struct arena *arena, struct snapshot *out)
{
    enum err e = fill_allow_from(out, cfg, machine, arena);
    e = e == ERR_OK ? fill_rebind_allow(out, cfg, arena) : e;
    e = e == ERR_OK ? fill_client_ids(out, cfg, arena) : e;
    if (e == ERR_OK) {
        out->upstream_count = 0;
        fill_upstreams(out, cfg, machine);
        e = fill_routes(out, cfg, arena);
    }
    fill_settings(out, cfg);
    return e;
}
