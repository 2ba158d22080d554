/*
 * Requests and the walk over records. A request is judged in one pass over its octets: the labels
 * of its name are found and checked in place, lowered by words into the result, and whatever
 * follows is stepped over.
 */
#include "dns/msg.h"

#include "base/span.h"
#include "dns/name_scan.h"

#define QUESTION_FIXED 4  /* octets of a question after its name */
#define RECORD_FIXED   10 /* octets of a record between owner and rdata */

enum { COUNT_QUESTION = 4, COUNT_ANSWER = 6, COUNT_AUTHORITY = 8, COUNT_ADDITIONAL = 10 };

/* Reads the one question at offset 12; what it filled stands even if the rest is bad. */
static ALWAYS_INLINE bool question_read(const uint8_t *msg, size_t len, struct dns_request *out)
{
    const uint8_t *wire = msg + DNS_HEADER_OCTETS;
    size_t left = len - DNS_HEADER_OCTETS;
    size_t size = dns_labels_scan(wire, left, out->qname.off, &out->qname.labels);
    if (size == 0 || left - size < QUESTION_FIXED) {
        return false;
    }
    dns_lower_copy(out->qname.wire, wire, size);
    out->qname.len = (uint8_t)size;
    out->qtype = be16_read(wire + size);
    out->qclass = be16_read(wire + size + 2);
    out->question_len = (uint16_t)(size + QUESTION_FIXED);
    return true;
}

static bool questions_skip(const uint8_t *msg, size_t len, unsigned count, size_t *pos)
{
    for (; count > 0; count--) {
        if (dns_name_skip(msg, len, pos) != ERR_OK || len - *pos < QUESTION_FIXED) {
            return false;
        }
        *pos += QUESTION_FIXED;
    }
    return true;
}

/* Reads a record's fixed part and steps over it. */
static ALWAYS_INLINE bool record_read(const uint8_t *msg, size_t len, size_t *pos,
                                      struct dns_record *rr)
{
    rr->owner = *pos;
    if (*pos < len && msg[*pos] == 0) {
        *pos += 1; /* the root, as OPT has it */
    } else if (dns_name_skip(msg, len, pos) != ERR_OK) {
        return false;
    }
    if (len - *pos < RECORD_FIXED) {
        return false;
    }
    const uint8_t *p = msg + *pos;
    rr->type = be16_read(p);
    rr->klass = be16_read(p + 2);
    rr->ttl_off = *pos + 4;
    rr->ttl = be32_read(p + 4);
    rr->rdlen = be16_read(p + 8);
    rr->rdata = *pos + RECORD_FIXED;
    if (len - rr->rdata < rr->rdlen) {
        return false;
    }
    *pos = rr->rdata + rr->rdlen;
    return true;
}

/*
 * Takes an OPT record of a request, RFC 6891 6.1.1. Even where it is wrong the answer will carry an
 * OPT, so that the client does not take us for a server without EDNS.
 */
static bool request_opt(const uint8_t *msg, const struct dns_record *rr, bool additional,
                        struct dns_edns *edns)
{
    bool again = edns->present;
    edns->present = true;
    if (again || !additional || msg[rr->owner] != 0) {
        return false;
    }
    edns->dnssec_ok = (rr->ttl & DNS_EDNS_DO) != 0;
    return dns_edns_read(rr->klass, rr->ttl, msg + rr->rdata, rr->rdlen, edns) == ERR_OK;
}

/* Walks what follows the questions; false if any of it is wrong. */
static bool request_records(const uint8_t *msg, size_t len, size_t pos, struct dns_edns *edns)
{
    unsigned before = (unsigned)be16_read(msg + COUNT_ANSWER) + be16_read(msg + COUNT_AUTHORITY);
    unsigned total = before + be16_read(msg + COUNT_ADDITIONAL);
    if (total > DNS_REQUEST_RECORDS_MAX) {
        return false;
    }
    bool ok = true;
    for (unsigned i = 0; i < total; i++) {
        struct dns_record rr;
        if (!record_read(msg, len, &pos, &rr)) {
            return false;
        }
        if (rr.type == DNS_OPT) {
            ok = request_opt(msg, &rr, i >= before, edns) && ok;
        } else if (rr.type == DNS_TSIG) {
            ok = false; /* we share no key with anybody, RFC 8945 5.2 */
        }
    }
    return ok && pos == len;
}

static bool request_body(const uint8_t *msg, size_t len, struct dns_request *out)
{
    unsigned questions = be16_read(msg + COUNT_QUESTION);
    if (LIKELY(questions == 1)) {
        if (!question_read(msg, len, out)) {
            return false;
        }
        return request_records(msg, len, DNS_HEADER_OCTETS + (size_t)out->question_len, &out->edns);
    }
    /* RFC 9619: exactly one. Walk on only to learn whether the answer needs an OPT. */
    size_t pos = DNS_HEADER_OCTETS;
    if (questions <= DNS_REQUEST_RECORDS_MAX && questions_skip(msg, len, questions, &pos)) {
        (void)request_records(msg, len, pos, &out->edns);
    }
    return false;
}

enum dns_request_status dns_request_parse(const uint8_t *msg, size_t len, struct dns_request *out)
{
    if (len < DNS_HEADER_OCTETS) {
        return DNS_REQUEST_DROP;
    }
    uint16_t flags = be16_read(msg + 2);
    if (flags & DNS_QR) {
        return DNS_REQUEST_DROP;
    }
    out->id = be16_read(msg);
    out->flags = flags;
    out->question_len = 0;
    dns_edns_none(&out->edns);
    bool ok = request_body(msg, len, out);
    if (UNLIKELY((flags & DNS_OPCODE_MASK) != 0)) {
        return DNS_REQUEST_NOTIMP;
    }
    if (!ok) {
        return DNS_REQUEST_FORMERR;
    }
    return LIKELY(out->edns.version == 0) ? DNS_REQUEST_OK : DNS_REQUEST_BADVERS;
}

enum err dns_walk_begin(const uint8_t *msg, size_t len, struct dns_walk *walk)
{
    if (len < DNS_HEADER_OCTETS) {
        return ERR_SHORT;
    }
    size_t pos = DNS_HEADER_OCTETS;
    if (!questions_skip(msg, len, be16_read(msg + COUNT_QUESTION), &pos)) {
        return ERR_FORMAT;
    }
    *walk = (struct dns_walk){
        .msg = msg,
        .len = len,
        .pos = pos,
        .left = {be16_read(msg + COUNT_ANSWER), be16_read(msg + COUNT_AUTHORITY),
                 be16_read(msg + COUNT_ADDITIONAL)},
    };
    return ERR_OK;
}

bool dns_walk_next(struct dns_walk *walk, struct dns_record *out)
{
    unsigned section = DNS_SECTION_ANSWER;
    while (walk->left[section] == 0) {
        if (section++ == DNS_SECTION_ADDITIONAL) {
            return false;
        }
    }
    size_t pos = walk->pos;
    struct dns_record rr;
    if (walk->bad || !record_read(walk->msg, walk->len, &pos, &rr)) {
        walk->bad = true;
        return false;
    }
    rr.section = (uint8_t)section;
    walk->pos = pos;
    walk->left[section]--;
    *out = rr;
    return true;
}
