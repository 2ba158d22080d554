/*
 * How long responses may be kept, and TTLs that grow older.
 */
#include "dns/ttl.h"
#include "octets.h"
#include "unit.h"

static const struct dns_ttl_limits limits = {.min_s = 5, .max_s = 86400, .negative_max_s = 10800};

#define HEAD(rcode, an, ns, ar) "1234 818" rcode " 0001 000" an " 000" ns " 000" ar
#define QUESTION_A              "01610000 010001"
#define A(ttl)                  "c00c 0001 0001" ttl "0004 c0000201"
#define CNAME(ttl)              "c00c 0005 0001" ttl "0003 016200"
#define SOA(ttl, minimum)       "00 0006 0001" ttl "0016 0000 00000001 00000e10 000004b0 00093a80" minimum
#define NS(ttl)                 "00 0002 0001" ttl "0003 016200"
#define OPT                     "00 0029 04d0 00008000 0000"

static uint8_t msg[512];

static void time_to_keep(void **state)
{
    (void)state;
    static const struct {
        const char *why, *hex;
        uint32_t ttl_s;
    } rows[] = {
        {"one address", HEAD("0", "1", "0", "0") QUESTION_A A("0000003c"), 60},
        {"the least of the answers",
         HEAD("0", "2", "0", "0") QUESTION_A A("0000003c") A("00000014"), 20},
        {"other sections do not count",
         HEAD("0", "1", "1", "1") QUESTION_A A("0000003c") NS("00000001") A("00000001"), 60},
        {"OPT does not count", HEAD("0", "1", "0", "1") QUESTION_A A("0000003c") OPT, 60},
        {"the CNAME before it counts",
         HEAD("0", "2", "0", "0") QUESTION_A CNAME("00000009") A("0000003c"), 9},
        {"less than the minimum", HEAD("0", "1", "0", "0") QUESTION_A A("00000001"), 5},
        {"zero is not cached", HEAD("0", "1", "0", "0") QUESTION_A A("00000000"), 0},
        {"more than the maximum", HEAD("0", "1", "0", "0") QUESTION_A A("7fffffff"), 86400},
        {"top bit set is zero", HEAD("0", "1", "0", "0") QUESTION_A A("80000000"), 0},
        {"all bits set is zero", HEAD("0", "1", "0", "0") QUESTION_A A("ffffffff"), 0},
        {"NXDOMAIN: the SOA's TTL", HEAD("3", "0", "1", "0") QUESTION_A SOA("0000003c", "00000e10"),
         60},
        {"NXDOMAIN: the SOA's MINIMUM",
         HEAD("3", "0", "1", "0") QUESTION_A SOA("00000e10", "0000003c"), 60},
        {"NXDOMAIN: capped", HEAD("3", "0", "1", "0") QUESTION_A SOA("00015180", "00015180"),
         10800},
        {"NXDOMAIN: MINIMUM with its top bit set",
         HEAD("3", "0", "1", "0") QUESTION_A SOA("0000003c", "80000000"), 0},
        {"NXDOMAIN below the minimum of positive ones",
         HEAD("3", "0", "1", "0") QUESTION_A SOA("00000002", "00000002"), 2},
        {"NXDOMAIN without SOA", HEAD("3", "0", "0", "0") QUESTION_A, 0},
        {"NODATA", HEAD("0", "0", "1", "0") QUESTION_A SOA("0000003c", "00000e10"), 60},
        {"NODATA without SOA", HEAD("0", "0", "0", "0") QUESTION_A, 0},
        {"a referral", HEAD("0", "0", "1", "0") QUESTION_A NS("0000003c"), 0},
        {"NODATA behind a CNAME",
         HEAD("0", "1", "1", "0") QUESTION_A CNAME("00000e10") SOA("0000003c", "0000003c"), 60},
        {"the CNAME is shorter",
         HEAD("0", "1", "1", "0") QUESTION_A CNAME("00000009") SOA("0000003c", "0000003c"), 9},
        {"NXDOMAIN behind a CNAME",
         HEAD("3", "1", "1", "0") QUESTION_A CNAME("00000009") SOA("0000003c", "0000003c"), 9},
        {"a CNAME that leads nowhere", HEAD("0", "1", "0", "0") QUESTION_A CNAME("00000e10"), 0},
        {"a CNAME that was asked for", HEAD("0", "1", "0", "0") "01610000 050001" CNAME("0000003c"),
         60},
        {"anything that was asked for", HEAD("0", "1", "0", "0") "01610000 ff0001" A("0000003c"),
         60},
        {"SERVFAIL", HEAD("2", "1", "0", "0") QUESTION_A A("0000003c"), 0},
        {"REFUSED", HEAD("5", "0", "1", "0") QUESTION_A SOA("0000003c", "00000e10"), 0},
        {"truncated", "1234 8380 0001 0001 0000 0000" QUESTION_A A("0000003c"), 0},
        {"breaks off", HEAD("0", "2", "0", "0") QUESTION_A A("0000003c"), 0},
        {"no question", "1234 8180 0000 0001 0000 0000 00 0001 0001 0000003c 0004 c0000201", 0},
        {"shorter than a header", "1234 8180 0001", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = octets_of_hex(rows[i].hex, msg, sizeof msg);
        uint32_t got = dns_ttl_of_response(msg, len, &limits);
        if (got != rows[i].ttl_s) {
            fail_msg("%s: %u", rows[i].why, (unsigned)got);
        }
    }
}

static void no_setting_exceeds_a_week(void **state)
{
    (void)state;
    const struct dns_ttl_limits loose = {0, UINT32_MAX, UINT32_MAX};
    size_t len = octets_of_hex(HEAD("0", "1", "0", "0") QUESTION_A A("7fffffff"), msg, sizeof msg);
    assert_int_equal(dns_ttl_of_response(msg, len, &loose), DNS_TTL_CAP);
    len = octets_of_hex(HEAD("3", "0", "1", "0") QUESTION_A SOA("7fffffff", "7fffffff"), msg,
                        sizeof msg);
    assert_int_equal(dns_ttl_of_response(msg, len, &loose), DNS_TTL_CAP);
}

static const char full[] = HEAD("0", "2", "1", "2") QUESTION_A CNAME("0000000a") A("00000064")
    NS("80000000") OPT A("000f4240");

static void finds_all_ttls_but_opts(void **state)
{
    (void)state;
    size_t len = octets_of_hex(full, msg, sizeof msg);
    uint16_t off[8];
    assert_int_equal(dns_ttl_offsets(msg, len, off, 8), 4);
    static const uint32_t ttls[] = {10, 100, 0x80000000, 1000000};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(be32_read(msg + off[i]), ttls[i]);
    }
    uint16_t few[2] = {0, 0xa5a5};
    assert_int_equal(dns_ttl_offsets(msg, len, few, 1), 4);
    assert_int_equal(few[0], off[0]);
    assert_int_equal(few[1], 0xa5a5);
    assert_int_equal(dns_ttl_offsets(msg, len, NULL, 0), 4);
    assert_int_equal(dns_ttl_offsets(msg, 5, off, 8), 0);
}

static void ages_and_caps(void **state)
{
    (void)state;
    size_t len = octets_of_hex(full, msg, sizeof msg);
    uint16_t off[4];
    uint8_t before[sizeof msg];
    assert_int_equal(dns_ttl_offsets(msg, len, off, 4), 4);
    memcpy(before, msg, len);
    dns_ttl_age(msg, off, 4, 30, 86400);
    static const uint32_t ttls[] = {0, 70, 0, 86400};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(be32_read(msg + off[i]), ttls[i]);
        memcpy(msg + off[i], before + off[i], 4);
    }
    assert_memory_equal(msg, before, len); /* and touches nothing else */
    dns_ttl_age(msg, off, 2, 0, UINT32_MAX);
    assert_int_equal(be32_read(msg + off[0]), 10);
    dns_ttl_age(msg, off, 2, UINT32_MAX, UINT32_MAX);
    assert_int_equal(be32_read(msg + off[1]), 0);
}

static void sets_all(void **state)
{
    (void)state;
    size_t len = octets_of_hex(full, msg, sizeof msg);
    uint16_t off[4];
    assert_int_equal(dns_ttl_offsets(msg, len, off, 4), 4);
    dns_ttl_set(msg, off, 4, 30);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(be32_read(msg + off[i]), 30);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_to_keep),
        cmocka_unit_test(no_setting_exceeds_a_week),
        cmocka_unit_test(finds_all_ttls_but_opts),
        cmocka_unit_test(ages_and_caps),
        cmocka_unit_test(sets_all),
    };
    return UNIT_RUN(tests);
}
