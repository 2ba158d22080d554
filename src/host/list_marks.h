/*
 * What a text of a list has of the names that the update guard knows (blocklist/guard.h): rules as
 * they are read, and at the end of the text what its regular expressions match.
 */
#ifndef SINKHOLE_HOST_LIST_MARKS_H
#define SINKHOLE_HOST_LIST_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "blocklist/guard.h"

struct list_marks;

/* NULL: no memory. The guard is kept. */
struct list_marks *list_marks_new(const struct bl_guard *guard);
void list_marks_free(struct list_marks *m); /* NULL is allowed */

void list_marks_rule(struct list_marks *m, const struct bl_rule *rule);

/* At most BL_REGEXES_MAX expressions are looked at, as no more are ever in force; they are copied.
 */
void list_marks_pattern(struct list_marks *m, struct span pattern, uint8_t rank);

/* The text is at its end; what comes later is its text again, and tells nothing new. Cost:
 * milliseconds for each expression, which is tried on hostile names first. */
void list_marks_end(struct list_marks *m);

/* For bl_guard_any and bl_guard_compare. */
const uint8_t *list_marks_get(const struct list_marks *m);

#endif
