/* The query log and what is streamed of it; names that mean harm; metrics. */
#include <stdio.h>
#include <stdlib.h>

#include "api_fixture.h"
#include "schema.h"
#include "unit.h"

static const char *text(const struct answer *a, const char *path)
{
    const json_t *v = json_at_path(a->json, path);
    if (!json_is_string(v)) {
        fail_msg("%s is no text in %s", path, a->text);
    }
    return json_string_value(v);
}

static json_int_t number(const struct answer *a, const char *path)
{
    const json_t *v = json_at_path(a->json, path);
    if (!json_is_integer(v)) {
        fail_msg("%s is no integer in %s", path, a->text);
    }
    return json_integer_value(v);
}

static size_t rows(const struct answer *a)
{
    return json_array_size(json_at_path(a->json, "queries"));
}

/* Query i of 20: a name, a client, a status, a second each. */
static void make_log(struct api_fixture *f)
{
    static const enum query_status statuses[] = {QUERY_FORWARDED, QUERY_CACHED, QUERY_BLOCKED_LIST,
                                                 QUERY_LOCAL};
    for (int i = 1; i <= 20; i++) {
        char name_text[64], client[32];
        snprintf(name_text, sizeof name_text, "n%d.%s.example", i, i % 2 ? "odd" : "even");
        snprintf(client, sizeof client, "192.0.2.%d", i % 3 + 1);
        struct dns_name name = name_of(name_text);
        struct stats_event e = stats_fixture_event(&f->stats, &name, client);
        e.status = (uint8_t)statuses[i % 4];
        e.upstream = e.status == QUERY_FORWARDED ? 0 : STATS_NO_UPSTREAM;
        e.list = e.status == QUERY_BLOCKED_LIST ? 0 : STATS_NO_LIST;
        e.ede = e.status == QUERY_BLOCKED_LIST ? 15 : -1;
        e.qtype = i % 5 ? 1 : 28;
        e.latency_us = (uint32_t)i * 100;
        stats_record(f->stats.worker, &e);
        stats_fixture_wait(&f->stats, 1);
    }
}

static void newest_comes_first(void **state)
{
    struct api_fixture *f = *state;
    make_log(f);
    struct answer a = api_get(f, "/api/queries");
    assert_int_equal(a.status, 200);
    assert_int_equal(rows(&a), 20);
    assert_int_equal(number(&a, "queries.0.id"), 20);
    assert_int_equal(number(&a, "queries.19.id"), 1);
    assert_int_equal(number(&a, "cursor"), 20);
    assert_int_equal(number(&a, "recordsTotal"), 20);
    assert_int_equal(number(&a, "recordsFiltered"), 20);
    assert_int_equal(number(&a, "draw"), 0);
    assert_string_equal(text(&a, "queries.0.domain"), "n20.even.example");
    assert_string_equal(text(&a, "queries.0.type"), "AAAA");
    assert_string_equal(text(&a, "queries.0.status"), "FORWARDED");
    assert_string_equal(text(&a, "queries.0.upstream"), "198.51.100.53#53");
    assert_string_equal(text(&a, "queries.0.client.ip"), "192.0.2.3");
    assert_true(json_is_null(json_at_path(a.json, "queries.0.client.name")));
    assert_string_equal(text(&a, "queries.0.reply.type"), "IP");
    assert_float_equal(json_real_value(json_at_path(a.json, "queries.0.reply.time")), 0.002, 1e-9);
    assert_float_equal(json_real_value(json_at_path(a.json, "queries.0.time")), FIXTURE_UNIX_S + 19,
                       1e-3);
    assert_int_equal(number(&a, "queries.0.ede.code"), -1);
    assert_true(json_is_null(json_at_path(a.json, "queries.0.ede.text")));
    assert_true(json_is_null(json_at_path(a.json, "queries.0.list_id")));
    assert_string_equal(text(&a, "queries.2.status"), "GRAVITY");
    assert_int_equal(number(&a, "queries.2.list_id"), f->list[0].id);
    assert_int_equal(number(&a, "queries.2.ede.code"), 15);
    assert_string_equal(text(&a, "queries.2.ede.text"), "Ads");
    assert_true(json_is_null(json_at_path(a.json, "queries.2.upstream")));
    answer_free(&a);
}

static void cursor_freezes_the_pages(void **state)
{
    struct api_fixture *f = *state;
    make_log(f);
    struct answer a = api_get(f, "/api/queries?length=8");
    assert_int_equal(rows(&a), 8);
    assert_int_equal(number(&a, "cursor"), 20);
    answer_free(&a);
    stats_fixture_query(&f->stats, "later.example", "192.0.2.1", QUERY_CACHED);
    stats_fixture_wait(&f->stats, 1);
    a = api_get(f, "/api/queries?length=8&start=8&cursor=20");
    assert_int_equal(rows(&a), 8);
    assert_int_equal(number(&a, "queries.0.id"), 12);
    assert_int_equal(number(&a, "cursor"), 20);
    answer_free(&a);
    a = api_get(f, "/api/queries?length=3&cursor=12");
    assert_int_equal(number(&a, "queries.0.id"), 12);
    assert_int_equal(number(&a, "queries.2.id"), 10);
    answer_free(&a);
    a = api_get(f, "/api/queries?start=1000");
    assert_int_equal(rows(&a), 0);
    answer_free(&a);
    a = api_get(f, "/api/queries?length=0");
    assert_int_equal(rows(&a), 0);
    assert_int_equal(number(&a, "recordsFiltered"), 21);
    answer_free(&a);
}

static void filters_are_anded(void **state)
{
    struct api_fixture *f = *state;
    snprintf(f->client_name, sizeof f->client_name, "Kitchen-TV");
    make_log(f);
    static const struct {
        const char *query;
        json_int_t expected;
    } cases[] = {
        {"domain=n7.odd.example", 1},
        {"domain=N7.ODD.example", 1},
        {"domain=*.odd.example", 10},
        {"domain=*odd*", 10},
        {"domain=odd", 0},
        {"domain=n1*&domain=*odd*", 11}, /* the first one counts */
        {"client_ip=192.0.2.1", 6},
        {"client_ip=192.0.2.*", 20},
        {"client_name=kitchen*", 20},
        {"client_name=bedroom", 0},
        {"upstream=blocklist", 5},
        {"upstream=cache", 10},
        {"upstream=permitted", 15},
        {"upstream=198.51.100.53%2353", 5},
        {"upstream=198.51.100.*", 5},
        {"upstream=192.0.2.99%2353", 0},
        {"type=AAAA", 4},
        {"type=aaaa", 4},
        {"type=TXT", 0},
        {"status=GRAVITY", 5},
        {"status=CACHE", 10},
        {"status=blocked_list", 5},
        {"status=NONSENSE", 0},
        {"reply=IP", 20},
        {"reply=NXDOMAIN", 0},
        {"dnssec=UNKNOWN", 20},
        {"dnssec=SECURE", 0},
        {"from=1767225605&until=1767225610", 5},
        {"from=1767225605.5", 14},
        {"until=1767225605", 5},
        {"from=9999999999", 0},
        {"from=x", 20},
        {"domain=*odd*&upstream=cache", 10},
        {"domain=*even*&upstream=cache", 0},
        {"domain=&type=&nonsense=1&draw=7", 20},
        {"type=AAAA&length=1", 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char target[256];
        snprintf(target, sizeof target, "/api/queries?%s", cases[i].query);
        struct answer a = api_get(f, target);
        assert_int_equal(a.status, 200);
        if (number(&a, "recordsFiltered") != cases[i].expected) {
            fail_msg("%s: %lld", cases[i].query, (long long)number(&a, "recordsFiltered"));
        }
        assert_int_equal(number(&a, "recordsTotal"), 20);
        answer_free(&a);
    }
}

static void absurd_filters_match_nothing(void **state)
{
    struct api_fixture *f = *state;
    char target[1200];
    make_log(f);
    memset(target, 0, sizeof target);
    size_t len = (size_t)snprintf(target, sizeof target, "/api/queries?domain=");
    memset(target + len, 'a', 900);
    struct answer a = api_get(f, target);
    assert_int_equal(number(&a, "recordsFiltered"), 0);
    answer_free(&a);
    memset(target + len, '*', 200);
    target[len + 200] = '\0';
    a = api_get(f, target);
    assert_int_equal(number(&a, "recordsFiltered"), 20);
    answer_free(&a);
}

static void an_export_is_streamed(void **state)
{
    struct api_fixture *f = *state;
    for (int i = 0; i < 10; i++) {
        make_log(f);
    }
    api_log_in(f);
    struct answer a = api_get(f, "/api/queries?length=1000000");
    assert_int_equal(rows(&a), 200);
    assert_true(a.pieces > 5);
    assert_int_equal(number(&a, "queries.199.id"), 1);
    answer_free(&a);
}

/* The log goes on while a page is being sent, and may lose its oldest rows. */
static void a_stream_survives_the_log_moving_on(void **state)
{
    struct api_fixture *f = *state;
    char *buf = malloc(API_MORE_MIN);
    for (int i = 0; i < 12; i++) {
        make_log(f);
    }
    api_log_in(f);
    struct api_response r = api_open_stream(f, "/api/queries?length=1000000");
    struct answer a = {0};
    long n;
    while ((n = r.more(r.more_state, buf, API_MORE_MIN, f->stats.now)) > 0) {
        a.text = realloc(a.text, a.len + (size_t)n + 1);
        memcpy(a.text + a.len, buf, (size_t)n);
        a.len += (size_t)n;
        make_log(f);
    }
    r.release(r.more_state);
    assert_int_equal(n, API_MORE_END);
    a.json = json_loadb(a.text, a.len, 0, NULL);
    assert_non_null(a.json);
    assert_true(rows(&a) > 10 && rows(&a) < 240);
    assert_int_equal(number(&a, "cursor"), 240);
    answer_free(&a);
    free(buf);
}

static void streams_are_bounded_and_given_back(void **state)
{
    struct api_fixture *f = *state;
    struct api_response open[40];
    int n = 0, refused = 0;
    for (int i = 0; i < 40; i++) {
        struct api_response r = api_open_stream(f, "/api/sinkhole/events");
        if (r.more) {
            open[n++] = r;
        } else {
            assert_int_equal(r.status, 503);
            refused++;
        }
    }
    assert_int_equal(n, 24);
    assert_int_equal(refused, 16);
    for (int i = 0; i < n; i++) {
        open[i].release(open[i].more_state);
    }
    for (int i = 0; i < 100; i++) {
        struct answer a = api_get(f, "/api/queries");
        assert_int_equal(a.status, 200);
        answer_free(&a);
    }
}

static void suggestions_come_from_what_was_seen(void **state)
{
    struct api_fixture *f = *state;
    make_log(f);
    struct answer a = api_get(f, "/api/queries/suggestions");
    assert_int_equal(json_array_size(json_at_path(a.json, "suggestions.domain")), 20);
    assert_int_equal(json_array_size(json_at_path(a.json, "suggestions.client_ip")), 3);
    assert_string_equal(text(&a, "suggestions.upstream.3"), "198.51.100.53#53");
    answer_free(&a);
}

/* --- events ---------------------------------------------------------------------------------- */

/* What the stream gives now; "" if nothing. Caller frees. */
static char *next_piece(struct api_fixture *f, struct api_response *r, long *result)
{
    char *buf = malloc(32 * 1024 + 1);
    *result = r->more(r->more_state, buf, 32 * 1024, f->stats.now);
    buf[*result > 0 ? *result : 0] = '\0';
    return buf;
}

static void assert_piece(struct api_fixture *f, struct api_response *r, const char *has,
                         const char *has_not)
{
    long n;
    char *piece = next_piece(f, r, &n);
    if ((has && !strstr(piece, has)) || (has_not && strstr(piece, has_not)) ||
        (!has && n != API_MORE_LATER)) {
        fail_msg("%ld: %s", n, piece);
    }
    free(piece);
}

static void events_follow_the_log(void **state)
{
    struct api_fixture *f = *state;
    stats_fixture_query(&f->stats, "before.example", "192.0.2.1", QUERY_CACHED);
    stats_fixture_wait(&f->stats, 1);
    struct api_response r = api_open_stream(f, "/api/sinkhole/events");
    assert_int_equal(r.status, 200);
    assert_true(r.event_stream);
    assert_piece(f, &r, "event: totals\ndata: {\"total\":1,\"blocked\":0,", "before.example");
    assert_piece(f, &r, NULL, NULL);
    for (int i = 0; i < 60; i++) {
        stats_fixture_query(&f->stats, "ads.example", "192.0.2.1", QUERY_BLOCKED_LIST);
    }
    stats_fixture_wait(&f->stats, 1);
    long n;
    char *piece = next_piece(f, &r, &n);
    assert_non_null(strstr(piece, "event: totals\ndata: {\"total\":61,\"blocked\":60,"));
    assert_non_null(strstr(piece, "event: queries\ndata: {\"queries\":[{\"id\":61,"));
    assert_non_null(strstr(piece, "\"blocking\":\"enabled\",\"timer\":null"));
    assert_string_equal(piece + n - 2, "\n\n");
    int written = 0;
    for (char *p = piece; (p = strstr(p, "\"id\":")) != NULL; p++) {
        written++;
    }
    char skipped[32];
    snprintf(skipped, sizeof skipped, "],\"skipped\":%d}", 60 - written);
    assert_non_null(strstr(piece, skipped));
    assert_true(written > 10 && written <= 50);
    free(piece);
    assert_piece(f, &r, NULL, NULL);
    /* Not more than once a second. */
    stats_fixture_query(&f->stats, "x.example", "192.0.2.1", QUERY_CACHED);
    stats_fixture_collect(&f->stats);
    assert_piece(f, &r, NULL, NULL);
    stats_fixture_wait(&f->stats, 1);
    assert_piece(f, &r, "x.example", "ads.example");
    r.release(r.more_state);
}

static void events_tell_of_changes(void **state)
{
    struct api_fixture *f = *state;
    struct api_response r = api_open_stream(f, "/api/sinkhole/events");
    assert_piece(f, &r, "event: totals", "event: change");
    struct answer a =
        api_send(f, "POST", "/api/domains/deny/exact", "{\"domain\":\"ads.example\"}");
    answer_free(&a);
    assert_piece(f, &r, "event: change\ndata: {\"what\":\"domains\"}\n\n", NULL);
    a = api_send(f, "POST", "/api/dns/blocking", "{\"blocking\":false,\"timer\":60}");
    answer_free(&a);
    assert_piece(f, &r, "\"blocking\":\"disabled\",\"timer\":60}", NULL);
    api_changed(f->api, RULES_LISTS | RULES_SETTINGS);
    assert_piece(f, &r, "{\"what\":\"lists\"}\n\nevent: change\ndata: {\"what\":\"settings\"}",
                 NULL);
    assert_piece(f, &r, NULL, NULL);
    stats_fixture_wait(&f->stats, 61);
    api_tick(f->api, f->stats.now);
    assert_piece(f, &r, "\"blocking\":\"enabled\",\"timer\":null}", NULL);
    r.release(r.more_state);
}

static void a_quiet_stream_is_kept_alive(void **state)
{
    struct api_fixture *f = *state;
    struct api_response r = api_open_stream(f, "/api/sinkhole/events");
    assert_piece(f, &r, "event: totals", NULL);
    stats_fixture_wait(&f->stats, 14);
    assert_piece(f, &r, NULL, NULL);
    stats_fixture_wait(&f->stats, 1);
    assert_piece(f, &r, ":\n\n", "event");
    r.release(r.more_state);
}

static void a_stream_ends_with_its_session(void **state)
{
    struct api_fixture *f = *state;
    struct api_response r = api_open_stream(f, "/api/sinkhole/events");
    long n;
    assert_piece(f, &r, "event: totals", NULL);
    for (int i = 0; i < 10; i++) { /* an open page keeps its session */
        stats_fixture_wait(&f->stats, 1000);
        api_tick(f->api, f->stats.now);
        free(next_piece(f, &r, &n));
        assert_int_not_equal(n, API_MORE_END);
    }
    struct answer a = api_send(f, "DELETE", "/api/auth", NULL);
    assert_int_equal(a.status, 204);
    answer_free(&a);
    free(next_piece(f, &r, &n));
    assert_int_equal(n, API_MORE_END);
    r.release(r.more_state);
}

/* --- fetching lists -------------------------------------------------------------------------- */

static void update_tells_of_each_list_once(void **state)
{
    struct api_fixture *f = *state;
    struct api_response r;
    struct api_request request = {
        .method = HTTP_POST, .path = span_str("/api/action/gravity"), .ftl_sid = span_str(f->sid)};
    request.peer = ip_of("192.0.2.10");
    api_handle(f->api, f->stats.now, &request, &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.headers[0].value, "text/plain; charset=utf-8");
    assert_int_equal(f->updates, 1);
    assert_piece(f, &r, "Fetching the lists\n", NULL);
    assert_piece(f, &r, NULL, NULL);
    f->list[0].checked_unix = FIXTURE_UNIX_S + 2;
    assert_piece(f, &r, "  Ads: 1000 rules, 3 of the lines rejected\n", "fine");
    assert_piece(f, &r, NULL, NULL);
    f->list[1].checked_unix = FIXTURE_UNIX_S + 3;
    assert_piece(f, &r, "  fine.txt: could not resolve <host>; the last good copy stays in force\n",
                 "Ads");
    f->updating = false;
    assert_piece(f, &r, "Done: 1005 rules\n", NULL);
    long n;
    free(next_piece(f, &r, &n));
    assert_int_equal(n, API_MORE_END);
    r.release(r.more_state);
}

static void update_ends_even_if_the_platform_hangs(void **state)
{
    struct api_fixture *f = *state;
    struct api_response r;
    struct api_request request = {
        .method = HTTP_POST, .path = span_str("/api/action/gravity"), .ftl_sid = span_str(f->sid)};
    request.peer = ip_of("192.0.2.10");
    api_handle(f->api, f->stats.now, &request, &r);
    assert_piece(f, &r, "Fetching", NULL);
    stats_fixture_wait(&f->stats, 601);
    assert_piece(f, &r, "Still at it", NULL);
    r.release(r.more_state);
}

/* --- hostile names --------------------------------------------------------------------------- */

static struct dns_name raw_name(const char *labels[], const size_t lens[], int count)
{
    uint8_t wire[256];
    size_t at = 0;
    struct dns_name name;
    for (int i = 0; i < count; i++) {
        wire[at++] = (uint8_t)lens[i];
        memcpy(wire + at, labels[i], lens[i]);
        at += lens[i];
    }
    wire[at++] = 0;
    assert_int_equal(dns_name_from_wire(wire, at, &name), ERR_OK);
    return name;
}

static void record_hostile(struct api_fixture *f)
{
    static char high[63], markup[63];
    memset(high, 0xff, sizeof high);
    memset(markup, '<', sizeof markup);
    const char *labels[][4] = {
        {"<script>alert(1)</script>", "example", "", ""},
        {"a\"b'c`d\\e&f", "example", "", ""},
        {"\0\r\n\t\x1b[31m", "example", "", ""},
        {"\xe2\x80\xa8\xe2\x80\xae\xe2\x80\xa9", "example", "", ""},
        {"a.b", "c.d", "", ""},
        {high, high, high, high},
        {markup, markup, markup, markup},
        {"=cmd|' /C calc'!A0", "${7*7}{{7*7}}%3C", "", ""},
    };
    const size_t lens[][4] = {{25, 7, 0, 0}, {11, 7, 0, 0},    {9, 7, 0, 0},     {9, 7, 0, 0},
                              {3, 3, 0, 0},  {63, 63, 63, 61}, {63, 63, 63, 61}, {18, 16, 0, 0}};
    const int counts[] = {2, 2, 2, 2, 2, 4, 4, 2};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct dns_name name = raw_name(labels[i], lens[i], counts[i]);
        struct stats_event e = stats_fixture_event(&f->stats, &name, "192.0.2.66");
        e.status = i % 2 ? QUERY_BLOCKED_LIST : QUERY_CACHED;
        e.list = i % 2 ? 0 : STATS_NO_LIST;
        e.cname = &name;
        stats_record(f->stats.worker, &e);
    }
    stats_fixture_wait(&f->stats, 1);
}

static void assert_harmless(const char *target, const struct answer *a)
{
    bool json = a->json != NULL;
    for (size_t i = 0; i < a->len; i++) {
        unsigned char c = (unsigned char)a->text[i];
        bool ok = c >= 0x20 && c < 0x7f;
        if (json) {
            ok = ok && c != '<' && c != '>' && c != '&';
        } else {
            ok = ok || c == '\n';
        }
        if (!ok) {
            fail_msg("%s: octet %02x at %zu: %.60s", target, c, i, a->text + (i > 30 ? i - 30 : 0));
        }
    }
}

static void no_name_leaves_its_place(void **state)
{
    struct api_fixture *f = *state;
    snprintf(f->client_name, sizeof f->client_name, "%s",
             "<img src=x onerror=alert(1)>\"\xff\xfe\n\xe2\x80\xa8&");
    snprintf(f->list[0].name, sizeof f->list[0].name, "%s", "<b>list</b>\"\n\\\xff");
    snprintf(f->list[1].error, sizeof f->list[1].error, "%s", "<i>\x01\x02</i>\xff");
    snprintf(f->system.node_name, sizeof f->system.node_name, "%s", "<host>\xff");
    snprintf(f->system.model, sizeof f->system.model, "%s", "\x80\x81<model>");
    record_hostile(f);
    static const char *const targets[] = {"/api/queries",
                                          "/api/stats/top_domains",
                                          "/api/stats/top_domains?blocked=true",
                                          "/api/stats/top_clients",
                                          "/api/stats/recent_blocked?count=10",
                                          "/api/history/clients",
                                          "/api/queries/suggestions",
                                          "/api/padd",
                                          "/api/lists",
                                          "/api/info/messages",
                                          "/api/info/host",
                                          "/api/network/devices",
                                          "/api/clients/_suggestions",
                                          "/metrics",
                                          "/api/stats/top_domains?from=1",
                                          "/api/stats/top_clients?from=1",
                                          "/api/sinkhole/check?domain=%3Cb%3E%22.example",
                                          "/api/domains/deny/exact/%3Cscript%3E",
                                          "/api/lists/%3Cscript%3E",
                                          "/%3Cscript%3E",
                                          "/api/groups/%22%3E%3C",
                                          "/api/search/%3Cscript%3E",
                                          "/api/auth/sessions"};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct answer a = api_get(f, targets[i]);
        assert_harmless(targets[i], &a);
        answer_free(&a);
    }
    struct answer a = api_get(f, "/api/queries");
    assert_int_equal(rows(&a), 8);
    assert_string_equal(text(&a, "queries.7.domain"), "<script>alert\\(1\\)</script>.example");
    assert_string_equal(text(&a, "queries.5.domain"), "\\000\\013\\010\\009\\027[31m.example");
    assert_string_equal(text(&a, "queries.3.domain"), "a\\.b.c\\.d");
    answer_free(&a);
}

static void hostile_names_can_be_asked_for(void **state)
{
    struct api_fixture *f = *state;
    record_hostile(f);
    struct answer a = api_get(f, "/api/queries?domain=%3Cscript%3E*");
    assert_int_equal(number(&a, "recordsFiltered"), 1);
    answer_free(&a);
    a = api_get(f, "/api/queries?domain=*%5C255*");
    assert_int_equal(number(&a, "recordsFiltered"), 1);
    answer_free(&a);
}

static void events_stay_on_their_lines(void **state)
{
    struct api_fixture *f = *state;
    struct api_response r = api_open_stream(f, "/api/sinkhole/events");
    long n;
    free(next_piece(f, &r, &n));
    stats_fixture_wait(&f->stats, 1);
    record_hostile(f);
    char *piece = next_piece(f, &r, &n);
    for (char *line = strtok(piece, "\n"); line; line = strtok(NULL, "\n")) {
        assert_true(strncmp(line, "event: ", 7) == 0 || strncmp(line, "data: {", 7) == 0);
    }
    free(piece);
    r.release(r.more_state);
}

/* --- metrics --------------------------------------------------------------------------------- */

static double metric(const char *all, const char *name)
{
    char line[256];
    snprintf(line, sizeof line, "\n%s ", name);
    const char *at = strstr(all, line);
    if (!at) {
        fail_msg("%s is missing", name);
    }
    return strtod(at + strlen(line), NULL);
}

static void metrics_count_what_happened(void **state)
{
    struct api_fixture *f = *state;
    make_log(f);
    struct answer a = api_get(f, "/metrics");
    assert_int_equal(a.status, 200);
    assert_string_equal(answer_header(&a, "Content-Type"),
                        "text/plain; version=0.0.4; charset=utf-8");
    assert_float_equal(metric(a.text, "sinkhole_queries_total{status=\"blocked_list\"}"), 5, 0);
    assert_float_equal(metric(a.text, "sinkhole_queries_total{status=\"forwarded\"}"), 5, 0);
    assert_float_equal(metric(a.text, "sinkhole_query_types_total{type=\"AAAA\"}"), 4, 0);
    assert_float_equal(metric(a.text, "sinkhole_replies_total{reply=\"IP\"}"), 20, 0);
    assert_float_equal(metric(a.text, "sinkhole_queries_udp_total"), 20, 0);
    assert_float_equal(metric(a.text, "sinkhole_build_info{version=\"v1.2.3\"}"), 1, 0);
    assert_float_equal(metric(a.text, "sinkhole_blocking_enabled"), 1, 0);
    assert_float_equal(
        metric(a.text, "sinkhole_query_duration_seconds_count{outcome=\"forwarded\"}"), 5, 0);
    assert_float_equal(
        metric(a.text, "sinkhole_query_duration_seconds_bucket{outcome=\"forwarded\",le=\"+Inf\"}"),
        5, 0);
    /* 400, 800, 1200, 1600, 2000 us */
    assert_float_equal(
        metric(a.text,
               "sinkhole_query_duration_seconds_bucket{outcome=\"forwarded\",le=\"0.001024\"}"),
        2, 0);
    assert_float_equal(metric(a.text, "sinkhole_query_duration_seconds_sum{outcome=\"forwarded\"}"),
                       0.006, 1e-9);
    assert_float_equal(
        metric(a.text, "sinkhole_upstream_answers_total{upstream=\"198.51.100.53#53\"}"), 5, 0);
    assert_float_equal(
        metric(a.text, "sinkhole_upstream_response_seconds{upstream=\"198.51.100.53#53\"}"), 0.0012,
        1e-9);
    char name[128];
    snprintf(name, sizeof name, "sinkhole_list_hits_total{id=\"%u\",list=\"Ads\"}", f->list[0].id);
    assert_float_equal(metric(a.text, name), 5, 0);
    answer_free(&a);
}

/* Each line is a comment or NAME{LABELS} NUMBER; a family's lines stand together, after its HELP
 * and TYPE. */
static void metrics_keep_to_their_format(void **state)
{
    struct api_fixture *f = *state;
    make_log(f);
    struct answer a = api_get(f, "/metrics");
    char family[128] = "", seen[200][128];
    size_t families = 0, len = strlen(a.text);
    assert_true(a.text[len - 1] == '\n');
    for (char *line = strtok(a.text, "\n"); line; line = strtok(NULL, "\n")) {
        char word[128];
        if (sscanf(line, "# HELP %127s", word) == 1) {
            for (size_t i = 0; i < families; i++) {
                assert_string_not_equal(seen[i], word);
            }
            snprintf(seen[families++], 128, "%s", word);
            snprintf(family, sizeof family, "%s", word);
            continue;
        }
        if (sscanf(line, "# TYPE %127s", word) == 1) {
            assert_string_equal(word, family);
            continue;
        }
        assert_int_equal(strncmp(line, family, strlen(family)), 0);
        size_t name = strspn(line, "abcdefghijklmnopqrstuvwxyz_0123456789");
        assert_true(line[name] == '{' || line[name] == ' ');
        char *value = strrchr(line, ' ');
        assert_true(value[1] != '\0' && strspn(value + 1, "0123456789.") == strlen(value + 1));
        bool total = strlen(family) > 6 && strcmp(family + strlen(family) - 6, "_total") == 0;
        (void)total;
    }
    assert_true(families > 40);
    answer_free(&a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, api_fixture_setup, api_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(newest_comes_first),
        TEST(cursor_freezes_the_pages),
        TEST(filters_are_anded),
        TEST(absurd_filters_match_nothing),
        TEST(an_export_is_streamed),
        TEST(a_stream_survives_the_log_moving_on),
        TEST(streams_are_bounded_and_given_back),
        TEST(suggestions_come_from_what_was_seen),
        TEST(events_follow_the_log),
        TEST(events_tell_of_changes),
        TEST(a_quiet_stream_is_kept_alive),
        TEST(a_stream_ends_with_its_session),
        TEST(update_tells_of_each_list_once),
        TEST(update_ends_even_if_the_platform_hangs),
        TEST(no_name_leaves_its_place),
        TEST(hostile_names_can_be_asked_for),
        TEST(events_stay_on_their_lines),
        TEST(metrics_count_what_happened),
        TEST(metrics_keep_to_their_format),
    };
    return UNIT_RUN(tests);
}
