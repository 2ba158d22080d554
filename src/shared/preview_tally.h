/*
 * What a list would have blocked, counted by name and client: for the preview of both platforms
 * (struct api_preview).
 */
#ifndef SINKHOLE_SHARED_PREVIEW_TALLY_H
#define SINKHOLE_SHARED_PREVIEW_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "api/backend.h"
#include "base/attr.h"
#include "base/err.h"
#include "blocklist/image.h"
#include "stats/stats.h"

#define PREVIEW_DAYS     7
#define PREVIEW_HITS_MAX 8192 /* different names that are told apart; further ones are counted */

struct preview_tally {
    const struct bl_image *image; /* of the list alone */
    struct api_preview *result;
    uint32_t *place; /* hash table: number of a hit + 1 */
    struct api_preview_name *hit;
    uint32_t hits;
    struct api_client_count *client;
    uint32_t clients;
    bool begun; /* the log is being looked at */
};

uint64_t preview_tally_memory(void); /* octets, at most */

/* Both are borrowed until close, which may follow a failure. ERR_MEMORY. */
MUST_CHECK enum err preview_tally_open(struct preview_tally *t, const struct bl_image *image,
                                       struct api_preview *result);
void preview_tally_close(struct preview_tally *t); /* one that was never opened: all zero */

/* Does the list block the name? */
bool preview_hits(const struct bl_image *image, const struct dns_name *name);

/* Such a name, asked so often by that client. */
void preview_tally_add(struct preview_tally *t, const struct dns_name *name,
                       const struct ip_addr *client, uint64_t count);

/* At most `max` entries of the log in memory from the one with the id *next on, which moves on;
 * those before result->from_unix do not count. It becomes the time of the oldest one if that is
 * later. False: there are no more. */
bool preview_tally_log(struct preview_tally *t, const struct stats *stats, uint64_t *next,
                       uint32_t max);

/* Take out the names for which the list would change nothing, as the person allows them. */
typedef bool preview_allowed(void *ctx, const struct dns_name *name);
void preview_tally_drop(struct preview_tally *t, preview_allowed *is_allowed, void *ctx);

/* Write the most frequent ones into the result. */
void preview_tally_end(struct preview_tally *t);

#endif
