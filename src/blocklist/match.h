/*
 * HOT. The verdict of the lists on a name.
 */
#ifndef SINKHOLE_BLOCKLIST_MATCH_H
#define SINKHOLE_BLOCKLIST_MATCH_H

#include "blocklist/image.h"
#include "blocklist/rule.h"
#include "dns/suffix.h"

/* Which lists count, made ready for look-ups; made once for a group and an image. */
struct bl_filter {
    const uint8_t *effects; /* by class, as bl_image.effects but of the chosen lists only */
    uint32_t class_count;
    struct bl_list_set lists;
};

size_t bl_filter_memory(const struct bl_image *image);

/* `mem` is kept: it must live as long as the filter. ERR_SPACE if len is less than
 * bl_filter_memory(). */
MUST_CHECK enum err bl_filter_init(struct bl_filter *out, void *mem, size_t len,
                                   const struct bl_image *image, const struct bl_list_set *lists);

/*
 * Judge a name. filter NULL: all lists count. Returns out->action; BL_NONE when no rule speaks of
 * the name. Of several rules of the winning rank the most specific is told. No allocation, no log;
 * reads three to six cache lines for a listed name, two for most others.
 */
enum bl_action bl_match(const struct bl_image *image, const struct dns_name *name,
                        const struct dns_suffixes *suffixes, const struct bl_filter *filter,
                        struct bl_verdict *out);

/* The first of the lists (by id) that count and that the rule of a verdict stands in: cheaper than
 * bl_image_sources(), one more cache line. */
unsigned bl_verdict_list(const struct bl_image *image, const struct bl_filter *filter,
                         const struct bl_verdict *verdict);

/* One rule that bears on a name. */
struct bl_hit {
    struct bl_source source; /* list, line, kind, rank */
    uint8_t label;           /* the rule's name starts at this label of the asked name */
    bool applies; /* its kind fits (the name itself, or below it) and its list is in the filter */
    bool wins;    /* it is of the rank that decides */
};

/*
 * Everything that `check NAME` tells: all rules at the name and at its ancestors, also those that
 * do not apply, nearest the root first, then by list and line. lists NULL: all lists count. Writes
 * at most `cap` hits, returns how many there are; *verdict is bl_match's for a filter of these
 * lists.
 */
size_t bl_explain(const struct bl_image *image, const struct dns_name *name,
                  const struct bl_list_set *lists, struct bl_hit *hits, size_t cap,
                  struct bl_verdict *verdict);

#endif
