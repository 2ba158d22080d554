/*
 * DNS over TCP for clients (RFC 7766), with the daemon's rules: questions one after the other or
 * many at once, answers in the order in which they are ready; full, or one client has too many: the
 * connection idle for longest makes room; a client that takes too long to send a question or to
 * read an answer is cut.
 *
 * What the send buffer does not take waits in blocks from the heap, bounded for all connections
 * together; while a client has such a block, nothing more of it is read.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/aarch64/cpu.h"
#include "dns/proto.h"
#include "net/lwip.h"
#include "net/lwip_addr.h"
#include "net/service_int.h"
#include "resolver/stream.h"

enum { IN_MAX = 4096 + STREAM_PREFIX, QUESTIONS_MAX = 64, OUT_MAX = 4 << 20 };
#define STALL_US (10 * USEC_PER_SEC) /* for one question to arrive, or one answer to be read */

/* Octets that the send buffer did not take. */
struct block {
    struct block *next;
    size_t len, sent;
    uint8_t data[];
};

static struct client {
    struct tcp_pcb *pcb; /* NULL: free */
    struct peer peer;
    uint32_t generation; /* upper part of the token that the resolver has */
    usec_t since;        /* of the last whole question or answer */
    unsigned waiting;    /* questions that the resolver has */
    bool half_closed;    /* the client has sent its last question */
    bool work;           /* it may go on: see tcp_clients_run */
    struct block *out, *out_last;
    uint8_t in[IN_MAX];
    size_t in_len;
} clients[SERVICE_TCP_MAX];

static struct service_tcp_limits limits;
static size_t out_octets; /* in blocks, of all clients */
static bool any_work;

static const struct tcp_pcb *aborted;

static err_t result_for(const struct tcp_pcb *pcb)
{
    return aborted == pcb ? (err_t)ERR_ABRT : (err_t)LWIP_ERR_OK;
}

static uint32_t token(const struct client *c)
{
    return c->generation * SERVICE_TCP_MAX + (uint32_t)(c - clients) + 1;
}

static struct client *client_of(uint32_t conn)
{
    struct client *c = conn == 0 ? NULL : &clients[(conn - 1) % SERVICE_TCP_MAX];
    return c && c->pcb && token(c) == conn ? c : NULL;
}

static void put_to_work(struct client *c)
{
    c->work = any_work = true;
}

static void free_block(struct client *c)
{
    struct block *b = c->out;
    c->out = b->next;
    out_octets -= b->len;
    free(b);
}

static void drop(struct client *c, bool abort)
{
    if (c->waiting > 0) {
        resolver_peer_gone(service.resolver, token(c));
    }
    while (c->out) {
        free_block(c);
    }
    if (c->pcb) {
        tcp_arg(c->pcb, NULL);
        tcp_recv(c->pcb, NULL);
        tcp_sent(c->pcb, NULL);
        tcp_err(c->pcb, NULL);
        tcp_poll(c->pcb, NULL, 0);
        tcp_setprio(c->pcb, TCP_PRIO_MIN); /* closing, it makes room for who comes (tcp_alloc) */
        if (abort || tcp_close(c->pcb) != LWIP_ERR_OK) {
            aborted = c->pcb;
            tcp_abort(c->pcb);
        }
    }
    c->pcb = NULL;
    c->generation = (c->generation + 1) % (UINT32_MAX / SERVICE_TCP_MAX - 1);
    service.gauges.tcp_clients--;
}

/* ---- answers ---- */

/* Octets of [data, data+len) that the send buffer took. */
static size_t push(struct client *c, const uint8_t *data, size_t len)
{
    size_t room = tcp_sndbuf(c->pcb), n = len < room ? len : room;
    return n > 0 && tcp_write(c->pcb, data, (u16_t)n, TCP_WRITE_FLAG_COPY) == LWIP_ERR_OK ? n : 0;
}

/* Append to what waits for the client to read. False: there is no room for it. */
static bool keep(struct client *c, const uint8_t *data, size_t len)
{
    struct block *b = out_octets + len <= OUT_MAX ? malloc(sizeof *b + len) : NULL;
    if (!b) {
        return false;
    }
    *b = (struct block){.len = len};
    memcpy(b->data, data, len);
    *(c->out ? &c->out_last->next : &c->out) = b;
    c->out_last = b;
    out_octets += len;
    return true;
}

static void send_answer(struct client *c, const uint8_t *data, size_t len)
{
    static uint8_t message[STREAM_PREFIX + DNS_TCP_MAX];
    stream_prefix(message, len);
    memcpy(message + STREAM_PREFIX, data, len);
    size_t n = c->out ? 0 : push(c, message, len + STREAM_PREFIX);
    if (n == len + STREAM_PREFIX) {
        c->since = clock_now();
    } else if (!keep(c, message + n, len + STREAM_PREFIX - n)) {
        drop(c, true); /* half an answer must not stay in the stream */
        return;
    }
    (void)tcp_output(c->pcb);
}

static void send_kept(struct client *c)
{
    while (c->out) {
        size_t n = push(c, c->out->data + c->out->sent, c->out->len - c->out->sent);
        c->out->sent += n;
        if (n == 0) {
            break;
        }
        if (c->out->sent == c->out->len) {
            free_block(c);
            c->since = clock_now();
        }
    }
    (void)tcp_output(c->pcb);
}

void tcp_client_answer(const struct peer *peer, const uint8_t *data, size_t len)
{
    struct client *c = client_of(peer->conn);
    if (!c || len > DNS_TCP_MAX) {
        return;
    }
    c->waiting -= c->waiting > 0;
    send_answer(c, data, len);
    put_to_work(c);
}

/* ---- questions ---- */

static void ask(struct client *c, const uint8_t *message, size_t len)
{
    static uint8_t buffer[DNS_TCP_MAX];
    uint16_t owner;
    struct packet packet = {.data = buffer, .len = len, .cap = sizeof buffer};
    memcpy(buffer, message, len);
    c->since = clock_now();
    switch (resolver_query(service.resolver, c->since, &c->peer, &packet, &owner)) {
    case RESOLVER_ANSWER:
        send_answer(c, packet.data, packet.len);
        break;
    case RESOLVER_PENDING:
        c->waiting++;
        break;
    case RESOLVER_DROP:
    case RESOLVER_HANDOFF:
        break;
    }
}

/* Not while it has too many open questions or does not read its answers. */
static bool may_ask(const struct client *c)
{
    return c->pcb && c->waiting < QUESTIONS_MAX && !c->out;
}

/* Ask the questions that are whole; end a connection that can send no more of them. */
static void settle(struct client *c)
{
    size_t at = 0, off = 0, len = 0;
    enum stream_state state = STREAM_MESSAGE;
    while (may_ask(c) && (state = stream_next(c->in + at, c->in_len - at, DNS_HEADER_OCTETS, &off,
                                              &len)) == STREAM_MESSAGE) {
        ask(c, c->in + at + off, len);
        at += off + len;
    }
    if (!c->pcb) {
        return;
    }
    memmove(c->in, c->in + at, c->in_len - at);
    c->in_len -= at;
    bool never_whole = state == STREAM_BAD || (state == STREAM_MORE && len > IN_MAX);
    if (never_whole || (c->half_closed && c->waiting == 0 && !c->out && state == STREAM_MORE)) {
        drop(c, false);
    }
}

void tcp_clients_run(void)
{
    if (!any_work) {
        return;
    }
    any_work = false;
    for (struct client *c = clients; c < clients + SERVICE_TCP_MAX; c++) {
        if (c->work) {
            c->work = false;
            if (c->pcb) {
                settle(c);
            }
        }
    }
    service_flush();
}

/* ---- lwIP's calls ---- */

static err_t on_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t e)
{
    struct client *c = arg;
    (void)e;
    aborted = NULL;
    if (!p) {
        c->half_closed = true;
    } else if (p->tot_len > IN_MAX - c->in_len) {
        return (err_t)ERR_MEM; /* lwIP keeps it and offers it again: the client waits */
    } else {
        pbuf_copy_partial(p, c->in + c->in_len, p->tot_len, 0);
        c->in_len += p->tot_len;
        tcp_recved(pcb, p->tot_len);
        pbuf_free(p);
    }
    settle(c);
    service_flush();
    return result_for(pcb);
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
    struct client *c = arg;
    (void)len;
    aborted = NULL;
    if (c->out) {
        send_kept(c);
    }
    settle(c);
    service_flush();
    return result_for(pcb);
}

static void on_error(void *arg, err_t e)
{
    struct client *c = arg;
    (void)e;
    c->pcb = NULL;
    drop(c, false);
}

static err_t on_poll(void *arg, struct tcp_pcb *pcb)
{
    struct client *c = arg;
    aborted = NULL;
    usec_t waited = clock_now() - c->since;
    bool slow = c->in_len > 0 || c->out;
    if (waited > (slow ? STALL_US : limits.idle_us) && (slow || c->waiting == 0)) {
        drop(c, slow || c->half_closed);
    } else if (c->out) {
        send_kept(c);
    }
    return result_for(pcb);
}

/* Which of two can be missed more: one with nothing to do before a busy one, then the older one. */
static bool less_needed(const struct client *a, const struct client *b)
{
    bool a_busy = a->waiting > 0 || a->out, b_busy = b->waiting > 0 || b->out;
    return a_busy != b_busy ? b_busy : a->since < b->since;
}

static bool same_client(const struct ip_addr *a, const struct ip_addr *b)
{
    return memcmp(a->b, b->b, ip_is_v4(a) ? 16 : 8) == 0;
}

static struct client *evict(struct client *c)
{
    service.gauges.tcp_evicted++;
    drop(c, true);
    return c;
}

static struct client *take_slot(const struct ip_addr *addr)
{
    struct client *oldest = NULL, *own = NULL, *empty = NULL;
    unsigned same = 0, open = 0;
    for (struct client *c = clients; c < clients + SERVICE_TCP_MAX; c++) {
        if (!c->pcb) {
            empty = c;
            continue;
        }
        open++;
        oldest = !oldest || less_needed(c, oldest) ? c : oldest;
        if (same_client(addr, &c->peer.addr)) {
            same++;
            own = !own || less_needed(c, own) ? c : own;
        }
    }
    if (same >= limits.per_client) {
        return evict(own);
    }
    return open >= limits.connections || !empty ? evict(oldest) : empty;
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t e)
{
    (void)arg;
    aborted = NULL;
    if (e != (err_t)LWIP_ERR_OK || !pcb) {
        return (err_t)ERR_VAL;
    }
    struct ip_addr addr = lwip_to_ip(&pcb->remote_ip);
    struct client *c = take_slot(&addr);
    c->pcb = pcb;
    c->peer = (struct peer){.addr = addr,
                            .local = lwip_to_ip(&pcb->local_ip),
                            .port = pcb->remote_port,
                            .tcp = true,
                            .conn = token(c)};
    c->since = clock_now();
    c->in_len = 0;
    c->waiting = 0;
    c->half_closed = c->work = false;
    if (++service.gauges.tcp_clients > service.gauges.tcp_clients_peak) {
        service.gauges.tcp_clients_peak = service.gauges.tcp_clients;
    }
    tcp_arg(pcb, c);
    tcp_recv(pcb, on_received);
    tcp_sent(pcb, on_sent);
    tcp_err(pcb, on_error);
    tcp_poll(pcb, on_poll, 2);
    return LWIP_ERR_OK;
}

enum err tcp_clients_start(uint16_t port, const struct service_tcp_limits *wanted)
{
    limits = *wanted;
    limits.connections =
        limits.connections < SERVICE_TCP_MAX ? limits.connections : SERVICE_TCP_MAX;
    struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
    if (!pcb || tcp_bind(pcb, IP_ANY_TYPE, port) != LWIP_ERR_OK) {
        return ERR_STATE;
    }
    pcb = tcp_listen_with_backlog(pcb, 64);
    if (!pcb) {
        return ERR_MEMORY;
    }
    tcp_accept(pcb, on_accept);
    return ERR_OK;
}
