/*
 * A preview is a small lists manager of its own, without a place to keep anything, whose image is
 * then asked about the names of the history. The thread that waits for it is neither the manager's
 * nor the API's, so that dropping a preview never waits.
 */
#include "host/preview.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "host/history_sqlite.h"
#include "host/sys.h"

enum {
    NICENESS = 10,
    LIST_ID = 1,
    RETRY_S = 3600 /* never: a failure is told at once */
};

/* What one preview needs beside its result. */
struct trial {
    char url[API_LIST_URL_MAX];
    char history[1200]; /* "": none */
    struct fetch_limits limits;
    struct list_image *before; /* in force when it began; NULL: none */
    struct list_image *image;  /* the list's */
    struct preview_tally tally;
    struct api_preview result;
};

struct preview {
    struct preview_config config;
    pthread_t thread;
    bool started;
    atomic_bool stop; /* the one under way is not wanted any more */
    char why[FETCH_ERROR_MAX];

    pthread_mutex_t lock;
    pthread_cond_t change;
    /* under the lock */
    bool ending;
    struct trial *next;         /* asked for and not begun */
    struct list_image *arrived; /* of the one under way */
    bool news;                  /* its list's state has changed */
    bool any;                   /* shown is of something */
    uint32_t id;
    struct api_preview shown;
};

uint64_t preview_memory(void)
{
    return sizeof(struct preview) + sizeof(struct trial) + preview_tally_memory() +
           history_db_memory(HISTORY_READ) + history_scan_memory();
}

static void trial_free(struct trial *t)
{
    if (t) {
        list_image_close(t->before);
        list_image_close(t->image);
        preview_tally_close(&t->tally);
        free(t);
    }
}

/* What the trial has come to, for whoever asks; not if another one was begun. */
static void show(struct preview *p, const struct trial *t)
{
    pthread_mutex_lock(&p->lock);
    if (p->any && p->shown.id == t->result.id && !atomic_load(&p->stop)) {
        p->shown = t->result;
    }
    pthread_mutex_unlock(&p->lock);
}

static void fail(struct preview *p, struct trial *t, const char *why)
{
    struct strbuf s;
    strbuf_init(&s, t->result.list.error, sizeof t->result.list.error);
    strbuf_str(&s, why);
    t->result.state = API_PREVIEW_FAILED;
    show(p, t);
}

/* --- looking up ------------------------------------------------------------------------------- */

struct lookup {
    struct preview *p;
    struct trial *t;
};

static bool would_hit(void *arg, const struct dns_name *name)
{
    const struct lookup *l = arg;
    return preview_hits(list_image_get(l->t->image), name) &&
           !l->p->config.is_allowed(l->p->config.ctx, name);
}

static void found(void *arg, const struct dns_name *name, const struct ip_addr *client,
                  uint64_t count)
{
    preview_tally_add(&((struct lookup *)arg)->t->tally, name, client, count);
}

/* true: the history answered. */
static bool look_up_history(struct preview *p, struct trial *t)
{
    char why[HISTORY_WHY];
    struct lookup l = {.p = p, .t = t};
    struct history_db *db = NULL;
    struct history_match m = {
        .from_us = t->result.from_unix * 1000000, .hit = would_hit, .found = found, .ctx = &l};
    if (!t->history[0] || history_db_open(t->history, HISTORY_READ, &db, why) != ERR_OK) {
        return false;
    }
    bool good = history_db_match(db, &m, &p->stop) == ERR_OK;
    history_db_close(db);
    t->result.from_history = true;
    t->result.queries = m.queries;
    t->result.partial |= m.partial || !good;
    return true;
}

/* What the person allows is found out after the count: the lock of the daemon is held while a part
 * of the log is looked at. */
static void look_up_log(struct preview *p, struct trial *t)
{
    uint64_t next = 0;
    while (!atomic_load(&p->stop) && p->config.log_part(p->config.ctx, &next, &t->tally)) {
    }
    preview_tally_drop(&t->tally, p->config.is_allowed, p->config.ctx);
}

/* --- the list itself -------------------------------------------------------------------------- */

struct walk {
    const struct preview *p;
    const struct bl_image *before; /* NULL: none */
    uint32_t fresh;
};

static bool count_new(void *ctx, const struct bl_image_rule *rule)
{
    struct walk *w = ctx;
    w->fresh += !w->before || !preview_hits(w->before, &rule->name);
    return !atomic_load_explicit(&w->p->stop, memory_order_relaxed);
}

static void copy_status(struct api_list *to, const struct list_status *s)
{
    struct strbuf text;
    to->rules = s->rules;
    to->duplicates = s->duplicates;
    to->rejected = s->rejected;
    to->ignored = s->ignored;
    to->octets = s->octets_text;
    strbuf_init(&text, to->format, sizeof to->format);
    strbuf_str(&text, s->format == BL_FORMAT_AUTO ? "" : bl_format_name(s->format));
    to->example_count = 0;
    for (uint32_t i = 0; i < s->examples_count && i < ARRAY_LEN(to->example); i++) {
        strbuf_init(&text, to->example[i], sizeof to->example[i]);
        strbuf_str(&text, s->examples[i]);
        to->example_count++;
    }
}

/* Everything after the list is there. */
static void judge(struct preview *p, struct trial *t)
{
    const struct bl_image *image = list_image_get(t->image);
    struct walk w = {.p = p, .before = t->before ? list_image_get(t->before) : NULL};
    if (preview_tally_open(&t->tally, image, &t->result) != ERR_OK ||
        bl_image_walk(image, count_new, &w) != ERR_OK) {
        fail(p, t, "no memory");
        return;
    }
    t->result.new_rules = w.fresh;
    t->result.state = API_PREVIEW_MATCHING;
    t->result.until_unix = sys_unix_us() / 1000000;
    t->result.from_unix = t->result.until_unix - PREVIEW_DAYS * 86400;
    show(p, t);
    if (!look_up_history(p, t)) {
        look_up_log(p, t);
    }
    preview_tally_end(&t->tally);
    t->result.state = API_PREVIEW_DONE;
    show(p, t);
}

static void on_image(void *arg, struct list_image *image)
{
    struct preview *p = arg;
    pthread_mutex_lock(&p->lock);
    list_image_close(p->arrived);
    p->arrived = image;
    p->news = true;
    pthread_cond_broadcast(&p->change);
    pthread_mutex_unlock(&p->lock);
}

static void on_status(void *arg)
{
    struct preview *p = arg;
    pthread_mutex_lock(&p->lock);
    p->news = true;
    pthread_cond_broadcast(&p->change);
    pthread_mutex_unlock(&p->lock);
}

/* Until the list is there or has failed; false: it failed, and that was told. */
static bool wait_for_list(struct preview *p, struct trial *t, struct lists *lists)
{
    struct list_status *s = calloc(1, sizeof *s);
    bool there = false, failed = !s;
    while (!there && !failed && !atomic_load(&p->stop)) {
        (void)lists_status(lists, s, 1);
        failed = !s->fetching && s->error[0] != '\0';
        pthread_mutex_lock(&p->lock);
        there = p->arrived && s->state == LIST_STATE_CURRENT;
        if (there) {
            t->image = p->arrived;
            p->arrived = NULL;
        } else if (!failed && !p->news && !atomic_load(&p->stop)) {
            pthread_cond_wait(&p->change, &p->lock);
        }
        p->news = false;
        pthread_mutex_unlock(&p->lock);
    }
    if (there) {
        copy_status(&t->result.list, s);
    } else if (failed) {
        fail(p, t, s ? s->error : "no memory");
    }
    free(s);
    return there;
}

static void try_list(struct preview *p, struct trial *t)
{
    char problem[FETCH_ERROR_MAX];
    struct list_spec *spec = calloc(1, sizeof *spec);
    struct lists_config cfg = {.limits = t->limits,
                               .retry_first_s = RETRY_S,
                               .arg = p,
                               .on_image = on_image,
                               .on_status = on_status};
    struct lists *lists = NULL;
    enum err e = spec ? list_spec_parse(t->url, false, spec, problem) : ERR_MEMORY;
    if (e == ERR_OK) {
        spec->id = LIST_ID;
        spec->kind = LIST_BLOCK;
        e = sys_entropy(cfg.seed, sizeof cfg.seed);
    }
    e = e == ERR_OK ? lists_open(&cfg, spec, 1, &lists) : e;
    free(spec);
    if (e != ERR_OK) {
        fail(p, t, err_text(e));
        return;
    }
    bool there = wait_for_list(p, t, lists);
    lists_close(lists);
    if (there && !atomic_load(&p->stop)) {
        judge(p, t);
    }
}

/* --- the thread ------------------------------------------------------------------------------- */

static void *run(void *arg)
{
    struct preview *p = arg;
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICENESS);
    pthread_mutex_lock(&p->lock);
    while (!p->ending) {
        struct trial *t = p->next;
        p->next = NULL;
        if (!t) {
            pthread_cond_wait(&p->change, &p->lock);
            continue;
        }
        atomic_store(&p->stop, false);
        p->news = false;
        pthread_mutex_unlock(&p->lock);
        try_list(p, t);
        trial_free(t);
        pthread_mutex_lock(&p->lock);
        list_image_close(p->arrived);
        p->arrived = NULL;
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static bool start_thread(struct preview *p)
{
    sigset_t all, old;
    if (!p->started) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        p->started = pthread_create(&p->thread, NULL, run, p) == 0;
        pthread_sigmask(SIG_SETMASK, &old, NULL);
    }
    return p->started;
}

/* Under the lock. */
static void stop_current(struct preview *p)
{
    trial_free(p->next);
    p->next = NULL;
    atomic_store(&p->stop, true);
    pthread_cond_broadcast(&p->change);
}

static struct trial *make_trial(const char *url, const struct fetch_limits *limits,
                                struct list_image *image, const char *history)
{
    struct strbuf s;
    struct trial *t = calloc(1, sizeof *t);
    if (t) {
        strbuf_init(&s, t->url, sizeof t->url);
        strbuf_str(&s, url);
        strbuf_init(&s, t->history, sizeof t->history);
        strbuf_str(&s, history ? history : "");
        t->limits = *limits;
        t->before = image;
        memcpy(t->result.list.url, t->url, sizeof t->url);
    } else {
        list_image_close(image);
    }
    return t;
}

enum err preview_start(struct preview *p, const char *url, const struct fetch_limits *limits,
                       struct list_image *image, const char *history, const char **why)
{
    struct list_spec *spec = malloc(sizeof *spec);
    enum err e = spec ? list_spec_parse(url, false, spec, p->why) : ERR_MEMORY;
    free(spec);
    *why = p->why;
    struct trial *t = e == ERR_OK ? make_trial(url, limits, image, history) : NULL;
    if (e != ERR_OK) {
        list_image_close(image);
        return e;
    }
    if (!t || !start_thread(p)) {
        trial_free(t);
        return ERR_MEMORY;
    }
    pthread_mutex_lock(&p->lock);
    stop_current(p);
    t->result.id = ++p->id;
    p->shown = t->result;
    p->any = true;
    p->next = t;
    pthread_mutex_unlock(&p->lock);
    return ERR_OK;
}

void preview_end(struct preview *p)
{
    pthread_mutex_lock(&p->lock);
    stop_current(p);
    p->any = false;
    pthread_mutex_unlock(&p->lock);
}

bool preview_get(struct preview *p, struct api_preview *out)
{
    pthread_mutex_lock(&p->lock);
    bool any = p->any;
    if (any) {
        *out = p->shown;
    }
    pthread_mutex_unlock(&p->lock);
    return any;
}

enum err preview_new(struct preview **out, const struct preview_config *config)
{
    struct preview *p = calloc(1, sizeof *p);
    if (!p) {
        return ERR_MEMORY;
    }
    p->config = *config;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->change, NULL);
    *out = p;
    return ERR_OK;
}

void preview_free(struct preview *p)
{
    if (!p) {
        return;
    }
    if (p->started) {
        pthread_mutex_lock(&p->lock);
        p->ending = true;
        stop_current(p);
        pthread_mutex_unlock(&p->lock);
        pthread_join(p->thread, NULL);
    }
    trial_free(p->next);
    list_image_close(p->arrived);
    pthread_cond_destroy(&p->change);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
