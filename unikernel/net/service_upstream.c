/*
 * Sockets to upstreams: a ticket on UDP has one of its own with a random port out of 64 000,
 * connected to the upstream, so that lwIP drops what comes from elsewhere.
 */
#include "arch/aarch64/cpu.h"
#include "net/lwip.h"
#include "net/lwip_addr.h"
#include "net/service_int.h"

enum { PORT_LOW = 1100, PORT_TRIES = 16, TABLE = 2048 };

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

void upstream_release(uint32_t ticket)
{
    struct entry *e = entry_of(ticket);
    if (e) {
        udp_remove(e->pcb);
        entry_remove(e);
    } else {
        line_release(ticket);
    }
}
