/*
 * One turn of a worker: wait for sockets, mail or a deadline; read the clock once a batch; give
 * each message to the resolver; carry out what it asks for. A turn takes a bounded amount from each
 * source, so none starves the others.
 *
 * The sockets on which questions arrive are waited for with ppoll, beside the epoll set that holds
 * all others: a socket in an epoll set has somebody waiting on it all the time, whom the kernel
 * tries to wake for each packet received and each packet sent (5 % of a blocked answer). With ppoll
 * nobody waits while the worker is at work.
 */
#include "host/worker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/require.h"
#include "base/strbuf.h"
#include "dns/proto.h"
#include "host/doh.h"
#include "host/outstream.h"
#include "host/poll_tag.h"
#include "host/sys.h"
#include "host/tcp.h"
#include "host/udp.h"
#include "host/xdp.h"
#include "resolver/snapshot.h"
#include "stats/stats.h"

#define EVENTS_A_TURN  64
#define BATCHES_A_TURN 4 /* of one listener */
#define MAIL_A_TURN    256
#define SOCKETS_KEPT   256
#define TCP_BUFFERS    32
#define STREAM_IDLE_US (20 * USEC_PER_SEC)
#define CONNECT_US     (5 * USEC_PER_SEC)

struct worker {
    struct worker_config cfg;
    struct resolver *resolver;
    const struct snapshot *snapshot;
    usec_t now;
    int epoll;
    struct pollfd poll[2 + LISTENERS_MAX]; /* the epoll set, UDP sockets, the XDP socket */
    uint64_t kick;                         /* bit w: wake worker w's mailbox after this batch */
    struct mailbox *mailbox;
    struct udp_batch *batch;
    struct udp_answers *answers;
    struct tcp *tcp;
    struct outbound *outbound;
    struct outstreams *streams;
    uint8_t *buffer; /* DNS_TCP_MAX: mail, and what comes from upstreams */
    uint8_t *mail;   /* DNS_TCP_MAX */
    void *memory;    /* the resolver's */
    size_t memory_len;
    usec_t stop_at; /* 0: running */
    bool listening;
    pthread_t thread;
    bool started;

    /* Shared with other threads. */
    _Alignas(CACHE_LINE) atomic_ullong stop_grace; /* 0: run; else microseconds + 1 */
    _Atomic(struct tls_trust *) trust;
    atomic_uint ping, pong;
    atomic_ullong lost;
    atomic_uint pending, pending_peak, waiting,
        waiting_peak; /* the resolver's, as of the last turn */
};

static void drain(struct worker *w);

static void lose(struct worker *w, unsigned n)
{
    if (n > 0) {
        atomic_fetch_add_explicit(&w->lost, n, memory_order_relaxed);
    }
}

/* ---- Mail to others. ---- */

static void post(struct worker *w, uint16_t to, enum mail_kind kind, const struct peer *peer,
                 const uint8_t *data, size_t len)
{
    struct mail head = {.kind = kind, .len = (uint32_t)len, .peer = *peer};
    if (to >= w->cfg.resolver.workers || !mailbox_post(w->cfg.mailboxes[to], &head, data)) {
        lose(w, 1);
        return;
    }
    w->kick |= UINT64_C(1) << to;
}

static void wake_others(struct worker *w)
{
    for (uint16_t i = 0; w->kick != 0; i++) {
        if (w->kick & UINT64_C(1) << i) {
            w->kick &= ~(UINT64_C(1) << i);
            mailbox_wake(w->cfg.mailboxes[i]);
        }
    }
}

static void call_control(struct worker *w, enum control_call why)
{
    uint64_t one = 1;
    if ((atomic_fetch_or(&w->cfg.control->calls, (unsigned)why) & (unsigned)why) == 0) {
        ssize_t n = write(w->cfg.control->event, &one, sizeof one);
        (void)n; /* full means readable */
    }
}

/* Queries were answered: somebody must work up what was recorded. */
static void mind_statistics(struct worker *w)
{
    if (!atomic_load_explicit(&w->cfg.control->active, memory_order_relaxed)) {
        call_control(w, CONTROL_TRAFFIC);
    }
    if (stats_worker_is_filling(w->cfg.resolver.stats)) {
        call_control(w, CONTROL_FILLING);
    }
}

/* ---- What the resolver wants done. ---- */

/* An answer to whoever asked; len 0: there is none, but a TCP connection of another worker counts
 * on hearing so. */
static void answer_peer(struct worker *w, const struct peer *peer, const uint8_t *data, size_t len)
{
    if (!peer->tcp) {
        const struct listener *l = &w->cfg.listeners->item[peer->listener];
        lose(w, len == 0
                    ? 0
                    : udp_answer(w->answers, l->udp[w->cfg.number], l->wildcard, peer, data, len));
    } else if (peer->worker == w->cfg.number) {
        tcp_answer(w->tcp, w->now, peer->conn, data, len);
    } else {
        post(w, peer->worker, MAIL_ANSWER, peer, data, len);
    }
}

static void send_stream(struct worker *w, const struct output *out)
{
    const struct upstream_spec *u = &w->snapshot->upstreams[out->upstream];
    enum resolver_failure why = RESOLVER_NO_SOCKET;
    bool sent;
    if (u->transport == UPSTREAM_HTTPS) {
        sent =
            w->cfg.doh && doh_send(w->cfg.doh, w->cfg.number, out->ticket, u, out->data, out->len);
    } else {
        sent = outstreams_send(w->streams, w->now, out->ticket, u, out->data, out->len, &why);
    }
    if (!sent) {
        resolver_failed(w->resolver, w->now, out->ticket, why);
    }
}

static void send_udp(struct worker *w, const struct output *out)
{
    const struct upstream_spec *u = &w->snapshot->upstreams[out->upstream];
    enum resolver_failure why;
    if (!outbound_send(w->outbound, out->ticket, &u->endpoint, out->data, out->len, &why)) {
        resolver_failed(w->resolver, w->now, out->ticket, why);
    }
}

static void release(struct worker *w, uint32_t ticket)
{
    if (!outbound_release(w->outbound, ticket) && !outstreams_release(w->streams, w->now, ticket) &&
        w->cfg.doh) {
        doh_cancel(w->cfg.doh, w->cfg.number, ticket);
    }
}

static void drain(struct worker *w)
{
    struct output out;
    while (resolver_output(w->resolver, &out)) {
        switch (out.kind) {
        case OUTPUT_ANSWER:
            answer_peer(w, &out.peer, out.data, out.len);
            break;
        case OUTPUT_UDP:
            send_udp(w, &out);
            break;
        case OUTPUT_STREAM:
            send_stream(w, &out);
            break;
        case OUTPUT_RELEASE:
            release(w, out.ticket);
            break;
        }
    }
}

/* ---- What comes in. ---- */

/* One client message; true if the packet holds its answer. *pending: an answer comes later. */
static bool handle_query(struct worker *w, const struct peer *peer, struct packet *packet,
                         bool *pending)
{
    uint16_t owner = 0;
    enum resolver_outcome outcome = resolver_query(w->resolver, w->now, peer, packet, &owner);
    *pending = outcome == RESOLVER_PENDING || outcome == RESOLVER_HANDOFF;
    if (outcome == RESOLVER_HANDOFF) {
        post(w, owner, MAIL_QUERY, peer, packet->data, packet->len);
    }
    drain(w);
    return outcome == RESOLVER_ANSWER;
}

static void serve_udp(struct worker *w, uint32_t listener)
{
    const struct listener *l = &w->cfg.listeners->item[listener];
    int fd = l->udp[w->cfg.number];
    for (int round = 0; round < BATCHES_A_TURN; round++) {
        unsigned n = udp_receive(w->batch, fd, l->wildcard);
        if (n == 0) {
            return;
        }
        if (round > 0) {
            w->now = sys_now();
        }
        for (unsigned i = 0; i < n; i++) {
            struct peer peer;
            struct packet packet;
            bool pending;
            if (!udp_peer(w->batch, i, &l->endpoint.addr, &peer)) {
                continue;
            }
            peer.listener = (uint16_t)listener;
            peer.worker = w->cfg.number;
            udp_packet(w->batch, i, &packet);
            if (handle_query(w, &peer, &packet, &pending)) {
                udp_reply(w->batch, i, packet.len);
            }
        }
        lose(w, udp_flush(w->batch, fd));
        outbound_flush(w->outbound);
        wake_others(w);
        if (n < UDP_BATCH) {
            return;
        }
    }
}

/* The same for frames that did not go through the kernel's network stack. */
static void serve_xdp(struct worker *w)
{
    struct xdp_queue *q = w->cfg.xdp;
    unsigned n = XDP_BATCH;
    for (int round = 0; round < BATCHES_A_TURN && n == XDP_BATCH; round++) {
        n = xdp_receive(q);
        if (round > 0) {
            w->now = sys_now();
        }
        for (unsigned i = 0; i < n; i++) {
            struct peer peer;
            struct packet packet;
            bool pending;
            if (!xdp_packet(q, i, &peer, &packet)) {
                continue;
            }
            peer.worker = w->cfg.number;
            if (handle_query(w, &peer, &packet, &pending)) {
                xdp_reply(q, i, packet.len);
            }
        }
        xdp_flush(q);
        outbound_flush(w->outbound);
        wake_others(w);
    }
}

static enum tcp_verdict on_tcp_query(void *arg, const struct peer *peer, struct packet *packet)
{
    struct worker *w = arg;
    bool pending;
    if (handle_query(w, peer, packet, &pending)) {
        return TCP_ANSWER;
    }
    return pending ? TCP_PENDING : TCP_IGNORE;
}

static void on_tcp_gone(void *arg, uint32_t conn)
{
    struct worker *w = arg;
    resolver_peer_gone(w->resolver, conn);
    drain(w);
}

static void on_response(void *arg, uint32_t ticket, const uint8_t *data, size_t len)
{
    struct worker *w = arg;
    resolver_response(w->resolver, w->now, ticket, data, len);
    drain(w);
}

static void on_failed(void *arg, uint32_t ticket, enum resolver_failure why)
{
    struct worker *w = arg;
    resolver_failed(w->resolver, w->now, ticket, why);
    drain(w);
}

/* A question that another worker received. */
static void handle_mailed_query(struct worker *w, const struct mail *head)
{
    struct packet packet = {
        .data = w->mail, .len = head->len, .cap = head->peer.tcp ? DNS_TCP_MAX : UDP_IN_MAX};
    uint16_t owner = 0;
    enum resolver_outcome outcome =
        resolver_query(w->resolver, w->now, &head->peer, &packet, &owner);
    if (outcome == RESOLVER_ANSWER) {
        answer_peer(w, &head->peer, packet.data, packet.len);
    } else if (outcome != RESOLVER_PENDING) {
        answer_peer(w, &head->peer, NULL, 0); /* never handed on twice */
    }
    drain(w);
}

static void read_mail(struct worker *w)
{
    struct mail head;
    for (int i = 0; i < MAIL_A_TURN && mailbox_take(w->mailbox, &head, w->mail, DNS_TCP_MAX); i++) {
        switch (head.kind) {
        case MAIL_QUERY:
            handle_mailed_query(w, &head);
            break;
        case MAIL_ANSWER:
            tcp_answer(w->tcp, w->now, head.peer.conn, w->mail, head.len);
            break;
        case MAIL_RESPONSE:
            on_response(w, head.ticket, w->mail, head.len);
            break;
        case MAIL_FAILED:
            on_failed(w, head.ticket, head.why);
            break;
        }
    }
}

static void dispatch(struct worker *w, const struct epoll_event *ev)
{
    uint32_t index = poll_tag_index(ev->data.u64);
    switch (poll_tag_kind(ev->data.u64)) {
    case POLL_TCP:
        tcp_accept(w->tcp, w->now, (uint16_t)index);
        break;
    case POLL_CLIENT:
        tcp_ready(w->tcp, w->now, index, ev->events);
        break;
    case POLL_OUTBOUND:
        outbound_ready(w->outbound, index);
        break;
    case POLL_STREAM:
        outstreams_ready(w->streams, w->now, index, ev->events);
        break;
    case POLL_MAILBOX:
        mailbox_clear(w->mailbox);
        break;
    }
}

/* ---- What the control thread wants. ---- */

static void take_trust(struct worker *w)
{
    struct tls_trust *trust = atomic_load(&w->trust);
    if (trust) {
        outstreams_set_trust(w->streams, trust);
    }
}

static void take_snapshot(struct worker *w)
{
    if (!publisher_has_new(w->cfg.publisher, w->cfg.number)) {
        return;
    }
    take_trust(w);
    w->snapshot = publisher_take(w->cfg.publisher, w->cfg.number);
    resolver_set_snapshot(w->resolver, w->now, w->snapshot);
    publisher_taken(w->cfg.publisher, w->cfg.number, w->snapshot);
    call_control(w, CONTROL_SNAPSHOT);
    drain(w);
}

/* Take no more questions; those already in the sockets' queues were answered by the turn before. */
static void stop_listening(struct worker *w)
{
    for (uint32_t i = 0; i < w->cfg.listeners->count; i++) {
        epoll_ctl(w->epoll, EPOLL_CTL_DEL, w->cfg.listeners->item[i].tcp[w->cfg.number], NULL);
        w->poll[1 + i].revents = 0;
    }
    w->poll[1 + w->cfg.listeners->count].revents = 0;
    w->listening = false;
}

static void heed_control(struct worker *w)
{
    take_snapshot(w);
    unsigned ping = atomic_load_explicit(&w->ping, memory_order_relaxed);
    if (atomic_load_explicit(&w->pong, memory_order_relaxed) != ping) {
        atomic_store_explicit(&w->pong, ping, memory_order_relaxed);
    }
    unsigned long long grace = atomic_load_explicit(&w->stop_grace, memory_order_relaxed);
    if (grace != 0 && w->stop_at == 0) {
        w->stop_at = w->now + grace;
        stop_listening(w);
    }
}

/* Has a stopping worker nothing more to wait for? */
static bool is_finished(struct worker *w)
{
    struct resolver_gauges g;
    if (w->stop_at == 0) {
        return false;
    }
    resolver_get_gauges(w->resolver, &g);
    return g.pending == 0 || w->now >= w->stop_at;
}

/* ---- The loop. ---- */

static usec_t earlier(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

static usec_t next_deadline(const struct worker *w)
{
    usec_t due = resolver_deadline(w->resolver);
    due = earlier(due, tcp_deadline(w->tcp));
    due = earlier(due, outstreams_deadline(w->streams));
    return w->stop_at != 0 ? earlier(due, w->stop_at) : due;
}

/* Wait for the UDP sockets and for the epoll set; what is ready of the latter goes to `events`,
 * and how many to *n. False: nothing happened but time. */
static bool wait_events(struct worker *w, struct epoll_event *events, int *n, usec_t timeout)
{
    struct timespec ts = {.tv_sec = (time_t)(timeout / USEC_PER_SEC),
                          .tv_nsec = (long)(timeout % USEC_PER_SEC) * 1000};
    nfds_t count = 1;
    if (w->listening) {
        count += w->cfg.listeners->count;
        if (w->cfg.xdp) {
            w->poll[count++].events = xdp_events(w->cfg.xdp);
        }
    }
    bool any = ppoll(w->poll, count, timeout == USEC_NEVER ? NULL : &ts, NULL) > 0;
    *n = any && w->poll[0].revents != 0 ? epoll_wait(w->epoll, events, EVENTS_A_TURN, 0) : 0;
    return any;
}

static void serve_ready(struct worker *w)
{
    for (uint32_t i = 0; i < w->cfg.listeners->count; i++) {
        if (w->poll[1 + i].revents != 0) {
            serve_udp(w, i);
        }
    }
    if (w->cfg.xdp && w->poll[1 + w->cfg.listeners->count].revents != 0) {
        serve_xdp(w);
    }
}

static void tick(struct worker *w)
{
    if (resolver_deadline(w->resolver) <= w->now) {
        resolver_tick(w->resolver, w->now);
        drain(w);
    }
    if (tcp_deadline(w->tcp) <= w->now) {
        tcp_tick(w->tcp, w->now);
    }
    if (outstreams_deadline(w->streams) <= w->now) {
        outstreams_tick(w->streams, w->now);
    }
}

/* The resolver is this thread's; what others may know of it stands here. */
static void tell_gauges(struct worker *w)
{
    struct resolver_gauges g;
    resolver_get_gauges(w->resolver, &g);
    atomic_store_explicit(&w->pending, g.pending, memory_order_relaxed);
    atomic_store_explicit(&w->pending_peak, g.pending_peak, memory_order_relaxed);
    atomic_store_explicit(&w->waiting, g.waiting, memory_order_relaxed);
    atomic_store_explicit(&w->waiting_peak, g.waiting_peak, memory_order_relaxed);
}

static void turn(struct worker *w)
{
    struct epoll_event events[EVENTS_A_TURN];
    usec_t due = next_deadline(w);
    usec_t timeout = due == USEC_NEVER ? USEC_NEVER : due <= w->now ? 0 : due - w->now;
    if (!mailbox_doze(w->mailbox)) {
        timeout = 0;
    }
    int n;
    bool any = wait_events(w, events, &n, timeout);
    mailbox_rise(w->mailbox);
    w->now = sys_now();
    if (any) {
        serve_ready(w);
    }
    heed_control(w);
    for (int i = 0; i < n; i++) {
        dispatch(w, &events[i]);
    }
    read_mail(w);
    tick(w);
    tcp_run(w->tcp, w->now);
    outbound_flush(w->outbound);
    lose(w, udp_answers_flush(w->answers));
    wake_others(w);
    tell_gauges(w);
    if (any) {
        mind_statistics(w);
    }
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    char name[16];
    struct strbuf text;
    strbuf_init(&text, name, sizeof name);
    strbuf_printf(&text, "worker-%u", w->cfg.number);
    take_trust(w); /* the first snapshot was there before the thread */
    pthread_setname_np(pthread_self(), name);
    while (!is_finished(w)) {
        turn(w);
    }
    return NULL;
}

/* ---- Making and ending one. ---- */

static enum err make_tcp(struct worker *w)
{
    struct tcp_config cfg = {.epoll = w->epoll,
                             .worker = w->cfg.number,
                             .connections_max = w->cfg.tcp_connections,
                             .per_client = w->cfg.tcp_per_client,
                             .buffers = TCP_BUFFERS,
                             .idle_us = w->cfg.tcp_idle_us,
                             .query = on_tcp_query,
                             .gone = on_tcp_gone,
                             .arg = w};
    return tcp_new(&w->tcp, &cfg);
}

static enum err make_outbound(struct worker *w, const struct outbound_events *events)
{
    struct outbound_config cfg = {.epoll = w->epoll,
                                  .sockets_max = w->cfg.sockets_max,
                                  .sockets_kept = SOCKETS_KEPT,
                                  .ports = w->cfg.ports,
                                  .spare = w->cfg.spare,
                                  .buffer = w->buffer,
                                  .buffer_len = DNS_TCP_MAX,
                                  .events = *events};
    memcpy(cfg.seed, w->cfg.seed, sizeof cfg.seed);
    cfg.seed[0] ^= 0x55; /* another stream of numbers than the resolver's */
    return outbound_new(&w->outbound, &cfg);
}

static enum err make_streams(struct worker *w, const struct outbound_events *events)
{
    struct outstream_config cfg = {.epoll = w->epoll,
                                   .streams_max = w->cfg.streams_max,
                                   .spare = w->cfg.spare,
                                   .idle_us = STREAM_IDLE_US,
                                   .connect_us = CONNECT_US,
                                   .events = *events};
    return outstreams_new(&w->streams, &cfg);
}

static enum err make_resolver(struct worker *w)
{
    w->memory_len = resolver_memory(&w->cfg.resolver);
    w->memory = sys_map_huge(w->memory_len);
    if (!w->memory) {
        return ERR_MEMORY;
    }
    w->now = sys_now();
    w->snapshot = publisher_take(w->cfg.publisher, w->cfg.number);
    return resolver_init(&w->resolver, w->memory, w->memory_len, &w->cfg.resolver, w->snapshot,
                         w->cfg.seed, w->now);
}

static enum err watch_fd(struct worker *w, int fd, enum poll_kind kind, uint32_t index)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = poll_tag(kind, index)};
    return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &ev) == 0 ? ERR_OK : ERR_IO;
}

static enum err watch_all(struct worker *w)
{
    enum err e = watch_fd(w, mailbox_fd(w->mailbox), POLL_MAILBOX, 0);
    w->poll[0] = (struct pollfd){.fd = w->epoll, .events = POLLIN};
    for (uint32_t i = 0; e == ERR_OK && i < w->cfg.listeners->count; i++) {
        const struct listener *l = &w->cfg.listeners->item[i];
        w->poll[1 + i] = (struct pollfd){.fd = l->udp[w->cfg.number], .events = POLLIN};
        e = tcp_listen(w->tcp, (uint16_t)i, l->tcp[w->cfg.number]);
    }
    if (w->cfg.xdp) {
        w->poll[1 + w->cfg.listeners->count] = (struct pollfd){.fd = xdp_fd(w->cfg.xdp)};
    }
    w->listening = true;
    return e;
}

static enum err make_parts(struct worker *w)
{
    struct outbound_events events = {.response = on_response, .failed = on_failed, .arg = w};
    w->buffer = malloc(DNS_TCP_MAX);
    w->mail = malloc(DNS_TCP_MAX);
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    enum err e = !w->buffer || !w->mail ? ERR_MEMORY : w->epoll < 0 ? ERR_IO : ERR_OK;
    e = e == ERR_OK ? make_resolver(w) : e;
    e = e == ERR_OK ? udp_batch_new(&w->batch) : e;
    e = e == ERR_OK ? udp_answers_new(&w->answers) : e;
    e = e == ERR_OK ? make_tcp(w) : e;
    e = e == ERR_OK ? make_outbound(w, &events) : e;
    e = e == ERR_OK ? make_streams(w, &events) : e;
    return e == ERR_OK ? watch_all(w) : e;
}

void worker_octets(const struct worker_config *cfg, struct worker_octets *out)
{
    *out = (struct worker_octets){
        .resolver = resolver_memory(&cfg->resolver),
        .udp = sizeof(struct worker) + 2 * (size_t)DNS_TCP_MAX + udp_memory(),
        .tcp = tcp_memory(cfg->tcp_connections, TCP_BUFFERS),
        .upstreams = outbound_memory(cfg->sockets_max) + outstreams_memory(cfg->streams_max),
        .mailbox = mailbox_memory(cfg->mailbox_cells)};
}

enum err worker_new(struct worker **out, const struct worker_config *cfg)
{
    REQUIRE(cfg->resolver.workers <= 64 && cfg->number == cfg->resolver.worker);
    struct worker *w = aligned_alloc(CACHE_LINE, sizeof *w);
    if (!w) {
        return ERR_MEMORY;
    }
    memset(w, 0, sizeof *w);
    w->cfg = *cfg;
    w->epoll = -1;
    w->mailbox = cfg->mailboxes[cfg->number];
    enum err e = make_parts(w);
    if (e != ERR_OK) {
        worker_free(w);
        return e;
    }
    *out = w;
    return ERR_OK;
}

void worker_free(struct worker *w)
{
    if (!w) {
        return;
    }
    REQUIRE(!w->started);
    tcp_free(w->tcp);
    outbound_free(w->outbound);
    outstreams_free(w->streams);
    udp_batch_free(w->batch);
    udp_answers_free(w->answers);
    sys_unmap(w->memory, w->memory_len);
    if (w->epoll >= 0) {
        close(w->epoll);
    }
    free(w->buffer);
    free(w->mail);
    free(w);
}

enum err worker_start(struct worker *w)
{
    w->now = sys_now();
    pthread_attr_t attr;
    if (pthread_attr_init(&attr) != 0) {
        return ERR_IO;
    }
    cpu_set_t cores;
    if (w->cfg.steer && sys_cores_of(w->cfg.number, w->cfg.resolver.workers, &cores)) {
        (void)pthread_attr_setaffinity_np(&attr, sizeof cores, &cores); /* else anywhere */
    }
    w->started = pthread_create(&w->thread, &attr, worker_main, w) == 0;
    pthread_attr_destroy(&attr);
    return w->started ? ERR_OK : ERR_IO;
}

void worker_stop(struct worker *w, usec_t grace_us)
{
    atomic_store(&w->stop_grace, grace_us + 1);
    worker_wake(w);
}

void worker_join(struct worker *w)
{
    if (w->started) {
        pthread_join(w->thread, NULL);
        w->started = false;
    }
}

void worker_set_trust(struct worker *w, struct tls_trust *trust)
{
    atomic_store(&w->trust, trust);
}

void worker_wake(struct worker *w)
{
    mailbox_interrupt(w->mailbox);
}

void worker_ping(struct worker *w)
{
    atomic_fetch_add_explicit(&w->ping, 1, memory_order_relaxed);
    worker_wake(w);
}

bool worker_answered(const struct worker *w)
{
    return atomic_load_explicit(&w->ping, memory_order_relaxed) ==
           atomic_load_explicit(&w->pong, memory_order_relaxed);
}

void worker_get_gauges(const struct worker *w, struct worker_gauges *out)
{
    out->resolver = (struct resolver_gauges){
        .pending = atomic_load_explicit(&w->pending, memory_order_relaxed),
        .pending_peak = atomic_load_explicit(&w->pending_peak, memory_order_relaxed),
        .pending_max = w->cfg.resolver.pending_max,
        .waiting = atomic_load_explicit(&w->waiting, memory_order_relaxed),
        .waiting_peak = atomic_load_explicit(&w->waiting_peak, memory_order_relaxed),
        .waiting_max = w->cfg.resolver.waiting_max};
    out->tcp_clients = tcp_count(w->tcp);
    out->tcp_clients_max = w->cfg.tcp_connections;
    out->lost = atomic_load_explicit(&w->lost, memory_order_relaxed) + mailbox_refused(w->mailbox);
}

void worker_get_upstream(const struct worker *w, uint16_t upstream, struct upstream_health *out)
{
    resolver_get_upstream(w->resolver, upstream, out);
}
