#include "api_fixture.h"
#include "api/policy_groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what)
{
    fprintf(stderr, "api fixture: %s\n", what);
    abort();
}

/* --- the platform ---------------------------------------------------------------------------- */

static usec_t get_clock(void *ctx)
{
    struct api_fixture *f = ctx;
    return f->clock += 1000;
}

static int64_t get_unix_us(void *ctx)
{
    return ((struct api_fixture *)ctx)->stats.unix_us;
}

static bool password_exists(void *ctx)
{
    return !((struct api_fixture *)ctx)->no_password;
}

static bool is_text(struct span s, const char *text)
{
    return span_equal(s, span_str(text));
}

static enum api_credential password_check(void *ctx, struct span password)
{
    struct api_fixture *f = ctx;
    f->password_checks++;
    if (is_text(password, f->password)) {
        return CREDENTIAL_PASSWORD;
    }
    if (is_text(password, FIXTURE_APP)) {
        return CREDENTIAL_APP;
    }
    return is_text(password, FIXTURE_READ) ? CREDENTIAL_READ_ONLY : CREDENTIAL_WRONG;
}

static enum err password_set(void *ctx, struct span password)
{
    struct api_fixture *f = ctx;
    if (password.len < 8 || password.len >= sizeof f->password) {
        return ERR_RANGE;
    }
    memcpy(f->password, password.ptr, password.len);
    f->password[password.len] = '\0';
    return ERR_OK;
}

static enum err key_new(void *ctx, const char *name, bool read_only, char secret[API_KEY_TEXT],
                        uint32_t *id)
{
    struct api_fixture *f = ctx;
    if (strchr(name, ':')) {
        return ERR_FORMAT;
    }
    if (f->key_count == 4) {
        return ERR_LIMIT;
    }
    *id = 100 + f->key_count;
    f->key[f->key_count] =
        (struct api_key_info){.id = *id, .read_only = read_only, .created_unix = 1};
    snprintf(f->key[f->key_count].name, sizeof f->key[0].name, "%s", name);
    snprintf(secret, API_KEY_TEXT, "shk-%u-secret", (unsigned)*id);
    f->key_count++;
    return ERR_OK;
}

static uint32_t key_list(void *ctx, struct api_key_info *out, uint32_t max)
{
    struct api_fixture *f = ctx;
    uint32_t n = f->key_count < max ? f->key_count : max;
    memcpy(out, f->key, n * sizeof *out);
    return n;
}

static enum err key_delete(void *ctx, uint32_t id)
{
    struct api_fixture *f = ctx;
    for (uint32_t i = 0; i < f->key_count; i++) {
        if (f->key[i].id == id) {
            f->key[i] = f->key[--f->key_count];
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

static bool totp_get(void *ctx, uint8_t secret[20])
{
    struct api_fixture *f = ctx;
    memcpy(secret, f->totp_secret, sizeof f->totp_secret);
    return f->totp;
}

static enum err totp_set(void *ctx, const uint8_t secret[20])
{
    struct api_fixture *f = ctx;
    if (f->totp_error != ERR_OK) {
        return f->totp_error;
    }
    f->totp = secret != NULL;
    if (secret) {
        memcpy(f->totp_secret, secret, sizeof f->totp_secret);
    }
    return ERR_OK;
}

static enum err preview_start(void *ctx, const char *url, const char **why)
{
    struct api_fixture *f = ctx;
    if (strncmp(url, "http", 4) != 0) {
        *why = "expected http or https";
        return ERR_FORMAT;
    }
    f->preview.id++;
    snprintf(f->preview.list.url, sizeof f->preview.list.url, "%s", url);
    return ERR_OK;
}

static bool preview_get(void *ctx, struct api_preview *out)
{
    struct api_fixture *f = ctx;
    *out = f->preview;
    return f->preview.id > 0;
}

static void preview_end(void *ctx)
{
    ((struct api_fixture *)ctx)->preview.id = 0;
}

static void get_system(void *ctx, struct api_system *out)
{
    *out = ((struct api_fixture *)ctx)->system;
}

static void get_gauges(void *ctx, struct api_gauges *out)
{
    *out = ((struct api_fixture *)ctx)->gauges;
}

static const struct snapshot *get_snapshot(void *ctx)
{
    return &((struct api_fixture *)ctx)->snapshot;
}

static void get_upstream(void *ctx, uint16_t index, struct upstream_health *out)
{
    (void)ctx;
    *out = (struct upstream_health){.rtt_us = 10000, .up = index == 0};
}

static uint32_t list_count(void *ctx)
{
    return ((struct api_fixture *)ctx)->list_count;
}

static void list_at(void *ctx, uint32_t i, struct api_list *out)
{
    *out = ((struct api_fixture *)ctx)->list[i];
}

static size_t client_name(void *ctx, const struct ip_addr *client, char out[DNS_NAME_TEXT])
{
    const struct api_fixture *f = ctx;
    (void)client;
    memcpy(out, f->client_name, strlen(f->client_name) + 1);
    return strlen(out);
}

static const struct policy_address *find_device(void *ctx, const struct ip_addr *client)
{
    const struct api_fixture *f = ctx;
    for (uint32_t i = 0; i < f->devices; i++) {
        if (ip_equal(&f->device[i].addr, client)) {
            return &f->device[i];
        }
    }
    return NULL;
}

static int keep_text(const char *text, size_t len, void *arg)
{
    struct api_fixture *f = arg;
    size_t have = strlen(f->applied_text);
    if (have + len >= sizeof f->applied_text) {
        return 0;
    }
    memcpy(f->applied_text + have, text, len);
    f->applied_text[have + len] = '\0';
    return 0;
}

static void take_lists(struct api_fixture *f, const struct rules *next)
{
    struct list_view v;
    f->list_count = 2;
    for (uint32_t i = 0; rules_list_at(next, i, &v); i++) {
        for (uint32_t k = 0; v.configured && k < 2; k++) {
            if (f->list[k].id == v.id) {
                f->list[k].enabled = v.enabled;
            }
        }
        if (!v.configured && f->list_count < 3) {
            struct api_list *l = &f->list[f->list_count++];
            *l = (struct api_list){
                .id = v.id, .allow = v.allow, .enabled = v.enabled, .unique = UINT32_MAX};
            snprintf(l->url, sizeof l->url, "%s", v.url);
        }
    }
}

static enum err rules_apply(void *ctx, const struct rules *next, unsigned parts)
{
    struct api_fixture *f = ctx;
    if (f->apply_result != ERR_OK) {
        return f->apply_result;
    }
    f->applied++;
    f->applied_parts = parts;
    f->applied_text[0] = '\0';
    if (rules_print(next, keep_text, f) != ERR_OK) {
        fail("print");
    }
    if (parts & RULES_LISTS) {
        take_lists(f, next);
    }
    return ERR_OK;
}

static uint32_t id_of_list(const char *text, bool allow)
{
    return rules_list_id(text, allow);
}

static void policy_source(void *ctx, int64_t now_unix, struct policy_source *out)
{
    struct api_fixture *f = ctx;
    *out = (struct policy_source){.config = f->settings,
                                  .rules = &f->rules,
                                  .now = 1000 * USEC_PER_SEC,
                                  .now_unix = now_unix,
                                  .list_id = id_of_list,
                                  .address = f->device,
                                  .address_count = f->devices};
}

static enum err explain(void *ctx, const struct dns_name *name, const struct ip_addr *client,
                        int64_t at_unix, struct api_verdict *out)
{
    (void)at_unix;
    (void)name;
    (void)client;
    *out = ((struct api_fixture *)ctx)->verdict;
    return ERR_OK;
}

static enum err update_lists(void *ctx)
{
    struct api_fixture *f = ctx;
    f->updates++;
    f->updating = true;
    return ERR_OK;
}

static bool update_running(void *ctx)
{
    return ((struct api_fixture *)ctx)->updating;
}

static enum err list_update(void *ctx, uint32_t id)
{
    (void)id;
    ((struct api_fixture *)ctx)->list_updates++;
    return ERR_OK;
}

static enum err list_confirm(void *ctx, uint32_t id)
{
    (void)id;
    ((struct api_fixture *)ctx)->list_confirms++;
    return ERR_STATE;
}

static enum err list_refuse(void *ctx, uint32_t id)
{
    (void)id;
    ((struct api_fixture *)ctx)->list_refusals++;
    return ERR_OK;
}

static const struct api_held *list_held(void *ctx, uint32_t id)
{
    const struct api_fixture *f = ctx;
    return id == f->list[0].id ? f->held : NULL;
}

static enum err flush_cache(void *ctx)
{
    ((struct api_fixture *)ctx)->flushes++;
    return ERR_OK;
}

static enum err reload(void *ctx)
{
    ((struct api_fixture *)ctx)->reloads++;
    return ERR_OK;
}

static const struct api_backend platform = {
    .clock = get_clock,
    .unix_us = get_unix_us,
    .password_exists = password_exists,
    .password_check = password_check,
    .password_set = password_set,
    .key_new = key_new,
    .key_list = key_list,
    .key_delete = key_delete,
    .totp_get = totp_get,
    .totp_set = totp_set,
    .preview_start = preview_start,
    .preview_get = preview_get,
    .preview_end = preview_end,
    .system = get_system,
    .gauges = get_gauges,
    .snapshot = get_snapshot,
    .upstream = get_upstream,
    .list_count = list_count,
    .list_at = list_at,
    .client_name = client_name,
    .device = find_device,
    .rules_apply = rules_apply,
    .explain = explain,
    .policy_source = policy_source,
    .update_lists = update_lists,
    .update_running = update_running,
    .list_update = list_update,
    .list_confirm = list_confirm,
    .list_refuse = list_refuse,
    .list_held = list_held,
    .flush_cache = flush_cache,
    .reload = reload,
};

/* --- the fixture ----------------------------------------------------------------------------- */

static void fill_lists(struct api_fixture *f)
{
    f->list[0] = (struct api_list){.id = rules_list_id(FIXTURE_BLOCK_URL, false),
                                   .url = FIXTURE_BLOCK_URL,
                                   .name = "Ads",
                                   .enabled = true,
                                   .configured = true,
                                   .status = API_LIST_UPDATED,
                                   .format = "hosts",
                                   .rules = 1000,
                                   .rejected = 3,
                                   .unique = 17,
                                   .checked_unix = FIXTURE_UNIX_S - 60,
                                   .updated_unix = FIXTURE_UNIX_S - 60,
                                   .octets = 20000};
    f->list[1] = (struct api_list){.id = rules_list_id(FIXTURE_ALLOW_URL, true),
                                   .url = FIXTURE_ALLOW_URL,
                                   .allow = true,
                                   .enabled = true,
                                   .configured = true,
                                   .status = API_LIST_KEPT,
                                   .error = "could not resolve <host>",
                                   .rules = 5,
                                   .unique = UINT32_MAX,
                                   .checked_unix = FIXTURE_UNIX_S - 30};
    f->list_count = 2;
}

static void fill_machine(struct api_fixture *f)
{
    f->gauges = (struct api_gauges){
        .cache = {.entries = 10, .entries_max = 65536, .inserted = 20, .evicted = 2},
        .resolver = {.pending_max = 2048},
        .workers = 1,
        .rules_in_image = 1005,
        .image_octets = 12345,
        .image_built_unix = FIXTURE_UNIX_S - 50,
        .ready = true};
    f->system = (struct api_system){.uptime_s = 1000,
                                    .process_uptime_s = 500,
                                    .ram_total = 1000000,
                                    .ram_free = 400000,
                                    .ram_available = 600000,
                                    .ram_used = 400000,
                                    .swap_total = 100,
                                    .swap_free = 50,
                                    .process_ram = 20000,
                                    .processes = 99,
                                    .cpus = 4,
                                    .cpu_percent = 12.5,
                                    .process_cpu_percent = 0.5,
                                    .load = {0.5, 0.25, 0.125},
                                    .temperature_c = 48.5,
                                    .pid = 4711,
                                    .node_name = "sinkhole",
                                    .model = "Test Machine",
                                    .os_name = "Linux",
                                    .os_release = "6.1",
                                    .os_version = "#1",
                                    .machine = "x86_64"};
    snprintf(f->system.v4.name, sizeof f->system.v4.name, "eth0");
    snprintf(f->system.v4.addr, sizeof f->system.v4.addr, "192.0.2.2");
    snprintf(f->system.v4.gateway, sizeof f->system.v4.gateway, "192.0.2.254");
    f->system.v4.addresses = 1;
    f->system.v4.rx_octets = 3 * 1024 * 1024;
}

static void fill_upstreams(struct api_fixture *f)
{
    const struct stats_upstream up = {.id = 9,
                                      .endpoint = {.addr = ip_of("198.51.100.53"), .port = 53}};
    f->snapshot.upstream_count = 1;
    f->snapshot.upstreams[0].endpoint = up.endpoint;
    f->snapshot.upstreams[0].id = up.id;
    stats_set_upstreams(f->stats.stats, &up, 1);
    stats_set_lists(f->stats.stats, (const uint32_t[]){f->list[0].id, f->list[1].id}, 2);
}

void api_fixture_open(struct api_fixture *f)
{
    static const uint8_t seed[32] = "seed of the fixture";
    *f = (struct api_fixture){.backend = platform, .password = FIXTURE_PASSWORD};
    f->backend.ctx = f;
    f->config = (struct api_config){.version = "v1.2.3",
                                    .commit = "abcdef1",
                                    .date = "2026-01-01",
                                    .dns_port = 53,
                                    .http_port = 80};
    stats_fixture_open(&f->stats);
    fill_lists(f);
    fill_machine(f);
    fill_upstreams(f);
    f->settings_mem = malloc(cfg_memory());
    if (f->settings_mem == NULL ||
        cfg_init(&f->settings, f->settings_mem, cfg_memory()) != ERR_OK) {
        fail("settings");
    }
    if (rules_clear(&f->rules) != ERR_OK) {
        fail("rules");
    }
    size_t size = api_memory(&f->config);
    f->api_mem = malloc(size);
    if (!f->api_mem || api_init(&f->api, f->api_mem, size, &f->config, &f->backend, f->stats.stats,
                                &f->rules, seed, f->stats.now) != ERR_OK) {
        fail("init");
    }
}

void api_fixture_close(struct api_fixture *f)
{
    rules_free(&f->rules);
    free(f->settings_mem);
    free(f->api_mem);
    stats_fixture_close(&f->stats);
}

int api_fixture_setup(void **state)
{
    struct api_fixture *f = malloc(sizeof *f);
    if (!f) {
        return -1;
    }
    api_fixture_open(f);
    api_log_in(f);
    *state = f;
    return 0;
}

int api_fixture_teardown(void **state)
{
    api_fixture_close(*state);
    free(*state);
    return 0;
}

/* --- asking ---------------------------------------------------------------------------------- */

static struct span span_or_none(const char *text)
{
    return text ? span_str(text) : span_of(NULL, 0);
}

static enum http_method method_of(const char *name)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (int i = 0; i < 7; i++) {
        if (!name || strcmp(name, names[i]) == 0) {
            return name ? (enum http_method)i : HTTP_GET;
        }
    }
    return HTTP_OTHER;
}

static struct api_request request_of(const struct ask *a)
{
    size_t path = strcspn(a->target, "?");
    struct api_request r = {
        .method = method_of(a->method),
        .path = span_of(a->target, path),
        .query = span_or_none(a->target[path] ? a->target + path + 1 : NULL),
        .body = span_or_none(a->body),
        .host = span_or_none(a->host),
        .origin = span_or_none(a->origin),
        .fetch_site = span_or_none(a->site),
        .sid = span_or_none(a->sid),
        .ftl_sid = span_or_none(a->ftl_sid),
        .csrf = span_or_none(a->csrf),
        .authorization = span_or_none(a->authorization),
        .cookie = span_or_none(a->cookie),
        .content_type = span_or_none(a->content_type),
        .user_agent = span_or_none(a->agent),
        .if_none_match = span_or_none(a->match),
        .peer = ip_of(a->peer ? a->peer : "192.0.2.10"),
    };
    return r;
}

static void append(struct answer *a, const void *data, size_t len)
{
    a->text = realloc(a->text, a->len + len + 1);
    if (!a->text) {
        fail("memory");
    }
    memcpy(a->text + a->len, data, len);
    a->len += len;
    a->text[a->len] = '\0';
}

/* The piece's buffer is of the least size that the contract allows, and on the heap, so that
 * writing past it is seen. */
static void read_stream(struct api_fixture *f, struct answer *a, struct api_response *r)
{
    for (;;) {
        char *buf = malloc(API_MORE_MIN);
        long n = r->more(r->more_state, buf, API_MORE_MIN, f->stats.now);
        if (n > 0) {
            append(a, buf, (size_t)n);
            a->pieces++;
        }
        free(buf);
        if (n <= 0) {
            a->unfinished = n == API_MORE_LATER;
            break;
        }
    }
    if (r->release) {
        r->release(r->more_state);
    }
}

struct answer api_ask(struct api_fixture *f, const struct ask *ask)
{
    struct answer a = {0};
    struct api_request request = request_of(ask);
    api_handle(f->api, f->stats.now, &request, &a.response);
    a.status = a.response.status;
    append(&a, "", 0);
    if (a.response.more) {
        read_stream(f, &a, &a.response);
    } else if (a.response.body_len > 0) {
        append(&a, a.response.body, a.response.body_len);
    }
    if (strncmp(answer_header(&a, "Content-Type"), "application/json", 16) == 0 && a.len > 0) {
        json_error_t error;
        a.json = json_loadb(a.text, a.len, JSON_REJECT_DUPLICATES, &error);
        if (!a.json) {
            fprintf(stderr, "%s: not JSON (%s): %s\n", ask->target, error.text, a.text);
            abort();
        }
    }
    return a;
}

struct answer api_get(struct api_fixture *f, const char *target)
{
    return api_ask(f, &(struct ask){.target = target, .ftl_sid = f->sid});
}

struct answer api_send(struct api_fixture *f, const char *method, const char *target,
                       const char *body)
{
    return api_ask(
        f, &(struct ask){.method = method, .target = target, .body = body, .ftl_sid = f->sid});
}

struct api_response api_open_stream(struct api_fixture *f, const char *target)
{
    struct api_response r;
    struct api_request request = request_of(&(struct ask){.target = target, .ftl_sid = f->sid});
    api_handle(f->api, f->stats.now, &request, &r);
    return r;
}

void answer_free(struct answer *a)
{
    json_decref(a->json);
    free(a->text);
    *a = (struct answer){0};
}

const char *answer_header(const struct answer *a, const char *name)
{
    for (uint32_t i = 0; i < a->response.header_count; i++) {
        if (strcmp(a->response.headers[i].name, name) == 0) {
            return a->response.headers[i].value;
        }
    }
    return "";
}

void api_log_in(struct api_fixture *f)
{
    char body[128];
    snprintf(body, sizeof body, "{\"password\":\"%s\"}", f->password);
    struct answer a =
        api_ask(f, &(struct ask){.method = "POST", .target = "/api/auth", .body = body});
    const char *sid = json_string_value(json_at_path(a.json, "session.sid"));
    const char *csrf = json_string_value(json_at_path(a.json, "session.csrf"));
    if (a.status != 200 || !sid || !csrf) {
        fail("log in");
    }
    snprintf(f->sid, sizeof f->sid, "%s", sid);
    snprintf(f->csrf, sizeof f->csrf, "%s", csrf);
    answer_free(&a);
}

const json_t *json_at_path(const json_t *root, const char *path)
{
    char key[128];
    while (root && *path) {
        size_t len = strcspn(path, ".");
        if (len >= sizeof key) {
            return NULL;
        }
        memcpy(key, path, len);
        key[len] = '\0';
        root = json_is_array(root) ? json_array_get(root, strtoul(key, NULL, 10))
                                   : json_object_get(root, key);
        path += len + (path[len] == '.');
    }
    return root;
}
