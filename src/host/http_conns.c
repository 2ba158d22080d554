/* The table of HTTP connections; see http_conns.h. It is walked whole, which for some hundred rows
 * once a second is nothing. */
#include "host/http_conns.h"

#include <stdlib.h>
#include <sys/socket.h>

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
    t->conn = calloc(cap + HTTP_CONNS_SPARE, sizeof *t->conn);
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

/* How soon a connection gives way to a new one: 0 first; NEVER. */
enum { NEVER = 3 };

static int patience(const struct http_conn *c, usec_t now)
{
    if (c->ending) {
        return NEVER;
    }
    switch (c->state) {
    case CONN_NEW:
    case CONN_IDLE:
        return 0;
    case CONN_BODY:
        return 1;
    case CONN_SENDING: /* a page is sent at once; who still reads after two seconds is slow */
        return now - c->since > 2 * USEC_PER_SEC ? 2 : NEVER;
    case CONN_FREE:
    case CONN_STREAM:
        break;
    }
    return NEVER;
}

static uint32_t count_of(const struct http_conns *t, const struct ip_addr *peer)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->cap + HTTP_CONNS_SPARE; i++) {
        n +=
            t->conn[i].state != CONN_FREE && !t->conn[i].ending && ip_equal(&t->conn[i].peer, peer);
    }
    return n;
}

static struct http_conn *victim(struct http_conns *t, usec_t now)
{
    struct http_conn *worst = NULL;
    uint32_t most = 0;
    int least = NEVER;
    for (uint32_t i = 0; i < t->cap + HTTP_CONNS_SPARE; i++) {
        struct http_conn *c = &t->conn[i];
        int p = patience(c, now);
        if (p == NEVER || p > least) {
            continue;
        }
        uint32_t n = worst && ip_equal(&worst->peer, &c->peer) ? most : count_of(t, &c->peer);
        if (p < least || n > most || (n == most && c->since < worst->since)) {
            worst = c;
            most = n;
            least = p;
        }
    }
    return worst;
}

static uint32_t count_alive(const struct http_conns *t)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->cap + HTTP_CONNS_SPARE; i++) {
        n += t->conn[i].state != CONN_FREE && !t->conn[i].ending;
    }
    return n;
}

struct http_conn *http_conns_add(struct http_conns *t, int fd, const struct ip_addr *peer,
                                 usec_t now)
{
    if (count_alive(t) >= t->cap) {
        struct http_conn *old = victim(t, now);
        if (!old) {
            return NULL;
        }
        end(old);
        t->evicted++;
    }
    for (uint32_t i = 0; i < t->cap + HTTP_CONNS_SPARE; i++) {
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
    for (uint32_t i = 0; i < t->cap + HTTP_CONNS_SPARE; i++) {
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

/*
 * The other side has closed, and nobody noticed: the library waits for an edge of epoll, which a
 * FIN that came together with data does not give.
 */
static bool is_left(const struct http_conn *c, usec_t now)
{
    char octet;
    return (c->state == CONN_NEW || c->state == CONN_IDLE || c->state == CONN_BODY) &&
           now - c->since > USEC_PER_SEC && recv(c->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void http_conns_tick(struct http_conns *t, usec_t now)
{
    for (uint32_t i = 0; i < t->cap + HTTP_CONNS_SPARE; i++) {
        struct http_conn *c = &t->conn[i];
        if (c->state == CONN_FREE || c->ending) {
            continue;
        }
        if (allowed(c->state) != USEC_NEVER && now - c->since > allowed(c->state)) {
            end(c);
            t->overdue++;
        } else if (is_left(c, now)) {
            end(c);
        }
    }
}
