/*
 * Rdata by type, whole messages, and types as text.
 */
#include "dns/msg.h"
#include "octets.h"
#include "unit.h"

static uint8_t msg[70000];

/* A response to "a" with one record of the type; rdata begins at offset 31. */
static size_t response(unsigned type, const char *rdata_hex)
{
    size_t len =
        octets_of_hex("1234 8180 0001 0001 0000 0000 01610000 010001 c00c", msg, sizeof msg);
    be16_write(msg + len, (uint16_t)type);
    octets_of_hex("0001 0000003c", msg + len + 2, 6);
    size_t rdlen = octets_of_hex(rdata_hex, msg + len + 10, 2000);
    be16_write(msg + len + 8, (uint16_t)rdlen);
    return len + 10 + rdlen;
}

static bool rdata_ok(unsigned type, const char *hex)
{
    size_t len = response(type, hex);
    struct dns_walk walk;
    struct dns_record rr;
    assert_int_equal(dns_walk_begin(msg, len, &walk), ERR_OK);
    assert_true(dns_walk_next(&walk, &rr));
    bool ok = dns_record_rdata_ok(msg, len, &rr);
    assert_int_equal(dns_msg_check(msg, len) == ERR_OK, ok);
    return ok;
}

static void shapes_by_type(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        unsigned type;
        bool ok;
    } rows[] = {
        {"c0000201", DNS_A, true},
        {"c00002", DNS_A, false},
        {"c000020101", DNS_A, false},
        {"", DNS_A, false},
        {"20010db8000000000000000000000001", DNS_AAAA, true},
        {"20010db80000000000000000000000", DNS_AAAA, false},
        {"0162c00c", DNS_NS, true},
        {"016200", DNS_NS, true},
        {"016200 00", DNS_NS, false},
        {"0162", DNS_NS, false},
        {"", DNS_NS, false},
        {"c0ff", DNS_NS, false},
        {"c01f", DNS_NS, false}, /* to itself */
        {"c00c", DNS_CNAME, true},
        {"c0", DNS_CNAME, false},
        {"00", DNS_PTR, true},
        {"0162c00c", DNS_DNAME, true},
        {"000a c00c", DNS_MX, true},
        {"000a", DNS_MX, false},
        {"000a c00c 00", DNS_MX, false},
        {"c00c c00c 0000000100000e10000004b000093a800000003c", DNS_SOA, true},
        {"c00c c00c 0000000100000e10000004b000093a80000000", DNS_SOA, false},
        {"c00c c00c 0000000100000e10000004b000093a800000003c00", DNS_SOA, false},
        {"0000 0000 0035 c00c", DNS_SRV, true},
        {"0000 0000 00", DNS_SRV, false},
        {"02686900", DNS_TXT, true},
        {"00", DNS_TXT, true},
        {"", DNS_TXT, false},
        {"036869", DNS_TXT, false},
        {"0141", 20, true},
        {"0141 0142", 20, true},
        {"0141 0142 0143", 20, false}, /* found by ldns */
        {"0141 00", DNS_HINFO, true},
        {"0141", DNS_HINFO, false},
        {"0141 00 00", DNS_HINFO, false},
        {"0001 0002 0153 00 00 c00c", DNS_NAPTR, true},
        {"0001 0002 0153 00 c00c", DNS_NAPTR, false},
        {"c00c c00c", DNS_RP, true},
        {"c00c", DNS_RP, false},
        {"1234 08 02 aa", DNS_DS, true},
        {"1234 08 02", DNS_DS, false},
        {"0101 03 08 aabb", DNS_DNSKEY, true},
        {"0101 03", DNS_DNSKEY, false},
        {"0001 08 01 0000003c 00000000 00000000 1234 0161 00 ff", DNS_RRSIG, true},
        {"0001 08 01 0000003c 00000000 00000000 1234 0161 00", DNS_RRSIG, false},
        {"0001 08 01 0000003c 00000000 00000000 1234 c00c ff", DNS_RRSIG, false},
        {"0001 08 01 0000003c 00000000 00000000 1234", DNS_RRSIG, false},
        {"016200 0001 40", DNS_NSEC, true},
        {"016200 0001 40 0101 40", DNS_NSEC, true},
        {"016200 0000", DNS_NSEC, false},
        {"016200 0002 40", DNS_NSEC, false},
        {"016200 0001 40 0001 40", DNS_NSEC, false}, /* the same window again */
        {"016200 0021 000000000000000000000000000000000000000000000000000000000000000000", DNS_NSEC,
         false},
        {"c00c 0001 40", DNS_NSEC, false},
        {"0100 0000 00 01aa", DNS_NSEC3, true},
        {"0100 0000 01ff 01aa 0001 40", DNS_NSEC3, true},
        {"0100 0000 ff", DNS_NSEC3, false},
        {"0001 00", DNS_HTTPS, true},
        {"0001 00 0001 0003 026832", DNS_HTTPS, true},
        {"0001 00 0001 0003 026832 0003 0002 01bb", DNS_HTTPS, true},
        {"0001 00 0003 0002 01bb 0001 0003 026832", DNS_HTTPS, false}, /* not rising */
        {"0001 00 0001 0004 026832", DNS_HTTPS, false},
        {"0001 c00c", DNS_HTTPS, false},
        {"0001", DNS_HTTPS, false},
        {"0000 016200", DNS_SVCB, true},
        {"00 05 6973737565 61", 257, true},
        {"00 05 697373", 257, false},
        {"030101aa", 52, true},
        {"030101", 52, false},
        {"", 65280, true}, /* unknown types are opaque, RFC 3597 */
        {"c0ffee", 65280, true},
        {"c0", DNS_NULL, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rdata_ok(rows[i].type, rows[i].hex) != rows[i].ok) {
            fail_msg("type %u, %s", rows[i].type, rows[i].hex);
        }
    }
}

static void whole_messages(void **state)
{
    (void)state;
    static const struct {
        const char *why, *hex;
        bool ok;
    } rows[] = {
        {"header alone", "1234 8180 0000 0000 0000 0000", true},
        {"answer",
         "1234 8180 0001 0001 0000 0000 01610000 010001 c00c 0001 0001 0000003c 0004 c0000201",
         true},
        {"trailing octet",
         "1234 8180 0001 0001 0000 0000 01610000 010001 c00c 0001 0001 0000003c 0004 c0000201 00",
         false},
        {"record missing", "1234 8180 0001 0001 0000 0000 01610000 010001", false},
        {"owner is bad",
         "1234 8180 0001 0001 0000 0000 01610000 010001 c00d 0001 0001 0000003c 0004 c0000201",
         false},
        {"OPT", "1234 8180 0001 0000 0000 0001 01610000 010001 00 0029 04d0 00000000 0000", true},
        {"OPT whose options break off",
         "1234 8180 0001 0000 0000 0001 01610000 010001 00 0029 04d0 00000000 0001 00", false},
        {"OPT in the answer",
         "1234 8180 0001 0001 0000 0000 01610000 010001 00 0029 04d0 00000000 0000", false},
        {"OPT with an owner",
         "1234 8180 0001 0000 0000 0001 01610000 010001 c00c 0029 04d0 00000000 0000", false},
        {"two OPT",
         "1234 8180 0001 0000 0000 0002 01610000 010001 00 0029 04d0 00000000 0000 00 0029 04d0 "
         "00000000 0000",
         false},
        {"a name in a TTL, which would change with age",
         "1234 8180 0001 0002 0000 0000 01610000 010001 c00c fde8 0001 01780000 0000 c019 fde8 "
         "0001 00000000 0000",
         false},
        {"a name in opaque rdata",
         "1234 8180 0001 0002 0000 0000 01610000 010001 c00c fde8 0001 00000000 0003 016200 c01f "
         "fde8 0001 00000000 0000",
         false},
        {"a name in known rdata",
         "1234 8180 0001 0002 0000 0000 01610000 010001 c00c 0005 0001 00000000 0003 016200 c01f "
         "fde8 0001 00000000 0000",
         true},
        {"a name in the signer of a signature",
         "1234 8180 0001 0002 0000 0000 01610000 010001 c00c 002e 0001 00000000 0016 0001 08 01 "
         "0000003c 00000000 00000000 1234 016200 ff c031 fde8 0001 00000000 0000",
         true},
        {"a name that begins inside a label",
         "1234 8180 0001 0001 0000 0000 02016100 0001 0001 c00d fde8 0001 00000000 0000", false},
        {"question is bad", "1234 8180 0001 0000 0000 0000 c00c 0001 0001", false},
        {"cut header", "1234 8180 0001 0000 0000", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = octets_of_hex(rows[i].hex, msg, sizeof msg);
        if ((dns_msg_check(msg, len) == ERR_OK) != rows[i].ok) {
            fail_msg("%s", rows[i].why);
        }
    }
}

/*
 * D2: names of 127 labels, each pointed to at each of its labels by thousands of records. An honest
 * message of the same size passes.
 */
static void compression_bombs_are_malformed(void **state)
{
    (void)state;
    for (int bomb = 0; bomb < 2; bomb++) {
        size_t len = octets_of_hex("1234 8180 0000 0000 0000 0000", msg, sizeof msg);
        unsigned count = 0;
        for (unsigned k = 0; k < 50; k++, count++) { /* 50 owners of 255 octets */
            for (unsigned i = 0; i < 127; i++) {
                msg[len++] = 1;
                msg[len++] = (uint8_t)('a' + k % 26);
            }
            msg[len++] = 0;
            memcpy(msg + len, (uint8_t[10]){255, 0, 0, 1}, 10);
            len += 10;
        }
        for (unsigned i = 0; len + 12 <= 65535; i++, count++) {
            size_t target = bomb ? 12 + 265 * (i % 50) + 2 * (i / 50 % 127) : 12 + 2 * (i % 16);
            be16_write(msg + len, (uint16_t)(0xc000 | target));
            memcpy(msg + len + 2, (uint8_t[10]){255, 0, 0, 1}, 10);
            len += 12;
        }
        be16_write(msg + 6, (uint16_t)count);
        assert_int_equal(dns_msg_check(msg, len), bomb ? ERR_FORMAT : ERR_OK);
    }
}

/* What the check lets through can be read, record by record; random changes of a real message. */
static void checked_messages_can_be_read(void **state)
{
    (void)state;
    static const char seed[] =
        "1234 8180 0001 0002 0001 0002 03777777 01610000 010001"
        "c00c 0005 0001 0000003c 0006 03616473 c010"
        "c023 0001 0001 0000003c 0004 c0000201"
        "c010 0006 0001 0000003c 0018 c00c c010 00000001 00000e10 000004b0 00093a80 00000000"
        "c023 0021 0001 0000003c 0008 0000 0000 0035 c023"
        "00 0029 04d0 00000000 0006 000f 0002 0003";
    struct test_random r = {17};
    unsigned good = 0;
    assert_int_equal(dns_msg_check(msg, octets_of_hex(seed, msg, sizeof msg)), ERR_OK);
    for (int i = 0; i < 200000; i++) {
        size_t len = octets_of_hex(seed, msg, sizeof msg);
        for (unsigned n = test_random_below(&r, 3); n > 0; n--) {
            msg[test_random_below(&r, (uint32_t)len)] = (uint8_t)test_random_u64(&r);
        }
        if (dns_msg_check(msg, len) != ERR_OK) {
            continue;
        }
        good++;
        struct dns_walk walk;
        struct dns_record rr;
        struct dns_name n;
        assert_int_equal(dns_walk_begin(msg, len, &walk), ERR_OK);
        while (dns_walk_next(&walk, &rr)) {
            size_t pos = rr.owner;
            assert_int_equal(dns_name_read(msg, len, &pos, &n), ERR_OK);
            assert_true(dns_record_rdata_ok(msg, len, &rr));
        }
        assert_false(walk.bad);
        assert_int_equal(walk.pos, len);
    }
    assert_true(good > 20000);
}

static void types_as_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned type;
    } rows[] = {{"A", 1},       {"AAAA", 28},         {"HTTPS", 65},       {"ANY", 255},
                {"CAA", 257},   {"TYPE0", 0},         {"NSEC3PARAM", 51},  {"OPENPGPKEY", 61},
                {"DLV", 32769}, {"TYPE65280", 65280}, {"TYPE65535", 65535}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[16];
        uint16_t type;
        assert_string_equal(dns_type_format((uint16_t)rows[i].type, text), rows[i].text);
        assert_int_equal(dns_type_parse(span_str(rows[i].text), &type), ERR_OK);
        assert_int_equal(type, rows[i].type);
    }
}

static void every_type_survives_text(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 0x10000; type++) {
        char text[16];
        uint16_t again;
        dns_type_format((uint16_t)type, text);
        assert_int_equal(dns_type_parse(span_str(text), &again), ERR_OK);
        assert_int_equal(again, type);
    }
}

static void type_text_in_any_case_and_with_numbers(void **state)
{
    (void)state;
    uint16_t type = 7;
    assert_int_equal(dns_type_parse(span_str("aaaa"), &type), ERR_OK);
    assert_int_equal(type, 28);
    assert_int_equal(dns_type_parse(span_str("type28"), &type), ERR_OK);
    assert_int_equal(type, 28);
    static const char *const bad[] = {"",       "AAAAA", "TYPE",       "TYPE-1",
                                      "TYPE1x", "28",    "TYPE000001", " A"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(dns_type_parse(span_str(bad[i]), &type), ERR_FORMAT);
    }
    assert_int_equal(dns_type_parse(span_str("TYPE65536"), &type), ERR_RANGE);
    assert_int_equal(type, 28);
}

static void rcodes_have_names(void **state)
{
    (void)state;
    assert_string_equal(dns_rcode_name(0), "NOERROR");
    assert_string_equal(dns_rcode_name(3), "NXDOMAIN");
    assert_string_equal(dns_rcode_name(16), "BADVERS");
    assert_string_equal(dns_rcode_name(23), "BADCOOKIE");
    assert_string_equal(dns_rcode_name(12), "UNKNOWN");
    assert_string_equal(dns_rcode_name(4096), "UNKNOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_by_type),
        cmocka_unit_test(whole_messages),
        cmocka_unit_test(compression_bombs_are_malformed),
        cmocka_unit_test(checked_messages_can_be_read),
        cmocka_unit_test(types_as_text),
        cmocka_unit_test(every_type_survives_text),
        cmocka_unit_test(type_text_in_any_case_and_with_numbers),
        cmocka_unit_test(rcodes_have_names),
    };
    return UNIT_RUN(tests);
}
