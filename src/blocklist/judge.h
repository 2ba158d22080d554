/*
 * Is this text a list? Reads a text as it comes and says at its end whether it may replace the copy
 * in force. The parser decides about lines; here is decided about the whole.
 */
#ifndef SINKHOLE_BLOCKLIST_JUDGE_H
#define SINKHOLE_BLOCKLIST_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "base/strbuf.h"
#include "blocklist/parse.h"

struct bl_judge {
    struct bl_parser parser;
    uint64_t octets;
    bool hopeless; /* no use in reading on */
};

/* Of `cfg` counts format, as_allow, idna, and rule and regex (NULL: they are of no interest; all
 * expressions count as taken) with ctx. */
void bl_judge_init(struct bl_judge *j, const struct bl_parse_config *cfg);

/* False: it is no list, or nothing in its first megabytes is a rule; reading on is of no use. */
bool bl_judge_feed(struct bl_judge *j, struct span text);

/* The text is at its end, or bl_judge_feed said false. True: it is a list. Else one line for people
 * is in `reason`. */
bool bl_judge_end(struct bl_judge *j, struct strbuf *reason);

/* Rules of names and regular expressions so far. */
uint32_t bl_judge_rules(const struct bl_judge *j);

/* The i-th example of a rejected line: "line 12: NAME: an empty label". */
void bl_judge_example(const struct bl_parse_stats *stats, uint32_t i, struct strbuf *out);

#endif
