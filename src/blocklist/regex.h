/*
 * Rules that are regular expressions: a person's own and those of lists. The expressions themselves
 * are compiled and matched by an engine of the platform's; what is here is which of them is asked
 * and which one wins. An expression sees the name as text, lower case, without its last dot.
 *
 * Asking costs up to some hundred nanoseconds an expression, so a resolver keeps what it found
 * (resolver/memo.h), and a sieve spares most of the asking: an expression that needs the letters
 * "ads" is not asked about a name without them.
 */
#ifndef SINKHOLE_BLOCKLIST_REGEX_H
#define SINKHOLE_BLOCKLIST_REGEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/time.h"
#include "blocklist/match.h"
#include "blocklist/overlay.h"
#include "blocklist/rule.h"
#include "dns/name.h"

#define BL_REGEXES_MAX    1000       /* in force at a time; own ones first, then lists' in order */
#define BL_REGEX_OWN      UINT16_MAX /* in place of a list */
#define BL_REGEX_GIVE_UPS 4          /* after so many that ran into the limit a name is let be */

/* Ranks of lists, and above them what a person decided. */
enum bl_regex_rank { BL_RANK_OWN_DENY = BL_RANK_COUNT, BL_RANK_OWN_ALLOW, BL_REGEX_RANKS };

/* Letters and pairs of letters that a name has, or that an expression needs: a set of bits. */
struct bl_sieve {
    uint64_t bits[4];
};

struct bl_regex_rule {
    struct bl_sieve needs;
    struct span text;  /* the expression */
    struct bl_own own; /* whose and until when, of own ones; id: the person's number, or the line */
    uint16_t list;     /* place in the image, or BL_REGEX_OWN */
    uint8_t rank;      /* enum bl_rank or bl_regex_rank */
};

enum bl_regex_result { BL_REGEX_NO, BL_REGEX_YES, BL_REGEX_GAVE_UP };

/* A set, immutable. Made by the platform (shared/regex_pcre2.h). */
struct bl_regexes {
    const struct bl_regex_rule *rules; /* the highest rank first */
    uint32_t count;

    /* Does rule `i` match? `user`: number of the thread that asks, one of those that the set was
     * made for. No lock; no allocation after the first call of a user. */
    enum bl_regex_result (*match)(const struct bl_regexes *set, uint32_t i, unsigned user,
                                  const char *text, size_t len);
};

/* Who asks. */
struct bl_regex_asker {
    const struct bl_asker *whose;
    const struct bl_filter *filter; /* lists that count; NULL: all */
    usec_t now;
    unsigned user;
};

struct bl_regex_verdict {
    uint32_t rule;   /* index in the set; BL_RULE_NONE: none matches */
    uint8_t rank;    /* of it */
    uint8_t gave_up; /* expressions that ran into the limit, counted as no match */
    uint16_t asked;  /* expressions that the sieve let through */
    usec_t until;    /* the verdict may change by itself at this time; USEC_NEVER: never */
};

/*
 * The first rule that matches, by rank. The root is matched by none. Cost: a nanosecond or two for
 * each rule, and a match for each that the sieve lets through: for names that are not remembered.
 */
void bl_regex_match(const struct bl_regexes *set, const struct dns_name *name,
                    const struct bl_regex_asker *who, struct bl_regex_verdict *out);

/* Does rule `i` count for the asker, and match? For people who want to know why. */
bool bl_regex_matches(const struct bl_regexes *set, uint32_t i, const struct dns_name *name,
                      const struct bl_regex_asker *who);

static inline enum bl_action bl_regex_action(unsigned rank)
{
    return rank == BL_RANK_OWN_DENY    ? BL_BLOCK
           : rank == BL_RANK_OWN_ALLOW ? BL_ALLOW
                                       : bl_rank_action(rank);
}

/*
 * What every text must have that the expression matches, as far as can be told in one pass: from
 * plain letters that stand outside of groups, classes and alternatives. Empty if that is nothing.
 */
void bl_sieve_of_pattern(struct span pattern, struct bl_sieve *out);
void bl_sieve_of_text(const char *text, size_t len, struct bl_sieve *out);

static inline bool bl_sieve_lets(const struct bl_sieve *has, const struct bl_sieve *needs)
{
    uint64_t missing = 0;
    for (unsigned i = 0; i < ARRAY_LEN(has->bits); i++) {
        missing |= needs->bits[i] & ~has->bits[i];
    }
    return missing == 0;
}

/*
 * What can be said against an expression without an engine: static text, or NULL. Length, control
 * characters, and Pi-hole's ";querytype=…" and other options, which are not supported.
 */
const char *bl_pattern_problem(struct span pattern);

#endif
