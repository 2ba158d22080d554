/*
 * The regular expressions of a snapshot: own ones out of the rules document and those of the
 * compiled lists, as one set that snapshots share until one of the two changes.
 */
#ifndef SINKHOLE_HOST_SNAPSHOT_REGEX_H
#define SINKHOLE_HOST_SNAPSHOT_REGEX_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "host/snapshots.h"

struct bl_regexes;
struct policy_plan;
struct snapshot_regex;

/*
 * Bring *slot (NULL at first) up to date; what was there is dropped. `own_changed`: the own rules
 * or their time may be others. Expressions that cannot be used are told in the log and left out.
 * ERR_MEMORY; *slot stays then.
 */
MUST_CHECK enum err snapshot_regex_make(struct snapshot_regex **slot,
                                        const struct snapshot_source *src,
                                        const struct policy_plan *plan, bool own_changed);

struct snapshot_regex *snapshot_regex_ref(struct snapshot_regex *r);
void snapshot_regex_drop(struct snapshot_regex *r);
const struct bl_regexes *snapshot_regex_get(const struct snapshot_regex *r); /* NULL: none */

#endif
