/*
 * Runs a program and lets chosen system calls of it fail. Each call of a named kind stops in the
 * kernel (seccomp's user notification) until this program's second half has counted it and said
 * "go on", or which error the caller gets; so nothing is linked into the program, all its threads
 * are counted together, and calls that are not named cost nothing.
 *
 * usage: inject REPORT CALL[@WHERE]:ERROR:WHEN[,...] PROGRAM [ARGUMENT...]
 *
 *   WHERE  only calls whose first argument is a descriptor of such a thing, as /proc/PID/fd tells:
 *          "/" for files, "socket", "pipe", "anon_inode" (what follows is not looked at);
 *          or 1=3: only calls whose argument 1 (the first is 0) is 3
 *   ERROR  EIO, ENOSPC, ... (the table below), or KILL: the process gets SIGKILL in place of the
 * call WHEN   5: the fifth call; 5+: the fifth and all that follow; 0: none, they are only counted
 *
 * The program is exec'd in place, so its process number and exit status are those of this command;
 * the other half is a child that shares the descriptors until the exec. REPORT gets a line for each
 * call that failed, and at the end "count CALL N" for each kind.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define RULES_MAX 128
#define KILL      (-1)

struct rule {
    const char *name;  /* of the call */
    const char *where; /* NULL: wherever */
    const char *error_name;
    int number, error;
    unsigned long when, count;
    bool onwards;
};

static struct rule rules[RULES_MAX];
static size_t rule_count;
static FILE *report;

struct error_name {
    const char *name;
    int number;
};

#define E(name)     \
    {               \
#name, name \
    }

static const struct error_name errors[] = {
    E(EACCES),      E(EADDRINUSE),   E(EAGAIN),        E(EBADF),        E(ECONNREFUSED),
    E(ECONNRESET),  E(EDQUOT),       E(EFAULT),        E(EFBIG),        E(EINTR),
    E(EINVAL),      E(EIO),          E(EMFILE),        E(EMSGSIZE),     E(ENETDOWN),
    E(ENETUNREACH), E(ENFILE),       E(ENOBUFS),       E(ENODEV),       E(ENOENT),
    E(ENOMEM),      E(ENOPROTOOPT),  E(ENOSPC),        E(ENOSYS),       E(ENOTCONN),
    E(EPERM),       E(EPIPE),        E(EPROTO),        E(EROFS),        E(ESRCH),
    E(ESTALE),      E(ETIMEDOUT),    E(KILL),          E(ENOTDIR),      E(EEXIST),
    E(EDOM),        E(EHOSTUNREACH), E(EADDRNOTAVAIL), E(ECONNABORTED), E(EALREADY)};

static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("inject: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    _exit(125);
}

static int error_of(const char *name)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (strcmp(errors[i].name, name) == 0) {
            return errors[i].number;
        }
    }
    die("found \"%s\", expected the name of an error", name);
    return 0;
}

/* CALL[@WHERE]:ERROR:WHEN; the text is cut up. A call that this machine does not have is left out.
 */
static void add_rule(char *text)
{
    char *error = strchr(text, ':'), *when = error ? strchr(error + 1, ':') : NULL, *end;
    if (!when || rule_count == RULES_MAX) {
        die("found \"%s\", expected CALL[@WHERE]:ERROR:WHEN, at most %d times", text, RULES_MAX);
    }
    *error++ = *when++ = '\0';
    char *where = strchr(text, '@');
    if (where) {
        *where++ = '\0';
    }
    struct rule r = {.name = text, .where = where, .error_name = error, .error = error_of(error)};
    r.number = seccomp_syscall_resolve_name(text);
    r.when = strtoul(when, &end, 10);
    r.onwards = *end == '+';
    if (r.number >= 0) {
        rules[rule_count++] = r;
    }
}

static int listener_new(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int rc = filter ? 0 : -ENOMEM;
    for (size_t i = 0; i < rule_count && rc == 0; i++) {
        rc = seccomp_rule_add(filter, SCMP_ACT_NOTIFY, rules[i].number, 0);
        rc = rc == -EEXIST ? 0 : rc;
    }
    rc = rc == 0 ? seccomp_load(filter) : rc;
    if (rc != 0) {
        die("no filter: %s", strerror(-rc));
    }
    return seccomp_notify_fd(filter);
}

/* ---- The other half. ---- */

/* The path that a call names, for the report; empty for calls that name none. */
static void path_of(const struct seccomp_notif *n, const char *call, char *out, size_t cap)
{
    static const struct {
        const char *call;
        int arg;
    } with_path[] = {{"openat", 1},   {"newfstatat", 1}, {"unlinkat", 1}, {"renameat", 3},
                     {"mkdirat", 1},  {"access", 0},     {"open", 0},     {"rename", 1},
                     {"readlink", 0}, {"mkdir", 0},      {"statx", 1},    {"inotify_add_watch", 1}};
    out[0] = '\0';
    for (size_t i = 0; i < sizeof with_path / sizeof *with_path; i++) {
        if (strcmp(with_path[i].call, call) == 0) {
            /* To the end of the page: what follows need not be mapped. */
            uint64_t from = n->data.args[with_path[i].arg];
            size_t len = 4096 - (size_t)(from & 4095);
            len = len < cap - 1 ? len : cap - 1;
            struct iovec to = {out, len}, at = {(void *)(uintptr_t)from, len};
            ssize_t got = process_vm_readv((pid_t)n->pid, &to, 1, &at, 1, 0);
            out[got > 0 ? got : 0] = '\0';
        }
    }
}

/* Is the descriptor in the first argument one of `where`; or that argument what `where` says? */
static bool is_at(const struct seccomp_notif *n, const char *where)
{
    char link[64], target[64] = "";
    if (!where) {
        return true;
    }
    if (where[0] >= '0' && where[0] <= '5' && where[1] == '=') {
        return n->data.args[where[0] - '0'] == strtoull(where + 2, NULL, 0);
    }
    snprintf(link, sizeof link, "/proc/%u/fd/%d", n->pid, (int)n->data.args[0]);
    return readlink(link, target, sizeof target - 1) > 0 &&
           strncmp(target, where, strlen(where)) == 0;
}

static void thread_of(uint32_t tid, char *out, size_t cap)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%u/comm", tid);
    FILE *f = fopen(path, "re");
    if (!f || !fgets(out, (int)cap, f)) {
        snprintf(out, cap, "?");
    }
    out[strcspn(out, "\n")] = '\0';
    if (f) {
        fclose(f);
    }
}

/* Counts the call; the error that it gets, 0 for none. */
static int judge(const struct seccomp_notif *n)
{
    int error = 0;
    for (size_t i = 0; i < rule_count; i++) {
        struct rule *r = &rules[i];
        if (r->number != n->data.nr || !is_at(n, r->where)) {
            continue;
        }
        r->count++;
        if (r->when == 0 || r->count < r->when || (r->count > r->when && !r->onwards)) {
            continue;
        }
        error = r->error;
        char path[200], thread[32];
        path_of(n, r->name, path, sizeof path);
        thread_of(n->pid, thread, sizeof thread);
        fprintf(report, "failed %s %lu %s %s %llx %llx %s\n", r->name, r->count, r->error_name,
                thread, (unsigned long long)n->data.args[0], (unsigned long long)n->data.args[1],
                path);
        fflush(report);
    }
    return error;
}

static void serve_one(int fd, pid_t program)
{
    struct seccomp_notif n;
    memset(&n, 0, sizeof n);
    if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n) != 0) {
        return; /* a signal took the caller away */
    }
    int error = judge(&n);
    if (error == KILL) {
        kill(program, SIGKILL);
        return;
    }
    struct seccomp_notif_resp answer = {.id = n.id, .error = -error};
    answer.flags = error == 0 ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0;
    (void)ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

static void supervise(int fd, pid_t program)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    setpgid(0, 0); /* what is meant for the program does not reach us */
    for (;;) {
        if (poll(&p, 1, -1) < 0 && errno != EINTR) {
            break;
        }
        if (p.revents & POLLIN) {
            serve_one(fd, program);
        } else if (p.revents & (POLLHUP | POLLERR)) {
            break; /* nobody is left */
        }
    }
    for (size_t i = 0; i < rule_count; i++) {
        fprintf(report, "count %s%s%s %lu\n", rules[i].name, rules[i].where ? "@" : "",
                rules[i].where ? rules[i].where : "", rules[i].count);
    }
    fclose(report);
    _exit(0);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        die("usage: inject REPORT CALL:ERROR:WHEN[,...] PROGRAM [ARGUMENT...]");
    }
    report = fopen(argv[1], "we");
    if (!report) {
        die("%s: %s", argv[1], strerror(errno));
    }
    for (char *t = strtok(argv[2], ","); t; t = strtok(NULL, ",")) {
        add_rule(t);
    }
    /* What the other half must know: the descriptor; and what it answers: that it runs. */
    volatile int *shared =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        die("no memory");
    }
    pid_t program = getpid();
    long child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
    if (child < 0) {
        die("no process: %s", strerror(errno));
    }
    if (child == 0) {
        prctl(PR_SET_NAME, "inject");
        while (shared[0] == 0) {
            sched_yield();
        }
        shared[1] = 1;
        supervise(shared[0], program);
    }
    shared[0] = listener_new();
    while (shared[1] == 0) {
        sched_yield();
    }
    execv(argv[3], argv + 3);
    _exit(126);
}
