/*
 * One configured list: what is known of its copy, what people see of it, when it is tried again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/strbuf.h"
#include "host/lists_int.h"
#include "host/sys.h"

#define RETRY_FIRST_S       5    /* after something that may pass by itself */
#define RETRY_OFFLINE_S     120  /* longest wait while no server was reached at all */
#define RETRY_TRANSIENT_S   3600 /* longest wait after other passing failures */
#define RETRY_REFUSED_S     600  /* first wait after an answer that will hardly change soon */
#define RETRY_REFUSED_MAX_S 21600

static int64_t unix_now(void)
{
    return sys_unix_us() / (int64_t)USEC_PER_SEC;
}

static enum list_source source_of(const char *url)
{
    if (strcmp(url, LIST_URL_BUILTIN) == 0) {
        return SOURCE_BUILTIN;
    }
    return url[0] == '/' ? SOURCE_FILE : SOURCE_WEB;
}

static enum list_state state_of(const struct entry *e, bool failed)
{
    if (!e->spec.enabled) {
        return LIST_STATE_DISABLED;
    }
    if (e->source == SOURCE_BUILTIN) {
        return LIST_STATE_CURRENT;
    }
    if (failed) {
        return e->have_copy ? LIST_STATE_STALE : LIST_STATE_UNAVAILABLE;
    }
    return e->have_copy ? LIST_STATE_CURRENT : LIST_STATE_WAITING;
}

/* What the copy in force says about itself, for people. */
static void status_of_copy(struct entry *e)
{
    struct list_status *s = &e->status;
    const struct copy_meta *m = &e->meta;
    s->rules = e->have_copy ? m->rules : 0;
    s->duplicates = 0; /* counted when the image is built */
    s->rejected = e->have_copy ? m->rejected : 0;
    s->ignored = e->have_copy ? m->ignored : 0;
    s->changed_unix = e->have_copy ? m->changed_unix : 0;
    s->octets_text = e->have_copy ? m->octets_text : 0;
    s->examples_count = e->have_copy ? m->examples_count : 0;
    memcpy(s->examples, m->examples, sizeof s->examples);
}

struct entry *entry_new(struct lists *l, const struct list_spec *spec)
{
    struct entry *e = calloc(1, sizeof *e);
    if (!e) {
        return NULL;
    }
    e->spec = *spec;
    if (!e->spec.name[0]) {
        list_spec_default_name(&e->spec);
    }
    e->source = source_of(spec->url);
    copy_name(spec->url, bl_format_name(spec->format), e->copy);
    if (e->source != SOURCE_BUILTIN && l->config.store) {
        enum err err = copy_read_meta(l->config.store, e->copy, &e->meta);
        e->have_copy = err == ERR_OK && strcmp(e->meta.url, spec->url) == 0;
        if (err != ERR_OK && err != ERR_NOT_FOUND) {
            log_warning(LISTS, "%s: the saved copy cannot be used: %s", e->spec.name,
                        err_text(err));
        }
    }
    struct list_status *s = &e->status;
    s->id = spec->id;
    s->kind = spec->kind;
    s->enabled = spec->enabled;
    s->guard = spec->guard;
    s->format = spec->format;
    memcpy(s->url, e->spec.url, sizeof s->url);
    memcpy(s->name, e->spec.name, sizeof s->name);
    s->state = state_of(e, false);
    status_of_copy(e);
    if (e->have_copy) {
        s->success_unix = store_mtime_unix(l->config.store, e->copy);
    }
    held_load(l, e);
    return e;
}

void entry_free(struct entry *e)
{
    if (e) {
        copy_blob_free(&e->blob);
        copy_blob_free(&e->held_blob);
        free(e->review);
        free(e);
    }
}

/* The copy turned out to be damaged: fetch it again, whole. */
void entry_lost_copy(struct lists *l, struct entry *e)
{
    log_warning(LISTS, "%s: the saved copy is damaged or gone; it is fetched again", e->spec.name);
    if (l->config.store) {
        (void)store_remove(l->config.store, e->copy);
    }
    copy_blob_free(&e->blob);
    held_drop(l, e); /* there is nothing to hold it against */
    e->have_copy = false;
    e->meta = (struct copy_meta){0};
    e->again = true;
    pthread_mutex_lock(&l->lock);
    e->status.state = LIST_STATE_UNAVAILABLE;
    status_of_copy(e);
    (void)snprintf(e->status.error, sizeof e->status.error, "the saved copy was damaged");
    pthread_mutex_unlock(&l->lock);
}

void entry_begin(struct lists *l, struct entry *e)
{
    e->again = false;
    e->retry_at = 0;
    pthread_mutex_lock(&l->lock);
    e->status.fetching = true;
    e->status.attempt_unix = unix_now();
    pthread_mutex_unlock(&l->lock);
}

static void status_of_result(struct entry *e, const struct fetch_result *result)
{
    e->status.fetching = false;
    e->status.http_status = result ? result->http_status : 0;
    e->status.octets_received = result ? result->octets_received : e->meta.octets_text;
}

void entry_succeeded(struct lists *l, struct entry *e, bool unchanged,
                     const struct fetch_result *result)
{
    e->fails = 0;
    pthread_mutex_lock(&l->lock);
    status_of_result(e, result);
    uint32_t duplicates = e->status.duplicates, rules = e->status.rules;
    status_of_copy(e);
    if (unchanged) {
        e->status.rules = rules;
        e->status.duplicates = duplicates;
    }
    e->confirm = false;
    e->status.needs_confirm = e->have_held;
    e->status.unchanged = unchanged;
    e->status.success_unix = unix_now();
    e->status.error[0] = '\0';
    e->status.state = state_of(e, false);
    pthread_mutex_unlock(&l->lock);
    if (unchanged) {
        log_debug(LISTS, "%s: unchanged", e->spec.name);
    } else {
        log_info(LISTS, "%s: %u rules, %u lines or names without use, %llu octets", e->spec.name,
                 e->meta.rules, e->meta.rejected, (unsigned long long)e->meta.octets_text);
    }
}

/* Seconds to the next try: doubled with each failure, within bounds, never less than what the
 * server asked for. */
static uint32_t retry_delay_s(const struct lists *l, const struct entry *e,
                              const struct fetch_result *result)
{
    bool transient = result && result->transient;
    uint32_t passing = l->config.retry_first_s ? l->config.retry_first_s : RETRY_FIRST_S;
    uint32_t first = transient ? passing : RETRY_REFUSED_S;
    uint32_t most = !transient                 ? RETRY_REFUSED_MAX_S
                    : result->http_status == 0 ? RETRY_OFFLINE_S
                                               : RETRY_TRANSIENT_S;
    unsigned doublings = e->fails > 1 ? (e->fails < 12 ? e->fails - 1 : 11) : 0;
    uint32_t delay = first << doublings;
    delay = delay < most ? delay : most;
    return result && result->retry_after_s > delay ? result->retry_after_s : delay;
}

void entry_taken(struct lists *l, struct entry *e)
{
    e->fails = 0;
    pthread_mutex_lock(&l->lock);
    status_of_copy(e);
    e->status.error[0] = '\0';
    e->status.unchanged = false;
    e->status.success_unix = unix_now();
    e->status.state = state_of(e, false);
    pthread_mutex_unlock(&l->lock);
    lists_tell_status(l);
}

void entry_held(struct lists *l, struct entry *e, bool news, const struct fetch_result *result)
{
    char name[2 * LIST_NAME_MAX];
    struct strbuf s;
    e->fails = 0; /* it waits for a person or for the next refresh */
    pthread_mutex_lock(&l->lock);
    status_of_result(e, result);
    e->status.needs_confirm = true;
    e->status.state = state_of(e, true);
    (void)snprintf(e->status.error, sizeof e->status.error, "%s", e->held_meta.held);
    pthread_mutex_unlock(&l->lock);
    if (news) {
        strbuf_init(&s, name, sizeof name);
        strbuf_escaped(&s, span_str(e->spec.name));
        log_warning(LISTS,
                    "%s: %s; the last good copy stays in force until you say: sinkhole update "
                    "--accept %u, or --refuse %u; --review shows more",
                    name, e->held_meta.held, e->spec.id, e->spec.id);
    }
}

void entry_failed(struct lists *l, struct entry *e, const char *reason,
                  const struct fetch_result *result)
{
    char name[2 * LIST_NAME_MAX];
    struct strbuf s;
    e->fails++;
    uint64_t delay = retry_delay_s(l, e, result) * USEC_PER_SEC;
    e->retry_at = sys_now() + delay * 3 / 4 +
                  rng_below(&l->rng, (uint32_t)(delay / 2 / 1000) + 1) * USEC_PER_MSEC;
    pthread_mutex_lock(&l->lock);
    status_of_result(e, result);
    e->status.needs_confirm = e->have_held;
    e->status.state = state_of(e, true);
    if (reason != e->status.error) {
        (void)snprintf(e->status.error, sizeof e->status.error, "%s", reason);
    }
    pthread_mutex_unlock(&l->lock);
    strbuf_init(&s, name, sizeof name);
    strbuf_escaped(&s, span_str(e->spec.name));
    log_warning(LISTS, "%s: %s; %s", name, reason,
                e->have_copy ? "the last good copy stays in force" : "there is no copy yet");
}

/* Has a local file changed since it was last tried? */
bool entry_file_changed(const struct entry *e)
{
    char stamp[FILE_STAMP_MAX];
    struct stat st;
    stamp[0] = '\0';
    if (stat(e->spec.url, &st) == 0) {
        file_stamp(&st, stamp);
    }
    return strcmp(stamp, e->stamp) != 0;
}

void file_stamp(const struct stat *st, char out[FILE_STAMP_MAX])
{
    (void)snprintf(out, FILE_STAMP_MAX, "%lld %lld.%09ld %llu", (long long)st->st_size,
                   (long long)st->st_mtim.tv_sec, (long)st->st_mtim.tv_nsec,
                   (unsigned long long)st->st_ino);
}

/* The configured lists together */

bool lists_specs_fit(const struct list_spec *specs, uint32_t count)
{
    for (uint32_t i = 0; i < count && count <= LISTS_MAX; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (specs[i].id == specs[j].id) {
                return false;
            }
        }
    }
    return count <= LISTS_MAX;
}

static bool holds(struct entry *const *set, uint32_t count, const struct entry *e)
{
    for (uint32_t i = 0; i < count; i++) {
        if (set[i] == e) {
            return true;
        }
    }
    return false;
}

/* The present entry of the same list read in the same way that is not in `taken` yet; NULL: none.
 */
static struct entry *find_entry(const struct lists *l, const struct list_spec *spec,
                                struct entry *const *taken, uint32_t taken_count)
{
    for (uint32_t i = 0; i < l->count; i++) {
        struct entry *e = l->entries[i];
        if (e->spec.kind == spec->kind && e->spec.format == spec->format &&
            strcmp(e->spec.url, spec->url) == 0 && !holds(taken, taken_count, e)) {
            return e;
        }
    }
    return NULL;
}

static void entry_adopt(struct entry *e, const struct list_spec *spec)
{
    bool was_enabled = e->spec.enabled;
    e->spec = *spec;
    if (!e->spec.name[0]) {
        list_spec_default_name(&e->spec);
    }
    e->status.id = spec->id;
    e->status.enabled = spec->enabled;
    e->status.guard = spec->guard;
    memcpy(e->status.name, e->spec.name, sizeof e->status.name);
    if (!spec->enabled) {
        e->status.state = LIST_STATE_DISABLED;
    } else if (!was_enabled) {
        e->status.state =
            e->have_copy || e->source == SOURCE_BUILTIN ? LIST_STATE_CURRENT : LIST_STATE_WAITING;
    }
}

/* Present entries where there are any, new ones for the rest. False: no memory, and nothing
 * changed. */
static bool gather_entries(struct lists *l, const struct list_spec *specs, uint32_t count,
                           struct entry **out)
{
    for (uint32_t i = 0; i < count; i++) {
        out[i] = find_entry(l, &specs[i], out, i);
        if (!out[i]) {
            out[i] = entry_new(l, &specs[i]);
        }
        for (uint32_t j = 0; !out[i] && j < i; j++) {
            if (!holds(l->entries, l->count, out[j])) {
                entry_free(out[j]);
            }
        }
        if (!out[i]) {
            return false;
        }
    }
    return true;
}

/* Lists that are new or switched on are due at once; known ones keep their state. */
enum err lists_set_entries(struct lists *l, const struct list_spec *specs, uint32_t count)
{
    struct entry **fresh = (struct entry **)calloc(count ? count : 1, sizeof(struct entry *));
    if (!fresh || !gather_entries(l, specs, count, fresh)) {
        free((void *)fresh);
        return ERR_MEMORY;
    }
    pthread_mutex_lock(&l->lock);
    for (uint32_t i = 0; i < l->count; i++) {
        if (!holds(fresh, count, l->entries[i])) {
            entry_free(l->entries[i]);
            l->entries[i] = NULL;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        bool known = holds(l->entries, l->count, fresh[i]);
        fresh[i]->again |= !known || (specs[i].enabled && !fresh[i]->spec.enabled);
        entry_adopt(fresh[i], &specs[i]);
    }
    free((void *)l->entries);
    l->entries = fresh;
    l->count = count;
    pthread_mutex_unlock(&l->lock);
    return ERR_OK;
}
