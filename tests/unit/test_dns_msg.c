/*
 * Requests: the table of verdicts by header bits, counts, opcode, class and EDNS (the written
 * response policy); the walk over records.
 */
#include "base/cursor.h"
#include "dns/build.h"
#include "octets.h"
#include "unit.h"

/* A request put together field by field, right or wrong. */
struct packet {
    uint8_t octets[70000];
    size_t len;
};

static struct packet packet;

static void begin(uint16_t flags, unsigned qd, unsigned an, unsigned ns, unsigned ar)
{
    static const uint16_t id = 0x1234;
    const unsigned fields[] = {id, flags, qd, an, ns, ar};
    for (size_t i = 0; i < 6; i++) {
        be16_write(packet.octets + 2 * i, (uint16_t)fields[i]);
    }
    packet.len = DNS_HEADER_OCTETS;
}

static void add(const char *hex)
{
    packet.len += octets_of_hex(hex, packet.octets + packet.len, sizeof packet.octets - packet.len);
}

static struct dns_request request;

/* Parses a heap-exact copy, so that a sanitizer sees reads past the end. */
static enum dns_request_status parse(void)
{
    uint8_t *copy = test_malloc(packet.len + 1);
    memcpy(copy + 1, packet.octets, packet.len);
    memset(&request, 0xa5, sizeof request);
    enum dns_request_status s = dns_request_parse(copy + 1, packet.len, &request);
    test_free(copy);
    return s;
}

#define QUESTION      "03416453 076578616d706c65 00 0001 0001"
#define QUESTION_LEN  17
#define OPT           "00 0029 04d0 00000000 0000"
#define OPT_WITH(len) "00 0029 04d0 00000000 " len
#define RECORD        "c00c 0001 0001 0000003c 0004 c0000201"

static void plain_question_is_taken(void **state)
{
    (void)state;
    begin(DNS_RD | DNS_CD, 1, 0, 0, 0);
    add(QUESTION);
    assert_int_equal(parse(), DNS_REQUEST_OK);
    assert_int_equal(request.id, 0x1234);
    assert_int_equal(request.flags, DNS_RD | DNS_CD);
    assert_int_equal(request.qtype, DNS_A);
    assert_int_equal(request.qclass, DNS_IN);
    assert_int_equal(request.question_len, QUESTION_LEN);
    assert_false(request.edns.present);
    assert_int_equal(request.edns.udp_size, 512);
    assert_int_equal(request.edns.ede, DNS_EDE_NONE);
    char text[DNS_NAME_TEXT];
    dns_name_format(&request.qname, text);
    assert_string_equal(text, "ads.example");
    assert_int_equal(request.qname.labels, 2);
}

/* W4: every opcode, QR, and the flags that a query may carry without meaning. */
static void verdict_by_header_bits(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 0x10000; flags++) {
        begin((uint16_t)flags, 1, 0, 0, 0);
        add(QUESTION);
        enum dns_request_status want = flags & DNS_QR            ? DNS_REQUEST_DROP
                                       : flags & DNS_OPCODE_MASK ? DNS_REQUEST_NOTIMP
                                                                 : DNS_REQUEST_OK;
        enum dns_request_status got = parse();
        if (got != want) {
            fail_msg("flags %04x: %d", flags, got);
        }
        if (got != DNS_REQUEST_DROP) {
            assert_int_equal(request.flags, flags);
            assert_int_equal(request.question_len, QUESTION_LEN);
        }
    }
}

static void shorter_than_a_header_is_dropped(void **state)
{
    (void)state;
    for (size_t len = 0; len < DNS_HEADER_OCTETS; len++) {
        begin(0, 1, 0, 0, 0);
        packet.len = len;
        assert_int_equal(parse(), DNS_REQUEST_DROP);
    }
}

/* W3, W4, W10: counts against what is there. */
static void verdict_by_counts(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        unsigned qd, an, ns, ar;
        const char *body;
        enum dns_request_status want;
        unsigned question_len;
        bool edns;
    } rows[] = {
        {"no question", 0, 0, 0, 0, "", DNS_REQUEST_FORMERR, 0, false},
        {"no question but OPT", 0, 0, 0, 1, OPT, DNS_REQUEST_FORMERR, 0, true},
        {"question without count", 0, 0, 0, 0, QUESTION, DNS_REQUEST_FORMERR, 0, false},
        {"two questions", 2, 0, 0, 0, QUESTION QUESTION, DNS_REQUEST_FORMERR, 0, false},
        {"two questions and OPT", 2, 0, 0, 1, QUESTION QUESTION OPT, DNS_REQUEST_FORMERR, 0, true},
        {"65535 questions", 65535, 0, 0, 0, QUESTION, DNS_REQUEST_FORMERR, 0, false},
        {"count without question", 1, 0, 0, 0, "", DNS_REQUEST_FORMERR, 0, false},
        {"name without end", 1, 0, 0, 0, "0361", DNS_REQUEST_FORMERR, 0, false},
        {"no type", 1, 0, 0, 0, "016100", DNS_REQUEST_FORMERR, 0, false},
        {"half a class", 1, 0, 0, 0, "016100 0001 00", DNS_REQUEST_FORMERR, 0, false},
        {"compressed question", 1, 0, 0, 0, "c00c 0001 0001", DNS_REQUEST_FORMERR, 0, false},
        {"question pointing into the header", 1, 0, 0, 0, "0161 c004 0001 0001",
         DNS_REQUEST_FORMERR, 0, false},
        {"trailing octet", 1, 0, 0, 0, QUESTION "00", DNS_REQUEST_FORMERR, QUESTION_LEN, false},
        {"trailing OPT without count", 1, 0, 0, 0, QUESTION OPT, DNS_REQUEST_FORMERR, QUESTION_LEN,
         false},
        {"trailing octet after OPT", 1, 0, 0, 1, QUESTION OPT "00", DNS_REQUEST_FORMERR,
         QUESTION_LEN, true},
        {"answer record in a query", 1, 1, 0, 0, QUESTION RECORD, DNS_REQUEST_OK, QUESTION_LEN,
         false},
        {"authority record in a query", 1, 0, 1, 0, QUESTION RECORD, DNS_REQUEST_OK, QUESTION_LEN,
         false},
        {"additional record beside OPT", 1, 0, 0, 2, QUESTION RECORD OPT, DNS_REQUEST_OK,
         QUESTION_LEN, true},
        {"OPT before another record", 1, 0, 0, 2, QUESTION OPT RECORD, DNS_REQUEST_OK, QUESTION_LEN,
         true},
        {"counted record missing", 1, 0, 0, 1, QUESTION, DNS_REQUEST_FORMERR, QUESTION_LEN, false},
        {"record cut in its rdata", 1, 1, 0, 0, QUESTION "c00c 0001 0001 0000003c 0004 c00002",
         DNS_REQUEST_FORMERR, QUESTION_LEN, false},
        {"record cut in its head", 1, 0, 0, 1, QUESTION "00 0029 04d0 00000000 00",
         DNS_REQUEST_FORMERR, QUESTION_LEN, false},
        {"record with a forward pointer", 1, 1, 0, 0, QUESTION "c030 0001 0001 0000003c 0000",
         DNS_REQUEST_FORMERR, QUESTION_LEN, false},
        {"OPT in the answer section", 1, 1, 0, 0, QUESTION OPT, DNS_REQUEST_FORMERR, QUESTION_LEN,
         true},
        {"OPT in the authority section", 1, 0, 1, 0, QUESTION OPT, DNS_REQUEST_FORMERR,
         QUESTION_LEN, true},
        {"TSIG", 1, 0, 0, 1, QUESTION "00 00fa 00ff 00000000 0000", DNS_REQUEST_FORMERR,
         QUESTION_LEN, false},
        {"TSIG after OPT", 1, 0, 0, 2, QUESTION OPT "00 00fa 00ff 00000000 0000",
         DNS_REQUEST_FORMERR, QUESTION_LEN, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin(DNS_RD, rows[i].qd, rows[i].an, rows[i].ns, rows[i].ar);
        add(rows[i].body);
        enum dns_request_status got = parse();
        if (got != rows[i].want || request.question_len != rows[i].question_len ||
            request.edns.present != rows[i].edns) {
            fail_msg("%s: status %d, question %u, edns %d", rows[i].why, got, request.question_len,
                     request.edns.present);
        }
    }
}

/* W5: the EDNS policy. */
static void verdict_by_opt(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *opt;
        unsigned ar;
        enum dns_request_status want;
        unsigned udp_size;
        bool dnssec_ok;
    } rows[] = {
        {"plain", "00 0029 04d0 00000000 0000", 1, DNS_REQUEST_OK, 1232, false},
        {"DO", "00 0029 04d0 00008000 0000", 1, DNS_REQUEST_OK, 1232, true},
        {"Z bits without DO", "00 0029 04d0 00007fff 0000", 1, DNS_REQUEST_OK, 1232, false},
        {"size 0 is 512", "00 0029 0000 00000000 0000", 1, DNS_REQUEST_OK, 512, false},
        {"size 511 is 512", "00 0029 01ff 00000000 0000", 1, DNS_REQUEST_OK, 512, false},
        {"size 513", "00 0029 0201 00000000 0000", 1, DNS_REQUEST_OK, 513, false},
        {"size 65535", "00 0029 ffff 00000000 0000", 1, DNS_REQUEST_OK, 65535, false},
        {"ext rcode in a query", "00 0029 04d0 ff000000 0000", 1, DNS_REQUEST_OK, 1232, false},
        {"version 1", "00 0029 04d0 00010000 0000", 1, DNS_REQUEST_BADVERS, 1232, false},
        {"version 255 and DO", "00 0029 04d0 00ff8000 0000", 1, DNS_REQUEST_BADVERS, 1232, true},
        {"version 1 with options unheard of", "00 0029 04d0 00010000 0003 ffffff", 1,
         DNS_REQUEST_BADVERS, 1232, false},
        {"unknown option", OPT_WITH("0006 fde8 0002 abcd"), 1, DNS_REQUEST_OK, 1232, false},
        {"two empty options", OPT_WITH("0008 fde8 0000 0000 0000"), 1, DNS_REQUEST_OK, 1232, false},
        {"option runs past", OPT_WITH("0005 fde8 0002 ab"), 1, DNS_REQUEST_FORMERR, 0, false},
        {"option header cut", OPT_WITH("0003 fde8 00"), 1, DNS_REQUEST_FORMERR, 0, false},
        {"rdlength runs past", OPT_WITH("0004"), 1, DNS_REQUEST_FORMERR, 0, false},
        {"two OPT", OPT OPT, 2, DNS_REQUEST_FORMERR, 0, false},
        {"two OPT, the second of version 1", OPT "00 0029 04d0 00010000 0000", 2,
         DNS_REQUEST_FORMERR, 0, false},
        {"owner is not the root", "0161 00 0029 04d0 00000000 0000", 1, DNS_REQUEST_FORMERR, 0,
         false},
        {"owner is a pointer to the root", "c018 0029 04d0 00000000 0000", 1, DNS_REQUEST_FORMERR,
         0, false},
        {"cookie of 8", OPT_WITH("000c 000a 0008 0102030405060708"), 1, DNS_REQUEST_OK, 1232,
         false},
        {"cookie of 7", OPT_WITH("000b 000a 0007 01020304050607"), 1, DNS_REQUEST_FORMERR, 0,
         false},
        {"empty cookie", OPT_WITH("0004 000a 0000"), 1, DNS_REQUEST_FORMERR, 0, false},
        {"cookie of 9", OPT_WITH("000d 000a 0009 010203040506070809"), 1, DNS_REQUEST_FORMERR, 0,
         false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin(DNS_RD, 1, 0, 0, rows[i].ar);
        add(QUESTION);
        add(rows[i].opt);
        enum dns_request_status got = parse();
        if (got != rows[i].want ||
            !(got == DNS_REQUEST_FORMERR || request.edns.udp_size == rows[i].udp_size) ||
            (got != DNS_REQUEST_FORMERR && request.edns.dnssec_ok != rows[i].dnssec_ok)) {
            fail_msg("%s: status %d, size %u", rows[i].why, got, request.edns.udp_size);
        }
        assert_int_equal(request.question_len, QUESTION_LEN);
        assert_true(request.edns.present || strcmp(rows[i].why, "rdlength runs past") == 0);
    }
}

/* The opcodes that are not QUERY carry other things; what looks like a question is given back, the
 * rest is not read. */
static void other_opcodes_never_fail_on_their_body(void **state)
{
    (void)state;
    begin(DNS_OPCODE_UPDATE << 11, 1, 0, 1, 1);
    add(QUESTION "ff");
    assert_int_equal(parse(), DNS_REQUEST_NOTIMP);
    assert_int_equal(request.question_len, QUESTION_LEN);
    begin(6 << 11, 0, 0, 0, 0); /* a stateful operation, RFC 8490 */
    add("0001 0004 00000000");
    assert_int_equal(parse(), DNS_REQUEST_NOTIMP);
    assert_int_equal(request.question_len, 0);
    assert_false(request.edns.present);
    begin(DNS_OPCODE_NOTIFY << 11, 1, 0, 0, 1);
    add(QUESTION OPT);
    assert_int_equal(parse(), DNS_REQUEST_NOTIMP);
    assert_true(request.edns.present);
}

static void all_types_and_classes_pass(void **state)
{
    (void)state;
    for (unsigned v = 0; v < 0x10000; v += 13) {
        begin(0, 1, 0, 0, 0);
        add("016100");
        be16_write(packet.octets + packet.len, (uint16_t)v);
        be16_write(packet.octets + packet.len + 2, (uint16_t)(v ^ 0x5555));
        packet.len += 4;
        assert_int_equal(parse(), DNS_REQUEST_OK);
        assert_int_equal(request.qtype, v);
        assert_int_equal(request.qclass, v ^ 0x5555);
    }
}

static void names_of_all_lengths_are_lowered(void **state)
{
    (void)state;
    for (unsigned len = 1; len < 254; len++) {
        begin(0, 1, 0, 0, 0);
        uint8_t *p = packet.octets + packet.len;
        uint8_t expected[255];
        size_t used = 0;
        for (unsigned left = len; left > 0;) { /* labels of at most 63, none of them empty */
            unsigned n = left > 65 ? 63 : left == 65 ? 62 : left - 1;
            if (n == 0) {
                break;
            }
            p[used] = expected[used] = (uint8_t)n;
            for (unsigned i = 1; i <= n; i++) {
                p[used + i] = (uint8_t)('A' + (used + i) % 26);
                expected[used + i] = (uint8_t)('a' + (used + i) % 26);
            }
            used += n + 1;
            left -= n + 1;
        }
        p[used] = expected[used] = 0;
        memcpy(p + used + 1, (uint8_t[]){0, 28, 0, 1}, 4);
        packet.len += used + 5;
        assert_int_equal(parse(), DNS_REQUEST_OK);
        assert_int_equal(request.qname.len, used + 1);
        assert_memory_equal(request.qname.wire, expected, used + 1);
        assert_int_equal(request.qtype, DNS_AAAA);
    }
}

static void cookie_is_kept_and_the_first_counts(void **state)
{
    (void)state;
    begin(0, 1, 0, 0, 1);
    add(QUESTION OPT_WITH(
        "0024 000a 0010 000102030405060708090a0b0c0d0e0f 000a 0008 ffffffffffffffff 000a 0000"));
    assert_int_equal(parse(), DNS_REQUEST_OK);
    assert_int_equal(request.edns.cookie_len, 16);
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(request.edns.cookie[i], i);
    }
}

static void options_that_matter_are_seen(void **state)
{
    (void)state;
    begin(0, 1, 0, 0, 1);
    add(QUESTION OPT_WITH("0013 0003 0000 0008 0007 00011800c00002 000b 0000"));
    assert_int_equal(parse(), DNS_REQUEST_OK);
    assert_true(request.edns.has_nsid && request.edns.has_ecs && request.edns.has_keepalive);
    assert_int_equal(request.edns.cookie_len, 0);
}

/* D2: work is bounded by count too. */
static void too_many_options_or_records_are_refused(void **state)
{
    (void)state;
    for (unsigned n = DNS_EDNS_OPTIONS_MAX; n <= DNS_EDNS_OPTIONS_MAX + 1; n++) {
        begin(0, 1, 0, 0, 1);
        add(QUESTION "00 0029 04d0 00000000");
        be16_write(packet.octets + packet.len, (uint16_t)(4 * n));
        memset(packet.octets + packet.len + 2, 0, 4 * n);
        packet.len += 2 + 4 * n;
        assert_int_equal(parse(), n == DNS_EDNS_OPTIONS_MAX ? DNS_REQUEST_OK : DNS_REQUEST_FORMERR);
    }
    for (unsigned n = DNS_REQUEST_RECORDS_MAX; n <= DNS_REQUEST_RECORDS_MAX + 1; n++) {
        begin(0, 1, n - 2, 1, 1);
        add(QUESTION);
        for (unsigned i = 0; i < n; i++) {
            add(RECORD);
        }
        assert_int_equal(parse(),
                         n == DNS_REQUEST_RECORDS_MAX ? DNS_REQUEST_OK : DNS_REQUEST_FORMERR);
    }
}

/* W1: all prefixes and all single-octet changes of a full request end in a verdict, read from exact
 * memory. */
static void every_prefix_and_change_has_a_verdict(void **state)
{
    (void)state;
    begin(DNS_RD, 1, 1, 0, 2);
    add(QUESTION RECORD OPT_WITH("000c 000a 0008 0102030405060708") RECORD);
    size_t full = packet.len;
    assert_int_equal(parse(), DNS_REQUEST_OK);
    for (size_t len = 0; len < full; len++) {
        packet.len = len;
        assert_int_not_equal(parse(), DNS_REQUEST_OK);
    }
    packet.len = full;
    for (size_t i = 0; i < full; i++) {
        uint8_t was = packet.octets[i];
        for (unsigned v = 0; v < 256; v++) {
            packet.octets[i] = (uint8_t)v;
            if (parse() == DNS_REQUEST_OK) {
                assert_true(request.question_len > 4 &&
                            request.qname.len == request.question_len - 4);
            }
        }
        packet.octets[i] = was;
    }
}

static void walk_gives_each_record_in_its_section(void **state)
{
    (void)state;
    begin(DNS_QR, 1, 2, 1, 1);
    add(QUESTION RECORD RECORD "c010 0006 0001 00000e10 0000" OPT);
    struct dns_walk walk;
    assert_int_equal(dns_walk_begin(packet.octets, packet.len, &walk), ERR_OK);
    static const unsigned sections[] = {0, 0, 1, 2};
    static const unsigned types[] = {DNS_A, DNS_A, DNS_SOA, DNS_OPT};
    struct dns_record rr;
    for (size_t i = 0; i < 4; i++) {
        assert_true(dns_walk_next(&walk, &rr));
        assert_int_equal(rr.section, sections[i]);
        assert_int_equal(rr.type, types[i]);
        assert_int_equal(be32_read(packet.octets + rr.ttl_off), rr.ttl);
        assert_int_equal(rr.ttl_off + 6, rr.rdata);
        if (i == 0) {
            assert_int_equal(rr.owner, 12 + QUESTION_LEN);
            assert_int_equal(rr.klass, DNS_IN);
            assert_int_equal(rr.ttl, 60);
            assert_int_equal(rr.rdlen, 4);
            assert_int_equal(packet.octets[rr.rdata], 0xc0);
        }
    }
    assert_false(dns_walk_next(&walk, &rr));
    assert_false(walk.bad);
    assert_int_equal(walk.pos, packet.len);
}

static void walk_stops_where_the_message_breaks_off(void **state)
{
    (void)state;
    begin(DNS_QR, 1, 2, 0, 0);
    add(QUESTION RECORD RECORD);
    size_t full = packet.len;
    size_t second = full - 16;
    for (size_t len = 0; len < full; len++) {
        struct dns_walk walk;
        struct dns_record rr;
        if (dns_walk_begin(packet.octets, len, &walk) != ERR_OK) {
            assert_true(len < DNS_HEADER_OCTETS + QUESTION_LEN);
            continue;
        }
        unsigned n = 0;
        while (dns_walk_next(&walk, &rr)) {
            n++;
        }
        assert_int_equal(n, len >= second ? 1 : 0);
        assert_true(walk.bad);
        assert_false(dns_walk_next(&walk, &rr)); /* and stays so */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_question_is_taken),
        cmocka_unit_test(verdict_by_header_bits),
        cmocka_unit_test(shorter_than_a_header_is_dropped),
        cmocka_unit_test(verdict_by_counts),
        cmocka_unit_test(verdict_by_opt),
        cmocka_unit_test(other_opcodes_never_fail_on_their_body),
        cmocka_unit_test(all_types_and_classes_pass),
        cmocka_unit_test(names_of_all_lengths_are_lowered),
        cmocka_unit_test(cookie_is_kept_and_the_first_counts),
        cmocka_unit_test(options_that_matter_are_seen),
        cmocka_unit_test(too_many_options_or_records_are_refused),
        cmocka_unit_test(every_prefix_and_change_has_a_verdict),
        cmocka_unit_test(walk_gives_each_record_in_its_section),
        cmocka_unit_test(walk_stops_where_the_message_breaks_off),
    };
    return UNIT_RUN(tests);
}
