/*
 * The machine and this process, for the status page: from /proc and /sys.
 */
#ifndef SINKHOLE_HOST_SYSINFO_H
#define SINKHOLE_HOST_SYSINFO_H

#include "api/backend.h"

/* What is remembered from one look to the next, for shares of processor time. */
struct sysinfo_memory {
    uint64_t busy, all; /* ticks of the machine */
    uint64_t own_us;    /* processor time of this process */
    usec_t now;
    double cpu_percent, own_percent;
};

/* Zero-initialise the memory. Costs a few milliseconds; a second call within a second repeats the
 * shares of the first. */
void sysinfo_read(struct sysinfo_memory *memory, usec_t started, struct api_system *out);

#endif
