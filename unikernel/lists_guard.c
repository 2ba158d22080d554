/*
 * New texts against the update guard (blocklist/guard.h). The table of names is there while lists
 * are fetched. What the list had before is asked of the image in force, name by name, so only the
 * first names that matter are looked at. Nothing is kept of a text that is held back: a person's
 * yes fetches it again.
 */
#include <stdlib.h>

#include "base/log.h"
#include "blocklist/match.h"
#include "engine.h"
#include "lists_int.h"
#include "stats/stats.h"

enum { USED_OCTETS = 32768, HITS_MAX = 64 };

static struct {
    void *memory;
    struct bl_guard *table;
    char *used; /* which the table borrows */
} guard;

static void open_table(void)
{
    struct bl_guard_sources s = bl_guard_builtin();
    struct strbuf names;
    guard.used = malloc(USED_OCTETS);
    if (guard.used) {
        strbuf_init(&names, guard.used, USED_OCTETS);
        (void)stats_daily_names(engine_stats(), &names);
        s.used = span_of(guard.used, names.len);
    }
    guard.memory = malloc(bl_guard_memory(&s));
    if (!guard.memory ||
        bl_guard_init(&guard.table, guard.memory, bl_guard_memory(&s), &s) != ERR_OK) {
        log_warning(LISTS, "no memory to look at what updates of lists bring");
        guard.table = NULL;
    }
}

void list_guard_close(void)
{
    free(guard.memory);
    free(guard.used);
    guard.memory = guard.used = NULL;
    guard.table = NULL;
}

static void mark_rule(void *ctx, const struct bl_rule *rule)
{
    struct list_entry *e = ctx;
    bl_guard_mark(guard.table, e->marks, rule);
}

void list_guard_begin(struct list_entry *e, struct bl_parse_config *judge)
{
    if (!e->shown.guard || e->confirmed) {
        return;
    }
    if (!guard.memory) {
        open_table();
    }
    e->marks = guard.table ? calloc(1, bl_guard_marks(guard.table)) : NULL;
    if (e->marks) {
        judge->rule = mark_rule;
        judge->ctx = e;
    }
}

/* Has the list said so before? */
static bool had(const struct list_entry *e, const struct bl_guard_name *n)
{
    struct bl_hit hits[HITS_MAX];
    struct bl_verdict verdict;
    unsigned slot = (unsigned)engine_list_slot(e->shown.id);
    size_t count = bl_explain(engine_image(), &n->name, NULL, hits, HITS_MAX, &verdict);
    for (size_t i = 0; i < count && i < HITS_MAX; i++) {
        bool below = (hits[i].source.kind & BL_BELOW) != 0;
        if (hits[i].source.list == slot && (below || (hits[i].label == 0 && !n->below))) {
            return true;
        }
    }
    return false;
}

/* What is new of the names that matter. */
static bool finds_names(const struct list_entry *e, bool have, struct bl_guard_names *out)
{
    uint32_t kept = 0;
    bool any = e->marks && bl_guard_compare(guard.table, NULL, e->marks, out);
    if (!any || !have) {
        return any;
    }
    for (unsigned k = 0; k < BL_GUARD_KINDS; k++) {
        out->count[k] = 0;
    }
    for (uint32_t i = 0; i < out->shown; i++) {
        if (!had(e, &out->name[i])) {
            out->count[out->name[i].kind]++;
            out->name[kept++] = out->name[i];
        }
    }
    out->shown = kept;
    return kept > 0;
}

bool list_guard_objects(struct list_entry *e, uint32_t rules, struct strbuf *reason)
{
    struct bl_guard_names *names = malloc(sizeof *names);
    struct api_list *l = &e->shown;
    struct strbuf notice;
    bool have = engine_list_slot(l->id) >= 0;
    uint32_t before = l->rules + l->duplicates;
    bool watched = l->guard && !e->confirmed && names;
    bool found = watched && finds_names(e, have, names);
    bool shrunk = watched && have && bl_guard_shrunk(before, rules);
    l->notice[0] = '\0';
    if (have && (found || shrunk)) {
        strbuf_str(reason, "held back: ");
        bl_guard_reason(found ? names : NULL, shrunk ? before : 0, rules, reason);
    } else if (found) {
        strbuf_init(&notice, l->notice, sizeof l->notice);
        bl_guard_reason(names, 0, 0, &notice);
        log_warning(LISTS, "%s: %s; it is in force, since the list is new", l->url, l->notice);
    }
    free(names);
    return have && (found || shrunk);
}
