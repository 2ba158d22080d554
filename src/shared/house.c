#include "shared/house.h"

#include <stdlib.h>
#include <string.h>

#include "base/device.h"

#define PAST_US (24 * 3600 * USEC_PER_SEC)

/* What one source tells of an address. */
struct row {
    struct ip_addr addr;
    bool has_mac, past;
    uint8_t mac[MAC_OCTETS];
    uint8_t source; /* enum api_name_source */
    char name[LEASE_NAME];
    usec_t time; /* neighbours: seen last; found: good until then */
};

struct house {
    struct row *neighbour, *lease, *found;
    uint32_t neighbours, leases, founds;
    usec_t lease_number;          /* tells later lines from earlier ones */
    struct policy_address *table; /* names point into `names` */
    char (*names)[LEASE_NAME];
    uint32_t count;
};

enum err house_new(struct house **out)
{
    struct house *d = calloc(1, sizeof *d);
    if (d) {
        d->neighbour = calloc(HOUSE_MAX + HOUSE_PAST_MAX, sizeof *d->neighbour);
        d->lease = calloc(HOUSE_LEASE_MAX, sizeof *d->lease);
        d->found = calloc(HOUSE_FOUND_MAX, sizeof *d->found);
    }
    if (!d || !d->neighbour || !d->lease || !d->found) {
        house_free(d);
        return ERR_MEMORY;
    }
    *out = d;
    return ERR_OK;
}

void house_free(struct house *d)
{
    if (d) {
        free(d->neighbour);
        free(d->lease);
        free(d->found);
        free(d->table);
        free(d->names);
        free(d);
    }
}

static int by_address(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct ip_addr)); /* both begin with it */
}

static int by_address_latest(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int order = by_address(a, b);
    return order != 0 ? order : (x->time < y->time) - (x->time > y->time);
}

static int by_time(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return (x->time < y->time) - (x->time > y->time);
}

/* ---- Neighbours. ---- */

/* Of each address the row that was seen last stays. */
static uint32_t unique(struct row *row, uint32_t count)
{
    uint32_t kept = 0;
    qsort(row, count, sizeof *row, by_address_latest);
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || !ip_equal(&row[kept - 1].addr, &row[i].addr)) {
            row[kept++] = row[i];
        }
    }
    return kept;
}

void house_set_neighbours(struct house *d, const struct policy_address *now_there, uint32_t count,
                          usec_t now)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < d->neighbours; i++) {
        if (now - d->neighbour[i].time < PAST_US) {
            d->neighbour[kept] = d->neighbour[i];
            d->neighbour[kept++].past = true;
        }
    }
    qsort(d->neighbour, kept, sizeof *d->neighbour, by_time);
    kept = kept < HOUSE_PAST_MAX ? kept : HOUSE_PAST_MAX;
    for (uint32_t i = 0; i < count && i < HOUSE_MAX; i++) {
        struct row *r = &d->neighbour[kept++];
        *r = (struct row){.addr = now_there[i].addr, .has_mac = true, .time = now + 1};
        memcpy(r->mac, now_there[i].mac, sizeof r->mac);
    }
    d->neighbours = unique(d->neighbour, kept);
}

/* ---- Leases. ---- */

void house_begin_leases(struct house *d)
{
    d->leases = 0;
}

static void add_lease(void *ctx, const struct lease *lease)
{
    struct house *d = ctx;
    if (d->leases == HOUSE_LEASE_MAX) { /* servers append: most are of the same few addresses */
        d->leases = unique(d->lease, d->leases);
    }
    if (d->leases < HOUSE_LEASE_MAX) {
        struct row *r = &d->lease[d->leases];
        *r = (struct row){.addr = lease->addr,
                          .has_mac = lease->has_mac && !lease->ended,
                          .source = API_NAME_LEASE,
                          .time = ++d->lease_number};
        memcpy(r->mac, lease->mac, sizeof r->mac);
        memcpy(r->name, lease->ended ? "" : lease->name, lease->ended ? 1 : sizeof r->name);
        d->leases++;
    }
}

void house_add_leases(struct house *d, struct span text, int64_t now_unix)
{
    leases_read(text, now_unix, add_lease, d);
}

/* ---- Names that were asked for. ---- */

static struct row *find_found(const struct house *d, const struct ip_addr *addr,
                              enum api_name_source source)
{
    for (uint32_t i = 0; i < d->founds; i++) {
        if (d->found[i].source == source && ip_equal(&d->found[i].addr, addr)) {
            return &d->found[i];
        }
    }
    return NULL;
}

static struct row *oldest_found(struct house *d)
{
    struct row *oldest = &d->found[0];
    for (uint32_t i = 1; i < d->founds; i++) {
        oldest = d->found[i].time < oldest->time ? &d->found[i] : oldest;
    }
    return oldest;
}

void house_put_found(struct house *d, const struct ip_addr *addr, enum api_name_source source,
                     const char *name, usec_t until)
{
    struct row *r = find_found(d, addr, source);
    if (!r) {
        r = d->founds < HOUSE_FOUND_MAX ? &d->found[d->founds++] : oldest_found(d);
    }
    *r = (struct row){.addr = *addr, .source = (uint8_t)source, .time = until};
    if (name && !lease_name_read(span_str(name), r->name)) {
        r->name[0] = '\0';
    }
}

bool house_was_asked(const struct house *d, const struct ip_addr *addr, enum api_name_source source,
                     usec_t now)
{
    const struct row *r = find_found(d, addr, source);
    return r && now < r->time;
}

/* ---- Putting it together. ---- */

struct made {
    struct policy_address *table;
    char (*names)[LEASE_NAME];
    uint32_t count;
};

static struct policy_address *find_in(struct policy_address *table, uint32_t count,
                                      const struct ip_addr *addr)
{
    return count == 0 ? NULL : bsearch(addr, table, count, sizeof *table, by_address);
}

/* The better source has its way: what stands there first. */
static void tell(struct made *m, uint32_t i, const struct row *r)
{
    struct policy_address *a = &m->table[i];
    if (r->has_mac && (!a->has_mac || (a->past && !r->past))) {
        a->has_mac = true;
        a->past = r->past;
        memcpy(a->mac, r->mac, sizeof a->mac);
    }
    if (r->name[0] && !a->name) {
        memcpy(m->names[i], r->name, sizeof m->names[i]);
        a->name = m->names[i];
        a->source = r->source;
    }
}

/* A table of all addresses that any of the rows speak of, in their order. */
static void add_rows(struct made *m, uint32_t room, const struct row *row, uint32_t count)
{
    uint32_t known = m->count;
    for (uint32_t i = 0; i < count && m->count < room; i++) {
        bool says = row[i].has_mac || row[i].name[0];
        if (says && !find_in(m->table, known, &row[i].addr)) {
            m->table[m->count++] = (struct policy_address){.addr = row[i].addr};
        }
    }
    qsort(m->table, m->count, sizeof *m->table, by_address);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        if (kept == 0 || !ip_equal(&m->table[kept - 1].addr, &m->table[i].addr)) {
            m->table[kept++] = m->table[i];
        }
    }
    m->count = kept;
}

static void tell_rows(struct made *m, const struct row *row, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct policy_address *a = find_in(m->table, m->count, &row[i].addr);
        if (a) {
            tell(m, (uint32_t)(a - m->table), &row[i]);
        }
    }
}

static int by_device(const void *a, const void *b)
{
    const struct policy_address *x = *(struct policy_address *const *)a,
                                *y = *(struct policy_address *const *)b;
    int order = memcmp(x->mac, y->mac, sizeof x->mac);
    int named = (x->name == NULL) - (y->name == NULL);
    return order != 0 ? order : named != 0 ? named : (int)x->source - (int)y->source;
}

/* An address without a name has that of another address of its device, from the best source. */
static enum err share_names(struct made *m)
{
    struct policy_address **order = malloc((m->count + 1) * sizeof(struct policy_address *));
    uint32_t n = 0;
    if (!order) {
        return ERR_MEMORY;
    }
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->table[i].has_mac) {
            order[n++] = &m->table[i];
        }
    }
    qsort(order, n, sizeof(struct policy_address *), by_device);
    for (uint32_t i = 1; i < n; i++) {
        if (!order[i]->name && memcmp(order[i]->mac, order[i - 1]->mac, MAC_OCTETS) == 0) {
            order[i]->name = order[i - 1]->name;
            order[i]->source = order[i - 1]->source;
        }
    }
    free(order);
    return ERR_OK;
}

static bool same(const struct house *d, const struct made *m)
{
    bool same = d->count == m->count;
    for (uint32_t i = 0; same && i < m->count; i++) {
        const struct policy_address *a = &d->table[i], *b = &m->table[i];
        same = ip_equal(&a->addr, &b->addr) && a->has_mac == b->has_mac && a->past == b->past &&
               memcmp(a->mac, b->mac, sizeof a->mac) == 0 && a->source == b->source &&
               (a->name == NULL) == (b->name == NULL) &&
               (a->name == NULL || strcmp(a->name, b->name) == 0);
    }
    return same;
}

enum err house_update(struct house *d, usec_t now, bool *changed)
{
    uint32_t room = d->neighbours + d->leases + d->founds;
    struct made m = {.table = calloc(room + 1, sizeof *m.table),
                     .names = calloc(room + 1, sizeof *m.names)};
    d->leases = unique(d->lease, d->leases);
    enum err e = m.table && m.names ? ERR_OK : ERR_MEMORY;
    if (e == ERR_OK) {
        uint32_t most = room < HOUSE_MAX ? room : HOUSE_MAX;
        add_rows(&m, most, d->neighbour, d->neighbours);
        add_rows(&m, most, d->lease, d->leases);
        add_rows(&m, most, d->found, d->founds);
        tell_rows(&m, d->neighbour, d->neighbours);
        tell_rows(&m, d->lease, d->leases);
        for (int source = API_NAME_ROUTER; source <= API_NAME_MDNS; source++) {
            for (uint32_t i = 0; i < d->founds; i++) {
                if (d->found[i].source == source && now < d->found[i].time) {
                    tell_rows(&m, &d->found[i], 1);
                }
            }
        }
        e = share_names(&m);
    }
    if (e != ERR_OK) {
        free(m.table);
        free(m.names);
        return e;
    }
    *changed = !same(d, &m);
    free(d->table);
    free(d->names);
    d->table = m.table;
    d->names = m.names;
    d->count = m.count;
    return ERR_OK;
}

const struct policy_address *house_table(const struct house *d, uint32_t *count)
{
    *count = d->count;
    return d->table;
}

const struct policy_address *house_find(const struct house *d, const struct ip_addr *addr)
{
    return find_in(d->table, d->count, addr);
}
