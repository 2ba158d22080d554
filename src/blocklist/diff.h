/*
 * How two texts of a list differ, in bounded memory: rules as hashes in one table, in as many
 * passes as it takes. For a person who looks at an update; counts are right but for two of 2^62
 * hashes that are the same.
 *
 *     bl_diff_init(&d, mem, len, rules, key);
 *     do {
 *         while (bl_diff_text(d, &which)) { each rule of that text: bl_diff_rule(d, rule) }
 *     } while (bl_diff_again(d));
 *     d->added, d->removed …
 */
#ifndef SINKHOLE_BLOCKLIST_DIFF_H
#define SINKHOLE_BLOCKLIST_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/siphash.h"
#include "blocklist/rule.h"

#define BL_DIFF_SHOWN  50         /* rules of each side that are shown */
#define BL_DIFF_SLOTS  (1u << 21) /* at most; 8 octets each */
#define BL_DIFF_PASSES 256

enum bl_diff_text { BL_DIFF_BEFORE, BL_DIFF_AFTER };

struct bl_diff_rule {
    struct dns_name name;
    uint8_t kind, rank;
};

struct bl_diff_side {
    uint32_t count;
    uint32_t shown;
    struct bl_diff_rule
        rule[BL_DIFF_SHOWN]; /* in the order of the text, those of a pass together */
};

struct bl_diff {
    struct bl_diff_side added, removed; /* different rules */
    /* The rest is private. */
    struct siphash_key key;
    uint64_t *slot;
    uint32_t mask, used;
    uint32_t pass, passes;
    uint8_t step; /* of the pass: 1 before, 2 after, 3 before again */
    bool full;
};

/* For two texts of so many rules together, about. */
size_t bl_diff_memory(uint32_t rules);

/* key: secret, random. ERR_SPACE. */
MUST_CHECK enum err bl_diff_init(struct bl_diff **out, void *mem, size_t len, uint32_t rules,
                                 struct siphash_key key);

/* The text to read next; false: the pass is over. */
bool bl_diff_text(struct bl_diff *d, enum bl_diff_text *which);
void bl_diff_rule(struct bl_diff *d, const struct bl_rule *rule);

/* Is there another pass? */
bool bl_diff_again(struct bl_diff *d);

#endif
