/*
 * The HTTP server, by libmicrohttpd: sockets, parsing, limits and sending. What is asked and
 * answered is the API's (api/api.h).
 *
 * One thread of its own with epoll. Every call into the API, streams included, is made under the
 * given lock; the daemon takes the same lock around stats_collect, api_tick and whatever else the
 * API reads. Responses are copied under it and sent without it, so a slow reader holds nothing up.
 *
 * Bounds: `connections` in all, and who holds most of them gives way first (http_conns.h); a
 * request's head of HTTP_POOL_OCTETS with what goes with it, 64 headers; a body of API_BODY_MAX,
 * all bodies API_BODIES_MAX, all answers HTTP_RESPONSES_MAX; deadlines for each state of a
 * connection. What is more is refused with 400, 413, 414, 431, 503, or by closing. DNS shares none
 * of this.
 */
#ifndef SINKHOLE_HOST_HTTP_MHD_H
#define SINKHOLE_HOST_HTTP_MHD_H

#include <pthread.h>

#include "api/api.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"

#define HTTP_LISTEN_MAX 8
#define HTTP_POOL_OCTETS                                                    \
    (18 * 1024) /* of a connection: head of a request and what goes with it \
                 */
#define HTTP_RESPONSES_MAX \
    ((size_t)32 * 1024 * 1024) /* octets of all responses under way together, but for streams */

struct http_config {
    struct ip_endpoint listen[HTTP_LISTEN_MAX]; /* port 0: any free one; :: takes IPv6 alone */
    uint32_t listen_count;
    uint32_t connections;  /* at once, 8..4096; 0: 256 */
    struct api *api;       /* kept */
    pthread_mutex_t *lock; /* kept; held around each call into the API */
    void (*before)(
        void *arg); /* called with the lock before each request is answered; may be NULL */
    void *arg;
};

struct http;

/*
 * Bind and listen; there is no thread yet, so that one made after rights were given up has none of
 * them. ERR_IO: an address cannot be bound (logged with the reason); ERR_RANGE; ERR_MEMORY.
 */
MUST_CHECK enum err http_open(struct http **out, const struct http_config *cfg);

/* Start the thread that answers. ERR_MEMORY: there can be no more threads. */
MUST_CHECK enum err http_serve(struct http *h);

/* Stop listening, end open streams, join the thread. NULL is allowed. Do not hold the lock. */
void http_stop(struct http *h);

/* New statistics or a change of state: streams that had nothing to send are asked again. Any
 * thread; cheap; without the lock. */
void http_wake(struct http *h);

/* The port that listener i was given. */
uint16_t http_port(const struct http *h, uint32_t i);

/* Connections open now; any thread. */
uint32_t http_connections(const struct http *h);

#endif
