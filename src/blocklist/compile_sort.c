/*
 * Ordering the log. A partition is some thousand rules, small enough for the cache: two radix
 * passes over 16 bits of the hash bring equal second-level names together, an insertion pass
 * settles the rest. Where hashes were made to be alike, which would take the insertions long, all
 * other bits go through radix passes too. Rules under one second-level name are then ordered by
 * their labels, parents first; all sorts are stable, so that rules of one name stay in order of
 * list and line.
 */
#include "base/attr.h"
#include "blocklist/compile_int.h"

#define RADIX_LEAST 64
#define INSERT_MOST 16
#define BLOCK       BL_PAUSE_EVERY

static void scatter(struct work *w, const struct entry *from, struct entry *to, uint32_t n,
                    unsigned shift, uint32_t at_digit[256])
{
    uint32_t sum = 0;
    for (unsigned d = 0; d < 256; d++) {
        uint32_t count = at_digit[d];
        at_digit[d] = sum;
        sum += count;
    }
    for (uint32_t i = 0, end; i < n; i = end) {
        end = n - i < BLOCK ? n : i + BLOCK;
        work_did(w, end - i);
        for (uint32_t k = i; k < end; k++) {
            to[at_digit[from[k].hash >> shift & 0xff]++] = from[k];
        }
    }
}

/* By 16 bits from `shift` on. */
static void radix_passes(struct work *w, struct entry *e, struct entry *spare, uint32_t n,
                         unsigned shift)
{
    uint32_t at_digit[2][256] = {{0}};
    for (uint32_t i = 0, end; i < n; i = end) {
        end = n - i < BLOCK ? n : i + BLOCK;
        work_did(w, end - i);
        for (uint32_t k = i; k < end; k++) {
            at_digit[0][e[k].hash >> shift & 0xff]++;
            at_digit[1][e[k].hash >> shift >> 8 & 0xff]++;
        }
    }
    scatter(w, e, spare, n, shift, at_digit[0]);
    scatter(w, spare, e, n, shift + 8, at_digit[1]);
}

static void copy_entries(struct work *w, struct entry *to, const struct entry *from, uint32_t n)
{
    for (uint32_t i = 0, end; i < n; i = end) {
        end = n - i < BLOCK ? n : i + BLOCK;
        memcpy(to + i, from + i, (size_t)(end - i) * sizeof *to);
        work_did(w, end - i);
    }
}

/* False: given up, as it would take more than a few moves for each. */
static bool insertion_pass(struct work *w, struct entry *e, uint32_t n)
{
    uint64_t moves = 0;
    for (uint32_t i = 1; i < n; i++) {
        struct entry x = e[i];
        uint32_t k = i;
        if (UNLIKELY(i % BLOCK == 0)) {
            work_did(w, BLOCK);
        }
        if (LIKELY(e[k - 1].hash <= x.hash)) {
            continue;
        }
        for (; k > 0 && e[k - 1].hash > x.hash && i - k < RADIX_LEAST; k--) {
            e[k] = e[k - 1];
        }
        e[k] = x;
        work_did(w, i - k);
        moves += i - k;
        if (UNLIKELY((k > 0 && e[k - 1].hash > x.hash) || moves > 4 * (uint64_t)n + RADIX_LEAST)) {
            return false;
        }
    }
    return true;
}

void hash_sort(struct work *w, struct entry *e, uint32_t n, struct entry *spare, unsigned shift)
{
    if (n >= RADIX_LEAST) {
        radix_passes(w, e, spare, n, shift);
    }
    if (UNLIKELY(!insertion_pass(w, e, n))) {
        for (unsigned low = 0; low < 64; low += 16) {
            radix_passes(w, e, spare, n, low);
        }
    }
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

/*
 * Entries of one hash are compared by a key that takes its place: the first octets behind the
 * second-level label, which nearly always is one and the same.
 */
struct order {
    struct bl_compile *c;
    unsigned skip; /* octets that are the same in all; 0: nothing is known, keys are 0 */
};

static NOINLINE int log_compare(const struct order *o, const struct entry *x, const struct entry *y)
{
    const uint8_t *a = at(o->c, x->at), *b = at(o->c, y->at);
    if (log_tld(a) != log_tld(b)) {
        return log_tld(a) < log_tld(b) ? -1 : 1;
    }
    unsigned skip_a = o->skip < a[LOG_LEN] ? o->skip : a[LOG_LEN];
    unsigned skip_b = o->skip < b[LOG_LEN] ? o->skip : b[LOG_LEN];
    return path_compare(a + LOG_PATH + skip_a, a[LOG_LEN] - skip_a, b + LOG_PATH + skip_b,
                        b[LOG_LEN] - skip_b);
}

static ALWAYS_INLINE bool is_after(const struct order *o, const struct entry *x,
                                   const struct entry *y)
{
    return x->hash != y->hash ? x->hash > y->hash : log_compare(o, x, y) > 0;
}

static struct order keys_make(struct lane *w, struct entry *e, uint32_t n)
{
    const uint8_t *first = at(w->c, e->at);
    unsigned len = first[LOG_LEN];
    const uint8_t *zero = memchr(first + LOG_PATH, 0, len);
    unsigned label = zero ? (unsigned)(zero - first) - LOG_PATH : len;
    struct order o = {w->c, label + 1};
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *rule = at(w->c, e[i].at);
        unsigned left = rule[LOG_LEN] - label; /* the 0 and the rest */
        if (UNLIKELY(rule[LOG_LEN] < label || log_tld(rule) != log_tld(first) ||
                     !equal_words(rule + LOG_PATH, first + LOG_PATH, label) ||
                     (left > 0 && rule[LOG_PATH + label] != 0))) {
            o.skip = 0;
            break;
        }
        uint64_t key = be64(rule + LOG_PATH + label + 1);
        e[i].hash = left > 8 ? key : left > 1 ? key & ~(UINT64_MAX >> 8 * (left - 1)) : 0;
        work_did(w->work, 1);
    }
    for (uint32_t i = 0; o.skip == 0 && i < n; i++) {
        e[i].hash = 0;
        work_did(w->work, 1);
    }
    return o;
}

static void merge(struct lane *w, const struct order *o, const struct entry *from, struct entry *to,
                  uint32_t lo, uint32_t mid, uint32_t hi)
{
    uint32_t a = lo, b = mid;
    for (uint32_t i = lo; i < hi; i++) {
        bool left = b == hi || (a < mid && !is_after(o, &from[a], &from[b]));
        to[i] = left ? from[a++] : from[b++];
        work_did(w->work, 1);
    }
}

static void insert_few(struct lane *w, const struct order *o, struct entry *e, uint32_t lo,
                       uint32_t hi)
{
    for (uint32_t i = lo + 1; i < hi; i++) {
        struct entry x = e[i];
        uint32_t k = i;
        for (; k > lo && is_after(o, &e[k - 1], &x); k--) {
            e[k] = e[k - 1];
        }
        e[k] = x;
        work_did(w->work, 1 + (i - k));
    }
}

void group_sort(struct lane *w, struct entry *e, uint32_t n, struct entry *spare)
{
    uint64_t hash = e->hash;
    struct order o = keys_make(w, e, n);
    for (uint32_t lo = 0; lo < n; lo += INSERT_MOST) {
        insert_few(w, &o, e, lo, n - lo < INSERT_MOST ? n : lo + INSERT_MOST);
    }
    struct entry *from = e, *to = spare;
    for (uint32_t width = INSERT_MOST; width < n; width *= 2) {
        for (uint32_t lo = 0; lo < n; lo += 2 * width) {
            uint32_t mid = n - lo < width ? n : lo + width;
            uint32_t hi = n - lo < 2 * width ? n : lo + 2 * width;
            merge(w, &o, from, to, lo, mid, hi);
        }
        struct entry *t = from;
        from = to;
        to = t;
    }
    if (from != e) {
        copy_entries(w->work, e, from, n);
    }
    for (uint32_t i = 0; i < n; i++) {
        e[i].hash = hash;
        work_did(w->work, 1);
    }
}
