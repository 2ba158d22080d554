/*
 * Own rules as text, one a line, and as JSON, for export and import.
 *
 *     deny ads.example  # a note                     exactly this name
 *     allow *.ok.example                             the name and all below (also ||ok.example^)
 *     deny /^ad[0-9]+\./ client=192.0.2.7            a regular expression; for one client
 *     deny slow.example off until=1790000000 groups=0,2
 *
 * Without a first word a line denies (@@ allows); a line with signs that no name has is a regular
 * expression, as Pi-hole writes them. # ! ; at the start make a comment.
 */
#ifndef SINKHOLE_API_RULES_TEXT_H
#define SINKHOLE_API_RULES_TEXT_H

#include <jansson.h>

#include "api/rules.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "base/strbuf.h"

#define RULES_IMPORT_ERRORS 50 /* told one by one; the rest is a number */

/* The engine's word on a regular expression: ERR_OK, or why not (256 octets); ERR_MEMORY. */
typedef enum err rules_pattern_check(void *ctx, const char *pattern, char *why);

struct rules_import {
    bool replace; /* the rules that are there go */
    int64_t now_unix;
    rules_pattern_check *check; /* NULL: all are taken */
    void *ctx;
    uint32_t added, present,
        bad;        /* out: new ones, ones that are there already, lines with errors */
    json_t *errors; /* out: array of {"line", "text", "error"}; the caller's to free */
};

/*
 * Add what the text says to *r, which must be a copy: after ERR_FORMAT (there are errors) or
 * ERR_LIMIT (too many rules) some of it may have been added. ERR_MEMORY.
 */
MUST_CHECK enum err rules_import_text(struct rules *r, struct span text, struct rules_import *io);

/* The same from an array of rules as the document has them; "line" counts them from 1. */
MUST_CHECK enum err rules_import_json(struct rules *r, const json_t *own, struct rules_import *io);

/* One rule as a line, without its end. */
void rules_export_line(const struct rule_view *v, struct strbuf *out);

#endif
