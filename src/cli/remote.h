/*
 * A running resolver as the subcommands see it: finds its address, logs in, sends a request, takes
 * JSON apart, prints what went wrong.
 */
#ifndef SINKHOLE_CLI_REMOTE_H
#define SINKHOLE_CLI_REMOTE_H

#include <jansson.h>

#include "cli/cli.h"
#include "cli/http_client.h"

struct remote {
    struct cli *cli;
    struct http_client *http;
    bool session; /* to be ended by remote_close */
    char base[512];
};

/*
 * Connect and log in. The address: --server, SINKHOLE_SERVER, else the first `http` of the
 * configuration. The password: none if none is set, the token of the state directory on the same
 * machine, --password-file, SINKHOLE_PASSWORD. EXIT_FINE, or a status after a message.
 */
int remote_open(struct cli *cli, struct remote *out);
void remote_close(struct remote *r);

/* No message if there is nobody at the address (EXIT_FAILED): for commands that can do without. */
int remote_try(struct cli *cli, struct remote *out, bool *absent);

/*
 * One request. `body` may be NULL and is consumed. EXIT_FINE with *out (may be NULL; json_decref
 * it) for statuses 200-299, else EXIT_FAILED after a message made from the API's error. A reply
 * without a body gives json null.
 */
int remote_call(struct remote *r, const char *method, const char *path, json_t *body, json_t **out);

/* The same, and only the HTTP status decides: *status is set, no message unless there was no
 * answer. */
int remote_ask(struct remote *r, const char *method, const char *path, json_t *body, int *status,
               json_t **out);

/* The message of an API error, made printable, to standard error. */
void remote_complain(const struct remote *r, int status, const json_t *reply);

/* Values deep in objects, "queries.total"; 0 or "" where they are missing or of another type. */
json_int_t json_int_at(const json_t *o, const char *path);
double json_real_at(const json_t *o, const char *path);
const char *json_text_at(const json_t *o, const char *path);
const json_t *json_at(const json_t *o, const char *path);

/* Print a reply for --json, without "took". Returns the exit status. */
int print_json_reply(json_t *reply);

/* Foreign text for a terminal: printable characters only; `cap` octets of storage. */
const char *printable(const char *text, char *storage, size_t cap);

#endif
