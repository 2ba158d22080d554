/*
 * Answers from local records: the name's own records, or its CNAME and what that leads to as long
 * as that is local too. Mail and service records bring the addresses of their targets with them.
 */
#include "resolver/dns64.h"
#include "resolver/local_int.h"
#include "resolver/resolver_int.h"

#define CHAIN_MAX ALIAS_HOPS

/* An answer in the making. */
struct chain {
    struct dns_build b;
    const struct local_name *name; /* what is reached, with found LOCAL_HERE */
    enum local_found found;
    const struct dns_name *owner; /* its name; NULL: the question's */
    struct dns_name at;
    bool complete; /* there are records of the type */
    bool chained;
};

static enum local_found look_up(const struct local_records *t, const struct dns_name *name,
                                const struct local_name **out)
{
    struct dns_suffixes hashes;
    dns_suffixes_make(name, &hashes);
    return local_find(t, name, &hashes, out);
}

static bool add_records(struct chain *c, const struct local_records *t, uint16_t type)
{
    bool any = false;
    for (const struct local_record *rr = local_next(t, c->name, NULL); rr != NULL;
         rr = local_next(t, c->name, rr)) {
        if (rr->type == type) {
            dns_build_record(&c->b, DNS_SECTION_ANSWER, c->owner, type, rr->ttl_s, rr->rdata,
                             rr->rdlen);
            any = true;
        }
    }
    return any;
}

static const struct local_record *cname_of(const struct local_records *t,
                                           const struct local_name *name)
{
    const struct local_record *rr = local_next(t, name, NULL);
    return rr != NULL && rr->type == DNS_CNAME ? rr : NULL; /* it stands alone */
}

/* The records of the name, or its CNAME. True: go on with what that leads to. */
static bool step(struct chain *c, const struct local_records *t, uint16_t type)
{
    c->complete = add_records(c, t, type);
    const struct local_record *cname = c->complete ? NULL : cname_of(t, c->name);
    if (cname == NULL) {
        return false;
    }
    c->chained = true;
    dns_build_record(&c->b, DNS_SECTION_ANSWER, c->owner, DNS_CNAME, cname->ttl_s, cname->rdata,
                     cname->rdlen);
    if (dns_name_from_wire(cname->rdata, cname->rdlen, &c->at) != ERR_OK) {
        return false;
    }
    c->owner = &c->at;
    c->found = look_up(t, &c->at, &c->name);
    return c->found == LOCAL_HERE;
}

/* Where the name stands in rdata of a type whose target's addresses are wanted too (RFC 1035 3.3.9,
 * RFC 2782); 0: no such type. */
static unsigned target_offset(uint16_t type)
{
    return type == DNS_MX ? 2 : type == DNS_SRV ? 6 : 0;
}

static void add_target(struct chain *c, const struct local_records *t, const uint8_t *wire,
                       size_t len)
{
    struct dns_name target;
    const struct local_name *name;
    if (dns_name_from_wire(wire, len, &target) != ERR_OK ||
        look_up(t, &target, &name) != LOCAL_HERE) {
        return;
    }
    for (const struct local_record *rr = local_next(t, name, NULL); rr != NULL;
         rr = local_next(t, name, rr)) {
        if (rr->type == DNS_A || rr->type == DNS_AAAA) {
            dns_build_extra(&c->b, &target, rr->type, rr->ttl_s, rr->rdata, rr->rdlen);
        }
    }
}

static void add_targets(struct chain *c, const struct local_records *t, uint16_t type)
{
    unsigned at = target_offset(type);
    for (const struct local_record *rr = local_next(t, c->name, NULL); at != 0 && rr != NULL;
         rr = local_next(t, c->name, rr)) {
        if (rr->type == type && rr->rdlen > at) {
            add_target(c, t, rr->rdata + at, rr->rdlen - (size_t)at);
        }
    }
}

/* No records of the type at the end of what is local. */
static void end_without(struct resolver *r, struct query *q, struct chain *c)
{
    if (c->chained && c->found == LOCAL_NONE && !c->b.w.bad) {
        alias_follow(r, q, c->b.w.len, c->b.answers, &c->at);
        return;
    }
    if (c->found == LOCAL_HERE && cname_of(r->snap->local, c->name) != NULL) {
        q->ede = DNS_EDE_OTHER;
        q->ede_text = "CNAME chain too long";
        pipeline_failure(r, q);
        return;
    }
    if (c->found == LOCAL_HERE && dns64_nothing(r, q)) {
        return;
    }
    if (c->found == LOCAL_MISSING) {
        c->b.flags |= DNS_NXDOMAIN;
    }
    dns_build_soa(&c->b, r->snap->block_ttl_s);
    query_close(r, q, &c->b);
}

bool local_answer(struct resolver *r, struct query *q)
{
    const struct local_records *t = r->snap->local;
    struct chain c;
    uint16_t type = q->req.qtype;
    c.found = local_find(t, &q->req.qname, &q->suffixes, &c.name);
    if (LIKELY(c.found == LOCAL_NONE) || type == DNS_ANY) {
        return false;
    }
    c.owner = NULL;
    c.complete = c.chained = false;
    q->status = QUERY_LOCAL;
    query_build(q, &c.b, DNS_NOERROR);
    bool more = c.found == LOCAL_HERE;
    for (unsigned i = 0; more && i <= CHAIN_MAX; i++) {
        more = step(&c, t, type);
    }
    if (!c.complete) {
        end_without(r, q, &c);
        return true;
    }
    if (q->alias == ALIAS_NONE) {
        add_targets(&c, t, type);
    }
    query_close(r, q, &c.b);
    return true;
}
