/*
 * One live line at the foot of a terminal while lists are fetched and compiled. Where standard
 * error is no terminal nothing is shown: the log has a line for each list anyway.
 */
#ifndef SINKHOLE_HOST_PROGRESS_H
#define SINKHOLE_HOST_PROGRESS_H

#include <stdbool.h>

#include "base/strbuf.h"
#include "host/lists.h"

/* Show it from now on if `fd` is a terminal. -1: not any more. */
void progress_open(int fd);

/* Show this state; the line goes away when nothing is running. From any thread. */
void progress_lists(const struct lists_progress *p);

/* The text of the line, without control characters: "lists 7 of 12, 18.3 MB, compiling". */
void progress_text(const struct lists_progress *p, struct strbuf *out);

/*
 * For whoever writes other lines to the same terminal: what to write before the line (to take the
 * live line away) and after it (to put it back). Both add nothing when there is no live line.
 */
void progress_before(struct strbuf *out);
void progress_after(struct strbuf *out);

#endif
