/*
 * Answers to blocked names. With an address to give, only A and AAAA get one; every other type is
 * answered "no data", HTTPS and SVCB above all, whose hints would lead a browser around the block.
 */
#include "resolver/resolver_int.h"

static const uint8_t nowhere[16];

static bool give_address(struct dns_build *b, const struct profile *p, uint32_t ttl_s,
                         uint16_t type)
{
    bool null = p->block_mode == BLOCK_NULL;
    if (type == DNS_A && (null || ip_is_v4(&p->block_v4))) {
        dns_build_a(b, ttl_s, null ? nowhere : p->block_v4.b + 12);
        return true;
    }
    if (type == DNS_AAAA && (null || !ip_is_unspecified(&p->block_v6))) {
        dns_build_aaaa(b, ttl_s, null ? nowhere : p->block_v6.b);
        return true;
    }
    return false;
}

static unsigned rcode_of(enum block_mode mode)
{
    return mode == BLOCK_NXDOMAIN  ? DNS_NXDOMAIN
           : mode == BLOCK_REFUSED ? DNS_REFUSED
                                   : DNS_NOERROR;
}

void blocked_answer(struct resolver *r, struct query *q)
{
    const struct profile *p = q->profile;
    uint32_t ttl_s = r->snap->block_ttl_s;
    struct dns_build b;
    alias_as_asked(r, q);
    query_build(q, &b, rcode_of(p->block_mode));
    bool addresses = p->block_mode == BLOCK_NULL || p->block_mode == BLOCK_ADDRESS;
    if (!(addresses && give_address(&b, p, ttl_s, q->req.qtype)) &&
        p->block_mode != BLOCK_REFUSED) {
        dns_build_soa(&b, ttl_s);
    }
    query_close(r, q, &b);
}

void blocked_rebind_answer(struct resolver *r, struct query *q)
{
    struct dns_build b;
    q->ede = DNS_EDE_FILTERED;
    q->ede_text = "private address for a public name";
    query_build(q, &b, DNS_NOERROR);
    dns_build_soa(&b, r->snap->block_ttl_s);
    query_close(r, q, &b);
}
