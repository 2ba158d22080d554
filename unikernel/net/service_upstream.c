/*
 * Sockets and streams to upstreams. A ticket on UDP has a socket of its own with a random port out
 * of 64 000, connected to the upstream, so that lwIP drops what comes from elsewhere. Tickets on
 * streams share one connection an upstream; answers are told apart by ID, which is therefore unique
 * on a connection.
 */
#include <string.h>

#include "arch/aarch64/cpu.h"
#include "base/span.h"
#include "dns/proto.h"
#include "net/lwip.h"
#include "net/lwip_addr.h"
#include "net/service_int.h"
#include "net/stream.h"
#include "resolver/stream.h"

enum {
    PORT_LOW = 1100,
    PORT_TRIES = 16,
    TABLE = 2048,
    MESSAGE_MAX = 65535 + STREAM_PREFIX,
    QUERY_MAX = 512,
    STREAM_IDLE_US = 20000000
};

/* ---- UDP: open-addressed by ticket ---- */

static struct entry {
    uint32_t ticket; /* 0: free */
    struct udp_pcb *pcb;
} table[TABLE];

static struct entry *entry_of(uint32_t ticket)
{
    for (uint32_t i = ticket * 2654435761U % TABLE, n = 0; n < TABLE && table[i].ticket != 0;
         i = (i + 1) % TABLE, n++) {
        if (table[i].ticket == ticket) {
            return &table[i];
        }
    }
    return NULL;
}

static void entry_insert(uint32_t ticket, struct udp_pcb *pcb)
{
    uint32_t i = ticket * 2654435761U % TABLE;
    while (table[i].ticket != 0) {
        i = (i + 1) % TABLE;
    }
    table[i] = (struct entry){.ticket = ticket, .pcb = pcb};
    service.gauges.tickets++;
    if (service.gauges.tickets > service.gauges.tickets_peak) {
        service.gauges.tickets_peak = service.gauges.tickets;
    }
}

/* Take out an entry and move up those behind it that belong earlier. */
static void entry_remove(struct entry *e)
{
    uint32_t hole = (uint32_t)(e - table);
    service.gauges.tickets--;
    for (uint32_t i = (hole + 1) % TABLE; table[i].ticket != 0; i = (i + 1) % TABLE) {
        uint32_t home = table[i].ticket * 2654435761U % TABLE;
        if ((i + TABLE - home) % TABLE >= (i + TABLE - hole) % TABLE) {
            table[hole] = table[i];
            hole = i;
        }
    }
    table[hole] = (struct entry){0};
}

static void on_answer(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *addr,
                      u16_t port)
{
    static uint8_t buffer[4096];
    uint32_t ticket = (uint32_t)(uintptr_t)arg;
    (void)pcb;
    (void)addr;
    (void)port;
    u16_t len = pbuf_copy_partial(p, buffer, sizeof buffer, 0);
    pbuf_free(p);
    resolver_response(service.resolver, clock_now(), ticket, buffer, len);
    service_flush();
}

static bool bind_random(struct udp_pcb *pcb)
{
    for (int i = 0; i < PORT_TRIES; i++) {
        uint16_t port = (uint16_t)(PORT_LOW + rng_below(service.rng, 65536 - PORT_LOW));
        if (udp_bind(pcb, IP_ANY_TYPE, port) == LWIP_ERR_OK) {
            return true;
        }
    }
    return false;
}

static bool send_to(struct udp_pcb *pcb, const uint8_t *data, size_t len,
                    enum resolver_failure *why)
{
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)len, PBUF_RAM);
    *why = RESOLVER_NO_SOCKET;
    if (!p) {
        return false;
    }
    pbuf_take(p, data, (u16_t)len);
    err_t e = udp_send(pcb, p);
    pbuf_free(p);
    *why = e == (err_t)ERR_RTE ? RESOLVER_UNREACHABLE : RESOLVER_NO_SOCKET;
    return e == LWIP_ERR_OK;
}

static struct udp_pcb *open_socket(const struct ip_endpoint *to)
{
    ip_addr_t addr;
    lwip_from_ip(&to->addr, &addr);
    struct udp_pcb *pcb =
        service.gauges.tickets < SERVICE_TICKETS_MAX ? udp_new_ip_type(IP_GET_TYPE(&addr)) : NULL;
    if (pcb && (!bind_random(pcb) || udp_connect(pcb, &addr, to->port) != LWIP_ERR_OK)) {
        udp_remove(pcb);
        return NULL;
    }
    return pcb;
}

void upstream_send_udp(uint32_t ticket, uint16_t upstream, const uint8_t *data, size_t len)
{
    enum resolver_failure why = RESOLVER_NO_SOCKET;
    struct entry *e = entry_of(ticket);
    struct udp_pcb *pcb = e ? e->pcb : open_socket(&service.snapshot->upstreams[upstream].endpoint);
    if (pcb && !e) {
        udp_recv(pcb, on_answer, (void *)(uintptr_t)ticket);
        entry_insert(ticket, pcb);
    }
    if (!pcb || !send_to(pcb, data, len, &why)) {
        resolver_failed(service.resolver, clock_now(), ticket, why);
    }
}

/* ---- streams: one an upstream ---- */

static struct line {
    struct stream *stream; /* NULL: closed */
    uint64_t upstream_id;  /* of its upstream_spec */
    bool ready;
    struct {
        uint32_t ticket;  /* 0: free */
        uint16_t id;      /* DNS ID, as on the wire */
        uint16_t waiting; /* octets of a question that waits for the connection */
        uint8_t question[QUERY_MAX + STREAM_PREFIX];
    } flight[SERVICE_STREAM_FLIGHTS];
    uint8_t in[MESSAGE_MAX];
    size_t in_len;
} lines[UPSTREAM_MAX];

static void fail_all(struct line *l, enum resolver_failure why)
{
    for (unsigned i = 0; i < SERVICE_STREAM_FLIGHTS; i++) {
        uint32_t ticket = l->flight[i].ticket;
        l->flight[i].ticket = 0;
        if (ticket != 0) {
            resolver_failed(service.resolver, clock_now(), ticket, why);
        }
    }
}

static void line_answer(struct line *l, const uint8_t *message, size_t len)
{
    for (unsigned i = 0; i < SERVICE_STREAM_FLIGHTS; i++) {
        if (l->flight[i].ticket != 0 && l->flight[i].id == be16_read(message)) {
            resolver_response(service.resolver, clock_now(), l->flight[i].ticket, message, len);
            return;
        }
    }
}

static void line_data(void *ctx, struct stream *s, const uint8_t *data, size_t len)
{
    struct line *l = ctx;
    while (len > 0) {
        size_t n = len < sizeof l->in - l->in_len ? len : sizeof l->in - l->in_len;
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
            stream_close(s);
            l->stream = NULL;
            fail_all(l, RESOLVER_CLOSED);
            break;
        }
    }
    service_flush();
}

static void line_ready(void *ctx, struct stream *s)
{
    struct line *l = ctx;
    l->ready = true;
    for (unsigned i = 0; i < SERVICE_STREAM_FLIGHTS; i++) {
        uint32_t ticket = l->flight[i].ticket;
        if (ticket != 0 && l->flight[i].waiting > 0 &&
            stream_write(s, l->flight[i].question, l->flight[i].waiting) != ERR_OK) {
            l->flight[i].ticket = 0;
            resolver_failed(service.resolver, clock_now(), ticket, RESOLVER_NO_SOCKET);
        }
        l->flight[i].waiting = 0;
    }
    service_flush();
}

static void line_end(void *ctx, enum err e, const char *reason)
{
    struct line *l = ctx;
    (void)reason;
    l->stream = NULL;
    l->ready = false;
    fail_all(l, e == ERR_UNSUPPORTED ? RESOLVER_TLS_FAILED
                : e == ERR_IO        ? RESOLVER_REFUSED
                                     : RESOLVER_CLOSED);
    service_flush();
}

/* The line of an upstream: the one it has, or a free one. */
static struct line *line_of(uint64_t id)
{
    struct line *free_line = NULL;
    for (struct line *l = lines; l < lines + UPSTREAM_MAX; l++) {
        if (l->stream && l->upstream_id == id) {
            return l;
        }
        free_line = l->stream ? free_line : l;
    }
    return free_line;
}

static bool line_open(struct line *l, const struct upstream_spec *u)
{
    static const struct stream_events events = {
        .ready = line_ready, .data = line_data, .end = line_end};
    bool tls = u->transport == UPSTREAM_TLS;
    char name[IP_TEXT_MAX];
    ip_format(&u->endpoint.addr, name);
    struct stream_target target = {.addr = u->endpoint.addr,
                                   .port = u->endpoint.port,
                                   .tls_name = !tls         ? NULL
                                               : u->name[0] ? u->name
                                                            : name,
                                   .idle_us = STREAM_IDLE_US};
    l->in_len = 0;
    l->ready = false;
    l->upstream_id = u->id;
    return stream_open(&target, &events, l, &l->stream) == ERR_OK;
}

void upstream_send_stream(uint32_t ticket, uint16_t upstream, const uint8_t *data, size_t len)
{
    const struct upstream_spec *u = &service.snapshot->upstreams[upstream];
    struct line *l = u->transport == UPSTREAM_HTTPS ? NULL : line_of(u->id);
    int place = -1;
    bool unique = true;
    for (int i = 0; l && i < SERVICE_STREAM_FLIGHTS; i++) {
        place = l->flight[i].ticket == 0 ? i : place;
        unique = unique && !(l->flight[i].ticket != 0 && l->flight[i].id == be16_read(data));
    }
    if (!l || place < 0 || !unique || len > QUERY_MAX || (!l->stream && !line_open(l, u))) {
        resolver_failed(service.resolver, clock_now(), ticket,
                        u->transport == UPSTREAM_HTTPS ? RESOLVER_UNREACHABLE : RESOLVER_NO_SOCKET);
        return;
    }
    uint8_t *q = l->flight[place].question;
    stream_prefix(q, len);
    memcpy(q + STREAM_PREFIX, data, len);
    if (l->ready && stream_write(l->stream, q, len + STREAM_PREFIX) != ERR_OK) {
        resolver_failed(service.resolver, clock_now(), ticket, RESOLVER_NO_SOCKET);
        return;
    }
    l->flight[place].ticket = ticket;
    l->flight[place].id = be16_read(data);
    l->flight[place].waiting = l->ready ? 0 : (uint16_t)(len + STREAM_PREFIX);
}

void upstream_release(uint32_t ticket)
{
    struct entry *e = entry_of(ticket);
    if (e) {
        udp_remove(e->pcb);
        entry_remove(e);
        return;
    }
    for (struct line *l = lines; l < lines + UPSTREAM_MAX; l++) {
        for (unsigned i = 0; i < SERVICE_STREAM_FLIGHTS; i++) {
            if (l->flight[i].ticket == ticket) {
                l->flight[i].ticket = 0;
            }
        }
    }
}
