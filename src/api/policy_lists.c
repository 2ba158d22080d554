/*
 * Things that groups choose: lists, and services that are blocked as a whole. For each of them the
 * plan has the groups for which it counts now.
 */
#include "api/policy_plan_int.h"

#include "base/log.h"
#include "config/catalogs.h"
#include "config/schedule.h"

/* ---- Lists. ---- */

static struct policy_list *find_list(const struct policy_plan *plan, uint32_t id)
{
    for (uint32_t i = 0; i < plan->list_count; i++) {
        if (plan->list[i].id == id) {
            return &plan->list[i];
        }
    }
    return NULL;
}

uint64_t policy_plan_list(const struct policy_plan *plan, uint32_t id)
{
    const struct policy_list *l = find_list(plan, id);
    return l ? l->groups : 1;
}

static struct policy_list *list_of(struct policy_plan *plan, uint32_t id)
{
    struct policy_list *l = find_list(plan, id);
    if (!l) {
        l = &plan->list[plan->list_count++];
        *l = (struct policy_list){.id = id};
    }
    return l;
}

/* Without the groups for which a list counts only at other times. */
static uint64_t groups_now(const struct policy_plan *plan, const struct policy_source *src,
                           uint64_t groups, const char *url)
{
    for (unsigned i = 0; i < plan->groups.count; i++) {
        if ((groups >> i & 1) && !policy_group_has_list(src, &plan->groups.item[i], url)) {
            groups &= ~(UINT64_C(1) << i);
        }
    }
    return groups;
}

/* A list of the configuration on which the page decided nothing but [0] is as the file says. */
static bool says_groups(const struct list_view *v)
{
    return !v->configured || json_array_size(v->groups) != 1 ||
           json_integer_value(json_array_get(v->groups, 0)) != 0;
}

static void add_document_lists(struct policy_plan *plan, const struct policy_source *src)
{
    struct list_view v;
    for (uint32_t i = 0; rules_list_at(src->rules, i, &v); i++) {
        if (says_groups(&v)) {
            struct policy_list *l = list_of(plan, v.id);
            l->in_document = true;
            l->groups = groups_now(plan, src, policy_plan_groups(plan, v.groups), v.url);
        }
    }
}

static void add_configured_list(struct policy_plan *plan, const struct policy_source *src,
                                uint64_t groups, const char *text, bool allow)
{
    struct policy_list *l = list_of(plan, src->list_id(text, allow));
    if (!l->in_document) {
        l->groups |= groups_now(plan, src, groups, text);
    }
}

/* Lists of groups; those of everybody count too if a group has them as well, or at times only. */
static void add_configured_lists(struct policy_plan *plan, const struct policy_source *src)
{
    const struct config *c = src->config;
    for (uint32_t i = 0; i < c->groups.value_count; i++) {
        const struct cfg_group_value *v = &c->groups.value[i];
        bool allow = v->key == CFG_GROUP_ALLOW_LIST;
        if (!allow && v->key != CFG_GROUP_LIST) {
            continue;
        }
        for (unsigned g = 0; g < plan->groups.count; g++) {
            if (plan->groups.item[g].configured == v->group) {
                add_configured_list(plan, src, UINT64_C(1) << g, v->text, allow);
            }
        }
    }
    for (uint32_t i = 0; src->list_id && i < c->list.count; i++) {
        add_configured_list(plan, src, 1, c->list.item[i], false);
    }
    for (uint32_t i = 0; src->list_id && i < c->allow_list.count; i++) {
        add_configured_list(plan, src, 1, c->allow_list.item[i], true);
    }
}

void policy_add_lists(struct policy_plan *plan, const struct policy_source *src)
{
    add_document_lists(plan, src);
    add_configured_lists(plan, src);
}

/* ---- Services. ---- */

static const struct catalog *services_of(const struct config *c)
{
    return c->catalogs ? &c->catalogs->services : NULL;
}

static void block_service(struct policy_plan *plan, const struct policy_group *group,
                          struct span name, uint64_t bit)
{
    const struct catalog_section *s = plan->services ? catalog_find(plan->services, name) : NULL;
    if (s) {
        plan->service_groups[s - plan->services->section] |= bit;
    } else {
        log_warning(RESOLVER, "group %s: there is no service %.*s", group->name, (int)name.len,
                    (const char *)name.ptr);
    }
}

/* Services of a group, those included that a schedule asks for now. */
static void add_group_services(struct policy_plan *plan, const struct policy_source *src,
                               const struct policy_group *group, uint64_t bit)
{
    const char *text;
    struct schedule s;
    struct span name;
    for (uint32_t n = 0; (text = policy_group_value(src, group, CFG_GROUP_SERVICE, n)); n++) {
        block_service(plan, group, span_str(text), bit);
    }
    for (uint32_t n = 0; policy_group_schedule(src, group, n, &s, &text); n++) {
        while (s.action == SCHEDULE_SERVICES && policy_schedule_is_active(src, &s) &&
               schedule_next_name(&s.what, &name)) {
            block_service(plan, group, name, bit);
        }
    }
}

void policy_add_services(struct policy_plan *plan, const struct policy_source *src)
{
    plan->services = services_of(src->config);
    for (uint32_t i = 0; plan->services && i < plan->services->count; i++) {
        plan->service_groups[i] =
            catalogs_blocked(src->config, plan->services->section[i].id) ? BL_GROUPS_ALL : 0;
    }
    for (unsigned g = 0; g < plan->groups.count; g++) {
        if (plan->groups.item[g].enabled) {
            add_group_services(plan, src, &plan->groups.item[g], UINT64_C(1) << g);
        }
    }
}

bool policy_plan_service(const struct policy_plan *plan, uint32_t i, struct bl_own *out)
{
    *out = (struct bl_own){.groups = plan->service_groups[i],
                           .id = RULE_SERVICE | i,
                           .kind = BL_BOTH,
                           .action = BL_BLOCK};
    return out->groups != 0;
}
