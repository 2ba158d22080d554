/*
 * Asking what a device is called: the reverse name of its address, at the upstream that a route
 * names for it (a router), or by multicast at the device itself (RFC 6762). One question at a time,
 * each from a socket of its own, at idle moments of the control thread.
 */
#ifndef SINKHOLE_HOST_NAME_ASK_H
#define SINKHOLE_HOST_NAME_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"
#include "dns/name.h"

struct name_ask {
    int fd; /* -1: nothing is asked */
    uint16_t id;
    bool multicast; /* only the device itself may answer */
    struct ip_addr addr;
    struct dns_name name;
};

/* Send the question for an address; `server` NULL: by multicast, of IPv4 addresses only. ERR_IO. */
MUST_CHECK enum err name_ask_send(struct name_ask *a, const struct ip_addr *addr,
                                  const struct ip_endpoint *server, uint16_t id);

/* What came: true if it is the answer, and `out` is the name, "" if there is none. All else that
 * may come is passed over. */
bool name_ask_receive(struct name_ask *a, char out[DNS_NAME_TEXT]);

void name_ask_end(struct name_ask *a);

/* Total over all octets: is it the answer to this question, and the first name in it. */
bool name_ask_read(const uint8_t *msg, size_t len, uint16_t id, const struct dns_name *asked,
                   char out[DNS_NAME_TEXT]);

#endif
