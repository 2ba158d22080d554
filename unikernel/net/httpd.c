/*
 * One connection is one slot: octets in go through http_parser into `head` and `body`; a whole
 * request goes to the API; its response goes out as the send buffer has room. While a response is
 * on its way nothing more is read, so a client that pipelines holds itself back.
 */
#include "net/httpd.h"

#include <stdlib.h>
#include <string.h>

/* Some constants of http_parser have the names of the API's methods. */
#define HTTP_GET     PARSER_GET
#define HTTP_HEAD    PARSER_HEAD
#define HTTP_POST    PARSER_POST
#define HTTP_PUT     PARSER_PUT
#define HTTP_PATCH   PARSER_PATCH
#define HTTP_DELETE  PARSER_DELETE
#define HTTP_OPTIONS PARSER_OPTIONS
#define http_method  parser_method
#include "http_parser.h"
#undef HTTP_GET
#undef HTTP_HEAD
#undef HTTP_POST
#undef HTTP_PUT
#undef HTTP_PATCH
#undef HTTP_DELETE
#undef HTTP_OPTIONS
#undef http_method

#include "api/api.h"
#include "arch/aarch64/cpu.h"
#include "base/strbuf.h"
#include "net/lwip.h"
#include "net/lwip_addr.h"

enum state { FREE, READING, RESPONDING, WAITING, DONE };
enum { CHUNK_HEADER = 6, OUT_MAX = 16384, FIELD_NAME_MAX = 24, BODY_STEP = 4096 };

struct slice {
    uint32_t off, len; /* in head */
};

/* Fields that the API looks at, in the order of `wanted`. */
enum field {
    F_HOST,
    F_ORIGIN,
    F_FETCH_SITE,
    F_SID,
    F_FTL_SID,
    F_CSRF,
    F_FTL_CSRF,
    F_AUTHORIZATION,
    F_COOKIE,
    F_CONTENT_TYPE,
    F_USER_AGENT,
    F_IF_NONE_MATCH,
    F_COUNT
};
static const char *const wanted[F_COUNT] = {
    "host",       "origin",        "sec-fetch-site", "sid",          "x-ftl-sid",  "x-csrf-token",
    "x-ftl-csrf", "authorization", "cookie",         "content-type", "user-agent", "if-none-match"};

struct connection {
    enum state state;
    struct tcp_pcb *pcb;
    struct ip_addr peer;
    usec_t since; /* of the state, or of the last octet that moved in it */
    http_parser parser;
    struct pbuf *unread; /* arrived while a response is on its way */

    char head[HTTPD_HEAD_MAX]; /* URL and values of wanted fields, one after the other */
    uint32_t head_len;
    struct slice url, value[F_COUNT];
    char name[FIELD_NAME_MAX]; /* of the field being read, lower case; cut names match nothing */
    uint32_t name_len;
    int field; /* enum field, or -1 */
    uint32_t fields;
    bool in_value;
    char *body;
    uint32_t body_len, body_cap;
    unsigned refuse; /* status to answer instead of asking the API */
    bool complete, keep_alive, is_head;

    char out[OUT_MAX]; /* head of the response, then chunks of a stream */
    uint32_t out_len, out_sent;
    const uint8_t *send; /* the body: static, or a copy in `copy` */
    size_t send_len;
    void *copy;
    api_more *more;
    void *more_state;
    void (*release)(void *);
    bool last_chunk;
};

static struct connection connections[HTTPD_MAX];
static uint32_t bodies; /* octets of all bodies */
static struct httpd_gauges gauges;
static struct api *the_api;
static const struct tcp_pcb *aborted;

static void pump(struct connection *c);

static err_t result_for(const struct tcp_pcb *pcb)
{
    return aborted == pcb ? (err_t)ERR_ABRT : (err_t)LWIP_ERR_OK;
}

static void end_response(struct connection *c)
{
    if (c->release) {
        c->release(c->more_state);
    }
    free(c->copy);
    free(c->body);
    bodies -= c->body_cap;
    c->release = NULL;
    c->more = NULL;
    c->copy = c->body = NULL;
    c->body_len = c->body_cap = 0;
    c->send_len = 0;
    c->out_len = c->out_sent = 0;
}

/*
 * The slot is free again. A connection that is ended in order still waits for its peer inside lwIP:
 * with the least priority, so that it makes room when a new one finds the pool empty. One whose
 * peer is idle or too slow is reset: it would wait there as long as that peer likes.
 */
static void drop(struct connection *c, bool reset)
{
    end_response(c);
    if (c->unread) {
        pbuf_free(c->unread);
    }
    if (c->pcb) {
        tcp_arg(c->pcb, NULL);
        tcp_recv(c->pcb, NULL);
        tcp_sent(c->pcb, NULL);
        tcp_err(c->pcb, NULL);
        tcp_poll(c->pcb, NULL, 0);
        tcp_setprio(c->pcb, TCP_PRIO_MIN);
        if (reset || tcp_close(c->pcb) != LWIP_ERR_OK) {
            aborted = c->pcb;
            tcp_abort(c->pcb);
        }
    }
    c->state = FREE;
    c->pcb = NULL;
    c->unread = NULL;
    gauges.open--;
}

/* ---- the request ---- */

static int append(struct connection *c, struct slice *s, const char *at, size_t len)
{
    if (len > HTTPD_HEAD_MAX - c->head_len) {
        c->refuse = 431;
        return -1;
    }
    if (s->len == 0) {
        s->off = c->head_len;
    }
    memcpy(c->head + c->head_len, at, len);
    c->head_len += (uint32_t)len;
    s->len += (uint32_t)len;
    return 0;
}

static int on_url(http_parser *p, const char *at, size_t len)
{
    struct connection *c = p->data;
    return append(c, &c->url, at, len);
}

static int on_field(http_parser *p, const char *at, size_t len)
{
    struct connection *c = p->data;
    if (c->in_value || c->name_len == 0) {
        c->name_len = 0;
        c->in_value = false;
        if (++c->fields > HTTPD_FIELDS_MAX) {
            c->refuse = 431;
            return -1;
        }
    }
    for (size_t i = 0; i < len; i++) {
        char ch = at[i] >= 'A' && at[i] <= 'Z' ? (char)(at[i] + 32) : at[i];
        if (c->name_len < FIELD_NAME_MAX - 1) {
            c->name[c->name_len] = ch;
        }
        c->name_len++;
    }
    return 0;
}

static int field_of(const struct connection *c)
{
    for (int i = 0; i < F_COUNT; i++) {
        if (strlen(wanted[i]) == c->name_len && c->name_len < FIELD_NAME_MAX &&
            memcmp(wanted[i], c->name, c->name_len) == 0) {
            return i;
        }
    }
    return -1;
}

static int on_value(http_parser *p, const char *at, size_t len)
{
    struct connection *c = p->data;
    if (!c->in_value) {
        c->in_value = true;
        c->field = field_of(c);
        if (c->field >= 0 && c->value[c->field].len > 0) {
            c->refuse = 400; /* twice: two readers might each believe another one (RFC 9112 11.2) */
            return -1;
        }
    }
    return c->field >= 0 ? append(c, &c->value[c->field], at, len) : 0;
}

static int on_headers(http_parser *p)
{
    struct connection *c = p->data;
    if (p->http_major != 1 || p->http_minor > 1) {
        c->refuse = 505;
        return -1;
    }
    if (p->http_major == 1 && p->http_minor >= 1 && c->value[F_HOST].len == 0) {
        c->refuse = 400;
        return -1;
    }
    if (p->content_length != UINT64_MAX && p->content_length > API_BODY_MAX) {
        c->refuse = 413;
        return -1;
    }
    return 0;
}

static int on_body(http_parser *p, const char *at, size_t len)
{
    struct connection *c = p->data;
    if (len > API_BODY_MAX - c->body_len) {
        c->refuse = 413;
        return -1;
    }
    if (c->body_len + len > c->body_cap) {
        uint32_t cap = (uint32_t)((c->body_len + len + BODY_STEP - 1) / BODY_STEP * BODY_STEP);
        bool room = bodies - c->body_cap + cap <= API_BODIES_MAX;
        char *body = room ? realloc(c->body, cap) : NULL;
        if (!body) {
            c->refuse = 503;
            return -1;
        }
        bodies += cap - c->body_cap;
        c->body = body;
        c->body_cap = cap;
    }
    memcpy(c->body + c->body_len, at, len);
    c->body_len += (uint32_t)len;
    return 0;
}

static int on_complete(http_parser *p)
{
    struct connection *c = p->data;
    c->complete = true;
    c->keep_alive = http_should_keep_alive(p) != 0;
    http_parser_pause(p, 1); /* the next request waits for this one's response */
    return 0;
}

static const http_parser_settings settings = {.on_url = on_url,
                                              .on_header_field = on_field,
                                              .on_header_value = on_value,
                                              .on_headers_complete = on_headers,
                                              .on_body = on_body,
                                              .on_message_complete = on_complete};

static void expect_request(struct connection *c)
{
    http_parser_init(&c->parser, HTTP_REQUEST);
    c->parser.data = c;
    c->head_len = c->fields = c->name_len = 0;
    c->url = (struct slice){0};
    memset(c->value, 0, sizeof c->value);
    c->in_value = c->complete = c->is_head = false;
    c->field = -1;
    c->refuse = 0;
    c->state = READING;
    c->since = clock_now();
}

/* ---- the response ---- */

static const char *status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {{200, "OK"},
                 {201, "Created"},
                 {204, "No Content"},
                 {304, "Not Modified"},
                 {400, "Bad Request"},
                 {401, "Unauthorized"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {408, "Request Timeout"},
                 {413, "Content Too Large"},
                 {421, "Misdirected Request"},
                 {429, "Too Many Requests"},
                 {431, "Request Header Fields Too Large"},
                 {500, "Internal Server Error"},
                 {501, "Not Implemented"},
                 {503, "Service Unavailable"},
                 {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (texts[i].status == status) {
            return texts[i].text;
        }
    }
    return "Status";
}

static void write_head(struct connection *c, const struct api_response *r)
{
    struct strbuf b;
    strbuf_init(&b, c->out, sizeof c->out);
    strbuf_printf(&b, "HTTP/1.1 %d %s\r\n", r->status, status_text(r->status));
    for (uint32_t i = 0; i < r->header_count; i++) {
        strbuf_printf(&b, "%s: %s\r\n", r->headers[i].name, r->headers[i].value);
    }
    if (r->more) {
        strbuf_str(&b, "Transfer-Encoding: chunked\r\n");
    } else if (r->status != 204 && r->status != 304) {
        strbuf_printf(&b, "Content-Length: %zu\r\n", r->body_len);
    }
    strbuf_printf(&b, "Connection: %s\r\n\r\n", c->keep_alive ? "keep-alive" : "close");
    c->out_len = (uint32_t)b.len;
    c->out_sent = 0;
}

static void refuse(struct connection *c, unsigned status)
{
    struct api_response r = {.status = (int)status};
    gauges.refused++;
    c->keep_alive = false;
    end_response(c);
    write_head(c, &r);
    c->state = RESPONDING;
}

static enum http_method method_of(unsigned parser_method)
{
    switch (parser_method) {
    case PARSER_GET:
        return HTTP_GET;
    case PARSER_HEAD:
        return HTTP_HEAD;
    case PARSER_POST:
        return HTTP_POST;
    case PARSER_PUT:
        return HTTP_PUT;
    case PARSER_PATCH:
        return HTTP_PATCH;
    case PARSER_DELETE:
        return HTTP_DELETE;
    case PARSER_OPTIONS:
        return HTTP_OPTIONS;
    default:
        return HTTP_OTHER;
    }
}

static struct span value_of(const struct connection *c, enum field f)
{
    return span_of(c->head + c->value[f].off, c->value[f].len);
}

static void ask_api(struct connection *c)
{
    const char *url = c->head + c->url.off;
    const char *mark = memchr(url, '?', c->url.len);
    size_t path_len = mark ? (size_t)(mark - url) : c->url.len;
    struct api_request rq = {.method = method_of(c->parser.method),
                             .path = span_of(url, path_len),
                             .query = mark ? span_of(mark + 1, c->url.len - path_len - 1)
                                           : span_of("", 0),
                             .body = span_of(c->body ? c->body : "", c->body_len),
                             .host = value_of(c, F_HOST),
                             .origin = value_of(c, F_ORIGIN),
                             .fetch_site = value_of(c, F_FETCH_SITE),
                             .sid = value_of(c, F_SID),
                             .ftl_sid = value_of(c, F_FTL_SID),
                             .csrf = value_of(c, c->value[F_CSRF].len ? F_CSRF : F_FTL_CSRF),
                             .authorization = value_of(c, F_AUTHORIZATION),
                             .cookie = value_of(c, F_COOKIE),
                             .content_type = value_of(c, F_CONTENT_TYPE),
                             .user_agent = value_of(c, F_USER_AGENT),
                             .if_none_match = value_of(c, F_IF_NONE_MATCH),
                             .peer = c->peer};
    struct api_response r = {0};
    gauges.requests++;
    api_handle(the_api, clock_now(), &rq, &r);
    c->is_head = rq.method == HTTP_HEAD;
    if (r.body_len > 0 && !r.body_static && !c->is_head) {
        /* The API's buffer is overwritten by the next request. */
        c->copy = malloc(r.body_len);
        if (!c->copy) {
            refuse(c, 503);
            return;
        }
        memcpy(c->copy, r.body, r.body_len);
    }
    c->send = c->copy ? c->copy : r.body;
    c->send_len = c->is_head ? 0 : r.body_len;
    c->more = r.more;
    c->more_state = r.more_state;
    c->release = r.release;
    c->last_chunk = false;
    write_head(c, &r);
    c->state = RESPONDING;
    c->since = clock_now();
}

/* Octets of [data, data+len) that the send buffer takes now. */
static size_t push(struct connection *c, const void *data, size_t len, bool copy)
{
    size_t room = tcp_sndbuf(c->pcb);
    size_t n = len < room ? len : room;
    if (n == 0 ||
        tcp_write(c->pcb, data, (u16_t)n, copy ? TCP_WRITE_FLAG_COPY : 0) != LWIP_ERR_OK) {
        return 0;
    }
    c->since = clock_now();
    return n;
}

/* The next chunk of a stream into `out`. False: nothing now, or the end has been written. */
static bool next_chunk(struct connection *c)
{
    long n = c->more(c->more_state, c->out + CHUNK_HEADER, OUT_MAX - CHUNK_HEADER - 2, clock_now());
    if (n == API_MORE_LATER) {
        c->state = WAITING;
        return false;
    }
    struct strbuf b;
    char size[CHUNK_HEADER + 1];
    strbuf_init(&b, size, sizeof size);
    strbuf_printf(&b, "%04x\r\n", (unsigned)(n > 0 ? n : 0));
    memcpy(c->out, size, CHUNK_HEADER);
    memcpy(c->out + CHUNK_HEADER + (n > 0 ? n : 0), "\r\n", 2);
    c->out_len = (uint32_t)(CHUNK_HEADER + (n > 0 ? n : 0) + 2);
    c->out_sent = 0;
    c->last_chunk = n <= 0;
    return true;
}

/* Move the response on as far as the send buffer goes. */
static void respond(struct connection *c)
{
    while (c->state == RESPONDING) {
        if (c->out_sent < c->out_len) {
            size_t n = push(c, c->out + c->out_sent, c->out_len - c->out_sent, true);
            c->out_sent += (uint32_t)n;
            if (n == 0) {
                break;
            }
        } else if (c->send_len > 0) {
            size_t n = push(c, c->send, c->send_len, c->copy != NULL);
            c->send += n;
            c->send_len -= n;
            if (n == 0) {
                break;
            }
        } else if (c->more && !c->last_chunk && !c->is_head) {
            if (!next_chunk(c)) {
                break;
            }
        } else {
            bool again = c->keep_alive;
            end_response(c);
            if (again) {
                expect_request(c);
            } else {
                c->state = DONE;
            }
        }
    }
    (void)tcp_output(c->pcb);
}

/* ---- the connection ---- */

/* Give waiting octets to the parser until a request is whole. */
static void read_on(struct connection *c)
{
    while (c->state == READING && c->unread) {
        struct pbuf *p = c->unread;
        size_t used = http_parser_execute(&c->parser, &settings, p->payload, p->len);
        bool stopped = c->complete || HTTP_PARSER_ERRNO(&c->parser) != HPE_OK || c->parser.upgrade;
        tcp_recved(c->pcb, (u16_t)(stopped ? used : p->len));
        if (used == p->len) {
            c->unread = pbuf_free_first(p);
        } else {
            (void)pbuf_remove_header(p, used);
        }
        if (c->complete) {
            ask_api(c);
        } else if (stopped) {
            refuse(c, c->refuse ? c->refuse : 400);
        }
    }
}

static void pump(struct connection *c)
{
    enum state before;
    do {
        before = c->state;
        read_on(c);
        if (c->state == RESPONDING) {
            respond(c);
        }
    } while (c->state == READING && c->unread && before != c->state);
    if (c->state == DONE) {
        drop(c, false);
    }
}

static err_t on_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t e)
{
    struct connection *c = arg;
    (void)e;
    aborted = NULL;
    if (!p) {
        if (c->state == RESPONDING) {
            c->keep_alive = false; /* it may still read: the response goes out first */
        } else {
            drop(c, false);
        }
        return result_for(pcb);
    }
    if (c->unread) {
        pbuf_cat(c->unread, p);
    } else {
        c->unread = p;
    }
    pump(c);
    return result_for(pcb);
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
    struct connection *c = arg;
    (void)len;
    aborted = NULL;
    c->since = clock_now();
    pump(c);
    return result_for(pcb);
}

static void on_error(void *arg, err_t e)
{
    struct connection *c = arg;
    (void)e;
    c->pcb = NULL;
    drop(c, false);
}

static bool overdue(const struct connection *c)
{
    usec_t waited = clock_now() - c->since;
    switch (c->state) {
    case READING:
        return waited > (c->head_len > 0 || c->body_len > 0 ? HTTPD_HEAD_US : HTTPD_IDLE_US);
    case RESPONDING:
        return waited > HTTPD_WRITE_US;
    case WAITING: /* an event stream: lwIP's keep-alive finds vanished clients */
    case FREE:
    case DONE:
        return false;
    }
    return false;
}

static err_t on_poll(void *arg, struct tcp_pcb *pcb)
{
    struct connection *c = arg;
    aborted = NULL;
    if (overdue(c)) {
        gauges.timed_out++;
        drop(c, true);
    } else {
        pump(c);
    }
    return result_for(pcb);
}

/* A free slot, or that of the connection that has been reading or waiting for longest. */
static struct connection *take_slot(void)
{
    struct connection *oldest = NULL;
    for (struct connection *c = connections; c < connections + HTTPD_MAX; c++) {
        if (c->state == FREE) {
            return c;
        }
        if (c->state != RESPONDING && (!oldest || c->since < oldest->since)) {
            oldest = c;
        }
    }
    if (oldest) {
        gauges.evicted++;
        drop(oldest, true);
    }
    return oldest;
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t e)
{
    (void)arg;
    aborted = NULL;
    struct connection *c = e == (err_t)LWIP_ERR_OK && pcb ? take_slot() : NULL;
    if (!c) {
        if (pcb) {
            tcp_abort(pcb);
        }
        return (err_t)ERR_ABRT;
    }
    memset(c, 0, offsetof(struct connection, head));
    c->copy = c->body = NULL;
    c->body_len = c->body_cap = 0;
    c->release = NULL;
    c->more = NULL;
    c->send_len = 0;
    c->out_len = c->out_sent = 0;
    c->pcb = pcb;
    c->peer = lwip_to_ip(&pcb->remote_ip);
    gauges.open++;
    gauges.peak = gauges.open > gauges.peak ? gauges.open : gauges.peak;
    expect_request(c);
    ip_set_option(pcb, SOF_KEEPALIVE);
    pcb->keep_idle = 30000;
    pcb->keep_intvl = 5000;
    pcb->keep_cnt = 4;
    tcp_arg(pcb, c);
    tcp_recv(pcb, on_received);
    tcp_sent(pcb, on_sent);
    tcp_err(pcb, on_error);
    tcp_poll(pcb, on_poll, 2);
    return LWIP_ERR_OK;
}

enum err httpd_start(uint16_t port, struct api *api)
{
    struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
    the_api = api;
    if (!pcb || tcp_bind(pcb, IP_ANY_TYPE, port) != LWIP_ERR_OK) {
        return ERR_STATE;
    }
    pcb = tcp_listen_with_backlog(pcb, HTTPD_MAX);
    if (!pcb) {
        return ERR_MEMORY;
    }
    tcp_accept(pcb, on_accept);
    return ERR_OK;
}

void httpd_news(void)
{
    for (struct connection *c = connections; c < connections + HTTPD_MAX; c++) {
        if (c->state == WAITING) {
            c->state = RESPONDING;
            pump(c);
        }
    }
}

void httpd_get_gauges(struct httpd_gauges *out)
{
    *out = gauges;
}
