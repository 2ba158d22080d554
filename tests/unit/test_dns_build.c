/*
 * Answers of our own: octet for octet, cut at the limit, and read back by our own reader.
 */
#include "dns/build.h"
#include "octets.h"
#include "unit.h"

static uint8_t buf[70000];
static struct dns_request request;

static size_t take(const char *hex)
{
    size_t len = octets_of_hex(hex, buf, sizeof buf);
    assert_int_equal(dns_request_parse(buf, len, &request), DNS_REQUEST_OK);
    return len;
}

static void assert_answer(size_t len, const char *hex)
{
    static uint8_t want[4096];
    size_t n = octets_of_hex(hex, want, sizeof want);
    for (size_t i = 0; i < n && i < len; i++) {
        if (buf[i] != want[i]) {
            fail_msg("octet %zu is %02x, not %02x", i, buf[i], want[i]);
        }
    }
    assert_int_equal(len, n);
}

#define QUESTION "03416453 07657841 6d706c65 00 0001 0001" /* AdS.eXAmple A */

static void blocked_address(void **state)
{
    (void)state;
    take("1234 0100 0001 0000 0000 0000" QUESTION);
    struct dns_build b;
    dns_build_begin(&b, buf, sizeof buf, dns_build_limit(&request, false), &request, DNS_NOERROR);
    dns_build_a(&b, 60, (const uint8_t[4]){0});
    assert_answer(dns_build_end(&b, NULL),
                  "1234 8180 0001 0001 0000 0000" QUESTION "c00c 0001 0001 0000003c 0004 00000000");
}

static void blocked_address_with_edns_names_the_reason(void **state)
{
    (void)state;
    take("1234 0110 0001 0000 0000 0001 01610000 1c0001 00 0029 1000 00008000 0000");
    struct dns_build b;
    dns_build_begin(&b, buf, sizeof buf, dns_build_limit(&request, false), &request, DNS_NOERROR);
    dns_build_aaaa(&b, 60, (const uint8_t[16]){0});
    size_t len = dns_build_end(
        &b, &(struct dns_edns_reply){.ede = DNS_EDE_BLOCKED, .ede_text = "ads", .keepalive = -1});
    assert_answer(len, "1234 8190 0001 0001 0000 0001 01610000 1c0001"
                       "c00c 001c 0001 0000003c 0010 00000000000000000000000000000000"
                       "00 0029 04d0 00008000 0009 000f 0005 000f 616473");
}

static void nxdomain_has_an_soa(void **state)
{
    (void)state;
    take("1234 0100 0001 0000 0000 0000 01610000 010001");
    struct dns_build b;
    dns_build_begin(&b, buf, sizeof buf, 512, &request, DNS_NXDOMAIN);
    dns_build_soa(&b, 300);
    assert_answer(dns_build_end(&b, NULL),
                  "1234 8183 0001 0000 0001 0000 01610000 010001"
                  "c00c 0006 0001 0000012c 0026 c00c 066e6f626f647907696e76616c696400"
                  "00000001 00000e10 000004b0 00093a80 0000012c");
}

static void other_owners_stand_in_full(void **state)
{
    (void)state;
    take("1234 0000 0001 0000 0000 0000 01610000 010001");
    struct dns_name target;
    assert_int_equal(dns_name_parse(span_str("b.c"), &target), ERR_OK);
    struct dns_build b;
    dns_build_begin(&b, buf, sizeof buf, 512, &request, DNS_NOERROR);
    dns_build_record(&b, DNS_SECTION_ANSWER, NULL, DNS_CNAME, 1, target.wire, target.len);
    dns_build_record(&b, DNS_SECTION_ANSWER, &target, DNS_A, 2, (const uint8_t[4]){192, 0, 2, 1},
                     4);
    size_t len = dns_build_end(&b, NULL);
    assert_answer(len, "1234 8080 0001 0002 0000 0000 01610000 010001"
                       "c00c 0005 0001 00000001 0005 0162016300"
                       "0162016300 0001 0001 00000002 0004 c0000201");
    assert_int_equal(dns_msg_check(buf, len), ERR_OK);
}

static void chaos_records_are_chaos(void **state)
{
    (void)state;
    take("1234 0000 0001 0000 0000 0000 01610000 100003");
    struct dns_build b;
    dns_build_begin(&b, buf, sizeof buf, 512, &request, DNS_NOERROR);
    dns_build_record(&b, DNS_SECTION_ANSWER, NULL, DNS_TXT, 0, (const uint8_t *)"\2hi", 3);
    assert_answer(dns_build_end(&b, NULL), "1234 8080 0001 0001 0000 0000 01610000 100003"
                                           "c00c 0010 0003 00000000 0003 026869");
}

static void what_does_not_fit_is_cut_to_the_question(void **state)
{
    (void)state;
    for (int edns = 0; edns < 2; edns++) {
        const size_t question = 12 + 7, record = 16, opt = edns ? 11 : 0;
        for (size_t limit = question + opt; limit < 120; limit++) {
            take(edns ? "1234 0000 0001 0000 0000 0001 01610000 010001 00 0029 ffff 00000000 0000"
                      : "1234 0000 0001 0000 0000 0000 01610000 010001");
            struct dns_build b;
            dns_build_begin(&b, buf, sizeof buf, limit, &request, DNS_NOERROR);
            for (int i = 0; i < 4; i++) {
                dns_build_a(&b, 60, (const uint8_t[4]){0});
            }
            size_t len = dns_build_end(&b, NULL);
            bool fits = limit >= question + 4 * record + opt;
            assert_int_equal(len, fits ? question + 4 * record + opt : question + opt);
            assert_int_equal(be16_read(buf + 2), fits ? 0x8080 : 0x8280);
            assert_int_equal(be16_read(buf + 6), fits ? 4 : 0);
            assert_int_equal(be16_read(buf + 10), edns);
            assert_int_equal(dns_msg_check(buf, len), ERR_OK);
        }
    }
}

/* The OPT's options never push a record out, nor the answer over its limit. */
static void options_give_way_to_records(void **state)
{
    (void)state;
    for (size_t limit = 19 + 11; limit < 19 + 16 + 11 + 40; limit++) {
        take("1234 0000 0001 0000 0000 0001 01610000 010001 00 0029 ffff 00000000 0000");
        struct dns_build b;
        dns_build_begin(&b, buf, sizeof buf, limit, &request, DNS_NOERROR);
        dns_build_a(&b, 60, (const uint8_t[4]){0});
        size_t len = dns_build_end(&b, &(struct dns_edns_reply){.ede = DNS_EDE_BLOCKED,
                                                                .ede_text = "some list",
                                                                .keepalive = -1});
        assert_true(len <= limit);
        assert_int_equal(be16_read(buf + 6), limit >= 19 + 16 + 11);
        assert_int_equal(be16_read(buf + 10), 1);
        assert_int_equal(dns_msg_check(buf, len), ERR_OK);
    }
}

static void limit_is_what_the_client_takes(void **state)
{
    (void)state;
    static const struct {
        unsigned size;
        size_t limit;
    } rows[] = {{0, 512}, {512, 512}, {513, 513}, {1231, 1231}, {1232, 1232}, {4096, 1232}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len =
            take("1234 0000 0001 0000 0000 0001 01610000 010001 00 0029 ffff 00000000 0000");
        be16_write(buf + 12 + 7 + 3, (uint16_t)rows[i].size);
        assert_int_equal(dns_request_parse(buf, len, &request), DNS_REQUEST_OK);
        assert_int_equal(dns_build_limit(&request, false), rows[i].limit);
        assert_int_equal(dns_build_limit(&request, true), 65535);
    }
    take("1234 0000 0001 0000 0000 0000 01610000 010001");
    assert_int_equal(dns_build_limit(&request, false), 512);
    assert_int_equal(dns_build_limit(&request, true), 65535);
}

/* W3 and W5: what an error looks like after each kind of bad request. */
static void errors_hold_question_and_opt_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *why, *in;
        enum dns_request_status status;
        unsigned rcode;
        const char *out;
    } rows[] = {
        {"refused", "1234 0100 0001 0000 0000 0000 01610000 010001", DNS_REQUEST_OK, DNS_REFUSED,
         "1234 8185 0001 0000 0000 0000 01610000 010001"},
        {"AD and Z are not given back", "1234 01f0 0001 0000 0000 0000 01610000 010001",
         DNS_REQUEST_OK, DNS_SERVFAIL, "1234 8192 0001 0000 0000 0000 01610000 010001"},
        {"no question", "1234 0000 0000 0000 0000 0000", DNS_REQUEST_FORMERR, DNS_FORMERR,
         "1234 8081 0000 0000 0000 0000"},
        {"trailing octets", "1234 0000 0001 0000 0000 0000 01610000 010001 6a756e6b",
         DNS_REQUEST_FORMERR, DNS_FORMERR, "1234 8081 0001 0000 0000 0000 01610000 010001"},
        {"two OPT",
         "1234 0000 0001 0000 0000 0002 01610000 010001 00 0029 ffff 00008000 0000 00 0029 ffff "
         "00000000 0000",
         DNS_REQUEST_FORMERR, DNS_FORMERR,
         "1234 8081 0001 0000 0000 0001 01610000 010001 00 0029 04d0 00008000 0000"},
        {"EDNS version 1",
         "1234 0000 0001 0000 0000 0001 01610000 010001 00 0029 ffff 00010000 0000",
         DNS_REQUEST_BADVERS, DNS_BADVERS,
         "1234 8080 0001 0000 0000 0001 01610000 010001 00 0029 04d0 01000000 0000"},
        {"opcode NOTIFY", "1234 2500 0001 0000 0000 0000 01610000 060001", DNS_REQUEST_NOTIMP,
         DNS_NOTIMP, "1234 a184 0001 0000 0000 0000 01610000 060001"},
        {"opcode 15 and junk", "1234 7800 ffff ffff ffff ffff ffff", DNS_REQUEST_NOTIMP, DNS_NOTIMP,
         "1234 f884 0000 0000 0000 0000"},
        {"bad cookie", "1234 0000 0001 0000 0000 0001 01610000 010001 00 0029 ffff 00000000 0000",
         DNS_REQUEST_OK, DNS_BADCOOKIE,
         "1234 8087 0001 0000 0000 0001 01610000 010001 00 0029 04d0 01000000 0000"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = octets_of_hex(rows[i].in, buf, sizeof buf);
        if (dns_request_parse(buf, len, &request) != rows[i].status) {
            fail_msg("%s", rows[i].why);
        }
        len = dns_build_error(buf, sizeof buf, &request, rows[i].rcode, DNS_EDE_NONE, NULL);
        assert_answer(len, rows[i].out);
    }
}

static void error_tells_why(void **state)
{
    (void)state;
    take("1234 0000 0001 0000 0000 0001 01610000 010001 00 0029 ffff 00000000 0000");
    size_t len =
        dns_build_error(buf, sizeof buf, &request, DNS_SERVFAIL, DNS_EDE_NO_REACHABLE, "x");
    assert_answer(len, "1234 8082 0001 0000 0000 0001 01610000 010001"
                       "00 0029 04d0 00000000 0007 000f 0003 0016 78");
}

/* An answer may be no larger than the buffer, however small that is. */
static void small_buffers_are_never_overrun(void **state)
{
    (void)state;
    for (size_t cap = 19; cap < 60; cap++) {
        take("1234 0000 0001 0000 0000 0001 01610000 010001 00 0029 ffff 00000000 0000");
        memset(buf + cap, 0xa5, 100);
        size_t len =
            dns_build_error(buf, cap, &request, DNS_SERVFAIL, DNS_EDE_NO_REACHABLE, "text");
        assert_true(len <= cap);
        assert_int_equal(buf[cap], 0xa5);
        assert_int_equal(dns_msg_check(buf, len), ERR_OK);
    }
}

static void query_of_ours(void **state)
{
    (void)state;
    const uint8_t qname[] = {1, 'A', 1, 'b', 0};
    size_t len = dns_build_query(buf, sizeof buf, 0xbeef, DNS_RD | DNS_CD, qname, sizeof qname,
                                 DNS_HTTPS, DNS_IN, true, true);
    assert_answer(len, "beef 0110 0001 0000 0000 0001 0141016200 0041 0001"
                       "00 0029 04d0 00008000 0000");
    len = dns_build_query(buf, sizeof buf, 1, DNS_RD, qname, sizeof qname, DNS_A, DNS_IN, false,
                          false);
    assert_answer(len, "0001 0100 0001 0000 0000 0000 0141016200 0001 0001");
    for (size_t cap = 0; cap < 32; cap++) {
        assert_int_equal(
            dns_build_query(buf, cap, 1, 0, qname, sizeof qname, DNS_A, DNS_IN, true, false), 0);
    }
    assert_int_equal(
        dns_build_query(buf, 32, 1, 0, qname, sizeof qname, DNS_A, DNS_IN, true, false), 32);
}

static size_t random_wire_name(struct test_random *r, uint8_t *wire)
{
    size_t len = 0;
    unsigned labels = test_random_below(r, 6);
    for (unsigned i = 0; i < labels; i++) {
        unsigned n = 1 + test_random_below(r, 40);
        wire[len] = (uint8_t)n;
        test_random_bytes(r, wire + len + 1, n);
        len += n + 1;
    }
    wire[len] = 0;
    return len + 1;
}

/* parse(build(x)) = x, for queries … */
static void queries_are_read_back(void **state)
{
    (void)state;
    struct test_random r = {11};
    for (int i = 0; i < 20000; i++) {
        uint8_t wire[DNS_NAME_MAX];
        size_t wire_len = random_wire_name(&r, wire);
        uint16_t id = (uint16_t)test_random_u64(&r), type = (uint16_t)test_random_u64(&r);
        uint16_t klass = (uint16_t)test_random_u64(&r);
        uint16_t flags = test_random_below(&r, 2) ? DNS_RD : DNS_CD;
        bool edns = test_random_below(&r, 2), dnssec_ok = edns && test_random_below(&r, 2);
        size_t len = dns_build_query(buf, sizeof buf, id, flags, wire, wire_len, type, klass, edns,
                                     dnssec_ok);
        assert_int_equal(dns_request_parse(buf, len, &request), DNS_REQUEST_OK);
        assert_int_equal(request.id, id);
        assert_int_equal(request.flags, flags);
        assert_int_equal(request.qtype, type);
        assert_int_equal(request.qclass, klass);
        assert_int_equal(request.question_len, wire_len + 4);
        assert_int_equal(request.edns.present, edns);
        assert_int_equal(request.edns.dnssec_ok, dnssec_ok);
        assert_int_equal(request.edns.udp_size, edns ? 1232 : 512);
        struct dns_name want;
        assert_int_equal(dns_name_from_wire(wire, wire_len, &want), ERR_OK);
        assert_true(dns_name_equal(&want, &request.qname));
        assert_memory_equal(want.off, request.qname.off, (size_t)want.labels + 1);
        assert_memory_equal(buf + 12, wire, wire_len); /* the case of the letters is kept */
        assert_int_equal(dns_msg_check(buf, len), ERR_OK);
    }
}

/* … and for answers, record by record. */
static void answers_are_read_back(void **state)
{
    (void)state;
    struct test_random r = {12};
    for (int i = 0; i < 5000; i++) {
        uint8_t wire[DNS_NAME_MAX];
        size_t len = dns_build_query(buf, sizeof buf, 7, DNS_RD, wire, random_wire_name(&r, wire),
                                     DNS_TXT, DNS_IN, test_random_below(&r, 2), false);
        assert_int_equal(dns_request_parse(buf, len, &request), DNS_REQUEST_OK);
        struct {
            struct dns_name owner;
            uint8_t rdata[64];
            size_t rdlen;
            uint32_t ttl;
            uint16_t type;
            bool other_owner, authority;
        } records[8];
        unsigned count = test_random_below(&r, 8);
        bool authority = false;
        struct dns_build b;
        dns_build_begin(&b, buf, sizeof buf, DNS_TCP_MAX, &request, DNS_NXDOMAIN);
        for (unsigned k = 0; k < count; k++) {
            authority = authority || test_random_below(&r, 4) == 0;
            records[k].authority = authority;
            records[k].other_owner = test_random_below(&r, 2);
            size_t n = random_wire_name(&r, wire);
            assert_int_equal(dns_name_from_wire(wire, n, &records[k].owner), ERR_OK);
            records[k].rdlen = test_random_below(&r, 64);
            test_random_bytes(&r, records[k].rdata, records[k].rdlen);
            records[k].ttl = (uint32_t)test_random_u64(&r);
            records[k].type = (uint16_t)(65280 + k); /* private use: opaque */
            dns_build_record(&b, authority ? DNS_SECTION_AUTHORITY : DNS_SECTION_ANSWER,
                             records[k].other_owner ? &records[k].owner : NULL, records[k].type,
                             records[k].ttl, records[k].rdata, records[k].rdlen);
        }
        len = dns_build_end(&b, NULL);
        assert_int_equal(dns_msg_check(buf, len), ERR_OK);
        struct dns_walk walk;
        struct dns_record rr;
        assert_int_equal(dns_walk_begin(buf, len, &walk), ERR_OK);
        for (unsigned k = 0; k < count; k++) {
            assert_true(dns_walk_next(&walk, &rr));
            assert_int_equal(rr.section,
                             records[k].authority ? DNS_SECTION_AUTHORITY : DNS_SECTION_ANSWER);
            assert_int_equal(rr.type, records[k].type);
            assert_int_equal(rr.klass, DNS_IN);
            assert_int_equal(rr.ttl, records[k].ttl);
            assert_int_equal(rr.rdlen, records[k].rdlen);
            assert_memory_equal(buf + rr.rdata, records[k].rdata, rr.rdlen);
            assert_true(dns_name_matches(
                buf, len, rr.owner, records[k].other_owner ? &records[k].owner : &request.qname));
        }
        assert_int_equal(dns_walk_next(&walk, &rr), request.edns.present);
        assert_false(dns_walk_next(&walk, &rr));
        assert_false(walk.bad);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocked_address),
        cmocka_unit_test(blocked_address_with_edns_names_the_reason),
        cmocka_unit_test(nxdomain_has_an_soa),
        cmocka_unit_test(other_owners_stand_in_full),
        cmocka_unit_test(chaos_records_are_chaos),
        cmocka_unit_test(what_does_not_fit_is_cut_to_the_question),
        cmocka_unit_test(options_give_way_to_records),
        cmocka_unit_test(limit_is_what_the_client_takes),
        cmocka_unit_test(errors_hold_question_and_opt_and_nothing_else),
        cmocka_unit_test(error_tells_why),
        cmocka_unit_test(small_buffers_are_never_overrun),
        cmocka_unit_test(query_of_ours),
        cmocka_unit_test(queries_are_read_back),
        cmocka_unit_test(answers_are_read_back),
    };
    return UNIT_RUN(tests);
}
