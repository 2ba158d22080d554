/*
 * Addresses of devices, for clients that are described by something else, out of the platform's
 * table of neighbours. Nothing is read while nobody is described so.
 */
#ifndef SINKHOLE_SHARED_DEVICES_H
#define SINKHOLE_SHARED_DEVICES_H

#include <stdbool.h>
#include <stdint.h>

#include "api/policy_groups.h"
#include "api/rules.h"
#include "config/config.h"

struct devices {
    struct policy_address *item; /* in the order of their addresses */
    uint32_t count;
    bool wanted; /* a client, owner of a rule or paused one is described as a device */
};

/* Is any client, owner of a rule or paused one described as a device? */
bool devices_are_wanted(const struct config *cfg, const struct rules *rules);

/* The platform's table: writes at most `max`, in any order, and returns how many. */
typedef uint32_t devices_read(struct policy_address *out, uint32_t max);

/* Read the table if the configuration or the document wants it. True: others than before. Without
 * memory what was known stays. */
bool devices_update(struct devices *d, const struct config *cfg, const struct rules *rules,
                    devices_read *read);
void devices_free(struct devices *d);

#endif
