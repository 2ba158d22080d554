/*
 * Answers that we make ourselves, built in the buffer that the request came in: the header is
 * rewritten, the question stays as the client wrote it, records are appended.
 */
#ifndef SINKHOLE_DNS_BUILD_H
#define SINKHOLE_DNS_BUILD_H

#include "base/cursor.h"
#include "base/ip.h"
#include "dns/msg.h"

/*
 * An answer under construction. Use: dns_build_begin, any number of records in section order
 * (answer, authority, additional), dns_build_end. What does not fit limit sets TC and drops all
 * records (the OPT stays).
 */
struct dns_build {
    struct writer w;
    size_t limit; /* octets the whole may have */
    const struct dns_request *request;
    uint16_t flags; /* QR | copied RD, CD | RA | rcode */
    uint16_t answers, authorities, extras;
    uint8_t ext_rcode;
};

/*
 * buf holds the request (its header and question are kept), cap octets of room. limit: the most the
 * client takes over its transport (see dns_build_limit). rcode may be an extended one.
 */
void dns_build_begin(struct dns_build *b, uint8_t *buf, size_t cap, size_t limit,
                     const struct dns_request *request, unsigned rcode);

/* The most octets for an answer: TCP 65535; UDP without EDNS 512; else min(client's size, 1232). */
size_t dns_build_limit(const struct dns_request *request, bool tcp);

/* Owner is the question's name (a pointer to offset 12). */
void dns_build_a(struct dns_build *b, uint32_t ttl_s, const uint8_t addr[4]);
void dns_build_aaaa(struct dns_build *b, uint32_t ttl_s, const uint8_t addr[16]);
/* Any rdata as it is; section order is the caller's duty. owner NULL: the question's name. */
void dns_build_record(struct dns_build *b, enum dns_section section, const struct dns_name *owner,
                      uint16_t type, uint32_t ttl_s, const uint8_t *rdata, size_t rdlen);
/* A record of the additional section, behind all others. One that would leave too little room for
 * the OPT is left out without a word (RFC 2181 9). */
void dns_build_extra(struct dns_build *b, const struct dns_name *owner, uint16_t type,
                     uint32_t ttl_s, const uint8_t *rdata, size_t rdlen);
/* A synthetic SOA for negative answers (RFC 2308): owner the question's name, MINIMUM and TTL as
 * given. */
void dns_build_soa(struct dns_build *b, uint32_t ttl_s);

/*
 * Write OPT (only if the request had one; reply NULL for a bare one), counts and flags. Of reply,
 * dnssec_ok and ext_rcode are not read (request and rcode tell them), and udp_size 0 means
 * DNS_UDP_MAX. Returns the length of the message.
 */
size_t dns_build_end(struct dns_build *b, const struct dns_edns_reply *reply);

/*
 * The whole error answer in one call: header, question if question_len > 0, bare OPT if the request
 * had EDNS. Works after any dns_request_status but DROP. Returns the length.
 */
size_t dns_build_error(uint8_t *buf, size_t cap, const struct dns_request *request, unsigned rcode,
                       int ede, const char *ede_text);

/*
 * A query of ours to an upstream: header with RD (and CD if asked), question with the given case
 * bits, OPT with size 1232 and DO if asked. qname_wire is dns_name.wire with 0x20 case already
 * applied by the caller. Returns the length, 0 if cap is too small.
 */
size_t dns_build_query(uint8_t *buf, size_t cap, uint16_t id, uint16_t flags,
                       const uint8_t *qname_wire, size_t qname_len, uint16_t qtype, uint16_t qclass,
                       bool edns, bool dnssec_ok);

#endif
