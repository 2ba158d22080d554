/*
 * Timing for bench programs.
 */
#include "measure.h"

#include <stdio.h>
#include <time.h>

enum { ROUNDS = 15 };

static uint64_t sink;

static double cpu_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

double measure_ns(measure_body *body, void *context, size_t count)
{
    double least = 0;
    for (int i = 0; i < ROUNDS; i++) {
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
