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

/* A JSON value as text that is safe inside HTML and scripts: < > & and all that is not ASCII are
 * \uXXXX. ERR_SPACE. */
MUST_CHECK enum err json_write(const json_t *value, char *buf, size_t cap, size_t *len);

/* Rounded to six decimals; 15 digits are written, so a time of today has five. */
json_t *json_rounded(double v);
json_t *json_text(const char *text);            /* any octets: what is not UTF-8 is escaped */
json_t *json_text_span(struct span text);       /* likewise; at most 1024 octets of it */
json_t *json_text_or_null(const char *text);    /* "" and NULL are null */
json_t *json_name(const struct dns_name *name); /* in presentation format */
json_t *json_wire_name(struct span wire);       /* null if it is no name */

#endif
