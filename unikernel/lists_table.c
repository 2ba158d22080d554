/* Which lists there are: from the configuration, the rules document, or the image that was handed
 * over. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "blocklist/image.h"
#include "engine.h"
#include "lists_int.h"

void list_entry_drop_text(struct list_entry *e)
{
    free(e->text);
    e->text = NULL;
    e->len = e->cap = 0;
    if (e->stage == LIST_FRESH) {
        e->stage = LIST_REST;
    }
}

void list_entry_release(struct list_entry *e)
{
    if (--e->refs == 0) {
        list_entry_drop_text(e);
        free(e->judge);
        free(e);
    }
}

void list_copy_text(char *to, size_t cap, struct span from)
{
    struct strbuf s;
    strbuf_init(&s, to, cap);
    strbuf_bytes(&s, from.ptr, from.len);
}

/* A short name for people: the last part of the URL's path after the host's name. */
void list_default_name(struct api_list *l)
{
    if (strcmp(l->url, LIST_BUILTIN) == 0) {
        list_copy_text(l->name, sizeof l->name, span_str("Built-in list"));
        return;
    }
    const char *host = strstr(l->url, "://");
    host = host ? host + 3 : l->url;
    size_t host_len = strcspn(host, "/?#"), end = strcspn(host, "?#");
    while (end > host_len && host[end - 1] == '/') {
        end--;
    }
    size_t start = end;
    while (start > host_len && host[start - 1] != '/') {
        start--;
    }
    struct strbuf s;
    strbuf_init(&s, l->name, sizeof l->name);
    strbuf_bytes(&s, host, host_len);
    if (end > start) {
        strbuf_str(&s, ": ");
        strbuf_bytes(&s, host + start, end - start);
    }
}

const char *list_read_source(const char *text, struct list_entry *e)
{
    size_t word = strspn(text, "abcdefghijklmnopqrstuvwxyz");
    struct fetch_url url;
    const char *what = "";
    if (text[word] == '+') {
        if (bl_format_parse(span_of(text, word), &e->format) != ERR_OK) {
            return "unknown format";
        }
        text += word + 1;
    }
    e->builtin = strcmp(text, LIST_BUILTIN) == 0;
    if (!e->builtin && !e->fixed && fetch_url_parse(text, &url, &what) != ERR_OK) {
        return what;
    }
    if (strlen(text) >= sizeof e->shown.url) {
        return "the URL is too long";
    }
    list_copy_text(e->shown.url, sizeof e->shown.url, span_str(text));
    return NULL;
}

struct table {
    struct list_entry **entry;
    uint32_t count;
};

static struct list_entry *find(const struct list_entry *const *entry, uint32_t count, uint32_t id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (entry[i]->shown.id == id) {
            return (struct list_entry *)(uintptr_t)entry[i];
        }
    }
    return NULL;
}

struct list_entry *list_current(uint32_t id)
{
    return find((const struct list_entry *const *)lists.entry, lists.count, id);
}

static struct list_entry *in_table(const struct table *t, uint32_t id)
{
    return find((const struct list_entry *const *)t->entry, t->count, id);
}

/* What the image in force says about a list that is new to us. */
static void read_image(struct list_entry *e)
{
    struct bl_list_info info;
    int slot = engine_list_slot(e->shown.id);
    if (slot < 0) {
        return;
    }
    bl_image_list(engine_image(), (unsigned)slot, &info);
    e->shown.rules = info.rules;
    e->shown.duplicates = info.duplicates;
    e->shown.rejected = info.rejected;
    e->shown.status = API_LIST_KEPT;
    e->shown.updated_unix = (int64_t)engine_image()->built_unix;
}

/* Put a list into the table: the one that we have, or a new one. */
static enum err add(struct table *t, const char *text, bool allow, bool configured, bool fixed)
{
    struct list_entry *e = calloc(1, sizeof *e);
    if (!e) {
        return ERR_MEMORY;
    }
    e->refs = 1;
    e->fixed = fixed;
    const char *what = t->count == BL_LISTS_MAX ? "there are too many" : list_read_source(text, e);
    if (what) {
        log_error(LISTS, "list %s: %s", text, what);
        list_entry_release(e);
        return ERR_OK;
    }
    e->shown.id = rules_list_id(e->shown.url, allow);
    e->shown.allow = allow;
    e->shown.enabled = true;
    e->shown.guard = true;
    e->shown.configured = configured;
    e->shown.unique = UINT32_MAX;
    list_default_name(&e->shown);
    if (in_table(t, e->shown.id)) {
        list_entry_release(e);
        return ERR_OK;
    }
    struct list_entry *old = list_current(e->shown.id);
    if (old && old->format == e->format) {
        list_entry_release(e);
        e = old;
        e->refs++;
        e->shown.configured = configured;
        e->shown.enabled = true;
        e->shown.guard = true;
    } else {
        read_image(e);
        e->stage = e->builtin || fixed ? LIST_REST : LIST_DUE;
        if (e->builtin || fixed) {
            e->shown.status = API_LIST_UNCHANGED;
        }
    }
    t->entry[t->count++] = e;
    return ERR_OK;
}

/* Updates of all others that look wrong wait for a person, unless nobody wants that at all. */
static void spare_unguarded(struct table *t, const struct config *cfg)
{
    for (uint32_t i = 0; i < cfg->update_unguarded.count; i++) {
        for (int allow = 0; allow <= 1; allow++) {
            struct list_entry *e =
                in_table(t, rules_list_id(cfg->update_unguarded.item[i], allow != 0));
            if (e) {
                e->shown.guard = false;
            }
        }
    }
    for (uint32_t i = 0; i < t->count && !cfg->update_guard; i++) {
        t->entry[i]->shown.guard = false;
    }
}

static enum err add_rules_list(struct table *t, const struct list_view *v)
{
    enum err e = v->configured ? ERR_OK : add(t, v->url, v->allow, false, false);
    struct list_entry *entry = in_table(t, v->id);
    if (entry) {
        entry->shown.enabled = v->enabled;
        entry->shown.guard = entry->shown.guard && v->guard;
        entry->shown.added_unix = v->added_unix;
        entry->shown.modified_unix = v->modified_unix;
    }
    return e;
}

/* Nobody configured lists, and an image was handed over: its lists are meant. Those that were
 * files where it was made stay as they are in it. */
static enum err add_image_lists(struct table *t)
{
    enum err e = ERR_OK;
    for (unsigned i = 0; i < BL_LISTS_MAX && e == ERR_OK; i++) {
        struct bl_list_info info;
        struct fetch_url parts;
        char url[API_LIST_URL_MAX];
        const char *what;
        bl_image_list(engine_image(), i, &info);
        if (info.used && info.url.len < sizeof url) {
            list_copy_text(url, sizeof url, info.url);
            e = add(t, url, false, true, fetch_url_parse(url, &parts, &what) != ERR_OK);
        }
    }
    return e;
}

static enum err make_table(const struct config *cfg, const struct rules *rules, struct table *t)
{
    enum err e = ERR_OK;
    struct list_view view;
    t->count = 0;
    t->entry = calloc(BL_LISTS_MAX, sizeof(struct list_entry *));
    if (!t->entry) {
        return ERR_MEMORY;
    }
    if (engine_image() && lists.handed_over && cfg->origin[CFG_OPT_list].source == CFG_DEFAULT) {
        e = add_image_lists(t);
    }
    bool from_image = t->count > 0;
    for (uint32_t i = 0; !from_image && i < cfg->list.count && e == ERR_OK; i++) {
        e = add(t, cfg->list.item[i], false, true, false);
    }
    for (uint32_t i = 0; i < cfg->allow_list.count && e == ERR_OK; i++) {
        e = add(t, cfg->allow_list.item[i], true, true, false);
    }
    for (uint32_t i = 0; i < cfg->groups.value_count && e == ERR_OK; i++) {
        const struct cfg_group_value *v = &cfg->groups.value[i];
        if (v->key == CFG_GROUP_LIST || v->key == CFG_GROUP_ALLOW_LIST) {
            e = add(t, v->text, v->key == CFG_GROUP_ALLOW_LIST, true, false);
        }
    }
    for (uint32_t i = 0; i < rules_list_count(rules) && e == ERR_OK; i++) {
        if (rules_list_at(rules, i, &view)) {
            e = add_rules_list(t, &view);
        }
    }
    spare_unguarded(t, cfg);
    return e;
}

enum err lists_configure(const struct config *cfg, const struct rules *rules)
{
    struct table fresh, old = {lists.entry, lists.count};
    enum err e = make_table(cfg, rules, &fresh);
    if (e != ERR_OK) {
        for (uint32_t i = 0; i < fresh.count; i++) {
            list_entry_release(fresh.entry[i]);
        }
        free(fresh.entry);
        return e;
    }
    lists.entry = fresh.entry;
    lists.count = fresh.count;
    for (uint32_t i = 0; i < old.count; i++) {
        old.entry[i]->gone = list_current(old.entry[i]->shown.id) != old.entry[i];
        list_entry_release(old.entry[i]);
    }
    free(old.entry);
    lists.interval_us = cfg->update_interval_us;
    lists.octets_max = cfg->list_max_octets;
    lists.changed = true;
    return ERR_OK;
}
