/*
 * sinkhole stats, once; sinkhole top, live in the terminal.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/remote.h"

enum { TOP_COUNT = 10, TOP_COUNT_MAX = 1000, REFRESH_MS = 1000 };

/* What one picture is made of; all may be NULL. */
struct numbers {
    json_t *status, *summary, *blocking, *blocked, *allowed, *clients, *upstreams;
};

static void numbers_free(struct numbers *n)
{
    json_t *all[] = {n->status,  n->summary, n->blocking, n->blocked,
                     n->allowed, n->clients, n->upstreams};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        json_decref(all[i]);
    }
    memset(n, 0, sizeof *n);
}

static int numbers_get(struct remote *r, long count, struct numbers *n)
{
    char path[128];
    struct {
        const char *path; /* the count follows */
        json_t **out;
    } calls[] = {{"/api/sinkhole/status?count=", &n->status},
                 {"/api/stats/summary?count=", &n->summary},
                 {"/api/dns/blocking?count=", &n->blocking},
                 {"/api/stats/top_domains?blocked=true&count=", &n->blocked},
                 {"/api/stats/top_domains?blocked=false&count=", &n->allowed},
                 {"/api/stats/top_clients?count=", &n->clients},
                 {"/api/stats/upstreams?count=", &n->upstreams}};
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        snprintf(path, sizeof path, "%s%ld", calls[i].path, count);
        int status = remote_call(r, "GET", path, NULL, calls[i].out);
        if (status != EXIT_FINE) {
            return status;
        }
    }
    return EXIT_FINE;
}

/* ---- words ---- */

/* 48211 as "48 211". */
static const char *grouped(json_int_t v, char out[32])
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%lld", (long long)v), k = 0;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-') {
            out[k++] = ' ';
        }
        out[k++] = digits[i];
    }
    out[k] = '\0';
    return out;
}

static void row(const char *title, json_int_t v, const char *more)
{
    char text[32];
    printf("%-12s %14s%s%s\n", title, grouped(v, text), more[0] != '\0' ? "  " : "", more);
}

static void print_blocking(const json_t *blocking)
{
    const char *state = json_text_at(blocking, "blocking");
    json_int_t timer = json_int_at(blocking, "timer");
    if (strcmp(state, "enabled") == 0) {
        printf("%-12s %14s\n", "Blocking", "on");
    } else if (timer > 0) {
        printf("%-12s %14s  for %lld s more\n", "Blocking", "paused", (long long)timer);
    } else {
        printf("%-12s %14s\n", "Blocking", "paused");
    }
}

/* 93784 as "1 d 2 h". */
static const char *span_text(json_int_t seconds, char out[32])
{
    static const struct {
        json_int_t s;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(units) && seconds < units[i].s) {
        i++;
    }
    json_int_t rest = i + 1 < ARRAY_LEN(units) ? seconds % units[i].s / units[i + 1].s : 0;
    int n = snprintf(out, 32, "%lld %s", (long long)(seconds / units[i].s), units[i].name);
    if (rest > 0) {
        snprintf(out + n, (size_t)(32 - n), " %lld %s", (long long)rest, units[i + 1].name);
    }
    return out;
}

/* What the program itself is at. */
static void print_state(const struct numbers *n)
{
    char more[128], time[32];
    const json_t *s = n->status;
    json_int_t failed = json_int_at(s, "lists.failed"), updated = json_int_at(s, "lists.updated");
    snprintf(more, sizeof more, "in %lld lists%s", (long long)json_int_at(s, "lists.count"),
             updated > 0 ? ", updated " : "");
    if (updated > 0) {
        json_int_t ago = (json_int_t)json_real_at(s, "time") - updated;
        size_t len = strlen(more);
        snprintf(more + len, sizeof more - len, "%s ago", span_text(ago > 0 ? ago : 0, time));
    }
    row("Rules", json_int_at(s, "lists.rules"), more);
    if (failed > 0) {
        printf("%-12s %14lld  see: sinkhole update\n", "Failed lists", (long long)failed);
    }
    if (json_int_at(s, "upstream.answers") > 0) {
        printf("%-12s %14.1f  ms in the middle, %.1f ms for 95 of 100\n", "Upstreams",
               json_real_at(s, "upstream.median_ms"), json_real_at(s, "upstream.p95_ms"));
    }
    printf("%-12s %14.1f  MiB\n", "Memory", json_real_at(s, "memory.resident") / 1048576);
    printf("%-12s %14s\n", "Running for", span_text(json_int_at(s, "uptime"), time));
}

static void print_summary(const struct numbers *n)
{
    char more[96];
    const json_t *s = n->summary;
    snprintf(more, sizeof more, "%.1f a second", json_real_at(s, "queries.frequency"));
    row("Queries", json_int_at(s, "queries.total"), more);
    snprintf(more, sizeof more, "%.1f %%", json_real_at(s, "queries.percent_blocked"));
    row("Blocked", json_int_at(s, "queries.blocked"), more);
    row("From cache", json_int_at(s, "queries.cached"), "");
    row("Forwarded", json_int_at(s, "queries.forwarded"), "");
    snprintf(more, sizeof more, "of %lld seen", (long long)json_int_at(s, "clients.total"));
    row("Clients", json_int_at(s, "clients.active"), more);
    print_state(n);
    print_blocking(n->blocking);
}

static void print_top(const char *title, const json_t *items, const char *key, long count)
{
    const json_t *item;
    size_t i;
    char shown[256], number[32];
    if (json_array_size(items) == 0) {
        return;
    }
    printf("\n%s\n", title);
    json_array_foreach(items, i, item)
    {
        const char *name = json_text_at(item, "name");
        if ((long)i >= count) {
            break;
        }
        printf("%14s  %s", grouped(json_int_at(item, "count"), number),
               printable(json_text_at(item, key), shown, sizeof shown));
        bool named = strcmp(key, "ip") == 0 && name[0] != '\0';
        printf("%s%s\n", named ? "  " : "", named ? printable(name, shown, sizeof shown) : "");
    }
}

static void print_upstreams(const json_t *items)
{
    const json_t *item;
    size_t i;
    char shown[256], number[32];
    bool any = false;
    json_array_foreach(items, i, item)
    {
        json_int_t port = json_int_at(item, "port");
        if (port <= 0) {
            continue; /* the blocklist and the cache, which the contract counts as upstreams */
        }
        if (!any) {
            puts("\nUpstreams");
            any = true;
        }
        printf("%14s  %s port %lld, %.1f ms\n", grouped(json_int_at(item, "count"), number),
               printable(json_text_at(item, "ip"), shown, sizeof shown), (long long)port,
               json_real_at(item, "statistics.response") * 1000);
    }
}

static void print_numbers(const struct numbers *n, long count)
{
    print_summary(n);
    print_top("Blocked most", json_at(n->blocked, "domains"), "domain", count);
    print_top("Asked most", json_at(n->allowed, "domains"), "domain", count);
    print_top("Clients", json_at(n->clients, "clients"), "ip", count);
    print_upstreams(json_at(n->upstreams, "upstreams"));
}

static json_t *without_took(json_t *o)
{
    json_object_del(o, "took");
    return json_incref(o);
}

static int print_all_json(const struct numbers *n)
{
    json_t *all =
        json_pack("{s:o, s:o, s:o, s:O, s:O, s:O, s:O}", "status", without_took(n->status),
                  "summary", without_took(n->summary), "blocking", without_took(n->blocking),
                  "top_blocked", json_object_get(n->blocked, "domains"), "top_allowed",
                  json_object_get(n->allowed, "domains"), "top_clients",
                  json_object_get(n->clients, "clients"), "upstreams",
                  json_object_get(n->upstreams, "upstreams"));
    int status = all != NULL ? print_json_reply(all) : EXIT_FAILED;
    json_decref(all);
    return status;
}

/* --count as a number, or `usual`; 0 after a message. */
long count_of(struct cli *cli, long usual, long max)
{
    char *end;
    if (!(cli->flags & FLAG_COUNT)) {
        return usual;
    }
    errno = 0;
    long v = strtol(cli->count, &end, 10);
    if (errno != 0 || *end != '\0' || end == cli->count || v < 1 || v > max) {
        cli_usage(cli, "found --count \"%s\", expected a number from 1 to %ld", cli->count, max);
        return 0;
    }
    return v;
}

int cmd_stats(struct cli *cli)
{
    struct remote r;
    struct numbers n = {.summary = NULL};
    long count = count_of(cli, TOP_COUNT, TOP_COUNT_MAX);
    if (count == 0) {
        return EXIT_USAGE;
    }
    if (cli->word_count > 0) {
        return cli_usage(cli, "found \"%s\", expected nothing", cli->words[0]);
    }
    int status = remote_open(cli, &r);
    if (status != EXIT_FINE) {
        return status;
    }
    status = numbers_get(&r, count, &n);
    if (status == EXIT_FINE && cli->flags & FLAG_JSON) {
        status = print_all_json(&n);
    } else if (status == EXIT_FINE) {
        print_numbers(&n, count);
    }
    numbers_free(&n);
    remote_close(&r);
    return status;
}

/* ---- top ---- */

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

/* Waits for the next picture; false when a person wants to leave. */
static bool wait_key(void)
{
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    char key = 0;
    if (poll(&fd, 1, REFRESH_MS) > 0 && read(STDIN_FILENO, &key, 1) <= 0) {
        return false;
    }
    return !stopped && key != 'q' && key != 'Q';
}

static int show_until_key(struct remote *r, long count)
{
    int status;
    do {
        struct numbers n = {.summary = NULL};
        status = numbers_get(r, count, &n);
        if (status == EXIT_FINE) {
            fputs("\033[H\033[2J",
                  stdout); /* cursor home, clear: understood by every terminal there is */
            print_numbers(&n, count);
            puts("\nq: leave");
            fflush(stdout);
        }
        numbers_free(&n);
    } while (status == EXIT_FINE && wait_key());
    return status;
}

int cmd_top(struct cli *cli)
{
    struct remote r;
    struct termios before, raw;
    long count = count_of(cli, 5, TOP_COUNT_MAX);
    if (count == 0) {
        return EXIT_USAGE;
    }
    if (cli->word_count > 0) {
        return cli_usage(cli, "found \"%s\", expected nothing", cli->words[0]);
    }
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0) {
        cli_error(cli, "needs a terminal; sinkhole stats prints the same once");
        return EXIT_USAGE;
    }
    int status = remote_open(cli, &r);
    if (status != EXIT_FINE) {
        return status;
    }
    raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    status = show_until_key(&r, count);
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
    remote_close(&r);
    return status;
}
