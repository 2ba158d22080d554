/*
 * sinkhole check NAME...: what would happen to a question, and every rule that has a say. The
 * running resolver is asked, as it alone knows all; without one the compiled lists and the own
 * rules of the state directory are read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/offline.h"
#include "cli/remote.h"

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
static void print_verdict(const json_t *reply)
{
    char name[1100], answer[256];
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
    if (json_text_at(reply, "answer")[0] != '\0') {
        printf("  answer  %s\n", printable(json_text_at(reply, "answer"), answer, sizeof answer));
    }
}

/* The reply of one name from where there is one; NULL after a message. */
static json_t *ask(struct remote *remote, struct offline *offline, const char *name)
{
    json_t *reply = NULL;
    if (remote == NULL) {
        return offline_check(offline, name);
    }
    char *escaped = http_escape(name), path[4096];
    if (escaped != NULL) {
        snprintf(path, sizeof path, "/api/sinkhole/check?domain=%s", escaped);
        free(escaped);
        if (remote_call(remote, "GET", path, NULL, &reply) != EXIT_FINE) {
            return NULL;
        }
    }
    return reply;
}

static int check_all(struct cli *cli, struct remote *remote, struct offline *offline)
{
    json_t *all = json_array();
    int status = EXIT_FINE;
    for (int i = 0; i < cli->word_count; i++) {
        json_t *reply = ask(remote, offline, cli->words[i]);
        if (reply == NULL) {
            status = EXIT_FAILED;
            continue;
        }
        if (cli->flags & FLAG_JSON) {
            json_object_del(reply, "took");
            json_array_append(all, reply);
        } else {
            print_verdict(reply);
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
    if (!absent) {
        status = cli->flags & FLAG_SERVER ? remote_open(cli, &remote)
                                          : remote_try(cli, &remote, &absent);
    }
    if (absent) {
        status = offline_open(cli, &offline);
    }
    if (status != EXIT_FINE) {
        return status;
    }
    status = check_all(cli, absent ? NULL : &remote, offline);
    offline_close(offline);
    if (!absent) {
        remote_close(&remote);
    }
    return status;
}
