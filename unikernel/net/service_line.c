/*
 * Questions to upstreams over TCP, TLS and HTTPS (RFC 7766, RFC 7858, RFC 8484): connections shared
 * by several questions, opened when needed, closed when idle; answers come in any order and are
 * told apart by ID, which is therefore unique on a connection. Over HTTPS (HTTP/1.1, net/doh.h) one
 * question is under way on a connection and the others wait behind it, so few share one. The rules
 * are the daemon's (host/outstream.h): a
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
#include "base/strbuf.h"
#include "dns/proto.h"
#include "net/service_line_int.h"

enum {
    LINES_MAX = 24, /* the other streams are for downloads */
    PER_UPSTREAM = 8,
    PIPELINE_DEPTH = 8, /* from here on another connection is better */
    HTTPS_DEPTH = 2,    /* likewise, where one waits for the other */
    RESEND_MAX = 2,
    CUT_MAX = 3 /* so often a server closed after one answer: one question a connection */
};
#define IDLE_US     (20 * USEC_PER_SEC)
#define HOPELESS_US (2 * USEC_PER_SEC) /* a question that waits longer makes its line suspect */

static struct line lines[LINES_MAX];

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

static struct flight *oldest_waiting(struct line *l)
{
    struct flight *oldest = NULL;
    for (struct flight *f = l->flight; f < l->flight + SERVICE_STREAM_FLIGHTS; f++) {
        if (f->ticket != 0 && !f->sent && (!oldest || f->since < oldest->since)) {
            oldest = f;
        }
    }
    return oldest;
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

void line_tell_failure(uint32_t ticket, enum resolver_failure why)
{
    resolver_failed(service.resolver, clock_now(), ticket, why);
    service_flush();
}

/* ---- sending ---- */

const struct upstream_spec *line_upstream(uint64_t id)
{
    for (uint16_t i = 0; i < service.snapshot->upstream_count; i++) {
        if (service.snapshot->upstreams[i].id == id) {
            return &service.snapshot->upstreams[i];
        }
    }
    return NULL;
}

static bool hangs(const struct line *l, usec_t now)
{
    for (unsigned i = 0; i < SERVICE_STREAM_FLIGHTS; i++) {
        if (l->flight[i].ticket != 0 && now - l->flight[i].since > HOPELESS_US) {
            return true;
        }
    }
    return !l->ready && now - l->opened > HOPELESS_US;
}

/* True too if it has to wait for its turn. */
static bool write_flight(struct line *l, struct flight *f)
{
    if (l->http && l->asking) {
        return true;
    }
    f->sent = l->http ? post_write(l, f) : stream_write(l->stream, f->question, f->len) == ERR_OK;
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
    unsigned depth = u->transport == UPSTREAM_HTTPS ? HTTPS_DEPTH : PIPELINE_DEPTH;
    if (own < PER_UPSTREAM && (!best || best_flights >= depth)) {
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
    if (!fits || !put(u, &f)) {
        resolver_failed(service.resolver, clock_now(), ticket, RESOLVER_NO_SOCKET);
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

static void line_free(struct line *l)
{
    free(l->in);
    free(l->http);
    *l = (struct line){0};
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
    line_free(l);
    for (unsigned i = 0; i < count; i++) {
        const struct upstream_spec *u = line_upstream(id);
        bool again = worked && u && lost[i].resent++ < RESEND_MAX;
        if (!again || !put(u, &lost[i])) {
            line_tell_failure(lost[i].ticket, why);
        }
    }
}

void line_close(struct line *l, enum resolver_failure why)
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

/* Questions that wait go out as far as they may. */
void line_send_waiting(struct line *l)
{
    for (unsigned i = 0; i < SERVICE_STREAM_FLIGHTS && !(l->http && l->asking); i++) {
        struct flight *f = oldest_waiting(l);
        if (!f) {
            return;
        }
        if (!write_flight(l, f)) {
            uint32_t ticket = f->ticket;
            f->ticket = 0;
            line_tell_failure(ticket, RESOLVER_NO_SOCKET);
        }
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
    line_send_waiting(l);
    l->busy = false;
}

static void line_end(void *ctx, enum err e, const char *reason)
{
    struct line *l = ctx;
    (void)reason;
    if (e == ERR_OK && l->asking) {
        post_end(l);
    }
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
        line_free(idle);
    }
    return idle;
}

/* The name that the certificate must be for: NULL without TLS. `room` for what is no part of u. */
static const char *certificate_name(const struct upstream_spec *u, char room[UPSTREAM_NAME_MAX])
{
    struct strbuf b;
    strbuf_init(&b, room, UPSTREAM_NAME_MAX);
    switch (u->transport) {
    case UPSTREAM_HTTPS: {
        struct span host, path;
        doh_url(u->name, &host, &path);
        strbuf_bytes(&b, host.ptr, host.len);
        return room;
    }
    case UPSTREAM_TLS:
        ip_format(&u->endpoint.addr, room);
        return u->name[0] ? u->name : room;
    case UPSTREAM_UDP:
    case UPSTREAM_TCP:
        break;
    }
    return NULL;
}

static struct line *line_open(const struct upstream_spec *u)
{
    static const struct stream_events plain = {
        .ready = line_ready, .data = line_data, .end = line_end};
    static const struct stream_events http = {
        .ready = line_ready, .data = post_data, .end = line_end};
    bool https = u->transport == UPSTREAM_HTTPS;
    char room[UPSTREAM_NAME_MAX];
    struct stream_target target = {.addr = u->endpoint.addr,
                                   .port = u->endpoint.port,
                                   .tls_name = certificate_name(u, room),
                                   .idle_us = IDLE_US};
    struct line *l = take_slot();
    if (!l) {
        return NULL;
    }
    *l = (struct line){.upstream_id = u->id, .opened = clock_now(), .in = malloc(MESSAGE_MAX)};
    l->http = https ? malloc(sizeof *l->http) : NULL;
    if (!l->in || (https && !l->http) ||
        stream_open(&target, https ? &http : &plain, l, &l->stream) != ERR_OK) {
        line_free(l);
        return NULL;
    }
    return l;
}
