/*
 * The rule of local time: a rule as POSIX writes it, the name of a zone ("Europe/Berlin"), or, with
 * an empty setting, what the machine is set to (TZ, then /etc/localtime). Zone files end with their
 * rule in that form (RFC 8536 3.3).
 */
#ifndef SINKHOLE_HOST_TIMEZONE_H
#define SINKHOLE_HOST_TIMEZONE_H

#include "base/tz.h"

/* What cannot be used is told in the log, and Greenwich time stands in. */
void timezone_read(const char *setting, struct tz *out);

#endif
