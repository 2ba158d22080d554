/*
 * Which hardware address stands behind which address: lwIP's tables of ARP and neighbour discovery,
 * and what stood in them, since a table of 64 forgets a device that is silent for minutes.
 */
#ifndef UNIKERNEL_NEIGHBOURS_H
#define UNIKERNEL_NEIGHBOURS_H

#include <stdint.h>

#include "api/policy_groups.h"

enum { NEIGHBOURS_MAX = 512 }; /* a new one takes the place of who was not seen for longest */

/* At most `max` of them; returns how many. */
uint32_t net_neighbours(struct policy_address *out, uint32_t max);

#endif
