/*
 * Names are told apart in a hash table up to a bound; what comes after is counted only.
 */
#include "shared/preview_tally.h"

#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "blocklist/match.h"

enum {
    PLACES = 2 * PREVIEW_HITS_MAX,
    CLIENTS_MAX = 1024, /* different ones that are told apart */
};

uint64_t preview_tally_memory(void)
{
    return PLACES * sizeof(uint32_t) + PREVIEW_HITS_MAX * sizeof(struct api_preview_name) +
           CLIENTS_MAX * sizeof(struct api_client_count);
}

enum err preview_tally_open(struct preview_tally *t, const struct bl_image *image,
                            struct api_preview *result)
{
    *t = (struct preview_tally){.image = image, .result = result};
    t->place = calloc(PLACES, sizeof *t->place);
    t->hit = calloc(PREVIEW_HITS_MAX, sizeof *t->hit);
    t->client = calloc(CLIENTS_MAX, sizeof *t->client);
    return t->place && t->hit && t->client ? ERR_OK : ERR_MEMORY;
}

void preview_tally_close(struct preview_tally *t)
{
    free(t->place);
    free(t->hit);
    free(t->client);
    *t = (struct preview_tally){.image = NULL};
}

bool preview_hits(const struct bl_image *image, const struct dns_name *name)
{
    struct dns_suffixes suffixes;
    struct bl_verdict verdict;
    dns_suffixes_make(name, &suffixes);
    return bl_match(image, name, &suffixes, NULL, &verdict) == BL_BLOCK;
}

/* The most frequent ones of those that were told, in no order; a new one takes the place of the
 * least when all are taken, with its count, as counts may then be too high but never too low. */
static void add_client(struct api_client_count *clients, uint32_t *count, uint32_t max,
                       const struct ip_addr *client, uint64_t n)
{
    uint32_t least = 0;
    for (uint32_t i = 0; i < *count; i++) {
        if (ip_equal(&clients[i].client, client)) {
            clients[i].count += n;
            return;
        }
        least = clients[i].count < clients[least].count ? i : least;
    }
    if (*count < max) {
        clients[(*count)++] = (struct api_client_count){.client = *client, .count = n};
    } else if (n > clients[least].count) {
        clients[least] = (struct api_client_count){.client = *client, .count = n};
    }
}

static uint32_t hash_of(const struct dns_name *name)
{
    static const struct siphash_key key = {1, 2}; /* a table for one person's list, soon gone */
    return (uint32_t)siphash13(key, name->wire, name->len);
}

/* NULL: no room for another one. */
static struct api_preview_name *hit_of(struct preview_tally *t, const struct dns_name *name)
{
    uint32_t i = hash_of(name) % PLACES;
    while (t->place[i] != 0) {
        struct api_preview_name *h = &t->hit[t->place[i] - 1];
        if (dns_name_equal(&h->name, name)) {
            return h;
        }
        i = (i + 1) % PLACES;
    }
    t->result->names_hit++;
    if (t->hits == PREVIEW_HITS_MAX) {
        t->result->partial = true;
        return NULL;
    }
    t->place[i] = ++t->hits;
    dns_name_copy(&t->hit[t->hits - 1].name, name);
    return &t->hit[t->hits - 1];
}

void preview_tally_add(struct preview_tally *t, const struct dns_name *name,
                       const struct ip_addr *client, uint64_t count)
{
    struct api_preview_name *h = hit_of(t, name);
    t->result->hits += count;
    add_client(t->client, &t->clients, CLIENTS_MAX, client, count);
    if (h) {
        h->count += count;
        add_client(h->client, &h->clients, API_PREVIEW_CLIENTS, client, count);
    }
}

static int client_by_count(const void *a, const void *b)
{
    const struct api_client_count *x = a, *y = b;
    return (x->count < y->count) - (x->count > y->count);
}

static int name_by_count(const void *a, const void *b)
{
    const struct api_preview_name *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count ? 1 : -1)
                                : dns_name_compare(&x->name, &y->name);
}

void preview_tally_end(struct preview_tally *t)
{
    struct api_preview *r = t->result;
    qsort(t->hit, t->hits, sizeof *t->hit, name_by_count);
    qsort(t->client, t->clients, sizeof *t->client, client_by_count);
    r->name_count = t->hits < API_PREVIEW_NAMES ? t->hits : API_PREVIEW_NAMES;
    for (uint32_t i = 0; i < r->name_count; i++) {
        r->name[i] = t->hit[i];
        qsort(r->name[i].client, r->name[i].clients, sizeof r->name[i].client[0], client_by_count);
    }
    r->clients_hit = t->clients;
    r->client_count = t->clients < API_PREVIEW_CLIENTS ? t->clients : API_PREVIEW_CLIENTS;
    memcpy(r->client, t->client, r->client_count * sizeof *t->client);
}

/* ---- the log in memory ---- */

static bool is_permitted(const struct stats_log_entry *e)
{
    enum query_outcome outcome = query_outcome_of(e->status);
    return outcome != OUTCOME_BLOCKED && outcome != OUTCOME_IGNORED;
}

/* The log may begin later than the time that was asked for. */
static void begin_log(struct preview_tally *t, const struct stats *stats)
{
    struct stats_log_entry e;
    struct api_preview *r = t->result;
    bool any = stats_log_at(stats, stats_log_first(stats), &e);
    int64_t first = any ? e.unix_us / 1000000 : r->until_unix;
    r->from_unix = first > r->from_unix && first <= r->until_unix ? first : r->from_unix;
    t->begun = true;
}

bool preview_tally_log(struct preview_tally *t, const struct stats *stats, uint64_t *next,
                       uint32_t max)
{
    struct stats_log_entry e;
    struct dns_name name;
    uint64_t first = stats_log_first(stats);
    if (!t->begun) {
        begin_log(t, stats);
    }
    *next = *next < first ? first : *next;
    uint64_t end = *next + max;
    for (; *next < end && stats_log_at(stats, *next, &e); (*next)++) {
        if (!is_permitted(&e) || e.unix_us / 1000000 < t->result->from_unix || e.qname.len == 0 ||
            dns_name_from_wire(e.qname.ptr, e.qname.len, &name) != ERR_OK) {
            continue;
        }
        t->result->queries++;
        if (preview_hits(t->image, &name)) {
            preview_tally_add(t, &name, &e.client, 1);
        }
    }
    return *next == end;
}

void preview_tally_drop(struct preview_tally *t, preview_allowed *is_allowed, void *ctx)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < t->hits; i++) {
        if (!is_allowed(ctx, &t->hit[i].name)) {
            t->hit[kept++] = t->hit[i];
            continue;
        }
        t->result->hits -= t->hit[i].count;
        t->result->names_hit--;
    }
    t->hits = kept;
    t->clients = 0;
    for (uint32_t i = 0; i < kept; i++) {
        for (uint32_t k = 0; k < t->hit[i].clients; k++) {
            add_client(t->client, &t->clients, CLIENTS_MAX, &t->hit[i].client[k].client,
                       t->hit[i].client[k].count);
        }
    }
}
