/*
 * Reading an image from front to back: where each rule came from, and all rules with their names.
 * For people, tools and tests; a look-up needs neither.
 */
#include "base/attr.h"
#include "blocklist/codes.h"
#include "blocklist/format.h"
#include "blocklist/image_int.h"
#include "dns/suffix.h"

/* A record taken apart. */
struct record {
    uint32_t off;
    uint32_t tld; /* if the group has them */
    uint32_t class_id;
    uint32_t children; /* distance << 1 | is fan; 0: none */
    const uint8_t *codes;
    size_t code_len;
};

/* A group being read record by record. */
struct group {
    uint32_t off;
    uint32_t next_off; /* of what follows the group */
    unsigned count, at;
    uint32_t record; /* offset of record `at` */
    bool has_tld, more;
};

/* False if no whole group is there. */
static bool group_open(const struct bl_image *image, uint32_t off, struct group *g)
{
    if (off >= image->trie_len) {
        return false;
    }
    const uint8_t *p = image->trie + off;
    uint32_t left = image->trie_len - off;
    *g = (struct group){
        .off = off, .count = p[0] & BL_COUNT, .has_tld = p[0] & BL_HAS_TLD, .more = p[0] & BL_MORE};
    uint32_t size = 1 + 2 * g->count;
    if (size > left) {
        return false;
    }
    for (unsigned i = 0; i < g->count; i++) {
        size += p[1 + g->count + i] & 0x7fu;
    }
    g->record = off + 1 + 2 * g->count;
    g->next_off = off + size;
    return size <= left;
}

static bool group_next(const struct bl_image *image, struct group *g, struct record *r)
{
    if (g->at == g->count) {
        return false;
    }
    unsigned size = image->trie[g->off + 1 + g->count + g->at++];
    const uint8_t *p = image->trie + g->record;
    const uint8_t *end = p + (size & 0x7f);
    *r = (struct record){.off = g->record};
    g->record += size & 0x7f;
    if (g->has_tld) {
        p = bl_number_read(p, &r->tld);
    }
    p = bl_number_read(p, &r->class_id);
    if (size & BL_HAS_CHILDREN) {
        p = bl_distance_read(p, &r->children);
    }
    r->codes = p;
    r->code_len = p <= end ? (size_t)(end - p) : 0;
    return true;
}

static uint64_t bits_read(const struct bl_image *image, uint64_t bit, unsigned width)
{
    if (bit / 8 + 8 > image->line_octets) {
        return 0;
    }
    return le64_read(image->lines + bit / 8) >> bit % 8 & ((UINT64_C(1) << width) - 1);
}

static uint64_t class_bits(const struct bl_image *image, uint32_t class_id)
{
    struct bl_sources s = bl_image_class(image, class_id);
    uint64_t bits = 0;
    for (uint32_t i = 0; i < s.count; i++) {
        bits += bl_image_line_width(image, s.pairs[2 * i]);
    }
    return bits;
}

static size_t sources_read(const struct bl_image *image, uint32_t class_id, uint64_t bit,
                           struct bl_source *out, size_t cap)
{
    struct bl_sources s = bl_image_class(image, class_id);
    for (uint32_t i = 0; i < s.count; i++) {
        unsigned list = s.pairs[2 * i], effect = s.pairs[2 * i + 1];
        unsigned width = bl_image_line_width(image, list);
        unsigned rank = effect == 0 ? 0 : (unsigned)__builtin_ctz(effect) / 2;
        if (i < cap) {
            out[i] = (struct bl_source){.list = (uint8_t)list,
                                        .kind = (uint8_t)(effect >> 2 * rank & 3),
                                        .rank = (uint8_t)rank,
                                        .line = (uint32_t)bits_read(image, bit, width)};
        }
        bit += width;
    }
    return s.count;
}

/* The last mark at or before a rule. */
static bool mark_find(const struct bl_image *image, uint32_t rule, uint32_t *off, uint64_t *bit)
{
    uint32_t lo = 0, hi = image->mark_count;
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (le32_read(image->marks + (size_t)mid * BL_MARK) <= rule) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    if (hi == 0) {
        return false;
    }
    *off = le32_read(image->marks + (size_t)lo * BL_MARK);
    *bit = le64_read(image->marks + (size_t)lo * BL_MARK + 4);
    return *off <= rule;
}

size_t bl_image_sources(const struct bl_image *image, uint32_t rule, struct bl_source *out,
                        size_t cap)
{
    uint32_t off;
    uint64_t bit;
    struct group g;
    struct record r;
    if (!mark_find(image, rule, &off, &bit)) {
        return 0;
    }
    while (off <= rule && off < image->trie_len) {
        if (image->trie[off] == BL_FAN) {
            uint32_t left = image->trie_len - off;
            uint32_t buckets = left < BL_FAN_HEAD ? UINT32_MAX : le32_read(image->trie + off + 1);
            if (left < BL_FAN_HEAD || buckets > (left - BL_FAN_HEAD) / 4) {
                return 0;
            }
            off += BL_FAN_HEAD + 4 * buckets;
            continue;
        }
        if (!group_open(image, off, &g)) {
            return 0;
        }
        while (group_next(image, &g, &r)) {
            if (r.off == rule) {
                return sources_read(image, r.class_id, bit, out, cap);
            }
            bit += class_bits(image, r.class_id);
        }
        off = g.next_off;
    }
    return 0;
}

/* A walk over everything. */
struct walk {
    const struct bl_image *image;
    bl_image_visit *visit;
    void *ctx;
    uint64_t budget; /* records that may still be seen: a forged image must not keep us for ever */
    bool stop, broken;
    unsigned labels;
    uint8_t path[DNS_NAME_MAX]; /* wire labels, nearest the root first: octets, then their number */
    unsigned path_len;
    struct bl_image_rule rule;
};

/* The name at hand: the labels of the path from its end to its start. */
static bool name_make(struct walk *w)
{
    struct dns_name *n = &w->rule.name;
    unsigned pos = w->path_len, used = 0;
    n->labels = 0;
    while (pos > 0) {
        unsigned octets = w->path[pos - 1];
        n->off[n->labels++] = (uint8_t)used;
        n->wire[used++] = (uint8_t)octets;
        memcpy(n->wire + used, w->path + pos - 1 - octets, octets);
        used += octets;
        pos -= octets + 1;
    }
    n->off[n->labels] = (uint8_t)used;
    n->wire[used++] = 0;
    n->len = (uint8_t)used;
    return true;
}

static bool path_push(struct walk *w, const uint8_t *octets, size_t n)
{
    if (n == 0 || n > DNS_LABEL_MAX || w->path_len + n + 1 > DNS_NAME_MAX - 1) {
        return false;
    }
    memcpy(w->path + w->path_len, octets, n);
    w->path_len += (unsigned)n;
    w->path[w->path_len++] = (uint8_t)n;
    return true;
}

static bool path_push_run(struct walk *w, const struct record *r)
{
    uint8_t run[DNS_NAME_MAX];
    size_t len = bl_decode_run(r->codes, r->code_len, run, sizeof run), from = 0;
    for (size_t i = 0; i <= len && len > 0; i++) {
        if (i == len || run[i] == 0) {
            if (!path_push(w, run + from, i - from)) {
                return false;
            }
            from = i + 1;
        }
    }
    return len > 0;
}

static void emit(struct walk *w, uint32_t class_id, uint32_t rule)
{
    if (class_id == 0 || class_id >= w->image->class_count || !name_make(w)) {
        return;
    }
    w->rule.rule = rule;
    w->rule.effect = w->image->effects[class_id];
    w->rule.class_id = class_id;
    w->stop = !w->visit(w->ctx, &w->rule);
}

static void walk_set(struct walk *w, uint32_t off);

static void walk_children(struct walk *w, const struct group *g, const struct record *r)
{
    uint32_t back = r->children >> 1;
    if (back == 0 || back > g->off) {
        w->broken = true;
        return;
    }
    uint32_t off = g->off - back;
    if (!(r->children & 1)) {
        walk_set(w, off);
        return;
    }
    uint32_t left = w->image->trie_len - off;
    uint32_t buckets = left < BL_FAN_HEAD ? UINT32_MAX : le32_read(w->image->trie + off + 1);
    if (left < BL_FAN_HEAD || buckets > (left - BL_FAN_HEAD) / 4) {
        w->broken = true;
        return;
    }
    for (uint32_t b = 0; b < buckets && !w->stop && !w->broken; b++) {
        uint32_t bucket = le32_read(w->image->trie + off + BL_FAN_HEAD + (size_t)b * 4);
        if (bucket >= off) {
            w->broken = true;
            return;
        }
        walk_set(w, bucket);
    }
}

/* A group and those that go on with it. Recurses once a label at most. */
static void walk_set(struct walk *w, uint32_t off)
{
    struct group g;
    struct record r;
    do {
        if (!group_open(w->image, off, &g)) {
            w->broken = true;
            return;
        }
        while (!w->stop && !w->broken && group_next(w->image, &g, &r)) {
            unsigned len = w->path_len;
            const uint8_t *tld = w->image->tlds + (size_t)r.tld * BL_TLD;
            w->broken =
                w->budget-- == 0 ||
                (g.has_tld && (r.tld >= w->image->tld_count || !path_push(w, tld + 1, tld[0]))) ||
                !path_push_run(w, &r);
            if (!w->broken) {
                emit(w, r.class_id, r.off);
                if (r.children != 0 && !w->stop) {
                    walk_children(w, &g, &r);
                }
            }
            w->path_len = len;
        }
        off = g.next_off;
    } while (g.more && !w->stop && !w->broken);
}

enum err bl_image_walk(const struct bl_image *image, bl_image_visit *visit, void *ctx)
{
    struct walk w = {.image = image, .visit = visit, .ctx = ctx, .budget = image->trie_len};
    for (uint32_t i = 0; i < image->tld_count && !w.stop; i++) {
        const uint8_t *row = image->tlds + (size_t)i * BL_TLD;
        w.path_len = 0;
        if (!path_push(&w, row + 1, row[0])) {
            return ERR_FORMAT;
        }
        emit(&w, le32_read(row + BL_TLD_CLASS), le32_read(row + BL_TLD_RULE));
    }
    w.path_len = 0;
    for (uint32_t b = 0; b < image->bucket_count && !w.stop && !w.broken; b++) {
        walk_set(&w, le32_read(image->directory + (size_t)b * 4));
    }
    return w.broken ? ERR_FORMAT : ERR_OK;
}

struct unique_count {
    const struct bl_image *image;
    uint32_t *unique;
};

static bool count_unique(void *ctx, const struct bl_image_rule *rule)
{
    struct unique_count *c = ctx;
    struct bl_sources s = bl_image_class(c->image, rule->class_id);
    uint32_t i = 1;
    while (i < s.count && s.pairs[2 * i] == s.pairs[0]) {
        i++;
    }
    c->unique[s.count > 0 ? s.pairs[0] : 0] += s.count > 0 && i == s.count;
    return true;
}

enum err bl_image_unique(const struct bl_image *image, uint32_t unique[BL_LISTS_MAX])
{
    struct unique_count count = {.image = image, .unique = unique};
    memset(unique, 0, BL_LISTS_MAX * sizeof *unique);
    return bl_image_walk(image, count_unique, &count);
}
