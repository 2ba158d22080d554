/*
 * The parts of a look-up that few names need.
 */
#include "blocklist/walk.h"

bool bl_group_find_big(const struct bl_image *image, uint32_t off, uint64_t hash, bool has_tld,
                       const struct dns_name *name, struct bl_node *out)
{
    return has_tld ? bl_group_find_any(image, off, hash, true, name, out)
                   : bl_group_find_any(image, off, hash, false, name, out);
}

bool bl_walk_next(const struct bl_image *image, const struct dns_name *name,
                  const struct dns_suffixes *suffixes, struct bl_node *node)
{
    uint32_t off;
    uint64_t hash = suffixes->hash[--node->label];
    return bl_child_group(image, node, hash, &off) &&
           bl_group_find(image, off, hash, false, name, node);
}

const uint8_t *bl_walk_tld(const struct bl_image *image, const struct dns_name *name,
                           const struct dns_suffixes *suffixes)
{
    const uint8_t *label = name->wire + name->off[name->labels - 1];
    uint32_t slot = (uint32_t)(suffixes->hash[name->labels - 1] >> 32);
    for (uint32_t i = 0; i <= image->tld_mask; i++, slot++) {
        uint32_t index = le16_read(image->tld_slots + (size_t)(slot & image->tld_mask) * 2);
        if (index == 0 || index > image->tld_count) {
            return NULL;
        }
        const uint8_t *row = image->tlds + (size_t)(index - 1) * BL_TLD;
        if (bl_tld_equal(row, label)) {
            return le32_read(row + BL_TLD_CLASS) != 0 ? row : NULL;
        }
    }
    return NULL;
}
