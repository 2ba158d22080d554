/*
 * sinkhole log: the last queries, oldest first as in a file, and with --follow new ones as they
 * come.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/remote.h"

enum { LOG_COUNT = 20, LOG_COUNT_MAX = 100000, FOLLOW_COUNT = 1000, FOLLOW_SECONDS = 1 };

/* The contract's words for how a query ended, in words. */
static const char *words_of(const char *status)
{
    static const struct {
        const char *status, *words;
    } rows[] = {
        {"GRAVITY", "blocked"},
        {"REGEX", "blocked by pattern"},
        {"DENYLIST", "blocked by own rule"},
        {"GRAVITY_CNAME", "blocked"},
        {"REGEX_CNAME", "blocked"},
        {"DENYLIST_CNAME", "blocked by own rule"},
        {"EXTERNAL_BLOCKED_IP", "blocked upstream"},
        {"EXTERNAL_BLOCKED_NULL", "blocked upstream"},
        {"EXTERNAL_BLOCKED_NXRA", "blocked upstream"},
        {"EXTERNAL_BLOCKED_EDE15", "blocked upstream"},
        {"FORWARDED", "forwarded"},
        {"CACHE", "from cache"},
        {"CACHE_STALE", "from cache, expired"},
        {"SPECIAL_DOMAIN", "answered here"},
        {"RETRIED", "asked again"},
        {"IN_PROGRESS", "waiting"},
        {"UNKNOWN", "refused"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(rows[i].status, status) == 0) {
            return rows[i].words;
        }
    }
    return status[0] != '\0' ? status : "no answer";
}

static void print_query(const json_t *q)
{
    char when[32], name[1100], client[256], more[256];
    time_t seconds = (time_t)json_real_at(q, "time");
    struct tm tm;
    localtime_r(&seconds, &tm);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm);
    const char *who = json_text_at(q, "client.name")[0] != '\0' ? json_text_at(q, "client.name")
                                                                : json_text_at(q, "client.ip");
    printf("%s  %-15s  %-6s %s  %s", when, printable(who, client, sizeof client),
           json_text_at(q, "type"), printable(json_text_at(q, "domain"), name, sizeof name),
           words_of(json_text_at(q, "status")));
    if (json_text_at(q, "cname")[0] != '\0') {
        printf(" by CNAME %s", printable(json_text_at(q, "cname"), name, sizeof name));
    }
    if (json_text_at(q, "ede.text")[0] != '\0') {
        printf(" (%s)", printable(json_text_at(q, "ede.text"), more, sizeof more));
    } else if (json_text_at(q, "upstream")[0] != '\0') {
        printf(" by %s", printable(json_text_at(q, "upstream"), more, sizeof more));
    }
    printf("  %.1f ms\n", json_real_at(q, "reply.time") * 1000);
}

/* The path of a request for `count` queries with the filters of the command line; false without
 * memory. */
static bool path_of(struct cli *cli, long count, char *out, size_t cap)
{
    char *name = cli->word_count > 0 ? http_escape(cli->words[0]) : NULL;
    if (cli->word_count > 0 && name == NULL) {
        return false;
    }
    snprintf(out, cap, "/api/queries?length=%ld%s%s%s", count, name != NULL ? "&domain=" : "",
             name != NULL ? name : "", cli->flags & FLAG_BLOCKED ? "&upstream=blocklist" : "");
    free(name);
    return true;
}

/* Prints those newer than *last, oldest first. Returns an exit status. */
static int print_newer(struct remote *r, long count, json_int_t *last)
{
    char path[8192];
    json_t *reply = NULL;
    if (!path_of(r->cli, count, path, sizeof path)) {
        return EXIT_FAILED;
    }
    int status = remote_call(r, "GET", path, NULL, &reply);
    const json_t *queries = json_at(reply, "queries");
    for (size_t i = json_array_size(queries); status == EXIT_FINE && i-- > 0;) {
        const json_t *q = json_array_get(queries, i);
        json_int_t id = json_int_at(q, "id");
        if (id <= *last) {
            continue;
        }
        *last = id;
        if (r->cli->flags & FLAG_JSON) {
            json_dumpf(q, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
            putchar('\n');
        } else {
            print_query(q);
        }
    }
    json_decref(reply);
    return fflush(stdout) == 0 ? status : EXIT_FAILED;
}

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

int cmd_log(struct cli *cli)
{
    struct remote r;
    json_int_t last = -1;
    long count = count_of(cli, LOG_COUNT, LOG_COUNT_MAX);
    if (count == 0) {
        return EXIT_USAGE;
    }
    if (cli->word_count > 1) {
        return cli_usage(cli, "found \"%s\", expected one NAME", cli->words[1]);
    }
    int status = remote_open(cli, &r);
    if (status != EXIT_FINE) {
        return status;
    }
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    status = print_newer(&r, count, &last);
    while (status == EXIT_FINE && cli->flags & FLAG_FOLLOW && !stopped) {
        sleep(FOLLOW_SECONDS);
        if (!stopped) {
            status = print_newer(&r, FOLLOW_COUNT, &last);
        }
    }
    remote_close(&r);
    return status;
}
