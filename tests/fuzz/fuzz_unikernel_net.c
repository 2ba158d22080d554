/*
 * The network of the bare-metal image, whole: Ethernet frames into lwIP with our glue, the DNS
 * service on UDP and TCP over a real engine, the HTTP server over the real API. The input is a
 * little program: raw frames, segments of TCP connections that the program carries on as a peer
 * would, datagrams, answers of a DHCP server and of upstreams, time. Nothing may be read or written
 * outside, and in the end, when all peers are gone, every buffer, segment and control block is back
 * where it was. TLS is left out.
 */
#include <string.h>

#include "api_fixture.h"
#include "arch/aarch64/cpu.h"
#include "base/rng.h"
#include "dns/build.h"
#include "drivers/nic.h"
#include "fuzz.h"
#include "net/httpd.h"
#include "net/net.h"
#include "net/service_int.h"
#include "world.h"

/* What of the glue has to be set back. */
#include "../../unikernel/net/net.c"
#include "lwip/nd6.h"
#include "lwip/priv/tcp_priv.h"

enum { STEPS_MAX = 64, PEERS = 4, QUEUE = 8, DRAIN_S = 75 };

usec_t fake_now;
static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1}, peer_mac[6] = {2, 0, 0, 0, 0, 9};
static const uint8_t our_ip[4] = {10, 0, 0, 2}, gateway[4] = {10, 0, 0, 1};

/* ---- The device: a queue of frames in; of those out, what a peer has to know. ---- */

/* A TCP connection as its other end sees it. */
static struct peer_tcp {
    uint16_t port, to;
    uint32_t seq, ack;
} peers[PEERS];

static struct {
    uint16_t len;
    uint8_t data[NIC_FRAME_MAX];
} queue[QUEUE];
static unsigned queued;
static bool answers_arp;
static uint32_t dhcp_xid;
static uint8_t question[600]; /* the last one to an upstream, from its port on */
static size_t question_len;

static void enqueue(const uint8_t *frame, size_t len)
{
    if (queued < QUEUE && len <= NIC_FRAME_MAX) {
        memcpy(queue[queued].data, frame, len);
        queue[queued++].len = (uint16_t)len;
    }
}

static void answer_arp(const uint8_t *f)
{
    uint8_t r[42];
    memcpy(r, f, sizeof r);
    memcpy(r, f + 6, 6);
    memcpy(r + 6, peer_mac, 6);
    r[21] = 2;
    memcpy(r + 22, peer_mac, 6);
    memcpy(r + 28, f + 38, 4);
    memcpy(r + 32, f + 22, 10);
    enqueue(r, sizeof r);
}

static void look_at_tcp(const uint8_t *ip, size_t len)
{
    const uint8_t *t = ip + 20;
    for (unsigned i = 0; len >= 40 && i < PEERS; i++) {
        struct peer_tcp *p = &peers[i];
        if (be16_read(t + 2) == p->port && be16_read(t) == p->to) {
            size_t head = (size_t)(t[12] >> 4) * 4;
            FUZZ_CHECK(head >= 20 && 20 + head <= len);
            p->ack = be32_read(t + 4) + (uint32_t)(len - 20 - head) + ((t[13] & 3) != 0);
            p->seq = t[13] & 16 ? be32_read(t + 8) : p->seq;
        }
    }
}

static void look_at_udp(const uint8_t *ip, size_t len)
{
    const uint8_t *u = ip + 20;
    if (len >= 28 && be16_read(u + 2) == 67 && len >= 36) {
        dhcp_xid = be32_read(u + 12);
    } else if (len >= 28 && be16_read(u + 2) == 53 && len - 20 <= sizeof question) {
        question_len = len - 20;
        memcpy(question, u, question_len);
    }
}

static bool dev_send(struct nic *nic, const void *frame, size_t len)
{
    const uint8_t *f = frame;
    (void)nic;
    FUZZ_CHECK(len >= 14 && len <= NIC_FRAME_MAX && memcmp(f + 6, our_mac, 6) == 0);
    unsigned type = be16_read(f + 12);
    if (type == 0x806 && len >= 42 && f[21] == 1 && answers_arp) {
        answer_arp(f);
    }
    if (type == 0x800 && len >= 34) {
        size_t total = be16_read(f + 16);
        FUZZ_CHECK(f[14] >> 4 == 4 && total >= 20 && total + 14 <= len);
        if (f[14] == 0x45 && f[23] == 6) {
            look_at_tcp(f + 14, total);
        } else if (f[14] == 0x45 && f[23] == 17) {
            look_at_udp(f + 14, total);
        }
    }
    return true;
}

static unsigned given;
static const uint8_t *dev_receive(struct nic *nic, size_t *len)
{
    (void)nic;
    if (given == queued) {
        given = queued = 0;
        return NULL;
    }
    *len = queue[given].len;
    return queue[given].data;
}

static void dev_done(struct nic *nic)
{
    (void)nic;
    given++;
}

static bool link_up = true;
static void dev_link(struct nic *nic, struct nic_link *out)
{
    (void)nic;
    *out = (struct nic_link){.up = link_up, .mbit = 1000, .full_duplex = true};
}

static struct nic nic = {.name = "fuzz",
                         .mac = {2, 0, 0, 0, 0, 1},
                         .receive = dev_receive,
                         .receive_done = dev_done,
                         .send = dev_send,
                         .link = dev_link};

/* ---- TLS is not here: no upstream asks for it. ---- */

#define NO_TLS(name)                            \
    int name(void);                             \
    int name(void)                              \
    {                                           \
        fprintf(stderr, "%s: no TLS\n", #name); \
        abort();                                \
    }
NO_TLS(mbedtls_ssl_handshake)
NO_TLS(mbedtls_ssl_read)
NO_TLS(mbedtls_ssl_write)
NO_TLS(mbedtls_ssl_setup)
NO_TLS(mbedtls_ssl_close_notify)
NO_TLS(mbedtls_ssl_get_verify_result)
NO_TLS(mbedtls_ssl_free)
NO_TLS(mbedtls_ssl_init)
NO_TLS(mbedtls_ssl_set_bio)
NO_TLS(tls_config)
NO_TLS(tls_expect)
NO_TLS(tls_reason)
NO_TLS(tls_session_keep)
NO_TLS(tls_session_drop)
NO_TLS(tls_session_offer)

/* ---- The house. ---- */

static struct world world;
static struct api_fixture fixture;
static struct rng rng;
static uint16_t memp_used[MEMP_MAX];
static size_t heap_used;

static void note_pools(void)
{
    for (unsigned i = 0; i < MEMP_MAX; i++) {
        memp_used[i] = (uint16_t)lwip_stats.memp[i]->used;
    }
    heap_used = lwip_stats.mem.used;
}

static void start(void)
{
    static const struct net_config cfg = {
        .use_dhcp = true, .hostname = "sinkhole", .time_server = "192.0.2.123", .time_port = 123};
    static const struct service_tcp_limits limits = {
        .connections = 6, .per_client = 4, .idle_us = 10 * USEC_PER_SEC};
    const uint8_t seed[32] = {7};
    fake_now = WORLD_START;
    rng_init(&rng, seed);
    world_open(&world);
    world.rc.pending_max = 16;
    world.rc.waiting_max = 16;
    world.rc.clients_max = 16;
    world.cc.entries = 256;
    world_add_list_line(&world, 0, "||ads.example^");
    world_add_local(&world, "nas.lan A 192.168.1.5");
    world_add_upstream(&world, UPSTREAM_UDP, 0);
    world_add_upstream(&world, UPSTREAM_TCP, 0);
    world.draft.upstreams[0].endpoint.addr = ip_v4((const uint8_t[]){10, 0, 0, 53});
    world.draft.upstreams[1].endpoint.addr = ip_v4((const uint8_t[]){10, 0, 0, 54});
    world_apply(&world);
    api_fixture_open(&fixture);
    net_start(&nic, &cfg, &rng);
    service_set_snapshot(world.snap);
    FUZZ_CHECK(service_start(world.resolver[0], &rng, 53, &limits) == ERR_OK);
    FUZZ_CHECK(httpd_start(80, fixture.api) == ERR_OK);
}

static void no_address(void)
{
    ip4_addr_t none = {0};
    netif_set_addr(&interface, &none, &none, &none);
    for (s8_t i = 1; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        netif_ip6_addr_set_state(&interface, i, IP6_ADDR_INVALID);
    }
    netif_ip6_addr_set_state(&interface, 0, IP6_ADDR_PREFERRED); /* a duplicate would end it */
}

/* As after start: no peer is known, no address is had. */
static void begin(unsigned how)
{
    queued = given = 0;
    question_len = 0;
    answers_arp = (how & 2) != 0;
    link_up = true;
    memset(peers, 0, sizeof peers);
    link_checked = fake_now;
    time_server = how & 4 ? "192.0.2.123" : NULL;
    if (how & 1) {
        dhcp_start(&interface);
    } else {
        ip4_addr_t address, mask, router;
        IP4_ADDR(&address, 10, 0, 0, 2);
        IP4_ADDR(&mask, 255, 255, 255, 0);
        IP4_ADDR(&router, 10, 0, 0, 1);
        netif_set_addr(&interface, &address, &mask, &router);
    }
}

static void end(void)
{
    answers_arp = false;
    queued = given = 0;
    while (tcp_active_pcbs) {
        tcp_abort(tcp_active_pcbs);
        service_run();
    }
    while (tcp_tw_pcbs) {
        struct tcp_pcb *pcb = tcp_tw_pcbs;
        tcp_pcb_remove(&tcp_tw_pcbs, pcb);
        memp_free(MEMP_TCP_PCB, pcb);
    }
    for (usec_t until = fake_now + DRAIN_S * USEC_PER_SEC, next = 0; fake_now < until;) {
        next = service_run();
        fake_now = next > fake_now && next < until ? next : next <= fake_now ? fake_now : until;
    }
    while (tcp_active_pcbs) { /* to upstreams, meanwhile */
        tcp_abort(tcp_active_pcbs);
        service_run();
    }
    sntp_stop();
    dhcp_release_and_stop(&interface);
    no_address();
    if (!netif_is_link_up(&interface)) {
        netif_set_link_up(&interface);
    }
    etharp_cleanup_netif(&interface);
    nd6_cleanup_netif(&interface);
    sys_restart_timeouts();
    cache_flush(world.cache);
    queued = given = 0;
}

static void check_pools(void)
{
    struct httpd_gauges http;
    struct service_gauges dns;
    httpd_get_gauges(&http);
    service_get_gauges(&dns);
    FUZZ_CHECK(http.open == 0 && dns.tcp_clients == 0 && dns.tickets == 0);
    if (lwip_stats.memp[MEMP_ND6_QUEUE]->used > 0) {
        return; /* some of these do not come back yet: docs/hardening.md */
    }
    for (unsigned i = 0; i < MEMP_MAX; i++) {
        if (i == MEMP_SYS_TIMEOUT) { /* some run out later; there must always have been one */
            FUZZ_CHECK(lwip_stats.memp[i]->err == 0);
        } else if (lwip_stats.memp[i]->used != memp_used[i]) {
            fprintf(stderr, "pool %s: %u used, %u before\n", lwip_stats.memp[i]->name,
                    (unsigned)lwip_stats.memp[i]->used, memp_used[i]);
            abort();
        }
    }
    FUZZ_CHECK(lwip_stats.mem.used == heap_used);
}

/* ---- The program. ---- */

static const uint8_t *in;
static size_t left;

static unsigned take(void)
{
    if (left == 0) {
        return 0;
    }
    left--;
    return *in++;
}

static size_t take_octets(uint8_t *out, size_t cap)
{
    size_t n = take();
    n = n == 255 ? cap : n; /* all that is left */
    n = n < left ? n : left;
    n = n < cap ? n : cap;
    memcpy(out, in, n);
    in += n;
    left -= n;
    return n;
}

static void poll(void)
{
    for (unsigned i = 0; i < 4 && (queued > 0 || i == 0); i++) {
        (void)net_poll();
        (void)service_run();
    }
}

static uint8_t frame[NIC_FRAME_MAX];

/* Ethernet and IPv4 in front of `len` octets that stand at frame + 34. */
static void send_ip(uint8_t protocol, const uint8_t from[4], const uint8_t to[4], size_t len)
{
    uint8_t *ip = frame + 14;
    memcpy(frame, to[0] == 255 ? (const uint8_t *)"\xff\xff\xff\xff\xff\xff" : our_mac, 6);
    memcpy(frame + 6, peer_mac, 6);
    be16_write(frame + 12, 0x800);
    memset(ip, 0, 20);
    ip[0] = 0x45;
    be16_write(ip + 2, (uint16_t)(20 + len));
    ip[8] = 64;
    ip[9] = protocol;
    memcpy(ip + 12, from, 4);
    memcpy(ip + 16, to, 4);
    enqueue(frame, 34 + len);
}

static void send_udp_to(const uint8_t from[4], uint16_t sport, const uint8_t to[4], uint16_t dport,
                        size_t len)
{
    uint8_t *u = frame + 34;
    be16_write(u, sport);
    be16_write(u + 2, dport);
    be16_write(u + 4, (uint16_t)(8 + len));
    be16_write(u + 6, 0);
    send_ip(17, from, to, 8 + len);
}

static void raw(unsigned op)
{
    size_t n = take_octets(frame + 14, sizeof frame - 14);
    static const uint16_t types[] = {0x800, 0x806, 0x86dd, 0x800};
    static const uint8_t multicast[][6] = {{0x33, 0x33, 0, 0, 0, 1}, {1, 0, 0x5e, 0, 0, 0xfb}};
    memcpy(frame, op & 8 ? multicast[op >> 4 & 1] : our_mac, 6);
    memcpy(frame + 6, peer_mac, 6);
    be16_write(frame + 12, op & 128 ? (uint16_t)(take() << 8) : types[op >> 5 & 3]);
    enqueue(frame, 14 + n);
}

static void tcp(unsigned op)
{
    static const char *const texts[] = {
        "GET / HTTP/1.1\r\nHost: sinkhole\r\n\r\n", "POST /api/auth HTTP/1.1\r\nHost: a\r\n",
        "GET /api/stats/summary HTTP/1.1\r\nHost: 10.0.0.2\r\nConnection: close\r\n\r\n",
        "Content-Length: 5\r\n\r\n"};
    struct peer_tcp *p = &peers[op >> 3 & 3];
    unsigned flags = take();
    uint8_t *t = frame + 34, from[4] = {10, 0, 0, (uint8_t)(20 + (op >> 3 & 3) / 2)};
    size_t n = 0;
    if (flags & 2 || p->port == 0) { /* SYN: another connection */
        p->port = (uint16_t)(2000 + (flags >> 2) * 7 + (op >> 3 & 3));
        p->to = op & 32 ? 53 : 80;
        p->seq = 1000;
        p->ack = 0;
        flags |= 2;
    }
    memset(t, 0, 20);
    be16_write(t, p->port);
    be16_write(t + 2, p->to);
    be32_write(t + 4, p->seq + (op & 64 ? take() - 4 : 0));
    be32_write(t + 8, p->ack - (op & 128 ? take() : 0));
    t[12] = 5 << 4;
    t[13] = (uint8_t)((flags & 0x2f) | (flags & 2 ? 0 : 16));
    be16_write(t + 14, flags & 128 ? (uint16_t)take() : 8192);
    if (!(flags & 2) && flags & 64) {
        const char *text = texts[take() & 3];
        n = strlen(text);
        memcpy(t + 20, text, n);
    } else if (!(flags & 2)) {
        n = take_octets(t + 20, 1000);
        if (p->to == 53 && flags & 16 && n > 1) { /* a length that fits */
            be16_write(t + 20, (uint16_t)(n - 2));
        }
    }
    p->seq += (uint32_t)n + ((flags & 3) != 0);
    send_ip(6, from, our_ip, 20 + n);
}

static void udp(unsigned op)
{
    static const uint16_t ports[] = {53, 5353, 68, 123};
    uint8_t from[4] = {10, 0, 0, (uint8_t)(20 + (op >> 6))}, *data = frame + 42;
    size_t n;
    if (op & 8) { /* a good question */
        static const char *const names[] = {"www.example", "ads.example", "nas.lan", "x.test"};
        struct dns_name name;
        FUZZ_CHECK(dns_name_parse(span_str(names[op >> 4 & 3]), &name) == ERR_OK);
        n = dns_build_query(data, 600, (uint16_t)take(), DNS_RD, name.wire, name.len,
                            op & 128 ? DNS_AAAA : DNS_A, DNS_IN, true, false);
        send_udp_to(from, 4000, our_ip, 53, n);
    } else {
        n = take_octets(data, 1200);
        send_udp_to(from, (uint16_t)(op & 128 ? 5353 : 4000), our_ip, ports[op >> 4 & 3], n);
    }
}

/* To the last question to an upstream. */
static void upstream_answer(unsigned op)
{
    static const uint8_t upstream[4] = {10, 0, 0, 53};
    uint8_t *data = frame + 42;
    if (question_len < 8 + 12) {
        return;
    }
    size_t n = question_len - 8;
    memcpy(data, question + 8, n);
    data[2] |= 0x80 | (op & 8 ? 2 : 0);
    data[3] = (uint8_t)(op >> 5);
    if (op & 16) {
        n = 12 + take_octets(data + 12, 1000);
    }
    send_udp_to(upstream, 53, our_ip, be16_read(question), n);
}

static void dhcp_answer(unsigned op)
{
    static const uint8_t everybody[4] = {255, 255, 255, 255};
    uint8_t *d = frame + 42;
    memset(d, 0, 240);
    d[0] = 2;
    d[1] = 1;
    d[2] = 6;
    be32_write(d + 4, dhcp_xid);
    memcpy(d + 16, our_ip, 4);
    memcpy(d + 28, our_mac, 6);
    be32_write(d + 236, 0x63825363);
    size_t n = 240;
    d[n++] = 53;
    d[n++] = 1;
    d[n++] = op & 8 ? 5 : 2;
    static const uint8_t usual[] = {54, 4, 10, 0, 0, 1,  1, 4, 255, 255, 255, 0,  51, 4, 0,
                                    0,  0, 60, 3, 4, 10, 0, 0, 1,   6,   4,   10, 0,  0, 1};
    if (op & 16) {
        memcpy(d + n, usual, sizeof usual);
        n += sizeof usual;
    }
    n += take_octets(d + n, 400);
    d[n++] = 255;
    send_udp_to(gateway, 67, op & 32 ? our_ip : everybody, 68, n);
}

static void other(unsigned op)
{
    switch (op >> 3 & 7) {
    case 0:
        httpd_news();
        break;
    case 1:
        link_up = !link_up;
        break;
    case 2:
        answers_arp = !answers_arp;
        break;
    case 3: {
        struct net_info info;
        struct ip_endpoint servers[4];
        struct ip_prefix networks[4];
        net_get_info(&info);
        (void)net_servers(servers, 4);
        (void)net_networks(networks, 4);
        break;
    }
    default:
        fake_now += (usec_t)take() * 40 * USEC_PER_MSEC;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static bool ready;
    if (!ready) {
        start();
        poll();
        end();
        note_pools();
        ready = true;
    }
    in = data;
    left = len;
    begin(take());
    for (unsigned i = 0; i < STEPS_MAX && left > 0; i++) {
        unsigned op = take();
        static void (*const steps[])(unsigned) = {
            raw, tcp, tcp, udp, udp, dhcp_answer, upstream_answer, other};
        steps[op & 7](op);
        if (op != 255) {
            poll();
        }
    }
    end();
    check_pools();
    return 0;
}
