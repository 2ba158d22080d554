/*
 * Verdicts. One walk down the trie gathers what each rule on the way says of the name; the highest rank decides. Which lists count is folded into one
 * octet a class beforehand, so that a filter costs nothing.
 */
#include "blocklist/match.h"

#include "base/require.h"
#include "blocklist/image_int.h"
#include "blocklist/walk.h"

_Static_assert(BL_RANK_COUNT == 4, "an effect octet has two bits a rank");

struct judgement {
    const uint8_t *effects;
    uint32_t class_count;
    unsigned best; /* bit 2 * rank of the highest rank so far; 0: none */
    struct bl_verdict *out;
};

static ALWAYS_INLINE void judge(void *ctx, uint32_t class_id, uint32_t rule, unsigned label)
{
    struct judgement *j = ctx;
    if (class_id >= j->class_count) {
        return;
    }
    unsigned effect = j->effects[class_id];
    unsigned says = (label == 0 ? effect : effect >> 1) & 0x55;
    if (says == 0 || says < j->best) {
        return;
    }
    unsigned rank = (31 - (unsigned)__builtin_clz(says)) / 2;
    j->best = 1u << 2 * rank;
    j->out->rank = (uint8_t)rank;
    j->out->label = (uint8_t)label;
    j->out->rule = rule;
    j->out->class_id = class_id;
}

enum bl_action bl_match(const struct bl_image *image, const struct dns_name *name, const struct dns_suffixes *suffixes,
                        const struct bl_filter *filter, struct bl_verdict *out)
{
    struct judgement j = {.effects = filter ? filter->effects : image->effects,
                          .class_count = filter ? filter->class_count : image->class_count,
                          .out = out};
    bl_walk(image, name, suffixes, judge, &j);
    out->action = (uint8_t)(j.best == 0 ? BL_NONE : bl_rank_action(out->rank));
    return (enum bl_action)out->action;
}

unsigned bl_verdict_list(const struct bl_image *image, const struct bl_verdict *verdict)
{
    struct bl_sources s = bl_image_class(image, verdict->class_id);
    unsigned bit = 1u << (2 * verdict->rank + (verdict->label == 0 ? 0 : 1));
    uint32_t i = 0;
    while (i + 1 < s.count && (s.pairs[2 * i + 1] & bit) == 0) {
        i++;
    }
    return s.count > 0 ? s.pairs[2 * i] : 0;
}

size_t bl_filter_memory(const struct bl_image *image)
{
    return image->class_count;
}

enum err bl_filter_init(struct bl_filter *out, void *mem, size_t len, const struct bl_image *image, const struct bl_list_set *lists)
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
    *out = (struct bl_filter){.effects = effects, .class_count = image->class_count};
    return ERR_OK;
}
