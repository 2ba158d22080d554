/*
 * From copies to what is in force. A fingerprint over everything that an image is made of says
 * whether the one in force is still the wanted one; it is kept beside the saved image, so that a
 * start without changes builds nothing.
 */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "base/siphash.h"
#include "host/lists_int.h"
#include "host/sys.h"

#define BUILD_ATTEMPTS 8 /* each may find one more damaged copy */
#define HOLD_FAILS                                                                \
    8 /* failed attempts in a row after which a lost copy holds nothing up: hours \
       */

/* Lists that go into the image, in configured order, or the starter alone. */
struct selection {
    struct build_source sources[LISTS_MAX];
    struct entry *entries[LISTS_MAX]; /* NULL: the starter */
    uint32_t count;
};

static void select_entry(struct selection *s, struct entry *e)
{
    s->entries[s->count] = e;
    s->sources[s->count++] = (struct build_source){.id = e->spec.id,
                                                   .url = e->spec.url,
                                                   .name = e->spec.name,
                                                   .format = e->spec.format,
                                                   .as_allow = e->spec.kind == LIST_ALLOW,
                                                   .builtin = e->source == SOURCE_BUILTIN,
                                                   .copy = e->copy,
                                                   .blob = &e->blob,
                                                   .rules = e->meta.rules};
}

/* False: there are lists and none of them has come yet, and nothing stands in. */
static bool select_lists(const struct lists *l, struct selection *s)
{
    bool wanted = false, blocking = false;
    s->count = 0;
    for (uint32_t i = 0; i < l->count; i++) {
        struct entry *e = l->entries[i];
        bool block = e->spec.enabled && e->spec.kind == LIST_BLOCK;
        wanted |= block;
        if (e->spec.enabled && (e->have_copy || e->source == SOURCE_BUILTIN)) {
            blocking |= block;
            select_entry(s, e);
        }
    }
    if (wanted && !blocking && l->config.starter_id != 0 && s->count < LISTS_MAX) {
        s->entries[s->count] = NULL;
        s->sources[s->count++] = (struct build_source){.id = l->config.starter_id,
                                                       .url = LIST_URL_BUILTIN,
                                                       .name = "Built-in list",
                                                       .builtin = true};
    }
    return s->count > 0 || !wanted;
}

static uint64_t fingerprint_of(const struct selection *s)
{
    static const struct siphash_key key = {0x66696e6765727072, BL_IMAGE_VERSION};
    uint64_t hash = siphash13(key, list_starter_text().ptr, list_starter_text().len);
    for (uint32_t i = 0; i < s->count; i++) {
        const struct build_source *b = &s->sources[i];
        uint64_t part[6] = {hash,
                            b->id,
                            (uint64_t)b->format << 8 | (uint64_t)b->as_allow << 1 | b->builtin,
                            b->builtin ? 0 : s->entries[i]->meta.digest,
                            siphash13(key, b->name, strlen(b->name)),
                            siphash13(key, b->url, strlen(b->url))};
        hash = siphash13(key, part, sizeof part);
    }
    return hash ? hash : 1;
}

bool lists_starter_in_force(const struct lists *l)
{
    for (uint32_t i = 0; i < l->count; i++) {
        if (l->entries[i]->spec.id == l->config.starter_id) {
            return false; /* configured, so it stands in for nothing */
        }
    }
    return l->image && l->config.starter_id != 0 &&
           list_image_slot(l->image, l->config.starter_id) >= 0;
}

/*
 * Does the image in force hold a wanted list whose copy is lost? Then it stays until that list was
 * fetched again: what is blocked should not shrink because of a damaged file. When fetching goes on
 * failing and other lists have news, they go first.
 */
static bool holds_more(const struct lists *l, const struct selection *s)
{
    for (uint32_t i = 0; l->image && i < l->count; i++) {
        const struct entry *e = l->entries[i];
        bool selected = false;
        for (uint32_t j = 0; j < s->count && !selected; j++) {
            selected = s->entries[j] == e;
        }
        if (e->spec.enabled && !selected && list_image_slot(l->image, e->spec.id) >= 0 &&
            (e->fails < HOLD_FAILS || !l->accepted)) {
            return true;
        }
    }
    return false;
}

/* What the image counted for each list: names without those that it holds twice. */
static void count_rules(struct lists *l)
{
    pthread_mutex_lock(&l->lock);
    for (uint32_t i = 0; i < l->count; i++) {
        struct entry *e = l->entries[i];
        int slot = list_image_slot(l->image, e->spec.id);
        struct bl_list_info info;
        if (slot >= 0) {
            bl_image_list(list_image_get(l->image), (unsigned)slot, &info);
            e->status.rules = info.rules;
            e->status.duplicates = info.duplicates;
        }
    }
    l->progress.rules = list_image_get(l->image)->rule_count;
    l->progress.built_unix = (int64_t)list_image_get(l->image)->built_unix;
    l->progress.starter = lists_starter_in_force(l);
    pthread_mutex_unlock(&l->lock);
}

void lists_count_unique(struct lists *l)
{
    uint32_t unique[BL_LISTS_MAX];
    if (!l->image) {
        return;
    }
    bool known = bl_image_unique(list_image_get(l->image), unique) == ERR_OK;
    pthread_mutex_lock(&l->lock);
    for (uint32_t i = 0; i < l->count; i++) {
        struct entry *e = l->entries[i];
        int slot = list_image_slot(l->image, e->spec.id);
        e->status.unique_known = known && slot >= 0;
        e->status.unique = e->status.unique_known ? unique[slot] : 0;
    }
    pthread_mutex_unlock(&l->lock);
}

void lists_publish(struct lists *l, struct list_image *image, uint64_t fingerprint)
{
    struct list_image *old = l->image;
    l->image = image;
    l->fingerprint = fingerprint;
    count_rules(l);
    if (l->config.on_image) {
        l->config.on_image(l->config.arg, list_image_ref(image));
    }
    list_image_close(old);
}

/* Counts of the lists inside the program, which have no copy. */
static void tell_result(const struct lists *l, const struct selection *s, usec_t took)
{
    log_info(LISTS, "%u rules of %u lists in force%s, compiled in %llu ms",
             list_image_get(l->image)->rule_count, s->count,
             lists_starter_in_force(l) ? " (the built-in list, as none could be loaded)" : "",
             (unsigned long long)(took / USEC_PER_MSEC));
}

static void set_building(struct lists *l, bool building)
{
    pthread_mutex_lock(&l->lock);
    l->progress.building = building;
    pthread_mutex_unlock(&l->lock);
    lists_tell_progress(l, true);
}

/* One build. ERR_CHECKSUM: a copy was damaged and is out of the selection now. */
static enum err build(struct lists *l, struct selection *s, uint64_t fingerprint)
{
    struct build_config config = {.store = l->config.store,
                                  .scratch_octets = l->config.scratch_octets,
                                  .fingerprint = fingerprint,
                                  .stop = &l->interrupt};
    struct list_image *image;
    uint32_t bad = 0;
    usec_t begin = sys_now();
    enum err e = list_build(&config, s->sources, s->count, &image, &bad);
    if (e == ERR_OK) {
        lists_publish(l, image, fingerprint);
        tell_result(l, s, sys_now() - begin);
        lists_count_unique(l);
    } else if ((e == ERR_CHECKSUM || e == ERR_NOT_FOUND) && s->entries[bad] &&
               s->entries[bad]->source != SOURCE_BUILTIN) {
        entry_lost_copy(l, s->entries[bad]);
        e = ERR_CHECKSUM;
    }
    return e;
}

void lists_force(struct lists *l)
{
    struct selection s;
    enum err e = ERR_CHECKSUM;
    for (int i = 0; e == ERR_CHECKSUM && i < BUILD_ATTEMPTS; i++) {
        if (!select_lists(l, &s) && !l->image) {
            return;
        }
        uint64_t fingerprint = fingerprint_of(&s);
        if (l->image && (fingerprint == l->fingerprint || holds_more(l, &s))) {
            return;
        }
        set_building(l, true);
        e = build(l, &s, fingerprint);
        set_building(l, false);
    }
    if (e != ERR_OK && e != ERR_STATE) {
        log_error(LISTS, "the lists cannot be compiled: %s; %s", err_text(e),
                  l->image ? "the old ones stay in force" : "nothing is blocked");
    }
    lists_tell_status(l);
    (void)malloc_trim(0); /* the daemon runs for months between two builds */
}
