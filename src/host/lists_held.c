/*
 * Texts that wait for a person's yes: kept beside the copy in force, so that a restart does not
 * lose them and no yes needs a download; compared with it for the person; taken, or dropped and
 * remembered.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "blocklist/diff.h"
#include "host/idna.h"
#include "host/lists_int.h"
#include "host/sys.h"

#define REFUSALS_NAME    "lists/refused" /* lost, it costs one more question to the person */
#define REFUSALS_KIND    "LREF"
#define REFUSALS_VERSION 1
#define REFUSAL_OCTETS   16

/* ---- what was refused ---- */

static uint64_t copy_number(const struct entry *e)
{
    return strtoull(e->copy + strlen("lists/"), NULL, 16);
}

void refusals_load(struct lists *l)
{
    struct store_blob b;
    if (!l->config.store ||
        store_read_sealed(l->config.store, REFUSALS_NAME, REFUSALS_KIND, REFUSALS_VERSION,
                          REFUSAL_OCTETS * LISTS_MAX, &b) != ERR_OK) {
        return;
    }
    for (size_t i = 0; i < b.len / REFUSAL_OCTETS && i < LISTS_MAX; i++) {
        l->refusal[l->refusals++] =
            (struct refusal){.copy = le64_read(b.data + i * REFUSAL_OCTETS),
                             .digest = le64_read(b.data + i * REFUSAL_OCTETS + 8)};
    }
    store_blob_free(&b);
}

static uint64_t refused_digest(const struct lists *l, const struct entry *e)
{
    for (uint32_t i = 0; i < l->refusals; i++) {
        if (l->refusal[i].copy == copy_number(e)) {
            return l->refusal[i].digest;
        }
    }
    return 0;
}

/* One a list; when there is no room the oldest goes. */
static void remember_refusal(struct lists *l, const struct entry *e)
{
    uint8_t buf[REFUSAL_OCTETS * LISTS_MAX];
    uint32_t n = 0;
    for (uint32_t i = l->refusals == LISTS_MAX ? 1 : 0; i < l->refusals; i++) {
        if (l->refusal[i].copy != copy_number(e)) {
            l->refusal[n++] = l->refusal[i];
        }
    }
    l->refusal[n++] = (struct refusal){.copy = copy_number(e), .digest = e->refused};
    l->refusals = n;
    for (uint32_t i = 0; i < n; i++) {
        le64_write(buf + (size_t)i * REFUSAL_OCTETS, l->refusal[i].copy);
        le64_write(buf + (size_t)i * REFUSAL_OCTETS + 8, l->refusal[i].digest);
    }
    if (l->config.store &&
        store_write_sealed(l->config.store, REFUSALS_NAME, REFUSALS_KIND, REFUSALS_VERSION,
                           span_of(buf, (size_t)n * REFUSAL_OCTETS)) != ERR_OK) {
        log_warning(LISTS, REFUSALS_NAME " was not saved: %s", strerror(errno));
    }
}

/* ---- to and from the disk ---- */

/* What people see at once; the comparison follows. */
static void show_held(struct lists *l, struct entry *e)
{
    struct list_held *h = calloc(1, sizeof *h);
    const struct copy_meta *m = &e->held_meta;
    if (h) {
        memcpy(h->reason, m->held, sizeof h->reason);
        h->fetched_unix = m->changed_unix;
        h->octets = m->octets_text;
        h->rules = m->rules;
        h->rules_before = e->meta.rules;
    }
    pthread_mutex_lock(&l->lock);
    free(e->review);
    e->review = h;
    e->status.needs_confirm = true;
    pthread_mutex_unlock(&l->lock);
}

static void forget(struct lists *l, struct entry *e)
{
    copy_blob_free(&e->held_blob);
    e->have_held = false;
    e->held_meta = (struct copy_meta){0};
    pthread_mutex_lock(&l->lock);
    free(e->review);
    e->review = NULL;
    e->status.needs_confirm = false;
    pthread_mutex_unlock(&l->lock);
}

enum err held_keep(struct lists *l, struct entry *e, struct copy_writer *w, struct copy_meta *meta,
                   const char *reason)
{
    struct copy_blob blob = {NULL, 0};
    (void)snprintf(meta->held, sizeof meta->held, "%s", reason);
    copy_writer_rename(w, e->held);
    enum err err = copy_writer_commit(w, meta, &blob);
    if (err != ERR_OK) {
        return err;
    }
    if (blob.data && l->config.store) {
        (void)store_remove(l->config.store, e->held); /* an older one is not meant any more */
    }
    copy_blob_free(&e->held_blob);
    e->held_blob = blob;
    e->held_meta = *meta;
    e->have_held = true;
    show_held(l, e);
    return ERR_OK;
}

void held_load(struct lists *l, struct entry *e)
{
    copy_held_name(e->copy, e->held);
    e->refused = refused_digest(l, e);
    if (e->source != SOURCE_WEB || !l->config.store || !e->have_copy ||
        copy_read_meta(l->config.store, e->held, &e->held_meta) != ERR_OK ||
        strcmp(e->held_meta.url, e->spec.url) != 0) {
        return;
    }
    e->have_held = true;
    show_held(l, e);
    (void)snprintf(e->status.error, sizeof e->status.error, "%s", e->held_meta.held);
}

void held_drop(struct lists *l, struct entry *e)
{
    if (e->have_held) {
        if (l->config.store && !e->held_blob.data) {
            (void)store_remove(l->config.store, e->held);
        }
        forget(l, e);
    }
}

/* ---- a person's word ---- */

void held_take(struct lists *l, struct entry *e)
{
    if (!e->held_blob.data && l->config.store) {
        enum err err = store_rename(l->config.store, e->held, e->copy);
        if (err != ERR_OK) {
            log_error(LISTS, "%s: the new copy cannot be put in place: %s", e->spec.name,
                      err == ERR_IO ? strerror(errno) : err_text(err));
            held_drop(l, e);
            e->again = true;
            return;
        }
        copy_blob_free(&e->blob);
    } else {
        copy_blob_free(&e->blob);
        e->blob = e->held_blob;
        e->held_blob = (struct copy_blob){NULL, 0};
    }
    e->meta = e->held_meta;
    e->have_copy = true;
    l->accepted = true;
    forget(l, e);
    log_info(LISTS, "%s: the copy that was held back is taken", e->spec.name);
    entry_taken(l, e);
}

static void refuse(struct lists *l, struct entry *e)
{
    e->refused = e->held_meta.digest;
    remember_refusal(l, e);
    /* What the server has now need not come again. */
    memcpy(e->meta.etag, e->held_meta.etag, sizeof e->meta.etag);
    memcpy(e->meta.last_modified, e->held_meta.last_modified, sizeof e->meta.last_modified);
    held_drop(l, e);
    log_info(LISTS, "%s: the copy that was held back is refused; the last good one stays in force",
             e->spec.name);
    entry_taken(l, e);
}

void held_answers(struct lists *l)
{
    for (uint32_t i = 0; i < l->count; i++) {
        struct entry *e = l->entries[i];
        pthread_mutex_lock(&l->lock);
        bool no = e->refuse;
        bool yes = e->confirm && !no;
        e->refuse = false;
        e->status.notice[0] = yes ? '\0' : e->status.notice[0];
        if (e->have_held && yes) {
            e->asked = e->confirm = false; /* nothing need be fetched for it */
        }
        pthread_mutex_unlock(&l->lock);
        if (e->have_held && yes) {
            held_take(l, e);
        } else if (e->have_held && no) {
            refuse(l, e);
        }
    }
}

/* ---- for a person to look at ---- */

struct reading {
    struct lists *l;
    struct bl_diff *diff;
    struct list_marks *marks;
    struct bl_parser parser;
};

static void read_rule(void *ctx, const struct bl_rule *rule)
{
    struct reading *r = ctx;
    bl_diff_rule(r->diff, rule);
    list_marks_rule(r->marks, rule);
}

static bool read_pattern(void *ctx, struct span pattern, uint8_t rank, uint32_t line)
{
    const struct reading *r = ctx;
    (void)line;
    list_marks_pattern(r->marks, pattern, rank);
    return true;
}

static bool read_text(void *arg, struct span text)
{
    struct reading *r = arg;
    return !atomic_load_explicit(&r->l->interrupt, memory_order_relaxed) &&
           bl_parse_feed(&r->parser, text.ptr, text.len) == ERR_OK;
}

/* One text of the two, whole. */
static bool read_side(struct reading *r, const struct entry *e, enum bl_diff_text which)
{
    bool before = which == BL_DIFF_BEFORE;
    struct bl_parse_config cfg = {.format = e->spec.format,
                                  .as_allow = e->spec.kind == LIST_ALLOW,
                                  .ctx = r,
                                  .rule = read_rule,
                                  .regex = read_pattern,
                                  .idna = idna_to_ascii};
    bl_parse_init(&r->parser, &cfg);
    if (copy_read(r->l->config.store, before ? e->copy : e->held, before ? &e->blob : &e->held_blob,
                  read_text, r) != ERR_OK ||
        bl_parse_end(&r->parser) != ERR_OK) {
        return false;
    }
    list_marks_end(r->marks);
    return true;
}

/* All passes; marks of both sides are made on the way. */
static bool read_both(struct reading *r, const struct entry *e, struct list_marks *const marks[2])
{
    bool good = true;
    do {
        enum bl_diff_text which;
        while (good && bl_diff_text(r->diff, &which)) {
            r->marks = marks[which];
            good = read_side(r, e, which);
        }
    } while (good && bl_diff_again(r->diff));
    return good && !r->diff->full;
}

static void publish(struct lists *l, struct entry *e, const struct bl_diff *d,
                    struct list_marks *const marks[2])
{
    pthread_mutex_lock(&l->lock);
    struct list_held *h = e->review;
    if (h) {
        h->added = d->added;
        h->removed = d->removed;
        (void)bl_guard_compare(l->guard, list_marks_get(marks[BL_DIFF_BEFORE]),
                               list_marks_get(marks[BL_DIFF_AFTER]), &h->names);
        h->compared = true;
    }
    pthread_mutex_unlock(&l->lock);
}

static void compare(struct lists *l, struct entry *e)
{
    uint32_t rules = e->meta.rules / 2 + e->held_meta.rules / 2;
    size_t len = bl_diff_memory(rules);
    struct list_marks *marks[2] = {list_marks_new(l->guard), list_marks_new(l->guard)};
    struct reading *r = calloc(1, sizeof *r);
    void *mem = sys_map(len);
    struct siphash_key key = {rng_u64(&l->rng), rng_u64(&l->rng)};
    if (r && mem && marks[0] && marks[1]) {
        r->l = l;
        if (bl_diff_init(&r->diff, mem, len, rules, key) == ERR_OK && read_both(r, e, marks)) {
            publish(l, e, r->diff, marks);
        }
    }
    sys_unmap(mem, len);
    free(r);
    list_marks_free(marks[0]);
    list_marks_free(marks[1]);
}

static bool is_to_compare(struct lists *l, const struct entry *e)
{
    pthread_mutex_lock(&l->lock);
    bool open = e->have_held && e->have_copy && e->review && !e->review->compared;
    pthread_mutex_unlock(&l->lock);
    return open;
}

void held_compare(struct lists *l)
{
    for (uint32_t i = 0; i < l->count && !atomic_load(&l->interrupt); i++) {
        struct entry *e = l->entries[i];
        if (is_to_compare(l, e)) {
            guard_open(l, &e, 1);
            if (l->guard) {
                compare(l, e);
                lists_tell_status(l);
            }
        }
    }
}
