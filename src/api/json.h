/*
 * JSON as the API writes and reads it.
 */
#ifndef SINKHOLE_API_JSON_H
#define SINKHOLE_API_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "dns/name.h"

#define JSON_DEPTH_MAX \
    32 /* values within values; the parser recurses, and bare metal has small stacks */

/* Is foreign text nested no deeper than that? To be asked before it is parsed. */
bool json_is_shallow(struct span text);

/*
 * Parse a whole text; no name may stand twice in an object. ERR_FORMAT: *error says where and why;
 * ERR_MEMORY. jansson before 2.15 leaves octets out of strings for which it gets no memory, and
 * calls others malformed: so its allocations are watched from the first call on.
 */
MUST_CHECK enum err json_read(struct span text, json_t **out, json_error_t *error);

/* A JSON value as text that is safe inside HTML and scripts: < > & and all that is not ASCII are
 * \uXXXX. ERR_SPACE. */
MUST_CHECK enum err json_write(const json_t *value, char *buf, size_t cap, size_t *len);

/* The same text in an array of strings, each of at most cap octets, which pass through buf; cap is
 * at least 6. NULL: no memory. */
json_t *json_write_parts(const json_t *value, char *buf, size_t cap);

/* Rounded to six decimals; 15 digits are written, so a time of today has five. */
json_t *json_rounded(double v);
json_t *json_text(const char *text);            /* any octets: what is not UTF-8 is escaped */
json_t *json_text_span(struct span text);       /* likewise; at most 1024 octets of it */
json_t *json_text_or_null(const char *text);    /* "" and NULL are null */
json_t *json_name(const struct dns_name *name); /* in presentation format */
json_t *json_wire_name(struct span wire);       /* null if it is no name */

#endif
