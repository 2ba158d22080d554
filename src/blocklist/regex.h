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

/* Pairs of letters that a name has, or that an expression needs: a set of bits. */
struct bl_sieve {
    uint64_t bits[4];
};

struct bl_regex_rule {
    struct bl_sieve needs;
    uint64_t starts;   /* letters (bl_letter_bit) with which what it matches begins; 0: not known */
    uint8_t least;     /* octets of the shortest name that it matches, or less */
    bool anchored;     /* what it matches begins where the name does */
    uint16_t list;     /* place in the image, or BL_REGEX_OWN */
    uint8_t rank;      /* enum bl_rank or bl_regex_rank */
    struct span text;  /* the expression */
    struct bl_own own; /* whose and until when, of own ones; id: the person's number, or the line */
};

/* One bit for each letter that names have, and one for all others. */
extern const uint8_t bl_letter_bits[256];
static inline uint64_t bl_letter_bit(uint8_t c)
{
    return UINT64_C(1) << bl_letter_bits[c];
}

/*
 * Which rules can match a name at all: each rule stands under one bit that it needs, the one that
 * the fewest others need. A name is asked about what stands under its own bits, and about rules
 * that need none.
 */
#define BL_REGEX_WORDS ((BL_REGEXES_MAX + 63) / 64)

struct bl_regex_index {
    struct bl_sieve keys;          /* bits with rules under them */
    uint64_t free[BL_REGEX_WORDS]; /* rules that need no bit */
    uint16_t at[257];              /* the rules of bit b: rule[at[b]] … rule[at[b + 1] - 1] */
    uint16_t rule[BL_REGEXES_MAX];
};

enum bl_regex_result { BL_REGEX_NO, BL_REGEX_YES, BL_REGEX_GAVE_UP };

/* A set, immutable. Made by the platform (shared/regex_pcre2.h). */
struct bl_regexes {
    const struct bl_regex_rule *rules;  /* the highest rank first */
    const struct bl_regex_index *index; /* of them; NULL: each is looked at */
    uint32_t count;

    /* Does rule `i` match? `user`: number of the thread that asks, one of those that the set was
     * made for. No lock; no allocation after the first call of a user. */
    enum bl_regex_result (*match)(const struct bl_regexes *set, uint32_t i, unsigned user,
                                  const char *text, size_t len);
};

/* Who asks. */
struct bl_regex_asker {
    const struct bl_asker *whose;   /* NULL: anybody, rules that have ended included */
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
 * The first rule that matches, by rank. The root is matched by none. Cost, for names that are not
 * remembered: some instructions a letter, and a match for each rule that the sieve lets through.
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

/* A name as expressions see it. */
struct bl_regex_name {
    size_t len;
    uint64_t first, letters; /* bl_letter_bit of the first one, and of all */
    struct bl_sieve has;
    char text[DNS_NAME_TEXT];
};

/* HOT for new names. Not of the root. */
void bl_regex_name_make(const struct dns_name *name, struct bl_regex_name *out);

static inline bool bl_sieve_lets(const struct bl_sieve *has, const struct bl_sieve *needs)
{
    uint64_t missing = 0;
    for (unsigned i = 0; i < ARRAY_LEN(has->bits); i++) {
        missing |= needs->bits[i] & ~has->bits[i];
    }
    return missing == 0;
}

/* For the platform, when all rules stand; at most BL_REGEXES_MAX. */
void bl_regex_index_make(struct bl_regex_index *out, const struct bl_regex_rule *rules,
                         uint32_t count);

/* The rules that may match a text, as bits: BL_REGEX_WORDS of them. */
void bl_regex_index_find(const struct bl_regex_index *index, const struct bl_sieve *has,
                         uint64_t *out);

/*
 * What can be said against an expression without an engine: static text, or NULL. Length, control
 * characters, and Pi-hole's ";querytype=…" and other options, which are not supported.
 */
const char *bl_pattern_problem(struct span pattern);

#endif
