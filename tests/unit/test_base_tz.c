/*
 * Rules of local time, held against the C library's for moments of fifteen years.
 */
#include "unit.h"

#include <stdlib.h>
#include <time.h>

#include "base/tz.h"

static const char *const zones[] = {
    "UTC0",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "EST5EDT,M3.2.0,M11.1.0",
    "AEST-10AEDT,M10.1.0,M4.1.0/3",         /* summer over the new year */
    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", /* half an hour more only */
    "IST-1GMT0,M10.5.0,M3.5.0/1",           /* winter time is the change */
    "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",      /* a change on the day before */
    "<+0545>-5:45",
    "NST3:30NDT,J60/0:01,J305/1:59:30",
    "XXX-3YYY,59/2,300/25",
    "EET-2EEST,M3.4.4/50,M10.4.4/50",
};

static void same_as_the_library(const char *zone)
{
    struct tz tz;
    assert_int_equal(tz_parse(span_str(zone), &tz), ERR_OK);
    setenv("TZ", zone, 1);
    tzset();
    uint32_t seed = 7;
    for (int64_t t = 1704067200; t < 2177452800; t += 3 * 3600 + (int64_t)(seed % 7200)) {
        struct tm tm;
        struct tz_local local;
        time_t when = (time_t)t;
        localtime_r(&when, &tm);
        if (tz_offset(&tz, t) != tm.tm_gmtoff) {
            fail_msg("%s at %lld: %d, expected %ld", zone, (long long)t, tz_offset(&tz, t),
                     tm.tm_gmtoff);
        }
        tz_local(&tz, t, &local);
        assert_int_equal(local.weekday, (tm.tm_wday + 6) % 7);
        assert_int_equal(local.minute, tm.tm_hour * 60 + tm.tm_min);
        seed = seed * 1664525 + 1013904223;
    }
}

static void offsets_are_those_of_the_library(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
        same_as_the_library(zones[i]);
    }
}

static void changes_are_where_the_offset_changes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
        struct tz tz;
        assert_int_equal(tz_parse(span_str(zones[i]), &tz), ERR_OK);
        int64_t t = 1704067200;
        for (unsigned n = 0; n < 20; n++) {
            int64_t next = tz_next_change(&tz, t);
            if (next == INT64_MAX) {
                assert_false(tz.has_summer);
                break;
            }
            assert_true(next > t && next - t < 400 * 86400);
            assert_int_not_equal(tz_offset(&tz, next), tz_offset(&tz, next - 1));
            assert_int_equal(tz_offset(&tz, t), tz_offset(&tz, next - 1));
            t = next;
        }
    }
}

static void what_is_no_rule_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "C",
                                      "CET",
                                      "CET-",
                                      "-1",
                                      "CET-168",
                                      "CET-1CEST",
                                      "CET-1CEST,M3.5.0",
                                      "CET-1CEST,M13.5.0,M10.5.0",
                                      "CET-1CEST,M3.6.0,M10.5.0",
                                      "CET-1CEST,M3.5.7,M10.5.0",
                                      "CET-1CEST,J0,J10",
                                      "CET-1CEST,366,10",
                                      "<+01-1",
                                      "CET-1CEST,M3.5.0,M10.5.0 ",
                                      "Europe/Berlin",
                                      "CET-1:60",
                                      "CET-1CEST,M3.5.0/,M10.5.0"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct tz tz;
        if (tz_parse(span_str(bad[i]), &tz) != ERR_FORMAT) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_are_those_of_the_library),
        cmocka_unit_test(changes_are_where_the_offset_changes),
        cmocka_unit_test(what_is_no_rule_is_refused),
    };
    return UNIT_RUN(tests);
}
