/*
 * What a snapshot has of the catalogs (config/catalogs.h): names for safe search, and what is told
 * of each blocked service. The same on every platform; memory is the caller's.
 */
#ifndef SINKHOLE_API_SERVICES_PART_H
#define SINKHOLE_API_SERVICES_PART_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "config/catalogs.h"
#include "resolver/snapshot.h"

struct services_part;

size_t services_part_memory(const struct catalogs *c);

/* ERR_SPACE: less than services_part_memory(). `mem` is kept and aligned for any type; the catalogs
 * are not. */
MUST_CHECK enum err services_part_make(const struct catalogs *c, void *mem, size_t len,
                                       const struct services_part **out);

/* Put it into a snapshot. NULL: nothing. */
void services_part_apply(const struct services_part *part, struct snapshot *out);

#endif
