/*
 * From the configuration to a snapshot (resolver/snapshot.h): upstreams, routes, who may ask, and
 * all plain settings. The same on every platform; what the machine knows is given by the platform.
 */
#ifndef SINKHOLE_CONFIG_SNAPSHOT_FILL_H
#define SINKHOLE_CONFIG_SNAPSHOT_FILL_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "config/config.h"
#include "resolver/snapshot.h"

/* What the configuration's words "system" and "connected" stand for on this machine. */
struct cfg_machine {
    const struct ip_endpoint
        *servers;          /* resolvers that the machine was told of, without ourselves */
    uint32_t server_count; /* 0: two well-known public ones */
    const struct ip_prefix *networks; /* directly connected */
    uint32_t network_count;
};

/* Octets of arena that cfg_fill_snapshot uses. */
size_t cfg_fill_memory(const struct config *cfg, const struct cfg_machine *machine);

/*
 * Fill upstreams, routes, allow_from, rebind_allow and the plain settings of *out; the other fields
 * (generation, image, rules, local, pause, cookie key, texts) are left alone. Arrays go to the
 * arena. Upstreams past UPSTREAM_MAX are left out with a log line. ERR_SPACE: the arena is too
 * small.
 */
MUST_CHECK enum err cfg_fill_snapshot(const struct config *cfg, const struct cfg_machine *machine,
                                      struct arena *arena, struct snapshot *out);

/* How everybody is treated whom no group treats otherwise. */
void cfg_fill_everybody(const struct config *cfg, struct profile *out);

/* Add upstreams that are asked for some clients only, under a new route number. False: there is no
 * room for any, which is told in the log. */
bool cfg_fill_route(struct snapshot *out, const struct cfg_upstream *u, uint32_t count,
                    uint16_t *route);

/* The number by which an upstream is known across snapshots; never 0. */
uint64_t cfg_upstream_id(const struct cfg_upstream *u);

#endif
