/*
 * Hardware addresses: the two ways that people write them, and what looks like one.
 */
#include "unit.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_separators_and_both_cases_are_read),
        cmocka_unit_test(others_are_refused_and_nothing_is_written),
    };
    return UNIT_RUN(tests);
}
