/*
 * Where a list comes from, as a person writes it: [FORMAT+]URL, a path, or the word for the list
 * inside the program.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "host/lists.h"
#include "host/lists_int.h"

static enum err refuse(char *problem, const char *text)
{
    if (problem) {
        (void)snprintf(problem, FETCH_ERROR_MAX, "%s", text);
    }
    return ERR_FORMAT;
}

/* Takes a "FORMAT+" off the front. A '+' further on belongs to the URL. */
static enum err take_format(const char **text, enum bl_format *out, char *problem)
{
    size_t word = strspn(*text, "abcdefghijklmnopqrstuvwxyz");
    if (word == 0 || (*text)[word] != '+') {
        return ERR_OK;
    }
    if (bl_format_parse(span_of(*text, word), out) != ERR_OK) {
        if (problem) {
            (void)snprintf(problem, FETCH_ERROR_MAX, "unknown list format \"%.*s\"",
                           (int)(word < 40 ? word : 40), *text);
        }
        return ERR_FORMAT;
    }
    *text += word + 1;
    return ERR_OK;
}

/* "file:///path" and "file://localhost/path" to the path; percent escapes are undone. */
static enum err file_url_path(const char *rest, char out[FETCH_URL_MAX], char *problem)
{
    size_t n = 0;
    if (strncasecmp(rest, "localhost/", 10) == 0) {
        rest += 9;
    }
    if (rest[0] != '/') {
        return refuse(problem, "a file:// URL needs an absolute path: file:///PATH");
    }
    for (; *rest; rest++) {
        unsigned c = (unsigned char)*rest;
        if (c == '%') {
            char hex[3] = {rest[1], rest[1] ? rest[2] : '\0', '\0'};
            char *end;
            c = (unsigned)strtoul(hex, &end, 16);
            if (end != hex + 2 || c == 0) {
                return refuse(problem, "bad %-escape in a file:// URL");
            }
            rest += 2;
        }
        if (n + 1 >= FETCH_URL_MAX) {
            return refuse(problem, "the path is too long");
        }
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return ERR_OK;
}

static enum err plain_path(const char *text, char out[FETCH_URL_MAX], char *problem)
{
    char cwd[FETCH_URL_MAX] = "";
    if (text[0] != '/' && !getcwd(cwd, sizeof cwd)) {
        return refuse(problem, "the working directory is not known");
    }
    while (text[0] == '.' && text[1] == '/') {
        text += 2;
    }
    int n = snprintf(out, FETCH_URL_MAX, "%s%s%s", cwd, text[0] == '/' ? "" : "/", text);
    return n > 0 && n < FETCH_URL_MAX ? ERR_OK : refuse(problem, "the path is too long");
}

/* A short name for people: the file's name, for a URL after the host's name. */
void list_spec_default_name(struct list_spec *spec)
{
    if (strcmp(spec->url, LIST_URL_BUILTIN) == 0) {
        (void)snprintf(spec->name, sizeof spec->name, "Built-in list");
        return;
    }
    const char *host = strstr(spec->url, "://");
    size_t len = strcspn(spec->url, "?#");
    while (len > 1 && spec->url[len - 1] == '/') {
        len--;
    }
    size_t start = len;
    while (start > 0 && spec->url[start - 1] != '/') {
        start--;
    }
    if (!host) {
        (void)snprintf(spec->name, sizeof spec->name, "%.*s", (int)(len - start),
                       spec->url + start);
        return;
    }
    host += 3;
    size_t host_len = strcspn(host, "/?#");
    if (host + host_len >= spec->url + start) {
        (void)snprintf(spec->name, sizeof spec->name, "%.*s", (int)host_len, host);
    } else {
        (void)snprintf(spec->name, sizeof spec->name, "%.*s: %.*s", (int)host_len, host,
                       (int)(len - start), spec->url + start);
    }
}

enum err list_spec_parse(const char *text, bool local, struct list_spec *out, char *problem)
{
    struct list_spec spec = {.enabled = true, .guard = true};
    enum err e = take_format(&text, &spec.format, problem);
    if (e != ERR_OK) {
        return e;
    }
    if (strcmp(text, LIST_URL_BUILTIN) == 0) {
        (void)snprintf(spec.url, sizeof spec.url, "%s", text);
    } else if (strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0) {
        char why[FETCH_ERROR_MAX];
        if (fetch_url_problem(text, why)) {
            e = refuse(problem, why);
            return strcmp(why, FETCH_NO_MEMORY) == 0 ? ERR_MEMORY : e;
        }
        if (!local && fetch_url_is_local(text)) {
            return refuse(
                problem,
                "lists from this machine or link are added in the configuration file only");
        }
        (void)snprintf(spec.url, sizeof spec.url, "%s", text);
    } else if (!local) {
        return refuse(problem, "expected a URL that starts with http:// or https://");
    } else if (strncasecmp(text, "file://", 7) == 0) {
        e = file_url_path(text + 7, spec.url, problem);
    } else if (strstr(text, "://")) {
        return refuse(problem, "expected a URL of http, https or file, or a path");
    } else if (text[0] == '\0') {
        return refuse(problem, "expected a URL or a path");
    } else {
        e = plain_path(text, spec.url, problem);
    }
    for (const char *c = spec.url; e == ERR_OK && *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            e = refuse(problem, "a control octet in the path");
        }
    }
    if (e == ERR_OK) {
        list_spec_default_name(&spec);
        *out = spec;
    }
    return e;
}
