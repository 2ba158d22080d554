/* The HTTP server on loopback: what it lets through, what it refuses, slow and many clients,
 * streams. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "api_fixture.h"
#include "host/http_conns.h"
#include "host/http_mhd.h"
#include "host/sys.h"
#include "unit.h"

enum { CONNECTIONS = 32, ANSWER_MS = 5000 };

struct server {
    struct api_fixture api;
    pthread_mutex_t lock;
    struct http *http;
    uint16_t port;
};

static int open_server(void **state)
{
    struct server *s = calloc(1, sizeof *s);
    api_fixture_open(&s->api);
    pthread_mutex_init(&s->lock, NULL);
    struct http_config cfg = {
        .listen_count = 2, .connections = CONNECTIONS, .api = s->api.api, .lock = &s->lock};
    cfg.listen[0].addr = ip_of("127.0.0.1");
    cfg.listen[1].addr = ip_of("127.0.0.1");
    if (http_open(&s->http, &cfg) != ERR_OK || http_serve(s->http) != ERR_OK) {
        return -1;
    }
    s->port = http_port(s->http, 0);
    *state = s;
    return 0;
}

static int close_server(void **state)
{
    struct server *s = *state;
    http_stop(s->http);
    api_fixture_close(&s->api);
    pthread_mutex_destroy(&s->lock);
    free(s);
    return 0;
}

/* --- a client by hand ------------------------------------------------------------------------ */

static int dial(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void say(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return; /* the other side has had enough */
        }
        text += n;
        len -= (size_t)n;
    }
}

/* What comes until the other side closes, `until` was seen, or the time is over. Returns the
 * length. */
static size_t hear(int fd, char *buf, size_t cap, const char *until, int ms)
{
    size_t len = 0;
    usec_t end = sys_now() + (usec_t)ms * 1000;
    buf[0] = '\0';
    while (len + 1 < cap) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        usec_t now = sys_now();
        if (now >= end || poll(&p, 1, (int)((end - now) / 1000) + 1) <= 0) {
            break;
        }
        ssize_t n = recv(fd, buf + len, cap - 1 - len, 0);
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
        buf[len] = '\0';
        if (until && strstr(buf, until)) {
            break;
        }
    }
    return len;
}

/* One request on a connection of its own that is closed by the server. Returns the status, 0 if
 * there was no answer. */
static int ask_raw(uint16_t port, const char *text, size_t len, char *answer, size_t cap)
{
    int fd = dial(port), status = 0;
    say(fd, text, len);
    hear(fd, answer, cap, NULL, ANSWER_MS);
    close(fd);
    return sscanf(answer, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

static int ask(uint16_t port, const char *text, char *answer, size_t cap)
{
    return ask_raw(port, text, strlen(text), answer, cap);
}

#define CLOSE "Host: localhost\r\nConnection: close\r\n"

static void log_in(struct server *s, char sid[32])
{
    char answer[4096];
    const char *body = "{\"password\":\"" FIXTURE_PASSWORD "\"}";
    char request[512];
    snprintf(request, sizeof request,
             "POST /api/auth HTTP/1.1\r\n" CLOSE "Content-Length: %zu\r\n\r\n%s", strlen(body),
             body);
    assert_int_equal(ask(s->port, request, answer, sizeof answer), 200);
    const char *at = strstr(answer, "\"sid\":\"");
    assert_non_null(at);
    snprintf(sid, 25, "%s", at + 7);
}

/* --- plain traffic --------------------------------------------------------------------------- */

static void both_addresses_answer(void **state)
{
    struct server *s = *state;
    char answer[4096];
    assert_int_not_equal(s->port, 0);
    assert_int_not_equal(http_port(s->http, 1), s->port);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(ask(http_port(s->http, i), "GET /healthz HTTP/1.1\r\n" CLOSE "\r\n",
                             answer, sizeof answer),
                         200);
        assert_non_null(strstr(answer, "\r\n\r\nok\n"));
    }
    assert_int_equal(http_port(s->http, 2), 0);
}

static void headers_reach_the_api(void **state)
{
    struct server *s = *state;
    char answer[65536], sid[32] = "", request[512];
    log_in(s, sid);
    static const char *const names[] = {"sid: %s", "SID: %s", "X-FTL-SID: %s", "x-ftl-sid:%s"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char header[64];
        snprintf(header, sizeof header, names[i], sid);
        snprintf(request, sizeof request, "GET /api/stats/summary HTTP/1.1\r\n" CLOSE "%s\r\n\r\n",
                 header);
        assert_int_equal(ask(s->port, request, answer, sizeof answer), 200);
        assert_non_null(strstr(answer, "Content-Type: application/json; charset=utf-8\r\n"));
        assert_non_null(strstr(answer, "Content-Length: "));
    }
    snprintf(request, sizeof request, "GET /api/stats/summary?sid=%s HTTP/1.1\r\n" CLOSE "\r\n",
             sid);
    assert_int_equal(ask(s->port, request, answer, sizeof answer), 200);
    snprintf(request, sizeof request, "GET /api/stats/summary HTTP/1.0\r\nsid: %s\r\n\r\n", sid);
    assert_true(ask(s->port, request, answer, sizeof answer) == 200 ||
                strstr(answer, "HTTP/1.0 200"));
    assert_int_equal(
        ask(s->port, "GET /api/info/version HTTP/1.1\r\n" CLOSE "\r\n", answer, sizeof answer),
        401);
    assert_int_equal(ask(s->port,
                         "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
                         answer, sizeof answer),
                     403);
    /* A body on a GET, as one client sends it. */
    snprintf(request, sizeof request,
             "GET /api/stats/summary HTTP/1.1\r\n" CLOSE
             "Content-Length: 34\r\n\r\n{\"sid\":\"%s\"}",
             sid);
    assert_int_equal(ask(s->port, request, answer, sizeof answer), 200);
}

static void paths_come_as_they_were_sent(void **state)
{
    struct server *s = *state;
    char answer[65536], sid[32] = "", request[512];
    log_in(s, sid);
    snprintf(
        request, sizeof request,
        "GET /api/lists/https%%3A%%2F%%2Flists.example%%2Fads.txt?type=block HTTP/1.1\r\n" CLOSE
        "sid: %s\r\n\r\n",
        sid);
    assert_int_equal(ask(s->port, request, answer, sizeof answer), 200);
    assert_non_null(strstr(answer, "\"name\":\"Ads\""));
    snprintf(request, sizeof request, "GET http://localhost/healthz HTTP/1.1\r\n" CLOSE "\r\n");
    assert_int_equal(ask(s->port, request, answer, sizeof answer), 200);
    assert_int_equal(ask(s->port, "GET /%00 HTTP/1.1\r\n" CLOSE "\r\n", answer, sizeof answer),
                     400);
    assert_int_equal(ask(s->port, "GET /%zz HTTP/1.1\r\n" CLOSE "\r\n", answer, sizeof answer),
                     400);
}

static void a_connection_serves_many_requests(void **state)
{
    struct server *s = *state;
    char answer[4096];
    int fd = dial(s->port);
    for (int i = 0; i < 50; i++) {
        say(fd, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 42);
        hear(fd, answer, sizeof answer, "\r\n\r\nok\n", ANSWER_MS);
        assert_non_null(strstr(answer, "HTTP/1.1 200"));
    }
    close(fd);
}

static void bytes_may_come_one_by_one(void **state)
{
    struct server *s = *state;
    char answer[4096];
    const char *request = "POST /api/auth HTTP/1.1\r\n" CLOSE
                          "Content-Length: 28\r\n\r\n{\"password\":\"correct horse\"}";
    int fd = dial(s->port);
    for (const char *p = request; *p; p++) {
        say(fd, p, 1);
    }
    hear(fd, answer, sizeof answer, NULL, ANSWER_MS);
    close(fd);
    assert_non_null(strstr(answer, "HTTP/1.1 200"));
}

static void chunked_bodies_are_read(void **state)
{
    struct server *s = *state;
    char answer[4096];
    assert_int_equal(ask(s->port,
                         "POST /api/auth HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n"
                         "5\r\n{\"pas\r\n17\r\nsword\":\"correct horse\"}\r\n0\r\n\r\n",
                         answer, sizeof answer),
                     200);
}

static void head_has_no_body(void **state)
{
    struct server *s = *state;
    char answer[4096];
    assert_int_equal(ask(s->port, "HEAD /healthz HTTP/1.1\r\n" CLOSE "\r\n", answer, sizeof answer),
                     200);
    const char *end = strstr(answer, "\r\n\r\n");
    assert_non_null(end);
    assert_string_equal(end, "\r\n\r\n");
}

static void unchanged_pages_are_not_sent_again(void **state)
{
    struct server *s = *state;
    char answer[65536], etag[80] = "", request[256];
    assert_int_equal(ask(s->port, "GET / HTTP/1.1\r\n" CLOSE "\r\n", answer, sizeof answer), 200);
    const char *at = strstr(answer, "ETag: ");
    assert_non_null(at);
    sscanf(at, "ETag: %79[^\r]", etag);
    snprintf(request, sizeof request, "GET / HTTP/1.1\r\n" CLOSE "If-None-Match: %s\r\n\r\n", etag);
    assert_int_equal(ask(s->port, request, answer, sizeof answer), 304);
}

/* --- what is refused ------------------------------------------------------------------------- */

static void malformed_requests_are_refused(void **state)
{
    struct server *s = *state;
    static const struct {
        const char *why, *text;
        size_t len;
    } rows[] = {
#define ROW(why, text) {why, text, sizeof text - 1}
        ROW("two Host", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: "
                        "localhost\r\nConnection: close\r\n\r\n"),
        ROW("no Host", "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n"),
        ROW("length and chunks",
            "POST /api/auth HTTP/1.1\r\n" CLOSE
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ROW("two lengths", "POST /api/auth HTTP/1.1\r\n" CLOSE
                           "Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}xyz"),
        ROW("length is no number",
            "POST /api/auth HTTP/1.1\r\n" CLOSE "Content-Length: 5x\r\n\r\nabcde"),
        ROW("negative length", "POST /api/auth HTTP/1.1\r\n" CLOSE "Content-Length: -1\r\n\r\n"),
        ROW("length overflows",
            "POST /api/auth HTTP/1.1\r\n" CLOSE "Content-Length: 99999999999999999999999\r\n\r\n"),
        ROW("blank before the colon", "GET /healthz HTTP/1.1\r\n" CLOSE "X-Test : 1\r\n\r\n"),
        ROW("no colon", "GET /healthz HTTP/1.1\r\n" CLOSE "nonsense\r\n\r\n"),
        ROW("chunk is no number", "POST /api/auth HTTP/1.1\r\n" CLOSE
                                  "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
        ROW("chunk overflows", "POST /api/auth HTTP/1.1\r\n" CLOSE
                               "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"),
        ROW("no path", "GET x HTTP/1.1\r\n" CLOSE "\r\n"),
        ROW("garbage", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char answer[8192];
        int status = ask_raw(s->port, rows[i].text, rows[i].len, answer, sizeof answer);
        if (status != 0 && (status < 400 || status > 499)) {
            fail_msg("%s: %d\n%s", rows[i].why, status, answer);
        }
    }
    char answer[4096];
    assert_int_equal(ask(s->port, "GET /healthz HTTP/1.1\r\n" CLOSE "\r\n", answer, sizeof answer),
                     200);
}

/*
 * RFC 9112 5.2 leaves the choice between refusing a folded line and reading it as one value with a
 * blank; the library does the latter. At a NUL it ends the value. Neither makes a second header out
 * of one.
 */
static void odd_lines_stay_one_value(void **state)
{
    struct server *s = *state;
    static const struct {
        const char *text;
        size_t len;
    } rows[] = {
#define LINE(text) {text, sizeof text - 1}
        LINE("GET /healthz HTTP/1.1\r\nHost:\r\n evil.example\r\nConnection: close\r\n\r\n"),
        LINE("GET /healthz HTTP/1.1\r\nHost: evil.example\r\n localhost\r\nConnection: "
             "close\r\n\r\n"),
        LINE("GET /healthz HTTP/1.1\r\n" CLOSE "X-Test: 1\r\n Host: evil.example\r\n\r\n"),
        LINE("GET /healthz HTTP/1.1\r\nHost: evil.example\0\r\nConnection: close\r\n\r\n"),
    };
    char answer[4096];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int status = ask_raw(s->port, rows[i].text, rows[i].len, answer, sizeof answer);
        assert_true(status == 400 || status == 403);
    }
}

static void sizes_are_bounded(void **state)
{
    struct server *s = *state;
    enum { BIG = 6 * 1024 * 1024 };
    char *request = malloc(BIG), *answer = malloc(65536);
    size_t len;
    /* A long header, a long target, many headers. */
    len = (size_t)snprintf(request, BIG, "GET /healthz HTTP/1.1\r\n" CLOSE "X-Long: ");
    memset(request + len, 'a', 40000);
    memcpy(request + len + 40000, "\r\n\r\n", 4);
    int status = ask_raw(s->port, request, len + 40004, answer, 65536);
    assert_true(status == 431 || status == 413 || status == 0);
    len = (size_t)snprintf(request, BIG, "GET /");
    memset(request + len, 'a', 10000);
    len += 10000;
    len += (size_t)snprintf(request + len, BIG - len, " HTTP/1.1\r\n" CLOSE "\r\n");
    status = ask_raw(s->port, request, len, answer, 65536);
    assert_true(status >= 400 && status < 500);
    for (int n = 60; n <= 66; n += 6) {
        len = (size_t)snprintf(request, BIG, "GET /healthz HTTP/1.1\r\n" CLOSE);
        for (int i = 2; i < n; i++) {
            len += (size_t)snprintf(request + len, BIG - len, "X-%d: 1\r\n", i);
        }
        len += (size_t)snprintf(request + len, BIG - len, "\r\n");
        assert_int_equal(ask_raw(s->port, request, len, answer, 65536), n <= 64 ? 200 : 400);
    }
    /* A body that is announced, and one that is not. */
    assert_int_equal(ask(s->port,
                         "POST /api/auth HTTP/1.1\r\n" CLOSE "Content-Length: 4194305\r\n\r\n",
                         answer, 65536),
                     413);
    len = (size_t)snprintf(
        request, BIG, "POST /api/auth HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 70; i++) {
        len += (size_t)snprintf(request + len, BIG - len, "10000\r\n");
        memset(request + len, 'x', 65536);
        memcpy(request + len + 65536, "\r\n", 2);
        len += 65538;
    }
    status = ask_raw(s->port, request, len, answer, 65536);
    assert_true(status == 413 || status == 0); /* 0: the close outran the answer */
    assert_int_equal(ask(s->port, "GET /healthz HTTP/1.1\r\n" CLOSE "\r\n", answer, 65536), 200);
    free(answer);
    free(request);
}

/* --- many and slow clients ------------------------------------------------------------------- */

static void silent_clients_make_room(void **state)
{
    struct server *s = *state;
    enum { SILENT = 200 };
    int fds[SILENT];
    char answer[4096];
    for (int i = 0; i < SILENT; i++) {
        fds[i] = dial(s->port);
        if (i % 3 == 0) {
            say(fds[i], "GET / HT", 8);
        }
    }
    usec_t start = sys_now();
    assert_int_equal(ask(s->port, "GET /healthz HTTP/1.1\r\n" CLOSE "\r\n", answer, sizeof answer),
                     200);
    assert_true(sys_now() - start < USEC_PER_SEC);
    for (int i = 0; i < 20 && http_connections(s->http) > CONNECTIONS + 1; i++) {
        usleep(50000);
    }
    assert_true(http_connections(s->http) <= CONNECTIONS + 1);
    for (int i = 0; i < SILENT; i++) {
        close(fds[i]);
    }
}

static void connections_are_given_back(void **state)
{
    struct server *s = *state;
    char answer[4096];
    for (int round = 0; round < 20; round++) {
        int fds[20];
        for (int i = 0; i < 20; i++) {
            fds[i] = dial(s->port);
            say(fds[i],
                "POST /api/auth HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n{",
                70);
        }
        for (int i = 0; i < 20; i++) {
            close(fds[i]);
        }
    }
    for (int i = 0; i < 200 && http_connections(s->http) > 0; i++) {
        usleep(20000);
        http_wake(s->http);
    }
    assert_int_equal(http_connections(s->http), 0);
    assert_int_equal(ask(s->port, "GET /healthz HTTP/1.1\r\n" CLOSE "\r\n", answer, sizeof answer),
                     200);
}

static long resident_pages(void)
{
    long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f) {
        if (fscanf(f, "%ld %ld", &size, &resident) != 2) {
            resident = 0;
        }
        fclose(f);
    }
    return resident;
}

static void memory_stays_flat(void **state)
{
    struct server *s = *state;
    char answer[4096];
    long before = 0;
    for (int i = 0; i < 3000; i++) {
        int fd = dial(s->port);
        say(fd, "GET /api/nothing?x=1 HTTP/1.1\r\n" CLOSE "\r\n",
            strlen("GET /api/nothing?x=1 HTTP/1.1\r\n" CLOSE "\r\n"));
        hear(fd, answer, sizeof answer, NULL, ANSWER_MS);
        close(fd);
        if (i == 500) {
            before = resident_pages();
        }
    }
    long grown = resident_pages() - before;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(grown * sysconf(_SC_PAGESIZE) < 1024 * 1024);
#else
    (void)grown; /* sanitizers keep what was freed */
#endif
}

/* --- streams --------------------------------------------------------------------------------- */

static int open_events(struct server *s, const char *sid)
{
    char request[256], answer[8192];
    int fd = dial(s->port);
    snprintf(request, sizeof request,
             "GET /api/sinkhole/events HTTP/1.1\r\nHost: localhost\r\nsid: %s\r\n\r\n", sid);
    say(fd, request, strlen(request));
    hear(fd, answer, sizeof answer, "event: totals", ANSWER_MS);
    assert_non_null(strstr(answer, "HTTP/1.1 200"));
    assert_non_null(strstr(answer, "text/event-stream"));
    assert_non_null(strstr(answer, "event: totals"));
    return fd;
}

static void events_come_when_they_happen(void **state)
{
    struct server *s = *state;
    char sid[32] = "", answer[8192], request[512];
    log_in(s, sid);
    int fd = open_events(s, sid);
    const char *body = "{\"domain\":\"ads.example\"}";
    snprintf(request, sizeof request,
             "POST /api/domains/deny/exact HTTP/1.1\r\n" CLOSE
             "sid: %s\r\nContent-Length: %zu\r\n\r\n%s",
             sid, strlen(body), body);
    assert_int_equal(ask(s->port, request, answer, sizeof answer), 201);
    http_wake(s->http);
    hear(fd, answer, sizeof answer, "{\"what\":\"domains\"}", ANSWER_MS);
    assert_non_null(strstr(answer, "event: change"));
    /* Nothing new: nothing is sent, and waking costs nothing else. */
    for (int i = 0; i < 10; i++) {
        http_wake(s->http);
    }
    hear(fd, answer, sizeof answer, "event", 300);
    assert_null(strstr(answer, "event"));
    close(fd);
}

static void a_large_answer_reaches_a_slow_reader(void **state)
{
    struct server *s = *state;
    char sid[32] = "", request[256];
    enum { CAP = 1 << 20 };
    char *answer = malloc(CAP);
    log_in(s, sid);
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < 250; i++) {
        stats_fixture_query(&s->api.stats, "a-name-of-some-length.in-a-zone.example", "192.0.2.1",
                            QUERY_CACHED);
    }
    stats_fixture_collect(&s->api.stats);
    pthread_mutex_unlock(&s->lock);
    int fd = dial(s->port);
    snprintf(request, sizeof request,
             "GET /api/queries?length=1000000 HTTP/1.1\r\n" CLOSE "sid: %s\r\n\r\n", sid);
    int small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    say(fd, request, strlen(request));
    usleep(300000);
    hear(fd, answer, CAP, "\"took\":", ANSWER_MS);
    assert_non_null(strstr(answer, "Transfer-Encoding: chunked"));
    assert_non_null(strstr(answer, "\"recordsFiltered\":250"));
    close(fd);
    free(answer);
}

static void the_server_stops_with_open_streams(void **state)
{
    struct server *s = *state;
    char sid[32] = "";
    int fds[5];
    log_in(s, sid);
    for (int i = 0; i < 5; i++) {
        fds[i] = open_events(s, sid);
    }
    int idle = dial(s->port);
    usec_t start = sys_now();
    http_stop(s->http);
    s->http = NULL;
    assert_true(sys_now() - start < USEC_PER_SEC);
    for (int i = 0; i < 5; i++) {
        char rest[1024];
        hear(fds[i], rest, sizeof rest, NULL, ANSWER_MS);
        close(fds[i]);
    }
    close(idle);
    /* All feeds were given back. */
    for (int i = 0; i < 24; i++) {
        api_log_in(&s->api);
        struct api_response r = api_open_stream(&s->api, "/api/sinkhole/events");
        assert_int_equal(r.status, 200);
    }
}

static void clients_that_leave_free_their_stream(void **state)
{
    struct server *s = *state;
    char sid[32] = "";
    log_in(s, sid);
    for (int i = 0; i < 60; i++) {
        close(open_events(s, sid));
        /* The next thing that is sent finds out. */
        for (int k = 0; k < 20; k++) {
            pthread_mutex_lock(&s->lock);
            api_changed(s->api.api, RULES_LISTS);
            pthread_mutex_unlock(&s->lock);
            http_wake(s->http);
            usleep(2000);
            if (http_connections(s->http) == 0) {
                break;
            }
        }
    }
}

/* --- the table of connections, in virtual time ----------------------------------------------- */

static struct ip_addr address(int i)
{
    const uint8_t octets[4] = {192, 0, 2, (uint8_t)i};
    return ip_v4(octets);
}

static bool is_shut(int fd)
{
    char c;
    return recv(fd, &c, 1, MSG_DONTWAIT) == 0;
}

struct pairs {
    int fd[16][2];
    struct http_conns t;
};

static void open_pairs(struct pairs *p, uint32_t cap)
{
    for (int i = 0; i < 16; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p->fd[i]), 0);
    }
    assert_int_equal(http_conns_open(&p->t, cap), ERR_OK);
}

static void close_pairs(struct pairs *p)
{
    for (int i = 0; i < 16; i++) {
        close(p->fd[i][0]);
        close(p->fd[i][1]);
    }
    http_conns_close(&p->t);
}

static void each_state_has_its_deadline(void **state)
{
    (void)state;
    static const struct {
        enum http_conn_state state;
        uint32_t seconds;
    } rows[] = {
        {CONN_NEW, 10}, {CONN_IDLE, 40}, {CONN_BODY, 60}, {CONN_SENDING, 120}, {CONN_STREAM, 0}};
    struct pairs p;
    open_pairs(&p, 8);
    for (int i = 0; i < 5; i++) {
        struct ip_addr a = address(1);
        struct http_conn *c = http_conns_add(&p.t, p.fd[i][0], &a, 1000);
        http_conn_set(c, rows[i].state, 1000);
        usec_t end = 1000 + rows[i].seconds * USEC_PER_SEC;
        if (rows[i].seconds > 0) {
            http_conns_tick(&p.t, end);
            assert_false(is_shut(p.fd[i][1]));
            http_conns_tick(&p.t, end + 1);
            assert_true(is_shut(p.fd[i][1]));
        } else {
            http_conns_tick(&p.t, UINT64_MAX / 2);
            assert_false(is_shut(p.fd[i][1]));
        }
        http_conns_remove(&p.t, c);
    }
    assert_int_equal(p.t.overdue, 4);
    assert_int_equal(p.t.count, 0);
    close_pairs(&p);
}

static void whoever_holds_most_gives_way(void **state)
{
    (void)state;
    struct pairs p;
    struct http_conn *c[16];
    open_pairs(&p, 8);
    /* 5 of the first address, 3 of the second, which is older. */
    for (int i = 0; i < 8; i++) {
        struct ip_addr a = address(i < 3 ? 2 : 1);
        c[i] = http_conns_add(&p.t, p.fd[i][0], &a, (usec_t)(100 + i));
    }
    http_conn_set(c[3], CONN_SENDING, 103); /* under way: stays */
    struct ip_addr third = address(3);
    assert_non_null(http_conns_add(&p.t, p.fd[8][0], &third, 200));
    assert_true(is_shut(p.fd[4][1]));
    for (int i = 0; i < 8; i++) {
        assert_int_equal(is_shut(p.fd[i][1]), i == 4);
    }
    /* Then those that send a body, then slow readers; streams stay. */
    for (int i = 0; i < 8; i++) {
        if (i != 4) {
            http_conn_set(c[i], i == 0 ? CONN_BODY : CONN_SENDING, 300);
        }
    }
    http_conn_set(http_conns_find(&p.t, p.fd[8][0]), CONN_STREAM, 300);
    assert_non_null(http_conns_add(&p.t, p.fd[9][0], &third, 400));
    assert_true(is_shut(p.fd[0][1]));
    http_conn_set(http_conns_find(&p.t, p.fd[9][0]), CONN_STREAM, 400);
    assert_null(http_conns_add(&p.t, p.fd[10][0], &third, 2000000));
    assert_non_null(http_conns_add(&p.t, p.fd[10][0], &third, 2000400));
    assert_true(is_shut(p.fd[3][1])); /* since 103 */
    assert_int_equal(p.t.evicted, 3);
    close_pairs(&p);
}

static void whoever_has_left_is_noticed(void **state)
{
    (void)state;
    struct pairs p;
    struct ip_addr a = address(1);
    open_pairs(&p, 8);
    struct http_conn *c = http_conns_add(&p.t, p.fd[0][0], &a, 1000);
    http_conn_set(c, CONN_BODY, 1000);
    http_conns_tick(&p.t, 1000 + 2 * USEC_PER_SEC);
    assert_false(c->ending);
    shutdown(p.fd[0][1], SHUT_WR);
    http_conns_tick(&p.t, 1000 + 2 * USEC_PER_SEC);
    assert_true(c->ending);
    close_pairs(&p);
}

static void bad_configurations_are_refused(void **state)
{
    struct server *s = *state;
    struct http *h = NULL;
    struct http_config cfg = {
        .listen_count = 1, .connections = 7, .api = s->api.api, .lock = &s->lock};
    cfg.listen[0].addr = ip_of("127.0.0.1");
    assert_int_equal(http_open(&h, &cfg), ERR_RANGE);
    cfg.connections = 5000;
    assert_int_equal(http_open(&h, &cfg), ERR_RANGE);
    cfg.connections = 0;
    cfg.listen_count = 0;
    assert_int_equal(http_open(&h, &cfg), ERR_RANGE);
    cfg.listen_count = 1;
    cfg.listen[0].port = s->port; /* taken */
    assert_int_equal(http_open(&h, &cfg), ERR_IO);
    cfg.listen[0].addr = ip_of("192.0.2.99"); /* not ours */
    assert_int_equal(http_open(&h, &cfg), ERR_IO);
    assert_null(h);
    http_stop(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_server, close_server)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_addresses_answer),
        TEST(headers_reach_the_api),
        TEST(paths_come_as_they_were_sent),
        TEST(a_connection_serves_many_requests),
        TEST(bytes_may_come_one_by_one),
        TEST(chunked_bodies_are_read),
        TEST(head_has_no_body),
        TEST(unchanged_pages_are_not_sent_again),
        TEST(malformed_requests_are_refused),
        TEST(odd_lines_stay_one_value),
        TEST(sizes_are_bounded),
        TEST(silent_clients_make_room),
        TEST(connections_are_given_back),
        TEST(memory_stays_flat),
        TEST(events_come_when_they_happen),
        TEST(a_large_answer_reaches_a_slow_reader),
        TEST(the_server_stops_with_open_streams),
        TEST(clients_that_leave_free_their_stream),
        cmocka_unit_test(each_state_has_its_deadline),
        cmocka_unit_test(whoever_holds_most_gives_way),
        cmocka_unit_test(whoever_has_left_is_noticed),
        TEST(bad_configurations_are_refused),
    };
    return UNIT_RUN(tests);
}
