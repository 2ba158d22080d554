/*
 * Between the core's addresses and the kernel's.
 */
#include "host/sockaddr.h"

socklen_t sockaddr_from_ip(const struct ip_addr *addr, uint16_t port, uint32_t scope,
                           union sockaddr_any *out)
{
    memset(out, 0, sizeof *out);
    if (ip_is_v4(addr)) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(port);
        memcpy(&out->v4.sin_addr, addr->b + 12, 4);
        return sizeof out->v4;
    }
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(port);
    out->v6.sin6_scope_id = scope;
    memcpy(&out->v6.sin6_addr, addr->b, 16);
    return sizeof out->v6;
}

socklen_t sockaddr_from_endpoint(const struct ip_endpoint *endpoint, union sockaddr_any *out)
{
    return sockaddr_from_ip(&endpoint->addr, endpoint->port, endpoint->scope, out);
}

void sockaddr_to_endpoint(const union sockaddr_any *in, struct ip_endpoint *out)
{
    memset(out, 0, sizeof *out);
    if (in->sa.sa_family == AF_INET) {
        out->addr = ip_v4((const uint8_t *)&in->v4.sin_addr);
        out->port = ntohs(in->v4.sin_port);
    } else if (in->sa.sa_family == AF_INET6) {
        out->addr = ip_v6((const uint8_t *)&in->v6.sin6_addr);
        out->port = ntohs(in->v6.sin6_port);
        if (IN6_IS_ADDR_LINKLOCAL(&in->v6.sin6_addr)) {
            out->scope = in->v6.sin6_scope_id;
        }
    }
}
