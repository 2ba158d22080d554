/*
 * Safe search: names of search engines that are answered as another name of theirs, which leaves
 * adult results out. The client gets a CNAME and what that name leads to, as from a local record.
 */
#ifndef SINKHOLE_RESOLVER_SAFE_H
#define SINKHOLE_RESOLVER_SAFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "blocklist/catalog.h"

struct bl_overlay;
struct query;
struct resolver;

/* What a profile asks for: a bit set. Sections youtube-strict and youtube-moderate of the catalog
 * belong to their bits, all others to SAFE_SEARCH. */
enum safe_bit { SAFE_SEARCH = 1, SAFE_YOUTUBE_STRICT = 2, SAFE_YOUTUBE_MODERATE = 4 };

/* The names of a catalog made ready; part of a snapshot, immutable. */
struct safe_names {
    const struct bl_overlay *names; /* groups are bits, ids are places in `target` */
    const struct dns_name *target;
};

size_t safe_names_memory(const struct catalog *c);

/* ERR_SPACE. `mem` is kept, aligned for any type; the catalog is not. */
MUST_CHECK enum err safe_names_make(const struct catalog *c, void *mem, size_t len,
                                    struct safe_names *out);

/* HOT for who has safe search. The name that stands in for another one; NULL: none. */
const struct dns_name *safe_names_find(const struct safe_names *s, const struct dns_name *name,
                                       uint8_t bits);

/* True: the question goes on as one for that name (or it failed). */
bool safe_answer(struct resolver *r, struct query *q);

#endif
