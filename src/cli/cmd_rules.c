/*
 * sinkhole allow, deny, pause, resume: changes in a running resolver.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "cli/remote.h"

/* "this name and all below" as the API writes it: the regular expression (\.|^)ads\.example$. With
 * malloc. */
static char *subtree_pattern(const char *name)
{
    static const char start[] = "(\\.|^)";
    char *out = malloc(sizeof start + 2 * strlen(name) + 2),
         *p = out; /* each octet may get a backslash */
    if (out == NULL) {
        return NULL;
    }
    memcpy(p, start, sizeof start - 1);
    p += sizeof start - 1;
    for (; *name != '\0'; name++) {
        if (strchr(".^$*+?()[]{}|\\", *name) != NULL) {
            *p++ = '\\';
        }
        *p++ = *name;
    }
    *p++ = '$';
    *p = '\0';
    return out;
}

/* The name as the resolver keeps it: lower case, no dot at the end. */
static bool canonical(struct cli *cli, const char *text, char out[DNS_NAME_TEXT])
{
    struct dns_name name;
    char shown[256];
    if (dns_name_parse(span_str(text), &name) != ERR_OK || name.labels == 0) {
        cli_usage(cli, "found \"%s\", expected a domain name",
                  printable(text, shown, sizeof shown));
        return false;
    }
    dns_name_format(&name, out);
    return true;
}

static int rule_change(struct remote *r, const char *type, const char *name)
{
    struct cli *cli = r->cli;
    bool subtree = (cli->flags & FLAG_SUBTREE) != 0;
    bool regex = subtree || (cli->flags & FLAG_REGEX) != 0,
         remove = (cli->flags & FLAG_REMOVE) != 0;
    char *item = subtree ? subtree_pattern(name) : strdup(name),
         *escaped = item != NULL ? http_escape(item) : NULL;
    char path[8192];
    json_t *reply = NULL;
    int status = EXIT_FAILED;
    if (escaped != NULL && remove) {
        snprintf(path, sizeof path, "/api/domains/%s/%s/%s", type, regex ? "regex" : "exact",
                 escaped);
        status = remote_call(r, "DELETE", path, NULL, &reply);
    } else if (escaped != NULL) {
        json_t *comment = cli->flags & FLAG_COMMENT ? json_string(cli->comment) : json_null();
        snprintf(path, sizeof path, "/api/domains/%s/%s", type, regex ? "regex" : "exact");
        status = remote_call(
            r, "POST", path,
            json_pack("{s:s, s:o, s:b}", "domain", item, "comment", comment, "enabled", 1), &reply);
    }
    const json_t *problem = json_at(reply, "processed.errors");
    if (status == EXIT_FINE && json_array_size(problem) > 0) {
        char shown[512];
        cli_error(
            cli, "%s: %s", name,
            printable(json_text_at(json_array_get(problem, 0), "error"), shown, sizeof shown));
        status = EXIT_FAILED;
    }
    if (status == EXIT_FINE && cli->flags & FLAG_JSON) {
        if (!json_is_null(reply)) {
            print_json_reply(reply);
        }
    } else if (status == EXIT_FINE) {
        printf("%s%s: %s\n", name, subtree ? " and all names below" : "",
               remove                       ? "rule taken back"
               : strcmp(type, "allow") == 0 ? "allowed"
                                            : "denied");
    }
    json_decref(reply);
    free(item);
    free(escaped);
    return status;
}

/* An address that is not wanted in answers. */
static int address_change(struct remote *r, const char *address)
{
    struct cli *cli = r->cli;
    bool remove = (cli->flags & FLAG_REMOVE) != 0;
    json_t *reply = NULL;
    char path[1024], shown[512], *escaped = http_escape(address);
    int status = EXIT_FAILED;
    if (escaped != NULL && remove) {
        snprintf(path, sizeof path, "/api/sinkhole/addresses/%s", escaped);
        status = remote_call(r, "DELETE", path, NULL, &reply);
    } else if (escaped != NULL) {
        json_t *comment = cli->flags & FLAG_COMMENT ? json_string(cli->comment) : json_null();
        status =
            remote_call(r, "POST", "/api/sinkhole/addresses",
                        json_pack("{s:s, s:o}", "address", address, "comment", comment), &reply);
    }
    const json_t *problem = json_array_get(json_at(reply, "processed.errors"), 0);
    if (status == EXIT_FINE && problem != NULL) {
        cli_error(cli, "%s: %s", address,
                  printable(json_text_at(problem, "error"), shown, sizeof shown));
        status = EXIT_FAILED;
    } else if (status == EXIT_FINE && cli->flags & FLAG_JSON) {
        if (!json_is_null(reply)) {
            print_json_reply(reply);
        }
    } else if (status == EXIT_FINE) {
        printf("answers with %s: %s\n", address, remove ? "rule taken back" : "denied");
    }
    json_decref(reply);
    free(escaped);
    return status;
}

static int addresses_change(struct cli *cli)
{
    struct remote r;
    struct ip_prefix prefix;
    char shown[256];
    if (cli->word_count == 0 || cli->flags & (FLAG_SUBTREE | FLAG_REGEX)) {
        return cli_usage(cli, "found no address, expected --address and ADDR or ADDR/BITS...");
    }
    for (int i = 0; i < cli->word_count; i++) {
        if (ip_prefix_parse(span_str(cli->words[i]), &prefix) != ERR_OK) {
            return cli_usage(cli, "found \"%s\", expected ADDR or ADDR/BITS",
                             printable(cli->words[i], shown, sizeof shown));
        }
    }
    int status = remote_open(cli, &r);
    if (status != EXIT_FINE) {
        return status;
    }
    for (int i = 0; i < cli->word_count; i++) {
        status = address_change(&r, cli->words[i]) == EXIT_FINE ? status : EXIT_FAILED;
    }
    remote_close(&r);
    return status;
}

static int rules_change(struct cli *cli, const char *type)
{
    struct remote r;
    char name[DNS_NAME_TEXT];
    bool regex = (cli->flags & FLAG_REGEX) != 0;
    if (cli->word_count == 0) {
        return cli_usage(cli, "found no name, expected NAME...");
    }
    if (regex && (cli->flags & FLAG_SUBTREE)) {
        return cli_usage(cli, "found --subtree and --regex, expected one of them");
    }
    for (int i = 0; i < cli->word_count && !regex; i++) {
        if (!canonical(cli, cli->words[i], name)) {
            return EXIT_USAGE;
        }
    }
    int status = remote_open(cli, &r);
    if (status != EXIT_FINE) {
        return status;
    }
    for (int i = 0; i < cli->word_count; i++) {
        if ((!regex && !canonical(cli, cli->words[i], name)) ||
            rule_change(&r, type, regex ? cli->words[i] : name) != EXIT_FINE) {
            status = EXIT_FAILED;
        }
    }
    remote_close(&r);
    return status;
}

int cmd_allow(struct cli *cli)
{
    return rules_change(cli, "allow");
}

int cmd_deny(struct cli *cli)
{
    if (cli->flags & FLAG_ADDRESS) {
        return addresses_change(cli);
    }
    return rules_change(cli, "deny");
}

/* ---- pause and resume ---- */

/* Who is meant, in words. */
static void print_paused(const struct cli *cli, bool on, json_int_t seconds)
{
    char shown[256];
    const char *kind = cli->group ? "group " : cli->client ? "client " : "";
    const char *who = cli->group ? cli->group : cli->client ? cli->client : "";
    printable(who, shown, sizeof shown);
    if (on) {
        printf("blocking is on%s%s%s\n", kind[0] ? " for " : "", kind, shown);
    } else if (seconds > 0) {
        printf("blocking is paused%s%s%s for %lld s\n", kind[0] ? " for " : "", kind, shown,
               (long long)seconds);
    } else {
        printf("blocking is paused%s%s%s until: sinkhole resume%s%s%s\n", kind[0] ? " for " : "",
               kind, shown,
               cli->group    ? " --group "
               : cli->client ? " --client "
                             : "",
               shown, "");
    }
}

static int blocking_set(struct cli *cli, bool on, json_int_t seconds)
{
    if (cli->group && cli->client) {
        return cli_usage(cli, "found both --group and --client, expected one of them");
    }
    struct remote r;
    json_t *reply = NULL;
    int status = remote_open(cli, &r);
    if (status != EXIT_FINE) {
        return status;
    }
    json_t *timer = seconds > 0 ? json_integer(seconds) : json_null();
    json_t *body = json_pack("{s:b, s:o}", "blocking", on, "timer", timer);
    if (cli->group || cli->client) {
        json_object_set_new(body, cli->group ? "group" : "client",
                            json_string(cli->group ? cli->group : cli->client));
    }
    status = remote_call(&r, "POST",
                         cli->group || cli->client ? "/api/sinkhole/pause" : "/api/dns/blocking",
                         body, &reply);
    if (status == EXIT_FINE && cli->flags & FLAG_JSON) {
        status = print_json_reply(reply);
    } else if (status == EXIT_FINE) {
        print_paused(cli, on, seconds);
    }
    json_decref(reply);
    remote_close(&r);
    return status;
}

int cmd_pause(struct cli *cli)
{
    usec_t duration = 0;
    if (cli->word_count > 1) {
        return cli_usage(cli, "found \"%s\", expected one DURATION", cli->words[1]);
    }
    if (cli->word_count == 1) {
        enum err e = cfg_duration_parse(span_str(cli->words[0]), &duration);
        if (e != ERR_OK || duration < USEC_PER_SEC || duration > 365 * 86400 * USEC_PER_SEC) {
            return cli_usage(cli,
                             "found \"%s\", expected a time from 1s to 365d such as 30s, 5m or 1h",
                             cli->words[0]);
        }
    }
    return blocking_set(cli, false, (json_int_t)(duration / USEC_PER_SEC));
}

int cmd_resume(struct cli *cli)
{
    if (cli->word_count > 0) {
        return cli_usage(cli, "found \"%s\", expected nothing", cli->words[0]);
    }
    return blocking_set(cli, true, 0);
}
