/*
 * Requests and responses: what libmicrohttpd parsed becomes a struct api_request, what the API
 * answers becomes its response. The request target is taken raw, as decoding is the API's; headers
 * that may stand only once are counted here, because a second one means that somebody else on the
 * way might read the other.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "host/http_mhd_int.h"
#include "host/sys.h"

enum { HEADERS_MAX = 64, TARGET_MAX = 8192, STREAM_BUFFER = 32 * 1024 };

struct request {
    char *target; /* path and query as they were sent */
    uint8_t *body;
    size_t body_len, body_cap;
    bool started; /* the head has been looked at */
    bool refused; /* a response is queued already; the rest is not looked at */
};

/* A response that is made piece by piece. */
struct outflow {
    struct http *h;
    struct MHD_Connection *connection;
    struct http_conn *conn;
    api_more *more;
    void *state;
    void (*release)(void *state);
    bool waits;
    struct outflow *next; /* in h->waiting */
    size_t len, off;      /* octets in buf, of them given */
    char buf[STREAM_BUFFER];
};

struct http_conn *http_conn_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void set_state(struct MHD_Connection *connection, enum http_conn_state state)
{
    struct http_conn *c = http_conn_of(connection);
    if (c) {
        http_conn_set(c, state, sys_now());
    }
}

void *http_request_start(void *cls, const char *uri, struct MHD_Connection *connection)
{
    (void)cls;
    (void)connection;
    struct request *rq = calloc(1, sizeof *rq);
    if (rq && strlen(uri) <= TARGET_MAX) {
        rq->target = strdup(uri);
    }
    return rq;
}

void http_request_end(void *cls, struct MHD_Connection *connection, void **state,
                      enum MHD_RequestTerminationCode why)
{
    struct http *h = cls;
    struct request *rq = *state;
    (void)why;
    set_state(connection, CONN_IDLE);
    if (rq) {
        h->bodies -= rq->body_cap;
        free(rq->target);
        free(rq->body);
        free(rq);
    }
    *state = NULL;
}

/* --- refusals that the API does not see ------------------------------------------------------ */

static enum MHD_Result refuse(struct MHD_Connection *connection, struct request *rq,
                              unsigned status, const char *body)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(strlen(body), (void *)(uintptr_t)body,
                                                             MHD_RESPMEM_PERSISTENT);
    if (!r) {
        return MHD_NO;
    }
    if (rq) {
        rq->refused = true;
    }
    MHD_add_response_header(r, "Content-Type", "application/json; charset=utf-8");
    MHD_add_response_header(r, "Cache-Control", "no-store");
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(r, "Connection", "close");
    enum MHD_Result ok = MHD_queue_response(connection, status, r);
    MHD_destroy_response(r);
    return ok;
}

#define ERROR_BODY(key, message) \
    "{\"error\":{\"key\":\"" key "\",\"message\":\"" message "\",\"hint\":null},\"took\":0.0}"

/* --- headers --------------------------------------------------------------------------------- */

struct head {
    struct api_request *request;
    uint32_t count;
    uint32_t hosts, lengths, encodings;
    bool bad;
};

static void take_header(struct api_request *rq, const char *name, struct span value)
{
    const struct {
        const char *name;
        struct span *to;
    } rows[] = {
        {"Host", &rq->host},
        {"Origin", &rq->origin},
        {"Sec-Fetch-Site", &rq->fetch_site},
        {"sid", &rq->sid},
        {"X-FTL-SID", &rq->ftl_sid},
        {"X-FTL-CSRF", &rq->csrf},
        {"X-CSRF-TOKEN", &rq->csrf},
        {"Authorization", &rq->authorization},
        {"Cookie", &rq->cookie},
        {"Content-Type", &rq->content_type},
        {"User-Agent", &rq->user_agent},
        {"If-None-Match", &rq->if_none_match},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcasecmp(name, rows[i].name) == 0) {
            *rows[i].to = value;
        }
    }
}

static enum MHD_Result each_header(void *cls, enum MHD_ValueKind kind, const char *key,
                                   size_t key_len, const char *value, size_t value_len)
{
    struct head *h = cls;
    (void)kind;
    value = value ? value : "";
    h->count++;
    h->hosts += strcasecmp(key, "Host") == 0;
    h->lengths += strcasecmp(key, "Content-Length") == 0;
    h->encodings += strcasecmp(key, "Transfer-Encoding") == 0;
    h->bad = h->bad || key_len == 0 || memchr(key, ' ', key_len) || memchr(key, '\t', key_len) ||
             memchr(key, 0, key_len) || memchr(value, 0, value_len);
    take_header(h->request, key, span_of(value, value_len));
    return MHD_YES;
}

/* Header fields into the request; false: they are not to be trusted. */
static bool read_head(struct MHD_Connection *connection, struct api_request *request)
{
    struct head h = {.request = request};
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, each_header, &h);
    return !h.bad && h.count <= HEADERS_MAX && h.hosts <= 1 && h.lengths <= 1 && h.encodings <= 1 &&
           !(h.lengths > 0 && h.encodings > 0);
}

static enum http_method method_of(const char *name)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            return (enum http_method)i;
        }
    }
    return HTTP_OTHER;
}

/* Path and query out of the request target; the absolute form (RFC 9112 3.2.2) is allowed. */
static bool cut_target(const char *target, struct api_request *request)
{
    if (strncasecmp(target, "http://", 7) == 0) {
        target += 7 + strcspn(target + 7, "/?");
    }
    size_t path = strcspn(target, "?#");
    if (path == 0 || (target[0] != '/' && strcmp(target, "*") != 0)) {
        return false;
    }
    request->path = span_of(target, path);
    if (target[path] == '?') {
        request->query = span_of(target + path + 1, strcspn(target + path + 1, "#"));
    }
    return true;
}

/* --- responses ------------------------------------------------------------------------------- */

static ssize_t give(struct outflow *o, char *buf, size_t max)
{
    size_t n = o->len - o->off < max ? o->len - o->off : max;
    memcpy(buf, o->buf + o->off, n);
    o->off += n;
    return (ssize_t)n;
}

static ssize_t outflow_read(void *cls, uint64_t pos, char *buf, size_t max)
{
    struct outflow *o = cls;
    (void)pos;
    if (o->off < o->len) {
        return give(o, buf, max);
    }
    pthread_mutex_lock(o->h->lock);
    long n = o->more(o->state, o->buf, sizeof o->buf, sys_now());
    pthread_mutex_unlock(o->h->lock);
    if (n > 0) {
        o->len = (size_t)n;
        o->off = 0;
        return give(o, buf, max);
    }
    if (n == API_MORE_LATER) {
        o->waits = true;
        o->next = o->h->waiting;
        o->h->waiting = o;
        MHD_suspend_connection(o->connection);
        return 0;
    }
    return MHD_CONTENT_READER_END_OF_STREAM;
}

static void outflow_free(void *cls)
{
    struct outflow *o = cls;
    for (struct outflow **p = &o->h->waiting; *p; p = &(*p)->next) {
        if (*p == o) {
            *p = o->next;
            break;
        }
    }
    pthread_mutex_lock(o->h->lock);
    if (o->release) {
        o->release(o->state);
    }
    pthread_mutex_unlock(o->h->lock);
    free(o);
}

void http_resume(struct http *h)
{
    while (h->waiting) {
        struct outflow *o = h->waiting;
        h->waiting = o->next;
        o->next = NULL;
        o->waits = false;
        MHD_resume_connection(o->connection);
    }
}

/* With the lock. */
static struct MHD_Response *make_stream(struct http *h, struct MHD_Connection *connection,
                                        const struct api_response *response)
{
    struct outflow *o = calloc(1, sizeof *o);
    if (!o) {
        if (response->release) {
            response->release(response->more_state);
        }
        return NULL;
    }
    o->h = h;
    o->connection = connection;
    o->more = response->more;
    o->state = response->more_state;
    o->release = response->release;
    struct MHD_Response *r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BUFFER,
                                                               outflow_read, o, outflow_free);
    if (!r) {
        if (o->release) {
            o->release(o->state);
        }
        free(o);
    }
    return r;
}

/* A copy of a response's body. */
struct body {
    struct http *h;
    size_t len;
    char octets[];
};

static void body_free(void *cls)
{
    struct body *b = cls;
    b->h->responses -= b->len;
    free(b);
}

/* With the lock; NULL if there is no memory or no allowance for it. */
static struct MHD_Response *copy_response(struct http *h, const struct api_response *response)
{
    if (response->body_len > HTTP_RESPONSES_MAX - h->responses) {
        return NULL;
    }
    struct body *b = malloc(sizeof *b + response->body_len);
    if (!b) {
        return NULL;
    }
    b->h = h;
    b->len = response->body_len;
    memcpy(b->octets, response->body, b->len);
    struct MHD_Response *r =
        MHD_create_response_from_buffer_with_free_callback_cls(b->len, b->octets, body_free, b);
    if (!r) {
        free(b);
        return NULL;
    }
    h->responses += b->len;
    return r;
}

static struct MHD_Response *make_response(struct http *h, struct MHD_Connection *connection,
                                          const struct api_response *response)
{
    if (response->more) {
        return make_stream(h, connection, response);
    }
    if (response->body_static || response->body_len == 0) {
        return MHD_create_response_from_buffer(
            response->body_len, (void *)(uintptr_t)response->body, MHD_RESPMEM_PERSISTENT);
    }
    return copy_response(h, response);
}

/* The whole request is there: ask the API. */
static enum MHD_Result answer(struct http *h, struct MHD_Connection *connection, struct request *rq,
                              struct api_request *request)
{
    struct api_response response;
    const struct http_conn *c = http_conn_of(connection);
    request->body = span_of(rq->body, rq->body_len);
    if (c) {
        request->peer = c->peer;
    }
    pthread_mutex_lock(h->lock);
    if (h->before) {
        h->before(h->before_arg);
    }
    api_handle(h->api, sys_now(), request, &response);
    struct MHD_Response *r = make_response(h, connection, &response);
    pthread_mutex_unlock(h->lock);
    if (!r) {
        set_state(connection, CONN_SENDING);
        return refuse(connection, rq, 503, ERROR_BODY("busy", "Too many answers are under way"));
    }
    for (uint32_t i = 0; i < response.header_count; i++) {
        MHD_add_response_header(r, response.headers[i].name, response.headers[i].value);
    }
    set_state(connection, response.event_stream ? CONN_STREAM : CONN_SENDING);
    enum MHD_Result ok = MHD_queue_response(connection, (unsigned)response.status, r);
    MHD_destroy_response(r);
    return ok;
}

/* --- bodies ---------------------------------------------------------------------------------- */

/* Room for `more` octets; the allowance of all bodies together is kept. */
static bool grow_body(struct http *h, struct request *rq, size_t more)
{
    size_t need = rq->body_len + more, cap = rq->body_cap ? rq->body_cap : 4096;
    if (need <= rq->body_cap) {
        return true;
    }
    while (cap < need) {
        cap *= 2;
    }
    if (h->bodies - rq->body_cap + cap > API_BODIES_MAX) {
        return false;
    }
    uint8_t *body = realloc(rq->body, cap);
    if (!body) {
        return false;
    }
    h->bodies += cap - rq->body_cap;
    rq->body = body;
    rq->body_cap = cap;
    return true;
}

static enum MHD_Result take_body(struct http *h, struct MHD_Connection *connection,
                                 struct request *rq, const char *data, size_t *len)
{
    size_t n = *len;
    *len = 0;
    if (rq->refused) {
        return MHD_YES;
    }
    if (n > API_BODY_MAX - rq->body_len) {
        return refuse(connection, rq, 413, ERROR_BODY("body_error", "The body is too large"));
    }
    if (!grow_body(h, rq, n)) {
        return refuse(connection, rq, 503, ERROR_BODY("busy", "Too much is being sent at once"));
    }
    memcpy(rq->body + rq->body_len, data, n);
    rq->body_len += n;
    return MHD_YES;
}

static bool announces_too_much(struct MHD_Connection *connection)
{
    const char *text = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    return text && strtoull(text, NULL, 10) > API_BODY_MAX;
}

enum MHD_Result http_request_part(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *len, void **state)
{
    struct http *h = cls;
    struct request *rq = *state;
    struct api_request request = {.method = method_of(method)};
    (void)url;
    (void)version;
    if (!rq) {
        return MHD_NO; /* no memory */
    }
    if (*len > 0) {
        return take_body(h, connection, rq, data, len);
    }
    if (rq->refused) {
        return MHD_YES;
    }
    if (!rq->target) {
        return refuse(connection, rq, 414, ERROR_BODY("bad_request", "The address is too long"));
    }
    if (!read_head(connection, &request) || !cut_target(rq->target, &request)) {
        return refuse(connection, rq, 400, ERROR_BODY("bad_request", "Bad request"));
    }
    if (!rq->started) {
        /* The first call brings the head alone; the next one without data says that the body is
         * complete. */
        rq->started = true;
        set_state(connection, CONN_BODY);
        if (announces_too_much(connection)) {
            return refuse(connection, rq, 413, ERROR_BODY("body_error", "The body is too large"));
        }
        return MHD_YES;
    }
    return answer(h, connection, rq, &request);
}
