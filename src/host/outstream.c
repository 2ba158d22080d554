/*
 * Connections close at two places only, outstreams_ready and outstreams_tick; what else finds a
 * connection broken marks it as doomed, and the tick ends it. So callbacks may send and release at
 * will.
 *
 * A server may close a connection at any time, also between our question and its reading of it.
 * Questions that were lost with a connection that had worked are sent again on another one, twice
 * at most. A server that again and again answers one question and closes, with others in flight, is
 * asked one question a connection.
 */
#include "host/outstream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/require.h"
#include "dns/proto.h"
#include "host/poll_tag.h"
#include "host/sockaddr.h"
#include "host/sys.h"
#include "host/ticketmap.h"
#include "host/tls.h"

#define IN_OCTETS      (2 + DNS_TCP_MAX)
#define READS_A_TURN   16
#define RESEND_MAX     2
#define PIPELINE_DEPTH 8 /* from here on another connection is better */
#define HOPELESS_US \
    (2 * USEC_PER_SEC) /* a connection that takes longer than this gets no new questions */
#define MEMORIES (2 * UPSTREAM_MAX)
#define CUT_MAX  3 /* from here on an upstream is asked one question a connection */

enum stream_state { STREAM_FREE, STREAM_CONNECTING, STREAM_HANDSHAKE, STREAM_OPEN };
enum flight_state { FLIGHT_FREE, FLIGHT_QUEUED, FLIGHT_SENT };

/* One question on a connection. */
struct flight {
    uint32_t ticket; /* 0: released when half of it was written */
    uint32_t order;  /* of sending */
    usec_t sent;
    uint16_t id;
    uint16_t len;  /* octets of msg */
    uint16_t done; /* … that are written */
    uint8_t state;
    uint8_t resent; /* times */
    uint8_t msg[2 + OUTSTREAM_QUERY_MAX];
};

struct stream {
    int fd;
    uint8_t state;
    bool suspect; /* gets no new questions */
    bool doomed;  /* to be closed by the next tick, for `why` */
    uint8_t why;  /* enum resolver_failure */
    uint32_t answered;
    uint32_t watched; /* epoll events asked for */
    uint32_t next_order;
    uint32_t flights;
    usec_t opened, received, deadline;
    struct upstream_spec upstream;
    struct memory *memory;
    struct tls *tls;
    uint8_t *in; /* IN_OCTETS */
    size_t in_len;
    struct flight flight[OUTSTREAM_FLIGHTS];
};

/* What is known of an upstream beyond one connection. */
struct memory {
    uint64_t upstream; /* id */
    uint32_t users;    /* streams that point here */
    uint8_t cut; /* connections in a row that ended after one answer with questions in flight */
    struct tls_resume *resume;
};

struct outstreams {
    struct outstream_config cfg;
    struct tls_trust *trust;
    struct stream *stream;
    struct stream *current; /* the one whose events are being handled */
    uint8_t *buffers;
    uint32_t open;
    struct ticketmap tickets; /* slot: stream * OUTSTREAM_FLIGHTS + flight */
    struct memory memory[MEMORIES];
};

enum err outstreams_new(struct outstreams **out, const struct outstream_config *cfg)
{
    REQUIRE(cfg->streams_max > 0);
    struct outstreams *o = calloc(1, sizeof *o);
    if (!o) {
        return ERR_MEMORY;
    }
    o->cfg = *cfg;
    o->stream = calloc(cfg->streams_max, sizeof *o->stream);
    o->buffers = sys_map((size_t)cfg->streams_max * IN_OCTETS);
    if (!o->stream || !o->buffers ||
        ticketmap_init(&o->tickets, cfg->streams_max * OUTSTREAM_FLIGHTS) != ERR_OK) {
        outstreams_free(o);
        return ERR_MEMORY;
    }
    for (uint32_t i = 0; i < cfg->streams_max; i++) {
        o->stream[i].fd = -1;
        o->stream[i].in = o->buffers + (size_t)i * IN_OCTETS;
    }
    *out = o;
    return ERR_OK;
}

/* Give back what a connection holds; its questions are not looked at. */
static void drop_stream(struct outstreams *o, struct stream *s)
{
    tls_free(s->tls);
    s->tls = NULL;
    spare_return(o->cfg.spare, s->fd);
    s->fd = -1;
    s->state = STREAM_FREE;
    s->memory->users--;
    o->open--;
}

size_t outstreams_memory(uint32_t streams)
{
    return sizeof(struct outstreams) + streams * (sizeof(struct stream) + IN_OCTETS) +
           ticketmap_memory(streams * OUTSTREAM_FLIGHTS);
}

void outstreams_free(struct outstreams *o)
{
    if (!o) {
        return;
    }
    for (uint32_t i = 0; o->stream && i < o->cfg.streams_max; i++) {
        if (o->stream[i].state != STREAM_FREE) {
            drop_stream(o, &o->stream[i]);
        }
    }
    for (unsigned i = 0; i < MEMORIES; i++) {
        tls_resume_free(o->memory[i].resume);
    }
    ticketmap_fini(&o->tickets);
    sys_unmap(o->buffers, (size_t)o->cfg.streams_max * IN_OCTETS);
    free(o->stream);
    free(o);
}

void outstreams_set_trust(struct outstreams *o, struct tls_trust *trust)
{
    o->trust = trust;
}

static uint32_t slot_of(const struct outstreams *o, const struct stream *s, const struct flight *f)
{
    return (uint32_t)(s - o->stream) * OUTSTREAM_FLIGHTS + (uint32_t)(f - s->flight);
}

static void doom(struct stream *s, enum resolver_failure why)
{
    if (!s->doomed) {
        s->doomed = true;
        s->why = (uint8_t)why;
    }
}

static void watch(struct outstreams *o, struct stream *s, uint32_t events)
{
    if (s->watched == events) {
        return;
    }
    struct epoll_event ev = {.events = events,
                             .data.u64 = poll_tag(POLL_STREAM, (uint32_t)(s - o->stream))};
    int op = s->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    s->watched = events;
    if (epoll_ctl(o->cfg.epoll, op, s->fd, &ev) != 0) {
        doom(s, RESOLVER_NO_SOCKET);
    }
}

static struct memory *remember(struct outstreams *o, uint64_t upstream)
{
    struct memory *unused = NULL;
    for (unsigned i = 0; i < MEMORIES; i++) {
        if (o->memory[i].upstream == upstream) {
            return &o->memory[i];
        }
        if (o->memory[i].users == 0 && (!unused || o->memory[i].upstream == 0)) {
            unused = &o->memory[i];
        }
    }
    if (unused) {
        tls_resume_free(unused->resume);
        *unused = (struct memory){.upstream = upstream};
    }
    return unused;
}

static bool is_tls(const struct upstream_spec *u)
{
    return u->transport == UPSTREAM_TLS;
}

static bool start_tls(struct outstreams *o, struct stream *s)
{
    if (!s->memory->resume && tls_resume_new(&s->memory->resume) != ERR_OK) {
        return false;
    }
    return o->trust && tls_new(&s->tls, o->trust, s->fd, s->upstream.name,
                               &s->upstream.endpoint.addr, s->memory->resume) == ERR_OK;
}

static enum resolver_failure failure_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
        return RESOLVER_REFUSED;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EAGAIN:
    case EADDRNOTAVAIL:
        return RESOLVER_NO_SOCKET;
    default:
        return RESOLVER_UNREACHABLE;
    }
}

static int connect_socket(struct spare *spare, const struct ip_endpoint *endpoint)
{
    union sockaddr_any to;
    socklen_t len = sockaddr_from_endpoint(endpoint, &to);
    int fd = socket(to.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 && spare_lend(spare, errno)) {
        fd = socket(to.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    }
    if (fd < 0) {
        return -1;
    }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, &to.sa, len) != 0 && errno != EINPROGRESS) {
        int error = errno;
        spare_return(spare, fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* A slot for a new connection; an idle connection makes room. */
static struct stream *free_slot(struct outstreams *o)
{
    struct stream *idle = NULL;
    for (uint32_t i = 0; i < o->cfg.streams_max; i++) {
        struct stream *s = &o->stream[i];
        if (s->state == STREAM_FREE) {
            return s;
        }
        if (s->flights == 0 && s != o->current && (!idle || s->deadline < idle->deadline)) {
            idle = s;
        }
    }
    if (idle) {
        drop_stream(o, idle);
    }
    return idle;
}

static struct stream *open_stream(struct outstreams *o, usec_t now, const struct upstream_spec *u,
                                  enum resolver_failure *why)
{
    struct memory *memory = remember(o, u->id);
    struct stream *s = memory ? free_slot(o) : NULL;
    *why = RESOLVER_NO_SOCKET;
    if (!s) {
        return NULL;
    }
    int fd = connect_socket(o->cfg.spare, &u->endpoint);
    if (fd < 0) {
        *why = failure_of(errno);
        return NULL;
    }
    *s = (struct stream){.fd = fd,
                         .state = STREAM_CONNECTING,
                         .opened = now,
                         .received = now,
                         .deadline = now + o->cfg.connect_us,
                         .upstream = *u,
                         .memory = memory,
                         .in = s->in};
    memory->users++;
    o->open++;
    if (is_tls(u) && !start_tls(o, s)) {
        drop_stream(o, s);
        *why = RESOLVER_TLS_FAILED;
        return NULL;
    }
    watch(o, s, EPOLLIN | EPOLLOUT);
    return s;
}

static bool has_id(const struct stream *s, uint16_t id)
{
    for (unsigned i = 0; i < OUTSTREAM_FLIGHTS; i++) {
        if (s->flight[i].state != FLIGHT_FREE && s->flight[i].id == id) {
            return true;
        }
    }
    return false;
}

/* An open connection that may take this question, or a new one. */
static struct stream *choose_stream(struct outstreams *o, usec_t now, const struct upstream_spec *u,
                                    uint16_t id, enum resolver_failure *why)
{
    struct stream *best = NULL;
    uint32_t count = 0;
    uint32_t depth = PIPELINE_DEPTH;
    for (uint32_t i = 0; i < o->cfg.streams_max; i++) {
        struct stream *s = &o->stream[i];
        if (s->state == STREAM_FREE || s->upstream.id != u->id ||
            is_tls(&s->upstream) != is_tls(u)) {
            continue;
        }
        count++;
        depth = s->memory->cut >= CUT_MAX ? 1 : PIPELINE_DEPTH;
        if (!s->suspect && !s->doomed && s->flights < OUTSTREAM_FLIGHTS && !has_id(s, id) &&
            (!best || s->flights < best->flights)) {
            best = s;
        }
    }
    if (best && (best->flights < depth || count >= OUTSTREAM_PER_UPSTREAM)) {
        return best;
    }
    if (count < OUTSTREAM_PER_UPSTREAM) {
        struct stream *fresh = open_stream(o, now, u, why);
        return fresh ? fresh : best;
    }
    *why = RESOLVER_NO_SOCKET;
    return best;
}

static struct flight *next_queued(struct stream *s)
{
    struct flight *first = NULL;
    for (unsigned i = 0; i < OUTSTREAM_FLIGHTS; i++) {
        struct flight *f = &s->flight[i];
        if (f->state == FLIGHT_QUEUED && (!first || f->order < first->order)) {
            first = f;
        }
    }
    return first;
}

static void end_flight(struct stream *s, struct flight *f)
{
    f->state = FLIGHT_FREE;
    s->flights--;
}

/* Write a part; false when the connection takes no more now or is broken. */
static bool write_some(struct stream *s, struct flight *f, bool *blocked)
{
    if (s->tls) {
        enum tls_status status = tls_write(s->tls, f->msg, f->len);
        if (status == TLS_DONE) {
            f->done = f->len;
            return true;
        }
        *blocked = status == TLS_WANT_WRITE;
        if (status == TLS_ENDED || status == TLS_BROKEN) {
            doom(s, RESOLVER_CLOSED);
        } else {
            f->done = 1; /* begun: the same octets must follow */
        }
        return false;
    }
    ssize_t n = send(s->fd, f->msg + f->done, (size_t)(f->len - f->done), MSG_NOSIGNAL);
    if (n > 0) {
        f->done = (uint16_t)(f->done + n);
        return true;
    }
    *blocked = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (!*blocked && errno != EINTR) {
        doom(s, RESOLVER_CLOSED);
    }
    return false;
}

static void flush_stream(struct outstreams *o, usec_t now, struct stream *s)
{
    bool blocked = false;
    struct flight *f = NULL;
    while (s->state == STREAM_OPEN && !s->doomed && (f = next_queued(s)) != NULL) {
        if (!write_some(s, f, &blocked)) {
            break;
        }
        if (f->done == f->len) {
            f->state = FLIGHT_SENT;
            f->sent = now;
            if (f->ticket == 0) {
                end_flight(s, f);
            }
        }
    }
    if (s->state == STREAM_OPEN && !s->doomed) {
        watch(o, s, blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
}

static void add_flight(struct outstreams *o, usec_t now, struct stream *s, uint32_t ticket,
                       const uint8_t *data, size_t len, uint8_t resent)
{
    struct flight *f = s->flight;
    while (f->state != FLIGHT_FREE) {
        f++;
    }
    *f = (struct flight){.ticket = ticket,
                         .order = s->next_order++,
                         .id = be16_read(data),
                         .len = (uint16_t)(len + 2),
                         .state = FLIGHT_QUEUED,
                         .resent = resent};
    be16_write(f->msg, (uint16_t)len);
    memcpy(f->msg + 2, data, len);
    s->flights++;
    ticketmap_insert(&o->tickets, ticket, slot_of(o, s, f));
    if (s->state == STREAM_OPEN) {
        s->deadline = USEC_NEVER;
        flush_stream(o, now, s);
    }
}

bool outstreams_send(struct outstreams *o, usec_t now, uint32_t ticket,
                     const struct upstream_spec *upstream, const uint8_t *data, size_t len,
                     enum resolver_failure *why)
{
    REQUIRE(len >= DNS_HEADER_OCTETS && len <= OUTSTREAM_QUERY_MAX);
    struct stream *s = choose_stream(o, now, upstream, be16_read(data), why);
    if (!s) {
        return false;
    }
    add_flight(o, now, s, ticket, data, len, 0);
    return true;
}

/* No questions are left: close soon, or keep it for a while. */
static void settle(struct outstreams *o, usec_t now, struct stream *s)
{
    if (s->flights > 0) {
        return;
    }
    if (s->suspect) {
        doom(s, RESOLVER_CLOSED);
    } else if (s->state == STREAM_OPEN) {
        s->deadline = now + o->cfg.idle_us;
    }
}

bool outstreams_release(struct outstreams *o, usec_t now, uint32_t ticket)
{
    uint32_t slot = ticketmap_remove(&o->tickets, ticket);
    if (slot == TICKETMAP_NONE) {
        return false;
    }
    struct stream *s = &o->stream[slot / OUTSTREAM_FLIGHTS];
    struct flight *f = &s->flight[slot % OUTSTREAM_FLIGHTS];
    bool silent = f->state == FLIGHT_SENT && s->received <= f->sent;
    bool hopeless = s->state != STREAM_OPEN && now - s->opened > HOPELESS_US;
    s->suspect |= silent || hopeless;
    if (f->state == FLIGHT_QUEUED && f->done > 0) {
        f->ticket = 0; /* the rest must follow, or the next question would not be understood */
    } else {
        end_flight(s, f);
        settle(o, now, s);
    }
    return true;
}

/* Send questions again that were lost with a connection, or say that they failed. */
static void rescue(struct outstreams *o, usec_t now, const struct upstream_spec *u,
                   const struct flight *f, bool worked, enum resolver_failure why)
{
    enum resolver_failure again = why;
    if (worked && f->resent < RESEND_MAX) {
        struct stream *s = choose_stream(o, now, u, f->id, &again);
        if (s) {
            add_flight(o, now, s, f->ticket, f->msg + 2, (size_t)f->len - 2,
                       (uint8_t)(f->resent + 1));
            return;
        }
    }
    o->cfg.events.failed(o->cfg.events.arg, f->ticket, why);
}

static void close_stream(struct outstreams *o, usec_t now, struct stream *s,
                         enum resolver_failure why)
{
    struct flight lost[OUTSTREAM_FLIGHTS];
    unsigned count = 0;
    for (unsigned i = 0; i < OUTSTREAM_FLIGHTS; i++) {
        struct flight *f = &s->flight[i];
        if (f->state != FLIGHT_FREE && f->ticket != 0) {
            (void)ticketmap_remove(&o->tickets, f->ticket);
            lost[count++] = *f;
        }
    }
    bool worked = s->answered > 0 && !s->suspect;
    struct upstream_spec upstream = s->upstream;
    if (s->answered > 1) {
        s->memory->cut = 0;
    } else if (s->answered == 1 && count > 0 && s->memory->cut < CUT_MAX) {
        s->memory->cut++;
    }
    drop_stream(o, s);
    for (unsigned i = 0; i < count; i++) {
        rescue(o, now, &upstream, &lost[i], worked, why);
    }
}

/* Give a message to all questions with its ID (there is one, save for a released one that is half
 * written). */
static void deliver(struct outstreams *o, usec_t now, struct stream *s, const uint8_t *msg,
                    size_t len)
{
    uint16_t id = be16_read(msg);
    s->received = now;
    for (unsigned i = 0; i < OUTSTREAM_FLIGHTS; i++) {
        struct flight *f = &s->flight[i];
        if (f->state == FLIGHT_SENT && f->id == id) {
            s->answered++;
            o->cfg.events.response(o->cfg.events.arg, f->ticket, msg, len);
            return;
        }
    }
}

/* Hand over the whole messages in the buffer. False: nonsense came, close. */
static bool take_messages(struct outstreams *o, usec_t now, struct stream *s)
{
    size_t pos = 0;
    while (s->in_len - pos >= 2) {
        size_t len = be16_read(s->in + pos);
        if (len < DNS_HEADER_OCTETS) {
            return false;
        }
        if (s->in_len - pos - 2 < len) {
            break;
        }
        deliver(o, now, s, s->in + pos + 2, len);
        pos += 2 + len;
    }
    memmove(s->in, s->in + pos, s->in_len - pos);
    s->in_len -= pos;
    return true;
}

/* One read. False: nothing now, or the end (then *ended). */
static bool read_some(struct stream *s, bool *ended)
{
    size_t room = IN_OCTETS - s->in_len;
    if (s->tls) {
        size_t n;
        enum tls_status status = tls_read(s->tls, s->in + s->in_len, room, &n);
        if (status == TLS_DONE) {
            s->in_len += n;
            return true;
        }
        *ended = status == TLS_ENDED || status == TLS_BROKEN;
        return false;
    }
    ssize_t n = recv(s->fd, s->in + s->in_len, room, 0);
    if (n > 0) {
        s->in_len += (size_t)n;
        return true;
    }
    *ended = n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
    return false;
}

static void read_stream(struct outstreams *o, usec_t now, struct stream *s)
{
    bool ended = false;
    for (int i = 0; i < READS_A_TURN || (s->tls && tls_pending(s->tls) > 0); i++) {
        if (!read_some(s, &ended)) {
            break;
        }
        if (!take_messages(o, now, s)) {
            ended = true;
            s->suspect = true; /* it speaks, but not DNS: no second try */
            break;
        }
    }
    if (ended) {
        doom(s, RESOLVER_CLOSED);
    }
}

static void established(struct outstreams *o, usec_t now, struct stream *s)
{
    s->state = STREAM_OPEN;
    s->received = now;
    s->deadline = USEC_NEVER;
    flush_stream(o, now, s);
    settle(o, now, s);
}

static void step_handshake(struct outstreams *o, usec_t now, struct stream *s)
{
    switch (tls_handshake(s->tls)) {
    case TLS_DONE:
        established(o, now, s);
        break;
    case TLS_WANT_READ:
        watch(o, s, EPOLLIN);
        break;
    case TLS_WANT_WRITE:
        watch(o, s, EPOLLIN | EPOLLOUT);
        break;
    case TLS_ENDED:
    case TLS_BROKEN: {
        char text[IP_ENDPOINT_TEXT];
        ip_endpoint_format(&s->upstream.endpoint, text);
        log_debug(RESOLVER, "upstream tls://%s@%s: %s", s->upstream.name, text,
                  tls_problem(s->tls));
        doom(s, RESOLVER_TLS_FAILED);
        break;
    }
    }
}

static void step_connect(struct outstreams *o, usec_t now, struct stream *s)
{
    int error = 0;
    socklen_t len = sizeof error;
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0) {
        doom(s, failure_of(error));
    } else if (s->tls) {
        s->state = STREAM_HANDSHAKE;
        step_handshake(o, now, s);
    } else {
        established(o, now, s);
    }
}

void outstreams_ready(struct outstreams *o, usec_t now, uint32_t slot, uint32_t events)
{
    REQUIRE(slot < o->cfg.streams_max);
    struct stream *s = &o->stream[slot];
    if (s->state == STREAM_FREE || s->doomed) {
        return;
    }
    o->current = s;
    if (s->state == STREAM_CONNECTING) {
        step_connect(o, now, s);
    } else if (s->state == STREAM_HANDSHAKE) {
        step_handshake(o, now, s);
    }
    if (s->state == STREAM_OPEN && !s->doomed) {
        flush_stream(o, now, s);
        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
            read_stream(o, now, s);
        }
    }
    o->current = NULL;
    if (s->doomed) {
        close_stream(o, now, s, (enum resolver_failure)s->why);
    }
}

usec_t outstreams_deadline(const struct outstreams *o)
{
    usec_t first = USEC_NEVER;
    if (o->open == 0) {
        return first;
    }
    for (uint32_t i = 0; i < o->cfg.streams_max; i++) {
        const struct stream *s = &o->stream[i];
        if (s->state != STREAM_FREE) {
            usec_t due = s->doomed ? 0 : s->deadline;
            first = due < first ? due : first;
        }
    }
    return first;
}

void outstreams_tick(struct outstreams *o, usec_t now)
{
    for (uint32_t i = 0; i < o->cfg.streams_max; i++) {
        struct stream *s = &o->stream[i];
        if (s->state == STREAM_FREE) {
            continue;
        }
        if (!s->doomed && s->deadline <= now) {
            doom(s, s->state == STREAM_OPEN ? RESOLVER_CLOSED : RESOLVER_UNREACHABLE);
        }
        if (s->doomed) {
            close_stream(o, now, s, (enum resolver_failure)s->why);
        }
    }
}

uint32_t outstreams_open(const struct outstreams *o)
{
    return o->open;
}
