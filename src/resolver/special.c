/*
 * Names that never leave the house, and questions that are answered by rule: special-use names (RFC
 * 6761 and the IANA registry that it began), private reverse zones (RFC 6303, 7793), CHAOS, ANY
 * (RFC 8482) and types that are no question to a resolver. Local records and conditional routes
 * come before the names here; the pipeline sees to that.
 */
#include <string.h>

#include "resolver/resolver_int.h"

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
    const char *wire; /* of the top name, without the root octet */
    uint8_t act;
    bool below; /* names below it too */
};

#define ROW(wire, act, below) \
    {                         \
        wire, act, below      \
    }

static const struct row tops[] = {
    ROW("\x09"
        "localhost",
        ACT_LOCALHOST, true), /* RFC 6761 6.3 */
    ROW("\x07"
        "invalid",
        ACT_NXDOMAIN, true), /* RFC 6761 6.4 */
    ROW("\x04"
        "test",
        ACT_NXDOMAIN, true), /* RFC 6761 6.2 */
    ROW("\x05"
        "onion",
        ACT_NXDOMAIN, true), /* RFC 7686 */
    ROW("\x05"
        "local",
        ACT_NXDOMAIN, true), /* RFC 6762 22.1: mDNS only */
    ROW("\x03"
        "alt",
        ACT_NXDOMAIN, true), /* RFC 9476 */
    ROW("\x04"
        "home\x04"
        "arpa",
        ACT_ZONE, true), /* RFC 8375 */
    ROW("\x08"
        "resolver\x04"
        "arpa",
        ACT_NODATA, true), /* RFC 9462 4 */
    ROW("\x08"
        "ipv4only\x04"
        "arpa",
        ACT_IPV4ONLY, false), /* RFC 8880 7.1 */
    ROW("\x13"
        "use-application-dns\x03"
        "net",
        ACT_CANARY, true),
    ROW("\x04"
        "mask\x06"
        "icloud\x03"
        "com",
        ACT_RELAY, false),
    ROW("\x07"
        "mask-h2\x06"
        "icloud\x03"
        "com",
        ACT_RELAY, false),
};

/* Octets of IPv4 reverse zones from the right: the first is in 'a', the second from lo to hi (or
 * any). */
struct reverse4 {
    uint8_t a;
    bool whole; /* all of a.0.0.0/8 */
    uint8_t lo, hi;
};

static const struct reverse4 reverse4_rows[] = {
    {0, true, 0, 0},        {10, true, 0, 0},     {127, true, 0, 0},      {100, false, 64, 127},
    {169, false, 254, 254}, {172, false, 16, 31}, {192, false, 168, 168},
};

/* Whole /24 zones. */
static const uint8_t reverse4_small[][3] = {{192, 0, 2}, {198, 51, 100}, {203, 0, 113}};

/* The label as a number 0..255, -1 if it is none. */
static int label_number(const struct dns_name *n, unsigned label)
{
    const uint8_t *p = n->wire + n->off[label];
    int v = 0;
    if (p[0] == 0 || p[0] > 3 || (p[0] > 1 && p[1] == '0')) {
        return -1;
    }
    for (unsigned i = 1; i <= p[0]; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return -1;
        }
        v = v * 10 + (p[i] - '0');
    }
    return v <= 255 ? v : -1;
}

static bool ends_with(const struct dns_name *n, const char *wire, unsigned labels)
{
    size_t len = strlen(wire);
    return n->labels >= labels && (size_t)(n->len - 1 - n->off[n->labels - labels]) == len &&
           memcmp(n->wire + n->off[n->labels - labels], wire, len) == 0;
}

/* How many labels the private zone's name has that n is in; 0: none. */
static unsigned private4(const struct dns_name *n)
{
    unsigned left = n->labels - 2U; /* octets given */
    int v[4] = {-1, -1, -1, -1};
    for (unsigned i = 0; i < left && i < 4; i++) {
        v[i] = label_number(n, left - 1 - i);
    }
    for (size_t i = 0; i < ARRAY_LEN(reverse4_rows); i++) {
        const struct reverse4 *z = &reverse4_rows[i];
        if (v[0] == z->a && z->whole) {
            return 3;
        }
        if (v[0] == z->a && v[1] >= z->lo && v[1] <= z->hi) {
            return 4;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(reverse4_small); i++) {
        const uint8_t *z = reverse4_small[i];
        if (v[0] == z[0] && v[1] == z[1] && v[2] == z[2]) {
            return 5;
        }
    }
    return v[0] == 255 && v[1] == 255 && v[2] == 255 && v[3] == 255 ? 6 : 0;
}

static int nibble(const struct dns_name *n, unsigned from_top)
{
    if (n->labels < from_top + 3U) {
        return -1;
    }
    const uint8_t *p = n->wire + n->off[n->labels - 3U - from_top];
    if (p[0] != 1) {
        return -1;
    }
    return p[1] >= '0' && p[1] <= '9'   ? p[1] - '0'
           : p[1] >= 'a' && p[1] <= 'f' ? p[1] - 'a' + 10
                                        : -1;
}

static unsigned private6(const struct dns_name *n)
{
    static const uint8_t documentation[] = {2, 0, 0, 1, 0, 13, 11, 8};
    int first = nibble(n, 0), second = nibble(n, 1), third = nibble(n, 2);
    if (first == 15 && (second == 12 || second == 13)) {
        return 4; /* fc00::/7 */
    }
    if (first == 15 && second == 14 && third >= 8 && third <= 11) {
        return 5; /* fe80::/10 */
    }
    unsigned same = 0;
    while (same < sizeof documentation && nibble(n, same) == documentation[same]) {
        same++;
    }
    if (same == sizeof documentation) {
        return 2 + sizeof documentation;
    }
    /* :: and ::1 */
    unsigned zeros = 0;
    while (zeros < 31 && nibble(n, zeros) == 0) {
        zeros++;
    }
    int last = nibble(n, 31);
    return zeros == 31 && (last == 0 || last == 1) ? 34 : 0;
}

/* Is it the reverse name of a loopback address? */
static bool is_loopback(const struct dns_name *n)
{
    return ends_with(n,
                     "\x01"
                     "1\x01"
                     "0\x01"
                     "0\x03"
                     "127\x07"
                     "in-addr\x04"
                     "arpa",
                     6) ||
           (n->labels == 34 && nibble(n, 31) == 1 && private6(n) == 34);
}

static unsigned private_zone(const struct dns_name *n)
{
    if (n->labels >= 3 && ends_with(n,
                                    "\x07"
                                    "in-addr\x04"
                                    "arpa",
                                    2)) {
        return private4(n);
    }
    if (n->labels >= 3 && ends_with(n,
                                    "\x03"
                                    "ip6\x04"
                                    "arpa",
                                    2)) {
        return private6(n);
    }
    return 0;
}

static unsigned labels_of(const char *wire)
{
    unsigned n = 0;
    for (size_t i = 0; wire[i] != '\0'; i += (uint8_t)wire[i] + 1U) {
        n++;
    }
    return n;
}

static const struct row *find_top(const struct dns_name *n)
{
    for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
        unsigned labels = labels_of(tops[i].wire);
        if (ends_with(n, tops[i].wire, labels) && (tops[i].below || n->labels == labels)) {
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
    static const uint8_t localhost[] = "\x09"
                                       "localhost";
    struct dns_build b;
    q->status = QUERY_SPECIAL;
    query_build(q, &b, DNS_NOERROR);
    dns_build_record(&b, DNS_SECTION_ANSWER, NULL, DNS_PTR, SPECIAL_TTL_S, localhost,
                     sizeof localhost);
    query_close(r, q, &b);
}

static bool answer_row(struct resolver *r, struct query *q, const struct row *row)
{
    unsigned top = labels_of(row->wire);
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
        answer_negative(r, q, q->req.qname.labels == top ? DNS_NOERROR : DNS_NXDOMAIN);
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
    unsigned zone = private_zone(n);
    if (zone == 0) {
        return false;
    }
    if (q->req.qtype == DNS_PTR && is_loopback(n)) {
        answer_loopback_name(r, q);
    } else {
        answer_negative(r, q, n->labels == zone ? DNS_NOERROR : DNS_NXDOMAIN);
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
    return row != NULL || private_zone(n) != 0;
}

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

static bool is_name(const struct query *q, const char *wire)
{
    return ends_with(&q->req.qname, wire, labels_of(wire)) &&
           q->req.qname.labels == labels_of(wire);
}

/* What CHAOS names say, "" if nothing: who runs where is told only where it helps (Pi-hole's
 * clients look for the API so). */
static const char *chaos_text(const struct resolver *r, const struct query *q)
{
    if (is_name(q, "\x07"
                   "version\x04"
                   "bind") ||
        is_name(q, "\x07"
                   "version\x06"
                   "server")) {
        return r->snap->version;
    }
    if (is_name(q, "\x05"
                   "local\x03"
                   "api\x03"
                   "ftl") ||
        is_name(q, "\x06"
                   "domain\x03"
                   "api\x03"
                   "ftl") ||
        is_name(q, "\x03"
                   "api\x03"
                   "ftl")) {
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
    static const uint8_t hinfo[] = "\x07"
                                   "RFC8482";
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
