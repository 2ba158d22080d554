/*
 * Between the core's addresses and the kernel's.
 */
#ifndef SINKHOLE_HOST_SOCKADDR_H
#define SINKHOLE_HOST_SOCKADDR_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/ip.h"

/* Either family; smaller than sockaddr_storage, since one stands beside each packet of a batch. */
union sockaddr_any {
    struct sockaddr sa;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Fill `out` and return its length. IPv4 becomes AF_INET, never a mapped AF_INET6 address. */
socklen_t sockaddr_from_ip(const struct ip_addr *addr, uint16_t port, uint32_t scope,
                           union sockaddr_any *out);
socklen_t sockaddr_from_endpoint(const struct ip_endpoint *endpoint, union sockaddr_any *out);

/* `in` holds AF_INET or AF_INET6, else out is all zero. The scope is kept for link-local addresses
 * only. */
void sockaddr_to_endpoint(const union sockaddr_any *in, struct ip_endpoint *out);

#endif
