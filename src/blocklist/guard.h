/*
 * The update guard: is a new text of a list one that its list would hardly want? Lists are made by
 * people and machines that err; a text that suddenly blocks a top-level domain, a name that
 * everybody uses or one that this house used every day, or that has lost more than a third of its
 * rules, is better seen by a person before it is in force.
 *
 * The guard is a table of names. Each text that is read leaves marks: which rules of the table's
 * names it has. Two sets of marks, of the text in force and of the new one, tell what is new. The
 * table compares names by hash: a person decides, and what he is shown is a name of the table.
 */
#ifndef SINKHOLE_BLOCKLIST_GUARD_H
#define SINKHOLE_BLOCKLIST_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "base/strbuf.h"
#include "blocklist/rule.h"

enum bl_guard_kind {
    BL_GUARD_SUFFIX,  /* a public suffix; of the private ones only with all below it */
    BL_GUARD_POPULAR, /* one of the most-used names, or all below a domain above one */
    BL_GUARD_USED,    /* a name that this house used daily, likewise */
    BL_GUARD_KINDS
};
const char *bl_guard_kind_name(enum bl_guard_kind kind); /* "suffix", "popular", "used" */

/* Where names come from: texts of one name a line; # begins a comment. They are kept, not copied.
 */
struct bl_guard_sources {
    struct span
        suffixes; /* as tools/suffixes.c writes them: "com", "*.ck", "!www.ck", "+github.io" */
    struct span popular;
    struct span used;
};

/* What was put into the program when it was built. */
struct bl_guard_sources bl_guard_builtin(void);

struct bl_guard;

/* Octets for the table; about 100 a name. */
size_t bl_guard_memory(const struct bl_guard_sources *sources);

/* ERR_SPACE: len < bl_guard_memory. Lines that are no names are left out. */
MUST_CHECK enum err bl_guard_init(struct bl_guard **out, void *mem, size_t len,
                                  const struct bl_guard_sources *sources);

/* Octets of a set of marks, which the caller zeroes. */
size_t bl_guard_marks(const struct bl_guard *g);

/* A rule of a text; cost: a hash of its name and a probe or two. */
void bl_guard_mark(const struct bl_guard *g, uint8_t *marks, const struct bl_rule *rule);

/* Rules that are no names, such as regular expressions: `hits` says of a most-used name, or one
 * that was used here, whether the text blocks it. */
void bl_guard_mark_names(const struct bl_guard *g, uint8_t *marks,
                         bool (*hits)(void *ctx, const struct dns_name *name), void *ctx);

/* Are there any marks at all? If not, the text in force need not be looked at. */
bool bl_guard_any(const struct bl_guard *g, const uint8_t *marks);

#define BL_GUARD_SHOWN 16

struct bl_guard_names {
    uint32_t count[BL_GUARD_KINDS];
    uint32_t shown; /* in name[], suffixes first */
    struct bl_guard_name {
        enum bl_guard_kind kind;
        bool below; /* all below it, too or only */
        struct dns_name name;
    } name[BL_GUARD_SHOWN];
};

/* What the new text has marks of and the one in force (NULL: there is none) has not. True if there
 * is anything. */
bool bl_guard_compare(const struct bl_guard *g, const uint8_t *before, const uint8_t *after,
                      struct bl_guard_names *out);

/* Has a text lost more than a third of its rules? before 0: there was none. */
bool bl_guard_shrunk(uint32_t before, uint32_t after);

/* "adds 2 of the most-used names (apple.com, google.com and all below); 1200 rules where 3000 were
 * before". `names` may be NULL; before 0: no word on the number of rules. */
void bl_guard_reason(const struct bl_guard_names *names, uint32_t before, uint32_t after,
                     struct strbuf *out);

#endif
