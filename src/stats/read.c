/*
 * Reading the statistics: everything is as of the last stats_collect, so what one reader puts
 * together fits together.
 */
#include <string.h>

#include "base/require.h"
#include "stats/stats_int.h"

static void add_slot(struct stats_totals *t, const struct series_slot *slot)
{
    for (int i = 0; i < QUERY_STATUS_COUNT; i++) {
        t->status[i] += slot->status[i];
    }
    for (int i = 0; i < REPLY_COUNT; i++) {
        t->reply[i] += slot->reply[i];
    }
    for (int i = 0; i < STATS_TYPE_COUNT; i++) {
        t->type[i] += slot->type[i];
    }
}

static void add_outcomes(struct stats_totals *t)
{
    for (int i = 0; i < QUERY_STATUS_COUNT; i++) {
        enum query_outcome o = query_outcome_of((enum query_status)i);
        t->outcome[o] += t->status[i];
        t->total += o == OUTCOME_IGNORED ? 0 : t->status[i];
    }
}

void stats_day(const struct stats *s, struct stats_totals *out)
{
    *out = (struct stats_totals){0};
    for (uint32_t ago = 0; ago < DAY_SLOTS - 1; ago++) {
        add_slot(out, series_at(&s->series[TIMELINE_10MIN], ago));
    }
    add_outcomes(out);
}

void stats_ever(const struct stats *s, struct stats_totals *out)
{
    *out = (struct stats_totals){0};
    memcpy(out->status, s->ever_status, sizeof out->status);
    memcpy(out->reply, s->ever_reply, sizeof out->reply);
    memcpy(out->type, s->ever_type, sizeof out->type);
    add_outcomes(out);
}

int64_t stats_since_unix(const struct stats *s)
{
    return s->since_unix;
}

#define SUM_OVER_WORKERS(s, sum, cell)                                   \
    for (uint32_t i_ = 0; i_ < (s)->attached_count; i_++) {              \
        (sum) += counter_read(&(s)->attached[i_].worker->counters.cell); \
    }

uint64_t stats_counter(const struct stats *s, enum stats_counter c)
{
    uint64_t sum = 0;
    SUM_OVER_WORKERS(s, sum, row[c])
    return sum;
}

uint64_t stats_status_counter(const struct stats *s, enum query_status status)
{
    uint64_t sum = 0;
    SUM_OVER_WORKERS(s, sum, status[status])
    return sum;
}

uint64_t stats_reply_counter(const struct stats *s, enum query_reply reply)
{
    uint64_t sum = 0;
    SUM_OVER_WORKERS(s, sum, reply[reply])
    return sum;
}

uint64_t stats_type_counter(const struct stats *s, enum query_type type)
{
    uint64_t sum = 0;
    SUM_OVER_WORKERS(s, sum, type[type])
    return sum;
}

uint32_t stats_unique_names(const struct stats *s)
{
    return uniq_count(&s->names);
}

uint32_t stats_rate_milli(const struct stats *s)
{
    const struct series *fine = &s->series[TIMELINE_10S];
    struct stats_totals t = {0};
    for (uint32_t ago = 0; ago < 6; ago++) {
        add_slot(&t, series_at(fine, ago));
    }
    add_outcomes(&t);
    /* Five whole slots and the part of the current one that has passed. */
    int64_t span = 50 + stats_unix_s(s) - series_start(fine, 0) + 1;
    return (uint32_t)(t.total * 1000 / (uint64_t)(span < 50 ? 50 : span));
}

const struct hist *stats_latency(const struct stats *s, enum query_outcome outcome)
{
    REQUIRE(outcome < OUTCOME_COUNT);
    return &s->latency[outcome];
}

uint32_t stats_recent_latency(const struct stats *s, enum query_outcome outcome, struct hist *out)
{
    REQUIRE(outcome < OUTCOME_COUNT);
    *out = s->recent[0][outcome];
    hist_merge(out, &s->recent[1][outcome]);
    uint64_t running = (s->now - s->start) / USEC_PER_SEC;
    int64_t window = stats_unix_s(s) - series_start(&s->series[TIMELINE_1H], s->hour > 0 ? 1 : 0);
    return window > 0 && (uint64_t)window < running ? (uint32_t)window : (uint32_t)running;
}

/* --- timelines ------------------------------------------------------------------------------- */

uint32_t stats_timeline_slots(const struct stats *s, enum stats_timeline t)
{
    return s->series[t].cap;
}

uint32_t stats_timeline_seconds(const struct stats *s, enum stats_timeline t)
{
    return s->series[t].slot_s;
}

bool stats_timeline_at(const struct stats *s, enum stats_timeline t, uint32_t ago,
                       struct stats_slot *out)
{
    const struct series *series = &s->series[t];
    if (ago >= series->cap) {
        return false;
    }
    struct stats_totals sums = {0};
    add_slot(&sums, series_at(series, ago));
    add_outcomes(&sums);
    out->start_unix = series_start(series, ago);
    out->total = sums.total;
    memcpy(out->outcome, sums.outcome, sizeof out->outcome);
    return true;
}

/* --- top lists ------------------------------------------------------------------------------- */

uint32_t stats_top_names(const struct stats *s, bool blocked, struct stats_name *out, uint32_t n)
{
    struct topk_row *rows = s->scratch;
    n = n < STATS_TOP_READ_MAX ? n : STATS_TOP_READ_MAX;
    uint32_t found = topk_read(blocked ? &s->blocked : &s->permitted, rows, n);
    uint32_t count = 0;
    for (uint32_t i = 0; i < found; i++) {
        struct stats_name *name = &out[count];
        if (dns_name_from_wire(rows[i].key, rows[i].key_len, &name->name) == ERR_OK) {
            name->count = rows[i].count;
            name->error = rows[i].err;
            count++;
        }
    }
    return count;
}

static int64_t to_unix_s(const struct stats *s, int64_t time)
{
    return (time + s->offset_us) / 1000000;
}

static void fill_client(const struct stats *s, uint32_t row, struct stats_client *out)
{
    const struct client *c = &s->clients.row[row];
    *out = (struct stats_client){.addr = c->addr,
                                 .total = c->total,
                                 .blocked = c->blocked,
                                 .first_seen_unix = to_unix_s(s, c->first_seen),
                                 .last_seen_unix = to_unix_s(s, c->last_seen),
                                 .row = row};
}

static bool client_before(const struct client *a, const struct client *b, bool blocked)
{
    uint64_t na = blocked ? a->blocked : a->total, nb = blocked ? b->blocked : b->total;
    return na != nb ? na > nb : memcmp(a->addr.b, b->addr.b, sizeof a->addr.b) < 0;
}

uint32_t stats_top_clients(const struct stats *s, bool blocked, struct stats_client *out,
                           uint32_t n)
{
    uint32_t rows[STATS_TOP_READ_MAX];
    uint32_t count = 0;
    n = n < STATS_TOP_READ_MAX ? n : STATS_TOP_READ_MAX;
    for (uint32_t e = 0; n > 0 && e < s->clients.count; e++) {
        const struct client *c = &s->clients.row[e];
        if ((blocked ? c->blocked : c->total) == 0) {
            continue;
        }
        uint32_t at = count < n ? count : n - 1;
        if (count == n && !client_before(c, &s->clients.row[rows[at]], blocked)) {
            continue;
        }
        while (at > 0 && client_before(c, &s->clients.row[rows[at - 1]], blocked)) {
            rows[at] = rows[at - 1];
            at--;
        }
        rows[at] = e;
        count += count < n;
    }
    for (uint32_t i = 0; i < count; i++) {
        fill_client(s, rows[i], &out[i]);
    }
    return count;
}

uint32_t stats_clients_known(const struct stats *s)
{
    return s->clients.count;
}

uint32_t stats_clients_active(const struct stats *s)
{
    uint32_t n = 0;
    for (uint32_t e = 0; e < s->clients.count; e++) {
        n += s->clients.row[e].total > 0;
    }
    return n;
}

bool stats_client_find(const struct stats *s, const struct ip_addr *addr, struct stats_client *out)
{
    const struct client *c = clients_find(&s->clients, addr);
    if (!c) {
        return false;
    }
    fill_client(s, (uint32_t)(c - s->clients.row), out);
    return true;
}

uint32_t stats_client_slot(const struct stats *s, uint32_t row, uint32_t ago, uint32_t *blocked)
{
    REQUIRE(row < s->clients.count && ago < CLIENTS_SLOTS);
    uint32_t at = clients_slot_at(&s->clients, ago);
    if (blocked) {
        *blocked = s->clients.row[row].slot_blocked[at];
    }
    return s->clients.row[row].slot_total[at];
}

/* --- upstreams, lists ------------------------------------------------------------------------ */

bool stats_upstream_at(const struct stats *s, uint32_t row, struct stats_upstream_use *out)
{
    if (row >= STATS_UPSTREAM_ROWS || !s->upstream[row].used) {
        return false;
    }
    const struct upstream_row *u = &s->upstream[row];
    uint64_t samples = 0;
    double sum = 0, squares = 0;
    *out = (struct stats_upstream_use){
        .upstream = u->upstream, .current = u->current, .ever = u->ever};
    for (int h = 0; h < STATS_HOURS; h++) {
        out->count += u->count[h];
        samples += u->samples[h];
        sum += u->sum_us[h];
        squares += u->squares_us2[h];
    }
    if (samples > 0) {
        double mean = sum / (double)samples;
        double variance = squares / (double)samples - mean * mean;
        out->response_s = mean / 1e6;
        out->variance_s2 = variance > 0 ? variance / 1e12 : 0;
    }
    return true;
}

void stats_list_use(const struct stats *s, uint32_t list_id, struct stats_list_use *out)
{
    *out = (struct stats_list_use){0};
    for (int i = 0; list_id != 0 && i < STATS_LISTS_MAX; i++) {
        if (s->list[i].id == list_id) {
            out->ever = s->list[i].ever;
            for (int h = 0; h < STATS_HOURS; h++) {
                out->day += s->list[i].hour[h];
            }
            return;
        }
    }
}

/* --- the log --------------------------------------------------------------------------------- */

uint64_t stats_log_first(const struct stats *s)
{
    return s->log.first;
}

uint64_t stats_log_next(const struct stats *s)
{
    return s->log.next;
}

bool stats_log_at(const struct stats *s, uint64_t id, struct stats_log_entry *out)
{
    const struct ring_record *rec = qlog_at(&s->log, id);
    if (!rec) {
        return false;
    }
    const uint8_t *names = (const uint8_t *)(rec + 1);
    *out = (struct stats_log_entry){
        .id = id,
        .unix_us = (int64_t)rec->time + s->offset_us,
        .latency_us = rec->latency_us,
        .list_id = rec->list_id,
        .upstream = rec->upstream == STATS_NO_UPSTREAM ? -1 : rec->upstream,
        .qtype = rec->qtype,
        .status = (enum query_status)rec->status,
        .reply = (enum query_reply)rec->reply,
        .rcode = rec->rcode,
        .ede = rec->ede,
        .flags = rec->flags,
        .match_labels = rec->match_labels,
        .qname = span_of(names, rec->qname_len),
        .cname = span_of(names + rec->qname_len, rec->cname_len),
    };
    memcpy(out->client.b, rec->client, sizeof rec->client);
    return true;
}

uint32_t stats_daily_changed(const struct stats *s)
{
    return s->daily.generation;
}

uint32_t stats_daily_names(const struct stats *s, struct strbuf *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < DAILY_NAMES; i++) {
        const struct daily_name *n = &s->daily.name[i];
        char text[DNS_NAME_TEXT];
        struct dns_name name;
        if (daily_is_used(n) && dns_name_from_wire(n->wire, n->len, &name) == ERR_OK) {
            dns_name_format(&name, text);
            strbuf_str(out, text);
            strbuf_char(out, '\n');
            count++;
        }
    }
    return count;
}
