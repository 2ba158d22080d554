/*
 * HTTP requests of the command line to a running resolver: the second place that uses libcurl (the
 * first is host/fetch_curl.c, which is made for downloads from strangers). One request at a time,
 * whole bodies, no redirects.
 */
#ifndef SINKHOLE_CLI_HTTP_CLIENT_H
#define SINKHOLE_CLI_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

#define HTTP_REPLY_MAX (64 * 1024 * 1024) /* octets of a body; longer ones are refused */

struct http_client;

struct http_reply {
    int status;
    char *body; /* NUL-terminated; with malloc, http_reply_free */
    size_t len;
};

/* `base` as in "http://127.0.0.1:8080", kept as a copy. ERR_FORMAT, ERR_MEMORY. */
MUST_CHECK enum err http_client_open(const char *base, struct http_client **out);
void http_client_close(struct http_client *c); /* NULL is allowed */

/* The session that later requests send; NULL: none. */
void http_client_set_sid(struct http_client *c, const char *sid);

/*
 * method "GET" …; path "/api/…"; json NULL: no body. ERR_IO: no answer, http_client_problem says
 * why. Any HTTP status is ERR_OK.
 */
MUST_CHECK enum err http_client_send(struct http_client *c, const char *method, const char *path,
                                     const char *json, struct http_reply *out);
const char *http_client_problem(const struct http_client *c);
void http_reply_free(struct http_reply *r);

/* Each line of a streamed body as it comes, without its newline. ERR_IO as above; *status is the
 * HTTP status. */
typedef void http_line(void *arg, const char *line);
MUST_CHECK enum err http_client_stream(struct http_client *c, const char *method, const char *path,
                                       http_line *line, void *arg, int *status);

/* `text` percent-encoded for a path or a query value; with malloc, free() it. NULL: no memory. */
char *http_escape(const char *text);

#endif
