/*
 * The HTTP API without HTTP: a request as data in, a response as data out. The platform's server (libmicrohttpd on the host, lwIP on bare metal)
 * parses and sends; routes, authentication, sessions and JSON are here, and the same on both.
 * The contract is docs/api.md.
 *
 * api_handle is called by one thread at a time (the platform serialises), never by a worker.
 */
#ifndef SINKHOLE_API_API_H
#define SINKHOLE_API_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/span.h"
#include "base/time.h"

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_OPTIONS, HTTP_OTHER };

#define API_BODY_MAX (256 * 1024) /* octets of a request body that are read at all */

/* Header values that the API looks at; absent ones have len 0. Borrowed for the call. */
struct api_request {
    enum http_method method;
    struct span path;          /* percent-decoding is done here, not by the platform; without the query */
    struct span query;         /* after '?', raw */
    struct span body;
    struct span host;          /* Host */
    struct span origin;        /* Origin */
    struct span fetch_site;    /* Sec-Fetch-Site */
    struct span sid;           /* sid */
    struct span ftl_sid;       /* X-FTL-SID */
    struct span csrf;          /* X-CSRF-TOKEN or X-FTL-CSRF */
    struct span authorization; /* Authorization */
    struct span cookie;        /* Cookie */
    struct span content_type;
    struct span user_agent;
    struct span if_none_match;
    struct ip_addr peer;
    bool encrypted;            /* came over TLS */
};

/* More of a body that is made piece by piece. Writes up to cap octets; returns how many, 0 at the end, -1 for "nothing now, ask again later". */
typedef long api_more(void *state, char *buf, size_t cap, usec_t now);

#define API_HEADERS_MAX 12

struct api_header {
    const char *name;
    char value[256];
};

struct api_response {
    int status;
    struct api_header headers[API_HEADERS_MAX];
    uint32_t header_count;
    const void *body;          /* NULL if there is none or `more` is set */
    size_t body_len;
    void (*release)(struct api_response *); /* call when sent, may be NULL; frees body or state */
    void *release_arg;
    api_more *more;            /* a streamed body (chunked); serialised with api_handle like everything here */
    void *more_state;
    bool event_stream;         /* stays open; more() is polled when stats were collected */
};

struct api;

MUST_CHECK enum err api_handle(struct api *a, usec_t now, const struct api_request *request, struct api_response *response);

#endif
