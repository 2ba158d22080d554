/*
 * The history's threads, and what passes between them and the rest. A batch of rows is one block
 * that changes hands under a mutex which nobody holds for longer than a few assignments. Jobs
 * change hands by an atomic state alone: the reading thread runs at a priority that may leave it
 * without a processor for long, so it must never hold anything that others want.
 */
#include "host/history.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "host/history_sqlite.h"
#include "host/sys.h"

enum {
    NICENESS = 10,
    PATH_OCTETS = 1200,
    HOURS = 24,
    ITEM_MAX = sizeof(struct history_item) + 2 * DNS_NAME_MAX + 8,
    TRIM_S = 3600,
    TRIM_FIRST_S = 60,
    SWEEP_S = 86400,
    RETRY_S = 60, /* a file that could not be opened or written */
    ERASE_WAIT_S = 3
};
#define FINISH_US (2 * USEC_PER_SEC) /* longest wait for the disk at the end */

/* --- shapes ----------------------------------------------------------------------------------- */

/* Who has a job: the reading thread, or whoever opened it. */
enum { JOB_ASKED, JOB_READY, JOB_CLOSED };

struct job {
    struct history *h;
    _Atomic int state;
    atomic_bool stop;
    enum history_state result; /* while it is ready */
    struct history_scan *scan;
};

struct history {
    char path[PATH_OCTETS];
    void (*wake)(void *arg);
    void *arg;
    pthread_t writer, reader;
    bool writing, reading; /* the threads are there */
    atomic_bool stop;

    /* of the control thread */
    uint64_t taken; /* id of the last row that was handed over, or passed over */
    usec_t taken_at;
    double allowance; /* rows that may be written now */
    usec_t allowance_at;

    pthread_mutex_t lock;
    pthread_cond_t change;
    /* under the lock */
    struct history_batch *batch; /* waits to be written; NULL: none */
    bool ending, erase;
    int64_t keep_s;
    uint64_t octets_max;
    usec_t interval;
    struct history_status status;

    /* of the writing thread */
    struct history_db *db; /* NULL: it could not be opened */
    usec_t retry_at, trim_at, sweep_at;
    uint64_t hour_written[HOURS]; /* octets to the disk by hour */
    uint64_t written_seen;
    uint64_t first_id;    /* of the oldest row */
    uint64_t swept_below; /* … when names were swept out last */
    int64_t hour;
    bool problem_told;

    /* of the reading thread */
    sem_t work;
    _Atomic(struct job *) job[HISTORY_JOBS_MAX];
    atomic_uint generation; /* of the file: another one was begun */
    atomic_bool damaged;    /* the reading thread says so */
};

const char *history_path(const struct history *h)
{
    return h->path;
}

/* --- what people are told --------------------------------------------------------------------- */

static void set_problem(struct history *h, const char *what, const char *why)
{
    struct strbuf text;
    pthread_mutex_lock(&h->lock);
    strbuf_init(&text, h->status.problem, sizeof h->status.problem);
    strbuf_str(&text, what);
    if (why && why[0]) {
        strbuf_str(&text, ": ");
        strbuf_str(&text, why);
    }
    h->status.problem_unix = sys_unix_us() / 1000000;
    h->status.writable = false;
    pthread_mutex_unlock(&h->lock);
    if (!h->problem_told) {
        log_warning(STORE,
                    HISTORY_FILE ": %s%s%s; answers to questions go on, and it is tried again",
                    what, why && why[0] ? ": " : "", why ? why : "");
        h->problem_told = true;
    }
}

static void clear_problem(struct history *h)
{
    pthread_mutex_lock(&h->lock);
    h->status.writable = true;
    /* That a file was set aside is worth knowing for a day. */
    if (h->problem_told || sys_unix_us() / 1000000 - h->status.problem_unix > INT64_C(86400)) {
        h->status.problem[0] = '\0';
    }
    pthread_mutex_unlock(&h->lock);
    if (h->problem_told) {
        log_info(STORE, HISTORY_FILE ": is written again");
        h->problem_told = false;
    }
}

/* What went to the disk in the last 24 hours. */
static void count_written(struct history *h)
{
    uint64_t written = history_db_written(), day = 0;
    int64_t hour = (int64_t)(sys_now() / (3600 * USEC_PER_SEC));
    for (; h->hour < hour; h->hour++) {
        h->hour_written[(h->hour + 1) % HOURS] = 0;
    }
    h->hour_written[hour % HOURS] += written - h->written_seen;
    h->written_seen = written;
    for (int i = 0; i < HOURS; i++) {
        day += h->hour_written[i];
    }
    pthread_mutex_lock(&h->lock);
    h->status.written_octets = written;
    h->status.written_octets_day = day;
    pthread_mutex_unlock(&h->lock);
}

static void tell_extent(struct history *h)
{
    struct history_extent x = {0};
    if (!h->db || history_db_extent(h->db, &x) != ERR_OK) {
        return;
    }
    pthread_mutex_lock(&h->lock);
    h->status.octets = x.octets;
    h->status.rows = x.last_id ? x.last_id - x.first_id + 1 : 0;
    h->status.newest_id = x.last_id;
    h->status.oldest_unix = x.oldest_unix;
    pthread_mutex_unlock(&h->lock);
    h->first_id = x.first_id;
}

void history_get_status(struct history *h, struct history_status *out)
{
    pthread_mutex_lock(&h->lock);
    *out = h->status;
    out->keep_s = h->keep_s;
    out->octets_max = h->octets_max;
    pthread_mutex_unlock(&h->lock);
    snprintf(out->version, sizeof out->version, "%s", history_db_version());
}

/* --- the file --------------------------------------------------------------------------------- */

static void remove_side_files(const struct history *h)
{
    char name[PATH_OCTETS + 8];
    static const char *const suffixes[] = {"-wal", "-shm", "-journal"};
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        snprintf(name, sizeof name, "%s%s", h->path, suffixes[i]);
        (void)unlink(name);
    }
}

static void close_file(struct history *h)
{
    history_db_close(h->db);
    h->db = NULL;
}

/* Another file from now on; the reading thread notices. */
static void begin_anew(struct history *h)
{
    remove_side_files(h);
    atomic_fetch_add(&h->generation, 1);
    atomic_store(&h->damaged, false);
    pthread_mutex_lock(&h->lock);
    h->status.octets = h->status.rows = h->status.newest_id = 0;
    h->status.oldest_unix = 0;
    pthread_mutex_unlock(&h->lock);
}

/* The library takes a read that fails for damage: so the file is looked through once more. It stays
 * open if nothing is wrong with it. */
static bool proves_sound(struct history *h)
{
    char why[HISTORY_WHY];
    close_file(h);
    if (history_db_open(h->path, HISTORY_WRITE, &h->db, why) != ERR_OK) {
        h->db = NULL;
        return false;
    }
    if (history_db_is_sound(h->db)) {
        return true;
    }
    close_file(h);
    return false;
}

static void set_aside(struct history *h, const char *why)
{
    char bad[PATH_OCTETS + 8], text[HISTORY_WHY];
    struct strbuf problem;
    snprintf(text, sizeof text, "%s", why);
    if (proves_sound(h)) {
        atomic_store(&h->damaged, false);
        log_warning(STORE, HISTORY_FILE ": %s; looked through, it is sound", text);
        return;
    }
    snprintf(bad, sizeof bad, "%s.bad", h->path);
    bool moved = rename(h->path, bad) == 0;
    begin_anew(h);
    log_error(STORE, HISTORY_FILE ": damaged (%s); %s " HISTORY_FILE ".bad, and a new one is begun",
              text, moved ? "it is kept as" : "it could not be renamed to");
    pthread_mutex_lock(&h->lock);
    strbuf_init(&problem, h->status.problem, sizeof h->status.problem);
    strbuf_printf(&problem, "was damaged, is kept as " HISTORY_FILE ".bad; a new one was begun: %s",
                  text);
    h->status.problem_unix = sys_unix_us() / 1000000;
    pthread_mutex_unlock(&h->lock);
}

static bool is_damage(enum err e)
{
    return e == ERR_CHECKSUM || e == ERR_VERSION || e == ERR_FORMAT;
}

/* true: the file is open. */
static bool open_file(struct history *h)
{
    char why[HISTORY_WHY] = "";
    if (h->db) {
        return true;
    }
    enum err e = history_db_open(h->path, HISTORY_WRITE, &h->db, why);
    if (is_damage(e)) {
        set_aside(h, why);
        e = h->db ? ERR_OK : history_db_open(h->path, HISTORY_WRITE, &h->db, why);
    }
    if (e != ERR_OK) {
        set_problem(h, "cannot be opened", why);
        h->retry_at = sys_now() + RETRY_S * USEC_PER_SEC;
        return false;
    }
    tell_extent(h);
    return true;
}

/* After a failure: true if it is worth trying once more at once. */
static bool take_failure(struct history *h, enum err e)
{
    char why[HISTORY_WHY];
    snprintf(why, sizeof why, "%s", history_db_why(h->db));
    if (is_damage(e)) {
        set_aside(h, why);
        return open_file(h);
    }
    set_problem(h, e == ERR_SPACE ? "no room on the disk" : "cannot be written", why);
    if (e == ERR_IO) {
        close_file(h); /* it may have been removed, or be on a disk that went away */
    }
    h->retry_at = sys_now() + RETRY_S * USEC_PER_SEC;
    return false;
}

/* --- the writing thread ----------------------------------------------------------------------- */

static void write_batch(struct history *h, const struct history_batch *b)
{
    enum err e = ERR_IO;
    bool again = open_file(h);
    for (int i = 0; i < 2 && again; i++) {
        e = history_db_write(h->db, b);
        again = e != ERR_OK && take_failure(h, e);
    }
    pthread_mutex_lock(&h->lock);
    h->status.batches += e == ERR_OK;
    h->status.written_rows += e == ERR_OK ? b->count : 0;
    h->status.lost_rows += e == ERR_OK ? 0 : b->count;
    pthread_mutex_unlock(&h->lock);
    if (e == ERR_OK) {
        clear_problem(h);
        tell_extent(h);
    }
    count_written(h);
}

static void trim(struct history *h)
{
    bool more = true;
    int64_t now_unix = sys_unix_us() / 1000000;
    h->trim_at = sys_now() + TRIM_S * USEC_PER_SEC;
    while (more && h->db && !atomic_load(&h->stop)) {
        pthread_mutex_lock(&h->lock);
        int64_t keep_s = h->keep_s;
        uint64_t octets_max = h->octets_max;
        pthread_mutex_unlock(&h->lock);
        enum err e = history_db_trim(h->db, now_unix - keep_s, now_unix, octets_max, &more);
        if (e != ERR_OK) {
            more = take_failure(h, e);
        }
    }
    tell_extent(h);
    if (h->db && sys_now() >= h->sweep_at && h->swept_below != h->first_id &&
        !atomic_load(&h->stop)) {
        h->swept_below = h->first_id;
        h->sweep_at = sys_now() + SWEEP_S * USEC_PER_SEC;
        enum err e = history_db_sweep(h->db, &h->stop);
        if (e != ERR_OK && e != ERR_TIMEOUT) {
            (void)take_failure(h, e);
        }
    }
    tell_extent(h);
    count_written(h);
}

static void erase_file(struct history *h)
{
    close_file(h);
    (void)unlink(h->path);
    begin_anew(h);
    (void)open_file(h);
    pthread_mutex_lock(&h->lock);
    h->erase = false;
    h->status.problem[0] = '\0';
    pthread_cond_broadcast(&h->change);
    pthread_mutex_unlock(&h->lock);
}

/* Under the lock: until there is something to do, or it is time to tidy up. */
static void wait_for_work(struct history *h)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 30;
    if (!h->batch && !h->ending && !h->erase) {
        (void)pthread_cond_timedwait(&h->change, &h->lock, &until);
    }
}

static void *write_thread(void *arg)
{
    struct history *h = arg;
    bool ending = false;
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICENESS);
    while (!ending) {
        pthread_mutex_lock(&h->lock);
        wait_for_work(h);
        struct history_batch *b = h->batch;
        bool erase = h->erase;
        h->batch = NULL;
        ending = h->ending;
        pthread_mutex_unlock(&h->lock);
        if (atomic_load(&h->damaged) && h->db) {
            set_aside(h, "found while it was read");
        }
        if (erase) {
            erase_file(h);
        } else if (b) {
            write_batch(h, b);
        } else if (!ending && sys_now() >= h->trim_at && (h->db || sys_now() >= h->retry_at)) {
            if (open_file(h)) {
                trim(h);
            }
        }
        free(b);
    }
    close_file(h);
    return NULL;
}

/* --- the reading thread ----------------------------------------------------------------------- */

static void end_job(struct history *h, struct job *j)
{
    for (int i = 0; i < HISTORY_JOBS_MAX; i++) {
        struct job *expected = j;
        if (atomic_compare_exchange_strong(&h->job[i], &expected, NULL)) {
            break;
        }
    }
    history_scan_free(j->scan);
    free(j);
}

/* One step of a job; true if the job is still ours. */
static bool turn(struct history *h, struct job *j, struct history_db *db)
{
    enum history_state state = HISTORY_DONE;
    struct history_result *r = history_scan_result(j->scan);
    if (!db) {
        r->failed = "the history cannot be opened";
        r->partial = true;
    } else {
        enum err e = history_scan_step(j->scan, db, &j->stop, &state);
        if (is_damage(e)) {
            atomic_store(&h->damaged, true);
        }
    }
    if (state == HISTORY_WORKING && !atomic_load(&j->stop)) {
        return true;
    }
    int expected = JOB_ASKED;
    j->result = state;
    if (!atomic_compare_exchange_strong(&j->state, &expected, JOB_READY)) {
        end_job(h, j); /* closed in the meantime */
    } else {
        h->wake(h->arg);
    }
    return false;
}

/* A connection to the file that is in use now. */
static struct history_db *reader_file(struct history *h, struct history_db *db,
                                      unsigned *generation)
{
    char why[HISTORY_WHY];
    unsigned now = atomic_load(&h->generation);
    if (db && *generation != now) {
        history_db_close(db);
        db = NULL;
    }
    *generation = now;
    if (!db && history_db_open(h->path, HISTORY_READ, &db, why) != ERR_OK) {
        return NULL;
    }
    return db;
}

static void *read_thread(void *arg)
{
    struct history *h = arg;
    struct history_db *db = NULL;
    unsigned generation = 0;
    const struct sched_param param = {0};
    (void)sched_setscheduler(0, SCHED_IDLE, &param);
    while (!atomic_load(&h->stop)) {
        bool more = false;
        for (int i = 0; i < HISTORY_JOBS_MAX && !atomic_load(&h->stop); i++) {
            struct job *j = atomic_load(&h->job[i]);
            int state = j ? atomic_load(&j->state) : JOB_READY;
            if (state == JOB_CLOSED) {
                end_job(h, j);
            } else if (state == JOB_ASKED) {
                db = reader_file(h, db, &generation);
                more |= turn(h, j, db);
            }
        }
        if (!more) {
            (void)sem_wait(&h->work);
        }
    }
    history_db_close(db);
    return NULL;
}

/* --- jobs ------------------------------------------------------------------------------------- */

void *history_job_open(struct history *h, const struct history_ask *ask)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j) {
        return NULL;
    }
    j->h = h;
    atomic_init(&j->state, JOB_ASKED);
    j->scan = history_scan_new(ask);
    for (int i = 0; j->scan && i < HISTORY_JOBS_MAX; i++) {
        struct job *expected = NULL;
        if (atomic_compare_exchange_strong(&h->job[i], &expected, j)) {
            sem_post(&h->work);
            return j;
        }
    }
    history_scan_free(j->scan);
    free(j);
    return NULL;
}

enum history_state history_job_poll(void *job, const struct history_result **out)
{
    struct job *j = job;
    if (atomic_load(&j->state) != JOB_READY) {
        return HISTORY_WORKING;
    }
    *out = history_scan_result(j->scan);
    return j->result;
}

void history_job_next(void *job)
{
    struct job *j = job;
    history_scan_result(j->scan)->rows = 0;
    atomic_store(&j->state, JOB_ASKED);
    sem_post(&j->h->work);
}

void history_job_close(void *job)
{
    struct job *j = job;
    struct history *h = j->h;
    int expected = JOB_ASKED;
    atomic_store(&j->stop, true);
    if (atomic_compare_exchange_strong(&j->state, &expected, JOB_CLOSED)) {
        sem_post(&h->work); /* the reading thread frees it */
    } else {
        end_job(h, j);
    }
}

/* --- handing over ----------------------------------------------------------------------------- */

static void copy_upstreams(const struct stats *stats, struct history_batch *b)
{
    for (uint32_t i = 0; i < STATS_UPSTREAM_ROWS; i++) {
        struct stats_upstream_use use;
        struct strbuf text;
        char ip[IP_TEXT_MAX];
        strbuf_init(&text, b->upstream[i], sizeof b->upstream[i]);
        if (stats_upstream_at(stats, i, &use)) {
            ip_format(&use.upstream.endpoint.addr, ip);
            strbuf_printf(&text, "%s#%u", use.upstream.name[0] ? use.upstream.name : ip,
                          (unsigned)use.upstream.endpoint.port);
        }
    }
}

static void add_item(struct history_batch *b, const struct stats_log_entry *e)
{
    struct history_item *item = (struct history_item *)(void *)(b->data + b->len);
    *item = (struct history_item){.id = e->id,
                                  .unix_us = e->unix_us,
                                  .latency_us = e->latency_us,
                                  .list_id = e->list_id,
                                  .client = e->client,
                                  .qtype = e->qtype,
                                  .upstream = (int16_t)e->upstream,
                                  .status = (uint8_t)e->status,
                                  .reply = (uint8_t)e->reply,
                                  .rcode = e->rcode,
                                  .ede = e->ede,
                                  .flags = e->flags,
                                  .qname_len = (uint8_t)e->qname.len,
                                  .cname_len = (uint8_t)e->cname.len};
    uint8_t *names = (uint8_t *)(item + 1);
    if (e->qname.len > 0) {
        memcpy(names, e->qname.ptr, e->qname.len);
    }
    if (e->cname.len > 0) {
        memcpy(names + e->qname.len, e->cname.ptr, e->cname.len);
    }
    item->size = (uint16_t)((sizeof *item + e->qname.len + e->cname.len + 7) & ~(size_t)7);
    b->len += item->size;
    b->count++;
}

/* Rows from `first` on, at most `count`; *last is the last one. NULL: no memory. */
static struct history_batch *make_batch(const struct stats *stats, uint64_t first, uint64_t count,
                                        uint64_t *last)
{
    struct stats_log_entry e;
    size_t size = 0;
    for (uint64_t i = 0; i < count && stats_log_at(stats, first + i, &e); i++) {
        size += (sizeof(struct history_item) + e.qname.len + e.cname.len + 7) & ~(size_t)7;
    }
    struct history_batch *b = malloc(sizeof *b + size);
    if (!b) {
        return NULL;
    }
    b->count = 0;
    b->len = 0;
    copy_upstreams(stats, b);
    for (uint64_t i = 0; i < count && stats_log_at(stats, first + i, &e); i++) {
        add_item(b, &e);
        *last = e.id;
    }
    return b;
}

/* Rows that may be written now: so many a second, and some more after quiet times. */
static uint64_t allowed(struct history *h, usec_t now)
{
    h->allowance += (double)(now - h->allowance_at) / 1e6 * HISTORY_A_SECOND;
    h->allowance = h->allowance < HISTORY_AT_ONCE ? h->allowance : HISTORY_AT_ONCE;
    h->allowance_at = now;
    return h->allowance > 0 ? (uint64_t)h->allowance : 0;
}

static void pass_over(struct history *h, uint64_t to)
{
    pthread_mutex_lock(&h->lock);
    h->status.lost_rows += to - h->taken;
    pthread_mutex_unlock(&h->lock);
    h->taken = to;
}

void history_take(struct history *h, const struct stats *stats, usec_t now, bool all)
{
    uint64_t first = stats_log_first(stats), next = stats_log_next(stats), last;
    pthread_mutex_lock(&h->lock);
    bool busy = h->batch != NULL;
    usec_t interval = h->interval;
    pthread_mutex_unlock(&h->lock);
    if (h->taken + 1 < first) {
        pass_over(h, first - 1); /* the log went round before the disk took it */
    }
    uint64_t waiting = next - 1 - h->taken, room = next - first;
    /* Early if much is waiting: before the log in memory can go round. */
    bool due = all || now - h->taken_at >= interval || waiting >= HISTORY_ROWS_MAX ||
               (waiting > 1024 && waiting > room / 2);
    if (busy || waiting == 0 || !due) {
        return;
    }
    uint64_t count = waiting < HISTORY_ROWS_MAX ? waiting : HISTORY_ROWS_MAX;
    uint64_t most = allowed(h, now);
    if (count > most) {
        pass_over(h, h->taken + count - most);
        count = most;
    }
    last = h->taken;
    struct history_batch *b = count ? make_batch(stats, h->taken + 1, count, &last) : NULL;
    if (b) {
        h->allowance -= (double)b->count;
        h->taken = last;
        pthread_mutex_lock(&h->lock);
        h->batch = b;
        pthread_cond_broadcast(&h->change);
        pthread_mutex_unlock(&h->lock);
    }
    if (waiting == count) {
        h->taken_at = now;
    }
}

void history_set_limits(struct history *h, int64_t keep_s, uint64_t octets_max, usec_t interval)
{
    pthread_mutex_lock(&h->lock);
    h->keep_s = keep_s;
    h->octets_max = octets_max;
    h->interval = interval;
    pthread_mutex_unlock(&h->lock);
}

enum err history_erase(struct history *h, const struct stats *stats)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ERASE_WAIT_S;
    h->taken = stats_log_next(stats) - 1;
    pthread_mutex_lock(&h->lock);
    free(h->batch);
    h->batch = NULL;
    h->erase = true;
    pthread_cond_broadcast(&h->change);
    int rc = 0;
    while (h->erase && rc == 0) {
        rc = pthread_cond_timedwait(&h->change, &h->lock, &until);
    }
    bool done = !h->erase;
    pthread_mutex_unlock(&h->lock);
    return done ? ERR_OK : ERR_TIMEOUT;
}

void history_finish(struct history *h, const struct stats *stats)
{
    usec_t until = sys_now() + FINISH_US;
    do {
        history_take(h, stats, sys_now(), true);
        if (h->taken + 1 >= stats_log_next(stats)) {
            return;
        }
        usleep(1000);
    } while (sys_now() < until);
}

uint64_t history_memory(void)
{
    return history_db_memory(HISTORY_WRITE) + history_db_memory(HISTORY_READ) +
           2 * (sizeof(struct history_batch) + (uint64_t)HISTORY_ROWS_MAX * ITEM_MAX) +
           HISTORY_JOBS_MAX * history_scan_memory();
}

uint64_t history_next_id(const struct history *h)
{
    return h->taken + 1;
}

/* --- start and end ---------------------------------------------------------------------------- */

static bool start_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return error == 0;
}

static void init_lock(struct history *h)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->change, &attr);
    pthread_condattr_destroy(&attr);
    sem_init(&h->work, 0, 0);
}

enum err history_open(struct history **out, const struct history_config *config)
{
    struct history *h = calloc(1, sizeof *h);
    if (!h) {
        return ERR_MEMORY;
    }
    usec_t now = sys_now();
    snprintf(h->path, sizeof h->path, "%s/" HISTORY_FILE, config->dir);
    init_lock(h);
    h->wake = config->wake;
    h->arg = config->arg;
    h->keep_s = config->keep_s;
    h->octets_max = config->octets_max;
    h->interval = config->interval;
    h->status.enabled = true;
    h->status.writable = true;
    h->swept_below = 0;
    h->allowance = HISTORY_AT_ONCE;
    h->allowance_at = h->taken_at = now;
    h->hour = (int64_t)(now / (3600 * USEC_PER_SEC));
    h->trim_at = now + TRIM_FIRST_S * USEC_PER_SEC;
    h->sweep_at = now + TRIM_S * USEC_PER_SEC;
    (void)open_file(h);
    h->taken = h->status.newest_id;
    h->writing = start_thread(&h->writer, write_thread, h);
    h->reading = h->writing && start_thread(&h->reader, read_thread, h);
    if (!h->reading) {
        history_close(h);
        return ERR_IO;
    }
    *out = h;
    return ERR_OK;
}

static void free_jobs(struct history *h)
{
    for (int i = 0; i < HISTORY_JOBS_MAX; i++) {
        struct job *j = atomic_load(&h->job[i]);
        if (j) {
            end_job(h, j);
        }
    }
}

void history_close(struct history *h)
{
    if (!h) {
        return;
    }
    if (h->reading) {
        atomic_store(&h->stop, true);
        sem_post(&h->work);
        pthread_join(h->reader, NULL);
    }
    if (h->writing) {
        pthread_mutex_lock(&h->lock);
        h->ending = true;
        pthread_cond_broadcast(&h->change);
        pthread_mutex_unlock(&h->lock);
        pthread_join(h->writer, NULL);
    }
    close_file(h);
    free_jobs(h);
    free(h->batch);
    sem_destroy(&h->work);
    pthread_cond_destroy(&h->change);
    pthread_mutex_destroy(&h->lock);
    free(h);
}
