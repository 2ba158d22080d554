/*
 * Filtered Space-Saving on a hash index and a binary heap of estimates. Most events hit keys that
 * are far up, whose place in the heap does not change, so an event usually costs the look-up and
 * three adds. The end of an hour visits all entries once and makes the heap anew.
 */
#include "stats/topk.h"

#include <string.h>

#include "base/require.h"

enum { CELLS_AN_ENTRY = 4 };

/* Cells for `entries` entries: the power of two that is at least CELLS_AN_ENTRY times as many. */
static uint32_t cells_for(uint32_t entries)
{
    uint32_t n = 64;
    while (n < entries * (uint64_t)CELLS_AN_ENTRY) {
        n *= 2;
    }
    return n;
}

size_t topk_memory(uint32_t entries, uint32_t key_max)
{
    size_t each =
        sizeof(struct topk_entry) + 2 * sizeof(uint32_t) + TOPK_HOURS * sizeof(uint32_t) + key_max;
    return entries * each + index_slots(entries) * sizeof(struct index_slot) +
           2 * cells_for(entries) * sizeof(uint32_t) + 7 * CACHE_LINE;
}

bool topk_init(struct topk *t, struct arena *a, uint32_t entries, uint32_t key_max)
{
    *t = (struct topk){.cap = entries, .key_max = key_max};
    t->entry = ARENA_ARRAY(a, struct topk_entry, entries);
    t->heap = ARENA_ARRAY(a, struct topk_item, entries);
    t->free = ARENA_ARRAY(a, uint32_t, entries);
    t->keys = arena_alloc(a, (size_t)entries * key_max, 1);
    t->cells = cells_for(entries);
    t->cell = ARENA_ARRAY(a, uint32_t, t->cells);
    t->cell_before = ARENA_ARRAY(a, uint32_t, t->cells);
    bool ok = t->entry && t->heap && t->free && t->keys && t->cell && t->cell_before &&
              index_init(&t->index, a, entries);
    if (ok) {
        topk_clear(t);
    }
    return ok;
}

static void clear_cells(struct topk *t)
{
    memset(t->cell, 0, t->cells * sizeof *t->cell);
    memset(t->cell_before, 0, t->cells * sizeof *t->cell_before);
}

void topk_clear(struct topk *t)
{
    t->count = 0;
    index_clear(&t->index);
    clear_cells(t);
    for (uint32_t i = 0; i < t->cap; i++) {
        t->free[i] = t->cap - 1 - i;
    }
}

static uint8_t *key_of(const struct topk *t, uint32_t e)
{
    return t->keys + (size_t)e * t->key_max;
}

static uint32_t find(const struct topk *t, uint64_t hash, const uint8_t *key, size_t len)
{
    uint32_t e;
    for (uint32_t at = index_first(&t->index, hash);
         (e = index_next(&t->index, hash, &at)) != INDEX_NONE;) {
        const struct topk_entry *entry = &t->entry[e];
        if (entry->hash == hash && entry->key_len == len && memcmp(key_of(t, e), key, len) == 0) {
            return e;
        }
    }
    return INDEX_NONE;
}

static void heap_put(struct topk *t, uint32_t pos, struct topk_item item)
{
    t->heap[pos] = item;
    t->entry[item.entry].heap_pos = pos;
}

static void sift_down(struct topk *t, uint32_t pos)
{
    struct topk_item item = t->heap[pos];
    for (;;) {
        uint32_t child = 2 * pos + 1;
        if (child >= t->count) {
            break;
        }
        if (child + 1 < t->count && t->heap[child + 1].estimate < t->heap[child].estimate) {
            child++;
        }
        if (t->heap[child].estimate >= item.estimate) {
            break;
        }
        heap_put(t, pos, t->heap[child]);
        pos = child;
    }
    heap_put(t, pos, item);
}

static void sift_up(struct topk *t, uint32_t pos)
{
    struct topk_item item = t->heap[pos];
    while (pos > 0 && t->heap[(pos - 1) / 2].estimate > item.estimate) {
        heap_put(t, pos, t->heap[(pos - 1) / 2]);
        pos = (pos - 1) / 2;
    }
    heap_put(t, pos, item);
}

/* The entry's counts have grown. */
static void update_heap(struct topk *t, uint32_t e)
{
    uint32_t pos = t->entry[e].heap_pos;
    t->heap[pos].estimate = t->entry[e].total + t->entry[e].err;
    sift_down(t, pos);
}

static void set_key(struct topk *t, uint32_t e, uint64_t hash, const uint8_t *key, size_t len)
{
    memcpy(key_of(t, e), key, len);
    t->entry[e].hash = hash;
    t->entry[e].key_len = (uint8_t)len;
    index_insert(&t->index, hash, e);
}

static uint32_t cell_of(const struct topk *t, uint64_t hash)
{
    return (uint32_t)(hash >> 32) & (t->cells - 1);
}

/* How often a key without a place may have occurred. */
static uint64_t cell_bound(const struct topk *t, uint32_t cell)
{
    return (uint64_t)t->cell[cell] + t->cell_before[cell];
}

/* Its cell must not say less of a key that loses its place. */
static void raise_cell(struct topk *t, uint64_t hash, uint64_t estimate)
{
    uint32_t i = cell_of(t, hash);
    if (cell_bound(t, i) < estimate) {
        uint64_t here = estimate - t->cell_before[i];
        t->cell[i] = here < UINT32_MAX ? (uint32_t)here : UINT32_MAX;
    }
}

/* Is the key not worth a place yet? Then it is counted in its cell. */
static bool stays_outside(struct topk *t, uint64_t hash)
{
    uint32_t i = cell_of(t, hash);
    if (t->count < t->cap || cell_bound(t, i) >= t->heap[0].estimate) {
        return false;
    }
    t->cell[i]++;
    return true;
}

/* An entry for a new key: a free one, or the place of the least. Its estimate in the heap is what
 * it was before, or 0. */
static uint32_t take_entry(struct topk *t, uint64_t hash, const uint8_t *key, size_t len)
{
    uint64_t err = cell_bound(t, cell_of(t, hash));
    uint32_t e;
    if (t->count < t->cap) {
        e = t->free[t->cap - t->count - 1];
        t->entry[e] = (struct topk_entry){.err = err, .err_hour = t->hour};
        t->heap[t->count] = (struct topk_item){.entry = e};
        t->count++;
        sift_up(t, t->count - 1);
    } else {
        e = t->heap[0].entry;
        index_remove(&t->index, t->entry[e].hash, e);
        raise_cell(t, t->entry[e].hash, t->heap[0].estimate);
        t->entry[e] = (struct topk_entry){.err = err, .err_hour = t->hour};
    }
    set_key(t, e, hash, key, len);
    return e;
}

void topk_add(struct topk *t, uint64_t hash, const uint8_t *key, size_t len)
{
    REQUIRE(len <= t->key_max);
    uint32_t e = find(t, hash, key, len);
    if (UNLIKELY(e == INDEX_NONE)) {
        if (stays_outside(t, hash)) {
            return;
        }
        e = take_entry(t, hash, key, len);
    }
    t->entry[e].hours[t->hour % TOPK_HOURS]++;
    t->entry[e].total++;
    update_heap(t, e);
}

static void make_heap(struct topk *t)
{
    for (uint32_t i = t->count / 2; i-- > 0;) {
        sift_down(t, i);
    }
}

/* Forget entries whose estimate has come to nothing. */
static void drop_empty(struct topk *t)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        uint32_t e = t->heap[i].entry;
        uint64_t estimate = t->entry[e].total + t->entry[e].err;
        if (estimate > 0) {
            heap_put(t, kept++, (struct topk_item){.estimate = estimate, .entry = e});
        } else {
            index_remove(&t->index, t->entry[e].hash, e);
            t->free[t->cap - t->count + (i - kept)] = e;
        }
    }
    t->count = kept;
}

static void end_day(struct topk *t)
{
    uint32_t *older = t->cell_before;
    t->cell_before = t->cell;
    t->cell = older;
    memset(t->cell, 0, t->cells * sizeof *t->cell);
}

static void end_hour(struct topk *t)
{
    t->hour++;
    if (t->hour % TOPK_HOURS == 0) {
        end_day(t);
    }
    for (uint32_t i = 0; i < t->count; i++) {
        struct topk_entry *entry = &t->entry[t->heap[i].entry];
        entry->total -= entry->hours[t->hour % TOPK_HOURS];
        entry->hours[t->hour % TOPK_HOURS] = 0;
        if (entry->err > 0 && t->hour - entry->err_hour >= TOPK_HOURS) {
            entry->err = 0;
        }
    }
}

void topk_next_hour(struct topk *t, uint32_t hours)
{
    if (hours > TOPK_HOURS) {
        hours = TOPK_HOURS; /* all columns are empty then */
        clear_cells(t);
    }
    if (hours == 0) {
        return;
    }
    while (hours-- > 0) {
        end_hour(t);
    }
    drop_empty(t);
    make_heap(t);
}

static bool row_before(const struct topk_row *a, const struct topk_row *b)
{
    if (a->count != b->count) {
        return a->count > b->count;
    }
    size_t n = a->key_len < b->key_len ? a->key_len : b->key_len;
    int order = memcmp(a->key, b->key, n);
    return order != 0 ? order < 0 : a->key_len < b->key_len;
}

/* Put a row into the sorted out[0..count-1] if it belongs there; keeps at most n. Returns the new
 * count. */
static uint32_t insert_row(struct topk_row *out, uint32_t count, uint32_t n,
                           const struct topk_row *r)
{
    if (count == n && !row_before(r, &out[n - 1])) {
        return count;
    }
    uint32_t lo = 0, hi = count;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (row_before(r, &out[mid])) {
            hi = mid;
        } else {
            lo = mid + 1;
        }
    }
    uint32_t tail = (count < n ? count : n - 1) - lo;
    memmove(&out[lo + 1], &out[lo], tail * sizeof *out);
    out[lo] = *r;
    return count < n ? count + 1 : n;
}

uint32_t topk_read(const struct topk *t, struct topk_row *out, uint32_t n)
{
    uint32_t count = 0;
    for (uint32_t i = 0; n > 0 && i < t->count; i++) {
        uint32_t e = t->heap[i].entry;
        struct topk_row row = {.key = key_of(t, e),
                               .key_len = t->entry[e].key_len,
                               .count = t->entry[e].total,
                               .err = t->entry[e].err};
        if (row.count > 0) {
            count = insert_row(out, count, n, &row);
        }
    }
    return count;
}

void topk_hours(const struct topk *t, const struct topk_row *row, uint32_t hours[TOPK_HOURS])
{
    size_t e = (size_t)(row->key - t->keys) / t->key_max;
    REQUIRE(e < t->cap);
    for (uint32_t h = 0; h < TOPK_HOURS; h++) {
        hours[h] = t->entry[e].hours[(t->hour + 1 + h) % TOPK_HOURS];
    }
}

void topk_restore(struct topk *t, uint64_t hash, const uint8_t *key, size_t len,
                  const uint32_t hours[TOPK_HOURS])
{
    REQUIRE(len <= t->key_max);
    uint32_t e = find(t, hash, key, len);
    if (e == INDEX_NONE) {
        e = take_entry(t, hash, key, len);
    }
    for (uint32_t h = 0; h < TOPK_HOURS; h++) {
        uint32_t *cell = &t->entry[e].hours[(t->hour + 1 + h) % TOPK_HOURS];
        uint32_t n = hours[h] < UINT32_MAX - *cell ? hours[h] : UINT32_MAX - *cell;
        *cell += n;
        t->entry[e].total += n;
    }
    update_heap(t, e);
}
