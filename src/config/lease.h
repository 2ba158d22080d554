/*
 * Files in which DHCP servers keep whom they gave an address: dnsmasq's leases, ISC's dhcpd.leases,
 * Kea's memfile (CSV), and files of ADDR NAME lines as odhcpd writes them. The form is found line
 * by line. Names are what devices say of themselves: only those that could be a host's are taken.
 */
#ifndef SINKHOLE_CONFIG_LEASE_H
#define SINKHOLE_CONFIG_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/mac.h"
#include "base/span.h"

#define LEASE_NAME 64 /* octets with NUL; longer names are left out */

struct lease {
    struct ip_addr addr;
    bool has_mac;
    bool ended; /* what an earlier line says of the address is over */
    uint8_t mac[MAC_OCTETS];
    char name[LEASE_NAME]; /* lower case; "": none */
};

typedef void lease_function(void *ctx, const struct lease *lease);

/* Calls `each` for every lease in the order of the file; of one address the last counts. Total over
 * all octets; O(len). */
void leases_read(struct span text, int64_t now_unix, lease_function *each, void *ctx);

/* A name in lower case, without a last dot. false, and nothing written: no host can be called so.
 */
bool lease_name_read(struct span text, char out[LEASE_NAME]);

#endif
