/*
 * Timing for bench programs.
 */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 15, ROUNDS_MAX = 100 };

static uint64_t sink;

static double cpu_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* SINKHOLE_BENCH_ROUNDS: fewer for a quick look. */
static int rounds(void)
{
    const char *text = getenv("SINKHOLE_BENCH_ROUNDS");
    long n = text ? strtol(text, NULL, 10) : ROUNDS;
    return n < 1 || n > ROUNDS_MAX ? ROUNDS : (int)n;
}

double measure_ns(measure_body *body, void *context, size_t count)
{
    double least = 0;
    int n = rounds();
    for (int i = 0; i < n; i++) {
        double start = cpu_ns();
        sink ^= body(context, count);
        double ns = (cpu_ns() - start) / (double)count;
        if (i == 0 || ns < least) {
            least = ns;
        }
    }
    /* The sink decides about a blank line that nobody minds. */
    if (sink == UINT64_C(0x123456789abcdef)) {
        (void)puts("");
    }
    return least;
}

void measure_head(const char *title)
{
    (void)printf("| %s | ns | × baseline |\n|---|---|---|\n", title);
}

void measure_row(const char *what, double ns, double baseline_ns)
{
    (void)printf("| %s | %.1f | %.2f |\n", what, ns, ns / baseline_ns);
}
