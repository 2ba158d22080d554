/*
 * The published lists that tests read when they are there: in $SINKHOLE_SHARED/data or
 * ../shared/data.
 */
#ifndef SINKHOLE_TESTS_SHARED_DATA_H
#define SINKHOLE_TESTS_SHARED_DATA_H

#include <stdbool.h>
#include <stddef.h>

bool shared_data_present(void);

/* The unpacked content of a file below data/, with 16 zero octets after it; the caller frees it.
 * NULL: no such file. */
char *shared_data_read(const char *path, size_t *len);

/* The next line of *text, which it moves on; ends it with NUL and returns it without LF. NULL at
 * the end. */
char *shared_data_line(char **text);

/* Split at tabs into at most `max` fields; the rest are NULL. Returns how many. */
size_t shared_data_fields(char *line, char **field, size_t max);

/* The SHA-256 of lines, each with an LF behind it, in hexadecimal. */
void shared_data_sha256(char *const *line, size_t count, char hex[65]);

#endif
