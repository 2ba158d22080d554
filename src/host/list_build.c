/*
 * Copies of lists to an image. Texts are never whole in memory: each copy is decompressed in
 * pieces, parsed, and its rules go to the compiler, which writes the image front to back. When the
 * work would need more memory than allowed, the compiler does it in several passes, for each of
 * which the copies are read again: time for memory.
 */
#include "host/list_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "blocklist/compile.h"
#include "host/idna.h"
#include "host/list_sink.h"
#include "host/lists_int.h"
#include "host/starter.h"
#include "host/sys.h"

#define SCRATCH_FIXED    ((uint64_t)16 << 20) /* memory for the work if nobody said otherwise: … */
#define SCRATCH_PER_RULE 5 /* … about a third of what the daemon holds anyway */
#define PASSES_MAX       64
#define MEMORY_SPARE     ((size_t)32 << 20) /* an image in memory: room beside that for rules */
#define MEMORY_PER_RULE  64

struct build {
    const struct build_config *config;
    struct bl_compile *compile;
    struct bl_parser parser;
    bool stopped;
};

struct span list_starter_text(void)
{
    return span_of(list_starter, list_starter_len);
}

static void take_rule(void *ctx, const struct bl_rule *rule)
{
    struct build *b = ctx;
    bl_compile_rule(b->compile, rule);
}

static bool take_pattern(void *ctx, struct span pattern, uint8_t rank, uint32_t line)
{
    struct build *b = ctx;
    return bl_compile_pattern(b->compile, pattern, rank, line);
}

static bool take_text(void *arg, struct span text)
{
    struct build *b = arg;
    b->stopped = b->config->stop && atomic_load_explicit(b->config->stop, memory_order_relaxed);
    return !b->stopped && bl_parse_feed(&b->parser, text.ptr, text.len) == ERR_OK;
}

static enum err feed_source(struct build *b, const struct build_source *s, unsigned slot)
{
    struct bl_parse_config cfg = {.format = s->format,
                                  .as_allow = s->as_allow,
                                  .ctx = b,
                                  .rule = take_rule,
                                  .idna = idna_to_ascii,
                                  .regex = take_pattern};
    enum err e = ERR_OK;
    bl_parse_init(&b->parser, &cfg);
    bl_compile_list(b->compile, slot, span_str(s->name), span_str(s->url));
    if (s->builtin) {
        (void)take_text(b, list_starter_text());
    } else {
        e = copy_read(b->config->store, s->copy, s->blob, take_text, b);
    }
    if (b->stopped) {
        return ERR_STATE;
    }
    /* A copy was judged before it was kept; what the parser now refuses as a whole was damaged or
     * is of an older program. */
    if (e == ERR_STATE || (e == ERR_OK && bl_parse_end(&b->parser) != ERR_OK)) {
        e = ERR_CHECKSUM;
    }
    bl_compile_list_end(b->compile, b->parser.stats.rejected, b->parser.stats.lines);
    return e;
}

/* All passes over all sources. */
static enum err run_passes(struct build *b, const struct build_source *sources, uint32_t count,
                           uint32_t *bad)
{
    do {
        for (uint32_t i = 0; i < count; i++) {
            enum err e = feed_source(b, &sources[i], i);
            if (e != ERR_OK) {
                *bad = i;
                return e;
            }
        }
    } while (bl_compile_pass(b->compile));
    return ERR_OK;
}

/* One attempt with given scratch: sources to a file behind fd. */
static enum err build_once(struct build *b, const struct bl_compile_config *cc,
                           const struct build_source *sources, uint32_t count, uint32_t *bad,
                           uint64_t *size)
{
    size_t len = bl_compile_memory(cc);
    void *mem = sys_map_huge(len);
    if (!mem) {
        return ERR_MEMORY;
    }
    enum err e = bl_compile_init(&b->compile, mem, len, cc);
    if (e == ERR_OK) {
        e = run_passes(b, sources, count, bad);
    }
    if (e == ERR_OK) {
        e = bl_compile_finish(b->compile, size);
    }
    sys_unmap(mem, len);
    return e;
}

uint64_t build_scratch_max(uint32_t rules)
{
    return SCRATCH_FIXED + (uint64_t)rules * SCRATCH_PER_RULE;
}

static void choose_passes(const struct build_config *config, struct bl_compile_config *cc)
{
    uint64_t scratch = config->scratch_octets;
    if (scratch == 0) {
        scratch = build_scratch_max(cc->rules_max);
    }
    for (cc->passes = 1; cc->passes < PASSES_MAX && bl_compile_memory(cc) > scratch;) {
        cc->passes *= 2;
    }
}

/* Rules of all sources, those that are said twice included; about. */
static uint32_t count_rules(const struct build_source *sources, uint32_t count)
{
    uint64_t rules = 1024;
    for (uint32_t i = 0; i < count; i++) {
        rules += sources[i].builtin ? 4096 : sources[i].rules;
    }
    return rules < UINT32_MAX ? (uint32_t)rules : UINT32_MAX;
}

/* The image into a sink; more scratch if the estimate was too small. */
static enum err build_into(const struct build_config *config, const struct build_source *sources,
                           uint32_t count, struct list_sink *sink, uint32_t *bad)
{
    struct build *b = calloc(1, sizeof *b);
    enum err e = b ? ERR_SPACE : ERR_MEMORY;
    struct bl_compile_config cc = {.rules_max = count_rules(sources, count),
                                   .built_unix = (uint64_t)time(NULL),
                                   .sink = {list_sink_write, sink}};
    uint64_t size = 0;
    for (int attempt = 0; e == ERR_SPACE && attempt < 6; attempt++) {
        *b = (struct build){.config = config};
        if (attempt == 0) {
            choose_passes(config, &cc);
        } else if (cc.passes > 1) {
            cc.passes /= 4; /* names lie close together: shares of a pass are not alike */
            cc.passes = cc.passes > 0 ? cc.passes : 1;
        } else {
            cc.rules_max = cc.rules_max < UINT32_MAX / 2 ? cc.rules_max * 2 : UINT32_MAX;
        }
        e = list_sink_reset(sink);
        e = e == ERR_OK ? build_once(b, &cc, sources, count, bad, &size) : e;
    }
    free(b);
    return e == ERR_OK ? list_sink_finish(sink, (size_t)size) : e;
}

static void ids_of(const struct build_source *sources, uint32_t count, uint32_t ids[LISTS_MAX])
{
    for (uint32_t i = 0; i < count; i++) {
        ids[i] = sources[i].id;
    }
}

/* Saved and in force. ERR_IO: the disk did not take it. */
static enum err build_saved(const struct build_config *config, const struct build_source *sources,
                            uint32_t count, struct list_sink *sink, struct list_image **out,
                            uint32_t *bad)
{
    struct store_file *f;
    uint32_t ids[LISTS_MAX];
    if (store_begin(config->store, LIST_IMAGE_NAME, &f) != ERR_OK) {
        return ERR_IO;
    }
    ids_of(sources, count, ids);
    list_sink_file(sink, store_fd(f));
    enum err e = build_into(config, sources, count, sink, bad);
    if (e == ERR_OK) {
        e = list_image_from_fd(store_fd(f), ids, count, out);
    }
    if (e != ERR_OK) {
        store_abort(f);
        return e;
    }
    /* The mapping stays good even if the file cannot be put in place: it is then one without a
     * name. */
    if (store_commit(f) == ERR_OK) {
        list_index_save(config->store, *out, config->fingerprint, count);
    } else {
        log_warning(LISTS,
                    "the compiled lists cannot be saved (%s); they are in force and are compiled "
                    "anew at the next start",
                    strerror(errno));
    }
    return ERR_OK;
}

static enum err build_in_memory(const struct build_config *config,
                                const struct build_source *sources, uint32_t count,
                                struct list_sink *sink, struct list_image **out, uint32_t *bad)
{
    uint32_t ids[LISTS_MAX];
    size_t cap = MEMORY_SPARE + (size_t)MEMORY_PER_RULE * count_rules(sources, count);
    enum err e = list_sink_memory(sink, cap);
    if (e != ERR_OK) {
        return e;
    }
    ids_of(sources, count, ids);
    e = build_into(config, sources, count, sink, bad);
    if (e == ERR_OK) {
        e = list_image_from_memory(sink->mem, sink->cap, sink->size, ids, count, out);
        sink->mem = e == ERR_OK ? NULL : sink->mem;
    }
    list_sink_drop(sink);
    return e;
}

enum err list_build(const struct build_config *config, const struct build_source *sources,
                    uint32_t count, struct list_image **out, uint32_t *bad)
{
    struct list_sink *sink = malloc(sizeof *sink);
    enum err e = sink ? ERR_IO : ERR_MEMORY;
    if (sink && config->store) {
        e = build_saved(config, sources, count, sink, out, bad);
    }
    if (e == ERR_IO) {
        if (config->store) {
            log_warning(LISTS, "the compiled lists cannot be saved (%s); they are held in memory",
                        strerror(errno));
        }
        e = build_in_memory(config, sources, count, sink, out, bad);
    }
    free(sink);
    return e;
}
