/*
 * What a block list would have blocked: it is fetched as lists are, compiled aside, and the names
 * of the log in memory are looked up in it; nothing of it is kept. The work is plain code that lets
 * the network go on every few milliseconds, so a preview may be dropped or replaced while it runs:
 * who does that leaves a mark, and whoever works looks for it.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/aarch64/cpu.h"
#include "blocklist/image.h"
#include "engine.h"
#include "lib/wallclock.h"
#include "lists_int.h"
#include "shared/preview_tally.h"

enum { WALK_EVERY = 64, LOG_PART = 64, PUMP_EVERY_US = 2000 };

struct trial {
    struct list_entry *entry;
    preview_allowed *is_allowed;
    void *octets; /* of the image */
    struct bl_image image;
    struct preview_tally tally;
    struct api_preview result;
    bool began, unwanted;
};

static struct {
    struct trial *now, *next;  /* under way; asked for meanwhile */
    struct api_preview *shown; /* NULL: there is none */
    bool working;
    uint32_t id;
    usec_t pumped;
} preview;

static void trial_free(struct trial *t)
{
    if (t) {
        t->entry->gone = true; /* a download that is under way ends with its next octets */
        list_entry_release(t->entry);
        preview_tally_close(&t->tally);
        free(t->octets);
        free(t);
    }
}

static void show(const struct trial *t)
{
    if (!t->unwanted && preview.shown) {
        *preview.shown = t->result;
    }
}

static void fail(struct trial *t, const char *why)
{
    list_copy_text(t->result.list.error, sizeof t->result.list.error, span_str(why));
    t->result.state = API_PREVIEW_FAILED;
    show(t);
}

static bool breathe(const struct trial *t)
{
    if (clock_now() - preview.pumped >= PUMP_EVERY_US) {
        lists.pump();
        preview.pumped = clock_now();
    }
    return !t->unwanted;
}

/* ---- the work ---- */

struct walk {
    struct trial *t;
    uint32_t count;
};

static bool count_new(void *ctx, const struct bl_image_rule *rule)
{
    struct walk *w = ctx;
    const struct bl_image *before = engine_image();
    w->t->result.new_rules += !before || !preview_hits(before, &rule->name);
    return ++w->count % WALK_EVERY != 0 || breathe(w->t);
}

static bool allowed(void *ctx, const struct dns_name *name)
{
    const struct trial *t = ctx;
    return breathe(t) && t->is_allowed(NULL, name);
}

static void tell_list(struct trial *t)
{
    struct bl_list_info info;
    struct api_list *l = &t->result.list;
    char url[sizeof l->url];
    memcpy(url, l->url, sizeof url);
    *l = t->entry->shown;
    memcpy(l->url, url, sizeof url);
    bl_image_list(&t->image, 0, &info);
    l->rules = info.rules;
    l->duplicates = info.duplicates;
    if (t->entry->format != BL_FORMAT_AUTO) {
        list_copy_text(l->format, sizeof l->format, span_str(bl_format_name(t->entry->format)));
    }
    t->result.state = API_PREVIEW_MATCHING;
    t->result.until_unix = wallclock_unix_us() / (int64_t)USEC_PER_SEC;
    t->result.from_unix = t->result.until_unix - (int64_t)PREVIEW_DAYS * 86400;
    show(t);
}

static void look_up(struct trial *t)
{
    struct walk w = {.t = t};
    uint64_t next = 0;
    enum err e = bl_image_walk(&t->image, count_new, &w);
    e = e == ERR_OK ? preview_tally_open(&t->tally, &t->image, &t->result) : e;
    if (e != ERR_OK) {
        fail(t, err_text(e));
        return;
    }
    tell_list(t);
    while (preview_tally_log(&t->tally, engine_stats(), &next, LOG_PART) && breathe(t)) {
    }
    preview_tally_drop(&t->tally, allowed, t);
    preview_tally_end(&t->tally);
    t->result.state = API_PREVIEW_DONE;
    show(t);
}

static void work(struct trial *t)
{
    struct span octets = span_of("", 0);
    enum err e = lists_compile_aside(t->entry, &octets);
    t->octets = e == ERR_OK ? (void *)(uintptr_t)octets.ptr : NULL;
    e = e == ERR_OK ? bl_image_open(octets.ptr, octets.len, &t->image) : e;
    if (e != ERR_OK) {
        fail(t, err_text(e));
    } else if (!t->unwanted) {
        look_up(t);
    }
}

/* ---- its life ---- */

static void finish(void)
{
    trial_free(preview.now);
    preview.now = NULL;
}

void lists_preview_run(void)
{
    struct trial *t = preview.now;
    if (!t && preview.next) {
        t = preview.now = preview.next;
        preview.next = NULL;
    }
    if (!t) {
        return;
    }
    if (!t->began) {
        t->began = true;
        list_fetch(t->entry);
    }
    if (t->entry->stage == LIST_FETCHING) {
        return;
    }
    if (t->entry->stage == LIST_FRESH) {
        preview.working = true;
        preview.pumped = clock_now();
        work(t);
        preview.working = false;
    } else {
        fail(t, t->entry->shown.error);
    }
    finish();
}

static void stop(void)
{
    trial_free(preview.next);
    preview.next = NULL;
    if (preview.now && preview.working) {
        preview.now->unwanted = true;
    } else {
        finish();
    }
}

enum err lists_preview_start(const char *url, preview_allowed *is_allowed, const char **why)
{
    struct trial *t = calloc(1, sizeof *t);
    struct list_entry *e = calloc(1, sizeof *e);
    if (!preview.shown) {
        preview.shown = malloc(sizeof *preview.shown);
    }
    if (!t || !e || !preview.shown) {
        free(t);
        free(e);
        return ERR_MEMORY;
    }
    e->refs = 1;
    e->aside = true;
    t->entry = e;
    t->is_allowed = is_allowed;
    *why = list_read_source(url, e);
    if (*why || e->builtin) {
        *why = *why ? *why : "found the built-in list, expected an address";
        trial_free(t);
        return ERR_FORMAT;
    }
    stop();
    t->result.id = ++preview.id;
    list_copy_text(t->result.list.url, sizeof t->result.list.url, span_str(url));
    preview.next = t;
    *preview.shown = t->result;
    return ERR_OK;
}

bool lists_preview_get(struct api_preview *out)
{
    if (preview.shown) {
        *out = *preview.shown;
    }
    return preview.shown != NULL;
}

void lists_preview_end(void)
{
    stop();
    free(preview.shown);
    preview.shown = NULL;
}
