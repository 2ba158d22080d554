/*
 * Building an image: rules go to a log in 256 partitions by the hash of their second-level name; at
 * the end of a pass each partition is sorted and written as trie. Since buckets rise with the hash,
 * partitions follow each other in the image, and a pass can be any share of them.
 */
#include "blocklist/compile.h"

#include "base/attr.h"
#include "base/require.h"
#include "blocklist/compile_int.h"

#define HEADS_LEAST 1024u
#define HEADS_MOST  262144u
#define CROWD       6 /* with several passes, so large a part of all rules may lie in one place */

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

static unsigned threads_of(const struct bl_compile_config *cfg)
{
    return cfg->jobs.run == NULL || cfg->jobs.threads == 0 ? 1 : cfg->jobs.threads;
}

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

/* The builder itself, feeds and lanes. */
static size_t fixed_memory(const struct bl_compile_config *cfg)
{
    size_t n = round_up(sizeof(struct bl_compile), CACHE_LINE) +
               threads_of(cfg) * round_up(sizeof(struct bl_feed), CACHE_LINE) +
               threads_of(cfg) * round_up(sizeof(struct lane), CACHE_LINE);
    return round_up(n, CHUNK);
}

size_t bl_compile_memory(const struct bl_compile_config *cfg)
{
    size_t rules = cfg->rules_max;
    size_t a_pass = rules / (cfg->passes ? cfg->passes : 1);
    size_t log = a_pass * 40 + threads_of(cfg) * (PARTS + 1) * CHUNK;
    size_t kept = rules * KEPT_PER_RULE + rules / BUCKET_LOAD * 4; /* lines, classes, directory */
    size_t crowd = cfg->passes > 1 && rules / CROWD < a_pass ? rules / CROWD : a_pass;
    size_t work = (size_t)RESERVE * CHUNK + crowd * WORK_PER_RULE + 262144;
    if (threads_of(cfg) > 1) { /* a lane each */
        work += threads_of(cfg) * (rules / PARTS * LANE_PER_RULE + LANE_SPARE);
    }
    size_t all = fixed_memory(cfg) + log + kept + work + 16 * CHUNK;
    return all + heads_for(all) * 4;
}

static void lanes_init(struct bl_compile *c, uint8_t *mem)
{
    c->lane = (struct lane *)(void *)mem;
    c->lane_count = threads_of(&c->cfg);
    for (unsigned i = 0; i < c->lane_count; i++) {
        struct lane *w = &c->lane[i];
        memset(w, 0, sizeof *w);
        w->c = c;
        w->work = c->lane_count > 1 ? &w->own : &c->work;
    }
}

enum err bl_compile_init(struct bl_compile **out, void *mem, size_t len,
                         const struct bl_compile_config *cfg)
{
    REQUIRE((uintptr_t)mem % _Alignof(max_align_t) == 0);
    if (cfg->passes == 0 || cfg->passes > 64 || (cfg->passes & (cfg->passes - 1)) != 0 ||
        cfg->jobs.threads > BL_THREADS_MAX) {
        return ERR_RANGE;
    }
    if (len > UINT32_MAX - CHUNK) {
        len = UINT32_MAX - CHUNK;
    }
    size_t fixed = fixed_memory(cfg);
    uint32_t heads = heads_for(len);
    if (len < fixed + (size_t)heads * 4 + (RESERVE + 16) * (size_t)CHUNK) {
        return ERR_SPACE;
    }
    struct bl_compile *c = mem;
    memset(c, 0, sizeof *c);
    c->cfg = *cfg;
    c->base = mem;
    c->len = len;
    c->work.pause = cfg->pause;
    atomic_init(&c->chunk_top, (uint32_t)fixed);
    c->chunk_end = (uint32_t)len;
    c->feeds = threads_of(cfg);
    uint8_t *p = c->base + round_up(sizeof *c, CACHE_LINE);
    for (unsigned k = 0; k < c->feeds; k++, p += round_up(sizeof(struct bl_feed), CACHE_LINE)) {
        c->feed[k] = (struct bl_feed *)(void *)p;
        feed_init(c->feed[k], c, k);
    }
    lanes_init(c, p);
    c->heads = compile_reserve(c, (size_t)heads * 4);
    c->head_mask = heads - 1;
    memset(at(c, c->heads), 0, (size_t)heads * 4);
    c->class_count = 1; /* 0 is "no rule" */
    c->part_end = PARTS / cfg->passes;
    c->out.sink = cfg->sink;
    c->out.pos = BL_HEADER;
    out_begin(c, BL_TRIE);
    out_bytes(c, "", 1); /* offset 0: the empty group */
    *out = c;
    return ERR_OK;
}

/* Chunks that lines and marks of the largest partition of this pass can take before its own come
 * back: names that all lie below one second-level name are one partition. */
static uint32_t reserve_for(const struct bl_compile *c)
{
    uint32_t most = 0;
    for (unsigned part = c->part_first; part < c->part_end && part < PARTS; part++) {
        uint32_t n = part_rules(c, part);
        most = n > most ? n : most;
    }
    return RESERVE + (uint32_t)((uint64_t)most * KEPT_PER_RULE / CHUNK_DATA);
}

static void work_begin(struct bl_compile *c)
{
    uint32_t top = atomic_load_explicit(&c->chunk_top, memory_order_relaxed);
    uint32_t room = (c->chunk_end - top) / CHUNK;
    uint32_t reserve = reserve_for(c);
    reserve = room < reserve ? room : reserve;
    c->work_begin = top + reserve * CHUNK;
    c->work_end = (uint32_t)(c->len & ~(size_t)15);
    c->chunk_end = c->work_begin;
}

static void work_end(struct bl_compile *c)
{
    c->chunk_end = (uint32_t)c->len;
}

/* How many second-level names there will be: counted in enough partitions, which are a fair sample
 * since hashes are. */
static uint32_t estimate_second_level(struct bl_compile *c)
{
    struct lane *w = c->lane;
    uint64_t distinct = 0;
    uint32_t seen = 0;
    unsigned part = c->part_first;
    for (; part < c->part_end && seen < SAMPLE_LEAST && c->err == ERR_OK; part++) {
        lane_whole(c, part);
        if (!part_load(w)) {
            compile_fail(c, w->err);
            return 0;
        }
        for (uint32_t i = 0; i < w->name_count; i++) {
            distinct += i == 0 || w->names[i].hash != w->names[i - 1].hash;
            work_did(w->work, 1);
        }
        seen += w->name_count;
    }
    unsigned sampled = part > c->part_first ? part - c->part_first : 1;
    return (uint32_t)(distinct * PARTS / sampled);
}

/* Buckets never lie across two partitions: their number is a multiple of theirs. */
static void size_directory(struct bl_compile *c)
{
    work_begin(c);
    uint32_t buckets = estimate_second_level(c) / BUCKET_LOAD;
    work_end(c);
    c->bucket_count = (buckets / PARTS + 1) * PARTS;
    c->directory = compile_reserve(c, (size_t)c->bucket_count * 4);
    for (uint32_t b = 0; c->directory && b < c->bucket_count; b += PARTS) {
        memset(at(c, c->directory) + (size_t)b * 4, 0, (size_t)PARTS * 4);
        work_did(&c->work, PARTS / 8);
    }
}

static void size_lines(struct bl_compile *c)
{
    for (unsigned i = 0; i < BL_LISTS_MAX; i++) {
        uint32_t last = c->lists[i].last_line;
        c->lists[i].width = (uint8_t)(last == 0 ? 0 : 32 - __builtin_clz(last));
    }
}

bool bl_compile_pass(struct bl_compile *c)
{
    if (c->pass == c->cfg.passes) {
        return false;
    }
    chunks_collect(c);
    feeds_join(c);
    if (c->pass == 0 && c->err == ERR_OK) {
        size_lines(c);
        size_directory(c);
    }
    if (c->err != ERR_OK) {
        return false;
    }
    work_begin(c);
    lanes_run(c);
    work_end(c);
    c->pass++;
    c->part_first = c->part_end;
    c->part_end += PARTS / c->cfg.passes;
    chunks_deal(c);
    return c->err == ERR_OK && c->pass < c->cfg.passes;
}

enum err bl_compile_finish(struct bl_compile *c, uint64_t *size)
{
    if (c->err == ERR_OK && c->pass < c->cfg.passes) {
        compile_fail(c, ERR_STATE);
    }
    chunks_collect(c);
    if (c->err == ERR_OK) {
        work_begin(c);
        lane_alone(c, PARTS);
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
