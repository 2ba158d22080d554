/*
 * The sandbox is tight: each case runs in a child that restricts itself as the daemon does, and is
 * looked at from outside.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "host/confine.h"
#include "tempdir.h"
#include "unit.h"

#define FINE    0
#define UNKNOWN 77 /* exit status of a child on a kernel without */

/* Runs a call in a child of its own; gives the wait status. */
static int in_child(int (*prepare)(void *), int (*f)(void *), void *arg)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        int status = prepare(arg);
        _exit(status != FINE ? status : f(arg));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static int prepare_calls(void *arg)
{
    (void)arg;
    enum confine_state state;
    if (confine_calls(&state) != ERR_OK) {
        return 99;
    }
    return state == CONFINE_ON ? FINE : UNKNOWN;
}

/* ---- Calls that end the process. ---- */

static int run_program(void *arg)
{
    (void)arg;
    char *argv[] = {(char *)(uintptr_t) "true", NULL};
    execv("/bin/true", argv);
    return 1;
}

static int make_process(void *arg)
{
    (void)arg;
    return fork() == 0 ? 1 : 2;
}

static int trace(void *arg)
{
    (void)arg;
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    return 1;
}

static int kill_others(void *arg)
{
    (void)arg;
    kill(getppid(), 0);
    return 1;
}

static int become_root(void *arg)
{
    (void)arg;
    return setuid(0) == 0 ? 1 : 2;
}

static int mount_something(void *arg)
{
    (void)arg;
    mount("none", "/mnt", "tmpfs", 0, NULL);
    return 1;
}

static int make_memory_file(void *arg)
{
    (void)arg;
    syscall(SYS_memfd_create, "code", 0);
    return 1;
}

static int make_name_space(void *arg)
{
    (void)arg;
    unshare(CLONE_NEWUSER);
    return 1;
}

static int load_program(void *arg)
{
    (void)arg;
    syscall(SYS_bpf, 0, NULL, 0);
    return 1;
}

static int make_ring(void *arg)
{
    (void)arg;
    syscall(SYS_io_uring_setup, 1, NULL);
    return 1;
}

static int give_rights_to_file(void *arg)
{
    (void)arg;
    chmod("/tmp", 0777);
    return 1;
}

static void *thread_runs_program(void *arg)
{
    usleep(20000); /* until the filter is there */
    run_program(arg);
    return NULL;
}

static const struct deadly_case {
    const char *why;
    int (*f)(void *);
} deadly_cases[] = {{"execve", run_program},
                    {"fork", make_process},
                    {"ptrace", trace},
                    {"kill", kill_others},
                    {"setuid", become_root},
                    {"mount", mount_something},
                    {"memfd_create", make_memory_file},
                    {"unshare", make_name_space},
                    {"bpf", load_program},
                    {"io_uring_setup", make_ring},
                    {"chmod", give_rights_to_file}};

static void skip_without(int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == UNKNOWN) {
        skip();
    }
}

static void calls_of_an_intruder_end_the_process(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(deadly_cases); i++) {
        const struct deadly_case *row = &deadly_cases[i];
        int status = in_child(prepare_calls, row->f, NULL);
        skip_without(status);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS) {
            fail_msg("%s: found status %#x, expected SIGSYS", row->why, (unsigned)status);
        }
    }
}

/* Threads that run already are bound too. */
static int prepare_with_thread(void *arg)
{
    pthread_t t;
    if (pthread_create(&t, NULL, thread_runs_program, arg) != 0) {
        return 98;
    }
    return prepare_calls(arg);
}

static int wait_for_thread(void *arg)
{
    (void)arg;
    sleep(5);
    return 3;
}

static void threads_that_run_already_are_bound(void **state)
{
    (void)state;
    int status = in_child(prepare_with_thread, wait_for_thread, NULL);
    skip_without(status);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

/* ---- Calls that fail, and those that do not. ---- */

#define EXPECT(condition)             \
    do {                              \
        if (!(condition)) {           \
            return __LINE__ % 90 + 1; \
        }                             \
    } while (0)

static int fails_softly(void *arg)
{
    (void)arg;
    void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(code == MAP_FAILED && errno == EACCES);
    void *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(data != MAP_FAILED);
    EXPECT(mprotect(data, 4096, PROT_READ | PROT_EXEC) != 0 && errno == EACCES);
    EXPECT(mprotect(data, 4096, PROT_READ) == 0);
    EXPECT(socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == ENOSYS);
    EXPECT(socket(AF_VSOCK, SOCK_STREAM, 0) < 0 && errno == ENOSYS);
    EXPECT(ioctl(0, TIOCSTI, "x") != 0 && errno == ENOSYS);
    struct rlimit limit = {64, 64};
    EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    EXPECT(setrlimit(RLIMIT_NOFILE, &limit) != 0 && errno == ENOSYS);
    EXPECT(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0 && errno == ENOSYS);
    EXPECT(syscall(SYS_mlockall, 0) != 0 && errno == ENOSYS); /* not on any list */
    return FINE;
}

static void others_fail(void **state)
{
    (void)state;
    int status = in_child(prepare_calls, fails_softly, NULL);
    skip_without(status);
    assert_int_equal(status, 0);
}

static void *nothing(void *arg)
{
    return arg;
}

static int works(void *arg)
{
    (void)arg;
    pthread_t t;
    EXPECT(pthread_create(&t, NULL, nothing, NULL) == 0 && pthread_join(t, NULL) == 0);
    int u = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    EXPECT(u >= 0 && bind(u, (struct sockaddr *)&any, sizeof any) == 0);
    EXPECT(socket(AF_INET6, SOCK_STREAM, 0) >= 0);
    EXPECT(socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
    EXPECT(prctl(PR_SET_NAME, "x") == 0);
    EXPECT(setpriority(PRIO_PROCESS, 0, 19) == 0);
    void *p = malloc(1u << 24);
    EXPECT(p != NULL);
    free(p);
    return FINE;
}

static void what_the_daemon_needs_works(void **state)
{
    (void)state;
    int status = in_child(prepare_calls, works, NULL);
    skip_without(status);
    assert_int_equal(status, 0);
}

static int end_by_abort(void *arg)
{
    (void)arg;
    abort();
}

static void a_broken_contract_still_ends_by_abort(void **state)
{
    (void)state;
    int status = in_child(prepare_calls, end_by_abort, NULL);
    skip_without(status);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* ---- Files. ---- */

struct place {
    char base[TEMPDIR_MAX];
    char state[TEMPDIR_MAX + 16], read[TEMPDIR_MAX + 16], other[TEMPDIR_MAX + 16];
};

static void make_file(const char *dir, const char *name)
{
    char path[TEMPDIR_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static void make_place(struct place *p)
{
    tempdir_make(p->base);
    snprintf(p->state, sizeof p->state, "%s/state", p->base);
    snprintf(p->read, sizeof p->read, "%s/read", p->base);
    snprintf(p->other, sizeof p->other, "%s/other", p->base);
    assert_int_equal(mkdir(p->state, 0700), 0);
    assert_int_equal(mkdir(p->read, 0700), 0);
    assert_int_equal(mkdir(p->other, 0700), 0);
    make_file(p->state, "old");
    make_file(p->read, "file");
    make_file(p->other, "file");
}

static int prepare_files(void *arg)
{
    const struct place *p = arg;
    char missing[TEMPDIR_MAX + 64];
    snprintf(missing, sizeof missing, "%s/missing", p->base);
    const struct confine_path paths[] = {{p->state, true}, {p->read, false}, {missing, false}};
    enum confine_state state;
    if (confine_files(paths, ARRAY_LEN(paths), &state) != ERR_OK) {
        return 99;
    }
    return state == CONFINE_ON ? FINE : UNKNOWN;
}

static int try_open(const char *dir, const char *name, int flags)
{
    char path[TEMPDIR_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno;
    }
    close(fd);
    return 0;
}

static int try_rename(const char *from_dir, const char *from, const char *to_dir, const char *to)
{
    char a[TEMPDIR_MAX + 64], b[TEMPDIR_MAX + 64];
    snprintf(a, sizeof a, "%s/%s", from_dir, from);
    snprintf(b, sizeof b, "%s/%s", to_dir, to);
    return rename(a, b) == 0 ? 0 : errno;
}

static int uses_files(void *arg)
{
    const struct place *p = arg;
    char path[TEMPDIR_MAX + 64];
    EXPECT(try_open(p->state, "new.tmp", O_RDWR | O_CREAT | O_TRUNC) == 0);
    EXPECT(try_rename(p->state, "new.tmp", p->state, "old") == 0);
    EXPECT(try_open(p->state, "old", O_RDONLY) == 0);
    EXPECT(try_open(p->read, "file", O_RDONLY) == 0);
    EXPECT(try_open(p->read, "file", O_WRONLY) == EACCES);
    EXPECT(try_open(p->read, "new", O_WRONLY | O_CREAT) == EACCES);
    EXPECT(try_open(p->other, "file", O_RDONLY) == EACCES);
    EXPECT(try_open(p->other, "file", O_WRONLY) == EACCES);
    EXPECT(try_open(p->other, "new", O_WRONLY | O_CREAT) == EACCES);
    EXPECT(try_open("/etc", "passwd", O_RDONLY) == EACCES);
    EXPECT(try_open("/proc/self", "mem", O_RDONLY) == EACCES);
    EXPECT(try_rename(p->state, "old", p->other, "moved") != 0);
    EXPECT(try_rename(p->other, "file", p->state, "moved") != 0);
    snprintf(path, sizeof path, "%s/file", p->other);
    EXPECT(unlink(path) != 0 && errno == EACCES);
    snprintf(path, sizeof path, "%s/link", p->state);
    EXPECT(symlink("/etc/passwd", path) != 0 && errno == EACCES);
    EXPECT(mkfifo(path, 0600) != 0 && errno == EACCES);
    char *argv[] = {path, NULL};
    snprintf(path, sizeof path, "%s/old", p->state);
    EXPECT(chmod(path, 0700) == 0 && execv(path, argv) != 0 && errno == EACCES);
    return FINE;
}

static void files_outside_cannot_be_opened(void **state)
{
    (void)state;
    struct place p;
    make_place(&p);
    int status = in_child(prepare_files, uses_files, &p);
    tempdir_remove(p.base);
    skip_without(status);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_of_an_intruder_end_the_process),
        cmocka_unit_test(threads_that_run_already_are_bound),
        cmocka_unit_test(others_fail),
        cmocka_unit_test(what_the_daemon_needs_works),
        cmocka_unit_test(a_broken_contract_still_ends_by_abort),
        cmocka_unit_test(files_outside_cannot_be_opened),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
