/*
 * HOT. The end of a query: the answer is begun, closed, limited, let out and counted here, and
 * nowhere else.
 */
#include "resolver/resolver_int.h"

static void set_cookie(const struct resolver *r, const struct query *q, uint8_t out[24])
{
    const struct ip_addr *a = &q->peer->addr;
    bool v4 = ip_is_v4(a);
    /* Only we read the time in it, so monotonic seconds do. */
    dns_cookie_make(&r->cookie_key, q->req.edns.cookie, v4 ? a->b + 12 : a->b, v4 ? 4 : 16,
                    (uint32_t)(r->now / USEC_PER_SEC), out);
}

static size_t answer_limit(const struct query *q)
{
    return q->alias == ALIAS_NONE ? dns_build_limit(&q->req, q->peer->tcp) : DNS_TCP_MAX;
}

/* An answer to be put behind CNAMEs is not limited before it is. */
void query_build(struct query *q, struct dns_build *b, unsigned rcode)
{
    dns_build_begin(b, q->packet->data, q->packet->cap, answer_limit(q), &q->req, rcode);
}

/* What Pi-hole calls the kind of the reply. */
static enum query_reply reply_kind(const struct query *q, unsigned rcode, unsigned answers)
{
    switch (rcode) {
    case DNS_NOERROR:
        break;
    case DNS_NXDOMAIN:
        return REPLY_NXDOMAIN;
    case DNS_SERVFAIL:
        return REPLY_SERVFAIL;
    case DNS_REFUSED:
        return REPLY_REFUSED;
    case DNS_NOTIMP:
        return REPLY_NOTIMP;
    default:
        return REPLY_OTHER;
    }
    if (answers == 0) {
        return REPLY_NODATA;
    }
    switch (q->req.qtype) {
    case DNS_A:
    case DNS_AAAA:
        return REPLY_IP;
    case DNS_CNAME:
        return REPLY_CNAME;
    case DNS_PTR:
    case DNS_NS:
    case DNS_MX:
    case DNS_SRV:
    case DNS_SOA:
        return REPLY_DOMAIN;
    default:
        return REPLY_BLOB;
    }
}

void query_close(struct resolver *r, struct query *q, struct dns_build *b)
{
    uint8_t cookie[24];
    if (UNLIKELY(q->alias != ALIAS_NONE)) {
        alias_wrap(r, q, b);
    }
    struct dns_edns_reply edns = {
        .ede = q->ede,
        .ede_text = q->ede_text,
        .keepalive = -1,
    };
    if (UNLIKELY(q->req.edns.cookie_len != 0)) {
        set_cookie(r, q, cookie);
        edns.cookie = cookie;
        edns.cookie_len = sizeof cookie;
    }
    if (UNLIKELY(q->req.edns.has_keepalive && q->peer->tcp)) {
        edns.keepalive = RESOLVER_TCP_IDLE_S * 10;
    }
    unsigned rcode = (unsigned)b->ext_rcode << 4 | (b->flags & DNS_RCODE_MASK);
    q->packet->len = dns_build_end(b, &edns);
    query_finish(r, q, reply_kind(q, rcode, b->answers), rcode);
}

void query_error(struct resolver *r, struct query *q, unsigned rcode, enum query_status status,
                 int ede, const char *text)
{
    q->status = (uint8_t)status;
    q->ede = (int16_t)ede;
    q->ede_text = text;
    q->is_error = true;
    if (q->req.question_len > 0) {
        struct dns_build b;
        query_build(q, &b, rcode);
        query_close(r, q, &b);
        return;
    }
    q->packet->len = dns_build_error(q->packet->data, q->packet->cap, &q->req, rcode, ede, text);
    query_finish(r, q, reply_kind(q, rcode, 0), rcode);
}

/* Cut the answer to its question, with TC. */
static void slip(struct query *q)
{
    struct dns_build b;
    query_build(q, &b, DNS_NOERROR);
    b.w.bad = true;
    q->packet->len = dns_build_end(&b, NULL);
}

static void record(struct resolver *r, const struct query *q, enum query_reply reply,
                   unsigned rcode)
{
    struct stats_event event = {
        .time = q->arrived,
        .latency_us = (uint32_t)(r->now - q->arrived),
        .client = *q->client,
        .qtype = q->req.qtype,
        .upstream = q->upstream,
        .list = q->list,
        .status = q->status,
        .reply = (uint8_t)reply,
        .rcode = (uint8_t)rcode,
        .ede = (int8_t)(q->ede > INT8_MAX ? DNS_EDE_OTHER : q->ede),
        .flags = (uint8_t)(q->flags | (q->peer->tcp ? STATS_TCP : 0) |
                           (q->req.edns.dnssec_ok ? STATS_DO : 0)),
        .match_labels = q->match_labels,
        .qname = q->req.question_len > 0 ? &q->req.qname : NULL,
        .cname = q->cname,
    };
    stats_record(r->stats, &event);
}

void query_finish(struct resolver *r, struct query *q, enum query_reply reply, unsigned rcode)
{
    q->outcome = RESOLVER_ANSWER;
    switch (client_limit_answer(r, q, q->packet->len)) {
    case CLIENT_SEND:
        break;
    case CLIENT_SLIP:
        stats_count(r->stats, COUNTER_responses_limited, 1);
        slip(q);
        break;
    case CLIENT_DROP:
        stats_count(r->stats, COUNTER_responses_limited, 1);
        q->packet->len = 0;
        q->outcome = RESOLVER_DROP;
        break;
    }
    stats_count(r->stats, COUNTER_truncated,
                q->packet->len > 2 && (q->packet->data[2] & DNS_TC >> 8) != 0);
    record(r, q, reply, rcode);
}

void pipeline_failure(struct resolver *r, struct query *q)
{
    struct dns_build b;
    q->status = QUERY_FAILED;
    query_build(q, &b, DNS_SERVFAIL);
    query_close(r, q, &b);
}
