/*
 * From texts, and from the image in force, to a new image. The work is plain code that lets the
 * network go on every few milliseconds; nothing else changes the image meanwhile. If memory is
 * short the compiler does it in several passes, for each of which everything is read again.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/aarch64/cpu.h"
#include "base/log.h"
#include "blocklist/compile.h"
#include "drivers/block.h"
#include "engine.h"
#include "lib/heap.h"
#include "lib/wallclock.h"
#include "lists_int.h"
#include "starter.h"

enum {
    PIECE = 16384, /* octets of text between two looks at the clock */
    PUMP_EVERY_US = 2000,
    WALK_EVERY = 64, /* rules between two looks at the clock */
    PASSES_MAX = 64,
    ATTEMPTS = 4,
    IMAGE_PER_RULE = 14,    /* a first guess; it grows */
    SCRATCH_AIM = 40 << 20, /* more passes rather than more memory, and no pass is long */
    IMAGE_SPARE = 65536
};

struct sink {
    uint8_t *mem;
    size_t cap, used;
};

struct build {
    struct list_entry *const *entry;
    uint32_t count;
    struct bl_compile *compile;
    struct bl_feed *feed;
    struct bl_parser parser;
    struct sink sink;
    usec_t pumped;
    /* Reading back a list of the image in force. */
    unsigned slot;
    uint32_t walked;
};

/* ---- time ---- */

static void breathe(struct build *b)
{
    usec_t waited = clock_now() - b->pumped;
    if (waited < PUMP_EVERY_US) {
        return;
    }
    if (waited > lists.gauges.stall_us) {
        lists.gauges.stall_us = waited;
    }
    lists.pump();
    b->pumped = clock_now();
}

/* The compiler calls now and then, whatever the lists are like. */
static void compiler_pauses(void *ctx, uint32_t steps)
{
    (void)steps;
    breathe(ctx);
}

/* ---- the image ---- */

static enum err sink_write(void *ctx, uint64_t offset, const void *data, size_t len)
{
    struct build *b = ctx;
    struct sink *s = &b->sink;
    size_t end = (size_t)offset + len;
    if (end > s->cap) {
        size_t cap = end + end / 4 + IMAGE_SPARE;
        uint8_t *more = realloc(s->mem, cap);
        if (!more) {
            return ERR_SPACE;
        }
        s->mem = more;
        s->cap = cap;
    }
    memcpy(s->mem + offset, data, len);
    s->used = end > s->used ? end : s->used;
    return ERR_OK;
}

/* ---- the sources ---- */

static void take_rule(void *ctx, const struct bl_rule *rule)
{
    struct build *b = ctx;
    bl_feed_rule(b->feed, rule);
}

static bool take_pattern(void *ctx, struct span pattern, uint8_t rank, uint32_t line)
{
    struct build *b = ctx;
    return bl_feed_pattern(b->feed, pattern, rank, line);
}

static bool parse_piece(void *ctx, struct span text)
{
    struct build *b = ctx;
    enum err e = bl_parse_feed(&b->parser, text.ptr, text.len);
    breathe(b);
    return e == ERR_OK;
}

/* Texts lie as they came, which is in gzip if the server could do that; they are unpacked for each
 * pass. */
static void feed_text(struct build *b, const struct list_entry *from, const uint8_t *text,
                      size_t len)
{
    struct bl_parse_config cfg = {.format = from->format,
                                  .as_allow = from->shown.allow,
                                  .ctx = b,
                                  .rule = take_rule,
                                  .regex = take_pattern};
    struct decoder *d = NULL;
    bl_parse_init(&b->parser, &cfg);
    enum err e = decode_open(DECODE_SNIFF, UINT64_MAX, parse_piece, b, &d);
    for (size_t at = 0; at < len && e == ERR_OK; at += PIECE) {
        e = decode_feed(d, span_of(text + at, len - at < PIECE ? len - at : PIECE));
    }
    e = e == ERR_OK ? decode_finish(d) : e;
    e = e == ERR_OK ? bl_parse_end(&b->parser) : e;
    decode_close(d);
    if (e != ERR_OK) { /* it was judged before */
        log_error(LISTS, "%s: %s", from->shown.url, err_text(e));
    }
    bl_feed_list_end(b->feed, b->parser.stats.rejected, b->parser.stats.lines);
}

static bool read_back(void *ctx, const struct bl_image_rule *rule)
{
    struct build *b = ctx;
    struct bl_source source[API_MATCHES_MAX];
    size_t n = bl_image_sources(engine_image(), rule->rule, source, ARRAY_LEN(source));
    for (size_t i = 0; i < n && i < ARRAY_LEN(source); i++) {
        if (source[i].list == b->slot) {
            struct bl_rule r = {.name = rule->name,
                                .kind = source[i].kind,
                                .rank = source[i].rank,
                                .line = source[i].line};
            bl_feed_rule(b->feed, &r);
        }
    }
    if (++b->walked % WALK_EVERY == 0) {
        breathe(b);
    }
    return true;
}

static void read_back_patterns(struct build *b)
{
    struct bl_pattern p;
    for (uint32_t cursor = 0; bl_image_pattern(engine_image(), &cursor, &p);) {
        if (p.list == b->slot && !bl_feed_pattern(b->feed, p.text, p.rank, p.line)) {
            return; /* there is no room for more */
        }
    }
}

static enum err feed_old(struct build *b, int slot)
{
    struct bl_list_info info;
    bl_image_list(engine_image(), (unsigned)slot, &info);
    b->slot = (unsigned)slot;
    enum err e = bl_image_walk(engine_image(), read_back, b);
    read_back_patterns(b);
    bl_feed_list_end(b->feed, info.rejected, info.lines);
    return e;
}

static enum err feed(struct build *b, unsigned slot)
{
    const struct list_entry *e = b->entry[slot];
    int old = engine_list_slot(e->shown.id);
    bl_feed_list(b->feed, slot, span_str(e->shown.name), span_str(e->shown.url));
    if (e->builtin) {
        feed_text(b, e, starter_list, starter_list_len);
    } else if (e->stage == LIST_FRESH) {
        feed_text(b, e, e->text, e->len);
    } else if (old >= 0) {
        return feed_old(b, old);
    } else {
        bl_feed_list_end(b->feed, 0, 0);
    }
    return ERR_OK;
}

static uint32_t count_rules(const struct build *b)
{
    uint64_t rules = 1024;
    for (uint32_t i = 0; i < b->count; i++) {
        rules +=
            b->entry[i]->builtin ? 4096 : b->entry[i]->shown.rules + b->entry[i]->shown.duplicates;
    }
    return rules < UINT32_MAX ? (uint32_t)rules : UINT32_MAX;
}

static enum err attempt(struct build *b, struct bl_compile_config *cc, uint64_t *size)
{
    size_t len = bl_compile_memory(cc);
    void *mem = malloc(len);
    b->sink.used = 0;
    if (!mem) {
        return ERR_MEMORY;
    }
    lists.gauges.scratch_octets = len;
    lists.gauges.in_build = len + b->sink.cap;
    lists.gauges.passes = cc->passes;
    enum err e = bl_compile_init(&b->compile, mem, len, cc);
    b->feed = e == ERR_OK ? bl_compile_feed(b->compile, 0) : NULL;
    while (e == ERR_OK) {
        for (uint32_t i = 0; i < b->count && e == ERR_OK; i++) {
            e = feed(b, i);
        }
        if (e != ERR_OK || !bl_compile_pass(b->compile)) {
            break;
        }
    }
    e = e == ERR_OK ? bl_compile_finish(b->compile, size) : e;
    free(mem);
    return e;
}

/* As few passes as memory allows, and more after each failure for want of it. */
static enum err compile(struct build *b, uint64_t *size)
{
    struct bl_compile_config cc = {.rules_max = count_rules(b),
                                   .passes = 1,
                                   .built_unix =
                                       (uint64_t)(wallclock_unix_us() / (int64_t)USEC_PER_SEC),
                                   .sink = {sink_write, b},
                                   .pause = {compiler_pauses, b}};
    enum err e = ERR_SPACE;
    b->sink.cap = IMAGE_SPARE + (size_t)cc.rules_max * IMAGE_PER_RULE;
    b->sink.mem = malloc(b->sink.cap);
    if (!b->sink.mem) {
        return ERR_MEMORY;
    }
    size_t room = heap_largest() / 2 < SCRATCH_AIM ? heap_largest() / 2 : SCRATCH_AIM;
    while (cc.passes < PASSES_MAX && bl_compile_memory(&cc) > room) {
        cc.passes *= 2;
    }
    for (int i = 0; i < ATTEMPTS && (e == ERR_SPACE || e == ERR_MEMORY); i++) {
        e = attempt(b, &cc, size);
        log_debug(LISTS, "compiled %u rules in %u passes with %u KiB: %s", cc.rules_max, cc.passes,
                  (unsigned)(lists.gauges.scratch_octets / 1024), err_text(e));
        if (e == ERR_SPACE) {
            cc.rules_max *= 2; /* longer names than usual: more scratch for as many rules */
        }
        cc.passes = cc.passes < PASSES_MAX ? cc.passes * 2 : cc.passes;
    }
    return e;
}

/* ---- taking over ---- */

static void tell(struct list_entry *e, unsigned slot)
{
    struct bl_list_info info;
    bl_image_list(engine_image(), slot, &info);
    e->shown.rules = info.rules;
    e->shown.duplicates = info.duplicates;
    if (e->stage == LIST_FRESH) {
        memcpy(e->etag, e->new_etag, sizeof e->etag);
        memcpy(e->modified, e->new_modified, sizeof e->modified);
        e->shown.status = API_LIST_UPDATED;
        e->shown.updated_unix = wallclock_unix_us() / (int64_t)USEC_PER_SEC;
        e->stage = LIST_REST;
    }
}

static void breathe_in_build(void *ctx)
{
    breathe(ctx);
}

static enum err take_over(struct build *b, uint64_t size)
{
    uint32_t ids[BL_LISTS_MAX];
    for (uint32_t i = 0; i < b->count; i++) {
        ids[i] = b->entry[i]->shown.id;
    }
    /* Whole sectors, as it may go to a card. */
    size_t room = ((size_t)size + BLOCK_SECTOR - 1) / BLOCK_SECTOR * BLOCK_SECTOR;
    uint8_t *exact = realloc(b->sink.mem, room);
    b->sink.mem = exact ? exact : b->sink.mem;
    struct span octets = span_of(b->sink.mem, (size_t)size);
    enum err e = engine_try_patterns(octets, breathe_in_build, b);
    e = e == ERR_OK ? engine_set_image(octets, true, ids, b->count) : e;
    if (e != ERR_OK) {
        return e;
    }
    bool stand_in = b->count > 0 && b->entry[b->count - 1]->stand_in;
    if (lists.built && !stand_in) {
        lists.built(span_of(b->sink.mem, (size_t)size));
    }
    b->sink.mem = NULL; /* the engine's now */
    for (uint32_t i = 0; i < b->count; i++) {
        tell(b->entry[i], i);
    }
    return ERR_OK;
}

enum err lists_compile_aside(struct list_entry *e, struct span *out)
{
    struct list_entry *const entry[] = {e};
    struct build *b = calloc(1, sizeof *b);
    uint64_t size = 0;
    if (!b) {
        return ERR_MEMORY;
    }
    b->entry = entry;
    b->count = 1;
    b->pumped = clock_now();
    enum err err = compile(b, &size);
    if (err == ERR_OK) {
        *out = span_of(b->sink.mem, (size_t)size);
    } else {
        free(b->sink.mem);
    }
    free(b);
    list_entry_drop_text(e);
    lists.gauges.in_build = 0;
    return err;
}

enum err lists_build(struct list_entry *const *entry, uint32_t count)
{
    struct build *b = calloc(1, sizeof *b);
    uint64_t size = 0;
    usec_t started = clock_now();
    if (!b) {
        return ERR_MEMORY;
    }
    b->entry = entry;
    b->count = count;
    b->pumped = started;
    enum err e = compile(b, &size);
    e = e == ERR_OK ? take_over(b, size) : e;
    for (uint32_t i = 0; i < count; i++) {
        list_entry_drop_text(entry[i]);
    }
    free(b->sink.mem);
    free(b);
    lists.gauges.builds += e == ERR_OK;
    lists.gauges.failed_builds += e != ERR_OK;
    lists.gauges.last_build_us = clock_now() - started;
    lists.gauges.in_build = 0;
    if (e == ERR_OK) {
        log_info(LISTS, "%u rules in force from %u lists, compiled in %u ms to %u KiB",
                 engine_rules(), count, (unsigned)(lists.gauges.last_build_us / USEC_PER_MSEC),
                 (unsigned)(size / 1024));
    }
    return e;
}
