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

/* Which of the two comes first is another one from year to year; and rules that reach into the year
 * before. */
static void between_changes_the_offset_stays(void **state)
{
    (void)state;
    static const char *const odd[] = {"CET-1CEST,M2.5.1,M2.5.0/3", "CET-1CEST,M1.1.1/-167,M6.1.0",
                                      "CET-1CEST,M6.1.1,M12.5.0/167"};
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        struct tz tz;
        assert_int_equal(tz_parse(span_str(odd[i]), &tz), ERR_OK);
        unsigned changes = 0;
        for (int64_t t = 1704067200; t < 2177452800;) {
            int64_t next = tz_next_change(&tz, t);
            for (int64_t at = t; at < next; at += 6 * 3600) {
                assert_int_equal(tz_offset(&tz, at), tz_offset(&tz, t));
            }
            changes += tz_offset(&tz, next) != tz_offset(&tz, t);
            t = next;
        }
        assert_in_range(changes, 15, 31);
    }
    struct tz tz; /* summer time for ever, as RFC 8536 3.3.1 has it */
    assert_int_equal(tz_parse(span_str("EST5EDT,0/0,J365/25"), &tz), ERR_OK);
    for (int64_t t = 1704067200; t < 1804067200; t += 3600) {
        assert_int_equal(tz_offset(&tz, t), -4 * 3600);
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
        cmocka_unit_test(between_changes_the_offset_stays),
        cmocka_unit_test(what_is_no_rule_is_refused),
    };
    return UNIT_RUN(tests);
}
