/*
 * lwIP's settings: raw API, one thread, IPv4 and IPv6, bounded pools. What each pool can cost
 * stands in docs/limits.md.
 */
#ifndef UNIKERNEL_LWIPOPTS_H
#define UNIKERNEL_LWIPOPTS_H

#define NO_SYS               1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN         0
#define LWIP_SOCKET          0
#define LWIP_TIMERS          1

#define LWIP_IPV4            1
#define LWIP_IPV6            1
#define IPV6_FRAG_COPYHEADER 1 /* 64-bit pointers do not fit the fragment header in place */
#define IP_REASSEMBLY                                                           \
    0 /* DNS over UDP stays under 1232 octets; fragments are an attacker's tool \
       */
#define IP_FRAG                   0
#define LWIP_IPV6_REASS           0
#define LWIP_IPV6_FRAG            0
#define IP_FORWARD                0
#define LWIP_DHCP                 1
#define LWIP_DHCP_MAX_NTP_SERVERS 1
#define LWIP_DHCP_GET_NTP_SRV     1
#define LWIP_IPV6_AUTOCONFIG      1
#define LWIP_IPV6_DHCP6           0
#define LWIP_AUTOIP               0
#define LWIP_DNS                                                                              \
    1 /* only to find list servers and time servers; the house's questions go through our own \
         engine */
#define LWIP_IGMP                      1
#define LWIP_MDNS_RESPONDER            1
#define LWIP_NUM_NETIF_CLIENT_DATA     4
#define LWIP_NETIF_HOSTNAME            1
#define LWIP_NETIF_EXT_STATUS_CALLBACK 1
#define LWIP_NETIF_LINK_CALLBACK       1
#define LWIP_NETIF_STATUS_CALLBACK     1
#define ARP_QUEUEING                   1
#define ARP_TABLE_SIZE                 64
#define ETHARP_TABLE_MATCH_NETIF       1
#define LWIP_ND6_NUM_NEIGHBORS         64
#define LWIP_ND6_NUM_DESTINATIONS      64
#define LWIP_BROADCAST_PING            0
#define LWIP_MULTICAST_PING            0

#define MEM_ALIGNMENT     8
#define MEM_SIZE          (4 * 1024 * 1024)
#define MEMP_NUM_PBUF     256
#define PBUF_POOL_SIZE    512
#define PBUF_POOL_BUFSIZE 1600
#define MEMP_NUM_UDP_PCB \
    1024 /* one for each question in flight at an upstream, each with its own random port */
#define MEMP_NUM_TCP_PCB        192
#define MEMP_NUM_TCP_PCB_LISTEN 8
#define MEMP_NUM_TCP_SEG        1024
#define MEMP_NUM_SYS_TIMEOUT    32
#define TCP_MSS                 1460
#define TCP_WND                 (32 * TCP_MSS)
#define TCP_SND_BUF             (16 * TCP_MSS)
#define TCP_SND_QUEUELEN        128
#define TCP_LISTEN_BACKLOG      1
#define LWIP_TCP_KEEPALIVE      1
#define LWIP_TCP_TIMESTAMPS     0

#define LWIP_HOOK_FILENAME "net/lwip_hooks.h"

#define LWIP_STATS                  1
#define LWIP_STATS_LARGE            1
#define LWIP_STATS_DISPLAY          1 /* pools have names */
#define LWIP_CHKSUM_ALGORITHM       3
#define LWIP_CHECKSUM_ON_COPY       1
#define SNTP_SERVER_DNS             1
#define SNTP_MAX_SERVERS            1 /* with more, two that refuse are asked in turns without a pause */
#define SNTP_RECV_TIMEOUT           3000
#define SNTP_RETRY_TIMEOUT          3000
#define SNTP_RETRY_TIMEOUT_MAX      600000
#define SNTP_GET_SERVERS_FROM_DHCP  1
#define SNTP_STARTUP_DELAY          0
#define SNTP_CHECK_RESPONSE         2 /* from the asked server, with our own time stamp in it */
#define SNTP_UPDATE_DELAY           21600000
#define SNTP_PORT                   net_time_port /* tests have a server of their own */
#define SNTP_GET_SYSTEM_TIME(s, us) net_time_get(&(s), &(us))

#endif
