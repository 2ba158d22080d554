/*
 * Is this text a list? Reads a text as it comes and says at its end whether it may replace the copy
 * in force (hardening L2).
 */
#ifndef SINKHOLE_HOST_LIST_JUDGE_H
#define SINKHOLE_HOST_LIST_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "blocklist/judge.h"
#include "host/list_copy.h"
#include "host/list_marks.h"
#include "host/lists.h"

struct list_judge {
    struct bl_judge judge;
};

/* `marks` gets all rules and expressions; NULL: nobody wants them. */
void judge_init(struct list_judge *j, enum bl_format format, bool as_allow,
                struct list_marks *marks);

/* False: it is no list, or nothing in its first megabytes is a rule; reading on is of no use. */
bool judge_feed(struct list_judge *j, struct span text);

/* The text is at its end, or judge_feed said false. NULL: it is a list. Else one line for people in
 * `reason` (FETCH_ERROR_MAX octets). */
const char *judge_end(struct list_judge *j, char *reason);

/* Counts and examples, into the copy's facts. */
void judge_facts(const struct list_judge *j, struct copy_meta *out);

/* Examples of rejected lines: "line 12: NAME: an empty label". Returns how many were written. */
uint32_t judge_examples(const struct bl_parse_stats *stats,
                        char out[LIST_EXAMPLES_MAX][LIST_EXAMPLE_MAX]);

#endif
