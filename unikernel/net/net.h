/*
 * The network of the image: one Ethernet device under lwIP, addresses by DHCP and router
 * advertisements or as configured.
 */
#ifndef UNIKERNEL_NET_H
#define UNIKERNEL_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/rng.h"

struct nic;

struct net_config {
    bool use_dhcp;
    struct ip_addr address, mask, gateway, nameserver; /* when use_dhcp is false */
    const char *hostname;                              /* kept for ever */
    const char *time_server; /* name or address for SNTP unless DHCP names one; NULL: none is asked;
                                kept for ever */
    uint16_t time_port;
    bool probe_address; /* ARP before the offered address is used: a second later, but safe */
};

/* Start lwIP on the device. The generator is borrowed for ever. */
void net_start(struct nic *nic, const struct net_config *cfg, struct rng *rng);

/* Take in what the device has (at most a batch), run timers that are due. True if anything was
 * received. */
bool net_poll(void);

/* How long the loop may sleep for lwIP's sake, in microseconds. */
uint32_t net_sleep_us(void);

/* Resolvers that DHCP or the configuration named, and the networks we are in; both return how many
 * were written. */
uint32_t net_servers(struct ip_endpoint *out, uint32_t max);
uint32_t net_networks(struct ip_prefix *out, uint32_t max);

/* Grows when an address, a nameserver or the link changed. */
uint32_t net_changes(void);

bool net_has_address(void);
bool net_link_up(void);
struct nic_counters;
void net_get_counters(struct nic_counters *out);

struct net_info {
    char v4[48], gateway[48], v6[48]; /* "" if there is none */
    uint32_t v6_count;
    uint64_t rx_octets, tx_octets;
};
void net_get_info(struct net_info *out);

void net_describe(char *text, uint32_t cap); /* "192.168.1.7 fe80::…" for the status line */

#endif
