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
#define AHEAD       8 /* entries whose rules are fetched before their turn */

/* A node that waits for its group. */
struct node {
    uint64_t hash;     /* of the suffix that ends at its first label */
    uint32_t children; /* offset in the trie of their group or fan */
    uint32_t row;      /* its class; 0: no rule */
    uint32_t size;     /* octets on the stack */
    uint16_t tld;
    uint16_t sources;
    bool fan, has_tld;
    uint8_t code_len;
    uint32_t lines[]; /* one for each source of the class; then the label codes */
};

static uint8_t *node_codes(struct node *n)
{
    return (uint8_t *)(n->lines + n->sources);
}

struct children {
    uint32_t at; /* NO_CHILDREN */
    bool fan;
};

static void *push(struct bl_compile *c, size_t size)
{
    size = (size + 7) & ~(size_t)7;
    if (size > c->stack_end - c->stack) {
        compile_fail(c, ERR_SPACE);
        return NULL;
    }
    void *p = at(c, c->stack);
    c->stack += (uint32_t)size;
    return p;
}

static struct node *node_at(struct bl_compile *c, uint32_t off)
{
    return (struct node *)(void *)at(c, off);
}

/* Append one record to the group at hand. Returns its octets. */
static size_t record_write(struct bl_compile *c, struct node *n, uint32_t group, uint8_t *out)
{
    uint8_t *p = out;
    const struct class_row *row = (const struct class_row *)(const void *)at(c, n->row);
    if (n->has_tld) {
        p = bl_number_write(p, n->tld);
    }
    p = bl_number_write(p, n->row ? row->id : 0);
    if (n->children != NO_CHILDREN) {
        p = bl_distance_write(p, (group - n->children) << 1 | n->fan);
    }
    copy_words(p, node_codes(n), n->code_len);
    p += n->code_len;
    for (unsigned i = 0; n->row && i < row->count; i++) {
        bits_put(c, n->lines[i], line_width(c, row->pairs[2 * i]));
    }
    return (size_t)(p - out);
}

static void mark_group(struct bl_compile *c, uint32_t group)
{
    if (group < c->next_mark) {
        return;
    }
    uint8_t *mark = chain_room(c, &c->marks, BL_MARK, 1);
    if (mark) {
        le32_write(mark, group);
        le64_write(mark + 4, c->bit_count);
        c->mark_count++;
    }
    c->next_mark = group + BL_MARK_EVERY;
}

static bool trie_full(struct bl_compile *c)
{
    if (out_trie_pos(c) > (uint64_t)INT32_MAX - sizeof c->group_records * 2) {
        compile_fail(c, ERR_LIMIT);
    }
    return c->err != ERR_OK;
}

/* Write `count` nodes, one behind the other on the stack from `from` on, as one set. Returns its
 * offset. */
static uint32_t groups_write(struct bl_compile *c, uint32_t from, uint32_t count)
{
    uint32_t first = (uint32_t)out_trie_pos(c);
    while (count > 0 && !trie_full(c)) {
        unsigned n = count < BL_GROUP_MAX ? (unsigned)count : BL_GROUP_MAX;
        uint32_t group = (uint32_t)out_trie_pos(c);
        size_t used = 0;
        mark_group(c, group);
        c->group_head[0] =
            (uint8_t)(n | (node_at(c, from)->has_tld ? BL_HAS_TLD : 0) | (n < count ? BL_MORE : 0));
        for (unsigned i = 0; i < n; i++) {
            struct node *node = node_at(c, from);
            size_t size = record_write(c, node, group, c->group_records + used);
            c->group_head[1 + i] = (uint8_t)node->hash;
            c->group_head[1 + n + i] =
                (uint8_t)(size | (node->children != NO_CHILDREN ? BL_HAS_CHILDREN : 0));
            used += size;
            from += node->size;
        }
        out_bytes(c, c->group_head, 1 + 2 * (size_t)n);
        out_bytes(c, c->group_records, used);
        count -= n;
    }
    return first;
}

static const uint8_t *path_of(struct bl_compile *c, const struct entry *e, unsigned *len)
{
    const uint8_t *rule = at(c, e->at);
    *len = rule[LOG_LEN];
    return rule + LOG_PATH;
}

static unsigned label_end(const uint8_t *path, unsigned len, unsigned pos)
{
    const uint8_t *zero = memchr(path + pos, 0, len - pos);
    return zero ? (unsigned)(zero - path) : len;
}

/*
 * The sources of one name: entries lo..hi-1 have the same path. A rule whose effect its list has
 * stated already is a duplicate.
 */
static unsigned sources_gather(struct bl_compile *c, const struct entry *lo, const struct entry *hi)
{
    unsigned count = 0, list = BL_LISTS_MAX, first = 0, said = 0;
    unsigned all = 0;
    for (; lo < hi; lo++) {
        const uint8_t *rule = at(c, lo->at);
        if (rule[LOG_LIST] != list) {
            list = rule[LOG_LIST];
            first = count;
            said = 0;
        }
        if ((rule[LOG_EFFECT] & ~said) == 0) {
            c->lists[list].duplicates++;
            continue;
        }
        said |= rule[LOG_EFFECT];
        all |= rule[LOG_EFFECT];
        c->lists[list].rules++;
        if (count >= BL_SOURCES_MANY && count > first) {
            c->source_pairs[2 * first + 1] |= rule[LOG_EFFECT];
            continue;
        }
        c->source_pairs[2 * count] = (uint8_t)list;
        c->source_pairs[2 * count + 1] = rule[LOG_EFFECT];
        memcpy(&c->source_lines[count], rule + LOG_LINE, 4);
        count++;
    }
    for (; all; all >>= 2) {
        c->rule_count += (all & 3) != 0;
    }
    return count;
}

/* The class of the rules lo..hi-1, which all are on one name; how many sources, in c->source_lines
 * their lines. */
static struct class_row *class_of(struct bl_compile *c, const struct entry *lo,
                                  const struct entry *hi, unsigned *sources)
{
    if (hi - lo > 1) {
        *sources = sources_gather(c, lo, hi);
        return class_intern(c, c->source_pairs, *sources);
    }
    const uint8_t *rule = at(c, lo->at);
    struct single *single = &c->single[rule[LOG_LIST]];
    c->lists[rule[LOG_LIST]].rules++;
    c->rule_count++;
    memcpy(&c->source_lines[0], rule + LOG_LINE, 4);
    *sources = 1;
    if (UNLIKELY(single->row == 0 || single->effect != rule[LOG_EFFECT])) {
        struct class_row *row = class_intern(c, rule + LOG_LIST, 1);
        if (row) {
            *single = (struct single){(uint32_t)((uint8_t *)row - c->base), rule[LOG_EFFECT]};
        }
        return row;
    }
    return (struct class_row *)(void *)at(c, single->row);
}

/* Push a node with the rules lo..terminal_end-1, which all are on its name. */
static struct node *node_push(struct bl_compile *c, const struct entry *lo,
                              const struct entry *terminal_end, struct children children,
                              const uint8_t *codes, size_t code_len, uint64_t hash)
{
    struct class_row *row = NULL;
    unsigned sources = 0;
    if (lo < terminal_end) {
        row = class_of(c, lo, terminal_end, &sources);
        if (!row) {
            return NULL;
        }
    }
    size_t size =
        (sizeof(struct node) + (size_t)sources * 4 + code_len + 15) & ~(size_t)7; /* and a word */
    struct node *n = push(c, size);
    if (n) {
        n->hash = hash;
        n->size = (uint32_t)size;
        n->row = row ? (uint32_t)((uint8_t *)row - c->base) : 0;
        n->children = children.at;
        n->fan = children.fan;
        n->has_tld = false;
        n->sources = (uint16_t)sources;
        n->code_len = (uint8_t)code_len;
        copy_words((uint8_t *)n->lines, (const uint8_t *)c->source_lines, (size_t)sources * 4);
        copy_words(node_codes(n), codes, code_len);
    }
    return n;
}

static struct children children_write(struct bl_compile *c, const struct entry *lo,
                                      const struct entry *hi, unsigned pos, uint64_t parent);

/*
 * Push the node that the entries lo..hi-1 have in common: their paths agree up to the end of the
 * label at `pos`, whose suffix has the hash `hash`. While all of them go on with one and the same
 * label and none ends, that label belongs to the node too.
 */
static struct node *node_make(struct bl_compile *c, const struct entry *lo, const struct entry *hi,
                              unsigned pos, uint64_t hash)
{
    unsigned len, last_len;
    const uint8_t *path = path_of(c, lo, &len);
    const uint8_t *last = path_of(c, hi - 1, &last_len);
    bool one_name =
        len == last_len && bl_code_size(len - pos) <= BL_RUN_MAX && equal_words(path, last, len);
    unsigned end = one_name ? len : label_end(path, len, pos);
    uint64_t below = hash;
    while (end < len) {
        unsigned next = label_end(path, len, end + 1);
        if (bl_code_size(next - pos) > BL_RUN_MAX || label_end(last, last_len, end + 1) != next ||
            !equal_words(path + end, last + end, next - end)) {
            break;
        }
        below = dns_suffix_child(below, path + end + 1, next - end - 1);
        end = next;
    }
    uint8_t codes[BL_RUN_MAX + 8];
    size_t code_len = bl_code_run(path + pos, end - pos, codes, BL_RUN_MAX);
    if (code_len == 0) {
        compile_fail(c, ERR_FORMAT); /* octets that no name in lists has */
        return NULL;
    }
    const struct entry *rest = lo;
    while (rest < hi && at(c, rest->at)[LOG_LEN] == end) {
        rest++;
    }
    struct children children = {NO_CHILDREN, false};
    if (rest < hi) {
        children = children_write(c, rest, hi, end + 1, below);
    }
    return c->err == ERR_OK ? node_push(c, lo, rest, children, codes, code_len, hash) : NULL;
}

/* The end of the entries that have the same label at `pos` as the first one. Its own end in *end.
 */
static const struct entry *same_label(struct bl_compile *c, const struct entry *lo,
                                      const struct entry *hi, unsigned pos, unsigned *end)
{
    unsigned len, n;
    const uint8_t *path = path_of(c, lo, &len);
    *end = label_end(path, len, pos);
    const struct entry *next = lo + 1;
    for (; next < hi; next++) {
        const uint8_t *other = path_of(c, next, &n);
        if (n < *end || !equal_words(other + pos, path + pos, *end - pos) ||
            (n > *end && other[*end] != 0)) {
            break;
        }
    }
    return next;
}

static uint64_t label_hash(struct bl_compile *c, const struct entry *e, unsigned pos, unsigned end,
                           uint64_t parent)
{
    unsigned len;
    return dns_suffix_child(parent, path_of(c, e, &len) + pos, end - pos);
}

/* A few children: one set. */
static struct children set_write(struct bl_compile *c, const struct entry *lo,
                                 const struct entry *hi, unsigned pos, uint64_t parent)
{
    uint32_t stack = c->stack, count = 0;
    while (lo < hi && c->err == ERR_OK) {
        unsigned end;
        const struct entry *next = same_label(c, lo, hi, pos, &end);
        node_make(c, lo, next, pos, label_hash(c, lo, pos, end, parent));
        count++;
        lo = next;
    }
    struct children out = {NO_CHILDREN, false};
    if (c->err == ERR_OK) {
        out.at = groups_write(c, stack, count);
    }
    c->stack = stack;
    return out;
}

static void fan_directory(struct bl_compile *c, const uint32_t *start, uint32_t buckets)
{
    uint8_t head[BL_FAN_HEAD] = {BL_FAN};
    le32_write(head + 1, buckets);
    out_bytes(c, head, sizeof head);
    for (uint32_t b = 0; b < buckets; b++) {
        le32_write(head, start[b]);
        out_bytes(c, head, 4);
    }
    if (out_trie_pos(c) > INT32_MAX) {
        compile_fail(c, ERR_LIMIT);
    }
}

/* Many children: brought in order of their hashes and written bucket by bucket, so that only one
 * bucket's nodes wait. */
static struct children fan_write(struct bl_compile *c, const struct entry *lo,
                                 const struct entry *hi, unsigned pos, uint64_t parent,
                                 uint32_t count)
{
    uint32_t stack = c->stack;
    uint32_t buckets = (count + BUCKET_LOAD - 1) / BUCKET_LOAD;
    uint32_t *start = push(c, (size_t)buckets * sizeof *start);
    struct entry *child =
        push(c, (size_t)count * sizeof *child); /* hash; entries from..to of the child */
    if (!start || !child) {
        return (struct children){NO_CHILDREN, false};
    }
    const struct entry *e = lo;
    for (uint32_t i = 0; i < count; i++) {
        unsigned end;
        const struct entry *next = same_label(c, e, hi, pos, &end);
        child[i] = (struct entry){label_hash(c, e, pos, end, parent), (uint32_t)(e - c->entries),
                                  (uint32_t)(next - c->entries)};
        e = next;
    }
    hash_sort(child, count, c->spare + (lo - c->entries), 48);
    uint32_t at_child = 0;
    for (uint32_t b = 0; b < buckets && c->err == ERR_OK; b++) {
        uint32_t nodes = c->stack, n = 0;
        for (; at_child < count && bl_bucket(child[at_child].hash, buckets) == b; at_child++, n++) {
            node_make(c, c->entries + child[at_child].at, c->entries + child[at_child].to, pos,
                      child[at_child].hash);
        }
        start[b] =
            n > 0 && c->err == ERR_OK ? groups_write(c, nodes, n) : 0; /* 0: the empty group */
        c->stack = nodes;
    }
    struct children out = {(uint32_t)out_trie_pos(c), true};
    fan_directory(c, start, buckets);
    c->stack = stack;
    return out;
}

/* Write the children of a node: the entries' paths agree before `pos`, where the children's labels
 * begin. */
static struct children children_write(struct bl_compile *c, const struct entry *lo,
                                      const struct entry *hi, unsigned pos, uint64_t parent)
{
    uint32_t count = 0;
    unsigned end;
    if (hi - lo < FAN_LEAST) {
        return set_write(c, lo, hi, pos, parent);
    }
    for (const struct entry *e = lo; e < hi; e = same_label(c, e, hi, pos, &end)) {
        count++;
    }
    return count < FAN_LEAST ? set_write(c, lo, hi, pos, parent)
                             : fan_write(c, lo, hi, pos, parent, count);
}

void trie_bucket_end(struct bl_compile *c)
{
    uint32_t group = 0;
    if (c->bucket_nodes > 0 && c->err == ERR_OK) {
        group = groups_write(c, c->bucket_nodes_at, c->bucket_nodes);
        c->stack = c->bucket_nodes_at;
    }
    if (c->bucket < c->bucket_count) {
        le32_write(at(c, c->directory) + (size_t)c->bucket * 4, group);
    }
    c->bucket_nodes = 0;
}

static void second_level(struct bl_compile *c, const struct entry *lo, const struct entry *hi)
{
    uint32_t bucket = bl_bucket(lo->hash, c->bucket_count);
    while (c->bucket < bucket) {
        trie_bucket_end(c);
        c->bucket++;
    }
    if (c->bucket_nodes == 0) {
        c->bucket_nodes_at = c->stack;
    }
    struct node *n = node_make(c, lo, hi, 0, lo->hash);
    if (n) {
        n->tld = log_tld(at(c, lo->at));
        n->has_tld = true;
        c->bucket_nodes++;
    }
}

/* Are all these rules on one name? */
static bool is_one_name(struct bl_compile *c, const struct entry *lo, const struct entry *hi)
{
    const uint8_t *first = at(c, lo->at);
    for (const struct entry *e = lo + 1; e < hi; e++) {
        const uint8_t *rule = at(c, e->at);
        if (rule[LOG_LEN] != first[LOG_LEN] || log_tld(rule) != log_tld(first) ||
            !equal_words(rule + LOG_PATH, first + LOG_PATH, first[LOG_LEN])) {
            return false;
        }
    }
    return true;
}

/* Entries of one hash: nearly always of one second-level name. */
static void same_hash(struct bl_compile *c, struct entry *lo, struct entry *hi)
{
    if (is_one_name(c, lo, hi)) {
        second_level(c, lo, hi);
        return;
    }
    if (hi - lo > 1) {
        group_sort(c, lo, (uint32_t)(hi - lo), c->spare);
    }
    while (lo < hi && c->err == ERR_OK) {
        const struct entry *same_tld = lo + 1;
        while (same_tld < hi && log_tld(at(c, same_tld->at)) == log_tld(at(c, lo->at))) {
            same_tld++;
        }
        unsigned end;
        const struct entry *next = same_label(c, lo, same_tld, 0, &end);
        second_level(c, lo, next);
        lo += next - lo;
    }
}

void trie_part(struct bl_compile *c, unsigned part)
{
    struct entry *e;
    uint32_t n = part_load(c, part, &e);
    c->entries = e;
    c->spare = e + n;
    for (uint32_t lo = 0, hi; lo < n && c->err == ERR_OK; lo = hi) {
        hi = lo + 1;
        if (LIKELY(lo + AHEAD < n)) {
            PREFETCH(at(c, e[lo + AHEAD].at));
        }
        while (hi < n && e[hi].hash == e[lo].hash) {
            hi++;
        }
        same_hash(c, e + lo, e + hi);
    }
    c->stack_end = c->work_end;
}

void trie_tld_rules(struct bl_compile *c)
{
    struct entry *e;
    uint32_t n = part_load(c, PARTS, &e);
    if (n > 1) {
        group_sort(c, e, n, e + n);
    }
    for (uint32_t lo = 0, hi; lo < n && c->err == ERR_OK; lo = hi) {
        uint16_t tld = log_tld(at(c, e[lo].at));
        hi = lo + 1;
        while (hi < n && log_tld(at(c, e[hi].at)) == tld) {
            hi++;
        }
        uint32_t stack = c->stack;
        struct node *node =
            node_push(c, e + lo, e + hi, (struct children){NO_CHILDREN, false}, NULL, 0, 0);
        if (node) {
            node->tld = tld;
            node->has_tld = true;
            uint32_t group = groups_write(c, stack, 1);
            uint8_t *row = at(c, c->tld_at[tld]);
            const struct class_row *class_row =
                (const struct class_row *)(const void *)at(c, node->row);
            le32_write(row + BL_TLD_CLASS, class_row->id);
            le32_write(row + BL_TLD_RULE, group + 3);
        }
        c->stack = stack;
    }
    c->stack_end = c->work_end;
}
