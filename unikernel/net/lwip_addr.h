/* Addresses between the core (16 octets, IPv4 mapped) and lwIP. */
#ifndef UNIKERNEL_LWIP_ADDR_H
#define UNIKERNEL_LWIP_ADDR_H

#include <string.h>

#include "base/ip.h"
#include "net/lwip.h"

static inline void lwip_from_ip(const struct ip_addr *from, ip_addr_t *out)
{
    memset(out, 0, sizeof *out);
    if (ip_is_v4(from)) {
        IP_SET_TYPE_VAL(*out, IPADDR_TYPE_V4);
        memcpy(&ip_2_ip4(out)->addr, from->b + 12, 4);
    } else {
        IP_SET_TYPE_VAL(*out, IPADDR_TYPE_V6);
        memcpy(ip_2_ip6(out)->addr, from->b, 16);
        ip6_addr_clear_zone(ip_2_ip6(out));
        ip6_addr_assign_zone(ip_2_ip6(out), IP6_UNICAST, netif_default);
    }
}

static inline struct ip_addr lwip_to_ip(const ip_addr_t *from)
{
    return IP_IS_V4(from) ? ip_v4((const uint8_t *)&ip_2_ip4(from)->addr)
                          : ip_v6((const uint8_t *)ip_2_ip6(from)->addr);
}

#endif
