/*
 * Devices that are known by something else than an address. Tables and statistics go by addresses,
 * so such a device has one that nobody else sends from:
 *
 *      hardware address   fe80::3e22:fbff:fe01:203    the link-local address that is made of it
 *                                                     (RFC 4291, appendix A)
 *      name               100::8f3a:11c0:57d2:9b04    a hash of it in the prefix that is for
 *                                                     discarding (RFC 6666)
 */
#ifndef SINKHOLE_BASE_DEVICE_H
#define SINKHOLE_BASE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/mac.h"
#include "base/span.h"

struct ip_addr device_of_mac(const uint8_t mac[MAC_OCTETS]);

/* The hardware address that an address was made of; false: of none. */
bool device_mac(const struct ip_addr *addr, uint8_t mac[MAC_OCTETS]);

/* Whatever the case of its letters. */
struct ip_addr device_of_name(struct span name);
bool device_is_name(const struct ip_addr *addr);

/* A hardware address as people write it, or any other text: a name. */
struct ip_addr device_of_text(struct span text);

#endif
