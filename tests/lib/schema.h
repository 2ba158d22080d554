/*
 * Values against the schemas of an OpenAPI 3.1 document, as far as ours uses JSON Schema; a keyword
 * that is not known here is an error, so nothing is left unchecked in silence.
 */
#ifndef SINKHOLE_TESTS_SCHEMA_H
#define SINKHOLE_TESTS_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/* false, with a line in `problem`: where and what. */
bool schema_check(const json_t *document, const json_t *schema, const json_t *value, char *problem,
                  size_t cap);

/* The same for the JSON body of a response; false too if the document has no such operation or
 * response. `value` NULL: no JSON body. */
bool schema_check_response(const json_t *document, const char *method, const char *path, int status,
                           const json_t *value, char *problem, size_t cap);

#endif
