/*
 * Statistics as octets and back. Little-endian:
 *
 *     "sinkstat" | u32 version | u32 length of all | i64 saved (unix s) | sections … | u64
 * SipHash-2-4 of all before it section: u32 kind | u32 length | numbers as LEB128 varints
 *
 * The hash has a fixed key: it finds damage, it keeps nobody out. So the sections are checked like
 * any foreign bytes: a first pass walks all of them without changing anything, a second takes them
 * over. Unknown kinds are skipped.
 */
#include <string.h>

#include "base/cursor.h"
#include "stats/stats_int.h"

enum { SAVE_VERSION = 1, HEAD_OCTETS = 24, SUM_OCTETS = 8, VARINT_MAX = 10 };

enum section {
    SECTION_KEY = 1, /* of the hashes in SECTION_UNIQUE; stands first */
    SECTION_EVER,
    SECTION_DAY,
    SECTION_MONTH,
    SECTION_PERMITTED,
    SECTION_BLOCKED,
    SECTION_UNIQUE,
    SECTION_CLIENTS,
    SECTION_UPSTREAMS,
    SECTION_LISTS,
    SECTION_DAILY
};

/* How long ago the data was saved, and by how much its times have to move. */
struct age {
    int64_t shift_s; /* > 0 only if the clock says that it comes from the future */
    uint32_t idle_hours, idle_slots;
    uint32_t idle_days; /* midnights (UTC) that passed */
};

#define UNIX_MAX (INT64_C(1) << 33) /* seconds that are believed; in the year 2242 */

static const char magic[8] = {'s', 'i', 'n', 'k', 's', 't', 'a', 't'};
static const struct siphash_key sum_key = {UINT64_C(0x736e6b2073746174),
                                           UINT64_C(0x6973746963732031)};

/* --- numbers --------------------------------------------------------------------------------- */

static void put_number(struct writer *w, uint64_t v)
{
    while (v >= 0x80) {
        writer_u8(w, (uint8_t)(v | 0x80));
        v >>= 7;
    }
    writer_u8(w, (uint8_t)v);
}

static uint64_t get_number(struct reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b = reader_u8(r);
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            return v;
        }
    }
    r->bad = true;
    return 0;
}

/* A number that has to be at most `max`. */
static uint64_t get_up_to(struct reader *r, uint64_t max)
{
    uint64_t v = get_number(r);
    if (v > max) {
        r->bad = true;
        return 0;
    }
    return v;
}

static void put_le32(struct writer *w, uint32_t v)
{
    uint8_t *p = writer_room(w, 4);
    if (p) {
        le32_write(p, v);
    }
}

static void put_le64(struct writer *w, uint64_t v)
{
    uint8_t *p = writer_room(w, 8);
    if (p) {
        le64_write(p, v);
    }
}

/* --- sections: each writer stands beside its reader. Readers take over only with `take`. ----- */

static void put_cells(struct writer *w, const uint64_t *cells, uint32_t n)
{
    put_number(w, n);
    for (uint32_t i = 0; i < n; i++) {
        put_number(w, cells[i]);
    }
}

static void get_cells(struct reader *r, uint64_t *cells, uint32_t n, bool take)
{
    uint64_t stored = get_up_to(r, 256);
    for (uint64_t i = 0; i < stored; i++) {
        uint64_t v = get_number(r);
        if (take && i < n) {
            cells[i] += v;
        }
    }
}

/* Sketches of different keys cannot be merged, so the key outlives the process with them. */
static void get_key(struct stats *s, struct reader *r, bool take)
{
    const uint8_t *key = reader_take(r, 16);
    if (take && key) {
        s->key.k0 = le64_read(key);
        s->key.k1 = le64_read(key + 8);
    }
}

static void put_ever(const struct stats *s, struct writer *w)
{
    put_number(w, (uint64_t)s->since_unix);
    put_cells(w, s->ever_status, QUERY_STATUS_COUNT);
    put_cells(w, s->ever_reply, REPLY_COUNT);
    put_cells(w, s->ever_type, STATS_TYPE_COUNT);
}

static void get_ever(struct stats *s, struct reader *r, bool take)
{
    uint64_t since = get_up_to(r, INT64_MAX);
    get_cells(r, s->ever_status, QUERY_STATUS_COUNT, take);
    get_cells(r, s->ever_reply, REPLY_COUNT, take);
    get_cells(r, s->ever_type, STATS_TYPE_COUNT, take);
    if (take && (int64_t)since < s->since_unix) {
        s->since_unix = (int64_t)since;
    }
}

static void put_array(struct writer *w, const uint32_t *cells, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        put_number(w, cells[i]);
    }
}

static void get_array(struct reader *r, uint32_t *cells, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        cells[i] = (uint32_t)get_up_to(r, UINT32_MAX);
    }
}

static bool slot_is_empty(const struct series_slot *slot)
{
    static const struct series_slot empty;
    return memcmp(slot, &empty, sizeof empty) == 0;
}

/* Slots that hold something, each by its start. */
static void put_series(const struct series *series, struct writer *w)
{
    put_number(w, series->slot_s);
    put_number(w, QUERY_STATUS_COUNT);
    put_number(w, REPLY_COUNT);
    put_number(w, STATS_TYPE_COUNT);
    for (uint32_t ago = series->cap; ago-- > 0;) {
        const struct series_slot *slot = series_at(series, ago);
        if (!slot_is_empty(slot)) {
            put_number(w, 1);
            put_number(w, (uint64_t)(series->newest - ago));
            put_array(w, slot->status, QUERY_STATUS_COUNT);
            put_array(w, slot->reply, REPLY_COUNT);
            put_array(w, slot->type, STATS_TYPE_COUNT);
        }
    }
    put_number(w, 0);
}

static void get_series(struct series *series, struct reader *r, int64_t shift_s, bool take)
{
    /* Tables of another size come with another version of the program: their slots mean something
     * else. */
    bool same = get_number(r) == series->slot_s;
    same = get_number(r) == QUERY_STATUS_COUNT && same;
    same = get_number(r) == REPLY_COUNT && same;
    same = get_number(r) == STATS_TYPE_COUNT && same;
    if (!same) {
        return;
    }
    while (get_up_to(r, 1) == 1 && !r->bad) {
        struct series_slot slot;
        int64_t number = (int64_t)get_up_to(r, INT64_MAX / 4096);
        get_array(r, slot.status, QUERY_STATUS_COUNT);
        get_array(r, slot.reply, REPLY_COUNT);
        get_array(r, slot.type, STATS_TYPE_COUNT);
        int64_t ago = series->newest - (number + shift_s / (int64_t)series->slot_s);
        if (take && !r->bad && ago >= 0 && ago < (int64_t)series->cap) {
            uint32_t at = (series->head + series->cap - (uint32_t)ago) % series->cap;
            series_add(&series->slot[at], &slot);
        }
    }
}

/* Counts by hour are stored oldest first; after `idle` hours without us the oldest have left the
 * window. */
static void age_hours(uint32_t hours[STATS_HOURS], uint32_t idle)
{
    idle = idle < STATS_HOURS ? idle : STATS_HOURS;
    memmove(hours, hours + idle, (STATS_HOURS - idle) * sizeof hours[0]);
    memset(hours + STATS_HOURS - idle, 0, idle * sizeof hours[0]);
}

static bool any_hour(const uint32_t hours[STATS_HOURS])
{
    uint32_t any = 0;
    for (int h = 0; h < STATS_HOURS; h++) {
        any |= hours[h];
    }
    return any != 0;
}

static void put_top(const struct topk *t, struct topk_row *rows, struct writer *w)
{
    uint32_t n = topk_read(t, rows, STATS_TOP_READ_MAX);
    put_number(w, n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t hours[STATS_HOURS];
        topk_hours(t, &rows[i], hours);
        put_number(w, rows[i].key_len);
        writer_bytes(w, rows[i].key, rows[i].key_len);
        put_array(w, hours, STATS_HOURS);
    }
}

static void get_top(struct stats *s, struct topk *t, struct reader *r, uint32_t idle, bool take)
{
    uint64_t n = get_up_to(r, STATS_TOP_READ_MAX);
    for (uint64_t i = 0; i < n && !r->bad; i++) {
        uint32_t hours[STATS_HOURS];
        size_t len = (size_t)get_up_to(r, DNS_NAME_MAX);
        const uint8_t *key = reader_take(r, len);
        get_array(r, hours, STATS_HOURS);
        struct dns_name name;
        if (!key || dns_name_from_wire(key, len, &name) != ERR_OK || name.len != len) {
            r->bad = true;
            return;
        }
        age_hours(hours, idle);
        if (take && any_hour(hours)) {
            topk_restore(t, stats_hash_name(s, key, len), key, len, hours);
        }
    }
}

static void put_unique(const struct uniq *u, struct writer *w)
{
    for (uint32_t ago = UNIQ_HOURS; ago-- > 0;) {
        const uint8_t *reg = u->hour[(u->now + UNIQ_HOURS - ago) % UNIQ_HOURS];
        uint32_t used = 0, last = 0;
        for (uint32_t i = 0; i < UNIQ_REGISTERS; i++) {
            used += reg[i] != 0;
        }
        put_number(w, used);
        for (uint32_t i = 0; i < UNIQ_REGISTERS; i++) {
            if (reg[i]) {
                put_number(w, i - last);
                writer_u8(w, reg[i]);
                last = i;
            }
        }
    }
}

static void get_unique(struct uniq *u, struct reader *r, uint32_t idle, bool take)
{
    for (uint32_t ago = UNIQ_HOURS; ago-- > 0;) {
        uint64_t used = get_up_to(r, UNIQ_REGISTERS);
        uint64_t at = 0;
        bool kept = take && (uint64_t)ago + idle < UNIQ_HOURS;
        uint8_t *reg = u->hour[(u->now + 2 * UNIQ_HOURS - ago - (kept ? idle : 0)) % UNIQ_HOURS];
        for (uint64_t i = 0; i < used && !r->bad; i++) {
            at += get_up_to(r, UNIQ_REGISTERS - 1 - at);
            uint8_t rank = reader_u8(r);
            r->bad = r->bad || rank == 0 || rank > UNIQ_RANK_MAX;
            if (kept && !r->bad && rank > reg[at]) {
                reg[at] = rank;
            }
        }
    }
}

static uint64_t to_unix_s(const struct stats *s, int64_t time)
{
    int64_t us = time + s->offset_us;
    return us > 0 ? (uint64_t)us / 1000000 : 0;
}

static void put_clients(const struct stats *s, struct writer *w)
{
    const struct clients *c = &s->clients;
    put_number(w, c->count);
    for (uint32_t e = c->oldest; e != INDEX_NONE; e = c->row[e].newer) {
        const struct client *row = &c->row[e];
        writer_bytes(w, row->addr.b, sizeof row->addr.b);
        put_number(w, to_unix_s(s, row->first_seen));
        put_number(w, to_unix_s(s, row->last_seen));
        for (uint32_t ago = CLIENTS_SLOTS; ago-- > 0;) {
            put_number(w, row->slot_total[clients_slot_at(c, ago)]);
            put_number(w, row->slot_blocked[clients_slot_at(c, ago)]);
        }
    }
}

/* Adds what still fits; returns how much that was. */
static uint32_t add_saturated(uint32_t *cell, uint32_t n)
{
    uint32_t room = UINT32_MAX - *cell;
    n = n < room ? n : room;
    *cell += n;
    return n;
}

static void get_clients(struct stats *s, struct reader *r, const struct age *age, bool take)
{
    struct clients *c = &s->clients;
    uint64_t n = get_up_to(r, STATS_TOP_MAX);
    for (uint64_t i = 0; i < n && !r->bad; i++) {
        const uint8_t *octets = reader_take(r, 16);
        int64_t first = (int64_t)get_up_to(r, UNIX_MAX), last = (int64_t)get_up_to(r, UNIX_MAX);
        struct client *row = NULL;
        if (octets && take) {
            struct ip_addr addr;
            memcpy(addr.b, octets, sizeof addr.b);
            row = clients_touch(c, &addr, (last + age->shift_s) * 1000000 - s->offset_us);
            row->first_seen = (first + age->shift_s) * 1000000 - s->offset_us;
        }
        for (uint32_t ago = CLIENTS_SLOTS; ago-- > 0;) {
            uint32_t total = (uint32_t)get_up_to(r, UINT32_MAX);
            uint32_t blocked = (uint32_t)get_up_to(r, total);
            if (row && !r->bad && ago + age->idle_slots < CLIENTS_SLOTS) {
                uint32_t at = clients_slot_at(c, ago + age->idle_slots);
                row->total += add_saturated(&row->slot_total[at], total);
                row->blocked += add_saturated(&row->slot_blocked[at], blocked);
            }
        }
    }
}

static void put_upstreams(const struct stats *s, struct writer *w)
{
    for (int i = 0; i < STATS_UPSTREAM_ROWS; i++) {
        const struct upstream_row *u = &s->upstream[i];
        if (!u->used) {
            continue;
        }
        size_t name_len = strlen(u->upstream.name);
        put_number(w, 1);
        put_le64(w, u->upstream.id);
        writer_bytes(w, u->upstream.endpoint.addr.b, 16);
        put_number(w, u->upstream.endpoint.scope);
        put_number(w, u->upstream.endpoint.port);
        put_number(w, name_len);
        writer_bytes(w, u->upstream.name, name_len);
        put_number(w, u->ever);
        for (uint32_t h = 1; h <= STATS_HOURS; h++) {
            uint32_t at = (s->hour + h) % STATS_HOURS;
            put_number(w, u->count[at]);
            put_number(w, u->samples[at]);
            put_number(w, (uint64_t)u->sum_us[at]);
            put_number(w, (uint64_t)(u->squares_us2[at] / 1e6)); /* in ms^2: fits for ever */
        }
    }
    put_number(w, 0);
}

static void get_upstreams(struct stats *s, struct reader *r, uint32_t idle, bool take)
{
    while (get_up_to(r, 1) == 1 && !r->bad) {
        struct stats_upstream up = {0};
        const uint8_t *id = reader_take(r, 8), *addr = reader_take(r, 16);
        up.endpoint.scope = (uint32_t)get_up_to(r, UINT32_MAX);
        up.endpoint.port = (uint16_t)get_up_to(r, UINT16_MAX);
        size_t name_len = (size_t)get_up_to(r, sizeof up.name - 1);
        const uint8_t *name = reader_take(r, name_len);
        uint64_t ever = get_number(r);
        int row = -1;
        if (id && addr && name && take) {
            up.id = le64_read(id);
            memcpy(up.endpoint.addr.b, addr, 16);
            memcpy(up.name, name, name_len);
            row = stats_upstream_row(s, &up);
        }
        if (row >= 0 && !r->bad) {
            s->upstream[row].ever += ever;
        }
        for (uint32_t h = 1; h <= STATS_HOURS; h++) {
            uint64_t count = get_number(r), samples = get_number(r);
            double sum = (double)get_number(r), squares = (double)get_number(r) * 1e6;
            if (row >= 0 && !r->bad && h > idle) {
                uint32_t at = (s->hour + h + STATS_HOURS - idle) % STATS_HOURS;
                s->upstream[row].count[at] += count;
                s->upstream[row].samples[at] += samples;
                s->upstream[row].sum_us[at] += sum;
                s->upstream[row].squares_us2[at] += squares;
            }
        }
    }
}

static void put_lists(const struct stats *s, struct writer *w)
{
    for (int i = 0; i < STATS_LISTS_MAX; i++) {
        const struct list_row *l = &s->list[i];
        if (l->id == 0 || l->ever == 0) {
            continue;
        }
        put_number(w, l->id);
        put_number(w, l->ever);
        for (uint32_t h = 1; h <= STATS_HOURS; h++) {
            put_number(w, l->hour[(s->hour + h) % STATS_HOURS]);
        }
    }
    put_number(w, 0);
}

static void get_lists(struct stats *s, struct reader *r, uint32_t idle, bool take)
{
    uint32_t id;
    while ((id = (uint32_t)get_up_to(r, UINT32_MAX)) != 0 && !r->bad) {
        uint32_t hours[STATS_HOURS];
        uint64_t ever = get_number(r);
        get_array(r, hours, STATS_HOURS);
        age_hours(hours, idle);
        int row = take && !r->bad ? stats_list_row(s, id) : -1;
        if (row >= 0) {
            s->list[row].ever += ever;
            for (uint32_t h = 1; h <= STATS_HOURS; h++) {
                s->list[row].hour[(s->hour + h) % STATS_HOURS] += hours[h - 1];
            }
        }
    }
}

static void put_daily(const struct daily *d, struct writer *w)
{
    for (uint32_t i = 0; i < DAILY_NAMES; i++) {
        if (d->name[i].days != 0) {
            put_number(w, d->name[i].days);
            put_number(w, d->name[i].len);
            writer_bytes(w, d->name[i].wire, d->name[i].len);
        }
    }
    put_number(w, 0);
}

static void get_daily(struct stats *s, struct reader *r, bool take)
{
    uint64_t days;
    while ((days = get_up_to(r, (1U << DAILY_WINDOW) - 1)) != 0 && !r->bad) {
        size_t len = (size_t)get_up_to(r, DAILY_NAME_MAX);
        const uint8_t *wire = reader_take(r, len);
        struct dns_name name;
        if (!wire || dns_name_from_wire(wire, len, &name) != ERR_OK || name.len != len) {
            r->bad = true;
            return;
        }
        if (take) {
            daily_restore(&s->daily, stats_hash_name(s, wire, len), wire, len, (uint8_t)days);
        }
    }
}

/* --- the whole ------------------------------------------------------------------------------- */

static void put_section(const struct stats *s, struct writer *w, enum section kind)
{
    put_le32(w, kind);
    uint8_t *len = writer_room(w, 4);
    size_t start = w->len;
    switch (kind) {
    case SECTION_KEY:
        put_le64(w, s->key.k0);
        put_le64(w, s->key.k1);
        break;
    case SECTION_EVER:
        put_ever(s, w);
        break;
    case SECTION_DAY:
        put_series(&s->series[TIMELINE_10MIN], w);
        break;
    case SECTION_MONTH:
        put_series(&s->series[TIMELINE_1H], w);
        break;
    case SECTION_PERMITTED:
        put_top(&s->permitted, s->scratch, w);
        break;
    case SECTION_BLOCKED:
        put_top(&s->blocked, s->scratch, w);
        break;
    case SECTION_UNIQUE:
        put_unique(&s->names, w);
        break;
    case SECTION_CLIENTS:
        put_clients(s, w);
        break;
    case SECTION_UPSTREAMS:
        put_upstreams(s, w);
        break;
    case SECTION_LISTS:
        put_lists(s, w);
        break;
    case SECTION_DAILY:
        put_daily(&s->daily, w);
        break;
    }
    if (len && !w->bad) {
        le32_write(len, (uint32_t)(w->len - start));
    }
}

size_t stats_save_memory(const struct stats *s)
{
    size_t slot = SERIES_CELLS * 5 + 2 * VARINT_MAX;
    size_t top = STATS_TOP_READ_MAX * (DNS_NAME_MAX + 2 + STATS_HOURS * 5);
    return HEAD_OCTETS + SUM_OCTETS + 16 * 64 + SERIES_CELLS * VARINT_MAX +
           (DAY_SLOTS + MONTH_SLOTS) * slot + 2 * top + DAILY_NAMES * (DAILY_NAME_MAX + 4) +
           UNIQ_HOURS * (UNIQ_REGISTERS * 2 + 3 + UNIQ_REGISTERS / 8) +
           s->clients.cap * (size_t)(16 + 10 + CLIENTS_SLOTS * 2 * 5) +
           STATS_UPSTREAM_ROWS * (320 + STATS_HOURS * 4 * VARINT_MAX) +
           STATS_LISTS_MAX * (2 * VARINT_MAX + STATS_HOURS * 5);
}

enum err stats_save(const struct stats *s, void *buf, size_t cap, size_t *len)
{
    struct writer w = writer_of(buf, cap);
    writer_bytes(&w, magic, sizeof magic);
    put_le32(&w, SAVE_VERSION);
    put_le32(&w, 0); /* the length, below */
    put_le64(&w, (uint64_t)stats_unix_s(s));
    for (int kind = SECTION_KEY; kind <= SECTION_DAILY; kind++) {
        put_section(s, &w, (enum section)kind);
    }
    uint8_t *sum = writer_room(&w, SUM_OCTETS);
    if (!sum || w.len > UINT32_MAX) {
        return ERR_SPACE;
    }
    le32_write(w.data + 12, (uint32_t)w.len);
    le64_write(sum, siphash24(sum_key, w.data, w.len - SUM_OCTETS));
    *len = w.len;
    return ERR_OK;
}

static struct age age_of(const struct stats *s, int64_t saved_unix)
{
    struct age a = {0};
    int64_t now = stats_unix_s(s);
    if (saved_unix > now) {
        a.shift_s = now - saved_unix;
        return a;
    }
    int64_t hours = now / 3600 - saved_unix / 3600, slots = now / 600 - saved_unix / 600;
    a.idle_hours = hours > STATS_HOURS ? STATS_HOURS : (uint32_t)hours;
    int64_t days = now / 86400 - saved_unix / 86400;
    a.idle_days = days > DAILY_WINDOW ? DAILY_WINDOW + 1 : (uint32_t)days;
    a.idle_slots = slots > DAY_SLOTS ? DAY_SLOTS : (uint32_t)slots;
    return a;
}

static void get_section(struct stats *s, struct reader *r, uint32_t kind, struct age age, bool take)
{
    switch (kind) {
    case SECTION_KEY:
        get_key(s, r, take);
        break;
    case SECTION_EVER:
        get_ever(s, r, take);
        break;
    case SECTION_DAY:
        get_series(&s->series[TIMELINE_10MIN], r, age.shift_s, take);
        break;
    case SECTION_MONTH:
        get_series(&s->series[TIMELINE_1H], r, age.shift_s, take);
        break;
    case SECTION_PERMITTED:
        get_top(s, &s->permitted, r, age.idle_hours, take);
        break;
    case SECTION_BLOCKED:
        get_top(s, &s->blocked, r, age.idle_hours, take);
        break;
    case SECTION_UNIQUE:
        get_unique(&s->names, r, age.idle_hours, take);
        break;
    case SECTION_CLIENTS:
        get_clients(s, r, &age, take);
        break;
    case SECTION_UPSTREAMS:
        get_upstreams(s, r, age.idle_hours, take);
        break;
    case SECTION_LISTS:
        get_lists(s, r, age.idle_hours, take);
        break;
    case SECTION_DAILY:
        get_daily(s, r, take);
        break;
    default:
        break;
    }
}

static bool walk(struct stats *s, const uint8_t *data, size_t len, struct age age, bool take)
{
    struct reader all = reader_of(data + HEAD_OCTETS, len - HEAD_OCTETS - SUM_OCTETS);
    if (reader_left(&all) < 4 || le32_read(data + HEAD_OCTETS) != SECTION_KEY) {
        return false;
    }
    while (reader_left(&all) > 0) {
        const uint8_t *head = reader_take(&all, 8);
        const uint8_t *body = head ? reader_take(&all, le32_read(head + 4)) : NULL;
        if (!body) {
            return false;
        }
        struct reader section = reader_of(body, le32_read(head + 4));
        get_section(s, &section, le32_read(head), age, take);
        if (section.bad) {
            return false;
        }
    }
    return true;
}

enum err stats_load(struct stats *s, const void *buf, size_t len)
{
    const uint8_t *data = buf;
    if (len < HEAD_OCTETS + SUM_OCTETS) {
        return ERR_SHORT;
    }
    if (memcmp(data, magic, sizeof magic) != 0) {
        return ERR_FORMAT;
    }
    if (le32_read(data + 8) != SAVE_VERSION) {
        return ERR_VERSION;
    }
    if (le32_read(data + 12) != len) {
        return ERR_SHORT;
    }
    if (le64_read(data + len - SUM_OCTETS) != siphash24(sum_key, data, len - SUM_OCTETS)) {
        return ERR_CHECKSUM;
    }
    int64_t saved = (int64_t)le64_read(data + 16);
    if (saved < 0 || saved > UNIX_MAX) {
        return ERR_FORMAT;
    }
    struct age age = age_of(s, saved);
    if (!walk(s, data, len, age, false)) {
        return ERR_FORMAT;
    }
    if (!walk(s, data, len, age, true)) {
        return ERR_FORMAT;
    }
    if (age.idle_days > 0) {
        stats_next_day(s, age.idle_days);
    }
    return ERR_OK;
}
