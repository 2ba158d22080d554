/*
 * TCP by lwIP's raw API, TLS by mbedTLS on top. For TLS, received segments wait in a chain until
 * the library has read them; the window opens as they are read, so a slow reader holds the sender
 * back and memory stays bounded.
 */
#include "net/stream.h"

#include <string.h>

#include "mbedtls/ssl.h"

#include "arch/aarch64/cpu.h"
#include "base/require.h"
#include "net/lwip.h"
#include "net/lwip_addr.h"
#include "net/tls.h"
#include "net/tls_session.h"

enum { READ_CHUNK = 4096, POLL_HALF_SECONDS = 2 };
enum state { FREE, CONNECTING, HANDSHAKE, OPEN };

struct stream {
    enum state state;
    struct tcp_pcb *pcb;
    struct stream_events events;
    void *ctx;
    mbedtls_ssl_context *ssl; /* NULL: plain */
    mbedtls_ssl_context ssl_storage;
    struct ip_addr peer; /* the certificate must hold it, if the server has no name */
    struct ip_endpoint to;
    struct pbuf *received; /* TLS only: not yet read by the library */
    u16_t received_off;
    bool peer_done; /* FIN seen */
    uint32_t idle_us;
    usec_t progress;
};

static struct stream streams[STREAMS_MAX];

/* lwIP wants to know from its callbacks whether they aborted their connection. */
static const struct tcp_pcb *aborted;

static err_t result_for(const struct tcp_pcb *pcb)
{
    return aborted == pcb ? (err_t)ERR_ABRT : (err_t)LWIP_ERR_OK;
}

unsigned stream_count(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < STREAMS_MAX; i++) {
        n += streams[i].state != FREE;
    }
    return n;
}

/* Everything of s goes back; the connection is closed, or aborted if closing needs memory that is
 * not there. */
static void release(struct stream *s)
{
    if (s->pcb) {
        tcp_arg(s->pcb, NULL);
        tcp_recv(s->pcb, NULL);
        tcp_sent(s->pcb, NULL);
        tcp_err(s->pcb, NULL);
        tcp_poll(s->pcb, NULL, 0);
        if (s->state == CONNECTING || tcp_close(s->pcb) != LWIP_ERR_OK) {
            aborted = s->pcb;
            tcp_abort(s->pcb);
        }
    }
    if (s->received) {
        pbuf_free(s->received);
    }
    if (s->ssl) {
        mbedtls_ssl_free(s->ssl);
    }
    memset(s, 0, sizeof *s);
}

void stream_close(struct stream *s)
{
    REQUIRE(s->state != FREE);
    if (s->ssl && s->state == OPEN) {
        (void)mbedtls_ssl_close_notify(s->ssl);
    }
    release(s);
}

static void finish(struct stream *s, enum err e, const char *reason)
{
    struct stream_events events = s->events;
    void *ctx = s->ctx;
    release(s);
    events.end(ctx, e, reason);
}

/* ---- TLS ---- */

static int bio_send(void *arg, const unsigned char *data, size_t len)
{
    struct stream *s = arg;
    size_t room = s->pcb ? tcp_sndbuf(s->pcb) : 0;
    size_t n = len < room ? len : room;
    if (n == 0 || tcp_write(s->pcb, data, (u16_t)n, TCP_WRITE_FLAG_COPY) != LWIP_ERR_OK) {
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    }
    (void)tcp_output(s->pcb);
    return (int)n;
}

static int bio_recv(void *arg, unsigned char *out, size_t cap)
{
    struct stream *s = arg;
    if (!s->received) {
        return s->peer_done ? 0 : MBEDTLS_ERR_SSL_WANT_READ;
    }
    size_t left = (size_t)s->received->tot_len - s->received_off;
    u16_t n = (u16_t)(cap < left ? cap : left);
    n = pbuf_copy_partial(s->received, out, n, s->received_off);
    s->received_off = (u16_t)(s->received_off + n);
    if (s->pcb) {
        tcp_recved(s->pcb, n);
    }
    /* Whole segments that were read go back at once. */
    while (s->received && s->received_off >= s->received->len) {
        struct pbuf *head = s->received;
        s->received_off = (u16_t)(s->received_off - head->len);
        s->received = pbuf_free_first(head);
    }
    return n;
}

/* Is s still the same open stream? A callback may have closed it. */
static bool alive(const struct stream *s, const struct tcp_pcb *pcb)
{
    return s->state == OPEN && s->pcb == pcb;
}

static void tls_progress(struct stream *s)
{
    static uint8_t chunk[READ_CHUNK];
    struct tcp_pcb *pcb = s->pcb;
    if (s->state == HANDSHAKE) {
        int r = mbedtls_ssl_handshake(s->ssl);
        if (r == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE) {
            return;
        }
        if (r != 0) {
            tls_session_drop(s->ssl, &s->to);
            finish(s, ERR_UNSUPPORTED, tls_reason(r, mbedtls_ssl_get_verify_result(s->ssl)));
            return;
        }
        tls_session_keep(s->ssl, &s->to);
        s->state = OPEN;
        s->events.ready(s->ctx, s);
    }
    while (alive(s, pcb)) {
        int r = mbedtls_ssl_read(s->ssl, chunk, sizeof chunk);
        if (r > 0) {
            s->events.data(s->ctx, s, chunk, (size_t)r);
        } else if (r == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE) {
            return;
        } else if (r == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
            finish(s, ERR_OK, "");
        } else {
            /* An end without close_notify may be a cut: it is no good end. */
            finish(s, r == 0 ? ERR_SHORT : ERR_IO,
                   r == 0 ? "the connection was cut" : "the TLS stream broke");
        }
    }
}

/* ---- TCP ---- */

static err_t on_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t e)
{
    struct stream *s = arg;
    (void)e;
    aborted = NULL;
    s->progress = clock_now();
    if (!p) {
        s->peer_done = true;
        if (s->ssl) {
            tls_progress(s);
        } else {
            finish(s, ERR_OK, "");
        }
        return result_for(pcb);
    }
    if (s->ssl) {
        if (s->received) {
            pbuf_cat(s->received, p);
        } else {
            s->received = p;
            s->received_off = 0;
        }
        tls_progress(s);
        return result_for(pcb);
    }
    for (struct pbuf *q = p; q && alive(s, pcb); q = q->next) {
        s->events.data(s->ctx, s, q->payload, q->len);
    }
    if (alive(s, pcb)) {
        tcp_recved(pcb, p->tot_len);
    }
    pbuf_free(p);
    return result_for(pcb);
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
    struct stream *s = arg;
    (void)len;
    aborted = NULL;
    s->progress = clock_now();
    if (s->ssl) {
        tls_progress(s);
    }
    return result_for(pcb);
}

static void on_error(void *arg, err_t e)
{
    struct stream *s = arg;
    s->pcb = NULL; /* lwIP has freed it */
    finish(s, ERR_IO,
           e == (err_t)ERR_RST ? "the connection was refused or reset" : "the connection broke");
}

static err_t on_poll(void *arg, struct tcp_pcb *pcb)
{
    struct stream *s = arg;
    aborted = NULL;
    if (clock_now() - s->progress > s->idle_us) {
        finish(s, ERR_TIMEOUT, s->state == CONNECTING ? "no answer" : "nothing came for too long");
    }
    return result_for(pcb);
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t e)
{
    struct stream *s = arg;
    (void)e;
    aborted = NULL;
    s->progress = clock_now();
    if (s->ssl) {
        s->state = HANDSHAKE;
        tls_progress(s);
    } else {
        s->state = OPEN;
        s->events.ready(s->ctx, s);
    }
    return result_for(pcb);
}

static enum err tls_prepare(struct stream *s, const char *name)
{
    if (!tls_config()) {
        return ERR_STATE;
    }
    s->ssl = &s->ssl_storage;
    mbedtls_ssl_init(s->ssl);
    if (mbedtls_ssl_setup(s->ssl, tls_config()) != 0 ||
        tls_expect(s->ssl, name, &s->peer) != ERR_OK) {
        return ERR_MEMORY;
    }
    mbedtls_ssl_set_bio(s->ssl, s, bio_send, bio_recv, NULL);
    tls_session_offer(s->ssl, &s->to);
    return ERR_OK;
}

enum err stream_open(const struct stream_target *target, const struct stream_events *events,
                     void *ctx, struct stream **out)
{
    struct stream *s = streams;
    while (s < streams + STREAMS_MAX && s->state != FREE) {
        s++;
    }
    if (s == streams + STREAMS_MAX) {
        return ERR_MEMORY;
    }
    *s = (struct stream){.state = CONNECTING,
                         .events = *events,
                         .ctx = ctx,
                         .to = {.addr = target->addr, .port = target->port},
                         .idle_us = target->idle_us,
                         .progress = clock_now()};
    enum err e = target->tls_name ? tls_prepare(s, target->tls_name) : ERR_OK;
    ip_addr_t addr;
    lwip_from_ip(&target->addr, &addr);
    s->pcb = e == ERR_OK ? tcp_new_ip_type(IP_GET_TYPE(&addr)) : NULL;
    if (!s->pcb) {
        release(s);
        return e == ERR_OK ? ERR_MEMORY : e;
    }
    tcp_arg(s->pcb, s);
    tcp_recv(s->pcb, on_received);
    tcp_sent(s->pcb, on_sent);
    tcp_err(s->pcb, on_error);
    tcp_poll(s->pcb, on_poll, POLL_HALF_SECONDS);
    if (tcp_connect(s->pcb, &addr, target->port, on_connected) != LWIP_ERR_OK) {
        release(s);
        return ERR_MEMORY;
    }
    *out = s;
    return ERR_OK;
}

enum err stream_write(struct stream *s, const void *data, size_t len)
{
    REQUIRE(s->state == OPEN);
    if (len > tcp_sndbuf(s->pcb)) {
        return ERR_SPACE;
    }
    if (s->ssl) {
        return mbedtls_ssl_write(s->ssl, data, len) == (int)len ? ERR_OK : ERR_SPACE;
    }
    if (tcp_write(s->pcb, data, (u16_t)len, TCP_WRITE_FLAG_COPY) != LWIP_ERR_OK) {
        return ERR_SPACE;
    }
    (void)tcp_output(s->pcb);
    return ERR_OK;
}
