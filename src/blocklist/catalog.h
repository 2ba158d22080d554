/*
 * Catalogs: text files with sections of names, for services that are blocked as a whole and for
 * safe search (conf/services.conf, conf/safe-search.conf).
 *
 *     [youtube] YouTube            a section: its id, then free text
 *     youtube.com ytimg.com        names, any number a line; # begins a comment
 */
#ifndef SINKHOLE_BLOCKLIST_CATALOG_H
#define SINKHOLE_BLOCKLIST_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "base/strbuf.h"
#include "dns/name.h"

#define CATALOG_SECTIONS_MAX 256
#define CATALOG_NAMES_MAX    20000
#define CATALOG_ID_MAX       64 /* octets */
#define CATALOG_TITLE_MAX    80

struct catalog_section {
    struct span id, title; /* title: what stands behind the ], "" for nothing */
    struct span body;
    uint32_t line;
    uint32_t names;
};

/* All spans are of the text that was read, which must stay. */
struct catalog {
    struct catalog_section section[CATALOG_SECTIONS_MAX];
    uint32_t count;
    uint32_t names;     /* of all sections */
    size_t name_octets; /* of these on the wire */
};

/*
 * Read and check the whole. `title_is_name`: the title of a section must be a domain name.
 * ERR_FORMAT, ERR_LIMIT: `what` gets "LINE: found X, expected Y". Cost: one pass.
 */
MUST_CHECK enum err catalog_read(struct catalog *out, struct span text, bool title_is_name,
                                 struct strbuf *what);

/* The section of that id, or NULL. */
const struct catalog_section *catalog_find(const struct catalog *c, struct span id);

/* Walk over a section's names: *cursor is 0 before the first call. False: there are no more. */
bool catalog_name(const struct catalog_section *s, size_t *cursor, struct dns_name *out);

/* Lower-case letters, digits and hyphens, at most CATALOG_ID_MAX. */
bool catalog_is_id(struct span text);

#endif
