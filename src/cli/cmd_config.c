/*
 * sinkhole config: prints what is in force, as a file that could stand in its place; `config check
 * FILE` validates a file, `config services` lists what block-service knows. Hidden from the
 * overview: `config document` and `config manual` make docs/config.md and the manual's table.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli/cli.h"
#include "cli/document.h"
#include "config/catalogs.h"
#include "host/catalog_files.h"
#include "host/limits.h"

static int print_text(const struct config *c)
{
    char *storage = malloc(CFG_PRINT_MAX);
    struct strbuf s;
    if (storage == NULL) {
        fprintf(stderr, "sinkhole config: no memory\n");
        return EXIT_FAILED;
    }
    strbuf_init(&s, storage, CFG_PRINT_MAX);
    cfg_print(c, &s);
    fwrite(s.text, 1, s.len, stdout);
    free(storage);
    return fflush(stdout) == 0 ? EXIT_FINE : EXIT_FAILED;
}

static json_t *value_json(const struct config *c, enum cfg_option option, uint32_t index)
{
    char storage[CFG_VALUE_MAX];
    struct strbuf s;
    strbuf_init(&s, storage, sizeof storage);
    cfg_value_format(c, option, index, &s);
    return json_stringn(s.text, s.len);
}

static int print_json(const struct config *c)
{
    json_t *all = json_object();
    for (unsigned i = 0; i < CFG_OPT_COUNT; i++) {
        enum cfg_option option = (enum cfg_option)i;
        const struct cfg_row *row = cfg_row(option);
        json_t *value = cfg_is_repeatable(row->type) ? json_array() : value_json(c, option, 0);
        for (uint32_t k = 0; cfg_is_repeatable(row->type) && k < cfg_value_count(c, option); k++) {
            json_array_append_new(value, value_json(c, option, k));
        }
        json_object_set_new(all, row->name,
                            json_pack("{s:o, s:s}", "value", value, "source",
                                      cfg_source_name(c->origin[i].source)));
    }
    int failed = json_dumpf(all, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    json_decref(all);
    putchar('\n');
    return failed || fflush(stdout) != 0 ? EXIT_FAILED : EXIT_FINE;
}

static int print_limits(const struct config *c, bool json)
{
    struct limit row[LIMITS_MAX];
    uint64_t sum = 0, memory = 0;
    uint32_t count = limits_of(c, row);
    json_t *all = json_array();
    if (!json) {
        printf("%12s  %-21s %-22s %s\n", "octets", "part", "bound", "options");
    }
    for (uint32_t i = 0; i < count; i++) {
        sum += row[i].octets;
        memory += row[i].mapped ? 0 : row[i].octets;
        if (!json) {
            printf("%12" PRIu64 "  %-21s %-22s %s\n", row[i].octets, row[i].part, row[i].bound,
                   row[i].options);
        }
        json_array_append_new(all,
                              json_pack("{s:s, s:I, s:s, s:s, s:b}", "part", row[i].part, "octets",
                                        (json_int_t)row[i].octets, "bound", row[i].bound, "options",
                                        row[i].options, "mapped", row[i].mapped));
    }
    json_t *out = json_pack("{s:o, s:I, s:I}", "limits", all, "memory", (json_int_t)memory, "sum",
                            (json_int_t)sum);
    if (json) {
        json_dumpf(out, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
    } else {
        printf("%12" PRIu64 "  memory, without files that the kernel can drop\n", memory);
        printf("%12" PRIu64 "  sum\n", sum);
    }
    json_decref(out);
    return fflush(stdout) == 0 ? EXIT_FINE : EXIT_FAILED;
}

static int check_file(struct cli *cli)
{
    if (cli->word_count > 2) {
        return cli_usage(cli, "found \"%s\", expected one FILE", cli->words[2]);
    }
    if (cli->word_count == 2) {
        cli->settings.file = cli->words[1];
    }
    const char *file = settings_file(&cli->settings);
    struct config *c = cli_config(cli);
    if (c == NULL) {
        return EXIT_USAGE;
    }
    struct cfg_error error;
    enum err e = catalog_files_load(c, &error);
    settings_unload(NULL, c);
    if (e != ERR_OK) {
        fprintf(stderr, "sinkhole config: %s\n", error.text);
        return EXIT_USAGE;
    }
    printf("%s: fine\n", file != NULL ? file : "no file; defaults, environment and arguments");
    return EXIT_FINE;
}

static json_t *service_json(const struct config *c, const struct catalog_section *s)
{
    struct dns_name name;
    char text[DNS_NAME_TEXT];
    json_t *domains = json_array();
    for (size_t cursor = 0; catalog_name(s, &cursor, &name);) {
        dns_name_format(&name, text);
        json_array_append_new(domains, json_string(text));
    }
    return json_pack("{s:s%, s:s%, s:b, s:o}", "id", s->id.ptr, s->id.len, "title", s->title.ptr,
                     s->title.len, "blocked", (int)catalogs_blocked(c, s->id), "domains", domains);
}

static int print_services(const struct config *c, bool json)
{
    const struct catalog *services = &c->catalogs->services, *safe = &c->catalogs->safe_search;
    json_t *all = json_array();
    for (uint32_t i = 0; i < services->count; i++) {
        const struct catalog_section *s = &services->section[i];
        if (json) {
            json_array_append_new(all, service_json(c, s));
        } else {
            printf("%-16.*s %-9s %4u names  %.*s\n", (int)s->id.len, (const char *)s->id.ptr,
                   catalogs_blocked(c, s->id) ? "blocked" : "-", s->names, (int)s->title.len,
                   (const char *)s->title.ptr);
        }
    }
    if (json) {
        json_dumpf(all, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
    } else {
        printf("\nsafe search is %s; it knows", c->safe_search ? "on" : "off");
        for (uint32_t i = 0; i < safe->count; i++) {
            printf(" %.*s", (int)safe->section[i].id.len, (const char *)safe->section[i].id.ptr);
        }
        putchar('\n');
    }
    json_decref(all);
    return fflush(stdout) == 0 ? EXIT_FINE : EXIT_FAILED;
}

static int list_services(struct cli *cli)
{
    struct cfg_error error;
    if (cli->word_count > 1) {
        return cli_usage(cli, "found \"%s\", expected nothing more", cli->words[1]);
    }
    struct config *c = cli_config(cli);
    if (c == NULL) {
        return EXIT_USAGE;
    }
    int status = EXIT_USAGE;
    if (catalog_files_load(c, &error) == ERR_OK) {
        status = print_services(c, (cli->flags & FLAG_JSON) != 0);
    } else {
        cli_error(cli, "%s", error.text);
    }
    settings_unload(NULL, c);
    return status;
}

int cmd_config(struct cli *cli)
{
    const char *word = cli->word_count > 0 ? cli->words[0] : "";
    if (strcmp(word, "check") == 0) {
        return check_file(cli);
    }
    if (strcmp(word, "services") == 0) {
        return list_services(cli);
    }
    if (strcmp(word, "document") == 0) {
        return document_markdown();
    }
    if (strcmp(word, "manual") == 0) {
        return document_manual();
    }
    if (strcmp(word, "example") == 0) {
        return document_example();
    }
    if (cli->word_count > 0) {
        return cli_usage(cli, "found \"%s\", expected check FILE, services or nothing", word);
    }
    struct config *c = cli_config(cli);
    if (c == NULL) {
        return EXIT_USAGE;
    }
    bool json = (cli->flags & FLAG_JSON) != 0;
    int status = cli->flags & FLAG_LIMITS ? print_limits(c, json)
                 : json                   ? print_json(c)
                                          : print_text(c);
    settings_unload(NULL, c);
    return status;
}
