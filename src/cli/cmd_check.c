/*
 * sinkhole check NAME...: what would happen to a question, and every rule that has a say. The
 * running resolver is asked, as it alone knows all; without one the compiled lists and the rules
 * document of the state directory are read, and groups of the configuration.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/offline.h"
#include "cli/remote.h"

#define CLIENT_MAX 255 /* octets of who is meant */

/* An expression has backslashes, which stay as they are in what is plain text. */
static const char *rule_text(const json_t *rule, char *buf, size_t cap)
{
    const char *text = json_text_at(rule, "rule");
    for (const char *p = text; *p; p++) {
        if (*p < 0x20 || *p > 0x7e) {
            return printable(text, buf, cap);
        }
    }
    return text;
}

static void print_rule(const char *mark, const json_t *rule)
{
    char list[256], name[1100];
    const char *action = json_text_at(rule, "action");
    const char *source = json_text_at(rule, "source");
    printf("  %-7s %s%s", mark, strcmp(source, "service") == 0 ? "blocked service " : "",
           strcmp(source, "rule") == 0 ? "own rule"
                                       : printable(json_text_at(rule, "list"), list, sizeof list));
    if (json_int_at(rule, "line") > 0) {
        printf(", line %lld", (long long)json_int_at(rule, "line"));
    }
    printf(": %s %s%s%s\n", strcmp(action, "allow") == 0 ? "allows" : "blocks",
           json_is_true(json_at(rule, "regex")) ? "what matches " : "",
           rule_text(rule, name, sizeof name),
           json_is_true(json_at(rule, "subtree")) ? " and all names below" : "");
}

/* One reply of /api/sinkhole/check, in words. */
static void print_verdict(const json_t *reply, bool steps)
{
    char name[1100], answer[256], text[1100];
    const json_t *decided = json_at(reply, "decided_by"), *rule;
    const char *verdict = json_text_at(reply, "verdict"), *source = json_text_at(decided, "source");
    bool paused = json_is_true(json_at(reply, "paused"));
    size_t i;
    printf("%s: %s%s\n", printable(json_text_at(reply, "domain"), name, sizeof name),
           strcmp(verdict, "local") == 0 ? "answered here" : verdict,
           paused && strcmp(verdict, "blocked") == 0 ? " (but blocking is paused now)" : "");
    if (strcmp(source, "local") == 0) {
        puts("  by      a local record");
    } else if (strcmp(source, "special") == 0) {
        puts("  by      rule: a name that never leaves the house");
    } else if (json_is_object(decided)) {
        print_rule("by", decided);
    } else {
        puts("  no list and no rule speaks of it");
    }
    json_array_foreach(json_at(reply, "others"), i, rule)
    {
        print_rule("also", rule);
    }
    json_array_foreach(steps ? json_at(reply, "steps") : NULL, i, rule)
    {
        printf("  %-9s %s\n", printable(json_text_at(rule, "step"), answer, sizeof answer),
               printable(json_text_at(rule, "text"), text, sizeof text));
    }
    json_array_foreach(steps ? json_at(reply, "without") : NULL, i, rule)
    {
        bool list = json_text_at(rule, "off.list")[0] != '\0';
        printf("  without %s %s: %s\n", list ? "list" : "rule",
               printable(json_text_at(rule, list ? "off.list" : "off.rule"), text, sizeof text),
               json_text_at(rule, "verdict"));
    }
    if (json_text_at(reply, "answer")[0] != '\0') {
        printf("  answer  %s\n", printable(json_text_at(reply, "answer"), answer, sizeof answer));
    }
}

/* The reply of one name from where there is one; NULL after a message. */
static json_t *ask(const struct cli *cli, struct remote *remote, struct offline *offline,
                   int64_t at, const char *name)
{
    json_t *reply = NULL;
    if (remote == NULL) {
        return offline_check(offline, name);
    }
    char *escaped = http_escape(name), *client = http_escape(cli->client ? cli->client : "");
    char path[5120];
    if (escaped != NULL && client != NULL) {
        int n = snprintf(path, sizeof path, "/api/sinkhole/check?domain=%s", escaped);
        if (cli->client) {
            n += snprintf(path + n, sizeof path - (size_t)n, "&client=%s", client);
        }
        if (cli->at) {
            snprintf(path + n, sizeof path - (size_t)n, "&at=%lld", (long long)at);
        }
        if (remote_call(remote, "GET", path, NULL, &reply) != EXIT_FINE) {
            reply = NULL;
        }
    }
    free(escaped);
    free(client);
    return reply;
}

static int check_all(struct cli *cli, struct remote *remote, struct offline *offline, int64_t at)
{
    json_t *all = json_array();
    int status = EXIT_FINE;
    for (int i = 0; i < cli->word_count; i++) {
        json_t *reply = ask(cli, remote, offline, at, cli->words[i]);
        if (reply == NULL) {
            status = EXIT_FAILED;
            continue;
        }
        if (cli->flags & FLAG_JSON) {
            json_object_del(reply, "took");
            json_array_append(all, reply);
        } else {
            print_verdict(reply, cli->client || cli->at);
        }
        json_decref(reply);
    }
    if (cli->flags & FLAG_JSON && print_json_reply(all) != EXIT_FINE) {
        status = EXIT_FAILED;
    }
    json_decref(all);
    return status;
}

static bool names_fine(struct cli *cli)
{
    for (int i = 0; i < cli->word_count; i++) {
        struct dns_name name;
        if (dns_name_parse(span_str(cli->words[i]), &name) != ERR_OK) {
            char shown[256];
            cli_usage(cli, "found \"%s\", expected a domain name",
                      printable(cli->words[i], shown, sizeof shown));
            return false;
        }
    }
    return true;
}

/* Local time of this machine; today if there is only a time of day. */
static bool read_time(const char *text, int64_t *out)
{
    time_t now = time(NULL);
    struct tm tm;
    char *end;
    long long number = strtoll(text, &end, 10);
    if (*end == '\0' && end != text && number > 0) {
        *out = number;
        return true;
    }
    localtime_r(&now, &tm);
    tm.tm_sec = 0;
    tm.tm_isdst = -1;
    const char *rest = strptime(text, "%Y-%m-%d %H:%M", &tm);
    if (!rest) {
        rest = strptime(text, "%Y-%m-%dT%H:%M", &tm);
    }
    if (!rest) {
        rest = strptime(text, "%H:%M", &tm);
    }
    *out = (int64_t)mktime(&tm);
    return rest && *rest == '\0' && *out > 0;
}

int cmd_check(struct cli *cli)
{
    struct remote remote;
    struct offline *offline = NULL;
    bool absent = (cli->flags & FLAG_OFFLINE) != 0;
    int status = EXIT_FINE;
    if (cli->word_count == 0) {
        return cli_usage(cli, "found no name, expected NAME...");
    }
    if (!names_fine(cli)) {
        return EXIT_USAGE;
    }
    int64_t at = 0;
    if (cli->client && (cli->client[0] == '\0' || strlen(cli->client) > CLIENT_MAX)) {
        return cli_usage(cli, "found --client \"%s\", expected an address or a device",
                         cli->client);
    }
    if (cli->at && !read_time(cli->at, &at)) {
        return cli_usage(cli,
                         "found --at \"%s\", expected \"YYYY-MM-DD HH:MM\", HH:MM or unix seconds",
                         cli->at);
    }
    if (!absent) {
        status = cli->flags & FLAG_SERVER ? remote_open(cli, &remote)
                                          : remote_try(cli, &remote, &absent);
    }
    struct ip_addr client;
    if (absent && cli->client && ip_parse(span_str(cli->client), &client) != ERR_OK) {
        return cli_usage(cli,
                         "found --client \"%s\", expected an address: devices by name or "
                         "hardware address are known to a running resolver",
                         cli->client);
    }
    if (absent) {
        status = offline_open(cli, cli->client ? &client : NULL, at, &offline);
    }
    if (status != EXIT_FINE) {
        return status;
    }
    status = check_all(cli, absent ? NULL : &remote, offline, at);
    offline_close(offline);
    if (!absent) {
        remote_close(&remote);
    }
    return status;
}
