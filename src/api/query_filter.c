/* Filters of the query log; see query_filter.h. */
#include "api/query_filter.h"

#include <string.h>

#include "dns/msg.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Greedy with one point to come back to: O(pattern * text). */
bool wildcard_matches(const char *pattern, const char *text)
{
    const char *star = NULL, *resume = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern && lower(*pattern) == lower(*text)) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

void upstream_text(const struct stats *s, int row, char out[300])
{
    struct stats_upstream_use use;
    struct strbuf text;
    strbuf_init(&text, out, 300);
    if (row < 0 || !stats_upstream_at(s, (uint32_t)row, &use)) {
        return;
    }
    char ip[IP_TEXT_MAX];
    ip_format(&use.upstream.endpoint.addr, ip);
    strbuf_printf(&text, "%s#%u", use.upstream.name[0] ? use.upstream.name : ip,
                  (unsigned)use.upstream.endpoint.port);
}

/* --- reading --------------------------------------------------------------------------------- */

/* A text parameter; what does not fit can match nothing. */
static void read_text(const struct call *c, struct query_filter *f, const char *name, char *out,
                      size_t cap)
{
    char probe[2048];
    if (!param_text(c, name, out, cap)) {
        out[0] = '\0';
        f->nothing = f->nothing || (param_text(c, name, probe, sizeof probe) && probe[0] != '\0');
    }
    f->everything = f->everything && out[0] == '\0' && !f->nothing;
}

static void read_upstream(struct query_filter *f)
{
    static const struct {
        const char *word;
        enum filter_group group;
    } words[] = {
        {"blocklist", GROUP_BLOCKED}, {"cache", GROUP_CACHED}, {"permitted", GROUP_PERMITTED}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(f->upstream, words[i].word) == 0) {
            f->group = words[i].group;
            f->upstream[0] = '\0';
        }
    }
}

static uint32_t statuses_of(const char *text)
{
    uint32_t set = 0;
    for (int i = 0; i < QUERY_STATUS_COUNT; i++) {
        if (wildcard_matches(text, query_status_name((enum query_status)i)) ||
            wildcard_matches(text, query_status_label((enum query_status)i))) {
            set |= 1U << i;
        }
    }
    return set;
}

static uint32_t replies_of(const char *text)
{
    uint32_t set = 0;
    for (int i = 0; i < REPLY_COUNT; i++) {
        if (wildcard_matches(text, query_reply_name((enum query_reply)i))) {
            set |= 1U << i;
        }
    }
    return set;
}

void query_filter_read(const struct call *c, struct query_filter *out)
{
    char text[64];
    *out =
        (struct query_filter){.span = param_span(c), .statuses = UINT32_MAX, .replies = UINT32_MAX};
    out->everything = !out->span.given;
    read_text(c, out, "domain", out->domain, sizeof out->domain);
    read_text(c, out, "client_ip", out->client_ip, sizeof out->client_ip);
    read_text(c, out, "client_name", out->client_name, sizeof out->client_name);
    read_text(c, out, "upstream", out->upstream, sizeof out->upstream);
    read_text(c, out, "type", out->type, sizeof out->type);
    read_upstream(out);
    read_text(c, out, "status", text, sizeof text);
    out->statuses = text[0] ? statuses_of(text) : UINT32_MAX;
    read_text(c, out, "reply", text, sizeof text);
    out->replies = text[0] ? replies_of(text) : UINT32_MAX;
    read_text(c, out, "dnssec", text, sizeof text);
    out->nothing = out->nothing || (text[0] && !wildcard_matches(text, "UNKNOWN"));
    out->everything = out->everything && !out->nothing;
}

/* --- asking the history ----------------------------------------------------------------------- */

static void copy(char *to, size_t cap, const char *from)
{
    struct strbuf s;
    strbuf_init(&s, to, cap);
    strbuf_str(&s, from);
}

/* Names of clients are not in the history, but addresses are: those that are known by such a name
 * now. More than fit: all rows are taken and judged one by one. */
static void narrow_clients(const struct api *a, const struct query_filter *f,
                           struct history_ask *ask)
{
    struct stats_client known[STATS_TOP_READ_MAX];
    char text[DNS_NAME_TEXT];
    uint32_t n = stats_top_clients(a->stats, false, known, STATS_TOP_READ_MAX);
    ask->client_count = 0;
    for (uint32_t i = 0; i < n; i++) {
        client_name_of(a, &known[i].addr, text);
        if (!wildcard_matches(f->client_name, text)) {
            continue;
        }
        if (ask->client_count == HISTORY_CLIENTS_ASKED) {
            ask->client_count = UINT32_MAX;
            return;
        }
        ask->client[ask->client_count++] = known[i].addr;
    }
}

static bool group_takes(enum filter_group group, enum query_outcome outcome);

void query_filter_ask(const struct api *a, const struct query_filter *f, struct history_ask *ask)
{
    *ask = (struct history_ask){.what = HISTORY_ROWS,
                                .from_us = f->span.from_us,
                                .until_us = f->span.until_us,
                                .statuses = f->statuses,
                                .replies = f->replies,
                                .client_count = UINT32_MAX};
    for (int i = 0; i < QUERY_STATUS_COUNT; i++) {
        if (!group_takes(f->group, query_outcome_of((enum query_status)i))) {
            ask->statuses &= ~(1U << i);
        }
    }
    copy(ask->domain, sizeof ask->domain, f->domain);
    copy(ask->client_ip, sizeof ask->client_ip, f->client_ip);
    copy(ask->upstream, sizeof ask->upstream, f->upstream);
    copy(ask->type, sizeof ask->type, f->type);
    if (f->client_name[0]) {
        narrow_clients(a, f, ask);
    }
}

/* --- judging --------------------------------------------------------------------------------- */

static bool group_takes(enum filter_group group, enum query_outcome outcome)
{
    switch (group) {
    case GROUP_ANY:
        return true;
    case GROUP_BLOCKED:
        return outcome == OUTCOME_BLOCKED;
    case GROUP_CACHED:
        return outcome == OUTCOME_CACHED || outcome == OUTCOME_LOCAL;
    case GROUP_PERMITTED:
        return outcome != OUTCOME_BLOCKED && outcome != OUTCOME_IGNORED;
    }
    return false;
}

static bool name_takes(const char *pattern, struct span wire)
{
    struct dns_name name;
    char text[DNS_NAME_TEXT];
    if (wire.len == 0 || dns_name_from_wire(wire.ptr, wire.len, &name) != ERR_OK) {
        return false;
    }
    dns_name_format(&name, text);
    return wildcard_matches(pattern, text);
}

static bool client_takes(const struct api *a, const struct query_filter *f,
                         const struct ip_addr *client)
{
    char text[DNS_NAME_TEXT];
    if (f->client_ip[0]) {
        ip_format(client, text);
        if (!wildcard_matches(f->client_ip, text)) {
            return false;
        }
    }
    if (f->client_name[0]) {
        client_name_of(a, client, text);
        return wildcard_matches(f->client_name, text);
    }
    return true;
}

bool query_filter_takes(const struct api *a, const struct query_filter *f,
                        const struct stats_log_entry *e, const char *upstream)
{
    if (f->everything) {
        return true;
    }
    char text[300];
    if (f->nothing || e->unix_us < f->span.from_us || e->unix_us >= f->span.until_us ||
        !(f->statuses >> e->status & 1) || !(f->replies >> e->reply & 1) ||
        !group_takes(f->group, query_outcome_of(e->status))) {
        return false;
    }
    if (f->type[0] && !wildcard_matches(f->type, dns_type_format(e->qtype, text))) {
        return false;
    }
    if (f->upstream[0]) {
        if (!upstream) {
            upstream_text(a->stats, e->upstream, text);
            upstream = text;
        }
        if (!wildcard_matches(f->upstream, upstream)) {
            return false;
        }
    }
    return client_takes(a, f, &e->client) && (!f->domain[0] || name_takes(f->domain, e->qname));
}
