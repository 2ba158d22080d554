/*
 * From groups and clients of the configuration and the rules document to the profiles of a snapshot
 * (resolver/profile.h): who is treated how at one moment. The same on every platform; memory is the
 * caller's.
 *
 * A client has the groups of the most specific entry that fits its address; who has no entry is in
 * the group of everybody. What its groups say is put together: the own rules of all of them count,
 * and the lists of all of them. Rules for one client count for whoever is within that rule's
 * address or prefix, whatever the groups. docs/policy.md tells it to people.
 */
#ifndef SINKHOLE_API_POLICY_PLAN_H
#define SINKHOLE_API_POLICY_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "api/policy_groups.h"
#include "api/rules.h"
#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/time.h"
#include "config/config.h"
#include "resolver/snapshot.h"

#define POLICY_ADDRESSES_MAX 8192 /* rows of the table of clients beside those of prefixes */
#define POLICY_NUMBERS_MAX \
    8 /* prefixes with rules of their own that one address can be in; the longest count */

/* A list that is not only everybody's. */
struct policy_list {
    uint32_t id; /* as in the API */
    bool in_document;
    uint64_t groups;
};

/* Whoever is described, by address, device or name. */
struct policy_entry {
    const char *client; /* borrowed */
    uint64_t groups;
    usec_t pause_until;
    bool in_document;
    bool has_groups; /* else the entry is only about a pause */
};

/* Profiles are numbered as in a snapshot: 0 is everybody. Their filters are not set. */
struct policy_plan {
    struct policy_groups groups;
    struct policy_list *list;
    uint32_t list_count;
    struct policy_entry *entry;
    uint32_t entry_count;
    struct client_map entries; /* place in entry, of those that have groups */
    struct client_map pauses;  /* place in entry, of those that are paused */
    struct client_map numbers; /* clients of own rules: bl_own.client */
    struct client_map clients; /* numbers of profiles */
    struct profile *profile;
    int8_t *upstreams; /* by profile: the group whose upstreams are asked; -1: everybody's */
    usec_t *own_pause; /* by profile: of the client alone */
    uint32_t profile_count;
    const struct policy_address *address; /* of devices; borrowed */
    uint32_t address_count;
    const struct catalog *services; /* NULL: there are none */
    uint64_t *service_groups;       /* for whom each of them is blocked */
    struct profile base;            /* the settings of the configuration */
    usec_t pause_until;             /* of everything */
    uint8_t safe_bits;              /* what safe search stands for */
};

/* Octets that policy_plan_make needs. */
size_t policy_plan_memory(const struct policy_source *src);

/*
 * Make a plan. What is left out for a bound is told in the log. `mem` is kept, and the plan's
 * arrays lie in it. ERR_SPACE: less than policy_plan_memory().
 */
MUST_CHECK enum err policy_plan_make(struct policy_plan *plan, const struct policy_source *src,
                                     void *mem, size_t len);

/* Which groups of the plan an array of group ids names; groups that are off or gone have no bit. */
uint64_t policy_plan_groups(const struct policy_plan *plan, const json_t *ids);

/* Whether the i-th service is blocked for somebody, and the rule for its names. */
bool policy_plan_service(const struct policy_plan *plan, uint32_t i, struct bl_own *out);

/* The number of the profile of an address; NULL: somebody who is not known. */
uint16_t policy_plan_number(const struct policy_plan *plan, const struct ip_addr *client);
const struct profile *policy_plan_profile(const struct policy_plan *plan,
                                          const struct ip_addr *client);

/* The entry that decides on the groups of an address; NULL: none does. */
const struct policy_entry *policy_plan_entry(const struct policy_plan *plan,
                                             const struct ip_addr *client);

/* Whose an own rule is. */
void policy_plan_asker(const struct policy_plan *plan, const struct rule_view *rule,
                       struct bl_own *out);

/* The groups for which a list counts now. */
uint64_t policy_plan_list(const struct policy_plan *plan, uint32_t id);

/*
 * Put the plan into a snapshot that has its image and upstreams: profiles with their choice of
 * lists go to the arena, upstreams of groups behind those that are there, the table of clients
 * stays the plan's. list_id tells the id of the list in a slot of the image. Octets of arena that
 * it needs, and doing it; ERR_SPACE.
 */
typedef uint32_t policy_list_id(const void *ctx, unsigned slot);
size_t policy_apply_memory(const struct policy_plan *plan, const struct bl_image *image,
                           policy_list_id *list_id, const void *ctx);
MUST_CHECK enum err policy_apply(const struct policy_plan *plan, policy_list_id *list_id,
                                 const void *ctx, struct arena *arena, struct snapshot *out);

#endif
