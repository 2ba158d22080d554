/*
 * Where values come from: files, environment, arguments, and which of them wins.
 */
#include <stdlib.h>

#include "config/config.h"
#include "unit.h"

static struct config *fresh(void)
{
    struct config *c;
    void *mem = malloc(cfg_memory());
    assert_non_null(mem);
    assert_int_equal(cfg_init(&c, mem, cfg_memory()), ERR_OK);
    return c;
}

static enum err file(struct config *c, const char *text, struct cfg_error *error)
{
    return cfg_apply_text(c, "test.conf", span_str(text), error);
}

static void set(struct config *c, enum cfg_source source, const char *name, const char *value)
{
    struct cfg_error error;
    if (cfg_apply_pair(c, source, name, 0, span_str(name), span_str(value), &error) != ERR_OK) {
        fail_msg("%s", error.text);
    }
}

static void the_higher_source_wins_in_any_order(void **state)
{
    (void)state;
    static const enum cfg_source order[][4] = {
        {CFG_FILE, CFG_RULES, CFG_ENVIRONMENT, CFG_ARGUMENT},
        {CFG_ARGUMENT, CFG_ENVIRONMENT, CFG_RULES, CFG_FILE},
        {CFG_RULES, CFG_ARGUMENT, CFG_FILE, CFG_ENVIRONMENT}};
    static const char *const value[] = {[CFG_FILE] = "1000",
                                        [CFG_RULES] = "2000",
                                        [CFG_ENVIRONMENT] = "3000",
                                        [CFG_ARGUMENT] = "4000"};
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        for (unsigned upto = CFG_FILE; upto <= CFG_ARGUMENT; upto++) {
            struct config *c = fresh();
            for (size_t k = 0; k < 4; k++) {
                if (order[i][k] <= upto) {
                    set(c, order[i][k], "cache-entries", value[order[i][k]]);
                }
            }
            assert_int_equal(c->cache_entries, (upto - CFG_FILE + 1) * 1000);
            assert_int_equal(c->origin[CFG_OPT_cache_entries].source, upto);
            free(c);
        }
    }
}

static void repeatable_values_come_from_one_source(void **state)
{
    (void)state;
    struct config *c = fresh();
    struct cfg_error error;
    assert_int_equal(file(c, "list = /a\nlist = /b\n", &error), ERR_OK);
    assert_int_equal(c->list.count, 2); /* the default is gone */
    set(c, CFG_ARGUMENT, "list", "/c");
    set(c, CFG_ENVIRONMENT, "list", "/d /e");
    set(c, CFG_ARGUMENT, "list", "/f");
    assert_int_equal(c->list.count, 2);
    assert_string_equal(c->list.item[0], "/c");
    assert_string_equal(c->list.item[1], "/f");
    set(c, CFG_ARGUMENT, "list", "none");
    assert_int_equal(c->list.count, 0);
    assert_int_equal(c->origin[CFG_OPT_list].source, CFG_ARGUMENT);
    free(c);
}

static void the_environment_takes_several_values(void **state)
{
    (void)state;
    struct config *c = fresh();
    set(c, CFG_ENVIRONMENT, "list", "https://a.example/x  /b\n/c");
    assert_int_equal(c->list.count, 3);
    set(c, CFG_ENVIRONMENT, "record", "a.home.arpa A 192.0.2.1; b.home.arpa TXT \"x y\"");
    assert_int_equal(c->record.count, 2);
    assert_string_equal(c->record.item[1], "b.home.arpa TXT \"x y\"");
    set(c, CFG_ENVIRONMENT, "hosts-file", "/etc/my hosts;/etc/hosts");
    assert_int_equal(c->hosts_file.count, 2);
    set(c, CFG_ENVIRONMENT, "listen", "127.0.0.1:53 [::1]:53");
    assert_int_equal(c->listen.count, 2);
    free(c);
}

static void a_file_is_read_as_documented(void **state)
{
    (void)state;
    static const char text[] = "\xef\xbb\xbf# a comment\r\n"
                               "\r\n"
                               "   cache-entries=1000   # another\r\n"
                               "\tblock_ttl\t=\t5m\n"
                               "state-dir = \"/srv/with # and blank \"\n"
                               "list = https://lists.example/a#fragment\n"
                               "record = txt.home.arpa TXT \"a # b\" # comment\n"
                               "record = q.home.arpa TXT \"say \\\" # x\"\n"
                               "listen = 127.0.0.1:53 [::1]:53\n"
                               "listen = 192.0.2.1:5353\n"
                               "PREFETCH = off";
    struct config *c = fresh();
    struct cfg_error error;
    if (file(c, text, &error) != ERR_OK) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(c->cache_entries, 1000);
    assert_int_equal(c->origin[CFG_OPT_cache_entries].line, 3);
    assert_int_equal(c->block_ttl_us, 300 * USEC_PER_SEC);
    assert_string_equal(c->state_dir, "/srv/with # and blank ");
    assert_string_equal(c->list.item[0], "https://lists.example/a#fragment");
    assert_string_equal(c->record.item[0], "txt.home.arpa TXT \"a # b\"");
    assert_string_equal(c->record.item[1], "q.home.arpa TXT \"say \\\" # x\"");
    assert_int_equal(c->listen.count, 3);
    assert_false(c->prefetch);
    free(c);
}

static void errors_name_file_and_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
        enum err err;
    } rows[] = {
        {"\n\ncache-entries 1000\n",
         "test.conf:3: found \"cache-entries 1000\", expected name = value", ERR_FORMAT},
        {"= 1000\n", "test.conf:1: found \"= 1000\", expected name = value", ERR_FORMAT},
        {"list = /a\n[groups]\n", "test.conf:2: found \"[groups]\", expected [group NAME]",
         ERR_FORMAT},
        {"[group a]\n[group a]\n", "test.conf:2: found \"[group a]\", expected each group once",
         ERR_FORMAT},
        {"[group a]\nworkers = 2\n",
         "test.conf:2: found \"workers\", expected client, list, allow-list, upstream, schedule, "
         "service, block-mode, safe-search or with-default in a [group]",
         ERR_FORMAT},
        {"[group a]\nclient = 192.0.2.1 192.0.2.300/24\n",
         "test.conf:2: found \"192.0.2.300/24\", expected an address, ADDR/BITS, or a hardware "
         "address",
         ERR_FORMAT},
        {"[group a]\nschedule = mon 21:00\n",
         "test.conf:2: found \"mon 21:00\", expected DAYS HH:MM-HH:MM and block, pause, services "
         "NAME..., or lists URL..., such as mon-fri 21:00-06:30 block",
         ERR_FORMAT},
        {"[group a]\nblock-mode = null\nblock-mode = nodata\n",
         "test.conf:3: found \"nodata\", expected it once in a group", ERR_FORMAT},
        {"workers = 2\n#\nworkers = 3\n",
         "test.conf:3: found workers a second time (first on line 1), expected it once",
         ERR_FORMAT},
        {"workers = many", "test.conf:1: found \"many\", expected a number from 1 to 64, or auto",
         ERR_FORMAT},
        {"workers =", "test.conf:1: found no value, expected a number from 1 to 64, or auto",
         ERR_FORMAT},
        {"worker = 2",
         "test.conf:1: found \"worker\", expected the name of an option (did you mean workers?)",
         ERR_FORMAT},
        {"list = \xff\xfe\n", NULL, ERR_OK},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct config *c = fresh();
        struct cfg_error error = {""};
        assert_int_equal(file(c, rows[i].text, &error), rows[i].err);
        if (rows[i].message != NULL) {
            assert_string_equal(error.text, rows[i].message);
        }
        free(c);
    }
}

static void too_many_values_are_refused(void **state)
{
    (void)state;
    struct config *c = fresh();
    struct cfg_error error;
    char name[32] = "/list";
    for (unsigned i = 0; i < 256; i++) {
        assert_int_equal(
            cfg_apply_pair(c, CFG_FILE, "f", i + 1, span_str("list"), span_str(name), &error),
            ERR_OK);
    }
    assert_int_equal(
        cfg_apply_pair(c, CFG_FILE, "f", 257, span_str("list"), span_str(name), &error), ERR_LIMIT);
    assert_non_null(
        strstr(error.text, "f:257: found \"/list\", expected at most 256 values of list"));
    assert_int_equal(c->list.count, 256);
    free(c);
}

static void the_memory_for_texts_is_bounded(void **state)
{
    (void)state;
    struct config *c = fresh();
    struct cfg_error error;
    enum err e = ERR_OK;
    char path[1001];
    memset(path, 'x', sizeof path);
    path[0] = '/';
    unsigned rounds = 0;
    for (; rounds < 10000 && e == ERR_OK; rounds++) {
        e = cfg_apply_pair(c, CFG_ARGUMENT, "--state-dir", 0, span_str("state-dir"),
                           span_of(path, 1000), &error);
    }
    assert_int_equal(e, ERR_LIMIT);
    assert_true(rounds > 300);
    assert_int_equal(strlen(c->state_dir), 1000); /* the last good one */
    free(c);
}

static void values_of_a_lower_source_take_no_room(void **state)
{
    (void)state;
    struct config *c = fresh();
    set(c, CFG_ARGUMENT, "state-dir", "/a");
    size_t used = c->arena.used;
    set(c, CFG_FILE, "state-dir", "/b");
    set(c, CFG_ENVIRONMENT, "state-dir", "/c");
    assert_int_equal(c->arena.used, used);
    assert_string_equal(c->state_dir, "/a");
    free(c);
}

static void bad_values_of_a_lower_source_are_still_errors(void **state)
{
    (void)state;
    struct config *c = fresh();
    struct cfg_error error;
    set(c, CFG_ARGUMENT, "workers", "3");
    assert_int_equal(file(c, "workers = many\n", &error), ERR_FORMAT);
    free(c);
}

static void options_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
        enum err err;
    } rows[] = {
        {"", NULL, ERR_OK},
        {"ttl-min = 10m\nttl-max = 5m\n", "ttl-min", ERR_RANGE},
        {"ttl-min = 5m\nttl-max = 5m\n", NULL, ERR_OK},
        {"tcp-connections = 16\ntcp-per-client = 17\n", "tcp-per-client", ERR_RANGE},
        {"pending-max = 5000\n", "waiting-max", ERR_RANGE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct config *c = fresh();
        struct cfg_error error = {""};
        assert_int_equal(file(c, rows[i].text, &error), ERR_OK);
        assert_int_equal(cfg_finish(c, &error), rows[i].err);
        assert_true(rows[i].message == NULL || strstr(error.text, rows[i].message) != NULL);
        free(c);
    }
}

static void what_is_printed_is_read_back_as_the_same(void **state)
{
    (void)state;
    struct config *a = fresh(), *b = fresh();
    struct cfg_error error;
    char *text = malloc(CFG_PRINT_MAX);
    struct strbuf s;
    assert_non_null(text);
    assert_int_equal(
        file(a,
             "state-dir = \"/a # \\\"b\\\" \\\\ \"\n"
             "list = https://lists.example/a\nlist = rpz+/b\nallow-list = /c\nupstream = "
             "tls://x.example@192.0.2.1\nupstream = https://[2001:db8::1]/q\n"
             "route = home.arpa=192.0.2.2\nrecord = a.home.arpa TXT \"x # y\"\nblock-mode = "
             "192.0.2.1,2001:db8::1\nhttp = off\n"
             "allow-from = any !192.0.2.0/24 connected\nlocal-domain = home.arpa\nuser = "
             "none\nupdate-interval = off\nrebind-allow = a.example b.example\n",
             &error),
        ERR_OK);
    assert_int_equal(cfg_finish(a, &error), ERR_OK);
    strbuf_init(&s, text, CFG_PRINT_MAX);
    cfg_print(a, &s);
    assert_false(s.truncated);
    if (cfg_apply_text(b, "printed", span_of(s.text, s.len), &error) != ERR_OK ||
        cfg_finish(b, &error) != ERR_OK) {
        fail_msg("%s", error.text);
    }
    for (unsigned i = 0; i < CFG_OPT_COUNT; i++) {
        if (!cfg_equal(a, b, (enum cfg_option)i)) {
            fail_msg("%s differs", cfg_row((enum cfg_option)i)->name);
        }
    }
    assert_false(cfg_equal(a, b, CFG_OPT_COUNT - 1) && b->http.count != 0);
    free(text);
    free(a);
    free(b);
}

static void too_little_memory_is_an_error(void **state)
{
    (void)state;
    struct config *c = NULL;
    void *mem = malloc(cfg_memory());
    assert_int_equal(cfg_init(&c, mem, cfg_memory() - 1), ERR_SPACE);
    assert_null(c);
    free(mem);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_higher_source_wins_in_any_order),
        cmocka_unit_test(repeatable_values_come_from_one_source),
        cmocka_unit_test(the_environment_takes_several_values),
        cmocka_unit_test(a_file_is_read_as_documented),
        cmocka_unit_test(errors_name_file_and_line),
        cmocka_unit_test(too_many_values_are_refused),
        cmocka_unit_test(the_memory_for_texts_is_bounded),
        cmocka_unit_test(values_of_a_lower_source_take_no_room),
        cmocka_unit_test(bad_values_of_a_lower_source_are_still_errors),
        cmocka_unit_test(options_that_contradict_each_other_are_refused),
        cmocka_unit_test(what_is_printed_is_read_back_as_the_same),
        cmocka_unit_test(too_little_memory_is_an_error),
    };
    return UNIT_RUN(tests);
}
