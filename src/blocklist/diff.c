/*
 * A pass takes the rules whose hash falls to it. First those of the old text go into the table,
 * then the new text marks those that it has and adds those that were not there, then the old text
 * is read once more for those without a mark. A table that turns out too small makes everything
 * begin anew with more passes.
 */
#include "blocklist/diff.h"

#include <string.h>

#include "base/arena.h"

/* A slot: the hash without its two lowest bits, which tell where the rule is. 0: free. */
enum mark { IN_BEFORE = 1, IN_AFTER = 2, TOLD = 3 };
#define MARKS UINT64_C(3)

static uint32_t slots_for(uint32_t rules)
{
    uint32_t n = 1024;
    while (n < BL_DIFF_SLOTS && n / 2 < rules) {
        n *= 2;
    }
    return n;
}

size_t bl_diff_memory(uint32_t rules)
{
    return sizeof(struct bl_diff) + slots_for(rules) * sizeof(uint64_t) + 2 * _Alignof(max_align_t);
}

enum err bl_diff_init(struct bl_diff **out, void *mem, size_t len, uint32_t rules,
                      struct siphash_key key)
{
    struct arena arena;
    uint32_t slots = slots_for(rules);
    arena_init(&arena, mem, len);
    struct bl_diff *d = ARENA_NEW(&arena, struct bl_diff);
    uint64_t *slot = ARENA_ARRAY(&arena, uint64_t, slots);
    if (d == NULL || slot == NULL) {
        return ERR_SPACE;
    }
    d->key = key;
    d->slot = slot;
    d->mask = slots - 1;
    d->passes = 1;
    while (d->passes < BL_DIFF_PASSES && rules / d->passes > slots / 2) {
        d->passes *= 2;
    }
    *out = d;
    return ERR_OK;
}

static void clear(struct bl_diff *d)
{
    memset(d->slot, 0, ((size_t)d->mask + 1) * sizeof d->slot[0]);
    d->used = 0;
    d->step = 0;
}

bool bl_diff_text(struct bl_diff *d, enum bl_diff_text *which)
{
    if (d->full || d->step == 3) {
        return false;
    }
    *which = ++d->step == 2 ? BL_DIFF_AFTER : BL_DIFF_BEFORE;
    return true;
}

/* Its slot, or the free one where it would be. */
static uint64_t *find(const struct bl_diff *d, uint64_t hash)
{
    uint32_t i = (uint32_t)(hash >> 20) & d->mask;
    while (d->slot[i] != 0 && (d->slot[i] & ~MARKS) != hash) {
        i = (i + 1) & d->mask;
    }
    return &d->slot[i];
}

static void count(struct bl_diff_side *side, const struct bl_rule *rule)
{
    if (side->shown < BL_DIFF_SHOWN) {
        struct bl_diff_rule *r = &side->rule[side->shown++];
        dns_name_copy(&r->name, &rule->name);
        r->kind = rule->kind;
        r->rank = rule->rank;
    }
    side->count++;
}

static void insert(struct bl_diff *d, uint64_t *slot, uint64_t value)
{
    if (d->used >= d->mask - d->mask / 8) {
        d->full = true;
        return;
    }
    d->used++;
    *slot = value;
}

void bl_diff_rule(struct bl_diff *d, const struct bl_rule *rule)
{
    uint8_t what[DNS_NAME_MAX + 2];
    memcpy(what, rule->name.wire, rule->name.len);
    what[rule->name.len] = rule->kind;
    what[rule->name.len + 1] = rule->rank;
    uint64_t hash = siphash13(d->key, what, rule->name.len + 2U) | 4;
    if (d->full || (hash >> 56) % d->passes != d->pass) {
        return;
    }
    hash &= ~MARKS;
    uint64_t *slot = find(d, hash);
    if (d->step == 1 && *slot == 0) {
        insert(d, slot, hash | IN_BEFORE);
    } else if (d->step == 2 && *slot == 0) {
        insert(d, slot, hash | IN_AFTER);
        count(&d->added, rule);
    } else if (d->step == 2 && (*slot & MARKS) == IN_BEFORE) {
        *slot |= IN_AFTER; /* in both: TOLD */
    } else if (d->step == 3 && (*slot & MARKS) == IN_BEFORE) {
        *slot |= TOLD;
        count(&d->removed, rule);
    }
}

bool bl_diff_again(struct bl_diff *d)
{
    if (d->full && d->passes < BL_DIFF_PASSES) {
        d->passes *= 2;
        d->pass = 0;
        d->full = false;
        d->added.count = d->added.shown = d->removed.count = d->removed.shown = 0;
        clear(d);
        return true;
    }
    clear(d);
    return !d->full && ++d->pass < d->passes;
}
