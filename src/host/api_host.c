/*
 * The daemon behind the API.
 */
#include "host/api_host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/backend.h"
#include "api/explain.h"
#include "api/policy_plan.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "host/daemon_int.h"
#include "host/http_mhd.h"
#include "host/logsink.h"
#include "host/password.h"
#include "host/preview.h"
#include "host/sys.h"
#include "host/sysinfo.h"
#include "shared/backend.h"
#include "shared/regex_pcre2.h"
#include "version.h"

#define FRESH_US                                                                                  \
    (200 * USEC_PER_MSEC) /* statistics that are older are collected before a request is answered \
                           */
#define IN_FORCE_US   (100 * USEC_PER_MSEC) /* longest wait for workers to take a change */
#define IN_FORCE_STEP 200                   /* microseconds */

/* Room to look at an update that is held back. */
struct held_room {
    struct list_held from;
    struct api_held told;
};

struct api_host {
    struct daemon *d;
    struct api_backend backend;
    struct api_config config;
    struct passwords *passwords;
    struct api *api;
    void *api_memory;
    size_t api_octets;
    struct http *http;
    struct sysinfo_memory system;
    struct preview *preview;
    struct api_verdict verdict; /* for the preview's thread; under the daemon's lock */
    struct list_status *lists;  /* LISTS_MAX; as of the last list_count */
    struct held_room *held;
    uint32_t list_count;
    const char **hosts; /* names of the configuration, as text */
    uint32_t host_count;
};

static struct daemon *daemon_of(void *ctx)
{
    return ((struct api_host *)ctx)->d;
}

static usec_t get_clock(void *ctx)
{
    (void)ctx;
    return sys_now();
}

static int64_t get_unix_us(void *ctx)
{
    (void)ctx;
    return sys_unix_us();
}

/* ---- Passwords. ---- */

static enum api_credential check_password(void *ctx, struct span password)
{
    struct api_host *h = ctx;
    if (token_matches(&h->d->token, password)) {
        return CREDENTIAL_LOCAL;
    }
    return passwords_check(h->passwords, password);
}

static enum err set_password(void *ctx, struct span password)
{
    return passwords_set(((struct api_host *)ctx)->passwords, password);
}

static enum err new_key(void *ctx, const char *name, bool read_only, char secret[API_KEY_TEXT],
                        uint32_t *id)
{
    return passwords_key_new(((struct api_host *)ctx)->passwords, name, read_only, secret, id);
}

static uint32_t list_keys(void *ctx, struct api_key_info *out, uint32_t max)
{
    return passwords_key_list(((struct api_host *)ctx)->passwords, out, max);
}

static enum err delete_key(void *ctx, uint32_t id)
{
    return passwords_key_delete(((struct api_host *)ctx)->passwords, id);
}

static bool get_totp(void *ctx, uint8_t secret[TOTP_SECRET_OCTETS])
{
    return passwords_totp_get(((struct api_host *)ctx)->passwords, secret);
}

static enum err set_totp(void *ctx, const uint8_t secret[TOTP_SECRET_OCTETS])
{
    return passwords_totp_set(((struct api_host *)ctx)->passwords, secret);
}

/* ---- What is going on. ---- */

static void get_system(void *ctx, struct api_system *out)
{
    struct api_host *h = ctx;
    sysinfo_read(&h->system, h->d->started, out);
    backend_tell_domain(out, h->d->config->local_domain);
}

static void add_worker(struct api_gauges *out, const struct worker_gauges *g)
{
    out->resolver.pending += g->resolver.pending;
    out->resolver.pending_peak += g->resolver.pending_peak;
    out->resolver.pending_max += g->resolver.pending_max;
    out->resolver.waiting += g->resolver.waiting;
    out->resolver.waiting_peak += g->resolver.waiting_peak;
    out->resolver.waiting_max += g->resolver.waiting_max;
    out->tcp_clients += g->tcp_clients;
    out->tcp_clients_max += g->tcp_clients_max;
}

static void get_gauges(void *ctx, struct api_gauges *out)
{
    struct daemon *d = daemon_of(ctx);
    cache_get_gauges(d->cache, &out->cache);
    out->workers = d->workers;
    for (uint32_t i = 0; i < d->workers && d->worker[i]; i++) {
        struct worker_gauges g;
        worker_get_gauges(d->worker[i], &g);
        add_worker(out, &g);
    }
    backend_tell_image(out, d->image ? list_image_get(d->image) : NULL);
    out->ready = d->publisher != NULL;
}

static const struct snapshot *get_snapshot(void *ctx)
{
    return publisher_current(daemon_of(ctx)->publisher);
}

/* The best of what the workers think: one that has not asked for long knows least. */
static void get_upstream(void *ctx, uint16_t index, struct upstream_health *out)
{
    struct daemon *d = daemon_of(ctx);
    *out = (struct upstream_health){.fails_in_row = UINT32_MAX};
    for (uint32_t i = 0; i < d->workers && d->worker[i]; i++) {
        struct upstream_health one;
        worker_get_upstream(d->worker[i], index, &one);
        out->up |= one.up;
        if (one.fails_in_row < out->fails_in_row) {
            out->fails_in_row = one.fails_in_row;
        }
        if (one.rtt_us != 0 && (out->rtt_us == 0 || one.rtt_us < out->rtt_us)) {
            out->rtt_us = one.rtt_us;
            out->rtt_var_us = one.rtt_var_us;
        }
    }
}

/* ---- Lists. ---- */

static uint32_t count_lists(void *ctx)
{
    struct api_host *h = ctx;
    uint32_t count = lists_status(h->d->lists, h->lists, LISTS_MAX);
    h->list_count = count < LISTS_MAX ? count : LISTS_MAX;
    return h->list_count;
}

static enum api_list_status status_of(const struct list_status *s)
{
    switch (s->state) {
    case LIST_STATE_CURRENT:
        return s->unchanged ? API_LIST_UNCHANGED : API_LIST_UPDATED;
    case LIST_STATE_STALE:
        return API_LIST_KEPT;
    case LIST_STATE_UNAVAILABLE:
        return API_LIST_UNAVAILABLE;
    case LIST_STATE_WAITING:
    case LIST_STATE_DISABLED:
        break;
    }
    return API_LIST_NEVER;
}

static void copy_text(char *to, size_t cap, const char *from)
{
    struct strbuf out;
    strbuf_init(&out, to, cap);
    strbuf_str(&out, from);
}

/* When a person added it, from the rules document. */
static void add_dates(const struct daemon *d, struct api_list *out)
{
    struct list_view v;
    for (uint32_t i = 0; i < rules_list_count(&d->rules); i++) {
        if (rules_list_at(&d->rules, i, &v) && v.id == out->id) {
            out->added_unix = v.added_unix;
            out->modified_unix = v.modified_unix;
        }
    }
}

static void get_list(void *ctx, uint32_t i, struct api_list *out)
{
    struct api_host *h = ctx;
    if (i >= h->list_count) {
        return;
    }
    const struct list_status *s = &h->lists[i];
    out->id = s->id;
    copy_text(out->url, sizeof out->url, s->url);
    copy_text(out->name, sizeof out->name, s->name);
    copy_text(out->error, sizeof out->error, s->error);
    if (s->format != BL_FORMAT_AUTO) {
        copy_text(out->format, sizeof out->format, bl_format_name(s->format));
    }
    out->allow = s->kind == LIST_ALLOW;
    out->enabled = s->enabled;
    out->configured = daemon_is_configured_list(h->d, s->id);
    out->fetching = s->fetching;
    copy_text(out->notice, sizeof out->notice, s->notice);
    out->guard = s->guard;
    out->needs_confirm = s->needs_confirm;
    out->status = status_of(s);
    for (uint32_t k = 0; k < s->examples_count && k < ARRAY_LEN(out->example); k++) {
        copy_text(out->example[k], sizeof out->example[k], s->examples[k]);
        out->example_count++;
    }
    out->rules = s->rules;
    out->duplicates = s->duplicates;
    out->rejected = s->rejected;
    out->ignored = s->ignored;
    out->unique = s->unique_known ? s->unique : UINT32_MAX;
    out->adblock = s->format == BL_FORMAT_ADBLOCK ? s->rules : 0;
    out->octets = s->octets_text;
    out->checked_unix = s->attempt_unix;
    out->updated_unix = s->changed_unix;
    add_dates(h->d, out);
}

static bool is_updating(void *ctx)
{
    struct daemon *d = daemon_of(ctx);
    struct lists_progress p;
    lists_get_progress(d->lists, &p);
    return p.running || atomic_load(&d->new_image) != NULL; /* made is not yet in force */
}

static enum err update_lists(void *ctx)
{
    if (is_updating(ctx)) {
        return ERR_STATE;
    }
    lists_refresh(daemon_of(ctx)->lists);
    return ERR_OK;
}

static bool has_list(struct api_host *h, uint32_t id)
{
    uint32_t count = count_lists(h);
    for (uint32_t i = 0; i < count; i++) {
        if (h->lists[i].id == id) {
            return true;
        }
    }
    return false;
}

static enum err update_list(void *ctx, uint32_t id)
{
    if (!has_list(ctx, id)) {
        return ERR_NOT_FOUND;
    }
    lists_refresh_one(daemon_of(ctx)->lists, id);
    return ERR_OK;
}

static enum err confirm_list(void *ctx, uint32_t id)
{
    if (!has_list(ctx, id)) {
        return ERR_NOT_FOUND;
    }
    lists_confirm(daemon_of(ctx)->lists, id);
    return ERR_OK;
}

static enum err refuse_list(void *ctx, uint32_t id)
{
    if (!has_list(ctx, id)) {
        return ERR_NOT_FOUND;
    }
    lists_refuse(daemon_of(ctx)->lists, id);
    return ERR_OK;
}

static const struct api_held *look_at_held(void *ctx, uint32_t id)
{
    struct api_host *h = ctx;
    struct api_held *out = &h->held->told;
    const struct list_held *from = &h->held->from;
    if (!lists_get_held(h->d->lists, id, &h->held->from)) {
        return NULL;
    }
    copy_text(out->reason, sizeof out->reason, from->reason);
    out->fetched_unix = from->fetched_unix;
    out->octets = from->octets;
    out->rules = from->rules;
    out->rules_before = from->rules_before;
    out->compared = from->compared;
    out->names = from->names;
    out->added = from->added;
    out->removed = from->removed;
    return out;
}

/* ---- The history. ---- */

static bool get_history(void *ctx, struct history_status *out)
{
    struct daemon *d = daemon_of(ctx);
    if (d->history) {
        history_get_status(d->history, out);
    }
    return d->history != NULL;
}

static void *open_job(void *ctx, const struct history_ask *ask)
{
    struct daemon *d = daemon_of(ctx);
    return d->history ? history_job_open(d->history, ask) : NULL;
}

static enum history_state poll_job(void *ctx, void *job, const struct history_result **out)
{
    (void)ctx;
    return history_job_poll(job, out);
}

static void next_job(void *ctx, void *job)
{
    (void)ctx;
    history_job_next(job);
}

static void close_job(void *ctx, void *job)
{
    (void)ctx;
    history_job_close(job);
}

static enum err erase_history(void *ctx)
{
    struct daemon *d = daemon_of(ctx);
    stats_forget(d->stats);
    return d->history ? history_erase(d->history, d->stats) : ERR_OK;
}

/* ---- Changes. ---- */

static size_t name_client(void *ctx, const struct ip_addr *client, char out[DNS_NAME_TEXT])
{
    return backend_name_client(get_snapshot(ctx), client, out);
}

static const struct policy_address *find_device(void *ctx, const struct ip_addr *client)
{
    return house_find(daemon_of(ctx)->house, client);
}

/* Clients ask again the moment they hear that it is done: so it should be, as far as a short wait
 * can bring it about. */
static void wait_in_force(struct daemon *d)
{
    usec_t until = sys_now() + IN_FORCE_US;
    while (publisher_reap(d->publisher) > 0 && sys_now() < until) {
        usleep(IN_FORCE_STEP);
    }
}

static enum err apply_rules(void *ctx, const struct rules *next, unsigned parts)
{
    struct daemon *d = daemon_of(ctx);
    enum err e = daemon_save_rules(d, next);
    if (e != ERR_OK && parts != RULES_PAUSE) {
        return e; /* a pause works on a full disk too: it is for now, not for ever */
    }
    if (parts & RULES_SETTINGS) {
        e = daemon_reconfigure(d, next, false);
    } else {
        unsigned anew = (parts & (RULES_OWN | RULES_GROUPS) ? SNAPSHOT_OWN_RULES : 0u) |
                        (parts & RULES_LOCAL ? SNAPSHOT_LOCAL : 0u);
        e = parts & RULES_LISTS ? daemon_set_lists(d, next) : ERR_OK;
        e = e == ERR_OK ? daemon_publish(d, next, anew) : e;
    }
    if (e != ERR_OK) {
        (void)!daemon_save_rules(d,
                                 &d->rules); /* what was refused must not come at the next start */
        return e;
    }
    wait_in_force(d);
    return ERR_OK;
}

static enum err flush_cache(void *ctx)
{
    cache_flush(daemon_of(ctx)->cache);
    return ERR_OK;
}

static enum err reload(void *ctx)
{
    struct daemon *d = daemon_of(ctx);
    return daemon_reconfigure(d, &d->rules, true);
}

static const struct config *get_config(void *ctx)
{
    return daemon_of(ctx)->config;
}

/* ---- Why a name is blocked, or not. ---- */

static uint32_t id_of_slot(const void *image, unsigned slot)
{
    return image ? list_image_id(image, slot) : 0;
}

static enum err explain(void *ctx, const struct dns_name *name, const struct ip_addr *client,
                        int64_t at_unix, struct api_verdict *out)
{
    const struct daemon *d = daemon_of(ctx);
    struct explain_source src = {.snapshot = publisher_current(d->publisher),
                                 .rules = &d->rules,
                                 .client = client,
                                 .regex_user = d->workers,
                                 .list_id = id_of_slot,
                                 .ctx = d->image};
    struct policy_source from;
    daemon_policy_source(d, sys_unix_us() / (int64_t)USEC_PER_SEC, &from);
    return backend_explain(&src, &from, name, at_unix, out);
}

static void policy_source(void *ctx, int64_t now_unix, struct policy_source *out)
{
    daemon_policy_source(daemon_of(ctx), now_unix, out);
}

static enum err check_regex(void *ctx, struct span pattern, char *why)
{
    (void)ctx;
    return regex_check(pattern, why);
}

_Static_assert(API_WHY_MAX >= REGEX_WHY_MAX, "a message has room");

/* ---- What a list would have blocked. ---- */

enum { LOG_PART = 1000 };

static bool is_allowed(void *ctx, const struct dns_name *name)
{
    struct api_host *h = ctx;
    pthread_mutex_lock(&h->d->lock);
    bool allowed =
        explain_allowed(publisher_current(h->d->publisher), name, h->d->workers, sys_now());
    pthread_mutex_unlock(&h->d->lock);
    return allowed;
}

static bool log_part(void *ctx, uint64_t *next, struct preview_tally *tally)
{
    struct daemon *d = daemon_of(ctx);
    pthread_mutex_lock(&d->lock);
    bool more = preview_tally_log(tally, d->stats, next, LOG_PART);
    pthread_mutex_unlock(&d->lock);
    return more;
}

/* What is not written yet is handed over now, so that the history knows of it when the list is
 * there. */
static enum err start_preview(void *ctx, const char *url, const char **why)
{
    struct api_host *h = ctx;
    struct daemon *d = h->d;
    struct fetch_limits limits = daemon_list_limits(d);
    if (d->history) {
        history_take(d->history, d->stats, sys_now(), true);
    }
    return preview_start(h->preview, url, &limits, d->image ? list_image_ref(d->image) : NULL,
                         d->history ? history_path(d->history) : NULL, why);
}

static bool get_preview(void *ctx, struct api_preview *out)
{
    return preview_get(((struct api_host *)ctx)->preview, out);
}

static void end_preview(void *ctx)
{
    preview_end(((struct api_host *)ctx)->preview);
}

/* ---- Start and end. ---- */

/* While nobody asks questions nobody collects; a look at the page must show the present all the
 * same. */
static void before_request(void *arg)
{
    struct api_host *h = arg;
    usec_t now = sys_now();
    if (now - h->d->collected >= FRESH_US) {
        daemon_collect(h->d);
    }
    if (!atomic_load(&h->d->control.active)) {
        daemon_call(h->d, CONTROL_TRAFFIC);
    }
}

static void fill_backend(struct api_host *h)
{
    h->backend = (struct api_backend){.ctx = h,
                                      .clock = get_clock,
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
                                      .device = find_device,
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
                                      .list_refuse = refuse_list,
                                      .list_held = look_at_held,
                                      .flush_cache = flush_cache,
                                      .preview_start = start_preview,
                                      .preview_get = get_preview,
                                      .preview_end = end_preview,
                                      .log_lines = logsink_lines,
                                      .history_status = get_history,
                                      .history_open = open_job,
                                      .history_poll = poll_job,
                                      .history_next = next_job,
                                      .history_close = close_job,
                                      .history_erase = erase_history,
                                      .reload = reload};
}

/* The configuration's host names as text, kept until the end. */
static enum err fill_hosts(struct api_host *h)
{
    const struct cfg_names *names = &h->d->first->http_host;
    h->hosts = calloc(names->count + 1, sizeof *h->hosts);
    if (!h->hosts) {
        return ERR_MEMORY;
    }
    for (uint32_t i = 0; i < names->count; i++) {
        char text[DNS_NAME_TEXT];
        dns_name_format(&names->item[i], text);
        h->hosts[i] = strdup(text);
        if (!h->hosts[i]) {
            return ERR_MEMORY;
        }
        h->host_count++;
    }
    return ERR_OK;
}

static enum err open_passwords(struct api_host *h)
{
    const struct config *c = h->d->first;
    char made[PASSWORD_TEXT];
    enum err e = passwords_open(&h->passwords, h->d->store, c->password_file, made);
    if (e != ERR_OK) {
        log_error(HTTP, "passwords: %s", err_text(e));
        return e;
    }
    if (made[0] != '\0') {
        /* To the terminal or journal once, and nowhere else. */
        fprintf(stderr, "The password of the dashboard is: %s\n", made);
        explicit_bzero(made, sizeof made);
    }
    return ERR_OK;
}

static enum err make_api(struct api_host *h)
{
    const struct daemon *d = h->d;
    uint8_t seed[32];
    h->config = (struct api_config){.version = "v" SINKHOLE_VERSION,
                                    .commit = "",
                                    .date = "",
                                    .hosts = h->hosts,
                                    .host_count = h->host_count,
                                    .cors_origins = d->first->http_origin.item,
                                    .cors_count = d->first->http_origin.count,
                                    .dns_port = d->own[0].port,
                                    .http_port = d->first->http.item[0].port};
    h->api_octets = api_memory(&h->config);
    h->api_memory = sys_map(h->api_octets);
    enum err e = h->api_memory ? sys_entropy(seed, sizeof seed) : ERR_MEMORY;
    if (e == ERR_OK) {
        e = api_init(&h->api, h->api_memory, h->api_octets, &h->config, &h->backend, d->stats,
                     &h->d->rules, seed, sys_now());
    }
    explicit_bzero(seed, sizeof seed);
    return e;
}

static enum err open_server(struct api_host *h)
{
    const struct cfg_endpoints *listen = &h->d->first->http;
    struct http_config cfg = {.listen_count = listen->count,
                              .connections = h->d->budget.http_connections,
                              .api = h->api,
                              .lock = &h->d->lock,
                              .before = before_request,
                              .arg = h};
    if (listen->count > HTTP_LISTEN_MAX) {
        return ERR_RANGE;
    }
    memcpy(cfg.listen, listen->item, listen->count * sizeof *listen->item);
    enum err e = http_open(&h->http, &cfg);
    for (uint32_t i = 0; i < listen->count && e == ERR_OK; i++) {
        char text[IP_ENDPOINT_TEXT];
        struct ip_endpoint endpoint = listen->item[i];
        endpoint.port = http_port(h->http, i);
        ip_endpoint_format(&endpoint, text);
        log_info(HTTP, "dashboard on http://%s", text);
    }
    return e;
}

enum err api_host_open(struct api_host **out, struct daemon *d)
{
    struct api_host *h = calloc(1, sizeof *h);
    if (!h) {
        return ERR_MEMORY;
    }
    h->d = d;
    h->held = calloc(1, sizeof *h->held);
    h->lists = calloc(LISTS_MAX, sizeof *h->lists);
    fill_backend(h);
    struct preview_config preview = {.ctx = h, .is_allowed = is_allowed, .log_part = log_part};
    enum err e = h->lists && h->held ? fill_hosts(h) : ERR_MEMORY;
    e = e == ERR_OK ? preview_new(&h->preview, &preview) : e;
    e = e == ERR_OK ? open_passwords(h) : e;
    e = e == ERR_OK ? make_api(h) : e;
    e = e == ERR_OK ? open_server(h) : e;
    *out = h;
    return e;
}

enum err api_host_serve(struct api_host *h)
{
    return h ? http_serve(h->http) : ERR_OK;
}

void api_host_stop(struct api_host *h)
{
    if (!h) {
        return;
    }
    http_stop(h->http);
    preview_free(h->preview);
    passwords_close(h->passwords);
    sys_unmap(h->api_memory, h->api_octets);
    for (uint32_t i = 0; i < h->host_count; i++) {
        free((void *)(uintptr_t)h->hosts[i]);
    }
    free(h->hosts);
    free(h->held);
    free(h->lists);
    free(h);
}

void api_host_changed(struct api_host *h, unsigned parts)
{
    if (h) {
        api_changed(h->api, parts);
    }
}

void api_host_tick(struct api_host *h)
{
    if (h) {
        api_tick(h->api, sys_now());
    }
}

bool api_host_is_watched(const struct api_host *h)
{
    return h && http_connections(h->http) > 0;
}

void api_host_wake(struct api_host *h)
{
    if (h) {
        http_wake(h->http);
    }
}
