/*
 * Where rules come in: into the log, by partition. Each feed has a log and numbers of top-level
 * domains of its own, so that several can be filled at a time; joined in the order of the feeds
 * they are what one feed would have got.
 */
#include "base/attr.h"
#include "base/require.h"
#include "blocklist/compile_int.h"
#include "dns/suffix.h"

void feed_init(struct bl_feed *f, struct bl_compile *c, unsigned number)
{
    memset(f, 0, sizeof *f);
    f->c = c;
    f->number = number;
    f->list = BL_LISTS_MAX;
}

struct bl_feed *bl_compile_feed(struct bl_compile *c, unsigned k)
{
    REQUIRE(k < c->feeds);
    return c->feed[k];
}

static void *feed_room(struct bl_feed *f, struct chain *chain, uint32_t n)
{
    void *p = chain_room(f->c, &f->chunk_free, chain, n, 1);
    if (UNLIKELY(!p)) {
        f->err = ERR_SPACE;
    }
    return p;
}

static void keep_text(struct bl_feed *f, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t *p = feed_room(f, &f->texts, 1);
        if (!p) {
            return;
        }
        *p = text.ptr[i];
    }
    f->text_len += (uint32_t)text.len;
}

void bl_feed_list(struct bl_feed *f, unsigned list, struct span name, struct span url)
{
    REQUIRE(list < BL_LISTS_MAX && name.len <= BL_LIST_TEXT_MAX && url.len <= BL_LIST_TEXT_MAX);
    f->list = list;
    if (f->c->pass == 0) {
        f->c->lists[list] = (struct list_state){.text = f->text_len,
                                                .name_len = (uint16_t)name.len,
                                                .url_len = (uint16_t)url.len,
                                                .feed = (uint8_t)f->number,
                                                .used = true};
        keep_text(f, name);
        keep_text(f, url);
    }
}

bool bl_feed_pattern(struct bl_feed *f, struct span pattern, unsigned rank, uint32_t line)
{
    if (f->err != ERR_OK || f->list >= BL_LISTS_MAX || pattern.len > BL_PATTERN_MAX ||
        (f->c->pass == 0 && f->pattern_count == BL_PATTERNS_MAX)) {
        return false;
    }
    if (f->c->pass > 0) {
        return true; /* it is here already */
    }
    uint8_t *p = feed_room(f, &f->patterns, (uint32_t)(BL_PATTERN_HEAD + pattern.len));
    if (!p) {
        return false;
    }
    p[0] = (uint8_t)f->list;
    p[1] = (uint8_t)rank;
    le16_write(p + 2, (uint16_t)pattern.len);
    le32_write(p + 4, line);
    memcpy(p + BL_PATTERN_HEAD, pattern.ptr, pattern.len);
    f->pattern_count++;
    f->c->lists[f->list].rules++;
    return true;
}

void bl_feed_list_end(struct bl_feed *f, uint32_t rejected, uint32_t lines)
{
    if (f->list < BL_LISTS_MAX) {
        f->c->lists[f->list].rejected = rejected;
        f->c->lists[f->list].lines = lines;
    }
    f->list = BL_LISTS_MAX;
}

/* UINT32_MAX: no room. */
static uint32_t tld_intern(struct bl_feed *f, uint64_t hash, const uint8_t *octets, unsigned len)
{
    struct tlds *t = &f->tlds;
    const uint32_t mask = ARRAY_LEN(t->slots) - 1;
    uint32_t slot = (uint32_t)(hash >> 32) & mask;
    for (; t->slots[slot] != 0; slot = (slot + 1) & mask) {
        uint32_t index = t->slots[slot] - 1u;
        const uint8_t *row = at(f->c, t->at[index]);
        if (row[0] == len && equal_words(row + 1, octets, len)) {
            return index;
        }
    }
    if (t->count == BL_TLDS_MAX) {
        return UINT32_MAX;
    }
    uint8_t *row = feed_room(f, &t->rows, BL_TLD);
    if (!row) {
        return UINT32_MAX;
    }
    memset(row, 0, BL_TLD);
    row[0] = (uint8_t)len;
    memcpy(row + 1, octets, len);
    t->at[t->count] = (uint32_t)(row - f->c->base);
    t->slots[slot] = (uint16_t)++t->count;
    return t->count - 1;
}

/* The labels below the top-level domain, nearest the root first, 0 between. Label i's octets begin
 * at octets + off[i]. */
static ALWAYS_INLINE void put_path(uint8_t *to, const struct dns_name *name, const uint8_t *octets)
{
    for (unsigned i = name->labels - 1u; i-- > 0;) {
        unsigned n = name->wire[name->off[i]];
        copy_words(to, octets + name->off[i], n);
        to += n;
        if (i > 0) {
            *to++ = 0;
        }
    }
}

void bl_feed_rule(struct bl_feed *f, const struct bl_rule *rule)
{
    struct bl_compile *c = f->c;
    const struct dns_name *name = &rule->name;
    const uint8_t *octets = rule->text ? rule->text : name->wire + 1;
    if (UNLIKELY(f->err != ERR_OK || f->list >= BL_LISTS_MAX || name->labels == 0)) {
        return;
    }
    struct list_state *l = &c->lists[f->list];
    if (c->pass == 0 && rule->line > l->last_line) {
        l->last_line = rule->line;
    }
    unsigned tld_off = name->off[name->labels - 1], len = 0, part = PARTS;
    uint64_t tld_hash = dns_suffix_child(dns_suffix_root(), octets + tld_off, name->wire[tld_off]);
    uint64_t hash = 0;
    if (LIKELY(name->labels > 1)) {
        unsigned off = name->off[name->labels - 2];
        hash = dns_suffix_child(tld_hash, octets + off, name->wire[off]);
        part = (unsigned)(hash >> (64 - PART_BITS));
        len = tld_off - 1;
        if (part < c->part_first || part >= c->part_end) {
            return;
        }
    } else if (c->pass > 0) {
        return;
    }
    uint32_t tld = tld_intern(f, tld_hash, octets + tld_off, name->wire[tld_off]);
    if (UNLIKELY(tld == UINT32_MAX)) {
        f->dropped++;
        return;
    }
    uint8_t *p = feed_room(f, &f->parts[part], LOG_PATH + len);
    if (UNLIKELY(!p)) {
        return;
    }
    PREFETCH_WRITE(p + LOG_PATH + len + CACHE_LINE / 2); /* where this partition's next rule goes */
    f->part_rules[part]++;
    memcpy(p + LOG_HASH, &hash, 8);
    memcpy(p + LOG_LINE, &rule->line, 4);
    log_tld_set(p, (uint16_t)tld);
    p[LOG_LIST] = (uint8_t)f->list;
    p[LOG_EFFECT] = (uint8_t)(rule->kind << 2 * rule->rank);
    p[LOG_LEN] = (uint8_t)len;
    if (LIKELY(len > 0)) {
        put_path(p + LOG_PATH, name, octets);
    }
}

/* ---- joining ---- */

static void join_tlds(struct bl_feed *to, struct bl_feed *from)
{
    for (uint32_t i = 0; i < from->tlds.count; i++) {
        const uint8_t *row = at(from->c, from->tlds.at[i]);
        uint64_t hash = dns_suffix_child(dns_suffix_root(), row + 1, row[0]);
        uint32_t here = tld_intern(to, hash, row + 1, row[0]);
        from->tld_here[i] = here == UINT32_MAX ? TLD_DROPPED : (uint16_t)here;
    }
}

/* The patterns of all feeds behind each other, as many as an image takes. */
static void join_patterns(struct bl_compile *c, struct bl_feed *to, struct bl_feed *from)
{
    uint32_t most = BL_PATTERNS_MAX - to->pattern_count;
    for (uint32_t off = from->patterns.first; off && from->pattern_count > most;
         off = chunk_next(at(c, off))) {
        uint8_t *p = at(c, off) + CHUNK_HEAD, *end = p + chunk_used(at(c, off));
        for (; p < end && most > 0; most--) {
            p += BL_PATTERN_HEAD + le16_read(p + 2);
        }
        uint32_t used = (uint32_t)(p - at(c, off)) - CHUNK_HEAD;
        memcpy(at(c, off) + 4, &used, 4);
        for (; p < end; p += BL_PATTERN_HEAD + le16_read(p + 2)) {
            c->lists[p[0]].rules--;
            c->lists[p[0]].rejected++;
        }
    }
    to->pattern_count += from->pattern_count;
    to->pattern_count = to->pattern_count < BL_PATTERNS_MAX ? to->pattern_count : BL_PATTERNS_MAX;
    chain_join(c, &to->patterns, &from->patterns);
}

void feeds_join(struct bl_compile *c)
{
    struct bl_feed *first = c->feed[0];
    for (unsigned k = 1; k < c->feeds; k++) {
        struct bl_feed *f = c->feed[k];
        join_tlds(first, f);
        if (c->pass == 0) {
            for (unsigned i = 0; i < BL_LISTS_MAX; i++) {
                c->lists[i].text += c->lists[i].feed == k ? first->text_len : 0;
            }
            first->text_len += f->text_len;
            chain_join(c, &first->texts, &f->texts);
            join_patterns(c, first, f);
        }
    }
    for (unsigned k = 0; k < c->feeds; k++) {
        if (c->feed[k]->err != ERR_OK) {
            compile_fail(c, c->feed[k]->err);
        }
    }
}

uint32_t part_rules(const struct bl_compile *c, unsigned part)
{
    uint32_t n = 0;
    for (unsigned k = 0; k < c->feeds; k++) {
        n += c->feed[k]->part_rules[part];
    }
    return n;
}
