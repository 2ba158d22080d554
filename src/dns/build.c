/*
 * Answers of our own, written over the request. The question stays where it is, so the client gets
 * its own case back and owners are a pointer to it. Records go in until one does not fit; then the
 * answer is cut to its question with TC set, since half a set of records is worse than none (RFC
 * 2181 9).
 */
#include "dns/build.h"

#include "base/require.h"

#define QNAME_POINTER (0xc000 | DNS_HEADER_OCTETS)
#define OPT_BARE      11 /* octets of an OPT record without options */
#define OPT_USUAL     72 /* … with cookie, keepalive, and a word on an error */

static size_t records_start(const struct dns_build *b)
{
    return DNS_HEADER_OCTETS + (size_t)b->request->question_len;
}

void dns_build_begin(struct dns_build *b, uint8_t *buf, size_t cap, size_t limit,
                     const struct dns_request *request, unsigned rcode)
{
    b->request = request;
    b->limit = limit < cap ? limit : cap;
    size_t start = records_start(b);
    REQUIRE(b->limit >= start);
    /* Room for a bare OPT is held back until the end. */
    size_t opt = request->edns.present && b->limit - start >= OPT_BARE ? OPT_BARE : 0;
    b->w = writer_of(buf, b->limit - opt);
    b->w.len = start;
    b->flags = (uint16_t)(DNS_QR | DNS_RA | (rcode & DNS_RCODE_MASK) |
                          (request->flags & (DNS_OPCODE_MASK | DNS_RD | DNS_CD)));
    b->ext_rcode = (uint8_t)(rcode >> 4);
    b->answers = b->authorities = b->extras = 0;
}

size_t dns_build_limit(const struct dns_request *request, bool tcp)
{
    if (tcp) {
        return DNS_TCP_MAX;
    }
    if (!request->edns.present) {
        return DNS_UDP_MIN;
    }
    return request->edns.udp_size < DNS_UDP_MAX ? request->edns.udp_size : DNS_UDP_MAX;
}

static void count_record(struct dns_build *b, enum dns_section section)
{
    if (section == DNS_SECTION_ANSWER) {
        b->answers++;
    } else {
        b->authorities++;
    }
}

/* Type, class, TTL and rdlength at p, RFC 1035 4.1.3. */
static uint8_t *record_head(uint8_t *p, uint16_t type, uint16_t klass, uint32_t ttl_s, size_t rdlen)
{
    be16_write(p, type);
    be16_write(p + 2, klass);
    be32_write(p + 4, ttl_s);
    be16_write(p + 8, (uint16_t)rdlen);
    return p + 10;
}

static void address_record(struct dns_build *b, uint16_t type, uint32_t ttl_s, const uint8_t *addr,
                           size_t addr_len)
{
    REQUIRE(b->request->question_len > 0);
    uint8_t *p = writer_room(&b->w, 12 + addr_len);
    if (p != NULL) {
        be16_write(p, QNAME_POINTER);
        memcpy(record_head(p + 2, type, DNS_IN, ttl_s, addr_len), addr, addr_len);
        b->answers++;
    }
}

void dns_build_a(struct dns_build *b, uint32_t ttl_s, const uint8_t addr[4])
{
    address_record(b, DNS_A, ttl_s, addr, 4);
}

void dns_build_aaaa(struct dns_build *b, uint32_t ttl_s, const uint8_t addr[16])
{
    address_record(b, DNS_AAAA, ttl_s, addr, 16);
}

void dns_build_record(struct dns_build *b, enum dns_section section, const struct dns_name *owner,
                      uint16_t type, uint32_t ttl_s, const uint8_t *rdata, size_t rdlen)
{
    REQUIRE(section != DNS_SECTION_ADDITIONAL);
    REQUIRE(section == DNS_SECTION_AUTHORITY || b->authorities == 0);
    REQUIRE(b->extras == 0);
    REQUIRE(owner != NULL || b->request->question_len > 0);
    REQUIRE(rdlen <= UINT16_MAX);
    if (owner != NULL) {
        writer_bytes(&b->w, owner->wire, owner->len);
    } else {
        writer_be16(&b->w, QNAME_POINTER);
    }
    uint16_t klass = b->request->qclass == DNS_CH ? DNS_CH : DNS_IN;
    uint8_t *p = writer_room(&b->w, 10 + rdlen);
    if (p != NULL) {
        p = record_head(p, type, klass, ttl_s, rdlen);
        if (rdlen > 0) {
            memcpy(p, rdata, rdlen);
        }
        count_record(b, section);
    }
}

void dns_build_extra(struct dns_build *b, const struct dns_name *owner, uint16_t type,
                     uint32_t ttl_s, const uint8_t *rdata, size_t rdlen)
{
    size_t size = owner->len + 10 + rdlen;
    if (b->w.bad || b->w.cap - b->w.len < size + (b->request->edns.present ? OPT_USUAL : 0)) {
        return;
    }
    writer_bytes(&b->w, owner->wire, owner->len);
    writer_be16(&b->w, type);
    writer_be16(&b->w, DNS_IN);
    writer_be32(&b->w, ttl_s);
    writer_be16(&b->w, (uint16_t)rdlen);
    writer_bytes(&b->w, rdata, rdlen);
    b->extras++;
}

void dns_build_soa(struct dns_build *b, uint32_t ttl_s)
{
    /* As RFC 6303 3 has it for zones that exist only in a resolver; the name server is the name
     * itself. */
    uint8_t rdata[] = {
        QNAME_POINTER >> 8,
        QNAME_POINTER & 0xff,
        6,
        'n',
        'o',
        'b',
        'o',
        'd',
        'y',
        7,
        'i',
        'n',
        'v',
        'a',
        'l',
        'i',
        'd',
        0,
        0,
        0,
        0,
        1, /* serial */
        0,
        0,
        0x0e,
        0x10, /* refresh 3600 */
        0,
        0,
        0x04,
        0xb0, /* retry 1200 */
        0,
        0x09,
        0x3a,
        0x80, /* expire 604800 */
        0,
        0,
        0,
        0, /* minimum */
    };
    be32_write(rdata + sizeof rdata - 4, ttl_s);
    dns_build_record(b, DNS_SECTION_AUTHORITY, NULL, DNS_SOA, ttl_s, rdata, sizeof rdata);
}

static void write_opt(struct dns_build *b, const struct dns_edns_reply *reply)
{
    struct dns_edns_reply opt = {.ede = DNS_EDE_NONE, .keepalive = -1};
    if (reply != NULL) {
        opt = *reply;
    }
    opt.udp_size = opt.udp_size != 0 ? opt.udp_size : DNS_UDP_MAX;
    opt.dnssec_ok = b->request->edns.dnssec_ok;
    opt.ext_rcode = b->ext_rcode;
    dns_edns_write(&b->w, &opt);
}

size_t dns_build_end(struct dns_build *b, const struct dns_edns_reply *reply)
{
    if (b->w.bad) {
        b->w.bad = false;
        b->w.len = records_start(b);
        b->flags |= DNS_TC;
        b->answers = b->authorities = b->extras = 0;
    }
    b->w.cap = b->limit;
    size_t additional = b->extras;
    if (b->request->edns.present && b->limit - b->w.len >= OPT_BARE) {
        write_opt(b, reply);
        additional++;
    }
    uint8_t *header = b->w.data;
    be16_write(header, b->request->id);
    be16_write(header + 2, b->flags);
    be16_write(header + 4, b->request->question_len > 0);
    be16_write(header + 6, b->answers);
    be16_write(header + 8, b->authorities);
    be16_write(header + 10, (uint16_t)additional);
    return b->w.len;
}

size_t dns_build_error(uint8_t *buf, size_t cap, const struct dns_request *request, unsigned rcode,
                       int ede, const char *ede_text)
{
    struct dns_build b;
    dns_build_begin(&b, buf, cap, DNS_UDP_MIN, request, rcode);
    return dns_build_end(
        &b, &(struct dns_edns_reply){.ede = (int16_t)ede, .ede_text = ede_text, .keepalive = -1});
}

size_t dns_build_query(uint8_t *buf, size_t cap, uint16_t id, uint16_t flags,
                       const uint8_t *qname_wire, size_t qname_len, uint16_t qtype, uint16_t qclass,
                       bool edns, bool dnssec_ok)
{
    struct writer w = writer_of(buf, cap);
    writer_be16(&w, id);
    writer_be16(&w, flags);
    writer_be16(&w, 1);
    writer_be16(&w, 0);
    writer_be16(&w, 0);
    writer_be16(&w, edns ? 1 : 0);
    writer_bytes(&w, qname_wire, qname_len);
    writer_be16(&w, qtype);
    writer_be16(&w, qclass);
    if (edns) {
        dns_edns_write(&w, &(struct dns_edns_reply){.udp_size = DNS_UDP_MAX,
                                                    .dnssec_ok = dnssec_ok,
                                                    .ede = DNS_EDE_NONE,
                                                    .keepalive = -1});
    }
    return w.bad ? 0 : w.len;
}
