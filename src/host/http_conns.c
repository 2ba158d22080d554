/* The table of HTTP connections; see http_conns.h. It is walked whole, which for some hundred rows
 * once a second is nothing. */
#include "host/http_conns.h"

#include <stdlib.h>
#include <sys/socket.h>

enum { SPARE = 16 }; /* rows for connections that are ending while others take their place */

static usec_t allowed(enum http_conn_state state)
{
    switch (state) {
    case CONN_NEW:
        return 10 * USEC_PER_SEC;
    case CONN_IDLE:
        return 40 * USEC_PER_SEC;
    case CONN_BODY:
        return 60 * USEC_PER_SEC;
    case CONN_SENDING:
        return 120 * USEC_PER_SEC;
    case CONN_FREE:
    case CONN_STREAM:
        break;
    }
    return USEC_NEVER;
}

enum err http_conns_open(struct http_conns *t, uint32_t cap)
{
    *t = (struct http_conns){.cap = cap};
    t->conn = calloc(cap + SPARE, sizeof *t->conn);
    return t->conn ? ERR_OK : ERR_MEMORY;
}

void http_conns_close(struct http_conns *t)
{
    free(t->conn);
    *t = (struct http_conns){0};
}

static void end(struct http_conn *c)
{
    if (!c->ending) {
        c->ending = true;
        (void)shutdown(c->fd, SHUT_RDWR);
    }
}

static bool is_waiting(const struct http_conn *c)
{
    return (c->state == CONN_NEW || c->state == CONN_IDLE) && !c->ending;
}

static uint32_t count_of(const struct http_conns *t, const struct ip_addr *peer)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->cap + SPARE; i++) {
        n +=
            t->conn[i].state != CONN_FREE && !t->conn[i].ending && ip_equal(&t->conn[i].peer, peer);
    }
    return n;
}

static struct http_conn *victim(struct http_conns *t)
{
    struct http_conn *worst = NULL;
    uint32_t most = 0;
    for (uint32_t i = 0; i < t->cap + SPARE; i++) {
        struct http_conn *c = &t->conn[i];
        if (!is_waiting(c)) {
            continue;
        }
        uint32_t n = worst && ip_equal(&worst->peer, &c->peer) ? most : count_of(t, &c->peer);
        if (!worst || n > most || (n == most && c->since < worst->since)) {
            worst = c;
            most = n;
        }
    }
    return worst;
}

static uint32_t count_alive(const struct http_conns *t)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->cap + SPARE; i++) {
        n += t->conn[i].state != CONN_FREE && !t->conn[i].ending;
    }
    return n;
}

struct http_conn *http_conns_add(struct http_conns *t, int fd, const struct ip_addr *peer,
                                 usec_t now)
{
    if (count_alive(t) >= t->cap) {
        struct http_conn *old = victim(t);
        if (!old) {
            return NULL;
        }
        end(old);
        t->evicted++;
    }
    for (uint32_t i = 0; i < t->cap + SPARE; i++) {
        struct http_conn *c = &t->conn[i];
        if (c->state == CONN_FREE) {
            *c = (struct http_conn){.state = CONN_NEW, .fd = fd, .peer = *peer, .since = now};
            t->count++;
            return c;
        }
    }
    return NULL;
}

void http_conns_remove(struct http_conns *t, struct http_conn *c)
{
    if (c->state != CONN_FREE) {
        c->state = CONN_FREE;
        t->count--;
    }
}

struct http_conn *http_conns_find(struct http_conns *t, int fd)
{
    for (uint32_t i = 0; i < t->cap + SPARE; i++) {
        if (t->conn[i].state != CONN_FREE && t->conn[i].fd == fd) {
            return &t->conn[i];
        }
    }
    return NULL;
}

void http_conn_set(struct http_conn *c, enum http_conn_state state, usec_t now)
{
    if (c->state != state) {
        c->state = state;
        c->since = now;
    }
}

void http_conns_tick(struct http_conns *t, usec_t now)
{
    for (uint32_t i = 0; i < t->cap + SPARE; i++) {
        struct http_conn *c = &t->conn[i];
        if (c->state != CONN_FREE && !c->ending && allowed(c->state) != USEC_NEVER &&
            now - c->since > allowed(c->state)) {
            end(c);
            t->overdue++;
        }
    }
}
