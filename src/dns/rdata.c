/*
 * The shape of rdata, one row a type, and the strict verdict over a whole message. Rows are little
 * patterns, read from the left by one loop:
 *
 *   1-9  so many octets                     s  a character-string
 *   n    a name that may be compressed      S  one or more character-strings
 *   N    a name that may not                w  NSEC type bitmap, to the end
 *   h    an octet n and n octets            p  SvcParams, to the end
 *   *    anything, to the end               +  at least one octet, to the end
 *   o    a character-string or nothing
 *
 * Compression is allowed where RFC 1035 has it and where RFC 3597 4 asks receivers to bear it. Left
 * out: values (does the algorithm exist, is the digest long enough), which are the reader's to
 * judge.
 */
#include "base/span.h"
#include "dns/msg.h"
#include "dns/name_scan.h"

/* By type; the empty pattern is opaque. */
static const char shapes[][7] = {
    [DNS_A] = "4",
    [DNS_NS] = "n",
    [3] = "n", /* MD */
    [4] = "n", /* MF */
    [DNS_CNAME] = "n",
    [DNS_SOA] = "nn992",
    [DNS_MB] = "n",
    [DNS_MG] = "n",
    [DNS_MR] = "n",
    [DNS_PTR] = "n",
    [DNS_HINFO] = "ss",
    [DNS_MINFO] = "nn",
    [DNS_MX] = "2n",
    [DNS_TXT] = "S",
    [DNS_RP] = "nn",
    [DNS_AFSDB] = "2n",
    [19] = "s",  /* X25 */
    [20] = "so", /* ISDN */
    [21] = "2n", /* RT */
    [DNS_SIG] = "99n+",
    [25] = "4*", /* KEY */
    [DNS_PX] = "2nn",
    [DNS_AAAA] = "88",
    [29] = "88", /* LOC */
    [DNS_NXT] = "n+",
    [DNS_SRV] = "6n",
    [DNS_NAPTR] = "4sssn",
    [DNS_KX] = "2n",
    [37] = "5+", /* CERT */
    [DNS_DNAME] = "n",
    [DNS_DS] = "4+",
    [44] = "2+", /* SSHFP */
    [DNS_RRSIG] = "99N+",
    [DNS_NSEC] = "Nw",
    [DNS_DNSKEY] = "4*",
    [DNS_NSEC3] = "4hhw",
    [51] = "4h", /* NSEC3PARAM */
    [52] = "3+", /* TLSA */
    [53] = "3+", /* SMIMEA */
    [58] = "NN", /* TALINK */
    [59] = "4+", /* CDS */
    [60] = "4*", /* CDNSKEY */
    [62] = "6w", /* CSYNC */
    [63] = "6+", /* ZONEMD */
    [DNS_SVCB] = "2Np",
    [DNS_HTTPS] = "2Np",
    [99] = "S",    /* SPF */
    [107] = "2N",  /* LP */
    [256] = "4+",  /* URI */
    [257] = "1h*", /* CAA */
};

/* How an owner or inner name is judged: by itself, or with the memory of a whole message. */
struct name_judge {
    const uint8_t *msg;
    size_t len;
    struct dns_name_memo *memo; /* may be NULL */
};

static bool name_ok(const struct name_judge *j, size_t *pos, size_t end)
{
    return dns_name_check(j->msg, j->len, pos, j->memo) == ERR_OK && *pos <= end;
}

static bool plain_name_ok(const struct name_judge *j, size_t *pos, size_t end)
{
    size_t p = *pos;
    while (p < end && j->msg[p] != 0) {
        if (j->msg[p] > DNS_LABEL_MAX) {
            return false;
        }
        p += j->msg[p] + 1U;
    }
    return p < end && name_ok(j, pos, end);
}

static bool step(size_t *pos, size_t end, size_t octets)
{
    if (end - *pos < octets) {
        return false;
    }
    *pos += octets;
    return true;
}

static bool string_ok(const uint8_t *msg, size_t *pos, size_t end)
{
    return *pos < end && step(pos, end, 1U + msg[*pos]);
}

static bool strings_ok(const uint8_t *msg, size_t *pos, size_t end)
{
    do {
        if (!string_ok(msg, pos, end)) {
            return false;
        }
    } while (*pos < end);
    return true;
}

/* Windows in rising order, each of 1 to 32 octets, RFC 4034 4.1.2. None at all is fine for NSEC3
 * (RFC 5155 7.1). */
static bool bitmap_ok(const uint8_t *msg, size_t *pos, size_t end)
{
    int last = -1;
    while (*pos < end) {
        if (end - *pos < 2) {
            return false;
        }
        int window = msg[*pos];
        size_t octets = msg[*pos + 1];
        if (window <= last || octets == 0 || octets > 32 || !step(pos, end, 2 + octets)) {
            return false;
        }
        last = window;
    }
    return true;
}

/* Keys in strictly rising order, RFC 9460 2.2. */
static bool params_ok(const uint8_t *msg, size_t *pos, size_t end)
{
    long last = -1;
    while (*pos < end) {
        if (end - *pos < 4) {
            return false;
        }
        long key = be16_read(msg + *pos);
        if (key <= last || !step(pos, end, 4U + be16_read(msg + *pos + 2))) {
            return false;
        }
        last = key;
    }
    return true;
}

static bool part_ok(const struct name_judge *j, char part, size_t *pos, size_t end)
{
    switch (part) {
    case 'n':
        return *pos < end && name_ok(j, pos, end);
    case 'N':
        return plain_name_ok(j, pos, end);
    case 's':
    case 'h':
        return string_ok(j->msg, pos, end);
    case 'o':
        return *pos == end || string_ok(j->msg, pos, end);
    case 'S':
        return strings_ok(j->msg, pos, end);
    case 'w':
        return bitmap_ok(j->msg, pos, end);
    case 'p':
        return params_ok(j->msg, pos, end);
    case '+':
        return *pos < end && step(pos, end, end - *pos);
    case '*':
        return step(pos, end, end - *pos);
    default:
        return step(pos, end, (size_t)(part - '0'));
    }
}

static bool rdata_ok(const struct name_judge *j, const struct dns_record *rr)
{
    if (rr->type == DNS_OPT) {
        struct dns_edns edns;
        return dns_edns_read(rr->klass, rr->ttl, j->msg + rr->rdata, rr->rdlen, &edns) == ERR_OK;
    }
    if (rr->type >= ARRAY_LEN(shapes) || shapes[rr->type][0] == '\0') {
        return true;
    }
    size_t pos = rr->rdata;
    size_t end = rr->rdata + rr->rdlen;
    for (const char *pattern = shapes[rr->type]; *pattern != '\0'; pattern++) {
        if (!part_ok(j, *pattern, &pos, end)) {
            return false;
        }
    }
    return pos == end;
}

bool dns_record_rdata_ok(const uint8_t *msg, size_t len, const struct dns_record *rr)
{
    return rdata_ok(&(struct name_judge){.msg = msg, .len = len}, rr);
}

enum err dns_msg_check(const uint8_t *msg, size_t len)
{
    struct dns_walk walk;
    enum err e = dns_walk_begin(msg, len, &walk);
    if (e != ERR_OK) {
        return e;
    }
    struct dns_name_memo memo;
    dns_name_memo_init(&memo, len);
    struct name_judge judge = {.msg = msg, .len = len, .memo = &memo};
    size_t pos = DNS_HEADER_OCTETS;
    for (unsigned i = be16_read(msg + 4); i > 0; i--, pos += 4) {
        if (!name_ok(&judge, &pos, len)) {
            return ERR_FORMAT;
        }
    }
    bool opt = false;
    struct dns_record rr;
    while (dns_walk_next(&walk, &rr)) {
        size_t owner = rr.owner;
        if (!name_ok(&judge, &owner, len) || !rdata_ok(&judge, &rr)) {
            return ERR_FORMAT;
        }
        if (rr.type == DNS_OPT) {
            if (opt || rr.section != DNS_SECTION_ADDITIONAL || msg[rr.owner] != 0) {
                return ERR_FORMAT;
            }
            opt = true;
        }
    }
    return !walk.bad && walk.pos == len ? ERR_OK : ERR_FORMAT;
}
