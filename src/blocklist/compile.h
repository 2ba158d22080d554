/*
 * Rules to an image, in memory of the caller.
 *
 * The builder is fed list by list and writes the image front to back. To bound its scratch it can
 * do the work in several passes, each over a share of the names: the caller then feeds the same
 * lists once a pass. One pass is fastest.
 *
 *     bl_compile_init(&c, mem, len, &cfg);
 *     do {
 *         for each list:  bl_compile_list(c, id, &info);  feed the parser, bl_compile_rule(c,
 * &rule) in its callback; bl_compile_list_end(c, rejected, lines); } while (bl_compile_pass(c,
 * &err)); err = bl_compile_finish(c, &size);
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

struct bl_compile_config {
    uint32_t rules_max;  /* rules of all lists together, duplicates included; a hint for
                            bl_compile_memory() only */
    unsigned passes;     /* 1, 2, 4, … 64 */
    uint64_t built_unix; /* kept in the image */
    struct bl_sink sink;
};

struct bl_compile;

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

/* The rules that follow are this list's. Its texts are copied. Lists come in rising order of id,
 * the same ones in each pass. */
void bl_compile_list(struct bl_compile *c, unsigned list, struct span name, struct span url);
void bl_compile_rule(struct bl_compile *c, const struct bl_rule *rule);

/* A regular expression of the list. False: there is no room for more (BL_PATTERNS_MAX of all
 * lists), or it is longer than BL_PATTERN_MAX. */
bool bl_compile_pattern(struct bl_compile *c, struct span pattern, unsigned rank, uint32_t line);
void bl_compile_list_end(struct bl_compile *c, uint32_t rejected, uint32_t lines);

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
