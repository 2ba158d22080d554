/*
 * Any request to the API. The input is lines: METHOD, TARGET, then headers as NAME:VALUE up to an
 * empty line; the rest is the body. The header word "login" stands for a good session. Whatever is
 * asked, the answer is whole: a status, headers without control characters, JSON that parses and in
 * which nothing can end a script or an element.
 */
#include <string.h>

#include "api_fixture.h"
#include "fuzz.h"

enum { PARTS = 16, PIECES = 64 };

static struct api_fixture fixture;
static bool ready;

static void start(void)
{
    api_fixture_open(&fixture);
    for (int i = 0; i < 50; i++) {
        stats_fixture_query(&fixture.stats, i % 3 ? "www.example.com" : "a<b>\\\"&.example",
                            "192.0.2.1", (enum query_status)(i % QUERY_STATUS_COUNT));
    }
    stats_fixture_wait(&fixture.stats, 1);
    ready = true;
}

/* The input cut at its line feeds; returns how many heads there are, and the rest as the body. */
static size_t cut(const uint8_t *data, size_t len, struct span parts[PARTS], struct span *body)
{
    size_t n = 0;
    while (len > 0 && n < PARTS) {
        const uint8_t *end = memchr(data, '\n', len);
        size_t line = end ? (size_t)(end - data) : len;
        size_t used = end ? line + 1 : line;
        if (n >= 2 && line == 0) {
            *body = span_of(data + used, len - used);
            return n;
        }
        parts[n++] = span_of(data, line);
        data += used;
        len -= used;
    }
    *body = span_of(data, len);
    return n;
}

static void set_header(struct api_request *r, struct span line)
{
    struct {
        const char *name;
        struct span *to;
    } rows[] = {{"host:", &r->host},          {"origin:", &r->origin},
                {"site:", &r->fetch_site},    {"sid:", &r->sid},
                {"ftl:", &r->ftl_sid},        {"csrf:", &r->csrf},
                {"auth:", &r->authorization}, {"cookie:", &r->cookie},
                {"agent:", &r->user_agent},   {"match:", &r->if_none_match},
                {"type:", &r->content_type}};
    if (span_equal(line, span_str("login"))) {
        r->ftl_sid = span_str(fixture.sid);
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t n = strlen(rows[i].name);
        if (line.len >= n && memcmp(line.ptr, rows[i].name, n) == 0) {
            *rows[i].to = span_of(line.ptr + n, line.len - n);
        }
    }
}

static enum http_method method_of(struct span name)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (int i = 0; i < 7; i++) {
        if (span_equal(name, span_str(names[i]))) {
            return (enum http_method)i;
        }
    }
    return HTTP_OTHER;
}

static void check_headers(const struct api_response *r)
{
    FUZZ_CHECK(r->header_count <= API_HEADERS_MAX);
    for (uint32_t i = 0; i < r->header_count; i++) {
        FUZZ_CHECK(r->headers[i].name &&
                   memchr(r->headers[i].value, 0, sizeof r->headers[i].value));
        for (const char *p = r->headers[i].value; *p; p++) {
            FUZZ_CHECK((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f);
        }
    }
}

static void check_json(const char *text, size_t len)
{
    json_t *v = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    FUZZ_CHECK(v != NULL);
    json_decref(v);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        FUZZ_CHECK(c >= 0x20 && c < 0x7f && c != '<' && c != '>' && c != '&');
    }
}

static bool is_json(const struct api_response *r)
{
    return r->header_count > 0 && strncmp(r->headers[0].value, "application/json", 16) == 0;
}

/* The document is text of ours, with line feeds. */
static bool is_document(const struct api_response *r)
{
    return r->body_static && r->body_len > 10000;
}

static void read_stream(struct api_response *r)
{
    char *all = NULL, *buf = malloc(API_MORE_MIN);
    size_t len = 0;
    long n = 0;
    FUZZ_CHECK(buf != NULL);
    for (int i = 0;
         i < PIECES && (n = r->more(r->more_state, buf, API_MORE_MIN, fixture.stats.now)) > 0;
         i++) {
        FUZZ_CHECK(n <= API_MORE_MIN);
        all = realloc(all, len + (size_t)n);
        FUZZ_CHECK(all != NULL);
        memcpy(all + len, buf, (size_t)n);
        len += (size_t)n;
    }
    if (n == API_MORE_END && is_json(r)) {
        check_json(all, len);
    }
    r->release(r->more_state);
    free(all);
    free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct span parts[PARTS], body = {0};
    struct api_response response;
    if (!ready) {
        start();
    }
    size_t n = cut(data, len, parts, &body);
    if (n < 2) {
        return 0;
    }
    stats_fixture_wait(&fixture.stats, 61); /* failures are forgotten */
    FUZZ_CHECK(rules_clear(&fixture.rules) == ERR_OK);
    snprintf(fixture.password, sizeof fixture.password, "%s", FIXTURE_PASSWORD);
    api_log_in(&fixture);
    struct api_request r = {
        .method = method_of(parts[0]), .body = body, .peer = ip_of("192.0.2.10")};
    const uint8_t *mark = parts[1].len > 0 ? memchr(parts[1].ptr, '?', parts[1].len) : NULL;
    size_t path = mark ? (size_t)(mark - parts[1].ptr) : parts[1].len;
    r.path = span_of(parts[1].ptr, path);
    r.query = mark ? span_of(mark + 1, parts[1].len - path - 1) : span_of(NULL, 0);
    for (size_t i = 2; i < n; i++) {
        set_header(&r, parts[i]);
    }
    api_handle(fixture.api, fixture.stats.now, &r, &response);
    FUZZ_CHECK(response.status >= 200 && response.status < 600);
    check_headers(&response);
    if (response.more) {
        read_stream(&response);
    } else if (is_json(&response) && response.body_len > 0 && !is_document(&response)) {
        check_json(response.body, response.body_len);
    }
    api_tick(fixture.api, fixture.stats.now);
    return 0;
}
