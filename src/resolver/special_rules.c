/*
 * Questions that are answered by rule, whatever the name: other classes than IN, ANY (RFC 8482),
 * and types that are no question to a resolver.
 */
#include <string.h>

#include "resolver/resolver_int.h"
#include "resolver/special.h"

/* A TXT record of one string. */
static void answer_text(struct resolver *r, struct query *q, const char *text)
{
    uint8_t rdata[256];
    size_t len = strlen(text);
    len = len > 255 ? 255 : len;
    rdata[0] = (uint8_t)len;
    memcpy(rdata + 1, text, len);
    struct dns_build b;
    q->status = QUERY_SPECIAL;
    query_build(q, &b, DNS_NOERROR);
    dns_build_record(&b, DNS_SECTION_ANSWER, NULL, DNS_TXT, 0, rdata, len + 1);
    query_close(r, q, &b);
}

static bool is_name(const struct query *q, const char *name)
{
    return special_ends_with(&q->req.qname, name) && q->req.qname.labels == special_labels(name);
}

/* What CHAOS names say, "" if nothing: who runs where is told only where it helps (Pi-hole's
 * clients look for the API so). */
static const char *chaos_text(const struct resolver *r, const struct query *q)
{
    if (is_name(q, "version.bind") || is_name(q, "version.server")) {
        return r->snap->version;
    }
    if (is_name(q, "local.api.ftl") || is_name(q, "domain.api.ftl") || is_name(q, "api.ftl")) {
        return r->snap->api_url;
    }
    return "";
}

bool special_class_answer(struct resolver *r, struct query *q)
{
    if (LIKELY(q->req.qclass == DNS_IN)) {
        return false;
    }
    const char *text = q->req.qclass == DNS_CH && q->req.qtype == DNS_TXT ? chaos_text(r, q) : "";
    if (text[0] != '\0') {
        answer_text(r, q, text);
    } else {
        query_error(r, q, DNS_REFUSED, QUERY_SPECIAL, DNS_EDE_NOT_SUPPORTED, NULL);
    }
    return true;
}

/* RFC 8482 4.2: a made-up HINFO instead of all there is. */
static void answer_any(struct resolver *r, struct query *q)
{
    static const uint8_t hinfo[] = {7, 'R', 'F', 'C', '8', '4', '8', '2', 0};
    struct dns_build b;
    q->status = QUERY_SPECIAL;
    query_build(q, &b, DNS_NOERROR);
    dns_build_record(&b, DNS_SECTION_ANSWER, NULL, DNS_HINFO, 3600, hinfo, sizeof hinfo);
    query_close(r, q, &b);
}

bool special_type_answer(struct resolver *r, struct query *q)
{
    uint16_t type = q->req.qtype;
    if (LIKELY(type != 0 && type != DNS_OPT && (type < 128 || type > 255))) {
        return false;
    }
    if (type == DNS_ANY) {
        answer_any(r, q);
    } else { /* TKEY, TSIG, IXFR, AXFR, MAILB, MAILA and the other meta types of RFC 6895 3.1 */
        query_error(r, q, DNS_REFUSED, QUERY_SPECIAL, DNS_EDE_NOT_SUPPORTED, NULL);
    }
    return true;
}
