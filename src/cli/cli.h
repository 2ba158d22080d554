/*
 * The command line: what the subcommands share. One file a subcommand, cmd_NAME.c; the table of
 * them is in main.c.
 */
#ifndef SINKHOLE_CLI_CLI_H
#define SINKHOLE_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/settings.h"

enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Options of subcommands, beside those of the configuration, which every subcommand takes. */
enum cli_flag {
    FLAG_SERVER = 1,        /* --server URL */
    FLAG_JSON = 2,          /* --json */
    FLAG_FOLLOW = 4,        /* --follow, -f */
    FLAG_OUTPUT = 8,        /* --output FILE, -o */
    FLAG_COUNT = 16,        /* --count N, -n */
    FLAG_TCP = 32,          /* --tcp */
    FLAG_DNSSEC = 64,       /* --dnssec */
    FLAG_SHORT = 128,       /* --short */
    FLAG_SUBTREE = 256,     /* --subtree */
    FLAG_REMOVE = 512,      /* --remove */
    FLAG_COMMENT = 1024,    /* --comment TEXT */
    FLAG_BLOCKED = 2048,    /* --blocked */
    FLAG_OFFLINE = 4096,    /* --offline */
    FLAG_WORDS = 8192,      /* --words: for the shell's completion */
    FLAG_LIMITS = 16384,    /* --limits */
    FLAG_REGEX = 32768,     /* --regex */
    FLAG_ADDRESS = 65536,   /* --address */
    FLAG_REVIEW = 1 << 17,  /* --review */
    FLAG_ACCEPT = 1 << 18,  /* --accept */
    FLAG_REFUSE = 1 << 19,  /* --refuse */
    FLAG_GROUP = 1 << 20,   /* --group NAME */
    FLAG_CLIENT = 1 << 21,  /* --client ADDR */
    FLAG_AT = 1 << 22,      /* --at TIME */
    FLAG_REPLACE = 1 << 23, /* --replace */
    FLAG_NO_TOTP = 1 << 24  /* --no-totp */
};

/* The arguments, read. */
struct cli {
    struct settings settings; /* options of the configuration and where its file is */
    unsigned flags;           /* enum cli_flag bits that were given */
    const char *server, *output, *count, *comment, *group, *client, *at;
    char **words; /* what is not an option */
    int word_count;
};

struct command {
    const char *name;
    int (*run)(struct cli *cli);
    unsigned flags;      /* enum cli_flag bits that it takes */
    const char *args;    /* "NAME [TYPE] [@SERVER]" */
    const char *summary; /* one line */
    const char *help;    /* more, lines of at most 78 characters, may be NULL */
};

/* The subcommands; each returns the exit status. */
int cmd_run(struct cli *cli);
int cmd_check(struct cli *cli);
int cmd_compile(struct cli *cli);
int cmd_query(struct cli *cli);
int cmd_stats(struct cli *cli);
int cmd_top(struct cli *cli);
int cmd_log(struct cli *cli);
int cmd_update(struct cli *cli);
int cmd_allow(struct cli *cli);
int cmd_deny(struct cli *cli);
int cmd_pause(struct cli *cli);
int cmd_resume(struct cli *cli);
int cmd_backup(struct cli *cli);
int cmd_restore(struct cli *cli);
int cmd_own(struct cli *cli);
int cmd_password(struct cli *cli);
int cmd_config(struct cli *cli);
int cmd_help(struct cli *cli);
int cmd_version(struct cli *cli);

const struct command *command_find(const char *name); /* NULL: no such command */
const struct command *command_at(unsigned i);         /* NULL beyond the end */

/*
 * Read the arguments behind the command's name. False after a message to standard error: wrong
 * usage (EXIT_USAGE). *help is set when --help was asked for; the rest is then not looked at.
 * cli_free in any case.
 */
bool cli_read(const struct command *command, int argc, char **argv, struct cli *cli, bool *help);
void cli_free(struct cli *cli);

/* All options of a subcommand, one a line. */
void cli_print_words(const struct command *command);

/* "sinkhole COMMAND: " and the message to standard error. */
void cli_error(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* cli_error, and where to read more; returns EXIT_USAGE. */
int cli_usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The finished configuration, or NULL after a message (EXIT_USAGE). Freed with settings_unload. */
struct config *cli_config(struct cli *cli);

/* --count as a number from 1 to max, `usual` where it was not given; 0 after a message. */
long count_of(struct cli *cli, long usual, long max);

/* Help texts to standard output. */
void help_overview(void);
void help_command(const struct command *command);
void help_options(void); /* all options of the configuration */

/* A file that only its owner may read, written aside and renamed (cmd_backup.c). The exit status,
 * after a message if it failed. */
int cli_write_private(struct cli *cli, const char *path, const char *text);

#endif
