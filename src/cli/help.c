/*
 * Help texts and the version.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "version.h"

static const struct {
    const char *title;
    const char *const names[10];
} groups[] = {
    {"The resolver", {"run", "config", "compile"}},
    {"Questions", {"check", "query"}},
    {"A running resolver", {"stats", "top", "log", "allow", "deny", "pause", "resume", "update"}},
    {"Upkeep", {"rules", "backup", "restore", "password"}},
};

void help_overview(void)
{
    puts("sinkhole answers a network's DNS queries and blocks the names that lists hold.\n\n"
         "usage: sinkhole [run] [OPTION...]\n"
         "       sinkhole COMMAND [OPTION...] [ARGUMENT...]");
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        printf("\n%s\n", groups[i].title);
        for (size_t k = 0; groups[i].names[k] != NULL; k++) {
            const struct command *command = command_find(groups[i].names[k]);
            printf("  %-9s %s\n", command->name, command->summary);
        }
    }
    puts("\nMore: sinkhole help COMMAND, sinkhole help options, sinkhole(8), sinkhole.conf(5)\n"
         "A first try: sinkhole run --list "
         "https://raw.githubusercontent.com/StevenBlack/hosts/master/hosts");
}

static const struct {
    unsigned flag;
    const char *text;
} flag_texts[] = {
    {FLAG_SERVER,
     "  --server URL          the running resolver, http://HOST:PORT; by default the one\n"
     "                        of this machine, as the configuration says\n"
     "  --password-file FILE  its password in the first line; also SINKHOLE_PASSWORD.\n"
     "                        On its own machine root needs none"},
    {FLAG_JSON, "  --json                for programs"},
    {FLAG_FOLLOW, "  -f, --follow          go on"},
    {FLAG_OUTPUT, "  -o, --output FILE     where to write"},
    {FLAG_COUNT, "  -n, --count N         how many"},
    {FLAG_TCP, "  --tcp                 over TCP"},
    {FLAG_DNSSEC, "  --dnssec              ask for signatures too"},
    {FLAG_SHORT, "  --short               values only"},
    {FLAG_SUBTREE, "  --subtree             the name and all names below it"},
    {FLAG_REGEX, "  --regex               NAME is a regular expression"},
    {FLAG_ADDRESS,
     "  --address             NAME is an ADDR or ADDR/BITS that is not wanted in answers"},
    {FLAG_REPLACE, "  --replace             the rules that are there go"},
    {FLAG_NO_TOTP, "  --no-totp             ask for no one-time passwords any more"},
    {FLAG_REMOVE, "  --remove              take the rule back"},
    {FLAG_COMMENT, "  --comment TEXT        a note that is kept with it"},
    {FLAG_BLOCKED, "  --blocked             blocked queries only"},
    {FLAG_REVIEW, "  --review              show updates that are held back, fetch nothing"},
    {FLAG_ACCEPT, "  --accept              take the update of LIST that is held back"},
    {FLAG_REFUSE, "  --refuse              drop it; what was in force stays"},
    {FLAG_OFFLINE, "  --offline             do not ask a running resolver"},
};

void help_command(const struct command *command)
{
    size_t len = strlen(command->summary);
    printf("usage: sinkhole %s [OPTION...]%s%s\n\n%s%s\n", command->name,
           command->args[0] != '\0' ? " " : "", command->args, command->summary,
           command->summary[len - 1] == '?' ? "" : ".");
    if (command->help != NULL) {
        printf("\n%s\n", command->help);
    }
    puts("\nOptions");
    for (size_t i = 0; i < ARRAY_LEN(flag_texts); i++) {
        if (command->flags & flag_texts[i].flag) {
            puts(flag_texts[i].text);
        }
    }
    puts("  --config FILE         " SETTINGS_FILE_DEFAULT " by default\n"
         "  and those of the configuration: sinkhole help options");
}

/* A long text in lines of at most `width` characters, each behind `indent` blanks. */
static void wrapped(const char *text, int indent, size_t width)
{
    while (*text != '\0') {
        size_t len = strlen(text);
        if (len > width) {
            len = width;
            while (len > 0 && text[len] != ' ') {
                len--;
            }
            len = len == 0 ? width : len;
        }
        printf("%*s%.*s\n", indent, "", (int)len, text);
        text += len;
        text += *text == ' ';
    }
}

void help_options(void)
{
    const char *section = "";
    puts("Options of the configuration: --NAME VALUE here, NAME = VALUE in the file,\n"
         "SINKHOLE_NAME in the environment. Those with ... may be repeated.");
    for (unsigned i = 0; i < CFG_OPT_COUNT; i++) {
        enum cfg_option option = (enum cfg_option)i;
        const struct cfg_row *row = cfg_row(option);
        if (strcmp(section, cfg_section(option)) != 0) {
            section = cfg_section(option);
            printf("\n%s\n", section);
        }
        printf("  --%s%s", row->name, cfg_is_repeatable(row->type) ? " ..." : "");
        if (row->def[0] != '\0') {
            printf("  (%s)", row->def);
        }
        putchar('\n');
        wrapped(row->help, 6, 72);
    }
}

/* Words for the shell's completion: commands, or the options of one. */
static int print_words(struct cli *cli)
{
    const struct command *command = cli->word_count > 0 ? command_find(cli->words[0]) : NULL;
    if (command != NULL) {
        cli_print_words(command);
    }
    for (unsigned i = 0; command == NULL && command_at(i) != NULL; i++) {
        puts(command_at(i)->name);
    }
    return EXIT_FINE;
}

int cmd_help(struct cli *cli)
{
    if (cli->flags & FLAG_WORDS) {
        return print_words(cli);
    }
    if (cli->word_count == 0) {
        help_overview();
        return EXIT_FINE;
    }
    if (strcmp(cli->words[0], "options") == 0) {
        help_options();
        return EXIT_FINE;
    }
    const struct command *command = command_find(cli->words[0]);
    if (command == NULL) {
        return cli_usage(cli, "found \"%s\", expected a command", cli->words[0]);
    }
    help_command(command);
    return EXIT_FINE;
}

int cmd_version(struct cli *cli)
{
    if (cli->flags & FLAG_JSON) {
        printf("{\"version\":\"%s\"}\n", SINKHOLE_VERSION);
    } else {
        printf("sinkhole %s\n", SINKHOLE_VERSION);
    }
    return EXIT_FINE;
}
