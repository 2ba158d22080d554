/*
 * Groups as they are at one moment: what the configuration and the rules document say of each, and
 * what their schedules come to now. A group of both is one; what the document says stands before.
 */
#ifndef SINKHOLE_API_POLICY_GROUPS_H
#define SINKHOLE_API_POLICY_GROUPS_H

#include <stdint.h>

#include "api/rules.h"
#include "base/arena.h"
#include "base/tz.h"
#include "config/config.h"
#include "config/schedule.h"

#define POLICY_GROUPS_MAX          64 /* with that of everybody: one bit each */
#define POLICY_GROUP_UPSTREAMS_MAX 8

struct policy_address;

/* What is decided from; borrowed as long as what is made of it. */
struct policy_source {
    const struct config *config;
    const struct rules *rules;
    const struct tz *tz; /* NULL: Greenwich */
    usec_t now;
    int64_t
        now_unix; /* before SCHEDULE_CLOCK_MIN: no clock is known, and the stricter side holds */

    /* The id of a list as the configuration writes it. */
    uint32_t (*list_id)(const char *text, bool allow);

    /* Addresses of devices, for clients that are named by something else; may be none. */
    const struct policy_address *address;
    uint32_t address_count;
};

struct policy_address {
    struct ip_addr addr; /* first */
    bool has_mac;
    bool past; /* the hardware address was seen behind it within a day, but is not now: for pages */
    uint8_t mac[6];
    uint8_t source;   /* of the name, enum api_name_source */
    const char *name; /* lower case; NULL: none */
};

struct policy_group {
    int64_t id;       /* 0: everybody */
    const char *name; /* borrowed */
    bool enabled;
    bool with_default;    /* members by the configuration are in the group of everybody too */
    bool blocks;          /* a schedule blocks everything now */
    bool pauses;          /* a schedule blocks nothing now */
    int8_t safe_search;   /* 1: on, 0: off, -1: not said */
    usec_t pause_until;   /* told by a person, as in struct profile */
    const char *schedule; /* the text of the one that blocks or pauses; NULL */
    bool has_block_mode;
    struct cfg_block_mode block_mode;
    struct cfg_upstream upstream[POLICY_GROUP_UPSTREAMS_MAX];
    uint32_t upstream_count;
    uint64_t view;                /* profile.h; 0: no upstreams of its own */
    int32_t document, configured; /* places there, -1: not there */
};

/* The place is the bit; everybody's is the first. */
struct policy_groups {
    struct policy_group *item; /* POLICY_GROUPS_MAX */
    unsigned count;
    int64_t next_change; /* unix seconds at which a schedule begins or ends; INT64_MAX: never */
};

/* They and strings of upstreams go to the arena: ERR_SPACE. What is left out is told in the log. */
MUST_CHECK enum err policy_groups_make(struct policy_groups *g, const struct policy_source *src,
                                       struct arena *arena);

/* Octets of arena that it may use. */
size_t policy_groups_memory(const struct policy_source *src);

#define POLICY_GROUP_ID_CONFIGURED 0x40000000 /* the first of them */

/* The number by which the document and the API know a group that only the configuration has. */
int64_t policy_group_id(const char *name);

/* The nth value of a key of a group, the document's first; NULL beyond the last. For keys with one
 * value the first one counts. */
const char *policy_group_value(const struct policy_source *src, const struct policy_group *g,
                               enum cfg_group_key key, uint32_t n);

/* Does a list that the group has count now? Some do only at times. */
bool policy_group_has_list(const struct policy_source *src, const struct policy_group *g,
                           const char *list);

/* The nth schedule of a group and its text; false: there is none. */
bool policy_group_schedule(const struct policy_source *src, const struct policy_group *g,
                           uint32_t n, struct schedule *out, const char **text);
bool policy_schedule_is_active(const struct policy_source *src, const struct schedule *s);

/* The bit of an id, 0 if there is no such group or it is off. */
uint64_t policy_group_bit(const struct policy_groups *g, int64_t id);

#endif
