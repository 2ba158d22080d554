/*
 * Decompression and downloads against a server that misbehaves: every row of the fault table
 * (hardening L3) ends in time, with a reason, and nothing incomplete passes for complete.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>
#include <zlib.h>

#include "base/attr.h"
#include "host/fetch_curl_int.h" /* to reach what only a hostile resolver could show */
#include "list_server.h"

/* 200 lines "0.0.0.0 adsN.example", compressed by brotli. */
static const uint8_t brotli_list[] = {
    0x13, 0x89, 0x11, 0x00, 0x84, 0x40, 0x1d, 0x29, 0x2f, 0x41, 0x03, 0xa8, 0xf2, 0xf9, 0x4b, 0xc2,
    0xe0, 0xa4, 0x01, 0x36, 0x0a, 0xe3, 0x24, 0x00, 0x58, 0xc7, 0x12, 0x17, 0xe8, 0x03, 0x9d, 0xc9,
    0x59, 0x9e, 0xe8, 0x64, 0xfb, 0x70, 0x9a, 0x28, 0x99, 0xe2, 0x89, 0x6f, 0xbd, 0x7e, 0x7e, 0xff,
    0xfe, 0xe3, 0x7b, 0xe1, 0xef, 0x67, 0x40, 0x4c, 0x16, 0x9b, 0xc3, 0xe5, 0xe1, 0xe5, 0x0b, 0xd6,
    0xfa, 0x6d, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0x67, 0xc7, 0xe9, 0x74, 0x3a, 0x9d, 0x4e, 0xa7,
    0xd3, 0xe9, 0x74, 0xb9, 0x5c, 0x2e, 0x97, 0xcb, 0xe5, 0x72, 0xb9, 0xdc, 0x6e, 0xb7, 0xdb, 0xed,
    0x76, 0xbb, 0xdd, 0x6e, 0x8f, 0xc7, 0xe3, 0xf1, 0x78, 0x3c, 0x1e, 0x8f, 0xc7, 0xeb, 0xf5, 0x7a,
    0xbd, 0x5e, 0xaf, 0xd7, 0xeb, 0xf5, 0xf1, 0xf1, 0xf1, 0xf1, 0xf1, 0xf1, 0xf1, 0xf1, 0xf1, 0xf1,
    0xf5, 0xf5, 0xf5, 0xf5, 0xf5, 0xf5, 0xf5, 0xf5, 0xf5, 0xf5, 0xf3, 0xf3, 0xf3, 0xf3, 0xf3, 0xf3,
    0xf3, 0xf3, 0xf3, 0xbb, 0x85, 0x5b, 0xb8, 0x85, 0x5b, 0xb8, 0x85, 0x5b, 0xb8, 0x85, 0x5b, 0xb8,
    0x85, 0x3f, 0x84, 0xd1, 0x9b, 0x32, 0xc8, 0xa4, 0x27, 0x26, 0x26, 0x26, 0x26, 0x26, 0x06, 0x02,
    0x81, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x81, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x81, 0x40,
    0x20, 0x10, 0x08, 0x04, 0x02, 0x81, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x81, 0x40, 0x20, 0x10,
    0x08, 0x04, 0x02, 0x81, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x81, 0x40, 0x20, 0x10, 0x08, 0x04,
    0x02, 0x81, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x81, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x81,
    0x40, 0x20, 0x10, 0x08, 0x7c, 0x01,
};

static char list[8192];
static size_t list_len;
static uint8_t gz[8192];
static size_t gz_len;

static size_t gzip(const void *data, size_t len, uint8_t *out, size_t cap)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)data;
    z.avail_in = (uInt)len;
    z.next_out = out;
    z.avail_out = (uInt)cap;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t n = z.total_out;
    deflateEnd(&z);
    return n;
}

/* Decompression */

struct text {
    char data[16384];
    size_t len;
    size_t stop_at; /* 0: never */
};

static bool collect(void *arg, struct span data)
{
    struct text *t = arg;
    if (data.len > sizeof t->data - t->len) {
        return true; /* counted by the decoder, not kept */
    }
    memcpy(t->data + t->len, data.ptr, data.len);
    t->len += data.len;
    return t->stop_at == 0 || t->len < t->stop_at;
}

/* Feeds in pieces of `step` octets. */
static enum err decode_all(enum decode_kind kind, uint64_t max, const uint8_t *data, size_t len,
                           size_t step, struct text *out)
{
    struct decoder *d;
    enum err e = decode_open(kind, max, collect, out, &d);
    for (size_t at = 0; e == ERR_OK && at < len; at += step) {
        e = decode_feed(d, span_of(data + at, len - at < step ? len - at : step));
    }
    if (e == ERR_OK) {
        e = decode_finish(d);
    }
    decode_close(d);
    return e;
}

static void decodes_in_pieces_of_any_size(void **state)
{
    (void)state;
    for (size_t step = 1; step < 600; step += 37) {
        struct text plain = {.len = 0}, zipped = {.len = 0}, sniffed = {.len = 0},
                    brotli = {.len = 0};
        assert_int_equal(
            decode_all(DECODE_SNIFF, 1 << 20, (const uint8_t *)list, list_len, step, &plain),
            ERR_OK);
        assert_int_equal(decode_all(DECODE_GZIP, 1 << 20, gz, gz_len, step, &zipped), ERR_OK);
        assert_int_equal(decode_all(DECODE_SNIFF, 1 << 20, gz, gz_len, step, &sniffed), ERR_OK);
        assert_int_equal(
            decode_all(DECODE_BROTLI, 1 << 20, brotli_list, sizeof brotli_list, step, &brotli),
            ERR_OK);
        assert_memory_equal(plain.data, list, list_len);
        assert_memory_equal(zipped.data, list, list_len);
        assert_memory_equal(sniffed.data, list, list_len);
        assert_memory_equal(brotli.data, list, list_len);
        assert_int_equal(brotli.len, list_len);
    }
}

static void a_cut_stream_is_never_complete(void **state)
{
    (void)state;
    for (size_t len = 0; len < gz_len; len++) {
        struct text t = {.len = 0};
        assert_int_equal(decode_all(DECODE_GZIP, 1 << 20, gz, len, 64, &t), ERR_SHORT);
    }
    for (size_t len = 0; len < sizeof brotli_list; len++) {
        struct text t = {.len = 0};
        assert_int_equal(decode_all(DECODE_BROTLI, 1 << 20, brotli_list, len, 64, &t), ERR_SHORT);
    }
}

static void damage_of_a_gzip_stream_is_noticed(void **state)
{
    (void)state;
    uint8_t bad[sizeof gz];
    for (size_t i = 10; i < gz_len; i++) {
        struct text t = {.len = 0};
        memcpy(bad, gz, gz_len);
        bad[i] ^= 0x10;
        assert_int_not_equal(decode_all(DECODE_GZIP, 1 << 20, bad, gz_len, 64, &t), ERR_OK);
    }
}

static void several_members_padding_and_rubbish_behind(void **state)
{
    (void)state;
    uint8_t two[2 * sizeof gz + 16];
    struct text t = {.len = 0};
    memcpy(two, gz, gz_len);
    memcpy(two + gz_len, gz, gz_len);
    memset(two + 2 * gz_len, 0, 16);
    assert_int_equal(decode_all(DECODE_GZIP, 1 << 20, two, 2 * gz_len + 16, 100, &t), ERR_OK);
    assert_int_equal(t.len, 2 * list_len);
    two[2 * gz_len + 3] = 'x';
    t.len = 0;
    assert_int_not_equal(decode_all(DECODE_GZIP, 1 << 20, two, 2 * gz_len + 16, 100, &t), ERR_OK);
}

static void a_bomb_stops_at_the_limit(void **state)
{
    (void)state;
    size_t size = (size_t)20 << 20;
    uint8_t *zeros = calloc(1, size), *bomb = malloc(65536);
    struct text t = {.len = 0};
    size_t bomb_len = gzip(zeros, size, bomb, 65536);
    assert_true(bomb_len < 65536);
    assert_int_equal(decode_all(DECODE_GZIP, 1 << 20, bomb, bomb_len, 1000, &t), ERR_LIMIT);
    free(zeros);
    free(bomb);
}

static void the_sink_can_stop(void **state)
{
    (void)state;
    struct text t = {.stop_at = 10};
    assert_int_equal(decode_all(DECODE_PLAIN, 1 << 20, (const uint8_t *)list, list_len, 8, &t),
                     ERR_STATE);
    assert_int_equal(t.len, 16);
}

static void edges_of_sniffing(void **state)
{
    (void)state;
    struct text t = {.len = 0};
    assert_int_equal(decode_all(DECODE_SNIFF, 10, NULL, 0, 1, &t), ERR_OK);
    assert_int_equal(t.len, 0);
    assert_int_equal(decode_all(DECODE_SNIFF, 10, (const uint8_t *)"\x1f", 1, 1, &t), ERR_OK);
    assert_int_equal(t.len, 1);
}

/* URLs */

static void refuses_urls_that_are_not_for_lists(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool good;
    } rows[] = {
        {"http://lists.example/a", true},
        {"https://lists.example:8443/a?b=c#d", true},
        {"HTTPS://LISTS.EXAMPLE/", true},
        {"http://192.0.2.1/x", true},
        {"http://[2001:db8::1]/x", true},
        {"", false},
        {"lists.example/a", false},
        {"file:///etc/passwd", false},
        {"gopher://lists.example/", false},
        {"ftp://lists.example/a", false},
        {"javascript:alert(1)", false},
        {"http://", false},
        {"http:///path", false},
        {"http://user@lists.example/", false},
        {"http://user:secret@lists.example/", false},
        {"http://lists.example/a b", false},
        {"http://lists.example/\r\nHost: other", false},
        {"http://lists.example/\x01", false},
        {"http://lists.example/\xc3\xa4", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[FETCH_ERROR_MAX];
        const char *problem = fetch_url_problem(rows[i].url, text);
        if ((problem == NULL) != rows[i].good) {
            fail_msg("%s: %s", rows[i].url, problem ? problem : "taken");
        }
    }
    char longest[FETCH_URL_MAX + 10], text[FETCH_ERROR_MAX];
    memset(longest, 'a', sizeof longest);
    memcpy(longest, "http://x/", 9);
    longest[FETCH_URL_MAX - 1] = '\0';
    assert_null(fetch_url_problem(longest, text));
    longest[FETCH_URL_MAX - 1] = 'a';
    longest[FETCH_URL_MAX] = '\0';
    assert_non_null(fetch_url_problem(longest, text));
}

static void knows_local_hosts(void **state)
{
    (void)state;
    static const char *const local[] = {"http://localhost/",   "http://LOCALHOST:80/x",
                                        "http://a.localhost/", "http://127.0.0.1/",
                                        "http://127.9.9.9/",   "http://[::1]/",
                                        "http://0.0.0.0/",     "http://[::]/",
                                        "http://127.1/",       "http://2130706433/",
                                        "http://0x7f000001/",  "http://169.254.169.254/latest",
                                        "http://[fe80::1]/",   "http://[::ffff:127.0.0.1]/"};
    static const char *const other[] = {"http://lists.example/", "http://notlocalhost/",
                                        "http://192.168.1.1/", "http://10.0.0.1/",
                                        "http://[2001:db8::1]/"};
    for (size_t i = 0; i < ARRAY_LEN(local); i++) {
        if (!fetch_url_is_local(local[i])) {
            fail_msg("%s is local", local[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(other); i++) {
        if (fetch_url_is_local(other[i])) {
            fail_msg("%s is not local", other[i]);
        }
    }
}

/* Downloads */

struct download {
    struct text text;
    struct fetch_result result;
    unsigned done;
    uint64_t octets;
};

static struct list_server *server;

static bool keep(void *arg, struct span data)
{
    struct download *d = arg;
    d->octets += data.len;
    return collect(&d->text, data);
}

static void done(void *arg, const struct fetch_result *result)
{
    struct download *d = arg;
    d->result = *result;
    d->done++;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const struct fetch_limits quick = {.octets_max = 1 << 20,
                                          .total_timeout_s = 3,
                                          .connect_timeout_s = 2,
                                          .low_speed_octets = 1000,
                                          .low_speed_s = 1};

static void fetch_url(const struct fetch_limits *limits, const char *url, const char *etag,
                      const char *modified, struct download *d)
{
    struct fetcher *f;
    struct fetch_request r = {
        .url = url, .etag = etag, .last_modified = modified, .sink = keep, .arg = d};
    memset(d, 0, sizeof *d);
    assert_int_equal(fetch_open(limits, done, &f), ERR_OK);
    assert_int_equal(fetch_start(f, &r), ERR_OK);
    double begin = seconds();
    while (fetch_active(f) > 0) {
        fetch_run(f, 100);
        if (seconds() - begin > 10) {
            fail_msg("%s takes for ever", url);
        }
    }
    assert_int_equal(d->done, 1);
    fetch_close(f);
}

static void fetch_path(const char *path, struct download *d)
{
    char url[128];
    fetch_url(&quick, list_server_url(server, path, url, sizeof url), NULL, NULL, d);
}

static void expect_whole_list(const struct download *d)
{
    if (d->result.outcome != FETCH_COMPLETE) {
        fail_msg("not complete: %s", d->result.error);
    }
    assert_int_equal(d->text.len, list_len);
    assert_memory_equal(d->text.data, list, list_len);
    assert_string_equal(d->result.error, "");
}

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        list_len +=
            (size_t)snprintf(list + list_len, sizeof list - list_len, "0.0.0.0 ads%d.example\n", i);
    }
    gz_len = gzip(list, list_len, gz, sizeof gz);
    server = list_server_start();
    assert_int_equal(fetch_global_init(), ERR_OK);
    return server ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    list_server_stop(server);
    return 0;
}

static void put(const char *path, enum page_kind kind, const void *body, size_t len,
                const char *headers)
{
    list_server_put(server, path,
                    &(struct page){.kind = kind, .body = body, .len = len, .headers = headers});
}

static void takes_whole_lists_however_they_are_sent(void **state)
{
    (void)state;
    struct download d;
    char request[8192];
    put("/plain", PAGE_WHOLE, list, list_len, NULL);
    put("/chunked", PAGE_CHUNKED, list, list_len, NULL);
    put("/gzip", PAGE_WHOLE, gz, gz_len, "Content-Encoding: gzip\r\n");
    put("/gzip-chunked", PAGE_CHUNKED, gz, gz_len, "Content-Encoding: gzip\r\n");
    put("/brotli", PAGE_WHOLE, brotli_list, sizeof brotli_list, "Content-Encoding: br\r\n");
    put("/list.gz", PAGE_WHOLE, gz, gz_len, "Content-Type: application/gzip\r\n");
    put("/gzip-no-length", PAGE_NO_LENGTH, gz, gz_len, "Content-Encoding: gzip\r\n");
    static const char *const paths[] = {"/plain",  "/chunked", "/gzip",          "/gzip-chunked",
                                        "/brotli", "/list.gz", "/gzip-no-length"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        fetch_path(paths[i], &d);
        expect_whole_list(&d);
        assert_int_equal(d.result.http_status, 200);
    }
    list_server_last_request(server, request, sizeof request);
    assert_non_null(strstr(request, "Accept-Encoding: gzip, br\r\n"));
}

static void an_empty_answer_is_complete(void **state)
{
    (void)state;
    struct download d;
    put("/empty", PAGE_WHOLE, "", 0, NULL);
    fetch_path("/empty", &d);
    assert_int_equal(d.result.outcome, FETCH_COMPLETE);
    assert_int_equal(d.octets, 0);
    put("/empty-gzip", PAGE_WHOLE, "", 0, "Content-Encoding: gzip\r\n");
    fetch_path("/empty-gzip", &d);
    assert_int_equal(d.result.outcome, FETCH_FAILED);
}

/* The fault table: what the server does, and whether trying again may help. */
static void every_fault_ends_in_time_and_with_a_reason(void **state)
{
    (void)state;
    static uint8_t bomb[65536], big[2 << 20];
    uint8_t *zeros = calloc(1, (size_t)20 << 20);
    size_t bomb_len = gzip(zeros, (size_t)20 << 20, bomb, sizeof bomb);
    free(zeros);
    memset(big, 'a', sizeof big);
    const struct {
        const char *why;
        struct page page;
        bool transient;
        const char *reason; /* part of it */
    } rows[] = {
        {"404", {.status = 404, .body = "no", .len = 2}, false, "HTTP status 404"},
        {"403 with a long page",
         {.status = 403, .body = big, .len = sizeof big},
         false,
         "HTTP status 403"},
        {"500", {.status = 500, .body = "no", .len = 2}, true, "HTTP status 500"},
        {"503",
         {.status = 503, .body = "no", .len = 2, .headers = "Retry-After: 77\r\n"},
         true,
         "HTTP status 503"},
        {"204", {.status = 204}, false, "HTTP status 204"},
        {"206 unasked", {.status = 206, .body = list, .len = list_len}, false, "HTTP status 206"},
        {"304 unasked", {.status = 304}, false, "HTTP status 304"},
        {"shorter than promised", {.kind = PAGE_SHORT, .body = list, .len = list_len}, true, NULL},
        {"last chunk missing", {.kind = PAGE_CHUNK_CUT, .body = list, .len = list_len}, true, NULL},
        {"neither length nor chunks",
         {.kind = PAGE_NO_LENGTH, .body = list, .len = list_len},
         true,
         "no length"},
        {"gzip cut",
         {.body = gz, .len = gz_len - 9, .headers = "Content-Encoding: gzip\r\n"},
         true,
         "ends too early"},
        {"gzip trailer cut",
         {.body = gz, .len = gz_len - 1, .headers = "Content-Encoding: gzip\r\n"},
         true,
         "ends too early"},
        {"gzip file cut", {.body = gz, .len = gz_len - 9}, true, "ends too early"},
        {"brotli cut",
         {.body = brotli_list,
          .len = sizeof brotli_list - 1,
          .headers = "Content-Encoding: br\r\n"},
         true,
         "ends too early"},
        {"said to be gzip",
         {.body = list, .len = list_len, .headers = "Content-Encoding: gzip\r\n"},
         false,
         "damaged"},
        {"encoding unasked",
         {.body = list, .len = list_len, .headers = "Content-Encoding: zstd\r\n"},
         false,
         "Content-Encoding"},
        {"gzip bomb",
         {.body = bomb, .len = bomb_len, .headers = "Content-Encoding: gzip\r\n"},
         false,
         "larger than the limit"},
        {"gzip bomb as file", {.body = bomb, .len = bomb_len}, false, "larger than the limit"},
        {"declared too large", {.body = big, .len = sizeof big}, false, "larger than the limit"},
        {"too large in chunks",
         {.kind = PAGE_CHUNKED, .body = big, .len = sizeof big},
         false,
         "larger than the limit"},
        {"endless",
         {.kind = PAGE_ENDLESS, .body = list, .len = list_len},
         false,
         "larger than the limit"},
        {"reset", {.kind = PAGE_RESET, .body = list, .len = list_len}, true, NULL},
        {"hang", {.kind = PAGE_HANG}, true, NULL},
        {"hang in the body", {.kind = PAGE_HANG_BODY, .body = list, .len = list_len}, true, NULL},
        {"drip", {.kind = PAGE_DRIP, .body = list, .len = list_len}, true, NULL},
        {"header bomb", {.kind = PAGE_HEADER_BOMB}, false, "header is too long"},
        {"closed at once", {.kind = PAGE_SILENT_CLOSE}, true, NULL},
        {"redirect loop", {.status = 302, .location = "/fault"}, false, "more than 5 redirects"},
        {"redirect without target", {.status = 301}, false, "redirect refused"},
        {"redirect to a file",
         {.status = 301, .location = "file:///etc/passwd"},
         false,
         "redirect refused"},
        {"redirect to gopher",
         {.status = 302, .location = "gopher://127.0.0.1:70/x"},
         false,
         "redirect refused"},
        {"redirect with a password",
         {.status = 302, .location = "http://a:b@127.0.0.1/x"},
         false,
         "redirect refused"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct download d;
        double begin = seconds();
        list_server_put(server, "/fault", &rows[i].page);
        fetch_path("/fault", &d);
        if (d.result.outcome != FETCH_FAILED || d.result.transient != rows[i].transient ||
            !d.result.error[0] || (rows[i].reason && !strstr(d.result.error, rows[i].reason)) ||
            seconds() - begin > 5) {
            fail_msg("%s: outcome %d transient %d after %.1f s: %s", rows[i].why,
                     (int)d.result.outcome, (int)d.result.transient, seconds() - begin,
                     d.result.error);
        }
        assert_int_equal(d.result.retry_after_s, rows[i].page.status == 503 ? 77 : 0);
    }
}

static void nobody_listens(void **state)
{
    (void)state;
    struct download d;
    struct list_server *gone = list_server_start();
    char url[64];
    list_server_url(gone, "/a", url, sizeof url);
    list_server_stop(gone);
    fetch_url(&quick, url, NULL, NULL, &d);
    assert_int_equal(d.result.outcome, FETCH_FAILED);
    assert_true(d.result.transient);
    assert_int_equal(d.result.http_status, 0);
}

static void follows_a_few_redirects(void **state)
{
    (void)state;
    static const char *const next[] = {"/r1", "/r2", "/r3", "/r4", "/r5", "/end"};
    struct download d;
    put("/end", PAGE_WHOLE, list, list_len, NULL);
    for (int i = 0; i < 5; i++) {
        char path[16];
        (void)snprintf(path, sizeof path, "/r%d", i + 1);
        list_server_put(
            server, path,
            &(struct page){
                .status = i % 2 ? 301 : 308, .location = next[i + 1], .body = "moved", .len = 5});
    }
    fetch_path("/r1", &d);
    expect_whole_list(&d);
    list_server_put(server, "/r0", &(struct page){.status = 302, .location = "/r1"});
    fetch_path("/r0", &d);
    assert_int_equal(d.result.outcome, FETCH_FAILED);
}

/* Runs a transfer that was started and changed by the test. */
static void run_all(struct fetcher *f)
{
    while (fetch_active(f) > 0) {
        fetch_run(f, 100);
    }
    fetch_close(f);
}

/* As if the URL named a public host that a resolver made to mean this machine. */
static void refuses_a_name_that_means_this_machine(void **state)
{
    (void)state;
    struct fetcher *f;
    struct download d;
    char url[64];
    memset(&d, 0, sizeof d);
    put("/plain", PAGE_WHOLE, list, list_len, NULL);
    unsigned hits = list_server_hits(server, "/plain");
    assert_int_equal(fetch_open(&quick, done, &f), ERR_OK);
    f->proxied = false;
    struct fetch_request r = {
        .url = list_server_url(server, "/plain", url, sizeof url), .sink = keep, .arg = &d};
    assert_int_equal(fetch_start(f, &r), ERR_OK);
    f->waiting->local = false;
    run_all(f);
    assert_int_equal(d.result.outcome, FETCH_FAILED);
    assert_non_null(strstr(d.result.error, "127.0.0.1"));
    assert_int_equal(list_server_hits(server, "/plain"), hits);
}

/* As if a public server redirected to this machine. */
static void refuses_a_redirect_to_this_machine(void **state)
{
    (void)state;
    struct fetcher *f;
    struct download d;
    char url[64], target[64];
    memset(&d, 0, sizeof d);
    put("/plain", PAGE_WHOLE, list, list_len, NULL);
    unsigned hits = list_server_hits(server, "/plain");
    list_server_put(
        server, "/inwards",
        &(struct page){.status = 302,
                       .location = list_server_url(server, "/plain", target, sizeof target)});
    assert_int_equal(fetch_open(&quick, done, &f), ERR_OK);
    f->proxied = true; /* the first hop may connect */
    struct fetch_request r = {
        .url = list_server_url(server, "/inwards", url, sizeof url), .sink = keep, .arg = &d};
    assert_int_equal(fetch_start(f, &r), ERR_OK);
    f->waiting->local = false;
    run_all(f);
    assert_int_equal(d.result.outcome, FETCH_FAILED);
    assert_string_equal(d.result.error, "redirect refused: to a loopback or link-local host");
    assert_int_equal(list_server_hits(server, "/plain"), hits);
}

static void asks_for_changes_only(void **state)
{
    (void)state;
    struct download d;
    char url[128], request[8192];
    list_server_put(server, "/etag",
                    &(struct page){.body = list,
                                   .len = list_len,
                                   .etag = "\"v1\"",
                                   .headers = "Last-Modified: Sun, 22 Nov 2026 12:00:00 GMT\r\n"});
    list_server_url(server, "/etag", url, sizeof url);
    fetch_url(&quick, url, NULL, NULL, &d);
    expect_whole_list(&d);
    assert_string_equal(d.result.etag, "\"v1\"");
    assert_string_equal(d.result.last_modified, "Sun, 22 Nov 2026 12:00:00 GMT");
    fetch_url(&quick, url, "\"v1\"", "Sun, 22 Nov 2026 12:00:00 GMT", &d);
    assert_int_equal(d.result.outcome, FETCH_NOT_MODIFIED);
    assert_int_equal(d.octets, 0);
    list_server_last_request(server, request, sizeof request);
    assert_non_null(strstr(request, "\r\nIf-None-Match: \"v1\"\r\n"));
    assert_non_null(strstr(request, "\r\nIf-Modified-Since: Sun, 22 Nov 2026 12:00:00 GMT\r\n"));
    fetch_url(&quick, url, "\"v0\"", NULL, &d);
    expect_whole_list(&d);
}

static void validators_that_are_no_text_are_not_kept(void **state)
{
    (void)state;
    static char long_etag[400];
    struct download d;
    memset(long_etag, 'x', sizeof long_etag - 1);
    list_server_put(server, "/etag",
                    &(struct page){.body = list,
                                   .len = list_len,
                                   .etag = long_etag,
                                   .headers = "Last-Modified: a\x01z\r\n"});
    fetch_path("/etag", &d);
    assert_string_equal(d.result.etag, "");
    assert_string_equal(d.result.last_modified, "");
}

static void runs_many_side_by_side(void **state)
{
    (void)state;
    static struct download d[40];
    char url[64];
    struct fetcher *f;
    struct fetch_limits limits = quick;
    limits.parallel_max = 8;
    put("/many", PAGE_WHOLE, list, list_len, NULL);
    memset(d, 0, sizeof d);
    assert_int_equal(fetch_open(&limits, done, &f), ERR_OK);
    for (size_t i = 0; i < ARRAY_LEN(d); i++) {
        struct fetch_request r = {
            .url = list_server_url(server, "/many", url, sizeof url), .sink = keep, .arg = &d[i]};
        assert_int_equal(fetch_start(f, &r), ERR_OK);
    }
    assert_int_equal(fetch_active(f), ARRAY_LEN(d));
    while (fetch_active(f) > 0) {
        fetch_run(f, 100);
    }
    for (size_t i = 0; i < ARRAY_LEN(d); i++) {
        expect_whole_list(&d[i]);
    }
    fetch_close(f);
}

static void the_sink_ends_a_download(void **state)
{
    (void)state;
    struct fetcher *f;
    struct download d = {.text.stop_at = 100};
    char url[64];
    put("/stop", PAGE_ENDLESS, list, list_len, NULL);
    struct fetch_request r = {
        .url = list_server_url(server, "/stop", url, sizeof url), .sink = keep, .arg = &d};
    assert_int_equal(fetch_open(&quick, done, &f), ERR_OK);
    assert_int_equal(fetch_start(f, &r), ERR_OK);
    while (fetch_active(f) > 0) {
        fetch_run(f, 100);
    }
    assert_int_equal(d.result.outcome, FETCH_STOPPED);
    fetch_close(f);
}

static void closing_drops_what_is_under_way(void **state)
{
    (void)state;
    struct fetcher *f;
    struct download d[3] = {{.done = 0}};
    char url[64];
    struct fetch_limits limits = quick;
    limits.parallel_max = 2;
    put("/hang", PAGE_HANG, "", 0, NULL);
    list_server_url(server, "/hang", url, sizeof url);
    assert_int_equal(fetch_open(&limits, done, &f), ERR_OK);
    for (size_t i = 0; i < ARRAY_LEN(d); i++) {
        assert_int_equal(
            fetch_start(f, &(struct fetch_request){.url = url, .sink = keep, .arg = &d[i]}),
            ERR_OK);
    }
    fetch_run(f, 50);
    double begin = seconds();
    fetch_close(f);
    assert_true(seconds() - begin < 1);
    for (size_t i = 0; i < ARRAY_LEN(d); i++) {
        assert_int_equal(d[i].done, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_in_pieces_of_any_size),
        cmocka_unit_test(a_cut_stream_is_never_complete),
        cmocka_unit_test(damage_of_a_gzip_stream_is_noticed),
        cmocka_unit_test(several_members_padding_and_rubbish_behind),
        cmocka_unit_test(a_bomb_stops_at_the_limit),
        cmocka_unit_test(the_sink_can_stop),
        cmocka_unit_test(edges_of_sniffing),
        cmocka_unit_test(refuses_urls_that_are_not_for_lists),
        cmocka_unit_test(knows_local_hosts),
        cmocka_unit_test(takes_whole_lists_however_they_are_sent),
        cmocka_unit_test(an_empty_answer_is_complete),
        cmocka_unit_test(every_fault_ends_in_time_and_with_a_reason),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(follows_a_few_redirects),
        cmocka_unit_test(refuses_a_name_that_means_this_machine),
        cmocka_unit_test(refuses_a_redirect_to_this_machine),
        cmocka_unit_test(asks_for_changes_only),
        cmocka_unit_test(validators_that_are_no_text_are_not_kept),
        cmocka_unit_test(runs_many_side_by_side),
        cmocka_unit_test(the_sink_ends_a_download),
        cmocka_unit_test(closing_drops_what_is_under_way),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name(__FILE__, tests, setup, teardown);
}
