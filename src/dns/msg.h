/*
 * DNS messages as they come in: header, question, EDNS, and a walk over records. Everything is
 * total: each string of octets gives a verdict in time proportional to its length, without
 * allocation.
 */
#ifndef SINKHOLE_DNS_MSG_H
#define SINKHOLE_DNS_MSG_H

#include <stdbool.h>

#include "dns/edns.h"
#include "dns/name.h"
#include "dns/proto.h"

/* What to do with a request, by RFC 1035 4.1, RFC 9619, RFC 6891. */
enum dns_request_status {
    DNS_REQUEST_OK,
    DNS_REQUEST_DROP,    /* shorter than a header, or a response (QR=1): no answer at all */
    DNS_REQUEST_FORMERR, /* counts, name, OPT or trailing octets are wrong */
    DNS_REQUEST_NOTIMP,  /* opcode other than QUERY */
    DNS_REQUEST_BADVERS  /* EDNS version other than 0; the question and edns are filled */
};

/* Records of all sections together that a request may have; real ones have one or two. */
#define DNS_REQUEST_RECORDS_MAX 64

/*
 * A request. After FORMERR and NOTIMP only id, flags, question_len (0 where the question was not
 * readable) and edns.present and .dnssec_ok mean something: what dns_build_error needs. After DROP
 * nothing is set.
 */
struct dns_request {
    uint16_t id;
    uint16_t flags; /* as received: DNS_RD, DNS_CD, DNS_AD, opcode */
    uint16_t qtype;
    uint16_t qclass;
    uint16_t question_len; /* octets of the question from offset 12, as they stand (client's case,
                              never compressed) */
    struct dns_edns edns;
    struct dns_name qname; /* lower case */
};

/*
 * Parse a request. `out` is filled as told above. Records in answer and authority sections of a
 * query, and additional records but OPT, are walked for form and ignored (a TSIG makes it FORMERR,
 * and so do more than DNS_REQUEST_RECORDS_MAX of them). A name in the question is never compressed.
 * TC, AA, Z and rcode of a query are ignored. Cost: O(len).
 */
enum dns_request_status dns_request_parse(const uint8_t *msg, size_t len, struct dns_request *out);

enum dns_section { DNS_SECTION_ANSWER, DNS_SECTION_AUTHORITY, DNS_SECTION_ADDITIONAL };

/* One record in place. */
struct dns_record {
    size_t owner;   /* offset of the owner name in the message */
    size_t ttl_off; /* offset of the TTL field */
    size_t rdata;   /* offset of rdata */
    uint32_t ttl;   /* seconds as received */
    uint16_t type;
    uint16_t klass;
    uint16_t rdlen;
    uint8_t section; /* enum dns_section */
};

/* A walk over the records of a message. */
struct dns_walk {
    const uint8_t *msg;
    size_t len;
    size_t pos;       /* next record */
    uint16_t left[3]; /* records left by section */
    bool bad;         /* the message broke off or a name was wrong: stop */
};

/* Start after the question section (QDCOUNT questions are skipped). ERR_SHORT or ERR_FORMAT. */
MUST_CHECK enum err dns_walk_begin(const uint8_t *msg, size_t len, struct dns_walk *walk);

/* The next record; false at the end or when bad is set. */
bool dns_walk_next(struct dns_walk *walk, struct dns_record *out);

/*
 * Strict verdict over a whole message, for responses before they are cached or passed on: all
 * counted questions and records are there with good names and good rdata, at most one OPT, with
 * root owner and in the additional section, and no octets after the last record. Pointers lead to
 * where a label of an earlier name begins, so that no name borrows octets of a TTL or of opaque
 * rdata. A message whose names cost more to expand than any honest one (a compression bomb) is
 * malformed too. Cost: O(len), however names are compressed. ERR_SHORT or ERR_FORMAT.
 */
MUST_CHECK enum err dns_msg_check(const uint8_t *msg, size_t len);

/* Has rdata the length and inner names that its type asks for (A, AAAA, NS, CNAME, PTR, DNAME, MX,
 * SOA, SRV, …)? Unknown types pass. */
bool dns_record_rdata_ok(const uint8_t *msg, size_t len, const struct dns_record *rr);

/* Type as text: "A", "HTTPS", "TYPE65280" (RFC 3597); out has 16 octets; returns out. */
const char *dns_type_format(uint16_t type, char out[16]);
MUST_CHECK enum err dns_type_parse(struct span text, uint16_t *out);
const char *
dns_rcode_name(unsigned rcode); /* "NOERROR" …; "RCODE11" style is not made: unknown is "UNKNOWN" */

#endif
