/*
 * EDNS(0): the OPT record of requests and responses, cookies, Extended DNS Errors. RFC 6891, 7873,
 * 8914.
 */
#ifndef SINKHOLE_DNS_EDNS_H
#define SINKHOLE_DNS_EDNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/ip.h"
#include "dns/proto.h"

#define DNS_COOKIE_CLIENT     8
#define DNS_COOKIE_SERVER_MAX 32
#define DNS_EDNS_OPTIONS_MAX  256 /* options in one OPT; more are ERR_FORMAT */

/*
 * For whom a router says that it asks. An address comes as a client subnet (RFC 7871) of all bits,
 * a device (base/device.h) by its hardware address or else any text. Whether to believe it is the
 * caller's to know.
 */
struct dns_edns_client {
    struct ip_addr addr, device;
    bool has_addr, has_device;
};

struct dns_edns {
    bool present;
    bool dnssec_ok; /* the DO bit */
    uint8_t version;
    uint8_t ext_rcode; /* upper eight bits of the rcode */
    uint16_t udp_size; /* as received, raised to 512 */
    uint8_t
        cookie_len; /* octets in cookie: 0 (none), 8 (client only), 16..40 (client and server) */
    uint8_t cookie[DNS_COOKIE_CLIENT + DNS_COOKIE_SERVER_MAX];
    bool has_ecs; /* options that matter to us; all others are ignored */
    bool has_keepalive;
    bool has_nsid;
    int16_t ede; /* first EDE info code of a response, DNS_EDE_NONE if none */
    struct dns_edns_client client;
};

/* No OPT at all. The octets of the cookie and the client's addresses stay as they are. */
static inline void dns_edns_none(struct dns_edns *e)
{
    e->present = e->dnssec_ok = false;
    e->version = e->ext_rcode = 0;
    e->udp_size = DNS_UDP_MIN;
    e->cookie_len = 0;
    e->has_ecs = e->has_keepalive = e->has_nsid = false;
    e->client.has_addr = e->client.has_device = false;
    e->ede = DNS_EDE_NONE;
}

/*
 * Read an OPT record whose fields the walk already has: klass is the size, ttl the flags, then
 * rdata. Total over all octets. ERR_FORMAT: an option runs past rdlen, or a cookie has a length
 * that RFC 7873 5.2.1 forbids.
 */
MUST_CHECK enum err dns_edns_read(uint16_t klass, uint32_t ttl, const uint8_t *rdata, size_t rdlen,
                                  struct dns_edns *out);

/* What a response's OPT says. */
struct dns_edns_reply {
    uint16_t udp_size; /* advertised */
    bool dnssec_ok;    /* copied from the request */
    uint8_t ext_rcode;
    int16_t ede;           /* info code or DNS_EDE_NONE */
    const char *ede_text;  /* UTF-8, may be NULL; cut to 200 octets */
    const uint8_t *cookie; /* may be NULL */
    uint8_t cookie_len;
    int32_t keepalive; /* TCP idle time in units of 100 ms, -1: do not send (RFC 7828) */
};

/*
 * Append an OPT record. If it does not fit, first the EDE text, then EDE, then the other options
 * go; w->bad only if a bare OPT has no room. A text is cut between UTF-8 sequences.
 */
void dns_edns_write(struct writer *w, const struct dns_edns_reply *reply);

/*
 * Server cookies by RFC 9018: client cookie, version 1, time, and SipHash-2-4 over them and the
 * client's address.
 */
struct dns_cookie_key {
    uint8_t key[16];
};
/* addr_len is 4 or 16: RFC 9018 4.4 hashes IPv4 addresses as four octets. out: 8 client octets of
 * `client` followed by 16 of ours. */
void dns_cookie_make(const struct dns_cookie_key *key, const uint8_t client[DNS_COOKIE_CLIENT],
                     const void *addr, size_t addr_len, uint32_t now_unix, uint8_t out[24]);
/* Is the 24-octet cookie one of ours, for this address, not older than an hour nor more than five
 * minutes ahead? */
bool dns_cookie_valid(const struct dns_cookie_key *key, const uint8_t cookie[24], const void *addr,
                      size_t addr_len, uint32_t now_unix);

#endif
