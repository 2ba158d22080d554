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
#include "host/list_marks.h"
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
    uint64_t refused;           /* digest of the text that a person refused last; 0: none */

    /* A newer copy that waits for a person. */
    bool have_held;
    char held[COPY_NAME_MAX];
    struct copy_meta held_meta;
    struct copy_blob held_blob;

    /* Under the lock. */
    bool asked;               /* due at once, asked for from outside */
    bool confirm;             /* what is held back is to be taken, or what comes next */
    bool refuse;              /* what is held back is to be dropped */
    struct list_held *review; /* of what is held back; NULL: nothing is, or no memory */
    struct list_status status;
};

/* A text that a person refused. */
struct refusal {
    uint64_t copy; /* the number in the name of the list's copy */
    uint64_t digest;
};

struct lists {
    struct lists_config config;
    pthread_t thread;
    bool started;
    struct rng rng;
    struct list_image *image; /* in force; a reference of ours */
    uint64_t fingerprint;     /* of the image in force; 0: unknown */
    uint32_t refusals;        /* in refusal */
    bool accepted;            /* some list got a new copy since the start */
    struct bl_guard *guard;   /* while texts come; NULL: nothing is held against anything */
    void *guard_memory;
    char *used; /* names of the house, which the guard borrows; NULL: none */
    size_t used_len;
    struct refusal refusal[LISTS_MAX];
    usec_t next_refresh;
    usec_t progress_told;
    atomic_bool interrupt; /* end builds and transfers soon: closing, or a new configuration */

    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* Under the lock. The entries themselves are the thread's but for what is marked above. */
    struct entry **entries;
    uint32_t count;
    bool stopping;
    bool refresh;    /* all lists are asked for */
    bool refreshing; /* it was taken up and is not through yet */
    bool replan;     /* the interval is another one */
    bool guard_on;
    struct list_spec *next; /* a configuration to take over; NULL: none */
    uint32_t next_count;
    uint32_t interval_s;
    struct fetch_limits limits; /* from the next refresh on */
    char *next_used;            /* to take over; NULL: none */
    size_t next_used_len;
    struct fetcher *fetcher; /* while transfers are under way */
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
void entry_failed(struct lists *l, struct entry *e, const char *reason,
                  const struct fetch_result *result);
/* What is in force, or waits, has changed by a person's word. */
void entry_taken(struct lists *l, struct entry *e);
/* What came is held back, or waits already. */
void entry_held(struct lists *l, struct entry *e, bool news, const struct fetch_result *result);
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

/* lists_guard.c: new texts against the names that a list seldom means. */

/* Made before texts come, if any of these lists is guarded; gone when they are through. */
void guard_open(struct lists *l, struct entry *const *due, uint32_t count);
void guard_close(struct lists *l);
bool guard_watches(struct lists *l, const struct entry *e);

enum guard_verdict {
    GUARD_TAKE,
    GUARD_HOLD,   /* for what is in *reason */
    GUARD_WAITS,  /* it is held back already */
    GUARD_REFUSED /* a person did not want it */
};
/* What of a text that was judged to be a list? marks: of its rules, which come to their end here;
 * NULL: none were made. *notice
 * gets what a person should know of a text that is taken. Both have FETCH_ERROR_MAX octets. */
enum guard_verdict guard_decide(struct lists *l, struct entry *e, uint64_t digest, uint32_t rules,
                                struct list_marks *marks, char *reason, char *notice);

/* lists_held.c: texts that wait for a person. */

/* Keep a text for a person to look at. ERR_IO, ERR_MEMORY: it was not kept. */
enum err held_keep(struct lists *l, struct entry *e, struct copy_writer *w, struct copy_meta *meta,
                   const char *reason);
void held_load(struct lists *l, struct entry *e); /* from the disk, at the start */
void held_drop(struct lists *l, struct entry *e); /* there is nothing to wait for any more */
void held_take(struct lists *l, struct entry *e); /* it comes in force */
void held_answers(struct lists *l);               /* what persons said since */
void held_compare(struct lists *l);               /* what is not yet, for people to look at */
void refusals_load(struct lists *l);

/* lists_force.c: builds what is wanted if it is not in force already, and publishes it. */
void lists_force(struct lists *l);
void lists_publish(struct lists *l, struct list_image *image, uint64_t fingerprint);

/* Walks over all rules, a third of a second for a million: for the thread of the lists, once an
 * image is in force. */
void lists_count_unique(struct lists *l);
uint64_t lists_fingerprint(const struct lists *l);
bool lists_starter_in_force(const struct lists *l);

/* lists.c */
void lists_tell_status(struct lists *l);
void lists_tell_progress(struct lists *l, bool now);

#endif
