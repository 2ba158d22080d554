/*
 * The steps of making a plan (policy_plan.h), in the order in which they are taken.
 */
#ifndef SINKHOLE_API_POLICY_PLAN_INT_H
#define SINKHOLE_API_POLICY_PLAN_INT_H

#include "api/policy_plan.h"
#include "config/mac.h"

/* policy_lists.c: for whom each list, and each service, counts. */
void policy_add_lists(struct policy_plan *plan, const struct policy_source *src);
void policy_add_services(struct policy_plan *plan, const struct policy_source *src);

/* policy_entries.c: who is described or paused, where they are found, and the numbers of those who
 * have rules of their own. */
void policy_add_entries(struct policy_plan *plan, const struct policy_source *src);
void policy_map_entries(struct policy_plan *plan, const struct policy_source *src);
void policy_add_numbers(struct policy_plan *plan, const struct rules *r);

/* What names a device; the kinds in the order in which they stand for an address. */
enum policy_kind { POLICY_PREFIX, POLICY_MAC, POLICY_NAME, POLICY_KINDS };

/* Calls `each` for every prefix that a client stands for now, if it is of the kind. */
typedef void policy_prefix_function(void *ctx, const struct ip_prefix *prefix, uint16_t value);
void policy_each_prefix(const struct policy_source *src, enum policy_kind wanted,
                        const char *client, uint16_t value, policy_prefix_function *each,
                        void *ctx);

bool policy_read_client(const char *text, struct ip_prefix *out);

/* The entry of the longest prefix, of `bits` at most, that holds the address; NULL: none. */
const struct policy_entry *policy_entry_in(const struct policy_plan *plan, const struct ip_addr *a,
                                           unsigned bits);

#endif
