/*
 * Log lines to standard error: as text for people (with a priority for the journal when it listens
 * there) or as one JSON object a line.
 */
#ifndef SINKHOLE_HOST_LOGSINK_H
#define SINKHOLE_HOST_LOGSINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/log_ring.h"
#include "base/strbuf.h"

/* From now on lines go to standard error in this form; may be called again. */
void logsink_open(bool json);

/* The last lines; for the API's log_lines, ctx is not used. Any thread. */
uint32_t logsink_lines(void *ctx, uint64_t after, struct log_ring_line *out, uint32_t max);

/*
 * One line with its newline, as logsink writes it. `unix_us` is wall time; `journal` puts "<6>" in
 * front and leaves out the time, which the journal has itself.
 */
void logsink_text(struct strbuf *out, bool journal, int64_t unix_us, enum log_area area,
                  enum log_level level, const char *line);
void logsink_json(struct strbuf *out, int64_t unix_us, enum log_area area, enum log_level level,
                  const char *line);

#endif
