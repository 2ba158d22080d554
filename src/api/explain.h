/* Why a name is blocked, or not: every rule that speaks about it. The same on every platform. */
#ifndef SINKHOLE_API_EXPLAIN_H
#define SINKHOLE_API_EXPLAIN_H

#include <stdint.h>

#include "api/backend.h"
#include "api/rules.h"

struct explain_source {
    const struct snapshot *snapshot; /* in force */
    const struct rules *rules;       /* in force */
    const struct policy_plan *plan;  /* made of them */
    const struct ip_addr *client;    /* who asks; NULL: somebody who is not known */
    unsigned regex_user;             /* of the snapshot's expressions, for whoever explains */
    usec_t now;
    int64_t now_unix;
    uint32_t (*list_id)(const void *ctx, unsigned slot); /* of a list by its place in the image */
    const void *ctx;
};

/* Does a rule, a list or an expression decide that somebody who is not known gets the name? In the
 * snapshot as it is, without a plan: for many names in a row. */
bool explain_allowed(const struct snapshot *s, const struct dns_name *name, unsigned regex_user,
                     usec_t now);

/* As struct api_backend's explain; out is zeroed before. */
void explain_name(const struct explain_source *src, const struct dns_name *name,
                  struct api_verdict *out);

#endif
