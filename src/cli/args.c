/*
 * Reads the arguments: options of the subcommand, options of the configuration (the same names as
 * in the file), words. "--name value" and
 * "--name=value" are the same; "--" ends the options.
 */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct flag_row {
    const char *name;
    char letter;
    unsigned flag;
    size_t value; /* offset of its value in struct cli, 0: it has none */
};

static const struct flag_row flag_rows[] = {
    {"server", 0, FLAG_SERVER, offsetof(struct cli, server)},
    {"json", 0, FLAG_JSON, 0},
    {"follow", 'f', FLAG_FOLLOW, 0},
    {"output", 'o', FLAG_OUTPUT, offsetof(struct cli, output)},
    {"count", 'n', FLAG_COUNT, offsetof(struct cli, count)},
    {"tcp", 0, FLAG_TCP, 0},
    {"dnssec", 0, FLAG_DNSSEC, 0},
    {"short", 0, FLAG_SHORT, 0},
    {"subtree", 0, FLAG_SUBTREE, 0},
    {"replace", 0, FLAG_REPLACE, 0},
    {"regex", 0, FLAG_REGEX, 0},
    {"address", 0, FLAG_ADDRESS, 0},
    {"remove", 0, FLAG_REMOVE, 0},
    {"comment", 0, FLAG_COMMENT, offsetof(struct cli, comment)},
    {"blocked", 0, FLAG_BLOCKED, 0},
    {"group", 0, FLAG_GROUP, offsetof(struct cli, group)},
    {"client", 0, FLAG_CLIENT, offsetof(struct cli, client)},
    {"at", 0, FLAG_AT, offsetof(struct cli, at)},
    {"offline", 0, FLAG_OFFLINE, 0},
    {"words", 0, FLAG_WORDS, 0},
    {"limits", 0, FLAG_LIMITS, 0},
    {"review", 0, FLAG_REVIEW, 0},
    {"accept", 0, FLAG_ACCEPT, 0},
    {"refuse", 0, FLAG_REFUSE, 0},
    {"no-totp", 0, FLAG_NO_TOTP, 0},
};

static const char *command_name = "";

static void message(const char *format, va_list args)
{
    fprintf(stderr, "sinkhole%s%s: ", command_name[0] != '\0' ? " " : "", command_name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

void cli_error(const struct cli *cli, const char *format, ...)
{
    va_list args;
    (void)cli;
    va_start(args, format);
    message(format, args);
    va_end(args);
}

int cli_usage(const struct cli *cli, const char *format, ...)
{
    va_list args;
    (void)cli;
    va_start(args, format);
    message(format, args);
    va_end(args);
    fprintf(stderr, "Try: sinkhole help%s%s\n", command_name[0] != '\0' ? " " : "", command_name);
    return EXIT_USAGE;
}

struct config *cli_config(struct cli *cli)
{
    struct config *c;
    struct cfg_error error;
    enum err e = settings_load(&cli->settings, &c, &error);
    if (e == ERR_OK) {
        e = cfg_finish(c, &error);
        if (e != ERR_OK) {
            settings_unload(NULL, c);
        }
    }
    if (e != ERR_OK) {
        cli_error(cli, "%s", error.text);
        return NULL;
    }
    return c;
}

/* The arguments as they are walked. */
struct walk {
    const struct command *command;
    int argc, at;
    char **argv;
    struct cli *cli;
};

static const struct flag_row *flag_find(const char *name, size_t len, char letter)
{
    for (size_t i = 0; i < ARRAY_LEN(flag_rows); i++) {
        const struct flag_row *row = &flag_rows[i];
        if (letter != 0 ? row->letter == letter
                        : strlen(row->name) == len && memcmp(row->name, name, len) == 0) {
            return row;
        }
    }
    return NULL;
}

/* The value behind '=', or else the next argument; NULL after a message if there is none. */
static const char *value_take(struct walk *w, const char *option, const char *equals)
{
    if (equals != NULL) {
        return equals + 1;
    }
    if (w->at + 1 >= w->argc) {
        cli_usage(w->cli, "found %s without a value, expected one behind it", option);
        return NULL;
    }
    return w->argv[++w->at];
}

static bool flag_set(struct walk *w, const struct flag_row *row, const char *option,
                     const char *equals)
{
    if (!(w->command->flags & row->flag)) {
        cli_usage(w->cli, "found %s, which this command does not take", option);
        return false;
    }
    w->cli->flags |= row->flag;
    if (row->value == 0) {
        if (equals != NULL) {
            cli_usage(w->cli, "found a value for --%s, which takes none", row->name);
            return false;
        }
        return true;
    }
    const char *value = value_take(w, option, equals);
    if (value == NULL) {
        return false;
    }
    memcpy((char *)w->cli + row->value, &value, sizeof value);
    return true;
}

static bool unknown(const struct walk *w, const char *option, struct span name)
{
    const char *nearest = cfg_nearest(name);
    if (nearest != NULL) {
        cli_usage(w->cli, "found %s, which is not an option (did you mean --%s?)", option, nearest);
    } else {
        cli_usage(w->cli, "found %s, which is not an option", option);
    }
    return false;
}

/* An option of the configuration. Its name is kept as the table spells it: argv holds the value
 * behind it. */
static bool setting_add(struct walk *w, const char *option, struct span name, const char *equals)
{
    static char names[CFG_OPT_COUNT][40];
    enum cfg_option number;
    if (cfg_find(name, &number) != ERR_OK) {
        return unknown(w, option, name);
    }
    const char *value = value_take(w, option, equals);
    if (value == NULL) {
        return false;
    }
    snprintf(names[number], sizeof names[number], "--%s", cfg_row(number)->name);
    if (settings_add(&w->cli->settings, names[number], value) != ERR_OK) {
        cli_error(w->cli, "no memory");
        return false;
    }
    return true;
}

static bool long_option(struct walk *w, const char *option)
{
    const char *name = option + 2, *equals = strchr(name, '=');
    size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
    if (len == strlen("config") && memcmp(name, "config", len) == 0) {
        w->cli->settings.file = value_take(w, option, equals);
        return w->cli->settings.file != NULL;
    }
    const struct flag_row *row = flag_find(name, len, 0);
    return row != NULL ? flag_set(w, row, option, equals)
                       : setting_add(w, option, span_of(name, len), equals);
}

static bool short_option(struct walk *w, const char *option)
{
    const struct flag_row *row = flag_find(NULL, 0, option[1]);
    if (row == NULL || option[2] != '\0') {
        cli_usage(w->cli, "found %s, which is not an option", option);
        return false;
    }
    return flag_set(w, row, option, NULL);
}

void cli_print_words(const struct command *command)
{
    for (size_t i = 0; i < ARRAY_LEN(flag_rows); i++) {
        if (command->flags & flag_rows[i].flag & ~(unsigned)FLAG_WORDS) {
            printf("--%s\n", flag_rows[i].name);
        }
    }
    puts("--config\n--help");
    for (unsigned i = 0; i < CFG_OPT_COUNT; i++) {
        printf("--%s\n", cfg_row((enum cfg_option)i)->name);
    }
}

bool cli_read(const struct command *command, int argc, char **argv, struct cli *cli, bool *help)
{
    struct walk w = {.command = command, .argc = argc, .argv = argv, .cli = cli};
    bool options = true;
    *cli = (struct cli){.words = calloc((size_t)argc + 1, sizeof *cli->words)};
    *help = false;
    command_name = command->name;
    if (cli->words == NULL) {
        cli_error(cli, "no memory");
        return false;
    }
    for (; w.at < argc; w.at++) {
        char *arg = argv[w.at];
        if (!options || arg[0] != '-' || arg[1] == '\0') {
            cli->words[cli->word_count++] = arg;
        } else if (strcmp(arg, "--") == 0) {
            options = false;
        } else if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            *help = true;
            return true;
        } else if (!(arg[1] == '-' ? long_option(&w, arg) : short_option(&w, arg))) {
            return false;
        }
    }
    return true;
}

void cli_free(struct cli *cli)
{
    settings_free(&cli->settings);
    free(cli->words);
    cli->words = NULL;
}
