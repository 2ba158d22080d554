/* The time of day. */
#include "lib/wallclock.h"

#include "arch/aarch64/cpu.h"

#ifndef BUILD_UNIX
#error "BUILD_UNIX (seconds) comes from the build"
#endif

static int64_t offset_us;
static bool known;

bool wallclock_known(void)
{
    return known;
}

int64_t wallclock_unix_us(void)
{
    return (known ? offset_us : (int64_t)BUILD_UNIX * 1000000) + (int64_t)clock_now();
}

int64_t wallclock_floor_s(void)
{
    return BUILD_UNIX;
}

void wallclock_set(int64_t unix_us)
{
    offset_us = unix_us - (int64_t)clock_now();
    known = true;
}
