/*
 * What is kept over restarts: the rules document and statistics. A file that is missing or damaged
 * costs its own content only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "host/daemon_int.h"
#include "host/rules_file.h"
#include "host/sys.h"
#include "shared/text.h"

#define STATS_KIND     "STAT"
#define STATS_VERSION  1
#define STATS_FILE_MAX (256u << 20)

enum err daemon_open_store(struct daemon *d, const char *dir)
{
    enum err e = store_open(dir, &d->store);
    if (e != ERR_OK) {
        log_error(STORE, "state directory %s: %s", dir,
                  e == ERR_NOT_FOUND ? "its parent does not exist" : strerror(errno));
    }
    return e;
}

/* ---- The rules document. ---- */

/* A damaged document is put aside, so that a person can look at it. */
static void put_aside(struct daemon *d, const char *why)
{
    log_error(STORE,
              RULES_FILE ": %s; starting without it, the file is kept as " RULES_FILE STORE_ASIDE,
              why);
    if (store_set_aside(d->store, RULES_FILE) != ERR_OK) {
        log_warning(STORE, RULES_FILE STORE_ASIDE ": %s", strerror(errno));
        d->rules_unread = true;
    }
}

/* It may be whole: nothing is written in its place until a start could read it. */
static void leave_unread(struct daemon *d)
{
    log_error(STORE,
              RULES_FILE ": %s; starting without it, and changes are refused so that it stays as "
                         "it is; restart when it can be read, or remove it",
              strerror(errno));
    d->rules_unread = true;
}

/* For want of memory it is an error: a start that can have some finds all rules in place. */
enum err daemon_load_rules(struct daemon *d)
{
    struct store_blob blob = {0};
    char what[200] = "";
    enum err e = rules_clear(&d->rules);
    if (e != ERR_OK) {
        return e;
    }
    e = store_read(d->store, RULES_FILE, RULES_TEXT_MAX, &blob);
    if (e == ERR_IO) {
        leave_unread(d);
    } else if (e == ERR_LIMIT) {
        put_aside(d, "larger than a rules document may be");
    } else if (e == ERR_OK) {
        e = rules_parse(&d->rules, span_of(blob.data, blob.len), what, sizeof what);
        if (e != ERR_OK && e != ERR_MEMORY) {
            put_aside(d, what[0] ? what : err_text(e));
        } else if (e == ERR_OK &&
                   rules_file_check(span_of(blob.data, blob.len)) == RULES_SEAL_BROKEN) {
            log_warning(STORE, RULES_FILE ": not as it was saved (checksum): edited, or damaged; "
                                          "what it says now is in force");
        }
    }
    store_blob_free(&blob);
    return e == ERR_MEMORY ? e : ERR_OK;
}

enum err daemon_save_rules(struct daemon *d, const struct rules *rules)
{
    struct text t = {0};
    if (d->rules_unread) {
        log_error(STORE, RULES_FILE " was not saved: it could not be read at the start");
        return ERR_STATE;
    }
    enum err e = rules_print(rules, text_put, &t);
    e = e == ERR_OK ? rules_file_seal(&t) : e;
    e = e == ERR_OK && t.len > RULES_TEXT_MAX ? ERR_LIMIT : e; /* no start would take it */
    e = e == ERR_OK ? store_write(d->store, RULES_FILE, span_of(t.data, t.len)) : e;
    if (e != ERR_OK) {
        log_error(STORE, RULES_FILE " was not saved: %s",
                  e == ERR_IO ? strerror(errno) : err_text(e));
    }
    text_free(&t);
    return e;
}

/* ---- Statistics. ---- */

static void load_stats(struct daemon *d)
{
    struct store_blob blob = {0};
    enum err e =
        store_read_sealed(d->store, STATS_FILE, STATS_KIND, STATS_VERSION, STATS_FILE_MAX, &blob);
    if (e == ERR_OK) {
        e = stats_load(d->stats, blob.data, blob.len);
    }
    store_blob_free(&blob);
    if (e == ERR_IO || e == ERR_MEMORY) { /* it may be whole */
        log_warning(STORE,
                    STATS_FILE ": %s; statistics start anew and are not saved, so that it stays as "
                               "it is; restart when it can be read, or remove it",
                    e == ERR_IO ? strerror(errno) : err_text(e));
        d->stats_unread = true;
    } else if (e != ERR_OK && e != ERR_NOT_FOUND) {
        log_warning(STORE, STATS_FILE ": %s; statistics start anew", err_text(e));
    }
}

static enum err make_rings(struct daemon *d)
{
    struct stats_worker_config cfg = {.ring_octets = RING_OCTETS};
    d->ring_octets = (stats_worker_memory(&cfg) + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
    d->ring_memory = sys_map_huge(d->ring_octets * d->workers);
    d->stats_worker = calloc(d->workers, sizeof(struct stats_worker *));
    enum err e = d->ring_memory && d->stats_worker ? ERR_OK : ERR_MEMORY;
    for (uint32_t i = 0; i < d->workers && e == ERR_OK; i++) {
        void *mem = (uint8_t *)d->ring_memory + i * d->ring_octets;
        e = stats_worker_init(&d->stats_worker[i], mem, d->ring_octets, &cfg);
        e = e == ERR_OK ? stats_attach(d->stats, d->stats_worker[i]) : e;
    }
    return e;
}

enum err daemon_make_stats(struct daemon *d)
{
    const struct config *c = d->first;
    struct stats_config cfg = {.workers_max = d->workers,
                               .log_entries = c->log_entries,
                               .top_names = c->top_names,
                               .top_clients = c->top_clients};
    uint8_t key[16];
    d->stats_octets = stats_memory(&cfg);
    d->stats_memory = sys_map_huge(d->stats_octets);
    enum err e = d->stats_memory ? sys_entropy(key, sizeof key) : ERR_MEMORY;
    if (e == ERR_OK) {
        e = stats_init(&d->stats, d->stats_memory, d->stats_octets, &cfg, sys_now(), sys_unix_us(),
                       key);
    }
    if (e == ERR_OK) {
        load_stats(d);
        stats_set_privacy(d->stats, (enum stats_privacy)c->privacy);
    }
    return e == ERR_OK ? make_rings(d) : e;
}

/* ---- The history. ---- */

static void on_history(void *arg)
{
    daemon_call(arg, CONTROL_ANSWER);
}

void daemon_set_privacy(struct daemon *d)
{
    const struct config *c = d->config;
    stats_set_privacy(d->stats, (enum stats_privacy)c->privacy);
    if (d->history) {
        history_set_limits(d->history, (int64_t)(c->history_age_us / USEC_PER_SEC),
                           c->history_max_octets, c->history_interval_us);
    }
}

enum err daemon_open_history(struct daemon *d)
{
    const struct config *c = d->first;
    struct history_config cfg = {.dir = store_dir(d->store),
                                 .keep_s = (int64_t)(c->history_age_us / USEC_PER_SEC),
                                 .octets_max = c->history_max_octets,
                                 .interval = c->history_interval_us,
                                 .wake = on_history,
                                 .arg = d};
    if (!c->history) {
        return ERR_OK;
    }
    enum err e = history_open(&d->history, &cfg);
    if (e == ERR_OK) {
        stats_log_begin(d->stats, history_next_id(d->history));
    }
    return e;
}

/* The names that are used here daily, to hold updates of lists against; they change once a day. */
static void tell_daily(struct daemon *d)
{
    uint32_t changed = stats_daily_changed(d->stats);
    if (changed == d->daily_told || !d->lists) {
        return;
    }
    struct strbuf out;
    char *names = malloc(STATS_DAILY_TEXT);
    if (names) {
        strbuf_init(&out, names, STATS_DAILY_TEXT);
        (void)stats_daily_names(d->stats, &out);
        char *kept = realloc(names, out.len + 1);
        lists_set_used(d->lists, kept ? kept : names, out.len);
        d->daily_told = changed;
    }
}

uint32_t daemon_collect(struct daemon *d)
{
    d->collected = sys_now();
    uint32_t events = stats_collect(d->stats, d->collected, sys_unix_us());
    d->unsaved += events;
    tell_daily(d);
    if (d->history) {
        history_take(d->history, d->stats, d->collected, false);
    }
    return events;
}

void daemon_save_stats(struct daemon *d)
{
    if (d->unsaved == 0 || !d->stats || d->stats_unread) {
        return;
    }
    size_t cap = stats_save_memory(d->stats);
    size_t len = 0;
    void *buf = sys_map(cap); /* an upper bound, of which few pages are touched */
    enum err e = buf ? stats_save(d->stats, buf, cap, &len) : ERR_MEMORY;
    if (e == ERR_OK) {
        e = store_write_sealed(d->store, STATS_FILE, STATS_KIND, STATS_VERSION, span_of(buf, len));
    }
    if (e == ERR_OK) {
        d->unsaved = 0;
    } else {
        log_warning(STORE, STATS_FILE " was not saved: %s",
                    e == ERR_IO ? strerror(errno) : err_text(e));
    }
    sys_unmap(buf, cap);
}
