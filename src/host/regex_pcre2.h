/*
 * The engine of regular expressions: PCRE2. Sets for blocklist/regex.h are compiled here, off the
 * packet path, and expressions that a person types are judged.
 *
 * Where code may be made at run time (sandbox off, and nothing like systemd's
 * MemoryDenyWriteExecute in force) expressions are compiled to machine code; else PCRE2's
 * interpreter runs them. Results are the same, but for the limit: the machine code counts steps
 * more coarsely, so it gives up later.
 */
#ifndef SINKHOLE_HOST_REGEX_PCRE2_H
#define SINKHOLE_HOST_REGEX_PCRE2_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "blocklist/regex.h"

#define REGEX_STEPS_MAX    20000        /* of the matcher, for one expression and one name */
#define REGEX_OCTETS_MAX   16384        /* of a compiled expression */
#define REGEX_MATCH_OCTETS (512u << 10) /* memory for matching, of each thread that asks */
#define REGEX_WHY_MAX      256          /* octets of a message */

/*
 * May the expression be used? Compiles it and tries it on hostile names: long ones of one letter,
 * of the letters that it holds, of many labels. ERR_FORMAT with one line in `why` (REGEX_WHY_MAX
 * octets): it is none, or it runs into the limit. ERR_MEMORY. Cost: a millisecond at most.
 */
MUST_CHECK enum err regex_check(struct span pattern, char *why);

/* What a set is made of; needs and text are filled in. */
struct regex_source {
    struct span pattern; /* copied */
    struct bl_regex_rule rule;
};

struct regex_set;

/*
 * Compile. Sources that cannot be used are left out, those beyond BL_REGEXES_MAX too; `refused`
 * gets each of the former (why is one line) and may be NULL. *out is NULL if nothing is left.
 * `users` threads will ask. Expressions that stand in `known` (may be NULL) are not tried again on
 * hostile names, which is what takes time. ERR_MEMORY. Cost: some 50 microseconds an expression, up
 * to a few milliseconds for one that is new.
 */
typedef void regex_refused(void *ctx, const struct regex_source *source, const char *why);
MUST_CHECK enum err regex_set_new(const struct regex_source *sources, uint32_t count,
                                  unsigned users, bool machine_code, const struct regex_set *known,
                                  regex_refused *refused, void *ctx, struct regex_set **out);
void regex_set_free(struct regex_set *set); /* NULL is allowed */

/* NULL for NULL. */
const struct bl_regexes *regex_set_get(const struct regex_set *set);

/* How many of them run as machine code. */
uint32_t regex_set_compiled(const struct regex_set *set);

#endif
