/*
 * lwIP's headers, included through here only: two of its error constants have the names of ours (base/err.h), so they are given others
 * while its headers are read.
 */
#ifndef UNIKERNEL_LWIP_H
#define UNIKERNEL_LWIP_H

#define ERR_OK      LWIP_ERR_OK
#define ERR_TIMEOUT LWIP_ERR_TIMEOUT

#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/init.h"
#include "lwip/memp.h"
#include "lwip/netif.h"
#include "lwip/stats.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"
#include "lwip/udp.h"
#include "netif/ethernet.h"

#undef ERR_OK
#undef ERR_TIMEOUT

#endif
