/*
 * Addresses that a person does not want in answers: prefixes, looked for in A and AAAA records and
 * in the address hints of HTTPS and SVCB records. A name that leads to one is answered as a blocked
 * one.
 */
#ifndef SINKHOLE_RESOLVER_ADDRESS_H
#define SINKHOLE_RESOLVER_ADDRESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"
#include "blocklist/image.h"
#include "resolver/profile.h"

#define ADDRESS_RULES_MAX 8192 /* in a snapshot */
#define ADDRESS_REASON    80   /* octets of text with NUL */

struct address_rule {
    uint64_t groups; /* of own rules */
    uint16_t list;   /* of lists: place in the image, */
    uint8_t rank;    /* enum bl_rank, */
    uint16_t next;   /* and the next rule on the same prefix; ADDRESS_NONE: it is the last */
    char reason[ADDRESS_REASON]; /* "address 203.0.113.0/24 is blocked" */
};

#define ADDRESS_NONE UINT16_MAX

/* Part of a snapshot, immutable. */
struct address_rules {
    struct client_map map; /* prefix to place in `rule` */
    struct address_rule *rule;
    uint32_t count, cap;
};

/* Making one: octets for `count` rules (at most ADDRESS_RULES_MAX); `mem` is kept, aligned for any
 * type. */
size_t address_rules_memory(uint32_t count);
MUST_CHECK enum err address_rules_init(struct address_rules **out, void *mem, size_t len,
                                       uint32_t count);

/* For clients of these groups; a prefix that is there already is for those of both. */
void address_rules_add(struct address_rules *a, const struct ip_prefix *prefix, uint64_t groups);

/* Of a list, in a table of lists' rules. */
void address_rules_add_listed(struct address_rules *a, const struct ip_prefix *prefix,
                              uint16_t list, uint8_t rank);

/* Those of an image's lists: how many there are (at most ADDRESS_RULES_MAX), and adding them. */
uint32_t address_rules_count_listed(const struct bl_image *image);
void address_rules_add_image(struct address_rules *a, const struct bl_image *image);

/* After the last one. */
void address_rules_done(struct address_rules *a);

/* HOT for questions of address types. The rule for the longest prefix that holds the address and
 * counts, or counts for anybody if asker is NULL; NULL: none. Cost: a probe for each length of
 * prefix that occurs. */
const struct address_rule *address_rules_find(const struct address_rules *a,
                                              const struct ip_addr *addr,
                                              const struct bl_asker *asker);

/* The same of lists' rules: of those that the filter lets count (NULL: all) the highest rank
 * decides, whatever the prefix. */
const struct address_rule *address_rules_find_listed(const struct address_rules *a,
                                                     const struct ip_addr *addr,
                                                     const struct bl_filter *filter);

/* Can answers of this type hold addresses? */
bool address_in_type(uint16_t type);

/* The same for lists' rules that block, and with `any` for those that allow too. */
const struct address_rule *address_rules_judge_listed(const struct address_rules *a,
                                                      const uint8_t *msg, size_t len,
                                                      const struct bl_filter *filter, bool any);

/* The first rule that a record in the answer section of a message runs into; NULL: none. */
const struct address_rule *address_rules_judge(const struct address_rules *a, const uint8_t *msg,
                                               size_t len, const struct bl_asker *asker);

#endif
