/* Weekly times: text, past midnight, and over the changes of summer time. */
#include "unit.h"

#include "config/schedule.h"

static struct schedule parse(const char *text)
{
    struct schedule s;
    if (schedule_parse(span_str(text), &s) != ERR_OK) {
        fail_msg("\"%s\" is not taken", text);
    }
    return s;
}

static void text_is_read_and_written(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"mon-fri 21:00-06:30 block", "mon,tue,wed,thu,fri 21:00-06:30 block"},
        {"daily 0:00-24:00", "daily 00:00-24:00 block"},
        {"Sat,Sunday 10:00-12:00 pause", "sat,sun 10:00-12:00 pause"},
        {"fri-mon 08:00-09:00", "mon,fri,sat,sun 08:00-09:00 block"},
        {"thursday\t16:00-18:00  services youtube, tiktok",
         "thu 16:00-18:00 services youtube tiktok"},
        {"daily 20:00-20:00 lists https://a.example/x https://b.example",
         "daily 20:00-20:00 lists https://a.example/x https://b.example"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[200];
        struct strbuf out;
        struct schedule s = parse(rows[i][0]);
        strbuf_init(&out, text, sizeof text);
        schedule_format(&s, &out);
        assert_string_equal(text, rows[i][1]);
    }
}

static void what_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "mon",
        "mon 21:00",
        "mon 21:00-",
        "mon 21:00-25:00",
        "mon 24:00-06:00",
        "mon 21:0-06:00",
        "mon 21:60-22:00",
        "mo 21:00-22:00",
        "mon-xyz 21:00-22:00",
        "mon, 21:00-22:00",
        "mon 21:00-22:00 bloc",
        "mon 21:00-22:00 services",
        "mon 21:00-22:00 block everything",
        "mon 2100-2200 block",
        "mon 21:00-22:00 services you\x01tube",
        "mon 21:00-22:00 lists https://a.example/\x7f",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct schedule s;
        if (schedule_parse(span_str(bad[i]), &s) != ERR_FORMAT) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
    }
}

/* Weekday from Monday, hour, minute. */
static bool active(const char *text, unsigned day, unsigned hour, unsigned minute)
{
    struct schedule s = parse(text);
    struct tz_local at = {.weekday = (uint8_t)day, .minute = (uint16_t)(hour * 60 + minute)};
    return schedule_is_active(&s, &at);
}

static void nights_belong_to_the_day_they_begin(void **state)
{
    (void)state;
    const char *nights = "mon-fri 21:00-06:30";
    assert_false(active(nights, 0, 6, 0)); /* Monday morning belongs to Sunday */
    assert_false(active(nights, 0, 20, 59));
    assert_true(active(nights, 0, 21, 0));
    assert_true(active(nights, 1, 6, 29));
    assert_false(active(nights, 1, 6, 30));
    assert_true(active(nights, 5, 0, 0)); /* Friday's night */
    assert_false(active(nights, 5, 21, 0));
    assert_true(active("sun 23:00-01:00", 0, 0, 30));
    assert_true(active("daily 00:00-24:00", 6, 23, 59));
    assert_true(active("wed 12:00-12:00", 3, 11, 59));
    assert_false(active("wed 12:00-12:00", 3, 12, 0));
}

static const char *const zones[] = {"UTC0", "CET-1CEST,M3.5.0,M10.5.0/3",
                                    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
                                    "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"};

/* The next change, found minute by minute. */
static int64_t walk(const struct schedule *s, const struct tz *tz, int64_t t, int64_t end)
{
    struct tz_local local;
    tz_local(tz, t, &local);
    bool now = schedule_is_active(s, &local);
    for (t = t / 60 * 60 + 60; t < end; t += 60) {
        tz_local(tz, t, &local);
        if (schedule_is_active(s, &local) != now) {
            return t;
        }
    }
    return INT64_MAX;
}

static void the_next_change_is_found(void **state)
{
    (void)state;
    static const char *const texts[] = {"mon-fri 21:00-06:30", "sun 02:30-02:45",
                                        "sun 01:00-03:00",     "sat 23:00-02:30",
                                        "daily 00:00-24:00",   "thu 10:00-10:00"};
    static const int64_t around[] = {1711846800 - 86400 * 2, 1729990800 - 86400 * 2,
                                     1712419200 - 86400 * 2, 1728144000 - 86400 * 2, 1720000000};
    for (size_t z = 0; z < ARRAY_LEN(zones); z++) {
        struct tz tz;
        assert_int_equal(tz_parse(span_str(zones[z]), &tz), ERR_OK);
        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
            struct schedule s = parse(texts[i]);
            for (size_t k = 0; k < ARRAY_LEN(around); k++) {
                for (int64_t t = around[k]; t < around[k] + 4 * 86400; t += 1807 * 7) {
                    int64_t expected = walk(&s, &tz, t, t + 8 * 86400);
                    int64_t found = schedule_next_change(&s, &tz, t);
                    if (found != expected && !(expected == INT64_MAX && found > t + 7 * 86400)) {
                        fail_msg("%s in %s at %lld: %lld, expected %lld", texts[i], zones[z],
                                 (long long)t, (long long)found, (long long)expected);
                    }
                }
            }
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_read_and_written),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(nights_belong_to_the_day_they_begin),
        cmocka_unit_test(the_next_change_is_found),
    };
    return UNIT_RUN(tests);
}
