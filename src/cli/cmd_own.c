/*
 * sinkhole rules export, import: own rules as text, one a line, or as JSON.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/rules_text.h"
#include "cli/remote.h"

enum { TEXT_MAX = 4 * 1024 * 1024, LINE_MAX = 4096 };

/* The rules of a reply as lines. With malloc; NULL: no memory. */
static char *as_text(const json_t *reply)
{
    static const char head[] =
        "# Own rules: allow or deny, a name, *.NAME for all below too, or /EXPRESSION/.\n";
    struct rules r = {.doc = json_pack("{s:O}", "own", json_at(reply, "own"))};
    struct rule_view v;
    struct strbuf out;
    uint32_t count = rules_own_count(&r);
    size_t cap = sizeof head + (size_t)count * LINE_MAX;
    char *text = malloc(cap);
    if (text != NULL) {
        strbuf_init(&out, text, cap);
        strbuf_str(&out, head);
        for (uint32_t i = 0; rules_own_at(&r, i, &v); i++) {
            rules_export_line(&v, &out);
            strbuf_char(&out, '\n');
        }
    }
    rules_free(&r);
    return text;
}

static int export_rules(struct cli *cli)
{
    struct remote r;
    json_t *reply = NULL;
    char *text = NULL;
    bool json = (cli->flags & FLAG_JSON) != 0;
    int status = remote_open(cli, &r);
    if (status != EXIT_FINE) {
        return status;
    }
    status = remote_call(&r, "GET", "/api/sinkhole/own", NULL, &reply);
    if (status == EXIT_FINE) {
        json_object_del(reply, "took");
        text = json ? json_dumps(reply, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : as_text(reply);
        status = text != NULL ? EXIT_FINE : EXIT_FAILED;
    }
    if (status == EXIT_FINE && cli->flags & FLAG_OUTPUT && strcmp(cli->output, "-") != 0) {
        status = cli_write_private(cli, cli->output, text);
    } else if (status == EXIT_FINE) {
        printf("%s%s", text, json ? "\n" : "");
        status = fflush(stdout) == 0 ? EXIT_FINE : EXIT_FAILED;
    }
    json_decref(reply);
    free(text);
    remote_close(&r);
    return status;
}

/* The whole of a file or of standard input, NUL-terminated; NULL after a message. */
static char *read_all(struct cli *cli, const char *path, size_t *len)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    char *text = f ? malloc(TEXT_MAX + 1) : NULL;
    if (text == NULL) {
        cli_error(cli, "%s: %s", path, strerror(errno));
        if (f && f != stdin) {
            fclose(f);
        }
        return NULL;
    }
    *len = fread(text, 1, TEXT_MAX + 1, f);
    bool bad = ferror(f) != 0;
    if (f != stdin) {
        fclose(f);
    }
    if (bad || *len > TEXT_MAX) {
        cli_error(cli, "%s: %s", path, bad ? "cannot be read" : "more than 4 MiB");
        free(text);
        return NULL;
    }
    text[*len] = '\0';
    return text;
}

/* JSON if it begins so: an export, a backup, or an array of rules. NULL: it is neither text nor
 * such JSON; told. */
static json_t *body_of(struct cli *cli, const char *path, const char *text, size_t len)
{
    const char *start = text + strspn(text, " \t\r\n");
    if (*start != '{' && *start != '[') {
        json_t *body = json_pack("{s:s%}", "text", text, len);
        if (body == NULL) {
            cli_error(cli, "%s: octets that are not UTF-8", path);
        }
        return body;
    }
    json_error_t error;
    json_t *root = json_loadb(text, len, 0, &error);
    json_t *own = json_is_array(root) ? root : json_object_get(root, "own");
    if (!json_is_array(own)) {
        if (root == NULL) {
            cli_error(cli, "%s:%d: %s", path, error.line, error.text);
        } else {
            cli_error(cli, "%s: expected an array of rules, or an object with one named own", path);
        }
        json_decref(root);
        return NULL;
    }
    json_t *body = json_pack("{s:O}", "own", own);
    json_decref(root);
    return body;
}

static void print_errors(const char *path, const json_t *reply)
{
    size_t i;
    const json_t *e;
    char text[512], why[512];
    json_array_foreach(json_at(reply, "errors"), i, e)
    {
        fprintf(stderr, "%s:%lld: found \"%s\": %s\n", path, (long long)json_int_at(e, "line"),
                printable(json_text_at(e, "text"), text, sizeof text),
                printable(json_text_at(e, "error"), why, sizeof why));
    }
    long long more = (long long)json_int_at(reply, "bad") - (long long)i;
    if (more > 0) {
        fprintf(stderr, "%s: and %lld more\n", path, more);
    }
}

static int import_rules(struct cli *cli, const char *path)
{
    struct remote r;
    size_t len;
    json_t *reply = NULL;
    char *text = read_all(cli, path, &len);
    json_t *body = text ? body_of(cli, path, text, len) : NULL;
    free(text);
    if (body == NULL) {
        return EXIT_FAILED;
    }
    if (cli->flags & FLAG_REPLACE) {
        json_object_set_new(body, "replace", json_true());
    }
    int status = remote_open(cli, &r);
    if (status != EXIT_FINE) {
        json_decref(body);
        return status;
    }
    int code = 0;
    status = remote_ask(&r, "POST", "/api/sinkhole/own", body, &code, &reply);
    if (status == EXIT_FINE && json_is_true(json_at(reply, "imported"))) {
        if (cli->flags & FLAG_JSON) {
            print_json_reply(reply);
        } else {
            printf("%lld rules added, %lld were there already\n",
                   (long long)json_int_at(reply, "added"),
                   (long long)json_int_at(reply, "present"));
        }
    } else if (status == EXIT_FINE) {
        if (json_is_array(json_at(reply, "errors"))) {
            print_errors(path, reply);
        } else {
            remote_complain(&r, code, reply);
        }
        cli_error(cli, "nothing was changed");
        status = EXIT_FAILED;
    }
    json_decref(reply);
    remote_close(&r);
    return status;
}

int cmd_own(struct cli *cli)
{
    const char *word = cli->word_count > 0 ? cli->words[0] : "";
    if (strcmp(word, "export") == 0 && cli->word_count == 1) {
        return export_rules(cli);
    }
    if (strcmp(word, "import") == 0 && cli->word_count == 2) {
        return import_rules(cli, cli->words[1]);
    }
    return cli_usage(cli, "found \"%s\", expected export or import FILE", word);
}
