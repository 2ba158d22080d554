/*
 * The catalogs of services and of safe search that a configuration works with: those inside the
 * program (conf/services.conf, conf/safe-search.conf) or files in their place, which the platform
 * reads.
 */
#ifndef SINKHOLE_CONFIG_CATALOGS_H
#define SINKHOLE_CONFIG_CATALOGS_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "blocklist/catalog.h"
#include "config/config.h"

struct catalogs {
    struct catalog services, safe_search;
};

/* A text in place of the built-in one, with its name for messages; file NULL: the built-in one. */
struct catalog_text {
    const char *file;
    struct span text; /* must stay */
};

/* ERR_FORMAT, ERR_LIMIT: error says "FILE:LINE: found X, expected Y". */
MUST_CHECK enum err catalogs_read(struct catalogs *out, const struct catalog_text *services,
                                  const struct catalog_text *safe_search, struct cfg_error *error);

/* Does the configuration name services that are not there? ERR_FORMAT. */
MUST_CHECK enum err catalogs_check(const struct catalogs *c, const struct config *config,
                                   struct cfg_error *error);

/* Does the configuration block the service for everybody? */
bool catalogs_blocked(const struct config *config, struct span id);

/* What safe search stands for by the configuration: a set of enum safe_bit. */
uint8_t catalogs_safe_bits(const struct config *config);

#endif
