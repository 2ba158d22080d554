/*
 * New texts of lists against the update guard (blocklist/guard.h). The table of names is there only
 * while texts come; the text in force is read again only when the new one has a rule that matters.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/idna.h"
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

struct marking {
    const struct bl_guard *guard;
    uint8_t *marks;
    struct bl_parser parser;
};

static void mark_rule(void *ctx, const struct bl_rule *rule)
{
    struct marking *m = ctx;
    bl_guard_mark(m->guard, m->marks, rule);
}

static bool mark_text(void *arg, struct span text)
{
    struct marking *m = arg;
    return bl_parse_feed(&m->parser, text.ptr, text.len) == ERR_OK;
}

/* Marks of the copy in force, with malloc; NULL: it cannot be read, so all counts as new. */
static uint8_t *marks_in_force(const struct lists *l, const struct entry *e)
{
    struct marking *m = calloc(1, sizeof *m);
    uint8_t *marks = m ? calloc(1, bl_guard_marks(l->guard)) : NULL;
    enum err err = marks ? ERR_OK : ERR_MEMORY;
    if (err == ERR_OK) {
        struct bl_parse_config cfg = {.format = e->spec.format,
                                      .as_allow = e->spec.kind == LIST_ALLOW,
                                      .ctx = m,
                                      .rule = mark_rule,
                                      .idna = idna_to_ascii};
        m->guard = l->guard;
        m->marks = marks;
        bl_parse_init(&m->parser, &cfg);
        err = copy_read(l->config.store, e->copy, &e->blob, mark_text, m);
        err = err == ERR_OK ? bl_parse_end(&m->parser) : err;
    }
    free(m);
    if (err != ERR_OK) {
        free(marks);
        return NULL;
    }
    return marks;
}

/* ---- the verdict ---- */

/* What is new of the names that matter; false: nothing. */
static bool finds_names(const struct lists *l, const struct entry *e, const uint8_t *marks,
                        struct bl_guard_names *out)
{
    if (!marks || !bl_guard_any(l->guard, marks)) {
        return false;
    }
    uint8_t *before = e->have_copy ? marks_in_force(l, e) : NULL;
    bool any = bl_guard_compare(l->guard, before, marks, out);
    free(before);
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
                                const uint8_t *marks, char *reason, char *notice)
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
