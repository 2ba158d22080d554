/*
 * Time as the core knows it: microseconds of a monotonic clock, given by the platform with each
 * event. Wall time is only for display and schedules and always has `unix` in its name.
 */
#ifndef SINKHOLE_BASE_TIME_H
#define SINKHOLE_BASE_TIME_H

#include <stdint.h>

typedef uint64_t usec_t; /* microseconds, monotonic; 0 is "never" where a field says so */

#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC  UINT64_C(1000000)
#define USEC_NEVER    UINT64_MAX /* a deadline that does not come */

#endif
