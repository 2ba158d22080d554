/*
 * The catalogs of a configuration (config/catalogs.h), from files if it names some.
 */
#ifndef SINKHOLE_HOST_CATALOG_FILES_H
#define SINKHOLE_HOST_CATALOG_FILES_H

#include "base/attr.h"
#include "base/err.h"
#include "config/config.h"

#define CATALOG_FILE_MAX (1u << 20) /* octets */

/* Read them into c->catalogs and check what the configuration says of them. On errors *error has a
 * line for people, and nothing is held. ERR_FORMAT, ERR_LIMIT, ERR_IO, ERR_MEMORY. */
MUST_CHECK enum err catalog_files_load(struct config *c, struct cfg_error *error);

/* Before the configuration goes. */
void catalog_files_free(struct config *c);

#endif
