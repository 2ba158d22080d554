/*
 * HTTP and HTTPS downloads for lists: GET over a stream, chunked or by length, redirects,
 * conditional requests. Nothing is kept: octets go to the caller as they come.
 */
#ifndef UNIKERNEL_FETCH_H
#define UNIKERNEL_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

enum { FETCH_URL_MAX = 1024, FETCH_TAG_MAX = 128, FETCH_MAX = 8, FETCH_REDIRECTS_MAX = 5 };

struct fetch_result {
    enum err error;               /* ERR_OK: a whole answer came (whatever its status) */
    unsigned status;              /* HTTP status, 0 if none came */
    const char *reason;           /* for people; "" on ERR_OK */
    char etag[FETCH_TAG_MAX];     /* "" if none */
    char modified[FETCH_TAG_MAX]; /* Last-Modified, "" if none */
    uint64_t octets;              /* of body */
};

struct fetch_request {
    const char *url;             /* http:// or https://, at most FETCH_URL_MAX - 1; copied */
    const char *etag, *modified; /* of the copy we have; NULL or "" */
    uint64_t octets_max;         /* a longer body ends with ERR_LIMIT */
    uint32_t idle_us;
    /* Body octets of a 200 answer, maybe compressed with gzip. Return false to stop. */
    bool (*body)(void *ctx, const uint8_t *data, size_t len);
    void (*done)(void *ctx, const struct fetch_result *result);
    void *ctx;
};

/* ERR_FORMAT: not a URL we take (with *what telling why). ERR_LIMIT: FETCH_MAX are under way. After
 * ERR_OK `done` is called once, maybe before this returns. */
MUST_CHECK enum err fetch_start(const struct fetch_request *rq, const char **what);

/* The parts of a URL; exposed for tests. */
struct fetch_url {
    bool tls;
    char host[256];
    uint16_t port;
    char path[FETCH_URL_MAX];
};
MUST_CHECK enum err fetch_url_parse(const char *url, struct fetch_url *out, const char **what);
/* Resolve a Location header against the URL that gave it; https never goes back to http. */
MUST_CHECK enum err fetch_url_follow(const struct fetch_url *base, const char *location,
                                     struct fetch_url *out, const char **what);

#endif
