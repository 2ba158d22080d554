/*
 * lwIP's DHCP client with one switch more. Whether an offered address is asked for on the network
 * before it is taken (RFC 2131 2.2) is fixed when lwIP is built; its only test at run time is the
 * flag for ARP, which in that one file is given a second condition here.
 */
#include "lwip/netif.h"

extern unsigned char net_probe_address;

#undef NETIF_FLAG_ETHARP
#define NETIF_FLAG_ETHARP (net_probe_address ? 0x08U : 0U)

#include "../core/ipv4/dhcp.c"
