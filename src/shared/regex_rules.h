/*
 * The regular expressions that are in force together: own ones out of the rules document, and those
 * of the compiled lists.
 */
#ifndef SINKHOLE_SHARED_REGEX_RULES_H
#define SINKHOLE_SHARED_REGEX_RULES_H

#include "api/policy_plan.h"
#include "api/rules.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/time.h"
#include "shared/regex_pcre2.h"

struct bl_image;

/* All borrowed for the call. */
struct regex_rules_source {
    const struct rules *rules;      /* NULL: no own ones */
    const struct policy_plan *plan; /* whose they are */
    const struct bl_image *image;   /* NULL: none of lists */
    usec_t now;
    int64_t now_unix;
};

/* cfg->refused and ctx are not looked at: what cannot be used is told in the log and left out. As
 * regex_set_new. */
MUST_CHECK enum err regex_rules_make(const struct regex_rules_source *src,
                                     const struct regex_set_config *cfg, struct regex_set **out);

#endif
