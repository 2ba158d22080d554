/*
 * Downloads through libcurl's multi interface. Three things are ours instead of curl's:
 *
 * Redirects are followed here, so that each target passes the same checks as a URL from a person, and the count is ours.
 * Content-Encoding is undone in decode.c, since curl takes a gzip stream that was cut for a complete one.
 * Whether an answer is complete is judged here as well: HTTP/1 without a length and without chunks ends wherever the connection
 * broke, so such an answer counts only if its own compression vouches for its end (hardening L2).
 */
#include "host/fetch_curl.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ip.h"
#include "base/require.h"
#include "base/strbuf.h"
#include "host/decode.h"

#define HEADERS_OCTETS_MAX 65536 /* of one answer's header, all lines together */
#define OTHER_BODY_MAX     65536 /* octets of an error page or a redirect's body that are read at all */

enum encoding { ENCODING_NONE, ENCODING_GZIP, ENCODING_BROTLI, ENCODING_UNKNOWN };

/* One transfer with its redirects. */
struct transfer {
    struct transfer *next;   /* in the fetcher's waiting or active list */
    struct fetcher *fetcher;
    CURL *easy;
    struct curl_slist *headers;
    char *url;               /* of the present hop */
    bool conditional;
    bool local;              /* the URL asked for names a loopback or link-local host itself */
    unsigned redirects;
    fetch_sink *sink;
    void *arg;

    /* The present answer. */
    struct decoder *encoding; /* undoes Content-Encoding, feeds file */
    struct decoder *file;     /* undoes a list that is a .gz file, feeds the sink */
    uint64_t header_octets, other_octets;
    enum encoding content_encoding;
    bool has_length, chunked;
    bool headers_too_long, address_refused, sink_stopped;
    char refused_address[IP_TEXT_MAX];
    enum err body_error;     /* of decoding, ERR_OK: none */

    struct fetch_result result;
    char curl_error[CURL_ERROR_SIZE];
};

struct fetcher {
    CURLM *multi;
    struct fetch_limits limits;
    fetch_done *done;
    bool proxied;                      /* the environment names a proxy: addresses are its business */
    struct transfer *waiting, **waiting_end;
    struct transfer *active;
    uint32_t waiting_count, active_count;
};

enum err fetch_global_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? ERR_OK : ERR_IO;
}

/* URLs */

static bool is_local_address(const struct ip_addr *a)
{
    return ip_is_loopback(a) || ip_is_link_local(a) || ip_is_unspecified(a);
}

/* Is the host a name or a literal of this machine or this link? "[::1]", "127.0.0.1", "localhost", "x.localhost". */
static bool is_local_host(const char *host)
{
    struct ip_addr a;
    size_t len = strlen(host);
    const char *start = host;
    if (len >= 2 && host[0] == '[') {
        start++;
        len -= 2;
    }
    size_t plain = strcspn(start, "%"); /* a scope */
    if (ip_parse(span_of(start, plain < len ? plain : len), &a) == ERR_OK) {
        return is_local_address(&a);
    }
    while (len > 0 && start[len - 1] == '.') {
        len--;
    }
    static const char name[] = "localhost";
    size_t name_len = sizeof name - 1;
    return len >= name_len && strncasecmp(start + len - name_len, name, name_len) == 0 &&
           (len == name_len || start[len - name_len - 1] == '.');
}

struct url_parts {
    bool https;
    bool local;
};

static const char *url_check(const char *url, struct url_parts *out)
{
    size_t len = strlen(url);
    if (len == 0) {
        return "the URL is empty";
    }
    if (len >= FETCH_URL_MAX) {
        return "the URL is too long";
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)url[i] <= ' ' || (unsigned char)url[i] >= 0x7f) {
            return "the URL holds a blank, a control octet or a letter outside ASCII";
        }
    }
    const char *slashes = strstr(url, "://");
    if (!slashes || slashes[3] == '/') { /* libcurl would take three slashes for two */
        return "not a URL, or one without a host";
    }
    const char *problem = NULL;
    char *scheme = NULL, *host = NULL, *user = NULL, *password = NULL;
    CURLU *u = curl_url();
    if (!u) {
        return "out of memory";
    }
    if (curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK) {
        problem = "not a URL";
    } else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) {
        problem = "only http:// and https:// URLs are fetched";
    } else if (curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK || host[0] == '\0') {
        problem = "the URL has no host";
    } else if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK ||
               curl_url_get(u, CURLUPART_PASSWORD, &password, 0) == CURLUE_OK) {
        problem = "a URL with a user name or password is not fetched";
    } else {
        out->https = strcmp(scheme, "https") == 0;
        out->local = is_local_host(host);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_free(password);
    curl_url_cleanup(u);
    return problem;
}

const char *fetch_url_problem(const char *url, char *text)
{
    struct url_parts parts;
    const char *problem = url_check(url, &parts);
    if (!problem) {
        return NULL;
    }
    (void)snprintf(text, FETCH_ERROR_MAX, "%s", problem);
    return text;
}

bool fetch_url_is_local(const char *url)
{
    struct url_parts parts = {0};
    return !url_check(url, &parts) && parts.local;
}

/* What curl calls while a transfer runs */

static bool text_is(const char *value, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(value, word, len) == 0;
}

/* A validator is kept only whole and printable, as it goes back into a request header. */
static void keep_validator(char out[FETCH_VALIDATOR_MAX], const char *value, size_t len)
{
    out[0] = '\0';
    if (len >= FETCH_VALIDATOR_MAX) {
        return;
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)value[i] < ' ' || (unsigned char)value[i] >= 0x7f) {
            return;
        }
    }
    memcpy(out, value, len);
    out[len] = '\0';
}

static void answer_reset(struct transfer *t)
{
    decode_close(t->encoding);
    decode_close(t->file);
    t->encoding = t->file = NULL;
    t->other_octets = 0;
    t->content_encoding = ENCODING_NONE;
    t->has_length = t->chunked = false;
    t->body_error = ERR_OK;
    t->result.etag[0] = t->result.last_modified[0] = '\0';
}

static enum encoding encoding_of(const char *value, size_t len)
{
    if (text_is(value, len, "gzip") || text_is(value, len, "x-gzip")) {
        return ENCODING_GZIP;
    }
    if (text_is(value, len, "br")) {
        return ENCODING_BROTLI;
    }
    return len == 0 || text_is(value, len, "identity") ? ENCODING_NONE : ENCODING_UNKNOWN;
}

/* One header field, name and value trimmed. */
static void on_field(struct transfer *t, const char *name, size_t name_len, const char *value, size_t len)
{
    if (text_is(name, name_len, "etag")) {
        keep_validator(t->result.etag, value, len);
    } else if (text_is(name, name_len, "last-modified")) {
        keep_validator(t->result.last_modified, value, len);
    } else if (text_is(name, name_len, "content-length")) {
        t->has_length = true;
    } else if (text_is(name, name_len, "transfer-encoding")) {
        t->chunked = len >= 7 && strncasecmp(value + len - 7, "chunked", 7) == 0;
    } else if (text_is(name, name_len, "content-encoding")) {
        t->content_encoding = encoding_of(value, len);
    }
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    size_t len = size * count;
    t->header_octets += len;
    if (t->header_octets > HEADERS_OCTETS_MAX) {
        t->headers_too_long = true;
        return 0;
    }
    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        answer_reset(t); /* the start of this answer, or the real one after a 1xx */
        return len;
    }
    size_t end = len;
    while (end > 0 && strchr("\r\n \t", line[end - 1])) {
        end--;
    }
    const char *colon = memchr(line, ':', end);
    if (colon) {
        size_t start = (size_t)(colon - line) + 1;
        while (start < end && (line[start] == ' ' || line[start] == '\t')) {
            start++;
        }
        on_field(t, line, (size_t)(colon - line), line + start, end - start);
    }
    return len;
}

static bool to_sink(void *arg, struct span data)
{
    struct transfer *t = arg;
    t->result.octets_decoded += data.len;
    t->sink_stopped = !t->sink(t->arg, data);
    return !t->sink_stopped;
}

static bool to_file(void *arg, struct span data)
{
    struct transfer *t = arg;
    t->body_error = decode_feed(t->file, data);
    return t->body_error == ERR_OK;
}

static enum err body_begin(struct transfer *t)
{
    uint64_t max = t->fetcher->limits.octets_max;
    enum decode_kind kind = t->content_encoding == ENCODING_GZIP     ? DECODE_GZIP
                            : t->content_encoding == ENCODING_BROTLI ? DECODE_BROTLI
                                                                     : DECODE_PLAIN;
    if (t->content_encoding == ENCODING_UNKNOWN) {
        return ERR_UNSUPPORTED;
    }
    enum err e = decode_open(DECODE_SNIFF, max, to_sink, t, &t->file);
    return e == ERR_OK ? decode_open(kind, max, to_file, t, &t->encoding) : e;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    size_t len = size * count;
    long status = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) {
        t->other_octets += len;
        return t->other_octets <= OTHER_BODY_MAX ? len : 0;
    }
    t->result.octets_received += len;
    if (t->result.octets_received > t->fetcher->limits.octets_max) {
        t->body_error = ERR_LIMIT;
        return 0;
    }
    if (!t->encoding) {
        t->body_error = body_begin(t);
        if (t->body_error != ERR_OK) {
            return 0;
        }
    }
    enum err e = decode_feed(t->encoding, span_of(data, len));
    if (e != ERR_OK && t->body_error == ERR_OK) {
        t->body_error = e;
    }
    return e == ERR_OK ? len : 0;
}

static bool sockaddr_ip(const struct sockaddr *sa, struct ip_addr *out)
{
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof in);
        *out = ip_v4((const uint8_t *)&in.sin_addr);
        return true;
    }
    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof in6);
        *out = ip_v6((const uint8_t *)&in6.sin6_addr);
        return true;
    }
    return false;
}

/* The address that a name came to mean decides, whatever the name was (a name may be made to mean 127.0.0.1). */
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *t = arg;
    struct ip_addr ip;
    (void)purpose;
    if (!sockaddr_ip(&address->addr, &ip)) {
        return CURL_SOCKET_BAD;
    }
    if (is_local_address(&ip) && !t->local && !t->fetcher->proxied) {
        t->address_refused = true;
        (void)ip_format(&ip, t->refused_address);
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Results */

static const char *body_error_text(enum err e)
{
    switch ((int)e) {
    case ERR_LIMIT:
        return "the list is larger than the limit";
    case ERR_SHORT:
        return "the compressed list ends too early";
    case ERR_FORMAT:
        return "the compressed list is damaged";
    case ERR_UNSUPPORTED:
        return "the server used a Content-Encoding that nobody asked for";
    default:
        return err_text(e);
    }
}

static void transfer_fail(struct transfer *t, bool transient, const char *text)
{
    struct strbuf s;
    t->result.outcome = FETCH_FAILED;
    t->result.transient = transient;
    strbuf_init(&s, t->result.error, sizeof t->result.error);
    strbuf_escaped(&s, span_str(text));
}

static bool is_transient(CURLcode code)
{
    switch ((int)code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_AGAIN:
        return true;
    default:
        return false;
    }
}

static void fail_transport(struct transfer *t, CURLcode code)
{
    char text[FETCH_ERROR_MAX];
    if (t->headers_too_long) {
        transfer_fail(t, false, "the answer's header is too long");
    } else if (t->sink_stopped) {
        t->result.outcome = FETCH_STOPPED;
    } else if (t->body_error != ERR_OK) {
        transfer_fail(t, t->body_error == ERR_SHORT, body_error_text(t->body_error));
    } else if (t->address_refused && code == CURLE_COULDNT_CONNECT) {
        (void)snprintf(text, sizeof text, "the address %s of its host is refused (loopback, link-local or unspecified)",
                       t->refused_address);
        transfer_fail(t, false, text);
    } else if (t->result.http_status != 0 && t->result.http_status != 200) {
        (void)snprintf(text, sizeof text, "HTTP status %d", t->result.http_status);
        transfer_fail(t, t->result.http_status >= 500, text);
    } else if (code == CURLE_FILESIZE_EXCEEDED) {
        transfer_fail(t, false, body_error_text(ERR_LIMIT));
    } else {
        const char *detail = t->curl_error[0] ? t->curl_error : curl_easy_strerror(code);
        transfer_fail(t, is_transient(code), detail);
    }
}

/* Did everything arrive? HTTP/2 and later say so themselves; HTTP/1 only with a length or chunks. */
static bool ends_for_sure(const struct transfer *t)
{
    long version = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version);
    return version >= CURL_HTTP_VERSION_2_0 || t->has_length || t->chunked || t->content_encoding != ENCODING_NONE;
}

static void complete_200(struct transfer *t)
{
    enum err e = t->encoding ? ERR_OK : body_begin(t); /* a body of no octets */
    e = e == ERR_OK ? decode_finish(t->encoding) : e;
    e = e == ERR_OK ? decode_finish(t->file) : e;
    if (t->sink_stopped) {
        t->result.outcome = FETCH_STOPPED;
    } else if (e != ERR_OK) {
        transfer_fail(t, e == ERR_SHORT, body_error_text(e));
    } else if (!ends_for_sure(t)) {
        transfer_fail(t, true, "the answer has no length, so nobody can tell whether all of it arrived");
    } else {
        t->result.outcome = FETCH_COMPLETE;
    }
}

static void complete_other(struct transfer *t)
{
    char text[FETCH_ERROR_MAX];
    int status = t->result.http_status;
    curl_off_t retry_after = 0;
    if (status == 304 && t->conditional) {
        t->result.outcome = FETCH_NOT_MODIFIED;
        return;
    }
    (void)curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_after);
    t->result.retry_after_s = retry_after > 0 && retry_after < 7 * 86400 ? (uint32_t)retry_after : 0;
    (void)snprintf(text, sizeof text, "HTTP status %d", status);
    transfer_fail(t, status == 408 || status == 429 || status >= 500, text);
}

/* Transfers */

static void transfer_free(struct transfer *t)
{
    decode_close(t->encoding);
    decode_close(t->file);
    if (t->easy) {
        curl_easy_cleanup(t->easy);
    }
    curl_slist_free_all(t->headers);
    free(t->url);
    free(t);
}

static bool header_add(struct transfer *t, const char *name, const char *value)
{
    char line[FETCH_VALIDATOR_MAX + 64];
    (void)snprintf(line, sizeof line, "%s: %s", name, value);
    struct curl_slist *more = curl_slist_append(t->headers, line);
    if (more) {
        t->headers = more;
    }
    return more != NULL;
}

static void transfer_options(struct transfer *t)
{
    const struct fetch_limits *l = &t->fetcher->limits;
    CURL *c = t->easy;
    const char *ca_file = getenv("SSL_CERT_FILE");
    /* A result is not checked where the option exists in every libcurl since 7.85, which is asked for at build time. */
    (void)curl_easy_setopt(c, CURLOPT_PRIVATE, t);
    (void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(c, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    (void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(c, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    (void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->curl_error);
    (void)curl_easy_setopt(c, CURLOPT_USERAGENT, l->user_agent);
    (void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)l->connect_timeout_s);
    (void)curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)l->total_timeout_s);
    (void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)l->low_speed_octets);
    (void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)l->low_speed_s);
    (void)curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)l->octets_max);
    (void)curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    (void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    (void)curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    (void)curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, t);
    (void)curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
    (void)curl_easy_setopt(c, CURLOPT_URL, t->url);
#if LIBCURL_VERSION_NUM >= 0x075700
    (void)curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a slow resolver when we close */
#endif
    if (ca_file && ca_file[0]) {
        (void)curl_easy_setopt(c, CURLOPT_CAINFO, ca_file);
    }
}

enum err fetch_start(struct fetcher *f, const struct fetch_request *request)
{
    struct url_parts parts;
    if (url_check(request->url, &parts)) {
        return ERR_FORMAT;
    }
    struct transfer *t = calloc(1, sizeof *t);
    if (!t) {
        return ERR_MEMORY;
    }
    t->fetcher = f;
    t->sink = request->sink;
    t->arg = request->arg;
    t->local = parts.local || f->limits.local;
    t->url = strdup(request->url);
    t->easy = curl_easy_init();
    bool ok = t->url && t->easy && header_add(t, "Accept-Encoding", "gzip, br");
    if (request->etag && request->etag[0]) {
        ok = ok && header_add(t, "If-None-Match", request->etag);
        t->conditional = true;
    }
    if (request->last_modified && request->last_modified[0]) {
        ok = ok && header_add(t, "If-Modified-Since", request->last_modified);
        t->conditional = true;
    }
    if (!ok) {
        transfer_free(t);
        return ERR_MEMORY;
    }
    transfer_options(t);
    *f->waiting_end = t;
    f->waiting_end = &t->next;
    f->waiting_count++;
    return ERR_OK;
}

static void finish(struct fetcher *f, struct transfer *t)
{
    struct fetch_result result = t->result;
    void *arg = t->arg;
    for (struct transfer **p = &f->active; *p; p = &(*p)->next) {
        if (*p == t) {
            *p = t->next;
            f->active_count--;
            break;
        }
    }
    transfer_free(t);
    f->done(arg, &result);
}

static void activate(struct fetcher *f, struct transfer *t)
{
    t->next = f->active;
    f->active = t;
    f->active_count++;
    if (curl_multi_add_handle(f->multi, t->easy) != CURLM_OK) {
        transfer_fail(t, true, "out of memory");
        finish(f, t);
    }
}

static void start_waiting(struct fetcher *f)
{
    while (f->waiting && f->active_count < f->limits.parallel_max) {
        struct transfer *t = f->waiting;
        f->waiting = t->next;
        if (!f->waiting) {
            f->waiting_end = &f->waiting;
        }
        f->waiting_count--;
        activate(f, t);
    }
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Points the transfer at its redirect's target. False: refused, the result says why. */
static bool follow(struct transfer *t)
{
    struct url_parts from, to;
    const char *target = NULL;
    char text[FETCH_ERROR_MAX];
    (void)curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &target);
    const char *problem = target ? url_check(target, &to) : "no Location";
    if (problem) {
        (void)snprintf(text, sizeof text, "redirect refused: %s", problem);
        transfer_fail(t, false, text);
        return false;
    }
    if (++t->redirects > FETCH_REDIRECTS_MAX) {
        transfer_fail(t, false, "more than 5 redirects");
        return false;
    }
    if (!url_check(t->url, &from) && from.https && !to.https) {
        transfer_fail(t, false, "redirect refused: from https to http");
        return false;
    }
    if (to.local && !t->local) {
        transfer_fail(t, false, "redirect refused: to a loopback or link-local host");
        return false;
    }
    char *copy = strdup(target);
    if (!copy) {
        transfer_fail(t, true, "out of memory");
        return false;
    }
    free(t->url);
    t->url = copy;
    (void)curl_easy_setopt(t->easy, CURLOPT_URL, t->url);
    t->header_octets = 0;
    answer_reset(t);
    return true;
}

static void handle_end(struct fetcher *f, struct transfer *t, CURLcode code)
{
    long status = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_multi_remove_handle(f->multi, t->easy);
    t->result.http_status = (int)status;
    if (code != CURLE_OK) {
        fail_transport(t, code);
    } else if (is_redirect((int)status)) {
        if (follow(t)) {
            if (curl_multi_add_handle(f->multi, t->easy) == CURLM_OK) {
                return;
            }
            transfer_fail(t, true, "out of memory");
        }
    } else if (status == 200) {
        complete_200(t);
    } else {
        complete_other(t);
    }
    finish(f, t);
}

void fetch_run(struct fetcher *f, int timeout_ms)
{
    int running = 0, left = 0;
    start_waiting(f);
    if (curl_multi_perform(f->multi, &running) == CURLM_OK && (uint32_t)running == f->active_count) {
        (void)curl_multi_poll(f->multi, NULL, 0, timeout_ms, NULL);
        (void)curl_multi_perform(f->multi, &running);
    }
    for (CURLMsg *m = curl_multi_info_read(f->multi, &left); m; m = curl_multi_info_read(f->multi, &left)) {
        char *arg = NULL;
        if (m->msg != CURLMSG_DONE) {
            continue;
        }
        CURLcode code = m->data.result;
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &arg);
        handle_end(f, (struct transfer *)(void *)arg, code);
    }
    start_waiting(f);
}

void fetch_wake(struct fetcher *f)
{
    (void)curl_multi_wakeup(f->multi);
}

uint32_t fetch_active(const struct fetcher *f)
{
    return f->active_count + f->waiting_count;
}

static bool proxy_in_environment(void)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = getenv(names[i]);
        if (value && value[0]) {
            return true;
        }
    }
    return false;
}

enum err fetch_open(const struct fetch_limits *limits, fetch_done *done, struct fetcher **out)
{
    struct fetcher *f = calloc(1, sizeof *f);
    CURLM *multi = curl_multi_init();
    if (!f || !multi) {
        free(f);
        if (multi) {
            (void)curl_multi_cleanup(multi);
        }
        return ERR_MEMORY;
    }
    struct fetch_limits l = *limits;
    l.octets_max = l.octets_max ? l.octets_max : UINT64_C(64) << 20;
    l.parallel_max = l.parallel_max ? l.parallel_max : 6;
    l.connect_timeout_s = l.connect_timeout_s ? l.connect_timeout_s : 20;
    l.total_timeout_s = l.total_timeout_s ? l.total_timeout_s : 300;
    l.low_speed_octets = l.low_speed_octets ? l.low_speed_octets : 200;
    l.low_speed_s = l.low_speed_s ? l.low_speed_s : 30;
    l.user_agent = l.user_agent ? l.user_agent : "sinkhole";
    *f = (struct fetcher){.multi = multi, .limits = l, .done = done, .proxied = proxy_in_environment()};
    f->waiting_end = &f->waiting;
    *out = f;
    return ERR_OK;
}

static void drop_all(struct fetcher *f, struct transfer *t, bool active)
{
    while (t) {
        struct transfer *next = t->next;
        if (active) {
            (void)curl_multi_remove_handle(f->multi, t->easy);
        }
        transfer_free(t);
        t = next;
    }
}

void fetch_close(struct fetcher *f)
{
    if (!f) {
        return;
    }
    drop_all(f, f->active, true);
    drop_all(f, f->waiting, false);
    (void)curl_multi_cleanup(f->multi);
    free(f);
}
