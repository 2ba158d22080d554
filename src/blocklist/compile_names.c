/*
 * From the log of a partition to names: rules on one name are brought together, and the set of
 * (list, effect) that speak of it becomes its class. Partitions can be worked on at the same time:
 * classes that are known are only looked up here; new ones get their numbers afterwards, in order
 * of partitions and of names, which is the order in which one alone would have come upon them.
 */
#include "base/attr.h"
#include "base/require.h"
#include "blocklist/compile_int.h"

#define SHIFT (64 - PART_BITS - 16) /* the bits above are the partition's own */
#define AHEAD 8                     /* entries whose rules are fetched before their turn */

/* Memory for n rules of `size` octets in all; false: there is not enough. */
static bool take_memory(struct lane *w, uint32_t n)
{
    size_t each = 2 * sizeof(struct entry) + SOURCE_WORDS * 4;
    size_t octets = (n * each + 15) & ~(size_t)15;
    if (octets > w->end - w->begin) {
        lane_fail(w, ERR_SPACE);
        return false;
    }
    w->stack_end = w->end - (uint32_t)octets;
    w->stack = w->begin;
    w->names = (struct entry *)(void *)at(w->c, w->stack_end);
    w->spare = w->names + n;
    w->sources = (uint32_t *)(void *)(w->spare + n);
    w->sources_used = 0;
    w->high = (uint32_t)octets;
    return true;
}

/* The entries of one chunk. Those of other feeds than the first get its numbers of top-level
 * domains. */
static uint32_t load_chunk(struct lane *w, const struct bl_feed *f, uint8_t *chunk, uint32_t i)
{
    struct entry *e = w->names;
    uint8_t *p = chunk + CHUNK_HEAD;
    for (uint8_t *end = p + chunk_used(chunk); p < end; p += LOG_PATH + p[LOG_LEN]) {
        if (f->number != 0 && !log_tld_is_here(p)) {
            uint16_t tld = f->tld_here[log_tld(p)];
            if (tld == TLD_DROPPED) {
                continue;
            }
            log_tld_set(p, tld | (uint16_t)TLD_HERE);
        }
        memcpy(&e[i].hash, p + LOG_HASH, 8);
        e[i++].at = (uint32_t)(p - w->c->base);
    }
    return i;
}

bool part_load(struct lane *w)
{
    struct bl_compile *c = w->c;
    uint32_t i = 0, n = part_rules(c, w->part);
    if (!take_memory(w, n)) {
        return false;
    }
    for (unsigned k = 0; k < c->feeds; k++) {
        for (uint32_t off = c->feed[k]->parts[w->part].first; off; off = chunk_next(at(c, off))) {
            const uint8_t *next = at(c, chunk_next(at(c, off)));
            for (unsigned line = 0; line < CHUNK; line += CACHE_LINE) {
                PREFETCH(next + line);
            }
            i = load_chunk(w, c->feed[k], at(c, off), i);
            work_did(w->work, CHUNK / LOG_PATH);
        }
    }
    ASSERT(i <= n);
    w->name_count = i;
    hash_sort(w->work, w->names, i, w->spare, SHIFT);
    return true;
}

/*
 * The sources of one name: entries lo..hi-1 have the same path. A rule whose effect its list has
 * stated already is a duplicate.
 */
static unsigned sources_gather(struct lane *w, const struct entry *lo, const struct entry *hi)
{
    unsigned count = 0, list = BL_LISTS_MAX, first = 0, said = 0;
    unsigned all = 0;
    for (; lo < hi; lo++) {
        const uint8_t *rule = at(w->c, lo->at);
        work_did(w->work, 1);
        if (rule[LOG_LIST] != list) {
            list = rule[LOG_LIST];
            first = count;
            said = 0;
        }
        if ((rule[LOG_EFFECT] & ~said) == 0) {
            w->duplicates[list]++;
            continue;
        }
        said |= rule[LOG_EFFECT];
        all |= rule[LOG_EFFECT];
        w->rules[list]++;
        if (count >= BL_SOURCES_MANY && count > first) {
            w->source_pairs[2 * first + 1] |= rule[LOG_EFFECT];
            continue;
        }
        w->source_pairs[2 * count] = (uint8_t)list;
        w->source_pairs[2 * count + 1] = rule[LOG_EFFECT];
        memcpy(&w->source_lines[count], rule + LOG_LINE, 4);
        count++;
    }
    for (; all; all >>= 2) {
        w->rule_count += (all & 3) != 0;
    }
    return count;
}

static uint32_t row_of(struct lane *w, const uint8_t *pairs, unsigned count)
{
    const struct class_row *row = class_find(w->c, pairs, count);
    return row ? (uint32_t)((const uint8_t *)row - w->c->base) : 0;
}

static void sources_of_many(struct lane *w, const struct entry *lo, const struct entry *hi)
{
    unsigned count = sources_gather(w, lo, hi);
    uint32_t *s = w->sources + w->sources_used;
    s[0] = row_of(w, w->source_pairs, count);
    memcpy(s + 1, w->source_lines, count * sizeof *s);
    w->sources_used += 1 + count;
    if (s[0] == 0 && count == 1) {
        s[0] =
            (uint32_t)w->source_pairs[0] << 16 | (uint32_t)w->source_pairs[1] << 8 | CLASS_OF_ONE;
        w->classes_open = true;
    } else if (s[0] == 0) {
        s[0] = count << 2 | CLASS_OF_MANY;
        memcpy(s + 1 + count, w->source_pairs, count * 2);
        w->sources_used += (count + 1) / 2;
        w->classes_open = true;
    }
}

static ALWAYS_INLINE void sources_of_one(struct lane *w, const uint8_t *rule)
{
    uint32_t *s = w->sources + w->sources_used;
    struct single *single = &w->single[rule[LOG_LIST]];
    w->rules[rule[LOG_LIST]]++;
    w->rule_count++;
    w->sources_used += 2;
    memcpy(s + 1, rule + LOG_LINE, 4);
    if (UNLIKELY(single->row == 0 || single->effect != rule[LOG_EFFECT])) {
        *single = (struct single){row_of(w, rule + LOG_LIST, 1), rule[LOG_EFFECT]};
        if (single->row == 0) {
            s[0] = (uint32_t)rule[LOG_LIST] << 16 | (uint32_t)rule[LOG_EFFECT] << 8 | CLASS_OF_ONE;
            w->classes_open = true;
            return;
        }
    }
    s[0] = single->row;
}

/* The entries lo..hi-1 are on one name, which becomes the next one of the partition. */
static ALWAYS_INLINE struct entry *name_add(struct lane *w, struct entry *to,
                                            const struct entry *lo, const struct entry *hi)
{
    struct entry name = {lo->hash, lo->at, w->sources_used};
    if (LIKELY(hi - lo == 1)) {
        sources_of_one(w, at(w->c, lo->at));
    } else {
        sources_of_many(w, lo, hi);
    }
    *to = name;
    return to + 1;
}

static bool same_name(struct bl_compile *c, const struct entry *x, const struct entry *y)
{
    const uint8_t *a = at(c, x->at), *b = at(c, y->at);
    return a[LOG_LEN] == b[LOG_LEN] && log_tld(a) == log_tld(b) &&
           equal_words(a + LOG_PATH, b + LOG_PATH, a[LOG_LEN]);
}

/* The end of the entries from lo on that are on its name. */
static struct entry *name_end(struct lane *w, struct entry *lo, const struct entry *hi)
{
    struct entry *e = lo + 1;
    while (e < hi && same_name(w->c, lo, e)) {
        work_did(w->work, 1);
        e++;
    }
    return e;
}

/* Entries of one hash: nearly always of one second-level name, and most often of one name. */
static struct entry *same_hash(struct lane *w, struct entry *to, struct entry *lo, struct entry *hi)
{
    if (name_end(w, lo, hi) == hi) {
        return name_add(w, to, lo, hi);
    }
    group_sort(w, lo, (uint32_t)(hi - lo), w->spare);
    while (lo < hi) {
        struct entry *end = name_end(w, lo, hi);
        to = name_add(w, to, lo, end);
        lo = end;
    }
    return to;
}

void part_names(struct lane *w)
{
    struct entry *e = w->names, *to = e;
    uint32_t n = w->name_count;
    for (uint32_t lo = 0, hi; lo < n; lo = hi) {
        hi = lo + 1;
        if (LIKELY(lo + AHEAD < n)) {
            PREFETCH(at(w->c, e[lo + AHEAD].at));
        }
        while (hi < n && e[hi].hash == e[lo].hash) {
            hi++;
            work_did(w->work, 1);
        }
        to = LIKELY(hi - lo == 1) ? name_add(w, to, e + lo, e + hi)
                                  : same_hash(w, to, e + lo, e + hi);
        work_did(w->work, 1);
    }
    w->name_count = (uint32_t)(to - e);
}

void part_classes(struct lane *w)
{
    struct bl_compile *c = w->c;
    for (uint32_t i = 0; w->classes_open && i < w->name_count; i++) {
        uint32_t *s = w->sources + w->names[i].to;
        uint8_t one[2] = {(uint8_t)(s[0] >> 16), (uint8_t)(s[0] >> 8)};
        const struct class_row *row = NULL;
        work_did(w->work, 1);
        if (!(s[0] & CLASS_OPEN)) {
            continue;
        }
        if ((s[0] & CLASS_OF_MANY) == CLASS_OF_MANY) {
            uint32_t count = s[0] >> 2;
            row = class_intern(c, (const uint8_t *)(s + 1 + count), count);
        } else {
            row = class_intern(c, one, 1);
        }
        if (!row) {
            return; /* noted */
        }
        s[0] = (uint32_t)((const uint8_t *)row - c->base);
    }
    w->classes_open = false;
}
