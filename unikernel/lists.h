/*
 * Block- and allow lists of the image: fetched one or two at a time, judged as they come, compiled
 * together into one image while the old one serves, and taken over as a whole.
 *
 * No text is kept: a list that cannot be loaded, or has not changed, is read back out of the image
 * in force, which remembers for every rule which lists said it. So its last good content stays in
 * force, over restarts too if the image is kept on a card.
 */
#ifndef UNIKERNEL_LISTS_H
#define UNIKERNEL_LISTS_H

#include <stdbool.h>
#include <stdint.h>

#include "api/backend.h"
#include "api/rules.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/time.h"
#include "config/config.h"
#include "shared/preview_tally.h"

/* `pump` lets the network go on while an image is made. `built` is told of each new image, to keep
 * it; NULL: not wanted. */
void lists_start(struct rng *rng, void (*pump)(void), void (*built)(struct span image));

/* The lists to have from now on, from the configuration and the rules document; both borrowed.
 * ERR_MEMORY: the old ones stay. */
MUST_CHECK enum err lists_configure(const struct config *cfg, const struct rules *rules);

/* Start what is due. Makes the image when all texts are there, which takes long (pump is called).
 */
void lists_run(usec_t now);

void lists_refresh(void);
MUST_CHECK enum err lists_refresh_one(uint32_t id); /* ERR_NOT_FOUND */
MUST_CHECK enum err lists_confirm(uint32_t id); /* take the next copy even if it is much shorter */
bool lists_running(void);                       /* downloads or a build are under way */

/*
 * What a block list would have blocked of the queries in the log; as struct api_backend says.
 * is_allowed gets ctx NULL. To be called from the loop: lists_preview_run, which may take long
 * (pump is called).
 */
MUST_CHECK enum err lists_preview_start(const char *url, preview_allowed *is_allowed,
                                        const char **why);
bool lists_preview_get(struct api_preview *out);
void lists_preview_end(void);
void lists_preview_run(void);

uint32_t lists_count(void);
void lists_at(uint32_t i, struct api_list *out);
/* The id of a list as the configuration writes it. */
uint32_t lists_source_id(const char *text, bool allow);

/* The id of a list by its URL as an image tells it: that of the configured list, else a block
 * list's. */
uint32_t lists_id_of(struct span url);

struct lists_gauges {
    uint64_t builds, failed_builds, fetches, failed_fetches, octets;
    uint64_t last_fetch_us, last_build_us; /* of the last refresh that brought something */
    uint64_t stall_us;       /* longest time in a build without a look at the network */
    uint64_t scratch_octets; /* of the last build */
    uint64_t text_octets;    /* of downloads that wait to be compiled */
    uint64_t in_build;       /* held by a build that is under way */
    uint32_t passes;
};
void lists_get_gauges(struct lists_gauges *out);

#endif
