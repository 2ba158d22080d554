/*
 * DNS over TCP for clients (RFC 7766): pipelined questions, answers in the order they are ready.
 * SERVICE_TCP_MAX connections; when all are taken the one idle for longest goes. Idle ones close
 * after ten seconds; a client that does not read its answers too.
 */
#include <string.h>

#include "arch/aarch64/cpu.h"
#include "dns/proto.h"
#include "net/lwip.h"
#include "net/lwip_addr.h"
#include "net/service_int.h"
#include "resolver/stream.h"

enum { IN_MAX = 4096 + STREAM_PREFIX, QUESTIONS_MAX = 64 };

static struct client {
    struct tcp_pcb *pcb; /* NULL: free */
    struct peer peer;
    uint32_t generation; /* upper part of the token that the resolver has */
    usec_t since;        /* of the last octet that moved */
    unsigned waiting;    /* questions that the resolver has */
    bool half_closed;    /* the client has sent its last question */
    uint8_t in[IN_MAX];
    size_t in_len;
} clients[SERVICE_TCP_MAX];

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

static void drop(struct client *c, bool abort)
{
    if (c->waiting > 0) {
        resolver_peer_gone(service.resolver, token(c));
    }
    if (c->pcb) {
        tcp_arg(c->pcb, NULL);
        tcp_recv(c->pcb, NULL);
        tcp_sent(c->pcb, NULL);
        tcp_err(c->pcb, NULL);
        tcp_poll(c->pcb, NULL, 0);
        if (abort || tcp_close(c->pcb) != LWIP_ERR_OK) {
            aborted = c->pcb;
            tcp_abort(c->pcb);
        }
    }
    c->pcb = NULL;
    c->generation = (c->generation + 1) % (UINT32_MAX / SERVICE_TCP_MAX - 1);
    service.gauges.tcp_clients--;
}

static void send_answer(struct client *c, const uint8_t *data, size_t len)
{
    uint8_t prefix[STREAM_PREFIX];
    stream_prefix(prefix, len);
    if (len + STREAM_PREFIX > tcp_sndbuf(c->pcb) ||
        tcp_write(c->pcb, prefix, STREAM_PREFIX, TCP_WRITE_FLAG_COPY | TCP_WRITE_FLAG_MORE) !=
            LWIP_ERR_OK ||
        tcp_write(c->pcb, data, (u16_t)len, TCP_WRITE_FLAG_COPY) != LWIP_ERR_OK) {
        drop(c, true); /* it does not read what it asked for; half an answer must not stay in the
                          stream */
        return;
    }
    (void)tcp_output(c->pcb);
    c->since = clock_now();
}

void tcp_client_answer(const struct peer *peer, const uint8_t *data, size_t len)
{
    struct client *c = client_of(peer->conn);
    if (!c) {
        return;
    }
    c->waiting -= c->waiting > 0;
    send_answer(c, data, len);
    if (c->pcb && c->half_closed && c->waiting == 0) {
        drop(c, false);
    }
}

static void ask(struct client *c, const uint8_t *message, size_t len)
{
    static uint8_t buffer[DNS_TCP_MAX];
    uint16_t owner;
    struct packet packet = {.data = buffer, .len = len, .cap = sizeof buffer};
    memcpy(buffer, message, len);
    switch (resolver_query(service.resolver, clock_now(), &c->peer, &packet, &owner)) {
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

/* Questions that are whole are asked, up to the bound of what one connection may have waiting. */
static void ask_whole_ones(struct client *c)
{
    size_t at = 0, off, len;
    enum stream_state state = STREAM_MORE;
    while (c->pcb && c->waiting < QUESTIONS_MAX &&
           (state = stream_next(c->in + at, c->in_len - at, DNS_HEADER_OCTETS, &off, &len)) ==
               STREAM_MESSAGE) {
        ask(c, c->in + at + off, len);
        at += off + len;
    }
    if (!c->pcb) {
        return;
    }
    memmove(c->in, c->in + at, c->in_len - at);
    c->in_len -= at;
    if (state == STREAM_BAD || (state == STREAM_MORE && len > IN_MAX)) {
        drop(c, false);
    }
}

static err_t on_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t e)
{
    struct client *c = arg;
    (void)e;
    aborted = NULL;
    if (!p) {
        c->half_closed = true;
        if (c->waiting == 0) {
            drop(c, false);
        }
        return result_for(pcb);
    }
    if (p->tot_len > IN_MAX - c->in_len) {
        return (err_t)ERR_MEM; /* lwIP keeps it and offers it again: the client waits */
    }
    pbuf_copy_partial(p, c->in + c->in_len, p->tot_len, 0);
    c->in_len += p->tot_len;
    c->since = clock_now();
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    ask_whole_ones(c);
    service_flush();
    return result_for(pcb);
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
    struct client *c = arg;
    (void)len;
    aborted = NULL;
    c->since = clock_now();
    ask_whole_ones(c);
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
    if (clock_now() - c->since > SERVICE_TCP_IDLE_US) {
        drop(c, c->half_closed);
    }
    return result_for(pcb);
}

static struct client *take_slot(const struct ip_addr *addr)
{
    struct client *oldest = NULL, *empty = NULL;
    unsigned same = 0;
    for (struct client *c = clients; c < clients + SERVICE_TCP_MAX; c++) {
        if (!c->pcb) {
            empty = c;
            continue;
        }
        same += ip_equal(&c->peer.addr, addr);
        oldest = !oldest || c->since < oldest->since ? c : oldest;
    }
    if (same >= SERVICE_TCP_PER_CLIENT) {
        service.gauges.tcp_refused++;
        return NULL;
    }
    if (!empty) {
        service.gauges.tcp_evicted++;
        drop(oldest, true);
        empty = oldest;
    }
    return empty;
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
    if (!c) {
        tcp_abort(pcb);
        return (err_t)ERR_ABRT;
    }
    c->pcb = pcb;
    c->peer = (struct peer){.addr = addr,
                            .local = lwip_to_ip(&pcb->local_ip),
                            .port = pcb->remote_port,
                            .tcp = true,
                            .conn = token(c)};
    c->since = clock_now();
    c->in_len = 0;
    c->waiting = 0;
    c->half_closed = false;
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

enum err tcp_clients_start(uint16_t port)
{
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
