/*
 * What the files of the builder share.
 *
 * The caller's block:  struct bl_compile | feeds | chunks →        … | work, while a pass is
 * written
 *
 * Chunks are handed out from the low end and come back to a list. Everything whose size is not
 * known beforehand is a chain of them: the log of rules (257 chains a feed: by the top octet of the
 * second-level name's hash, and one for rules on top-level domains), classes, texts, lines, marks.
 * Offsets into the block stand for pointers; 0 is none.
 */
#ifndef SINKHOLE_BLOCKLIST_COMPILE_INT_H
#define SINKHOLE_BLOCKLIST_COMPILE_INT_H

#include <stdatomic.h>

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
/* Octets for sorting and folding, for each rule of a pass, if they all lie in one place. */
#define WORK_PER_RULE 64
/* Octets of a lane for each rule of its partition, and beside that. */
#define LANE_PER_RULE 112
#define LANE_SPARE    32768

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

/* In the log of another feed than the first: the number is the first feed's already. */
#define TLD_HERE 0x8000u

static inline uint16_t log_tld(const uint8_t *rule)
{
    uint16_t v;
    memcpy(&v, rule + LOG_TLD, 2);
    return v & (uint16_t)~TLD_HERE;
}

static inline bool log_tld_is_here(const uint8_t *rule)
{
    uint16_t v;
    memcpy(&v, rule + LOG_TLD, 2);
    return (v & TLD_HERE) != 0;
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
    uint32_t text; /* in the texts; of its feed, until all are joined */
    uint16_t name_len, url_len;
    uint8_t width; /* bits of a line number */
    uint8_t feed;
    bool used;
};

/* A log record about to be sorted; then a name, which takes the place of the records on it. */
struct entry {
    uint64_t hash;
    uint32_t at; /* where it is in the block; of a node's child: its first name … */
    uint32_t to; /* of a name: its sources; of a node's child: the one after its last name */
};

/*
 * The sources of a name are words of four octets: the class, then the line in each of its lists. A
 * class is the offset of its row, or, as long as no row is known, one of:
 */
#define CLASS_OF_ONE  1u /* list << 16 | effect << 8 | 1 */
#define CLASS_OF_MANY 3u /* count << 2 | 3; the pairs follow the lines */
#define CLASS_OPEN    1u
#define BL_GROUP_ROOM (1 + BL_GROUP_MAX * (2 + BL_RECORD_MAX) + 8) /* octets; and a word */
#define NO_SOURCES    UINT32_MAX
#define SOURCE_WORDS  3 /* at most, for each rule */

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

/* Top-level domains and their numbers. */
struct tlds {
    struct chain rows; /* of BL_TLD octets */
    uint32_t count;
    uint32_t at[BL_TLDS_MAX];
    uint16_t slots[BL_TLDS_MAX * 2]; /* index + 1 */
};

/* Small steps since the last pause. */
struct work {
    uint32_t steps;
    struct bl_pause pause;
};

/* Where rules come in. */
struct bl_feed {
    struct bl_compile *c;
    enum err err;
    unsigned list, number;
    uint32_t dropped;    /* rules whose top-level domain found no room */
    uint32_t chunk_free; /* list of chunks that came back */
    struct chain parts[PARTS + 1];
    uint32_t part_rules[PARTS + 1];
    struct chain texts, patterns;
    uint32_t text_len, pattern_count;
    struct tlds tlds;
    uint16_t
        tld_here[BL_TLDS_MAX]; /* by its number in this feed: the one in the first feed, or … */
};

#define TLD_DROPPED UINT16_MAX /* … there are too many */

struct bits {
    uint64_t acc;
    unsigned held;
    uint64_t count;
};

/*
 * One partition on its way into the trie. Alone, it writes straight to the output. Among others it
 * has a share of the work memory and leaves its octets there, as if the trie began with them at
 * offset 1:
 *
 *     nodes → … | out | marks | words | sources | spare | entries
 */
struct lane {
    struct bl_compile *c;
    struct work *work; /* the builder's; its own where there are threads */
    struct work own;
    enum err err;
    unsigned part;
    bool alone;
    uint32_t begin, end;       /* its memory */
    uint32_t stack, stack_end; /* nodes that wait to be written */
    uint32_t high;             /* most of its memory in use */

    struct entry *names, *spare; /* spare: as much room again as entries had */
    uint32_t name_count;
    uint32_t *sources, sources_used;
    bool classes_open;
    struct single single[BL_LISTS_MAX];
    uint32_t rules[BL_LISTS_MAX], duplicates[BL_LISTS_MAX];
    uint32_t rule_count;

    uint32_t bucket, bucket_nodes, bucket_nodes_at; /* the bucket being filled, on the stack */
    uint8_t *out;
    uint32_t out_used, out_cap;
    uint32_t *words, word_count; /* bits of lines */
    struct bits bits;
    struct mark *marks;
    uint32_t mark_count, mark_cap;

    /* The sources of one name, and one group, while they are made. */
    uint32_t source_lines[BL_SOURCES_MAX];
    uint8_t source_pairs[BL_SOURCES_MAX * 2];
    uint8_t group[BL_GROUP_ROOM];
};

/* A group in a lane's octets and how many bits of lines come before it, or a fan, whose offsets are
 * the lane's own. */
struct mark {
    uint32_t at;
    uint32_t bits; /* IS_FAN: a fan */
};
#define IS_FAN UINT32_MAX

struct bl_compile {
    struct bl_compile_config cfg;
    enum err err;
    uint8_t *base; /* the block, this struct at its start */
    size_t len;
    size_t peak;

    _Atomic uint32_t chunk_top; /* never used from here on */
    uint32_t chunk_free;        /* list of chunks that came back */
    uint32_t chunk_end;         /* chunks may not go beyond */

    unsigned pass;
    unsigned part_first, part_end; /* partitions of this pass */
    unsigned feeds;
    struct bl_feed *feed[BL_THREADS_MAX];
    struct lane *lane;
    unsigned lane_count;

    struct chain classes, lines, marks;
    struct list_state lists[BL_LISTS_MAX];

    uint32_t class_count;
    uint32_t heads, head_mask; /* hash table of classes: offsets */
    uint32_t source_count;

    uint32_t directory, bucket_count; /* offset of 4 * bucket_count octets */
    uint32_t work_begin, work_end;    /* memory of the lanes */
    struct bits bits;
    uint32_t next_mark;
    uint32_t mark_count;
    uint32_t rule_count;
    struct work work;

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

static inline void lane_fail(struct lane *w, enum err e)
{
    if (w->err == ERR_OK) {
        w->err = e;
    }
}

void work_pause(struct work *w);

/* n small steps, n <= BL_PAUSE_EVERY, were done. */
static ALWAYS_INLINE void work_did(struct work *w, uint32_t n)
{
    w->steps += n;
    if (UNLIKELY(w->steps >= BL_PAUSE_EVERY)) {
        work_pause(w);
    }
}

/* compile_store.c */
uint32_t chunk_take(struct bl_compile *c, uint32_t *free_list); /* 0: out of memory */
void *chain_grow(struct bl_compile *c, uint32_t *free_list, struct chain *chain, uint32_t n);
void chain_free(struct bl_compile *c, struct chain *chain);
void chain_join(struct bl_compile *c, struct chain *to, struct chain *from);
void chunks_deal(struct bl_compile *c);    /* those that came back, to the feeds … */
void chunks_collect(struct bl_compile *c); /* … and again */
uint32_t
compile_reserve(struct bl_compile *c,
                size_t n); /* contiguous, before a pass is written; 0: out of memory, noted */
struct class_row *class_find(struct bl_compile *c, const uint8_t *pairs, unsigned count);
struct class_row *class_intern(struct bl_compile *c, const uint8_t *pairs, unsigned count);

/* compile_feed.c */
void feed_init(struct bl_feed *f, struct bl_compile *c, unsigned number);
void feeds_join(struct bl_compile *c); /* at the end of a pass */
uint32_t part_rules(const struct bl_compile *c, unsigned part);

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

/* Room for n <= CHUNK_DATA octets in one piece; NULL: out of memory. */
static ALWAYS_INLINE void *chain_room(struct bl_compile *c, uint32_t *free_list,
                                      struct chain *chain, uint32_t n, uint32_t align)
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
    return chain_grow(c, free_list, chain, n);
}

/* The same for what stays to the end; noted when there is none. */
static inline void *kept_room(struct bl_compile *c, struct chain *chain, uint32_t n, uint32_t align)
{
    void *p = chain_room(c, &c->chunk_free, chain, n, align);
    if (UNLIKELY(!p)) {
        compile_fail(c, ERR_SPACE);
    }
    return p;
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
void hash_sort(struct work *w, struct entry *e, uint32_t n, struct entry *spare,
               unsigned shift); /* by hash, quick if bits shift..shift+15 differ; stable */
void group_sort(struct lane *w, struct entry *e, uint32_t n,
                struct entry *spare); /* equal hashes: by tld and path; stable */

/* compile_names.c */
bool part_load(struct lane *w);    /* the rules of its partition as entries, by hash */
void part_names(struct lane *w);   /* … folded to names with their sources */
void part_classes(struct lane *w); /* give rows to classes that had none; in order of partitions */

/* compile_trie.c */
void part_trie(struct lane *w);
void part_tld_rules(struct lane *w);

/* compile_lanes.c */
void lanes_run(struct bl_compile *c); /* the partitions of this pass, to the output */
void lane_alone(struct bl_compile *c, unsigned part); /* one of them, or PARTS */
void lane_whole(struct bl_compile *c, unsigned part); /* the first lane, with all work memory */
void lane_out(struct lane *w, const void *data, size_t len);
void lane_word(struct lane *w, uint32_t word);
void lane_mark_group(struct lane *w, uint32_t pos);
void lane_mark_fan(struct lane *w, uint32_t pos);

/* Where the lane's next octet is. */
uint32_t lane_pos(const struct lane *w);

static ALWAYS_INLINE void lane_bits(struct lane *w, uint32_t value, unsigned width)
{
    struct bits *b = &w->bits;
    if (UNLIKELY(width < 32 && value >> width != 0)) { /* the list grew between passes */
        lane_fail(w, ERR_STATE);
        return;
    }
    b->acc |= (uint64_t)value << b->held;
    b->held += width;
    b->count += width;
    if (UNLIKELY(b->held >= 32)) {
        lane_word(w, (uint32_t)b->acc);
        b->acc >>= 32;
        b->held -= 32;
    }
}

/* compile_write.c */
void out_begin(struct bl_compile *c, enum bl_section s);
void out_bytes(struct bl_compile *c, const void *data, size_t len);
void out_end(struct bl_compile *c, enum bl_section s);
void out_tables(struct bl_compile *c);
uint64_t out_trie_pos(const struct bl_compile *c);

/* Bits of a line number of this list. */
static inline unsigned line_width(const struct bl_compile *c, unsigned list)
{
    return c->lists[list].width;
}

#endif
