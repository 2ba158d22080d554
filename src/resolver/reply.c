/*
 * Reads a message from an upstream in three steps: does it answer the very question that was asked (P2); is it sound
 * from the first octet to the last (W2); which records belong to the answer (P5, P6). The last step follows the chain from the
 * asked name: for each name on it the whole answer section is looked through, since the order of records means nothing.
 */
#include "resolver/reply.h"

#include <string.h>

#include "base/require.h"
#include "base/ip.h"
#include "dns/edns.h"
#include "dns/ttl.h"

#define CHAIN_MAX 12 /* names on a chain, the asked one included: 11 CNAMEs */

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
    if (be16_read(question + name_len) != x->type || be16_read(question + name_len + 2) != x->klass) {
        return RESPONSE_FOREIGN;
    }
    if (memcmp(question, x->wire, name_len) == 0) {
        return RESPONSE_GOOD;
    }
    return dns_name_matches(msg, len, DNS_HEADER_OCTETS, x->name) ? RESPONSE_CASE : RESPONSE_FOREIGN;
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
    while (dns_walk_next(&walk, &rr)) {
        if (rr.type == DNS_OPT && dns_edns_read(rr.klass, rr.ttl, msg + rr.rdata, rr.rdlen, edns) != ERR_OK) {
            dns_edns_none(edns);
        }
    }
}

static uint32_t ttl_clean(uint32_t ttl)
{
    return ttl > INT32_MAX ? 0 : ttl > DNS_TTL_CAP ? DNS_TTL_CAP : ttl; /* RFC 2181 8 */
}

/* A record's TTL as the settings want it. What must not be cached stays so. */
static uint32_t ttl_clamp(uint32_t ttl, const struct reply_limits *limits)
{
    ttl = ttl_clean(ttl);
    if (ttl == 0) {
        return 0;
    }
    ttl = ttl < limits->ttl_min_s ? limits->ttl_min_s : ttl;
    return ttl > limits->ttl_max_s ? limits->ttl_max_s : ttl;
}

static uint16_t rrsig_covers(const uint8_t *msg, const struct dns_record *rr)
{
    return rr->type == DNS_RRSIG && rr->rdlen >= 18 ? be16_read(msg + rr->rdata) : 0;
}

/* The state of picking records. */
struct scrub {
    const uint8_t *msg;
    size_t len;
    const struct reply_expect *x;
    const struct reply_limits *limits;
    struct reply *out;
    struct dns_name at; /* the name of the chain that records are looked for */
    bool chained;       /* a CNAME leads on from `at` to `next` */
    struct dns_name next;
    bool ended;         /* what was wanted stands at `at` */
    uint32_t ttl_s;     /* least so far */
};

static void keep(struct scrub *s, const struct dns_record *rr, uint32_t ttl_s)
{
    struct reply *out = s->out;
    size_t off = rewrite_record(&out->rewrite, rr, ttl_s);
    if (out->ttl_count < CACHE_RECORDS_MAX) {
        out->ttl_off[out->ttl_count] = (uint16_t)(off - out->records);
    }
    out->ttl_count++;
    if (ttl_s < s->ttl_s) {
        s->ttl_s = ttl_s;
    }
    if (rr->section == DNS_SECTION_ANSWER) {
        out->hit.answers++;
    } else {
        out->hit.authorities++;
    }
}

static void note_address(struct scrub *s, const struct dns_record *rr)
{
    struct ip_addr a;
    if (rr->type == DNS_A && rr->rdlen == 4) {
        a = ip_v4(s->msg + rr->rdata);
    } else if (rr->type == DNS_AAAA && rr->rdlen == 16) {
        a = ip_v6(s->msg + rr->rdata);
    } else {
        return;
    }
    if (ip_is_unspecified(&a)) {
        s->out->hit.flags |= CACHE_HAS_NULL;
    } else if (ip_is_private(&a) || ip_is_loopback(&a) || ip_is_link_local(&a)) {
        s->out->hit.flags |= CACHE_HAS_PRIVATE;
    }
}

/* The CNAME at the chain's present name, if there is one; nothing else then counts there (RFC 1034 3.6.2). */
static bool find_cname(struct scrub *s)
{
    struct dns_walk walk;
    struct dns_record rr;
    s->chained = false;
    if (s->x->type == DNS_CNAME || dns_walk_begin(s->msg, s->len, &walk) != ERR_OK) {
        return s->x->type == DNS_CNAME;
    }
    while (!s->chained && dns_walk_next(&walk, &rr) && rr.section == DNS_SECTION_ANSWER) {
        size_t pos = rr.rdata;
        if (rr.type == DNS_CNAME && rr.klass == s->x->klass && dns_name_matches(s->msg, s->len, rr.owner, &s->at)) {
            s->chained = dns_name_read(s->msg, s->len, &pos, &s->next) == ERR_OK;
        }
    }
    return !walk.bad;
}

/* One record of the answer section that stands at the chain's present name; wanted are those of the type asked for, or the CNAME. */
static void take_answer(struct scrub *s, const struct dns_record *rr)
{
    uint16_t wanted = s->chained ? DNS_CNAME : s->x->type;
    bool signature = rr->type == DNS_RRSIG && wanted != DNS_RRSIG;
    if (signature ? !s->x->dnssec_ok || rrsig_covers(s->msg, rr) != wanted : rr->type != wanted) {
        return;
    }
    if (rr->type == DNS_CNAME && s->chained) {
        if (s->ended) {
            return; /* a second one */
        }
        s->out->hit.flags |= CACHE_HAS_CNAME;
    }
    keep(s, rr, ttl_clamp(rr->ttl, s->limits));
    s->ended = s->ended || !signature;
    note_address(s, rr);
}

/* A DNAME above the present name explains the CNAME that the upstream made of it, RFC 6672 3.1. */
static bool is_dname_above(const struct scrub *s, const struct dns_record *rr)
{
    uint16_t type = rr->type == DNS_RRSIG ? rrsig_covers(s->msg, rr) : rr->type;
    if (type != DNS_DNAME || (rr->type == DNS_RRSIG && !s->x->dnssec_ok)) {
        return false;
    }
    struct dns_name owner;
    size_t pos = rr->owner;
    return dns_name_read(s->msg, s->len, &pos, &owner) == ERR_OK && owner.len < s->at.len &&
           dns_name_within(&s->at, &owner);
}

/* Look the answer section through for records at the present name. */
static bool pick_answers(struct scrub *s)
{
    struct dns_walk walk;
    struct dns_record rr;
    s->ended = false;
    if (!find_cname(s) || dns_walk_begin(s->msg, s->len, &walk) != ERR_OK) {
        return false;
    }
    while (dns_walk_next(&walk, &rr) && rr.section == DNS_SECTION_ANSWER) {
        if (rr.klass != s->x->klass) {
            continue;
        }
        if (dns_name_matches(s->msg, s->len, rr.owner, &s->at)) {
            take_answer(s, &rr);
        } else if (is_dname_above(s, &rr)) {
            keep(s, &rr, ttl_clamp(rr.ttl, s->limits));
        }
    }
    return !walk.bad;
}

/* Follow the chain from the asked name. False if it has no end, or the message broke. */
static bool pick_chain(struct scrub *s)
{
    dns_name_copy(&s->at, s->x->name);
    for (unsigned i = 0; i < CHAIN_MAX; i++) {
        if (!pick_answers(s)) {
            return false;
        }
        dns_name_copy(&s->out->end, &s->at);
        if (!s->chained) {
            return true;
        }
        dns_name_copy(&s->at, &s->next);
    }
    return false;
}

static uint32_t soa_minimum(const uint8_t *msg, const struct dns_record *rr)
{
    return be32_read(msg + rr->rdata + rr->rdlen - 4);
}

/* How long "no" holds: RFC 2308 5. */
static uint32_t negative_ttl(const struct scrub *s, const struct dns_record *soa)
{
    uint32_t ttl = ttl_clean(soa->ttl), minimum = ttl_clean(soa_minimum(s->msg, soa));
    ttl = minimum < ttl ? minimum : ttl;
    return ttl > s->limits->negative_max_s ? s->limits->negative_max_s : ttl;
}

struct authority {
    bool has_soa, has_ns;
    uint32_t ttl_s; /* the SOA's as relayed */
};

static bool is_proof(const struct scrub *s, const struct dns_record *rr)
{
    uint16_t type = rr->type == DNS_RRSIG ? rrsig_covers(s->msg, rr) : rr->type;
    return type == DNS_NSEC || type == DNS_NSEC3 || (rr->type == DNS_RRSIG && type == DNS_SOA);
}

/* The SOA of a negative answer, if its zone holds the chain's last name; with DO also proofs. */
static void take_authority(struct scrub *s, const struct dns_record *rr, bool negative, struct authority *found)
{
    struct dns_name owner;
    size_t pos = rr->owner;
    if (rr->klass != s->x->klass || dns_name_read(s->msg, s->len, &pos, &owner) != ERR_OK) {
        return;
    }
    found->has_ns = found->has_ns || rr->type == DNS_NS;
    if (rr->type == DNS_SOA && negative && !found->has_soa && dns_name_within(&s->out->end, &owner)) {
        found->has_soa = true;
        found->ttl_s = negative_ttl(s, rr);
        keep(s, rr, found->ttl_s);
    } else if (s->x->dnssec_ok && is_proof(s, rr)) {
        keep(s, rr, ttl_clamp(rr->ttl, s->limits));
    }
}

static bool pick_authority(struct scrub *s, bool negative, struct authority *found)
{
    struct dns_walk walk;
    struct dns_record rr;
    *found = (struct authority){.has_soa = false};
    if (dns_walk_begin(s->msg, s->len, &walk) != ERR_OK) {
        return false;
    }
    while (dns_walk_next(&walk, &rr) && rr.section <= DNS_SECTION_AUTHORITY) {
        if (rr.section == DNS_SECTION_AUTHORITY) {
            take_authority(s, &rr, negative, found);
        }
    }
    return !walk.bad;
}

static enum reply_kind scrub(struct scrub *s)
{
    struct reply *out = s->out;
    rewrite_begin(&out->rewrite, out->msg, out->cap, s->x->name, s->x->type, s->x->klass);
    rewrite_from(&out->rewrite, s->msg, s->len, DNS_HEADER_OCTETS + (size_t)s->x->name->len);
    out->records = out->rewrite.w.len;
    struct authority authority;
    if (!pick_chain(s)) {
        return RESPONSE_MALFORMED;
    }
    bool negative = !s->ended;
    bool chained = (out->hit.flags & CACHE_HAS_CNAME) != 0;
    if (!pick_authority(s, negative, &authority) || out->rewrite.w.bad) {
        return RESPONSE_MALFORMED;
    }
    if (negative && out->hit.rcode == DNS_NOERROR && authority.has_ns && !authority.has_soa && out->hit.answers == 0) {
        return RESPONSE_FAILURE; /* a referral: it does not resolve for us */
    }
    out->nxdomain = out->hit.rcode == DNS_NXDOMAIN && out->hit.answers == 0;
    if (negative && chained && !authority.has_soa && out->hit.rcode == DNS_NOERROR) {
        out->hit.flags |= CACHE_DANGLING;
    }
    bool keepable = !negative || authority.has_soa || (out->hit.flags & CACHE_DANGLING) != 0;
    out->ttl_s = keepable && out->ttl_count > 0 && out->ttl_count <= CACHE_RECORDS_MAX ? s->ttl_s : 0;
    out->hit.len = (uint32_t)(out->rewrite.w.len - out->records);
    out->hit.ttl_s = out->ttl_s;
    return RESPONSE_GOOD;
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
        return (rcode == DNS_FORMERR || rcode == DNS_NOTIMP) && expect->edns ? RESPONSE_NO_EDNS : RESPONSE_MALFORMED;
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
    struct scrub s = {.msg = msg, .len = len, .x = expect, .limits = limits, .out = out, .ttl_s = UINT32_MAX};
    return scrub(&s);
}
