/*
 * Copies of lists to an image. Texts are never whole in memory: each copy is decompressed in pieces, parsed, and its rules go to the
 * compiler, which writes the image front to back. When the work would need more memory than allowed, the compiler does it in
 * several passes, for each of which the copies are read again: time for memory.
 */
#include "host/list_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "blocklist/compile.h"
#include "host/idna.h"
#include "host/lists_int.h"
#include "host/starter.h"
#include "host/sys.h"

#define SCRATCH_FIXED    ((uint64_t)16 << 20) /* memory for the work if nobody said otherwise: … */
#define SCRATCH_PER_RULE 5                    /* … about a third of what the daemon holds anyway */
#define PASSES_MAX      64
#define SINK_OCTETS     65536

/* Writes of the compiler, gathered to large ones. */
struct file_sink {
    int fd;
    uint64_t start; /* offset of buf[0] in the file */
    size_t len;
    uint8_t buf[SINK_OCTETS];
};

struct build {
    const struct build_config *config;
    struct bl_compile *compile;
    struct bl_parser parser;
    bool stopped;
};

static enum err write_at(int fd, uint64_t offset, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, data, len, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return ERR_IO;
        }
        data += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return ERR_OK;
}

static enum err sink_flush(struct file_sink *s)
{
    enum err e = write_at(s->fd, s->start, s->buf, s->len);
    s->start += s->len;
    s->len = 0;
    return e;
}

static enum err sink_write(void *ctx, uint64_t offset, const void *data, size_t len)
{
    struct file_sink *s = ctx;
    enum err e = ERR_OK;
    if (offset != s->start + s->len || len > SINK_OCTETS - s->len) {
        e = sink_flush(s);
        s->start = offset;
    }
    if (e == ERR_OK && len > SINK_OCTETS) {
        s->start = offset + len;
        return write_at(s->fd, offset, data, len);
    }
    if (e == ERR_OK) {
        memcpy(s->buf + s->len, data, len);
        s->len += len;
    }
    return e;
}

struct span list_starter_text(void)
{
    return span_of(list_starter, list_starter_len);
}

static void take_rule(void *ctx, const struct bl_rule *rule)
{
    struct build *b = ctx;
    bl_compile_rule(b->compile, rule);
}

static bool take_text(void *arg, struct span text)
{
    struct build *b = arg;
    b->stopped = b->config->stop && atomic_load_explicit(b->config->stop, memory_order_relaxed);
    return !b->stopped && bl_parse_feed(&b->parser, text.ptr, text.len) == ERR_OK;
}

static enum err feed_source(struct build *b, const struct build_source *s, unsigned slot)
{
    struct bl_parse_config cfg = {.format = s->format, .as_allow = s->as_allow, .ctx = b, .rule = take_rule, .idna = idna_to_ascii};
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
    /* A copy was judged before it was kept; what the parser now refuses as a whole was damaged or is of an older program. */
    if (e == ERR_STATE || (e == ERR_OK && bl_parse_end(&b->parser) != ERR_OK)) {
        e = ERR_CHECKSUM;
    }
    bl_compile_list_end(b->compile, b->parser.stats.rejected, b->parser.stats.lines);
    return e;
}

/* All passes over all sources. */
static enum err run_passes(struct build *b, const struct build_source *sources, uint32_t count, uint32_t *bad)
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
static enum err build_once(struct build *b, const struct bl_compile_config *cc, const struct build_source *sources,
                           uint32_t count, uint32_t *bad, uint64_t *size)
{
    size_t len = bl_compile_memory(cc);
    void *mem = sys_map(len);
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

static unsigned choose_passes(const struct build_config *config, struct bl_compile_config *cc)
{
    uint64_t scratch = config->scratch_octets;
    if (scratch == 0) {
        scratch = SCRATCH_FIXED + (uint64_t)cc->rules_max * SCRATCH_PER_RULE;
    }
    for (cc->passes = 1; cc->passes < PASSES_MAX && bl_compile_memory(cc) > scratch;) {
        cc->passes *= 2;
    }
    return cc->passes;
}

/* The image into an empty file; more scratch if the estimate was too small. */
static enum err build_into(const struct build_config *config, const struct build_source *sources, uint32_t count, int fd,
                           uint32_t *bad)
{
    struct build *b = calloc(1, sizeof *b);
    struct file_sink *sink = calloc(1, sizeof *sink);
    enum err e = b && sink ? ERR_SPACE : ERR_MEMORY;
    struct bl_compile_config cc = {.rules_max = 1024, .built_unix = (uint64_t)time(NULL), .sink = {sink_write, sink}};
    uint64_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        cc.rules_max += sources[i].builtin ? 4096 : sources[i].rules;
    }
    for (int attempt = 0; e == ERR_SPACE && attempt < 6; attempt++) {
        *b = (struct build){.config = config};
        sink->fd = fd;
        sink->start = sink->len = 0;
        if (attempt == 0) {
            (void)choose_passes(config, &cc);
        } else if (cc.passes < PASSES_MAX && attempt == 1) {
            cc.passes *= 2;
        } else {
            cc.rules_max = cc.rules_max < UINT32_MAX / 2 ? cc.rules_max * 2 : UINT32_MAX;
        }
        if (ftruncate(fd, 0) != 0) {
            e = ERR_IO;
            break;
        }
        e = build_once(b, &cc, sources, count, bad, &size);
    }
    if (e == ERR_OK) {
        e = sink_flush(sink);
    }
    free(b);
    free(sink);
    return e == ERR_OK && ftruncate(fd, (off_t)size) != 0 ? ERR_IO : e;
}

static void ids_of(const struct build_source *sources, uint32_t count, uint32_t ids[LISTS_MAX])
{
    for (uint32_t i = 0; i < count; i++) {
        ids[i] = sources[i].id;
    }
}

/* Saved and in force. ERR_IO: the disk did not take it. */
static enum err build_saved(const struct build_config *config, const struct build_source *sources, uint32_t count,
                            struct list_image **out, uint32_t *bad)
{
    struct store_file *f;
    uint32_t ids[LISTS_MAX];
    if (store_begin(config->store, LIST_IMAGE_NAME, &f) != ERR_OK) {
        return ERR_IO;
    }
    ids_of(sources, count, ids);
    enum err e = build_into(config, sources, count, store_fd(f), bad);
    if (e == ERR_OK) {
        e = list_image_from_fd(store_fd(f), ids, count, out);
    }
    if (e != ERR_OK) {
        store_abort(f);
        return e;
    }
    /* The mapping stays good even if the file cannot be put in place: it is then a file without a name. */
    if (store_commit(f) == ERR_OK) {
        list_index_save(config->store, *out, config->fingerprint, count);
    } else {
        log_warning(LISTS, "the compiled lists cannot be saved (%s); they are in force and will be compiled anew at the next start",
                    strerror(errno));
    }
    return ERR_OK;
}

static enum err build_in_memory(const struct build_config *config, const struct build_source *sources, uint32_t count,
                                struct list_image **out, uint32_t *bad)
{
    uint32_t ids[LISTS_MAX];
    int fd = memfd_create("blocklist", MFD_CLOEXEC);
    if (fd < 0) {
        return ERR_MEMORY;
    }
    ids_of(sources, count, ids);
    enum err e = build_into(config, sources, count, fd, bad);
    if (e == ERR_OK) {
        e = list_image_from_fd(fd, ids, count, out);
    }
    close(fd);
    return e;
}

enum err list_build(const struct build_config *config, const struct build_source *sources, uint32_t count,
                    struct list_image **out, uint32_t *bad)
{
    enum err e = ERR_IO;
    if (config->store) {
        e = build_saved(config, sources, count, out, bad);
    }
    if (e == ERR_IO) {
        e = build_in_memory(config, sources, count, out, bad);
    }
    return e;
}
