/*
 * Questions that are asked in one batch leave through one port, up to OUTBOUND_SHARE of them to the
 * same upstream: they wait until the batch is over, are sent with one call, and the port is let go
 * when the last of them is over. A question that comes alone has a port of its own. Why this makes
 * a forger's work no lighter: docs/adr/0021-questions-of-a-batch-share-a-port.md.
 *
 * Each exchange is a few system calls, so what stands around them counts: sockets are watched
 * edge-triggered (no second look by epoll), and the C library's wrappers are left out.
 */
#include "host/outbound.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/require.h"
#include "host/outbound_int.h"

#define CALLS_A_TURN \
    16 /* reads of one socket before others get their turn; the rest waits for the next to come */

_Static_assert(sizeof(struct out_slot) == CACHE_LINE, "a socket's state is a cache line");

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
    o->kept[0] = o->kept[1] = o->failing = o->open = POOL_NONE;
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

/* ---- Sending. ---- */

/* The first `count` of out; how many were sent, at least one, or -1 with errno. An error that an
 * earlier datagram left on the socket is not theirs: try once more. */
static int send_some(int fd, struct mmsghdr *out, unsigned count)
{
    long sent = syscall(SYS_sendmmsg, fd, out, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == ECONNREFUSED) {
        sent = syscall(SYS_sendmmsg, fd, out, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    return (int)sent;
}

static bool send_one(int fd, const uint8_t *data, size_t len)
{
    struct iovec iov = {.iov_base = (uint8_t *)data, .iov_len = len};
    struct mmsghdr out = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
    return send_some(fd, &out, 1) == 1;
}

/* Ticket k of the slot could not be sent: it is told at the end of the batch. */
static void note_failure(struct outbound *o, uint32_t i, unsigned k, int error)
{
    struct out_slot *s = &o->slot[i];
    if (s->failed == 0) {
        s->next = o->failing;
        o->failing = i;
    }
    s->failed |= (uint8_t)(1u << k);
    s->why = (uint8_t)failure_of(error);
}

/* The questions that wait leave; no other joins them from now on. */
static void send_open(struct outbound *o)
{
    uint32_t i = o->open;
    if (i == POOL_NONE) {
        return;
    }
    struct out_slot *s = &o->slot[i];
    struct mmsghdr out[OUTBOUND_SHARE];
    struct iovec iov[OUTBOUND_SHARE];
    uint8_t which[OUTBOUND_SHARE];
    unsigned n = 0;
    o->open = POOL_NONE;
    for (unsigned k = 0; k < s->count; k++) {
        if (s->ticket[k] != 0) {
            iov[n] = (struct iovec){.iov_base = o->data[k], .iov_len = o->len[k]};
            out[n] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov[n], .msg_iovlen = 1}};
            which[n++] = (uint8_t)k;
        }
    }
    for (unsigned done = 0; done < n;) {
        int sent = send_some(s->fd, out + done, n - done);
        if (sent <= 0) {
            note_failure(o, i, which[done], errno);
        }
        done += sent > 0 ? (unsigned)sent : 1;
    }
}

/* One more question through the slot's port. */
static void join(struct outbound *o, uint32_t i, uint32_t ticket, const uint8_t *data)
{
    struct out_slot *s = &o->slot[i];
    s->ticket[s->count] = ticket;
    memcpy(&s->id[s->count], data, sizeof s->id[0]);
    s->count++;
    s->live++;
    o->used++;
    ticketmap_insert(&o->tickets, ticket, i);
}

static bool has_id(const struct out_slot *s, const uint8_t *data)
{
    for (unsigned k = 0; k < s->count; k++) {
        if (memcmp(&s->id[k], data, sizeof s->id[k]) == 0) {
            return true;
        }
    }
    return false;
}

static unsigned place_of(const struct out_slot *s, uint32_t ticket)
{
    unsigned k = 0;
    while (k < s->count && s->ticket[k] != ticket) {
        k++;
    }
    REQUIRE(k < s->count);
    return k;
}

/* The same question once more, through the same port: another one would be another chance for a
 * guess. */
static bool repeat(struct outbound *o, uint32_t i, uint32_t ticket, const uint8_t *data, size_t len,
                   enum resolver_failure *why)
{
    struct out_slot *s = &o->slot[i];
    if (i == o->open) {
        send_open(o);
    }
    memcpy(&s->id[place_of(s, ticket)], data, sizeof s->id[0]);
    if (!send_one(s->fd, data, len)) {
        *why = failure_of(errno);
        return false;
    }
    return true;
}

static bool same_endpoint(const struct ip_endpoint *a, const struct ip_endpoint *b)
{
    return a->port == b->port && a->scope == b->scope && ip_equal(&a->addr, &b->addr);
}

/* A port for a question that shares none. */
static uint32_t connected_slot(struct outbound *o, const struct ip_endpoint *upstream,
                               enum resolver_failure *why)
{
    uint32_t i = outbound_take_slot(o, !ip_is_v4(&upstream->addr));
    if (i == POOL_NONE) {
        *why = RESOLVER_NO_SOCKET;
    } else if (!outbound_connect_slot(o, &o->slot[i], upstream)) {
        *why = failure_of(errno);
        outbound_give_slot(o, i);
        i = POOL_NONE;
    }
    return i;
}

bool outbound_send(struct outbound *o, uint32_t ticket, const struct ip_endpoint *upstream,
                   const uint8_t *data, size_t len, enum resolver_failure *why)
{
    REQUIRE(len >= sizeof o->slot->id[0] && len <= OUTBOUND_QUERY_MAX);
    uint32_t i = ticketmap_find(&o->tickets, ticket);
    if (i != TICKETMAP_NONE) {
        return repeat(o, i, ticket, data, len, why);
    }
    if (o->open != POOL_NONE &&
        (o->slot[o->open].count == OUTBOUND_SHARE || !same_endpoint(&o->open_to, upstream) ||
         has_id(&o->slot[o->open], data))) {
        send_open(o);
    }
    if (o->used == o->cfg.sockets_max) {
        *why = RESOLVER_NO_SOCKET;
        return false;
    }
    if (o->open == POOL_NONE) {
        i = connected_slot(o, upstream, why);
        if (i == POOL_NONE) {
            return false;
        }
        o->open = i;
        o->open_to = *upstream;
    }
    unsigned k = o->slot[o->open].count;
    memcpy(o->data[k], data, len);
    o->len[k] = (uint16_t)len;
    join(o, o->open, ticket, data);
    return true;
}

/* Nothing goes on through this port. */
static void end_slot(struct outbound *o, uint32_t i)
{
    if (i == o->open) {
        o->open = POOL_NONE;
    }
    if (o->slot[i].failed == 0) { /* else outbound_flush has it in its list */
        outbound_give_slot(o, i);
    }
}

void outbound_flush(struct outbound *o)
{
    send_open(o);
    while (o->failing != POOL_NONE) {
        uint32_t i = o->failing;
        struct out_slot *s = &o->slot[i];
        o->failing = s->next;
        for (unsigned k = 0; k < s->count; k++) {
            if (s->failed & 1u << k && s->ticket[k] != 0) {
                o->cfg.events.failed(o->cfg.events.arg, s->ticket[k], s->why);
            }
        }
        s->failed = 0;
        if (s->live == 0) {
            outbound_give_slot(o, i);
        }
        send_open(o); /* what is asked instead */
    }
}

bool outbound_release(struct outbound *o, uint32_t ticket)
{
    uint32_t i = ticketmap_remove(&o->tickets, ticket);
    if (i == TICKETMAP_NONE) {
        return false;
    }
    struct out_slot *s = &o->slot[i];
    s->ticket[place_of(s, ticket)] = 0;
    o->used--;
    if (--s->live == 0) {
        end_slot(o, i);
    }
    return true;
}

/* ---- Receiving. ---- */

static bool lives(const struct out_slot *s, uint16_t life)
{
    return s->live > 0 && s->life == life;
}

/* A datagram for one of the slot's tickets. With an ID that none of them has it is a wrong answer
 * to all. */
static void hand_over(struct outbound *o, struct out_slot *s, const uint8_t *data, size_t len)
{
    uint16_t life = s->life;
    unsigned count = s->count;
    for (unsigned k = 0; len >= sizeof s->id[k] && k < count; k++) {
        if (memcmp(&s->id[k], data, sizeof s->id[k]) == 0) {
            if (s->ticket[k] != 0) {
                o->cfg.events.response(o->cfg.events.arg, s->ticket[k], data, len);
            }
            return;
        }
    }
    for (unsigned k = 0; k < count && lives(s, life); k++) {
        if (s->ticket[k] != 0) {
            o->cfg.events.response(o->cfg.events.arg, s->ticket[k], data, len);
        }
    }
}

static void fail_all(struct outbound *o, struct out_slot *s, enum resolver_failure why)
{
    uint16_t life = s->life;
    unsigned count = s->count;
    for (unsigned k = 0; k < count && lives(s, life); k++) {
        if (s->ticket[k] != 0) {
            o->cfg.events.failed(o->cfg.events.arg, s->ticket[k], why);
        }
    }
}

/* Up to `count` datagrams; how many, or -1 with errno. */
static int receive_some(struct outbound *o, const struct out_slot *s, struct mmsghdr *in,
                        unsigned count)
{
    if (count == 1) {
        ssize_t len = outbound_receive(s->fd, in->msg_hdr.msg_iov->iov_base, o->cfg.buffer_len);
        in->msg_len = len < 0 ? 0 : (unsigned)len;
        return len < 0 ? -1 : 1;
    }
    return (int)syscall(SYS_recvmmsg, s->fd, in, count, MSG_DONTWAIT | MSG_TRUNC, NULL);
}

void outbound_ready(struct outbound *o, uint32_t slot)
{
    REQUIRE(slot < o->cfg.sockets_max);
    struct out_slot *s = &o->slot[slot];
    uint16_t life = s->life;
    struct mmsghdr in[OUTBOUND_SHARE];
    struct iovec iov[OUTBOUND_SHARE];
    for (int calls = 0; calls < CALLS_A_TURN && lives(s, life); calls++) {
        unsigned share = s->live;
        size_t part = o->cfg.buffer_len / share;
        for (unsigned k = 0; k < share; k++) {
            iov[k] = (struct iovec){.iov_base = o->cfg.buffer + k * part, .iov_len = part};
            in[k] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov[k], .msg_iovlen = 1}};
        }
        int n = receive_some(o, s, in, share);
        if (n < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
                fail_all(o, s, failure_of(errno));
            }
            return;
        }
        for (int k = 0; k < n && lives(s, life); k++) {
            if (in[k].msg_len <= part) { /* else it was cut off */
                hand_over(o, s, iov[k].iov_base, in[k].msg_len);
            }
        }
    }
}

uint32_t outbound_used(const struct outbound *o)
{
    return o->used;
}

uint32_t outbound_open(const struct outbound *o)
{
    return o->pool.used;
}
