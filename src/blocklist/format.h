/*
 * The octets of an image. All numbers are little-endian; docs/blocklist.md draws the whole.
 *
 *   header | trie | directory | tlds | tld slots | effects | class index | class sources | lines |
 * marks | lists | texts | patterns
 *
 * trie: groups one after another, children before their parents.
 *
 *   group      count (6 bits; bit 6: records begin with a tld; bit 7: the next group belongs to the
 * same set) | count tags | count sizes | records tag        low octet of the suffix hash of the
 * record's first label size       octets of the record (7 bits; top bit: it has children) record
 * [tld, of second-level names] class [children] label codes fan        0x80 | number of buckets, 4
 * octets | offset of each bucket's group, 4 octets each
 *
 * class and tld are 1 octet for the common ones, children a number of 7-bit groups, low ones first:
 * distance back from this group << 1, lowest bit set when it leads to a fan.
 *
 * A second-level name (two labels) is looked for in the bucket that the high half of its hash
 * points at, a deeper one among the children of its parent's record, so a record's parent never has
 * to be checked; its labels, and the top-level domain of second-level names, are.
 */
#ifndef SINKHOLE_BLOCKLIST_FORMAT_H
#define SINKHOLE_BLOCKLIST_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

#define BL_MAGIC        "SINKLIST"
#define BL_HEADER       512
#define BL_GROUP_MAX    63 /* records of one group */
#define BL_COUNT        0x3f
#define BL_HAS_TLD      0x40
#define BL_RECORD_MAX   127 /* octets of one record */
#define BL_RUN_MAX      112 /* octets of label codes in one record */
#define BL_MORE         0x80
#define BL_HAS_CHILDREN 0x80
#define BL_FAN          0x80 /* in place of a count: no group has 0 records and another after it */
#define BL_FAN_HEAD     5
#define BL_TRIE_PAD     16 /* zeros after the last group: words of eight may be read there */
#define BL_MARK_EVERY   4096
#define BL_MARK         12 /* offset in trie, 4 octets; bit in lines, 8 */
#define BL_TLD          72 /* length, 63 octets, class (4), rule (4) */
#define BL_TLD_CLASS    64
#define BL_TLD_RULE     68
#define BL_LIST         32
#define BL_TLDS_MAX     16384
#define BL_PATTERN_HEAD 8
#define BL_PATTERNS_MAX 4096 /* of all lists together */
#define BL_SOURCES_MAX  956  /* of one name: 700, and one more for each list */
#define BL_SOURCES_MANY 700  /* from here on a list's further lines are told under its first */

enum bl_section {
    BL_TRIE,
    BL_DIRECTORY, /* 4 octets a bucket */
    BL_TLDS,
    BL_TLD_SLOTS, /* 2 octets: index + 1, by hash */
    BL_EFFECTS,   /* 1 octet a class */
    BL_CLASSES,   /* 4 octets a class and one more: where its sources begin */
    BL_SOURCES,   /* list, effect */
    BL_LINES,     /* bits: for each rule's sources their lines, in the width of the list */
    BL_MARKS,
    BL_LISTS,
    BL_TEXTS,
    BL_PATTERNS, /* list, rank: 1 octet each; length: 2; line: 4; the expression */
    BL_SECTION_COUNT
};

enum { /* offsets in the header */
       BL_AT_MAGIC = 0,
       BL_AT_VERSION = 8,
       BL_AT_SECTIONS_COUNT = 12,
       BL_AT_TOTAL = 16,
       BL_AT_BUILT = 24,
       BL_AT_RULES = 32,
       BL_AT_HASH = 40,     /* suffix hash of a fixed name: other hash, other format */
       BL_AT_CODES = 48,    /* checksum of the code table, likewise */
       BL_AT_SECTIONS = 64, /* offset, length, checksum of each: 8 octets each */
       BL_AT_CHECKSUM = BL_HEADER - 8
};

/* offsets in a list's row */
enum {
    BL_AT_LIST_USED = 0,
    BL_AT_LIST_WIDTH = 1, /* bits of a line number */
    BL_AT_LIST_NAME_LEN = 2,
    BL_AT_LIST_URL_LEN = 4,
    BL_AT_LIST_TEXT = 8, /* name, then url */
    BL_AT_LIST_RULES = 12,
    BL_AT_LIST_DUPLICATES = 16,
    BL_AT_LIST_REJECTED = 20,
    BL_AT_LIST_LINES = 24
};

/* What all readers of the format must agree on beyond this file. */
uint64_t bl_format_hash_check(void);
uint64_t bl_format_codes_check(void);

/*
 * Numbers of one to four octets, low ones short: below 240 one octet, then two, three and four. For
 * classes and top-level domains.
 */
static ALWAYS_INLINE const uint8_t *bl_number_read(const uint8_t *p, uint32_t *v)
{
    unsigned b = *p;
    if (LIKELY(b < 240)) {
        *v = b;
        return p + 1;
    }
    if (b < 252) {
        *v = 240 + (b - 240) * 256 + p[1];
        return p + 2;
    }
    if (b < 255) {
        *v = 240 + 12 * 256 + (b - 252) * 65536 + p[1] * 256u + p[2];
        return p + 3;
    }
    *v = (uint32_t)p[1] << 16 | p[2] * 256u | p[3];
    return p + 4;
}

static inline uint8_t *bl_number_write(uint8_t *p, uint32_t v)
{
    if (v < 240) {
        *p++ = (uint8_t)v;
    } else if (v < 240 + 12 * 256) {
        v -= 240;
        *p++ = (uint8_t)(240 + v / 256);
        *p++ = (uint8_t)v;
    } else if (v < 240 + 12 * 256 + 3 * 65536) {
        v -= 240 + 12 * 256;
        *p++ = (uint8_t)(252 + v / 65536);
        *p++ = (uint8_t)(v >> 8);
        *p++ = (uint8_t)v;
    } else {
        *p++ = 255;
        *p++ = (uint8_t)(v >> 16);
        *p++ = (uint8_t)(v >> 8);
        *p++ = (uint8_t)v;
    }
    return p;
}

#define BL_NUMBER_MAX ((1u << 24) - 1)

/* Numbers in groups of seven bits, low ones first, top bit: more follow. At most five octets. */
static ALWAYS_INLINE const uint8_t *bl_distance_read(const uint8_t *p, uint32_t *v)
{
    uint32_t out = *p & 0x7fu;
    for (unsigned shift = 7; (*p++ & 0x80) && shift < 35; shift += 7) {
        out |= (uint32_t)(*p & 0x7f) << shift;
    }
    *v = out;
    return p;
}

static inline uint8_t *bl_distance_write(uint8_t *p, uint32_t v)
{
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}

/* Which bucket of `count` a hash belongs to: rising with the hash. */
static ALWAYS_INLINE uint32_t bl_bucket(uint64_t hash, uint32_t count)
{
    return (uint32_t)((hash >> 32) * count >> 32);
}

#endif
