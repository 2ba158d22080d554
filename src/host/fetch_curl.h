/*
 * Downloads over HTTP and HTTPS, several side by side: the program's one door to libcurl. A fetcher
 * belongs to one thread; only fetch_wake may be called from another. What comes in is decoded
 * (gzip, brotli) and handed on piece by piece; nothing is kept here.
 *
 * Refused whatever a server says (hardening L1): schemes other than http and https, names and
 * passwords in URLs, control octets, more than five redirects, a redirect from https to http, and
 * addresses that are unspecified, loopback or link-local, unless the URL that was asked for has
 * such an address (or localhost) as its host itself.
 */
#ifndef SINKHOLE_HOST_FETCH_CURL_H
#define SINKHOLE_HOST_FETCH_CURL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

#define FETCH_URL_MAX 2048 /* octets with NUL */
#define FETCH_VALIDATOR_MAX                                              \
    256 /* an ETag or a Last-Modified with NUL; longer ones are not kept \
         */
#define FETCH_ERROR_MAX     200
#define FETCH_REDIRECTS_MAX 5

struct fetch_limits {
    uint64_t octets_max;        /* of one answer, both as sent and decoded; 0: 64 MB */
    uint32_t parallel_max;      /* transfers at a time, the rest wait; 0: 6 */
    uint32_t connect_timeout_s; /* 0: 20 */
    uint32_t total_timeout_s;   /* 0: 300 */
    uint32_t low_speed_octets;  /* less than this many a second … 0: 200 */
    uint32_t low_speed_s;       /* … for so long ends the transfer; 0: 30 */
    bool local;                 /* loopback and link-local addresses are allowed for all */
    const char *user_agent;     /* kept until fetch_close; NULL: "sinkhole" */
};

/* Decoded octets of a 200 answer in order. False ends the transfer (the caller knows why). */
typedef bool fetch_sink(void *arg, struct span data);

struct fetch_request {
    const char *url;           /* borrowed for the call */
    const char *etag;          /* asks for a change only; NULL or "": none */
    const char *last_modified; /* as the server spelt it; NULL or "": none */
    fetch_sink *sink;
    void *arg; /* of the sink and of done; kept until done was called */
};

enum fetch_outcome {
    FETCH_COMPLETE,     /* status 200 and everything arrived that was promised */
    FETCH_NOT_MODIFIED, /* status 304 to a conditional request */
    FETCH_STOPPED,      /* the sink said stop */
    FETCH_FAILED
};

struct fetch_result {
    enum fetch_outcome outcome;
    bool transient;           /* a failure that may go away by itself: try again soon */
    int http_status;          /* of the last answer, 0 if there was none */
    uint32_t retry_after_s;   /* what the server asked for with 429 or 503, 0: nothing */
    uint64_t octets_received; /* of bodies, as sent */
    uint64_t octets_decoded;
    char etag[FETCH_VALIDATOR_MAX];          /* "" if none */
    char last_modified[FETCH_VALIDATOR_MAX]; /* "" if none */
    char error[FETCH_ERROR_MAX];             /* one printable line for people; "" if all is well */
};

/* Called once for each started transfer, from fetch_run, but for those that fetch_close ends.
 * `result` is borrowed. */
typedef void fetch_done(void *arg, const struct fetch_result *result);

struct fetcher;

/* Once in the process, before there are threads; later calls do nothing. ERR_IO. */
MUST_CHECK enum err fetch_global_init(void);

MUST_CHECK enum err fetch_open(const struct fetch_limits *limits, fetch_done *done,
                               struct fetcher **out);
void fetch_close(struct fetcher *f); /* drops what is under way; NULL is allowed */

/* Why a URL would be refused, as a printable line; NULL: it is fine. `text` has room for
 * FETCH_ERROR_MAX. */
#define FETCH_NO_MEMORY "out of memory" /* a text that fetch_url_problem may give */
const char *fetch_url_problem(const char *url, char *text);

/* Does a good URL name a host of this machine or link itself: localhost, 127.0.0.1, [::1],
 * 169.254.1.1? Yes, when there is no memory to tell. */
bool fetch_url_is_local(const char *url);

/* Begin a transfer. ERR_FORMAT: a URL that fetch_url_problem refuses. ERR_MEMORY. */
MUST_CHECK enum err fetch_start(struct fetcher *f, const struct fetch_request *request);

/* Transfers started and not done. */
uint32_t fetch_active(const struct fetcher *f);

/*
 * Move transfers on: waits until something happened, fetch_wake was called or timeout_ms are over,
 * handles it, returns. With no transfer it waits alone.
 */
void fetch_run(struct fetcher *f, int timeout_ms);

/* End a waiting fetch_run soon; from any thread. */
void fetch_wake(struct fetcher *f);

#endif
