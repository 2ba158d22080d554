/* Downloads: name → stream → http_parser. Each has a slot with its own buffers; nothing is
 * allocated but what mbedTLS needs. */
#include "net/fetch.h"

#include <string.h>

#include "http_parser.h"

#include "base/ip.h"
#include "base/strbuf.h"
#include "net/lwip.h"
#include "net/lwip_addr.h"
#include "net/stream.h"

enum header { HEADER_OTHER, HEADER_LOCATION, HEADER_ETAG, HEADER_MODIFIED };
enum { FIELD_MAX = 32 };

struct fetch {
    bool used;
    struct fetch_request rq;
    char etag[FETCH_TAG_MAX], modified[FETCH_TAG_MAX];
    struct fetch_url url;
    unsigned redirects;
    struct stream *stream; /* NULL while the name is looked up, and when it is over */
    http_parser parser;
    struct fetch_result result;
    char field[FIELD_MAX]; /* name of the header being read */
    uint32_t field_len;
    enum header header;
    char location[FETCH_URL_MAX];
    bool complete;       /* the whole answer came */
    bool stopped;        /* the caller or a limit said enough */
    uint32_t generation; /* so that a late DNS answer does not meet the next user of the slot */
};

static struct fetch fetches[FETCH_MAX];

static void begin(struct fetch *f);

static void finish(struct fetch *f, enum err e, const char *reason)
{
    struct fetch_request rq = f->rq;
    struct fetch_result result = f->result;
    uint32_t generation = f->generation;
    if (f->stream) {
        stream_close(f->stream);
    }
    result.error = e;
    result.reason = reason;
    memset(f, 0, sizeof *f);
    f->generation = generation + 1;
    rq.done(rq.ctx, &result);
}

/* ---- the answer ---- */

static void append(char *to, size_t cap, const char *data, size_t len)
{
    size_t have = strlen(to);
    size_t n = len < cap - 1 - have ? len : cap - 1 - have;
    memcpy(to + have, data, n);
    to[have + n] = '\0';
}

static int on_begin(http_parser *p)
{
    struct fetch *f = p->data;
    f->location[0] = f->result.etag[0] = f->result.modified[0] = '\0';
    f->field_len = 0;
    return 0;
}

static int on_field(http_parser *p, const char *at, size_t len)
{
    struct fetch *f = p->data;
    if (f->header != HEADER_OTHER || f->field_len == UINT32_MAX) {
        f->field_len = 0; /* a value came before: this is the next name */
        f->header = HEADER_OTHER;
    }
    for (size_t i = 0; i < len && f->field_len < FIELD_MAX - 1; i++) {
        char c = at[i];
        f->field[f->field_len++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    f->field[f->field_len] = '\0';
    return 0;
}

static enum header header_of(const char *name)
{
    static const struct {
        const char *name;
        enum header header;
    } known[] = {
        {"location", HEADER_LOCATION}, {"etag", HEADER_ETAG}, {"last-modified", HEADER_MODIFIED}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(name, known[i].name) == 0) {
            return known[i].header;
        }
    }
    return HEADER_OTHER;
}

static int on_value(http_parser *p, const char *at, size_t len)
{
    struct fetch *f = p->data;
    if (f->field_len != UINT32_MAX) {
        f->header = header_of(f->field);
        f->field_len = UINT32_MAX;
    }
    switch (f->header) {
    case HEADER_LOCATION:
        append(f->location, sizeof f->location, at, len);
        break;
    case HEADER_ETAG:
        append(f->result.etag, sizeof f->result.etag, at, len);
        break;
    case HEADER_MODIFIED:
        append(f->result.modified, sizeof f->result.modified, at, len);
        break;
    case HEADER_OTHER:
        break;
    }
    return 0;
}

static bool is_redirect(unsigned status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static int on_headers(http_parser *p)
{
    struct fetch *f = p->data;
    f->result.status = p->status_code;
    if (p->content_length != UINT64_MAX && p->content_length > f->rq.octets_max) {
        f->stopped = true;
        return -1;
    }
    return 0;
}

static int on_body(http_parser *p, const char *at, size_t len)
{
    struct fetch *f = p->data;
    f->result.octets += len;
    if (f->result.octets > f->rq.octets_max ||
        (f->result.status == 200 && !f->rq.body(f->rq.ctx, (const uint8_t *)at, len))) {
        f->stopped = true;
        return -1;
    }
    return 0;
}

static int on_complete(http_parser *p)
{
    struct fetch *f = p->data;
    f->complete = true;
    http_parser_pause(p, 1); /* one answer: what follows is not ours */
    return 0;
}

static const http_parser_settings settings = {.on_message_begin = on_begin,
                                              .on_header_field = on_field,
                                              .on_header_value = on_value,
                                              .on_headers_complete = on_headers,
                                              .on_body = on_body,
                                              .on_message_complete = on_complete};

static void conclude(struct fetch *f)
{
    if (!is_redirect(f->result.status)) {
        finish(f, ERR_OK, "");
        return;
    }
    const char *what = "too many redirects";
    struct fetch_url next;
    if (++f->redirects > FETCH_REDIRECTS_MAX ||
        fetch_url_follow(&f->url, f->location, &next, &what) != ERR_OK) {
        finish(f, ERR_LIMIT, what);
        return;
    }
    stream_close(f->stream);
    f->stream = NULL;
    f->url = next;
    f->complete = false;
    f->result.octets = 0;
    begin(f);
}

/* ---- the stream ---- */

static void stream_ready(void *ctx, struct stream *s)
{
    struct fetch *f = ctx;
    char text[FETCH_URL_MAX + 3 * FETCH_TAG_MAX + 512];
    struct strbuf b;
    strbuf_init(&b, text, sizeof text);
    bool v6 = strchr(f->url.host, ':') != NULL;
    bool default_port = f->url.port == (f->url.tls ? 443 : 80);
    strbuf_printf(&b, "GET %s HTTP/1.1\r\nHost: %s%s%s", f->url.path, v6 ? "[" : "", f->url.host,
                  v6 ? "]" : "");
    if (!default_port) {
        strbuf_printf(&b, ":%u", f->url.port);
    }
    strbuf_str(&b, "\r\nUser-Agent: sinkhole/" SINKHOLE_VERSION
                   "\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nConnection: close\r\n");
    if (f->etag[0]) {
        strbuf_printf(&b, "If-None-Match: %s\r\n", f->etag);
    }
    if (f->modified[0]) {
        strbuf_printf(&b, "If-Modified-Since: %s\r\n", f->modified);
    }
    strbuf_str(&b, "\r\n");
    if (b.truncated || stream_write(s, b.text, b.len) != ERR_OK) {
        finish(f, ERR_SPACE, "the request does not fit");
    }
}

static void stream_data(void *ctx, struct stream *s, const uint8_t *data, size_t len)
{
    struct fetch *f = ctx;
    (void)s;
    size_t used = http_parser_execute(&f->parser, &settings, (const char *)data, len);
    if (f->complete) {
        conclude(f);
    } else if (f->stopped) {
        finish(f, ERR_LIMIT, "longer than allowed");
    } else if (HTTP_PARSER_ERRNO(&f->parser) != HPE_OK || used != len) {
        finish(f, ERR_FORMAT, "the server does not speak HTTP");
    }
}

static void stream_end(void *ctx, enum err e, const char *reason)
{
    struct fetch *f = ctx;
    f->stream = NULL;
    if (e == ERR_OK || e == ERR_SHORT) {
        /* The end may be what ends the answer: one without length and chunks. Over TLS only a clean
         * end counts. */
        (void)http_parser_execute(&f->parser, &settings, NULL, 0);
        if (f->complete && e == ERR_OK && !is_redirect(f->result.status)) {
            finish(f, ERR_OK, "");
            return;
        }
        finish(f, ERR_SHORT, "the answer was cut off");
        return;
    }
    finish(f, e, reason);
}

static void connect_to(struct fetch *f, const ip_addr_t *addr)
{
    static const struct stream_events events = {
        .ready = stream_ready, .data = stream_data, .end = stream_end};
    struct stream_target target = {.addr = lwip_to_ip(addr),
                                   .port = f->url.port,
                                   .tls_name = f->url.tls ? f->url.host : NULL,
                                   .idle_us = f->rq.idle_us};
    http_parser_init(&f->parser, HTTP_RESPONSE);
    f->parser.data = f;
    enum err e = stream_open(&target, &events, f, &f->stream);
    if (e != ERR_OK) {
        finish(f, e,
               e == ERR_STATE ? "no trusted certificates are there for https"
                              : "out of connections");
    }
}

static void name_found(const char *name, const ip_addr_t *addr, void *arg)
{
    uintptr_t token = (uintptr_t)arg;
    struct fetch *f = &fetches[token % FETCH_MAX];
    (void)name;
    if (!f->used || f->generation != token / FETCH_MAX) {
        return;
    }
    if (!addr) {
        finish(f, ERR_NOT_FOUND, "the host's name is not found");
        return;
    }
    connect_to(f, addr);
}

static void begin(struct fetch *f)
{
    ip_addr_t addr;
    uintptr_t token = (uintptr_t)f->generation * FETCH_MAX + (uintptr_t)(f - fetches);
    err_t e = dns_gethostbyname_addrtype(f->url.host, &addr, name_found, (void *)token,
                                         LWIP_DNS_ADDRTYPE_IPV4_IPV6);
    if (e == (err_t)LWIP_ERR_OK) {
        connect_to(f, &addr);
    } else if (e != (err_t)ERR_INPROGRESS) {
        finish(f, ERR_NOT_FOUND, "the host's name cannot be looked up");
    }
}

enum err fetch_start(const struct fetch_request *rq, const char **what)
{
    struct fetch_url url;
    enum err e = fetch_url_parse(rq->url, &url, what);
    if (e != ERR_OK) {
        return e;
    }
    struct fetch *f = fetches;
    while (f < fetches + FETCH_MAX && f->used) {
        f++;
    }
    if (f == fetches + FETCH_MAX) {
        *what = "too many downloads at once";
        return ERR_LIMIT;
    }
    uint32_t generation = f->generation;
    memset(f, 0, sizeof *f);
    f->generation = generation;
    f->used = true;
    f->rq = *rq;
    f->url = url;
    append(f->etag, sizeof f->etag, rq->etag ? rq->etag : "", rq->etag ? strlen(rq->etag) : 0);
    append(f->modified, sizeof f->modified, rq->modified ? rq->modified : "",
           rq->modified ? strlen(rq->modified) : 0);
    begin(f);
    return ERR_OK;
}
