/* The time of day: unknown until SNTP has told it; then the monotonic clock plus an offset. */
#ifndef UNIKERNEL_WALLCLOCK_H
#define UNIKERNEL_WALLCLOCK_H

#include <stdbool.h>
#include <stdint.h>

bool wallclock_known(void);
int64_t wallclock_unix_us(
    void); /* while unknown: the time of the build, which is a floor for certificate dates */
int64_t wallclock_floor_s(void); /* no earlier time can be right: when this was built */
void wallclock_set(int64_t unix_us);

#endif
