/*
 * TTLs of stored responses.
 */
#include "dns/ttl.h"

#include "base/span.h"

/* RFC 2181 8: a TTL with the top bit set counts as zero. */
static uint32_t ttl_sane(uint32_t ttl_s)
{
    return ttl_s > INT32_MAX ? 0 : ttl_s;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* What one walk over a response finds. */
struct findings {
    bool answered; /* the answer section holds a record of the asked type */
    bool has_soa;  /* in the authority section */
    uint32_t answer_ttl_s;
    uint32_t soa_ttl_s;
};

static void find_in_record(const uint8_t *msg, const struct dns_record *rr, uint16_t qtype,
                           struct findings *f)
{
    uint32_t ttl_s = ttl_sane(rr->ttl);
    if (rr->section == DNS_SECTION_ANSWER) {
        f->answered = f->answered || rr->type == qtype || qtype == DNS_ANY;
        f->answer_ttl_s = least(f->answer_ttl_s, ttl_s);
    } else if (rr->section == DNS_SECTION_AUTHORITY && rr->type == DNS_SOA && rr->rdlen >= 4) {
        /* MINIMUM is the last of its fields. */
        uint32_t minimum_s = ttl_sane(be32_read(msg + rr->rdata + rr->rdlen - 4));
        f->has_soa = true;
        f->soa_ttl_s = least(f->soa_ttl_s, least(ttl_s, minimum_s));
    }
}

/* The type of the only question; false if there is not exactly one. */
static bool asked_type(const uint8_t *msg, size_t len, uint16_t *out)
{
    size_t pos = DNS_HEADER_OCTETS;
    if (len < DNS_HEADER_OCTETS || be16_read(msg + 4) != 1 ||
        dns_name_skip(msg, len, &pos) != ERR_OK || len - pos < 4) {
        return false;
    }
    *out = be16_read(msg + pos);
    return true;
}

uint32_t dns_ttl_of_response(const uint8_t *msg, size_t len, const struct dns_ttl_limits *limits)
{
    struct dns_walk walk;
    uint16_t qtype;
    if (!asked_type(msg, len, &qtype) || dns_walk_begin(msg, len, &walk) != ERR_OK) {
        return 0;
    }
    unsigned flags = be16_read(msg + 2);
    unsigned rcode = flags & DNS_RCODE_MASK;
    if ((flags & DNS_TC) || (rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN)) {
        return 0;
    }
    struct findings f = {.answer_ttl_s = UINT32_MAX, .soa_ttl_s = UINT32_MAX};
    struct dns_record rr;
    while (dns_walk_next(&walk, &rr)) {
        find_in_record(msg, &rr, qtype, &f);
    }
    if (walk.bad) {
        return 0;
    }
    if (rcode == DNS_NOERROR && f.answered) {
        uint32_t ttl_s = f.answer_ttl_s;
        if (ttl_s > 0 && ttl_s < limits->min_s) {
            ttl_s = limits->min_s;
        }
        return least(ttl_s, least(limits->max_s, DNS_TTL_CAP));
    }
    /* Negative, maybe at the end of a chain of CNAMEs, which must not outlive their own TTLs
     * either. */
    if (!f.has_soa) {
        return 0;
    }
    return least(least(f.answer_ttl_s, f.soa_ttl_s), least(limits->negative_max_s, DNS_TTL_CAP));
}

size_t dns_ttl_offsets(const uint8_t *msg, size_t len, uint16_t *offsets, size_t max)
{
    struct dns_walk walk;
    if (dns_walk_begin(msg, len, &walk) != ERR_OK) {
        return 0;
    }
    size_t count = 0;
    struct dns_record rr;
    while (dns_walk_next(&walk, &rr)) {
        if (rr.type == DNS_OPT || rr.ttl_off > UINT16_MAX) {
            continue;
        }
        if (count < max) {
            offsets[count] = (uint16_t)rr.ttl_off;
        }
        count++;
    }
    return count;
}

void dns_ttl_age(uint8_t *msg, const uint16_t *offsets, size_t count, uint32_t age_s,
                 uint32_t cap_s)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t *field = msg + offsets[i];
        uint32_t ttl_s = ttl_sane(be32_read(field));
        ttl_s = ttl_s > age_s ? ttl_s - age_s : 0;
        be32_write(field, least(ttl_s, cap_s));
    }
}

void dns_ttl_set(uint8_t *msg, const uint16_t *offsets, size_t count, uint32_t ttl_s)
{
    for (size_t i = 0; i < count; i++) {
        be32_write(msg + offsets[i], ttl_s);
    }
}
