/* Passwords: made once, stored as slow hashes, checked, changed; keys; files that are damaged or
 * cannot be written. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "host/password.h"
#include "host/store.h"
#include "tempdir.h"
#include "unit.h"

struct fixture {
    char dir[TEMPDIR_MAX];
    struct store *store;
    struct passwords *p;
    char made[PASSWORD_TEXT];
};

static int open_fixture(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    tempdir_make(f->dir);
    if (store_open(f->dir, &f->store) != ERR_OK ||
        passwords_open(&f->p, f->store, NULL, f->made) != ERR_OK) {
        return -1;
    }
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    passwords_close(f->p);
    store_close(f->store);
    tempdir_remove(f->dir);
    free(f);
    return 0;
}

static void reopen(struct fixture *f, const char *plain)
{
    passwords_close(f->p);
    f->p = NULL;
    assert_int_equal(passwords_open(&f->p, f->store, plain, f->made), ERR_OK);
}

static enum api_credential check(const struct fixture *f, const char *text)
{
    return passwords_check(f->p, span_str(text));
}

static char *file_text(const struct fixture *f)
{
    struct store_blob b;
    assert_int_equal(store_read(f->store, "passwords", 65536, &b), ERR_OK);
    return (char *)b.data;
}

static void a_password_is_made_once(void **state)
{
    struct fixture *f = *state;
    char first[PASSWORD_TEXT];
    assert_int_equal(strlen(f->made), 20);
    memcpy(first, f->made, sizeof first);
    assert_int_equal(check(f, first), CREDENTIAL_PASSWORD);
    reopen(f, NULL);
    assert_string_equal(f->made, "");
    assert_int_equal(check(f, first), CREDENTIAL_PASSWORD);
}

static void the_file_tells_nothing(void **state)
{
    struct fixture *f = *state;
    char path[TEMPDIR_MAX + 16];
    struct stat st;
    snprintf(path, sizeof path, "%s/passwords", f->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    char *text = file_text(f);
    assert_null(strstr(text, f->made));
    assert_non_null(strstr(text, ":password:$y$"));
    free(text);
}

static void made_passwords_differ(void **state)
{
    struct fixture *f = *state;
    char first[PASSWORD_TEXT];
    memcpy(first, f->made, sizeof first);
    assert_int_equal(store_remove(f->store, "passwords"), ERR_OK);
    reopen(f, NULL);
    assert_int_equal(strlen(f->made), 20);
    assert_string_not_equal(first, f->made);
    assert_int_equal(check(f, first), CREDENTIAL_WRONG);
}

static void wrong_passwords_are_wrong(void **state)
{
    struct fixture *f = *state;
    char longer[PASSWORD_TEXT + 1], shorter[PASSWORD_TEXT], huge[PASSWORD_LEN_MAX + 2];
    snprintf(longer, sizeof longer, "%sx", f->made);
    snprintf(shorter, sizeof shorter, "%.19s", f->made);
    memset(huge, 'a', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    const char *const wrong[] = {"",
                                 "x",
                                 "wrong_password",
                                 longer,
                                 shorter,
                                 huge,
                                 "$y$j9T$abc",
                                 "shk-123456-x",
                                 "shk-000000-aaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (check(f, wrong[i]) != CREDENTIAL_WRONG) {
            fail_msg("\"%s\" was taken", wrong[i]);
        }
    }
    assert_int_equal(passwords_check(f->p, span_of("a\0b", 3)), CREDENTIAL_WRONG);
}

static void the_password_can_be_changed(void **state)
{
    struct fixture *f = *state;
    char old[PASSWORD_TEXT];
    memcpy(old, f->made, sizeof old);
    assert_int_equal(passwords_set(f->p, span_str("1234567")), ERR_RANGE);
    assert_int_equal(passwords_set(f->p, span_of("12345678\0", 9)), ERR_RANGE);
    assert_int_equal(check(f, old), CREDENTIAL_PASSWORD);
    assert_int_equal(passwords_set(f->p, span_str("p\xc3\xa4ssword: with \"all\"\n")), ERR_OK);
    assert_int_equal(check(f, old), CREDENTIAL_WRONG);
    reopen(f, NULL);
    assert_int_equal(check(f, "p\xc3\xa4ssword: with \"all\"\n"), CREDENTIAL_PASSWORD);
}

static void keys_come_and_go(void **state)
{
    struct fixture *f = *state;
    char app[API_KEY_TEXT], reader[API_KEY_TEXT];
    struct api_key_info info[4];
    uint32_t app_id, reader_id;
    assert_int_equal(passwords_key_new(f->p, "Home Assistant", false, app, &app_id), ERR_OK);
    assert_int_equal(passwords_key_new(f->p, "prometheus", true, reader, &reader_id), ERR_OK);
    assert_int_equal(strlen(app), 4 + 6 + 1 + 28);
    assert_int_equal(check(f, app), CREDENTIAL_APP);
    assert_int_equal(check(f, reader), CREDENTIAL_READ_ONLY);
    reopen(f, NULL);
    assert_int_equal(check(f, app), CREDENTIAL_APP);
    assert_int_equal(passwords_key_list(f->p, info, 4), 2);
    assert_string_equal(info[0].name, "Home Assistant");
    assert_int_equal(info[0].id, app_id);
    assert_true(info[1].read_only);
    assert_true(info[1].created_unix > 1700000000);
    assert_int_equal(passwords_key_list(f->p, info, 1), 1);
    assert_int_equal(passwords_key_delete(f->p, app_id), ERR_OK);
    assert_int_equal(passwords_key_delete(f->p, app_id), ERR_NOT_FOUND);
    assert_int_equal(passwords_key_delete(f->p, 0), ERR_NOT_FOUND); /* the password is no key */
    assert_int_equal(check(f, app), CREDENTIAL_WRONG);
    assert_int_equal(check(f, reader), CREDENTIAL_READ_ONLY);
    /* A new password leaves keys alone. */
    assert_int_equal(passwords_set(f->p, span_str("something new")), ERR_OK);
    reopen(f, NULL);
    assert_int_equal(check(f, reader), CREDENTIAL_READ_ONLY);
    char *text = file_text(f);
    assert_null(strstr(text, reader + 11));
    free(text);
}

static void names_of_keys_fit_on_a_line(void **state)
{
    struct fixture *f = *state;
    char secret[API_KEY_TEXT], huge[100];
    uint32_t id;
    memset(huge, 'n', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    const char *const bad[] = {"", "a:b", "a\nb", "\x7f", huge};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(passwords_key_new(f->p, bad[i], false, secret, &id), ERR_FORMAT);
    }
}

static void damaged_files_are_set_aside(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {
        "",
        "garbage",
        "password:0:1:password:$y$j9T$x",   /* no line feed */
        "app:123456:1:x:$y$j9T$x\n",        /* no password */
        "password:5:1:password:$y$j9T$x\n", /* a password with a number */
        "password:0:1:password:plain\n",    /* no hash */
        "password:0:x:password:$y$j9T$x\n",
        "password:0:1:password\n",
        "password:0:1:p:$y$a\npassword:0:1:p:$y$b\n",
        "password:0:1:p:$y$a\napp:0:1:p:$y$b\n",
    };
    char path[TEMPDIR_MAX + 16];
    snprintf(path, sizeof path, "%s/passwords", f->dir);
    log_set_level_all(LOG_LEVEL_ERROR);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct store_blob b;
        tempdir_put(path, bad[i], strlen(bad[i]));
        reopen(f, NULL);
        if (strlen(f->made) != 20) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
        assert_int_equal(check(f, f->made), CREDENTIAL_PASSWORD);
        assert_int_equal(store_read(f->store, "passwords.bad", 65536, &b), ERR_OK);
        assert_string_equal((char *)b.data, bad[i]);
        store_blob_free(&b);
    }
}

/* A directory in its place stands for a disk that gives errors. */
static void a_file_that_cannot_be_read_is_an_error_and_stays(void **state)
{
    struct fixture *f = *state;
    struct passwords *p = NULL;
    char path[TEMPDIR_MAX + 16], made[PASSWORD_TEXT];
    struct stat st;
    snprintf(path, sizeof path, "%s/passwords", f->dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(passwords_open(&p, f->store, NULL, made), ERR_IO);
    assert_null(p);
    assert_string_equal(made, "");
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
}

static void a_file_of_the_person_stands_above(void **state)
{
    struct fixture *f = *state;
    char path[TEMPDIR_MAX + 16], old[PASSWORD_TEXT], secret[API_KEY_TEXT];
    uint32_t id;
    memcpy(old, f->made, sizeof old);
    snprintf(path, sizeof path, "%s/mine", f->dir);
    tempdir_put(path, "my own word\r\nnot this\n", 22);
    reopen(f, path);
    assert_string_equal(f->made, "");
    assert_int_equal(check(f, "my own word"), CREDENTIAL_PASSWORD);
    assert_int_equal(check(f, old), CREDENTIAL_WRONG);
    assert_int_equal(check(f, "not this"), CREDENTIAL_WRONG);
    assert_int_equal(passwords_set(f->p, span_str("another word")), ERR_STATE);
    assert_int_equal(passwords_key_new(f->p, "app", false, secret, &id), ERR_OK);
    assert_int_equal(check(f, secret), CREDENTIAL_APP);
    reopen(f, NULL);
    assert_int_equal(check(f, old), CREDENTIAL_PASSWORD); /* the stored one is still there */
    assert_int_equal(check(f, secret), CREDENTIAL_APP);
    struct passwords *p = NULL;
    log_set_level_all(LOG_LEVEL_ERROR);
    tempdir_put(path, "\n", 1);
    assert_int_equal(passwords_open(&p, f->store, path, f->made), ERR_IO);
    assert_int_equal(passwords_open(&p, f->store, "/nonexistent", f->made), ERR_IO);
    assert_null(p);
}

static int fail_all(enum store_step step, const char *name)
{
    (void)step;
    (void)name;
    return 28; /* ENOSPC */
}

static void a_full_disk_changes_nothing(void **state)
{
    struct fixture *f = *state;
    char old[PASSWORD_TEXT], secret[API_KEY_TEXT];
    uint32_t id;
    memcpy(old, f->made, sizeof old);
    assert_int_equal(passwords_key_new(f->p, "app", false, secret, &id), ERR_OK);
    store_set_fault(fail_all);
    assert_int_equal(passwords_set(f->p, span_str("another word")), ERR_IO);
    assert_int_equal(check(f, old), CREDENTIAL_PASSWORD);
    char other[API_KEY_TEXT];
    uint32_t other_id;
    assert_int_equal(passwords_key_new(f->p, "two", false, other, &other_id), ERR_IO);
    assert_int_equal(passwords_key_delete(f->p, id), ERR_IO);
    assert_int_equal(check(f, secret), CREDENTIAL_APP);
    /* Without a place to store it a made password holds all the same. */
    log_set_level_all(LOG_LEVEL_ERROR);
    assert_int_equal(store_remove(f->store, "passwords"), ERR_OK);
    reopen(f, NULL);
    assert_int_equal(check(f, f->made), CREDENTIAL_PASSWORD);
    store_set_fault(NULL);
}

static void keys_are_bounded(void **state)
{
    struct fixture *f = *state;
    char secret[API_KEY_TEXT];
    struct api_key_info info[64];
    uint32_t id;
    for (int i = 0; i < PASSWORD_KEYS_MAX; i++) {
        assert_int_equal(passwords_key_new(f->p, "n", i % 2, secret, &id), ERR_OK);
    }
    assert_int_equal(passwords_key_new(f->p, "n", false, secret, &id), ERR_LIMIT);
    reopen(f, NULL);
    assert_int_equal(passwords_key_list(f->p, info, 64), PASSWORD_KEYS_MAX);
}

static void one_time_passwords_are_kept_beside_keys(void **state)
{
    struct fixture *f = *state;
    const uint8_t one[TOTP_SECRET_OCTETS] = "12345678901234567890", two[TOTP_SECRET_OCTETS] = {9};
    uint8_t found[TOTP_SECRET_OCTETS];
    char secret[API_KEY_TEXT];
    struct api_key_info info[4];
    uint32_t id;
    assert_false(passwords_totp_get(f->p, found));
    assert_int_equal(passwords_totp_set(f->p, NULL), ERR_OK);
    assert_int_equal(passwords_totp_set(f->p, one), ERR_OK);
    assert_int_equal(passwords_key_new(f->p, "app", false, secret, &id), ERR_OK);
    reopen(f, NULL);
    assert_true(passwords_totp_get(f->p, found));
    assert_memory_equal(found, one, sizeof one);
    assert_int_equal(passwords_key_list(f->p, info, 4), 1);
    assert_int_equal(passwords_key_delete(f->p, 1), ERR_NOT_FOUND);

    /* A disk that is full neither switches it off nor on. */
    store_set_fault(fail_all);
    assert_int_equal(passwords_totp_set(f->p, two), ERR_IO);
    assert_int_equal(passwords_totp_set(f->p, NULL), ERR_IO);
    store_set_fault(NULL);
    assert_true(passwords_totp_get(f->p, found));
    assert_memory_equal(found, one, sizeof one);

    assert_int_equal(passwords_totp_set(f->p, two), ERR_OK);
    assert_int_equal(passwords_totp_set(f->p, NULL), ERR_OK);
    reopen(f, NULL);
    assert_false(passwords_totp_get(f->p, found));
    assert_int_equal(check(f, secret), CREDENTIAL_APP);
}

/* Else a changed octet would switch the second step off. */
static void a_damaged_secret_is_a_damaged_file(void **state)
{
    struct fixture *f = *state;
    const uint8_t one[TOTP_SECRET_OCTETS] = {1};
    char old[PASSWORD_TEXT];
    memcpy(old, f->made, sizeof old);
    assert_int_equal(passwords_totp_set(f->p, one), ERR_OK);
    char *text = file_text(f);
    char *at = strstr(text, "$totp$");
    assert_non_null(at);
    at[6] = '1'; /* no digit of base32 */
    assert_int_equal(store_write(f->store, "passwords", span_str(text)), ERR_OK);
    free(text);
    log_set_level_all(LOG_LEVEL_ERROR);
    reopen(f, NULL);
    assert_int_equal(check(f, old), CREDENTIAL_WRONG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_password_is_made_once),
        TEST(the_file_tells_nothing),
        TEST(made_passwords_differ),
        TEST(wrong_passwords_are_wrong),
        TEST(the_password_can_be_changed),
        TEST(keys_come_and_go),
        TEST(names_of_keys_fit_on_a_line),
        TEST(damaged_files_are_set_aside),
        TEST(a_file_that_cannot_be_read_is_an_error_and_stays),
        TEST(a_file_of_the_person_stands_above),
        TEST(a_full_disk_changes_nothing),
        TEST(keys_are_bounded),
        TEST(one_time_passwords_are_kept_beside_keys),
        TEST(a_damaged_secret_is_a_damaged_file),
    };
    return UNIT_RUN(tests);
}
