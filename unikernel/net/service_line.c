/*
 * Questions to upstreams over TCP and TLS (RFC 7766, RFC 7858): connections shared by several
 * questions, opened when needed, closed when idle; answers come in any order and are told apart by
 * ID, which is therefore unique on a connection. The rules are the daemon's (host/outstream.h): a
 * connection that hangs gets no new questions; those lost with one that had worked are sent again
 * on another, twice at most; a server that again and again answers one question and closes is
 * asked one question a connection.
 *
 * The resolver is told one thing at a time, and what it says to that is carried out before the next
 * (service_flush), which may send and release here: a line goes only in its own callbacks.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/aarch64/cpu.h"
#include "base/span.h"
#include "dns/proto.h"
#include "net/service_int.h"
#include "net/stream.h"
#include "resolver/stream.h"

enum {
    MESSAGE_MAX = 65535 + STREAM_PREFIX,
    QUERY_MAX = 512,
    LINES_MAX = 24, /* the other streams are for downloads */
    PER_UPSTREAM = 8,
    PIPELINE_DEPTH = 8, /* from here on another connection is better */
    RESEND_MAX = 2,
    CUT_MAX = 3 /* so often a server closed after one answer: one question a connection */
};
#define IDLE_US     (20 * USEC_PER_SEC)
#define HOPELESS_US (2 * USEC_PER_SEC) /* a question that waits longer makes its line suspect */

struct flight {
    uint32_t ticket; /* 0: free */
    uint16_t id;     /* DNS ID, as on the wire */
    uint16_t len;    /* of the question with its prefix */
    uint8_t resent;  /* times */
    bool sent, answered;
    usec_t since;
    uint8_t question[QUERY_MAX + STREAM_PREFIX];
};

static struct line {
    struct stream *stream; /* NULL: the slot is free */
    uint64_t upstream_id;  /* of its upstream_spec */
    bool ready;
    bool suspect; /* gets no new questions */
    bool busy;    /* one of its callbacks is at work */
    uint32_t answered;
    usec_t opened;
    struct flight flight[SERVICE_STREAM_FLIGHTS];
    uint8_t *in; /* MESSAGE_MAX */
    size_t in_len;
} lines[LINES_MAX];

/* How often in a row each upstream has closed a connection after its first answer. */
static struct memory {
    uint64_t upstream_id;
    uint32_t cuts;
} memories[UPSTREAM_MAX];

static struct memory *memory_of(uint64_t id)
{
    struct memory *least = memories;
    for (struct memory *m = memories; m < memories + UPSTREAM_MAX; m++) {
        if (m->upstream_id == id) {
            return m;
        }
        least = m->cuts < least->cuts ? m : least;
    }
    *least = (struct memory){.upstream_id = id};
    return least;
}

static unsigned flights_of(const struct line *l)
{
    unsigned n = 0;
    for (unsigned i = 0; i < SERVICE_STREAM_FLIGHTS; i++) {
        n += l->flight[i].ticket != 0;
    }
    return n;
}

static struct flight *flight_of(struct line *l, uint16_t id)
{
    for (unsigned i = 0; i < SERVICE_STREAM_FLIGHTS; i++) {
        if (l->flight[i].ticket != 0 && l->flight[i].id == id) {
            return &l->flight[i];
        }
    }
    return NULL;
}

static void tell_failure(uint32_t ticket, enum resolver_failure why)
{
    resolver_failed(service.resolver, clock_now(), ticket, why);
    service_flush();
}

/* ---- sending ---- */

static bool hangs(const struct line *l, usec_t now)
{
    for (unsigned i = 0; i < SERVICE_STREAM_FLIGHTS; i++) {
        if (l->flight[i].ticket != 0 && now - l->flight[i].since > HOPELESS_US) {
            return true;
        }
    }
    return !l->ready && now - l->opened > HOPELESS_US;
}

static bool write_flight(struct line *l, struct flight *f)
{
    f->sent = stream_write(l->stream, f->question, f->len) == ERR_OK;
    l->suspect |= !f->sent; /* a TLS record may be half written */
    return f->sent;
}

static struct line *line_open(const struct upstream_spec *u);

/* The line for another question: the emptiest that is well, or a new one. NULL: none. */
static struct line *choose(const struct upstream_spec *u, uint16_t id)
{
    usec_t now = clock_now();
    struct line *best = NULL;
    unsigned best_flights = memory_of(u->id)->cuts >= CUT_MAX ? 1 : SERVICE_STREAM_FLIGHTS;
    unsigned own = 0;
    for (struct line *l = lines; l < lines + LINES_MAX; l++) {
        if (!l->stream || l->upstream_id != u->id) {
            continue;
        }
        own++;
        l->suspect |= hangs(l, now);
        unsigned n = flights_of(l);
        if (!l->suspect && n < best_flights && !flight_of(l, id)) {
            best = l;
            best_flights = n;
        }
    }
    if (own < PER_UPSTREAM && (!best || best_flights >= PIPELINE_DEPTH)) {
        struct line *fresh = line_open(u);
        best = fresh ? fresh : best;
    }
    return best;
}

/* Put a question on a line. False: there is none for it. */
static bool put(const struct upstream_spec *u, const struct flight *question)
{
    struct line *l = choose(u, question->id);
    for (unsigned i = 0; l && i < SERVICE_STREAM_FLIGHTS; i++) {
        struct flight *f = &l->flight[i];
        if (f->ticket == 0) {
            *f = *question;
            f->since = clock_now();
            f->sent = f->answered = false;
            if (l->ready && !write_flight(l, f)) {
                f->ticket = 0;
                return false;
            }
            return true;
        }
    }
    return false;
}

void line_send(uint32_t ticket, uint16_t upstream, const uint8_t *data, size_t len)
{
    const struct upstream_spec *u = &service.snapshot->upstreams[upstream];
    struct flight f = {.ticket = ticket, .len = (uint16_t)(len + STREAM_PREFIX)};
    bool fits = len >= DNS_HEADER_OCTETS && len <= QUERY_MAX;
    if (fits) {
        f.id = be16_read(data);
        stream_prefix(f.question, len);
        memcpy(f.question + STREAM_PREFIX, data, len);
    }
    if (!fits || u->transport == UPSTREAM_HTTPS || !put(u, &f)) {
        resolver_failed(service.resolver, clock_now(), ticket,
                        u->transport == UPSTREAM_HTTPS ? RESOLVER_UNREACHABLE : RESOLVER_NO_SOCKET);
    }
}

void line_release(uint32_t ticket)
{
    for (struct line *l = lines; l < lines + LINES_MAX; l++) {
        for (unsigned i = 0; l->stream && i < SERVICE_STREAM_FLIGHTS; i++) {
            struct flight *f = &l->flight[i];
            if (f->ticket == ticket) {
                f->ticket = 0;
                l->suspect |= !f->answered && clock_now() - f->since > HOPELESS_US;
            }
        }
    }
}

/* ---- a line's end ---- */

static const struct upstream_spec *upstream_of(uint64_t id)
{
    for (uint16_t i = 0; i < service.snapshot->upstream_count; i++) {
        if (service.snapshot->upstreams[i].id == id) {
            return &service.snapshot->upstreams[i];
        }
    }
    return NULL;
}

/* The slot is free again; questions that were lost with it find another way, or fail. */
static void line_over(struct line *l, enum resolver_failure why)
{
    static struct flight lost[SERVICE_STREAM_FLIGHTS]; /* the slot may be taken again meanwhile */
    unsigned count = 0;
    uint64_t id = l->upstream_id;
    bool worked = l->answered > 0 && why == RESOLVER_CLOSED;
    for (unsigned i = 0; i < SERVICE_STREAM_FLIGHTS; i++) {
        if (l->flight[i].ticket != 0) {
            lost[count++] = l->flight[i];
        }
    }
    struct memory *m = memory_of(id);
    m->cuts = l->answered == 1 && count > 0 ? m->cuts + 1 : l->answered > 1 ? 0 : m->cuts;
    free(l->in);
    *l = (struct line){0};
    for (unsigned i = 0; i < count; i++) {
        const struct upstream_spec *u = upstream_of(id);
        bool again = worked && u && lost[i].resent++ < RESEND_MAX;
        if (!again || !put(u, &lost[i])) {
            tell_failure(lost[i].ticket, why);
        }
    }
}

static void line_close(struct line *l, enum resolver_failure why)
{
    stream_close(l->stream);
    line_over(l, why);
}

/* ---- the stream's calls ---- */

static void line_answer(struct line *l, const uint8_t *message, size_t len)
{
    struct flight *f = flight_of(l, be16_read(message));
    if (f && f->sent) {
        l->answered++;
        f->answered = true;
        resolver_response(service.resolver, clock_now(), f->ticket, message, len);
        service_flush();
    }
}

static void line_data(void *ctx, struct stream *s, const uint8_t *data, size_t len)
{
    struct line *l = ctx;
    (void)s;
    l->busy = true;
    while (len > 0) {
        size_t n = len < MESSAGE_MAX - l->in_len ? len : MESSAGE_MAX - l->in_len;
        memcpy(l->in + l->in_len, data, n);
        l->in_len += n;
        data += n;
        len -= n;
        size_t at = 0, off, message;
        enum stream_state state;
        while ((state = stream_next(l->in + at, l->in_len - at, DNS_HEADER_OCTETS, &off,
                                    &message)) == STREAM_MESSAGE) {
            line_answer(l, l->in + at + off, message);
            at += off + message;
        }
        memmove(l->in, l->in + at, l->in_len - at);
        l->in_len -= at;
        if (state == STREAM_BAD) {
            line_close(l, RESOLVER_CLOSED);
            return;
        }
    }
    l->busy = false;
}

static void line_ready(void *ctx, struct stream *s)
{
    struct line *l = ctx;
    (void)s;
    l->ready = l->busy = true;
    for (unsigned i = 0; i < SERVICE_STREAM_FLIGHTS; i++) {
        struct flight *f = &l->flight[i];
        if (f->ticket != 0 && !f->sent && !write_flight(l, f)) {
            uint32_t ticket = f->ticket;
            f->ticket = 0;
            tell_failure(ticket, RESOLVER_NO_SOCKET);
        }
    }
    l->busy = false;
}

static void line_end(void *ctx, enum err e, const char *reason)
{
    struct line *l = ctx;
    (void)reason;
    line_over(l, e == ERR_UNSUPPORTED            ? RESOLVER_TLS_FAILED
                 : e == ERR_IO && !l->ready      ? RESOLVER_REFUSED
                 : e == ERR_TIMEOUT && !l->ready ? RESOLVER_UNREACHABLE
                                                 : RESOLVER_CLOSED);
}

/* A free slot, or that of a line that nobody waits for. */
static struct line *take_slot(void)
{
    struct line *idle = NULL;
    for (struct line *l = lines; l < lines + LINES_MAX; l++) {
        if (!l->stream) {
            return l;
        }
        idle = !idle && l->ready && !l->busy && flights_of(l) == 0 ? l : idle;
    }
    if (idle) {
        stream_close(idle->stream);
        free(idle->in);
    }
    return idle;
}

static struct line *line_open(const struct upstream_spec *u)
{
    static const struct stream_events events = {
        .ready = line_ready, .data = line_data, .end = line_end};
    char name[IP_TEXT_MAX];
    ip_format(&u->endpoint.addr, name);
    struct stream_target target = {.addr = u->endpoint.addr,
                                   .port = u->endpoint.port,
                                   .tls_name = u->transport != UPSTREAM_TLS ? NULL
                                               : u->name[0]                 ? u->name
                                                                            : name,
                                   .idle_us = IDLE_US};
    struct line *l = take_slot();
    if (!l) {
        return NULL;
    }
    *l = (struct line){.upstream_id = u->id, .opened = clock_now(), .in = malloc(MESSAGE_MAX)};
    if (!l->in || stream_open(&target, &events, l, &l->stream) != ERR_OK) {
        free(l->in);
        *l = (struct line){0};
        return NULL;
    }
    return l;
}
