/*
 * The packet path's side of the statistics: counters and the event ring of one worker. An event is
 * counted here, exactly, and copied as it stands; everything that costs more (hashing names, top
 * lists, series) is the collector's work. What is full is the collector's fault, so a full ring
 * loses the event's details but never its count.
 */
#include "stats/worker.h"

#include <string.h>

#include "base/arena.h"
#include "base/require.h"
#include "dns/proto.h"
#include "stats/stats.h"

enum {
    RING_OCTETS_MIN = 64 * 1024,
    RING_OCTETS_MAX = 64 * 1024 * 1024,
};

static bool config_is_valid(const struct stats_worker_config *cfg)
{
    uint32_t n = cfg->ring_octets;
    return n >= RING_OCTETS_MIN && n <= RING_OCTETS_MAX && (n & (n - 1)) == 0;
}

size_t stats_worker_memory(const struct stats_worker_config *cfg)
{
    return sizeof(struct stats_worker) + cfg->ring_octets + RING_SLACK + 2 * CACHE_LINE;
}

enum err stats_worker_init(struct stats_worker **out, void *mem, size_t len,
                           const struct stats_worker_config *cfg)
{
    if (!config_is_valid(cfg)) {
        return ERR_RANGE;
    }
    struct arena arena;
    arena_init(&arena, mem, len);
    struct stats_worker *w = ARENA_NEW(&arena, struct stats_worker);
    uint8_t *data = arena_alloc(&arena, (size_t)cfg->ring_octets + RING_SLACK, CACHE_LINE);
    if (!w || !data) {
        return ERR_SPACE;
    }
    w->ring.data = data;
    w->ring.cap = cfg->ring_octets;
    *out = w;
    return ERR_OK;
}

enum query_type stats_type_of(uint16_t qtype)
{
    switch (qtype) {
    case DNS_A:
        return TYPE_A;
    case DNS_AAAA:
        return TYPE_AAAA;
    case DNS_HTTPS:
        return TYPE_HTTPS;
    case DNS_PTR:
        return TYPE_PTR;
    case DNS_SVCB:
        return TYPE_SVCB;
    case DNS_ANY:
        return TYPE_ANY;
    case DNS_SRV:
        return TYPE_SRV;
    case DNS_SOA:
        return TYPE_SOA;
    case DNS_TXT:
        return TYPE_TXT;
    case DNS_NAPTR:
        return TYPE_NAPTR;
    case DNS_MX:
        return TYPE_MX;
    case DNS_DS:
        return TYPE_DS;
    case DNS_RRSIG:
        return TYPE_RRSIG;
    case DNS_DNSKEY:
        return TYPE_DNSKEY;
    case DNS_NS:
        return TYPE_NS;
    default:
        return TYPE_OTHER;
    }
}

static ALWAYS_INLINE uint8_t *copy_name(uint8_t *to, const struct dns_name *name)
{
    if (LIKELY(name->len <= RING_CHUNK)) {
        memcpy(to, name->wire, RING_CHUNK);
    } else {
        memcpy(to, name->wire, name->len);
    }
    return to + name->len;
}

static void append(struct stats_worker *w, const struct stats_event *e)
{
    uint32_t qname_len = e->qname ? e->qname->len : 0;
    uint32_t cname_len = e->cname ? e->cname->len : 0;
    /* The last chunk may end behind a short name, so room for it is asked, but not kept. */
    uint32_t size = ((uint32_t)sizeof(struct ring_record) + qname_len + cname_len + 7) & ~7U;
    uint32_t room = size + RING_CHUNK;
    uint8_t *at = ring_reserve(&w->ring, room);
    if (UNLIKELY(!at)) {
        counter_add(&w->counters.row[COUNTER_events_lost], 1);
        return;
    }
    struct ring_record *rec = (struct ring_record *)(void *)at;
    rec->time = e->time;
    rec->latency_us = e->latency_us;
    rec->size = (uint16_t)size;
    rec->qtype = e->qtype;
    rec->upstream = e->upstream;
    rec->list = e->list;
    rec->status = e->status;
    rec->reply = e->reply;
    rec->rcode = e->rcode;
    rec->ede = e->ede;
    rec->flags = e->flags;
    rec->match_labels = e->match_labels;
    rec->qname_len = (uint8_t)qname_len;
    rec->cname_len = (uint8_t)cname_len;
    memcpy(rec->client, e->client.b, sizeof rec->client);
    uint8_t *names = at + sizeof *rec;
    if (LIKELY(qname_len > 0)) {
        names = copy_name(names, e->qname);
    }
    if (cname_len > 0) {
        copy_name(names, e->cname);
    }
    ring_commit(&w->ring, size);
}

void stats_record(struct stats_worker *w, const struct stats_event *e)
{
    struct counters *c = &w->counters;
    ASSERT(e->status < QUERY_STATUS_COUNT && e->reply < REPLY_COUNT);
    if (e->upstream < STATS_UPSTREAMS_MAX) {
        counter_add(&c->upstream[e->upstream], 1);
    }
    if (UNLIKELY(e->flags & STATS_PREFETCH)) {
        counter_add(&c->row[COUNTER_prefetches], 1);
        return;
    }
    counter_add(&c->row[COUNTER_queries_udp + ((e->flags & STATS_TCP) != 0)], 1);
    counter_add(&c->row[COUNTER_queries_do], (e->flags & STATS_DO) != 0);
    counter_add(&c->row[COUNTER_retried], (e->flags & STATS_RETRIED) != 0);
    counter_add(&c->row[COUNTER_latency_us], e->latency_us);
    counter_add(&c->status[e->status], 1);
    if (LIKELY(query_is_answered((enum query_status)e->status))) {
        counter_add(&c->reply[e->reply], 1);
        counter_add(&c->type[stats_type_of(e->qtype)], 1);
    }
    if (e->list < STATS_LISTS_MAX) {
        counter_add(&c->list[e->list], 1);
    }
    append(w, e);
}

void stats_count(struct stats_worker *w, enum stats_counter counter, uint64_t n)
{
    counter_add(&w->counters.row[counter], n);
}

bool stats_worker_is_filling(const struct stats_worker *w)
{
    return ring_used(&w->ring) > w->ring.cap / 2;
}
