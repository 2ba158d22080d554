/*
 * Why a name got its verdict, for people: every rule on the way to it with list and line.
 */
#include "blocklist/image_int.h"
#include "blocklist/match.h"
#include "blocklist/walk.h"

struct step {
    uint32_t class_id, rule;
    unsigned label;
};

struct steps {
    struct step step[DNS_LABELS_MAX + 1];
    unsigned count;
};

static void keep_step(struct steps *s, uint32_t class_id, uint32_t rule, unsigned label)
{
    if (class_id != 0 && s->count < DNS_LABELS_MAX + 1) {
        s->step[s->count++] = (struct step){class_id, rule, label};
    }
}

static void walk_steps(const struct bl_image *image, const struct dns_name *name,
                       struct steps *steps)
{
    struct dns_suffixes suffixes;
    struct bl_node node;
    unsigned labels = name->labels;
    dns_suffixes_make(name, &suffixes);
    if (bl_walk_may_tld(image, name, &suffixes)) {
        const uint8_t *row = bl_walk_tld(image, name, &suffixes);
        if (row) {
            keep_step(steps, le32_read(row + BL_TLD_CLASS), le32_read(row + BL_TLD_RULE),
                      labels - 1);
        }
    }
    if (labels < 2 || !bl_walk_first(image, name, &suffixes, &node)) {
        return;
    }
    do {
        keep_step(steps, node.class_id, node.rule, node.label);
    } while (node.label != 0 && node.children != 0 && bl_walk_next(image, name, &suffixes, &node));
}

/* What the chosen lists say of the name through this rule, as in bl_image.effects. */
static unsigned effect_on(const struct bl_image *image, const struct step *step,
                          const struct bl_list_set *lists)
{
    struct bl_sources s = bl_image_class(image, step->class_id);
    unsigned effect = 0;
    for (uint32_t i = 0; i < s.count; i++) {
        if (!lists || bl_list_set_has(lists, s.pairs[2 * i])) {
            effect |= s.pairs[2 * i + 1];
        }
    }
    return (step->label == 0 ? effect : effect >> 1) & 0x55;
}

static void decide(const struct bl_image *image, const struct steps *steps,
                   const struct bl_list_set *lists, struct bl_verdict *out)
{
    int best = -1;
    *out = (struct bl_verdict){.action = BL_NONE};
    for (unsigned i = 0; i < steps->count; i++) {
        const struct step *step = &steps->step[i];
        unsigned says = effect_on(image, step, lists);
        int rank = says == 0 ? -1 : (31 - __builtin_clz(says)) / 2;
        if (rank >= 0 && rank >= best) {
            best = rank;
            *out = (struct bl_verdict){.action = (uint8_t)bl_rank_action((unsigned)rank),
                                       .rank = (uint8_t)rank,
                                       .label = (uint8_t)step->label,
                                       .rule = step->rule,
                                       .class_id = step->class_id};
        }
    }
}

size_t bl_explain(const struct bl_image *image, const struct dns_name *name,
                  const struct bl_list_set *lists, struct bl_hit *hits, size_t cap,
                  struct bl_verdict *verdict)
{
    struct steps steps = {.count = 0};
    walk_steps(image, name, &steps);
    decide(image, &steps, lists, verdict);
    size_t count = 0;
    for (unsigned i = 0; i < steps.count; i++) {
        struct bl_source sources[BL_SOURCES_MAX];
        size_t n = bl_image_sources(image, steps.step[i].rule, sources, BL_SOURCES_MAX);
        for (size_t k = 0; k < n && k < BL_SOURCES_MAX; k++, count++) {
            if (count >= cap) {
                continue;
            }
            struct bl_hit *h = &hits[count];
            unsigned label = steps.step[i].label;
            bool fits = sources[k].kind & (label == 0 ? BL_EXACT : BL_BELOW);
            h->source = sources[k];
            h->label = (uint8_t)label;
            h->applies = fits && (!lists || bl_list_set_has(lists, sources[k].list));
            h->wins = h->applies && verdict->action != BL_NONE && sources[k].rank == verdict->rank;
        }
    }
    return count;
}
