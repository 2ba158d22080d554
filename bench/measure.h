/*
 * Timing for bench programs: a body is run in rounds, the least disturbed round counts.
 */
#ifndef SINKHOLE_BENCH_MEASURE_H
#define SINKHOLE_BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

/* Does the measured work `count` times; returns anything that depends on it, so that it cannot be
 * left out. */
typedef uint64_t measure_body(void *context, size_t count);

/* Nanoseconds of CPU time for one of `count` runs, the least of several rounds. */
double measure_ns(measure_body *body, void *context, size_t count);

/* Markdown: a head, and rows that tell the time beside the baseline's. */
void measure_head(const char *title);
void measure_row(const char *what, double ns, double baseline_ns);

#endif
