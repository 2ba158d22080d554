/*
 * Names that never leave the house: special-use names (RFC 6761 and the IANA registry that it
 * began) and private reverse zones. Local records and conditional routes come before them; the
 * pipeline sees to that.
 */
#include <string.h>

#include "resolver/dns64.h"
#include "resolver/local_int.h"
#include "resolver/resolver_int.h"
#include "resolver/special.h"

enum act {
    ACT_NONE,
    ACT_NXDOMAIN,
    ACT_NODATA,
    ACT_LOCALHOST,
    ACT_IPV4ONLY, /* RFC 8880 */
    ACT_ZONE,     /* an empty zone: its top exists, nothing below does */
    ACT_CANARY,   /* if the setting says so */
    ACT_RELAY
};

struct row {
    const char *name; /* the top name */
    uint8_t act;
    bool below; /* names below it too */
};

static const struct row tops[] = {
    {"localhost", ACT_LOCALHOST, true},     /* RFC 6761 6.3 */
    {"invalid", ACT_NXDOMAIN, true},        /* RFC 6761 6.4 */
    {"test", ACT_NXDOMAIN, true},           /* RFC 6761 6.2 */
    {"onion", ACT_NXDOMAIN, true},          /* RFC 7686 */
    {"local", ACT_NXDOMAIN, true},          /* RFC 6762 22.1: mDNS only */
    {"alt", ACT_NXDOMAIN, true},            /* RFC 9476 */
    {"home.arpa", ACT_ZONE, true},          /* RFC 8375 */
    {"resolver.arpa", ACT_NODATA, true},    /* RFC 9462 4 */
    {"ipv4only.arpa", ACT_IPV4ONLY, false}, /* RFC 8880 7.1 */
    {"use-application-dns.net", ACT_CANARY, true},
    {"mask.icloud.com", ACT_RELAY, false},
    {"mask-h2.icloud.com", ACT_RELAY, false},
};

bool special_ends_with(const struct dns_name *n, const char *name)
{
    unsigned labels = special_labels(name);
    if (n->labels < labels) {
        return false;
    }
    for (unsigned i = n->labels - labels; i < n->labels; i++) {
        const uint8_t *label = n->wire + n->off[i];
        const char *dot = strchr(name, '.');
        size_t len = dot != NULL ? (size_t)(dot - name) : strlen(name);
        if (label[0] != len || memcmp(label + 1, name, len) != 0) {
            return false;
        }
        name += len + 1;
    }
    return true;
}

unsigned special_labels(const char *name)
{
    unsigned n = 1;
    for (; *name != '\0'; name++) {
        n += *name == '.';
    }
    return n;
}

static const struct row *find_top(const struct dns_name *n)
{
    for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
        unsigned labels = special_labels(tops[i].name);
        if (special_ends_with(n, tops[i].name) && (tops[i].below || n->labels == labels)) {
            return &tops[i];
        }
    }
    return NULL;
}

/* Could any row fit? A look at the top label spares nearly all names the rest. */
static bool may_be_special(const struct dns_name *n)
{
    if (n->labels == 0) {
        return false;
    }
    const uint8_t *top = n->wire + n->off[n->labels - 1];
    switch (top[0]) {
    case 3: /* alt, and the two second-level names of com and net */
        return top[1] == 'a' ||
               (top[1] == 'n' && n->labels >= 2 && n->wire[n->off[n->labels - 2]] == 19) ||
               (top[1] == 'c' && n->labels == 3 && n->wire[n->off[1]] == 6);
    case 4: /* arpa, test */
        return top[1] == 'a' || top[1] == 't';
    case 5: /* onion, local */
        return top[1] == 'o' || top[1] == 'l';
    case 7: /* invalid */
        return top[1] == 'i';
    case 9: /* localhost */
        return top[1] == 'l';
    default:
        return false;
    }
}

#define SPECIAL_TTL_S 86400

static void answer_negative(struct resolver *r, struct query *q, unsigned rcode)
{
    struct dns_build b;
    q->status = QUERY_SPECIAL;
    query_build(q, &b, rcode);
    dns_build_soa(&b, SPECIAL_TTL_S);
    query_close(r, q, &b);
}

/* A name in a zone that exists only here: its top, and what local records stand below, exist. */
static void answer_zone(struct resolver *r, struct query *q, unsigned top)
{
    const struct dns_name *n = &q->req.qname;
    const struct local_records *t = r->snap->local;
    bool exists = n->labels == top || (t != NULL && local_exists(t, n));
    answer_negative(r, q, exists ? DNS_NOERROR : DNS_NXDOMAIN);
}

static void answer_localhost(struct resolver *r, struct query *q)
{
    static const uint8_t v4[4] = {127, 0, 0, 1};
    static const uint8_t v6[16] = {[15] = 1};
    if (q->req.qtype != DNS_A && q->req.qtype != DNS_AAAA) {
        answer_negative(r, q, DNS_NOERROR);
        return;
    }
    struct dns_build b;
    q->status = QUERY_SPECIAL;
    query_build(q, &b, DNS_NOERROR);
    if (q->req.qtype == DNS_A) {
        dns_build_a(&b, SPECIAL_TTL_S, v4);
    } else {
        dns_build_aaaa(&b, SPECIAL_TTL_S, v6);
    }
    query_close(r, q, &b);
}

static void answer_ipv4only(struct resolver *r, struct query *q)
{
    static const uint8_t a[4] = {192, 0, 0, 170}, b2[4] = {192, 0, 0, 171};
    if (dns64_nothing(r, q)) {
        return; /* so that devices find out about the prefix, RFC 7050 */
    }
    if (q->req.qtype != DNS_A) {
        answer_negative(r, q, DNS_NOERROR);
        return;
    }
    struct dns_build b;
    q->status = QUERY_SPECIAL;
    query_build(q, &b, DNS_NOERROR);
    dns_build_a(&b, SPECIAL_TTL_S, a);
    dns_build_a(&b, SPECIAL_TTL_S, b2);
    query_close(r, q, &b);
}

static void answer_loopback_name(struct resolver *r, struct query *q)
{
    static const uint8_t localhost[] = {9, 'l', 'o', 'c', 'a', 'l', 'h', 'o', 's', 't', 0};
    struct dns_build b;
    q->status = QUERY_SPECIAL;
    query_build(q, &b, DNS_NOERROR);
    dns_build_record(&b, DNS_SECTION_ANSWER, NULL, DNS_PTR, SPECIAL_TTL_S, localhost,
                     sizeof localhost);
    query_close(r, q, &b);
}

static bool answer_row(struct resolver *r, struct query *q, const struct row *row)
{
    unsigned top = special_labels(row->name);
    switch ((enum act)row->act) {
    case ACT_NXDOMAIN:
        answer_negative(r, q, DNS_NXDOMAIN);
        return true;
    case ACT_NODATA:
        answer_negative(r, q, DNS_NOERROR);
        return true;
    case ACT_LOCALHOST:
        answer_localhost(r, q);
        return true;
    case ACT_IPV4ONLY:
        answer_ipv4only(r, q);
        return true;
    case ACT_ZONE:
        answer_zone(r, q, top);
        return true;
    case ACT_CANARY:
    case ACT_RELAY:
        if (row->act == ACT_CANARY ? !r->snap->block_canary : !r->snap->block_icloud_relay) {
            return false;
        }
        answer_negative(r, q, DNS_NXDOMAIN);
        return true;
    case ACT_NONE:
        break;
    }
    return false;
}

bool special_answer(struct resolver *r, struct query *q)
{
    const struct dns_name *n = &q->req.qname;
    if (LIKELY(!may_be_special(n))) {
        return false;
    }
    const struct row *row = find_top(n);
    if (row != NULL) {
        return answer_row(r, q, row);
    }
    unsigned zone = reverse_zone(n);
    if (zone == 0) {
        return false;
    }
    if (q->req.qtype == DNS_PTR && reverse_is_loopback(n)) {
        answer_loopback_name(r, q);
    } else {
        answer_zone(r, q, zone);
    }
    return true;
}

bool special_covers(const struct snapshot *s, const struct dns_name *n)
{
    const struct row *row = find_top(n);
    if (row != NULL && row->act == ACT_CANARY) {
        return s->block_canary;
    }
    if (row != NULL && row->act == ACT_RELAY) {
        return s->block_icloud_relay;
    }
    return row != NULL || reverse_zone(n) != 0;
}
