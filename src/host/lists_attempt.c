/*
 * Bringing lists up to date. Each attempt reads a text piece by piece into a judge, which says
 * whether it is a list, and into a writer, which keeps it compressed. Only when the text is whole
 * and judged good does the copy in force change; anything else leaves it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/list_judge.h"
#include "host/lists_int.h"
#include "host/sys.h"
#include "shared/decode.h"

#define READ_OCTETS 65536
#define EARLY_BUILD_US \
    (5 * USEC_PER_SEC) /* with nothing real in force, what has come by then is built at once */
#define FILE_OCTETS_DEFAULT ((uint64_t)64 << 20)

/* What an attempt needs once text comes: tens of lists may wait for their turn without it. */
struct intake {
    struct list_judge judge;
    struct copy_writer *writer;
    struct list_marks *marks; /* NULL: nobody looks at its rules */
};

struct attempt {
    struct lists *l;
    struct entry *e;
    bool *changed;         /* set if the copy in force changes */
    struct intake *intake; /* NULL: no text yet */
    enum err error;        /* of keeping the text */
};

static enum err intake_open(struct attempt *a)
{
    struct intake *in = calloc(1, sizeof *in);
    if (!in) {
        return ERR_MEMORY;
    }
    enum err e = copy_writer_open(a->l->config.store, a->e->copy, &in->writer);
    if (e != ERR_OK) {
        free(in);
        return e;
    }
    if (a->l->guard && guard_watches(a->l, a->e)) {
        in->marks = list_marks_new(a->l->guard);
    }
    judge_init(&in->judge, a->e->spec.format, a->e->spec.kind == LIST_ALLOW, in->marks);
    a->intake = in;
    return ERR_OK;
}

static void intake_close(struct attempt *a)
{
    if (a->intake) {
        copy_writer_abort(a->intake->writer);
        list_marks_free(a->intake->marks);
        free(a->intake);
        a->intake = NULL;
    }
}

/* Text of a list, decoded, in order. False: no use in more. */
static bool take_text(void *arg, struct span text)
{
    struct attempt *a = arg;
    if (!a->intake) {
        a->error = intake_open(a);
    }
    if (a->error != ERR_OK || atomic_load_explicit(&a->l->interrupt, memory_order_relaxed)) {
        return false;
    }
    pthread_mutex_lock(&a->l->lock);
    a->l->progress.octets += text.len;
    pthread_mutex_unlock(&a->l->lock);
    if (!judge_feed(&a->intake->judge, text)) {
        return false;
    }
    a->error = copy_writer_feed(a->intake->writer, text);
    return a->error == ERR_OK;
}

/* What is told about a copy that was taken. */
static void facts_of(const struct attempt *a, const struct fetch_result *result,
                     struct copy_meta *m)
{
    *m = (struct copy_meta){.changed_unix = sys_unix_us() / (int64_t)USEC_PER_SEC};
    judge_facts(&a->intake->judge, m);
    memcpy(m->url, a->e->spec.url, sizeof m->url);
    if (result) {
        memcpy(m->etag, result->etag, sizeof m->etag);
        memcpy(m->last_modified, result->last_modified, sizeof m->last_modified);
    } else {
        (void)snprintf(m->last_modified, sizeof m->last_modified, "%s", a->e->stamp);
    }
}

static void failed_to_save(struct attempt *a, enum err err, const struct fetch_result *result)
{
    char reason[FETCH_ERROR_MAX];
    (void)snprintf(reason, sizeof reason, "the new copy cannot be saved: %s",
                   err == ERR_IO ? strerror(errno) : err_text(err));
    entry_failed(a->l, a->e, reason, result);
}

/* The copy in force stays. New validators are kept in memory only: a write for them alone is not
 * worth the card's wear. */
static void keep_copy(struct attempt *a, const struct copy_meta *meta,
                      const struct fetch_result *result)
{
    struct entry *e = a->e;
    memcpy(e->meta.etag, meta->etag, sizeof e->meta.etag);
    memcpy(e->meta.last_modified, meta->last_modified, sizeof e->meta.last_modified);
    held_drop(a->l, e); /* what waited is not what the server has now */
    entry_succeeded(a->l, e, true, result);
}

static void hold_text(struct attempt *a, struct copy_meta *meta, const char *reason,
                      const struct fetch_result *result)
{
    struct copy_writer *writer = a->intake->writer;
    a->intake->writer = NULL;
    enum err err = held_keep(a->l, a->e, writer, meta, reason);
    if (err != ERR_OK) {
        failed_to_save(a, err, result);
    } else {
        entry_held(a->l, a->e, true, result);
    }
}

static void tell_notice(struct attempt *a, const char *notice)
{
    pthread_mutex_lock(&a->l->lock);
    (void)snprintf(a->e->status.notice, sizeof a->e->status.notice, "%s", notice);
    pthread_mutex_unlock(&a->l->lock);
    if (notice[0]) {
        log_warning(LISTS, "%s: %s; it is in force, since the list is new", a->e->spec.name,
                    notice);
    }
}

/* A good text comes in force if it finds a place. */
static bool accept_text(struct attempt *a, struct copy_meta *meta, const char *notice,
                        const struct fetch_result *result)
{
    struct entry *e = a->e;
    struct copy_blob blob = {NULL, 0};
    struct copy_writer *writer = a->intake->writer;
    a->intake->writer = NULL;
    enum err err = copy_writer_commit(writer, meta, &blob);
    if (err != ERR_OK) {
        failed_to_save(a, err, result);
        return false;
    }
    if (blob.data && a->l->config.store) {
        log_warning(LISTS,
                    "%s: the new copy cannot be saved (%s); it is in force until the program ends",
                    e->spec.name, strerror(errno));
    }
    copy_blob_free(&e->blob);
    e->blob = blob;
    e->meta = *meta;
    e->have_copy = true;
    a->l->accepted = true;
    held_drop(a->l, e);
    entry_succeeded(a->l, e, false, result);
    tell_notice(a, notice);
    return true;
}

/* A good text: is it new, is it what a person wants? True: the copy in force has changed. */
static bool weigh_text(struct attempt *a, const struct fetch_result *result)
{
    struct entry *e = a->e;
    struct copy_meta meta;
    char reason[FETCH_ERROR_MAX], notice[FETCH_ERROR_MAX];
    uint64_t digest = copy_writer_digest(a->intake->writer);
    facts_of(a, result, &meta);
    if (e->have_copy && digest == e->meta.digest) {
        keep_copy(a, &meta, result);
        return false;
    }
    switch (guard_decide(a->l, e, digest, meta.rules, a->intake->marks, reason, notice)) {
    case GUARD_TAKE:
        return accept_text(a, &meta, notice, result);
    case GUARD_HOLD:
        hold_text(a, &meta, reason, result);
        break;
    case GUARD_WAITS:
        entry_held(a->l, e, false, result);
        break;
    case GUARD_REFUSED:
        keep_copy(a, &meta, result);
        break;
    }
    return false;
}

/* The end of a text; `whole` if it came to its own end, else the sink stopped it. True: the copy in
 * force has changed. */
static bool finish_text(struct attempt *a, bool whole, const struct fetch_result *result)
{
    char reason[FETCH_ERROR_MAX];
    if (whole && !a->intake) {
        a->error = intake_open(a); /* an empty text */
    }
    if (a->error != ERR_OK) {
        (void)snprintf(reason, sizeof reason, "the list cannot be kept: %s", err_text(a->error));
        entry_failed(a->l, a->e, reason, result);
        return false;
    }
    if (judge_end(&a->intake->judge, reason)) {
        entry_failed(a->l, a->e, reason, result);
        return false;
    }
    return weigh_text(a, result);
}

static void one_done(struct lists *l, struct entry *e)
{
    pthread_mutex_lock(&l->lock);
    l->progress.done++;
    l->progress.failed += e->status.error[0] != '\0';
    pthread_mutex_unlock(&l->lock);
    lists_tell_status(l);
    lists_tell_progress(l, true);
}

/* An attempt that was cut off is as if it had not been. */
static void attempt_abandon(struct attempt *a)
{
    pthread_mutex_lock(&a->l->lock);
    a->e->again |= a->e->status.fetching;
    a->e->status.fetching = false;
    pthread_mutex_unlock(&a->l->lock);
    intake_close(a);
}

/* Local files */

static const char *read_text(struct attempt *a, int fd, struct decoder *d)
{
    uint8_t *buf = malloc(READ_OCTETS);
    const char *problem = buf ? NULL : "out of memory";
    ssize_t n = 1;
    enum err e = ERR_OK;
    while (!problem && e == ERR_OK && n > 0) {
        n = read(fd, buf, READ_OCTETS);
        if (n > 0) {
            e = decode_feed(d, span_of(buf, (size_t)n));
        } else if (n < 0 && errno != EINTR) {
            problem = strerror(errno);
        } else if (n < 0) {
            n = 1;
        }
    }
    free(buf);
    e = e == ERR_OK && !problem ? decode_finish(d) : e;
    if (problem || e == ERR_OK || (e == ERR_STATE && a->intake)) {
        return problem;
    }
    return e == ERR_LIMIT                      ? "the file is larger than the limit"
           : e == ERR_SHORT || e == ERR_FORMAT ? "the compressed file is damaged"
                                               : err_text(e);
}

/* Opens a file to read; -1 and *problem if that is not possible, -1 alone if it is the one that we
 * have. */
static int file_open(struct entry *e, const char **problem)
{
    struct stat st;
    e->stamp[0] = '\0';
    int fd = open(e->spec.url, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        *problem = strerror(errno);
    } else if (!S_ISREG(st.st_mode)) {
        *problem = "not a plain file";
    } else {
        file_stamp(&st, e->stamp);
        if (!e->have_copy || strcmp(e->stamp, e->meta.last_modified) != 0) {
            return fd;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

static bool attempt_file(struct lists *l, struct entry *e)
{
    struct attempt a = {.l = l, .e = e};
    struct decoder *d = NULL;
    uint64_t max = l->config.limits.octets_max ? l->config.limits.octets_max : FILE_OCTETS_DEFAULT;
    const char *problem = NULL;
    bool changed = false;
    entry_begin(l, e);
    int fd = file_open(e, &problem);
    if (fd >= 0) {
        problem = decode_open(DECODE_SNIFF, max, take_text, &a, &d) == ERR_OK ? read_text(&a, fd, d)
                                                                              : "out of memory";
        close(fd);
    }
    if (problem) {
        entry_failed(l, e, problem, NULL);
    } else if (fd < 0) {
        entry_succeeded(l, e, true, NULL);
    } else if (!atomic_load(&l->interrupt)) {
        changed = finish_text(&a, true, NULL);
    }
    attempt_abandon(&a);
    decode_close(d);
    return changed;
}

/* Web */

/* The server has what we have: what is held back, if anything is. */
static void not_modified(struct attempt *a, const struct fetch_result *result)
{
    struct entry *e = a->e;
    if (a->l->config.store && !e->blob.data) {
        store_touch(a->l->config.store,
                    e->copy); /* the time of the last check outlives a restart */
    }
    if (!e->have_held) {
        entry_succeeded(a->l, e, true, result);
    } else if (guard_watches(a->l, e) || !a->l->started) {
        entry_held(a->l, e, false, result);
    } else {
        entry_succeeded(a->l, e, true, result);
        held_take(a->l, e); /* nothing is held back any more */
        *a->changed = true;
    }
}

static void web_done(void *arg, const struct fetch_result *result)
{
    struct attempt *a = arg;
    if (result->outcome == FETCH_STOPPED && atomic_load(&a->l->interrupt)) {
        return; /* attempt_abandon sees to it */
    }
    switch (result->outcome) {
    case FETCH_NOT_MODIFIED:
        not_modified(a, result);
        break;
    case FETCH_COMPLETE:
    case FETCH_STOPPED:
        *a->changed |= finish_text(a, result->outcome == FETCH_COMPLETE, result);
        break;
    case FETCH_FAILED:
        entry_failed(a->l, a->e, result->error, result);
        break;
    }
    intake_close(a);
    one_done(a->l, a->e);
}

static void web_start(struct fetcher *f, struct attempt *a)
{
    const struct entry *e = a->e;
    struct fetch_request request = {.url = e->spec.url, .sink = take_text, .arg = a};
    if (e->have_copy) {
        const struct copy_meta *m = e->have_held ? &e->held_meta : &e->meta;
        request.etag = m->etag;
        request.last_modified = m->last_modified;
    }
    enum err err = fetch_start(f, &request);
    if (err != ERR_OK) {
        struct fetch_result result = {.outcome = FETCH_FAILED, .transient = err == ERR_MEMORY};
        (void)snprintf(result.error, sizeof result.error, "%s",
                       err == ERR_FORMAT ? "the URL is not allowed" : err_text(err));
        web_done(a, &result);
    }
}

static void set_fetcher(struct lists *l, struct fetcher *f)
{
    pthread_mutex_lock(&l->lock);
    l->fetcher = f;
    pthread_mutex_unlock(&l->lock);
}

/* Moves all transfers to their ends, or until somebody interrupts. */
static void web_run(struct lists *l, struct fetcher *f, const bool *changed)
{
    usec_t begin = sys_now();
    while (fetch_active(f) > 0 && !atomic_load(&l->interrupt)) {
        fetch_run(f, 500);
        lists_tell_progress(l, false);
        if (*changed && sys_now() - begin > EARLY_BUILD_US &&
            (!l->image || lists_starter_in_force(l))) {
            lists_force(l);
        }
    }
}

static void attempt_web(struct lists *l, struct entry *const *due, uint32_t count, bool *changed)
{
    struct attempt *attempts = calloc(count, sizeof *attempts);
    struct fetcher *f = NULL;
    if (!attempts || fetch_open(&l->config.limits, web_done, &f) != ERR_OK) {
        log_error(LISTS, "no memory to fetch lists; another try follows in a minute");
        for (uint32_t i = 0; i < count; i++) {
            due[i]->again = false;
            due[i]->retry_at = sys_now() + 60 * USEC_PER_SEC;
        }
        free(attempts);
        return;
    }
    set_fetcher(l, f);
    for (uint32_t i = 0; i < count; i++) {
        attempts[i] = (struct attempt){.l = l, .e = due[i], .changed = changed};
        entry_begin(l, due[i]);
        web_start(f, &attempts[i]);
    }
    web_run(l, f, changed);
    set_fetcher(l, NULL);
    fetch_close(f);
    for (uint32_t i = 0; i < count; i++) {
        attempt_abandon(&attempts[i]);
    }
    free(attempts);
}

bool lists_attempt(struct lists *l, struct entry *const *due, uint32_t count)
{
    struct entry *web[LISTS_MAX];
    uint32_t web_count = 0;
    bool changed = false;
    guard_open(l, due, count);
    for (uint32_t i = 0; i < count && !atomic_load(&l->interrupt); i++) {
        if (due[i]->source == SOURCE_FILE) {
            changed |= attempt_file(l, due[i]);
            one_done(l, due[i]);
        } else {
            web[web_count++] = due[i];
        }
    }
    if (web_count > 0 && !atomic_load(&l->interrupt)) {
        attempt_web(l, web, web_count, &changed);
    }
    return changed;
}
