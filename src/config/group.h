/*
 * Groups of clients in the configuration: a [group NAME] section, whose lines say who is in the
 * group and how its members are treated. The values are kept as text that was found good; what they
 * mean is put together with the rules document in api/policy_groups.h.
 */
#ifndef SINKHOLE_CONFIG_GROUP_H
#define SINKHOLE_CONFIG_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

#define CFG_GROUPS_MAX       63 /* beside that of everybody */
#define CFG_GROUP_VALUES_MAX 4096
#define CFG_GROUP_NAME_MAX   128 /* octets */

enum cfg_group_key {
    CFG_GROUP_CLIENT,       /* address, prefix or hardware address; several */
    CFG_GROUP_LIST,         /* blocklists, one a line */
    CFG_GROUP_ALLOW_LIST,   /* allow lists, one a line */
    CFG_GROUP_UPSTREAM,     /* several */
    CFG_GROUP_SCHEDULE,     /* schedule.h, one a line */
    CFG_GROUP_SERVICE,      /* names of services that are blocked; several */
    CFG_GROUP_BLOCK_MODE,   /* once */
    CFG_GROUP_SAFE_SEARCH,  /* on or off, once */
    CFG_GROUP_WITH_DEFAULT, /* are its members in "Default" too? on or off, once; on */
    CFG_GROUP_KEYS
};

struct cfg_group_value {
    uint16_t group;
    uint8_t key; /* enum cfg_group_key */
    uint32_t line;
    const char *text;
};

struct cfg_group {
    const char *name; /* "Default" is that of everybody */
    uint32_t line;
};

/* In the order of the file. */
struct cfg_groups {
    struct cfg_group item[CFG_GROUPS_MAX + 1];
    uint32_t count;
    struct cfg_group_value *value;
    uint32_t value_count;
};

/* The name of a key as it is written. */
const char *cfg_group_key_name(enum cfg_group_key key);

/* What such a value looks like if this is none; NULL: it is one. The text of one value. */
const char *cfg_group_problem(struct arena *scratch, enum cfg_group_key key, struct span text);

/* The nth value of a key of a group, NULL beyond the last. */
const char *cfg_group_value(const struct cfg_groups *g, uint32_t group, enum cfg_group_key key,
                            uint32_t n);

/* Is the text "on", "yes" or "true"? */
bool cfg_group_is_on(const char *text);

#define CFG_GROUP_DEFAULT "Default"

#endif
