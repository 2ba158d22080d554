/*
 * What the files of the builder share.
 *
 * The caller's block:  struct bl_compile | chunks →        … | work, while a pass is written
 *
 * Chunks are handed out from the low end and come back to a list. Everything whose size is not
 * known beforehand is a chain of them: the log of rules (257 chains: by the top octet of the
 * second-level name's hash, and one for rules on top-level domains), classes, texts, lines, marks.
 * Offsets into the block stand for pointers; 0 is none.
 */
#ifndef SINKHOLE_BLOCKLIST_COMPILE_INT_H
#define SINKHOLE_BLOCKLIST_COMPILE_INT_H

#include "blocklist/checksum.h"
#include "blocklist/compile.h"
#include "blocklist/format.h"

#define CHUNK        2048
#define CHUNK_HEAD   8                         /* next, used: 4 octets each */
#define CHUNK_DATA   (CHUNK - CHUNK_HEAD - 16) /* words may be read and written past what is used */
#define PART_BITS    8
#define PARTS        (1 << PART_BITS)
#define STAGE        32768
#define BUCKET_LOAD  5 /* records a bucket, on average */
#define FAN_LEAST    9 /* a node with fewer children has one group */
#define SAMPLE_LEAST 4096
#define RESERVE      64 /* chunks kept for classes and lines while a pass is written, at least */
/* Octets of lines and marks, which stay to the end. */
#define KEPT_PER_RULE 5

struct chain {
    uint32_t first, last;
};

/* A rule in the log: fixed fields of 17 octets, then the labels below the top-level domain, nearest
 * the root first, 0 between. */
enum {
    LOG_HASH = 0,
    LOG_LINE = 8,
    LOG_TLD = 12,
    LOG_LIST = 14,
    LOG_EFFECT = 15,
    LOG_LEN = 16,
    LOG_PATH = 17
};

static inline uint16_t log_tld(const uint8_t *rule)
{
    uint16_t v;
    memcpy(&v, rule + LOG_TLD, 2);
    return v;
}

static inline void log_tld_set(uint8_t *rule, uint16_t tld)
{
    memcpy(rule + LOG_TLD, &tld, 2);
}

/* A class: kept once for each distinct set of (list, effect). */
struct class_row {
    uint32_t next; /* of the same hash */
    uint32_t id;
    uint16_t count;
    uint8_t effect;
    uint8_t pairs[]; /* count * (list, effect) */
};

_Static_assert(BL_PATTERN_HEAD + BL_PATTERN_MAX <= CHUNK_DATA, "a pattern fits in a chunk");
_Static_assert(sizeof(struct class_row) + BL_SOURCES_MAX * 2 <= CHUNK_DATA,
               "a class fits in a chunk");

struct list_state {
    uint32_t rules, duplicates, rejected, lines, last_line;
    uint32_t text; /* in the texts */
    uint16_t name_len, url_len;
    uint8_t width; /* bits of a line number */
    bool used;
};

/* A log record about to be sorted. */
struct entry {
    uint64_t hash;
    uint32_t at; /* where it is in the block; of a node's child: its first entry … */
    uint32_t to; /* … and the one after its last */
};

/* The class of the names that one list states with one effect, as found last. */
struct single {
    uint32_t row;
    uint8_t effect;
};

struct output {
    struct bl_sink sink;
    uint64_t pos; /* of the next octet, staged ones included */
    uint32_t staged;
    struct bl_checksum sum;
    uint8_t stage[STAGE];
};

struct section_row {
    uint64_t off, len, sum;
};

struct bl_compile {
    struct bl_compile_config cfg;
    enum err err;
    uint8_t *base; /* the block, this struct at its start */
    size_t len;
    size_t peak;

    uint32_t chunk_top;  /* never used from here on */
    uint32_t chunk_free; /* list of chunks that came back */
    uint32_t chunk_end;  /* chunks may not go beyond */

    unsigned pass;
    unsigned part_first, part_end; /* partitions of this pass */
    unsigned list;
    struct chain parts[PARTS + 1];
    uint32_t part_rules[PARTS + 1];

    struct chain texts, classes, lines, marks, tlds, patterns;
    uint32_t text_len;
    struct list_state lists[BL_LISTS_MAX];

    uint32_t pattern_count;
    uint32_t class_count;
    uint32_t heads, head_mask; /* hash table of classes: offsets */
    uint32_t source_count;
    struct single single[BL_LISTS_MAX];

    uint32_t tld_count;
    uint32_t tld_at[BL_TLDS_MAX];        /* rows of BL_TLD octets */
    uint16_t tld_slots[BL_TLDS_MAX * 2]; /* index + 1 */
    uint32_t dropped;                    /* rules whose top-level domain found no room */

    uint32_t directory, bucket_count;       /* offset of 4 * bucket_count octets */
    uint32_t bucket;                        /* the one being filled */
    uint32_t bucket_nodes, bucket_nodes_at; /* records waiting for it, on the stack from here on */

    uint32_t stack, stack_end,
        work_end;                  /* nodes that wait to be written; then entries being sorted */
    struct entry *entries, *spare; /* of the partition at hand, in order, and as much room again */
    uint64_t bit_acc;
    unsigned bit_held;
    uint64_t bit_count;
    uint32_t next_mark;
    uint32_t mark_count;
    uint32_t rule_count;

    /* The sources of one name, and one group, while they are made. */
    uint32_t source_lines[BL_SOURCES_MAX];
    uint8_t source_pairs[BL_SOURCES_MAX * 2];
    uint8_t group_head[1 + 2 * BL_GROUP_MAX];
    uint8_t group_records[BL_GROUP_MAX * BL_RECORD_MAX + 8];

    struct section_row sections[BL_SECTION_COUNT];
    struct output out;
};

/* The first error stays. */
static inline void compile_fail(struct bl_compile *c, enum err e)
{
    if (c->err == ERR_OK) {
        c->err = e;
    }
}

/* compile_store.c */
void *chain_grow(struct bl_compile *c, struct chain *chain, uint32_t n);
void chain_free(struct bl_compile *c, struct chain *chain);
uint32_t
compile_reserve(struct bl_compile *c,
                size_t n); /* contiguous, before a pass is written; 0: out of memory, noted */
uint32_t tld_intern(struct bl_compile *c, uint64_t hash, const uint8_t *octets,
                    unsigned len); /* UINT32_MAX: no room */
struct class_row *class_intern(struct bl_compile *c, const uint8_t *pairs, unsigned count);

static inline uint8_t *at(struct bl_compile *c, uint32_t off)
{
    return c->base + off;
}

static inline uint32_t chunk_next(const uint8_t *chunk)
{
    uint32_t v;
    memcpy(&v, chunk, 4);
    return v;
}

static inline uint32_t chunk_used(const uint8_t *chunk)
{
    uint32_t v;
    memcpy(&v, chunk + 4, 4);
    return v;
}

/* Room for n <= CHUNK_DATA octets in one piece; NULL: out of memory, noted. */
static ALWAYS_INLINE void *chain_room(struct bl_compile *c, struct chain *chain, uint32_t n,
                                      uint32_t align)
{
    uint8_t *chunk = c->base + chain->last;
    if (LIKELY(chain->last)) {
        uint32_t used = (chunk_used(chunk) + align - 1) & ~(align - 1);
        uint32_t now = used + n;
        if (LIKELY(now <= CHUNK_DATA)) {
            memcpy(chunk + 4, &now, 4);
            return chunk + CHUNK_HEAD + used;
        }
    }
    return chain_grow(c, chain, n);
}

/* Copy n octets by words of eight, up to seven more than n. */
static ALWAYS_INLINE void copy_words(uint8_t *to, const uint8_t *from, size_t n)
{
    for (size_t k = 0; k < n; k += 8) {
        memcpy(to + k, from + k, 8);
    }
}

/* Are these n octets the same? Reads up to seven more. */
static ALWAYS_INLINE bool equal_words(const uint8_t *a, const uint8_t *b, size_t n)
{
    for (; n >= 8; n -= 8, a += 8, b += 8) {
        if (le64_read(a) != le64_read(b)) {
            return false;
        }
    }
    return n == 0 || (le64_read(a) ^ le64_read(b)) << (64 - 8 * n) == 0;
}

/* compile_sort.c */
uint32_t part_load(struct bl_compile *c, unsigned part,
                   struct entry **out); /* the rules of a partition, by hash; 0: none, or error */
void hash_sort(struct entry *e, uint32_t n, struct entry *spare,
               unsigned shift); /* by hash, quick if bits shift..shift+15 differ */
void group_sort(struct bl_compile *c, struct entry *e, uint32_t n,
                struct entry *spare); /* equal hashes: by tld and path */

/* compile_trie.c */
void trie_part(struct bl_compile *c, unsigned part);
void trie_bucket_end(struct bl_compile *c);
void trie_tld_rules(struct bl_compile *c);

/* compile_write.c */
void out_begin(struct bl_compile *c, enum bl_section s);
void out_bytes(struct bl_compile *c, const void *data, size_t len);
void out_end(struct bl_compile *c, enum bl_section s);
void out_tables(struct bl_compile *c);
void bits_put(struct bl_compile *c, uint32_t value, unsigned width);
uint64_t out_trie_pos(const struct bl_compile *c);

/* Bits of a line number of this list. */
static inline unsigned line_width(const struct bl_compile *c, unsigned list)
{
    return c->lists[list].width;
}

#endif
