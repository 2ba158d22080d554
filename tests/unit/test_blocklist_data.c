/*
 * Published lists of every format: what is read from them, compiled and looked up must be exactly
 * what is expected, list by list and together.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lists_fixture.h"
#include "shared_data.h"
#include "unit.h"

enum { FIELDS = 8, LISTS = 128, PATH = 256 };

/* A compiled set of lists. */
struct compiled {
    uint8_t *mem;
    struct bl_image image;
    char names[LISTS][PATH];
    unsigned count;
};

static void feed_rule(void *ctx, const struct bl_rule *rule)
{
    bl_feed_rule(ctx, rule);
}

static struct bl_parser p; /* of the list read last */

static void feed_list(struct bl_feed *f, unsigned id, const char *path)
{
    size_t len;
    char *text = shared_data_read(path, &len);
    assert_non_null(text);
    bl_feed_list(f, id, span_str(path), span_str(""));
    bl_parse_init(&p, &(struct bl_parse_config){.ctx = f, .rule = feed_rule});
    assert_int_equal(bl_parse_feed(&p, text, len), ERR_OK);
    assert_int_equal(bl_parse_end(&p), ERR_OK);
    bl_feed_list_end(f, p.stats.rejected, p.stats.lines);
    free(text);
}

/* From the files themselves; `rules` is about how many. */
static void compile_lists(struct compiled *s, uint32_t rules, unsigned passes)
{
    struct bl_sink_memory to = {.cap = (size_t)1 << 20};
    to.cap += (size_t)rules * 24;
    to.mem = malloc(to.cap);
    struct bl_compile_config cfg = {
        .rules_max = rules, .passes = passes, .sink = {bl_sink_memory_write, &to}};
    size_t scratch_len = bl_compile_memory(&cfg);
    void *scratch = malloc(scratch_len);
    struct bl_compile *c;
    uint64_t size;
    assert_non_null(to.mem);
    assert_non_null(scratch);
    assert_int_equal(bl_compile_init(&c, scratch, scratch_len, &cfg), ERR_OK);
    do {
        for (unsigned i = 0; i < s->count; i++) {
            feed_list(bl_compile_feed(c, 0), i, s->names[i]);
        }
    } while (bl_compile_pass(c));
    assert_int_equal(bl_compile_finish(c, &size), ERR_OK);
    free(scratch);
    assert_int_equal(bl_image_open(to.mem, (size_t)size, &s->image), ERR_OK);
    s->mem = to.mem;
}

static void add_list(struct compiled *s, const char *path)
{
    assert_true(s->count < LISTS);
    snprintf(s->names[s->count++], PATH, "%s", path);
}

static void release(struct compiled *s)
{
    free(s->mem);
    *s = (struct compiled){0};
}

/* All rules of an image as lines "name<TAB>flags", sorted. */
struct dump {
    char **line;
    size_t count, cap;
};

static bool dump_rule(void *ctx, const struct bl_image_rule *rule)
{
    struct dump *d = ctx;
    char name[DNS_NAME_TEXT], text[DNS_NAME_TEXT + 8];
    dns_name_format(&rule->name, name);
    for (unsigned rank = 0; rank < BL_RANK_COUNT; rank++) {
        unsigned kind = rule->effect >> 2 * rank & 3;
        if (kind == 0) {
            continue;
        }
        if (d->count == d->cap) {
            d->cap = d->cap ? d->cap * 2 : 4096;
            d->line = realloc(d->line, d->cap * sizeof *d->line);
            assert_non_null(d->line);
        }
        snprintf(text, sizeof text, "%s\t%s%s%s%s", name, rank & 1 ? "@" : "", rank >= 2 ? "!" : "",
                 kind & BL_EXACT ? "E" : "", kind & BL_BELOW ? "S" : "");
        d->line[d->count++] = strdup(text);
    }
    return true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void dump_make(struct dump *d, const struct bl_image *image)
{
    *d = (struct dump){0};
    assert_int_equal(bl_image_walk(image, dump_rule, d), ERR_OK);
    if (d->count > 0) {
        qsort(d->line, d->count, sizeof *d->line, by_text);
    }
}

static void dump_free(struct dump *d)
{
    for (size_t i = 0; i < d->count; i++) {
        free(d->line[i]);
    }
    free(d->line);
}

/* Names of the probes' file that belong to one list, all answered as they should be. */
static unsigned check_probes(const struct bl_image *image, const char *list)
{
    static char *all;
    static size_t len;
    if (!all) {
        all = shared_data_read("expected/probes.tsv.gz", &len);
        assert_non_null(all);
    }
    char *copy = malloc(len + 1);
    assert_non_null(copy);
    memcpy(copy, all, len + 1);
    char *at = copy, *line, *field[FIELDS];
    unsigned count = 0;
    while ((line = shared_data_line(&at))) {
        if (shared_data_fields(line, field, FIELDS) < 4 || strcmp(field[0], list) != 0) {
            continue;
        }
        struct dns_name name = fixture_name(field[2]);
        bool blocked = image_match(image, &name, NULL).action == BL_BLOCK;
        if (blocked != (strcmp(field[3], "BLOCK") == 0)) {
            fail_msg("%s (%s) should %s in %s", field[2], field[1], field[3], list);
        }
        count++;
    }
    free(copy);
    return count;
}

static void check_against(const struct compiled *s, char **field)
{
    struct dump d;
    char hex[65];
    dump_make(&d, &s->image);
    shared_data_sha256(d.line, d.count, hex);
    if (d.count != strtoul(field[1], NULL, 10) || strcmp(hex, field[6]) != 0) {
        fail_msg("%s: %zu rules, %s expected; sha256 %s", field[0], d.count, field[1], hex);
    }
    assert_int_equal(s->image.rule_count, d.count);
    unsigned probes = check_probes(&s->image, field[0]);
    print_message("# %s: %zu rules, %u probes\n", field[0], d.count, probes);
    dump_free(&d);
}

/* The union was made without the two lists that block whole top-level domains: they would hide all
 * others. */
static bool in_union(const char *list)
{
    return !strstr(list, "abuse-tlds") && !strstr(list, "shadowwhisperer-tlds");
}

static void every_list_alone_and_all_together(void **state)
{
    (void)state;
    if (!shared_data_present()) {
        skip();
    }
    size_t len;
    char *manifest = shared_data_read("expected/manifest.tsv", &len);
    char *at = manifest, *line, *field[FIELDS];
    struct compiled all = {0}, one = {0};
    uint32_t rules = 0;
    assert_non_null(manifest);
    while ((line = shared_data_line(&at))) {
        if (*line == '#' || shared_data_fields(line, field, FIELDS) < 7) {
            continue;
        }
        if (strcmp(field[0], "ALL(union)") == 0) {
            compile_lists(&all, rules, 4);
            check_against(&all, field);
        } else {
            add_list(&one, field[0]);
            compile_lists(&one, (uint32_t)strtoul(field[1], NULL, 10) + 1000, 1);
            check_against(&one, field);
            assert_int_equal(p.stats.by_reason[BL_REASON_NOT_ASCII], strtoul(field[5], NULL, 10));
            release(&one);
            if (in_union(field[0])) {
                add_list(&all, field[0]);
                rules += (uint32_t)strtoul(field[1], NULL, 10);
            }
        }
    }
    assert_int_equal(all.image.rule_count, 2797376);
    release(&all);
    free(manifest);
}

/* The lists of a set in sets.txt. */
static void compile_set(struct compiled *s, const char *set, uint32_t rules, unsigned passes)
{
    size_t len;
    char *text = shared_data_read("sets.txt", &len);
    char *at = text, *line, *field[FIELDS];
    assert_non_null(text);
    while ((line = shared_data_line(&at))) {
        if (*line != '#' && shared_data_fields(line, field, FIELDS) == 2 &&
            strcmp(field[0], set) == 0) {
            add_list(s, field[1]);
        }
    }
    free(text);
    compile_lists(s, rules, passes);
}

static void check_set(const char *set, const char *expected, uint32_t rules, unsigned passes)
{
    struct compiled s = {0};
    struct dump d;
    size_t len, i = 0;
    compile_set(&s, set, rules, passes);
    dump_make(&d, &s.image);
    char *text = shared_data_read(expected, &len), *at = text, *line;
    assert_non_null(text);
    for (; (line = shared_data_line(&at)); i++) {
        if (i >= d.count || strcmp(d.line[i], line) != 0) {
            fail_msg("%s: line %zu should be %s, is %s", set, i + 1, line,
                     i < d.count ? d.line[i] : "missing");
        }
    }
    assert_int_equal(d.count, i);
    free(text);
    dump_free(&d);
    release(&s);
}

static void set_small_is_the_union_of_its_lists(void **state)
{
    (void)state;
    if (!shared_data_present()) {
        skip();
    }
    check_set("small", "expected/set-small.rules.gz", 80000, 1);
}

static void set_std_is_the_union_of_its_lists_in_any_number_of_passes(void **state)
{
    (void)state;
    if (!shared_data_present()) {
        skip();
    }
    check_set("std", "expected/set-std.rules.gz", 1300000, 1);
    check_set("std", "expected/set-std.rules.gz", 1300000, 16);
}

static void mixed_queries_get_their_verdicts(void **state)
{
    (void)state;
    if (!shared_data_present()) {
        skip();
    }
    struct compiled s = {0};
    size_t len;
    compile_set(&s, "std", 1300000, 1);
    char *queries = shared_data_read("queries/mixed-200k.txt.gz", &len), *at = queries, *line;
    char *verdicts = shared_data_read("queries/mixed-200k.verdict.gz", &len), *v = verdicts,
         *letter;
    assert_non_null(queries);
    assert_non_null(verdicts);
    unsigned count = 0;
    for (; (line = shared_data_line(&at)) && (letter = shared_data_line(&v)); count++) {
        *strchr(line, ' ') = '\0';
        struct dns_name name = fixture_name(line);
        bool blocked = image_match(&s.image, &name, NULL).action == BL_BLOCK;
        if (blocked != (*letter == 'B')) {
            fail_msg("query %u, %s: %s expected", count + 1, line, letter);
        }
    }
    assert_int_equal(count, 200000);
    free(queries);
    free(verdicts);
    release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_list_alone_and_all_together),
        cmocka_unit_test(set_small_is_the_union_of_its_lists),
        cmocka_unit_test(set_std_is_the_union_of_its_lists_in_any_number_of_passes),
        cmocka_unit_test(mixed_queries_get_their_verdicts),
    };
    return UNIT_RUN(tests);
}
