/*
 * Addresses, prefixes and endpoints as text; inet_pton is the oracle for what an address is.
 */
#include <arpa/inet.h>

#include "base/ip.h"
#include "octets.h"
#include "unit.h"

static enum err parse(const char *text, struct ip_addr *out)
{
    return ip_parse(span_str(text), out);
}

static void addresses_are_printed_as_rfc_5952_says(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"::", "::"},
        {"::1", "::1"},
        {"2001:DB8::0001", "2001:db8::1"},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, /* one group is not shortened */
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},          /* the longest run */
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},    /* the first of equals */
        {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
        {"0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip_addr a;
        char text[IP_TEXT_MAX];
        assert_int_equal(parse(rows[i].in, &a), ERR_OK);
        assert_int_equal(ip_format(&a, text), strlen(rows[i].out));
        assert_string_equal(text, rows[i].out);
    }
}

static void what_is_not_an_address_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "01.2.3.4",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.-4",
        "1.2.3.",
        ".1.2.3",
        "1..2.3",
        ":",
        ":::",
        "1:",
        ":1",
        "1::2::3",
        "12345::",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8",
        "g::",
        "::1.2.3",
        "1.2.3.4::",
        "::1.2.3.4:5",
        "1:2:3:4:5:6:7:1.2.3.4",
        "fe80::1%1",
        "0x7f.1",
        "2130706433",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip_addr a = {{42}};
        if (parse(rows[i], &a) != ERR_FORMAT) {
            fail_msg("taken as an address: %s", rows[i]);
        }
        assert_int_equal(a.b[0], 42);
    }
}

/* Random texts of the right letters: the same verdict and value as inet_pton. */
static void agrees_with_inet_pton(void **state)
{
    (void)state;
    static const char letters[] = "0123456789abcF::::::....";
    struct test_random r = {1};
    unsigned good = 0;
    for (int i = 0; i < 300000; i++) {
        char text[24];
        size_t n = 2 + test_random_below(&r, 14);
        for (size_t j = 0; j < n; j++) {
            text[j] = letters[test_random_below(&r, sizeof letters - 1)];
        }
        text[n] = '\0';
        uint8_t theirs[16] = {[10] = 0xff, [11] = 0xff};
        bool ok = strchr(text, ':') != NULL ? inet_pton(AF_INET6, text, theirs) == 1
                                            : inet_pton(AF_INET, text, theirs + 12) == 1;
        struct ip_addr ours;
        if ((parse(text, &ours) == ERR_OK) != ok) {
            fail_msg("verdicts differ: %s (inet_pton: %d)", text, ok);
        }
        if (ok) {
            good++;
            assert_memory_equal(ours.b, theirs, 16);
        }
    }
    assert_true(good > 500);
}

static void format_and_parse_are_inverse(void **state)
{
    (void)state;
    struct test_random r = {2};
    for (int i = 0; i < 20000; i++) {
        struct ip_addr a, b;
        test_random_bytes(&r, a.b, 16);
        for (size_t j = 0; j < 16; j += 2) { /* many zero groups */
            if (test_random_below(&r, 2)) {
                a.b[j] = a.b[j + 1] = 0;
            }
        }
        char text[IP_TEXT_MAX], theirs[INET6_ADDRSTRLEN];
        ip_format(&a, text);
        assert_int_equal(parse(text, &b), ERR_OK);
        assert_true(ip_equal(&a, &b));
        if (be32_read(a.b + 8) != 0) { /* glibc prints ::a.b.c.d and ::ffff:a.b.c.d its own way */
            assert_string_equal(text, inet_ntop(AF_INET6, a.b, theirs, sizeof theirs));
        }
    }
}

static void prefixes_clear_host_bits(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        enum err e;
        const char *out;
    } rows[] = {
        {"192.0.2.77/24", ERR_OK, "192.0.2.0/24"},
        {"192.0.2.77", ERR_OK, "192.0.2.77/32"},
        {"10.255.255.255/9", ERR_OK, "10.128.0.0/9"},
        {"0.0.0.0/0", ERR_OK, "0.0.0.0/0"},
        {"2001:db8::1", ERR_OK, "2001:db8::1/128"},
        {"2001:db8:ffff::/33", ERR_OK, "2001:db8:8000::/33"},
        {"::/0", ERR_OK, "::/0"},
        {"192.0.2.0/33", ERR_RANGE, NULL},
        {"::/129", ERR_RANGE, NULL},
        {"192.0.2.0/", ERR_FORMAT, NULL},
        {"192.0.2.0/08", ERR_FORMAT, NULL},
        {"/8", ERR_FORMAT, NULL},
        {"10/8", ERR_FORMAT, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip_prefix p;
        char text[IP_PREFIX_TEXT];
        assert_int_equal(ip_prefix_parse(span_str(rows[i].in), &p), rows[i].e);
        if (rows[i].e == ERR_OK) {
            ip_prefix_format(&p, text);
            assert_string_equal(text, rows[i].out);
        }
    }
}

static void prefix_holds_its_addresses_only(void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *addr;
        bool in;
    } rows[] = {
        {"192.0.2.0/24", "192.0.2.255", true},
        {"192.0.2.0/24", "192.0.3.0", false},
        {"192.0.2.4/31", "192.0.2.5", true},
        {"192.0.2.4/31", "192.0.2.6", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "192.0.2.1", true},
        {"2001:db8::/33", "2001:db8:7fff::", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"::1/128", "::1", true},
        {"::1/128", "::2", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip_prefix p;
        struct ip_addr a;
        assert_int_equal(ip_prefix_parse(span_str(rows[i].prefix), &p), ERR_OK);
        assert_int_equal(parse(rows[i].addr, &a), ERR_OK);
        if (ip_in_prefix(&a, &p) != rows[i].in) {
            fail_msg("%s in %s", rows[i].addr, rows[i].prefix);
        }
    }
}

static void endpoints_in_all_their_forms(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        enum err e;
        const char *out;
    } rows[] = {
        {"192.0.2.1", ERR_OK, "192.0.2.1:53"},
        {"192.0.2.1:5300", ERR_OK, "192.0.2.1:5300"},
        {"192.0.2.1#5300", ERR_OK, "192.0.2.1:5300"},
        {"192.0.2.1:0", ERR_OK, "192.0.2.1:0"},
        {"2001:db8::1", ERR_OK, "[2001:db8::1]:53"},
        {"2001:db8::1#5353", ERR_OK, "[2001:db8::1]:5353"},
        {"[2001:db8::1]", ERR_OK, "[2001:db8::1]:53"},
        {"[2001:db8::1]:65535", ERR_OK, "[2001:db8::1]:65535"},
        {"[fe80::1%3]:53", ERR_OK, "[fe80::1%3]:53"},
        {"fe80::1%3", ERR_OK, "[fe80::1%3]:53"},
        {"[::ffff:192.0.2.1]:1", ERR_OK, "192.0.2.1:1"},
        {"192.0.2.1:65536", ERR_RANGE, NULL},
        {"192.0.2.1:", ERR_FORMAT, NULL},
        {"192.0.2.1:+5", ERR_FORMAT, NULL},
        {"[192.0.2.1]:53", ERR_FORMAT, NULL},
        {"[2001:db8::1]53", ERR_FORMAT, NULL},
        {"[2001:db8::1", ERR_FORMAT, NULL},
        {"192.0.2.1%1", ERR_FORMAT, NULL},
        {"fe80::1%eth0", ERR_FORMAT, NULL},
        {"fe80::1%", ERR_FORMAT, NULL},
        {"dns.example:53", ERR_FORMAT, NULL},
        {":53", ERR_FORMAT, NULL},
        {"", ERR_FORMAT, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip_endpoint e;
        char text[IP_ENDPOINT_TEXT];
        enum err got = ip_endpoint_parse(span_str(rows[i].in), 53, &e);
        if (got != rows[i].e) {
            fail_msg("%s: %s", rows[i].in, err_text(got));
        }
        if (got == ERR_OK) {
            ip_endpoint_format(&e, text);
            assert_string_equal(text, rows[i].out);
        }
    }
}

static void the_longest_endpoint_fits(void **state)
{
    (void)state;
    struct ip_endpoint e = {.scope = UINT32_MAX, .port = 65535};
    memset(e.addr.b, 0xff, 16);
    char text[IP_ENDPOINT_TEXT];
    ip_endpoint_format(&e, text);
    assert_string_equal(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
}

enum { LOOP = 1, UNSPEC = 2, LINK = 4, PRIVATE = 8 };

static void addresses_know_their_scope(void **state)
{
    (void)state;
    static const struct {
        const char *addr;
        unsigned kind;
    } rows[] = {
        {"127.0.0.1", LOOP},
        {"127.255.255.255", LOOP},
        {"128.0.0.1", 0},
        {"::1", LOOP},
        {"::2", 0},
        {"0.0.0.0", UNSPEC},
        {"::", UNSPEC},
        {"0.0.0.1", 0},
        {"169.254.0.1", LINK},
        {"169.255.0.1", 0},
        {"fe80::1", LINK},
        {"febf::1", LINK},
        {"fec0::1", 0},
        {"10.1.2.3", PRIVATE},
        {"11.0.0.0", 0},
        {"172.16.0.0", PRIVATE},
        {"172.31.255.255", PRIVATE},
        {"172.32.0.0", 0},
        {"172.15.0.0", 0},
        {"192.168.1.1", PRIVATE},
        {"192.169.0.0", 0},
        {"100.64.0.0", PRIVATE},
        {"100.127.0.1", PRIVATE},
        {"100.128.0.0", 0},
        {"100.63.0.0", 0},
        {"fc00::1", PRIVATE},
        {"fdff::1", PRIVATE},
        {"fe00::1", 0},
        {"2001:db8::1", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip_addr a;
        assert_int_equal(parse(rows[i].addr, &a), ERR_OK);
        unsigned kind = (ip_is_loopback(&a) ? LOOP : 0U) | (ip_is_unspecified(&a) ? UNSPEC : 0U) |
                        (ip_is_link_local(&a) ? LINK : 0U) | (ip_is_private(&a) ? PRIVATE : 0U);
        if (kind != rows[i].kind) {
            fail_msg("%s: %u", rows[i].addr, kind);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_printed_as_rfc_5952_says),
        cmocka_unit_test(what_is_not_an_address_is_refused),
        cmocka_unit_test(agrees_with_inet_pton),
        cmocka_unit_test(format_and_parse_are_inverse),
        cmocka_unit_test(prefixes_clear_host_bits),
        cmocka_unit_test(prefix_holds_its_addresses_only),
        cmocka_unit_test(endpoints_in_all_their_forms),
        cmocka_unit_test(the_longest_endpoint_fits),
        cmocka_unit_test(addresses_know_their_scope),
    };
    return UNIT_RUN(tests);
}
