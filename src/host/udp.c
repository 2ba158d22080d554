/*
 * Batches of UDP packets. A query and its answer share a buffer, an address and, on a socket bound
 * to all addresses, the control message that says which address was asked: sending it back makes
 * the answer leave from there.
 *
 * Buffers lie 33 cache lines apart: with a power of two the heads of all packets would fall into
 * the same few sets of the first-level cache.
 */
#include "host/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/require.h"
#include "dns/proto.h"
#include "host/sockaddr.h"

#define STRIDE  (UDP_IN_MAX + CACHE_LINE)
#define CONTROL 64 /* octets for one control message */

_Static_assert(CMSG_SPACE(sizeof(struct in6_pktinfo)) <= CONTROL, "room for the asked address");
_Static_assert(CMSG_SPACE(sizeof(struct in_pktinfo)) <= CONTROL, "room for the asked address");

struct udp_batch {
    unsigned used;    /* packets of the last receive, whose lengths must be set anew */
    unsigned replies; /* in `out` */
    struct mmsghdr in[UDP_BATCH];
    struct mmsghdr out[UDP_BATCH];
    struct iovec iov[UDP_BATCH];
    union sockaddr_any name[UDP_BATCH];
    _Alignas(CACHE_LINE) uint8_t control[UDP_BATCH][CONTROL];
    _Alignas(CACHE_LINE) uint8_t data[UDP_BATCH][STRIDE];
};

struct udp_answers {
    int fd;
    unsigned count;
    struct mmsghdr out[UDP_BATCH];
    struct iovec iov[UDP_BATCH];
    union sockaddr_any name[UDP_BATCH];
    _Alignas(CACHE_LINE) uint8_t control[UDP_BATCH][CONTROL];
    _Alignas(CACHE_LINE) uint8_t data[UDP_BATCH][STRIDE];
};

static void *new_zeroed(size_t size)
{
    void *mem = aligned_alloc(CACHE_LINE, (size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1));
    if (mem) {
        memset(mem, 0, size);
    }
    return mem;
}

enum err udp_batch_new(struct udp_batch **out)
{
    struct udp_batch *b = new_zeroed(sizeof *b);
    if (!b) {
        return ERR_MEMORY;
    }
    for (unsigned i = 0; i < UDP_BATCH; i++) {
        b->iov[i].iov_base = b->data[i];
        b->in[i].msg_hdr.msg_iov = &b->iov[i];
        b->in[i].msg_hdr.msg_iovlen = 1;
        b->in[i].msg_hdr.msg_name = &b->name[i];
    }
    b->used = UDP_BATCH;
    *out = b;
    return ERR_OK;
}

size_t udp_memory(void)
{
    return sizeof(struct udp_batch) + sizeof(struct udp_answers) + 2 * CACHE_LINE;
}

void udp_batch_free(struct udp_batch *b)
{
    free(b);
}

unsigned udp_receive(struct udp_batch *b, int fd, bool wildcard)
{
    for (unsigned i = 0; i < b->used; i++) {
        struct msghdr *h = &b->in[i].msg_hdr;
        b->iov[i].iov_len = UDP_IN_MAX;
        h->msg_namelen = sizeof b->name[i];
        h->msg_control = wildcard ? b->control[i] : NULL;
        h->msg_controllen = wildcard ? CONTROL : 0;
    }
    int n = recvmmsg(fd, b->in, UDP_BATCH, MSG_DONTWAIT, NULL);
    b->used = n > 0 ? (unsigned)n : 0;
    b->replies = 0;
    return b->used;
}

/*
 * The address that was asked, out of the control message; and make that message fit to be sent
 * back: the interface is left to routing, except for link-local addresses, which mean nothing
 * without one.
 */
static bool asked_address(struct msghdr *h, struct ip_addr *out)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(h);
    if (!c) {
        return false;
    }
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo *info = (struct in_pktinfo *)(void *)CMSG_DATA(c);
        *out = ip_v4((const uint8_t *)&info->ipi_spec_dst);
        info->ipi_ifindex = 0;
        return true;
    }
    if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo *info = (struct in6_pktinfo *)(void *)CMSG_DATA(c);
        *out = ip_v6((const uint8_t *)&info->ipi6_addr);
        if (!ip_is_link_local(out)) {
            info->ipi6_ifindex = 0;
        }
        return !IN6_IS_ADDR_MULTICAST(&info->ipi6_addr);
    }
    return false;
}

bool udp_peer(struct udp_batch *b, unsigned i, const struct ip_addr *bound, struct peer *out)
{
    struct msghdr *h = &b->in[i].msg_hdr;
    struct ip_endpoint from;
    memset(out, 0, sizeof *out);
    sockaddr_to_endpoint(&b->name[i], &from);
    out->addr = from.addr;
    out->port = from.port;
    out->scope = from.scope;
    out->local = *bound;
    if (h->msg_control && !asked_address(h, &out->local)) {
        return false;
    }
    return from.port != 0 && !(h->msg_flags & MSG_TRUNC);
}

void udp_packet(struct udp_batch *b, unsigned i, struct packet *out)
{
    *out = (struct packet){.data = b->data[i], .len = b->in[i].msg_len, .cap = UDP_IN_MAX};
}

void udp_reply(struct udp_batch *b, unsigned i, size_t len)
{
    ASSERT(len <= UDP_IN_MAX && b->replies < UDP_BATCH);
    b->iov[i].iov_len = len;
    b->out[b->replies++].msg_hdr = b->in[i].msg_hdr;
}

/* Send; a message that the kernel refuses is skipped, and when its buffers are full the rest is
 * lost, as on any full line. */
static unsigned send_all(int fd, struct mmsghdr *out, unsigned count)
{
    unsigned refused = 0;
    for (unsigned done = 0; done < count;) {
        int n = sendmmsg(fd, out + done, count - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            done += (unsigned)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
            return refused + count - done;
        } else if (errno != EINTR) {
            refused++;
            done++;
        }
    }
    return refused;
}

unsigned udp_flush(struct udp_batch *b, int fd)
{
    unsigned refused = b->replies > 0 ? send_all(fd, b->out, b->replies) : 0;
    b->replies = 0;
    return refused;
}

enum err udp_answers_new(struct udp_answers **out)
{
    struct udp_answers *a = new_zeroed(sizeof *a);
    if (!a) {
        return ERR_MEMORY;
    }
    for (unsigned i = 0; i < UDP_BATCH; i++) {
        a->iov[i].iov_base = a->data[i];
        a->out[i].msg_hdr.msg_iov = &a->iov[i];
        a->out[i].msg_hdr.msg_iovlen = 1;
        a->out[i].msg_hdr.msg_name = &a->name[i];
    }
    *out = a;
    return ERR_OK;
}

void udp_answers_free(struct udp_answers *a)
{
    free(a);
}

/* The control message that makes an answer leave from the address that was asked. */
static size_t leave_from(uint8_t *control, const struct peer *to)
{
    struct cmsghdr *c = (struct cmsghdr *)(void *)control;
    if (ip_is_v4(&to->local)) {
        struct in_pktinfo info = {0};
        memcpy(&info.ipi_spec_dst, to->local.b + 12, 4);
        *c = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof info), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
        memcpy(CMSG_DATA(c), &info, sizeof info);
        return CMSG_SPACE(sizeof info);
    }
    struct in6_pktinfo info = {.ipi6_ifindex = to->scope};
    memcpy(&info.ipi6_addr, to->local.b, 16);
    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof info), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO};
    memcpy(CMSG_DATA(c), &info, sizeof info);
    return CMSG_SPACE(sizeof info);
}

unsigned udp_answer(struct udp_answers *a, int fd, bool wildcard, const struct peer *to,
                    const uint8_t *data, size_t len)
{
    unsigned refused = 0;
    if (len > UDP_IN_MAX) {
        return 1;
    }
    if (a->count == UDP_BATCH || (a->count > 0 && a->fd != fd)) {
        refused = udp_answers_flush(a);
    }
    unsigned i = a->count++;
    struct msghdr *h = &a->out[i].msg_hdr;
    a->fd = fd;
    memcpy(a->data[i], data, len);
    a->iov[i].iov_len = len;
    h->msg_namelen = sockaddr_from_ip(&to->addr, to->port, to->scope, &a->name[i]);
    h->msg_control = wildcard ? a->control[i] : NULL;
    h->msg_controllen = wildcard ? leave_from(a->control[i], to) : 0;
    return refused;
}

unsigned udp_answers_flush(struct udp_answers *a)
{
    unsigned refused = a->count > 0 ? send_all(a->fd, a->out, a->count) : 0;
    a->count = 0;
    return refused;
}
