/*
 * Block- and allowlists: fetched, judged, kept, compiled. A thread of its own at low priority does
 * all of it and hands over a compiled image whenever what is blocked has changed; queries never
 * wait for it.
 *
 * In the state directory: blocklist.img, the image in use; lists/ID.gz, the last good copy of each
 * list with what is known about it (validators, counts) in its gzip header; lists/ID-held.gz, a
 * newer one that waits for a person's yes. A copy is replaced only by one that passes the rules of
 * hardening L2 and, if it comes from elsewhere, the update guard (blocklist/guard.h); whatever goes
 * wrong with a list, its last good copy stays in force and struct list_status says why.
 */
#ifndef SINKHOLE_HOST_LISTS_H
#define SINKHOLE_HOST_LISTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/span.h"
#include "blocklist/diff.h"
#include "blocklist/guard.h"
#include "blocklist/image.h"
#include "blocklist/parse.h"
#include "host/fetch_curl.h"
#include "host/store.h"

#define LISTS_MAX         BL_LISTS_MAX /* lists in a configuration */
#define LIST_NAME_MAX     96           /* octets of a display name with NUL */
#define LIST_EXAMPLES_MAX 5            /* rejected lines that are shown */
#define LIST_EXAMPLE_MAX \
    160 /* octets of one with NUL: "line 12: NAME: empty label", printable ASCII */

enum list_kind { LIST_BLOCK, LIST_ALLOW };

/* One list as a person configured it. */
struct list_spec {
    uint32_t id; /* unique in a configuration; comes back in verdicts and in list_status */
    enum list_kind kind;
    bool enabled;
    bool guard; /* new copies that look wrong wait for a person */
    char
        url[FETCH_URL_MAX]; /* "http://…", "https://…", a path that starts with '/', or "builtin" */
    enum bl_format format;    /* BL_FORMAT_AUTO detects */
    char name[LIST_NAME_MAX]; /* "": made from the URL */
};

/*
 * What `--list` and its like take: URL, "file://PATH", PATH, "builtin" (the list inside the
 * program), each but the last with an optional "FORMAT+" before it, as in "rpz+https://…". Relative
 * paths are made absolute. With `local` false only http and https to other machines are taken: for
 * what comes through the API. ERR_FORMAT; `problem` (FETCH_ERROR_MAX octets, may be NULL) says what
 * is wrong. id and kind are left zero, enabled and guard are true.
 */
MUST_CHECK enum err list_spec_parse(const char *text, bool local, struct list_spec *out,
                                    char *problem);

enum list_state {
    LIST_STATE_WAITING,     /* never loaded, first attempt is to come or under way */
    LIST_STATE_CURRENT,     /* the last attempt brought a copy (or found it unchanged) */
    LIST_STATE_STALE,       /* the last attempt failed, an older copy is in force */
    LIST_STATE_UNAVAILABLE, /* the last attempt failed and there is no copy */
    LIST_STATE_DISABLED
};

struct list_status {
    uint32_t id;
    enum list_kind kind;
    enum list_state state;
    bool enabled;
    bool fetching;      /* under way now */
    bool unchanged;     /* the last success found nothing new */
    bool needs_confirm; /* a new copy is held back: lists_confirm takes it, lists_refuse drops it */
    char url[FETCH_URL_MAX];
    char name[LIST_NAME_MAX];
    enum bl_format format; /* as configured */
    uint32_t rules;        /* names accepted from the copy in force, without duplicates within it */
    uint32_t unique;       /* names that no other list in force has */
    bool unique_known;     /* it is counted some moments after a list took effect */
    uint32_t duplicates;   /* names that the list holds more than once */
    uint32_t rejected; /* lines or names that gave no rule, those included that are not for DNS */
    uint32_t ignored;  /* comments and empty lines */
    uint32_t examples_count;
    char examples[LIST_EXAMPLES_MAX][LIST_EXAMPLE_MAX]; /* the first rejected ones */
    int http_status;                                    /* of the last attempt, 0: none */
    int64_t attempt_unix;                               /* last attempt; 0: never */
    int64_t success_unix;         /* last time that it was loaded or found unchanged; 0: never */
    int64_t changed_unix;         /* when the copy in force was taken; 0: never */
    uint64_t octets_text;         /* of the copy in force, decoded */
    uint64_t octets_received;     /* by the last attempt */
    char error[FETCH_ERROR_MAX];  /* why the last attempt failed, or why what it brought is held
                                     back; "" if neither */
    bool guard;                   /* as configured */
    char notice[FETCH_ERROR_MAX]; /* what a person should know of the copy in force, since its
                                     first version was taken without being held against another;
                                     "": nothing, or it was confirmed */
};

/* A new copy that is held back. About 50 kB. */
struct list_held {
    char reason[FETCH_ERROR_MAX];
    int64_t fetched_unix;
    uint64_t octets;
    uint32_t rules, rules_before; /* those said twice counted twice */
    bool compared;                /* the rest is filled: some moments after it was held back */
    struct bl_guard_names names;
    struct bl_diff_side added, removed;
};

/* A compiled image, mapped and checked, shared by reference count. Released from any thread. */
struct list_image;
const struct bl_image *list_image_get(const struct list_image *image);

/*
 * Verdicts name lists by their slot in the image, 0..BL_LISTS_MAX-1; people, groups and the API by
 * id. Slot to id: 0 if it is not known any more. Id to slot: -1 if the image does not hold that
 * list.
 */
uint32_t list_image_id(const struct list_image *image, unsigned slot);
int list_image_slot(const struct list_image *image, uint32_t id);
struct list_image *list_image_ref(struct list_image *image);
void list_image_close(struct list_image *image); /* drops one reference; NULL is allowed */

/* All lists together, for the dashboard and for the line on a terminal. */
struct lists_progress {
    bool running; /* a refresh or a build is under way */
    bool building;
    bool starter; /* the list inside the program stands in, as no list could be loaded yet */
    uint32_t done, total; /* lists of this refresh */
    uint32_t failed;
    uint64_t octets;    /* of text that came in this refresh */
    uint64_t rules;     /* names in the image in force */
    int64_t built_unix; /* when the image in force was made; 0: none */
    int64_t next_unix;  /* next refresh; 0: none planned */
};

struct lists_config {
    struct store *store;        /* kept until lists_close; NULL: nothing is saved or read */
    struct fetch_limits limits; /* octets_max also bounds local files */
    uint32_t retry_first_s; /* wait after a first failure that may pass; doubled each time; 0: 5 */
    uint32_t update_interval_s; /* 0: only when told */
    bool guard;              /* new copies from elsewhere that look wrong wait for lists_confirm */
    uint64_t scratch_octets; /* memory for a build, beside the image; less makes it slower;
                                0: 16 MB and 5 octets a rule */
    uint32_t starter_id; /* the list inside the program stands in under this id while no list could
                            be loaded; 0: it does not */
    bool offline;        /* never fetch; saved copies and local files only */
    uint8_t seed[RNG_SEED_OCTETS]; /* of jitter */
    void *arg;
    /*
     * A new image is in force; called from the lists' thread (and from lists_open for a saved one).
     * The callee owns the reference. The old image stays valid until its references are closed.
     */
    void (*on_image)(void *arg, struct list_image *image);
    void (*on_status)(void *arg); /* something in lists_status changed; called from the lists'
                                     thread; NULL: not wanted */
    void (*on_progress)(
        void *arg,
        const struct lists_progress *progress); /* a few times a second at most; NULL: not wanted */
};

struct lists;

/*
 * Open the saved image and publish it if it is good (no download, no parsing: milliseconds), then
 * start the thread, which compiles what is there if the image does not match `specs`, and
 * refreshes. ERR_RANGE (too many specs, two with one id), ERR_MEMORY, ERR_IO (no thread).
 */
MUST_CHECK enum err lists_open(const struct lists_config *config, const struct list_spec *specs,
                               uint32_t count, struct lists **out);

/* Ends what is under way, within a second, and joins the thread. NULL is allowed. */
void lists_close(struct lists *l);

/* From any thread; they return at once and the thread does it. */
void lists_refresh(struct lists *l);                  /* all lists, now */
void lists_refresh_one(struct lists *l, uint32_t id); /* one list, now */
/* Take the copy that is held back; if there is none, fetch one now and take it whatever it is. */
void lists_confirm(struct lists *l, uint32_t id);
/* Drop the copy that is held back, and the same text whenever it comes again. */
void lists_refuse(struct lists *l, uint32_t id);
void lists_set_guard(struct lists *l, bool on);
/* Names that this house uses daily, a line each; malloced, of the lists from now on. */
void lists_set_used(struct lists *l, char *names, size_t len);
MUST_CHECK enum err lists_set(struct lists *l, const struct list_spec *specs,
                              uint32_t count); /* a new configuration */
void lists_set_limits(struct lists *l,
                      const struct fetch_limits *limits); /* from the next refresh on */
void lists_set_interval(struct lists *l, uint32_t update_interval_s);

/* Copies of the state; from any thread. */
uint32_t lists_status(struct lists *l, struct list_status *out,
                      uint32_t cap); /* in configured order; returns how many there are */
void lists_get_progress(struct lists *l, struct lists_progress *out);
/* False: no copy of that list is held back. */
bool lists_get_held(struct lists *l, uint32_t id, struct list_held *out);

/*
 * Without a thread or a daemon, for `sinkhole compile` and `sinkhole check`: fetch each list once
 * (three attempts; with `store` its copies are used as in the daemon), compile, hand over. `out`
 * may be empty of rules. ERR_NOT_FOUND: not a single list could be loaded.
 */
MUST_CHECK enum err lists_compile(const struct lists_config *config, const struct list_spec *specs,
                                  uint32_t count, struct list_status *status,
                                  struct list_image **out);

/* Write an image to a file, replacing it whole. ERR_IO. */
MUST_CHECK enum err list_image_save(const struct list_image *image, const char *path);

/* Open an image file. ERR_NOT_FOUND, ERR_CHECKSUM, ERR_VERSION, ERR_FORMAT, ERR_IO, ERR_MEMORY. */
MUST_CHECK enum err list_image_open(const char *path, struct list_image **out);

#endif
