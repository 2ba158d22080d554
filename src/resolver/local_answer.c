/*
 * Answers from local records: the name's own records, or its CNAME and what that leads to as long
 * as that is local too.
 */
#include "resolver/local_int.h"
#include "resolver/resolver_int.h"

#define CHAIN_MAX ALIAS_HOPS

static bool add_records(struct dns_build *b, const struct local_records *t,
                        const struct local_name *name, const struct dns_name *owner, uint16_t type)
{
    bool any = false;
    for (const struct local_record *rr = local_next(t, name, NULL); rr != NULL;
         rr = local_next(t, name, rr)) {
        if (rr->type == type) {
            dns_build_record(b, DNS_SECTION_ANSWER, owner, type, rr->ttl_s, rr->rdata, rr->rdlen);
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

bool local_answer(struct resolver *r, struct query *q)
{
    const struct local_records *t = r->snap->local;
    const struct local_name *found = local_find(t, &q->req.qname, &q->suffixes);
    uint16_t type = q->req.qtype;
    if (LIKELY(found == NULL) || type == DNS_ANY) {
        return false;
    }
    struct dns_build b;
    struct dns_name at;
    const struct dns_name *owner = NULL; /* the question's name */
    bool complete = false, chained = false;
    q->status = QUERY_LOCAL;
    query_build(q, &b, DNS_NOERROR);
    for (unsigned i = 0; found != NULL && i <= CHAIN_MAX; i++) {
        complete = add_records(&b, t, found, owner, type);
        const struct local_record *cname = cname_of(t, found);
        if (complete || cname == NULL) {
            break;
        }
        chained = true;
        dns_build_record(&b, DNS_SECTION_ANSWER, owner, DNS_CNAME, cname->ttl_s, cname->rdata,
                         cname->rdlen);
        if (dns_name_from_wire(cname->rdata, cname->rdlen, &at) != ERR_OK) {
            break;
        }
        struct dns_suffixes hashes;
        dns_suffixes_make(&at, &hashes);
        owner = &at;
        found = local_find(t, &at, &hashes);
    }
    if (chained && !complete && found == NULL && !b.w.bad) {
        alias_follow(r, q, b.w.len, b.answers, &at);
        return true;
    }
    if (chained && !complete && found != NULL && cname_of(t, found) != NULL) {
        q->ede = DNS_EDE_OTHER;
        q->ede_text = "CNAME chain too long";
        pipeline_failure(r, q);
        return true;
    }
    if (!complete) {
        dns_build_soa(&b, r->snap->block_ttl_s);
    }
    query_close(r, q, &b);
    return true;
}
