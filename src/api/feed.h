/*
 * Responses that are made piece by piece. A feed is a slot with the state of one of them; `fill`
 * writes the next piece.
 */
#ifndef SINKHOLE_API_FEED_H
#define SINKHOLE_API_FEED_H

#include "api/api_int.h"
#include "api/query_filter.h"
#include "blocklist/rule.h"

/* Where a piece goes: the platform's buffer. */
struct piece {
    char *buf;
    size_t cap, len;
};

static inline size_t piece_room(const struct piece *p)
{
    return p->cap - p->len;
}

void piece_text(struct piece *p, const char *text);

/* A JSON value; false (and nothing written) if it does not fit or is NULL. Takes it over. */
bool piece_json(struct piece *p, json_t *value);

enum feed_step {
    FEED_MORE,  /* something was written, or will be at once */
    FEED_LATER, /* nothing until something happens */
    FEED_END
};

/* Sums of the history as a JSON object. */
struct feed;
typedef json_t *history_writer(struct feed *f, const struct history_result *r);

struct feed {
    bool used;
    struct api *api;
    enum feed_step (*fill)(struct feed *s, struct piece *p, usec_t now);
    uint32_t phase; /* the stream's own; 0 at the start */
    usec_t last_sent;
    char filler;  /* sent while nothing was found yet; '\0': the search goes on without */
    void *job;    /* of the history; NULL: none */
    json_t *tree; /* what is written: an object of the history, or the parts of a text */
    union {
        struct {
            struct query_filter filter;
            uint64_t next, cursor; /* ids */
            uint64_t skip, left;   /* matching rows to leave out, to write */
            uint64_t matched, total;
            bool any;
            double took;
            enum { DISK_NO, DISK_BRIEFLY, DISK_YES } disk; /* go on in the history, how long */
            enum { WRITE_JSON, WRITE_LINES, WRITE_CSV } form;
            uint32_t row; /* of the history's page, to be looked at next */
        } queries;
        struct {
            history_writer *write;
            void *member, *inner; /* where the writing stands */
            size_t index;
            uint32_t count; /* as asked */
            bool blocked;
            struct span_of_time span;
            double took;
        } history;
        struct {
            uint64_t next; /* id of the next log entry */
            uint32_t changes[CHANGE_COUNT];
            uint64_t sent_total, sent_blocked;
            uint32_t sent_rate;
            uint32_t session; /* id; 0: no password is set */
            usec_t totals_at, queries_at;
            usec_t pause_until;
        } events;
        struct {
            int64_t since_unix;
            usec_t deadline;
            uint32_t at;                             /* list to look at */
            uint64_t told[RULES_LISTS_MAX * 2 / 64]; /* lists that were written about */
        } update;
        struct {
            size_t part, at; /* octets of that part that were written */
        } text;
        struct {
            uint32_t at;
            bool any;
            int type, kind; /* -1: both */
            double took;
            char item[BL_PATTERN_MAX + 1];
        } rules;
    };
};

/* Let go of what a stream of this kind holds besides its slot. */
void feed_drop_history(struct feed *f);

/*
 * Answer with sums of the history over the request's from and until (absent: all that is kept).
 * false: there is no history, and nothing was answered.
 */
bool history_reply(struct call *c, enum history_what what, history_writer *write);

/*
 * Answer with a text in parts (json_write_parts), which are taken over. At most API_LARGE_ANSWERS
 * at a time: 503.
 */
void feed_text(struct call *c, const char *content_type, json_t *parts);

/* Answer with a stream that starts at phase 0. NULL if all slots are in use: 503 is answered then.
 */
struct feed *feed_open(struct call *c, const char *content_type,
                       enum feed_step (*fill)(struct feed *s, struct piece *p, usec_t now));

#endif
