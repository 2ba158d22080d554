/*
 * Expressions are put into a set like the one that judges questions, so that what is found is what
 * would happen: those that are refused count for nothing, and a rank above another has its way.
 */
#include "host/list_marks.h"

#include <stdlib.h>
#include <string.h>

#include "shared/regex_pcre2.h"

struct list_marks {
    const struct bl_guard *guard;
    uint8_t *marks;
    char *text; /* of the expressions, one after the other */
    size_t len, cap;
    struct regex_source *source; /* their pattern's ptr is not set before the end */
    uint32_t count, room;
    bool ended;
};

struct list_marks *list_marks_new(const struct bl_guard *guard)
{
    struct list_marks *m = calloc(1, sizeof *m);
    if (m) {
        m->guard = guard;
        m->marks = calloc(1, bl_guard_marks(guard));
    }
    if (m && !m->marks) {
        list_marks_free(m);
        return NULL;
    }
    return m;
}

void list_marks_free(struct list_marks *m)
{
    if (m) {
        free(m->marks);
        free(m->text);
        free(m->source);
        free(m);
    }
}

const uint8_t *list_marks_get(const struct list_marks *m)
{
    return m->marks;
}

void list_marks_rule(struct list_marks *m, const struct bl_rule *rule)
{
    if (!m->ended) {
        bl_guard_mark(m->guard, m->marks, rule);
    }
}

/* Twice the room, or so much that `want` fits. NULL: no memory, and what was there stays. */
static void *grown(void *old, size_t each, size_t have, size_t want, size_t *out)
{
    size_t cap = have > 0 ? 2 * have : 64;
    cap = cap < want ? want : cap;
    void *p = reallocarray(old, cap, each);
    *out = p ? cap : have;
    return p;
}

static bool has_room(struct list_marks *m, size_t octets)
{
    size_t cap = 0;
    if (m->len + octets > m->cap) {
        char *text = grown(m->text, 1, m->cap, m->len + octets, &cap);
        if (!text) {
            return false;
        }
        m->text = text;
        m->cap = cap;
    }
    if (m->count == m->room) {
        struct regex_source *s = grown(m->source, sizeof *s, m->room, m->count + 1, &cap);
        if (!s) {
            return false;
        }
        m->source = s;
        m->room = (uint32_t)cap;
    }
    return true;
}

void list_marks_pattern(struct list_marks *m, struct span pattern, uint8_t rank)
{
    if (m->ended || pattern.ptr[0] == BL_PATTERN_ADDRESS || m->count == BL_REGEXES_MAX ||
        !has_room(m, pattern.len)) {
        return;
    }
    memcpy(m->text + m->len, pattern.ptr, pattern.len);
    m->len += pattern.len;
    m->source[m->count++] =
        (struct regex_source){.pattern = {NULL, pattern.len}, .rule = {.list = 0, .rank = rank}};
}

static bool is_blocked(void *ctx, const struct dns_name *name)
{
    const struct bl_regexes *set = ctx;
    const struct bl_regex_asker anybody = {.whose = NULL};
    struct bl_regex_verdict v;
    bl_regex_match(set, name, &anybody, &v);
    return v.rule != BL_RULE_NONE && bl_regex_action(v.rank) == BL_BLOCK;
}

void list_marks_end(struct list_marks *m)
{
    const struct regex_set_config cfg = {.users = 1};
    struct regex_set *set = NULL;
    size_t at = 0;
    if (m->ended) {
        return;
    }
    m->ended = true;
    for (uint32_t i = 0; i < m->count; at += m->source[i++].pattern.len) {
        m->source[i].pattern.ptr = (const uint8_t *)m->text + at;
    }
    if (m->count > 0 && regex_set_new(m->source, m->count, &cfg, &set) == ERR_OK &&
        regex_set_get(set)) {
        bl_guard_mark_names(m->guard, m->marks, is_blocked, (void *)(uintptr_t)regex_set_get(set));
    }
    regex_set_free(set);
}
