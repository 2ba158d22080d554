/*
 * Own expressions stand before those of lists, so that the bound on their number cuts the latter.
 */
#include "shared/regex_rules.h"

#include <stdlib.h>

#include "api/rules_snapshot.h"
#include "base/log.h"
#include "blocklist/image.h"

enum { TOLD_MAX = 5 /* refused expressions of lists in the log; the rest is a number */ };

struct gathered {
    struct regex_source *item;
    uint32_t count, cap, left_out;
};

static void gather_own(const struct regex_rules_source *src, struct gathered *g)
{
    for (uint32_t i = 0; i < rules_own_count(src->rules) && g->count < g->cap; i++) {
        struct regex_source *s = &g->item[g->count];
        g->count += rules_regex_at(src->rules, i, src->plan, src->now, src->now_unix, &s->pattern,
                                   &s->rule);
    }
}

static void gather_lists(const struct bl_image *image, struct gathered *g)
{
    struct bl_pattern p;
    for (uint32_t cursor = 0; bl_image_pattern(image, &cursor, &p);) {
        if (p.text.ptr[0] == BL_PATTERN_ADDRESS) {
            continue;
        }
        if (g->count == g->cap) {
            g->left_out++;
            continue;
        }
        g->item[g->count++] = (struct regex_source){
            .pattern = p.text, .rule = {.own = {.id = p.line}, .list = p.list, .rank = p.rank}};
    }
}

struct telling {
    const struct regex_rules_source *src;
    const struct regex_set_config *cfg;
    uint32_t refused;
};

static void tell_refused(void *ctx, const struct regex_source *s, const char *why)
{
    struct telling *t = ctx;
    struct bl_list_info info;
    if (s->rule.list == BL_REGEX_OWN) {
        log_warning(RESOLVER, "own rule %u: the regular expression is left out: %s", s->rule.own.id,
                    why);
    } else if (t->refused++ < TOLD_MAX) {
        bl_image_list(t->src->image, s->rule.list, &info);
        log_warning(LISTS, "%.*s:%u: the regular expression is left out: %s", (int)info.url.len,
                    (const char *)info.url.ptr, s->rule.own.id, why);
    }
}

static void breathe(void *ctx)
{
    const struct telling *t = ctx;
    if (t->cfg->breathe) {
        t->cfg->breathe(t->cfg->ctx);
    }
}

enum err regex_rules_make(const struct regex_rules_source *src, const struct regex_set_config *cfg,
                          struct regex_set **out)
{
    struct gathered g = {.item = calloc(BL_REGEXES_MAX, sizeof *g.item), .cap = BL_REGEXES_MAX};
    struct telling t = {.src = src, .cfg = cfg};
    struct regex_set_config own = *cfg;
    if (!g.item) {
        return ERR_MEMORY;
    }
    own.refused = tell_refused;
    own.breathe = breathe;
    own.ctx = &t;
    if (src->rules) {
        gather_own(src, &g);
    }
    if (src->image) {
        gather_lists(src->image, &g);
    }
    enum err e = regex_set_new(g.item, g.count, &own, out);
    free(g.item);
    if (g.left_out > 0) {
        log_warning(LISTS, "more than %d regular expressions: %u of lists are left out",
                    BL_REGEXES_MAX, g.left_out);
    }
    if (t.refused > TOLD_MAX) {
        log_warning(LISTS, "%u more regular expressions of lists are left out",
                    t.refused - TOLD_MAX);
    }
    return e;
}
