/*
 * HOT. The walk of a look-up down the trie, inline for bl_match and bl_explain.
 */
#ifndef SINKHOLE_BLOCKLIST_WALK_H
#define SINKHOLE_BLOCKLIST_WALK_H

#include "blocklist/codes.h"
#include "blocklist/format.h"
#include "blocklist/image.h"
#include "dns/suffix.h"

#define BL_ONES  UINT64_C(0x0101010101010101)
#define BL_HIGHS (BL_ONES * 0x80)

/* A node found. */
struct bl_node {
    uint32_t rule;     /* offset of its record */
    uint32_t group;    /* offset of the group it is in */
    uint32_t class_id; /* 0: no rule here */
    uint32_t children; /* distance << 1 | is fan; 0: none */
    unsigned label;    /* its name starts at this label of the asked one */
};

/* The sum of octets 0..n-1 of `sizes`, without their top bits. */
static ALWAYS_INLINE uint32_t bl_sizes_sum(const uint8_t *sizes, unsigned n)
{
    const uint64_t even = UINT64_C(0x007f007f007f007f);
    uint64_t pairs = 0;
    for (; n >= 8; n -= 8, sizes += 8) {
        uint64_t v = le64_read(sizes);
        pairs += (v & even) + (v >> 8 & even);
    }
    uint64_t v = le64_read(sizes) & ((UINT64_C(1) << 8 * n) - 1);
    pairs += (v & even) + (v >> 8 & even);
    return (uint32_t)(pairs * UINT64_C(0x0001000100010001) >> 48);
}

/* Is the top-level domain of the name the one of this row? */
static ALWAYS_INLINE bool bl_tld_equal(const uint8_t *row, const uint8_t *label)
{
    unsigned n = *label;
    if (LIKELY(n < 8)) {
        return (le64_read(row) ^ le64_read(label)) << (56 - 8 * n) == 0;
    }
    return row[0] == n && memcmp(row + 1, label + 1, n) == 0;
}

/* Does the record of `size` octets at `off` spell the name from out->label on? Fills the rest of *out. */
static ALWAYS_INLINE bool bl_record_read(const struct bl_image *image, uint32_t off, unsigned size, bool has_tld,
                                         const struct dns_name *name, struct bl_node *out)
{
    const uint8_t *p = image->trie + off;
    const uint8_t *end = p + (size & 0x7f);
    out->rule = off;
    out->children = 0;
    if (has_tld) {
        uint32_t tld;
        p = bl_number_read(p, &tld);
        if (tld >= image->tld_count ||
            !bl_tld_equal(image->tlds + (size_t)tld * BL_TLD, name->wire + name->off[name->labels - 1])) {
            return false;
        }
    }
    p = bl_number_read(p, &out->class_id);
    if (size & BL_HAS_CHILDREN) {
        p = bl_distance_read(p, &out->children);
    }
    return p <= end && bl_code_match(p, (size_t)(end - p), name, &out->label);
}

/* Look in a group, and in those that go on with it, for the child that continues the name at out->label. */
static ALWAYS_INLINE bool bl_group_find(const struct bl_image *image, uint32_t off, uint64_t hash, bool has_tld,
                                        const struct dns_name *name, struct bl_node *out)
{
    const uint64_t tag = (hash & 0xff) * BL_ONES;
    for (;;) {
        if (UNLIKELY(off >= image->trie_len)) {
            return false;
        }
        const uint8_t *group = image->trie + off;
        unsigned count = group[0] & BL_COUNT;
        uint32_t left = image->trie_len - off;
        if (UNLIKELY(1 + 2 * count > left)) {
            return false;
        }
        for (unsigned base = 0; base < count; base += 8) {
            uint64_t differs = le64_read(group + 1 + base) ^ tag;
            uint64_t same = (differs - BL_ONES) & ~differs & BL_HIGHS;
            if (count - base < 8) {
                same &= (UINT64_C(1) << 8 * (count - base)) - 1;
            }
            for (; UNLIKELY(same != 0); same &= same - 1) {
                unsigned k = base + (unsigned)__builtin_ctzll(same) / 8;
                const uint8_t *sizes = group + 1 + count;
                uint32_t at = 1 + 2 * count + bl_sizes_sum(sizes, k);
                if (at + (sizes[k] & 0x7fu) > left) {
                    return false;
                }
                unsigned label = out->label;
                if (bl_record_read(image, off + at, sizes[k], has_tld, name, out)) {
                    out->group = off;
                    return true;
                }
                out->label = label;
            }
        }
        if (LIKELY(!(group[0] & BL_MORE))) {
            return false;
        }
        off += 1 + 2 * count + bl_sizes_sum(group + 1 + count, count);
    }
}

/* From a node to the group that may hold its child of this hash. */
static ALWAYS_INLINE bool bl_child_group(const struct bl_image *image, const struct bl_node *node, uint64_t hash, uint32_t *off)
{
    uint32_t back = node->children >> 1;
    if (back > node->group) {
        return false;
    }
    *off = node->group - back;
    if (node->children & 1) {
        const uint8_t *fan = image->trie + *off;
        uint32_t left = image->trie_len - *off;
        uint32_t buckets = left < BL_FAN_HEAD ? 0 : le32_read(fan + 1);
        if (buckets == 0 || buckets > (left - BL_FAN_HEAD) / 4) {
            return false;
        }
        *off = le32_read(fan + BL_FAN_HEAD + (size_t)bl_bucket(hash, buckets) * 4);
    }
    return true;
}

/* The row of the name's top-level domain, or NULL if no rule ends in it. */
static inline const uint8_t *bl_tld_find(const struct bl_image *image, const struct dns_name *name, uint64_t hash)
{
    const uint8_t *label = name->wire + name->off[name->labels - 1];
    for (uint32_t i = 0, slot = (uint32_t)(hash >> 32); i <= image->tld_mask; i++, slot++) {
        uint32_t index = le16_read(image->tld_slots + (size_t)(slot & image->tld_mask) * 2);
        if (index == 0 || index > image->tld_count) {
            return NULL;
        }
        const uint8_t *row = image->tlds + (size_t)(index - 1) * BL_TLD;
        if (bl_tld_equal(row, label)) {
            return row;
        }
    }
    return NULL;
}

/*
 * Visit every node of the trie on the way to the name that bears a rule, from the root on: visit(ctx, class, rule, label).
 */
typedef void bl_walk_visit(void *ctx, uint32_t class_id, uint32_t rule, unsigned label);

static ALWAYS_INLINE void bl_walk(const struct bl_image *image, const struct dns_name *name, const struct dns_suffixes *suffixes,
                                  bl_walk_visit *visit, void *ctx)
{
    unsigned labels = name->labels;
    if (UNLIKELY(image->tld_rules) && labels > 0) {
        const uint8_t *row = bl_tld_find(image, name, suffixes->hash[labels - 1]);
        if (row && le32_read(row + BL_TLD_CLASS) != 0) {
            visit(ctx, le32_read(row + BL_TLD_CLASS), le32_read(row + BL_TLD_RULE), labels - 1);
        }
    }
    if (labels < 2) {
        return;
    }
    struct bl_node node;
    node.label = labels - 2;
    uint64_t hash = suffixes->hash[node.label];
    uint32_t off = le32_read(image->directory + (size_t)bl_bucket(hash, image->bucket_count) * 4);
    if (LIKELY(!bl_group_find(image, off, hash, true, name, &node))) {
        return;
    }
    for (;;) {
        if (node.class_id != 0) {
            visit(ctx, node.class_id, node.rule, node.label);
        }
        if (node.label == 0 || node.children == 0) {
            return;
        }
        node.label--;
        hash = suffixes->hash[node.label];
        if (!bl_child_group(image, &node, hash, &off) || !bl_group_find(image, off, hash, false, name, &node)) {
            return;
        }
    }
}

#endif
