/*
 * Rules to an image, in memory of the caller.
 *
 * The builder is fed list by list and writes the image front to back. To bound its scratch it can
 * do the work in several passes, each over a share of the names: the caller then feeds the same
 * lists once a pass. One pass is fastest.
 *
 *     bl_compile_init(&c, mem, len, &cfg);
 *     do {
 *         for each list:
 *             bl_feed_list(feed, id, name, url);    feed = bl_compile_feed(c, 0)
 *             feed the parser, bl_feed_rule(feed, &rule) in its callback;
 *             bl_feed_list_end(feed, rejected, lines);
 *     } while (bl_compile_pass(c));
 *     err = bl_compile_finish(c, &size);
 *
 * Where there are several processors the caller can read lists on several threads, a feed each
 * (bl_compile_feed()), and give the builder threads for its own work (bl_compile_config.jobs). The
 * image has the same octets however many there are.
 *
 * Where there is one and no thread, bl_compile_config.pause is called every few thousand small
 * steps, whatever the lists are like, so that other work can be done meanwhile.
 *
 * Errors are sticky: after one the rest does nothing and bl_compile_finish() returns it.
 */
#ifndef SINKHOLE_BLOCKLIST_COMPILE_H
#define SINKHOLE_BLOCKLIST_COMPILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "blocklist/image.h"
#include "blocklist/rule.h"

#define BL_THREADS_MAX 8

/* Where the image goes. Octets come in order, but for the header, which is written last at offset
 * 0. */
struct bl_sink {
    enum err (*write)(void *ctx, uint64_t offset, const void *data, size_t len);
    void *ctx;
};

/* A sink over memory: `used` is the end of what was written. ERR_SPACE when it is full. */
struct bl_sink_memory {
    uint8_t *mem;
    size_t cap;
    size_t used;
};
enum err bl_sink_memory_write(void *ctx, uint64_t offset, const void *data, size_t len);

/*
 * Threads of the caller: run() calls job(arg, i) once for each i below count, on any thread and in
 * any order, and returns when all are done. What one job reads no other one writes.
 */
struct bl_jobs {
    void (*run)(void *ctx, void (*job)(void *arg, unsigned i), void *arg, unsigned count);
    void *ctx;
    unsigned threads; /* that take part, the caller's included, 1..BL_THREADS_MAX; 0: as 1 */
};

/* Called with the number of small steps since the last time: a rule moved, compared or written is
 * one. At most BL_PAUSE_MOST. Not for use with threads. */
struct bl_pause {
    void (*call)(void *ctx, uint32_t steps); /* NULL: none */
    void *ctx;
};
#define BL_PAUSE_EVERY 1024
#define BL_PAUSE_MOST  (2 * BL_PAUSE_EVERY)

struct bl_compile_config {
    uint32_t rules_max;  /* rules of all lists together, duplicates included; a hint for
                            bl_compile_memory() only */
    unsigned passes;     /* 1, 2, 4, … 64 */
    uint64_t built_unix; /* kept in the image */
    struct bl_sink sink;
    struct bl_jobs jobs; /* zero: everything is done by the caller's thread */
    struct bl_pause pause;
};

struct bl_compile;
struct bl_feed;

/*
 * Octets that are enough for cfg->rules_max usual rules (names of 24 characters). For one pass even
 * if they all are below one second-level name; usual lists touch only half of it, and the rest may
 * be memory that is reserved but not there yet. For several passes it takes names to be spread, as
 * all published lists together are; ERR_SPACE says if they were not.
 */
size_t bl_compile_memory(const struct bl_compile_config *cfg);

/* ERR_SPACE if `len` is not even enough for the fixed parts; ERR_RANGE for a wrong configuration.
 * `mem` is kept until the end. */
MUST_CHECK enum err bl_compile_init(struct bl_compile **out, void *mem, size_t len,
                                    const struct bl_compile_config *cfg);

/*
 * Feed k < cfg->jobs.threads. Each feed may be used by a thread of its own between two calls of
 * bl_compile_pass(). Lists come in rising order of id within a feed and from feed to feed, the same
 * ones to the same feed in each pass.
 */
struct bl_feed *bl_compile_feed(struct bl_compile *c, unsigned k);

/* The rules that follow are this list's. Its texts are copied. */
void bl_feed_list(struct bl_feed *f, unsigned list, struct span name, struct span url);
void bl_feed_rule(struct bl_feed *f, const struct bl_rule *rule);

/* A regular expression of the list. False: there is no room for more (BL_PATTERNS_MAX of all
 * lists), or it is longer than BL_PATTERN_MAX. */
bool bl_feed_pattern(struct bl_feed *f, struct span pattern, unsigned rank, uint32_t line);
void bl_feed_list_end(struct bl_feed *f, uint32_t rejected, uint32_t lines);

/* End of a pass. True: feed all lists again. False: there was an error, or it was the last pass; go
 * on to bl_compile_finish(). */
bool bl_compile_pass(struct bl_compile *c);

/*
 * Write what is left. ERR_SPACE: the scratch was too small (more memory or more passes help) or the
 * sink full; ERR_LIMIT: more than 4 GiB of names. On ERR_OK *size is the image's length.
 */
MUST_CHECK enum err bl_compile_finish(struct bl_compile *c, uint64_t *size);

/* Most scratch ever in use, in octets. */
size_t bl_compile_peak(const struct bl_compile *c);

#endif
