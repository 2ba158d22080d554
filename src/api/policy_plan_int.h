/*
 * The steps of making a plan (policy_plan.h), in the order in which they are taken.
 */
#ifndef SINKHOLE_API_POLICY_PLAN_INT_H
#define SINKHOLE_API_POLICY_PLAN_INT_H

#include "api/policy_plan.h"
#include "base/device.h"

/* policy_lists.c: for whom each list, and each service, counts. */
void policy_add_lists(struct policy_plan *plan, const struct policy_source *src);
void policy_add_services(struct policy_plan *plan, const struct policy_source *src);

/* policy_entries.c: who is described or paused, where they are found, and the numbers of those who
 * have rules of their own. */
void policy_add_entries(struct policy_plan *plan, const struct policy_source *src);
void policy_map_entries(struct policy_plan *plan, usec_t now);
void policy_add_numbers(struct policy_plan *plan, const struct rules *r);

/* How a client is described; the kinds in the order in which they stand for an address. */
enum policy_kind { POLICY_PREFIX, POLICY_MAC, POLICY_NAME, POLICY_KINDS };

/* The prefix that a description stands for in the tables; that of a device is device.h's. */
enum policy_kind policy_prefix_of(const char *client, struct ip_prefix *out);

/* What a single address is found under, the most telling first: itself, the hardware address and
 * the name of the device that has it, whole and without a domain. `device` may be NULL: nothing is
 * known of it. */
struct policy_keys {
    struct ip_addr item[4];
    unsigned count;
};
void policy_find_keys(const struct ip_addr *addr, const struct policy_address *device,
                      struct policy_keys *out);

/* The entry that decides for all that is in a prefix of `bits` bits and in no longer one; NULL:
 * none does. */
const struct policy_entry *policy_entry_in(const struct policy_plan *plan,
                                           const struct policy_keys *keys, unsigned bits);

#endif
