/*
 * From text to a usable image: reading lists of each format, building, opening, and the memory that
 * takes. Baselines: one memchr per line over the same text, and the names put into a hash set as a
 * program without the trie would.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "blocklist/compile.h"
#include "blocklist/parse.h"
#include "dns/suffix.h"
#include "host/crew.h"
#include "lists.h"
#include "measure.h"

static struct bl_parser parser;

struct text {
    char *p;
    size_t len, lines;
};

static void count_rule(void *ctx, const struct bl_rule *rule)
{
    *(uint64_t *)ctx += rule->name.len;
}

static uint64_t parse_all(void *context, size_t count)
{
    struct text *t = context;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        bl_parse_init(&parser, &(struct bl_parse_config){.ctx = &sum, .rule = count_rule});
        if (bl_parse_feed(&parser, t->p, t->len) != ERR_OK || bl_parse_end(&parser) != ERR_OK) {
            exit(1);
        }
    }
    return sum;
}

static uint64_t find_lines(void *context, size_t count)
{
    struct text *t = context;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        const char *p = t->p, *end = p + t->len;
        while ((p = memchr(p, '\n', (size_t)(end - p)))) {
            sum += (uintptr_t)p++;
        }
    }
    return sum;
}

/* The rules as lines of a list, in an order as published: of the names' text. */
static struct text make_text(const struct bench_rules *rules, const char *before, const char *after)
{
    struct text t = {.p = bench_alloc(rules->wire_len + rules->count * 32)};
    for (size_t i = 0; i < rules->count; i++) {
        const uint8_t *w = rules->wire + rules->wire_at[i];
        size_t n = strlen(before);
        memcpy(t.p + t.len, before, n);
        t.len += n;
        for (; *w; w += *w + 1) {
            memcpy(t.p + t.len, w + 1, *w);
            t.len += *w;
            t.p[t.len++] = '.';
        }
        t.len--;
        n = strlen(after);
        memcpy(t.p + t.len, after, n);
        t.len += n;
        t.lines++;
    }
    return t;
}

static void bench_formats(const struct bench_rules *rules)
{
    static const struct {
        const char *what, *before, *after;
    } rows[] = {
        {"hosts", "0.0.0.0 ", "\n"},
        {"hosts, CR LF and tabs", "127.0.0.1\t", "\r\n"},
        {"domains", "", "\n"},
        {"wildcard", "*.", "\n"},
        {"Adblock", "||", "^\n"},
        {"dnsmasq", "local=/", "/\n"},
        {"unbound", "local-zone: \"", ".\" always_null\n"},
        {"RPZ", "", " CNAME .\n"},
    };
    (void)puts("| reading a list | ns a line | MB/s | × finding line ends |\n|---|---|---|---|");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct text t = make_text(rules, rows[i].before, rows[i].after);
        double ns = measure_ns(parse_all, &t, 1), least = measure_ns(find_lines, &t, 1);
        (void)printf("| %s | %.1f | %.0f | %.1f |\n", rows[i].what, ns / (double)t.lines,
                     (double)t.len / ns * 1000, ns / least);
        free(t.p);
    }
}

#define THREADS 2

struct build {
    struct text text;
    size_t part[THREADS + 1]; /* lists of the text: a thread reads one */
    struct bl_compile *c;
    struct crew *crew; /* NULL: one list and one thread */
    struct bl_sink_memory to;
    struct bl_compile_config cfg;
    void *scratch;
    size_t scratch_len, peak;
};

static void feed(void *ctx, const struct bl_rule *rule)
{
    bl_feed_rule(ctx, rule);
}

static void read_list(void *arg, unsigned k)
{
    static struct bl_parser parsers[THREADS];
    struct build *b = arg;
    struct bl_parser *p = &parsers[k];
    struct bl_feed *f = bl_compile_feed(b->c, k);
    bl_feed_list(f, k, span_str("bench"), span_str(""));
    bl_parse_init(p, &(struct bl_parse_config){.ctx = f, .rule = feed});
    if (bl_parse_feed(p, b->text.p + b->part[k], b->part[k + 1] - b->part[k]) != ERR_OK ||
        bl_parse_end(p) != ERR_OK) {
        exit(1);
    }
    bl_feed_list_end(f, 0, p->stats.lines);
}

static uint64_t build(void *context, size_t count)
{
    struct build *b = context;
    uint64_t size = 0;
    for (size_t i = 0; i < count; i++) {
        b->to.used = 0;
        if (bl_compile_init(&b->c, b->scratch, b->scratch_len, &b->cfg) != ERR_OK) {
            exit(1);
        }
        do {
            if (b->crew) {
                crew_run(b->crew, read_list, b, THREADS);
            } else {
                read_list(b, 0);
            }
        } while (bl_compile_pass(b->c));
        if (bl_compile_finish(b->c, &size) != ERR_OK) {
            exit(1);
        }
        b->peak = bl_compile_peak(b->c);
    }
    return size;
}

static uint64_t open_image(void *context, size_t count)
{
    struct build *b = context;
    struct bl_image image;
    for (size_t i = 0; i < count; i++) {
        if (bl_image_open(b->to.mem, b->to.used, &image) != ERR_OK) {
            exit(1);
        }
    }
    return image.rule_count;
}

/* The names of a hosts file into a hash set that keeps the octets: what is left out is all that
 * makes look-ups below a name work. */
struct set {
    uint8_t *octets;
    uint32_t *slots;
    size_t len, mask, count;
};

static void set_rule(void *ctx, const struct bl_rule *rule)
{
    struct set *s = ctx;
    struct dns_suffixes h;
    dns_suffixes_make(&rule->name, &h);
    size_t slot = (size_t)h.hash[0] & s->mask;
    for (; s->slots[slot]; slot = (slot + 1) & s->mask) {
        const uint8_t *w = s->octets + s->slots[slot] - 1;
        if (*w == rule->name.len && memcmp(w + 1, rule->name.wire, *w) == 0) {
            return;
        }
    }
    s->slots[slot] = (uint32_t)s->len + 1;
    s->octets[s->len++] = rule->name.len;
    memcpy(s->octets + s->len, rule->name.wire, rule->name.len);
    s->len += rule->name.len;
    s->count++;
}

static uint64_t build_set(void *context, size_t count)
{
    struct text *t = context;
    struct set s = {.mask = 1};
    while (s.mask < t->lines * 2) {
        s.mask = s.mask * 2 + 1;
    }
    for (size_t i = 0; i < count; i++) {
        s.octets = bench_alloc(t->len * 2);
        s.slots = calloc(s.mask + 1, sizeof *s.slots);
        s.len = s.count = 0;
        bl_parse_init(&parser, &(struct bl_parse_config){.ctx = &s, .rule = set_rule});
        if (!s.slots || bl_parse_feed(&parser, t->p, t->len) != ERR_OK ||
            bl_parse_end(&parser) != ERR_OK) {
            exit(1);
        }
        free(s.octets);
        free(s.slots);
    }
    return s.count;
}

static void build_row(struct build *b, unsigned passes, double million, double base)
{
    b->cfg = (struct bl_compile_config){
        .rules_max = (uint32_t)b->text.lines,
        .passes = passes,
        .sink = {bl_sink_memory_write, &b->to},
        .jobs = b->crew ? (struct bl_jobs){crew_run, b->crew, THREADS} : (struct bl_jobs){0}};
    b->scratch_len = bl_compile_memory(&b->cfg);
    b->scratch = bench_alloc(b->scratch_len);
    double ms = measure_ns(build, b, 1) / 1e6 / million;
    (void)printf("| %u pass%s%s | %.1f | %.2f | %.1f MB | %.1f | %.1f MB |\n", passes,
                 passes > 1 ? "es" : "", b->crew ? ", two lists on two threads" : "", ms, ms / base,
                 (double)b->peak / 1e6, (double)b->peak / (double)b->text.lines,
                 (double)b->to.used / 1e6);
    free(b->scratch);
}

static void bench_build(const struct bench_rules *rules)
{
    struct build b = {.text = make_text(rules, "0.0.0.0 ", "\n")};
    double million = (double)b.text.lines / 1e6;
    b.to.cap = b.text.len + (1 << 20);
    b.to.mem = bench_alloc(b.to.cap);
    double base = measure_ns(build_set, &b.text, 1) / 1e6 / million;
    double read = measure_ns(parse_all, &b.text, 1) / 1e6 / million;
    (void)printf("\n%zu names of a hosts file; reading alone %.1f ms a million, into a plain hash "
                 "set %.1f ms a million\n\n",
                 b.text.lines, read, base);
    (void)puts("| text to image | ms a million names | × hash set | scratch in use | scratch a "
               "rule | image |\n|---|---|---|---|---|---|");
    b.part[1] = b.text.len;
    for (unsigned passes = 1; passes <= 16; passes *= 2) {
        build_row(&b, passes, million, base);
    }
    b.part[1] =
        (size_t)((char *)memchr(b.text.p + b.text.len / 2, '\n', b.text.len / 2) - b.text.p) + 1;
    b.part[2] = b.text.len;
    b.crew = crew_new(THREADS);
    for (unsigned passes = 1; passes <= 4; passes *= 2) {
        build_row(&b, passes, million, base);
    }
    crew_free(b.crew);
    double open = measure_ns(open_image, &b, 1) / 1e6;
    (void)printf("\nverify and open: %.2f ms, %.2f ms a million names\n", open, open / million);
}

int main(void)
{
    struct bench_rules rules = bench_rules_load();
    bench_formats(&rules);
    bench_build(&rules);
    return 0;
}
