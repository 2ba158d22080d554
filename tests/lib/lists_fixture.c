/*
 * Lists for tests.
 */
#include "lists_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what)
{
    fprintf(stderr, "lists fixture: %s\n", what);
    abort();
}

static void *must(void *p)
{
    if (!p) {
        die("no memory");
    }
    return p;
}

struct dns_name fixture_name(const char *text)
{
    struct dns_name n;
    if (dns_name_parse(span_str(text), &n) != ERR_OK) {
        die(text);
    }
    return n;
}

void rules_add_rule(struct fixture_rules *rules, unsigned list, const struct bl_rule *rule)
{
    if (rules->count == rules->cap) {
        rules->cap = rules->cap ? rules->cap * 2 : 16;
        rules->rule = must(realloc(rules->rule, rules->cap * sizeof *rules->rule));
    }
    struct fixture_rule *r = &rules->rule[rules->count++];
    r->list = (uint8_t)list;
    r->rule.kind = rule->kind;
    r->rule.rank = rule->rank;
    r->rule.line = rule->line;
    r->rule.text = NULL;
    dns_name_copy(&r->rule.name, &rule->name);
}

void rules_add(struct fixture_rules *rules, unsigned list, const char *name, unsigned kind,
               unsigned rank, uint32_t line)
{
    struct bl_rule rule = {
        .name = fixture_name(name), .kind = (uint8_t)kind, .rank = (uint8_t)rank, .line = line};
    rules_add_rule(rules, list, &rule);
}

void fixture_rules_free(struct fixture_rules *rules)
{
    free(rules->rule);
    *rules = (struct fixture_rules){0};
}

static void keep(void *ctx, const struct bl_rule *rule)
{
    rules_add_rule(ctx, 0, rule);
}

void parsed_make(struct parsed *out, enum bl_format format, struct span text, size_t piece,
                 size_t (*idna)(void *, struct span, char *, size_t))
{
    static struct bl_parser p;
    struct bl_parse_config cfg = {.format = format, .ctx = &out->rules, .rule = keep, .idna = idna};
    *out = (struct parsed){.err = ERR_OK};
    bl_parse_init(&p, &cfg);
    for (size_t at = 0; at < text.len && out->err == ERR_OK;) {
        size_t n = piece && piece < text.len - at ? piece : text.len - at;
        uint8_t *exact = must(malloc(n)); /* so that a sanitizer sees reads past the piece */
        memcpy(exact, text.ptr + at, n);
        out->err = bl_parse_feed(&p, exact, n);
        free(exact);
        at += n;
    }
    enum err e = bl_parse_end(&p);
    if (out->err == ERR_OK) {
        out->err = e;
    }
    out->stats = p.stats;
}

void parsed_free(struct parsed *p)
{
    fixture_rules_free(&p->rules);
}

void rules_format(const struct fixture_rules *rules, char *out, size_t cap)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < rules->count; i++) {
        const struct bl_rule *r = &rules->rule[i].rule;
        char name[DNS_NAME_TEXT];
        dns_name_format(&r->name, name);
        int n = snprintf(out + len, cap - len, "%s%s %s%s%s%s", i ? "; " : "", name,
                         r->rank & 1 ? "@" : "", r->rank >= 2 ? "!" : "",
                         r->kind & BL_EXACT ? "E" : "", r->kind & BL_BELOW ? "S" : "");
        if (n < 0 || (size_t)n >= cap - len) {
            die("dump is too long");
        }
        len += (size_t)n;
    }
}

struct feeding {
    struct bl_compile *c;
    const struct fixture_rules *rules;
    unsigned feeds;
};

/* What feed k gets: the first lists go to the first feed, and so on. */
static void feed_rules(void *arg, unsigned k)
{
    const struct feeding *f = arg;
    struct bl_feed *feed = bl_compile_feed(f->c, k);
    int list = -1;
    for (size_t i = 0; i < f->rules->count; i++) {
        const struct fixture_rule *r = &f->rules->rule[i];
        if (r->list * f->feeds / BL_LISTS_MAX != k) {
            continue;
        }
        if (r->list != list) {
            char name[16], url[40];
            if (list >= 0) {
                bl_feed_list_end(feed, 7, 1000);
            }
            list = r->list;
            snprintf(name, sizeof name, "list %d", list);
            snprintf(url, sizeof url, "https://lists.example/%d", list);
            bl_feed_list(feed, (unsigned)list, span_str(name), span_str(url));
        }
        bl_feed_rule(feed, &r->rule);
    }
    if (list >= 0) {
        bl_feed_list_end(feed, 7, 1000);
    }
}

static void feed_all(struct feeding *f, const struct bl_jobs *jobs)
{
    if (jobs->run) {
        jobs->run(jobs->ctx, feed_rules, f, f->feeds);
    } else {
        feed_rules(f, 0);
    }
}

enum err built_with(struct built *out, const struct fixture_rules *rules, size_t memory,
                    const struct bl_compile_config *how)
{
    struct bl_sink_memory to = {.cap = 65536 + rules->count * 400};
    struct bl_compile_config cfg = *how;
    cfg.rules_max = (uint32_t)rules->count;
    cfg.built_unix = 1767225600;
    cfg.sink = (struct bl_sink){bl_sink_memory_write, &to};
    size_t len = memory ? memory : bl_compile_memory(&cfg);
    void *scratch = must(malloc(len));
    struct bl_compile *c;
    uint64_t size = 0;
    memset(scratch, 0xa5, len);
    *out = (struct built){0};
    to.mem = must(malloc(to.cap));
    enum err e = bl_compile_init(&c, scratch, len, &cfg);
    if (e == ERR_OK) {
        do {
            feed_all(&(struct feeding){c, rules, cfg.jobs.run ? cfg.jobs.threads : 1}, &cfg.jobs);
        } while (bl_compile_pass(c));
        e = bl_compile_finish(c, &size);
        out->scratch_peak = bl_compile_peak(c);
    }
    if (e == ERR_OK) {
        out->mem = must(malloc(size)); /* exactly, for the sanitizer */
        memcpy(out->mem, to.mem, size);
        out->len = size;
        e = bl_image_open(out->mem, out->len, &out->image);
    }
    free(scratch);
    free(to.mem);
    if (e != ERR_OK) {
        built_free(out);
    }
    return e;
}

enum err built_try(struct built *out, const struct fixture_rules *rules, unsigned passes,
                   size_t memory)
{
    return built_with(out, rules, memory, &(struct bl_compile_config){.passes = passes});
}

void built_make(struct built *out, const struct fixture_rules *rules, unsigned passes)
{
    enum err e = built_try(out, rules, passes, 0);
    if (e != ERR_OK) {
        die(err_text(e));
    }
}

void built_free(struct built *b)
{
    free(b->mem);
    *b = (struct built){0};
}

struct bl_verdict image_match(const struct bl_image *image, const struct dns_name *name,
                              const struct bl_list_set *lists)
{
    struct bl_verdict v = {0};
    struct bl_filter filter;
    struct dns_suffixes s;
    void *mem = NULL;
    dns_suffixes_make(name, &s);
    if (lists) {
        size_t len = bl_filter_memory(image);
        mem = must(malloc(len));
        if (bl_filter_init(&filter, mem, len, image, lists) != ERR_OK) {
            die("filter");
        }
    }
    bl_match(image, name, &s, lists ? &filter : NULL, &v);
    free(mem);
    return v;
}

struct bl_verdict built_match(const struct built *b, const char *name,
                              const struct bl_list_set *lists)
{
    struct dns_name n = fixture_name(name);
    return image_match(&b->image, &n, lists);
}

struct bl_verdict model_match(const struct fixture_rules *rules, const struct dns_name *name,
                              const struct bl_list_set *lists)
{
    struct bl_verdict v = {.action = BL_NONE};
    for (size_t i = 0; i < rules->count; i++) {
        const struct bl_rule *r = &rules->rule[i].rule;
        if ((lists && !bl_list_set_has(lists, rules->rule[i].list)) ||
            r->name.labels > name->labels) {
            continue;
        }
        unsigned label = (unsigned)(name->labels - r->name.labels);
        if (!(r->kind & (label == 0 ? BL_EXACT : BL_BELOW)) ||
            !span_equal(dns_name_suffix(name, label), dns_name_suffix(&r->name, 0))) {
            continue;
        }
        if (v.action == BL_NONE || r->rank > v.rank || (r->rank == v.rank && label < v.label)) {
            v = (struct bl_verdict){.action = (uint8_t)bl_rank_action(r->rank),
                                    .rank = r->rank,
                                    .label = (uint8_t)label};
        }
    }
    return v;
}
