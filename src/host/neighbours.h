/*
 * The kernel's neighbour table: which hardware address stands behind which address on the networks
 * that the machine is on. For clients that are described by their hardware address.
 */
#ifndef SINKHOLE_HOST_NEIGHBOURS_H
#define SINKHOLE_HOST_NEIGHBOURS_H

#include <stdint.h>

#include "api/policy_groups.h"

/* At most `max` of them; returns how many. What the kernel cannot
 * tell within a second is left out. */
uint32_t neighbours_read(struct policy_address *out, uint32_t max);

/* A socket that is readable when the table changes, which is often; netconf_drain empties it. -1:
 * there is none to be had. */
int neighbours_monitor(void);

#endif
