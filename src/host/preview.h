/*
 * What a block list would have done: it is fetched and compiled aside, as lists are, and the names
 * of the last days are looked up in it. One list at a time, on a thread of its own; nothing of it
 * is put in force or kept.
 */
#ifndef SINKHOLE_HOST_PREVIEW_H
#define SINKHOLE_HOST_PREVIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "api/backend.h"
#include "base/attr.h"
#include "base/err.h"
#include "host/lists.h"
#include "shared/preview_tally.h"

/* What the daemon supplies; called on the preview's thread, which holds nothing then. */
struct preview_config {
    void *ctx;
    /* Would the list change nothing for this name, as the person allows it? */
    preview_allowed *is_allowed;
    /* Some of the log in memory, as preview_tally_log. */
    bool (*log_part)(void *ctx, uint64_t *next, struct preview_tally *tally);
};

struct preview;

/* Octets that a trial takes at most, beside the list. */
uint64_t preview_memory(void);

/* ERR_MEMORY. The thread is started with the first list. */
MUST_CHECK enum err preview_new(struct preview **out, const struct preview_config *config);

/* Ends what is under way within a second or so. Nothing that the callbacks want may be held. */
void preview_free(struct preview *p); /* NULL is allowed */

/*
 * Try a list, in place of one that is under way. image: what is in force, a reference of ours from
 * now on, NULL for none; history: path of the database, NULL: the log in memory is looked at.
 * ERR_FORMAT: the URL is refused, *why says why until the next call.
 */
MUST_CHECK enum err preview_start(struct preview *p, const char *url,
                                  const struct fetch_limits *limits, struct list_image *image,
                                  const char *history, const char **why);
void preview_end(struct preview *p);                          /* forget it */
bool preview_get(struct preview *p, struct api_preview *out); /* false: there is none */

#endif
