/*
 * The way of an address into another one and back, and when to take it. Signatures over A records
 * are left out, since they do not fit what is made of them; nothing is made for who checks
 * signatures himself (CD and DO, RFC 6147 5.5).
 */
#include "resolver/dns64.h"

#include <string.h>

#include "resolver/local_int.h"
#include "resolver/resolver_int.h"
#include "resolver/special.h"

#define TTL_UNKNOWN_S 600 /* where no SOA says how long AAAA will be missing, RFC 6147 5.1.7 */

enum { V4_OCTETS = 4, UNUSED_OCTET = 8, RECORD_FIXED = 10, REVERSE_LABELS = 34 };

bool dns64_prefix_ok(const struct ip_prefix *p)
{
    bool length = p->bits == 32 || p->bits == 40 || p->bits == 48 || p->bits == 56 ||
                  p->bits == 64 || p->bits == 96;
    return length && p->addr.b[UNUSED_OCTET] == 0;
}

void dns64_embed(const struct ip_prefix *p, const uint8_t v4[4], uint8_t out[16])
{
    unsigned at = p->bits / 8U;
    memcpy(out, p->addr.b, 16);
    for (unsigned i = 0; i < V4_OCTETS; i++) {
        at += at == UNUSED_OCTET;
        out[at++] = v4[i];
    }
}

bool dns64_extract(const struct ip_prefix *p, const uint8_t addr[16], uint8_t out[4])
{
    struct ip_addr a = ip_v6(addr);
    uint8_t v4[V4_OCTETS], again[16];
    unsigned at = p->bits / 8U;
    if (!ip_in_prefix(&a, p)) {
        return false;
    }
    for (unsigned i = 0; i < V4_OCTETS; i++) {
        at += at == UNUSED_OCTET;
        v4[i] = addr[at++];
    }
    dns64_embed(p, v4, again);
    if (memcmp(again, addr, sizeof again) != 0) {
        return false; /* something behind the address */
    }
    memcpy(out, v4, sizeof v4);
    return true;
}

/* ---- when ---- */

static bool is_wanted(const struct resolver *r, const struct query *q)
{
    return UNLIKELY(r->snap->dns64.bits != 0) && q->req.qtype == DNS_AAAA &&
           q->req.qclass == DNS_IN && !((q->req.flags & DNS_CD) != 0 && q->req.edns.dnssec_ok);
}

/* Has the answer an IPv6 address that is one? ::ffff:0:0/96 is not (RFC 6147 5.1.4). */
static bool has_address(const struct query *q, const struct cache_hit *hit)
{
    uint8_t *msg = q->packet->data;
    size_t len = DNS_HEADER_OCTETS + (size_t)q->req.question_len + hit->len;
    struct dns_walk walk;
    struct dns_record rr;
    be16_write(msg + 4, 1);
    be16_write(msg + 6, hit->answers);
    be16_write(msg + 8, 0);
    be16_write(msg + 10, 0);
    if (len > q->packet->cap || dns_walk_begin(msg, len, &walk) != ERR_OK) {
        return true;
    }
    while (dns_walk_next(&walk, &rr)) {
        if (rr.type == DNS_AAAA && rr.rdlen == 16) {
            struct ip_addr a = ip_v6(msg + rr.rdata);
            if (!ip_is_v4(&a)) {
                return true;
            }
        }
    }
    return false;
}

bool dns64_answer(struct resolver *r, struct query *q, const struct cache_hit *hit)
{
    if (LIKELY(!is_wanted(r, q)) || hit->rcode == DNS_NXDOMAIN || has_address(q, hit)) {
        return false;
    }
    bool told = hit->authorities > 0 && hit->ttl_s < TTL_UNKNOWN_S;
    return alias_as_a(r, q, told ? hit->ttl_s : TTL_UNKNOWN_S);
}

bool dns64_nothing(struct resolver *r, struct query *q)
{
    return is_wanted(r, q) && alias_as_a(r, q, TTL_UNKNOWN_S);
}

/* ---- reverse ---- */

static int nibble(const struct dns_name *n, unsigned label)
{
    const uint8_t *p = n->wire + n->off[label];
    int c = p[0] == 1 ? p[1] : 0;
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The address of a whole reverse name of IPv6. */
static bool reverse_address(const struct dns_name *n, uint8_t out[16])
{
    if (n->labels != REVERSE_LABELS || !special_ends_with(n, "ip6.arpa")) {
        return false;
    }
    for (unsigned i = 0; i < 16; i++) {
        int low = nibble(n, 2 * i), high = nibble(n, 2 * i + 1);
        if (low < 0 || high < 0) {
            return false;
        }
        out[15 - i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool dns64_reverse(struct resolver *r, struct query *q)
{
    uint8_t addr[16], v4[V4_OCTETS];
    if (LIKELY(r->snap->dns64.bits == 0) || !reverse_address(&q->req.qname, addr) ||
        !dns64_extract(&r->snap->dns64, addr, v4)) {
        return false;
    }
    struct ip_addr a = ip_v4(v4);
    struct dns_name target;
    struct dns_build b;
    local_reverse_name(&a, &target);
    q->status = QUERY_SPECIAL;
    query_build(q, &b, DNS_NOERROR);
    dns_build_record(&b, DNS_SECTION_ANSWER, NULL, DNS_CNAME, TTL_UNKNOWN_S, target.wire,
                     target.len);
    if (b.w.bad || q->req.qtype == DNS_CNAME) {
        query_close(r, q, &b);
    } else {
        alias_follow(r, q, b.w.len, b.answers, &target);
    }
    return true;
}

/* ---- the answer ---- */

/* Addresses that no translator outside can reach; the well-known prefix must not hold them (RFC
 * 6052 3.1). */
static bool is_barred(const struct ip_prefix *p, const uint8_t v4[4])
{
    static const uint8_t well_known[16] = {0x00, 0x64, 0xff, 0x9b};
    struct ip_addr a = ip_v4(v4);
    return memcmp(p->addr.b, well_known, sizeof well_known) == 0 &&
           (ip_is_private(&a) || ip_is_loopback(&a) || ip_is_link_local(&a) ||
            ip_is_unspecified(&a));
}

/* One AAAA record made of an A record; false: none. */
static bool turn(const struct resolver *r, struct rewrite *rw, const uint8_t *msg, size_t len,
                 const struct dns_record *rr, uint32_t ttl_max_s)
{
    uint8_t made[DNS_HEADER_OCTETS + DNS_NAME_ROOM + RECORD_FIXED + 16];
    const struct ip_prefix *p = &r->snap->dns64;
    struct dns_name owner;
    size_t pos = rr->owner;
    if (rr->rdlen != V4_OCTETS || is_barred(p, msg + rr->rdata) ||
        dns_name_read(msg, len, &pos, &owner) != ERR_OK) {
        return false;
    }
    memcpy(made + DNS_HEADER_OCTETS, owner.wire, owner.len);
    struct dns_record aaaa = {.owner = DNS_HEADER_OCTETS,
                              .rdata = DNS_HEADER_OCTETS + (size_t)owner.len,
                              .type = DNS_AAAA,
                              .klass = DNS_IN,
                              .rdlen = 16};
    dns64_embed(p, msg + rr->rdata, made + aaaa.rdata);
    rewrite_from(rw, made, aaaa.rdata + 16, 0);
    rewrite_record(rw, &aaaa, rr->ttl < ttl_max_s ? rr->ttl : ttl_max_s);
    rewrite_from(rw, msg, len, 0);
    return true;
}

static bool is_signature_of_a(const uint8_t *msg, const struct dns_record *rr)
{
    return rr->type == DNS_RRSIG && rr->rdlen >= 2 && be16_read(msg + rr->rdata) == DNS_A;
}

bool dns64_copy(const struct resolver *r, struct rewrite *rw, const uint8_t *msg, size_t len,
                uint32_t ttl_max_s, unsigned *answers)
{
    struct dns_walk walk;
    struct dns_record rr;
    *answers = 0;
    if (dns_walk_begin(msg, len, &walk) != ERR_OK) {
        return false;
    }
    rewrite_from(rw, msg, len, 0);
    while (dns_walk_next(&walk, &rr)) {
        bool answer = rr.section == DNS_SECTION_ANSWER;
        if (answer && rr.type == DNS_A) {
            *answers += turn(r, rw, msg, len, &rr, ttl_max_s);
        } else if (!answer || !is_signature_of_a(msg, &rr)) {
            rewrite_record(rw, &rr, rr.ttl);
            *answers += answer;
        }
    }
    return !walk.bad && !rw->w.bad;
}
