/*
 * The trie, written partition by partition while its rules are in the cache. A node's children are
 * written before its own group, so that their place is known; until then the node waits on a stack.
 * Recursion goes one level a label, at most 126 deep.
 */
#include "base/attr.h"
#include "blocklist/codes.h"
#include "blocklist/compile_int.h"
#include "dns/suffix.h"

#define NO_CHILDREN UINT32_MAX
#define STRIDE      64 /* names between two looks at the work done */

/* A node that waits for its group. */
struct node {
    uint64_t hash;     /* of the suffix that ends at its first label */
    uint32_t children; /* offset in the trie of their group or fan */
    uint32_t sources;  /* of its name; NO_SOURCES: no rule */
    uint16_t tld;
    uint16_t size; /* octets on the stack */
    bool fan, has_tld;
    uint8_t code_len;
    uint8_t codes[];
};

struct children {
    uint32_t at; /* NO_CHILDREN */
    bool fan;
};

static void *push(struct lane *w, size_t size)
{
    size = (size + 7) & ~(size_t)7;
    if (size > w->stack_end - w->stack) {
        lane_fail(w, ERR_SPACE);
        return NULL;
    }
    void *p = at(w->c, w->stack);
    w->stack += (uint32_t)size;
    uint32_t used = w->stack - w->begin + (w->end - w->stack_end);
    w->high = used > w->high ? used : w->high;
    return p;
}

static struct node *node_at(struct lane *w, uint32_t off)
{
    return (struct node *)(void *)at(w->c, off);
}

/* Append one record to the group at hand. Returns its octets. */
static size_t record_write(struct lane *w, const struct node *n, uint32_t group, uint8_t *out)
{
    struct bl_compile *c = w->c;
    uint8_t *p = out;
    if (n->has_tld) {
        p = bl_number_write(p, n->tld);
    }
    if (n->sources == NO_SOURCES) {
        p = bl_number_write(p, 0);
    } else {
        const uint32_t *s = w->sources + n->sources;
        const struct class_row *row = (const struct class_row *)(const void *)at(c, s[0]);
        p = bl_number_write(p, row->id);
        for (unsigned i = 0; i < row->count; i++) {
            lane_bits(w, s[1 + i], line_width(c, row->pairs[2 * i]));
        }
    }
    if (n->children != NO_CHILDREN) {
        p = bl_distance_write(p, (group - n->children) << 1 | n->fan);
    }
    copy_words(p, n->codes, n->code_len);
    p += n->code_len;
    return (size_t)(p - out);
}

/* Write `count` nodes, one behind the other on the stack from `from` on, as one set. Returns its
 * offset. */
static uint32_t groups_write(struct lane *w, uint32_t from, uint32_t count)
{
    uint32_t first = lane_pos(w);
    while (count > 0 && w->err == ERR_OK) {
        unsigned n = count < BL_GROUP_MAX ? (unsigned)count : BL_GROUP_MAX;
        uint32_t group = lane_pos(w);
        size_t used = 1 + 2 * (size_t)n;
        lane_mark_group(w, group);
        w->group[0] =
            (uint8_t)(n | (node_at(w, from)->has_tld ? BL_HAS_TLD : 0) | (n < count ? BL_MORE : 0));
        for (unsigned i = 0; i < n; i++) {
            const struct node *node = node_at(w, from);
            size_t size = record_write(w, node, group, w->group + used);
            w->group[1 + i] = (uint8_t)node->hash;
            w->group[1 + n + i] =
                (uint8_t)(size | (node->children != NO_CHILDREN ? BL_HAS_CHILDREN : 0));
            used += size;
            from += node->size;
        }
        work_did(w->work, n);
        lane_out(w, w->group, used);
        count -= n;
    }
    return first;
}

static const uint8_t *path_of(struct lane *w, const struct entry *e, unsigned *len)
{
    const uint8_t *rule = at(w->c, e->at);
    *len = rule[LOG_LEN];
    return rule + LOG_PATH;
}

static unsigned label_end(const uint8_t *path, unsigned len, unsigned pos)
{
    const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
    for (; pos < len; pos += 8) {
        uint64_t v = le64_read(path + pos);
        uint64_t zeros = ~(((v & low) + low) | v | low);
        if (zeros != 0) {
            pos += (unsigned)__builtin_ctzll(zeros) / 8;
            break;
        }
    }
    return pos < len ? pos : len;
}

/* Push a node with the sources of the name that ends at it, if one does; without children. */
static ALWAYS_INLINE struct node *node_push(struct lane *w, uint32_t sources, size_t code_len,
                                            uint64_t hash)
{
    size_t size = (sizeof(struct node) + code_len + 15) & ~(size_t)7; /* and a word */
    struct node *n = push(w, size);
    if (n) {
        n->hash = hash;
        n->size = (uint16_t)size;
        n->sources = sources;
        n->children = NO_CHILDREN;
        n->fan = false;
        n->has_tld = false;
        n->code_len = (uint8_t)code_len;
    }
    return n;
}

static struct children children_write(struct lane *w, const struct entry *lo,
                                      const struct entry *hi, unsigned pos, uint64_t parent);

/*
 * How far the names lo..hi-1 go on alike from the label at `pos` on: to the end of a label where
 * they part or one of them ends. *below becomes the hash there.
 */
static unsigned run_end(struct lane *w, const struct entry *lo, const struct entry *hi,
                        unsigned pos, uint64_t *below)
{
    unsigned len, last_len;
    const uint8_t *path = path_of(w, lo, &len), *last = path_of(w, hi - 1, &last_len);
    unsigned end = label_end(path, len, pos);
    while (end < len) {
        unsigned next = label_end(path, len, end + 1);
        if (bl_code_size(next - pos) > BL_RUN_MAX || label_end(last, last_len, end + 1) != next ||
            !equal_words(path + end, last + end, next - end)) {
            break;
        }
        *below = dns_suffix_child(*below, path + end + 1, next - end - 1);
        end = next;
    }
    return end;
}

/*
 * Push the node that the names lo..hi-1 have in common: their paths agree up to the end of the
 * label at `pos`, whose suffix has the hash `hash`. While all of them go on with one and the same
 * label and none ends, that label belongs to the node too.
 */
static struct node *node_make(struct lane *w, const struct entry *lo, const struct entry *hi,
                              unsigned pos, uint64_t hash)
{
    unsigned len;
    const uint8_t *path = path_of(w, lo, &len);
    bool whole = hi - lo == 1 && bl_code_size(len - pos) <= BL_RUN_MAX;
    uint64_t below = hash;
    unsigned end = whole ? len : run_end(w, lo, hi, pos, &below);
    size_t code_len = bl_code_size(end - pos);
    struct node *n = node_push(w, len == end ? lo->to : NO_SOURCES, code_len, hash);
    if (!n) {
        return NULL;
    }
    if (bl_code_run(path + pos, end - pos, n->codes, code_len) == 0) {
        lane_fail(w, ERR_FORMAT); /* octets that no name in lists has */
        return NULL;
    }
    lo += len == end;
    if (lo < hi) { /* their nodes come and go above this one */
        struct children children = children_write(w, lo, hi, end + 1, below);
        n->children = children.at;
        n->fan = children.fan;
    }
    return w->err == ERR_OK ? n : NULL;
}

/* The end of the names that have the same label at `pos` as the first one. Its own end in *end. */
static const struct entry *same_label(struct lane *w, const struct entry *lo,
                                      const struct entry *hi, unsigned pos, unsigned *end)
{
    unsigned len, n;
    const uint8_t *path = path_of(w, lo, &len);
    *end = label_end(path, len, pos);
    const struct entry *next = lo + 1;
    for (; next < hi; next++) {
        const uint8_t *other = path_of(w, next, &n);
        if (n < *end || !equal_words(other + pos, path + pos, *end - pos) ||
            (n > *end && other[*end] != 0)) {
            break;
        }
        if (UNLIKELY((next - lo) % STRIDE == 0)) {
            work_did(w->work, STRIDE);
        }
    }
    work_did(w->work, 1);
    return next;
}

static uint64_t label_hash(struct lane *w, const struct entry *e, unsigned pos, unsigned end,
                           uint64_t parent)
{
    unsigned len;
    return dns_suffix_child(parent, path_of(w, e, &len) + pos, end - pos);
}

/* A few children: one set. */
static struct children set_write(struct lane *w, const struct entry *lo, const struct entry *hi,
                                 unsigned pos, uint64_t parent)
{
    uint32_t stack = w->stack, count = 0;
    while (lo < hi && w->err == ERR_OK) {
        unsigned end;
        const struct entry *next = same_label(w, lo, hi, pos, &end);
        node_make(w, lo, next, pos, label_hash(w, lo, pos, end, parent));
        count++;
        lo = next;
    }
    struct children out = {NO_CHILDREN, false};
    if (w->err == ERR_OK) {
        out.at = groups_write(w, stack, count);
    }
    w->stack = stack;
    return out;
}

static void fan_directory(struct lane *w, const uint32_t *start, uint32_t buckets)
{
    uint8_t head[BL_FAN_HEAD] = {BL_FAN};
    le32_write(head + 1, buckets);
    lane_mark_fan(w, lane_pos(w));
    lane_out(w, head, sizeof head);
    for (uint32_t b = 0; b < buckets; b++) {
        le32_write(head, start[b]);
        lane_out(w, head, 4);
        work_did(w->work, 1);
    }
}

/* Many children: brought in order of their hashes and written bucket by bucket, so that only one
 * bucket's nodes wait. */
static struct children fan_write(struct lane *w, const struct entry *lo, const struct entry *hi,
                                 unsigned pos, uint64_t parent, uint32_t count)
{
    uint32_t stack = w->stack;
    uint32_t buckets = (count + BUCKET_LOAD - 1) / BUCKET_LOAD;
    uint32_t *start = push(w, (size_t)buckets * sizeof *start);
    struct entry *child =
        push(w, (size_t)count * sizeof *child); /* hash; names from..to of the child */
    if (!start || !child) {
        return (struct children){NO_CHILDREN, false};
    }
    const struct entry *e = lo;
    for (uint32_t i = 0; i < count; i++) {
        unsigned end;
        const struct entry *next = same_label(w, e, hi, pos, &end);
        child[i] = (struct entry){label_hash(w, e, pos, end, parent), (uint32_t)(e - w->names),
                                  (uint32_t)(next - w->names)};
        e = next;
    }
    hash_sort(w->work, child, count, w->spare + (lo - w->names), 48);
    uint32_t at_child = 0;
    for (uint32_t b = 0; b < buckets && w->err == ERR_OK; b++) {
        uint32_t nodes = w->stack, n = 0;
        for (; at_child < count && bl_bucket(child[at_child].hash, buckets) == b; at_child++, n++) {
            node_make(w, w->names + child[at_child].at, w->names + child[at_child].to, pos,
                      child[at_child].hash);
        }
        start[b] =
            n > 0 && w->err == ERR_OK ? groups_write(w, nodes, n) : 0; /* 0: the empty group */
        w->stack = nodes;
        work_did(w->work, 1);
    }
    struct children out = {lane_pos(w), true};
    fan_directory(w, start, buckets);
    w->stack = stack;
    return out;
}

/* Write the children of a node: the names' paths agree before `pos`, where the children's labels
 * begin. */
static struct children children_write(struct lane *w, const struct entry *lo,
                                      const struct entry *hi, unsigned pos, uint64_t parent)
{
    uint32_t count = 0;
    unsigned end;
    if (hi - lo < FAN_LEAST) {
        return set_write(w, lo, hi, pos, parent);
    }
    for (const struct entry *e = lo; e < hi; e = same_label(w, e, hi, pos, &end)) {
        count++;
    }
    return count < FAN_LEAST ? set_write(w, lo, hi, pos, parent)
                             : fan_write(w, lo, hi, pos, parent, count);
}

/* Partitions end where buckets do, so each bucket is written by one lane. */
static void bucket_end(struct lane *w)
{
    if (w->bucket_nodes > 0 && w->err == ERR_OK) {
        uint32_t group = groups_write(w, w->bucket_nodes_at, w->bucket_nodes);
        le32_write(at(w->c, w->c->directory) + (size_t)w->bucket * 4, group);
        w->stack = w->bucket_nodes_at;
    }
    w->bucket_nodes = 0;
}

static void second_level(struct lane *w, const struct entry *lo, const struct entry *hi)
{
    uint32_t bucket = bl_bucket(lo->hash, w->c->bucket_count);
    if (w->bucket != bucket) {
        bucket_end(w);
        w->bucket = bucket;
    }
    if (w->bucket_nodes == 0) {
        w->bucket_nodes_at = w->stack;
    }
    struct node *n = node_make(w, lo, hi, 0, lo->hash);
    if (n) {
        n->tld = log_tld(at(w->c, lo->at));
        n->has_tld = true;
        w->bucket_nodes++;
    }
}

/* Names of one hash: nearly always of one second-level name. */
static void same_hash(struct lane *w, const struct entry *lo, const struct entry *hi)
{
    while (lo < hi && w->err == ERR_OK) {
        const struct entry *same_tld = lo + 1;
        while (same_tld < hi && log_tld(at(w->c, same_tld->at)) == log_tld(at(w->c, lo->at))) {
            same_tld++;
            work_did(w->work, 1);
        }
        unsigned end;
        const struct entry *next = same_label(w, lo, same_tld, 0, &end);
        second_level(w, lo, next);
        lo = next;
    }
}

void part_trie(struct lane *w)
{
    const struct entry *e = w->names;
    w->bucket_nodes = 0;
    for (uint32_t lo = 0, hi; lo < w->name_count && w->err == ERR_OK; lo = hi) {
        hi = lo + 1;
        while (hi < w->name_count && e[hi].hash == e[lo].hash) {
            hi++;
            work_did(w->work, 1);
        }
        if (LIKELY(hi - lo == 1)) {
            second_level(w, e + lo, e + hi);
        } else {
            same_hash(w, e + lo, e + hi);
        }
    }
    bucket_end(w);
}

void part_tld_rules(struct lane *w)
{
    for (uint32_t i = 0; i < w->name_count && w->err == ERR_OK; i++) {
        const struct entry *name = w->names + i;
        uint16_t tld = log_tld(at(w->c, name->at));
        uint32_t stack = w->stack;
        struct node *node = node_push(w, name->to, 0, 0);
        if (node) {
            node->tld = tld;
            node->has_tld = true;
            uint32_t group = groups_write(w, stack, 1);
            uint8_t *row = at(w->c, w->c->feed[0]->tlds.at[tld]);
            const struct class_row *class_row =
                (const struct class_row *)(const void *)at(w->c, w->sources[name->to]);
            le32_write(row + BL_TLD_CLASS, class_row->id);
            le32_write(row + BL_TLD_RULE, group + 3);
        }
        w->stack = stack;
    }
}
