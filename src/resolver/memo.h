/*
 * HOT. What regular expressions said of a name, kept by each worker for itself: asking some hundred
 * of them takes microseconds, remembering takes one look-up. Exact: names are compared, not only
 * their hashes. A fixed table; a new name takes the place of the oldest of four that were there.
 * Names of more than MEMO_NAME octets are not remembered.
 */
#ifndef SINKHOLE_RESOLVER_MEMO_H
#define SINKHOLE_RESOLVER_MEMO_H

#include "base/arena.h"
#include "blocklist/regex.h"
#include "dns/suffix.h"

#define MEMO_NAME 80 /* octets on the wire */
#define MEMO_WAYS 4

struct memo_row {
    uint64_t hash;
    const struct bl_asker *whose; /* of a profile of that snapshot; NULL: anybody */
    usec_t until;                 /* not good from then on */
    uint32_t generation;          /* of the snapshot; 0: empty */
    uint32_t rule;                /* BL_RULE_NONE: none */
    uint8_t rank, gave_up;
    uint8_t turn; /* of the first row of four: how many took one */
    uint8_t len;
    uint8_t wire[MEMO_NAME];
};

_Static_assert(sizeof(struct memo_row) <= 128, "two cache lines");

struct memo {
    struct memo_row *rows;
    uint32_t mask; /* rows - 1 */
};

/* A power of two of rows, at least MEMO_WAYS; 0: nothing is remembered. */
size_t memo_memory(uint32_t rows);
void memo_init(struct memo *m, struct arena *arena, uint32_t rows);

/* True, and rule, rank and gave_up of *out: what is known. */
bool memo_find(const struct memo *m, const struct dns_name *name,
               const struct dns_suffixes *suffixes, const struct bl_regex_asker *who,
               uint32_t generation, struct bl_regex_verdict *out);
void memo_keep(const struct memo *m, const struct dns_name *name,
               const struct dns_suffixes *suffixes, const struct bl_regex_asker *who,
               uint32_t generation, const struct bl_regex_verdict *verdict);

#endif
