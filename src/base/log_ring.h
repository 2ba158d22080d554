/*
 * The last log lines, for who looks at them through the API. Fixed size, the newest overwrites the
 * oldest; the platform's sink adds, under its own lock if it has threads.
 */
#ifndef SINKHOLE_BASE_LOG_RING_H
#define SINKHOLE_BASE_LOG_RING_H

#include <stdint.h>

#include "base/log.h"

#define LOG_RING_LINES 256
#define LOG_RING_TEXT  232 /* octets of a line with NUL; longer ones are cut */

struct log_ring_line {
    uint64_t id; /* counts up from 1; 0: never used */
    int64_t unix_us;
    enum log_area area;
    enum log_level level;
    char text[LOG_RING_TEXT];
};

struct log_ring {  /* all zero: empty */
    uint64_t last; /* id of the newest */
    struct log_ring_line line[LOG_RING_LINES];
};

void log_ring_add(struct log_ring *r, int64_t unix_us, enum log_area area, enum log_level level,
                  const char *text);

/* Lines with an id above `after`, oldest first, at most max. Returns how many. */
uint32_t log_ring_read(const struct log_ring *r, uint64_t after, struct log_ring_line *out,
                       uint32_t max);

#endif
