/*
 * One thread with one curl multi handle, so that connections are shared by all workers. Transfers
 * lie in a table of fixed size; each keeps its easy handle for the next question.
 */
#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "dns/proto.h"
#include "host/doh.h"

#define TRANSFERS_MAX 256
#define QUERY_MAX     512
#define INBOX_CELLS   2048
#define TIMEOUT_MS    7000L /* the resolver gives up before */
#define CONNECT_MS    4000L
#define CONNECT_TEXT  (IP_ENDPOINT_TEXT + 4)

/* What a worker sends; the mail's ticket and peer.worker say for whom. */
struct doh_question {
    struct ip_endpoint endpoint;
    char url[UPSTREAM_NAME_MAX];
    uint16_t len;
    uint8_t query[QUERY_MAX];
};

struct transfer {
    CURL *easy;
    struct curl_slist *connect_to;
    uint32_t ticket; /* 0: free */
    uint16_t worker;
    uint16_t query_len;
    uint8_t query[QUERY_MAX];
    size_t answer_len;
    uint8_t *answer; /* DNS_TCP_MAX, made when first needed */
};

struct doh {
    struct mailbox *const *mailboxes;
    uint16_t workers;
    struct mailbox *inbox;
    CURLM *multi;
    struct curl_slist *headers;
    struct transfer *transfer; /* TRANSFERS_MAX */
    pthread_t thread;
    atomic_bool started;
    atomic_bool stopping;
};

/* ---- The workers' side. ---- */

bool doh_send(struct doh *d, uint16_t worker, uint32_t ticket, const struct upstream_spec *upstream,
              const uint8_t *data, size_t len)
{
    struct doh_question q = {.endpoint = upstream->endpoint, .len = (uint16_t)len};
    struct mail head = {
        .kind = MAIL_QUERY, .ticket = ticket, .len = sizeof q, .peer = {.worker = worker}};
    if (len > QUERY_MAX || !atomic_load_explicit(&d->started, memory_order_acquire)) {
        return false;
    }
    memcpy(q.url, upstream->name, sizeof q.url);
    memcpy(q.query, data, len);
    if (!mailbox_post(d->inbox, &head, &q)) {
        return false;
    }
    mailbox_wake(d->inbox);
    return true;
}

void doh_cancel(struct doh *d, uint16_t worker, uint32_t ticket)
{
    struct mail head = {.kind = MAIL_FAILED, .ticket = ticket, .peer = {.worker = worker}};
    if (atomic_load_explicit(&d->started, memory_order_acquire) &&
        mailbox_post(d->inbox, &head, NULL)) {
        mailbox_wake(d->inbox);
    }
}

/* ---- The thread. ---- */

static void report(struct doh *d, uint16_t worker, const struct mail *head, const uint8_t *data)
{
    if (worker < d->workers && mailbox_post(d->mailboxes[worker], head, data)) {
        mailbox_wake(d->mailboxes[worker]);
    }
}

static void report_failure(struct doh *d, uint16_t worker, uint32_t ticket,
                           enum resolver_failure why)
{
    struct mail head = {.kind = MAIL_FAILED, .ticket = ticket, .why = why};
    report(d, worker, &head, NULL);
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    size_t len = size * count;
    if (len > DNS_TCP_MAX - t->answer_len) {
        return 0; /* ends the transfer: no DNS message is so long */
    }
    memcpy(t->answer + t->answer_len, data, len);
    t->answer_len += len;
    return len;
}

/* Settings that are the same for all questions. */
static bool prepare(struct doh *d, struct transfer *t)
{
    t->easy = curl_easy_init();
    t->answer = malloc(DNS_TCP_MAX);
    if (!t->easy || !t->answer) {
        return false;
    }
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(t->easy, CURLOPT_PROXY,
                     ""); /* not that of the environment: its name would need a resolver */
    curl_easy_setopt(t->easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(t->easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
    if (getenv("SSL_CERT_FILE")) { /* libcurl leaves that to its callers; tls.c's OpenSSL looks
                                      itself */
        curl_easy_setopt(t->easy, CURLOPT_CAINFO, getenv("SSL_CERT_FILE"));
    }
    curl_easy_setopt(t->easy, CURLOPT_PIPEWAIT, 1L);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, d->headers);
    curl_easy_setopt(t->easy, CURLOPT_USERAGENT, NULL); /* nothing to recognise us by */
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    return true;
}

static void drop_transfer(struct transfer *t)
{
    curl_slist_free_all(t->connect_to);
    curl_easy_cleanup(t->easy);
    free(t->answer);
    *t = (struct transfer){0};
}

static struct transfer *free_transfer(struct doh *d)
{
    for (unsigned i = 0; i < TRANSFERS_MAX; i++) {
        struct transfer *t = &d->transfer[i];
        if (t->ticket == 0) {
            if (t->easy || prepare(d, t)) {
                return t;
            }
            drop_transfer(t);
            return NULL;
        }
    }
    return NULL;
}

/* The transfer is over: its handle waits for the next question. */
static void end_transfer(struct doh *d, struct transfer *t)
{
    curl_multi_remove_handle(d->multi, t->easy);
    curl_slist_free_all(t->connect_to);
    t->connect_to = NULL;
    t->ticket = 0;
}

/* "::ADDR:PORT": whatever host and port the URL has, connect there. */
static struct curl_slist *connect_to(const struct ip_endpoint *endpoint)
{
    char text[CONNECT_TEXT];
    char address[IP_ENDPOINT_TEXT];
    struct strbuf out;
    strbuf_init(&out, text, sizeof text);
    ip_endpoint_format(endpoint, address);
    strbuf_printf(&out, "::%s", address);
    return curl_slist_append(NULL, text);
}

static void begin(struct doh *d, const struct mail *head, const struct doh_question *q)
{
    struct transfer *t = free_transfer(d);
    struct curl_slist *to = t ? connect_to(&q->endpoint) : NULL;
    if (!to) {
        report_failure(d, head->peer.worker, head->ticket, RESOLVER_NO_SOCKET);
        return;
    }
    t->connect_to = to;
    t->ticket = head->ticket;
    t->worker = head->peer.worker;
    t->query_len = q->len;
    t->answer_len = 0;
    memcpy(t->query, q->query, q->len);
    curl_easy_setopt(t->easy, CURLOPT_URL, q->url);
    curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->connect_to);
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->query);
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE, (long)t->query_len);
    if (curl_multi_add_handle(d->multi, t->easy) != CURLM_OK) {
        end_transfer(d, t);
        report_failure(d, head->peer.worker, head->ticket, RESOLVER_NO_SOCKET);
    }
}

static void cancel(struct doh *d, uint16_t worker, uint32_t ticket)
{
    for (unsigned i = 0; i < TRANSFERS_MAX; i++) {
        struct transfer *t = &d->transfer[i];
        if (t->ticket == ticket && t->worker == worker) {
            end_transfer(d, t);
            return;
        }
    }
}

static bool is_dns_message(CURL *easy)
{
    static const char wanted[] = "application/dns-message";
    long status = 0;
    const char *type = NULL;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
    size_t len = type ? strcspn(type, "; \t") : 0;
    return status == 200 && len == sizeof wanted - 1 && strncasecmp(type, wanted, len) == 0;
}

static enum resolver_failure failure_of(CURLcode code)
{
    switch ((int)code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
        return RESOLVER_UNREACHABLE;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
        return RESOLVER_TLS_FAILED;
    default:
        return RESOLVER_CLOSED;
    }
}

static void finish(struct doh *d, struct transfer *t, CURLcode code)
{
    if (code == CURLE_OK && is_dns_message(t->easy) && t->answer_len >= DNS_HEADER_OCTETS) {
        struct mail head = {
            .kind = MAIL_RESPONSE, .ticket = t->ticket, .len = (uint32_t)t->answer_len};
        report(d, t->worker, &head, t->answer);
    } else {
        if (code != CURLE_OK) {
            log_debug(RESOLVER, "HTTPS upstream: %s", curl_easy_strerror(code));
        }
        report_failure(d, t->worker, t->ticket, failure_of(code));
    }
    end_transfer(d, t);
}

static void read_inbox(struct doh *d)
{
    struct mail head;
    struct doh_question q;
    while (mailbox_take(d->inbox, &head, &q, sizeof q)) {
        if (head.kind == MAIL_QUERY) {
            begin(d, &head, &q);
        } else {
            cancel(d, head.peer.worker, head.ticket);
        }
    }
}

static void read_results(struct doh *d)
{
    CURLMsg *msg;
    int left;
    while ((msg = curl_multi_info_read(d->multi, &left)) != NULL) {
        char *private = NULL;
        CURLcode code = msg->data.result;
        if (msg->msg == CURLMSG_DONE &&
            curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private) == CURLE_OK) {
            finish(d, (struct transfer *)(void *)private, code);
        }
    }
}

static void *doh_main(void *arg)
{
    struct doh *d = arg;
    pthread_setname_np(pthread_self(), "doh");
    while (!atomic_load(&d->stopping)) {
        struct curl_waitfd fd = {.fd = mailbox_fd(d->inbox), .events = CURL_WAIT_POLLIN};
        int running = 0;
        int timeout = mailbox_doze(d->inbox) ? 60000 : 0;
        curl_multi_poll(d->multi, &fd, 1, timeout, NULL);
        mailbox_rise(d->inbox);
        if (fd.revents != 0) {
            mailbox_clear(d->inbox);
        }
        read_inbox(d);
        curl_multi_perform(d->multi, &running);
        read_results(d);
    }
    return NULL;
}

/* ---- Making and ending it. ---- */

unsigned doh_transfers_max(void)
{
    return TRANSFERS_MAX;
}

enum err doh_new(struct doh **out, struct mailbox *const *mailboxes, uint16_t workers)
{
    struct doh *d = calloc(1, sizeof *d);
    if (!d) {
        return ERR_MEMORY;
    }
    d->mailboxes = mailboxes;
    d->workers = workers;
    *out = d;
    return ERR_OK;
}

static enum err make_parts(struct doh *d)
{
    enum err e = mailbox_new(&d->inbox, INBOX_CELLS);
    if (e != ERR_OK) {
        return e;
    }
    d->transfer = calloc(TRANSFERS_MAX, sizeof *d->transfer);
    d->headers = curl_slist_append(NULL, "Content-Type: application/dns-message");
    struct curl_slist *more = curl_slist_append(d->headers, "Accept: application/dns-message");
    d->multi = curl_multi_init();
    if (!d->transfer || !more || !d->multi) {
        return ERR_MEMORY;
    }
    curl_multi_setopt(d->multi, CURLMOPT_MAXCONNECTS, 8L);
    curl_multi_setopt(d->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, 8L);
    return ERR_OK;
}

static void free_parts(struct doh *d)
{
    for (unsigned i = 0; d->transfer && i < TRANSFERS_MAX; i++) {
        if (d->transfer[i].ticket != 0) {
            end_transfer(d, &d->transfer[i]);
        }
        drop_transfer(&d->transfer[i]);
    }
    curl_multi_cleanup(d->multi);
    curl_slist_free_all(d->headers);
    mailbox_free(d->inbox);
    free(d->transfer);
    d->multi = NULL;
    d->headers = NULL;
    d->inbox = NULL;
    d->transfer = NULL;
}

enum err doh_start(struct doh *d)
{
    if (atomic_load(&d->started)) {
        return ERR_OK;
    }
    enum err e = make_parts(d);
    if (e == ERR_OK && pthread_create(&d->thread, NULL, doh_main, d) != 0) {
        e = ERR_IO;
    }
    if (e != ERR_OK) {
        free_parts(d);
        return e;
    }
    atomic_store(&d->started, true);
    return ERR_OK;
}

void doh_free(struct doh *d)
{
    if (!d) {
        return;
    }
    if (atomic_load(&d->started)) {
        atomic_store(&d->stopping, true);
        mailbox_interrupt(d->inbox);
        pthread_join(d->thread, NULL);
    }
    free_parts(d);
    free(d);
}
