/*
 * Building an image: rules go to a log in 256 partitions by the hash of their second-level name; at
 * the end of a pass each partition is sorted and written as trie. Since buckets rise with the hash,
 * partitions follow each other in the image, and a pass can be any share of them.
 */
#include "blocklist/compile.h"

#include "base/attr.h"
#include "base/require.h"
#include "blocklist/compile_int.h"
#include "dns/suffix.h"

#define HEADS_LEAST 1024u
#define HEADS_MOST  262144u

enum err bl_sink_memory_write(void *ctx, uint64_t offset, const void *data, size_t len)
{
    struct bl_sink_memory *m = ctx;
    if (offset > m->cap || len > m->cap - offset) {
        return ERR_SPACE;
    }
    memcpy(m->mem + offset, data, len);
    if (offset + len > m->used) {
        m->used = (size_t)(offset + len);
    }
    return ERR_OK;
}

static uint32_t heads_for(size_t len)
{
    uint32_t heads = HEADS_LEAST;
    while (heads < HEADS_MOST && (size_t)heads * 2 * 512 <= len) {
        heads *= 2;
    }
    return heads;
}

size_t bl_compile_memory(const struct bl_compile_config *cfg)
{
    size_t rules = cfg->rules_max;
    size_t a_pass = rules / (cfg->passes ? cfg->passes : 1);
    size_t log = a_pass * 40 + (PARTS + 1) * CHUNK;
    size_t kept = rules * KEPT_PER_RULE + rules / BUCKET_LOAD * 4; /* lines, classes, directory */
    size_t work = (size_t)RESERVE * CHUNK + a_pass * 3 * sizeof(struct entry) + 262144;
    size_t all = sizeof(struct bl_compile) + log + kept + work + 16 * CHUNK;
    return all + heads_for(all) * 4;
}

enum err bl_compile_init(struct bl_compile **out, void *mem, size_t len,
                         const struct bl_compile_config *cfg)
{
    REQUIRE((uintptr_t)mem % _Alignof(max_align_t) == 0);
    if (cfg->passes == 0 || cfg->passes > 64 || (cfg->passes & (cfg->passes - 1)) != 0) {
        return ERR_RANGE;
    }
    if (len > UINT32_MAX - CHUNK) {
        len = UINT32_MAX - CHUNK;
    }
    size_t fixed = (sizeof(struct bl_compile) + CHUNK - 1) / CHUNK * CHUNK;
    uint32_t heads = heads_for(len);
    if (len < fixed + (size_t)heads * 4 + (RESERVE + 16) * (size_t)CHUNK) {
        return ERR_SPACE;
    }
    struct bl_compile *c = mem;
    memset(c, 0, sizeof *c);
    c->cfg = *cfg;
    c->base = mem;
    c->len = len;
    c->chunk_top = (uint32_t)fixed;
    c->chunk_end = (uint32_t)len;
    c->heads = compile_reserve(c, (size_t)heads * 4);
    c->head_mask = heads - 1;
    memset(at(c, c->heads), 0, (size_t)heads * 4);
    c->class_count = 1; /* 0 is "no rule" */
    c->list = BL_LISTS_MAX;
    c->part_end = PARTS / cfg->passes;
    c->out.sink = cfg->sink;
    c->out.pos = BL_HEADER;
    out_begin(c, BL_TRIE);
    out_bytes(c, "", 1); /* offset 0: the empty group */
    *out = c;
    return ERR_OK;
}

static void keep_text(struct bl_compile *c, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t *p = chain_room(c, &c->texts, 1, 1);
        if (!p) {
            return;
        }
        *p = text.ptr[i];
    }
    c->text_len += (uint32_t)text.len;
}

void bl_compile_list(struct bl_compile *c, unsigned list, struct span name, struct span url)
{
    REQUIRE(list < BL_LISTS_MAX && name.len <= BL_LIST_TEXT_MAX && url.len <= BL_LIST_TEXT_MAX);
    c->list = list;
    struct list_state *l = &c->lists[list];
    if (c->pass == 0) {
        *l = (struct list_state){.text = c->text_len,
                                 .name_len = (uint16_t)name.len,
                                 .url_len = (uint16_t)url.len,
                                 .used = true};
        keep_text(c, name);
        keep_text(c, url);
    }
}

bool bl_compile_pattern(struct bl_compile *c, struct span pattern, unsigned rank, uint32_t line)
{
    if (c->err != ERR_OK || c->list >= BL_LISTS_MAX || pattern.len > BL_PATTERN_MAX ||
        (c->pass == 0 && c->pattern_count == BL_PATTERNS_MAX)) {
        return false;
    }
    if (c->pass > 0) {
        return true; /* it is here already */
    }
    uint8_t *p = chain_room(c, &c->patterns, (uint32_t)(BL_PATTERN_HEAD + pattern.len), 1);
    if (!p) {
        return false;
    }
    p[0] = (uint8_t)c->list;
    p[1] = (uint8_t)rank;
    le16_write(p + 2, (uint16_t)pattern.len);
    le32_write(p + 4, line);
    memcpy(p + BL_PATTERN_HEAD, pattern.ptr, pattern.len);
    c->pattern_count++;
    c->lists[c->list].rules++;
    return true;
}

void bl_compile_list_end(struct bl_compile *c, uint32_t rejected, uint32_t lines)
{
    if (c->list < BL_LISTS_MAX) {
        c->lists[c->list].rejected = rejected;
        c->lists[c->list].lines = lines;
    }
    c->list = BL_LISTS_MAX;
}

/* The labels below the top-level domain, nearest the root first, 0 between. Label i's octets begin
 * at octets + off[i]. */
static ALWAYS_INLINE void put_path(uint8_t *to, const struct dns_name *name, const uint8_t *octets)
{
    for (unsigned i = name->labels - 1u; i-- > 0;) {
        unsigned n = name->wire[name->off[i]];
        copy_words(to, octets + name->off[i], n);
        to += n;
        if (i > 0) {
            *to++ = 0;
        }
    }
}

void bl_compile_rule(struct bl_compile *c, const struct bl_rule *rule)
{
    const struct dns_name *name = &rule->name;
    const uint8_t *octets = rule->text ? rule->text : name->wire + 1;
    if (UNLIKELY(c->err != ERR_OK || c->list >= BL_LISTS_MAX || name->labels == 0)) {
        return;
    }
    struct list_state *l = &c->lists[c->list];
    if (c->pass == 0 && rule->line > l->last_line) {
        l->last_line = rule->line;
    }
    unsigned tld_off = name->off[name->labels - 1], len = 0, part = PARTS;
    uint64_t tld_hash = dns_suffix_child(dns_suffix_root(), octets + tld_off, name->wire[tld_off]);
    uint64_t hash = 0;
    if (LIKELY(name->labels > 1)) {
        unsigned off = name->off[name->labels - 2];
        hash = dns_suffix_child(tld_hash, octets + off, name->wire[off]);
        part = (unsigned)(hash >> (64 - PART_BITS));
        len = tld_off - 1;
        if (part < c->part_first || part >= c->part_end) {
            return;
        }
    } else if (c->pass > 0) {
        return;
    }
    uint32_t tld = tld_intern(c, tld_hash, octets + tld_off, name->wire[tld_off]);
    if (UNLIKELY(tld == UINT32_MAX)) {
        c->dropped++;
        return;
    }
    uint8_t *p = chain_room(c, &c->parts[part], LOG_PATH + len, 1);
    if (UNLIKELY(!p)) {
        return;
    }
    PREFETCH_WRITE(p + LOG_PATH + len + CACHE_LINE / 2); /* where this partition's next rule goes */
    c->part_rules[part]++;
    memcpy(p + LOG_HASH, &hash, 8);
    memcpy(p + LOG_LINE, &rule->line, 4);
    log_tld_set(p, (uint16_t)tld);
    p[LOG_LIST] = (uint8_t)c->list;
    p[LOG_EFFECT] = (uint8_t)(rule->kind << 2 * rule->rank);
    p[LOG_LEN] = (uint8_t)len;
    if (LIKELY(len > 0)) {
        put_path(p + LOG_PATH, name, octets);
    }
}

/* Chunks that lines and marks of the largest partition of this pass can take before its own come
 * back: names that all lie below one second-level name are one partition. */
static uint32_t reserve_for(const struct bl_compile *c)
{
    uint32_t most = 0;
    for (unsigned part = c->part_first; part < c->part_end && part < PARTS; part++) {
        most = c->part_rules[part] > most ? c->part_rules[part] : most;
    }
    return RESERVE + (uint32_t)((uint64_t)most * KEPT_PER_RULE / CHUNK_DATA);
}

static void work_begin(struct bl_compile *c)
{
    uint32_t room = (c->chunk_end - c->chunk_top) / CHUNK;
    uint32_t reserve = reserve_for(c);
    reserve = room < reserve ? room : reserve;
    c->stack = c->chunk_top + reserve * CHUNK;
    c->work_end = (uint32_t)(c->len & ~(size_t)15);
    c->stack_end = c->work_end;
    c->chunk_end = c->stack;
}

static void work_end(struct bl_compile *c)
{
    c->chunk_end = (uint32_t)c->len;
}

/* How many second-level names there will be: counted in enough partitions, which are a fair sample
 * since hashes are. */
static uint32_t estimate_second_level(struct bl_compile *c)
{
    uint64_t distinct = 0;
    uint32_t seen = 0;
    unsigned part = c->part_first;
    for (; part < c->part_end && seen < SAMPLE_LEAST; part++) {
        struct entry *e;
        uint32_t n = part_load(c, part, &e);
        for (uint32_t i = 0; i < n; i++) {
            distinct += i == 0 || e[i].hash != e[i - 1].hash;
        }
        seen += n;
        c->stack_end = c->work_end;
    }
    return (uint32_t)(distinct * PARTS / (part - c->part_first));
}

/* Buckets never lie across two passes: their number is a multiple of the passes'. */
static void size_directory(struct bl_compile *c)
{
    work_begin(c);
    uint32_t buckets = estimate_second_level(c) / BUCKET_LOAD;
    work_end(c);
    buckets = (buckets / c->cfg.passes + 1) * c->cfg.passes;
    c->bucket_count = buckets;
    c->directory = compile_reserve(c, (size_t)buckets * 4);
}

bool bl_compile_pass(struct bl_compile *c)
{
    if (c->pass == 0 && c->err == ERR_OK) {
        for (unsigned i = 0; i < BL_LISTS_MAX; i++) {
            uint32_t last = c->lists[i].last_line;
            c->lists[i].width = (uint8_t)(last == 0 ? 0 : 32 - __builtin_clz(last));
        }
        size_directory(c);
    }
    if (c->err != ERR_OK || c->pass == c->cfg.passes) {
        return false;
    }
    work_begin(c);
    for (unsigned part = c->part_first; part < c->part_end && c->err == ERR_OK; part++) {
        trie_part(c, part);
        chain_free(c, &c->parts[part]);
    }
    c->pass++;
    uint32_t end = c->bucket_count / c->cfg.passes * c->pass;
    while (c->bucket < end && c->err == ERR_OK) {
        trie_bucket_end(c);
        c->bucket++;
    }
    work_end(c);
    c->part_first = c->part_end;
    c->part_end += PARTS / c->cfg.passes;
    return c->err == ERR_OK && c->pass < c->cfg.passes;
}

enum err bl_compile_finish(struct bl_compile *c, uint64_t *size)
{
    if (c->err == ERR_OK && c->pass < c->cfg.passes) {
        compile_fail(c, ERR_STATE);
    }
    if (c->err == ERR_OK) {
        work_begin(c);
        trie_tld_rules(c);
        out_tables(c);
        work_end(c);
    }
    if (c->err == ERR_OK) {
        *size = c->out.pos;
    }
    return c->err;
}

size_t bl_compile_peak(const struct bl_compile *c)
{
    return c->peak;
}
