/*
 * Which records of an upstream's answer are kept: the CNAME chain from the asked name, whatever
 * order its records stand in, what was asked for at its end, and for negative answers the SOA. With
 * DO also signatures and proofs. Everything else is left behind.
 *
 * The answer section is read twice: once for the few records that chains are made of, once for
 * those at the end. What a hostile message can cost is bounded by the number of such records and by
 * the labels that may be compared.
 */
#include <string.h>

#include "base/ip.h"
#include "dns/ttl.h"
#include "resolver/reply.h"

enum {
    CHAIN_MAX = 12, /* names on a chain, the asked one included: 11 CNAMEs */
    LINKS_MAX = 48, /* CNAMEs, DNAMEs and their signatures; more are a sign of ill will */
    COMPARED_LABELS = 32768
};

/* The state of picking records. */
struct scrub {
    const uint8_t *msg;
    size_t len;
    const struct reply_expect *x;
    const struct reply_limits *limits;
    struct reply *out;
    struct dns_name at; /* the name of the chain that records are looked for */
    size_t hit, miss;   /* offsets of owners that are known to be `at`, and not to be; 0: none */
    unsigned compared;
    uint32_t ttl_s;         /* least so far */
    struct dns_walk behind; /* at the first record behind the answer section */
    unsigned link_count;
    struct dns_record links[LINKS_MAX];
};

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

/* The type that a record is about: a signature's is that of what it signs. */
static uint16_t type_about(const struct scrub *s, const struct dns_record *rr)
{
    return rr->type == DNS_RRSIG && rr->rdlen >= 18 ? be16_read(s->msg + rr->rdata) : rr->type;
}

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

static void note_address(struct scrub *s, const struct ip_addr *a)
{
    if (ip_is_unspecified(a)) {
        s->out->hit.flags |= CACHE_HAS_NULL;
    } else if (ip_is_private(a) || ip_is_loopback(a) || ip_is_link_local(a)) {
        s->out->hit.flags |= CACHE_HAS_PRIVATE;
    }
}

/* Addresses that HTTPS and SVCB records hint at, RFC 9460 7.3: browsers may go there without asking
 * on. */
static void note_hints(struct scrub *s, const struct dns_record *rr)
{
    enum { IPV4HINT = 4, IPV6HINT = 6 };
    struct reader params = reader_of(s->msg + rr->rdata, rr->rdlen);
    struct dns_name target;
    size_t pos = rr->rdata + 2;
    if (rr->rdlen < 3 || dns_name_read(s->msg, s->len, &pos, &target) != ERR_OK ||
        reader_take(&params, pos - rr->rdata) == NULL) {
        return;
    }
    while (reader_left(&params) >= 4 && !params.bad) {
        unsigned key = reader_be16(&params);
        size_t len = reader_be16(&params);
        size_t each = key == IPV4HINT ? 4 : 16;
        const uint8_t *p = reader_take(&params, len);
        for (size_t i = 0; p != NULL && (key == IPV4HINT || key == IPV6HINT) && i + each <= len;
             i += each) {
            struct ip_addr a = key == IPV4HINT ? ip_v4(p + i) : ip_v6(p + i);
            note_address(s, &a);
        }
    }
}

/* Private and null addresses are marked; what to do about them is the policy's. */
static void note_addresses(struct scrub *s, const struct dns_record *rr)
{
    struct ip_addr a;
    if (rr->type == DNS_A && rr->rdlen == 4) {
        a = ip_v4(s->msg + rr->rdata);
        note_address(s, &a);
    } else if (rr->type == DNS_AAAA && rr->rdlen == 16) {
        a = ip_v6(s->msg + rr->rdata);
        note_address(s, &a);
    } else if (rr->type == DNS_HTTPS || rr->type == DNS_SVCB) {
        note_hints(s, rr);
    }
}

static void move_to(struct scrub *s, const struct dns_name *name, size_t known)
{
    dns_name_copy(&s->at, name);
    s->hit = known;
    s->miss = 0;
}

/* Does the record stand at the chain's present name? Most owners are pointers to one of two places.
 */
static bool stands_here(struct scrub *s, const struct dns_record *rr)
{
    size_t off = rr->owner;
    if (s->msg[off] >= 0xc0) {
        off = (s->msg[off] & 0x3fU) << 8 | s->msg[off + 1];
    }
    if (off == s->hit || off == s->miss) {
        return off == s->hit;
    }
    s->compared += s->at.labels + 1U;
    bool here = dns_name_matches(s->msg, s->len, off, &s->at);
    *(here ? &s->hit : &s->miss) = off;
    return here;
}

static bool is_link(const struct scrub *s, const struct dns_record *rr)
{
    uint16_t type = type_about(s, rr);
    bool link = type == DNS_CNAME || type == DNS_DNAME;
    return link && rr->klass == s->x->klass && s->x->type != DNS_CNAME &&
           (rr->type != DNS_RRSIG || s->x->dnssec_ok);
}

static bool next_answer(struct dns_walk *walk, struct dns_record *rr)
{
    return walk->left[DNS_SECTION_ANSWER] > 0 && dns_walk_next(walk, rr);
}

/* Note the records that chains are made of, and where the section ends. */
static bool collect_links(struct scrub *s)
{
    struct dns_walk walk;
    struct dns_record rr;
    if (dns_walk_begin(s->msg, s->len, &walk) != ERR_OK) {
        return false;
    }
    while (next_answer(&walk, &rr)) {
        if (!is_link(s, &rr)) {
            continue;
        }
        if (s->link_count == LINKS_MAX) {
            return false;
        }
        s->links[s->link_count++] = rr;
    }
    s->behind = walk;
    return !walk.bad;
}

/* A DNAME above the present name explains the CNAME that the upstream made of it, RFC 6672 3.1. */
static bool stands_above(const struct scrub *s, const struct dns_record *rr)
{
    struct dns_name owner;
    size_t pos = rr->owner;
    return dns_name_read(s->msg, s->len, &pos, &owner) == ERR_OK && owner.len < s->at.len &&
           dns_name_within(&s->at, &owner);
}

static const struct dns_record *find_cname(struct scrub *s)
{
    for (unsigned i = 0; i < s->link_count; i++) {
        if (s->links[i].type == DNS_CNAME && stands_here(s, &s->links[i])) {
            return &s->links[i];
        }
    }
    return NULL;
}

/* One step along the chain: the DNAMEs above, the CNAME, their signatures. */
static bool keep_link(struct scrub *s, const struct dns_record *cname)
{
    struct dns_name next;
    size_t pos = cname->rdata;
    if (dns_name_read(s->msg, s->len, &pos, &next) != ERR_OK) {
        return false;
    }
    for (unsigned i = 0; i < s->link_count; i++) {
        const struct dns_record *rr = &s->links[i];
        if (type_about(s, rr) == DNS_DNAME && stands_above(s, rr)) {
            keep(s, rr, ttl_clamp(rr->ttl, s->limits));
        }
    }
    keep(s, cname, ttl_clamp(cname->ttl, s->limits));
    for (unsigned i = 0; i < s->link_count; i++) {
        const struct dns_record *rr = &s->links[i];
        if (rr->type == DNS_RRSIG && type_about(s, rr) == DNS_CNAME && stands_here(s, rr)) {
            keep(s, rr, ttl_clamp(rr->ttl, s->limits));
        }
    }
    s->out->hit.flags |= CACHE_HAS_CNAME;
    move_to(s, &next, 0);
    return true;
}

/* Follow the chain from the asked name to its end. False if it has none. */
static bool keep_chain(struct scrub *s)
{
    move_to(s, s->x->name, DNS_HEADER_OCTETS);
    for (unsigned i = 0; i < CHAIN_MAX; i++) {
        const struct dns_record *cname = find_cname(s);
        if (cname == NULL) {
            dns_name_copy(&s->out->end, &s->at);
            return true;
        }
        if (!keep_link(s, cname)) {
            return false;
        }
    }
    return false;
}

/* What was asked for, at the end of the chain. *any: there is some of it. */
static bool keep_answers(struct scrub *s, bool *any)
{
    struct dns_walk walk;
    struct dns_record rr;
    *any = false;
    if (dns_walk_begin(s->msg, s->len, &walk) != ERR_OK) {
        return false;
    }
    while (s->compared <= COMPARED_LABELS && next_answer(&walk, &rr)) {
        bool signature = rr.type == DNS_RRSIG && s->x->type != DNS_RRSIG;
        uint16_t type = signature ? type_about(s, &rr) : rr.type;
        if (type != s->x->type || rr.klass != s->x->klass || (signature && !s->x->dnssec_ok) ||
            !stands_here(s, &rr)) {
            continue;
        }
        keep(s, &rr, ttl_clamp(rr.ttl, s->limits));
        note_addresses(s, &rr);
        *any = *any || !signature;
    }
    return !walk.bad && s->compared <= COMPARED_LABELS;
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
    unsigned seen; /* SOAs looked at */
};

static bool is_proof(const struct scrub *s, const struct dns_record *rr)
{
    uint16_t type = type_about(s, rr);
    return type == DNS_NSEC || type == DNS_NSEC3 || (rr->type == DNS_RRSIG && type == DNS_SOA);
}

/* Is this an SOA of a zone that holds the chain's last name? Only the first few are looked at. */
static bool is_zone_soa(const struct scrub *s, const struct dns_record *rr, struct authority *found)
{
    struct dns_name owner;
    size_t pos = rr->owner;
    return rr->type == DNS_SOA && !found->has_soa && found->seen++ < 4 &&
           dns_name_read(s->msg, s->len, &pos, &owner) == ERR_OK &&
           dns_name_within(&s->out->end, &owner);
}

/* The SOA of a negative answer; with DO also proofs. */
static bool keep_authority(struct scrub *s, bool negative, struct authority *found)
{
    struct dns_walk walk = s->behind;
    struct dns_record rr;
    *found = (struct authority){.has_soa = false};
    while (walk.left[DNS_SECTION_AUTHORITY] > 0 && dns_walk_next(&walk, &rr)) {
        if (rr.klass != s->x->klass) {
            continue;
        }
        found->has_ns = found->has_ns || rr.type == DNS_NS;
        if (negative && is_zone_soa(s, &rr, found)) {
            found->has_soa = true;
            keep(s, &rr, negative_ttl(s, &rr));
        } else if (s->x->dnssec_ok && is_proof(s, &rr)) {
            keep(s, &rr, ttl_clamp(rr.ttl, s->limits));
        }
    }
    return !walk.bad;
}

static enum reply_kind finish(struct scrub *s, bool negative, const struct authority *authority)
{
    struct reply *out = s->out;
    bool noerror = out->hit.rcode == DNS_NOERROR;
    bool chained = (out->hit.flags & CACHE_HAS_CNAME) != 0;
    if (negative && noerror && authority->has_ns && !authority->has_soa && !chained) {
        return RESPONSE_FAILURE; /* a referral: it does not resolve for us */
    }
    if (negative && noerror && chained && !authority->has_soa) {
        out->hit.flags |= CACHE_DANGLING;
    }
    out->nxdomain = out->hit.rcode == DNS_NXDOMAIN && out->hit.answers == 0;
    bool keepable = !negative || authority->has_soa || (out->hit.flags & CACHE_DANGLING) != 0;
    out->ttl_s =
        keepable && out->ttl_count > 0 && out->ttl_count <= CACHE_RECORDS_MAX ? s->ttl_s : 0;
    out->hit.len = (uint32_t)(out->rewrite.w.len - out->records);
    out->hit.ttl_s = out->ttl_s;
    return RESPONSE_GOOD;
}

enum reply_kind reply_scrub(const uint8_t *msg, size_t len, const struct reply_expect *expect,
                            const struct reply_limits *limits, struct reply *out)
{
    struct scrub s;
    s.msg = msg;
    s.len = len;
    s.x = expect;
    s.limits = limits;
    s.out = out;
    s.compared = s.link_count = 0;
    s.ttl_s = UINT32_MAX;
    rewrite_begin(&out->rewrite, out->msg, out->cap, expect->name, expect->type, expect->klass);
    rewrite_from(&out->rewrite, msg, len, DNS_HEADER_OCTETS + (size_t)expect->name->len);
    out->records = out->rewrite.w.len;
    bool any;
    struct authority authority;
    if (!collect_links(&s) || !keep_chain(&s) || !keep_answers(&s, &any) ||
        !keep_authority(&s, !any, &authority) || out->rewrite.w.bad) {
        return RESPONSE_MALFORMED;
    }
    return finish(&s, !any, &authority);
}
