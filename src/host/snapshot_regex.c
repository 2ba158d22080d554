/*
 * Own expressions stand before those of lists, so that the bound on their number cuts the latter.
 */
#include "host/snapshot_regex.h"

#include <stdlib.h>

#include "api/rules_snapshot.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "blocklist/image.h"
#include "host/regex_pcre2.h"

enum { TOLD_MAX = 5 /* refused expressions of lists in the log; the rest is a number */ };

struct snapshot_regex {
    unsigned refs;
    struct regex_set *set;    /* NULL: there is no expression */
    struct list_image *image; /* whose expressions they are; NULL: none */
};

struct gathered {
    struct regex_source *item;
    uint32_t count, cap, left_out;
};

static void gather_own(const struct snapshot_source *src, const struct policy_plan *plan,
                       struct gathered *g)
{
    for (uint32_t i = 0; i < rules_own_count(src->rules) && g->count < g->cap; i++) {
        struct regex_source *s = &g->item[g->count];
        g->count +=
            rules_regex_at(src->rules, i, plan, src->now, src->now_unix, &s->pattern, &s->rule);
    }
}

static void gather_lists(const struct bl_image *image, struct gathered *g)
{
    struct bl_pattern p;
    for (uint32_t cursor = 0; bl_image_pattern(image, &cursor, &p);) {
        if (g->count == g->cap) {
            g->left_out++;
            continue;
        }
        g->item[g->count++] = (struct regex_source){
            .pattern = p.text, .rule = {.own = {.id = p.line}, .list = p.list, .rank = p.rank}};
    }
}

struct telling {
    const struct bl_image *image;
    bool again; /* the image's were told before */
    uint32_t refused;
};

static void tell_refused(void *ctx, const struct regex_source *s, const char *why)
{
    struct telling *t = ctx;
    struct bl_list_info info;
    if (s->rule.list == BL_REGEX_OWN) {
        log_warning(RESOLVER, "own rule %u: the regular expression is left out: %s", s->rule.own.id,
                    why);
        return;
    }
    if (!t->again && t->refused++ < TOLD_MAX) {
        bl_image_list(t->image, s->rule.list, &info);
        log_warning(LISTS, "%.*s:%u: the regular expression is left out: %s", (int)info.url.len,
                    (const char *)info.url.ptr, s->rule.own.id, why);
    }
}

static enum err build(const struct snapshot_source *src, const struct policy_plan *plan,
                      const struct snapshot_regex *old, struct snapshot_regex *out)
{
    struct gathered g = {.item = calloc(BL_REGEXES_MAX, sizeof *g.item), .cap = BL_REGEXES_MAX};
    struct telling t = {.image = src->image ? list_image_get(src->image) : NULL};
    if (!g.item) {
        return ERR_MEMORY;
    }
    t.again = old && old->image == src->image;
    gather_own(src, plan, &g);
    if (t.image) {
        gather_lists(t.image, &g);
    }
    enum err e = regex_set_new(g.item, g.count, src->regex_users, src->machine_code,
                               old ? old->set : NULL, tell_refused, &t, &out->set);
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

static void log_count(const struct snapshot_regex *r)
{
    const struct bl_regexes *set = regex_set_get(r->set);
    if (set) {
        log_info(RESOLVER, "%u regular expressions in force, %u of them as machine code",
                 set->count, regex_set_compiled(r->set));
    }
}

enum err snapshot_regex_make(struct snapshot_regex **slot, const struct snapshot_source *src,
                             const struct policy_plan *plan, bool own_changed)
{
    struct snapshot_regex *old = *slot;
    if (old && !own_changed && old->image == src->image) {
        return ERR_OK;
    }
    struct snapshot_regex *fresh = calloc(1, sizeof *fresh);
    if (!fresh) {
        return ERR_MEMORY;
    }
    enum err e = build(src, plan, old, fresh);
    if (e != ERR_OK) {
        free(fresh);
        return e;
    }
    fresh->refs = 1;
    fresh->image = src->image ? list_image_ref(src->image) : NULL;
    log_count(fresh);
    snapshot_regex_drop(old);
    *slot = fresh;
    return ERR_OK;
}

struct snapshot_regex *snapshot_regex_ref(struct snapshot_regex *r)
{
    if (r) {
        r->refs++;
    }
    return r;
}

void snapshot_regex_drop(struct snapshot_regex *r)
{
    if (r && --r->refs == 0) {
        regex_set_free(r->set);
        list_image_close(r->image);
        free(r);
    }
}

const struct bl_regexes *snapshot_regex_get(const struct snapshot_regex *r)
{
    return r ? regex_set_get(r->set) : NULL;
}
