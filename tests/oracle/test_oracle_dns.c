/*
 * The wire format against ldns: the same octets, texts and messages to both. The rule is one-sided
 * where we are stricter on purpose: what we call good ldns must call good and read alike; where
 * ldns takes more than we do, the difference must be one of those that `excuse` names.
 */
/* OpenSSL, which ldns includes, has a type of the name of one of our errors. */
#define ERR_STATE openssl_err_state
#include <stdbool.h> /* or ldns makes a bool of its own */

#include <ldns/ldns.h>
#undef ERR_STATE

#include <stdlib.h>

#include "dns/build.h"
#include "dns/name_scan.h"
#include "octets.h"
#include "unit.h"

static struct test_random rnd = {42};

/* The wire octets of an ldns name, lowered in place. */
static const uint8_t *lowered(ldns_rdf *dname, size_t *len)
{
    ldns_dname2canonical(dname);
    *len = ldns_rdf_size(dname);
    return ldns_rdf_data(dname);
}

static void assert_same_name(const struct dns_name *ours, ldns_rdf *theirs)
{
    size_t len;
    const uint8_t *wire = lowered(theirs, &len);
    assert_int_equal(ours->len, len);
    assert_memory_equal(ours->wire, wire, len);
}

/*
 * Does reading the name at pos break one of our rules for pointers (strictly backwards, not into
 * the header, not too many)? ldns follows any pointer within the message until the name is too
 * long.
 */
static bool strange_pointers(const uint8_t *msg, size_t len, size_t pos)
{
    size_t start = pos;
    unsigned hops = 0;
    while (pos + 1 < len && msg[pos] != 0) {
        if (msg[pos] < 0xc0) {
            pos += msg[pos] + 1U;
            continue;
        }
        size_t target = be16_read(msg + pos) & 0x3fff;
        if (target >= start || target < DNS_HEADER_OCTETS || hops++ == DNS_NAME_HOPS) {
            return true;
        }
        start = pos = target;
    }
    return false;
}

static void wire_names(void **state)
{
    (void)state;
    unsigned good = 0, stricter = 0;
    for (int i = 0; i < 400000; i++) {
        uint8_t msg[300];
        size_t len = 13 + test_random_below(&rnd, i % 10 ? 40 : 287);
        test_random_bytes(&rnd, msg, len);
        for (size_t j = 0; j < len;
             j++) { /* short labels, near pointers, roots; sometimes long labels */
            uint32_t kind = test_random_below(&rnd, 16);
            msg[j] = kind < 9 ? msg[j] & 3 : kind < 11 ? 0xc0 : kind < 14 ? msg[j] % 64 : msg[j];
        }
        size_t start = 12 + test_random_below(&rnd, (uint32_t)len - 12);
        size_t ours_pos = start, theirs_pos = start;
        struct dns_name ours;
        ldns_rdf *theirs = NULL;
        enum err e = dns_name_read(msg, len, &ours_pos, &ours);
        ldns_status s = ldns_wire2dname(&theirs, msg, len, &theirs_pos);
        if (e == ERR_OK) {
            good++;
            if (s != LDNS_STATUS_OK) {
                fail_msg("ldns refuses: %s", ldns_get_errorstr_by_id(s));
            }
            assert_int_equal(ours_pos, theirs_pos);
            assert_same_name(&ours, theirs);
        } else if (s == LDNS_STATUS_OK) {
            stricter++;
            assert_true(strange_pointers(msg, len, start));
        }
        ldns_rdf_deep_free(theirs);
    }
    assert_true(good > 20000 && stricter > 100);
}

static struct dns_name random_name(unsigned octet_mask)
{
    uint8_t wire[DNS_NAME_MAX];
    size_t len = 0;
    for (unsigned labels = test_random_below(&rnd, 7); labels > 0; labels--) {
        unsigned n = 1 + test_random_below(&rnd, labels == 1 ? 63 : 12);
        wire[len++] = (uint8_t)n;
        for (unsigned j = 0; j < n; j++) {
            wire[len++] = (uint8_t)(test_random_u64(&rnd) & octet_mask);
        }
    }
    wire[len++] = 0;
    struct dns_name name;
    assert_int_equal(dns_name_from_wire(wire, len, &name), ERR_OK);
    return name;
}

static void names_as_text(void **state)
{
    (void)state;
    for (int i = 0; i < 40000; i++) {
        struct dns_name name = random_name(i % 2 ? 0xff : 0x7f), again;
        char text[DNS_NAME_TEXT];
        dns_name_format(&name, text);
        ldns_rdf *theirs = ldns_dname_new_frm_str(text);
        if (theirs == NULL) {
            fail_msg("ldns does not read %s", text);
        }
        assert_same_name(&name, theirs);
        char *their_text = ldns_rdf2str(theirs);
        if (dns_name_parse(span_str(their_text), &again) != ERR_OK) {
            fail_msg("we do not read %s", their_text);
        }
        assert_true(dns_name_equal(&name, &again));
        free(their_text);
        ldns_rdf_deep_free(theirs);
    }
}

static void random_texts(void **state)
{
    (void)state;
    static const char letters[] = "aB9-_.\\0125.";
    unsigned good = 0;
    for (int i = 0; i < 400000; i++) {
        char text[16];
        size_t n = 1 + test_random_below(&rnd, sizeof text - 1);
        for (size_t j = 0; j < n; j++) {
            text[j] = letters[test_random_below(&rnd, sizeof letters - 1)];
        }
        text[n] = '\0';
        struct dns_name ours;
        enum err e = dns_name_parse(span_str(text), &ours);
        ldns_rdf *theirs = ldns_dname_new_frm_str(text);
        if ((e == ERR_OK) != (theirs != NULL)) {
            fail_msg("%s: ours %s", text, err_text(e));
        }
        if (theirs != NULL) {
            good++;
            assert_same_name(&ours, theirs);
        }
        ldns_rdf_deep_free(theirs);
    }
    assert_true(good > 10000);
}

/* ldns writes TYPEnnn for types younger than itself; a name that it has is ours too. */
static void type_names(void **state)
{
    (void)state;
    for (unsigned type = 1; type < 0x10000; type++) {
        char ours[16];
        dns_type_format((uint16_t)type, ours);
        char *theirs = ldns_rr_type2str((ldns_rr_type)type);
        if (strcmp(ours, theirs) != 0 && strncmp(theirs, "TYPE", 4) != 0) {
            fail_msg("%u: %s, ldns %s", type, ours, theirs);
        }
        assert_int_equal(ldns_get_rr_type_by_name(theirs), type);
        free(theirs);
    }
}

static ldns_pkt *read_pkt(const uint8_t *msg, size_t len)
{
    ldns_pkt *pkt = NULL;
    ldns_status s = ldns_wire2pkt(&pkt, msg, len);
    if (s != LDNS_STATUS_OK) {
        fail_msg("ldns: %s", ldns_get_errorstr_by_id(s));
    }
    return pkt;
}

static uint8_t buf[DNS_TCP_MAX + 1];

/* A query of ours, read by ldns and by us as if from a client; its length. */
static size_t random_query(struct dns_request *request)
{
    struct dns_name name = random_name(0xff);
    bool edns = test_random_below(&rnd, 2);
    static const uint16_t types[] = {DNS_A, DNS_AAAA, DNS_TXT, DNS_HTTPS, 65280};
    size_t len = dns_build_query(buf, sizeof buf, (uint16_t)test_random_u64(&rnd), DNS_RD,
                                 name.wire, name.len, types[test_random_below(&rnd, 5)], DNS_IN,
                                 edns, edns && test_random_below(&rnd, 2));
    assert_int_equal(dns_request_parse(buf, len, request), DNS_REQUEST_OK);
    return len;
}

static void assert_same_question(const struct dns_request *request, const ldns_pkt *pkt)
{
    assert_int_equal(ldns_pkt_id(pkt), request->id);
    assert_int_equal(ldns_pkt_qdcount(pkt), 1);
    ldns_rr *question = ldns_rr_list_rr(ldns_pkt_question(pkt), 0);
    assert_int_equal(ldns_rr_get_type(question), request->qtype);
    assert_int_equal(ldns_rr_get_class(question), request->qclass);
    assert_same_name(&request->qname, ldns_rr_owner(question));
    assert_int_equal(ldns_pkt_edns(pkt), request->edns.present);
    assert_int_equal(ldns_pkt_edns_do(pkt), request->edns.dnssec_ok);
}

static void our_queries(void **state)
{
    (void)state;
    for (int i = 0; i < 10000; i++) {
        struct dns_request request;
        size_t len = random_query(&request);
        ldns_pkt *pkt = read_pkt(buf, len);
        assert_same_question(&request, pkt);
        assert_true(ldns_pkt_rd(pkt) && !ldns_pkt_qr(pkt));
        assert_int_equal(ldns_pkt_get_opcode(pkt), LDNS_PACKET_QUERY);
        assert_int_equal(ldns_pkt_edns_udp_size(pkt), request.edns.present ? 1232 : 0);
        ldns_pkt_free(pkt);
    }
}

/* The answers that the resolver gives by itself, as ldns sees them. */
static void our_answers(void **state)
{
    (void)state;
    for (int i = 0; i < 10000; i++) {
        struct dns_request request;
        (void)random_query(&request);
        static const unsigned rcodes[] = {DNS_NOERROR, DNS_NXDOMAIN, DNS_REFUSED, DNS_BADVERS,
                                          DNS_BADCOOKIE};
        unsigned rcode = rcodes[test_random_below(&rnd, 5)];
        uint8_t addr[16];
        uint32_t ttl_s = test_random_below(&rnd, 86400);
        bool v6 = test_random_below(&rnd, 2);
        unsigned count = test_random_below(&rnd, 60);
        test_random_bytes(&rnd, addr, sizeof addr);
        struct dns_build b;
        dns_build_begin(&b, buf, sizeof buf, dns_build_limit(&request, i % 2), &request, rcode);
        for (unsigned k = 0; k < count; k++) {
            v6 ? dns_build_aaaa(&b, ttl_s, addr) : dns_build_a(&b, ttl_s, addr);
        }
        dns_build_soa(&b, ttl_s);
        size_t len = dns_build_end(
            &b, &(struct dns_edns_reply){.ede = 15, .ede_text = "why", .keepalive = -1});

        ldns_pkt *pkt = read_pkt(buf, len);
        assert_same_question(&request, pkt);
        assert_true(ldns_pkt_qr(pkt) && ldns_pkt_rd(pkt) && ldns_pkt_ra(pkt) && !ldns_pkt_aa(pkt));
        unsigned seen = ldns_pkt_get_rcode(pkt) | (unsigned)ldns_pkt_edns_extended_rcode(pkt) << 4;
        assert_int_equal(seen, request.edns.present ? rcode : rcode & 15);
        ldns_rr_list *answers = ldns_pkt_answer(pkt);
        assert_int_equal(ldns_rr_list_rr_count(answers), ldns_pkt_tc(pkt) ? 0 : count);
        assert_int_equal(ldns_pkt_nscount(pkt), !ldns_pkt_tc(pkt));
        for (size_t k = 0; k < ldns_rr_list_rr_count(answers); k++) {
            ldns_rr *rr = ldns_rr_list_rr(answers, k);
            assert_int_equal(ldns_rr_ttl(rr), ttl_s);
            assert_int_equal(ldns_rr_get_type(rr), v6 ? LDNS_RR_TYPE_AAAA : LDNS_RR_TYPE_A);
            assert_same_name(&request.qname, ldns_rr_owner(rr));
            assert_memory_equal(ldns_rdf_data(ldns_rr_rdf(rr, 0)), addr, v6 ? 16 : 4);
        }
        if (!ldns_pkt_tc(pkt)) {
            ldns_rr *soa = ldns_rr_list_rr(ldns_pkt_authority(pkt), 0);
            assert_int_equal(ldns_rr_get_type(soa), LDNS_RR_TYPE_SOA);
            assert_int_equal(ldns_rdf2native_int32(ldns_rr_rdf(soa, 6)), ttl_s);
            assert_same_name(&request.qname, ldns_rr_rdf(soa, 0));
        }
        if (request.edns.present && !ldns_pkt_tc(pkt) && len + 12 < 1232) {
            ldns_rdf *options = ldns_pkt_edns_data(pkt);
            assert_non_null(options);
            assert_int_equal(ldns_rdf_size(options), 9);
            assert_memory_equal(ldns_rdf_data(options), "\0\17\0\5\0\17why", 9);
        }
        ldns_pkt_free(pkt);
    }
}

static const char *const record_texts[] = {
    "a.example. 300 IN A 192.0.2.1",
    "A.b.example. 300 IN AAAA 2001:db8::1",
    "example. 1 IN NS ns1.example.",
    "www.example. 2 IN CNAME a.example.",
    "1.2.0.192.in-addr.arpa. 3 IN PTR www.example.",
    "example. 4 IN MX 10 mail.example.",
    "example. 5 IN TXT \"hello\" \"world\" \"\"",
    "example. 6 IN SOA ns1.example. host.example. 1 2 3 4 5",
    "_dns._udp.example. 7 IN SRV 1 2 53 ns1.example.",
    "example. 8 IN NAPTR 1 2 \"S\" \"SIP+D2U\" \"\" _sip._udp.example.",
    "example. 9 IN DS 12345 8 2 3490a6806d47f17a34c29e2ce80e8a999ffbe4be3490a6806d47f17a34c29e2c",
    "example. 10 IN DNSKEY 257 3 8 AwEAAagAIKlVZrpC6Ia7gEzahA==",
    "example. 11 IN RRSIG A 8 1 300 20300101000000 20200101000000 12345 example. c2lnbmF0dXJl",
    "example. 12 IN NSEC a.example. A NS SOA RRSIG NSEC CAA",
    "h.example. 13 IN NSEC3 1 0 5 aabb 2t7b4g4vsa5smi47k61mv5bv1a22bojr A RRSIG",
    "_443._tcp.example. 14 IN TLSA 3 1 1 0d6fce3ff5d8a1c8",
    "example. 15 IN CAA 0 issue \"ca.example\"",
    "example. 16 IN SSHFP 4 2 aabbccdd",
    "example. 17 IN HINFO \"PC\" \"none\"",
    "example. 18 IN RP host.example. txt.example.",
    "example. 19 IN AFSDB 1 a.example.",
    "old.example. 20 IN DNAME example.",
    "example. 21 IN URI 1 2 \"https://example/\"",
    "example. 22 IN CDS 12345 8 2 3490a680",
    "example. 23 IN KX 1 a.example.",
    "example. 24 IN LOC 52 14 05 N 00 08 50 E 10m",
    "example. 25 IN TYPE65280 \\# 4 01020304",
    "example. 26 IN OPENPGPKEY aGVsbG8=",
    "example. 27 IN HTTPS 1 . alpn=h2,h3 port=443 ipv4hint=192.0.2.1",
    "_x.example. 28 IN SVCB 0 a.example.",
    "example. 29 IN MINFO a.example. b.example.",
    "example. 30 IN NSEC3PARAM 1 0 5 aabb",
};

static ldns_rr *random_record(void)
{
    const char *text = record_texts[test_random_below(&rnd, ARRAY_LEN(record_texts))];
    ldns_rr *rr = NULL;
    ldns_status s = ldns_rr_new_frm_str(&rr, text, 0, NULL, NULL);
    if (s != LDNS_STATUS_OK) {
        fail_msg("%s: %s", text, ldns_get_errorstr_by_id(s));
    }
    return rr;
}

/* A response by ldns, names compressed by it. */
static ldns_pkt *random_response(void)
{
    ldns_pkt *pkt = ldns_pkt_query_new(ldns_dname_new_frm_str("www.example."), LDNS_RR_TYPE_A,
                                       LDNS_RR_CLASS_IN, LDNS_RD | LDNS_QR);
    static const ldns_pkt_section sections[] = {LDNS_SECTION_ANSWER, LDNS_SECTION_AUTHORITY,
                                                LDNS_SECTION_ADDITIONAL};
    for (unsigned n = test_random_below(&rnd, 6); n > 0; n--) {
        ldns_pkt_push_rr(pkt, sections[test_random_below(&rnd, 3)], random_record());
    }
    if (test_random_below(&rnd, 2)) {
        ldns_pkt_set_edns_udp_size(pkt, 1232);
    }
    return pkt;
}

static size_t write_pkt(const ldns_pkt *pkt)
{
    uint8_t *wire;
    size_t len;
    assert_int_equal(ldns_pkt2wire(&wire, pkt, &len), LDNS_STATUS_OK);
    assert_true(len <= sizeof buf);
    memcpy(buf, wire, len);
    free(wire);
    return len;
}

/* Our record in place against theirs: by its fields, and by letting ldns read it where we say that
 * it is. */
static void assert_same_record(size_t len, const struct dns_record *rr, ldns_rr *theirs)
{
    assert_int_equal(rr->type, ldns_rr_get_type(theirs));
    assert_int_equal(rr->klass, ldns_rr_get_class(theirs));
    assert_int_equal(rr->ttl, ldns_rr_ttl(theirs));
    struct dns_name owner;
    size_t pos = rr->owner;
    assert_int_equal(dns_name_read(buf, len, &pos, &owner), ERR_OK);
    assert_same_name(&owner, ldns_rr_owner(theirs));
    for (size_t i = 0; i < ldns_rr_rd_count(theirs); i++) { /* a name that ends the rdata */
        ldns_rdf *rdf = ldns_rr_rdf(theirs, i);
        size_t before = rr->type == DNS_MX || rr->type == DNS_KX || rr->type == DNS_AFSDB ? 2 : 0;
        if (ldns_rdf_get_type(rdf) == LDNS_RDF_TYPE_DNAME && i == before / 2) {
            size_t at = rr->rdata + before;
            assert_int_equal(dns_name_read(buf, len, &at, &owner), ERR_OK);
            assert_same_name(&owner, rdf);
        }
    }
    size_t at = rr->owner;
    ldns_rr *again = NULL;
    assert_int_equal(ldns_wire2rr(&again, buf, len, &at, (ldns_pkt_section)(rr->section + 1)),
                     LDNS_STATUS_OK);
    assert_int_equal(at, rr->rdata + rr->rdlen);
    assert_int_equal(ldns_rr_compare(again, theirs), 0);
    ldns_rr_free(again);
}

static void their_responses(void **state)
{
    (void)state;
    for (int i = 0; i < 10000; i++) {
        ldns_pkt *pkt = random_response();
        size_t len = write_pkt(pkt);
        assert_int_equal(dns_msg_check(buf, len), ERR_OK);
        ldns_rr_list *sections[] = {ldns_pkt_answer(pkt), ldns_pkt_authority(pkt),
                                    ldns_pkt_additional(pkt)};
        struct dns_walk walk;
        struct dns_record rr;
        assert_int_equal(dns_walk_begin(buf, len, &walk), ERR_OK);
        for (unsigned s = 0; s < 3; s++) {
            for (size_t k = 0; k < ldns_rr_list_rr_count(sections[s]); k++) {
                assert_true(dns_walk_next(&walk, &rr));
                assert_int_equal(rr.section, s);
                assert_same_record(len, &rr, ldns_rr_list_rr(sections[s], k));
            }
        }
        if (ldns_pkt_edns(pkt)) {
            assert_true(dns_walk_next(&walk, &rr));
            assert_int_equal(rr.type, DNS_OPT);
        }
        assert_false(dns_walk_next(&walk, &rr));
        assert_true(!walk.bad && walk.pos == len);
        ldns_pkt_free(pkt);
    }
}

/* Types whose inside ldns knows and we pass on unread: there it may refuse what we take. */
static bool opaque_to_us(unsigned type)
{
    static const unsigned types[] = {
        11 /* WKS */,    22 /* NSAP */,   23 /* NSAP-PTR */, 27 /* GPOS */,  31 /* EID */,
        32 /* NIMLOC */, 40 /* SINK */,   34 /* ATMA */,     42 /* APL */,   45 /* IPSECKEY */,
        49 /* DHCID */,  55 /* HIP */,    104 /* NID */,     105 /* L32 */,  106 /* L64 */,
        108 /* EUI48 */, 109 /* EUI64 */, 249 /* TKEY */,    250 /* TSIG */, 260 /* AMTRELAY */};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (types[i] == type) {
            return true;
        }
    }
    return false;
}

/* Types in whose rdata we check what ldns takes as it comes: bitmaps, parameters, names that may
 * not be compressed. */
static bool closer_to_us(unsigned type)
{
    return type == DNS_NSEC || type == DNS_NSEC3 || type == DNS_SVCB || type == DNS_HTTPS ||
           type == DNS_RRSIG || type == 58 /* TALINK */ || type == 62 /* CSYNC */ ||
           type == 29 /* LOC */ || type == 107 /* LP */;
}

/*
 * Why may ldns take a record whose rdata we refuse? It reads as many fields as there are and is
 * content with few or empty ones, its last name may run past the rdata, and it follows pointers
 * that we do not.
 */
static bool record_excused(size_t len, const struct dns_record *rr)
{
    size_t at = rr->owner;
    ldns_rr *theirs = NULL;
    if (ldns_wire2rr(&theirs, buf, len, &at, (ldns_pkt_section)(rr->section + 1)) !=
        LDNS_STATUS_OK) {
        return false;
    }
    size_t fields = ldns_rr_rd_count(theirs);
    bool excused = at != rr->rdata + rr->rdlen || closer_to_us(rr->type) ||
                   fields < ldns_rr_descriptor_minimum(ldns_rr_descript(rr->type)) ||
                   ldns_rdf_size(ldns_rr_rdf(theirs, fields - 1)) == 0;
    ldns_rr_free(theirs);
    for (size_t i = 0; i < rr->rdlen && !excused; i++) {
        excused = strange_pointers(buf, len, rr->rdata + i);
    }
    return excused;
}

/*
 * Marks where the labels of the name at *pos begin and steps over it; true if its pointer leads to
 * no mark made before.
 */
static bool mark_name(size_t len, size_t *pos, bool begins[])
{
    while (*pos + 1 < len && buf[*pos] != 0 && buf[*pos] < 0xc0) {
        begins[*pos] = true;
        *pos += buf[*pos] + 1U;
    }
    bool pointer = *pos + 1 < len && buf[*pos] >= 0xc0;
    bool borrowed = pointer && !begins[be16_read(buf + *pos) & 0x3fff];
    if (*pos < len) {
        begins[*pos] = true;
    }
    *pos += pointer ? 2 : 1;
    return borrowed;
}

/* Does a pointer lead to a place where no label of an earlier name begins? Where names are in rdata
 * ldns tells. */
static bool borrowed_name(size_t len)
{
    static bool begins[sizeof buf];
    memset(begins, 0, sizeof begins);
    size_t pos = DNS_HEADER_OCTETS;
    for (unsigned i = be16_read(buf + 4); i > 0; i--, pos += 4) {
        if (mark_name(len, &pos, begins)) {
            return true;
        }
    }
    struct dns_walk walk;
    struct dns_record rr;
    assert_int_equal(dns_walk_begin(buf, len, &walk), ERR_OK);
    while (dns_walk_next(&walk, &rr)) {
        size_t at = rr.owner;
        ldns_rr *theirs = NULL;
        bool borrowed = mark_name(len, &at, begins);
        at = rr.owner;
        if (borrowed || ldns_wire2rr(&theirs, buf, len, &at, (ldns_pkt_section)(rr.section + 1)) !=
                            LDNS_STATUS_OK) {
            return borrowed;
        }
        at = rr.rdata;
        for (size_t i = 0; i < ldns_rr_rd_count(theirs) && !borrowed; i++) {
            ldns_rdf *rdf = ldns_rr_rdf(theirs, i);
            if (ldns_rdf_get_type(rdf) == LDNS_RDF_TYPE_DNAME) {
                borrowed = mark_name(len, &at, begins);
            } else {
                at += ldns_rdf_size(rdf);
            }
        }
        ldns_rr_free(theirs);
        if (borrowed) {
            return true;
        }
    }
    return false;
}

static bool holds_opaque(size_t len)
{
    struct dns_walk walk;
    struct dns_record rr;
    assert_int_equal(dns_walk_begin(buf, len, &walk), ERR_OK);
    while (dns_walk_next(&walk, &rr)) {
        if (opaque_to_us(rr.type)) {
            return true;
        }
    }
    return false;
}

/* Why may ldns take a message that we refuse? */
static bool message_excused(size_t len)
{
    struct dns_walk walk;
    struct dns_record rr;
    unsigned opts = 0;
    if (dns_walk_begin(buf, len, &walk) != ERR_OK) {
        return strange_pointers(buf, len, DNS_HEADER_OCTETS);
    }
    while (dns_walk_next(&walk, &rr)) {
        opts += rr.type == DNS_OPT;
        if (rr.type == DNS_OPT && (rr.section != DNS_SECTION_ADDITIONAL || buf[rr.owner] != 0)) {
            return true; /* ldns does not mind where an OPT stands */
        }
        if (!dns_record_rdata_ok(buf, len, &rr)) {
            return rr.type == DNS_OPT || record_excused(len, &rr);
        }
        if (strange_pointers(buf, len, rr.owner)) {
            return true;
        }
    }
    /* Trailing octets, more than one OPT, and names borrowed from where we do not look, ldns takes.
     */
    return opts > 1 || walk.pos != len || strange_pointers(buf, len, walk.pos) ||
           borrowed_name(len) || holds_opaque(len);
}

static void compare_verdicts(size_t len, unsigned counts[2][2])
{
    bool ours = dns_msg_check(buf, len) == ERR_OK;
    ldns_pkt *pkt = NULL;
    ldns_status s = ldns_wire2pkt(&pkt, buf, len);
    bool theirs = s == LDNS_STATUS_OK;
    counts[ours][theirs]++;
    if (theirs) {
        ldns_pkt_free(pkt);
    }
    if (ours && !theirs && !holds_opaque(len)) {
        for (size_t i = 0; i < len; i++) {
            printf("%02x", buf[i]);
        }
        fail_msg("we take what ldns refuses: %s", ldns_get_errorstr_by_id(s));
    }
    if (!ours && theirs && !message_excused(len)) {
        for (size_t i = 0; i < len; i++) {
            printf("%02x", buf[i]);
        }
        fail_msg("we refuse what ldns takes");
    }
}

static void changed_messages(void **state)
{
    (void)state;
    static uint8_t whole[sizeof buf];
    unsigned counts[2][2] = {{0}};
    for (int i = 0; i < 20000; i++) {
        ldns_pkt *pkt = random_response();
        size_t len = write_pkt(pkt);
        ldns_pkt_free(pkt);
        memcpy(whole, buf, len);
        for (int k = 0; k < 10; k++) {
            memcpy(buf, whole, len);
            for (unsigned n = 1 + test_random_below(&rnd, 2); n > 0; n--) {
                buf[4 + test_random_below(&rnd, (uint32_t)len - 4)] =
                    (uint8_t)test_random_u64(&rnd);
            }
            compare_verdicts(
                test_random_below(&rnd, 20) ? len : test_random_below(&rnd, (uint32_t)len), counts);
        }
    }
    assert_true(counts[true][true] > 50000 && counts[false][false] > 50000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wire_names),      cmocka_unit_test(names_as_text),
        cmocka_unit_test(random_texts),    cmocka_unit_test(type_names),
        cmocka_unit_test(our_queries),     cmocka_unit_test(our_answers),
        cmocka_unit_test(their_responses), cmocka_unit_test(changed_messages),
    };
    return UNIT_RUN(tests);
}
