/* What http_mhd.c (sockets, thread) and http_mhd_request.c (requests, responses) share. */
#ifndef SINKHOLE_HOST_HTTP_MHD_INT_H
#define SINKHOLE_HOST_HTTP_MHD_INT_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "host/http_conns.h"
#include "host/http_mhd.h"

struct outflow; /* a streamed response */

struct http {
    struct api *api;
    pthread_mutex_t *lock;
    void (*before)(void *arg);
    void *before_arg;
    struct MHD_Daemon *daemon;
    struct http_conns conns;
    int listener[HTTP_LISTEN_MAX];
    uint16_t port[HTTP_LISTEN_MAX];
    uint32_t listen_count;
    int wake; /* eventfd */
    pthread_t thread;
    bool started;
    _Atomic bool stop;
    _Atomic uint32_t open;   /* connections, for other threads */
    size_t bodies;           /* octets of request bodies held now */
    size_t responses;        /* octets of responses held now */
    struct outflow *waiting; /* streams that had nothing to send */
};

/* libmicrohttpd's callbacks; cls is the struct http. */
void *http_request_start(void *cls, const char *uri, struct MHD_Connection *connection);
enum MHD_Result http_request_part(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *len, void **state);
void http_request_end(void *cls, struct MHD_Connection *connection, void **state,
                      enum MHD_RequestTerminationCode why);

/* Ask streams again that had nothing to send. */
void http_resume(struct http *h);

struct http_conn *http_conn_of(struct MHD_Connection *connection);

#endif
