/*
 * From a plan to a snapshot: whose upstreams have which number, which lists of its image count for
 * whom. Profiles of the same groups
 * share one filter, and those that have all lists need none.
 */
#include "api/policy_plan.h"

#include "config/snapshot_fill.h"

/* The groups of each list by its slot. */
struct slots {
    const struct bl_image *image;
    bool used[BL_LISTS_MAX];
    uint64_t groups[BL_LISTS_MAX];
};

static void find_slots(const struct policy_plan *plan, const struct bl_image *image,
                       policy_list_id *list_id, const void *ctx, struct slots *out)
{
    out->image = image;
    for (unsigned slot = 0; slot < BL_LISTS_MAX; slot++) {
        struct bl_list_info info;
        bl_image_list(image, slot, &info);
        out->used[slot] = info.used;
        out->groups[slot] = info.used ? policy_plan_list(plan, list_id(ctx, slot)) : 0;
    }
}

/* The lists of a set of groups; true if these are all that the image has. */
static bool choose(const struct slots *slots, uint64_t wanted, struct bl_list_set *out)
{
    bool all = true;
    *out = (struct bl_list_set){{0}};
    for (unsigned slot = 0; slot < BL_LISTS_MAX; slot++) {
        if ((slots->groups[slot] & wanted) != 0) {
            bl_list_set_add(out, slot);
        } else {
            all = all && !slots->used[slot];
        }
    }
    return all;
}

/* The first profile of the same groups. */
static uint32_t first_alike(const struct policy_plan *plan, uint32_t i)
{
    uint32_t k = 0;
    while (plan->profile[k].asker.groups != plan->profile[i].asker.groups) {
        k++;
    }
    return k;
}

size_t policy_apply_memory(const struct policy_plan *plan, const struct bl_image *image,
                           policy_list_id *list_id, const void *ctx)
{
    size_t octets = (plan->profile_count + 1) * sizeof(struct profile);
    struct bl_list_set lists;
    struct slots slots;
    if (!image) {
        return octets;
    }
    find_slots(plan, image, list_id, ctx, &slots);
    for (uint32_t i = 0; i < plan->profile_count; i++) {
        if (first_alike(plan, i) == i && !choose(&slots, plan->profile[i].asker.groups, &lists)) {
            octets +=
                sizeof(struct bl_filter) + bl_filter_memory(image) + _Alignof(struct bl_filter);
        }
    }
    return octets;
}

/* A new filter; *out is NULL if all lists count. */
static enum err make_filter(const struct slots *slots, uint64_t wanted, struct arena *arena,
                            const struct bl_filter **out)
{
    struct bl_list_set lists;
    size_t len = bl_filter_memory(slots->image);
    *out = NULL;
    if (choose(slots, wanted, &lists)) {
        return ERR_OK;
    }
    struct bl_filter *filter = ARENA_NEW(arena, struct bl_filter);
    void *effects = arena_alloc(arena, len, 1);
    if (!filter || !effects) {
        return ERR_SPACE;
    }
    *out = filter;
    return bl_filter_init(filter, effects, len, slots->image, &lists);
}

static enum err make_filters(const struct policy_plan *plan, const struct slots *slots,
                             struct arena *arena, struct profile *profile)
{
    enum err e = ERR_OK;
    for (uint32_t i = 0; e == ERR_OK && i < plan->profile_count; i++) {
        uint32_t alike = first_alike(plan, i);
        if (alike < i) {
            profile[i].filter = profile[alike].filter;
        } else {
            e = make_filter(slots, profile[i].asker.groups, arena, &profile[i].filter);
        }
    }
    return e;
}

/* Upstreams of groups behind those of everybody; the same ones have one number. */
static void add_upstreams(const struct policy_plan *plan, struct profile *profile,
                          struct snapshot *out)
{
    for (uint32_t i = 0; i < plan->profile_count; i++) {
        uint32_t alike = 0;
        if (profile[i].view == 0) {
            continue;
        }
        while (alike < i && plan->profile[alike].view != plan->profile[i].view) {
            alike++;
        }
        if (alike < i) {
            profile[i].view = profile[alike].view;
            profile[i].route = profile[alike].route;
            continue;
        }
        const struct policy_group *g = &plan->groups.item[plan->upstreams[i]];
        if (!cfg_fill_route(out, g->upstream, g->upstream_count, &profile[i].route)) {
            profile[i].view = profile[i].route = 0;
        }
    }
}

enum err policy_apply(const struct policy_plan *plan, policy_list_id *list_id, const void *ctx,
                      struct arena *arena, struct snapshot *out)
{
    enum err e = ERR_OK;
    struct slots slots;
    struct profile *profile = ARENA_ARRAY(arena, struct profile, plan->profile_count);
    if (!profile) {
        return ERR_SPACE;
    }
    memcpy(profile, plan->profile, plan->profile_count * sizeof *profile);
    add_upstreams(plan, profile, out);
    if (out->image) {
        find_slots(plan, out->image, list_id, ctx, &slots);
        e = make_filters(plan, &slots, arena, profile);
    }
    out->everybody = profile[0];
    out->profiles = profile + 1;
    out->profile_count = plan->profile_count - 1;
    out->clients = plan->clients;
    return e;
}
