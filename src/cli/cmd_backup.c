/*
 * sinkhole backup, restore, password.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "api/rules.h"
#include "cli/remote.h"

/* Written aside and renamed, readable by the owner only: it tells a household's habits. */
int cli_write_private(struct cli *cli, const char *path, const char *text)
{
    char aside[4096];
    size_t len = strlen(text);
    int n = snprintf(aside, sizeof aside, "%s.new", path);
    int fd = n > 0 && (size_t)n < sizeof aside
                 ? open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600)
                 : -1;
    bool fine = fd >= 0 && write(fd, text, len) == (ssize_t)len && write(fd, "\n", 1) == 1 &&
                fsync(fd) == 0;
    if (fd >= 0 && close(fd) != 0) {
        fine = false;
    }
    if (fine && rename(aside, path) != 0) {
        fine = false;
    }
    if (!fine) {
        cli_error(cli, "%s: %s", path, strerror(errno));
        if (fd >= 0) {
            unlink(aside);
        }
    }
    return fine ? EXIT_FINE : EXIT_FAILED;
}

int cmd_backup(struct cli *cli)
{
    struct remote r;
    json_t *reply = NULL;
    if (cli->word_count > 0) {
        return cli_usage(cli, "found \"%s\", expected -o FILE or nothing", cli->words[0]);
    }
    int status = remote_open(cli, &r);
    if (status != EXIT_FINE) {
        return status;
    }
    status = remote_call(&r, "GET", "/api/sinkhole/rules", NULL, &reply);
    if (status == EXIT_FINE) {
        json_object_del(reply, "took");
        char *text = json_dumps(reply, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        if (text == NULL) {
            status = EXIT_FAILED;
        } else if (cli->flags & FLAG_OUTPUT && strcmp(cli->output, "-") != 0) {
            status = cli_write_private(cli, cli->output, text);
        } else {
            puts(text);
            status = fflush(stdout) == 0 ? EXIT_FINE : EXIT_FAILED;
        }
        free(text);
    }
    json_decref(reply);
    remote_close(&r);
    return status;
}

int cmd_restore(struct cli *cli)
{
    struct remote r;
    json_error_t error;
    if (cli->word_count != 1) {
        return cli_usage(cli, cli->word_count == 0 ? "found no file, expected FILE"
                                                   : "found several words, expected one FILE");
    }
    bool standard = strcmp(cli->words[0], "-") == 0;
    FILE *f = standard ? stdin : fopen(cli->words[0], "r");
    if (f == NULL) {
        cli_error(cli, "%s: %s", cli->words[0], strerror(errno));
        return EXIT_FAILED;
    }
    json_t *doc = json_loadf(f, JSON_REJECT_DUPLICATES, &error);
    if (!standard) {
        fclose(f);
    }
    if (!json_is_object(doc)) {
        char shown[512];
        cli_error(cli, "%s:%d: found %s, expected a backup as sinkhole backup writes it",
                  cli->words[0], doc == NULL ? error.line : 1,
                  doc == NULL ? printable(error.text, shown, sizeof shown)
                              : "something else than an object");
        json_decref(doc);
        return EXIT_USAGE;
    }
    int status = remote_open(cli, &r);
    if (status != EXIT_FINE) {
        json_decref(doc);
        return status;
    }
    status = remote_call(&r, "PUT", "/api/sinkhole/rules", doc, NULL);
    if (status == EXIT_FINE) {
        puts("restored");
    }
    remote_close(&r);
    return status;
}

/* ---- password ---- */

/* One line; from a terminal without echo. */
static bool password_read(const char *prompt, char *out, size_t cap)
{
    struct termios before, quiet;
    bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
    if (terminal) {
        fputs(prompt, stderr);
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    bool got = fgets(out, (int)cap, stdin) != NULL;
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    if (got) {
        out[strcspn(out, "\r\n")] = '\0';
    }
    return got;
}

static int end_totp(struct cli *cli)
{
    struct remote r;
    int status = remote_open(cli, &r);
    if (status == EXIT_FINE) {
        status = remote_call(&r, "DELETE", "/api/sinkhole/totp", NULL, NULL);
        if (status == EXIT_FINE) {
            puts("one-time passwords are off; the password alone is enough");
        }
        remote_close(&r);
    }
    return status;
}

int cmd_password(struct cli *cli)
{
    enum { LEAST = 8, CAP = 1024 };
    char password[CAP], again[CAP];
    struct remote r;
    if (cli->word_count > 0) {
        return cli_usage(cli, "found a word, expected the password on standard input, where it "
                              "shows up in no list of processes");
    }
    if (cli->flags & FLAG_NO_TOTP) {
        return end_totp(cli);
    }
    if (!password_read("New password: ", password, sizeof password)) {
        return cli_usage(cli, "found no password on standard input");
    }
    if (strlen(password) < LEAST) {
        explicit_bzero(password, sizeof password);
        return cli_usage(cli, "found a password of less than %d characters, expected more", LEAST);
    }
    if (isatty(STDIN_FILENO) &&
        (!password_read("Again: ", again, sizeof again) || strcmp(password, again) != 0)) {
        cli_error(cli, "the two are not the same");
        return EXIT_USAGE;
    }
    int status = remote_open(cli, &r);
    if (status == EXIT_FINE) {
        status = remote_call(&r, "PUT", "/api/sinkhole/password",
                             json_pack("{s:s}", "password", password), NULL);
        if (status == EXIT_FINE) {
            puts("changed; other sessions have ended");
        }
        remote_close(&r);
    }
    explicit_bzero(password, sizeof password);
    explicit_bzero(again, sizeof again);
    return status;
}
