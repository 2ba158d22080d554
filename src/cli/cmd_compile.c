/*
 * sinkhole compile: lists to an image file, without a daemon.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "blocklist/image.h"
#include "cli/cli.h"
#include "cli/remote.h"
#include "host/lists.h"
#include "host/sys.h"

/* The lists to compile. */
struct work {
    struct list_spec specs[LISTS_MAX];
    struct list_status status[LISTS_MAX];
    uint32_t count;
};

static bool add(struct cli *cli, struct work *w, const char *text, enum list_kind kind)
{
    char problem[FETCH_ERROR_MAX];
    if (w->count == LISTS_MAX) {
        cli_usage(cli, "found more than %d lists", LISTS_MAX);
        return false;
    }
    struct list_spec *spec = &w->specs[w->count];
    if (list_spec_parse(text, true, spec, problem) != ERR_OK) {
        cli_usage(cli, "found list \"%s\": %s", text, problem);
        return false;
    }
    spec->id = ++w->count;
    spec->kind = kind;
    return true;
}

static bool collect(struct cli *cli, struct work *w, const struct config *c)
{
    bool fine = true;
    for (int i = 0; i < cli->word_count && fine; i++) {
        fine = add(cli, w, cli->words[i], LIST_BLOCK);
    }
    for (uint32_t i = 0; cli->word_count == 0 && i < c->list.count && fine; i++) {
        fine = add(cli, w, c->list.item[i], LIST_BLOCK);
    }
    for (uint32_t i = 0; i < c->allow_list.count && fine; i++) {
        fine = add(cli, w, c->allow_list.item[i], LIST_ALLOW);
    }
    return fine;
}

/* A line that overwrites itself, on a terminal only. */
static void show_progress(void *arg, const struct lists_progress *p)
{
    (void)arg;
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r\033[K%u of %u lists, %llu KiB%s", p->done, p->total,
                (unsigned long long)(p->octets / 1024), p->building ? ", compiling" : "");
        fflush(stderr);
    }
}

static void print_status(const struct list_status *s)
{
    char url[512], line[LIST_EXAMPLE_MAX + 8];
    printable(s->url, url, sizeof url);
    if (s->error[0] != '\0') {
        fprintf(stderr, "%s: %s\n", url, s->error);
    }
    if (s->state == LIST_STATE_CURRENT || s->state == LIST_STATE_STALE) {
        printf("%s: %u rules, %u duplicates, %u lines rejected\n", url, s->rules, s->duplicates,
               s->rejected);
        for (uint32_t i = 0; i < s->examples_count; i++) {
            printf("    %s\n", printable(s->examples[i], line, sizeof line));
        }
    }
}

static void print_all(const struct work *w)
{
    for (uint32_t i = 0; i < w->count; i++) {
        print_status(&w->status[i]);
    }
}

static json_t *status_json(const struct list_status *s)
{
    json_t *examples = json_array();
    for (uint32_t i = 0; i < s->examples_count; i++) {
        json_array_append_new(examples, json_string(s->examples[i]));
    }
    return json_pack("{s:s, s:b, s:i, s:i, s:i, s:i, s:o, s:s}", "url", s->url, "allow",
                     s->kind == LIST_ALLOW, "rules", (int)s->rules, "duplicates",
                     (int)s->duplicates, "rejected", (int)s->rejected, "ignored", (int)s->ignored,
                     "examples", examples, "error", s->error);
}

static int report(struct cli *cli, const struct work *w, const struct list_image *image)
{
    const struct bl_image *bl = list_image_get(image);
    int status = EXIT_FINE;
    for (uint32_t i = 0; i < w->count; i++) {
        if (w->status[i].error[0] != '\0') {
            status = EXIT_FAILED; /* the image is there, but not what was asked for */
        }
    }
    if (cli->flags & FLAG_JSON) {
        json_t *lists = json_array();
        for (uint32_t i = 0; i < w->count; i++) {
            json_array_append_new(lists, status_json(&w->status[i]));
        }
        json_t *all =
            json_pack("{s:s, s:i, s:I, s:o}", "file", cli->output, "rules", (int)bl->rule_count,
                      "octets", (json_int_t)bl->total, "lists", lists);
        int printed = print_json_reply(all);
        json_decref(all);
        return printed == EXIT_FINE ? status : printed;
    }
    print_all(w);
    printf("%s: %u rules in %zu octets\n", cli->output, bl->rule_count, (size_t)bl->total);
    return status;
}

/* Did any list give its content? */
static bool any_loaded(const struct work *w)
{
    for (uint32_t i = 0; i < w->count; i++) {
        if (w->status[i].state == LIST_STATE_CURRENT || w->status[i].state == LIST_STATE_STALE) {
            return true;
        }
    }
    return false;
}

static int compile(struct cli *cli, struct work *w, const struct config *c)
{
    struct list_image *image;
    struct lists_config lists = {
        .limits = {.octets_max = c->list_max_octets,
                   .total_timeout_s = (uint32_t)(c->list_timeout_us / USEC_PER_SEC)},
        .scratch_octets = (uint64_t)1 << 30, /* nothing else runs here: be quick */
        .on_progress = show_progress};
    enum err e = sys_entropy(lists.seed, sizeof lists.seed);
    e = e == ERR_OK ? fetch_global_init() : e;
    e = e == ERR_OK ? lists_compile(&lists, w->specs, w->count, w->status, &image) : e;
    if (isatty(STDERR_FILENO)) {
        fputs("\r\033[K", stderr);
    }
    if (e != ERR_OK) {
        print_all(w);
        cli_error(cli, "%s", e == ERR_NOT_FOUND ? "no list could be loaded" : err_text(e));
        return EXIT_FAILED;
    }
    int status = EXIT_FAILED;
    e = any_loaded(w) ? list_image_save(image, cli->output) : ERR_NOT_FOUND;
    if (e == ERR_NOT_FOUND) {
        print_all(w);
        cli_error(cli, "no list could be loaded; nothing is written");
    } else if (e != ERR_OK) {
        cli_error(cli, "%s: %s", cli->output, err_text(e));
    } else {
        status = report(cli, w, image);
    }
    list_image_close(image);
    return status;
}

int cmd_compile(struct cli *cli)
{
    if (!(cli->flags & FLAG_OUTPUT)) {
        return cli_usage(cli, "found no -o FILE, expected where to write the image");
    }
    struct config *c = cli_config(cli);
    struct work *w = calloc(1, sizeof *w);
    int status = EXIT_USAGE;
    if (c != NULL && w != NULL && collect(cli, w, c)) {
        status =
            w->count > 0
                ? compile(cli, w, c)
                : cli_usage(cli, "found no list, expected LIST... or some in the configuration");
    }
    free(w);
    settings_unload(NULL, c);
    return status;
}
