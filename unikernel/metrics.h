/* The machine's own numbers in /metrics: memory and connections by pool, so that a leak shows. */
#ifndef UNIKERNEL_METRICS_H
#define UNIKERNEL_METRICS_H

#include "base/strbuf.h"

void metrics_write(void *ctx, struct strbuf *out);

#endif
