/*
 * A socket that is disconnected gives its port back to the kernel, and takes a new random one when
 * it is connected again: two cheap calls instead of making, binding, watching and closing a socket.
 * In between it has no port, so nothing can arrive on it; what was already queued is read away
 * before it is used anew.
 *
 * Where the kernel's choice of ports is not good enough, sockets are made anew each time with a
 * port of our own generator.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/outbound_int.h"
#include "host/poll_tag.h"
#include "host/sockaddr.h"

#define DRAIN_MAX  64 /* queued datagrams thrown away before a socket is given up */
#define BIND_TRIES 16

ssize_t outbound_receive(int fd, uint8_t *buf, size_t cap)
{
    return syscall(SYS_recvfrom, fd, buf, cap, MSG_DONTWAIT | MSG_TRUNC, NULL, NULL);
}

static int fast_connect(int fd, const struct sockaddr *to, socklen_t len)
{
    return (int)syscall(SYS_connect, fd, to, len);
}

static void close_slot(struct outbound *o, uint32_t i)
{
    spare_return(o->cfg.spare, o->slot[i].fd);
    o->slot[i].fd = -1;
    pool_give(&o->pool, i);
}

/*
 * Questions are small, so they are sent with "don't fragment"; what a router says about packet
 * sizes is ignored, since that can be forged too.
 */
static void set_options(int fd, bool inet6)
{
    int probe4 = IP_PMTUDISC_PROBE;
    int probe6 = IPV6_PMTUDISC_PROBE;
    if (inet6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe6, sizeof probe6);
    } else {
        setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe4, sizeof probe4);
    }
}

/* A new socket in a free slot, watched; POOL_NONE when there is none to have. */
static uint32_t open_slot(struct outbound *o, bool inet6)
{
    uint32_t i = pool_take(&o->pool);
    if (i == POOL_NONE) {
        return POOL_NONE;
    }
    struct out_slot *s = &o->slot[i];
    s->fd = socket(inet6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0 && spare_lend(o->cfg.spare, errno)) {
        s->fd = socket(inet6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    }
    s->inet6 = inet6;
    if (s->fd < 0) {
        pool_give(&o->pool, i);
        return POOL_NONE;
    }
    set_options(s->fd, inet6);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.u64 = poll_tag(POLL_OUTBOUND, i)};
    if (epoll_ctl(o->cfg.epoll, EPOLL_CTL_ADD, s->fd, &ev) != 0) {
        close_slot(o, i);
        return POOL_NONE;
    }
    return i;
}

/* When all sockets are open and those kept are of the other family, one of them makes room. */
static void make_room(struct outbound *o, bool inet6)
{
    uint32_t other = o->kept[!inet6];
    if (o->kept[inet6] == POOL_NONE && other != POOL_NONE && o->pool.free == POOL_NONE) {
        o->kept[!inet6] = o->slot[other].next;
        o->kept_count--;
        close_slot(o, other);
    }
}

uint32_t outbound_take_slot(struct outbound *o, bool inet6)
{
    make_room(o, inet6);
    uint32_t i = o->kept[inet6];
    if (i == POOL_NONE) {
        return open_slot(o, inet6);
    }
    o->kept[inet6] = o->slot[i].next;
    o->kept_count--;
    return i;
}

/* Bind to a port of our own choice; any port that is free will do. */
static bool bind_random(struct outbound *o, const struct out_slot *s)
{
    static const struct ip_addr any6;
    static const uint8_t any4[4];
    struct ip_addr any = s->inet6 ? any6 : ip_v4(any4);
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
static bool reset_socket(int fd)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    if (fast_connect(fd, &none, sizeof none) != 0) {
        return false;
    }
    uint8_t octet;
    for (int i = 0; i < DRAIN_MAX; i++) {
        if (outbound_receive(fd, &octet, 1) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return true;
        }
    }
    return false;
}

void outbound_give_slot(struct outbound *o, uint32_t i)
{
    struct out_slot *s = &o->slot[i];
    s->life++;
    s->count = s->live = 0;
    if (o->cfg.ports == OUTBOUND_FRESH || o->kept_count >= o->cfg.sockets_kept ||
        !reset_socket(s->fd)) {
        close_slot(o, i);
        return;
    }
    s->next = o->kept[s->inet6];
    o->kept[s->inet6] = i;
    o->kept_count++;
}

bool outbound_connect_slot(struct outbound *o, struct out_slot *s,
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
