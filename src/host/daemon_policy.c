/*
 * What decides, and its changes: each one makes a snapshot and publishes it. Only what changed is
 * made anew.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "host/catalog_files.h"
#include "host/daemon_int.h"
#include "host/logsink.h"
#include "host/netconf.h"
#include "host/progress.h"
#include "host/rules_file.h"
#include "host/sys.h"
#include "host/timezone.h"

#define API_URL_MAX 128
#define CLOCK_STEP_US \
    ((int64_t)(2 * USEC_PER_SEC)) /* the clock was set: more than it drifts in a minute */
#define LOOK_S 60                 /* longest time between two looks at schedules and the clock */

/* ---- Snapshots. ---- */

static void describe_source(struct daemon *d, const struct rules *rules, char api_url[API_URL_MAX],
                            struct snapshot_source *out)
{
    struct strbuf url;
    strbuf_init(&url, api_url, API_URL_MAX);
    if (d->first->http.count > 0) {
        strbuf_printf(&url, "http://pi.hole:%u/api/", d->first->http.item[0].port);
    }
    uint32_t addresses;
    const struct policy_address *address = house_table(d->house, &addresses);
    *out = (struct snapshot_source){.config = d->config,
                                    .rules = rules,
                                    .image = d->image,
                                    .own = d->own,
                                    .own_count = d->listeners.count,
                                    .tz = &d->tz,
                                    .address = address,
                                    .address_count = addresses,
                                    .version = "",
                                    .api_url = api_url,
                                    .regex_users = d->workers + 1,
                                    .machine_code = !d->first->sandbox,
                                    .now = sys_now(),
                                    .now_unix = sys_unix_us() / (int64_t)USEC_PER_SEC};
}

/* Upstreams over TLS or HTTPS need certificates, which are loaded when the first one comes. */
static void mind_tls(struct daemon *d, const struct snapshot *s)
{
    bool wanted = false;
    bool https = false;
    for (uint16_t i = 0; i < s->upstream_count; i++) {
        wanted |= s->upstreams[i].transport == UPSTREAM_TLS;
        https |= s->upstreams[i].transport == UPSTREAM_HTTPS;
    }
    if (https && doh_start(d->doh) != ERR_OK) {
        log_error(RESOLVER, "there is no thread to be had; HTTPS upstreams will not work");
    }
    if (!wanted || d->trust) {
        return;
    }
    if (tls_trust_new(&d->trust) != ERR_OK) {
        log_error(RESOLVER,
                  "the system's certificates cannot be loaded; TLS upstreams will not work");
        return;
    }
    for (uint32_t i = 0; i < d->workers; i++) {
        if (d->worker[i]) {
            worker_set_trust(d->worker[i], d->trust);
        }
    }
}

/* Events name lists and upstreams by their place in a snapshot: tell the collector what the places
 * mean from now on. */
static void tell_stats(struct daemon *d, const struct snapshot *s)
{
    uint32_t lists[BL_LISTS_MAX];
    struct stats_upstream upstream[UPSTREAM_MAX];
    for (unsigned i = 0; i < BL_LISTS_MAX; i++) {
        lists[i] = d->image ? list_image_id(d->image, i) : 0;
    }
    memset(upstream, 0, sizeof upstream);
    for (uint16_t i = 0; i < s->upstream_count; i++) {
        upstream[i].id = s->upstreams[i].id;
        upstream[i].endpoint = s->upstreams[i].endpoint;
        memcpy(upstream[i].name, s->upstreams[i].name, sizeof upstream[i].name);
    }
    daemon_collect(d);
    stats_set_lists(d->stats, lists, BL_LISTS_MAX);
    stats_set_upstreams(d->stats, upstream, s->upstream_count);
}

static void log_upstreams(const struct snapshot *s)
{
    char line[LOG_LINE_MAX];
    struct strbuf out;
    strbuf_init(&out, line, sizeof line);
    for (uint16_t i = 0; i < s->upstream_count; i++) {
        const struct upstream_spec *u = &s->upstreams[i];
        static const char *const scheme[] = {"", "tcp://", "tls://", "https://"};
        char text[IP_ENDPOINT_TEXT];
        ip_endpoint_format(&u->endpoint, text);
        strbuf_printf(&out, "%s%s%s%s%s", i > 0 ? ", " : "", scheme[u->transport],
                      u->transport == UPSTREAM_TLS ? u->name : "",
                      u->transport == UPSTREAM_TLS && u->name[0] ? "@" : "", text);
    }
    log_info(RESOLVER, "upstreams: %s", line);
}

/* Did the set of upstreams change? */
static bool same_upstreams(const struct snapshot *a, const struct snapshot *b)
{
    bool same = a->upstream_count == b->upstream_count;
    for (uint16_t i = 0; same && i < a->upstream_count; i++) {
        same = a->upstreams[i].id == b->upstreams[i].id &&
               a->upstreams[i].route == b->upstreams[i].route;
    }
    return same;
}

void daemon_policy_source(const struct daemon *d, int64_t now_unix, struct policy_source *out)
{
    uint32_t addresses;
    const struct policy_address *address = house_table(d->house, &addresses);
    const struct snapshot_source source = {.config = d->config,
                                           .rules = &d->rules,
                                           .tz = &d->tz,
                                           .address = address,
                                           .address_count = addresses,
                                           .now = sys_now(),
                                           .now_unix = now_unix};
    snapshots_policy_source(&source, out);
}

usec_t daemon_mind_schedules(struct daemon *d)
{
    int64_t ahead = sys_unix_us() - (int64_t)sys_now();
    int64_t drift = ahead - d->clock_ahead;
    bool set = drift > CLOCK_STEP_US || drift < -CLOCK_STEP_US;
    int64_t left_s = snapshots_next_change(d->snapshots) - sys_unix_us() / (int64_t)USEC_PER_SEC;
    if (set || left_s <= 0) {
        enum err e = daemon_publish(d, &d->rules, SNAPSHOT_OWN_RULES);
        if (e != ERR_OK) {
            return sys_now() + USEC_PER_SEC;
        }
        left_s = snapshots_next_change(d->snapshots) - sys_unix_us() / (int64_t)USEC_PER_SEC;
    }
    if (left_s > LOOK_S) {
        return sys_now() + LOOK_S * USEC_PER_SEC;
    }
    return sys_now() + (left_s > 0 ? (usec_t)left_s : 1) * USEC_PER_SEC -
           (usec_t)(sys_unix_us() % (int64_t)USEC_PER_SEC) + 1;
}

static enum err make(struct daemon *d, const struct rules *rules, unsigned parts,
                     const struct snapshot **out)
{
    d->clock_ahead = sys_unix_us() - (int64_t)sys_now();
    if (parts & SNAPSHOT_OWN_RULES) {
        (void)!daemon_read_neighbours(d, rules);
    }
    char api_url[API_URL_MAX];
    struct snapshot_source source;
    describe_source(d, rules, api_url, &source);
    enum err e = snapshots_make(d->snapshots, &source, parts, out);
    if (e == ERR_OK) {
        mind_tls(d, *out);
    }
    return e;
}

enum err daemon_first_snapshot(struct daemon *d)
{
    uint8_t cookie_key[16];
    const struct snapshot *s = NULL;
    enum err e = sys_entropy(cookie_key, sizeof cookie_key);
    timezone_read(d->config->timezone, &d->tz);
    uint8_t seed[32] = {0};
    e = e == ERR_OK ? house_new(&d->house) : e;
    e = e == ERR_OK ? sys_entropy(seed, sizeof seed) : e;
    rng_init(&d->names_rng, seed);
    if (e == ERR_OK) {
        daemon_read_leases(d);
    }
    e = e == ERR_OK ? snapshots_new(&d->snapshots, cookie_key) : e;
    e = e == ERR_OK ? make(d, &d->rules, SNAPSHOT_ALL, &s) : e;
    if (e != ERR_OK) {
        return e;
    }
    e = publisher_new(&d->publisher, d->workers, s, snapshots_release, d->snapshots);
    if (e != ERR_OK) {
        snapshots_release(d->snapshots, s);
        return e;
    }
    log_upstreams(s);
    tell_stats(d, s);
    return ERR_OK;
}

enum err daemon_publish(struct daemon *d, const struct rules *rules, unsigned parts)
{
    const struct snapshot *s = NULL, *old = publisher_current(d->publisher);
    enum err e = make(d, rules, parts, &s);
    if (e == ERR_OK) {
        e = publisher_put(d->publisher, s);
        if (e != ERR_OK) {
            snapshots_release(d->snapshots, s);
        }
    }
    if (e != ERR_OK) {
        log_error(MAIN, "a change cannot be put in force: %s", err_text(e));
        return e;
    }
    if (!same_upstreams(s, old)) {
        log_upstreams(s);
    }
    tell_stats(d, s);
    for (uint32_t i = 0; i < d->workers; i++) {
        worker_wake(d->worker[i]);
    }
    return ERR_OK;
}

/* ---- Lists. ---- */

void daemon_call(struct daemon *d, enum control_call why)
{
    uint64_t one = 1;
    atomic_fetch_or(&d->control.calls, (unsigned)why);
    ssize_t n = write(d->control.event, &one, sizeof one);
    (void)n; /* full means readable */
}

void daemon_on_image(void *arg, struct list_image *image)
{
    struct daemon *d = arg;
    list_image_close(atomic_exchange(&d->new_image, image));
    daemon_call(d, CONTROL_IMAGE);
}

void daemon_on_lists(void *arg)
{
    daemon_call(arg, CONTROL_LISTS);
}

void daemon_on_progress(void *arg, const struct lists_progress *p)
{
    (void)arg;
    progress_lists(p);
}

/* A new image that could not be put in force waits where it came from, unless there is a newer one.
 */
static void keep_waiting(struct daemon *d, struct list_image *image)
{
    struct list_image *none = NULL;
    if (!atomic_compare_exchange_strong(&d->new_image, &none, image)) {
        list_image_close(image);
    }
    loop_timer_set(&d->settle_timer, sys_now() + RETRY_US);
}

void daemon_take_image(struct daemon *d)
{
    struct list_image *image = atomic_exchange(&d->new_image, NULL);
    if (!image) {
        return;
    }
    struct list_image *old = d->image;
    d->image = image;
    if (d->publisher && daemon_publish(d, &d->rules, 0) != ERR_OK) {
        d->image = old;
        keep_waiting(d, image);
        return;
    }
    list_image_close(old);
}

/* Lists in the making: no id twice. */
struct specs {
    struct list_spec *item;
    uint32_t count;
};

static struct list_spec *find_spec(struct specs *s, uint32_t id)
{
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->item[i].id == id) {
            return &s->item[i];
        }
    }
    return NULL;
}

/* A list that cannot be is told and left out; without memory nothing is known of it: ERR_MEMORY. */
static enum err add_spec(struct specs *s, const char *text, bool local, enum list_kind kind)
{
    char problem[FETCH_ERROR_MAX];
    struct list_spec spec;
    enum err e = list_spec_parse(text, local, &spec, problem);
    if (e != ERR_OK) {
        log_error(LISTS, "list %s: %s", text, problem);
        return e == ERR_MEMORY ? e : ERR_OK;
    }
    spec.kind = kind;
    spec.id = rules_list_id(spec.url, kind == LIST_ALLOW);
    if (find_spec(s, spec.id)) {
        return ERR_OK;
    }
    if (s->count == LISTS_MAX) {
        log_warning(LISTS, "more than %d lists: %s is left out", LISTS_MAX, spec.url);
        return ERR_OK;
    }
    s->item[s->count++] = spec;
    return ERR_OK;
}

static enum err add_rules_list(struct specs *s, const struct list_view *v)
{
    enum err e = ERR_OK;
    if (!v->configured) {
        e = add_spec(s, v->url, false, v->allow ? LIST_ALLOW : LIST_BLOCK);
    }
    struct list_spec *spec = find_spec(s, v->id);
    if (spec && !v->guard) {
        spec->guard = false;
    }
    if (spec && !v->enabled) {
        spec->enabled = false;
    }
    return e;
}

/* What gathering returns: the lists on ERR_OK alone. */
static enum err gathered(struct specs *s, enum err e)
{
    if (e != ERR_OK) {
        free(s->item);
        s->item = NULL;
    }
    return e;
}

/* Those of the configuration. */
static enum err gather_configured(const struct daemon *d, struct specs *out)
{
    const struct config *c = d->config;
    *out = (struct specs){.item = calloc(LISTS_MAX, sizeof(struct list_spec))};
    if (!out->item) {
        return ERR_MEMORY;
    }
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < c->list.count && e == ERR_OK; i++) {
        e = add_spec(out, c->list.item[i], true, LIST_BLOCK);
    }
    for (uint32_t i = 0; i < c->allow_list.count && e == ERR_OK; i++) {
        e = add_spec(out, c->allow_list.item[i], true, LIST_ALLOW);
    }
    for (uint32_t i = 0; i < c->groups.value_count && e == ERR_OK; i++) {
        const struct cfg_group_value *v = &c->groups.value[i];
        if (v->key == CFG_GROUP_LIST || v->key == CFG_GROUP_ALLOW_LIST) {
            e = add_spec(out, v->text, true, v->key == CFG_GROUP_LIST ? LIST_BLOCK : LIST_ALLOW);
        }
    }
    return gathered(out, e);
}

/* Lists whose updates are taken as they come. */
static void spare_unguarded(const struct config *c, struct specs *s)
{
    for (uint32_t i = 0; i < c->update_unguarded.count; i++) {
        struct list_spec spec;
        bool known = false;
        enum err e = list_spec_parse(c->update_unguarded.item[i], true, &spec, NULL);
        for (int allow = 0; e == ERR_OK && allow <= 1; allow++) {
            struct list_spec *found = find_spec(s, rules_list_id(spec.url, allow != 0));
            if (found) {
                found->guard = false;
                known = true;
            }
        }
        if (!known) {
            log_warning(LISTS, "update-unguarded: there is no list %s",
                        c->update_unguarded.item[i]);
        }
    }
}

bool daemon_is_configured_list(const struct daemon *d, uint32_t id)
{
    struct specs specs;
    if (gather_configured(d, &specs) != ERR_OK) {
        return false;
    }
    bool found = find_spec(&specs, id) != NULL;
    free(specs.item);
    return found;
}

static enum err gather_specs(struct daemon *d, const struct rules *rules, struct specs *out)
{
    struct list_view view;
    enum err e = gather_configured(d, out);
    if (e != ERR_OK) {
        return e;
    }
    for (uint32_t i = 0; i < rules_list_count(rules) && e == ERR_OK; i++) {
        if (rules_list_at(rules, i, &view)) {
            e = add_rules_list(out, &view);
        }
    }
    if (e == ERR_OK) {
        spare_unguarded(d->config, out);
    }
    return gathered(out, e);
}

struct fetch_limits daemon_list_limits(const struct daemon *d)
{
    const struct config *c = d->config;
    return (struct fetch_limits){.octets_max = c->list_max_octets,
                                 .parallel_max = d->budget.transfers,
                                 .total_timeout_s = (uint32_t)(c->list_timeout_us / USEC_PER_SEC)};
}

enum err daemon_open_lists(struct daemon *d)
{
    const struct config *c = d->config;
    struct specs specs;
    struct lists_config cfg = {.store = d->store,
                               .limits = daemon_list_limits(d),
                               .update_interval_s =
                                   (uint32_t)(c->update_interval_us / USEC_PER_SEC),
                               .guard = c->update_guard,
                               .starter_id = rules_list_id("builtin", false),
                               .arg = d,
                               .on_image = daemon_on_image,
                               .on_status = daemon_on_lists,
                               .on_progress = daemon_on_progress};
    progress_open(STDERR_FILENO);
    enum err e = sys_entropy(cfg.seed, sizeof cfg.seed);
    e = e == ERR_OK ? gather_specs(d, &d->rules, &specs) : e;
    if (e != ERR_OK) {
        return e;
    }
    e = lists_open(&cfg, specs.item, specs.count, &d->lists);
    free(specs.item);
    return e;
}

enum err daemon_set_lists(struct daemon *d, const struct rules *rules)
{
    struct specs specs;
    enum err e = gather_specs(d, rules, &specs);
    if (e == ERR_OK) {
        e = lists_set(d->lists, specs.item, specs.count);
        free(specs.item);
    }
    return e;
}

/* ---- Files and configuration. ---- */

void daemon_watch_files(struct daemon *d)
{
    enum err e = ERR_OK;
    filewatch_clear(d->files);
    if (d->config->upstream.count == 0) {
        e = filewatch_add(d->files, NETCONF_RESOLV);
        if (filewatch_add(d->files, NETCONF_RESOLV_SYSTEMD) != ERR_OK) {
            log_debug(NET, NETCONF_RESOLV_SYSTEMD " is not watched");
        }
    }
    for (uint32_t i = 0; i < d->config->hosts_file.count && e == ERR_OK; i++) {
        e = filewatch_add(d->files, d->config->hosts_file.item[i]);
    }
    for (uint32_t i = 0; i < d->config->lease_file.count && e == ERR_OK; i++) {
        e = filewatch_add(d->files, d->config->lease_file.item[i]);
    }
    if (e != ERR_OK) {
        log_warning(NET, "changes of " NETCONF_RESOLV ", hosts and lease files are not noticed: %s",
                    e == ERR_IO ? strerror(errno) : err_text(e));
    }
}

/* What a person set on the page stands above the file. A setting that does not fit is left out: the
 * page must stay reachable to mend it. */
static void apply_settings(struct config *c, const struct rules *rules)
{
    struct cfg_error error;
    const char *name;
    const char *value;
    for (uint32_t i = 0; rules_setting_at(rules, i, &name, &value); i++) {
        if (cfg_apply_pair(c, CFG_RULES, RULES_FILE, 0, span_str(name), span_str(value), &error) !=
            ERR_OK) {
            log_warning(MAIN, "%s; left out", error.text);
        }
    }
}

enum err daemon_load_config(struct daemon *d, const struct rules *rules, struct config **out,
                            struct cfg_error *error)
{
    struct config *c = NULL;
    const char *name;
    const char *value;
    enum err e = d->start->load(d->start->arg, &c, error);
    if (e != ERR_OK) {
        return e;
    }
    apply_settings(c, rules);
    e = cfg_finish(c, error);
    e = e == ERR_OK ? catalog_files_load(c, error) : e;
    if (e == ERR_OK) {
        *out = c;
        return ERR_OK;
    }
    d->start->unload(d->start->arg, c);
    if (!rules_setting_at(rules, 0, &name, &value)) {
        return e;
    }
    log_error(MAIN, "%s; the settings of " RULES_FILE " are left out", error->text);
    struct rules none = {0};
    e = rules_clear(&none);
    e = e == ERR_OK ? daemon_load_config(d, &none, out, error) : e;
    rules_free(&none);
    return e;
}

static void warn_of_start_options(const struct daemon *d, const struct config *c)
{
    for (int i = 0; i < CFG_OPT_COUNT; i++) {
        const struct cfg_row *row = cfg_row((enum cfg_option)i);
        if (row->reload == CFG_START && !cfg_equal(d->first, c, (enum cfg_option)i)) {
            log_warning(MAIN, "%s: the new value takes effect at the next start", row->name);
        }
    }
}

static enum err put_in_force(struct daemon *d, const struct rules *rules, bool refresh)
{
    daemon_read_leases(d);
    enum err e = daemon_set_lists(d, rules);
    if (e == ERR_OK) {
        struct fetch_limits limits = daemon_list_limits(d);
        lists_set_limits(d->lists, &limits);
        lists_set_guard(d->lists, d->config->update_guard);
        lists_set_interval(d->lists, (uint32_t)(d->config->update_interval_us / USEC_PER_SEC));
        if (refresh) {
            lists_refresh(d->lists);
        }
        e = daemon_publish(d, rules, SNAPSHOT_ALL);
    }
    log_set_level_all((enum log_level)d->config->log_level);
    daemon_set_privacy(d);
    daemon_watch_files(d);
    return e;
}

enum err daemon_reconfigure(struct daemon *d, const struct rules *rules, bool refresh)
{
    struct cfg_error error = {""};
    struct config *fresh = NULL;
    struct config *old = d->config;
    enum err e = daemon_load_config(d, rules, &fresh, &error);
    if (e != ERR_OK) {
        log_error(MAIN, "%s; the old configuration stays in force", error.text);
        return e;
    }
    warn_of_start_options(d, fresh);
    d->config = fresh;
    timezone_read(fresh->timezone, &d->tz);
    e = put_in_force(d, rules, refresh);
    if (e != ERR_OK) {
        log_error(MAIN, "reload: %s; the old configuration stays in force", err_text(e));
        d->config = old;
        timezone_read(old->timezone, &d->tz);
        old = fresh;
        enum err again = put_in_force(d, &d->rules, false);
        (void)again; /* it was in force a moment ago */
    } else {
        log_info(MAIN, "the configuration was read again");
    }
    if (old != d->first) {
        d->start->unload(d->start->arg, old);
    }
    return e;
}
