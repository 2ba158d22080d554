/* Why is a name blocked, or not: every rule that speaks of it, and which one decides. */
#include <string.h>

#include "api/routes.h"

enum { OTHERS_MAX = 20 };
#define AT_MAX (INT64_C(1) << 33) /* unix seconds */

static bool is_reason(const struct api_verdict *v, const char *reason)
{
    return v->reason && strcmp(v->reason, reason) == 0;
}

static json_t *match_object(const struct call *c, const struct api_match *m)
{
    bool own = m->list == 0;
    bool service = m->service.len > 0;
    json_t *list = service ? json_text_span(m->service)
                   : own   ? json_null()
                           : json_text(list_name_of(c->api, m->list));
    json_t *line = own || service || m->line == 0 ? json_null() : json_integer(m->line);
    json_t *rule = m->regex.len > 0 ? json_text_span(m->regex) : json_name(&m->rule);
    return json_pack("{s:s, s:o, s:o, s:o, s:b, s:b, s:o, s:s, s:b}", "source",
                     service ? "service"
                     : own   ? "rule"
                             : "list",
                     "list_id", own ? json_null() : json_integer(m->list), "list", list, "rule",
                     rule, "subtree", (int)m->subtree, "regex", m->regex.len > 0, "line", line,
                     "action", m->allow ? "allow" : "block", "important", (int)m->important);
}

/* What decides without being a rule. */
static json_t *builtin_object(const struct dns_name *name, const char *source)
{
    return json_pack("{s:s, s:n, s:n, s:o, s:b, s:b, s:n, s:s, s:b}", "source", source, "list_id",
                     "list", "rule", json_name(name), "subtree", 0, "regex", 0, "line", "action",
                     "allow", "important", 0);
}

/* What a blocked name is answered with, in words. */
static void block_answer(const struct api_verdict *v, struct strbuf *out)
{
    char v4[IP_TEXT_MAX], v6[IP_TEXT_MAX];
    switch (v->block_mode) {
    case BLOCK_NULL:
        strbuf_str(out, "0.0.0.0, ::");
        break;
    case BLOCK_NXDOMAIN:
        strbuf_str(out, "NXDOMAIN");
        break;
    case BLOCK_NODATA:
        strbuf_str(out, "no data");
        break;
    case BLOCK_REFUSED:
        strbuf_str(out, "REFUSED");
        break;
    case BLOCK_ADDRESS:
        ip_format(&v->block_v4, v4);
        ip_format(&v->block_v6, v6);
        strbuf_printf(out, "%s, %s", v4, v6);
        break;
    }
}

static json_t *client_object(const struct call *c, const struct ip_addr *client,
                             const struct api_verdict *v)
{
    char addr[IP_TEXT_MAX], name[DNS_NAME_TEXT];
    ip_format(client, addr);
    enum api_name_source source = client_name_of(c->api, client, name);
    return json_pack("{s:s, s:o, s:s, s:s}", "ip", addr, "name", json_text_or_null(name),
                     "name_source", name_source_text(source), "group", v->groups);
}

/* The rule that decides, out of the matches; null if nothing speaks of the name. */
static json_t *decided_object(const struct call *c, const struct dns_name *name,
                              const struct api_verdict *v, json_t *others)
{
    json_t *decided = NULL;
    if (is_reason(v, "local record")) {
        decided = builtin_object(name, "local");
    } else if (is_reason(v, "special-use name")) {
        decided = builtin_object(name, "special");
    }
    for (uint32_t i = 0; i < v->count && i < API_MATCHES_MAX; i++) {
        if (!decided && v->match[i].wins) {
            decided = match_object(c, &v->match[i]);
        } else if (json_array_size(others) < OTHERS_MAX) {
            json_array_append_new(others, match_object(c, &v->match[i]));
        }
    }
    return decided ? decided : json_null();
}

/* ---- Step by step. ---- */

static void add_step(json_t *steps, const char *step, const char *a, const char *b, const char *d)
{
    char text[2 * API_WHY_TEXT + 2 * DNS_NAME_TEXT];
    struct strbuf s;
    strbuf_init(&s, text, sizeof text);
    strbuf_str(&s, a);
    strbuf_str(&s, b);
    strbuf_str(&s, d);
    json_array_append_new(steps, json_pack("{s:s, s:o}", "step", step, "text", json_text(text)));
}

/* "denied by rule 5: ads.example" … */
static void write_match(const struct call *c, const struct api_match *m, struct strbuf *out)
{
    char name[DNS_NAME_TEXT];
    dns_name_format(&m->rule, name);
    strbuf_str(out, m->important ? "important: " : "");
    strbuf_str(out, m->allow ? "allowed by " : "blocked by ");
    if (m->service.len > 0) {
        strbuf_printf(out, "service %.*s: ", (int)m->service.len, (const char *)m->service.ptr);
    } else if (m->list == 0) {
        strbuf_printf(out, "own rule %u: ", m->line);
    } else {
        strbuf_printf(out, "%s, line %u: ", list_name_of(c->api, m->list), m->line);
    }
    if (m->regex.len > 0) {
        strbuf_bytes(out, m->regex.ptr, m->regex.len);
    } else {
        strbuf_printf(out, "%s%s", name, m->subtree ? " and all below" : "");
    }
}

/* Of own rules, or of lists: the one that decides, else what stands behind another. */
static void add_match_step(const struct call *c, json_t *steps, const struct api_verdict *v,
                           bool lists)
{
    char text[API_WHY_TEXT + DNS_NAME_TEXT];
    struct strbuf s;
    const struct api_match *found = NULL;
    strbuf_init(&s, text, sizeof text);
    for (uint32_t i = 0; i < v->count && !(found && found->wins); i++) {
        if ((v->match[i].list != 0) == lists && (!found || v->match[i].wins)) {
            found = &v->match[i];
        }
    }
    if (found) {
        write_match(c, found, &s);
        strbuf_str(&s, found->wins ? "" : " (a step above decides)");
    } else {
        strbuf_str(&s, lists ? "no list that counts here speaks of the name"
                             : "no rule that counts here speaks of the name");
    }
    add_step(steps, lists ? "lists" : "own rules", s.text, "", "");
}

/* "192.0.2.20 (laptop, by a DHCP lease)" */
static void write_client(const struct call *c, const struct ip_addr *client, struct strbuf *out)
{
    static const char *const by[] = {"",
                                     "by a person",
                                     "by a local record",
                                     "by a DHCP lease",
                                     "by the router",
                                     "by itself, over mDNS"};
    char addr[IP_TEXT_MAX], name[DNS_NAME_TEXT];
    enum api_name_source source = client_name_of(c->api, client, name);
    ip_format(client, addr);
    strbuf_str(out, addr);
    if (source != API_NAME_NONE) {
        strbuf_printf(out, " (%s, named %s)", name, by[source]);
    }
}

static json_t *steps_array(const struct call *c, const struct dns_name *name,
                           const struct api_verdict *v, const struct ip_addr *client)
{
    json_t *steps = json_array();
    char text[DNS_NAME_TEXT], who[DNS_NAME_TEXT + 128] = "anybody";
    struct strbuf s;
    dns_name_format(name, text);
    strbuf_init(&s, who, sizeof who);
    if (client) {
        write_client(c, client, &s);
    } else {
        strbuf_str(&s, "anybody");
    }
    add_step(steps, "client", who,
             v->entry[0] ? " is described by " : " is not described: in the group of everybody",
             v->entry);
    add_step(steps, "groups", v->groups[0] ? v->groups : "none: nothing is blocked", "", "");
    if (v->no_clock) {
        add_step(steps, "schedule", "no clock is known: the stricter side holds", "", "");
    }
    add_step(steps, "schedule", v->schedule[0] ? "in force: " : "none is in force", v->schedule,
             "");
    add_step(steps, "pause", v->pause[0] ? "not blocked now, paused: " : "nothing is paused",
             v->pause, "");
    if (is_reason(v, "local record")) {
        add_step(steps, "local", "a local record answers ", text, "");
    }
    if (v->at_times) {
        add_step(steps, "schedule", "blocked at this time, as no own rule allows it", "", "");
    }
    add_match_step(c, steps, v, false);
    add_match_step(c, steps, v, true);
    if (is_reason(v, "special-use name")) {
        add_step(steps, "special", "a name for special use, answered here: ", text, "");
    }
    return steps;
}

/* ---- What would be different. ---- */

static bool same_source(const struct api_match *a, const struct api_match *b)
{
    return a->list == b->list &&
           (a->list != 0 || (a->line == b->line && a->service.ptr == b->service.ptr));
}

/* What is left to decide if one list or rule is off: matches stand in the order of their ranks. */
static const char *verdict_without(const struct api_verdict *v, const struct api_match *off)
{
    for (uint32_t i = 0; i < v->count; i++) {
        const struct api_match *m = &v->match[i];
        if (m->list == 0 && m->allow && !same_source(m, off)) {
            return "allowed";
        }
    }
    if (v->at_times || is_reason(v, "schedule")) {
        return "blocked";
    }
    for (uint32_t i = 0; i < v->count; i++) {
        if (!same_source(&v->match[i], off)) {
            return v->match[i].allow ? "allowed" : "blocked";
        }
    }
    return "allowed";
}

/* For each list and rule that speaks of the name, what would come of it without that one. */
static json_t *without_array(const struct call *c, const struct api_verdict *v, bool local)
{
    json_t *array = json_array();
    for (uint32_t i = 0; !local && v->left_off == 0 && i < v->count; i++) {
        const struct api_match *m = &v->match[i];
        bool told = false;
        for (uint32_t k = 0; k < i; k++) {
            told |= same_source(&v->match[k], m);
        }
        if (!told) {
            json_array_append_new(array, json_pack("{s:o, s:s}", "off", match_object(c, m),
                                                   "verdict", verdict_without(v, m)));
        }
    }
    return array;
}

void view_check(struct call *c)
{
    char text[DNS_NAME_TEXT], client_text[256], answer[128];
    struct dns_name name;
    struct ip_addr client;
    struct api_verdict *v = &c->api->verdict;
    struct strbuf a;
    if (!param_text(c, "domain", text, sizeof text) ||
        dns_name_parse(span_str(text), &name) != ERR_OK) {
        bad_request(c, "Missing or invalid \"domain\": not a domain name");
        return;
    }
    bool named = param_text(c, "client", client_text, sizeof client_text) && client_text[0];
    if (named && !client_by_text(c, client_text, &client)) {
        bad_request(c, "Invalid \"client\": neither an address nor a device that is known here");
        return;
    }
    int64_t at = param_number(c, "at", 0, AT_MAX, 0);
    memset(v, 0, sizeof *v);
    enum err e = c->api->be->explain(c->api->be->ctx, &name, named ? &client : NULL, at, v);
    if (e != ERR_OK) {
        reply_rules_error(c, e, NULL, NULL);
        return;
    }
    bool local = is_reason(v, "local record") || is_reason(v, "special-use name");
    bool blocked = !local && (v->blocked || v->paused);
    strbuf_init(&a, answer, sizeof answer);
    if (blocked) {
        block_answer(v, &a);
    }
    list_names_load(c->api);
    json_t *others = json_array();
    json_t *decided = decided_object(c, &name, v, others);
    reply_json(c, 200,
               json_pack("{s:o, s:o, s:s, s:b, s:o, s:o, s:o, s:I, s:o, s:o}", "domain",
                         json_name(&name), "client",
                         named ? client_object(c, &client, v) : json_null(), "verdict",
                         local     ? "local"
                         : blocked ? "blocked"
                                   : "allowed",
                         "paused", (int)(v->pause[0] != '\0'), "answer",
                         blocked ? json_string(answer) : json_null(), "decided_by", decided,
                         "others", others, "left_off", (json_int_t)v->left_off, "steps",
                         steps_array(c, &name, v, named ? &client : NULL), "without",
                         without_array(c, v, local)));
}

/* --- Pi-hole's way to ask -------------------------------------------------------------------- */

static void add_found(struct call *c, json_t *domains, json_t *gravity, const struct api_match *m)
{
    struct api_list list;
    struct rule_view own;
    char name[DNS_NAME_TEXT];
    dns_name_format(&m->rule, name);
    if (m->list != 0 && list_by_id(c->api, m->list, &list)) {
        json_array_append_new(
            gravity,
            json_pack("{s:s, s:o, s:n, s:b, s:I, s:s, s:I, s:I, s:[i]}", "domain", name, "address",
                      json_text(list.url), "comment", "enabled", (int)list.enabled, "id",
                      (json_int_t)list.id, "type", list.allow ? "allow" : "block", "number",
                      (json_int_t)list.rules, "status", (json_int_t)list.status, "groups", 0));
    }
    for (uint32_t i = 0; m->list == 0 && rules_own_at(c->api->rules, i, &own); i++) {
        if (own.id == m->line) {
            json_array_append_new(
                domains,
                json_pack("{s:s, s:o, s:b, s:s, s:s, s:O, s:I}", "domain", own.written, "comment",
                          json_text_or_null(own.comment), "enabled", (int)own.enabled, "type",
                          own.allow ? "allow" : "deny", "kind", own.regex_form ? "regex" : "exact",
                          "groups", own.groups, "id", (json_int_t)own.id));
        }
    }
}

void view_search(struct call *c)
{
    struct dns_name name;
    struct api_verdict *v = &c->api->verdict;
    if (dns_name_parse(span_str(c->param[0]), &name) != ERR_OK) {
        bad_request(c, "Not a domain name");
        return;
    }
    memset(v, 0, sizeof *v);
    enum err e = c->api->be->explain(c->api->be->ctx, &name, NULL, 0, v);
    if (e != ERR_OK) {
        reply_rules_error(c, e, NULL, NULL);
        return;
    }
    json_t *domains = json_array(), *gravity = json_array();
    for (uint32_t i = 0; i < v->count && i < API_MATCHES_MAX; i++) {
        add_found(c, domains, gravity, &v->match[i]);
    }
    json_int_t own = (json_int_t)json_array_size(domains),
               listed = (json_int_t)json_array_size(gravity);
    json_t *results = json_pack("{s:{s:I, s:I}, s:{s:I, s:I}, s:I}", "domains", "exact", own,
                                "regex", (json_int_t)0, "gravity", "allow", (json_int_t)0, "block",
                                listed, "total", own + listed);
    json_t *parameters = json_pack("{s:I, s:b, s:o, s:b}", "N", (json_int_t)API_MATCHES_MAX,
                                   "partial", 0, "domain", json_name(&name), "debug", 0);
    reply_json(c, 200,
               json_pack("{s:{s:o, s:o, s:o, s:o}}", "search", "domains", domains, "gravity",
                         gravity, "results", results, "parameters", parameters));
}
