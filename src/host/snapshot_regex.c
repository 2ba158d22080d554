/*
 * One set as long as neither the image nor the own rules change.
 */
#include "host/snapshot_regex.h"

#include <stdlib.h>

#include "base/log.h"
#include "blocklist/image.h"
#include "shared/regex_rules.h"

struct snapshot_regex {
    unsigned refs;
    struct regex_set *set;    /* NULL: there is no expression */
    struct list_image *image; /* whose expressions they are; NULL: none */
};

static enum err build(const struct snapshot_source *src, const struct policy_plan *plan,
                      const struct snapshot_regex *old, struct snapshot_regex *out)
{
    const struct regex_rules_source from = {.rules = src->rules,
                                            .plan = plan,
                                            .image = src->image ? list_image_get(src->image) : NULL,
                                            .now = src->now,
                                            .now_unix = src->now_unix};
    const struct regex_set_config cfg = {.users = src->regex_users,
                                         .machine_code = src->machine_code,
                                         .known = {old ? old->set : NULL}};
    return regex_rules_make(&from, &cfg, &out->set);
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
