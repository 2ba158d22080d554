/*
 * What the files behind fetch_curl.h share.
 */
#ifndef SINKHOLE_HOST_FETCH_CURL_INT_H
#define SINKHOLE_HOST_FETCH_CURL_INT_H

#include <curl/curl.h>

#include "base/ip.h"
#include "host/fetch_curl.h"
#include "shared/decode.h"

enum encoding { ENCODING_NONE, ENCODING_GZIP, ENCODING_BROTLI, ENCODING_UNKNOWN };

/* One transfer with its redirects. */
struct transfer {
    struct transfer *next; /* in the fetcher's waiting or active list */
    struct fetcher *fetcher;
    CURL *easy;
    struct curl_slist *headers;
    char *url; /* of the present hop */
    bool conditional;
    bool local; /* the URL asked for names a loopback or link-local host itself */
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
    enum err body_error; /* of decoding, ERR_OK: none */

    struct fetch_result result;
    char curl_error[CURL_ERROR_SIZE];
};

struct fetcher {
    CURLM *multi;
    struct fetch_limits limits;
    fetch_done *done;
    bool proxied; /* the environment names a proxy: addresses are its business */
    struct transfer *waiting, **waiting_end;
    struct transfer *active;
    uint32_t waiting_count, active_count;
};

/* fetch_curl_url.c: what a URL is. `problem` is static text, NULL if it is fine. */
struct url_parts {
    bool https;
    bool local; /* its host is this machine or this link */
};
const char *fetch_url_check(const char *url, struct url_parts *out);
bool fetch_address_is_local(const struct ip_addr *a);

/* fetch_curl_answer.c: what comes in, and how it ends. */
size_t fetch_on_header(char *line, size_t size, size_t count, void *arg);
size_t fetch_on_body(char *data, size_t size, size_t count, void *arg);
curl_socket_t fetch_on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address);
void fetch_answer_reset(struct transfer *t); /* before each answer */
void fetch_answer_failed(struct transfer *t, bool transient, const char *text);

/* The transfer is over: curl's code, or an answer with a status (no redirect). Fill the result. */
void fetch_answer_broken(struct transfer *t, CURLcode code);
void fetch_answer_complete(struct transfer *t);

#endif
