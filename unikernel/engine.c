/* One worker, one loop: a new snapshot is in force as soon as the resolver has it, and the old one
 * is freed at once. */
#include "engine.h"

#include <stdlib.h>
#include <string.h>

#include "api/policy_plan.h"
#include "api/rules.h"
#include "api/rules_snapshot.h"
#include "api/services_part.h"
#include "arch/aarch64/cpu.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "blocklist/image.h"
#include "blocklist/overlay.h"
#include "config/snapshot_fill.h"
#include "control.h"
#include "lib/heap.h"
#include "lib/wallclock.h"
#include "lists.h"
#include "net/net.h"
#include "net/service.h"
#include "resolver/cache.h"
#include "resolver/local.h"
#include "resolver/resolver.h"
#include "shared/regex_rules.h"
#include "stats/stats.h"
#include "storage.h"

enum { HOSTS_FILES_MAX = 16, HOSTS_FILE_OCTETS = 1 << 20 };
enum { REGEX_MEMO = 4096 }; /* names */
enum { SERVERS_MAX = 4, NETWORKS_MAX = 8, LOCAL_OCTETS = 1024, RING_OCTETS = 1 << 20 };

/* What is made of the configuration and the rules document. */
struct derived {
    void *local_mem, *own_mem, *plan_mem, *services_mem;
    const struct services_part *services;
    void *addresses_mem;
    const struct address_rules *addresses;
    const struct local_records *local;
    struct bl_overlay *own;
    struct policy_plan plan;
};

static struct engine {
    const struct config *cfg;
    struct resolver *resolver;
    struct cache *cache;
    struct stats *stats;
    struct stats_worker *worker;
    struct snapshot *snapshot;
    void *parts;               /* of the snapshot */
    void *profiles;            /* likewise */
    struct regex_set *regexes; /* likewise; NULL: there are none */
    struct regex_set *tried;   /* those of the image; nothing can be matched with it */
    uint64_t generation;
    uint8_t cookie_key[16];
    struct engine_memory memory; /* of what is made once */

    struct bl_image image;
    bool has_image;
    void *image_owned;              /* to free with the image, or NULL */
    uint32_t list_id[BL_LISTS_MAX]; /* by the list's place in the image; 0: none */
    struct derived derived;
} engine;

static void drop(struct derived *d)
{
    free(d->local_mem);
    free(d->services_mem);
    free(d->addresses_mem);
    free(d->own_mem);
    free(d->plan_mem);
    *d = (struct derived){0};
}

static void add_records(struct local_builder *b, const struct config *cfg, uint32_t ttl_s)
{
    for (uint32_t i = 0; i < cfg->record.count; i++) {
        const char *what = "";
        enum err e = local_add_text(b, span_str(cfg->record.item[i]), ttl_s, &what);
        if (e != ERR_OK && e != ERR_EXISTS) {
            log_warning(RESOLVER, "record \"%s\": %s; left out", cfg->record.item[i], what);
        }
    }
}

/* Hosts files are files of the card here, by their last part. */
struct hosts {
    struct span text;
    uint32_t words;
};

static uint32_t count_words(struct span text)
{
    uint32_t count = 0;
    bool inside = false;
    for (size_t i = 0; i < text.len; i++) {
        bool blank = text.ptr[i] <= ' ';
        count += !blank && !inside;
        inside = !blank;
    }
    return count;
}

static void read_hosts(const struct config *cfg, struct hosts out[HOSTS_FILES_MAX])
{
    for (uint32_t i = 0; i < cfg->hosts_file.count && i < HOSTS_FILES_MAX; i++) {
        const char *path = cfg->hosts_file.item[i], *name = strrchr(path, '/');
        out[i].text = storage_file(name ? name + 1 : path, HOSTS_FILE_OCTETS);
        out[i].words = count_words(out[i].text);
        if (out[i].text.len == 0) {
            log_warning(RESOLVER, "hosts file %s is not on the card", path);
        }
    }
}

static void add_hosts(struct local_builder *b, const struct config *cfg, struct hosts *files,
                      uint32_t ttl_s)
{
    for (uint32_t i = 0; i < cfg->hosts_file.count && i < HOSTS_FILES_MAX; i++) {
        uint32_t rejected = 0, first = 0;
        enum err e = local_add_hosts(b, files[i].text, cfg->local_domain, ttl_s, &rejected, &first);
        if (e != ERR_OK || rejected > 0) {
            log_warning(RESOLVER, "%s:%u: found %u lines that cannot be used, expected ADDR NAME…",
                        cfg->hosts_file.item[i], first, rejected);
        }
    }
}

static void free_hosts(struct hosts files[HOSTS_FILES_MAX])
{
    for (uint32_t i = 0; i < HOSTS_FILES_MAX; i++) {
        if (files[i].text.len > 0) {
            free((void *)(uintptr_t)files[i].text.ptr);
        }
    }
}

static enum err build_local(const struct config *cfg, const struct rules *rules,
                            struct hosts *files, struct derived *out)
{
    uint32_t ttl_s = (uint32_t)(cfg->local_ttl_us / USEC_PER_SEC);
    uint64_t count = (uint64_t)cfg->record.count * 2 + rules_local_bound(rules);
    struct arena arena;
    for (uint32_t i = 0; i < HOSTS_FILES_MAX; i++) {
        count += files[i].words * UINT64_C(3);
    }
    count = count < LOCAL_RECORDS_MAX ? count : LOCAL_RECORDS_MAX;
    if (count == 0) {
        return ERR_OK;
    }
    size_t len = (size_t)(count + 64) * LOCAL_OCTETS;
    out->local_mem = malloc(len);
    if (!out->local_mem) {
        return ERR_MEMORY;
    }
    arena_init(&arena, out->local_mem, len);
    struct local_builder *b = local_builder_new(&arena, (uint32_t)count);
    if (!b) {
        return ERR_MEMORY;
    }
    add_records(b, cfg, ttl_s);
    rules_local_fill(rules, b, cfg->local_domain, ttl_s);
    add_hosts(b, cfg, files, ttl_s);
    return local_build(b, &out->local);
}

static enum err derive_local(const struct config *cfg, const struct rules *rules,
                             struct derived *out)
{
    struct hosts files[HOSTS_FILES_MAX] = {0};
    read_hosts(cfg, files);
    enum err e = build_local(cfg, rules, files, out);
    free_hosts(files);
    return e;
}

static enum err derive_plan(const struct policy_source *from, struct derived *out)
{
    size_t len = policy_plan_memory(from);
    out->plan_mem = malloc(len);
    return out->plan_mem ? policy_plan_make(&out->plan, from, out->plan_mem, len) : ERR_MEMORY;
}

static enum err derive_services(const struct catalogs *c, struct derived *out)
{
    size_t len = services_part_memory(c);
    out->services_mem = malloc(len);
    return out->services_mem ? services_part_make(c, out->services_mem, len, &out->services)
                             : ERR_MEMORY;
}

static enum err derive_addresses(const struct config *cfg, const struct rules *rules,
                                 struct derived *out)
{
    size_t len = rules_addresses_memory(cfg, rules);
    if (len == 0) {
        return ERR_OK;
    }
    out->addresses_mem = malloc(len);
    return out->addresses_mem ? rules_addresses_make(cfg, rules, &out->plan, out->addresses_mem,
                                                     len, &out->addresses)
                              : ERR_MEMORY;
}

static enum err derive(const struct config *cfg, const struct rules *rules, struct derived *out)
{
    struct policy_source from;
    uint32_t count;
    control_policy_source(cfg, rules, &from);
    *out = (struct derived){0};
    enum err e = derive_local(cfg, rules, out);
    e = e == ERR_OK ? derive_plan(&from, out) : e;
    e = e == ERR_OK ? derive_services(cfg->catalogs, out) : e;
    e = e == ERR_OK ? derive_addresses(cfg, rules, out) : e;
    size_t len = e == ERR_OK ? rules_overlay_memory(rules, &out->plan, from.now_unix, &count) : 0;
    if (len > 0) {
        out->own_mem = malloc(len);
        e = out->own_mem ? rules_overlay_make(rules, &out->plan, from.now, from.now_unix,
                                              out->own_mem, len, count, &out->own)
                         : ERR_MEMORY;
    }
    if (e != ERR_OK) {
        drop(out);
    }
    return e;
}

static uint32_t id_of_slot(const void *ctx, unsigned slot)
{
    (void)ctx;
    return engine_list_id(slot);
}

static enum err add_policy(struct snapshot *s, void **profiles)
{
    struct arena arena;
    size_t len = policy_apply_memory(&engine.derived.plan, s->image, id_of_slot, NULL);
    *profiles = malloc(len);
    if (!*profiles) {
        return ERR_MEMORY;
    }
    arena_init(&arena, *profiles, len);
    return policy_apply(&engine.derived.plan, id_of_slot, NULL, &arena, s);
}

static enum err make_regexes(const struct rules *rules, struct snapshot *s, struct regex_set **out)
{
    const struct regex_rules_source from = {.rules = rules,
                                            .plan = &engine.derived.plan,
                                            .image = s->image,
                                            .now = clock_now(),
                                            .now_unix =
                                                wallclock_unix_us() / (int64_t)USEC_PER_SEC};
    const struct regex_set_config cfg = {.users = 1, .known = {engine.regexes, engine.tried}};
    enum err e = regex_rules_make(&from, &cfg, out);
    s->regexes = e == ERR_OK ? regex_set_get(*out) : NULL;
    return e;
}

enum err engine_try_patterns(struct span octets, void (*breathe)(void *ctx), void *ctx)
{
    struct bl_image image;
    struct regex_set *fresh = NULL;
    const struct regex_rules_source from = {.image = &image};
    const struct regex_set_config cfg = {.known = {engine.tried}, .breathe = breathe, .ctx = ctx};
    enum err e = bl_image_open(octets.ptr, octets.len, &image);
    e = e == ERR_OK ? regex_rules_make(&from, &cfg, &fresh) : e;
    if (e == ERR_OK) {
        regex_set_free(engine.tried);
        engine.tried = fresh;
    }
    return e;
}

static enum err make_snapshot(const struct rules *rules, struct snapshot **out, void **parts,
                              void **profiles, struct regex_set **regexes)
{
    struct ip_endpoint servers[SERVERS_MAX];
    struct ip_prefix networks[NETWORKS_MAX];
    struct cfg_machine machine = {.servers = servers,
                                  .server_count = net_servers(servers, SERVERS_MAX),
                                  .networks = networks,
                                  .network_count = net_networks(networks, NETWORKS_MAX)};
    struct arena arena;
    size_t len = cfg_fill_memory(engine.cfg, &machine);
    struct snapshot *s = calloc(1, sizeof *s);
    *parts = malloc(len);
    if (!s || !*parts) {
        free(s);
        free(*parts);
        return ERR_MEMORY;
    }
    arena_init(&arena, *parts, len);
    s->image = engine.has_image ? &engine.image : NULL;
    *profiles = NULL;
    *regexes = NULL;
    enum err e = cfg_fill_snapshot(engine.cfg, &machine, &arena, s);
    e = e == ERR_OK ? add_policy(s, profiles) : e;
    e = e == ERR_OK ? make_regexes(rules, s, regexes) : e;
    if (e != ERR_OK) {
        free(s);
        free(*parts);
        free(*profiles);
        return e;
    }
    s->generation = ++engine.generation;
    s->rules = engine.derived.own;
    s->local = engine.derived.local;
    services_part_apply(engine.derived.services, s);
    s->addresses = engine.derived.addresses;
    struct strbuf url;
    strbuf_init(&url, s->api_url, sizeof s->api_url);
    strbuf_str(&url, "http://pi.hole:80/api/");
    memcpy(s->cookie_key, engine.cookie_key, sizeof s->cookie_key);
    *out = s;
    return ERR_OK;
}

/* Events name lists and upstreams by their place: tell the collector what the places mean now. */
static void tell_stats(const struct snapshot *s)
{
    struct stats_upstream upstream[UPSTREAM_MAX];
    memset(upstream, 0, sizeof upstream);
    for (uint16_t i = 0; i < s->upstream_count; i++) {
        upstream[i].id = s->upstreams[i].id;
        upstream[i].endpoint = s->upstreams[i].endpoint;
        memcpy(upstream[i].name, s->upstreams[i].name, sizeof upstream[i].name);
    }
    engine_collect();
    stats_set_lists(engine.stats, engine.list_id, BL_LISTS_MAX);
    stats_set_upstreams(engine.stats, upstream, s->upstream_count);
}

/* Give the resolver a new snapshot; without memory for one the old stays. */
static enum err publish(const struct rules *rules)
{
    struct snapshot *fresh, *old = engine.snapshot;
    struct regex_set *regexes, *old_regexes = engine.regexes;
    void *parts, *profiles, *old_parts = engine.parts, *old_profiles = engine.profiles;
    enum err e = make_snapshot(rules, &fresh, &parts, &profiles, &regexes);
    if (e != ERR_OK) {
        log_error(RESOLVER, "settings stay as they were: %s", err_text(e));
        return e;
    }
    tell_stats(fresh);
    engine.snapshot = fresh;
    engine.parts = parts;
    engine.profiles = profiles;
    engine.regexes = regexes;
    service_set_snapshot(fresh);
    resolver_set_snapshot(engine.resolver, clock_now(), fresh);
    service_flush();
    free(old);
    free(old_parts);
    free(old_profiles);
    regex_set_free(old_regexes);
    return ERR_OK;
}

void engine_network_changed(void)
{
    if (publish(control_rules()) != ERR_OK) {
        log_warning(NET, "upstreams stay those of the old network");
    }
}

enum err engine_set_rules(const struct config *cfg, const struct rules *rules)
{
    struct derived fresh, old = engine.derived;
    const struct config *old_cfg = engine.cfg;
    enum err e = derive(cfg, rules, &fresh);
    if (e != ERR_OK) {
        return e;
    }
    engine.derived = fresh;
    engine.cfg = cfg;
    e = publish(rules);
    if (e != ERR_OK) {
        engine.derived = old;
        engine.cfg = old_cfg;
        old = fresh;
    }
    drop(&old);
    return e;
}

enum err engine_set_image(struct span octets, bool owned, const uint32_t *ids, uint32_t count)
{
    struct engine before = engine;
    enum err e = bl_image_open(octets.ptr, octets.len, &engine.image);
    if (e != ERR_OK) {
        engine.image = before.image;
        return e;
    }
    engine.has_image = true;
    engine.image_owned = owned ? (void *)(uintptr_t)octets.ptr : NULL;
    memset(engine.list_id, 0, sizeof engine.list_id);
    memcpy(engine.list_id, ids, count * sizeof *ids);
    e = publish(control_rules());
    if (e != ERR_OK) {
        engine.image = before.image;
        engine.has_image = before.has_image;
        engine.image_owned = before.image_owned;
        memcpy(engine.list_id, before.list_id, sizeof engine.list_id);
        return e;
    }
    free(before.image_owned);
    return ERR_OK;
}

const struct bl_image *engine_image(void)
{
    return engine.has_image ? &engine.image : NULL;
}

int engine_list_slot(uint32_t id)
{
    for (int i = 0; engine.has_image && id != 0 && i < BL_LISTS_MAX; i++) {
        if (engine.list_id[i] == id) {
            return i;
        }
    }
    return -1;
}

uint32_t engine_list_id(unsigned slot)
{
    return slot < BL_LISTS_MAX ? engine.list_id[slot] : 0;
}

static enum err start_stats(const struct config *cfg, struct rng *rng)
{
    uint8_t key[16];
    struct stats_worker_config worker = {.ring_octets = RING_OCTETS};
    struct stats_config all = {.workers_max = 1,
                               .log_entries = cfg->log_entries,
                               .top_names = cfg->top_names,
                               .top_clients = cfg->top_clients};
    size_t worker_len = stats_worker_memory(&worker), len = stats_memory(&all);
    void *worker_mem = malloc(worker_len), *mem = malloc(len);
    if (!worker_mem || !mem) {
        free(worker_mem);
        free(mem);
        return ERR_MEMORY;
    }
    engine.memory.statistics = worker_len + len;
    rng_bytes(rng, key, sizeof key);
    enum err e = stats_worker_init(&engine.worker, worker_mem, worker_len, &worker);
    e = e == ERR_OK
            ? stats_init(&engine.stats, mem, len, &all, clock_now(), wallclock_unix_us(), key)
            : e;
    if (e != ERR_OK) {
        free(worker_mem);
        free(mem);
        return e;
    }
    stats_set_privacy(engine.stats, (enum stats_privacy)cfg->privacy);
    return stats_attach(engine.stats, engine.worker);
}

static enum err start_cache(const struct config *cfg, struct rng *rng)
{
    struct cache_config c = {.entries = cfg->cache_entries};
    size_t len = cache_memory(&c);
    void *mem = malloc(len);
    struct siphash_key key = {rng_u64(rng), rng_u64(rng)};
    engine.memory.cache = len;
    return mem ? cache_init(&engine.cache, mem, len, &c, key) : ERR_MEMORY;
}

static enum err start_resolver(const struct config *cfg, const struct rules *rules, struct rng *rng)
{
    uint8_t seed[32];
    struct resolver_config c = {.pending_max = cfg->pending_max < SERVICE_TICKETS_MAX
                                                   ? cfg->pending_max
                                                   : SERVICE_TICKETS_MAX,
                                .waiting_max = cfg->waiting_max,
                                .clients_max = cfg->clients_max,
                                .rate_limit = cfg->rate_limit,
                                .workers = 1,
                                .regex_memo = REGEX_MEMO,
                                .cache = engine.cache,
                                .stats = engine.worker};
    size_t len = resolver_memory(&c);
    void *mem = aligned_alloc(CACHE_LINE, (len + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    if (!mem) {
        return ERR_MEMORY;
    }
    engine.memory.resolver = len;
    rng_bytes(rng, seed, sizeof seed);
    enum err e =
        make_snapshot(rules, &engine.snapshot, &engine.parts, &engine.profiles, &engine.regexes);
    return e == ERR_OK
               ? resolver_init(&engine.resolver, mem, len, &c, engine.snapshot, seed, clock_now())
               : e;
}

enum err engine_start(const struct config *cfg, const struct rules *rules, struct rng *rng)
{
    engine.cfg = cfg;
    rng_bytes(rng, engine.cookie_key, sizeof engine.cookie_key);
    enum err e = derive(cfg, rules, &engine.derived);
    e = e == ERR_OK ? start_stats(cfg, rng) : e;
    e = e == ERR_OK ? start_cache(cfg, rng) : e;
    e = e == ERR_OK ? start_resolver(cfg, rules, rng) : e;
    if (e == ERR_OK) {
        tell_stats(engine.snapshot);
        service_set_snapshot(engine.snapshot);
    }
    return e;
}

static size_t block_size(const void *p)
{
    return p ? heap_block_size(p) : 0;
}

void engine_collect(void)
{
    stats_collect(engine.stats, clock_now(), wallclock_unix_us());
}

struct resolver *engine_resolver(void)
{
    return engine.resolver;
}

struct stats *engine_stats(void)
{
    return engine.stats;
}

struct cache *engine_cache(void)
{
    return engine.cache;
}

const struct policy_plan *engine_plan(void)
{
    return &engine.derived.plan;
}

const struct snapshot *engine_snapshot(void)
{
    return engine.snapshot;
}

void engine_get_memory(struct engine_memory *out)
{
    *out = engine.memory;
    out->image = engine.image_owned ? heap_block_size(engine.image_owned) : 0;
    out->own = block_size(engine.derived.local_mem) + block_size(engine.derived.own_mem) +
               block_size(engine.parts);
}

uint32_t engine_rules(void)
{
    return engine.has_image ? engine.image.rule_count : 0;
}
