/*
 * IP addresses, prefixes and endpoints. An address is always 16 octets: IPv4 is held as
 * ::ffff:a.b.c.d (RFC 4291 2.5.5.2), so that one comparison serves both families.
 */
#ifndef SINKHOLE_BASE_IP_H
#define SINKHOLE_BASE_IP_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct ip_addr {
    uint8_t b[16];
};

struct ip_prefix {
    struct ip_addr addr; /* bits after `bits` are zero */
    uint8_t bits;        /* 0..128; an IPv4 prefix /n is held as 96+n */
};

struct ip_endpoint {
    struct ip_addr addr;
    uint32_t scope; /* interface index of a link-local address, else 0 */
    uint16_t port;  /* host byte order */
};

#define IP_TEXT_MAX      46 /* octets of any address as text, with NUL (INET6_ADDRSTRLEN) */
#define IP_PREFIX_TEXT   50 /* … with "/128" */
#define IP_ENDPOINT_TEXT 66 /* … "[address%scope]:65535" */

struct ip_addr ip_v4(const uint8_t octets[4]);
struct ip_addr ip_v6(const uint8_t octets[16]);

static inline bool ip_is_v4(const struct ip_addr *a)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return memcmp(a->b, mapped, sizeof mapped) == 0;
}

static inline bool ip_equal(const struct ip_addr *a, const struct ip_addr *b)
{
    return memcmp(a->b, b->b, 16) == 0;
}

bool ip_is_loopback(const struct ip_addr *a);    /* 127/8, ::1 */
bool ip_is_unspecified(const struct ip_addr *a); /* 0.0.0.0, :: */
bool ip_is_link_local(const struct ip_addr *a);  /* 169.254/16, fe80::/10 */
bool ip_is_private(const struct ip_addr *a); /* 10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7 */
bool ip_in_prefix(const struct ip_addr *a, const struct ip_prefix *p);

/* Text to value; the whole text must be used. ERR_FORMAT, or ERR_RANGE for a port or prefix length.
 */
MUST_CHECK enum err ip_parse(struct span text, struct ip_addr *out); /* 192.0.2.1 or 2001:db8::1 */
MUST_CHECK enum err
ip_prefix_parse(struct span text,
                struct ip_prefix *out); /* ADDR or ADDR/BITS; host bits are cleared */
/* ADDR, ADDR:PORT, [ADDR6]:PORT, ADDR6 alone, ADDR#PORT; `default_port` where none stands. */
MUST_CHECK enum err ip_endpoint_parse(struct span text, uint16_t default_port,
                                      struct ip_endpoint *out);

/* Value to NUL-terminated text, RFC 5952 for IPv6; returns its length without NUL. */
size_t ip_format(const struct ip_addr *a, char out[IP_TEXT_MAX]);
size_t ip_prefix_format(const struct ip_prefix *p, char out[IP_PREFIX_TEXT]);
size_t ip_endpoint_format(const struct ip_endpoint *e, char out[IP_ENDPOINT_TEXT]);

#endif
