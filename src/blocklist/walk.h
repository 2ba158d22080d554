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

/* The same for n < 8. */
static ALWAYS_INLINE uint32_t bl_sizes_below_8(const uint8_t *sizes, unsigned n)
{
    const uint64_t even = UINT64_C(0x007f007f007f007f);
    uint64_t v = le64_read(sizes) & ((UINT64_C(1) << 8 * n) - 1);
    return (uint32_t)(((v & even) + (v >> 8 & even)) * UINT64_C(0x0001000100010001) >> 48);
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

/* Does the record of `size` octets at `off` spell the name from out->label on? Fills the rest of
 * *out. */
static ALWAYS_INLINE bool bl_record_read(const struct bl_image *image, uint32_t off, unsigned size,
                                         bool has_tld, const struct dns_name *name,
                                         struct bl_node *out)
{
    const uint8_t *p = image->trie + off;
    const uint8_t *end = p + (size & 0x7f);
    out->rule = off;
    out->children = 0;
    if (has_tld) {
        uint32_t tld;
        p = bl_number_read(p, &tld);
        if (tld >= image->tld_count || !bl_tld_equal(image->tlds + (size_t)tld * BL_TLD,
                                                     name->wire + name->off[name->labels - 1])) {
            return false;
        }
    }
    p = bl_number_read(p, &out->class_id);
    if (size & BL_HAS_CHILDREN) {
        p = bl_distance_read(p, &out->children);
    }
    return p <= end && bl_code_match(p, (size_t)(end - p), name, &out->label);
}

/* Look among eight records, the octets of whose tags are marked in `same`, for the one that
 * continues the name at out->label. */
static ALWAYS_INLINE bool bl_marked_find(const struct bl_image *image, uint32_t off, unsigned count,
                                         unsigned base, uint64_t same, bool has_tld,
                                         const struct dns_name *name, struct bl_node *out)
{
    const uint8_t *sizes = image->trie + off + 1 + count;
    do {
        unsigned k = base + (unsigned)__builtin_ctzll(same) / 8;
        uint32_t at =
            off + 1 + 2 * count + (base == 0 ? bl_sizes_below_8(sizes, k) : bl_sizes_sum(sizes, k));
        if (UNLIKELY(at + (sizes[k] & 0x7fu) > image->trie_len)) {
            return false;
        }
        if (LIKELY(bl_record_read(image, at, sizes[k], has_tld, name, out))) {
            out->group = off;
            return true;
        }
        same &= same - 1;
    } while (UNLIKELY(same != 0));
    return false;
}

/* Marks octets of `tags` that are `tag`. May mark more, but only above a true one. */
static ALWAYS_INLINE uint64_t bl_tags_same(uint64_t tags, uint64_t hash)
{
    uint64_t differs = tags ^ (hash & 0xff) * BL_ONES;
    return (differs - BL_ONES) & ~differs & BL_HIGHS;
}

/* Look in a group of any size, and in those that go on with it, for the child that continues the
 * name at out->label. */
static inline bool bl_group_find_any(const struct bl_image *image, uint32_t off, uint64_t hash,
                                     bool has_tld, const struct dns_name *name, struct bl_node *out)
{
    const unsigned label = out->label;
    while (off < image->trie_len) {
        const uint8_t *group = image->trie + off;
        unsigned count = group[0] & BL_COUNT;
        if (1 + 2 * count > image->trie_len - off) {
            return false;
        }
        for (unsigned base = 0; base < count; base += 8) {
            uint64_t same = bl_tags_same(le64_read(group + 1 + base), hash);
            if (count - base < 8) {
                same &= (UINT64_C(1) << 8 * (count - base)) - 1;
            }
            if (same != 0 && bl_marked_find(image, off, count, base, same, has_tld, name, out)) {
                return true;
            }
            out->label = label;
        }
        if (!(group[0] & BL_MORE)) {
            return false;
        }
        off += 1 + 2 * count + bl_sizes_sum(group + 1 + count, count);
    }
    return false;
}

bool bl_group_find_big(const struct bl_image *image, uint32_t off, uint64_t hash, bool has_tld,
                       const struct dns_name *name, struct bl_node *out);

/* The same, quick for groups of up to eight. */
static ALWAYS_INLINE bool bl_group_find(const struct bl_image *image, uint32_t off, uint64_t hash,
                                        bool has_tld, const struct dns_name *name,
                                        struct bl_node *out)
{
    if (UNLIKELY(off >= image->trie_len)) {
        return false;
    }
    const uint8_t *group = image->trie + off;
    unsigned head = group[0], count = head & BL_COUNT;
    if (UNLIKELY(count > 8 || (head & BL_MORE))) {
        return bl_group_find_big(image, off, hash, has_tld, name, out);
    }
    /* Eight tags are there to read whatever the count: at least the padding follows. */
    uint64_t same =
        bl_tags_same(le64_read(group + 1), hash) & ~((~UINT64_C(0) << 4 * count) << 4 * count);
    return UNLIKELY(same != 0) && bl_marked_find(image, off, count, 0, same, has_tld, name, out);
}

/* From a node to the group that may hold its child of this hash. */
static inline bool bl_child_group(const struct bl_image *image, const struct bl_node *node,
                                  uint64_t hash, uint32_t *off)
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

/* May the name's top-level domain be a rule itself? */
static ALWAYS_INLINE bool bl_walk_may_tld(const struct bl_image *image, const struct dns_name *name,
                                          const struct dns_suffixes *suffixes)
{
    unsigned bit = name->labels == 0 ? 0 : (unsigned)(suffixes->hash[name->labels - 1] >> 55);
    return (image->tld_rules[bit / 64] >> bit % 64 & 1) && name->labels != 0;
}

/* The row of the name's top-level domain if that is a rule itself, or NULL. */
const uint8_t *bl_walk_tld(const struct bl_image *image, const struct dns_name *name,
                           const struct dns_suffixes *suffixes);

/* The second-level name, for a name of at least two labels. */
static ALWAYS_INLINE bool bl_walk_first(const struct bl_image *image, const struct dns_name *name,
                                        const struct dns_suffixes *suffixes, struct bl_node *node)
{
    node->label = name->labels - 2u;
    uint64_t hash = suffixes->hash[node->label];
    uint32_t off = le32_read(image->directory + (size_t)bl_bucket(hash, image->bucket_count) * 4);
    return bl_group_find(image, off, hash, true, name, node);
}

/* From a node with children to the next one on the way to the name; node->label is not 0. */
bool bl_walk_next(const struct bl_image *image, const struct dns_name *name,
                  const struct dns_suffixes *suffixes, struct bl_node *node);

#endif
