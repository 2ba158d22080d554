/*
 * Parts of the lists manager by themselves: what a person may write as a list, what passes for a
 * list, and last good copies on the disk.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/attr.h"
#include "host/idna.h"
#include "host/list_copy.h"
#include "host/list_judge.h"
#include "host/lists_int.h"
#include "host/progress.h"
#include "tempdir.h"
#include "unit.h"

static char dir[TEMPDIR_MAX];
static struct store *store;

static int setup(void **state)
{
    (void)state;
    tempdir_make(dir);
    assert_int_equal(store_open(dir, &store), ERR_OK);
    assert_int_equal(store_mkdir(store, "lists"), ERR_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_set_fault(NULL);
    store_close(store);
    tempdir_remove(dir);
    return 0;
}

/* What a person writes */

static void reads_where_a_list_comes_from(void **state)
{
    (void)state;
    static const struct {
        const char *text, *url, *name;
        enum bl_format format;
    } rows[] = {
        {"https://lists.example/ads.txt", "https://lists.example/ads.txt", "lists.example: ads.txt",
         BL_FORMAT_AUTO},
        {"rpz+https://lists.example/z/", "https://lists.example/z/", "lists.example: z",
         BL_FORMAT_RPZ},
        {"hosts+http://lists.example", "http://lists.example", "lists.example", BL_FORMAT_HOSTS},
        {"https://lists.example/?a=b+c", "https://lists.example/?a=b+c", "lists.example",
         BL_FORMAT_AUTO},
        {"/etc/sinkhole/own.txt", "/etc/sinkhole/own.txt", "own.txt", BL_FORMAT_AUTO},
        {"file:///etc/my%20list", "/etc/my list", "my list", BL_FORMAT_AUTO},
        {"file://localhost/etc/own", "/etc/own", "own", BL_FORMAT_AUTO},
        {"adblock+/etc/own", "/etc/own", "own", BL_FORMAT_ADBLOCK},
        {"builtin", "builtin", "Built-in list", BL_FORMAT_AUTO},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct list_spec spec;
        char problem[FETCH_ERROR_MAX] = "";
        if (list_spec_parse(rows[i].text, true, &spec, problem) != ERR_OK) {
            fail_msg("%s: %s", rows[i].text, problem);
        }
        assert_string_equal(spec.url, rows[i].url);
        assert_string_equal(spec.name, rows[i].name);
        assert_int_equal(spec.format, rows[i].format);
        assert_true(spec.enabled);
    }
}

static void makes_relative_paths_absolute(void **state)
{
    (void)state;
    struct list_spec spec;
    char cwd[512], expected[600];
    assert_non_null(getcwd(cwd, sizeof cwd));
    (void)snprintf(expected, sizeof expected, "%s/my/list.txt", cwd);
    assert_int_equal(list_spec_parse("./my/list.txt", true, &spec, NULL), ERR_OK);
    assert_string_equal(spec.url, expected);
}

static void refuses_what_is_no_place_of_a_list(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool local;
    } rows[] = {
        {"", true},
        {"ftp://lists.example/a", true},
        {"what+https://lists.example/a", true},
        {"http://user:secret@lists.example/", true},
        {"file://host/a", true},
        {"file:///a%zz", true},
        {"file:///a%00", true},
        {"/etc/a\nb", true},
        {"http://lists.example/a b", true},
        /* What came through the page. */
        {"/etc/passwd", false},
        {"file:///etc/passwd", false},
        {"list.txt", false},
        {"http://localhost/a", false},
        {"http://127.0.0.1:8080/a", false},
        {"http://[::1]/a", false},
        {"http://169.254.169.254/latest/meta-data", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct list_spec spec = {.id = 77};
        char problem[FETCH_ERROR_MAX] = "";
        if (list_spec_parse(rows[i].text, rows[i].local, &spec, problem) != ERR_FORMAT ||
            !problem[0]) {
            fail_msg("\"%s\" was taken", rows[i].text);
        }
        assert_int_equal(spec.id, 77);
    }
    struct list_spec spec;
    assert_int_equal(list_spec_parse("https://lists.example/a", false, &spec, NULL), ERR_OK);
    assert_int_equal(list_spec_parse("http://127.0.0.1/a", true, &spec, NULL), ERR_OK);
    assert_int_equal(list_spec_parse("builtin", false, &spec, NULL), ERR_OK);
}

/* What passes for a list */

static char *repeat(const char *format, unsigned count)
{
    size_t cap = (strlen(format) + 12) * count + 1, len = 0;
    char *text = malloc(cap);
    assert_non_null(text);
    text[0] = '\0';
    for (unsigned i = 0; i < count; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        len += (size_t)snprintf(text + len, cap - len, format, i);
#pragma GCC diagnostic pop
    }
    return text;
}

static const char *judge(struct span text, char reason[FETCH_ERROR_MAX])
{
    static struct list_judge j;
    judge_init(&j, BL_FORMAT_AUTO, false, NULL);
    for (size_t at = 0;
         at < text.len &&
         judge_feed(&j, span_of(text.ptr + at, text.len - at < 777 ? text.len - at : 777));
         at += 777) {
    }
    return judge_end(&j, reason);
}

static void takes_lists_and_refuses_what_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *why, *line;
        unsigned count;
        const char *reason; /* NULL: taken */
    } rows[] = {
        {"hosts", "0.0.0.0 ads%u.example\n", 1000, NULL},
        {"a single name", "ads%u.example\n", 1, NULL},
        {"cosmetic rules beside",
         "||ads%u.example^\nexample.com##.ad\n##.banner\n/path/ads.js$script\n", 100, NULL},
        {"addresses and ports beside",
         "ads%u.example\n192.0.2.1:8080\n192.0.2.2\nhttp://a.example/x\n", 100, NULL},
        {"a page", "<!DOCTYPE html>\n<html><body>%u ads.example</body></html>\n", 3, "not a list"},
        {"a page after blank lines", "\n\n  <html><body>%u</body></html>\n", 1, "not a list"},
        {"comments only", "# nothing %u\n", 100, "no usable rule"},
        {"addresses only", "192.0.2.%u\n", 9, "no usable rule"},
        {"prose", "The server is down for maintenance, please try again at %u.example or later.\n",
         10, ""},
        {"program text", "function f%u(a) { return a.b(c); }\nvar a = b;\nads.example\n", 10,
         "does not look like a list"},
        {"binary",
         "\x7f"
         "ELF\x02\x01\x01%u\x03\x01",
         100, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char reason[FETCH_ERROR_MAX] = "";
        char *text = repeat(rows[i].line, rows[i].count);
        const char *verdict = judge(span_str(text), reason);
        free(text);
        if ((verdict == NULL) != (rows[i].reason == NULL) ||
            (rows[i].reason && !strstr(reason, rows[i].reason))) {
            fail_msg("%s: %s", rows[i].why, verdict ? verdict : "taken");
        }
    }
    char reason[FETCH_ERROR_MAX];
    assert_string_equal(judge(span_of("", 0), reason), "the list is empty");
}

static void gives_up_on_megabytes_without_a_rule(void **state)
{
    (void)state;
    static struct list_judge j;
    static uint8_t line[65536];
    memset(line, 'x', sizeof line);
    judge_init(&j, BL_FORMAT_AUTO, false, NULL);
    unsigned fed = 0;
    while (fed < 1000 && judge_feed(&j, span_of(line, sizeof line))) {
        fed++;
    }
    assert_true(fed < 100);
}

static void shows_rejected_lines(void **state)
{
    (void)state;
    static struct list_judge j;
    struct copy_meta facts = {.rules = 0};
    static const char text[] =
        "good.example\n192.0.2.1\nok1.example\nok2.example\nbad..example\n\x1b[31mred.example\n";
    judge_init(&j, BL_FORMAT_AUTO, false, NULL);
    assert_true(judge_feed(&j, span_of(text, sizeof text - 1)));
    char reason[FETCH_ERROR_MAX];
    if (judge_end(&j, reason)) {
        fail_msg("%s", reason);
    }
    judge_facts(&j, &facts);
    assert_int_equal(facts.rules, 3);
    assert_int_equal(facts.rejected, 3);
    assert_int_equal(facts.examples_count, 3);
    assert_string_equal(facts.examples[0], "line 2: 192.0.2.1: an IP address or range, not a name");
    assert_string_equal(facts.examples[1], "line 5: bad..example: a name with an empty label");
    assert_ptr_equal(strstr(facts.examples[2], "line 6: \\x1b[31mred.example: "),
                     facts.examples[2]);
}

/* Copies */

static bool add_up(void *arg, struct span text)
{
    uint64_t *sum = arg;
    for (size_t i = 0; i < text.len; i++) {
        *sum = *sum * 31 + text.ptr[i];
    }
    return true;
}

static struct copy_writer *writer_with(const char *text, size_t len)
{
    struct copy_writer *w;
    assert_int_equal(copy_writer_open(store, "lists/a.gz", &w), ERR_OK);
    for (size_t at = 0; at < len; at += 5000) {
        assert_int_equal(copy_writer_feed(w, span_of(text + at, len - at < 5000 ? len - at : 5000)),
                         ERR_OK);
    }
    return w;
}

static uint64_t sum_of(const char *text, size_t len)
{
    uint64_t sum = 0;
    (void)add_up(&sum, span_of(text, len));
    return sum;
}

static const struct copy_meta facts = {.url = "https://lists.example/a",
                                       .etag = "W/\"x y\"",
                                       .last_modified = "Sun, 22 Nov 2026 12:00:00 GMT",
                                       .changed_unix = 1795000000,
                                       .rules = 4000000000,
                                       .rejected = 3,
                                       .ignored = 2,
                                       .examples_count = 2,
                                       .examples = {"line 1: a b: why", "line 2: "}};

/* Short ones stay in memory until the end, long ones go through a temporary file; both read back.
 */
static void copies_keep_text_and_facts(void **state)
{
    (void)state;
    size_t sizes[] = {0, 1, 100000, (size_t)20 << 20};
    char *text = malloc((size_t)20 << 20);
    uint32_t x = 1;
    assert_non_null(text);
    for (size_t i = 0; i < (size_t)20 << 20; i++) {
        x = x * 1664525 + 1013904223;
        text[i] = "abcdefghijklmnopqrstuvwxyz.\n0123"[x >> 27];
    }
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct copy_meta in = facts, out;
        struct copy_blob blob = {NULL, 0};
        uint64_t sum = 0;
        struct copy_writer *w = writer_with(text, sizes[i]);
        uint64_t digest = copy_writer_digest(w);
        assert_int_equal(copy_writer_octets(w), sizes[i]);
        assert_int_equal(copy_writer_commit(w, &in, &blob), ERR_OK);
        assert_null(blob.data);
        assert_int_equal(copy_read_meta(store, "lists/a.gz", &out), ERR_OK);
        assert_string_equal(out.url, facts.url);
        assert_string_equal(out.etag, facts.etag);
        assert_string_equal(out.last_modified, facts.last_modified);
        assert_int_equal(out.changed_unix, facts.changed_unix);
        assert_int_equal(out.rules, facts.rules);
        assert_int_equal(out.rejected, 3);
        assert_int_equal(out.ignored, 2);
        assert_int_equal(out.octets_text, sizes[i]);
        assert_int_equal(out.digest, digest);
        assert_int_equal(out.examples_count, 2);
        assert_string_equal(out.examples[1], "line 2: ");
        assert_int_equal(copy_read(store, "lists/a.gz", NULL, add_up, &sum), ERR_OK);
        assert_int_equal(sum, sum_of(text, sizes[i]));
    }
    free(text);
}

static void a_copy_can_be_read_by_zcat(void **state)
{
    (void)state;
    char command[TEMPDIR_MAX + 100];
    struct copy_meta m = facts;
    struct copy_blob blob = {NULL, 0};
    struct copy_writer *w = writer_with("ads.example\n", 12);
    assert_int_equal(copy_writer_commit(w, &m, &blob), ERR_OK);
    (void)snprintf(command, sizeof command, "test \"$(gzip -dc %s/lists/a.gz)\" = ads.example",
                   dir);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a test's own directory */
}

static void the_longest_facts_fit(void **state)
{
    (void)state;
    static struct copy_meta m, out;
    struct copy_blob blob = {NULL, 0};
    memset(m.url, 'u', sizeof m.url - 1);
    memset(m.etag, 'e', sizeof m.etag - 1);
    memset(m.last_modified, 'l', sizeof m.last_modified - 1);
    m.changed_unix = INT64_MAX;
    m.rules = m.rejected = m.ignored = UINT32_MAX;
    m.examples_count = LIST_EXAMPLES_MAX;
    for (int i = 0; i < LIST_EXAMPLES_MAX; i++) {
        memset(m.examples[i], 'x', LIST_EXAMPLE_MAX - 1);
    }
    assert_int_equal(copy_writer_commit(writer_with("a", 1), &m, &blob), ERR_OK);
    assert_int_equal(copy_read_meta(store, "lists/a.gz", &out), ERR_OK);
    assert_memory_equal(m.url, out.url, sizeof m.url);
    assert_memory_equal(m.examples, out.examples, sizeof m.examples);
}

/* Any single changed or missing octet of a copy is detected or harmless: what reads back is the
 * same text and the same facts. */
static void every_damage_of_a_copy_is_noticed_or_harmless(void **state)
{
    (void)state;
    struct copy_meta m = facts, out;
    struct copy_blob blob = {NULL, 0};
    struct store_blob raw;
    char *text = repeat("ads%u.example\n", 100);
    size_t len = strlen(text);
    unsigned harmless = 0;
    assert_int_equal(copy_writer_commit(writer_with(text, len), &m, &blob), ERR_OK);
    assert_int_equal(store_read(store, "lists/a.gz", 1 << 20, &raw), ERR_OK);
    for (size_t i = 0; i < raw.len; i++) {
        uint64_t sum = 0;
        raw.data[i] ^= (uint8_t)(1U << i % 8);
        assert_int_equal(store_write(store, "lists/a.gz", span_of(raw.data, raw.len)), ERR_OK);
        raw.data[i] ^= (uint8_t)(1U << i % 8);
        bool facts_good = copy_read_meta(store, "lists/a.gz", &out) == ERR_OK;
        bool text_good = copy_read(store, "lists/a.gz", NULL, add_up, &sum) == ERR_OK;
        if ((facts_good && (out.rules != facts.rules || strcmp(out.url, facts.url) != 0)) ||
            (text_good && sum != sum_of(text, len))) {
            fail_msg("octet %zu changed unnoticed", i);
        }
        harmless += facts_good && text_good;
    }
    assert_true(harmless <=
                12); /* unused: time and system in the gzip header, bits after the stream's end */
    for (size_t cut = 0; cut < raw.len; cut += cut < 4090 ? 409 : 1) {
        uint64_t sum = 0;
        assert_int_equal(store_write(store, "lists/a.gz", span_of(raw.data, cut)), ERR_OK);
        assert_int_not_equal(copy_read_meta(store, "lists/a.gz", &out), ERR_OK);
        assert_int_equal(copy_read(store, "lists/a.gz", NULL, add_up, &sum), ERR_CHECKSUM);
    }
    store_blob_free(&raw);
    free(text);
}

static int disk_full(enum store_step step, const char *name)
{
    (void)name;
    return step == STORE_STEP_WRITE ? ENOSPC : 0;
}

static void a_copy_that_the_disk_refuses_lives_in_memory(void **state)
{
    (void)state;
    struct copy_meta m = facts;
    struct copy_blob blob = {NULL, 0};
    uint64_t sum = 0;
    char *text = repeat("ads%u.example\n", 1000);
    assert_int_equal(copy_writer_commit(writer_with("old", 3), &m, &blob), ERR_OK);
    struct copy_writer *w = writer_with(text, strlen(text));
    store_set_fault(disk_full);
    assert_int_equal(copy_writer_commit(w, &m, &blob), ERR_OK);
    store_set_fault(NULL);
    assert_non_null(blob.data);
    assert_int_equal(copy_read(store, "lists/a.gz", &blob, add_up, &sum), ERR_OK);
    assert_int_equal(sum, sum_of(text, strlen(text)));
    copy_blob_free(&blob);
    sum = 0;
    assert_int_equal(copy_read(store, "lists/a.gz", NULL, add_up, &sum), ERR_OK);
    assert_int_equal(sum, sum_of("old", 3));
    free(text);
}

static void an_aborted_copy_leaves_the_old_one(void **state)
{
    (void)state;
    struct copy_meta m = facts, out;
    struct copy_blob blob = {NULL, 0};
    assert_int_equal(copy_read_meta(store, "lists/a.gz", &out), ERR_NOT_FOUND);
    assert_int_equal(copy_writer_commit(writer_with("old", 3), &m, &blob), ERR_OK);
    copy_writer_abort(writer_with("new", 3));
    assert_int_equal(copy_read_meta(store, "lists/a.gz", &out), ERR_OK);
    assert_int_equal(out.octets_text, 3);
}

/* Names and the live line */

static void converts_international_names(void **state)
{
    (void)state;
    char out[64];
    size_t n = idna_to_ascii(NULL,
                             span_str("b\xc3\xbc"
                                      "cher.example"),
                             out, sizeof out);
    assert_int_equal(n, 21);
    assert_memory_equal(out, "xn--bcher-kva.example", 21);
    assert_int_equal(idna_to_ascii(NULL,
                                   span_str("b\xc3\xbc"
                                            "cher.example"),
                                   out, 10),
                     0);
    assert_int_equal(idna_to_ascii(NULL, span_str("\xff\xfe"), out, sizeof out), 0);
    assert_int_equal(idna_to_ascii(NULL, span_of("a\0b", 3), out, sizeof out), 0);
    assert_int_equal(idna_to_ascii(NULL, span_of("", 0), out, sizeof out), 0);
    assert_true(idna_to_unicode("xn--bcher-kva.example", out, sizeof out));
    assert_string_equal(out, "b\xc3\xbc"
                             "cher.example");
    assert_false(idna_to_unicode("xn--bcher-kva.example", out, 5));
}

static void tells_how_far_it_is(void **state)
{
    (void)state;
    char text[120];
    struct strbuf s;
    struct lists_progress p = {
        .running = true, .done = 3, .total = 12, .octets = 19188000, .rules = 831218, .failed = 1};
    strbuf_init(&s, text, sizeof text);
    progress_text(&p, &s);
    assert_string_equal(text, "lists 3 of 12, 18.2 MB, 1 failed, 831218 rules in force");
    strbuf_clear(&s);
    progress_open(-1);
    progress_lists(&p);
    progress_before(&s);
    progress_after(&s);
    assert_string_equal(text, ""); /* no terminal, no live line */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_where_a_list_comes_from),
        cmocka_unit_test(makes_relative_paths_absolute),
        cmocka_unit_test(refuses_what_is_no_place_of_a_list),
        cmocka_unit_test(takes_lists_and_refuses_what_is_none),
        cmocka_unit_test(gives_up_on_megabytes_without_a_rule),
        cmocka_unit_test(shows_rejected_lines),
        cmocka_unit_test_setup_teardown(copies_keep_text_and_facts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_can_be_read_by_zcat, setup, teardown),
        cmocka_unit_test_setup_teardown(the_longest_facts_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(every_damage_of_a_copy_is_noticed_or_harmless, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_copy_that_the_disk_refuses_lives_in_memory, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_aborted_copy_leaves_the_old_one, setup, teardown),
        cmocka_unit_test(converts_international_names),
        cmocka_unit_test(tells_how_far_it_is),
    };
    return UNIT_RUN(tests);
}
