/*
 * Lists as streams: pieces of any size, lines of any length, files that are no lists, and the
 * book-keeping.
 */
#include <stdio.h>

#include "lists_fixture.h"
#include "octets.h"
#include "unit.h"

static void count_rule(void *ctx, const struct bl_rule *rule)
{
    (void)rule;
    ++*(unsigned *)ctx;
}

static enum err read_all(const void *text, size_t len, size_t piece, unsigned *rules,
                         struct bl_parse_stats *stats)
{
    static struct bl_parser p;
    enum err e = ERR_OK;
    *rules = 0;
    bl_parse_init(&p, &(struct bl_parse_config){.ctx = rules, .rule = count_rule});
    for (size_t at = 0; at < len && e == ERR_OK; at += piece) {
        e = bl_parse_feed(&p, (const char *)text + at, piece < len - at ? piece : len - at);
    }
    enum err end = bl_parse_end(&p);
    assert_int_equal(end, e);
    if (stats) {
        *stats = p.stats;
    }
    return e;
}

/* Lines of every sort, one after the other at random. */
static size_t make_list(struct test_random *r, char *out, size_t cap)
{
    static const char *const lines[] = {
        "ads.example",
        "0.0.0.0 a.track.example",
        "127.0.0.1\tb.example # why",
        "||c.ads.example^",
        "*.d.example",
        "@@||ok.example^$important",
        "# a comment",
        "",
        "   ",
        "local=/e.example/",
        "local-zone: \"f.example.\" always_null",
        "g.example CNAME .",
        "not a name",
        "192.0.2.1",
        "\xef\xbb\xbfh.example",
        "b\xc3\xbc.example",
        "a-rather-long-first-label.and-one-that-is-not-short.third.example",
        "/regex[0-9]/",
        "i..example"};
    static const char *const ends[] = {"\n", "\n", "\n", "\r\n", "\r"};
    size_t len = 0;
    while (len + 128 < cap) {
        const char *line = lines[test_random_below(r, sizeof lines / sizeof lines[0])];
        const char *end = ends[test_random_below(r, sizeof ends / sizeof ends[0])];
        memcpy(out + len, line, strlen(line));
        len += strlen(line);
        memcpy(out + len, end, strlen(end));
        len += strlen(end);
    }
    return len;
}

static void pieces_make_no_difference(void **state)
{
    (void)state;
    static char text[20000];
    struct test_random r = {11};
    for (unsigned round = 0; round < 8; round++) {
        size_t len = make_list(&r, text, sizeof text);
        struct parsed whole, part;
        parsed_make(&whole, BL_FORMAT_AUTO, span_of(text, len), 0, NULL);
        assert_true(whole.rules.count > 100);
        static const size_t sizes[] = {1, 2, 3, 7, 8, 9, 63, 264, 279, 280, 281, 1000, 4096};
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            parsed_make(&part, BL_FORMAT_AUTO, span_of(text, len), sizes[i], NULL);
            assert_int_equal(part.rules.count, whole.rules.count);
            for (size_t k = 0; k < part.rules.count; k++) {
                const struct bl_rule *x = &part.rules.rule[k].rule, *y = &whole.rules.rule[k].rule;
                assert_true(dns_name_equal(&x->name, &y->name));
                assert_int_equal(x->name.labels, y->name.labels);
                assert_memory_equal(x->name.off, y->name.off, x->name.labels + 1u);
                assert_int_equal(x->kind, y->kind);
                assert_int_equal(x->rank, y->rank);
                assert_int_equal(x->line, y->line);
            }
            assert_int_equal(part.stats.lines, whole.stats.lines);
            assert_int_equal(part.stats.rejected, whole.stats.rejected);
            assert_int_equal(part.stats.comments, whole.stats.comments);
            assert_memory_equal(part.stats.by_reason, whole.stats.by_reason,
                                sizeof part.stats.by_reason);
            assert_memory_equal(part.stats.by_format, whole.stats.by_format,
                                sizeof part.stats.by_format);
            parsed_free(&part);
        }
        parsed_free(&whole);
    }
}

/* A forced format takes the slower way; on lines of that format both must say the same. */
static void quick_and_slow_ways_agree(void **state)
{
    (void)state;
    static const char characters[] = "abcxyzABCXYZ0189-_..../*^|@ \t#:";
    static char text[40000];
    struct test_random r = {5};
    for (unsigned round = 0; round < 40; round++) {
        size_t len = 0;
        memcpy(text, "# head\n", 7);
        for (len = 7; len < sizeof text - 400;) {
            static const char *const starts[] = {"",          "0.0.0.0 ", "127.0.0.1\t",
                                                 "0.0.0.0  ", "*.",       "||",
                                                 "|",         "0.0.0.0",  "127.0.0.10 "};
            const char *start = starts[test_random_below(&r, 9)];
            memcpy(text + len, start, strlen(start));
            len += strlen(start);
            unsigned n = test_random_below(&r, round % 4 ? 20 : 90),
                     odd = test_random_below(&r, 4) == 0 ? 32 : 20;
            for (unsigned k = 0; k < n; k++) {
                text[len++] = characters[test_random_below(&r, odd)];
            }
            static const char *const ends[] = {".com\n",  ".com\r\n", "\n",   ".example^\n",
                                               ".com.\n", ".com \n",  "..\n", ".x\r"};
            const char *end = ends[test_random_below(&r, 8)];
            memcpy(text + len, end, strlen(end));
            len += strlen(end);
        }
        struct parsed quick, slow;
        parsed_make(&quick, BL_FORMAT_AUTO, span_of(text, len), 0, NULL);
        parsed_make(&slow, BL_FORMAT_AUTO, span_of(text, len), 100,
                    NULL); /* less than the quick way wants to see */
        assert_int_equal(quick.rules.count, slow.rules.count);
        for (size_t k = 0; k < quick.rules.count; k++) {
            const struct bl_rule *x = &quick.rules.rule[k].rule, *y = &slow.rules.rule[k].rule;
            assert_true(dns_name_equal(&x->name, &y->name));
            assert_memory_equal(x->name.off, y->name.off, x->name.labels + 1u);
            assert_int_equal(x->kind, y->kind);
            assert_int_equal(x->line, y->line);
        }
        assert_memory_equal(quick.stats.by_reason, slow.stats.by_reason,
                            sizeof quick.stats.by_reason);
        parsed_free(&quick);
        parsed_free(&slow);
    }
}

static void what_is_no_list_gives_no_rule(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *text;
        size_t len; /* 0: up to its NUL */
    } rows[] = {
        {"a page", "<!DOCTYPE html>\nads.example\n", 0},
        {"a page after empty lines", "\r\n\n  \n<html>\nads.example\n", 0},
        {"a page after a byte order mark", "\xef\xbb\xbf<html>ads.example\n", 0},
        {"XML", "<?xml version=\"1.0\"?>\nads.example\n", 0},
        {"a comment of a page", "<!-- x -->\nads.example\n", 0},
        {"UTF-16, little end first",
         "\xff\xfe"
         "a\0.\0b\0\n\0",
         10},
        {"UTF-16, big end first", "\xfe\xff\0a\0.\0b\0\n", 10},
        {"UTF-16 without mark", "a\0.\0b\0\n\0", 8},
        {"gzip", "\x1f\x8b\x08\0\0\0\0\0\nads.example\n", 22},
        {"octets of zero", "\0\0\0\0\nads.example\n", 17},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = rows[i].len ? rows[i].len : strlen(rows[i].text);
        for (size_t piece = 1; piece <= len; piece++) {
            unsigned rules;
            if (read_all(rows[i].text, len, piece, &rules, NULL) != ERR_FORMAT || rules != 0) {
                fail_msg("%s, in pieces of %zu", rows[i].why, piece);
            }
        }
    }
    /* Later it is a bad line and nothing more. */
    unsigned rules;
    struct bl_parse_stats stats;
    static const char late[] = "a.example\n<html>\nb\0.example\nc.example\n";
    assert_int_equal(read_all(late, sizeof late - 1, 1000, &rules, &stats), ERR_OK);
    assert_int_equal(rules, 2);
    assert_int_equal(stats.by_reason[BL_REASON_BAD_CHARACTER], 2);
}

static void errors_stay(void **state)
{
    (void)state;
    static struct bl_parser p;
    unsigned rules = 0;
    bl_parse_init(&p, &(struct bl_parse_config){.ctx = &rules, .rule = count_rule});
    assert_int_equal(bl_parse_feed(&p, "<html>\n", 7), ERR_FORMAT);
    assert_int_equal(bl_parse_feed(&p, "ads.example\n", 12), ERR_FORMAT);
    assert_int_equal(bl_parse_end(&p), ERR_FORMAT);
    assert_int_equal(rules, 0);
}

static void long_lines_are_skipped(void **state)
{
    (void)state;
    static char text[3 * BL_PARSE_LINE_MAX];
    unsigned rules;
    struct bl_parse_stats stats;
    for (size_t extra = 0; extra < 3; extra++) {
        size_t n = BL_PARSE_LINE_MAX - 1 + extra, len = 0;
        memcpy(text, "a.example\n", 10);
        len = 10;
        memset(text + len, 'x', n);
        len += n;
        memcpy(text + len, "\nb.example\n", 11);
        len += 11;
        for (size_t piece = 1; piece <= len; piece = piece * 3 + 1) {
            assert_int_equal(read_all(text, len, piece, &rules, &stats), ERR_OK);
            assert_int_equal(rules, 2);
            assert_int_equal(stats.lines, 3);
            assert_int_equal(stats.by_reason[BL_REASON_LONG_LINE], n > BL_PARSE_LINE_MAX);
            assert_int_equal(stats.rejected, 1);
        }
    }
    /* A line that never ends, and is no list. */
    memset(text, 'x', sizeof text);
    assert_int_equal(read_all(text, sizeof text, 1000, &rules, &stats), ERR_OK);
    assert_int_equal(stats.by_reason[BL_REASON_LONG_LINE], 1);
    text[0] = '<';
    assert_int_equal(read_all(text, sizeof text, 1000, &rules, &stats), ERR_FORMAT);
}

static void names_at_their_limits(void **state)
{
    (void)state;
    char text[300];
    unsigned rules;
    struct bl_parse_stats stats;
    for (size_t n = 60; n <= 66; n++) { /* one label */
        memset(text, 'a', n);
        memcpy(text + n, ".com\n", 5);
        assert_int_equal(read_all(text, n + 5, n + 5, &rules, &stats), ERR_OK);
        assert_int_equal(rules, n <= 63);
        assert_int_equal(stats.by_reason[BL_REASON_LONG_LABEL], n > 63);
    }
    for (size_t n = 245; n <= 265; n++) { /* a whole name, with and without trailing dot */
        for (size_t dot = 0; dot < 2; dot++) {
            for (size_t i = 0; i < n; i++) {
                text[i] = i % 32 == 31 ? '.' : 'a';
            }
            text[n - 1] = 'b';
            if (text[n - 2] == '.') {
                text[n - 2] = 'b';
            }
            text[n] = '.';
            text[n + dot] = '\n';
            assert_int_equal(read_all(text, n + dot + 1, n + dot + 1, &rules, &stats), ERR_OK);
            if (rules != (n <= 253) || stats.by_reason[BL_REASON_LONG_NAME] != (n > 253)) {
                fail_msg("%zu characters, %zu trailing dot: %u rules", n, dot, rules);
            }
        }
    }
}

static void counts_and_examples(void **state)
{
    (void)state;
    char text[4096];
    size_t len = 0;
    unsigned rules;
    struct bl_parse_stats stats;
    len += (size_t)sprintf(text + len, "# head\r\n\r\na.example\r\n");
    for (unsigned i = 0; i < 12; i++) {
        len += (size_t)sprintf(text + len, "  bad%u.example/path \r\n", i);
    }
    len += (size_t)sprintf(text + len, "%0200d.example\n", 0);
    assert_int_equal(read_all(text, len, len, &rules, &stats), ERR_OK);
    assert_int_equal(stats.lines, 16);
    assert_int_equal(stats.comments, 2);
    assert_int_equal(stats.rules, 1);
    assert_int_equal(stats.rejected, 13);
    assert_int_equal(stats.by_reason[BL_REASON_URL], 12);
    assert_int_equal(stats.by_reason[BL_REASON_LONG_LABEL], 1);
    assert_int_equal(stats.examples, BL_PARSE_EXAMPLES);
    for (unsigned i = 0; i < BL_PARSE_EXAMPLES; i++) {
        char want[40];
        int n = sprintf(want, "bad%u.example/path", i);
        assert_int_equal(stats.example[i].line, 4 + i);
        assert_int_equal(stats.example[i].reason, BL_REASON_URL);
        assert_int_equal(stats.example[i].len, n);
        assert_memory_equal(stats.example[i].text, want, (size_t)n);
    }
}

static void gzip_is_told_by_its_head(void **state)
{
    (void)state;
    assert_true(bl_parse_is_gzip("\x1f\x8b", 2));
    assert_false(bl_parse_is_gzip("\x1f\x8b", 1));
    assert_false(bl_parse_is_gzip("\x1f\x8c", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_make_no_difference),
        cmocka_unit_test(quick_and_slow_ways_agree),
        cmocka_unit_test(what_is_no_list_gives_no_rule),
        cmocka_unit_test(errors_stay),
        cmocka_unit_test(long_lines_are_skipped),
        cmocka_unit_test(names_at_their_limits),
        cmocka_unit_test(counts_and_examples),
        cmocka_unit_test(gzip_is_told_by_its_head),
    };
    return UNIT_RUN(tests);
}
