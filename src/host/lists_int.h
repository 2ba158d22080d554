/*
 * What the files of the lists manager share. One thread runs all of it; what other threads ask for
 * or look at is under `lock` and marked so. The thread itself reads without the lock what only it
 * writes.
 */
#ifndef SINKHOLE_HOST_LISTS_INT_H
#define SINKHOLE_HOST_LISTS_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/log.h"
#include "base/rng.h"
#include "base/time.h"
#include "host/fetch_curl.h"
#include "host/list_build.h"
#include "host/list_copy.h"
#include "host/lists.h"

#define LIST_URL_BUILTIN "builtin"
#define FILE_STAMP_MAX   96 /* octets of "size change-time number" of a local file */

enum list_source { SOURCE_WEB, SOURCE_FILE, SOURCE_BUILTIN };

/* One configured list. */
struct entry {
    struct list_spec spec;
    enum list_source source;
    char copy[COPY_NAME_MAX];
    bool have_copy; /* meta is of a copy on the disk, or in blob */
    struct copy_meta meta;
    struct copy_blob blob;      /* the copy if the disk did not take it */
    bool again;                 /* due at once, asked for by ourselves */
    unsigned fails;             /* attempts in a row that failed */
    usec_t retry_at;            /* 0: with the next refresh */
    char stamp[FILE_STAMP_MAX]; /* of a local file when it was last tried */

    /* Under the lock. */
    bool asked;   /* due at once, asked for from outside */
    bool confirm; /* the next copy may have any number of rules */
    struct list_status status;
};

struct lists {
    struct lists_config config;
    pthread_t thread;
    bool started;
    struct rng rng;
    struct list_image *image; /* in force; a reference of ours */
    uint64_t fingerprint;     /* of the image in force; 0: unknown */
    bool accepted;            /* some list got a new copy since the start */
    usec_t next_refresh;
    usec_t progress_told;
    atomic_bool interrupt; /* end builds and transfers soon: closing, or a new configuration */

    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* Under the lock. The entries themselves are the thread's but for what is marked above. */
    struct entry **entries;
    uint32_t count;
    bool stopping;
    bool refresh;           /* all lists are asked for */
    bool refreshing;        /* it was taken up and is not through yet */
    bool replan;            /* the interval is another one */
    struct list_spec *next; /* a configuration to take over; NULL: none */
    uint32_t next_count;
    uint32_t interval_s;
    struct fetch_limits limits; /* from the next refresh on */
    struct fetcher *fetcher;    /* while transfers are under way */
    struct lists_progress progress;
};

/* list_spec.c */
void list_spec_default_name(struct list_spec *spec);

/* list_image.c; adopt gives slots without an id that of the list with the same URL. */
void list_image_adopt(struct list_image *image, const struct list_spec *specs, uint32_t count);
void list_index_save(struct store *store, const struct list_image *image, uint64_t fingerprint,
                     uint32_t count);

/* lists_entry.c: entries and their state. */
struct entry *entry_new(struct lists *l, const struct list_spec *spec);
void entry_free(struct entry *e);
void entry_begin(struct lists *l, struct entry *e);
void entry_succeeded(struct lists *l, struct entry *e, bool unchanged,
                     const struct fetch_result *result);
void entry_failed(struct lists *l, struct entry *e, const char *reason, bool shrunk,
                  const struct fetch_result *result);
void entry_lost_copy(struct lists *l, struct entry *e);
bool entry_file_changed(const struct entry *e);
struct stat;
void file_stamp(const struct stat *st, char out[FILE_STAMP_MAX]);

/* No more lists than there may be, and no id twice? */
bool lists_specs_fit(const struct list_spec *specs, uint32_t count);

/*
 * Take over a configuration. Lists that are new or switched on are due at once; known ones keep
 * their state. ERR_MEMORY: nothing changed.
 */
enum err lists_set_entries(struct lists *l, const struct list_spec *specs, uint32_t count);

/* lists_attempt.c: brings the lists that are due up to date. True: what is in force has to be built
 * anew. */
bool lists_attempt(struct lists *l, struct entry *const *due, uint32_t count);

/* lists_force.c: builds what is wanted if it is not in force already, and publishes it. */
void lists_force(struct lists *l);
void lists_publish(struct lists *l, struct list_image *image, uint64_t fingerprint);
uint64_t lists_fingerprint(const struct lists *l);
bool lists_starter_in_force(const struct lists *l);

/* lists.c */
void lists_tell_status(struct lists *l);
void lists_tell_progress(struct lists *l, bool now);

#endif
