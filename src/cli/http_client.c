/*
 * See http_client.h.
 */
#include "cli/http_client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_SECONDS = 5, TOTAL_SECONDS = 60, PATH_MAX_OCTETS = 8192, LINE_MAX_OCTETS = 4096 };

struct http_client {
    CURL *easy;
    char *base;
    char sid[160]; /* "X-FTL-SID: …", "" if there is none */
    char problem[CURL_ERROR_SIZE + 64];
};

static void drop_slashes(char *base)
{
    size_t len = strlen(base);
    while (len > 0 && base[len - 1] == '/') {
        base[--len] = '\0';
    }
}

enum err http_client_open(const char *base, struct http_client **out)
{
    bool web = strncmp(base, "http://", 7) == 0 || strncmp(base, "https://", 8) == 0;
    if (!web) {
        return ERR_FORMAT;
    }
    struct http_client *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return ERR_MEMORY;
    }
    c->base = strdup(base);
    c->easy = curl_easy_init();
    if (c->base == NULL || c->easy == NULL) {
        http_client_close(c);
        return ERR_MEMORY;
    }
    drop_slashes(c->base);
    *out = c;
    return ERR_OK;
}

void http_client_close(struct http_client *c)
{
    if (c != NULL) {
        curl_easy_cleanup(c->easy);
        free(c->base);
        free(c);
    }
}

void http_client_set_sid(struct http_client *c, const char *sid)
{
    if (sid == NULL) {
        c->sid[0] = '\0';
    } else {
        snprintf(c->sid, sizeof c->sid, "X-FTL-SID: %s", sid);
    }
}

const char *http_client_problem(const struct http_client *c)
{
    return c->problem;
}

void http_reply_free(struct http_reply *r)
{
    free(r->body);
    r->body = NULL;
}

static size_t collect(char *data, size_t size, size_t n, void *arg)
{
    struct http_reply *r = arg;
    size_t len = size * n;
    if (len > HTTP_REPLY_MAX - r->len) {
        return 0;
    }
    char *body = realloc(r->body, r->len + len + 1);
    if (body == NULL) {
        return 0;
    }
    memcpy(body + r->len, data, len);
    r->body = body;
    r->len += len;
    body[r->len] = '\0';
    return len;
}

/* One request; the body goes to `sink`. */
static enum err perform(struct http_client *c, const char *method, const char *path,
                        const char *json, curl_write_callback sink, void *arg, long seconds,
                        int *status)
{
    char url[PATH_MAX_OCTETS], error[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL;
    int n = snprintf(url, sizeof url, "%s%s", c->base, path);
    if (n < 0 || (size_t)n >= sizeof url) {
        snprintf(c->problem, sizeof c->problem, "the address is too long");
        return ERR_IO;
    }
    curl_easy_reset(c->easy);
    headers = curl_slist_append(headers, "Expect:");
    if (c->sid[0] != '\0') {
        headers = curl_slist_append(headers, c->sid);
    }
    if (json != NULL) {
        headers = curl_slist_append(headers, "Content-Type: application/json");
        curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE, (long)strlen(json));
        curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, json);
    }
    curl_easy_setopt(c->easy, CURLOPT_URL, url);
    curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c->easy, CURLOPT_USERAGENT, "sinkhole");
    curl_easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(c->easy, CURLOPT_TIMEOUT, seconds);
    curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, sink);
    curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, arg);
    CURLcode code = curl_easy_perform(c->easy);
    long number = 0;
    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &number);
    curl_slist_free_all(headers);
    if (code != CURLE_OK) {
        snprintf(c->problem, sizeof c->problem, "%s: %s", c->base,
                 error[0] != '\0' ? error : curl_easy_strerror(code));
        return ERR_IO;
    }
    *status = (int)number;
    return ERR_OK;
}

enum err http_client_send(struct http_client *c, const char *method, const char *path,
                          const char *json, struct http_reply *out)
{
    struct http_reply r = {.status = 0};
    enum err e = perform(c, method, path, json, collect, &r, TOTAL_SECONDS, &r.status);
    if (e == ERR_OK && r.body == NULL) {
        r.body = calloc(1, 1);
        e = r.body != NULL ? ERR_OK : ERR_MEMORY;
    }
    if (e != ERR_OK) {
        http_reply_free(&r);
        return e;
    }
    *out = r;
    return ERR_OK;
}

/* Lines being put together. */
struct lines {
    http_line *line;
    void *arg;
    char text[LINE_MAX_OCTETS];
    size_t len;
};

static size_t split(char *data, size_t size, size_t n, void *arg)
{
    struct lines *l = arg;
    for (size_t i = 0; i < size * n; i++) {
        if (data[i] == '\n') {
            l->text[l->len] = '\0';
            l->line(l->arg, l->text);
            l->len = 0;
        } else if (l->len + 1 < sizeof l->text) {
            l->text[l->len++] = data[i];
        }
    }
    return size * n;
}

enum err http_client_stream(struct http_client *c, const char *method, const char *path,
                            http_line *line, void *arg, int *status)
{
    struct lines l = {.line = line, .arg = arg};
    enum err e = perform(c, method, path, NULL, split, &l, 0, status);
    if (l.len > 0) {
        l.text[l.len] = '\0';
        line(arg, l.text);
    }
    return e;
}

char *http_escape(const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = malloc(3 * strlen(text) + 1), *p = out;
    if (out == NULL) {
        return NULL;
    }
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     strchr("-._~", c) != NULL;
        if (plain) {
            *p++ = (char)c;
        } else {
            *p++ = '%';
            *p++ = digits[c >> 4];
            *p++ = digits[c & 15];
        }
    }
    *p = '\0';
    return out;
}
