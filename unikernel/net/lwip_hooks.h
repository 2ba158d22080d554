/* What lwIP asks us on the way of a packet. */
#ifndef UNIKERNEL_LWIP_HOOKS_H
#define UNIKERNEL_LWIP_HOOKS_H

struct pbuf;

/*
 * A client may begin a new connection from a port whose last one we have closed less than two
 * minutes ago (RFC 9293 3.6.1: if its sequence numbers are beyond the old ones). lwIP answers such
 * a SYN as if the old connection were still there, and the client waits in vain; so the old one is
 * forgotten before lwIP sees it. Called with the IP header in front; always 0: lwIP goes on.
 */
int net_new_connection_hook(const struct pbuf *p);

#define LWIP_HOOK_IP4_INPUT(p, netif) net_new_connection_hook(p)
#define LWIP_HOOK_IP6_INPUT(p, netif) net_new_connection_hook(p)

#endif
