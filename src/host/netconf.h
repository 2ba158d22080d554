/*
 * What the machine's own network configuration says: name servers, connected networks, own
 * addresses.
 */
#ifndef SINKHOLE_HOST_NETCONF_H
#define SINKHOLE_HOST_NETCONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"

#define NETCONF_SERVERS_MAX  8
#define NETCONF_NETWORKS_MAX 64

#define NETCONF_RESOLV "/etc/resolv.conf"
#define NETCONF_RESOLV_SYSTEMD \
    "/run/systemd/resolve/resolv.conf" /* behind the stub at 127.0.0.53 */

/* The name servers of a text in the form of resolv.conf(5); returns how many, at most `max`. */
uint32_t netconf_parse_resolv(struct span text, struct ip_endpoint *out, uint32_t max);

/* Networks that interfaces which are up are part of, loopback left out; returns how many, at most
 * `max`. */
uint32_t netconf_networks(struct ip_prefix *out, uint32_t max);

/* Is it an address of this machine? */
bool netconf_is_own(const struct ip_addr *addr);

/*
 * The name servers of this machine that are not this program: those whose address and port are not
 * among `own` (a wildcard there stands for all addresses of the machine). If /etc/resolv.conf has
 * none of those, what systemd-resolved knows; else none.
 */
uint32_t netconf_servers(const struct ip_endpoint *own, uint32_t own_count, struct ip_endpoint *out,
                         uint32_t max);

/* A netlink socket that becomes readable when addresses change, or -1; netconf_drain reads it
 * empty. */
int netconf_monitor(void);
void netconf_drain(int fd);

#endif
