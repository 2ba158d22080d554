/*
 * What is known of the devices of the house: which hardware address stands behind an address, and
 * what it is called, from neighbours, DHCP leases and answers of others. The platform tells it what
 * it learns; groups and pages read one table in the order of addresses.
 *
 * One caller at a time. All of it is bounded; what there is no room for is left out, and of what
 * was learnt by asking and of past neighbours the oldest goes.
 */
#ifndef SINKHOLE_SHARED_HOUSE_H
#define SINKHOLE_SHARED_HOUSE_H

#include "api/backend.h"
#include "api/policy_groups.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "base/time.h"
#include "config/lease.h"

#define HOUSE_MAX       8192 /* addresses: POLICY_ADDRESSES_MAX */
#define HOUSE_PAST_MAX  4096 /* neighbours that are no more, for a day */
#define HOUSE_LEASE_MAX 4096
#define HOUSE_FOUND_MAX 1024 /* names that were asked for, those without an answer too */

struct house;

MUST_CHECK enum err house_new(struct house **out);
void house_free(struct house *d); /* NULL is allowed */

/* Neighbours as they are now, in any order; those of before are past. */
void house_set_neighbours(struct house *d, const struct policy_address *now_there, uint32_t count,
                          usec_t now);

/* Leases anew: begin, then the text of each file. */
void house_begin_leases(struct house *d);
void house_add_leases(struct house *d, struct span text, int64_t now_unix);

/* The answer to a question for the name of an address, NULL: there is none, good until then. A name
 * that no host can have is none. */
void house_put_found(struct house *d, const struct ip_addr *addr, enum api_name_source source,
                     const char *name, usec_t until);

/* Was it asked for, and does the answer still hold? */
bool house_was_asked(const struct house *d, const struct ip_addr *addr, enum api_name_source source,
                     usec_t now);

/* Put together what was told; true if addresses, hardware addresses or names are others than
 * before. ERR_MEMORY: all stays. */
MUST_CHECK enum err house_update(struct house *d, usec_t now, bool *changed);

/* The table in the order of addresses, until the next house_update; past ones among them. */
const struct policy_address *house_table(const struct house *d, uint32_t *count);

/* One address; NULL: nothing is known of it. */
const struct policy_address *house_find(const struct house *d, const struct ip_addr *addr);

#endif
