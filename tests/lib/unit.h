/*
 * What each unit test includes: cmocka with the headers it wants before it.
 */
#ifndef SINKHOLE_TESTS_UNIT_H
#define SINKHOLE_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Runs a group of tests with TAP output; the value of main(). */
#define UNIT_RUN(tests)                        \
    (cmocka_set_message_output(CM_OUTPUT_TAP), \
     cmocka_run_group_tests_name(__FILE__, (tests), NULL, NULL))

#endif
