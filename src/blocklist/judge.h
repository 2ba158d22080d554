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

/* `idna` as in struct bl_parse_config; may be NULL. */
void bl_judge_init(struct bl_judge *j, enum bl_format format, bool as_allow,
                   size_t (*idna)(void *ctx, struct span utf8, char *out, size_t cap));

/* False: it is no list, or nothing in its first megabytes is a rule; reading on is of no use. */
bool bl_judge_feed(struct bl_judge *j, struct span text);

/*
 * The text is at its end, or bl_judge_feed said false. `before` is how many rules the copy in force
 * has, 0: none; `min_percent` of them must be there (0: any number). True: it may be taken. Else
 * one line for people is in `reason`, and *shrunk tells that only the number is against it.
 */
bool bl_judge_end(struct bl_judge *j, uint32_t before, uint32_t min_percent, struct strbuf *reason,
                  bool *shrunk);

/* Rules of names and regular expressions so far. */
uint32_t bl_judge_rules(const struct bl_judge *j);

/* The i-th example of a rejected line: "line 12: NAME: an empty label". */
void bl_judge_example(const struct bl_parse_stats *stats, uint32_t i, struct strbuf *out);

#endif
