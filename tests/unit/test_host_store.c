/*
 * Files of the state directory: what is there after each way for a write to go wrong.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "host/store.h"
#include "tempdir.h"

static char dir[TEMPDIR_MAX];
static struct store *store;

static int setup(void **state)
{
    (void)state;
    tempdir_make(dir);
    assert_int_equal(store_open(dir, &store), ERR_OK);
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

static void count_one(void *arg, const char *name)
{
    (void)name;
    ++*(int *)arg;
}

static void expect_text(const char *name, const char *text)
{
    struct store_blob b;
    assert_int_equal(store_read(store, name, 1 << 20, &b), ERR_OK);
    assert_string_equal((const char *)b.data, text);
    assert_int_equal(b.len, strlen(text));
    store_blob_free(&b);
}

static void writes_replaces_and_reads_whole_files(void **state)
{
    (void)state;
    struct store_blob b;
    assert_int_equal(store_read(store, "a", 100, &b), ERR_NOT_FOUND);
    assert_int_equal(store_write(store, "a", span_str("first")), ERR_OK);
    expect_text("a", "first");
    assert_int_equal(store_write(store, "a", span_str("second, longer")), ERR_OK);
    expect_text("a", "second, longer");
    assert_int_equal(store_read(store, "a", 13, &b), ERR_LIMIT);
    assert_int_equal(store_remove(store, "a"), ERR_OK);
    assert_int_equal(store_remove(store, "a"), ERR_NOT_FOUND);
}

static void sets_a_damaged_file_aside(void **state)
{
    (void)state;
    struct store_blob b;
    assert_int_equal(store_set_aside(store, "a"), ERR_NOT_FOUND);
    assert_int_equal(store_write(store, "a" STORE_ASIDE, span_str("older")), ERR_OK);
    assert_int_equal(store_write(store, "a", span_str("damaged")), ERR_OK);
    assert_int_equal(store_set_aside(store, "a"), ERR_OK);
    expect_text("a" STORE_ASIDE, "damaged");
    assert_int_equal(store_read(store, "a", 100, &b), ERR_NOT_FOUND);
    assert_int_equal(store_mkdir(store, "lists"), ERR_OK);
    assert_int_equal(store_write(store, "lists/b", span_str("x")), ERR_OK);
    assert_int_equal(store_set_aside(store, "lists/b"), ERR_OK);
    expect_text("lists/b" STORE_ASIDE, "x");
}

static void keeps_files_private(void **state)
{
    (void)state;
    char path[TEMPDIR_MAX + 8];
    struct stat st;
    assert_int_equal(store_write(store, "secret", span_str("x")), ERR_OK);
    (void)snprintf(path, sizeof path, "%s/secret", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void does_not_follow_links(void **state)
{
    (void)state;
    char link_path[TEMPDIR_MAX + 8], target[TEMPDIR_MAX + 8];
    struct store_blob b;
    (void)snprintf(target, sizeof target, "%s/target", dir);
    (void)snprintf(link_path, sizeof link_path, "%s/link", dir);
    tempdir_put(target, "keep", 4);
    assert_int_equal(symlink(target, link_path), 0);
    assert_int_equal(store_read(store, "link", 100, &b), ERR_IO);
    assert_int_equal(store_write(store, "link", span_str("new")),
                     ERR_OK); /* the link goes, the target stays */
    expect_text("target", "keep");
    expect_text("link", "new");
}

static void lists_files_of_a_subdirectory(void **state)
{
    (void)state;
    int n = 0;
    assert_int_equal(store_mkdir(store, "lists"), ERR_OK);
    assert_int_equal(store_mkdir(store, "lists"), ERR_OK);
    assert_int_equal(store_write(store, "lists/a", span_str("1")), ERR_OK);
    assert_int_equal(store_write(store, "lists/b", span_str("2")), ERR_OK);
    store_each(store, "lists", count_one, &n);
    assert_int_equal(n, 2);
    assert_int_equal(store_write(store, "nowhere/a", span_str("1")), ERR_NOT_FOUND);
}

/* Any single changed, missing or added octet of a sealed file is noticed. */
static void notices_every_damage_of_a_sealed_file(void **state)
{
    (void)state;
    static const char text[] = "what a person decided";
    struct store_blob raw, b;
    uint8_t bytes[128];
    assert_int_equal(store_write_sealed(store, "s", "TEST", 3, span_of(text, sizeof text)), ERR_OK);
    assert_int_equal(store_read_sealed(store, "s", "TEST", 3, 100, &b), ERR_OK);
    assert_int_equal(b.len, sizeof text);
    assert_memory_equal(b.data, text, sizeof text);
    store_blob_free(&b);
    assert_int_equal(store_read_sealed(store, "s", "TEST", 4, 100, &b), ERR_VERSION);
    assert_int_equal(store_read_sealed(store, "s", "TOAST", 3, 100, &b), ERR_FORMAT);
    assert_int_equal(store_read_sealed(store, "s", "TEST", 3, sizeof text - 1, &b), ERR_LIMIT);

    assert_int_equal(store_read(store, "s", 200, &raw), ERR_OK);
    assert_true(raw.len < sizeof bytes);
    for (size_t i = 0; i < raw.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(bytes, raw.data, raw.len);
            bytes[i] ^= (uint8_t)(1U << bit);
            assert_int_equal(store_write(store, "s", span_of(bytes, raw.len)), ERR_OK);
            if (store_read_sealed(store, "s", "TEST", 3, 100, &b) != ERR_CHECKSUM) {
                fail_msg("octet %zu bit %u changed unnoticed", i, bit);
            }
        }
        assert_int_equal(store_write(store, "s", span_of(raw.data, i)), ERR_OK);
        assert_int_equal(store_read_sealed(store, "s", "TEST", 3, 100, &b), ERR_CHECKSUM);
    }
    memcpy(bytes, raw.data, raw.len);
    bytes[raw.len] = 0;
    assert_int_equal(store_write(store, "s", span_of(bytes, raw.len + 1)), ERR_OK);
    assert_int_equal(store_read_sealed(store, "s", "TEST", 3, 100, &b), ERR_CHECKSUM);
    store_blob_free(&raw);
}

static enum store_step faulty;

static int fail_step(enum store_step step, const char *name)
{
    (void)name;
    return step == faulty ? ENOSPC : 0;
}

static void keeps_the_old_file_when_any_step_fails(void **state)
{
    (void)state;
    static const enum store_step steps[] = {STORE_STEP_CREATE, STORE_STEP_WRITE, STORE_STEP_SYNC,
                                            STORE_STEP_RENAME};
    assert_int_equal(store_write(store, "a", span_str("good")), ERR_OK);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        int n = 0;
        faulty = steps[i];
        store_set_fault(fail_step);
        assert_int_equal(store_write(store, "a", span_str("never")), ERR_IO);
        assert_int_equal(errno, ENOSPC);
        store_set_fault(NULL);
        expect_text("a", "good");
        store_each(store, ".", count_one, &n);
        assert_int_equal(n, 1); /* and no temporary file stays */
    }
}

static void reports_a_full_disk(void **state)
{
    (void)state;
    static uint8_t big[65536];
    struct rlimit old, small = {.rlim_cur = 10000, .rlim_max = RLIM_INFINITY};
    assert_int_equal(store_write(store, "a", span_str("good")), ERR_OK);
    (void)signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    enum err e = store_write(store, "a", span_of(big, sizeof big));
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(e, ERR_IO);
    expect_text("a", "good");
}

/* A process that writes a file over and over is killed at random moments; the file is always one of
 * the whole versions. */
static void survives_kill_at_any_moment(void **state)
{
    (void)state;
    static uint8_t data[100000];
    struct store_blob b;
    unsigned seen = 0;
    for (int round = 0; round < 25; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            for (unsigned v = 0;; v++) {
                memset(data, (int)(v & 0xff), sizeof data);
                if (store_write_sealed(store, "a", "TEST", 1, span_of(data, sizeof data)) !=
                    ERR_OK) {
                    _exit(1);
                }
            }
        }
        usleep((useconds_t)(1000 + (unsigned)round * 791));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        enum err e = store_read_sealed(store, "a", "TEST", 1, sizeof data, &b);
        if (e == ERR_NOT_FOUND) {
            continue; /* killed before the first one */
        }
        assert_int_equal(e, ERR_OK);
        assert_int_equal(b.len, sizeof data);
        for (size_t i = 1; i < b.len; i++) {
            assert_int_equal(b.data[i], b.data[0]);
        }
        store_blob_free(&b);
        seen++;
    }
    assert_true(seen > 0);

    /* What the killed left behind goes when the next one takes over. */
    char command[TEMPDIR_MAX + 64];
    assert_int_equal(store_claim(store), ERR_OK);
    (void)snprintf(command, sizeof command, "! ls %s | grep -q tmp", dir);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a test's own directory */
}

static void belongs_to_one_process_at_a_time(void **state)
{
    (void)state;
    struct store *other;
    assert_int_equal(store_open(dir, &other), ERR_OK);
    assert_int_equal(store_claim(store), ERR_OK);
    assert_int_equal(store_claim(store), ERR_OK);
    assert_int_equal(store_claim(other), ERR_STATE);
    store_close(store);
    assert_int_equal(store_claim(other), ERR_OK);
    store = other;
}

static void opens_what_is_missing_and_refuses_what_cannot_be(void **state)
{
    (void)state;
    char path[TEMPDIR_MAX + 16];
    struct store *s;
    (void)snprintf(path, sizeof path, "%s/new", dir);
    assert_int_equal(store_open(path, &s), ERR_OK);
    store_close(s);
    (void)snprintf(path, sizeof path, "%s/a/b/c", dir);
    assert_int_equal(store_open(path, &s), ERR_NOT_FOUND);
    (void)snprintf(path, sizeof path, "%s/file", dir);
    tempdir_put(path, "x", 1);
    assert_int_equal(store_open(path, &s), ERR_NOT_FOUND);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_replaces_and_reads_whole_files, setup, teardown),
        cmocka_unit_test_setup_teardown(sets_a_damaged_file_aside, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_files_private, setup, teardown),
        cmocka_unit_test_setup_teardown(does_not_follow_links, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_files_of_a_subdirectory, setup, teardown),
        cmocka_unit_test_setup_teardown(notices_every_damage_of_a_sealed_file, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_the_old_file_when_any_step_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(reports_a_full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(survives_kill_at_any_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(belongs_to_one_process_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(opens_what_is_missing_and_refuses_what_cannot_be, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
