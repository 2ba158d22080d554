/*
 * main() and the table of subcommands. Without a command the resolver runs.
 */
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "cli/cli.h"

#define SERVER_FLAGS (FLAG_SERVER | FLAG_JSON)

static const struct command commands[] = {
    {"run", cmd_run, 0, "", "Answer queries (this is what happens without a command)",
     "Starts the resolver with the configuration of the file, the environment and\n"
     "the options given here. SIGHUP rereads configuration and lists; SIGTERM ends\n"
     "it. All options: sinkhole help options."},
    {"check", cmd_check, SERVER_FLAGS | FLAG_OFFLINE | FLAG_CLIENT | FLAG_AT, "NAME...",
     "Is a name blocked, and by which line of which list?",
     "Asks the running resolver. If there is none, or with --offline, it looks\n"
     "into the compiled lists of the state directory. --client ADDR, MAC or NAME:\n"
     "for that one; --at TIME (HH:MM, \"YYYY-MM-DD HH:MM\", unix seconds): at another\n"
     "time. Both tell each step, and what would be different without each list or rule."},
    {"query", cmd_query, FLAG_JSON | FLAG_TCP | FLAG_DNSSEC | FLAG_SHORT,
     "NAME [TYPE] [@SERVER[:PORT]]", "Ask a DNS server, this one by default",
     "An address in the place of NAME asks for its name (PTR). --short prints the\n"
     "values only, --tcp does not try UDP first, --dnssec sets the DO bit."},
    {"stats", cmd_stats, SERVER_FLAGS | FLAG_COUNT, "", "What was asked and blocked, in numbers",
     "--count N: how many names and clients in the top lists (10)."},
    {"top", cmd_top, FLAG_SERVER | FLAG_COUNT, "", "The same, live in the terminal",
     "Refreshed each second; ends with q or Ctrl-C."},
    {"log", cmd_log, SERVER_FLAGS | FLAG_FOLLOW | FLAG_COUNT | FLAG_BLOCKED, "[NAME]",
     "The last queries",
     "NAME may hold * as in *.example. --count N: how many (20); --blocked: blocked\n"
     "ones only; --follow goes on with new ones as they come. With --json each\n"
     "query is one line."},
    {"allow", cmd_allow, SERVER_FLAGS | FLAG_SUBTREE | FLAG_REGEX | FLAG_REMOVE | FLAG_COMMENT,
     "NAME...", "Never block a name",
     "--subtree: and all names below it; --remove takes the rule back."},
    {"deny", cmd_deny,
     SERVER_FLAGS | FLAG_SUBTREE | FLAG_REGEX | FLAG_ADDRESS | FLAG_REMOVE | FLAG_COMMENT,
     "NAME...", "Always block a name",
     "--subtree: and all names below it; --remove takes the rule back."},
    {"pause", cmd_pause, SERVER_FLAGS | FLAG_GROUP | FLAG_CLIENT, "[DURATION]",
     "Stop blocking, for a time such as 30s, 5m, 1h, or until resumed",
     "--group NAME or --client ADDR, MAC or NAME: for its members, or for that one."},
    {"resume", cmd_resume, SERVER_FLAGS | FLAG_GROUP | FLAG_CLIENT, "", "Block again", NULL},
    {"update", cmd_update, SERVER_FLAGS | FLAG_REVIEW | FLAG_ACCEPT | FLAG_REFUSE, "[LIST]",
     "Refresh the lists now, or decide on updates that are held back",
     "Prints a line for each list and ends when all are done; exit status 1 says\n"
     "that one could not be had, or is held back. LIST is the number, address or\n"
     "name of one that is."},
    {"compile", cmd_compile, FLAG_OUTPUT | FLAG_JSON, "-o FILE [LIST...]",
     "Compile lists to an image file",
     "The lists are those given, else those of the configuration. Nothing is\n"
     "blocked by it: the file is for another machine, or for check."},
    {"rules", cmd_own, SERVER_FLAGS | FLAG_OUTPUT | FLAG_REPLACE, "export | import FILE",
     "Own allow and deny rules as text, one a line, or as JSON", NULL},
    {"backup", cmd_backup, FLAG_SERVER | FLAG_OUTPUT, "[-o FILE]",
     "Write what a person decided (rules, lists, names) as JSON", NULL},
    {"restore", cmd_restore, FLAG_SERVER, "FILE", "Put a backup in force (- reads standard input)",
     NULL},
    {"password", cmd_password, FLAG_SERVER | FLAG_NO_TOTP, "",
     "Change the password of the page and the API",
     "Reads the new one from the terminal, or its first line from standard input.\n"
     "With --no-totp the password stays, and one-time passwords are switched off:\n"
     "for who has lost the telephone."},
    {"config", cmd_config, FLAG_JSON | FLAG_LIMITS, "[check [FILE]]",
     "Print the configuration in force, or check a file",
     "Each value is printed with where it comes from. Exit status 2 says that the\n"
     "configuration cannot be used; the message names file and line. With --limits:\n"
     "what is bounded, by which option, and the memory that it can cost."},
    {"version", cmd_version, FLAG_JSON, "", "Print the version", NULL},
    {"help", cmd_help, FLAG_WORDS, "[COMMAND|options]", "Print help", NULL},
};

const struct command *command_at(unsigned i)
{
    return i < ARRAY_LEN(commands) ? &commands[i] : NULL;
}

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct cli cli;
    bool help;
    int status = EXIT_USAGE;
    if (cli_read(command, argc, argv, &cli, &help)) {
        if (help) {
            help_command(command);
            status = EXIT_FINE;
        } else {
            status = command->run(&cli);
        }
    }
    cli_free(&cli);
    return status;
}

int main(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "";
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) {
        help_overview();
        return EXIT_FINE;
    }
    if (strcmp(first, "--version") == 0) {
        return run_command(command_find("version"), 0, argv + argc);
    }
    if (first[0] == '\0' || first[0] == '-') {
        return run_command(command_find("run"), argc - 1, argv + 1);
    }
    const struct command *command = command_find(first);
    if (command == NULL) {
        fprintf(stderr, "sinkhole: found \"%s\", expected a command\nTry: sinkhole help\n", first);
        return EXIT_USAGE;
    }
    return run_command(command, argc - 2, argv + 2);
}
