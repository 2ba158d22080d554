/*
 * The compiled lists: one position-independent, little-endian, versioned, checksummed block of
 * octets that is mapped from a file, loaded from a card or linked into a kernel. docs/blocklist.md
 * draws it; look-ups are in match.h.
 *
 * An image is not trusted: opening checks every octet against the checksums and every size and
 * offset, and a look-up in an opened image stays inside it whatever its octets are.
 */
#ifndef SINKHOLE_BLOCKLIST_IMAGE_H
#define SINKHOLE_BLOCKLIST_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "blocklist/rule.h"

#define BL_IMAGE_VERSION 2

/* A list as the image remembers it. */
struct bl_list_info {
    struct span name;    /* UTF-8 as the person gave it, at most BL_LIST_TEXT_MAX octets */
    struct span url;     /* likewise */
    uint32_t rules;      /* distinct rules of this list */
    uint32_t duplicates; /* rules that the list had said before */
    uint32_t rejected;   /* lines or names that gave no rule */
    uint32_t lines;
    bool used; /* is there a list of this id? */
};

#define BL_LIST_TEXT_MAX 1024

/* An opened image: borrowed pointers into the caller's block, which must stay as it is while the
 * image is in use. Private but for rule_count and built_unix. */
struct bl_image {
    const uint8_t *trie;      /* groups of nodes; format.h */
    const uint8_t *directory; /* offsets of the groups of second-level names, 4 octets each */
    const uint8_t *
        effects; /* by class: bit 2r: rank r applies to the name itself, bit 2r+1: to names below */
    const uint8_t *tlds;      /* top-level domains, 72 octets each */
    const uint8_t *tld_slots; /* hash table of 2-octet indexes into tlds */
    uint32_t trie_len;
    uint32_t bucket_count;
    uint32_t class_count;
    uint32_t tld_count;
    uint32_t tld_mask; /* slots - 1 */
    uint64_t
        tld_rules[8]; /* bit hash >> 55: some top-level domain of such a hash is itself a rule */

    const uint8_t *classes, *sources; /* class to (list, effect) pairs */
    uint32_t source_count;
    const uint8_t *lines, *marks; /* lines of each rule, and where to begin reading */
    uint64_t line_octets;
    uint32_t mark_count;
    const uint8_t *lists, *texts;
    uint32_t list_count, text_len;
    const uint8_t *patterns; /* regular expressions, one record after another */
    uint32_t pattern_octets;
    uint32_t rule_count; /* distinct (name, rank) */
    uint64_t built_unix; /* seconds */
    uint64_t total;      /* octets of the whole */
};

/*
 * Verify and open. `mem` may have any alignment. ERR_SHORT, ERR_FORMAT (not an image), ERR_VERSION,
 * ERR_CHECKSUM, ERR_RANGE (an inner offset or number is out of bounds). Cost: one pass over the
 * octets at memory speed.
 */
MUST_CHECK enum err bl_image_open(const void *mem, size_t len, struct bl_image *out);

/* What the list of this id is; all zero and used=false when there is none. */
void bl_image_list(const struct bl_image *image, unsigned list, struct bl_list_info *out);

/* A regular expression of a list. */
struct bl_pattern {
    struct span text;
    uint32_t line;
    uint8_t list;
    uint8_t rank; /* enum bl_rank */
};

/* Walk over them: *cursor is 0 before the first call. False: there are no more. */
bool bl_image_pattern(const struct bl_image *image, uint32_t *cursor, struct bl_pattern *out);

/* A place of a rule in the text of a list. */
struct bl_source {
    uint8_t list;
    uint8_t kind; /* enum bl_kind */
    uint8_t rank; /* enum bl_rank */
    uint32_t line;
};

/*
 * Every list and line that holds the rule of a verdict (field `rule`), by list, then line. Writes
 * at most `cap`, returns how many there are. Cost: microseconds; for people, not for packets.
 */
size_t bl_image_sources(const struct bl_image *image, uint32_t rule, struct bl_source *out,
                        size_t cap);

/*
 * Walk over all rules, in the order of the image. `sources` as above. The walk ends early when the
 * callback returns false. For tools and tests.
 */
struct bl_image_rule {
    struct dns_name name;
    uint32_t rule;     /* as in bl_verdict */
    uint8_t effect;    /* bit 2r+0: rank r, the name itself; bit 2r+1: rank r, all below */
    uint32_t class_id; /* the set of lists that hold it */
};
typedef bool bl_image_visit(void *ctx, const struct bl_image_rule *rule);
MUST_CHECK enum err bl_image_walk(const struct bl_image *image, bl_image_visit *visit, void *ctx);

/*
 * For each list how many names no other list speaks of. Cost: one walk over all rules; for a thread
 * that has time. ERR_FORMAT: the image is broken.
 */
MUST_CHECK enum err bl_image_unique(const struct bl_image *image, uint32_t unique[BL_LISTS_MAX]);

/* Where the octets go. */
struct bl_image_sizes {
    size_t total;
    size_t verdict;     /* all that look-ups use */
    size_t attribution; /* lists and lines of each rule */
    size_t tables;      /* header, lists, classes, codes */
};
void bl_image_sizes(const struct bl_image *image, struct bl_image_sizes *out);

#endif
