#include "api/device_rows.h"

static uint64_t count_of(const struct device_row *r, bool blocked)
{
    return blocked ? r->blocked : r->total;
}

/* Joining only ever makes rows larger, so few of them move. */
static void sort_rows(struct device_rows *d, bool blocked)
{
    for (uint32_t i = 1; i < d->count; i++) {
        struct device_row row = d->row[i];
        uint32_t at = i;
        while (at > 0 && count_of(&d->row[at - 1], blocked) < count_of(&row, blocked)) {
            d->row[at] = d->row[at - 1];
            at--;
        }
        d->row[at] = row;
    }
}

/* The place of an address's device: *fresh if it was not there yet. */
static uint32_t place_of(struct api *a, const struct ip_addr *addr, uint32_t count, bool *fresh)
{
    struct ip_prefix key = {.addr = device_key_of(a, addr), .bits = 128};
    uint16_t place = (uint16_t)count;
    *fresh = client_map_add(&a->devices->places, &key, place, &place) == ERR_OK;
    return place;
}

static void begin(struct device_rows *d)
{
    _Static_assert(STATS_TOP_READ_MAX <= 1024, "slots");
    client_map_init(&d->places, d->places_rows, STATS_TOP_READ_MAX);
}

const struct device_rows *device_rows_load(struct api *a, bool blocked)
{
    struct device_rows *d = a->devices;
    bool fresh;
    uint32_t n = stats_top_clients(a->stats, blocked, d->client, STATS_TOP_READ_MAX);
    begin(d);
    d->count = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct stats_client *c = &d->client[i];
        uint32_t place = place_of(a, &c->addr, d->count, &fresh);
        struct device_row *r = &d->row[place];
        d->next[i] = DEVICE_ROWS_NONE;
        if (fresh) {
            *r = (struct device_row){.addr = c->addr,
                                     .first = i,
                                     .first_seen_unix = c->first_seen_unix,
                                     .last_seen_unix = c->last_seen_unix};
            d->count++;
        } else {
            d->next[d->last[place]] = i;
        }
        d->last[place] = i;
        r->total += c->total;
        r->blocked += c->blocked;
        r->first_seen_unix =
            c->first_seen_unix < r->first_seen_unix ? c->first_seen_unix : r->first_seen_unix;
        r->last_seen_unix =
            c->last_seen_unix > r->last_seen_unix ? c->last_seen_unix : r->last_seen_unix;
    }
    sort_rows(d, blocked);
    return d;
}

uint32_t device_rows_join(struct api *a, struct address_count *row, uint32_t count)
{
    uint32_t kept = 0;
    bool fresh;
    begin(a->devices);
    for (uint32_t i = 0; i < count && i < STATS_TOP_READ_MAX; i++) {
        uint32_t place = place_of(a, &row[i].addr, kept, &fresh);
        if (fresh) {
            row[kept++] = row[i];
        } else {
            row[place].count += row[i].count;
        }
    }
    for (uint32_t i = 1; i < kept; i++) {
        struct address_count r = row[i];
        uint32_t at = i;
        for (; at > 0 && row[at - 1].count < r.count; at--) {
            row[at] = row[at - 1];
        }
        row[at] = r;
    }
    return kept;
}
