/*
 * What the person decided himself: a small set of own allow and deny rules that stands above all
 * lists. An own allow beats an own deny. Built once, then read only; an edit makes a new one. An
 * empty overlay costs one comparison a look-up.
 */
#ifndef SINKHOLE_BLOCKLIST_OVERLAY_H
#define SINKHOLE_BLOCKLIST_OVERLAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/time.h"
#include "blocklist/rule.h"
#include "dns/suffix.h"

#define BL_GROUPS_ALL UINT64_MAX

/* Whose question it is, as far as own rules ask. */
struct bl_asker {
    uint64_t groups;         /* bit g: a member of group g */
    const uint16_t *clients; /* the numbers by which rules for single clients know it */
    uint16_t client_count;
};

/* An own rule beside its name. */
struct bl_own {
    uint64_t groups; /* bit g: counts for clients of group g; of no account if `client` is set */
    uint16_t client; /* counts for this client only; 0: by groups */
    usec_t expires;  /* not in force from this time on; 0: for ever */
    uint32_t id;     /* the caller's: told in the verdict */
    uint8_t kind;    /* enum bl_kind */
    uint8_t action;  /* BL_BLOCK or BL_ALLOW */
};

struct bl_overlay_verdict {
    uint8_t action; /* enum bl_action */
    uint8_t label;  /* the rule's name starts at this label of the asked name */
    uint32_t id;    /* of the most specific rule of the winning action */
};

struct bl_overlay;

/* Octets for `rules` rules whose names have `name_octets` on the wire in all. */
size_t bl_overlay_memory(uint32_t rules, size_t name_octets);

/* ERR_SPACE if len is too small. `mem` is kept. */
MUST_CHECK enum err bl_overlay_init(struct bl_overlay **out, void *mem, size_t len, uint32_t rules);

/* Before the first look-up only. Any octets may be in the name; the root is allowed. ERR_SPACE when
 * it is full. */
MUST_CHECK enum err bl_overlay_add(struct bl_overlay *o, const struct dns_name *name,
                                   const struct bl_own *own);

/*
 * HOT. Judge a name for a client. o may be NULL; so may asker: then the rules of all count. Returns
 * out->action. Cost: one probe a label; nothing when there is no rule.
 */
enum bl_action bl_overlay_match(const struct bl_overlay *o, const struct dns_name *name,
                                const struct dns_suffixes *suffixes, const struct bl_asker *asker,
                                usec_t now, struct bl_overlay_verdict *out);

/* When the first of the allow rules ends, of those that were in force when it was added;
 * USEC_NEVER: none does. What an answer was allowed for may not be so afterwards. */
usec_t bl_overlay_allow_ends(const struct bl_overlay *o);

/* Is the rule one of the asker's? */
bool bl_own_counts(const struct bl_own *own, const struct bl_asker *asker);

uint32_t bl_overlay_count(const struct bl_overlay *o);

#endif
