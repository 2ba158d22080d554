/*
 * docs/config.md, the options in sinkhole.conf(5) and those in conf/sinkhole.conf are made from the
 * rows of options.def, so that they cannot say anything else than the program does; `make check`
 * compares.
 */
#include "cli/document.h"

#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static void expected(enum cfg_option option, char *storage, size_t cap)
{
    struct strbuf s;
    strbuf_init(&s, storage, cap);
    cfg_expected(option, &s);
}

/* A default as a person would read it. */
static const char *shown_default(const struct cfg_row *row)
{
    return row->def[0] != '\0' ? row->def : "none";
}

static int finished(void)
{
    return fflush(stdout) == 0 ? EXIT_FINE : EXIT_FAILED;
}

/* In Markdown's tables a '|' ends the cell, and '*' and '<' mean something. */
static void markdown_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("|*<", *text) != NULL) {
            putchar('\\');
        }
        putchar(*text);
    }
}

int document_markdown(void)
{
    puts("# Configuration\n\n"
         "Made from `src/config/options.def` by `sinkhole config document`; `make check` "
         "compares.\n\n"
         "Each option has the same name in the file (`name = value`), on the command line (`--name "
         "value`) and, in capitals and with underscores, in the\n"
         "environment (`SINKHOLE_NAME`). A higher source wins: command line, environment, what was "
         "set on the page, file, default. A repeatable\n"
         "option takes its values from one source only; it may be given several times, and the "
         "word in its row (`none`, `off`, `system`) empties it.\n\n"
         "In the file a `#` at the start of a line or after a blank begins a comment; a value with "
         "`#` or with blanks at its ends stands in double quotes.\n"
         "Addresses, networks, names and upstreams may also stand several in one value, separated "
         "by blanks. In the environment list sources are separated by blanks,\n"
         "records and paths by semicolons. Times take `ms`, `s`, `m`, `h`, `d` (`1h30m`; a bare "
         "number is seconds), sizes `K`, `M`, `G`.\n\n"
         "*Reload* says whether SIGHUP, or a change on the page, is enough; the others take effect "
         "at the next start.");
    const char *section = "";
    for (unsigned i = 0; i < CFG_OPT_COUNT; i++) {
        enum cfg_option option = (enum cfg_option)i;
        const struct cfg_row *row = cfg_row(option);
        char takes[256];
        expected(option, takes, sizeof takes);
        if (strcmp(section, cfg_section(option)) != 0) {
            section = cfg_section(option);
            printf("\n## %s\n\n| option | default | takes | reload | meaning "
                   "|\n|---|---|---|---|---|\n",
                   section);
        }
        printf("| `%s`%s | `%s` | ", row->name, cfg_is_repeatable(row->type) ? " ..." : "",
               shown_default(row));
        markdown_text(takes);
        if (row->unit[0] != '\0') {
            printf(" (%s)", row->unit);
        }
        printf(" | %s | ", row->reload == CFG_RELOAD ? "yes" : "no");
        markdown_text(row->help);
        puts(" |");
    }
    return finished();
}

/* roff reads a backslash, and a dot or a quote at the start of a line. */
static void manual_text(const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\\') {
            fputs("\\e", stdout);
        } else if (*p == '-') {
            fputs("\\-", stdout);
        } else if (*p == '.' && p[1] == ' ' && p[2] != '\0') {
            fputs(".\n", stdout); /* a sentence a line */
            p++;
        } else {
            putchar(*p);
        }
    }
    putchar('\n');
}

int document_manual(void)
{
    const char *section = "";
    for (unsigned i = 0; i < CFG_OPT_COUNT; i++) {
        enum cfg_option option = (enum cfg_option)i;
        const struct cfg_row *row = cfg_row(option);
        char takes[256];
        expected(option, takes, sizeof takes);
        if (strcmp(section, cfg_section(option)) != 0) {
            section = cfg_section(option);
            printf(".SS %s\n", section);
        }
        printf(".TP\n.B ");
        manual_text(row->name);
        manual_text(row->help);
        printf(".br\nTakes ");
        manual_text(takes);
        printf(".br\nDefault: ");
        manual_text(shown_default(row));
        if (cfg_is_repeatable(row->type)) {
            puts(".br\nMay be repeated.");
        }
        if (row->reload == CFG_START) {
            puts(".br\nRead at start only.");
        }
    }
    return finished();
}

/* Text in comment lines of at most 100 characters. */
static void comment(const char *text)
{
    enum { WIDTH = 98 };
    while (*text != '\0') {
        size_t len = strlen(text);
        if (len > WIDTH) {
            len = WIDTH;
            while (len > 0 && text[len] != ' ') {
                len--;
            }
            len = len == 0 ? WIDTH : len;
        }
        printf("# %.*s\n", (int)len, text);
        text += len;
        text += *text == ' ';
    }
}

int document_example(void)
{
    const char *section = "";
    for (unsigned i = 0; i < CFG_OPT_COUNT; i++) {
        enum cfg_option option = (enum cfg_option)i;
        const struct cfg_row *row = cfg_row(option);
        if (strcmp(section, cfg_section(option)) != 0) {
            section = cfg_section(option);
            printf("\n# ---- %s ----\n", section);
        }
        putchar('\n');
        comment(row->help);
        printf("#%s = %s\n", row->name, row->def);
    }
    return finished();
}
