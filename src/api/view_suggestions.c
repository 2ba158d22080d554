/* What a person may type into the filters of the query log. */
#include <string.h>

#include "api/query_filter.h"
#include "api/routes.h"
#include "dns/msg.h"

enum { SUGGESTIONS = 30 };

static json_t *words_of_statuses(void)
{
    json_t *array = json_array();
    for (int i = 0; i < QUERY_STATUS_COUNT; i++) {
        const char *name = query_status_name((enum query_status)i);
        bool repeated = false;
        for (int k = 0; k < i; k++) {
            repeated = repeated || strcmp(name, query_status_name((enum query_status)k)) == 0;
        }
        if (!repeated) {
            json_array_append_new(array, json_string(name));
        }
    }
    return array;
}

static void add_names(struct call *c, json_t *array, bool blocked)
{
    uint32_t n = stats_top_names(c->api->stats, blocked, c->api->names, SUGGESTIONS);
    for (uint32_t i = 0; i < n; i++) {
        json_array_append_new(array, json_name(&c->api->names[i].name));
    }
}

static void add_clients(struct call *c, json_t *ips, json_t *names)
{
    struct stats_client clients[SUGGESTIONS];
    uint32_t n = stats_top_clients(c->api->stats, false, clients, SUGGESTIONS);
    for (uint32_t i = 0; i < n; i++) {
        char text[DNS_NAME_TEXT];
        ip_format(&clients[i].addr, text);
        json_array_append_new(ips, json_string(text));
        client_name_of(c->api, &clients[i].addr, text);
        if (text[0]) {
            json_array_append_new(names, json_text(text));
        }
    }
}

static json_t *upstreams_array(const struct stats *s)
{
    json_t *array = json_pack("[s, s, s]", "blocklist", "cache", "permitted");
    for (int row = 0; row < STATS_UPSTREAM_ROWS; row++) {
        char text[300];
        upstream_text(s, row, text);
        if (text[0]) {
            json_array_append_new(array, json_text(text));
        }
    }
    return array;
}

void view_suggestions(struct call *c)
{
    json_t *domains = json_array(), *ips = json_array(), *names = json_array(),
           *types = json_array(), *replies = json_array();
    add_names(c, domains, true);
    add_names(c, domains, false);
    add_clients(c, ips, names);
    for (int i = 0; i < STATS_TYPE_COUNT; i++) {
        json_array_append_new(types, json_string(query_type_name((enum query_type)i)));
    }
    for (int i = 0; i < REPLY_COUNT; i++) {
        json_array_append_new(replies, json_string(query_reply_name((enum query_reply)i)));
    }
    reply_json(c, 200,
               json_pack("{s:{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:[s]}}", "suggestions", "domain",
                         domains, "client_ip", ips, "client_name", names, "upstream",
                         upstreams_array(c->api->stats), "type", types, "status",
                         words_of_statuses(), "reply", replies, "dnssec", "UNKNOWN"));
}
