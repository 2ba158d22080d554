/*
 * Sockets of the family AF_XDP, one a queue of the interface and worker. Frames lie in a block that
 * the kernel shares; their numbers go round by four rings:
 *
 *      fill         frames for the kernel to receive into
 *      receive      frames with a packet
 *      send         frames to be sent
 *      completion   frames that were sent
 *
 * Each ring has one writer and one reader: ours is either end. There are as many places in a ring
 * as there are frames, so no ring is ever full.
 */
#include "host/xdp.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/require.h"
#include "host/sys.h"
#include "host/xdp_frame.h"
#include "host/xdp_program.h"

enum { FRAME = 2048, MTU_LEAST = 1280, KICKS = 8 };

struct ring {
    _Atomic uint32_t *producer, *consumer;
    _Atomic uint32_t *flags;
    void *places;
    uint32_t at; /* our end */
    void *map;
    size_t map_len;
};

struct xdp_queue {
    int fd;
    unsigned interface;
    const struct listeners *listeners;
    size_t mtu;
    uint8_t *memory;
    struct ring fill, receive, send, completion;
    uint32_t idle[XDP_FRAMES]; /* numbers of frames that nobody has */
    uint32_t idle_count;
    unsigned count; /* frames of the last receive */
    struct xdp_desc in[XDP_BATCH];
    bool answered[XDP_BATCH];
};

struct xdp {
    struct xdp_program program;
    uint32_t queues;
    struct xdp_queue *queue[]; /* [queues] */
};

/* ---- One queue. ---- */

static bool map_ring(struct ring *r, int fd, const struct xdp_ring_offset *at, off_t which,
                     size_t place)
{
    r->map_len = (size_t)at->desc + XDP_FRAMES * place;
    r->map = mmap(NULL, r->map_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, which);
    if (r->map == MAP_FAILED) {
        r->map = NULL;
        return false;
    }
    uint8_t *base = r->map;
    r->producer = (_Atomic uint32_t *)(void *)(base + at->producer);
    r->consumer = (_Atomic uint32_t *)(void *)(base + at->consumer);
    r->flags = (_Atomic uint32_t *)(void *)(base + at->flags);
    r->places = base + at->desc;
    return true;
}

static bool map_rings(struct xdp_queue *q)
{
    struct xdp_mmap_offsets at;
    socklen_t len = sizeof at;
    return getsockopt(q->fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &len) == 0 && len == sizeof at &&
           map_ring(&q->receive, q->fd, &at.rx, XDP_PGOFF_RX_RING, sizeof(struct xdp_desc)) &&
           map_ring(&q->send, q->fd, &at.tx, XDP_PGOFF_TX_RING, sizeof(struct xdp_desc)) &&
           map_ring(&q->fill, q->fd, &at.fr, (off_t)XDP_UMEM_PGOFF_FILL_RING, sizeof(uint64_t)) &&
           map_ring(&q->completion, q->fd, &at.cr, (off_t)XDP_UMEM_PGOFF_COMPLETION_RING,
                    sizeof(uint64_t));
}

static bool set_up(struct xdp_queue *q)
{
    struct xdp_umem_reg memory = {.addr = (uint64_t)(uintptr_t)q->memory,
                                  .len = (uint64_t)XDP_FRAMES * FRAME,
                                  .chunk_size = FRAME};
    static const int rings[] = {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING,
                                XDP_TX_RING};
    int size = XDP_FRAMES;
    if (setsockopt(q->fd, SOL_XDP, XDP_UMEM_REG, &memory, sizeof memory) != 0) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(rings); i++) {
        if (setsockopt(q->fd, SOL_XDP, rings[i], &size, sizeof size) != 0) {
            return false;
        }
    }
    return map_rings(q);
}

/* Frames that nobody has go to the kernel. */
static void refill(struct xdp_queue *q)
{
    uint64_t *places = q->fill.places;
    while (q->idle_count > 0) {
        places[q->fill.at++ % XDP_FRAMES] = (uint64_t)q->idle[--q->idle_count] * FRAME;
    }
    atomic_store_explicit(q->fill.producer, q->fill.at, memory_order_release);
}

static void unmap_ring(struct ring *r)
{
    if (r->map) {
        munmap(r->map, r->map_len);
    }
}

static void close_queue(struct xdp_queue *q)
{
    if (!q) {
        return;
    }
    if (q->fd >= 0) {
        close(q->fd);
    }
    unmap_ring(&q->fill);
    unmap_ring(&q->receive);
    unmap_ring(&q->send);
    unmap_ring(&q->completion);
    sys_unmap(q->memory, (size_t)XDP_FRAMES * FRAME);
    free(q);
}

/* NULL with errno. */
static struct xdp_queue *open_queue(const struct listeners *listeners, unsigned interface,
                                    size_t mtu, uint32_t number)
{
    struct sockaddr_xdp address = {.sxdp_family = AF_XDP,
                                   .sxdp_ifindex = interface,
                                   .sxdp_queue_id = number,
                                   .sxdp_flags = XDP_USE_NEED_WAKEUP};
    struct xdp_queue *q = calloc(1, sizeof *q);
    if (!q) {
        return NULL;
    }
    *q = (struct xdp_queue){.fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0),
                            .interface = interface,
                            .listeners = listeners,
                            .mtu = mtu,
                            .memory = sys_map_huge((size_t)XDP_FRAMES * FRAME)};
    if (q->fd < 0 || !q->memory || !set_up(q)) {
        int error = errno;
        close_queue(q);
        errno = error;
        return NULL;
    }
    for (uint32_t i = 0; i < XDP_FRAMES; i++) {
        q->idle[q->idle_count++] = i;
    }
    refill(q);
    if (bind(q->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;
        close_queue(q);
        errno = error;
        return NULL;
    }
    return q;
}

int xdp_fd(const struct xdp_queue *q)
{
    return q->fd;
}

static bool has_unsent(const struct xdp_queue *q)
{
    return atomic_load_explicit(q->send.consumer, memory_order_acquire) != q->send.at;
}

short xdp_events(const struct xdp_queue *q)
{
    return has_unsent(q) ? POLLIN | POLLOUT : POLLIN;
}

/* Frames that were sent are idle again. */
static void reap(struct xdp_queue *q)
{
    const uint64_t *places = q->completion.places;
    uint32_t end = atomic_load_explicit(q->completion.producer, memory_order_acquire);
    while (q->completion.at != end) {
        uint32_t frame = (uint32_t)(places[q->completion.at++ % XDP_FRAMES] / FRAME);
        if (frame < XDP_FRAMES && q->idle_count < XDP_FRAMES) {
            q->idle[q->idle_count++] = frame;
        }
    }
    atomic_store_explicit(q->completion.consumer, end, memory_order_release);
}

/* Have the kernel send: it takes a part of the ring at a time. What stays waits for POLLOUT. */
static void kick(struct xdp_queue *q)
{
    for (int i = 0; i < KICKS && has_unsent(q); i++) {
        if ((atomic_load_explicit(q->send.flags, memory_order_relaxed) & XDP_RING_NEED_WAKEUP) ==
                0 ||
            (sendto(q->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN &&
             errno != EBUSY)) {
            return;
        }
    }
}

unsigned xdp_receive(struct xdp_queue *q)
{
    const struct xdp_desc *places = q->receive.places;
    uint32_t end = atomic_load_explicit(q->receive.producer, memory_order_acquire);
    kick(q);
    for (q->count = 0; q->count < XDP_BATCH && q->receive.at != end; q->count++) {
        q->in[q->count] = places[q->receive.at++ % XDP_FRAMES];
        q->answered[q->count] = false;
    }
    atomic_store_explicit(q->receive.consumer, q->receive.at, memory_order_release);
    return q->count;
}

/* The listener of an address and port; their count if there is none. */
static uint32_t listener_of(const struct listeners *l, const struct ip_addr *addr, uint16_t port)
{
    uint32_t i = 0;
    while (i < l->count &&
           (l->item[i].endpoint.port != port || !ip_equal(&l->item[i].endpoint.addr, addr))) {
        i++;
    }
    return i;
}

bool xdp_packet(struct xdp_queue *q, unsigned i, struct peer *peer, struct packet *out)
{
    uint8_t *frame = q->memory + q->in[i].addr;
    uint16_t port;
    if (!xdp_frame_read(frame, q->in[i].len, peer, &port, &out->data, &out->len)) {
        return false;
    }
    uint32_t listener = listener_of(q->listeners, &peer->local, port);
    peer->listener = (uint16_t)listener;
    peer->scope = !ip_is_v4(&peer->addr) && ip_is_link_local(&peer->addr) ? q->interface : 0;
    out->cap = 14 + q->mtu - (size_t)(out->data - frame);
    return listener < q->listeners->count;
}

void xdp_reply(struct xdp_queue *q, unsigned i, size_t len)
{
    q->in[i].len = (uint32_t)xdp_frame_answer(q->memory + q->in[i].addr, len);
    q->answered[i] = true;
}

void xdp_flush(struct xdp_queue *q)
{
    struct xdp_desc *places = q->send.places;
    for (unsigned i = 0; i < q->count; i++) {
        if (q->answered[i]) {
            places[q->send.at++ % XDP_FRAMES] =
                (struct xdp_desc){.addr = q->in[i].addr, .len = q->in[i].len};
        } else {
            q->idle[q->idle_count++] = (uint32_t)(q->in[i].addr / FRAME);
        }
    }
    q->count = 0;
    atomic_store_explicit(q->send.producer, q->send.at, memory_order_release);
    kick(q);
    reap(q);
    refill(q);
}

size_t xdp_memory(void)
{
    return sizeof(struct xdp_queue) +
           (size_t)XDP_FRAMES * (FRAME + 2 * (sizeof(uint64_t) + sizeof(struct xdp_desc)));
}

/* ---- The interface. ---- */

/* 0: not told. */
static size_t mtu_of(const char *interface)
{
    struct ifreq r;
    memset(&r, 0, sizeof r);
    strncpy(r.ifr_name, interface, sizeof r.ifr_name - 1);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool told = fd >= 0 && ioctl(fd, SIOCGIFMTU, &r) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return told && r.ifr_mtu > 0 ? (size_t)r.ifr_mtu : 0;
}

static uint32_t targets_of(const struct listeners *l, struct ip_endpoint *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->count && n < XDP_TARGETS_MAX; i++) {
        if (!l->item[i].wildcard) {
            out[n++] = l->item[i].endpoint;
        }
    }
    return n;
}

static enum err open_queues(struct xdp *x, const struct listeners *l, unsigned interface,
                            size_t mtu)
{
    uint32_t open = 0;
    for (; open < x->queues; open++) {
        x->queue[open] = open_queue(l, interface, mtu, open);
        if (!x->queue[open] || xdp_program_add(&x->program, open, x->queue[open]->fd) != ERR_OK) {
            break;
        }
    }
    int error = errno;
    if (open < x->queues) {
        close_queue(x->queue[open]);
        x->queue[open] = NULL;
    }
    errno = error;
    return open > 0 ? ERR_OK : ERR_IO; /* fewer queues than workers are no fault */
}

static enum err start(struct xdp *x, const char *name, const struct listeners *l)
{
    struct ip_endpoint targets[XDP_TARGETS_MAX];
    unsigned interface = if_nametoindex(name);
    uint32_t count = targets_of(l, targets);
    size_t mtu = mtu_of(name);
    if (interface == 0) {
        log_error(NET, "xdp: found no interface %s", name);
        return ERR_NOT_FOUND;
    }
    if (count == 0) {
        log_error(NET,
                  "xdp: found listeners on all addresses only, expected one with an address of %s",
                  name);
        return ERR_RANGE;
    }
    if (mtu < MTU_LEAST) {
        log_error(NET, "xdp: %s: found packets of %zu octets, expected at least %d", name, mtu,
                  MTU_LEAST);
        return ERR_RANGE;
    }
    mtu = mtu < 1500 ? mtu : 1500; /* a frame has room for no more */
    enum err e = xdp_program_start(&x->program, interface, x->queues, targets, count);
    e = e == ERR_OK ? open_queues(x, l, interface, mtu) : e;
    if (e != ERR_OK) {
        log_error(NET, "xdp: %s: %s", name, strerror(errno));
    }
    return e;
}

enum err xdp_open(struct xdp **out, const char *interface, const struct listeners *listeners,
                  uint32_t workers)
{
    struct xdp *x = calloc(1, sizeof *x + workers * sizeof(struct xdp_queue *));
    if (!x) {
        return ERR_MEMORY;
    }
    x->queues = workers;
    x->program = (struct xdp_program){.map = -1, .link = -1};
    enum err e = start(x, interface, listeners);
    if (e != ERR_OK) {
        xdp_close(x);
        return e;
    }
    log_info(NET,
             "xdp: questions on %s do not go through the kernel's network stack, nor through its "
             "packet filter",
             interface);
    *out = x;
    return ERR_OK;
}

void xdp_close(struct xdp *x)
{
    if (!x) {
        return;
    }
    xdp_program_stop(&x->program);
    for (uint32_t i = 0; i < x->queues; i++) {
        close_queue(x->queue[i]);
    }
    free(x);
}

struct xdp_queue *xdp_queue_of(struct xdp *x, uint32_t worker)
{
    return x && worker < x->queues ? x->queue[worker] : NULL;
}
