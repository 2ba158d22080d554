#include "api/policy_groups.h"

#include <string.h>

#include "base/log.h"
#include "base/siphash.h"
#include "config/schedule.h"
#include "config/snapshot_fill.h"

int64_t policy_group_id(const char *name)
{
    static const struct siphash_key key = {3, 0};
    return POLICY_GROUP_ID_CONFIGURED |
           (int64_t)(siphash24(key, name, strlen(name)) & (POLICY_GROUP_ID_CONFIGURED - 1));
}

/* ---- Which there are. ---- */

static struct policy_group *named(struct policy_groups *g, const char *name)
{
    for (unsigned i = 0; i < g->count; i++) {
        if (strcmp(g->item[i].name, name) == 0) {
            return &g->item[i];
        }
    }
    return NULL;
}

static struct policy_group *add(struct policy_groups *g, int64_t id, const char *name, bool enabled)
{
    if (g->count == POLICY_GROUPS_MAX) {
        log_warning(RESOLVER, "more than %d groups: %s is left out", POLICY_GROUPS_MAX - 1, name);
        return NULL;
    }
    struct policy_group *item = &g->item[g->count++];
    *item = (struct policy_group){.id = id,
                                  .name = name,
                                  .enabled = enabled,
                                  .with_default = true,
                                  .document = -1,
                                  .configured = -1};
    return item;
}

static void find_groups(struct policy_groups *g, const struct policy_source *src)
{
    struct group_view v;
    add(g, 0, CFG_GROUP_DEFAULT, true);
    for (uint32_t i = 0; rules_group_at(src->rules, i, &v); i++) {
        struct policy_group *item = named(g, v.name);
        item = item ? item : add(g, v.id, v.name, v.enabled);
        if (item) {
            item->document = (int32_t)i;
        }
    }
    for (uint32_t i = 0; i < src->config->groups.count; i++) {
        const char *name = src->config->groups.item[i].name;
        struct policy_group *item = named(g, name);
        item = item ? item : add(g, policy_group_id(name), name, true);
        if (item) {
            item->configured = (int32_t)i;
        }
    }
}

uint64_t policy_group_bit(const struct policy_groups *g, int64_t id)
{
    for (unsigned i = 0; i < g->count; i++) {
        if (g->item[i].id == id) {
            return g->item[i].enabled ? UINT64_C(1) << i : 0;
        }
    }
    return 0;
}

/* ---- What they say. ---- */

const char *policy_group_value(const struct policy_source *src, const struct policy_group *g,
                               enum cfg_group_key key, uint32_t n)
{
    struct group_view v;
    uint32_t count = 0;
    if (g->document >= 0 && rules_group_at(src->rules, (uint32_t)g->document, &v)) {
        const char *text;
        while ((text = rules_group_value(&v, key, count)) != NULL) {
            if (count == n) {
                return text;
            }
            count++;
        }
    }
    return g->configured >= 0
               ? cfg_group_value(&src->config->groups, (uint32_t)g->configured, key, n - count)
               : NULL;
}

static void read_upstreams(const struct policy_source *src, struct policy_group *g,
                           struct arena *arena)
{
    const char *text;
    for (uint32_t n = 0; (text = policy_group_value(src, g, CFG_GROUP_UPSTREAM, n)) != NULL; n++) {
        if (g->upstream_count == POLICY_GROUP_UPSTREAMS_MAX) {
            log_warning(RESOLVER, "group %s: more than %d upstreams: %s is left out", g->name,
                        POLICY_GROUP_UPSTREAMS_MAX, text);
        } else if (cfg_upstream_read(arena, span_str(text), &g->upstream[g->upstream_count]) ==
                   ERR_OK) {
            g->view = g->view * UINT64_C(0x9e3779b97f4a7c15) +
                      cfg_upstream_id(&g->upstream[g->upstream_count++]);
        }
    }
    g->view += g->upstream_count > 0 && g->view == 0;
}

static void read_settings(const struct policy_source *src, struct policy_group *g)
{
    const char *text = policy_group_value(src, g, CFG_GROUP_BLOCK_MODE, 0);
    g->has_block_mode =
        text != NULL && cfg_block_mode_parse(span_str(text), &g->block_mode) == ERR_OK;
    text = policy_group_value(src, g, CFG_GROUP_SAFE_SEARCH, 0);
    g->safe_search = (int8_t)(text == NULL ? -1 : cfg_group_is_on(text));
    text = policy_group_value(src, g, CFG_GROUP_WITH_DEFAULT, 0);
    g->with_default = text == NULL || cfg_group_is_on(text);
}

static void read_pauses(const struct policy_source *src, struct policy_groups *g)
{
    struct pause_view p;
    for (uint32_t i = 0; rules_pause_at(src->rules, i, &p); i++) {
        struct policy_group *group = p.group ? named(g, p.group) : NULL;
        usec_t until = rules_pause_deadline(p.until_unix, src->now, src->now_unix);
        if (group && until > group->pause_until) {
            group->pause_until = until;
        }
    }
}

/* ---- What is in force now. ---- */

bool policy_schedule_is_active(const struct policy_source *src, const struct schedule *s)
{
    struct tz greenwich = {0};
    struct tz_local local;
    if (src->now_unix < SCHEDULE_CLOCK_MIN) {
        return s->action != SCHEDULE_PAUSE;
    }
    tz_local(src->tz ? src->tz : &greenwich, src->now_unix, &local);
    return schedule_is_active(s, &local);
}

bool policy_group_schedule(const struct policy_source *src, const struct policy_group *g,
                           uint32_t n, struct schedule *out, const char **text)
{
    *text = policy_group_value(src, g, CFG_GROUP_SCHEDULE, n);
    return *text != NULL && schedule_parse(span_str(*text), out) == ERR_OK;
}

static void read_schedules(const struct policy_source *src, struct policy_group *g, int64_t *next)
{
    struct tz greenwich = {0};
    struct schedule s;
    const char *text;
    for (uint32_t n = 0; policy_group_schedule(src, g, n, &s, &text); n++) {
        int64_t change =
            src->now_unix < SCHEDULE_CLOCK_MIN
                ? SCHEDULE_CLOCK_MIN
                : schedule_next_change(&s, src->tz ? src->tz : &greenwich, src->now_unix);
        *next = change < *next ? change : *next;
        if (!policy_schedule_is_active(src, &s) || s.action > SCHEDULE_PAUSE) {
            continue;
        }
        bool blocks = s.action == SCHEDULE_BLOCK;
        g->schedule = blocks || !g->schedule ? text : g->schedule;
        g->blocks |= blocks;
        g->pauses |= !blocks;
    }
}

static bool names(const struct schedule *s, const char *what)
{
    struct span rest = s->what, name;
    while (schedule_next_name(&rest, &name)) {
        if (span_equal(name, span_str(what))) {
            return true;
        }
    }
    return false;
}

bool policy_group_has_list(const struct policy_source *src, const struct policy_group *g,
                           const char *list)
{
    struct schedule s;
    const char *text;
    bool named_once = false;
    for (uint32_t n = 0; policy_group_schedule(src, g, n, &s, &text); n++) {
        if (s.action == SCHEDULE_LISTS && names(&s, list)) {
            named_once = true;
            if (policy_schedule_is_active(src, &s)) {
                return true;
            }
        }
    }
    return !named_once;
}

size_t policy_groups_memory(const struct policy_source *src)
{
    size_t octets = (POLICY_GROUPS_MAX + 1) * sizeof(struct policy_group);
    for (uint32_t i = 0; i < src->config->groups.value_count; i++) {
        const struct cfg_group_value *v = &src->config->groups.value[i];
        octets += v->key == CFG_GROUP_UPSTREAM ? 2 * strlen(v->text) + 2 : 0;
    }
    struct group_view g;
    for (uint32_t i = 0; rules_group_at(src->rules, i, &g); i++) {
        const char *text;
        for (uint32_t n = 0; (text = rules_group_value(&g, CFG_GROUP_UPSTREAM, n)) != NULL; n++) {
            octets += 2 * strlen(text) + 2;
        }
    }
    return octets;
}

enum err policy_groups_make(struct policy_groups *g, const struct policy_source *src,
                            struct arena *arena)
{
    *g = (struct policy_groups){.next_change = INT64_MAX,
                                .item = ARENA_ARRAY(arena, struct policy_group, POLICY_GROUPS_MAX)};
    if (!g->item) {
        return ERR_SPACE;
    }
    find_groups(g, src);
    for (unsigned i = 0; i < g->count; i++) {
        read_settings(src, &g->item[i]);
        read_upstreams(src, &g->item[i], arena);
        if (g->item[i].enabled) {
            read_schedules(src, &g->item[i], &g->next_change);
        }
    }
    read_pauses(src, g);
    return ERR_OK;
}
