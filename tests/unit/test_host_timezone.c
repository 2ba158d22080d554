/*
 * The time zone of a setting: a rule, the name of a zone, TZ of the environment, or what the
 * machine has; Greenwich where none of them can be read.
 */
#include "host/timezone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

#define JANUARY INT64_C(1736899200) /* 2025-01-15 */
#define JULY    INT64_C(1752537600) /* 2025-07-15 */
#define BERLIN  "/usr/share/zoneinfo/Europe/Berlin"

static unsigned warnings;

static void count_warning(enum log_area area, enum log_level level, const char *line)
{
    (void)area;
    (void)line;
    warnings += level == LOG_LEVEL_WARNING;
}

/* The offsets of winter and summer that a setting comes to, and whether there was a warning. */
static void expect(const char *setting, int32_t winter, int32_t summer, unsigned warned)
{
    struct tz tz;
    memset(&tz, 0xa5, sizeof tz);
    warnings = 0;
    timezone_read(setting, &tz);
    if (tz_offset(&tz, JANUARY) != winter || tz_offset(&tz, JULY) != summer || warnings != warned) {
        fail_msg("\"%s\": %d, %d, %u warnings", setting, tz_offset(&tz, JANUARY),
                 tz_offset(&tz, JULY), warnings);
    }
}

static void takes_a_rule(void **state)
{
    (void)state;
    expect("CET-1CEST,M3.5.0,M10.5.0/3", 3600, 7200, 0);
    expect("UTC0", 0, 0, 0);
    expect("<-03>3", -10800, -10800, 0);
}

static void takes_a_zone_by_its_name(void **state)
{
    (void)state;
    if (access(BERLIN, R_OK) != 0) {
        skip();
    }
    expect("Europe/Berlin", 3600, 7200, 0);
    setenv("TZ", "Europe/Berlin", 1);
    expect("", 3600, 7200, 0);
    setenv("TZ", ":Europe/Berlin", 1);
    expect("", 3600, 7200, 0);
    expect("UTC0", 0, 0, 0); /* what is told goes before */
    unsetenv("TZ");
}

static void names_lead_nowhere_else(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "Nowhere/Atall", "../zoneinfo/Europe/Berlin",    BERLIN, "Europe/Berlin\n",
        "Europe",        "tzdata.zi" /* no zone file */, ".",    "CET-1CEST",
        "Europe/Ber lin"};
    char longest[300];
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        expect(settings[i], 0, 0, 1);
    }
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    expect(longest, 0, 0, 1);
    setenv("TZ", "Nowhere/Atall", 1);
    expect("", 0, 0, 1);
    unsetenv("TZ");
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    unsetenv("TZ");
    log_set_sink(count_warning);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_rule),
        cmocka_unit_test(takes_a_zone_by_its_name),
        cmocka_unit_test(names_lead_nowhere_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
