/*
 * New texts of lists against the update guard (blocklist/guard.h). The table of names is there only
 * while texts come; the text in force is read again only when the new one has a rule that matters.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/list_judge.h"
#include "host/lists_int.h"
#include "host/sys.h"

bool guard_watches(struct lists *l, const struct entry *e)
{
    pthread_mutex_lock(&l->lock);
    bool on = l->guard_on;
    pthread_mutex_unlock(&l->lock);
    return on && e->spec.guard && e->source == SOURCE_WEB;
}

static void take_used(struct lists *l)
{
    pthread_mutex_lock(&l->lock);
    if (l->next_used) {
        free(l->used);
        l->used = l->next_used;
        l->used_len = l->next_used_len;
        l->next_used = NULL;
    }
    pthread_mutex_unlock(&l->lock);
}

static struct bl_guard_sources sources_of(const struct lists *l)
{
    struct bl_guard_sources s = bl_guard_builtin();
    s.used = span_of(l->used ? l->used : "", l->used_len);
    return s;
}

void guard_open(struct lists *l, struct entry *const *due, uint32_t count)
{
    bool watched = false;
    for (uint32_t i = 0; i < count && !watched; i++) {
        watched = guard_watches(l, due[i]);
    }
    if (!watched || l->guard) {
        return;
    }
    take_used(l);
    struct bl_guard_sources s = sources_of(l);
    l->guard_memory = sys_map(bl_guard_memory(&s));
    if (!l->guard_memory ||
        bl_guard_init(&l->guard, l->guard_memory, bl_guard_memory(&s), &s) != ERR_OK) {
        log_warning(LISTS, "no memory to look at what updates of lists bring");
        guard_close(l);
    }
}

void guard_close(struct lists *l)
{
    struct bl_guard_sources s = sources_of(l);
    sys_unmap(l->guard_memory, bl_guard_memory(&s));
    l->guard_memory = NULL;
    l->guard = NULL;
}

/* ---- the text in force ---- */

static bool judge_text(void *arg, struct span text)
{
    return judge_feed(arg, text);
}

/* Marks of the copy in force; NULL: it cannot be read, so all counts as new. */
static struct list_marks *marks_in_force(const struct lists *l, const struct entry *e)
{
    char reason[FETCH_ERROR_MAX];
    struct list_judge *j = calloc(1, sizeof *j);
    struct list_marks *m = j ? list_marks_new(l->guard) : NULL;
    bool good = false;
    if (m) {
        judge_init(j, e->spec.format, e->spec.kind == LIST_ALLOW, m);
        good = copy_read(l->config.store, e->copy, &e->blob, judge_text, j) == ERR_OK &&
               judge_end(j, reason) == NULL;
    }
    free(j);
    if (!good) {
        list_marks_free(m);
        return NULL;
    }
    list_marks_end(m);
    return m;
}

/* ---- the verdict ---- */

/* What is new of the names that matter; false: nothing. */
static bool finds_names(const struct lists *l, const struct entry *e, struct list_marks *marks,
                        struct bl_guard_names *out)
{
    if (!marks) {
        return false;
    }
    list_marks_end(marks);
    if (!bl_guard_any(l->guard, list_marks_get(marks))) {
        return false;
    }
    struct list_marks *before = e->have_copy ? marks_in_force(l, e) : NULL;
    bool any = bl_guard_compare(l->guard, before ? list_marks_get(before) : NULL,
                                list_marks_get(marks), out);
    list_marks_free(before);
    return any;
}

static bool is_confirmed(struct lists *l, const struct entry *e)
{
    pthread_mutex_lock(&l->lock);
    bool confirmed = e->confirm;
    pthread_mutex_unlock(&l->lock);
    return confirmed;
}

enum guard_verdict guard_decide(struct lists *l, struct entry *e, uint64_t digest, uint32_t rules,
                                struct list_marks *marks, char *reason, char *notice)
{
    struct bl_guard_names names;
    struct strbuf text;
    notice[0] = '\0';
    if (!guard_watches(l, e) || is_confirmed(l, e)) {
        return GUARD_TAKE;
    }
    if (e->have_copy && digest == e->refused) {
        return GUARD_REFUSED;
    }
    if (e->have_held && digest == e->held_meta.digest) {
        return GUARD_WAITS;
    }
    bool found = finds_names(l, e, marks, &names);
    bool shrunk = e->have_copy && bl_guard_shrunk(e->meta.rules, rules);
    if (!found && !shrunk) {
        return GUARD_TAKE;
    }
    strbuf_init(&text, e->have_copy ? reason : notice, FETCH_ERROR_MAX);
    if (!e->have_copy) {
        bl_guard_reason(&names, 0, 0, &text);
        return GUARD_TAKE;
    }
    strbuf_str(&text, "held back: ");
    bl_guard_reason(found ? &names : NULL, shrunk ? e->meta.rules : 0, rules, &text);
    return GUARD_HOLD;
}
