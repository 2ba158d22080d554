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

struct resolver;
struct stats;
struct cache;

/* cfg and rng are kept. ERR_MEMORY, or what an init said. */
MUST_CHECK enum err engine_start(const struct config *cfg, struct rng *rng);

/*
 * Judge names by this compiled image from now on. Its octets are checked first and stay in use
 * until the next one; `owned` ones came from malloc and are freed then. The errors of
 * bl_image_open; the old image stays.
 */
MUST_CHECK enum err engine_set_image(struct span octets, bool owned);

/* Addresses or nameservers changed: make a new snapshot. */
void engine_network_changed(void);

/* Once in a while (some times a second): work up statistics. */
void engine_collect(void);

struct resolver *engine_resolver(void);
struct stats *engine_stats(void);
struct cache *engine_cache(void);
uint32_t engine_rules(void); /* in the image, 0: none yet */

#endif
