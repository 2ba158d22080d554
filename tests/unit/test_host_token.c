/*
 * The local credential: made, read back, and nothing else matches.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/token.h"
#include "tempdir.h"
#include "unit.h"

static void what_was_made_is_read_and_matches(void **state)
{
    (void)state;
    char dir[TEMPDIR_MAX], path[TEMPDIR_MAX + 16];
    struct store *s;
    struct token made, read, other;
    struct stat st;
    tempdir_make(dir);
    assert_int_equal(store_open(dir, &s), ERR_OK);
    assert_int_equal(token_make(s, &made), ERR_OK);
    assert_int_equal(strlen(made.text), TOKEN_TEXT - 1);
    assert_int_equal(token_read(dir, &read), ERR_OK);
    assert_string_equal(read.text, made.text);
    assert_true(token_matches(&made, span_str(read.text)));
    snprintf(path, sizeof path, "%s/%s", dir, TOKEN_FILE);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(token_make(s, &other), ERR_OK); /* the next start makes another */
    assert_false(token_matches(&other, span_str(made.text)));
    store_close(s);
    tempdir_remove(dir);
}

static void nothing_else_matches(void **state)
{
    (void)state;
    struct token t = {.text = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
                 none = {.text = ""};
    char near[TOKEN_TEXT];
    memcpy(near, t.text, sizeof near);
    assert_true(token_matches(&t, span_str(near)));
    for (size_t i = 0; i < TOKEN_TEXT - 1; i++) {
        near[i] ^= 1;
        assert_false(token_matches(&t, span_str(near)));
        near[i] ^= 1;
    }
    assert_false(token_matches(&t, span_of(near, TOKEN_TEXT - 2)));
    assert_false(token_matches(&t, span_of(NULL, 0)));
    assert_false(token_matches(&none, span_of(NULL, 0)));
    memset(near, 0, sizeof near);
    assert_false(
        token_matches(&none, span_of(near, TOKEN_TEXT - 1))); /* a token that was never made */
}

static void a_missing_or_odd_file_is_an_error(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "", "short", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeg",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"};
    char dir[TEMPDIR_MAX], path[TEMPDIR_MAX + 16];
    struct token t;
    tempdir_make(dir);
    snprintf(path, sizeof path, "%s/%s", dir, TOKEN_FILE);
    assert_int_equal(token_read(dir, &t), ERR_NOT_FOUND);
    assert_int_equal(token_read("/nonexistent/folder", &t), ERR_NOT_FOUND);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs(rows[i], f);
        fclose(f);
        assert_int_equal(token_read(dir, &t), ERR_FORMAT);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/hostname", path), 0);
    assert_int_equal(token_read(dir, &t), ERR_IO); /* links are not followed */
    tempdir_remove(dir);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_made_is_read_and_matches),
        cmocka_unit_test(nothing_else_matches),
        cmocka_unit_test(a_missing_or_odd_file_is_an_error),
    };
    return UNIT_RUN(tests);
}
