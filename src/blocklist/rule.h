/*
 * Rules and verdicts: what lists say about a name, and which saying wins.
 *
 * A rule speaks of a name, of everything below it, or of both; it blocks or allows, and may be
 * important
 * (`$important` of Adblock syntax). Within one rank it makes no difference which rule is more
 * specific. What a person allows or denies himself stands above all ranks and lives in overlay.h.
 */
#ifndef SINKHOLE_BLOCKLIST_RULE_H
#define SINKHOLE_BLOCKLIST_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "dns/name.h"

#define BL_LISTS_MAX   256  /* lists in one image; ids are 0..BL_LISTS_MAX-1 */
#define BL_PATTERN_MAX 1024 /* octets of a regular expression */

/* A pattern that begins with this octet, which no expression has, is an address or a prefix of
 * answers, as text: "203.0.113.0/24". */
#define BL_PATTERN_ADDRESS 1

enum bl_kind {
    BL_EXACT = 1, /* the name itself */
    BL_BELOW = 2, /* every name below it, not itself */
    BL_BOTH = 3   /* both; a bit set */
};

enum bl_action { BL_NONE = 0, BL_BLOCK, BL_ALLOW };

/* The higher rank wins. Even ranks block, odd ones allow; ranks 2 and 3 are important. */
enum bl_rank {
    BL_RANK_BLOCK = 0,
    BL_RANK_ALLOW = 1,
    BL_RANK_IMPORTANT_BLOCK = 2,
    BL_RANK_IMPORTANT_ALLOW = 3,
    BL_RANK_COUNT
};

/* One rule as a parser found it. */
struct bl_rule {
    struct dns_name name; /* lower case; letters, digits, '-' and '_' only; at least one label */
    uint8_t kind;         /* enum bl_kind */
    uint8_t rank;         /* enum bl_rank */
    uint32_t line;        /* line of the list, from 1 */

    /* The name's text without its last dot, if it stands somewhere in lower case with seven octets
     * more to read, else NULL. Says the same as `name`, but can be read at once, while words of
     * octets just written cannot. */
    const uint8_t *text;
};

#define BL_RULE_NONE UINT32_MAX /* no rule */

/* The answer to "is this name blocked?" */
struct bl_verdict {
    uint8_t action; /* enum bl_action; the rest means something unless it is BL_NONE */
    uint8_t rank;   /* enum bl_rank */
    uint8_t label;  /* the rule's name is the suffix of the asked name that starts at this label; 0:
                       the name itself */
    uint32_t
        rule; /* where the image keeps the rule: for bl_image_sources(); good for that image only */
    uint32_t class_id; /* of the rule, for bl_verdict_list(); likewise */
};

/* A set of lists by id. */
struct bl_list_set {
    uint64_t bits[BL_LISTS_MAX / 64];
};

static inline void bl_list_set_add(struct bl_list_set *set, unsigned list)
{
    set->bits[list / 64] |= UINT64_C(1) << list % 64;
}

static inline bool bl_list_set_has(const struct bl_list_set *set, unsigned list)
{
    return set->bits[list / 64] >> list % 64 & 1;
}

static inline enum bl_action bl_rank_action(unsigned rank)
{
    return rank & 1 ? BL_ALLOW : BL_BLOCK;
}

static inline bool bl_rank_important(unsigned rank)
{
    return rank >= BL_RANK_IMPORTANT_BLOCK;
}

#endif
