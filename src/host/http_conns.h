/*
 * The connections of the HTTP server: who, since when, at what. Knows the rules by which
 * connections end (deadlines, room for others), and nothing of HTTP itself; ending one is a
 * shutdown of its socket, which the library then notices.
 */
#ifndef SINKHOLE_HOST_HTTP_CONNS_H
#define SINKHOLE_HOST_HTTP_CONNS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"
#include "base/time.h"

#define HTTP_CONNS_SPARE \
    128 /* rows for connections that are ending while others take their place */

enum http_conn_state {
    CONN_FREE,
    CONN_NEW,     /* no request yet: 10 s for the head of the first one */
    CONN_IDLE,    /* between requests: 30 s idle and 10 s for the next head */
    CONN_BODY,    /* a body is coming in: 60 s */
    CONN_SENDING, /* a response is going out: 120 s */
    CONN_STREAM /* a response without end; the kernel ends it when nothing is acknowledged for 20 s
                 */
};

struct http_conn {
    enum http_conn_state state;
    int fd;
    bool ending; /* shut down, not closed yet */
    struct ip_addr peer;
    usec_t since;
};

struct http_conns {
    struct http_conn *conn;
    uint32_t cap;
    uint32_t count;   /* in use */
    uint32_t evicted; /* ended to make room */
    uint32_t overdue; /* ended by a deadline */
};

/* ERR_MEMORY. */
MUST_CHECK enum err http_conns_open(struct http_conns *t, uint32_t cap);
void http_conns_close(struct http_conns *t);

/*
 * A place for a new connection. If all are in use, one goes: of those without a request under way,
 * else of those that send a body, else of those that have been reading for more than two seconds;
 * out of them the oldest one of the address that has most. NULL if there is none.
 */
struct http_conn *http_conns_add(struct http_conns *t, int fd, const struct ip_addr *peer,
                                 usec_t now);
void http_conns_remove(struct http_conns *t, struct http_conn *c);
struct http_conn *http_conns_find(struct http_conns *t, int fd);

void http_conn_set(struct http_conn *c, enum http_conn_state state, usec_t now);

/* End those that are overdue, and those whose other side has closed. */
void http_conns_tick(struct http_conns *t, usec_t now);

#endif
