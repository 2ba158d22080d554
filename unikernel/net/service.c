/* DNS over UDP, and the way of the resolver's output. */
#include "net/service_int.h"

#include <string.h>

#include "arch/aarch64/cpu.h"
#include "dns/proto.h"
#include "net/lwip.h"
#include "net/lwip_addr.h"

enum { BUFFER = 4096 };

struct service service;

static struct udp_pcb *listener;

static void count_first_answer(void)
{
    if (service.gauges.first_answer_us == 0) {
        service.gauges.first_answer_us = clock_now();
    }
}

static void send_udp(const ip_addr_t *to, uint16_t port, const ip_addr_t *from, const uint8_t *data,
                     size_t len)
{
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)len, PBUF_RAM);
    if (!p) {
        return; /* the client asks again; lwIP counts the refusal */
    }
    pbuf_take(p, data, (u16_t)len);
    struct netif *out = netif_default;
    (void)udp_sendto_if_src(listener, p, to, port, out, from);
    pbuf_free(p);
    count_first_answer();
}

static void on_datagram(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *addr,
                        u16_t port)
{
    static uint8_t buffer[BUFFER];
    uint16_t owner;
    (void)arg;
    (void)pcb;
    const ip_addr_t local = *ip_current_dest_addr();
    /* A source port of 0 can be no client, and an answer to a broadcast would come from no address.
     */
    if (port == 0 || p->tot_len > sizeof buffer || ip_addr_ismulticast(&local) ||
        ip_addr_isbroadcast(&local, ip_current_netif())) {
        pbuf_free(p);
        return;
    }
    struct packet packet = {.data = buffer, .len = p->tot_len, .cap = sizeof buffer};
    pbuf_copy_partial(p, buffer, p->tot_len, 0);
    pbuf_free(p);
    struct peer peer = {.addr = lwip_to_ip(addr), .local = lwip_to_ip(&local), .port = port};
    if (resolver_query(service.resolver, clock_now(), &peer, &packet, &owner) == RESOLVER_ANSWER) {
        send_udp(addr, port, &local, packet.data, packet.len);
    }
    service_flush();
}

void service_flush(void)
{
    struct output out;
    while (resolver_output(service.resolver, &out)) {
        switch (out.kind) {
        case OUTPUT_ANSWER:
            if (out.peer.tcp) {
                tcp_client_answer(&out.peer, out.data, out.len);
            } else {
                ip_addr_t to, from;
                lwip_from_ip(&out.peer.addr, &to);
                lwip_from_ip(&out.peer.local, &from);
                send_udp(&to, out.peer.port, &from, out.data, out.len);
            }
            break;
        case OUTPUT_UDP:
            upstream_send_udp(out.ticket, out.upstream, out.data, out.len);
            break;
        case OUTPUT_STREAM:
            line_send(out.ticket, out.upstream, out.data, out.len);
            break;
        case OUTPUT_RELEASE:
            upstream_release(out.ticket);
            break;
        }
    }
}

usec_t service_run(void)
{
    usec_t now = clock_now();
    if (resolver_deadline(service.resolver) <= now) {
        resolver_tick(service.resolver, now);
    }
    service_flush();
    tcp_clients_run();
    return resolver_deadline(service.resolver);
}

void service_set_snapshot(const struct snapshot *snapshot)
{
    service.snapshot = snapshot;
}

enum err service_start(struct resolver *r, struct rng *rng, uint16_t port,
                       const struct service_tcp_limits *tcp)
{
    service.resolver = r;
    service.rng = rng;
    listener = udp_new_ip_type(IPADDR_TYPE_ANY);
    if (!listener) {
        return ERR_MEMORY;
    }
    if (udp_bind(listener, IP_ANY_TYPE, port) != LWIP_ERR_OK) {
        return ERR_STATE;
    }
    udp_recv(listener, on_datagram, NULL);
    return tcp_clients_start(port, tcp);
}

void service_get_gauges(struct service_gauges *out)
{
    *out = service.gauges;
}
