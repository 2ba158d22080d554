/*
 * What the files about special names share.
 */
#ifndef SINKHOLE_RESOLVER_SPECIAL_H
#define SINKHOLE_RESOLVER_SPECIAL_H

#include "dns/name.h"

/* Labels of a name given as text, such as "home.arpa". */
unsigned special_labels(const char *name);

/* Is n that name, or below it? */
bool special_ends_with(const struct dns_name *n, const char *name);

/* How many labels the private reverse zone's name has that n is in; 0: it is in none. */
unsigned reverse_zone(const struct dns_name *n);

/* Is it the reverse name of 127.0.0.1 or ::1? */
bool reverse_is_loopback(const struct dns_name *n);

#endif
