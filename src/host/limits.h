/*
 * What everything that grows can cost at most, computed from a configuration with the functions
 * that also allocate it. docs/limits.md says what happens when a bound is reached.
 */
#ifndef SINKHOLE_HOST_LIMITS_H
#define SINKHOLE_HOST_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

#define LIMITS_MAX 24

struct limit {
    const char *part;
    uint64_t octets;     /* of this process, all workers together */
    char bound[40];      /* "4096 clients x 2" */
    const char *options; /* that set it, "" if none does */
    bool mapped;         /* pages of a file, which the kernel drops when memory is short */
};

/* Fills `out`; returns how many rows. Whatever the limit of open files allows is taken as allowed.
 */
uint32_t limits_of(const struct config *c, struct limit out[LIMITS_MAX]);

#endif
