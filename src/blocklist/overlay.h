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

/* An own rule beside its name. */
struct bl_own {
    uint64_t groups; /* bit g: counts for clients of group g */
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
 * HOT. Judge a name for a client of the groups in the bit set. o may be NULL. Returns out->action.
 * Cost: one probe a label; nothing when there is no rule.
 */
enum bl_action bl_overlay_match(const struct bl_overlay *o, const struct dns_name *name,
                                const struct dns_suffixes *suffixes, uint64_t groups, usec_t now,
                                struct bl_overlay_verdict *out);

uint32_t bl_overlay_count(const struct bl_overlay *o);

#endif
