/*
 * Everything that decides a verdict or a route, immutable once published. The owner (the daemon's
 * control thread, the unikernel's loop) builds a new one aside for each change, gives it to every
 * worker, and frees the old one when the last worker has taken the new one. The parts are borrowed,
 * so a change of one setting shares the rest.
 */
#ifndef SINKHOLE_RESOLVER_SNAPSHOT_H
#define SINKHOLE_RESOLVER_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/time.h"
#include "dns/name.h"
#include "resolver/profile.h"
#include "resolver/resolver.h"

struct bl_image;
struct bl_overlay;
struct bl_regexes;
struct local_records; /* local.h */
struct safe_names;    /* safe.h */
struct address_rules; /* address.h */

enum upstream_transport { UPSTREAM_UDP, UPSTREAM_TCP, UPSTREAM_TLS, UPSTREAM_HTTPS };

/* Own rules with this bit in their id are names of blocked services. */
#define RULE_SERVICE      0x80000000u
#define RULE_SERVICE_MASK 0xffffu
#define SERVICE_REASON    96 /* octets of text with NUL */

#define UPSTREAM_NAME_MAX 256

/* One upstream. Equal `id`s are the same upstream across snapshots. */
struct upstream_spec {
    uint64_t id; /* hash of transport, address, port and name; made by the owner */
    enum upstream_transport transport;
    struct ip_endpoint endpoint;
    char name[UPSTREAM_NAME_MAX]; /* TLS server name, or the HTTPS URL; "" for UDP and TCP */
    uint16_t route;               /* 0: for all names; else only for route_names with this number */
};

/* Conditional forwarding: names within `domain` go only to the upstreams with this route number. */
struct route {
    struct dns_name domain;
    uint16_t route; /* >= 1; several domains may share one */
};

struct snapshot {
    uint64_t generation; /* grows with each publication */

    const struct bl_image *image;          /* NULL: no list yet */
    const struct bl_overlay *rules;        /* a person's own allow and deny; NULL: none */
    const struct bl_regexes *regexes;      /* own and lists' regular expressions; NULL: none */
    const struct local_records *local;     /* NULL: only the built-in special-use names */
    const struct address_rules *list_addresses; /* of the image's lists; NULL: none */
    const struct address_rules *addresses; /* not wanted in answers; NULL: none */
    const struct safe_names *safe_names;   /* NULL: none; for profiles that ask for it */

    /* What is told of names of blocked services: by bl_own.id & RULE_SERVICE_MASK. */
    const char (*service_reasons)[SERVICE_REASON];

    const struct ip_prefix
        *allow_from; /* who may ask; the first match in order decides, none: refused */
    const bool *allow_from_negated; /* per entry: "!CIDR" refuses */
    uint32_t allow_from_count;
    const struct ip_prefix *client_id_from; /* routers that are believed for whom they ask */
    uint32_t client_id_count;

    struct upstream_spec upstreams[UPSTREAM_MAX];
    uint16_t upstream_count;
    const struct route *routes;
    uint32_t route_count;

    struct profile everybody;       /* of clients that the table does not know */
    const struct profile *profiles; /* those of known clients: numbers 1 … profile_count */
    uint32_t profile_count;
    struct client_map clients;

    uint32_t block_ttl_s;

    uint32_t ttl_min_s, ttl_max_s, ttl_negative_max_s;
    uint32_t stale_s; /* how long expired answers may stand in, 0: off */
    bool prefetch;
    bool rebind_protection;
    const struct dns_name *rebind_allow; /* names (and all below) that may have private addresses */
    uint32_t rebind_allow_count;
    bool block_icloud_relay; /* mask.icloud.com, mask-h2.icloud.com: NXDOMAIN */
    bool block_canary;       /* use-application-dns.net: NXDOMAIN, so that browsers keep using us */
    bool cname_check;        /* judge CNAME chains in answers */
    bool case_random;        /* 0x20 in queries to upstreams */
    struct ip_prefix dns64;  /* of the translator to IPv4, dns64.h; 0 bits: none */

    uint8_t cookie_key[16]; /* of server cookies; lives as long as the process */
    char version[32];       /* for CH TXT version.bind when allowed; "" refuses */
    char api_url[128];      /* for CH TXT local.api.ftl: "http://ADDR:PORT/api/"; "" refuses */
};

static inline const struct profile *snapshot_profile(const struct snapshot *s, uint16_t number)
{
    return number == 0 ? &s->everybody : &s->profiles[number - 1];
}

#endif
