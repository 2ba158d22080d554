/* One worker, one loop: a new snapshot is in force as soon as the resolver has it, and the old one
 * is freed at once. */
#include "engine.h"

#include <stdlib.h>
#include <string.h>

#include "arch/aarch64/cpu.h"
#include "base/log.h"
#include "blocklist/image.h"
#include "config/snapshot_fill.h"
#include "lib/wallclock.h"
#include "net/net.h"
#include "net/service.h"
#include "resolver/cache.h"
#include "resolver/local.h"
#include "resolver/resolver.h"
#include "stats/stats.h"

enum { SERVERS_MAX = 4, NETWORKS_MAX = 8, LOCAL_OCTETS = 1024, RING_OCTETS = 1 << 20 };

static struct engine {
    const struct config *cfg;
    struct resolver *resolver;
    struct cache *cache;
    struct stats *stats;
    struct stats_worker *worker;
    struct snapshot *snapshot;
    void *parts; /* of the snapshot */
    uint64_t generation;
    uint8_t cookie_key[16];

    struct bl_image image;
    bool has_image;
    void *image_owned; /* to free with the image, or NULL */
    const struct local_records *local;
} engine;

/* Local records of the configuration; what cannot be used was refused when the configuration was
 * read. */
static enum err make_local(const struct config *cfg)
{
    uint32_t count = cfg->record.count * 2;
    if (count == 0) {
        return ERR_OK;
    }
    size_t len = (size_t)(count + 64) * LOCAL_OCTETS;
    void *mem = malloc(len);
    struct arena arena;
    if (!mem) {
        return ERR_MEMORY;
    }
    arena_init(&arena, mem, len);
    struct local_builder *b = local_builder_new(&arena, count);
    for (uint32_t i = 0; b && i < cfg->record.count; i++) {
        const char *what = "";
        if (local_add_text(b, span_str(cfg->record.item[i]),
                           (uint32_t)(cfg->local_ttl_us / USEC_PER_SEC), &what) != ERR_OK) {
            log_warning(RESOLVER, "record \"%s\": %s; left out", cfg->record.item[i], what);
        }
    }
    return b ? local_build(b, &engine.local) : ERR_MEMORY;
}

static enum err make_snapshot(struct snapshot **out, void **parts)
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
    enum err e = cfg_fill_snapshot(engine.cfg, &machine, &arena, s);
    if (e != ERR_OK) {
        free(s);
        free(*parts);
        return e;
    }
    s->generation = ++engine.generation;
    s->image = engine.has_image ? &engine.image : NULL;
    s->local = engine.local;
    memcpy(s->cookie_key, engine.cookie_key, sizeof s->cookie_key);
    *out = s;
    return ERR_OK;
}

/* Give the resolver a new snapshot; without memory for one the old stays. */
static void publish(void)
{
    struct snapshot *fresh, *old = engine.snapshot;
    void *parts, *old_parts = engine.parts;
    enum err e = make_snapshot(&fresh, &parts);
    if (e != ERR_OK) {
        log_error(RESOLVER, "settings stay as they were: %s", err_text(e));
        return;
    }
    engine.snapshot = fresh;
    engine.parts = parts;
    service_set_snapshot(fresh);
    resolver_set_snapshot(engine.resolver, clock_now(), fresh);
    service_flush();
    free(old);
    free(old_parts);
}

void engine_network_changed(void)
{
    publish();
}

enum err engine_set_image(struct span octets, bool owned)
{
    struct bl_image image;
    void *owned_before = engine.image_owned;
    enum err e = bl_image_open(octets.ptr, octets.len, &image);
    if (e != ERR_OK) {
        return e;
    }
    engine.image = image;
    engine.has_image = true;
    engine.image_owned = owned ? (void *)(uintptr_t)octets.ptr : NULL;
    publish();
    free(owned_before);
    return ERR_OK;
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
        return ERR_MEMORY;
    }
    rng_bytes(rng, key, sizeof key);
    enum err e = stats_worker_init(&engine.worker, worker_mem, worker_len, &worker);
    e = e == ERR_OK
            ? stats_init(&engine.stats, mem, len, &all, clock_now(), wallclock_unix_us(), key)
            : e;
    return e == ERR_OK ? stats_attach(engine.stats, engine.worker) : e;
}

static enum err start_cache(const struct config *cfg, struct rng *rng)
{
    struct cache_config c = {.entries = cfg->cache_entries};
    size_t len = cache_memory(&c);
    void *mem = malloc(len);
    struct siphash_key key = {rng_u64(rng), rng_u64(rng)};
    return mem ? cache_init(&engine.cache, mem, len, &c, key) : ERR_MEMORY;
}

static enum err start_resolver(const struct config *cfg, struct rng *rng)
{
    uint8_t seed[32];
    struct resolver_config c = {.pending_max = cfg->pending_max < SERVICE_TICKETS_MAX
                                                   ? cfg->pending_max
                                                   : SERVICE_TICKETS_MAX,
                                .waiting_max = cfg->waiting_max,
                                .clients_max = cfg->clients_max,
                                .rate_limit = cfg->rate_limit,
                                .workers = 1,
                                .cache = engine.cache,
                                .stats = engine.worker};
    size_t len = resolver_memory(&c);
    void *mem = aligned_alloc(CACHE_LINE, (len + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    if (!mem) {
        return ERR_MEMORY;
    }
    rng_bytes(rng, seed, sizeof seed);
    enum err e = make_snapshot(&engine.snapshot, &engine.parts);
    return e == ERR_OK
               ? resolver_init(&engine.resolver, mem, len, &c, engine.snapshot, seed, clock_now())
               : e;
}

enum err engine_start(const struct config *cfg, struct rng *rng)
{
    engine.cfg = cfg;
    rng_bytes(rng, engine.cookie_key, sizeof engine.cookie_key);
    enum err e = make_local(cfg);
    e = e == ERR_OK ? start_stats(cfg, rng) : e;
    e = e == ERR_OK ? start_cache(cfg, rng) : e;
    e = e == ERR_OK ? start_resolver(cfg, rng) : e;
    if (e == ERR_OK) {
        service_set_snapshot(engine.snapshot);
    }
    return e;
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

uint32_t engine_rules(void)
{
    return engine.has_image ? engine.image.rule_count : 0;
}
