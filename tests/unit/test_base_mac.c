/*
 * Hardware addresses: the two ways that people write them, and what looks like one.
 */
#include "unit.h"

#include "base/device.h"
#include "base/mac.h"

static void both_separators_and_both_cases_are_read(void **state)
{
    (void)state;
    static const uint8_t expected[MAC_OCTETS] = {0x3c, 0x22, 0xfb, 0x01, 0x0a, 0xff};
    static const char *const good[] = {"3c:22:fb:01:0a:ff", "3C:22:FB:01:0A:FF",
                                       "3c-22-fb-01-0a-ff", "3C-22-fB-01-0a-Ff"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint8_t mac[MAC_OCTETS];
        char text[MAC_TEXT];
        if (mac_parse(span_str(good[i]), mac) != ERR_OK) {
            fail_msg("%s", good[i]);
        }
        assert_memory_equal(mac, expected, sizeof mac);
        mac_format(mac, text);
        assert_string_equal(text, "3c:22:fb:01:0a:ff");
    }
}

static void others_are_refused_and_nothing_is_written(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "3c:22:fb:01:0a",
                                      "3c:22:fb:01:0a:f",
                                      "3c:22:fb:01:0a:ff:00",
                                      "3c:22-fb:01:0a:ff",
                                      "3c.22.fb.01.0a.ff",
                                      "3g:22:fb:01:0a:ff",
                                      "3c:22:fb:01:0a:f@",
                                      "3c22fb010aff     ",
                                      " c:22:fb:01:0a:ff"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t mac[MAC_OCTETS] = {7, 7, 7, 7, 7, 7};
        static const uint8_t untouched[MAC_OCTETS] = {7, 7, 7, 7, 7, 7};
        if (mac_parse(span_str(bad[i]), mac) != ERR_FORMAT) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
        assert_memory_equal(mac, untouched, sizeof mac);
    }
}

static void a_device_has_an_address_that_leads_back_to_it(void **state)
{
    (void)state;
    uint8_t mac[MAC_OCTETS] = {0x3c, 0x22, 0xfb, 0x01, 0x02, 0x03}, back[MAC_OCTETS];
    char text[IP_TEXT_MAX];
    struct ip_addr a = device_of_mac(mac), other;
    ip_format(&a, text);
    assert_string_equal(text, "fe80::3e22:fbff:fe01:203");
    assert_true(device_mac(&a, back));
    assert_memory_equal(back, mac, sizeof mac);
    assert_false(device_is_name(&a));
    other = device_of_text(span_str("3C-22-FB-01-02-03"));
    assert_true(ip_equal(&a, &other));
    for (unsigned i = 0; i < 16; i++) { /* the prefix and the two octets in the middle tell it */
        other = a;
        other.b[i] ^= 1;
        assert_int_equal(device_mac(&other, back), (i >= 8 && i <= 10) || i >= 13);
    }
}

static void names_have_addresses_whatever_their_case(void **state)
{
    (void)state;
    char longer[200], longest[201];
    memset(longer, 'a', sizeof longer - 1);
    memset(longest, 'a', sizeof longest - 1);
    longer[sizeof longer - 1] = longest[sizeof longest - 1] = '\0';
    static const char *const names[] = {"tv", "TV", "tv2", "t", ""};
    struct ip_addr a[5];
    for (unsigned i = 0; i < 5; i++) {
        a[i] = device_of_text(span_str(names[i]));
        assert_true(device_is_name(&a[i]));
        for (unsigned k = 0; k < i; k++) {
            assert_int_equal(ip_equal(&a[i], &a[k]), i == 1 && k == 0);
        }
    }
    a[0] = device_of_name(span_str(longer));
    a[1] = device_of_name(span_str(longest));
    assert_false(ip_equal(&a[0], &a[1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_has_an_address_that_leads_back_to_it),
        cmocka_unit_test(names_have_addresses_whatever_their_case),
        cmocka_unit_test(both_separators_and_both_cases_are_read),
        cmocka_unit_test(others_are_refused_and_nothing_is_written),
    };
    return UNIT_RUN(tests);
}
