/*
 * Is a name blocked, and by whom: pause, a person's own rules, lists.
 */
#ifndef SINKHOLE_RESOLVER_POLICY_H
#define SINKHOLE_RESOLVER_POLICY_H

#include "blocklist/image.h"
#include "dns/suffix.h"
#include "resolver/query.h"

enum verdict { VERDICT_PASS, VERDICT_ALLOW, VERDICT_BLOCK };

#define POLICY_LIST_NAME 64 /* octets of a list's name in an answer, with NUL */

/* What the policy knows of the snapshot's lists beside the image. */
struct policy {
    char list_names[BL_LISTS_MAX][POLICY_LIST_NAME];
    usec_t allow_ends; /* the first end of an own allow rule; USEC_NEVER: none has one */
};

struct policy_verdict {
    uint8_t verdict;     /* enum verdict; the rest means something for VERDICT_BLOCK */
    uint8_t status;      /* QUERY_BLOCKED_LIST or QUERY_BLOCKED_RULE */
    uint8_t labels;      /* of the rule's name */
    uint16_t list;       /* STATS_NO_LIST for a rule of one's own */
    const char *address; /* what is told of an address in the answer; NULL: it was a name */
    uint16_t service;    /* of such a rule: 1 + the number of a blocked service; 0: none */
    bool at_times;       /* everything is blocked now */
};

struct resolver;

/* A new snapshot: read the names of its lists. */
void policy_load(struct resolver *r);

/* Does blocking apply to these clients now (not paused)? */
bool policy_is_on(const struct resolver *r, const struct profile *profile);

/* Is there anything to judge in an answer of these flags (enum cache_flag) and type? */
bool policy_judges_answer(const struct resolver *r, uint8_t flags, uint16_t type);

/* HOT. Judge one name for clients of a profile. */
void policy_judge(const struct resolver *r, const struct profile *profile,
                  const struct dns_name *name, const struct dns_suffixes *suffixes,
                  struct policy_verdict *out);

/* Does a rule, a list or an expression of anybody speak of the name, whatever it says? */
bool policy_speaks(const struct resolver *r, const struct dns_name *name,
                   const struct dns_suffixes *suffixes);

/* Judge the question; fills the query's verdict and what its event tells. */
void policy_decide(struct resolver *r, struct query *q);

/*
 * Judge an answer: the names that its CNAMEs lead to, if these are to be judged at all, and the
 * addresses in it. True if something is blocked; then *name is that name, or not set if it was an
 * address.
 */
bool policy_judge_answer(const struct resolver *r, const struct profile *profile,
                         const uint8_t *msg, size_t len, uint8_t flags, uint16_t type,
                         struct policy_verdict *out, struct dns_name *name);

/*
 * That an answer passes is remembered with it, in one number for all clients: which policy judged
 * it, a bit for each of the first profiles that let it pass, and whether any rule, list or
 * expression of anybody speaks of it at all: if none does, it passes for all. Only what is spoken
 * of is judged each time for the profiles past the first POLICY_JUDGED_PROFILES.
 */
#define POLICY_JUDGED_PROFILES 10
#define POLICY_JUDGED_BITS     12
bool policy_has_passed(const struct resolver *r, const struct profile *profile, uint32_t judged);

/* The number for an answer that policy_judge_answer let pass, as it was given to that; `judged` is
 * what was remembered before. */
uint32_t policy_passed(const struct resolver *r, const struct profile *profile, const uint8_t *msg,
                       size_t len, uint8_t flags, uint16_t type, uint32_t judged);

/* The text that goes with EDE 15. */
const char *policy_reason(const struct resolver *r, const struct policy_verdict *v);

#endif
