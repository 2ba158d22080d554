/*
 * What the files of the daemon share. The control thread runs the loop; requests to the API come on
 * threads of the HTTP server. Both hold `lock` whenever they touch what stands here below it.
 * Workers and the lists' thread never take it.
 */
#ifndef SINKHOLE_HOST_DAEMON_INT_H
#define SINKHOLE_HOST_DAEMON_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/rules.h"
#include "base/rng.h"
#include "base/tz.h"
#include "host/api_host.h"
#include "host/budget.h"
#include "host/daemon.h"
#include "host/doh.h"
#include "host/filewatch.h"
#include "host/history.h"
#include "host/listen.h"
#include "host/lists.h"
#include "host/loop.h"
#include "host/name_ask.h"
#include "host/privdrop.h"
#include "host/publish.h"
#include "host/snapshots.h"
#include "host/store.h"
#include "host/tls.h"
#include "host/token.h"
#include "host/worker.h"
#include "host/xdp.h"
#include "resolver/cache.h"
#include "shared/house.h"
#include "stats/stats.h"

#define COLLECT_US    (250 * USEC_PER_MSEC) /* between two collections while there is traffic */
#define WATCHED_US    USEC_PER_SEC          /* … while there is none, but a page is open */
#define COLLECT_QUIET 8                     /* collections without events after which they end */
#define SAVE_US       (600 * USEC_PER_SEC)  /* between two savings of statistics */
#define SETTLE_US \
    (300 * USEC_PER_MSEC) /* after a change of files or addresses, as they come in groups */
#define NEIGHBOURS_US (2 * USEC_PER_SEC)    /* after a change of the table of neighbours */
#define NAMES_US      (3 * USEC_PER_SEC)    /* after the first questions of a while: who asks */
#define RELOAD_US     (200 * USEC_PER_MSEC) /* between two reloads, however many signals come */
#define RETRY_US      USEC_PER_SEC /* until what could not be put in force is tried again */
#define STOP_GRACE_US (400 * USEC_PER_MSEC) /* for questions in flight when told to stop */
#define HOUSEKEEP_US  (60 * USEC_PER_SEC)
#define WORKERS_MAX   64
#define MAILBOX_CELLS 2048
#define PENDING_MAX   16000
#define REGEX_MEMO    4096       /* names of each worker */
#define RING_OCTETS   (1u << 20) /* of a worker's events */
#define STATS_FILE    "stats.bin"

struct daemon {
    const struct daemon_start *start;
    struct config *first; /* as at start: options that cannot change are read here */
    usec_t started;
    int signals; /* signalfd */
    int monitor; /* netlink, -1: none */
    bool stopping;
    bool rules_unread, stats_unread; /* there, but could not be read: not to be written over */
    int status;                      /* exit status */
    struct loop *loop;
    struct loop_timer collect_timer, save_timer, reload_timer, settle_timer, watchdog_timer,
        housekeep_timer;
    struct loop_timer policy_timer; /* schedules */
    struct loop_timer neighbour_timer;
    struct loop_timer names_timer;
    struct name_ask ask; /* under the lock, as what follows */
    enum api_name_source ask_source;
    struct rng names_rng;
    int neighbours;      /* netlink, -1: none */
    int64_t clock_ahead; /* of wall over monotonic time when published last, microseconds */
    usec_t watchdog;     /* period, 0: none */
    usec_t reloaded;     /* last time */
    unsigned quiet;      /* collections without events in a row */
    usec_t collected;    /* when statistics were collected last; under the lock */
    uint64_t unsaved;    /* events since statistics were saved */
    uint32_t daily_told; /* stats_daily_changed when the lists were told */
    struct filewatch *files;
    struct privdrop privileges;
    struct budget budget;
    struct spare *spare; /* [workers] */
    struct listeners listeners;
    struct xdp *xdp; /* NULL: none */
    struct ip_endpoint own[LISTENERS_MAX];
    uint32_t workers;
    struct worker **worker;
    struct mailbox **mailboxes;
    struct control_line control;
    struct stats_worker **stats_worker;
    void *ring_memory;
    size_t ring_octets; /* of one of them */
    void *cache_memory;
    size_t cache_octets;
    void *stats_memory;
    size_t stats_octets;
    struct doh *doh;
    struct tls_trust *trust;
    struct store *store;
    struct token token;
    _Atomic(struct list_image *) new_image; /* handed over by the lists' thread */

    pthread_mutex_t lock;
    struct config *config; /* in force */
    struct tz tz;          /* of its local time */
    struct house *house;   /* addresses and names of its devices */
    bool wants_neighbours; /* somebody is described as a device */
    struct rules rules;
    struct snapshots *snapshots;
    struct publisher *publisher;
    struct lists *lists;
    struct list_image *image; /* in force */
    struct cache *cache;
    struct stats *stats;
    struct history *history; /* NULL: none is kept */
    struct api_host *api;    /* NULL: --http off */
};

/* daemon_policy.c: what decides, and its changes. All but the first four want the lock. */
void daemon_call(struct daemon *d, enum control_call why); /* of the control thread, by any other */
void daemon_on_image(void *arg,
                     struct list_image *image); /* of struct lists_config; arg is the daemon */
void daemon_on_progress(void *arg, const struct lists_progress *progress);
void daemon_on_lists(void *arg);
MUST_CHECK enum err daemon_first_snapshot(struct daemon *d);
MUST_CHECK enum err daemon_publish(struct daemon *d, const struct rules *rules, unsigned parts);
void daemon_take_image(struct daemon *d);

/* What is decided from at a moment; borrowed while the lock is held. */
void daemon_policy_source(const struct daemon *d, int64_t now_unix, struct policy_source *out);

/* daemon_devices.c. Read the neighbours again, and put the table of devices together; true if it is
 * another one and somebody is described as a device. */
MUST_CHECK bool daemon_read_neighbours(struct daemon *d, const struct rules *rules);
void daemon_read_leases(struct daemon *d);
void daemon_update_house(struct daemon *d);

/* daemon_names.c: ask for a name, if any is wanted and nothing is being asked. */
void daemon_ask_names(struct daemon *d);
void daemon_on_names(void *arg); /* of names_timer */

/* The same, and publish if that changes anything. */
void daemon_mind_neighbours(struct daemon *d);

/* Publish anew if a schedule has begun or ended, or the clock was set; returns when to look again.
 */
usec_t daemon_mind_schedules(struct daemon *d);
MUST_CHECK enum err daemon_open_lists(struct daemon *d);
struct fetch_limits daemon_list_limits(const struct daemon *d);
MUST_CHECK enum err daemon_set_lists(struct daemon *d, const struct rules *rules);
bool daemon_is_configured_list(const struct daemon *d, uint32_t id);
void daemon_watch_files(struct daemon *d);

/* Read the configuration again, with the settings of `rules`, and put it in force; `refresh`: the
 * lists too. On an error, which is logged, all stays. */
MUST_CHECK enum err daemon_reconfigure(struct daemon *d, const struct rules *rules, bool refresh);

/* daemon_state.c: what is kept over restarts. They want the lock. */
MUST_CHECK enum err daemon_open_store(struct daemon *d, const char *dir);
MUST_CHECK enum err daemon_load_rules(struct daemon *d);
MUST_CHECK enum err daemon_save_rules(struct daemon *d, const struct rules *rules);
MUST_CHECK enum err daemon_make_stats(struct daemon *d);
void daemon_save_stats(struct daemon *d);
MUST_CHECK enum err daemon_open_history(struct daemon *d);
void daemon_set_privacy(struct daemon *d); /* and the bounds of the history */
uint32_t daemon_collect(struct daemon *d);

/* daemon_confine.c: the sandbox. Files while there is one thread; calls when everything runs.
 * Errors are logged. */
MUST_CHECK enum err daemon_confine_files(struct daemon *d);
MUST_CHECK enum err daemon_confine_calls(struct daemon *d);

/* Load a configuration, put the document's settings on it, finish it. ERR_FORMAT and others:
 * error->text says why. */
MUST_CHECK enum err daemon_load_config(struct daemon *d, const struct rules *rules,
                                       struct config **out, struct cfg_error *error);

#endif
