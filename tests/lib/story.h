/*
 * A story being played: what the parts of the scenario runner share.
 */
#ifndef SINKHOLE_TESTS_STORY_H
#define SINKHOLE_TESTS_STORY_H

#include "world.h"

#define STORY_WORDS 256

/* How an upstream behaves by itself. */
enum story_mode {
    STORY_TOLD,
    STORY_SILENT,
    STORY_DEAD,
    STORY_REFUSING,
    STORY_FAILING,
    STORY_FORMERR,
    STORY_MALFORMED
};

struct story {
    struct world world;
    const char *file;
    unsigned line;
    bool failed;
    char error[4096];
    bool dirty; /* the draft has to be applied */
    bool own_acl;
    uint16_t id;
    unsigned last_rcode; /* of the last answer that was expected */
    char cookie[128];    /* hex of the last cookie that a client got */

    char text[8192]; /* the line, cut into words */
    const char *word[STORY_WORDS];
    unsigned count;
    char rest[8192]; /* all behind the first word */

    struct {
        char name[64];
        enum story_mode mode;
        struct world_sent *got; /* the question it got last */
    } upstream[UPSTREAM_MAX];
    unsigned upstream_count;
    struct world_sent *sent[1024]; /* that nobody has looked at */
    unsigned sent_count;
    struct world_answer *answer[4096];
    unsigned answer_count;
};

/* Note the first failure; always false. */
bool story_fail(struct story *s, const char *format, ...) PRINTF_LIKE(2, 3);

void story_split(struct story *s, const char *line);
usec_t story_time(const char *word); /* 2s, 150ms, 20us, 1h, 3d */

/* Give the draft to the workers, if it changed. */
void story_ready(struct story *s);

/* Take what came out; upstreams that act by themselves do so. */
void story_pump(struct story *s);
void story_advance(struct story *s, usec_t to);

/* The end: nothing may be left. */
void story_finish(struct story *s);
void story_free(struct story *s);

bool story_step(struct story *s, const char *line);
bool story_upstream(struct story *s);
bool story_expect(struct story *s);

/* Words from i on that are records, up to the first of the stop words, as a list (caller frees
 * deeply); NULL after a failure. Moves i. */
struct ldns_struct_rr_list *story_records(struct story *s, unsigned *i, const char *owner,
                                          uint32_t ttl_s, const char *const *stop);

#endif
