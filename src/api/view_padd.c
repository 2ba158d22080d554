/*
 * /api/padd: everything that the terminal dashboard PADD shows, in one object. Its reader is sed
 * and test(1), so numbers must be numbers and no key may be missing.
 */
#include <string.h>

#include "api/routes.h"
#include "api/summary.h"

static json_t *top_name(struct call *c, bool blocked)
{
    uint32_t n = stats_top_names(c->api->stats, blocked, c->api->names, 1);
    return n > 0 ? json_name(&c->api->names[0].name) : json_null();
}

static json_t *top_client(const struct call *c)
{
    struct stats_client client;
    char text[DNS_NAME_TEXT];
    if (stats_top_clients(c->api->stats, false, &client, 1) == 0) {
        return json_null();
    }
    client_name_of(c->api, &client.addr, text);
    if (!text[0]) {
        ip_format(&client.addr, text);
    }
    return json_text(text);
}

static json_t *recent_blocked(const struct call *c)
{
    struct stats_log_entry e;
    for (uint64_t id = stats_log_next(c->api->stats); stats_log_at(c->api->stats, --id, &e);) {
        if (query_outcome_of(e.status) == OUTCOME_BLOCKED) {
            return json_wire_name(e.qname);
        }
    }
    return json_null();
}

/* Octets as PADD prints them: a number and the letter of its unit. */
static json_t *scaled(uint64_t octets)
{
    static const char *const units[] = {"B", "K", "M", "G", "T", "P"};
    double v = (double)octets;
    size_t u = 0;
    while (v >= 1024 && u + 1 < ARRAY_LEN(units)) {
        v /= 1024;
        u++;
    }
    return json_pack("{s:o, s:s}", "value", json_rounded(v), "unit", units[u]);
}

static json_t *interface_object(const struct api_system *s)
{
    return json_pack("{s:{s:o, s:i, s:o, s:o, s:o, s:o}, s:{s:o, s:i, s:o, s:o}}", "v4", "addr",
                     json_text_or_null(s->v4.addr), "num_addrs", (int)s->v4.addresses, "name",
                     json_text(s->v4.name), "gw_addr", json_text(s->v4.gateway), "rx_bytes",
                     scaled(s->v4.rx_octets), "tx_bytes", scaled(s->v4.tx_octets), "v6", "addr",
                     json_text_or_null(s->v6.addr), "num_addrs", (int)s->v6.addresses, "name",
                     json_text(s->v6.name), "gw_addr", json_text(s->v6.gateway));
}

static json_t *config_object(const struct call *c, const struct api_system *s)
{
    const struct snapshot *snap = c->api->be->snapshot(c->api->be->ctx);
    return json_pack("{s:b, s:s, s:s, s:b, s:o, s:i, s:i, s:b, s:b, s:i}", "dhcp_active", 0,
                     "dhcp_start", "", "dhcp_end", "", "dhcp_ipv6", 0, "dns_domain",
                     json_text(s->domain), "dns_port", (int)c->api->cfg->dns_port,
                     "dns_num_upstreams", snap ? (int)snap->upstream_count : 0, "dns_dnssec", 0,
                     "dns_revServer_active", (int)(snap && snap->route_count > 0), "privacy_level",
                     privacy_level(c->api->stats));
}

void view_padd(struct call *c)
{
    const struct stats *st = c->api->stats;
    struct api_system s = {.temperature_c = -300};
    struct api_gauges g = {0};
    struct stats_totals t;
    stats_day(st, &t);
    c->api->be->system(c->api->be->ctx, &s);
    c->api->be->gauges(c->api->be->ctx, &g);
    uint64_t blocked = t.outcome[OUTCOME_BLOCKED];
    json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:I, s:I, s:{s:I, s:I, s:o}, s:{s:I, s:I, s:I}}",
                          "recent_blocked", recent_blocked(c), "top_domain", top_name(c, false),
                          "top_blocked", top_name(c, true), "top_client", top_client(c),
                          "active_clients", (json_int_t)stats_clients_active(st), "gravity_size",
                          (json_int_t)g.rules_in_image, "queries", "total", (json_int_t)t.total,
                          "blocked", (json_int_t)blocked, "percent_blocked",
                          json_rounded(summary_percent(blocked, t.total)), "cache", "size",
                          (json_int_t)g.cache.entries_max, "inserted", (json_int_t)g.cache.inserted,
                          "evicted", (json_int_t)g.cache.evicted);
    int64_t timer;
    json_object_set_new(o, "blocking", json_string(blocking_state(c, &timer)));
    json_object_set_new(o, "system", system_object(c, &s));
    json_object_set_new(o, "node_name", json_text(s.node_name));
    json_object_set_new(o, "host_model", json_text_or_null(s.model));
    json_object_set_new(o, "sensors", sensors_object(&s));
    json_object_set_new(o, "%cpu", json_rounded(s.process_cpu_percent));
    json_object_set_new(o, "%mem", json_rounded(summary_percent(s.process_ram, s.ram_total)));
    json_object_set_new(o, "pid", json_integer((json_int_t)s.pid));
    json_object_set_new(o, "config", config_object(c, &s));
    if (param_bool(c, "full", true)) {
        json_object_set_new(o, "iface", interface_object(&s));
        json_object_set_new(o, "version", version_object(c));
    }
    reply_json(c, 200, o);
}
