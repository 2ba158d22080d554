/*
 * The cache against a plain table that forgets nothing. The input is a little program: each step is
 * an octet and what it takes from those behind it. What the cache tells of a question is what was
 * last kept for it, aged; it may have forgotten it, but only if it says that something had to go,
 * and what it has forgotten does not come back.
 */
#include <string.h>

#include "dns/msg.h"
#include "fuzz.h"
#include "resolver/cache.h"

enum {
    ENTRIES = 256,
    EACH = 64,
    SMALL = 8 * EACH - 128, /* octets of records that are always kept */
    RECORD = 16,
    RECORDS_MAX = 48,
    ROOM = RECORDS_MAX * RECORD + 8,
    NAMES = 64,
    KEYS = NAMES * 64,
    STEPS_MAX = 200
};

/* What was last kept for a question. */
struct row {
    bool touched, there, claimed;
    uint32_t epoch;
    usec_t stored;
    uint64_t failed_s;
    struct cache_value v;
    uint8_t mark;
};

static const struct cache_config cfg = {.entries = ENTRIES, .octets_each = EACH};
static struct cache *cache;
static struct dns_name names[NAMES];
static struct row rows[KEYS];
static uint16_t touched[STEPS_MAX * 8];
static uint32_t touched_count, epoch;
static usec_t now;
static const uint8_t *in;
static size_t left;

static unsigned take(void)
{
    if (left == 0) {
        return 0;
    }
    left--;
    return *in++;
}

static void start(void)
{
    static void *mem;
    for (unsigned i = 0; i < NAMES && !mem; i++) { /* of all lengths, up to the longest */
        char text[DNS_NAME_TEXT];
        int n = snprintf(text, sizeof text, "n%u.", i);
        for (unsigned k = 0; k < i % 32 && n < 240; k++) {
            n += snprintf(text + n, sizeof text - (size_t)n, "label%u.", k % 10);
        }
        FUZZ_CHECK(dns_name_parse(span_str(text), &names[i]) == ERR_OK);
    }
    size_t len = cache_memory(&cfg);
    mem = mem ? mem : aligned_alloc(CACHE_LINE, (len / CACHE_LINE + 1) * CACHE_LINE);
    FUZZ_CHECK(mem != NULL);
    memset(mem, 0, len);
    FUZZ_CHECK(cache_init(&cache, mem, len, &cfg, (struct siphash_key){3, 4}) == ERR_OK);
    while (touched_count > 0) {
        rows[touched[--touched_count]] = (struct row){0};
    }
    epoch = 0;
    now = 1000 * USEC_PER_SEC;
}

/* A question, and where it stands in the table. */
static struct cache_key take_key(unsigned *index)
{
    static const uint16_t types[8] = {DNS_A,   DNS_AAAA, DNS_A,  DNS_HTTPS,
                                      DNS_TXT, DNS_A,    DNS_MX, CACHE_ANY_TYPE};
    unsigned name = take() % NAMES, rest = take();
    static const uint8_t canonical[8] = {0, 1, 0, 3, 4, 0, 6, 7};
    unsigned type = canonical[rest & 7];
    *index = name << 6 | type << 3 | (rest >> 3 & 7);
    return (struct cache_key){.name = &names[name],
                              .hash = cache_hash(cache, &names[name]),
                              .type = types[type],
                              .klass = DNS_IN,
                              .dnssec_ok = rest >> 3 & 1,
                              .checking_disabled = rest >> 4 & 1,
                              .view = rest >> 5 & 1};
}

static struct row *row_at(unsigned index)
{
    struct row *r = &rows[index];
    if (!r->touched) {
        FUZZ_CHECK(touched_count < sizeof touched / sizeof touched[0]);
        r->touched = true;
        touched[touched_count++] = (uint16_t)index;
    }
    return r;
}

static struct row *any_of(unsigned index)
{
    return row_at(index | 7U << 3);
}

static bool is_any(unsigned index)
{
    return (index >> 3 & 7) == 7;
}

static void write_records(const struct cache_value *v, uint8_t mark, uint8_t *out, uint16_t *offs)
{
    unsigned n = (unsigned)v->answers + v->authorities;
    memset(out, mark, v->len);
    for (unsigned i = 0; i < n; i++) {
        be32_write(out + i * RECORD + 6, v->ttl_s + i * 7);
        offs[i] = (uint16_t)(i * RECORD + 6);
    }
}

static void insert(void)
{
    static uint8_t records[ROOM];
    static uint16_t offsets[RECORDS_MAX];
    struct cache_gauges before, after;
    unsigned index;
    struct cache_key key = take_key(&index);
    unsigned shape = take(), more = take();
    struct row *row = row_at(index),
               fresh = {.touched = true, .there = true, .epoch = epoch, .stored = now};
    unsigned count = shape % RECORDS_MAX, answers = more & 1 ? count : count / 2;
    fresh.mark = (uint8_t)take();
    fresh.v = (struct cache_value){.records = records,
                                   .ttl_off = offsets,
                                   .len = count * RECORD + (more >> 1 & 7),
                                   .answers = (uint16_t)answers,
                                   .authorities = (uint16_t)(count - answers),
                                   .ttl_s = take() * (more & 16 ? 100 : 1),
                                   .rcode = more >> 5 & 3,
                                   .flags = fresh.mark & 15,
                                   .ede = more & 128 ? (int16_t)shape : DNS_EDE_NONE,
                                   .judged = fresh.mark % 3};
    write_records(&fresh.v, fresh.mark, records, offsets);
    cache_get_gauges(cache, &before);
    cache_insert(cache, &key, now, &fresh.v);
    cache_get_gauges(cache, &after);
    bool kept = after.inserted > before.inserted;
    FUZZ_CHECK(after.dropped == 0 && after.inserted - before.inserted <= 1);
    FUZZ_CHECK(!kept || (fresh.v.ttl_s > 0 && fresh.v.len <= 8 * EACH));
    FUZZ_CHECK(kept || fresh.v.ttl_s == 0 || fresh.v.len + 2 * count + key.name->len > SMALL);
    if (kept) {
        *row = fresh;
        if (!is_any(index) && answers > 0) {
            any_of(index)->there = false;
        }
    }
}

static enum cache_state state_of(const struct row *r, usec_t at, uint32_t stale_s)
{
    usec_t age = at > r->stored ? at - r->stored : 0, ttl = r->v.ttl_s * USEC_PER_SEC;
    if (!r->there || r->epoch != epoch) {
        return CACHE_MISS;
    }
    return age < ttl                                    ? CACHE_FRESH
           : age - ttl < (usec_t)stale_s * USEC_PER_SEC ? CACHE_STALE
                                                        : CACHE_MISS;
}

struct asked {
    usec_t at;
    uint32_t stale_s, stale_ttl, cap;
};

/* The row that answers if these two are there; NULL: none. */
static struct row *chosen(struct row *own, struct row *any, const struct asked *q)
{
    enum cache_state a = own ? state_of(own, q->at, q->stale_s) : CACHE_MISS,
                     b = any ? state_of(any, q->at, q->stale_s) : CACHE_MISS;
    if (a == CACHE_FRESH || (a == CACHE_STALE && b == CACHE_MISS)) {
        return own;
    }
    if (b == CACHE_FRESH || (b == CACHE_STALE && a == CACHE_MISS)) {
        return any;
    }
    return a == CACHE_MISS ? NULL : any->stored > own->stored ? any : own;
}

static bool same_records(const struct row *r, const struct asked *q, bool stale,
                         const uint8_t *room)
{
    static uint8_t want[ROOM];
    static uint16_t offsets[RECORDS_MAX];
    unsigned n = (unsigned)r->v.answers + r->v.authorities;
    uint32_t age_s = q->at > r->stored ? (uint32_t)((q->at - r->stored) / USEC_PER_SEC) : 0;
    write_records(&r->v, r->mark, want, offsets);
    for (unsigned i = 0; i < n; i++) {
        uint32_t ttl = r->v.ttl_s + i * 7;
        be32_write(want + offsets[i], stale ? q->stale_ttl : ttl - age_s);
    }
    return memcmp(room, want, r->v.len) == 0;
}

static bool says(const struct row *r, const struct asked *q, enum cache_state got,
                 const struct cache_hit *hit, const uint8_t *room)
{
    enum cache_state state = r ? state_of(r, q->at, q->stale_s) : CACHE_MISS;
    if (state != got || state == CACHE_MISS) {
        return state == got;
    }
    bool stale = state == CACHE_STALE, copied = hit->len <= q->cap && (!stale || q->stale_ttl > 0);
    uint32_t age_s = q->at > r->stored ? (uint32_t)((q->at - r->stored) / USEC_PER_SEC) : 0;
    return hit->len == r->v.len && hit->answers == r->v.answers &&
           hit->authorities == r->v.authorities && hit->rcode == r->v.rcode &&
           hit->flags == r->v.flags && hit->ede == r->v.ede && hit->judged == r->v.judged &&
           hit->ttl_s == (stale ? q->stale_ttl : r->v.ttl_s - age_s) &&
           hit->failed_lately == (stale && r->failed_s > q->at / USEC_PER_SEC) &&
           (!copied || same_records(r, q, stale, room));
}

static void find(void)
{
    static uint8_t room[ROOM + 8];
    struct cache_gauges g;
    struct cache_hit hit = {0};
    unsigned index;
    struct cache_key key = take_key(&index);
    unsigned v = take();
    struct asked q = {.at = v & 1 && v & 2 ? now - (v >> 4) : now,
                      .stale_s = v & 4 ? 3600 : 0,
                      .stale_ttl = v & 8 ? 30 : 0,
                      .cap = v & 16 ? ROOM : take() * 4 % ROOM};
    struct row *own = row_at(index), *any = any_of(index);
    memset(room + q.cap, 0xee, 8);
    enum cache_state got = cache_find(cache, &key, q.at, q.stale_s, q.stale_ttl, room, q.cap, &hit);
    for (unsigned i = 0; i < 8; i++) {
        FUZZ_CHECK(room[q.cap + i] == 0xee);
    }
    cache_get_gauges(cache, &g);
    FUZZ_CHECK(got != CACHE_BUSY);
    struct row *best = chosen(own, any, &q);
    if (!says(best, &q, got, &hit, room)) {
        FUZZ_CHECK(g.evicted > 0 && best != NULL);
        best->there = false; /* it had to go, and must stay away */
        best = chosen(own, any, &q);
        if (!says(best, &q, got, &hit, room)) {
            FUZZ_CHECK(best != NULL);
            best->there = false;
            best = NULL;
            FUZZ_CHECK(got == CACHE_MISS);
        }
    }
    if (best && got == CACHE_FRESH && hit.prefetch) {
        FUZZ_CHECK(!best->claimed && best->v.ttl_s >= 10 && hit.ttl_s <= best->v.ttl_s / 10);
        best->claimed = true;
    }
}

static void change(unsigned how)
{
    unsigned index;
    struct cache_key key = take_key(&index);
    struct row *own = row_at(index), *any = any_of(index);
    unsigned v = take();
    if (how == 0) {
        cache_remove(cache, &key);
        own->there = false;
    } else if (how == 1) {
        usec_t until = now + v * USEC_PER_SEC;
        cache_mark_failed(cache, &key, until);
        own->failed_s = any->failed_s = until / USEC_PER_SEC;
    } else {
        cache_mark_judged(cache, &key, v);
        own->v.judged = v;
    }
}

static void check_gauges(void)
{
    struct cache_gauges g;
    uint32_t there = 0;
    for (uint32_t i = 0; i < touched_count; i++) {
        there += rows[touched[i]].there;
    }
    cache_get_gauges(cache, &g);
    FUZZ_CHECK(g.entries_max == ENTRIES && g.octets <= g.octets_max);
    FUZZ_CHECK(g.evicted == 0 ? g.entries == there : g.entries <= there);
    FUZZ_CHECK((g.octets == 0) == (g.entries == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    in = data;
    left = len;
    start();
    for (unsigned i = 0; i < STEPS_MAX / 2 && left > 0; i++) {
        unsigned op = take();
        switch (op & 7) {
        case 0:
        case 1:
        case 2:
            insert();
            break;
        case 3:
        case 4:
            find();
            break;
        case 5:
            now += (usec_t)take() * (op & 8 ? 1 : 40) * USEC_PER_SEC / 4;
            break;
        case 6:
            change(op >> 3 & 3);
            break;
        default:
            if ((op & 0xf8) == 0) {
                cache_flush(cache);
                epoch++;
            } else {
                for (unsigned k = 0; k < 3 && left > 0; k++) {
                    find();
                }
            }
        }
    }
    check_gauges();
    return 0;
}
