/*
 * Internationalised names in lists: UTF-8 to the ASCII form that is on the wire (RFC 5891, UTS 46
 * mapping), by libidn2.
 */
#ifndef SINKHOLE_HOST_IDNA_H
#define SINKHOLE_HOST_IDNA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/*
 * For bl_parse_config.idna. Writes at most `cap` octets without NUL and returns how many; 0 if the
 * name cannot be converted or does not fit. ctx is not used.
 */
size_t idna_to_ascii(void *ctx, struct span utf8, char *out, size_t cap);

/* The way back, for people: "xn--…" labels to UTF-8, NUL-terminated. False, and nothing written, if
 * that cannot be done. */
bool idna_to_unicode(const char *ascii, char *out, size_t cap);

#endif
