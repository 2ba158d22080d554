/*
 * The engine of regular expressions, for both platforms: PCRE2. Sets for blocklist/regex.h are
 * compiled here, off the packet path, and expressions that a person types are judged.
 *
 * Where code may be made at run time (sandbox off, and nothing like systemd's
 * MemoryDenyWriteExecute in force; never on bare metal) expressions are compiled to machine code;
 * else PCRE2's interpreter runs them. Results are the same, but for the limit: the machine code
 * counts steps more coarsely, so it gives up later.
 */
#ifndef SINKHOLE_SHARED_REGEX_PCRE2_H
#define SINKHOLE_SHARED_REGEX_PCRE2_H

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

/* `refused` gets each source that cannot be used, with one line that says why, when it is tried.
 * `breathe` is called between two sources: trying a thousand of them takes seconds on a small
 * machine. Both may be NULL. */
typedef void regex_refused(void *ctx, const struct regex_source *source, const char *why);
struct regex_set_config {
    unsigned users;    /* threads that will ask; 0: nobody, the sources are only tried */
    bool machine_code; /* may be made */
    const struct regex_set *known[2]; /* what these have tried is not tried again; NULL: none */
    regex_refused *refused;
    void (*breathe)(void *ctx);
    void *ctx;
};

/*
 * Compile. Sources that cannot be used are left out, those beyond BL_REGEXES_MAX too, and the set
 * remembers which they were. *out is NULL for no sources. ERR_MEMORY. Cost: some 50 microseconds an
 * expression, up to a few milliseconds for one that is tried.
 */
MUST_CHECK enum err regex_set_new(const struct regex_source *sources, uint32_t count,
                                  const struct regex_set_config *cfg, struct regex_set **out);
void regex_set_free(struct regex_set *set); /* NULL is allowed */

/* NULL for NULL, and if nothing can be used. */
const struct bl_regexes *regex_set_get(const struct regex_set *set);

/* How many of them run as machine code. */
uint32_t regex_set_compiled(const struct regex_set *set);

#endif
