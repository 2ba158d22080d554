/*
 * The names of the local records in canonical order (RFC 4034 6.1), in which a name stands right
 * before all that is below it. Its neighbours there say what the hash table cannot: which ancestor
 * of a name is the nearest that exists (the closest encloser of RFC 4592), and whether anything
 * exists below it.
 */
#include "resolver/local_int.h"

#include <string.h>

/* Where each label of a name begins. */
struct labels {
    const uint8_t *wire;
    unsigned count;
    uint8_t off[DNS_LABELS_MAX];
};

static void labels_of(const uint8_t *wire, struct labels *out)
{
    unsigned at = 0;
    out->wire = wire;
    out->count = 0;
    while (wire[at] != 0) {
        out->off[out->count++] = (uint8_t)at;
        at += wire[at] + 1U;
    }
}

static int compare_labels(const uint8_t *a, const uint8_t *b)
{
    size_t shorter = a[0] < b[0] ? a[0] : b[0];
    int c = memcmp(a + 1, b + 1, shorter);
    return c != 0 ? c : (int)a[0] - (int)b[0];
}

/* <0, 0, >0; *shared is how many labels they have in common, counted from the root. */
static int compare(const struct labels *a, const struct labels *b, unsigned *shared)
{
    unsigned n = a->count < b->count ? a->count : b->count;
    for (*shared = 0; *shared < n; ++*shared) {
        int c = compare_labels(a->wire + a->off[a->count - 1 - *shared],
                               b->wire + b->off[b->count - 1 - *shared]);
        if (c != 0) {
            return c;
        }
    }
    return (int)a->count - (int)b->count;
}

static int compare_entries(const struct local_records *t, uint32_t a, uint32_t b)
{
    struct labels x, y;
    unsigned shared;
    labels_of(t->names[a].wire, &x);
    labels_of(t->names[b].wire, &y);
    return compare(&x, &y, &shared);
}

/* The entry at `i` sinks to where the heap of the first n entries wants it. */
static void sink(struct local_records *t, uint32_t i, uint32_t n)
{
    uint32_t moved = t->order[i];
    for (uint32_t child = 2 * i + 1; child < n; child = 2 * i + 1) {
        if (child + 1 < n && compare_entries(t, t->order[child], t->order[child + 1]) < 0) {
            child++;
        }
        if (compare_entries(t, moved, t->order[child]) >= 0) {
            break;
        }
        t->order[i] = t->order[child];
        i = child;
    }
    t->order[i] = moved;
}

void local_order_make(struct local_records *t)
{
    uint32_t n = t->name_count;
    for (uint32_t i = 0; i < n; i++) {
        t->order[i] = i;
    }
    for (uint32_t i = n / 2; i-- > 0;) {
        sink(t, i, n);
    }
    for (uint32_t last = n; last-- > 1;) {
        uint32_t top = t->order[0];
        t->order[0] = t->order[last];
        t->order[last] = top;
        sink(t, 0, last);
    }
}

unsigned local_order_shared(const struct local_records *t, const struct dns_name *name)
{
    struct labels asked, entry;
    unsigned most = 0, shared;
    uint32_t low = 0, high = t->name_count;
    labels_of(name->wire, &asked);
    while (low < high) { /* each look may meet a neighbour; the last ones do */
        uint32_t middle = low + (high - low) / 2;
        labels_of(t->names[t->order[middle]].wire, &entry);
        if (compare(&entry, &asked, &shared) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
        most = shared > most ? shared : most;
    }
    return most;
}
