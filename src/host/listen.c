/*
 * Binding the addresses of the configuration.
 */
#include "host/listen.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/require.h"
#include "host/sockaddr.h"

#define BACKLOG          1024
#define KEEPALIVE_IDLE_S 25 /* then a probe each … */
#define KEEPALIVE_EACH_S 10
#define KEEPALIVE_COUNT  3
#define PORT_TRIES       16 /* for a free port that UDP and TCP both have */

static void set_int(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof value);
}

static void set_udp_options(int fd, int family, bool wildcard)
{
    int want = (int)LISTEN_BUFFER_WANTED / 2; /* the kernel doubles it */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &want, sizeof want) != 0) {
        set_int(fd, SOL_SOCKET, SO_RCVBUF, want);
    }
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof want) != 0) {
        set_int(fd, SOL_SOCKET, SO_SNDBUF, want);
    }
    /* Answers are small; a forged "packet too big" must not make them be sent in fragments. */
    if (family == AF_INET) {
        set_int(fd, IPPROTO_IP, IP_PKTINFO, wildcard);
        set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
    } else {
        set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, wildcard);
        set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
    }
}

/*
 * Accepted connections inherit these. A client that vanished without a word (switched off, out of
 * range) is found out within a minute, also where idle connections may live longer (hardening D7).
 */
static void set_tcp_options(int fd)
{
    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_EACH_S);
    set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
}

/* Bind; an address that is not there (yet) is taken all the same. */
static int bind_socket(int fd, const union sockaddr_any *addr, socklen_t len, bool *missing)
{
    if (bind(fd, &addr->sa, len) == 0) {
        return 0;
    }
    if (errno != EADDRNOTAVAIL) {
        return -1;
    }
    *missing = true;
    if (addr->sa.sa_family == AF_INET) {
        set_int(fd, IPPROTO_IP, IP_FREEBIND, 1);
    } else {
        set_int(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
    }
    return bind(fd, &addr->sa, len);
}

/* One bound socket; -1 with errno. `endpoint` gets the port if it was 0. */
static int open_socket(struct ip_endpoint *endpoint, bool wildcard, int type, bool *missing)
{
    union sockaddr_any addr;
    socklen_t len = sockaddr_from_endpoint(endpoint, &addr);
    int fd = socket(addr.sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (addr.sa.sa_family == AF_INET6) {
        set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    if (type == SOCK_STREAM) {
        set_tcp_options(fd);
    } else {
        set_udp_options(fd, addr.sa.sa_family, wildcard);
    }
    if (bind_socket(fd, &addr, len, missing) != 0 ||
        (type == SOCK_STREAM && listen(fd, BACKLOG) != 0)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    len = sizeof addr;
    if (endpoint->port == 0 && getsockname(fd, &addr.sa, &len) == 0) {
        endpoint->port = ntohs(addr.v4.sin_port); /* at the same place in both families */
    }
    return fd;
}

static void close_listener(struct listener *l, uint32_t workers)
{
    for (uint32_t w = 0; w < workers; w++) {
        if (l->udp && l->udp[w] >= 0) {
            close(l->udp[w]);
        }
        if (l->tcp && l->tcp[w] >= 0) {
            close(l->tcp[w]);
        }
    }
    free(l->udp);
    free(l->tcp);
    l->udp = l->tcp = NULL;
}

/* Room for one descriptor a worker, none open; NULL. */
static int *new_descriptors(uint32_t workers)
{
    int *fds = malloc(workers * sizeof *fds);
    for (uint32_t w = 0; fds && w < workers; w++) {
        fds[w] = -1;
    }
    return fds;
}

/* All sockets of one address. False with errno. */
static bool open_listener(struct listener *l, uint32_t workers, bool *missing)
{
    l->udp = new_descriptors(workers);
    l->tcp = new_descriptors(workers);
    if (!l->udp || !l->tcp) {
        return false;
    }
    for (uint32_t w = 0; w < workers; w++) {
        l->tcp[w] = open_socket(&l->endpoint, l->wildcard, SOCK_STREAM, missing);
        l->udp[w] =
            l->tcp[w] < 0 ? -1 : open_socket(&l->endpoint, l->wildcard, SOCK_DGRAM, missing);
        if (l->udp[w] < 0) {
            return false;
        }
    }
    return true;
}

static bool open_any_port(struct listener *l, const struct ip_endpoint *endpoint, uint32_t workers,
                          bool *missing)
{
    int tries = endpoint->port == 0 ? PORT_TRIES : 1;
    for (int i = 0; i < tries; i++) {
        *l = (struct listener){.endpoint = *endpoint,
                               .wildcard = ip_is_unspecified(&endpoint->addr)};
        if (open_listener(l, workers, missing)) {
            return true;
        }
        int error = errno;
        close_listener(l, workers);
        errno = error;
    }
    return false;
}

enum err listeners_open(struct listeners *l, const struct ip_endpoint *endpoint, uint32_t count,
                        uint32_t workers)
{
    REQUIRE(workers > 0);
    *l = (struct listeners){.workers = workers};
    if (count > LISTENERS_MAX) {
        return ERR_LIMIT;
    }
    for (uint32_t i = 0; i < count; i++) {
        char text[IP_ENDPOINT_TEXT];
        bool missing = false;
        ip_endpoint_format(&endpoint[i], text);
        if (!open_any_port(&l->item[i], &endpoint[i], workers, &missing)) {
            log_error(NET, "cannot listen on %s: %s", text, strerror(errno));
            listeners_close(l);
            return ERR_IO;
        }
        l->count++;
        ip_endpoint_format(&l->item[i].endpoint, text);
        if (missing) {
            log_warning(NET, "listening on %s, which is not an address of this machine yet", text);
        } else {
            log_info(NET, "listening on %s", text);
        }
    }
    return ERR_OK;
}

bool listeners_steer(const struct listeners *l)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_CPU)),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, l->workers), BPF_STMT(BPF_RET | BPF_A, 0)};
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    for (uint32_t i = 0; i < l->count; i++) {
        if (setsockopt(l->item[i].udp[0], SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
                       sizeof program) != 0) {
            return false;
        }
    }
    return true;
}

void listeners_close(struct listeners *l)
{
    for (uint32_t i = 0; i < l->count; i++) {
        close_listener(&l->item[i], l->workers);
    }
    l->count = 0;
}

uint32_t listeners_buffer(const struct listeners *l)
{
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < l->count; i++) {
        int octets = 0;
        socklen_t len = sizeof octets;
        if (getsockopt(l->item[i].udp[0], SOL_SOCKET, SO_RCVBUF, &octets, &len) == 0 &&
            (uint32_t)octets < least) {
            least = (uint32_t)octets;
        }
    }
    return least;
}
