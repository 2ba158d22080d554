/*
 * OPT records as we write them, and server cookies.
 */
#include "base/device.h"
#include "dns/edns.h"
#include "octets.h"
#include "unit.h"

static uint8_t buf[512];

static size_t write_opt(size_t cap, const struct dns_edns_reply *reply, bool *bad)
{
    struct writer w = writer_of(buf, cap);
    dns_edns_write(&w, reply);
    *bad = w.bad;
    return w.len;
}

static void assert_octets(size_t len, const char *hex)
{
    uint8_t want[512];
    size_t n = octets_of_hex(hex, want, sizeof want);
    assert_int_equal(len, n);
    assert_memory_equal(buf, want, n);
}

static const struct dns_edns_reply bare = {.udp_size = 1232, .ede = DNS_EDE_NONE, .keepalive = -1};

static void writes_each_part(void **state)
{
    (void)state;
    bool bad;
    assert_octets(write_opt(sizeof buf, &bare, &bad), "00 0029 04d0 00 00 0000 0000");

    struct dns_edns_reply r = bare;
    r.ext_rcode = 1;
    r.dnssec_ok = true;
    assert_octets(write_opt(sizeof buf, &r, &bad), "00 0029 04d0 01 00 8000 0000");

    r = bare;
    r.ede = 15;
    assert_octets(write_opt(sizeof buf, &r, &bad), "00 0029 04d0 00000000 0006 000f 0002 000f");
    r.ede_text = "list";
    assert_octets(write_opt(sizeof buf, &r, &bad),
                  "00 0029 04d0 00000000 000a 000f 0006 000f 6c697374");
    r.ede = DNS_EDE_OTHER; /* 0 is a code like others */
    r.ede_text = "";
    assert_octets(write_opt(sizeof buf, &r, &bad), "00 0029 04d0 00000000 0006 000f 0002 0000");

    r = bare;
    r.keepalive = 100;
    r.cookie = (const uint8_t *)"12345678";
    r.cookie_len = 8;
    assert_octets(write_opt(sizeof buf, &r, &bad),
                  "00 0029 04d0 00000000 0012 000a 0008 3132333435363738 000b 0002 0064");
    r.cookie = NULL;
    r.keepalive = 70000;
    assert_octets(write_opt(sizeof buf, &r, &bad), "00 0029 04d0 00000000 0006 000b 0002 ffff");
    assert_false(bad);
}

/* Text goes first, then the EDE, then the rest; a bare OPT stays to the last. */
static void gives_up_parts_in_order(void **state)
{
    (void)state;
    struct dns_edns_reply r = bare;
    r.ede = 15;
    r.ede_text = "list";
    r.cookie = (const uint8_t *)"12345678";
    r.cookie_len = 8;
    const size_t with_cookie = 11 + 12, with_ede = with_cookie + 6, all = with_ede + 4;
    for (size_t cap = 0; cap <= all + 1; cap++) {
        bool bad;
        size_t got = write_opt(cap, &r, &bad);
        assert_int_equal(bad, cap < 11);
        if (bad) {
            continue;
        }
        size_t want = cap >= all           ? all
                      : cap >= with_ede    ? with_ede
                      : cap >= with_cookie ? with_cookie
                                           : 11;
        assert_int_equal(got, want);
        struct dns_edns e;
        assert_int_equal(dns_edns_read(1232, 0, buf + 11, got - 11, &e), ERR_OK);
        assert_int_equal(e.cookie_len, cap >= with_cookie ? 8 : 0);
        assert_int_equal(e.ede, cap >= with_ede ? 15 : DNS_EDE_NONE);
    }
}

static void text_is_cut_between_characters(void **state)
{
    (void)state;
    char text[300];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct dns_edns_reply r = bare;
    bool bad;
    r.ede = 15;
    r.ede_text = text;
    assert_int_equal(write_opt(sizeof buf, &r, &bad), 11 + 6 + 200);
    memcpy(text + 198, "\xe2\x82\xac", 3); /* three octets across the limit */
    assert_int_equal(write_opt(sizeof buf, &r, &bad), 11 + 6 + 198);
    memcpy(text + 197, "\xe2\x82\xac", 3); /* up to it */
    text[200] = 'a';
    assert_int_equal(write_opt(sizeof buf, &r, &bad), 11 + 6 + 200);
    text[200] = '\0';
    assert_int_equal(write_opt(sizeof buf, &r, &bad), 11 + 6 + 200);
}

static void reads_what_it_writes(void **state)
{
    (void)state;
    struct test_random rnd = {5};
    for (int i = 0; i < 20000; i++) {
        uint8_t cookie[40];
        char text[64] = {0};
        test_random_bytes(&rnd, cookie, sizeof cookie);
        memset(text, 'x', test_random_below(&rnd, sizeof text));
        struct dns_edns_reply r = {
            .udp_size = (uint16_t)test_random_u64(&rnd),
            .dnssec_ok = test_random_below(&rnd, 2),
            .ext_rcode = (uint8_t)test_random_u64(&rnd),
            .ede = (int16_t)((int)test_random_below(&rnd, 30) - 1),
            .ede_text = test_random_below(&rnd, 2) ? text : NULL,
            .cookie = cookie,
            .cookie_len = (uint8_t)(test_random_below(&rnd, 2) ? 24 : 0),
            .keepalive = (int32_t)test_random_below(&rnd, 1000) - 1,
        };
        bool bad;
        size_t len = write_opt(sizeof buf, &r, &bad);
        assert_false(bad);
        struct dns_edns e;
        assert_int_equal(be16_read(buf + 9), len - 11);
        assert_int_equal(
            dns_edns_read(be16_read(buf + 3), be32_read(buf + 5), buf + 11, len - 11, &e), ERR_OK);
        assert_true(e.present);
        assert_int_equal(e.udp_size, r.udp_size < 512 ? 512 : r.udp_size);
        assert_int_equal(e.dnssec_ok, r.dnssec_ok);
        assert_int_equal(e.ext_rcode, r.ext_rcode);
        assert_int_equal(e.version, 0);
        assert_int_equal(e.ede, r.ede);
        assert_int_equal(e.cookie_len, r.cookie_len);
        assert_memory_equal(e.cookie, cookie, r.cookie_len);
        assert_int_equal(e.has_keepalive, r.keepalive >= 0);
    }
}

static void nothing_is_written_on_failure(void **state)
{
    (void)state;
    struct dns_edns e;
    memset(&e, 0xa5, sizeof e);
    const uint8_t bad[] = {0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 3, 0, 1};
    assert_int_equal(dns_edns_read(1232, 0, bad, sizeof bad, &e), ERR_FORMAT);
    for (size_t i = 0; i < sizeof e; i++) {
        assert_int_equal(((const uint8_t *)&e)[i], 0xa5);
    }
}

static void a_response_tells_its_first_ede(void **state)
{
    (void)state;
    struct dns_edns e;
    uint8_t rdata[32];
    size_t n =
        octets_of_hex("000f 0001 ff 000f 0004 0016 6869 000f 0002 000f", rdata, sizeof rdata);
    assert_int_equal(dns_edns_read(1232, 0, rdata, n, &e), ERR_OK);
    assert_int_equal(e.ede, 22);
    n = octets_of_hex("000f 0002 ffff", rdata, sizeof rdata);
    assert_int_equal(dns_edns_read(1232, 0, rdata, n, &e), ERR_OK);
    assert_int_equal(e.ede, DNS_EDE_OTHER); /* private use, not negative */
}

static void who_asks_is_read_in_the_forms_that_routers_send(void **state)
{
    (void)state;
    static const struct {
        const char *options, *addr, *device; /* NULL: not told */
    } rows[] = {
        {"", NULL, NULL},
        {"0008 0008 0001 20 00 c0000232", "192.0.2.50", NULL},
        {"0008 0014 0002 80 00 20010db8000000000000000000000032", "2001:db8::32", NULL},
        {"0008 0007 0001 18 00 c00002", NULL, NULL},   /* a network */
        {"0008 0008 0002 20 00 c0000232", NULL, NULL}, /* another family's */
        {"0008 0004 0001 00 00", NULL, NULL},
        {"0008 0000", NULL, NULL},
        {"fde9 0006 3c22fb010203", NULL, "3c:22:fb:01:02:03"},
        {"fde9 0005 3c22fb0102", NULL, NULL},
        {"fde9 0008 3c22fb0102030405", NULL, NULL},
        {"fe31 0008 50434c3741514944", NULL, "3c:22:fb:01:02:03"}, /* PCL7AQID */
        {"fe31 0011 33633a32323a66623a30313a30323a3033", NULL, "3c:22:fb:01:02:03"},
        {"fe31 0008 50434c374151492e", NULL, "PCL7AQI."}, /* no base64: a name */
        {"fe32 0004 6261726e", NULL, "barn"},
        {"fe32 0008 50434c3741514944", NULL, "PCL7AQID"}, /* a name that looks like base64 */
        {"fe32 0000", NULL, NULL},
        {"fe32 0004 6261726e fde9 0006 3c22fb010203", NULL, "3c:22:fb:01:02:03"},
        {"fde9 0006 3c22fb010203 fe32 0004 6261726e", NULL, "3c:22:fb:01:02:03"},
        {"fde9 0006 3c22fb010203 0008 0008 0001 20 00 c0000232", "192.0.2.50", "3c:22:fb:01:02:03"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct dns_edns e;
        uint8_t rdata[64];
        size_t len = octets_of_hex(rows[i].options, rdata, sizeof rdata);
        struct ip_addr addr = {{0}}, device = {{0}};
        assert_int_equal(dns_edns_read(1232, 0, rdata, len, &e), ERR_OK);
        if (rows[i].addr) {
            assert_int_equal(ip_parse(span_str(rows[i].addr), &addr), ERR_OK);
        }
        device = rows[i].device ? device_of_text(span_str(rows[i].device)) : device;
        if (e.client.has_addr != (rows[i].addr != NULL) ||
            e.client.has_device != (rows[i].device != NULL) ||
            (e.client.has_addr && !ip_equal(&e.client.addr, &addr)) ||
            (e.client.has_device && !ip_equal(&e.client.device, &device))) {
            fail_msg("%s", rows[i].options);
        }
    }
}

static void cookie_lengths_by_rfc_7873(void **state)
{
    (void)state;
    for (size_t len = 0; len < 60; len++) {
        uint8_t rdata[64] = {0, DNS_OPT_COOKIE, 0, (uint8_t)len};
        struct dns_edns e;
        bool good = len == 8 || (len >= 16 && len <= 40);
        assert_int_equal(dns_edns_read(1232, 0, rdata, 4 + len, &e), good ? ERR_OK : ERR_FORMAT);
    }
}

/* RFC 9018 appendix A. */
static const struct {
    const char *why, *key, *addr, *client, *cookie;
    uint32_t at;
    bool ours; /* made with reserved octets zero, as we make them */
} vectors[] = {
    {"A.1", "e5e973e5a6b2a43f48e7dc849e37bfcf", "c6336464", "2464c4abcf10c957",
     "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559731985, true},
    {"A.2", "e5e973e5a6b2a43f48e7dc849e37bfcf", "c6336464", "2464c4abcf10c957",
     "2464c4abcf10c957010000005cf7a871d4a564a1442aca77", 1559734385, true},
    {"A.3, received", "e5e973e5a6b2a43f48e7dc849e37bfcf", "cb0071cb", "fc93fc62807ddb86",
     "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", 1559727985, false},
    {"A.3, renewed", "e5e973e5a6b2a43f48e7dc849e37bfcf", "cb0071cb", "fc93fc62807ddb86",
     "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e", 1559734700, true},
    {"A.4, old secret", "dd3bdf9344b678b185a6f5cb60fca715", "20010db80220000159ded0f4876982b8",
     "22681ab97d52c298", "22681ab97d52c298010000005cf7c57926556bd0934c72f8", 1559741817, true},
    {"A.4, new secret", "445536bcd2513298075a5d379663c962", "20010db80220000159ded0f4876982b8",
     "22681ab97d52c298", "22681ab97d52c298010000005cf7c609a6bb79d16625507a", 1559741961, true},
};

static void cookies_are_those_of_rfc_9018(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        struct dns_cookie_key key;
        uint8_t addr[16], client[8], want[24], got[24];
        octets_of_hex(vectors[i].key, key.key, 16);
        size_t addr_len = octets_of_hex(vectors[i].addr, addr, sizeof addr);
        octets_of_hex(vectors[i].client, client, sizeof client);
        octets_of_hex(vectors[i].cookie, want, sizeof want);
        if (vectors[i].ours) {
            dns_cookie_make(&key, client, addr, addr_len, vectors[i].at, got);
            assert_memory_equal(got, want, sizeof got);
        }
        if (!dns_cookie_valid(&key, want, addr, addr_len, vectors[i].at)) {
            fail_msg("%s is not valid", vectors[i].why);
        }
        for (size_t bit = 0; bit < sizeof want * 8; bit++) {
            want[bit / 8] ^= (uint8_t)(1U << bit % 8);
            assert_false(dns_cookie_valid(&key, want, addr, addr_len, vectors[i].at));
            want[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
        addr[0] ^= 1;
        assert_false(dns_cookie_valid(&key, want, addr, addr_len, vectors[i].at));
    }
}

static void cookies_live_an_hour(void **state)
{
    (void)state;
    const struct dns_cookie_key key = {{1, 2, 3}};
    const uint8_t addr[4] = {192, 0, 2, 1}, client[8] = {9};
    static const uint32_t times[] = {1000000, 100,
                                     UINT32_MAX - 100}; /* also where the time wraps */
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        uint32_t t = times[i];
        uint8_t cookie[24];
        dns_cookie_make(&key, client, addr, 4, t, cookie);
        assert_true(dns_cookie_valid(&key, cookie, addr, 4, t + 3600));
        assert_false(dns_cookie_valid(&key, cookie, addr, 4, t + 3601));
        assert_true(dns_cookie_valid(&key, cookie, addr, 4, t - 300));
        assert_false(dns_cookie_valid(&key, cookie, addr, 4, t - 301));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_each_part),
        cmocka_unit_test(gives_up_parts_in_order),
        cmocka_unit_test(text_is_cut_between_characters),
        cmocka_unit_test(reads_what_it_writes),
        cmocka_unit_test(nothing_is_written_on_failure),
        cmocka_unit_test(a_response_tells_its_first_ede),
        cmocka_unit_test(who_asks_is_read_in_the_forms_that_routers_send),
        cmocka_unit_test(cookie_lengths_by_rfc_7873),
        cmocka_unit_test(cookies_are_those_of_rfc_9018),
        cmocka_unit_test(cookies_live_an_hour),
    };
    return UNIT_RUN(tests);
}
