/*
 * Octets that have come lie in a small buffer of the connection as long as they are few, which they
 * nearly always are: queries are read into one buffer of the worker, answered from there, and only
 * an incomplete rest is kept. Long messages and answers to slow readers take chunks from a pool
 * that all connections share.
 *
 * Connections are closed by tcp_ready, tcp_run and tcp_tick only. What finds one broken in between
 * marks it and puts it on the work list, so callbacks may come in at any time.
 */
#include "host/tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/pool.h"
#include "base/require.h"
#include "dns/proto.h"
#include "host/listen.h"
#include "host/poll_tag.h"
#include "host/sockaddr.h"
#include "host/sys.h"

#define MESSAGE_MAX    (2 + DNS_TCP_MAX) /* with its length */
#define CHUNK          (MESSAGE_MAX + 1)
#define SMALL          512 /* octets kept in the connection itself */
#define ACCEPTS_A_TURN 64
#define NONE           UINT32_MAX
#define PAUSE_US \
    (500 * USEC_PER_MSEC) /* without files no connection can be taken: do not ask in a loop */

struct conn {
    int fd; /* -1: free */
    uint16_t generation;
    uint16_t outstanding; /* questions without an answer yet */
    bool ended;           /* the client sends no more */
    bool broken;          /* to be closed */
    bool working;         /* on the work list */
    uint32_t watched;     /* epoll events asked for */
    uint32_t newer, older, next_work;
    usec_t active;  /* a whole query came, or a whole answer went */
    usec_t checked; /* active, or looked at by tcp_tick since then; the list is in this order */
    struct peer peer;
    uint32_t in_len;   /* octets of a query that is not whole, or of queries that must wait */
    uint32_t in_chunk; /* where they lie; NONE: in small */
    uint32_t out_first, out_last; /* chunks of answers not yet sent */
    uint8_t small[SMALL];
};

struct chunk {
    uint32_t next;
    uint32_t start, end; /* octets still to send */
};

struct tcp_listener {
    int fd;
    bool watched;
};

struct tcp {
    struct tcp_config cfg;
    struct conn *conn;
    uint32_t *conn_chain;
    struct pool conns;
    atomic_uint count;       /* = conns.used, for other threads */
    uint32_t newest, oldest; /* by `checked` */
    uint32_t work;
    struct chunk *chunk;
    uint32_t *chunk_chain;
    uint8_t *chunk_data; /* CHUNK octets each */
    struct pool chunks;
    struct tcp_listener listener[LISTENERS_MAX];
    usec_t paused_until; /* 0: connections are taken */
    uint8_t *in;         /* MESSAGE_MAX: what is being read */
    uint8_t *message;    /* DNS_TCP_MAX: the query in hand, then its answer */
};

enum err tcp_new(struct tcp **out, const struct tcp_config *cfg)
{
    REQUIRE(cfg->connections_max > 0 && cfg->connections_max <= UINT16_MAX && cfg->buffers > 0 &&
            cfg->per_client > 0);
    struct tcp *t = calloc(1, sizeof *t);
    if (!t) {
        return ERR_MEMORY;
    }
    t->cfg = *cfg;
    t->conn = calloc(cfg->connections_max, sizeof *t->conn);
    t->conn_chain = calloc(cfg->connections_max, sizeof *t->conn_chain);
    t->chunk = calloc(cfg->buffers, sizeof *t->chunk);
    t->chunk_chain = calloc(cfg->buffers, sizeof *t->chunk_chain);
    t->chunk_data = sys_map((size_t)cfg->buffers * CHUNK);
    t->in = malloc(MESSAGE_MAX);
    t->message = malloc(DNS_TCP_MAX);
    if (!t->conn || !t->conn_chain || !t->chunk || !t->chunk_chain || !t->chunk_data || !t->in ||
        !t->message) {
        tcp_free(t);
        return ERR_MEMORY;
    }
    for (uint32_t i = 0; i < cfg->connections_max; i++) {
        t->conn[i].fd = -1;
    }
    for (unsigned i = 0; i < LISTENERS_MAX; i++) {
        t->listener[i].fd = -1;
    }
    pool_init(&t->conns, t->conn_chain, cfg->connections_max);
    pool_init(&t->chunks, t->chunk_chain, cfg->buffers);
    t->newest = t->oldest = t->work = NONE;
    *out = t;
    return ERR_OK;
}

size_t tcp_memory(uint32_t connections, uint32_t buffers)
{
    return sizeof(struct tcp) + connections * (sizeof(struct conn) + sizeof(uint32_t)) +
           buffers * (sizeof(struct chunk) + sizeof(uint32_t) + (size_t)CHUNK) + MESSAGE_MAX +
           DNS_TCP_MAX;
}

void tcp_free(struct tcp *t)
{
    if (!t) {
        return;
    }
    for (uint32_t i = 0; t->conn && i < t->cfg.connections_max; i++) {
        if (t->conn[i].fd >= 0) {
            close(t->conn[i].fd);
        }
    }
    sys_unmap(t->chunk_data, (size_t)t->cfg.buffers * CHUNK);
    free(t->conn);
    free(t->conn_chain);
    free(t->chunk);
    free(t->chunk_chain);
    free(t->in);
    free(t->message);
    free(t);
}

/* ---- The list by age, the work list, the token. ---- */

static uint32_t index_of(const struct tcp *t, const struct conn *c)
{
    return (uint32_t)(c - t->conn);
}

static uint32_t token_of(const struct tcp *t, const struct conn *c)
{
    return (uint32_t)c->generation << 16 | index_of(t, c);
}

static struct conn *find(struct tcp *t, uint32_t token)
{
    uint32_t i = token & 0xffff;
    if (i >= t->cfg.connections_max) {
        return NULL;
    }
    struct conn *c = &t->conn[i];
    return c->fd >= 0 && c->generation == token >> 16 ? c : NULL;
}

static void unlink_age(struct tcp *t, struct conn *c)
{
    *(c->newer == NONE ? &t->newest : &t->conn[c->newer].older) = c->older;
    *(c->older == NONE ? &t->oldest : &t->conn[c->older].newer) = c->newer;
}

static void link_newest(struct tcp *t, struct conn *c)
{
    uint32_t i = index_of(t, c);
    c->newer = NONE;
    c->older = t->newest;
    *(t->newest == NONE ? &t->oldest : &t->conn[t->newest].newer) = i;
    t->newest = i;
}

static void touch(struct tcp *t, usec_t now, struct conn *c)
{
    c->active = now;
    c->checked = now;
    unlink_age(t, c);
    link_newest(t, c);
}

static void put_to_work(struct tcp *t, struct conn *c)
{
    if (!c->working) {
        c->working = true;
        c->next_work = t->work;
        t->work = index_of(t, c);
    }
}

static void mark_broken(struct tcp *t, struct conn *c)
{
    c->broken = true;
    put_to_work(t, c);
}

/* ---- Buffers. ---- */

static uint8_t *chunk_at(const struct tcp *t, uint32_t i)
{
    return t->chunk_data + (size_t)i * CHUNK;
}

/* Keep octets that are not dealt with yet. They may lie in the connection's own buffer. */
static void keep_input(struct tcp *t, struct conn *c, const uint8_t *data, size_t len)
{
    if (len > SMALL && c->in_chunk == NONE) {
        c->in_chunk = pool_take(&t->chunks);
        if (c->in_chunk == POOL_NONE) {
            c->in_chunk = NONE;
            mark_broken(t, c);
            return;
        }
    }
    memmove(len > SMALL ? chunk_at(t, c->in_chunk) : c->small, data, len);
    c->in_len = (uint32_t)len;
    if (len <= SMALL && c->in_chunk != NONE) {
        pool_give(&t->chunks, c->in_chunk);
        c->in_chunk = NONE;
    }
}

/* Where the kept octets lie, with room behind them for a whole message. */
static uint8_t *load_input(struct tcp *t, struct conn *c)
{
    if (c->in_chunk != NONE) {
        return chunk_at(t, c->in_chunk);
    }
    memcpy(t->in, c->small, c->in_len);
    return t->in;
}

/* Append to what waits for the client to read. False: no buffer is left. */
static bool keep_output(struct tcp *t, struct conn *c, const uint8_t *data, size_t len)
{
    while (len > 0) {
        struct chunk *last = c->out_last == NONE ? NULL : &t->chunk[c->out_last];
        if (!last || last->end == CHUNK) {
            uint32_t fresh = pool_take(&t->chunks);
            if (fresh == POOL_NONE) {
                return false;
            }
            t->chunk[fresh] = (struct chunk){.next = NONE};
            *(last ? &last->next : &c->out_first) = fresh;
            c->out_last = fresh;
            last = &t->chunk[fresh];
        }
        size_t part = len < CHUNK - last->end ? len : CHUNK - last->end;
        memcpy(chunk_at(t, c->out_last) + last->end, data, part);
        last->end += (uint32_t)part;
        data += part;
        len -= part;
    }
    return true;
}

static void drop_first_output(struct tcp *t, struct conn *c)
{
    uint32_t i = c->out_first;
    c->out_first = t->chunk[i].next;
    if (c->out_first == NONE) {
        c->out_last = NONE;
    }
    pool_give(&t->chunks, i);
}

/* ---- One connection. ---- */

static void watch(struct tcp *t, struct conn *c, uint32_t events)
{
    if (c->watched == events) {
        return;
    }
    struct epoll_event ev = {.events = events, .data.u64 = poll_tag(POLL_CLIENT, index_of(t, c))};
    c->watched = events;
    if (epoll_ctl(t->cfg.epoll, EPOLL_CTL_MOD, c->fd, &ev) != 0) {
        mark_broken(t, c);
    }
}

static void close_conn(struct tcp *t, struct conn *c)
{
    uint32_t token = token_of(t, c);
    bool waits = c->outstanding > 0;
    close(c->fd);
    c->fd = -1;
    unlink_age(t, c);
    if (c->in_chunk != NONE) {
        pool_give(&t->chunks, c->in_chunk);
    }
    while (c->out_first != NONE) {
        drop_first_output(t, c);
    }
    if (!c->working) {
        pool_give(&t->conns, index_of(t, c)); /* else tcp_run does when it comes by */
    }
    atomic_fetch_sub_explicit(&t->count, 1, memory_order_relaxed);
    if (waits) {
        t->cfg.gone(t->cfg.arg, token);
    }
}

/* May more queries be read? Not while it has too many open ones or does not read its answers. */
static bool may_ask(const struct conn *c)
{
    return c->outstanding < TCP_PIPELINE_MAX && c->out_first == NONE && !c->broken;
}

/* What a send came to: octets taken, 0 when the socket takes none now, -1 when it is broken. */
static ssize_t send_result(ssize_t n)
{
    bool blocked = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    return blocked ? 0 : n;
}

/* Send a message with its length before it, or keep what the socket does not take. */
static void write_message(struct tcp *t, usec_t now, struct conn *c, const uint8_t *data,
                          size_t len)
{
    uint8_t prefix[2];
    be16_write(prefix, (uint16_t)len);
    struct iovec iov[2] = {{.iov_base = prefix, .iov_len = 2},
                           {.iov_base = (void *)(uintptr_t)data, .iov_len = len}};
    struct msghdr h = {.msg_iov = iov, .msg_iovlen = 2};
    if (c->broken) {
        return;
    }
    ssize_t n =
        c->out_first != NONE ? 0 : send_result(sendmsg(c->fd, &h, MSG_NOSIGNAL | MSG_DONTWAIT));
    if (n < 0) {
        mark_broken(t, c);
        return;
    }
    size_t sent = (size_t)n;
    if (sent == len + 2) {
        touch(t, now, c);
        return;
    }
    size_t skip = sent < 2 ? 0 : sent - 2;
    if ((sent < 2 && !keep_output(t, c, prefix + sent, 2 - sent)) ||
        !keep_output(t, c, data + skip, len - skip)) {
        mark_broken(t, c);
    }
}

/* Send what was kept. */
static void flush_output(struct tcp *t, usec_t now, struct conn *c)
{
    while (c->out_first != NONE && !c->broken) {
        struct chunk *k = &t->chunk[c->out_first];
        ssize_t n = send_result(send(c->fd, chunk_at(t, c->out_first) + k->start, k->end - k->start,
                                     MSG_NOSIGNAL | MSG_DONTWAIT));
        if (n <= 0) {
            c->broken |= n < 0;
            return;
        }
        k->start += (uint32_t)n;
        if (k->start == k->end) {
            drop_first_output(t, c);
            touch(t, now, c);
        }
    }
}

/* One query in place; its answer, if there is one at once, is sent. */
static void handle_message(struct tcp *t, usec_t now, struct conn *c, const uint8_t *msg,
                           size_t len)
{
    struct packet packet = {.data = t->message, .len = len, .cap = DNS_TCP_MAX};
    memcpy(packet.data, msg, len);
    touch(t, now, c);
    c->outstanding++;
    switch (t->cfg.query(t->cfg.arg, &c->peer, &packet)) {
    case TCP_PENDING:
        return;
    case TCP_ANSWER:
        write_message(t, now, c, packet.data, packet.len);
        break;
    case TCP_IGNORE:
        break;
    }
    c->outstanding--;
}

/* Deal with the whole queries at `data`, keep the rest. */
static void handle_input(struct tcp *t, usec_t now, struct conn *c, uint8_t *data, size_t len)
{
    size_t pos = 0;
    while (len - pos >= 2 && may_ask(c)) {
        size_t size = be16_read(data + pos);
        if (size < DNS_HEADER_OCTETS) {
            c->broken = true; /* RFC 7766 says nothing of it, and no resolver sends it */
            return;
        }
        if (len - pos - 2 < size) {
            break;
        }
        handle_message(t, now, c, data + pos + 2, size);
        pos += 2 + size;
    }
    keep_input(t, c, data + pos, len - pos);
}

static void read_input(struct tcp *t, usec_t now, struct conn *c)
{
    uint8_t *data = load_input(t, c);
    size_t room = MESSAGE_MAX - c->in_len;
    ssize_t n = room > 0 ? recv(c->fd, data + c->in_len, room, MSG_DONTWAIT) : 0;
    if (n > 0) {
        handle_input(t, now, c, data, c->in_len + (size_t)n);
    } else if (n == 0 && room > 0) {
        c->ended = true;
    } else if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        c->broken = true;
    }
}

/* Does the kept input begin with a whole query? */
static bool has_query(struct tcp *t, const struct conn *c)
{
    const uint8_t *data = c->in_chunk != NONE ? chunk_at(t, c->in_chunk) : c->small;
    return c->in_len >= 2 && c->in_len - 2 >= be16_read(data);
}

/* After anything happened: go on with kept queries, wait for the right events, or close. */
static void settle(struct tcp *t, usec_t now, struct conn *c)
{
    while (!c->broken && may_ask(c) && has_query(t, c)) {
        handle_input(t, now, c, load_input(t, c), c->in_len);
    }
    bool asks = !c->ended && may_ask(c);
    bool done = c->ended && c->outstanding == 0 && c->out_first == NONE;
    if (c->broken || done) {
        close_conn(t, c);
        return;
    }
    watch(t, c, (asks ? (uint32_t)EPOLLIN : 0) | (c->out_first != NONE ? (uint32_t)EPOLLOUT : 0));
}

void tcp_ready(struct tcp *t, usec_t now, uint32_t slot, uint32_t events)
{
    REQUIRE(slot < t->cfg.connections_max);
    struct conn *c = &t->conn[slot];
    if (c->fd < 0) {
        return;
    }
    if (events & EPOLLERR) {
        c->broken = true;
    }
    if (events & EPOLLOUT) {
        flush_output(t, now, c);
    }
    if ((events & (EPOLLIN | EPOLLHUP)) && !c->ended && may_ask(c)) {
        read_input(t, now, c);
    }
    if ((events & EPOLLHUP) && c->ended) {
        c->broken = true; /* both directions are closed: nobody would read an answer */
    }
    settle(t, now, c);
}

void tcp_answer(struct tcp *t, usec_t now, uint32_t token, const uint8_t *data, size_t len)
{
    struct conn *c = find(t, token);
    if (!c || c->outstanding == 0 || len > DNS_TCP_MAX) {
        return;
    }
    c->outstanding--;
    write_message(t, now, c, data, len);
    put_to_work(t, c);
}

void tcp_run(struct tcp *t, usec_t now)
{
    while (t->work != NONE) {
        struct conn *c = &t->conn[t->work];
        t->work = c->next_work;
        c->working = false;
        if (c->fd < 0) {
            pool_give(&t->conns, index_of(t, c));
        } else {
            settle(t, now, c);
        }
    }
}

/* ---- Taking connections. ---- */

enum err tcp_listen(struct tcp *t, uint16_t listener, int fd)
{
    if (listener >= LISTENERS_MAX) {
        return ERR_RANGE;
    }
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = poll_tag(POLL_TCP, listener)};
    if (epoll_ctl(t->cfg.epoll, EPOLL_CTL_ADD, fd, &ev) != 0) {
        return ERR_IO;
    }
    t->listener[listener] = (struct tcp_listener){.fd = fd, .watched = true};
    return ERR_OK;
}

static void watch_listeners(struct tcp *t, bool on)
{
    for (unsigned i = 0; i < LISTENERS_MAX; i++) {
        struct tcp_listener *l = &t->listener[i];
        if (l->fd >= 0 && l->watched != on) {
            struct epoll_event ev = {.events = on ? EPOLLIN : 0, .data.u64 = poll_tag(POLL_TCP, i)};
            l->watched = epoll_ctl(t->cfg.epoll, EPOLL_CTL_MOD, l->fd, &ev) == 0 ? on : l->watched;
        }
    }
}

static bool same_client(const struct ip_addr *a, const struct ip_addr *b)
{
    return memcmp(a->b, b->b, ip_is_v4(a) ? 16 : 8) == 0;
}

/* The connection that can be missed most: the longest idle one (of `client`, or of all), else the
 * oldest. NONE if there is none. */
static uint32_t least_needed(const struct tcp *t, const struct ip_addr *client)
{
    uint32_t busy = NONE;
    for (uint32_t i = t->oldest; i != NONE; i = t->conn[i].newer) {
        const struct conn *c = &t->conn[i];
        if (client && !same_client(client, &c->peer.addr)) {
            continue;
        }
        if (c->outstanding == 0 && c->out_first == NONE) {
            return i;
        }
        busy = busy == NONE ? i : busy;
    }
    return busy;
}

static uint32_t count_client(const struct tcp *t, const struct ip_addr *client)
{
    uint32_t count = 0;
    for (uint32_t i = t->oldest; i != NONE; i = t->conn[i].newer) {
        count += same_client(client, &t->conn[i].peer.addr);
    }
    return count;
}

static bool evict(struct tcp *t, const struct ip_addr *client)
{
    uint32_t i = least_needed(t, client);
    if (i == NONE) {
        return false;
    }
    close_conn(t, &t->conn[i]);
    return true;
}

/* Make room in the table; a slot that is still on the work list comes free with tcp_run. */
static bool make_room(struct tcp *t, const struct ip_addr *client)
{
    if (count_client(t, client) >= t->cfg.per_client) {
        evict(t, client);
    }
    return t->conns.free != POOL_NONE || (evict(t, NULL) && t->conns.free != POOL_NONE);
}

static void add_conn(struct tcp *t, usec_t now, uint16_t listener, int fd,
                     const union sockaddr_any *from)
{
    struct ip_endpoint client;
    struct ip_endpoint local;
    union sockaddr_any own = {0};
    socklen_t len = sizeof own;
    sockaddr_to_endpoint(from, &client);
    getsockname(fd, &own.sa, &len);
    sockaddr_to_endpoint(&own, &local);
    uint32_t i = make_room(t, &client.addr) ? pool_take(&t->conns) : POOL_NONE;
    if (i == POOL_NONE) {
        close(fd);
        return;
    }
    struct conn *c = &t->conn[i];
    uint16_t generation = (uint16_t)(c->generation + 1);
    *c = (struct conn){.fd = fd,
                       .generation = generation == 0 ? 1 : generation,
                       .watched = EPOLLIN,
                       .next_work = NONE,
                       .active = now,
                       .checked = now,
                       .in_chunk = NONE,
                       .out_first = NONE,
                       .out_last = NONE};
    c->peer = (struct peer){.addr = client.addr,
                            .local = local.addr,
                            .scope = client.scope,
                            .port = client.port,
                            .listener = listener,
                            .conn = token_of(t, c),
                            .worker = t->cfg.worker,
                            .tcp = true};
    link_newest(t, c);
    atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed);
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = poll_tag(POLL_CLIENT, i)};
    if (epoll_ctl(t->cfg.epoll, EPOLL_CTL_ADD, fd, &ev) != 0) {
        close_conn(t, c);
    }
}

void tcp_accept(struct tcp *t, usec_t now, uint16_t listener)
{
    REQUIRE(listener < LISTENERS_MAX);
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        union sockaddr_any from;
        socklen_t len = sizeof from;
        memset(&from, 0, sizeof from);
        int fd = accept4(t->listener[listener].fd, &from.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            add_conn(t, now, listener, fd, &from);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            if (!evict(t, NULL)) {
                t->paused_until = now + PAUSE_US;
                watch_listeners(t, false);
                return;
            }
        } else if (errno != ECONNABORTED && errno != EINTR) {
            return;
        }
    }
}

/* ---- Time. ---- */

static usec_t idle_limit(const struct tcp *t)
{
    bool pressure = t->conns.used * 4 > t->cfg.connections_max * 3;
    return pressure && t->cfg.idle_us > TCP_PRESSURE_IDLE_US ? TCP_PRESSURE_IDLE_US
                                                             : t->cfg.idle_us;
}

/* One that waits for us, or is in the middle of a message, gets its full time. */
static usec_t limit_of(const struct tcp *t, const struct conn *c)
{
    bool busy = c->outstanding > 0 || c->in_len > 0 || c->out_first != NONE;
    return busy ? TCP_STALL_US : idle_limit(t);
}

/* Each connection is looked at when nothing has happened on it for so long. */
static usec_t check_period(const struct tcp *t)
{
    usec_t idle = idle_limit(t);
    return idle < TCP_STALL_US ? idle : TCP_STALL_US;
}

usec_t tcp_deadline(const struct tcp *t)
{
    usec_t due = t->paused_until != 0 ? t->paused_until : USEC_NEVER;
    if (t->oldest != NONE) {
        usec_t first = t->conn[t->oldest].checked + check_period(t);
        due = first < due ? first : due;
    }
    return due;
}

void tcp_tick(struct tcp *t, usec_t now)
{
    if (t->paused_until != 0 && t->paused_until <= now) {
        t->paused_until = 0;
        watch_listeners(t, true);
    }
    usec_t period = check_period(t);
    while (t->oldest != NONE && t->conn[t->oldest].checked + period <= now) {
        struct conn *c = &t->conn[t->oldest];
        if (c->active + limit_of(t, c) <= now) {
            close_conn(t, c);
        } else {
            c->checked = now;
            unlink_age(t, c);
            link_newest(t, c);
        }
    }
}

uint32_t tcp_count(const struct tcp *t)
{
    return atomic_load_explicit(&t->count, memory_order_relaxed);
}
