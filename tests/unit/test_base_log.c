/*
 * Log lines: levels, the sink, long lines.
 */
#include <stdio.h>

#include "base/log.h"
#include "base/log_ring.h"
#include "unit.h"

static char last[LOG_LINE_MAX + 1];
static int lines;
static enum log_area last_area;
static enum log_level last_level;

static void sink(enum log_area area, enum log_level level, const char *line)
{
    lines++;
    last_area = area;
    last_level = level;
    strncpy(last, line, sizeof last - 1);
}

static int reset(void **state)
{
    (void)state;
    lines = 0;
    log_set_sink(sink);
    log_set_level_all(LOG_LEVEL_INFO);
    return 0;
}

static void passes_what_its_level_allows(void **state)
{
    (void)state;
    log_debug(NET, "hidden");
    assert_int_equal(lines, 0);
    log_info(NET, "port %u is %s", 53U, "open");
    assert_int_equal(lines, 1);
    assert_string_equal(last, "port 53 is open");
    assert_int_equal(last_area, LOG_AREA_NET);
    assert_int_equal(last_level, LOG_LEVEL_INFO);
}

static void levels_are_set_by_area(void **state)
{
    (void)state;
    log_set_level(LOG_AREA_HTTP, LOG_LEVEL_DEBUG);
    log_set_level(LOG_AREA_NET, LOG_LEVEL_ERROR);
    log_debug(HTTP, "seen");
    log_warning(NET, "hidden");
    log_debug(MAIN, "hidden");
    assert_int_equal(lines, 1);
    assert_int_equal(log_get_level(LOG_AREA_HTTP), LOG_LEVEL_DEBUG);
    assert_true(log_enabled(LOG_AREA_NET, LOG_LEVEL_ERROR));
    assert_false(log_enabled(LOG_AREA_NET, LOG_LEVEL_WARNING));
}

static void long_lines_end_in_dots(void **state)
{
    (void)state;
    static char text[LOG_LINE_MAX + 100];
    memset(text, 'a', sizeof text - 1);
    log_error(MAIN, "%.*s", LOG_LINE_MAX - 1, text);
    assert_int_equal(strlen(last), LOG_LINE_MAX - 1);
    assert_string_equal(last + LOG_LINE_MAX - 4, "aaa");
    log_error(MAIN, "%.*s", LOG_LINE_MAX, text);
    assert_int_equal(strlen(last), LOG_LINE_MAX - 1);
    assert_string_equal(last + LOG_LINE_MAX - 5, "a...");
}

static void no_sink_is_no_line(void **state)
{
    (void)state;
    log_set_sink(NULL);
    log_error(MAIN, "nobody hears it");
    assert_int_equal(lines, 0);
}

static void levels_and_areas_have_names(void **state)
{
    (void)state;
    assert_string_equal(log_level_name(LOG_LEVEL_ERROR), "error");
    assert_string_equal(log_level_name(LOG_LEVEL_DEBUG), "debug");
    assert_string_equal(log_area_name(LOG_AREA_STORE), "store");
    assert_string_equal(log_area_name(LOG_AREA_COUNT), "unknown");
    assert_string_equal(log_level_name(LOG_LEVEL_COUNT), "unknown");
}

static void ring_keeps_the_last_lines_and_reads_on(void **state)
{
    static struct log_ring r;
    struct log_ring_line line[LOG_RING_LINES + 1];
    char text[LOG_RING_TEXT + 40];
    (void)state;
    assert_int_equal(log_ring_read(&r, 0, line, ARRAY_LEN(line)), 0);
    for (int i = 1; i <= LOG_RING_LINES + 10; i++) {
        snprintf(text, sizeof text, "line %d", i);
        log_ring_add(&r, i, LOG_AREA_NET, LOG_LEVEL_WARNING, text);
    }
    assert_int_equal(log_ring_read(&r, 0, line, ARRAY_LEN(line)), LOG_RING_LINES);
    assert_string_equal(line[0].text, "line 11");
    assert_int_equal(line[0].id, 11);
    assert_int_equal(line[LOG_RING_LINES - 1].unix_us, LOG_RING_LINES + 10);
    assert_int_equal(log_ring_read(&r, 12, line, 2), 2);
    assert_int_equal(line[0].id, 13);
    assert_int_equal(log_ring_read(&r, r.last, line, 2), 0);
    assert_int_equal(log_ring_read(&r, UINT64_MAX - 1, line, 2), 0); /* of another run */
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_ring_add(&r, 0, LOG_AREA_MAIN, LOG_LEVEL_ERROR, text);
    assert_int_equal(log_ring_read(&r, r.last - 1, line, 1), 1);
    assert_int_equal(strlen(line[0].text), LOG_RING_TEXT - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_keeps_the_last_lines_and_reads_on),
        cmocka_unit_test_setup(passes_what_its_level_allows, reset),
        cmocka_unit_test_setup(levels_are_set_by_area, reset),
        cmocka_unit_test_setup(long_lines_end_in_dots, reset),
        cmocka_unit_test_setup(no_sink_is_no_line, reset),
        cmocka_unit_test(levels_and_areas_have_names),
    };
    return UNIT_RUN(tests);
}
