/* lwIP on one network device: frames in, frames out, timers, addresses. */
#include "net/net.h"

#include <string.h>

#include "arch/aarch64/cpu.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/time.h"
#include "drivers/nic.h"
#include "lib/wallclock.h"
#include "net/lwip.h"
#include "net/lwip_addr.h"

enum { BATCH = 64, LINK_POLL_US = 1000000, MTU = 1500, MDNS_TTL_S = 120, HTTP_PORT = 80 };

static struct nic *device;
static struct netif interface;
static struct rng *random_source;
static usec_t link_checked;
static uint32_t changes;
static uint64_t rx_octets, tx_octets;
static const char *time_server; /* not asked yet; NULL: none, or asked */
static char described[160];     /* what the log said last about our addresses */

uint16_t net_time_port;                 /* read by lwIP's SNTP */
extern unsigned char net_probe_address; /* read by dhcp.c */
unsigned char net_probe_address;

u32_t sys_now(void)
{
    return (u32_t)(clock_now() / USEC_PER_MSEC);
}

uint32_t net_random(void)
{
    return rng_u32(random_source);
}

void net_time_known(uint32_t unix_seconds)
{
    if (unix_seconds < wallclock_floor_s()) {
        log_warning(NET,
                    "the time server says %u seconds since 1970, before this was built: not "
                    "believed",
                    (unsigned)unix_seconds);
        return;
    }
    if (!wallclock_known()) {
        log_info(NET, "time is known: %u seconds since 1970", (unsigned)unix_seconds);
    }
    wallclock_set((int64_t)unix_seconds * 1000000);
}

/* What a question for the time carries and its answer must repeat: nobody else knows it, and it
 * tells nothing about our clock. */
void net_time_get(uint32_t *unix_seconds, uint32_t *us)
{
    *unix_seconds = rng_u32(random_source);
    *us = rng_below(random_source, USEC_PER_SEC);
}

/* Frames that found the device busy, oldest first: a USB chip takes one at a time, and an answer
 * over UDP that is dropped here is lost. Full: the newest is dropped, and counted. A device that
 * takes none for WAITING_LONG_US has no cable: all are dropped. */
enum { WAITING_MAX = 64, WAITING_POLL_US = 500, WAITING_LONG_US = 200000 };
static struct {
    uint8_t frame[WAITING_MAX][NIC_FRAME_MAX];
    uint16_t len[WAITING_MAX];
    unsigned first, count;
    usec_t moved; /* when the device last took one, or the first began to wait */
} waiting;

static bool device_takes(const void *frame, size_t len)
{
    uint64_t dropped = device->counters.tx_dropped;
    bool sent = device->send(device, frame, len);
    device->counters.tx_dropped = dropped; /* that is for us to say */
    return sent;
}

static void send_waiting(void)
{
    while (waiting.count > 0 &&
           device_takes(waiting.frame[waiting.first], waiting.len[waiting.first])) {
        waiting.first = (waiting.first + 1) % WAITING_MAX;
        waiting.count--;
        waiting.moved = clock_now();
    }
    if (waiting.count > 0 && clock_now() - waiting.moved > WAITING_LONG_US) {
        device->counters.tx_dropped += waiting.count;
        waiting.count = 0;
    }
}

static err_t frame_out(struct netif *n, struct pbuf *p)
{
    (void)n;
    tx_octets += p->tot_len;
    if (p->tot_len > NIC_FRAME_MAX) {
        return (err_t)ERR_BUF;
    }
    send_waiting();
    if (waiting.count == 0 && !p->next && device_takes(p->payload, p->len)) {
        return (err_t)LWIP_ERR_OK;
    }
    if (waiting.count == WAITING_MAX) {
        device->counters.tx_dropped++;
        return (err_t)ERR_MEM;
    }
    waiting.moved = waiting.count == 0 ? clock_now() : waiting.moved;
    unsigned last = (waiting.first + waiting.count++) % WAITING_MAX;
    waiting.len[last] = pbuf_copy_partial(p, waiting.frame[last], p->tot_len, 0);
    send_waiting();
    return (err_t)LWIP_ERR_OK;
}

static err_t interface_init(struct netif *n)
{
    n->name[0] = 'e';
    n->name[1] = 'n';
    n->mtu = MTU;
    n->hwaddr_len = sizeof device->mac;
    memcpy(n->hwaddr, device->mac, sizeof device->mac);
    n->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP |
               NETIF_FLAG_MLD6;
    n->output = etharp_output;
    n->linkoutput = frame_out;
    n->output_ip6 = ethip6_output;
    return LWIP_ERR_OK;
}

static void status_changed(struct netif *n)
{
    char text[sizeof described];
    (void)n;
    changes++;
    if (!net_has_address()) {
        if (described[0] != '\0') {
            log_warning(NET, "no address any more");
        }
        described[0] = '\0';
        return;
    }
    if (time_server) { /* before an address is there, asking would only start long waiting */
        sntp_setoperatingmode(SNTP_OPMODE_POLL);
        if (ip_addr_isany(sntp_getserver(0))) {
            sntp_setservername(0, time_server);
        }
        sntp_init();
        time_server = NULL;
    }
    net_describe(text, sizeof text);
    if (strcmp(text, described) != 0) {
        memcpy(described, text, sizeof described);
        log_info(NET, "address %s", text);
    }
}

static void to_lwip(const struct ip_addr *from, ip4_addr_t *out)
{
    IP4_ADDR(out, from->b[12], from->b[13], from->b[14], from->b[15]);
}

static void check_link(void)
{
    struct nic_link link;
    device->link(device, &link);
    if (link.up && !netif_is_link_up(&interface)) {
        log_info(NET, "link is up%s",
                 link.mbit == 1000  ? ", 1000 Mb/s"
                 : link.mbit == 100 ? ", 100 Mb/s"
                                    : "");
        netif_set_link_up(&interface);
    } else if (!link.up && netif_is_link_up(&interface)) {
        log_warning(NET, "link is down");
        netif_set_link_down(&interface);
    }
    link_checked = clock_now();
}

void net_start(struct nic *nic, const struct net_config *cfg, struct rng *rng)
{
    device = nic;
    random_source = rng;
    net_probe_address = cfg->probe_address;
    lwip_init();
    netif_add(&interface, NULL, NULL, NULL, NULL, interface_init, ethernet_input);
    netif_set_hostname(&interface, cfg->hostname);
    netif_set_status_callback(&interface, status_changed);
    netif_create_ip6_linklocal_address(&interface, 1);
    interface.ip6_autoconfig_enabled = 1;
    netif_set_default(&interface);
    netif_set_up(&interface);
    mdns_resp_init();
    if (mdns_resp_add_netif(&interface, cfg->hostname, MDNS_TTL_S) != LWIP_ERR_OK ||
        mdns_resp_add_service(&interface, cfg->hostname, "_http", DNSSD_PROTO_TCP, HTTP_PORT,
                              MDNS_TTL_S, NULL, NULL) < 0) {
        log_warning(NET, "mDNS does not start");
    }
    check_link();
    time_server = cfg->time_server;
    net_time_port = cfg->time_port;
    sntp_servermode_dhcp(time_server != NULL);
    if (cfg->use_dhcp) {
        dhcp_start(&interface);
        return;
    }
    ip4_addr_t address, mask, gateway;
    to_lwip(&cfg->address, &address);
    to_lwip(&cfg->mask, &mask);
    to_lwip(&cfg->gateway, &gateway);
    netif_set_addr(&interface, &address, &mask, &gateway);
    ip_addr_t server;
    to_lwip(&cfg->nameserver, ip_2_ip4(&server));
    IP_SET_TYPE_VAL(server, IPADDR_TYPE_V4);
    dns_setserver(0, &server);
}

static void frame_in(const uint8_t *frame, size_t len)
{
    rx_octets += len;
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_POOL);
    if (!p) {
        device->counters.rx_dropped++;
        return;
    }
    pbuf_take(p, frame, (u16_t)len);
    if (interface.input(p, &interface) != LWIP_ERR_OK) {
        pbuf_free(p);
    }
}

bool net_poll(void)
{
    size_t len;
    const uint8_t *frame;
    int taken = 0;
    send_waiting();
    while (taken < BATCH && (frame = device->receive(device, &len)) != NULL) {
        if (len <= NIC_FRAME_MAX) {
            frame_in(frame, len);
        } else {
            device->counters.rx_errors++;
        }
        device->receive_done(device);
        taken++;
    }
    if (clock_now() - link_checked >= LINK_POLL_US) {
        check_link();
    }
    sys_check_timeouts();
    return taken > 0;
}

uint32_t net_sleep_us(void)
{
    u32_t ms = sys_timeouts_sleeptime();
    if (waiting.count > 0) {
        return WAITING_POLL_US;
    }
    return ms > LINK_POLL_US / 1000 ? LINK_POLL_US : ms * 1000;
}

uint32_t net_changes(void)
{
    return changes;
}

uint32_t net_servers(struct ip_endpoint *out, uint32_t max)
{
    uint32_t n = 0;
    for (u8_t i = 0; i < DNS_MAX_SERVERS && n < max; i++) {
        const ip_addr_t *server = dns_getserver(i);
        bool own = IP_IS_V4(server) && ip4_addr_cmp(ip_2_ip4(server), lwip_netif_ipv4(&interface));
        if (!ip_addr_isany(server) && !own) {
            out[n++] = (struct ip_endpoint){.addr = lwip_to_ip(server), .port = 53};
        }
    }
    return n;
}

static uint8_t mask_bits(const ip4_addr_t *mask)
{
    return (uint8_t)__builtin_popcount(mask->addr);
}

uint32_t net_networks(struct ip_prefix *out, uint32_t max)
{
    uint32_t n = 0;
    if (net_has_address() && n < max) {
        ip_addr_t net;
        IP_SET_TYPE_VAL(net, IPADDR_TYPE_V4);
        ip4_addr_get_network(ip_2_ip4(&net), lwip_netif_ipv4(&interface),
                             netif_ip4_netmask(&interface));
        out[n++] =
            (struct ip_prefix){.addr = lwip_to_ip(&net),
                               .bits = (uint8_t)(96 + mask_bits(netif_ip4_netmask(&interface)))};
    }
    for (int i = 0; i < LWIP_IPV6_NUM_ADDRESSES && n < max; i++) {
        if (ip6_addr_isvalid(netif_ip6_addr_state(&interface, i))) {
            ip_addr_t addr;
            ip_addr_copy_from_ip6(addr, *netif_ip6_addr(&interface, i));
            struct ip_addr network = lwip_to_ip(&addr);
            memset(network.b + 8, 0, 8);
            out[n++] = (struct ip_prefix){.addr = network, .bits = 64};
        }
    }
    return n;
}

bool net_has_address(void)
{
    return !ip4_addr_isany(lwip_netif_ipv4(&interface));
}

bool net_link_up(void)
{
    return netif_is_link_up(&interface);
}

void net_get_counters(struct nic_counters *out)
{
    *out = device->counters;
}

static void copy_text(char *to, size_t cap, const char *from)
{
    struct strbuf s;
    strbuf_init(&s, to, cap);
    strbuf_str(&s, from);
}

void net_get_info(struct net_info *out)
{
    memset(out, 0, sizeof *out);
    out->rx_octets = rx_octets;
    out->tx_octets = tx_octets;
    if (net_has_address()) {
        copy_text(out->v4, sizeof out->v4, ip4addr_ntoa(lwip_netif_ipv4(&interface)));
        copy_text(out->gateway, sizeof out->gateway, ip4addr_ntoa(netif_ip4_gw(&interface)));
    }
    for (int i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        if (ip6_addr_isvalid(netif_ip6_addr_state(&interface, i))) {
            copy_text(out->v6, sizeof out->v6, ip6addr_ntoa(netif_ip6_addr(&interface, i)));
            out->v6_count++;
        }
    }
}

void net_describe(char *text, uint32_t cap)
{
    struct strbuf s;
    strbuf_init(&s, text, cap);
    strbuf_str(&s, ip4addr_ntoa(lwip_netif_ipv4(&interface)));
    for (int i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        if (ip6_addr_isvalid(netif_ip6_addr_state(&interface, i))) {
            strbuf_char(&s, ' ');
            strbuf_str(&s, ip6addr_ntoa(netif_ip6_addr(&interface, i)));
        }
    }
}
