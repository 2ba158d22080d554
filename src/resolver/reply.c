/*
 * Judges a message from an upstream: does it answer the very question that was asked; is it sound
 * from the first octet to the last; what does it say. Which of its records are kept is scrub.c's.
 */
#include "resolver/reply.h"

#include <string.h>

#include "dns/edns.h"

/* Do header and question fit? RESPONSE_GOOD if so. */
static enum reply_kind match(const uint8_t *msg, size_t len, const struct reply_expect *x)
{
    size_t name_len = x->name->len;
    if (len < DNS_HEADER_OCTETS || be16_read(msg) != x->id) {
        return RESPONSE_FOREIGN;
    }
    uint16_t flags = be16_read(msg + 2);
    if ((flags & DNS_QR) == 0 || (flags & DNS_OPCODE_MASK) != 0) {
        return RESPONSE_FOREIGN;
    }
    if (be16_read(msg + 4) != 1 || len < DNS_HEADER_OCTETS + name_len + 4) {
        return RESPONSE_FOREIGN;
    }
    const uint8_t *question = msg + DNS_HEADER_OCTETS;
    if (be16_read(question + name_len) != x->type ||
        be16_read(question + name_len + 2) != x->klass) {
        return RESPONSE_FOREIGN;
    }
    if (memcmp(question, x->wire, name_len) == 0) {
        return RESPONSE_GOOD;
    }
    return dns_name_matches(msg, len, DNS_HEADER_OCTETS, x->name) ? RESPONSE_CASE
                                                                  : RESPONSE_FOREIGN;
}

/* Reads the OPT record, if there is one; the message is known to be sound. */
static void read_opt(const uint8_t *msg, size_t len, struct dns_edns *edns)
{
    struct dns_walk walk;
    struct dns_record rr;
    dns_edns_none(edns);
    if (dns_walk_begin(msg, len, &walk) != ERR_OK) {
        return;
    }
    while (walk.left[DNS_SECTION_ADDITIONAL] > 0 && dns_walk_next(&walk, &rr)) {
        if (rr.type == DNS_OPT &&
            dns_edns_read(rr.klass, rr.ttl, msg + rr.rdata, rr.rdlen, edns) != ERR_OK) {
            dns_edns_none(edns);
        }
    }
}

enum reply_kind reply_read(const uint8_t *msg, size_t len, const struct reply_expect *expect,
                           const struct reply_limits *limits, struct reply *out)
{
    enum reply_kind kind = match(msg, len, expect);
    if (kind == RESPONSE_FOREIGN || (kind == RESPONSE_CASE && !expect->stream)) {
        return kind;
    }
    uint16_t flags = be16_read(msg + 2);
    if (flags & DNS_TC) {
        return expect->stream ? RESPONSE_MALFORMED : RESPONSE_TRUNCATED;
    }
    unsigned rcode = flags & DNS_RCODE_MASK;
    out->hit = (struct cache_hit){.rcode = (uint8_t)rcode, .ede = DNS_EDE_NONE};
    out->ttl_count = 0;
    out->case_changed = kind == RESPONSE_CASE;
    out->edns = false;
    if (dns_msg_check(msg, len) != ERR_OK) {
        return (rcode == DNS_FORMERR || rcode == DNS_NOTIMP) && expect->edns ? RESPONSE_NO_EDNS
                                                                             : RESPONSE_MALFORMED;
    }
    struct dns_edns edns;
    read_opt(msg, len, &edns);
    out->edns = edns.present;
    out->hit.ede = edns.ede;
    if (edns.ext_rcode != 0) {
        return expect->edns ? RESPONSE_NO_EDNS : RESPONSE_FAILURE;
    }
    if ((rcode == DNS_FORMERR || rcode == DNS_NOTIMP) && expect->edns && !edns.present) {
        return RESPONSE_NO_EDNS;
    }
    if (rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN) {
        return RESPONSE_FAILURE;
    }
    return reply_scrub(msg, len, expect, limits, out);
}
