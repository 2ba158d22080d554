/*
 * One answer: its header, its body through the decoders to the sink, and the verdict at its end.
 *
 * Content-Encoding is undone in decode.c, since curl takes a gzip stream that was cut for a
 * complete one. Whether an answer is complete is judged here as well: HTTP/1 without a length and
 * without chunks ends wherever the connection broke, so such an answer counts only if its own
 * compression vouches for its end (hardening L2).
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/strbuf.h"
#include "host/fetch_curl_int.h"

#define HEADERS_OCTETS_MAX 65536 /* of one answer's header, all lines together */
#define OTHER_BODY_MAX     65536 /* octets that are read of an error page or a redirect's body */

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

void fetch_answer_reset(struct transfer *t)
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
static void on_field(struct transfer *t, const char *name, size_t name_len, const char *value,
                     size_t len)
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

size_t fetch_on_header(char *line, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    size_t len = size * count;
    t->header_octets += len;
    if (t->header_octets > HEADERS_OCTETS_MAX) {
        t->headers_too_long = true;
        return 0;
    }
    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        fetch_answer_reset(t); /* the start of this answer, or the real one after a 1xx */
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

size_t fetch_on_body(char *data, size_t size, size_t count, void *arg)
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

/* The address that a name came to mean decides, whatever the name was (a name may be made to mean
 * 127.0.0.1). */
curl_socket_t fetch_on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *t = arg;
    struct ip_addr ip;
    (void)purpose;
    if (!sockaddr_ip(&address->addr, &ip)) {
        return CURL_SOCKET_BAD;
    }
    if (fetch_address_is_local(&ip) && !t->local && !t->fetcher->proxied) {
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

void fetch_answer_failed(struct transfer *t, bool transient, const char *text)
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

void fetch_answer_broken(struct transfer *t, CURLcode code)
{
    char text[FETCH_ERROR_MAX];
    if (t->headers_too_long) {
        fetch_answer_failed(t, false, "the answer's header is too long");
    } else if (t->sink_stopped) {
        t->result.outcome = FETCH_STOPPED;
    } else if (t->body_error != ERR_OK) {
        fetch_answer_failed(t, t->body_error == ERR_SHORT, body_error_text(t->body_error));
    } else if (t->address_refused && code == CURLE_COULDNT_CONNECT) {
        (void)snprintf(
            text, sizeof text,
            "the address %s of its host is refused (loopback, link-local or unspecified)",
            t->refused_address);
        fetch_answer_failed(t, false, text);
    } else if (t->result.http_status != 0 && t->result.http_status != 200) {
        (void)snprintf(text, sizeof text, "HTTP status %d", t->result.http_status);
        fetch_answer_failed(t, t->result.http_status >= 500, text);
    } else if (code == CURLE_FILESIZE_EXCEEDED) {
        fetch_answer_failed(t, false, body_error_text(ERR_LIMIT));
    } else {
        const char *detail = t->curl_error[0] ? t->curl_error : curl_easy_strerror(code);
        fetch_answer_failed(t, is_transient(code), detail);
    }
}

/* Did everything arrive? HTTP/2 and later say so themselves; HTTP/1 only with a length or chunks.
 */
static bool ends_for_sure(const struct transfer *t)
{
    long version = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version);
    return version >= CURL_HTTP_VERSION_2_0 || t->has_length || t->chunked ||
           t->content_encoding != ENCODING_NONE;
}

static void complete_200(struct transfer *t)
{
    enum err e = t->encoding ? ERR_OK : body_begin(t); /* a body of no octets */
    e = e == ERR_OK ? decode_finish(t->encoding) : e;
    e = e == ERR_OK ? decode_finish(t->file) : e;
    if (t->sink_stopped) {
        t->result.outcome = FETCH_STOPPED;
    } else if (e != ERR_OK) {
        fetch_answer_failed(t, e == ERR_SHORT, body_error_text(e));
    } else if (!ends_for_sure(t)) {
        fetch_answer_failed(
            t, true, "the answer has no length, so nobody can tell whether all of it arrived");
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
    t->result.retry_after_s =
        retry_after > 0 && retry_after < 7 * 86400 ? (uint32_t)retry_after : 0;
    (void)snprintf(text, sizeof text, "HTTP status %d", status);
    fetch_answer_failed(t, status == 408 || status == 429 || status >= 500, text);
}

void fetch_answer_complete(struct transfer *t)
{
    if (t->result.http_status == 200) {
        complete_200(t);
    } else {
        complete_other(t);
    }
}
