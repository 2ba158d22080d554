/*
 * The resolver of the image with what it needs: cache, statistics, snapshot. One of each, made from
 * the configuration at start, out of the heap.
 */
#ifndef UNIKERNEL_ENGINE_H
#define UNIKERNEL_ENGINE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/span.h"
#include "config/config.h"

struct bl_image;
struct policy_plan;
struct resolver;
struct rules;
struct snapshot;
struct stats;
struct cache;

/* cfg and rng are kept, rules is borrowed. ERR_MEMORY, or what an init said. */
MUST_CHECK enum err engine_start(const struct config *cfg, const struct rules *rules,
                                 struct rng *rng);

/* Another configuration (kept; the old one may go) or rules document (borrowed). On an error
 * nothing has changed. */
MUST_CHECK enum err engine_set_rules(const struct config *cfg, const struct rules *rules);

/*
 * Judge names by this compiled image from now on. Its octets are checked first and stay in use
 * until the next one; `owned` ones came from malloc and are freed then. `ids`: of each list, by its
 * place in the image. The errors of bl_image_open, ERR_MEMORY; the old image stays.
 */
MUST_CHECK enum err engine_set_image(struct span octets, bool owned, const uint32_t *ids,
                                     uint32_t count);
/* Try the regular expressions of such an image before, which takes up to seconds: `breathe` is
 * called between two of them. ERR_MEMORY, and as bl_image_open. */
MUST_CHECK enum err engine_try_patterns(struct span octets, void (*breathe)(void *ctx), void *ctx);
const struct bl_image *engine_image(void); /* in force; NULL: none yet */
int engine_list_slot(uint32_t id);         /* place of a list in it, -1: it is not there */
uint32_t engine_list_id(unsigned slot);    /* 0: none */

/* Addresses or nameservers changed: make a new snapshot. */
void engine_network_changed(void);

/* Once in a while (some times a second): work up statistics. */
void engine_collect(void);

struct resolver *engine_resolver(void);
struct stats *engine_stats(void);
struct cache *engine_cache(void);
const struct policy_plan *engine_plan(void); /* in force */
const struct snapshot *engine_snapshot(void);
/* Octets of the heap by what they are for. */
struct engine_memory {
    size_t cache, statistics, resolver, image, own;
};
void engine_get_memory(struct engine_memory *out);
uint32_t engine_rules(void); /* in the image, 0: none yet */

#endif
