/*
 * The way of a request: path and body, Host, route, who asks, may he, the route's function.
 * Everything else is in the views.
 */
#include "api/api.h"

#include <string.h>

#include "api/auth.h"
#include "api/device_rows.h"
#include "api/feed.h"
#include "api/page.h"
#include "api/routes.h"
#include "base/arena.h"
#include "base/log.h"
#include "stats/topk.h"

enum {
    RESPONSE_OCTETS = 1 << 20,
    RESPONSE_OCTETS_MIN = 64 * 1024,
    VALIDITY_S = 1800,
    SCRATCH_NAMES = 1024
};

static size_t response_octets(const struct api_config *cfg)
{
    return cfg->response_octets ? cfg->response_octets : RESPONSE_OCTETS;
}

size_t api_memory(const struct api_config *cfg)
{
    return sizeof(struct api) + FEEDS_MAX * sizeof(struct feed) + sizeof(struct topk) +
           topk_memory(SCRATCH_NAMES, API_SCRATCH_KEY) + TOP_NAMES_MAX * sizeof(struct stats_name) +
           API_GROUPS_ROOM + sizeof(struct device_rows) + client_map_memory(RULES_CLIENTS_MAX) +
           response_octets(cfg) + 8 * CACHE_LINE;
}

enum err api_init(struct api **out, void *mem, size_t len, const struct api_config *cfg,
                  const struct api_backend *backend, struct stats *stats, struct rules *rules,
                  const uint8_t seed[32], usec_t now)
{
    if (response_octets(cfg) < RESPONSE_OCTETS_MIN || !cfg->version || !cfg->commit || !cfg->date) {
        return ERR_RANGE;
    }
    struct arena arena;
    arena_init(&arena, mem, len);
    struct api *a = ARENA_NEW(&arena, struct api);
    struct feed *feeds = ARENA_ARRAY(&arena, struct feed, FEEDS_MAX);
    struct topk *scratch = ARENA_NEW(&arena, struct topk);
    struct stats_name *names = ARENA_ARRAY(&arena, struct stats_name, TOP_NAMES_MAX);
    void *groups_room = arena_alloc(&arena, API_GROUPS_ROOM, _Alignof(max_align_t));
    struct device_rows *devices = ARENA_NEW(&arena, struct device_rows);
    void *people = arena_alloc(&arena, client_map_memory(RULES_CLIENTS_MAX), CACHE_LINE);
    char *response = arena_alloc(&arena, response_octets(cfg), 1);
    if (!a || !feeds || !scratch || !names || !groups_room || !devices || !people || !response ||
        !topk_init(scratch, &arena, SCRATCH_NAMES, API_SCRATCH_KEY)) {
        return ERR_SPACE;
    }
    *a = (struct api){
        .cfg = cfg,
        .be = backend,
        .stats = stats,
        .rules = rules,
        .start = now,
        .validity = (cfg->session_validity_s ? cfg->session_validity_s : VALIDITY_S) * USEC_PER_SEC,
        .next_session = 1,
        .feeds = feeds,
        .scratch = scratch,
        .names = names,
        .groups_room = groups_room,
        .devices = devices,
        .people_room = people,
        .response = response,
        .response_cap = response_octets(cfg),
    };
    rng_init(&a->rng, seed);
    rng_bytes(&a->rng, a->mac_key, sizeof a->mac_key);
    int64_t now_unix = backend->unix_us(backend->ctx) / 1000000;
    a->pause_until = rules_pause_until(rules, now, now_unix);
    people_load(a);
    api_plan(a, now, now_unix);
    *out = a;
    return ERR_OK;
}

/* --- a request ------------------------------------------------------------------------------- */

/* A browser asks whether a page of another origin may send this. */
static void answer_preflight(struct call *c)
{
    reply_empty(c, 204);
    reply_header(c, "Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS");
}

static void add_cors(struct call *c)
{
    if (!origin_is_allowed(c)) {
        return;
    }
    char origin[256];
    struct strbuf text;
    strbuf_init(&text, origin, sizeof origin);
    strbuf_bytes(&text, c->req->origin.ptr, c->req->origin.len);
    reply_header(c, "Access-Control-Allow-Origin", origin);
    reply_header(c, "Vary", "Origin");
    reply_header(c, "Access-Control-Allow-Methods", "GET, POST, PUT, DELETE");
    reply_header(c, "Access-Control-Allow-Headers",
                 "Authorization, Content-Type, sid, X-FTL-SID, X-FTL-CSRF, X-CSRF-TOKEN");
}

static void refuse_unauthorized(struct call *c)
{
    reply_error(c, 401, "unauthorized", "Unauthorized", NULL);
}

static void refuse_forbidden(struct call *c, const char *message, const char *hint)
{
    reply_error(c, 403, "forbidden", message, hint);
}

static bool is_logged_in(const struct call *c, enum route_access access)
{
    bool by_cookie_alone = c->proof == PROOF_COOKIE && !auth_has_csrf(c);
    return c->access != ACCESS_NONE && (!by_cookie_alone || access == ROUTE_PAGE);
}

/* true: the route's function may run. */
static bool admit(struct call *c, enum route_access access)
{
    if (access == ROUTE_OPEN) {
        return true;
    }
    if (!is_logged_in(c, access)) {
        refuse_unauthorized(c);
        return false;
    }
    if (access != ROUTE_WRITE && access != ROUTE_OWNER) {
        return true;
    }
    bool ambient =
        c->proof == PROOF_COOKIE || c->proof == PROOF_OPEN; /* sent by browsers unasked */
    if (ambient && !auth_same_origin(c)) {
        refuse_forbidden(c, "A page of another origin must not change anything here", NULL);
    } else if (c->access < (access == ROUTE_OWNER ? ACCESS_FULL : ACCESS_APP)) {
        refuse_forbidden(c, "This key does not allow that", "Log in with the password");
    } else {
        return true;
    }
    return false;
}

static void dispatch(struct call *c)
{
    char methods[64];
    struct strbuf allow;
    strbuf_init(&allow, methods, sizeof methods);
    const struct api_route *route = route_find(c, &allow);
    if (!route && allow.len > 0) {
        reply_header(c, "Allow", methods);
        reply_error(c, 405, "method_not_allowed", "Method not allowed", NULL);
    } else if (!route) {
        page_serve(c);
    } else if (auth_identify(c) && admit(c, route->access)) {
        route->handle(c);
        if (c->proof == PROOF_COOKIE && c->session && c->session->used &&
            c->now - c->session->cookie_sent > c->api->validity / 6) {
            auth_send_cookie(c);
        }
    }
}

void api_handle(struct api *a, usec_t now, const struct api_request *request,
                struct api_response *response)
{
    struct call c = {
        .api = a,
        .now = now,
        .unix_us = a->be->unix_us(a->be->ctx),
        .clock_start = a->be->clock ? a->be->clock(a->be->ctx) : 0,
        .req = request,
        .res = response,
    };
    memset(response, 0, sizeof *response);
    enum err opened = request_open(&c);
    if (opened == ERR_MEMORY) {
        reply_error(&c, 503, "out_of_memory", "There is no memory for this request", NULL);
    } else if (opened != ERR_OK) {
        bad_request(&c, "Bad path");
    } else if (!origin_host_ok(&c)) {
        refuse_forbidden(&c, "Unknown host name",
                         "Use the address, or set http-host in the configuration");
    } else if (request->method == HTTP_OPTIONS) {
        answer_preflight(&c);
    } else {
        dispatch(&c);
    }
    add_cors(&c);
    request_close(&c);
}

/* --- rules and time -------------------------------------------------------------------------- */

void api_plan(struct api *a, usec_t now, int64_t now_unix)
{
    a->next_end_unix = rules_next_end(a->rules);
    int64_t left = a->next_end_unix - now_unix;
    a->next_end =
        a->next_end_unix == 0 ? USEC_NEVER : now + (left > 0 ? (usec_t)left * USEC_PER_SEC : 0);
}

static enum change change_of(unsigned part)
{
    switch (part) {
    case RULES_PAUSE:
        return CHANGE_BLOCKING;
    case RULES_OWN:
        return CHANGE_DOMAINS;
    case RULES_LISTS:
        return CHANGE_LISTS;
    default:
        return CHANGE_SETTINGS;
    }
}

void api_changed(struct api *a, unsigned parts)
{
    for (unsigned part = 1; part <= RULES_ALL; part *= 2) {
        if (parts & part) {
            a->changes[change_of(part)]++;
        }
    }
}

/* Takes over *next in any case. */
static enum err apply(struct api *a, usec_t now, int64_t now_unix, struct rules *next,
                      unsigned parts)
{
    enum err e = a->be->rules_apply(a->be->ctx, next, parts);
    if (e != ERR_OK) {
        rules_free(next);
        return e;
    }
    rules_free(a->rules);
    *a->rules = *next;
    next->doc = NULL;
    if (parts &
        RULES_PAUSE) { /* else it goes on by the monotonic clock, whatever the wall clock does */
        a->pause_until = rules_pause_until(a->rules, now, now_unix);
    }
    people_load(a);
    api_plan(a, now, now_unix);
    api_changed(a, parts);
    return ERR_OK;
}

bool rules_commit(struct call *c, struct rules *next, unsigned parts)
{
    enum err e = apply(c->api, c->now, c->unix_us / 1000000, next, parts);
    if (e == ERR_FORMAT || e == ERR_RANGE) {
        reply_error(c, 400, "bad_request", "The value is not accepted", err_text(e));
    } else if (e == ERR_LIMIT) {
        reply_error(c, 400, "bad_request", "All rules together would be larger than they may be",
                    err_text(e));
    } else if (e != ERR_OK) {
        log_error(HTTP, "a change could not be stored: %s", err_text(e));
        reply_error(c, 500, "database_error", "The change could not be stored", err_text(e));
    }
    return e == ERR_OK;
}

void reply_rules_error(struct call *c, enum err e, const char *why, const char *what)
{
    if (e == ERR_FORMAT) {
        reply_error(c, 400, "bad_request", "Invalid value", why);
    } else if (e == ERR_EXISTS) {
        reply_error(c, 400, "database_error", "It is there already", what);
    } else if (e == ERR_LIMIT) {
        reply_error(c, 400, "bad_request", "There are too many already", what);
    } else if (e == ERR_NOT_FOUND) {
        reply_error(c, 404, "not_found", "There is no such item", what);
    } else {
        reply_error(c, 500, "internal_error", "It did not work", err_text(e));
    }
}

/* The rules that end now are dropped; if that cannot be stored it is tried again in a minute (they
 * are not in force in any case). */
static void end_rules(struct api *a, usec_t now)
{
    struct rules next = {0};
    int64_t now_unix = a->be->unix_us(a->be->ctx) / 1000000;
    if (rules_copy(&next, a->rules) != ERR_OK) {
        a->next_end = now + 60 * USEC_PER_SEC;
        return;
    }
    (void)rules_own_expire(&next, a->next_end_unix);
    if (apply(a, now, now_unix, &next, RULES_OWN) != ERR_OK) {
        a->next_end = now + 60 * USEC_PER_SEC;
    }
}

void api_tick(struct api *a, usec_t now)
{
    auth_tick(a, now);
    if (now >= a->next_end) {
        end_rules(a, now);
    }
    if (a->pause_until != 0 && now >= a->pause_until) {
        a->pause_until = 0;
        a->changes[CHANGE_BLOCKING]++;
    }
}
