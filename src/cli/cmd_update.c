/*
 * sinkhole update: lists are fetched now; updates that are held back are shown, taken or refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/remote.h"

static void update_line(void *arg, const char *line)
{
    char shown[1024];
    (void)arg;
    if (line[0] != '\0') {
        puts(printable(line, shown, sizeof shown));
        fflush(stdout);
    }
}

/* EXIT_FAILED if a list could not be had: its line was printed already. */
static int lists_status(struct remote *r)
{
    json_t *reply = NULL;
    const json_t *list;
    size_t i;
    int status = remote_call(r, "GET", "/api/lists", NULL, &reply);
    json_array_foreach(json_at(reply, "lists"), i, list)
    {
        if (json_is_true(json_at(list, "enabled")) && json_text_at(list, "error")[0] != '\0') {
            status = EXIT_FAILED;
        }
    }
    json_decref(reply);
    return status;
}

static int fetch_all(struct cli *cli, struct remote *r)
{
    int code = 0;
    if (http_client_stream(r->http, "POST", "/api/action/gravity", update_line, NULL, &code) !=
        ERR_OK) {
        cli_error(cli, "%s", http_client_problem(r->http));
        return EXIT_FAILED;
    }
    if (code < 200 || code > 299) {
        cli_error(cli, "%s answers with HTTP status %d", r->base, code);
        return EXIT_FAILED;
    }
    return lists_status(r);
}

/* ---- what is held back ---- */

static const char *show(const char *text)
{
    static char shown[1024];
    return printable(text, shown, sizeof shown);
}

static void print_names(const json_t *names)
{
    const json_t *n;
    size_t i;
    json_array_foreach(names, i, n)
    {
        const char *kind = json_text_at(n, "kind");
        printf("  ! %s%s: %s\n", show(json_text_at(n, "name")),
               json_is_true(json_at(n, "below")) ? " and all below" : "",
               strcmp(kind, "suffix") == 0    ? "a public suffix"
               : strcmp(kind, "popular") == 0 ? "one of the most-used names"
                                              : "used here daily");
    }
}

static void print_rules(const json_t *rules, json_int_t count, char sign)
{
    const json_t *r;
    size_t i;
    json_array_foreach(rules, i, r)
    {
        bool itself = json_is_true(json_at(r, "itself")), below = json_is_true(json_at(r, "below"));
        bool allow = strcmp(json_text_at(r, "type"), "allow") == 0;
        printf("  %c %s%s%s\n", sign, show(json_text_at(r, "name")),
               !below   ? ""
               : itself ? " and all below"
                        : ": all below",
               allow ? " (allowed)" : "");
    }
    json_int_t left = count - (json_int_t)json_array_size(rules);
    if (left > 0) {
        printf("  %c %lld more\n", sign, (long long)left);
    }
}

static void print_held(const json_t *reply)
{
    const json_t *h = json_at(reply, "held");
    char when[32] = "";
    time_t t = (time_t)json_int_at(h, "fetched");
    struct tm tm;
    if (localtime_r(&t, &tm) != NULL) {
        (void)strftime(when, sizeof when, "%Y-%m-%d %H:%M", &tm);
    }
    printf("%lld %s\n", (long long)json_int_at(reply, "list.id"),
           show(json_text_at(reply, "list.address")));
    printf("  %s\n  fetched %s, %lld rules, %lld before\n", show(json_text_at(h, "reason")), when,
           (long long)json_int_at(h, "rules"), (long long)json_int_at(h, "rules_before"));
    if (!json_is_true(json_at(h, "compared"))) {
        puts("  being compared with what is in force; ask again in a moment");
        return;
    }
    printf("  %lld added, %lld removed\n", (long long)json_int_at(h, "added"),
           (long long)json_int_at(h, "removed"));
    print_names(json_at(h, "names"));
    print_rules(json_at(h, "added_rules"), json_int_at(h, "added"), '+');
    print_rules(json_at(h, "removed_rules"), json_int_at(h, "removed"), '-');
}

/* Is it the list that the person means: by number, address or name? "" means each. */
static bool is_meant(const json_t *list, const char *what)
{
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)json_int_at(list, "id"));
    return what[0] == '\0' || strcmp(id, what) == 0 ||
           strcmp(json_text_at(list, "address"), what) == 0 ||
           strcmp(json_text_at(list, "name"), what) == 0;
}

static int look_at(struct remote *r, const json_t *list, json_t *all)
{
    char path[64];
    json_t *reply = NULL;
    snprintf(path, sizeof path, "/api/sinkhole/lists/%lld/held",
             (long long)json_int_at(list, "id"));
    int status = remote_call(r, "GET", path, NULL, &reply);
    if (status == EXIT_FINE && all != NULL) {
        (void)json_object_del(reply, "took");
        json_array_append(all, reply);
    } else if (status == EXIT_FINE) {
        print_held(reply);
    }
    json_decref(reply);
    return status;
}

static int decide(struct remote *r, const json_t *list, bool accept)
{
    char path[64];
    snprintf(path, sizeof path, "/api/sinkhole/lists/%lld/%s", (long long)json_int_at(list, "id"),
             accept ? "confirm" : "refuse");
    int status = remote_call(r, "POST", path, NULL, NULL);
    if (status == EXIT_FINE) {
        printf("%s: %s\n", show(json_text_at(list, "address")),
               accept ? "the update is taken" : "the update is dropped; what was in force stays");
    }
    return status;
}

/* All lists that are meant and have something that waits. *found: how many. */
static int each_held(struct remote *r, const char *what, json_t *all, unsigned *found)
{
    const struct cli *cli = r->cli;
    json_t *reply = NULL;
    const json_t *list;
    size_t i;
    int status = remote_call(r, "GET", "/api/lists", NULL, &reply);
    json_array_foreach(json_at(reply, "lists"), i, list)
    {
        if (!json_is_true(json_at(list, "needs_confirm")) || !is_meant(list, what)) {
            continue;
        }
        ++*found;
        int one = cli->flags & FLAG_REVIEW ? look_at(r, list, all)
                                           : decide(r, list, (cli->flags & FLAG_ACCEPT) != 0);
        status = one == EXIT_FINE ? status : one;
    }
    json_decref(reply);
    return status;
}

static int answer(struct cli *cli, struct remote *r)
{
    const char *what = cli->word_count > 0 ? cli->words[0] : "";
    json_t *all = cli->flags & FLAG_JSON ? json_array() : NULL;
    unsigned found = 0;
    int status = each_held(r, what, all, &found);
    if (status == EXIT_FINE && all != NULL) {
        json_t *o = json_pack("{s:O}", "held", all);
        status = print_json_reply(o);
        json_decref(o);
    } else if (status == EXIT_FINE && found == 0 && what[0] != '\0') {
        cli_error(cli, "%s: no update of such a list is held back", what);
        status = EXIT_FAILED;
    } else if (status == EXIT_FINE && found == 0) {
        puts("no update is held back");
    }
    json_decref(all);
    return status;
}

int cmd_update(struct cli *cli)
{
    struct remote r;
    unsigned what = cli->flags & (FLAG_REVIEW | FLAG_ACCEPT | FLAG_REFUSE);
    bool decides = (what & (FLAG_ACCEPT | FLAG_REFUSE)) != 0;
    if ((what & (what - 1)) != 0) {
        return cli_usage(cli, "expected one of --review, --accept and --refuse");
    }
    if (decides && cli->word_count != 1) {
        return cli_usage(cli, "found %d lists, expected one LIST: its number, address or name",
                         cli->word_count);
    }
    if (cli->word_count > (what != 0 ? 1 : 0)) {
        return cli_usage(cli, "found \"%s\", expected nothing", cli->words[what != 0 ? 1 : 0]);
    }
    if (what != FLAG_REVIEW && cli->flags & FLAG_JSON) {
        return cli_usage(cli, "--json is for --review");
    }
    int status = remote_open(cli, &r);
    if (status != EXIT_FINE) {
        return status;
    }
    status = what != 0 ? answer(cli, &r) : fetch_all(cli, &r);
    remote_close(&r);
    return status;
}
