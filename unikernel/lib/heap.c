/*
 * Two-level segregated fit. Free blocks hang in lists by size: first level by power of two, second
 * level 16 linear steps of it. Two bitmaps find the first list with a block that surely fits. Each
 * block knows its neighbour below if that is free, so that blocks join again when freed.
 *
 *      block:  | below (only valid if that is free) | size, flags | payload … |
 */
#include "lib/heap.h"

#include <stdbool.h>
#include <string.h>

#include "base/require.h"

enum {
    ALIGN = 16,
    STEP_BITS = 4,
    STEPS = 1 << STEP_BITS,
    FIRST_SHIFT = 8,
    SMALL = 1 << FIRST_SHIFT,
    CLASSES = 34 - FIRST_SHIFT
};
enum { FLAG_FREE = 1, FLAG_BELOW_FREE = 2, FLAGS = 15 };

struct block {
    struct block *below; /* the block before this one in memory; kept up only while it is free */
    size_t size_flags;   /* payload octets (a multiple of ALIGN) and flags */
    struct block *next, *prev; /* in its list, only while free; the payload otherwise */
};

#define HEADER offsetof(struct block, next)
enum { PAYLOAD_MIN = 16 };

static struct {
    uint32_t classes;        /* bit c: some list of class c is not empty */
    uint32_t steps[CLASSES]; /* bit s: list[c][s] is not empty */
    struct block *list[CLASSES][STEPS];
    uint8_t *low, *high; /* bounds of the memory */
    struct heap_gauges gauges;
} heap;

static size_t size_of(const struct block *b)
{
    return b->size_flags & ~(size_t)FLAGS;
}

static struct block *above(struct block *b)
{
    return (struct block *)((uint8_t *)b + HEADER + size_of(b));
}

static unsigned top_bit(size_t v)
{
    return 63U - (unsigned)__builtin_clzll(v);
}

/* The list that a block of this size belongs to. Sizes under SMALL are spread linearly in class 0.
 */
static void place(size_t size, unsigned *class, unsigned *step)
{
    if (size < SMALL) {
        *class = 0;
        *step = (unsigned)(size / (SMALL / STEPS));
        return;
    }
    unsigned bit = top_bit(size);
    *class = bit - FIRST_SHIFT + 1;
    *step = (unsigned)(size >> (bit - STEP_BITS)) & (STEPS - 1);
}

static void list_insert(struct block *b)
{
    unsigned c, s;
    place(size_of(b), &c, &s);
    b->prev = NULL;
    b->next = heap.list[c][s];
    if (b->next) {
        b->next->prev = b;
    }
    heap.list[c][s] = b;
    heap.steps[c] |= 1U << s;
    heap.classes |= 1U << c;
}

static void list_remove(struct block *b)
{
    unsigned c, s;
    place(size_of(b), &c, &s);
    if (b->next) {
        b->next->prev = b->prev;
    }
    if (b->prev) {
        b->prev->next = b->next;
        return;
    }
    heap.list[c][s] = b->next;
    if (!b->next) {
        heap.steps[c] &= ~(1U << s);
        if (heap.steps[c] == 0) {
            heap.classes &= ~(1U << c);
        }
    }
}

static void mark(struct block *b, bool is_free)
{
    struct block *up = above(b);
    if (is_free) {
        b->size_flags |= FLAG_FREE;
        up->below = b;
        up->size_flags |= FLAG_BELOW_FREE;
    } else {
        b->size_flags &= ~(size_t)FLAG_FREE;
        up->size_flags &= ~(size_t)FLAG_BELOW_FREE;
    }
}

void heap_init(void)
{
    memset(&heap, 0, sizeof heap);
}

void heap_add(void *memory, size_t len)
{
    uintptr_t start = ((uintptr_t)memory + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1);
    uintptr_t end = ((uintptr_t)memory + len) & ~(uintptr_t)(ALIGN - 1);
    if (len < 2 * ALIGN || end - start <= 4 * HEADER) {
        return;
    }
    heap.low = heap.low && heap.low < (uint8_t *)start ? heap.low : (uint8_t *)start;
    heap.high = heap.high > (uint8_t *)end ? heap.high : (uint8_t *)end;
    heap.gauges.total += end - start;
    struct block *first = (struct block *)start;
    first->size_flags = (end - start - 2 * HEADER) & ~(size_t)FLAGS;
    struct block *last = above(first); /* an empty block in use: nothing joins past the end */
    last->size_flags = 0;
    mark(first, true);
    list_insert(first);
}

/* The first free block that surely has `size` octets: the size is rounded up to the next list's
 * least. */
static struct block *find(size_t size)
{
    unsigned c, s;
    size_t want = size < SMALL ? size : size + ((size_t)1 << (top_bit(size) - STEP_BITS)) - 1;
    place(want, &c, &s);
    if (c >= CLASSES) {
        return NULL;
    }
    uint32_t steps = heap.steps[c] & (UINT32_MAX << s);
    if (steps == 0) {
        uint32_t classes = c + 1 < CLASSES ? heap.classes & (UINT32_MAX << (c + 1)) : 0;
        if (classes == 0) {
            return NULL;
        }
        c = (unsigned)__builtin_ctz(classes);
        steps = heap.steps[c];
    }
    return heap.list[c][__builtin_ctz(steps)];
}

/* Cut b to `size` octets of payload and give the rest back, if it is worth a block. b is in use. */
static void trim(struct block *b, size_t size)
{
    size_t rest = size_of(b) - size;
    if (rest < HEADER + PAYLOAD_MIN) {
        return;
    }
    b->size_flags = size | (b->size_flags & FLAGS);
    struct block *tail = above(b);
    tail->size_flags = rest - HEADER;
    struct block *up = above(tail);
    if (up->size_flags & FLAG_FREE) {
        list_remove(up);
        tail->size_flags += HEADER + size_of(up);
    }
    mark(tail, true);
    list_insert(tail);
}

static size_t round_size(size_t size)
{
    return size < PAYLOAD_MIN ? PAYLOAD_MIN : (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

static void count_used(size_t more)
{
    heap.gauges.used += more;
    if (heap.gauges.used > heap.gauges.peak) {
        heap.gauges.peak = heap.gauges.used;
    }
}

void *heap_alloc(size_t size)
{
    struct block *b = size > heap.gauges.total ? NULL : find(round_size(size));
    if (!b) {
        heap.gauges.failed++;
        return NULL;
    }
    list_remove(b);
    mark(b, false);
    trim(b, round_size(size));
    heap.gauges.blocks++;
    count_used(HEADER + size_of(b));
    return (uint8_t *)b + HEADER;
}

static struct block *block_of(const void *payload)
{
    const uint8_t *p = payload;
    REQUIRE(p >= heap.low + HEADER && p < heap.high && (uintptr_t)p % ALIGN == 0);
    struct block *b = (struct block *)(uintptr_t)(p - HEADER);
    REQUIRE(!(b->size_flags & FLAG_FREE));
    return b;
}

size_t heap_block_size(const void *payload)
{
    return size_of(block_of(payload));
}

void heap_free(void *payload)
{
    if (!payload) {
        return;
    }
    struct block *b = block_of(payload);
    heap.gauges.blocks--;
    heap.gauges.used -= HEADER + size_of(b);
    struct block *up = above(b);
    if (up->size_flags & FLAG_FREE) {
        list_remove(up);
        b->size_flags += HEADER + size_of(up);
    }
    if (b->size_flags & FLAG_BELOW_FREE) {
        struct block *down = b->below;
        list_remove(down);
        down->size_flags += HEADER + size_of(b);
        b->size_flags |= FLAG_FREE; /* so that a second free of it is seen */
        b = down;
    }
    mark(b, true);
    list_insert(b);
}

void *heap_resize(void *payload, size_t size)
{
    if (!payload) {
        return heap_alloc(size);
    }
    struct block *b = block_of(payload);
    size_t old = size_of(b);
    if (size > heap.gauges.total) {
        heap.gauges.failed++;
        return NULL;
    }
    size_t want = round_size(size);
    struct block *up = above(b);
    if (want > old && (up->size_flags & FLAG_FREE) && old + HEADER + size_of(up) >= want) {
        list_remove(up);
        b->size_flags += HEADER + size_of(up);
        mark(b, false);
    }
    if (want <= size_of(b)) {
        trim(b, want);
        heap.gauges.used -= old;
        count_used(size_of(b));
        return payload;
    }
    void *fresh = heap_alloc(size);
    if (fresh) {
        memcpy(fresh, payload, old);
        heap_free(payload);
    }
    return fresh;
}

size_t heap_largest(void)
{
    if (heap.classes == 0) {
        return 0;
    }
    unsigned c = 31U - (unsigned)__builtin_clz(heap.classes);
    size_t largest = 0;
    const struct block *b = heap.list[c][31U - (unsigned)__builtin_clz(heap.steps[c])];
    for (; b; b = b->next) {
        largest = size_of(b) > largest ? size_of(b) : largest;
    }
    /* find() rounds up by at most a step of the size's class. */
    return largest - (largest >> STEP_BITS);
}

void heap_get_gauges(struct heap_gauges *out)
{
    *out = heap.gauges;
}
