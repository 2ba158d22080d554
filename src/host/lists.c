/*
 * The lists manager: a thread that sleeps until something is due, brings it up to date, and builds.
 * Once lists are in force it gives way to everybody who answers queries; until then nothing is
 * blocked, and it has no reason to.
 */
#include "host/lists.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/require.h"
#include "host/lists_int.h"
#include "host/sys.h"

#define NICENESS          10
#define FILE_POLL_US      (30 * USEC_PER_SEC) /* local lists are looked at so often */
#define PROGRESS_EVERY_US (200 * USEC_PER_MSEC)
#define ONCE_ATTEMPTS     3
#define KEEP_COPY_S       (30 * 86400) /* copies that no list refers to are kept so long */

/* What others are told */

void lists_tell_status(struct lists *l)
{
    if (l->config.on_status) {
        l->config.on_status(l->config.arg);
    }
}

void lists_tell_progress(struct lists *l, bool now)
{
    struct lists_progress p;
    usec_t t = sys_now();
    if (!l->config.on_progress || (!now && t - l->progress_told < PROGRESS_EVERY_US)) {
        return;
    }
    l->progress_told = t;
    lists_get_progress(l, &p);
    l->config.on_progress(l->config.arg, &p);
}

void lists_get_progress(struct lists *l, struct lists_progress *out)
{
    pthread_mutex_lock(&l->lock);
    *out = l->progress;
    out->running |=
        l->refresh || l->refreshing; /* asked for counts: who asked may wait for the end */
    pthread_mutex_unlock(&l->lock);
}

uint32_t lists_status(struct lists *l, struct list_status *out, uint32_t cap)
{
    pthread_mutex_lock(&l->lock);
    uint32_t count = l->count;
    for (uint32_t i = 0; i < count && i < cap; i++) {
        out[i] = l->entries[i]->status;
    }
    pthread_mutex_unlock(&l->lock);
    return count;
}

static void sweep_copy(void *arg, const char *name)
{
    struct lists *l = arg;
    char path[STORE_NAME_MAX] = "lists/";
    size_t len = strlen(name);
    if (len < 4 || len > 40 || strcmp(name + len - 3, ".gz") != 0) {
        return;
    }
    memcpy(path + 6, name, len + 1);
    for (uint32_t i = 0; i < l->count; i++) {
        if (strcmp(l->entries[i]->copy, path) == 0 || strcmp(l->entries[i]->held, path) == 0) {
            return;
        }
    }
    if (store_mtime_unix(l->config.store, path) + KEEP_COPY_S <
        sys_unix_us() / (int64_t)USEC_PER_SEC) {
        (void)store_remove(l->config.store, path);
    }
}

/* The thread */

/* Can it be brought up to date at all? */
static bool can_be_due(const struct lists *l, const struct entry *e)
{
    return e->spec.enabled && e->source != SOURCE_BUILTIN &&
           !(e->source == SOURCE_WEB && l->config.offline);
}

/* Also takes what was asked for from outside. */
static bool is_due(struct lists *l, struct entry *e, bool all, usec_t now)
{
    pthread_mutex_lock(&l->lock);
    bool asked = e->asked;
    e->asked = false;
    pthread_mutex_unlock(&l->lock);
    e->again |= asked; /* until it is begun */
    return can_be_due(l, e) && (all || e->again || (e->retry_at != 0 && now >= e->retry_at) ||
                                (e->source == SOURCE_FILE && entry_file_changed(e)));
}

static void progress_begin(struct lists *l, uint32_t total)
{
    pthread_mutex_lock(&l->lock);
    l->progress.running = true;
    l->progress.done = l->progress.failed = 0;
    l->progress.total = total;
    l->progress.octets = 0;
    pthread_mutex_unlock(&l->lock);
    lists_tell_progress(l, true);
}

static void progress_end(struct lists *l)
{
    int64_t left =
        l->next_refresh == USEC_NEVER ? 0 : (int64_t)((l->next_refresh - sys_now()) / USEC_PER_SEC);
    pthread_mutex_lock(&l->lock);
    l->progress.running = false;
    l->progress.next_unix = left == 0 ? 0 : sys_unix_us() / (int64_t)USEC_PER_SEC + left;
    pthread_mutex_unlock(&l->lock);
    lists_tell_progress(l, true);
}

/* When the next refresh of all lists is: the interval and up to a tenth more, so that not all
 * houses ask at the same time. */
static void plan_refresh(struct lists *l)
{
    pthread_mutex_lock(&l->lock);
    uint32_t interval = l->interval_s;
    pthread_mutex_unlock(&l->lock);
    l->next_refresh =
        interval == 0
            ? USEC_NEVER
            : sys_now() + (interval + rng_below(&l->rng, interval / 10 + 1)) * USEC_PER_SEC;
}

/* Bring up to date what is due, then build what is wanted. */
static void work(struct lists *l, bool all)
{
    struct entry *due[LISTS_MAX];
    uint32_t count = 0;
    usec_t now = sys_now();
    all |= now >= l->next_refresh;
    held_answers(l);
    for (uint32_t i = 0; i < l->count; i++) {
        if (is_due(l, l->entries[i], all, now)) {
            due[count++] = l->entries[i];
        }
    }
    if (all) {
        plan_refresh(l);
    }
    if (count > 0) {
        progress_begin(l, count);
        (void)lists_attempt(l, due, count);
        guard_close(l); /* before a build, which wants memory */
    }
    if (!atomic_load(&l->interrupt)) {
        lists_force(l);
    }
    if (count > 0 || all) {
        progress_end(l);
    }
    held_compare(l);
    guard_close(l);
}

static usec_t next_deadline(const struct lists *l)
{
    usec_t now = sys_now(), deadline = l->next_refresh;
    for (uint32_t i = 0; i < l->count; i++) {
        const struct entry *e = l->entries[i];
        if (!can_be_due(l, e)) {
            continue;
        }
        if (e->again) {
            deadline = now;
        }
        if (e->retry_at != 0 && e->retry_at < deadline) {
            deadline = e->retry_at;
        }
        if (e->source == SOURCE_FILE && now + FILE_POLL_US < deadline) {
            deadline = now + FILE_POLL_US;
        }
    }
    return deadline;
}

static bool asked_for(struct lists *l)
{
    bool asked = l->stopping || l->refresh || l->replan || l->next;
    for (uint32_t i = 0; i < l->count && !asked; i++) {
        asked = l->entries[i]->asked || l->entries[i]->refuse;
    }
    return asked;
}

/* Sleeps until the deadline or until somebody asks for something. */
static void wait_until(struct lists *l, usec_t deadline)
{
    pthread_mutex_lock(&l->lock);
    l->refreshing = false;
    while (!asked_for(l)) {
        usec_t now = sys_now();
        if (now >= deadline) {
            break;
        }
        /* The condition's clock stands still while the machine sleeps and ours does not: look again
         * every minute. */
        usec_t left = deadline - now < 60 * USEC_PER_SEC ? deadline - now : 60 * USEC_PER_SEC;
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        uint64_t ns = (uint64_t)until.tv_nsec + left * 1000;
        until.tv_sec += (time_t)(ns / 1000000000);
        until.tv_nsec = (long)(ns % 1000000000);
        (void)pthread_cond_timedwait(&l->wake, &l->lock, &until);
    }
    pthread_mutex_unlock(&l->lock);
}

/* Takes what was asked for. False: the end. */
static bool take_requests(struct lists *l, bool *all)
{
    pthread_mutex_lock(&l->lock);
    struct list_spec *next = l->next;
    uint32_t count = l->next_count;
    bool stopping = l->stopping, replan = l->replan;
    l->config.limits = l->limits;
    *all |= l->refresh;
    l->refreshing = *all;
    l->replan = false;
    l->next = NULL;
    l->refresh = false;
    if (!stopping) {
        atomic_store(&l->interrupt, false);
    }
    pthread_mutex_unlock(&l->lock);
    if (next && !stopping) {
        if (lists_set_entries(l, next, count) != ERR_OK) {
            log_error(LISTS, "no memory for the new lists; the old ones stay");
        }
        lists_tell_status(l);
    }
    free(next);
    if (replan) {
        plan_refresh(l);
    }
    return !stopping;
}

/* For good: a priority that was given up cannot be had again. */
static void give_way(const struct lists *l)
{
    if (l->image && !lists_starter_in_force(l)) {
        (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICENESS);
    }
}

static void *thread_main(void *arg)
{
    struct lists *l = arg;
    bool all = !l->config.offline;
    (void)pthread_setname_np(pthread_self(), "lists");
    if (l->config.store) {
        store_each(l->config.store, "lists", sweep_copy, l);
    }
    if (!atomic_load(&l->interrupt)) {
        lists_count_unique(l); /* of the saved image, which answers already */
        lists_force(l);        /* what is there already, before anything is fetched */
    }
    while (take_requests(l, &all)) {
        give_way(l);
        work(l, all);
        all = false;
        wait_until(l, next_deadline(l));
    }
    return NULL;
}

/* Opening and closing */

static void free_all(struct lists *l)
{
    for (uint32_t i = 0; i < l->count; i++) {
        entry_free(l->entries[i]);
    }
    free((void *)l->entries);
    free(l->next);
    free(l->used);
    free(l->next_used);
    list_image_close(l->image);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static enum err make(const struct lists_config *config, const struct list_spec *specs,
                     uint32_t count, struct lists **out)
{
    if (!lists_specs_fit(specs, count)) {
        return ERR_RANGE;
    }
    enum err e = fetch_global_init();
    struct lists *l = e == ERR_OK ? calloc(1, sizeof *l) : NULL;
    if (!l) {
        return e == ERR_OK ? ERR_MEMORY : e;
    }
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->wake, &attr);
    pthread_condattr_destroy(&attr);
    l->config = *config;
    l->interval_s = config->update_interval_s;
    l->limits = config->limits;
    l->guard_on = config->guard;
    l->next_refresh = USEC_NEVER;
    rng_init(&l->rng, config->seed);
    if (config->store && store_mkdir(config->store, "lists") != ERR_OK) {
        log_warning(LISTS, "%s: cannot be written; lists are kept in memory",
                    store_dir(config->store));
    }
    refusals_load(l);
    e = lists_set_entries(l, specs, count);
    if (e != ERR_OK) {
        free_all(l);
        return e;
    }
    *out = l;
    return ERR_OK;
}

static void publish_saved(struct lists *l, const struct list_spec *specs, uint32_t count)
{
    struct list_image *image;
    uint64_t fingerprint = 0;
    usec_t begin = sys_now();
    enum err e = list_image_open_saved(l->config.store, &image, &fingerprint);
    if (e == ERR_OK) {
        list_image_adopt(image, specs, count);
        lists_publish(l, image, fingerprint);
        log_info(LISTS, "%u rules in force from the saved image, opened in %llu us",
                 list_image_get(image)->rule_count, (unsigned long long)(sys_now() - begin));
    } else if (e != ERR_NOT_FOUND) {
        log_warning(LISTS, "the saved image cannot be used: %s; it is made anew", err_text(e));
    }
}

enum err lists_open(const struct lists_config *config, const struct list_spec *specs,
                    uint32_t count, struct lists **out)
{
    struct lists *l;
    sigset_t all, old;
    enum err e = make(config, specs, count, &l);
    if (e != ERR_OK) {
        return e;
    }
    if (config->store) {
        publish_saved(l, specs, count);
    }
    /* Signals are the main thread's; and a peer that closes its connection must not end the program
     * by SIGPIPE. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    l->started = pthread_create(&l->thread, NULL, thread_main, l) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!l->started) {
        free_all(l);
        return ERR_IO;
    }
    *out = l;
    return ERR_OK;
}

/* Under the lock: ends sleeping and, if `cut`, what is under way. */
static void wake(struct lists *l, bool cut)
{
    if (cut) {
        atomic_store(&l->interrupt, true);
        if (l->fetcher) {
            fetch_wake(l->fetcher);
        }
    }
    pthread_cond_signal(&l->wake);
}

void lists_close(struct lists *l)
{
    if (!l) {
        return;
    }
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    wake(l, true);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    free_all(l);
}

void lists_refresh(struct lists *l)
{
    pthread_mutex_lock(&l->lock);
    l->refresh = true;
    wake(l, false);
    pthread_mutex_unlock(&l->lock);
}

static void ask_one(struct lists *l, uint32_t id, bool confirm)
{
    pthread_mutex_lock(&l->lock);
    for (uint32_t i = 0; i < l->count; i++) {
        if (l->entries[i]->spec.id == id) {
            l->entries[i]->asked = true;
            l->entries[i]->confirm |= confirm;
        }
    }
    wake(l, false);
    pthread_mutex_unlock(&l->lock);
}

void lists_refresh_one(struct lists *l, uint32_t id)
{
    ask_one(l, id, false);
}

void lists_confirm(struct lists *l, uint32_t id)
{
    ask_one(l, id, true);
}

void lists_refuse(struct lists *l, uint32_t id)
{
    pthread_mutex_lock(&l->lock);
    for (uint32_t i = 0; i < l->count; i++) {
        l->entries[i]->refuse |= l->entries[i]->spec.id == id && l->entries[i]->review != NULL;
    }
    wake(l, false);
    pthread_mutex_unlock(&l->lock);
}

bool lists_get_held(struct lists *l, uint32_t id, struct list_held *out)
{
    bool found = false;
    pthread_mutex_lock(&l->lock);
    for (uint32_t i = 0; i < l->count && !found; i++) {
        const struct entry *e = l->entries[i];
        found = e->spec.id == id && e->review;
        if (found) {
            *out = *e->review;
        }
    }
    pthread_mutex_unlock(&l->lock);
    return found;
}

/* Under the lock: is this what is configured already, so that nothing under way need be cut? */
static bool is_configured(const struct lists *l, const struct list_spec *specs, uint32_t count)
{
    bool same = !l->next && count == l->count;
    for (uint32_t i = 0; same && i < count; i++) {
        const struct list_spec *a = &l->entries[i]->spec, *b = &specs[i];
        same = a->id == b->id && a->kind == b->kind && a->enabled == b->enabled &&
               a->guard == b->guard && a->format == b->format && strcmp(a->url, b->url) == 0 &&
               (strcmp(a->name, b->name) == 0 || !b->name[0]);
    }
    return same;
}

enum err lists_set(struct lists *l, const struct list_spec *specs, uint32_t count)
{
    if (!lists_specs_fit(specs, count)) {
        return ERR_RANGE;
    }
    struct list_spec *copy = calloc(count ? count : 1, sizeof *copy);
    if (!copy) {
        return ERR_MEMORY;
    }
    memcpy(copy, specs, count * sizeof *copy);
    pthread_mutex_lock(&l->lock);
    bool same = is_configured(l, specs, count);
    if (!same) {
        struct list_spec *old = l->next;
        l->next = copy;
        l->next_count = count;
        copy = old;
        wake(l, true);
    }
    pthread_mutex_unlock(&l->lock);
    free(copy);
    return ERR_OK;
}

void lists_set_limits(struct lists *l, const struct fetch_limits *limits)
{
    pthread_mutex_lock(&l->lock);
    l->limits = *limits;
    pthread_mutex_unlock(&l->lock);
}

void lists_set_guard(struct lists *l, bool on)
{
    pthread_mutex_lock(&l->lock);
    l->guard_on = on;
    pthread_mutex_unlock(&l->lock);
}

void lists_set_used(struct lists *l, char *names, size_t len)
{
    pthread_mutex_lock(&l->lock);
    free(l->next_used);
    l->next_used = names;
    l->next_used_len = len;
    pthread_mutex_unlock(&l->lock);
}

void lists_set_interval(struct lists *l, uint32_t update_interval_s)
{
    pthread_mutex_lock(&l->lock);
    l->replan |= l->interval_s != update_interval_s;
    l->interval_s = update_interval_s;
    wake(l, false);
    pthread_mutex_unlock(&l->lock);
}

/* Once, in the caller's thread */

static bool retry_soon(const struct lists *l)
{
    for (uint32_t i = 0; i < l->count; i++) {
        const struct entry *e = l->entries[i];
        if (e->spec.enabled && e->fails > 0 && e->retry_at != 0 &&
            e->retry_at < sys_now() + 30 * USEC_PER_SEC) {
            return true;
        }
    }
    return false;
}

enum err lists_compile(const struct lists_config *config, const struct list_spec *specs,
                       uint32_t count, struct list_status *status, struct list_image **out)
{
    struct lists *l;
    enum err e = make(config, specs, count, &l);
    if (e != ERR_OK) {
        return e;
    }
    sigset_t pipe, old;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &old);
    for (int i = 0; i < ONCE_ATTEMPTS && (i == 0 || retry_soon(l)); i++) {
        if (i > 0) {
            wait_until(l, next_deadline(l));
        }
        work(l, i == 0);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (status) {
        (void)lists_status(l, status, count);
    }
    if (l->image) {
        *out = list_image_ref(l->image);
    }
    e = l->image ? ERR_OK : ERR_NOT_FOUND;
    free_all(l);
    return e;
}
