/* /api/info: version, engine, machine, messages. */
#include <string.h>

#include "api/routes.h"
#include "api/summary.h"

/* --- version --------------------------------------------------------------------------------- */

/* Local and remote are alike, so that no client tells of an update that does not exist. */
static json_t *component(const struct api_config *cfg, bool dated)
{
    json_t *o = json_pack("{s:{s:s, s:s, s:s}, s:{s:s, s:s}}", "local", "branch", "master",
                          "version", cfg->version, "hash", cfg->commit, "remote", "version",
                          cfg->version, "hash", cfg->commit);
    if (dated) {
        json_object_set_new(json_object_get(o, "local"), "date", json_string(cfg->date));
    }
    return o;
}

json_t *version_object(const struct call *c)
{
    const struct api_config *cfg = c->api->cfg;
    return json_pack("{s:o, s:o, s:o, s:{s:n, s:n}}", "core", component(cfg, false), "web",
                     component(cfg, false), "ftl", component(cfg, true), "docker", "local",
                     "remote");
}

void view_version(struct call *c)
{
    reply_json(c, 200, json_pack("{s:o}", "version", version_object(c)));
}

/* --- the engine ------------------------------------------------------------------------------ */

/* Counters that clients of Pi-hole's DNS server want to find; what we do not have is 0. */
static json_t *dnsmasq_object(const struct call *c, const struct api_gauges *g,
                              const struct stats_totals *t)
{
    static const char *const absent[] = {
        "dns_auth_answered",
        "bootp",
        "pxe",
        "dhcp_ack",
        "dhcp_decline",
        "dhcp_discover",
        "dhcp_inform",
        "dhcp_nak",
        "dhcp_offer",
        "dhcp_release",
        "dhcp_request",
        "noanswer",
        "leases_allocated_4",
        "leases_pruned_4",
        "leases_allocated_6",
        "leases_pruned_6",
        "dnssec_max_crypto_use",
        "dnssec_max_sig_fail",
        "dnssec_max_work",
    };
    json_t *o = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "dns_cache_inserted", (json_int_t)g->cache.inserted,
        "dns_cache_live_freed", (json_int_t)g->cache.evicted, "dns_queries_forwarded",
        (json_int_t)stats_counter(c->api->stats, COUNTER_upstream_queries), "dns_local_answered",
        (json_int_t)(t->total - summary_forwarded(t->outcome)), "dns_stale_answered",
        (json_int_t)t->status[QUERY_STALE], "dns_unanswered", (json_int_t)t->status[QUERY_FAILED],
        "tcp_connections", (json_int_t)g->tcp_clients);
    for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
        json_object_set_new(o, absent[i], json_integer(0));
    }
    return o;
}

struct rule_counts {
    json_int_t total[2][2], enabled[2][2]; /* [allow][regex] */
};

static struct rule_counts count_rules(const struct rules *r)
{
    struct rule_counts n = {0};
    struct rule_view v;
    for (uint32_t i = 0; rules_own_at(r, i, &v); i++) {
        n.total[v.allow][v.regex_form]++;
        n.enabled[v.allow][v.regex_form] += v.enabled;
    }
    return n;
}

static json_t *database_object(const struct call *c, const struct api_gauges *g)
{
    const struct rules *r = c->api->rules;
    struct rule_counts n = count_rules(r);
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:{s:{s:I, s:I}, s:{s:I, s:I}}, s:{s:{s:I, s:I}, s:{s:I, s:I}}}",
        "gravity", (json_int_t)g->rules_in_image, "groups", (json_int_t)rules_group_count(r) + 1,
        "lists", (json_int_t)c->api->be->list_count(c->api->be->ctx), "clients",
        (json_int_t)rules_client_count(r), "domains", "allowed", "total", n.total[1][0], "enabled",
        n.enabled[1][0], "denied", "total", n.total[0][0], "enabled", n.enabled[0][0], "regex",
        "allowed", "total", n.total[1][1], "enabled", n.enabled[1][1], "denied", "total",
        n.total[0][1], "enabled", n.enabled[0][1]);
}

/* In Pi-hole's levels: 0 everything, 1 no domains, 2 no domains and clients, 3 nothing. Networks in
 * place of clients are not among them. */
int privacy_level(const struct stats *s)
{
    switch (stats_privacy(s)) {
    case PRIVACY_NAMES:
        return 2;
    case PRIVACY_NOTHING:
        return 3;
    case PRIVACY_FULL:
    case PRIVACY_CLIENTS:
        break;
    }
    return 0;
}

static double memory_percent(const struct api_system *s)
{
    return summary_percent(s->process_ram, s->ram_total);
}

void view_ftl(struct call *c)
{
    const struct stats *s = c->api->stats;
    struct stats_totals t;
    struct api_gauges g = {0};
    struct api_system sys = {0};
    stats_day(s, &t);
    c->api->be->gauges(c->api->be->ctx, &g);
    c->api->be->system(c->api->be->ctx, &sys);
    json_t *ftl =
        json_pack("{s:o, s:i, s:o, s:{s:I, s:I}, s:I, s:I, s:o, s:o, s:b, s:o}", "database",
                  database_object(c, &g), "privacy_level", privacy_level(s), "query_frequency",
                  json_rounded(stats_rate_milli(s) / 1000.0), "clients", "total",
                  (json_int_t)stats_clients_known(s), "active", (json_int_t)stats_clients_active(s),
                  "pid", (json_int_t)sys.pid, "uptime", (json_int_t)sys.process_uptime_s, "%mem",
                  json_rounded(memory_percent(&sys)), "%cpu", json_rounded(sys.process_cpu_percent),
                  "allow_destructive", 0, "dnsmasq", dnsmasq_object(c, &g, &t));
    reply_json(c, 200, json_pack("{s:o}", "ftl", ftl));
}

/* --- the machine ----------------------------------------------------------------------------- */

json_t *system_object(const struct call *c, const struct api_system *s)
{
    (void)c;
    uint32_t cpus = s->cpus ? s->cpus : 1;
    uint64_t swap_used = s->swap_total - s->swap_free;
    json_t *ram = json_pack("{s:I, s:I, s:I, s:I, s:o}", "total", (json_int_t)s->ram_total, "free",
                            (json_int_t)s->ram_free, "used", (json_int_t)s->ram_used, "available",
                            (json_int_t)s->ram_available, "%used",
                            json_rounded(summary_percent(s->ram_used, s->ram_total)));
    json_t *swap = json_pack("{s:I, s:I, s:I, s:o}", "total", (json_int_t)s->swap_total, "used",
                             (json_int_t)swap_used, "free", (json_int_t)s->swap_free, "%used",
                             json_rounded(summary_percent(swap_used, s->swap_total)));
    json_t *raw = json_array(), *percent = json_array();
    for (int i = 0; i < 3; i++) {
        json_array_append_new(raw, json_rounded(s->load[i]));
        json_array_append_new(percent, json_rounded(100 * s->load[i] / cpus));
    }
    return json_pack("{s:I, s:{s:o, s:o}, s:I, s:{s:i, s:o, s:{s:o, s:o}}, s:{s:o, s:o}}", "uptime",
                     (json_int_t)s->uptime_s, "memory", "ram", ram, "swap", swap, "procs",
                     (json_int_t)s->processes, "cpu", "nprocs", (int)cpus, "%cpu",
                     json_rounded(s->cpu_percent), "load", "raw", raw, "percent", percent, "ftl",
                     "%mem", json_rounded(memory_percent(s)), "%cpu",
                     json_rounded(s->process_cpu_percent));
}

void view_system(struct call *c)
{
    struct api_system s = {0};
    c->api->be->system(c->api->be->ctx, &s);
    reply_json(c, 200, json_pack("{s:o}", "system", system_object(c, &s)));
}

void view_host(struct call *c)
{
    struct api_system s = {0};
    c->api->be->system(c->api->be->ctx, &s);
    json_t *uname =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "domainname",
                  json_text(s.domain[0] ? s.domain : "(none)"), "machine", json_text(s.machine),
                  "nodename", json_text(s.node_name), "release", json_text(s.os_release), "sysname",
                  json_text(s.os_name), "version", json_text(s.os_version));
    json_t *dmi = json_pack("{s:{s:n}, s:{s:n, s:n, s:n}, s:{s:n, s:n, s:n}, s:{s:n}}", "bios",
                            "vendor", "board", "name", "vendor", "version", "product", "name",
                            "family", "version", "sys", "vendor");
    reply_json(c, 200,
               json_pack("{s:{s:o, s:o, s:o}}", "host", "uname", uname, "model",
                         json_text_or_null(s.model), "dmi", dmi));
}

json_t *sensors_object(const struct api_system *s)
{
    bool known = s->temperature_c > -273;
    return json_pack("{s:o, s:o, s:o, s:s}", "list", json_array(), "cpu_temp",
                     known ? json_rounded(s->temperature_c) : json_null(), "hot_limit",
                     json_real(60), "unit", "C");
}

void view_sensors(struct call *c)
{
    struct api_system s = {.temperature_c = -300};
    c->api->be->system(c->api->be->ctx, &s);
    reply_json(c, 200, json_pack("{s:o}", "sensors", sensors_object(&s)));
}

void view_login(struct call *c)
{
    struct api_gauges g = {0};
    c->api->be->gauges(c->api->be->ctx, &g);
    reply_json(c, 200, json_pack("{s:i, s:b}", "https_port", 0, "dns", (int)g.ready));
}

/* --- messages: lists and the history in trouble
 * -------------------------------------------------------------- */

/* Text between elements of a page. */
static void html_escape(struct strbuf *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            strbuf_str(out, "&lt;");
            break;
        case '>':
            strbuf_str(out, "&gt;");
            break;
        case '&':
            strbuf_str(out, "&amp;");
            break;
        case '"':
            strbuf_str(out, "&quot;");
            break;
        case '\'':
            strbuf_str(out, "&#39;");
            break;
        default:
            strbuf_char(out, *text);
        }
    }
}

static bool has_message(const struct api_list *list)
{
    return list->enabled && (list->error[0] || list->needs_confirm || list->notice[0]);
}

static json_t *message_object(json_int_t id, int64_t unix_s, const char *type, const char *plain)
{
    char html[4096];
    struct strbuf h;
    strbuf_init(&h, html, sizeof html);
    html_escape(&h, plain);
    return json_pack("{s:I, s:o, s:s, s:o, s:o}", "id", id, "timestamp",
                     json_rounded((double)unix_s), "type", type, "plain", json_text(plain), "html",
                     json_text(html));
}

static json_t *list_message(const struct api_list *list)
{
    char plain[API_LIST_URL_MAX + 512];
    struct strbuf p;
    strbuf_init(&p, plain, sizeof plain);
    strbuf_printf(&p, "List %s: %s", list->url,
                  list->error[0]        ? list->error
                  : list->needs_confirm ? "an update is held back; waits for your word"
                                        : list->notice);
    const char *type = list->needs_confirm ? "LIST_HELD"
                       : list->error[0]    ? "INACCESSIBLE_ADLIST"
                                           : "LIST_NOTICE";
    return message_object((json_int_t)list->id, list->checked_unix, type, plain);
}

/* Its id is no list's: those are not 0. */
static void add_history_message(const struct call *c, json_t *array)
{
    const struct api_backend *be = c->api->be;
    struct history_status s = {0};
    char plain[sizeof s.problem + 32];
    struct strbuf p;
    if (be->history_status && be->history_status(be->ctx, &s) && s.problem[0]) {
        strbuf_init(&p, plain, sizeof plain);
        strbuf_printf(&p, "Query history: %s", s.problem);
        json_array_append_new(array, message_object(0, s.problem_unix, "DISK", plain));
    }
}

static json_t *messages_array(const struct call *c)
{
    const struct api_backend *be = c->api->be;
    struct api_list list;
    json_t *array = json_array();
    uint32_t count = be->list_count(be->ctx);
    for (uint32_t i = 0; i < count; i++) {
        memset(&list, 0, sizeof list);
        be->list_at(be->ctx, i, &list);
        if (has_message(&list)) {
            json_array_append_new(array, list_message(&list));
        }
    }
    add_history_message(c, array);
    return array;
}

void view_messages(struct call *c)
{
    reply_json(c, 200, json_pack("{s:o}", "messages", messages_array(c)));
}

void view_messages_count(struct call *c)
{
    json_t *messages = messages_array(c);
    json_int_t count = (json_int_t)json_array_size(messages);
    json_decref(messages);
    reply_json(c, 200, json_pack("{s:I}", "count", count));
}
