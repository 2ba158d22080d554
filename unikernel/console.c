/* The log of the image. */
#include "console.h"

#include <stdio.h>

#include "arch/aarch64/cpu.h"
#include "base/time.h"
#include "lib/wallclock.h"

static struct log_ring ring;

static void put_line(enum log_area area, enum log_level level, const char *line)
{
    uint64_t ms = clock_now() / USEC_PER_MSEC;
    printf("[%5lu.%03lu] %s %s: %s\n", ms / 1000, ms % 1000, log_level_name(level),
           log_area_name(area), line);
    log_ring_add(&ring, wallclock_unix_us(), area, level, line);
}

void console_open(void)
{
    log_set_sink(put_line);
}

uint32_t console_lines(void *ctx, uint64_t after, struct log_ring_line *out, uint32_t max)
{
    (void)ctx;
    return log_ring_read(&ring, after, out, max);
}
