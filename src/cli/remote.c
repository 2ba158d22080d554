/*
 * See remote.h.
 */
#include "cli/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/token.h"

enum { PASSWORD_OCTETS = 1024 };

/* ---- JSON ---- */

const json_t *json_at(const json_t *o, const char *path)
{
    char key[64];
    while (o != NULL && *path != '\0') {
        size_t len = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)len, path);
        o = json_object_get(o, key);
        path += len + (path[len] == '.');
    }
    return o;
}

json_int_t json_int_at(const json_t *o, const char *path)
{
    const json_t *v = json_at(o, path);
    return json_is_integer(v) ? json_integer_value(v)
           : json_is_real(v)  ? (json_int_t)json_real_value(v)
                              : 0;
}

double json_real_at(const json_t *o, const char *path)
{
    return json_number_value(json_at(o, path));
}

const char *json_text_at(const json_t *o, const char *path)
{
    const char *text = json_string_value(json_at(o, path));
    return text != NULL ? text : "";
}

int print_json_reply(json_t *reply)
{
    json_object_del(reply, "took");
    int failed = json_dumpf(reply, stdout,
                            JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY |
                                JSON_REAL_PRECISION(15));
    putchar('\n');
    return failed || fflush(stdout) != 0 ? EXIT_FAILED : EXIT_FINE;
}

const char *printable(const char *text, char *storage, size_t cap)
{
    struct strbuf s;
    strbuf_init(&s, storage, cap);
    strbuf_escaped(&s, span_str(text));
    return storage;
}

/* ---- where and who ---- */

/* "http://ADDR:PORT" of the first http endpoint; a wildcard address is asked on loopback. */
static bool base_of_config(const struct config *c, char *out, size_t cap)
{
    if (c->http.count == 0) {
        return false;
    }
    struct ip_endpoint endpoint = c->http.item[0];
    char text[IP_ENDPOINT_TEXT];
    if (ip_is_unspecified(&endpoint.addr)) {
        static const uint8_t v4[4] = {127, 0, 0, 1}, v6[16] = {[15] = 1};
        endpoint.addr = ip_is_v4(&endpoint.addr) ? ip_v4(v4) : ip_v6(v6);
    }
    ip_endpoint_format(&endpoint, text);
    snprintf(out, cap, "http://%s", text);
    return true;
}

/* The first line of a file. */
static bool first_line(const char *path, char *out, size_t cap)
{
    FILE *f = fopen(path, "r");
    bool got = f != NULL && fgets(out, (int)cap, f) != NULL;
    if (got) {
        out[strcspn(out, "\r\n")] = '\0';
    }
    if (f != NULL) {
        fclose(f);
    }
    return got;
}

/* The passwords to try, most likely first. */
struct passwords {
    char text[3][PASSWORD_OCTETS];
    unsigned count;
};

static void find_passwords(const struct config *c, bool local, struct passwords *out)
{
    struct token token;
    const char *env = getenv("SINKHOLE_PASSWORD");
    out->count = 0;
    if (env != NULL) {
        snprintf(out->text[out->count++], PASSWORD_OCTETS, "%s", env);
    }
    if (local && token_read(c->state_dir, &token) == ERR_OK) {
        snprintf(out->text[out->count++], PASSWORD_OCTETS, "%s", token.text);
    }
    if (c->password_file[0] != '\0' &&
        first_line(c->password_file, out->text[out->count], PASSWORD_OCTETS)) {
        out->count++;
    }
}

/* ---- requests ---- */

int remote_ask(struct remote *r, const char *method, const char *path, json_t *body, int *status,
               json_t **out)
{
    struct http_reply reply;
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    enum err e = http_client_send(r->http, method, path, text, &reply);
    free(text);
    if (e != ERR_OK) {
        cli_error(r->cli, "%s", http_client_problem(r->http));
        return EXIT_FAILED;
    }
    *status = reply.status;
    if (out != NULL) {
        *out = json_loadb(reply.body, reply.len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
        *out = *out != NULL ? *out : json_null();
    }
    http_reply_free(&reply);
    return EXIT_FINE;
}

void remote_complain(const struct remote *r, int status, const json_t *reply)
{
    char message[512], hint[512];
    const char *text = json_text_at(reply, "error.message"),
               *more = json_text_at(reply, "error.hint");
    if (text[0] == '\0') {
        cli_error(r->cli, "%s answers with HTTP status %d", r->base, status);
    } else if (more[0] != '\0') {
        cli_error(r->cli, "%s (%s)", printable(text, message, sizeof message),
                  printable(more, hint, sizeof hint));
    } else {
        cli_error(r->cli, "%s", printable(text, message, sizeof message));
    }
}

int remote_call(struct remote *r, const char *method, const char *path, json_t *body, json_t **out)
{
    int status;
    json_t *reply;
    int e = remote_ask(r, method, path, body, &status, &reply);
    if (e != EXIT_FINE) {
        return e;
    }
    if (status < 200 || status > 299) {
        remote_complain(r, status, reply);
        json_decref(reply);
        return EXIT_FAILED;
    }
    if (out != NULL) {
        *out = reply;
    } else {
        json_decref(reply);
    }
    return EXIT_FINE;
}

/* ---- logging in ---- */

static int login(struct remote *r, const struct passwords *passwords)
{
    int status = 0;
    json_t *reply = NULL;
    int e = remote_ask(r, "GET", "/api/auth", NULL, &status, &reply);
    if (e != EXIT_FINE) {
        return e;
    }
    bool open = json_is_true(json_at(reply, "session.valid"));
    json_decref(reply);
    for (unsigned i = 0; i < passwords->count && !open; i++) {
        e = remote_ask(r, "POST", "/api/auth", json_pack("{s:s}", "password", passwords->text[i]),
                       &status, &reply);
        if (e != EXIT_FINE) {
            return e;
        }
        open = json_is_true(json_at(reply, "session.valid"));
        const char *sid = json_text_at(reply, "session.sid");
        if (open && sid[0] != '\0') {
            http_client_set_sid(r->http, sid);
            r->session = true;
        }
        if (!open && status == 429) {
            remote_complain(r, status, reply);
            json_decref(reply);
            return EXIT_FAILED;
        }
        json_decref(reply);
    }
    if (!open) {
        cli_error(r->cli, "%s: %s", r->base,
                  passwords->count > 0
                      ? "wrong password"
                      : "needs a password: use --password-file or SINKHOLE_PASSWORD");
        return EXIT_FAILED;
    }
    return EXIT_FINE;
}

static int open_at(struct remote *r, struct cli *cli, const struct config *c, bool *absent)
{
    const char *server = cli->flags & FLAG_SERVER ? cli->server : getenv("SINKHOLE_SERVER");
    bool local = server == NULL;
    struct passwords *passwords;
    if (local && !base_of_config(c, r->base, sizeof r->base)) {
        if (absent != NULL) {
            *absent = true;
            return EXIT_FAILED;
        }
        cli_error(cli, "the configuration has http off; name a running resolver with --server");
        return EXIT_FAILED;
    }
    if (!local) {
        snprintf(r->base, sizeof r->base, "%s%s", strstr(server, "://") != NULL ? "" : "http://",
                 server);
    }
    enum err e = http_client_open(r->base, &r->http);
    if (e != ERR_OK) {
        cli_error(cli, "found server \"%s\", expected http://HOST:PORT", r->base);
        return EXIT_USAGE;
    }
    if (absent != NULL) {
        struct http_reply probe;
        *absent = http_client_send(r->http, "GET", "/healthz", NULL, &probe) != ERR_OK;
        if (*absent) {
            return EXIT_FAILED;
        }
        http_reply_free(&probe);
    }
    passwords = calloc(1, sizeof *passwords);
    if (passwords == NULL) {
        return EXIT_FAILED;
    }
    find_passwords(c,
                   local || strstr(r->base, "://127.") != NULL ||
                       strstr(r->base, "://[::1]") != NULL ||
                       strstr(r->base, "://localhost") != NULL,
                   passwords);
    int status = login(r, passwords);
    explicit_bzero(passwords, sizeof *passwords);
    free(passwords);
    return status;
}

static int open_remote(struct cli *cli, struct remote *out, bool *absent)
{
    struct remote r = {.cli = cli};
    cli->settings.quiet = true;
    struct config *c = cli_config(cli);
    if (c == NULL) {
        return EXIT_USAGE;
    }
    int status = open_at(&r, cli, c, absent);
    settings_unload(NULL, c);
    if (status != EXIT_FINE) {
        remote_close(&r);
        return status;
    }
    *out = r;
    return EXIT_FINE;
}

int remote_open(struct cli *cli, struct remote *out)
{
    return open_remote(cli, out, NULL);
}

int remote_try(struct cli *cli, struct remote *out, bool *absent)
{
    *absent = false;
    return open_remote(cli, out, absent);
}

void remote_close(struct remote *r)
{
    struct http_reply reply;
    if (r->session && http_client_send(r->http, "DELETE", "/api/auth", NULL, &reply) == ERR_OK) {
        http_reply_free(&reply);
    }
    http_client_close(r->http);
    r->http = NULL;
    r->session = false;
}
