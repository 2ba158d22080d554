/* Log lines to the serial console, and into the ring that the API shows. */
#ifndef UNIKERNEL_CONSOLE_H
#define UNIKERNEL_CONSOLE_H

#include "base/log_ring.h"

void console_open(void);

/* For the API's log_lines; ctx is not used. */
uint32_t console_lines(void *ctx, uint64_t after, struct log_ring_line *out, uint32_t max);

#endif
