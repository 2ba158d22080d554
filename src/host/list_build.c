/*
 * Copies of lists to an image. Texts are never whole in memory: each copy is decompressed in
 * pieces, parsed, and its rules go to the compiler, which writes the image front to back. Where
 * there are several processors several copies are read at a time, and the compiler gets the same
 * threads, all at the priority of the caller's. When the work would need more memory than allowed,
 * the compiler does it in several passes, for each of which the copies are read again: time for
 * memory.
 */
#include "host/list_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "blocklist/compile.h"
#include "host/crew.h"
#include "host/idna.h"
#include "host/list_sink.h"
#include "host/lists_int.h"
#include "host/starter.h"
#include "host/sys.h"

#define SCRATCH_FIXED    ((uint64_t)16 << 20) /* memory for the work if nobody said otherwise: … */
#define SCRATCH_PER_RULE 5 /* … about a third of what the daemon holds anyway */
#define PASSES_MAX       64
#define THREADS_MOST     4
#define RULES_A_THREAD   50000              /* fewer are not worth one */
#define MEMORY_SPARE     ((size_t)32 << 20) /* an image in memory: room beside that for rules */
#define MEMORY_PER_RULE  64

/* One of the threads that read copies: it has lists from..to-1. */
struct feeder {
    struct build *b;
    struct bl_feed *feed;
    struct bl_parser parser;
    uint32_t from, to, bad;
    bool stopped;
    enum err err;
};

struct build {
    const struct build_config *config;
    const struct build_source *sources;
    struct bl_compile *compile;
    struct crew *crew;
    unsigned feeds;
    struct feeder feeder[THREADS_MOST];
};

struct span list_starter_text(void)
{
    return span_of(list_starter, list_starter_len);
}

static void take_rule(void *ctx, const struct bl_rule *rule)
{
    struct feeder *f = ctx;
    bl_feed_rule(f->feed, rule);
}

static bool take_pattern(void *ctx, struct span pattern, uint8_t rank, uint32_t line)
{
    struct feeder *f = ctx;
    return bl_feed_pattern(f->feed, pattern, rank, line);
}

static bool take_text(void *arg, struct span text)
{
    struct feeder *f = arg;
    const atomic_bool *stop = f->b->config->stop;
    f->stopped = stop && atomic_load_explicit(stop, memory_order_relaxed);
    return !f->stopped && bl_parse_feed(&f->parser, text.ptr, text.len) == ERR_OK;
}

static enum err feed_source(struct feeder *f, const struct build_source *s, unsigned slot)
{
    struct bl_parse_config cfg = {.format = s->format,
                                  .as_allow = s->as_allow,
                                  .ctx = f,
                                  .rule = take_rule,
                                  .idna = idna_to_ascii,
                                  .regex = take_pattern};
    enum err e = ERR_OK;
    bl_parse_init(&f->parser, &cfg);
    bl_feed_list(f->feed, slot, span_str(s->name), span_str(s->url));
    if (s->builtin) {
        (void)take_text(f, list_starter_text());
    } else {
        e = copy_read(f->b->config->store, s->copy, s->blob, take_text, f);
    }
    if (f->stopped) {
        return ERR_STATE;
    }
    /* A copy was judged before it was kept; what the parser now refuses as a whole was damaged or
     * is of an older program. */
    if (e == ERR_STATE || (e == ERR_OK && bl_parse_end(&f->parser) != ERR_OK)) {
        e = ERR_CHECKSUM;
    }
    bl_feed_list_end(f->feed, f->parser.stats.rejected, f->parser.stats.lines);
    return e;
}

static void feed_job(void *arg, unsigned k)
{
    struct feeder *f = &((struct build *)arg)->feeder[k];
    f->err = ERR_OK;
    for (uint32_t i = f->from; i < f->to && f->err == ERR_OK; i++) {
        f->bad = i;
        f->err = feed_source(f, &f->b->sources[i], i);
    }
}

static uint32_t rules_of(const struct build_source *s)
{
    return s->builtin ? 4096 : s->rules;
}

/* Neighbours to one thread, about as many rules to each. */
static void share_out(struct build *b, uint32_t count)
{
    uint64_t all = 1, before = 0;
    uint32_t next = 0;
    for (uint32_t i = 0; i < count; i++) {
        all += rules_of(&b->sources[i]);
    }
    for (unsigned k = 0; k < b->feeds; k++) {
        struct feeder *f = &b->feeder[k];
        f->b = b;
        f->feed = bl_compile_feed(b->compile, k);
        f->from = next;
        for (; next < count; next++) {
            uint64_t rules = rules_of(&b->sources[next]);
            if ((before + rules / 2) * b->feeds / all != k) {
                break;
            }
            before += rules;
        }
        f->to = next;
    }
}

/* All passes over all sources. */
static enum err run_passes(struct build *b, uint32_t count, uint32_t *bad)
{
    share_out(b, count);
    do {
        crew_run(b->crew, feed_job, b, b->feeds);
        for (unsigned k = 0; k < b->feeds; k++) {
            if (b->feeder[k].err != ERR_OK) {
                *bad = b->feeder[k].bad;
                return b->feeder[k].err;
            }
        }
    } while (bl_compile_pass(b->compile));
    return ERR_OK;
}

/* One attempt with given scratch: sources to a file behind fd. */
static enum err build_once(struct build *b, const struct bl_compile_config *cc, uint32_t count,
                           uint32_t *bad, uint64_t *size)
{
    size_t len = bl_compile_memory(cc);
    void *mem = sys_map_huge(len);
    if (!mem) {
        return ERR_MEMORY;
    }
    enum err e = bl_compile_init(&b->compile, mem, len, cc);
    if (e == ERR_OK) {
        e = run_passes(b, count, bad);
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
        rules += rules_of(&sources[i]);
    }
    return rules < UINT32_MAX ? (uint32_t)rules : UINT32_MAX;
}

static unsigned threads_for(const struct build_config *config, uint32_t rules)
{
    unsigned most = config->threads != 0 ? config->threads : sys_cpus();
    most = most < THREADS_MOST ? most : THREADS_MOST;
    return rules / RULES_A_THREAD < most ? rules / RULES_A_THREAD + 1 : most;
}

/* The image into a sink; more scratch if the estimate was too small. */
static enum err build_into(const struct build_config *config, const struct build_source *sources,
                           uint32_t count, struct list_sink *sink, uint32_t *bad)
{
    struct build *b = calloc(1, sizeof *b);
    struct crew *crew = crew_new(threads_for(config, count_rules(sources, count)));
    enum err e = b && crew ? ERR_SPACE : ERR_MEMORY;
    struct bl_compile_config cc = {.rules_max = count_rules(sources, count),
                                   .built_unix = (uint64_t)time(NULL),
                                   .sink = {list_sink_write, sink}};
    uint64_t size = 0;
    for (int attempt = 0; e == ERR_SPACE && attempt < 6; attempt++) {
        b->config = config;
        b->sources = sources;
        b->crew = crew;
        b->feeds = crew_threads(crew);
        cc.jobs = (struct bl_jobs){crew_run, crew, b->feeds};
        if (attempt == 0) {
            choose_passes(config, &cc);
        } else if (cc.passes > 1) {
            cc.passes /= 4; /* names lie close together: shares of a pass are not alike */
            cc.passes = cc.passes > 0 ? cc.passes : 1;
        } else {
            cc.rules_max = cc.rules_max < UINT32_MAX / 2 ? cc.rules_max * 2 : UINT32_MAX;
        }
        e = list_sink_reset(sink);
        e = e == ERR_OK ? build_once(b, &cc, count, bad, &size) : e;
    }
    crew_free(crew);
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
