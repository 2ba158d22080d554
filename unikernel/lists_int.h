/* What the files of the lists share. */
#ifndef UNIKERNEL_LISTS_INT_H
#define UNIKERNEL_LISTS_INT_H

#include "blocklist/guard.h"
#include "blocklist/judge.h"
#include "lists.h"
#include "net/fetch.h"
#include "shared/decode.h"

#define LIST_BUILTIN "builtin"

enum list_stage {
    LIST_REST, /* nothing to do until the next refresh */
    LIST_DUE,  /* to be fetched at due_at */
    LIST_FETCHING,
    LIST_FRESH /* a new text is there, to be compiled */
};

struct list_entry {
    unsigned refs; /* the table, a download, a build */
    struct api_list shown;
    enum bl_format format;
    bool builtin;
    bool stand_in;  /* the list inside the image, while no other is there */
    bool fixed;     /* known from the image alone: it cannot be fetched from here */
    bool confirmed; /* the next copy is welcome whatever it is */
    bool gone;      /* no longer wanted: its download may stop */
    bool aside;     /* of a preview: none of ours */
    enum list_stage stage;
    usec_t due_at;
    uint32_t failures;
    char etag[FETCH_TAG_MAX], modified[FETCH_TAG_MAX]; /* of the copy in force */
    char new_etag[FETCH_TAG_MAX], new_modified[FETCH_TAG_MAX];
    uint8_t *text; /* of the new copy as it came, maybe in gzip; NULL: none */
    size_t len, cap;
    struct bl_judge *judge; /* while it is fetched */
    struct decoder *decoder;
    uint8_t *marks;      /* of the guard; NULL: nobody looks at its rules */
    const char *refusal; /* static text: why receiving was stopped; NULL */
};

extern struct lists_state {
    struct list_entry **entry;
    uint32_t count;
    struct rng *rng;
    void (*pump)(void);
    void (*built)(struct span image);
    struct lists_gauges gauges;

    bool handed_over; /* the first image came with the kernel or from the card */
    usec_t interval_us;
    uint64_t octets_max;
    bool changed;       /* the set of lists is not the one that the image was made of */
    usec_t round_began; /* when the first download of this refresh began; 0: none is under way */
    uint32_t fetching;
} lists;

/* lists_table.c */
void list_copy_text(char *to, size_t cap, struct span from);
void list_default_name(struct api_list *l);
struct list_entry *list_current(uint32_t id); /* NULL: there is none */
/* "[FORMAT+]URL" as in the configuration into an empty entry. What is wrong with it, or NULL. */
const char *list_read_source(const char *text, struct list_entry *e);

void list_entry_release(struct list_entry *e);
void list_entry_drop_text(struct list_entry *e);

/* lists_fetch.c: download it; what comes of that is written into the entry. */
void list_fetch(struct list_entry *e);

/* lists_guard.c: have a text looked at as it comes; at its end: should a person see it first? The
 * table of names goes when nothing is fetched. */
void list_guard_begin(struct list_entry *e, struct bl_parse_config *judge);
bool list_guard_objects(struct list_entry *e, uint32_t rules, struct strbuf *reason);
void list_guard_close(void);

/*
 * Compile these lists: fresh texts, the starter's, and for all others what the image in force has
 * of them. On ERR_OK the new image is in force. ERR_MEMORY, ERR_SPACE.
 */
MUST_CHECK enum err lists_build(struct list_entry *const *entry, uint32_t count);

/* Compile the fresh text of one that is aside; *out is from malloc. Errors as above. */
MUST_CHECK enum err lists_compile_aside(struct list_entry *e, struct span *out);

#endif
