/*
 * Ordering the log. A partition is some thousand rules, small enough for the cache: two radix
 * passes over 16 bits of the hash bring equal second-level names together, an insertion pass
 * settles the rest. Rules under one second-level name are then ordered by their labels, parents
 * first; both sorts are stable, so that rules of one name stay in order of list and line.
 */
#include "base/attr.h"
#include "base/require.h"
#include "blocklist/compile_int.h"

#define SHIFT       (64 - PART_BITS - 16) /* the bits above are the partition's own */
#define RADIX_LEAST 64
#define INSERT_MOST 16

static void radix_pass(const struct entry *from, struct entry *to, uint32_t n, unsigned shift)
{
    uint32_t at_digit[256] = {0};
    for (uint32_t i = 0; i < n; i++) {
        at_digit[from[i].hash >> shift & 0xff]++;
    }
    uint32_t sum = 0;
    for (unsigned d = 0; d < 256; d++) {
        uint32_t count = at_digit[d];
        at_digit[d] = sum;
        sum += count;
    }
    for (uint32_t i = 0; i < n; i++) {
        to[at_digit[from[i].hash >> shift & 0xff]++] = from[i];
    }
}

static void insertion_pass(struct entry *e, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        struct entry x = e[i];
        uint32_t k = i;
        for (; k > 0 && e[k - 1].hash > x.hash; k--) {
            e[k] = e[k - 1];
        }
        e[k] = x;
    }
}

void hash_sort(struct entry *e, uint32_t n, struct entry *spare, unsigned shift)
{
    if (n >= RADIX_LEAST) {
        radix_pass(e, spare, n, shift);
        radix_pass(spare, e, n, shift + 8);
    }
    insertion_pass(e, n);
}

uint32_t part_load(struct bl_compile *c, unsigned part, struct entry **out)
{
    uint32_t n = c->part_rules[part], i = 0;
    size_t octets = (size_t)n * 2 * sizeof(struct entry);
    if (octets > c->work_end - c->stack) {
        compile_fail(c, ERR_SPACE);
        return 0;
    }
    c->stack_end = c->work_end - (uint32_t)octets;
    struct entry *e = (struct entry *)(void *)at(c, c->stack_end);
    for (uint32_t off = c->parts[part].first; off; off = chunk_next(at(c, off))) {
        const uint8_t *p = at(c, off) + CHUNK_HEAD;
        const uint8_t *next = at(c, chunk_next(at(c, off)));
        for (unsigned line = 0; line < CHUNK; line += CACHE_LINE) {
            PREFETCH(next + line);
        }
        for (const uint8_t *end = p + chunk_used(at(c, off)); p < end; p += LOG_PATH + p[LOG_LEN]) {
            memcpy(&e[i].hash, p + LOG_HASH, 8);
            e[i++].at = (uint32_t)(p - c->base);
        }
    }
    ASSERT(i == n);
    hash_sort(e, n, e + n, SHIFT);
    *out = e;
    return n;
}

static ALWAYS_INLINE uint64_t be64(const uint8_t *p)
{
    return (uint64_t)be32_read(p) << 32 | be32_read(p + 4);
}

/* The order of two paths: as memcmp's, the shorter of equals first. */
static ALWAYS_INLINE int path_compare(const uint8_t *a, unsigned a_len, const uint8_t *b,
                                      unsigned b_len)
{
    unsigned n = a_len < b_len ? a_len : b_len;
    for (unsigned k = 0; k < n; k += 8) {
        uint64_t x = be64(a + k), y = be64(b + k);
        if (n - k < 8) {
            x >>= 64 - 8 * (n - k);
            y >>= 64 - 8 * (n - k);
        }
        if (x != y) {
            return x < y ? -1 : 1;
        }
    }
    return (int)a_len - (int)b_len;
}

static int log_compare(struct bl_compile *c, const struct entry *x, const struct entry *y)
{
    const uint8_t *a = at(c, x->at), *b = at(c, y->at);
    if (log_tld(a) != log_tld(b)) {
        return log_tld(a) < log_tld(b) ? -1 : 1;
    }
    return path_compare(a + LOG_PATH, a[LOG_LEN], b + LOG_PATH, b[LOG_LEN]);
}

static void merge(struct bl_compile *c, const struct entry *from, struct entry *to, uint32_t lo,
                  uint32_t mid, uint32_t hi)
{
    uint32_t a = lo, b = mid;
    for (uint32_t i = lo; i < hi; i++) {
        bool left = b == hi || (a < mid && log_compare(c, &from[a], &from[b]) <= 0);
        to[i] = left ? from[a++] : from[b++];
    }
}

void group_sort(struct bl_compile *c, struct entry *e, uint32_t n, struct entry *spare)
{
    for (uint32_t lo = 0; lo < n; lo += INSERT_MOST) {
        uint32_t hi = n - lo < INSERT_MOST ? n : lo + INSERT_MOST;
        for (uint32_t i = lo + 1; i < hi; i++) {
            struct entry x = e[i];
            uint32_t k = i;
            for (; k > lo && log_compare(c, &e[k - 1], &x) > 0; k--) {
                e[k] = e[k - 1];
            }
            e[k] = x;
        }
    }
    struct entry *from = e, *to = spare;
    for (uint32_t width = INSERT_MOST; width < n; width *= 2) {
        for (uint32_t lo = 0; lo < n; lo += 2 * width) {
            uint32_t mid = n - lo < width ? n : lo + width;
            uint32_t hi = n - lo < 2 * width ? n : lo + 2 * width;
            merge(c, from, to, lo, mid, hi);
        }
        struct entry *t = from;
        from = to;
        to = t;
    }
    if (from != e) {
        memcpy(e, from, (size_t)n * sizeof *e);
    }
}
