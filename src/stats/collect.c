/*
 * The collector: takes over what workers counted and recorded. Counts come from the counters and
 * are exact even when rings overflow; names, clients, latencies and the log come from the rings.
 * Everything that ages is rotated here, by wall time in slots and hours, so that readers only add
 * up.
 *
 * The wall clock is used for alignment alone. When it is set, the series are re-dated by the step
 * instead of growing a gap or going backwards: the old time was wrong for what was recorded, too.
 */
#include <string.h>

#include "base/require.h"
#include "stats/stats_int.h"

enum { STEP_US_MAX = 60 * 1000000 };

static const struct {
    uint32_t slot_s, slots;
} timelines[TIMELINE_COUNT] = {
    [TIMELINE_10S] = {10, 61},
    [TIMELINE_1MIN] = {60, 61},
    [TIMELINE_10MIN] = {600, DAY_SLOTS},
    [TIMELINE_1H] = {3600, MONTH_SLOTS},
};

static bool config_is_valid(const struct stats_config *cfg)
{
    return cfg->workers_max >= 1 && cfg->workers_max <= STATS_WORKERS_MAX &&
           cfg->log_entries >= STATS_LOG_MIN && cfg->log_entries <= STATS_LOG_MAX &&
           cfg->top_names >= STATS_TOP_MIN && cfg->top_names <= STATS_TOP_MAX &&
           cfg->top_clients >= 16 && cfg->top_clients <= STATS_TOP_MAX;
}

size_t stats_memory(const struct stats_config *cfg)
{
    size_t size = sizeof(struct stats) + cfg->workers_max * sizeof(struct attached);
    for (int t = 0; t < TIMELINE_COUNT; t++) {
        size += timelines[t].slots * sizeof(struct series_slot) + CACHE_LINE;
    }
    size += 2 * topk_memory(cfg->top_names, DNS_NAME_MAX);
    size += DAILY_NAMES * sizeof(struct daily_name);
    size += UNIQ_HOURS * (UNIQ_REGISTERS + CACHE_LINE);
    size += clients_memory(cfg->top_clients);
    size += qlog_memory(cfg->log_entries);
    size += STATS_TOP_READ_MAX * sizeof(struct topk_row);
    return size + 4 * CACHE_LINE;
}

static struct siphash_key read_key(const uint8_t octets[16])
{
    return (struct siphash_key){.k0 = le64_read(octets), .k1 = le64_read(octets + 8)};
}

enum err stats_init(struct stats **out, void *mem, size_t len, const struct stats_config *cfg,
                    usec_t now, int64_t now_unix_us, const uint8_t hash_key[16])
{
    if (!config_is_valid(cfg)) {
        return ERR_RANGE;
    }
    struct arena a;
    arena_init(&a, mem, len);
    struct stats *s = ARENA_NEW(&a, struct stats);
    if (!s) {
        return ERR_SPACE;
    }
    s->key = read_key(hash_key);
    s->now = now;
    s->offset_us = now_unix_us - (int64_t)now;
    s->since_unix = stats_unix_s(s);
    s->start = now;
    s->attached_max = cfg->workers_max;
    s->attached = ARENA_ARRAY(&a, struct attached, cfg->workers_max);
    s->scratch = ARENA_ARRAY(&a, struct topk_row, STATS_TOP_READ_MAX);
    bool ok = s->attached != NULL && s->scratch != NULL;
    for (int t = 0; ok && t < TIMELINE_COUNT; t++) {
        ok = series_init(&s->series[t], &a, timelines[t].slot_s, timelines[t].slots,
                         stats_unix_s(s));
    }
    ok = ok && topk_init(&s->permitted, &a, cfg->top_names, DNS_NAME_MAX) &&
         topk_init(&s->blocked, &a, cfg->top_names, DNS_NAME_MAX) && daily_init(&s->daily, &a) &&
         uniq_init(&s->names, &a) && clients_init(&s->clients, &a, cfg->top_clients, s->key) &&
         qlog_init(&s->log, &a, cfg->log_entries);
    if (!ok) {
        return ERR_SPACE;
    }
    memset(s->upstream_map, 0xff, sizeof s->upstream_map);
    memset(s->list_map, 0xff, sizeof s->list_map);
    *out = s;
    return ERR_OK;
}

enum err stats_attach(struct stats *s, struct stats_worker *w)
{
    if (s->attached_count == s->attached_max) {
        return ERR_LIMIT;
    }
    s->attached[s->attached_count++].worker = w;
    return ERR_OK;
}

uint64_t stats_hash_name(const struct stats *s, const uint8_t *wire, size_t len)
{
    return siphash13(s->key, wire, len);
}

/* --- time ------------------------------------------------------------------------------------ */

static void follow_clock(struct stats *s, usec_t now, int64_t now_unix_us)
{
    int64_t offset = now_unix_us - (int64_t)now;
    int64_t step = offset - s->offset_us;
    s->now = now;
    s->offset_us = offset;
    if (step > STEP_US_MAX || step < -STEP_US_MAX) {
        for (int t = 0; t < TIMELINE_COUNT; t++) {
            series_redate(&s->series[t], step / 1000000);
        }
        s->since_unix += step / 1000000;
    }
}

static void next_hour(struct stats *s, uint32_t hours)
{
    for (uint32_t i = 0; i < hours && i < STATS_HOURS; i++) {
        s->hour++;
        uint32_t h = s->hour % STATS_HOURS;
        memset(s->recent[s->hour % 2], 0, sizeof s->recent[0]);
        for (uint32_t u = 0; u < STATS_UPSTREAM_ROWS; u++) {
            s->upstream[u].count[h] = 0;
            s->upstream[u].samples[h] = 0;
            s->upstream[u].sum_us[h] = 0;
            s->upstream[u].squares_us2[h] = 0;
        }
        for (uint32_t l = 0; l < STATS_LISTS_MAX; l++) {
            s->list[l].hour[h] = 0;
        }
    }
    topk_next_hour(&s->permitted, hours);
    topk_next_hour(&s->blocked, hours);
    uniq_next_hour(&s->names, hours);
}

static uint32_t steps_between(int64_t before, int64_t after)
{
    int64_t n = after - before;
    return n > MONTH_SLOTS ? MONTH_SLOTS : (uint32_t)n;
}

static uint64_t hash_of(void *ctx, const uint8_t *wire, size_t len)
{
    return stats_hash_name(ctx, wire, len);
}

void stats_next_day(struct stats *s, uint32_t days)
{
    daily_pass(&s->daily, days, &s->permitted, s->scratch, hash_of, s);
}

static void rotate(struct stats *s)
{
    int64_t slot = s->series[TIMELINE_10MIN].newest;
    int64_t hour = s->series[TIMELINE_1H].newest;
    for (int t = 0; t < TIMELINE_COUNT; t++) {
        series_advance(&s->series[t], stats_unix_s(s));
    }
    uint32_t slots = steps_between(slot, s->series[TIMELINE_10MIN].newest);
    uint32_t hours = steps_between(hour, s->series[TIMELINE_1H].newest);
    if (slots > 0) {
        clients_next_slot(&s->clients, slots);
    }
    uint32_t days = steps_between(hour / 24, s->series[TIMELINE_1H].newest / 24);
    if (days > 0) {
        stats_next_day(s, days);
    }
    if (hours > 0) {
        next_hour(s, hours);
    }
}

/* --- counters -------------------------------------------------------------------------------- */

static uint32_t take_delta(const counter_cell *cell, uint64_t *taken)
{
    uint64_t value = counter_read(cell);
    uint64_t delta = value - *taken;
    *taken = value;
    return (uint32_t)delta;
}

static void take_totals(struct stats *s, struct attached *a)
{
    const struct counters *c = &a->worker->counters;
    struct series_slot d = {0};
    for (int i = 0; i < QUERY_STATUS_COUNT; i++) {
        d.status[i] = take_delta(&c->status[i], &a->status[i]);
        s->ever_status[i] += d.status[i];
    }
    for (int i = 0; i < REPLY_COUNT; i++) {
        d.reply[i] = take_delta(&c->reply[i], &a->reply[i]);
        s->ever_reply[i] += d.reply[i];
    }
    for (int i = 0; i < STATS_TYPE_COUNT; i++) {
        d.type[i] = take_delta(&c->type[i], &a->type[i]);
        s->ever_type[i] += d.type[i];
    }
    for (int t = 0; t < TIMELINE_COUNT; t++) {
        series_add(series_current(&s->series[t]), &d);
    }
}

static void take_indexed(struct stats *s, struct attached *a)
{
    const struct counters *c = &a->worker->counters;
    uint32_t h = s->hour % STATS_HOURS;
    for (int i = 0; i < STATS_UPSTREAMS_MAX; i++) {
        uint32_t n = take_delta(&c->upstream[i], &a->upstream[i]);
        if (n > 0 && s->upstream_map[i] >= 0) {
            s->upstream[s->upstream_map[i]].count[h] += n;
            s->upstream[s->upstream_map[i]].ever += n;
        }
    }
    for (int i = 0; i < STATS_LISTS_MAX; i++) {
        uint32_t n = take_delta(&c->list[i], &a->list[i]);
        if (n > 0 && s->list_map[i] >= 0) {
            struct list_row *row = &s->list[s->list_map[i]];
            row->hour[h] += n;
            row->ever += n;
        }
    }
}

/* --- events ---------------------------------------------------------------------------------- */

static int upstream_of(const struct stats *s, uint16_t index)
{
    return index < STATS_UPSTREAMS_MAX ? s->upstream_map[index] : -1;
}

static uint32_t list_id_of(const struct stats *s, uint16_t index)
{
    int row = index < STATS_LISTS_MAX ? s->list_map[index] : -1;
    return row >= 0 ? s->list[row].id : 0;
}

/* Junk must not push people's queries out of the log: only so many a second get in. */
static bool admit_ignored(struct stats *s, uint64_t time)
{
    uint64_t second = time / USEC_PER_SEC;
    if (second != s->ignored_second) {
        s->ignored_second = second;
        s->ignored_count = 0;
    }
    return s->ignored_count++ < IGNORED_PER_S;
}

static void add_response(struct stats *s, int row, uint32_t latency_us)
{
    struct upstream_row *u = &s->upstream[row];
    uint32_t h = s->hour % STATS_HOURS;
    double us = latency_us;
    u->samples[h]++;
    u->sum_us[h] += us;
    u->squares_us2[h] += us * us;
}

/* What may be kept of a record, in `veiled` if it is less than all; NULL: nothing. */
static const struct ring_record *veil(const struct stats *s, const struct ring_record *rec,
                                      struct ring_record *veiled)
{
    if (LIKELY(s->privacy == PRIVACY_FULL)) {
        return rec;
    }
    struct ip_addr client;
    memcpy(client.b, rec->client, sizeof client.b);
    memcpy(veiled, rec, s->privacy == PRIVACY_CLIENTS ? rec->size : (uint16_t)sizeof *rec);
    if (ip_is_v4(&client)) {
        veiled->client[15] = 0;
    } else {
        memset(veiled->client + 6, 0, 10);
    }
    if (s->privacy != PRIVACY_CLIENTS) {
        veiled->qname_len = veiled->cname_len = 0;
        veiled->size = sizeof *veiled;
    }
    return s->privacy == PRIVACY_NOTHING ? NULL : veiled;
}

static void work_up(struct stats *s, const struct ring_record *rec, uint64_t hash)
{
    union {
        struct ring_record record;
        uint8_t octets[RING_RECORD_MAX];
    } veiled;
    enum query_outcome outcome = query_outcome_of((enum query_status)rec->status);
    int upstream = upstream_of(s, rec->upstream);
    hist_add(&s->latency[outcome], rec->latency_us);
    hist_add(&s->recent[s->hour % 2][outcome], rec->latency_us);
    if (outcome == OUTCOME_FORWARDED && upstream >= 0) {
        add_response(s, upstream, rec->latency_us);
    }
    rec = veil(s, rec, &veiled.record);
    if (!rec) {
        return;
    }
    if (outcome == OUTCOME_IGNORED) {
        if (!admit_ignored(s, rec->time)) {
            return;
        }
    } else {
        bool blocked = outcome == OUTCOME_BLOCKED;
        struct ip_addr client;
        memcpy(client.b, rec->client, sizeof client.b);
        clients_add(&s->clients, &client, (int64_t)rec->time, blocked);
        if (rec->qname_len > 0) {
            uniq_add(&s->names, hash);
            topk_add(blocked ? &s->blocked : &s->permitted, hash, (const uint8_t *)(rec + 1),
                     rec->qname_len);
        }
    }
    struct ring_record *logged = qlog_append(&s->log, rec);
    logged->list_id = list_id_of(s, rec->list);
    logged->upstream = (uint16_t)upstream; /* -1 is STATS_NO_UPSTREAM */
}

static const struct ring_record *record_at(const struct ring *r, uint64_t pos)
{
    return (const struct ring_record *)(const void *)(r->data + (pos & (r->cap - 1)));
}

/* Hash the record's name and have its place in the tables fetched, for work_up some records later.
 */
static uint64_t foresee(const struct stats *s, const struct ring_record *rec)
{
    uint64_t hash = stats_hash_name(s, (const uint8_t *)(rec + 1), rec->qname_len);
    bool blocked = query_outcome_of((enum query_status)rec->status) == OUTCOME_BLOCKED;
    topk_prefetch(blocked ? &s->blocked : &s->permitted, hash);
    return hash;
}

/* Work up the records of one ring up to the time `until`; returns how many. */
static uint32_t drain(struct stats *s, struct attached *a, usec_t until)
{
    enum { AHEAD = 8 }; /* records in a batch */
    struct ring *r = &a->worker->ring;
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    uint32_t total = 0;
    bool more = true;
    while (more) {
        const struct ring_record *rec[AHEAD];
        uint64_t hash[AHEAD];
        uint32_t n = 0;
        for (; n < AHEAD; n++) {
            more = tail != a->head && record_at(r, tail)->time <= until;
            if (!more) {
                break;
            }
            rec[n] = record_at(r, tail);
            hash[n] = foresee(s, rec[n]);
            tail += rec[n]->size;
        }
        for (uint32_t i = 0; i < n; i++) {
            work_up(s, rec[i], hash[i]);
        }
        atomic_store_explicit(&r->tail, tail, memory_order_release);
        total += n;
    }
    return total;
}

/* The ring whose next record is the oldest, and the time of the next-oldest ring's; NULL: all are
 * read. */
static struct attached *oldest(struct stats *s, usec_t *until)
{
    struct attached *first = NULL;
    usec_t first_time = USEC_NEVER;
    *until = USEC_NEVER;
    for (uint32_t i = 0; i < s->attached_count; i++) {
        struct attached *a = &s->attached[i];
        struct ring *r = &a->worker->ring;
        uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
        if (tail == a->head) {
            continue;
        }
        usec_t time = record_at(r, tail)->time;
        if (first == NULL || time < first_time) {
            *until = first_time;
            first = a;
            first_time = time;
        } else if (time < *until) {
            *until = time;
        }
    }
    return first;
}

/*
 * The rings are merged by time, so that the log and "the last blocked name" are true whichever
 * worker a question came to. When much is waiting, a ring may run ahead of the others by AHEAD_US:
 * order within that time means nothing to a person, and long runs of one ring are read faster.
 */
uint32_t stats_collect(struct stats *s, usec_t now, int64_t now_unix_us)
{
    enum { BUSY_OCTETS = 64 * 1024, AHEAD_US = 20000 };
    uint32_t n = 0;
    uint64_t waiting = 0;
    usec_t until;
    follow_clock(s, now, now_unix_us);
    rotate(s);
    for (uint32_t i = 0; i < s->attached_count; i++) {
        struct attached *a = &s->attached[i];
        take_totals(s, a);
        take_indexed(s, a);
        a->head = atomic_load_explicit(&a->worker->ring.head, memory_order_acquire);
        waiting += a->head - atomic_load_explicit(&a->worker->ring.tail, memory_order_relaxed);
    }
    usec_t slack = waiting > BUSY_OCTETS ? AHEAD_US : 0;
    for (struct attached *a = oldest(s, &until); a != NULL; a = oldest(s, &until)) {
        n += drain(s, a, until > USEC_NEVER - slack ? USEC_NEVER : until + slack);
    }
    return n;
}

/* --- what indexes mean ----------------------------------------------------------------------- */

int stats_list_row(struct stats *s, uint32_t id)
{
    int free_row = -1;
    for (int i = 0; i < STATS_LISTS_MAX; i++) {
        if (s->list[i].id == id) {
            return i;
        }
        if (!s->list[i].current && (free_row < 0 || (s->list[free_row].id && !s->list[i].id))) {
            free_row = i;
        }
    }
    if (free_row >= 0) {
        s->list[free_row] = (struct list_row){.id = id};
    }
    return free_row;
}

static bool list_is_among(uint32_t id, const uint32_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (id != 0 && ids[i] == id) {
            return true;
        }
    }
    return false;
}

void stats_set_lists(struct stats *s, const uint32_t *ids, uint32_t count)
{
    /* Rows that stay are marked first, so that a new list does not take their place. */
    for (int i = 0; i < STATS_LISTS_MAX; i++) {
        s->list[i].current = list_is_among(s->list[i].id, ids, count);
        s->list_map[i] = -1;
    }
    for (uint32_t i = 0; i < count && i < STATS_LISTS_MAX; i++) {
        int row = ids[i] ? stats_list_row(s, ids[i]) : -1;
        s->list_map[i] = (int16_t)row;
        if (row >= 0) {
            s->list[row].current = true;
        }
    }
}

int stats_upstream_row(struct stats *s, const struct stats_upstream *u)
{
    int free_row = -1;
    for (int i = 0; i < STATS_UPSTREAM_ROWS; i++) {
        const struct upstream_row *row = &s->upstream[i];
        if (row->used && row->upstream.id == u->id) {
            return i;
        }
        if (!row->current && (free_row < 0 || (s->upstream[free_row].used && !row->used))) {
            free_row = i;
        }
    }
    if (free_row >= 0) {
        s->upstream[free_row] = (struct upstream_row){.used = true, .upstream = *u};
    }
    return free_row;
}

static bool upstream_is_among(uint64_t id, const struct stats_upstream *upstreams, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (upstreams[i].id == id) {
            return true;
        }
    }
    return false;
}

void stats_set_upstreams(struct stats *s, const struct stats_upstream *upstreams, uint32_t count)
{
    for (int i = 0; i < STATS_UPSTREAM_ROWS; i++) {
        struct upstream_row *row = &s->upstream[i];
        row->current = row->used && upstream_is_among(row->upstream.id, upstreams, count);
    }
    memset(s->upstream_map, 0xff, sizeof s->upstream_map);
    for (uint32_t i = 0; i < count && i < STATS_UPSTREAMS_MAX; i++) {
        int row = stats_upstream_row(s, &upstreams[i]);
        s->upstream_map[i] = (int16_t)row;
        if (row >= 0) {
            s->upstream[row].current = true;
        }
    }
}

/* --- privacy --------------------------------------------------------------------------------- */

void stats_forget(struct stats *s)
{
    topk_clear(&s->permitted);
    topk_clear(&s->blocked);
    daily_clear(&s->daily);
    clients_clear(&s->clients);
    qlog_clear(&s->log, s->log.next);
}

void stats_set_privacy(struct stats *s, enum stats_privacy level)
{
    if (level > s->privacy) {
        stats_forget(s);
    }
    s->privacy = level;
}

enum stats_privacy stats_privacy(const struct stats *s)
{
    return s->privacy;
}

void stats_log_begin(struct stats *s, uint64_t id)
{
    REQUIRE(s->log.first == s->log.next);
    if (id > s->log.next) {
        qlog_clear(&s->log, id);
    }
}
