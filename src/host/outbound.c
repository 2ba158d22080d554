/*
 * A socket that is disconnected gives its port back to the kernel, and takes a new random one when
 * it is connected again: two cheap calls instead of making, binding, watching and closing a socket
 * for each question. Between tickets a socket has no port, so nothing can arrive on it; what was
 * already queued is read away before it is used anew.
 *
 * Each exchange is five system calls, so what stands around them counts: sockets are watched
 * edge-triggered (no second look by epoll), and the C library's wrappers are left out, which make
 * each call a point of thread cancellation (4 % of an uncached query).
 *
 * Where the kernel's choice of ports is not good enough, sockets are made anew for each ticket with
 * a port of our own generator.
 */
#include "host/outbound.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/pool.h"
#include "base/require.h"
#include "host/poll_tag.h"
#include "host/sockaddr.h"
#include "host/ticketmap.h"

#define DATAGRAMS_A_TURN                                                                         \
    64 /* read from one socket before others get their turn; the rest waits for the next to come \
        */
#define DRAIN_MAX  64 /* queued datagrams thrown away before a socket is given up */
#define BIND_TRIES 16

struct out_slot {
    int fd; /* -1: none */
    uint32_t ticket;
    uint32_t next; /* in the list of open and unused ones */
    sa_family_t family;
};

struct outbound {
    struct outbound_config cfg;
    struct rng rng;
    struct out_slot *slot;
    uint32_t *chain;
    struct pool pool; /* slots without a socket */
    uint32_t kept[2]; /* open, unused sockets: IPv4, IPv6 */
    uint32_t kept_count;
    uint32_t used;
    struct ticketmap tickets;
};

static ssize_t fast_send(int fd, const uint8_t *data, size_t len)
{
    return syscall(SYS_sendto, fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
}

static ssize_t fast_receive(int fd, uint8_t *buf, size_t cap)
{
    return syscall(SYS_recvfrom, fd, buf, cap, MSG_DONTWAIT | MSG_TRUNC, NULL, NULL);
}

static int fast_connect(int fd, const struct sockaddr *to, socklen_t len)
{
    return (int)syscall(SYS_connect, fd, to, len);
}

static bool ports_wide_enough(void)
{
    FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    int low = 0;
    int high = 0;
    bool read_both = f && fscanf(f, "%d %d", &low, &high) == 2;
    if (f) {
        fclose(f);
    }
    return read_both && high - low + 1 >= OUTBOUND_PORTS_MIN;
}

enum outbound_ports outbound_detect(void)
{
    struct utsname name;
    int major = 0;
    int minor = 0;
    if (uname(&name) != 0 || sscanf(name.release, "%d.%d", &major, &minor) != 2) {
        return OUTBOUND_FRESH;
    }
    bool kernel = major > 5 || (major == 5 && minor >= 19);
    return kernel && ports_wide_enough() ? OUTBOUND_RENEW : OUTBOUND_FRESH;
}

enum err outbound_new(struct outbound **out, const struct outbound_config *cfg)
{
    REQUIRE(cfg->sockets_max > 0 && cfg->buffer && cfg->buffer_len >= 512);
    struct outbound *o = calloc(1, sizeof *o);
    if (!o) {
        return ERR_MEMORY;
    }
    o->cfg = *cfg;
    rng_init(&o->rng, cfg->seed);
    o->slot = calloc(cfg->sockets_max, sizeof *o->slot);
    o->chain = calloc(cfg->sockets_max, sizeof *o->chain);
    if (!o->slot || !o->chain || ticketmap_init(&o->tickets, cfg->sockets_max) != ERR_OK) {
        outbound_free(o);
        return ERR_MEMORY;
    }
    for (uint32_t i = 0; i < cfg->sockets_max; i++) {
        o->slot[i].fd = -1;
    }
    pool_init(&o->pool, o->chain, cfg->sockets_max);
    o->kept[0] = o->kept[1] = POOL_NONE;
    *out = o;
    return ERR_OK;
}

size_t outbound_memory(uint32_t sockets)
{
    return sizeof(struct outbound) + sockets * (sizeof(struct out_slot) + sizeof(uint32_t)) +
           ticketmap_memory(sockets);
}

void outbound_free(struct outbound *o)
{
    if (!o) {
        return;
    }
    for (uint32_t i = 0; o->slot && i < o->cfg.sockets_max; i++) {
        if (o->slot[i].fd >= 0) {
            close(o->slot[i].fd);
        }
    }
    ticketmap_fini(&o->tickets);
    free(o->slot);
    free(o->chain);
    free(o);
}

static void close_slot(struct outbound *o, uint32_t i)
{
    close(o->slot[i].fd);
    o->slot[i].fd = -1;
    pool_give(&o->pool, i);
}

/*
 * Questions are small, so they are sent with "don't fragment"; what a router says about packet
 * sizes is ignored, since that can be forged too.
 */
static void set_options(int fd, sa_family_t family)
{
    int probe4 = IP_PMTUDISC_PROBE;
    int probe6 = IPV6_PMTUDISC_PROBE;
    if (family == AF_INET) {
        setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe4, sizeof probe4);
    } else {
        setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe6, sizeof probe6);
    }
}

/* A new socket in a free slot, watched; POOL_NONE when there is none to have. */
static uint32_t open_slot(struct outbound *o, sa_family_t family)
{
    uint32_t i = pool_take(&o->pool);
    if (i == POOL_NONE) {
        return POOL_NONE;
    }
    struct out_slot *s = &o->slot[i];
    s->fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    s->family = family;
    if (s->fd < 0) {
        pool_give(&o->pool, i);
        return POOL_NONE;
    }
    set_options(s->fd, family);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.u64 = poll_tag(POLL_OUTBOUND, i)};
    if (epoll_ctl(o->cfg.epoll, EPOLL_CTL_ADD, s->fd, &ev) != 0) {
        close_slot(o, i);
        return POOL_NONE;
    }
    return i;
}

/* When all sockets are open and those kept are of the other family, one of them makes room. */
static void make_room(struct outbound *o, unsigned family)
{
    uint32_t other = o->kept[family ^ 1u];
    if (o->kept[family] == POOL_NONE && other != POOL_NONE && o->pool.free == POOL_NONE) {
        o->kept[family ^ 1u] = o->slot[other].next;
        o->kept_count--;
        close_slot(o, other);
    }
}

static uint32_t take_slot(struct outbound *o, sa_family_t family)
{
    unsigned f = family == AF_INET6;
    make_room(o, f);
    uint32_t i = o->kept[f];
    if (i == POOL_NONE) {
        return open_slot(o, family);
    }
    o->kept[f] = o->slot[i].next;
    o->kept_count--;
    return i;
}

/* Bind to a port of our own choice; any port that is free will do. */
static bool bind_random(struct outbound *o, const struct out_slot *s)
{
    static const struct ip_addr any6;
    static const uint8_t any4[4];
    struct ip_addr any = s->family == AF_INET ? ip_v4(any4) : any6;
    for (int i = 0; i < BIND_TRIES; i++) {
        union sockaddr_any local;
        uint16_t port = (uint16_t)(1024 + rng_below(&o->rng, 65536 - 1024));
        socklen_t len = sockaddr_from_ip(&any, port, 0, &local);
        if (bind(s->fd, &local.sa, len) == 0) {
            return true;
        }
    }
    return false;
}

/* Disconnect (which lets go of the port), then read away what came too late. False: the socket is
 * of no more use. */
static bool reset_socket(struct outbound *o, int fd)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    if (fast_connect(fd, &none, sizeof none) != 0) {
        return false;
    }
    for (int i = 0; i < DRAIN_MAX; i++) {
        if (fast_receive(fd, o->cfg.buffer, 1) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return true;
        }
    }
    return false;
}

/* A slot that is not used any more: keep its socket or close it. */
static void give_slot(struct outbound *o, uint32_t i)
{
    struct out_slot *s = &o->slot[i];
    s->ticket = 0;
    if (o->cfg.ports == OUTBOUND_FRESH || o->kept_count >= o->cfg.sockets_kept ||
        !reset_socket(o, s->fd)) {
        close_slot(o, i);
        return;
    }
    unsigned f = s->family == AF_INET6;
    s->next = o->kept[f];
    o->kept[f] = i;
    o->kept_count++;
}

static enum resolver_failure failure_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return RESOLVER_REFUSED;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EAGAIN:
    case EADDRINUSE:
        return RESOLVER_NO_SOCKET;
    default:
        return RESOLVER_UNREACHABLE;
    }
}

/* Send; an error that an earlier datagram left on the socket is not this one's: try once more. */
static bool send_once(const struct out_slot *s, const uint8_t *data, size_t len)
{
    return fast_send(s->fd, data, len) >= 0 ||
           (errno == ECONNREFUSED && fast_send(s->fd, data, len) >= 0);
}

/* Give it a port and an upstream. */
static bool connect_slot(struct outbound *o, const struct out_slot *s,
                         const struct ip_endpoint *upstream)
{
    union sockaddr_any to;
    socklen_t to_len = sockaddr_from_endpoint(upstream, &to);
    if (o->cfg.ports == OUTBOUND_FRESH && !bind_random(o, s)) {
        errno = EADDRINUSE;
        return false;
    }
    return fast_connect(s->fd, &to.sa, to_len) == 0;
}

bool outbound_send(struct outbound *o, uint32_t ticket, const struct ip_endpoint *upstream,
                   const uint8_t *data, size_t len, enum resolver_failure *why)
{
    uint32_t i = ticketmap_find(&o->tickets, ticket);
    if (i != TICKETMAP_NONE) {
        bool sent = send_once(&o->slot[i], data, len);
        *why = sent ? *why : failure_of(errno);
        return sent;
    }
    i = take_slot(o, ip_is_v4(&upstream->addr) ? AF_INET : AF_INET6);
    if (i == POOL_NONE) {
        *why = RESOLVER_NO_SOCKET;
        return false;
    }
    if (!connect_slot(o, &o->slot[i], upstream) || !send_once(&o->slot[i], data, len)) {
        *why = failure_of(errno);
        give_slot(o, i);
        return false;
    }
    o->slot[i].ticket = ticket;
    o->used++;
    ticketmap_insert(&o->tickets, ticket, i);
    return true;
}

bool outbound_release(struct outbound *o, uint32_t ticket)
{
    uint32_t i = ticketmap_remove(&o->tickets, ticket);
    if (i == TICKETMAP_NONE) {
        return false;
    }
    o->used--;
    give_slot(o, i);
    return true;
}

void outbound_ready(struct outbound *o, uint32_t slot)
{
    REQUIRE(slot < o->cfg.sockets_max);
    struct out_slot *s = &o->slot[slot];
    uint32_t ticket = s->ticket;
    for (int n = 0; n < DATAGRAMS_A_TURN && ticket != 0 && s->ticket == ticket; n++) {
        ssize_t len = fast_receive(s->fd, o->cfg.buffer, o->cfg.buffer_len);
        if (len > (ssize_t)o->cfg.buffer_len) {
            continue; /* it was cut off */
        }
        if (len >= 0) {
            o->cfg.events.response(o->cfg.events.arg, ticket, o->cfg.buffer, (size_t)len);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
            return;
        } else {
            o->cfg.events.failed(o->cfg.events.arg, ticket, failure_of(errno));
            return;
        }
    }
}

uint32_t outbound_used(const struct outbound *o)
{
    return o->used;
}

uint32_t outbound_open(const struct outbound *o)
{
    return o->used + o->kept_count;
}
