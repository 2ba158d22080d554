/*
 * Verdicts. One walk down the trie gathers what each rule on the way says of the name; the highest
 * rank decides. Which lists count is folded into one octet a class beforehand, so that a filter
 * costs nothing.
 */
#include "blocklist/match.h"

#include "base/require.h"
#include "blocklist/image_int.h"
#include "blocklist/walk.h"

_Static_assert(BL_RANK_COUNT == 4, "an effect octet has two bits a rank");

/* What the chosen lists say through a class: bit 2 * rank for each rank that applies. */
static ALWAYS_INLINE unsigned class_says(const uint8_t *effects, uint32_t class_count,
                                         uint32_t class_id, unsigned label)
{
    unsigned effect = LIKELY(class_id < class_count) ? effects[class_id] : 0;
    return (effect >> (label != 0)) & 0x55;
}

/* Keep a rule if no better one was found before. `best` is bit 2 * rank of that; the later of
 * equals is the more specific. */
static ALWAYS_INLINE unsigned judge(unsigned best, unsigned says, uint32_t class_id, uint32_t rule,
                                    unsigned label, struct bl_verdict *out)
{
    if (says == 0 || says < best) {
        return best;
    }
    unsigned rank = (31 - (unsigned)__builtin_clz(says)) / 2;
    out->rank = (uint8_t)rank;
    out->label = (uint8_t)label;
    out->rule = rule;
    out->class_id = class_id;
    return 1u << 2 * rank;
}

enum bl_action bl_match(const struct bl_image *image, const struct dns_name *name,
                        const struct dns_suffixes *suffixes, const struct bl_filter *filter,
                        struct bl_verdict *out)
{
    const uint8_t *effects = filter ? filter->effects : image->effects;
    uint32_t classes = filter ? filter->class_count : image->class_count;
    unsigned labels = name->labels, best = 0;
    struct bl_node node;
    if (UNLIKELY(bl_walk_may_tld(image, name, suffixes))) {
        const uint8_t *row = bl_walk_tld(image, name, suffixes);
        if (row) {
            uint32_t class_id = le32_read(row + BL_TLD_CLASS);
            unsigned says = class_says(effects, classes, class_id, labels - 1);
            best = judge(best, says, class_id, le32_read(row + BL_TLD_RULE), labels - 1, out);
        }
    }
    if (LIKELY(labels >= 2) && bl_walk_first(image, name, suffixes, &node)) {
        do {
            unsigned says = class_says(effects, classes, node.class_id, node.label);
            best = judge(best, says, node.class_id, node.rule, node.label, out);
        } while (node.label != 0 && node.children != 0 &&
                 bl_walk_next(image, name, suffixes, &node));
    }
    out->action = (uint8_t)(best == 0 ? BL_NONE : bl_rank_action(out->rank));
    return (enum bl_action)out->action;
}

unsigned bl_verdict_list(const struct bl_image *image, const struct bl_filter *filter,
                         const struct bl_verdict *verdict)
{
    struct bl_sources s = bl_image_class(image, verdict->class_id);
    unsigned bit = 1u << (2 * verdict->rank + (verdict->label == 0 ? 0 : 1));
    uint32_t i = 0;
    while (i + 1 < s.count &&
           ((s.pairs[2 * i + 1] & bit) == 0 ||
            (filter != NULL && !bl_list_set_has(&filter->lists, s.pairs[2 * i])))) {
        i++;
    }
    return s.count > 0 ? s.pairs[2 * i] : 0;
}

size_t bl_filter_memory(const struct bl_image *image)
{
    return image->class_count;
}

enum err bl_filter_init(struct bl_filter *out, void *mem, size_t len, const struct bl_image *image,
                        const struct bl_list_set *lists)
{
    uint8_t *effects = mem;
    if (len < image->class_count) {
        return ERR_SPACE;
    }
    for (uint32_t c = 0; c < image->class_count; c++) {
        struct bl_sources s = bl_image_class(image, c);
        effects[c] = 0;
        for (uint32_t i = 0; i < s.count; i++) {
            if (bl_list_set_has(lists, s.pairs[2 * i])) {
                effects[c] |= s.pairs[2 * i + 1];
            }
        }
    }
    *out =
        (struct bl_filter){.effects = effects, .class_count = image->class_count, .lists = *lists};
    return ERR_OK;
}
