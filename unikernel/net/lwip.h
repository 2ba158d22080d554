/*
 * lwIP's headers, included through here only: two of its error constants and a structure have the
 * names of ours (base/err.h, base/ip.h), so they are given others while its headers are read.
 */
#ifndef UNIKERNEL_LWIP_H
#define UNIKERNEL_LWIP_H

#define ERR_OK      LWIP_ERR_OK
#define ERR_TIMEOUT LWIP_ERR_TIMEOUT
#define ip_addr     lwip_ip_addr
#define stats_init  lwip_stats_init

#include "lwip/apps/mdns.h"
#include "lwip/apps/sntp.h"
#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/init.h"
#include "lwip/memp.h"
#include "lwip/netif.h"
#include "lwip/stats.h"
#include "lwip/sys.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"
#include "lwip/udp.h"
#include "netif/ethernet.h"

/* While the names are still lwIP's: its accessor macro uses one of them. */
static inline const ip4_addr_t *lwip_netif_ipv4(const struct netif *n)
{
    return netif_ip4_addr(n);
}

/* Frees the first buffer of a chain and returns the others. (pbuf_dechain would free them too:
 * those of a chain that came together belong to nobody but it.) */
static inline struct pbuf *pbuf_free_first(struct pbuf *p)
{
    struct pbuf *rest = p->next;
    if (rest) {
        pbuf_ref(rest);
    }
    pbuf_free(p);
    return rest;
}

#undef ERR_OK
#undef ERR_TIMEOUT
#undef ip_addr
#undef stats_init

#endif
