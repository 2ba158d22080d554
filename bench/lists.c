/*
 * Names and images for the benches of the blocklist.
 */
#include "lists.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>

#include "blocklist/compile.h"
#include "blocklist/parse.h"
#include "dns/name.h"

enum { MADE_UP = 500000, HUGE = 2 << 20 };

uint64_t bench_random(void)
{
    static uint64_t x = UINT64_C(0x2545f4914f6cdd1d);
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

void *bench_alloc(size_t len)
{
    bool huge = len >= HUGE;
    (void)mallopt(M_MMAP_THRESHOLD,
                  1 << 20); /* large blocks are fresh and zeroed, as the daemon's */
    void *p = huge ? aligned_alloc(HUGE, (len + HUGE - 1) / HUGE * HUGE) : malloc(len);
    if (!p) {
        (void)fputs("no memory\n", stderr);
        exit(1);
    }
    if (huge) {
        (void)madvise(p, len, MADV_HUGEPAGE); /* as the daemon does */
    }
    return p;
}

char *bench_file(const char *path, size_t *len)
{
    const char *shared = getenv("SINKHOLE_SHARED");
    char full[512];
    (void)snprintf(full, sizeof full, "%s/data/%s", shared ? shared : "../shared", path);
    gzFile f = gzopen(full, "rb");
    if (!f) {
        return NULL;
    }
    size_t cap = (size_t)64 << 20, used = 0;
    char *text = bench_alloc(cap);
    int n;
    while ((n = gzread(f, text + used, 1 << 20)) > 0 && cap - used > (2 << 20)) {
        used += (size_t)n;
    }
    gzclose(f);
    text[used] = '\0';
    *len = used;
    return text;
}

/* Letters as they follow each other in names, more or less: consonant, vowel. */
static size_t made_up_label(char *out, unsigned most)
{
    size_t n = 3 + bench_random() % most;
    for (size_t i = 0; i < n; i++) {
        out[i] = i % 2 ? "aeiou"[bench_random() % 5] : "bcdfghklmnprstvz"[bench_random() % 16];
    }
    return n;
}

static size_t made_up_name(char *out)
{
    static const char *const tlds[] = {"com", "com", "com", "net", "org", "de", "info", "xyz"};
    size_t len = 0;
    if (bench_random() % 2) {
        len = made_up_label(out, 6);
        out[len++] = '.';
    }
    len += made_up_label(out + len, 14);
    const char *tld = tlds[bench_random() % 8];
    size_t n = strlen(tld);
    out[len++] = '.';
    memcpy(out + len, tld, n);
    return len + n;
}

static void take_name(struct bench_rules *r, const char *text, size_t len, unsigned kind,
                      unsigned rank)
{
    struct dns_name name;
    if (dns_name_parse(span_of(text, len), &name) != ERR_OK) {
        return;
    }
    r->wire_at[r->count] = (uint32_t)r->wire_len;
    r->kind[r->count] = (uint8_t)kind;
    r->rank[r->count++] = (uint8_t)rank;
    memcpy(r->wire + r->wire_len, name.wire, name.len);
    r->wire_len += name.len;
}

struct bench_rules bench_rules_load(void)
{
    size_t len, cap = MADE_UP;
    char *text = bench_file("expected/set-std.rules.gz", &len);
    for (size_t i = 0; text && i < len; i++) {
        cap += text[i] == '\n';
    }
    struct bench_rules r = {.wire_at = bench_alloc(cap * 4),
                            .kind = bench_alloc(cap),
                            .rank = bench_alloc(cap),
                            .wire = bench_alloc(cap * 40)};
    r.real = text != NULL;
    for (char *p = text; p && *p;) {
        char *tab = strchr(p, '\t'), *end = strchr(p, '\n');
        unsigned rank = tab[1] == '@' ? 1 : tab[1] == '!' ? 2 : 0;
        unsigned kind = end[-1] == 'E' ? BL_EXACT : end[-2] == 'E' ? BL_BOTH : BL_BELOW;
        take_name(&r, p, (size_t)(tab - p), kind, rank);
        p = end + 1;
    }
    free(text);
    for (size_t i = 0; !r.real && i < MADE_UP; i++) {
        char name[64];
        size_t n = made_up_name(name);
        take_name(&r, name, n, i % 2 ? BL_EXACT : BL_BOTH, 0);
    }
    return r;
}

static void add_name(struct bench_names *n, const uint8_t *wire, size_t len)
{
    uint32_t at = n->at[n->count];
    memcpy(n->wire + at, wire, len);
    n->at[++n->count] = at + (uint32_t)len;
}

static struct bench_names names_new(size_t count)
{
    struct bench_names n = {.at = bench_alloc((count + 1) * 4),
                            .wire = bench_alloc(count * 64 + 1024)};
    n.at[0] = 0;
    return n;
}

static size_t wire_len(const uint8_t *wire)
{
    size_t n = 0;
    while (wire[n]) {
        n += wire[n] + 1u;
    }
    return n + 1;
}

struct bench_names bench_names_listed(const struct bench_rules *rules, size_t count)
{
    struct bench_names n = names_new(count);
    while (n.count < count) {
        size_t i = bench_random() % rules->count;
        const uint8_t *wire = rules->wire + rules->wire_at[i];
        if (rules->rank[i] == 0 && (rules->kind[i] & BL_EXACT) && wire_len(wire) <= 60) {
            add_name(&n, wire, wire_len(wire));
        }
    }
    return n;
}

struct bench_names bench_names_deep(const struct bench_rules *rules, size_t count)
{
    struct bench_names n = names_new(count);
    while (n.count < count) {
        size_t i = bench_random() % rules->count;
        const uint8_t *wire = rules->wire + rules->wire_at[i];
        const uint8_t *parent = wire + wire[0] + 1;
        uint8_t name[DNS_NAME_MAX];
        if (wire_len(wire) > 40 || wire_len(parent) < 6 || parent[parent[0] + 1] == 0) {
            continue; /* of at least three labels */
        }
        name[0] = (uint8_t)made_up_label((char *)name + 1, 6);
        memcpy(name + name[0] + 1, parent, wire_len(parent));
        add_name(&n, name, name[0] + 1u + wire_len(parent));
    }
    return n;
}

struct bench_names bench_names_benign(size_t count)
{
    size_t len;
    char *text = bench_file("queries/benign-50k.txt.gz", &len);
    struct bench_names n = names_new(count);
    while (n.count < count) {
        struct dns_name name;
        char made[64];
        const char *p = made;
        size_t size;
        if (text) {
            p = text + bench_random() % (len - 300);
            p = strchr(p, '\n') + 1;
            size = strcspn(p, " \n");
        } else {
            size = made_up_name(made);
        }
        if (dns_name_parse(span_of(p, size), &name) == ERR_OK && name.len <= 60) {
            add_name(&n, name.wire, name.len);
        }
    }
    free(text);
    return n;
}

struct bl_image bench_image(const struct bench_rules *rules, unsigned passes)
{
    struct bl_sink_memory to = {.cap = rules->count * 40 + (1 << 20)};
    struct bl_compile_config cfg = {
        .rules_max = (uint32_t)rules->count, .passes = passes, .sink = {bl_sink_memory_write, &to}};
    size_t scratch_len = bl_compile_memory(&cfg);
    void *scratch = bench_alloc(scratch_len);
    struct bl_compile *c;
    struct bl_image image;
    uint64_t size;
    to.mem = bench_alloc(to.cap);
    enum err e = bl_compile_init(&c, scratch, scratch_len, &cfg);
    if (e == ERR_OK) {
        struct bl_feed *f = bl_compile_feed(c, 0);
        do {
            bl_feed_list(f, 0, span_str("bench"), span_str(""));
            for (size_t i = 0; i < rules->count; i++) {
                struct bl_rule rule = {
                    .kind = rules->kind[i], .rank = rules->rank[i], .line = (uint32_t)i + 1};
                const uint8_t *wire = rules->wire + rules->wire_at[i];
                if (dns_name_from_wire(wire, wire_len(wire), &rule.name) == ERR_OK) {
                    bl_feed_rule(f, &rule);
                }
            }
            bl_feed_list_end(f, 0, (uint32_t)rules->count);
        } while (bl_compile_pass(c));
        e = bl_compile_finish(c, &size);
    }
    e = e == ERR_OK ? bl_image_open(to.mem, (size_t)size, &image) : e;
    if (e != ERR_OK) {
        (void)fprintf(stderr, "no image: %s\n", err_text(e));
        exit(1);
    }
    free(scratch);
    return image;
}
