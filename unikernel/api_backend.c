/* The machine behind the API. */
#include "api_backend.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/backend.h"
#include "api/explain.h"
#include "api/policy_plan.h"
#include "arch/aarch64/cpu.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "blocklist/image.h"
#include "board/board.h"
#include "console.h"
#include "control.h"
#include "engine.h"
#include "lib/heap.h"
#include "lib/wallclock.h"
#include "lists.h"
#include "metrics.h"
#include "net/httpd.h"
#include "net/net.h"
#include "net/service.h"
#include "passwords.h"
#include "shared/backend.h"
#include "shared/regex_pcre2.h"

enum { HTTP_PORT = 80, DNS_PORT = 53, HOSTS_MAX = 32, RESPONSE_OCTETS = 1 << 20 };

static struct api *api;

static usec_t get_clock(void *ctx)
{
    (void)ctx;
    return clock_now();
}

static int64_t get_unix_us(void *ctx)
{
    (void)ctx;
    return wallclock_unix_us();
}

/* ---- passwords ---- */

static enum api_credential check_password(void *ctx, struct span password)
{
    (void)ctx;
    return passwords_check(password);
}

/* Kept if there is a card to keep it on. */
static enum err keep_passwords(void)
{
    enum err e = control_keep_passwords();
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err set_password(void *ctx, struct span password)
{
    (void)ctx;
    enum err e = passwords_set(password);
    return e == ERR_OK ? keep_passwords() : e;
}

static enum err new_key(void *ctx, const char *name, bool read_only, char secret[API_KEY_TEXT],
                        uint32_t *id)
{
    (void)ctx;
    enum err e =
        passwords_key_new(name, read_only, wallclock_unix_us() / (int64_t)USEC_PER_SEC, secret, id);
    return e == ERR_OK ? keep_passwords() : e;
}

static uint32_t list_keys(void *ctx, struct api_key_info *out, uint32_t max)
{
    (void)ctx;
    return passwords_key_list(out, max);
}

static enum err delete_key(void *ctx, uint32_t id)
{
    (void)ctx;
    enum err e = passwords_key_delete(id);
    return e == ERR_OK ? keep_passwords() : e;
}

static bool get_totp(void *ctx, uint8_t secret[TOTP_SECRET_OCTETS])
{
    (void)ctx;
    return passwords_totp_get(secret);
}

static enum err set_totp(void *ctx, const uint8_t secret[TOTP_SECRET_OCTETS])
{
    (void)ctx;
    passwords_totp_set(secret);
    return keep_passwords();
}

/* ---- what is going on ---- */

static void set_text(char *to, size_t cap, const char *from)
{
    struct strbuf s;
    strbuf_init(&s, to, cap);
    strbuf_str(&s, from);
}

static void get_memory(struct api_system *out)
{
    struct heap_gauges h;
    heap_get_gauges(&h);
    out->ram_total = board_ram_octets() / 1024;
    out->ram_free = out->ram_available = (h.total - h.used) / 1024;
    out->ram_used = out->ram_total - out->ram_free;
    out->process_ram = out->ram_used;
}

/* Share of the time since the last call that was not slept. */
static double busy_percent(void)
{
    static usec_t last, last_slept;
    static double percent;
    usec_t now = clock_now(), slept = cpu_slept_us();
    if (now - last >= USEC_PER_SEC) {
        percent = 100.0 - 100.0 * (double)(slept - last_slept) / (double)(now - last);
        percent = percent < 0 ? 0 : percent;
        last = now;
        last_slept = slept;
    }
    return percent;
}

static void get_system(void *ctx, struct api_system *out)
{
    int temperature = board_temperature();
    struct net_info net;
    (void)ctx;
    out->uptime_s = out->process_uptime_s = (int64_t)(clock_now() / USEC_PER_SEC);
    get_memory(out);
    out->processes = 1;
    out->cpus = 1;
    out->cpu_percent = out->process_cpu_percent = busy_percent();
    out->temperature_c = temperature == INT_MIN ? -300.0 : temperature / 1000.0;
    out->pid = 1;
    set_text(out->node_name, sizeof out->node_name, "sinkhole");
    set_text(out->model, sizeof out->model, board_model());
    set_text(out->os_name, sizeof out->os_name, "sinkhole");
    set_text(out->os_release, sizeof out->os_release, SINKHOLE_VERSION);
    set_text(out->os_version, sizeof out->os_version, "bare metal");
    set_text(out->machine, sizeof out->machine, "aarch64");
    backend_tell_domain(out, control_config()->local_domain);
    net_get_info(&net);
    set_text(out->v4.name, sizeof out->v4.name, "en0");
    set_text(out->v4.addr, sizeof out->v4.addr, net.v4);
    set_text(out->v4.gateway, sizeof out->v4.gateway, net.gateway);
    out->v4.addresses = net.v4[0] != '\0';
    out->v4.rx_octets = net.rx_octets;
    out->v4.tx_octets = net.tx_octets;
    set_text(out->v6.name, sizeof out->v6.name, net.v6[0] ? "en0" : "");
    set_text(out->v6.addr, sizeof out->v6.addr, net.v6);
    out->v6.addresses = net.v6_count;
}

static void get_gauges(void *ctx, struct api_gauges *out)
{
    struct service_gauges service;
    (void)ctx;
    cache_get_gauges(engine_cache(), &out->cache);
    resolver_get_gauges(engine_resolver(), &out->resolver);
    service_get_gauges(&service);
    out->workers = 1;
    out->tcp_clients = service.tcp_clients;
    out->tcp_clients_max = SERVICE_TCP_MAX;
    backend_tell_image(out, engine_image());
    out->ready = net_has_address();
}

static const struct snapshot *get_snapshot(void *ctx)
{
    (void)ctx;
    return engine_snapshot();
}

static void get_upstream(void *ctx, uint16_t index, struct upstream_health *out)
{
    (void)ctx;
    resolver_get_upstream(engine_resolver(), index, out);
}

static size_t name_client(void *ctx, const struct ip_addr *client, char out[DNS_NAME_TEXT])
{
    return backend_name_client(get_snapshot(ctx), client, out);
}

/* ---- lists and changes ---- */

static uint32_t count_lists(void *ctx)
{
    (void)ctx;
    return lists_count();
}

static void get_list(void *ctx, uint32_t i, struct api_list *out)
{
    (void)ctx;
    lists_at(i, out);
}

static enum err update_lists(void *ctx)
{
    (void)ctx;
    if (lists_running()) {
        return ERR_STATE;
    }
    lists_refresh();
    return ERR_OK;
}

static bool is_updating(void *ctx)
{
    (void)ctx;
    return lists_running();
}

static enum err update_list(void *ctx, uint32_t id)
{
    (void)ctx;
    return lists_refresh_one(id);
}

static enum err confirm_list(void *ctx, uint32_t id)
{
    (void)ctx;
    return lists_confirm(id);
}

static enum err apply_rules(void *ctx, const struct rules *next, unsigned parts)
{
    (void)ctx;
    return control_apply(next, parts);
}

static enum err flush_cache(void *ctx)
{
    (void)ctx;
    cache_flush(engine_cache());
    return ERR_OK;
}

static uint32_t id_of_slot(const void *ctx, unsigned slot)
{
    (void)ctx;
    return engine_list_id(slot);
}

static const struct config *get_config(void *ctx)
{
    (void)ctx;
    return control_config();
}

static void policy_source(void *ctx, int64_t now_unix, struct policy_source *out)
{
    (void)ctx;
    control_policy_source(control_config(), control_rules(), out);
    out->now_unix = now_unix;
}

static enum err explain(void *ctx, const struct dns_name *name, const struct ip_addr *client,
                        int64_t at_unix, struct api_verdict *out)
{
    struct explain_source src = {.snapshot = engine_snapshot(),
                                 .rules = control_rules(),
                                 .client = client,
                                 .list_id = id_of_slot};
    struct policy_source from;
    (void)ctx;
    control_policy_source(control_config(), control_rules(), &from);
    return backend_explain(&src, &from, name, at_unix, out);
}

static bool is_allowed(void *ctx, const struct dns_name *name)
{
    struct policy_source from;
    (void)ctx;
    control_policy_source(control_config(), control_rules(), &from);
    return explain_allowed(engine_snapshot(), name, 0, from.now);
}

static enum err start_preview(void *ctx, const char *url, const char **why)
{
    (void)ctx;
    return lists_preview_start(url, is_allowed, why);
}

static bool get_preview(void *ctx, struct api_preview *out)
{
    (void)ctx;
    return lists_preview_get(out);
}

static void end_preview(void *ctx)
{
    (void)ctx;
    lists_preview_end();
}

static enum err check_regex(void *ctx, struct span pattern, char *why)
{
    (void)ctx;
    return regex_check(pattern, why);
}

_Static_assert(API_WHY_MAX >= REGEX_WHY_MAX, "a message has room");

static const struct api_backend backend = {.clock = get_clock,
                                           .unix_us = get_unix_us,
                                           .password_check = check_password,
                                           .password_set = set_password,
                                           .key_new = new_key,
                                           .key_list = list_keys,
                                           .key_delete = delete_key,
                                           .totp_get = get_totp,
                                           .totp_set = set_totp,
                                           .system = get_system,
                                           .gauges = get_gauges,
                                           .snapshot = get_snapshot,
                                           .upstream = get_upstream,
                                           .list_count = count_lists,
                                           .list_at = get_list,
                                           .client_name = name_client,
                                           .rules_apply = apply_rules,
                                           .config = get_config,
                                           .setting_check = backend_check_setting,
                                           .explain = explain,
                                           .policy_source = policy_source,
                                           .regex_check = check_regex,
                                           .update_lists = update_lists,
                                           .update_running = is_updating,
                                           .list_update = update_list,
                                           .list_confirm = confirm_list,
                                           .preview_start = start_preview,
                                           .preview_get = get_preview,
                                           .preview_end = end_preview,
                                           .flush_cache = flush_cache,
                                           .log_lines = console_lines,
                                           .metrics = metrics_write};

enum err api_backend_start(struct rng *rng)
{
    static const char *hosts[HOSTS_MAX];
    static char texts[HOSTS_MAX][DNS_NAME_TEXT];
    static struct api_config config = {.version = "v" SINKHOLE_VERSION,
                                       .commit = "",
                                       .date = "",
                                       .hosts = hosts,
                                       .dns_port = DNS_PORT,
                                       .http_port = HTTP_PORT,
                                       .response_octets = RESPONSE_OCTETS};
    const struct config *c = control_config();
    uint8_t seed[32];
    if (c->http.count == 0) {
        log_info(HTTP, "the page is off");
        return ERR_OK;
    }
    config.cors_origins = c->http_origin.item;
    config.cors_count = c->http_origin.count;
    for (uint32_t i = 0; i < c->http_host.count && i < HOSTS_MAX; i++) {
        dns_name_format(&c->http_host.item[i], texts[i]);
        hosts[config.host_count++] = texts[i];
    }
    size_t len = api_memory(&config);
    void *mem = aligned_alloc(CACHE_LINE, len);
    if (!mem) {
        return ERR_MEMORY;
    }
    rng_bytes(rng, seed, sizeof seed);
    enum err e = api_init(&api, mem, len, &config, &backend, engine_stats(), control_rules(), seed,
                          clock_now());
    return e == ERR_OK ? httpd_start(HTTP_PORT, api) : e;
}

void api_backend_news(void)
{
    if (api) {
        httpd_news();
    }
}

void api_backend_tick(usec_t now)
{
    if (api) {
        api_tick(api, now);
    }
}
