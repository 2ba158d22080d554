/* Every route against the OpenAPI document, and what the numbers in the answers are. */
#include <stdio.h>
#include <stdlib.h>

#include "api_fixture.h"
#include "schema.h"
#include "unit.h"

static json_t *document;

static int load_document(void **state)
{
    api_fixture_setup(state);
    struct answer a = api_get(*state, "/api/docs");
    document = json_incref(a.json);
    answer_free(&a);
    return document ? 0 : -1;
}

static int drop_document(void **state)
{
    json_decref(document);
    return api_fixture_teardown(state);
}

/* Some traffic: 4 cached, 2 forwarded, 3 blocked by list 0, 1 local, 1 failed, 2 refused. */
static void make_traffic(struct api_fixture *f)
{
    struct stats_fixture *s = &f->stats;
    for (int i = 0; i < 4; i++) {
        stats_fixture_query(s, "www.example.com", "192.0.2.1", QUERY_CACHED);
    }
    for (int i = 0; i < 2; i++) {
        struct dns_name name = name_of("api.example.net");
        struct stats_event e = stats_fixture_event(s, &name, "2001:db8::1");
        e.upstream = 0;
        e.latency_us = 20000;
        stats_record(s->worker, &e);
    }
    for (int i = 0; i < 3; i++) {
        struct dns_name name = name_of("ads.example");
        struct stats_event e = stats_fixture_event(s, &name, "192.0.2.1");
        e.status = QUERY_BLOCKED_LIST;
        e.list = 0;
        e.ede = 15;
        stats_record(s->worker, &e);
    }
    stats_fixture_query(s, "nas.home.arpa", "192.0.2.2", QUERY_LOCAL);
    stats_fixture_query(s, "slow.example", "192.0.2.2", QUERY_FAILED);
    stats_fixture_query(s, "no.example", "198.51.100.1", QUERY_REFUSED);
    stats_fixture_query(s, "no.example", "198.51.100.1", QUERY_REFUSED);
    stats_fixture_wait(s, 1);
}

static json_int_t number(const struct answer *a, const char *path)
{
    const json_t *v = json_at_path(a->json, path);
    if (!json_is_integer(v)) {
        fail_msg("%s is no integer in %s", path, a->text);
    }
    return json_integer_value(v);
}

static const char *text(const struct answer *a, const char *path)
{
    const json_t *v = json_at_path(a->json, path);
    if (!json_is_string(v)) {
        fail_msg("%s is no text in %s", path, a->text);
    }
    return json_string_value(v);
}

static void check_schema(const char *method, const char *pattern, const struct answer *a)
{
    char problem[512];
    if (!schema_check_response(document, method, pattern, a->status, a->json, problem,
                               sizeof problem)) {
        fail_msg("%s %s (%d): %s\n%s", method, pattern, a->status, problem, a->text);
    }
}

/* --- the document ---------------------------------------------------------------------------- */

static void document_has_the_routes_and_no_others(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *access;
    } rows[] = {
#define ROUTE(method, access, pattern, function) {#method, pattern, #access},
#include "api/routes.def"
#undef ROUTE
    };
    json_t *paths = json_object_get(document, "paths");
    size_t operations = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char method[8] = "";
        for (size_t k = 0; rows[i].method[k]; k++) {
            method[k] = (char)(rows[i].method[k] | 0x20);
        }
        const json_t *operation = json_object_get(json_object_get(paths, rows[i].path), method);
        if (!operation) {
            fail_msg("%s %s is not in the document", rows[i].method, rows[i].path);
        }
        bool open = json_is_array(json_object_get(operation, "security"));
        if (open != (strcmp(rows[i].access, "OPEN") == 0)) {
            fail_msg("%s %s: the document is wrong about who may", rows[i].method, rows[i].path);
        }
    }
    const char *path;
    json_t *item;
    json_object_foreach(paths, path, item)
    {
        operations += json_object_size(item);
    }
    assert_int_equal(operations, sizeof rows / sizeof rows[0]);
    assert_string_equal(json_string_value(json_object_get(document, "openapi")), "3.1.0");
}

/* A path for a pattern: parameters that exist, or not. */
static void fill_pattern(const char *pattern, bool good, char *out, size_t cap)
{
    static const struct {
        const char *name, *good, *bad;
    } values[] = {
        {"{type}", "deny", "maybe"},
        {"{kind}", "exact", "sort"},
        {"{domain}", "ads.example", "not..a.name"},
        {"{list}", "https%3A%2F%2Flists.example%2Fads.txt", "x"},
        {"{id}", "1", "x"},
        {"{name}", "Default", "nobody"},
        {"{client}", "192.0.2.1", "x"},
        {"{record}", "192.0.2.9%20nas.home.arpa", "x"},
    };
    size_t len = 0;
    while (*pattern && len + 64 < cap) {
        const char *value = NULL;
        for (size_t i = 0; *pattern == '{' && i < sizeof values / sizeof values[0]; i++) {
            if (strncmp(pattern, values[i].name, strlen(values[i].name)) == 0) {
                value = good ? values[i].good : values[i].bad;
                pattern += strlen(values[i].name);
                break;
            }
        }
        if (value) {
            len += (size_t)snprintf(out + len, cap - len, "%s", value);
        } else {
            out[len++] = *pattern++;
        }
    }
    out[len] = '\0';
}

static bool is_stream(const char *pattern)
{
    return strcmp(pattern, "/api/sinkhole/events") == 0;
}

/* What wants more than a good path to answer 200. */
static bool is_exempt(const char *pattern)
{
    return strcmp(pattern, "/api/sinkhole/check") == 0 ||
           strcmp(pattern, "/api/sinkhole/lists/{id}/held") == 0;
}

static const struct {
    const char *method, *path;
} all_routes[] = {
#define ROUTE(method, access, pattern, function) {#method, pattern},
#include "api/routes.def"
#undef ROUTE
};

static void every_get_answers_as_the_document_says(void **state)
{
    struct api_fixture *f = *state;
    make_traffic(f);
    for (size_t i = 0; i < sizeof all_routes / sizeof all_routes[0]; i++) {
        char target[256];
        if (strcmp(all_routes[i].method, "GET") != 0 || is_stream(all_routes[i].path)) {
            continue;
        }
        for (int good = 0; good < 2; good++) {
            fill_pattern(all_routes[i].path, good, target, sizeof target);
            struct answer a = api_get(f, target);
            if (good && a.status != 200 && !is_exempt(all_routes[i].path)) {
                fail_msg("GET %s: %d %s", target, a.status, a.text);
            }
            check_schema("GET", all_routes[i].path, &a);
            answer_free(&a);
        }
    }
}

static void an_update_held_back_answers_as_the_document_says(void **state)
{
    struct api_fixture *f = *state;
    static struct api_held held = {.reason = "held back: only 1 rules where 9 were before",
                                   .names = {.shown = 1},
                                   .added = {.shown = 1},
                                   .removed = {.shown = 1}};
    struct dns_name name;
    char target[64];
    assert_int_equal(dns_name_parse(span_str("ads.example"), &name), ERR_OK);
    held.names.name[0].name = held.added.rule[0].name = held.removed.rule[0].name = name;
    f->held = &held;
    snprintf(target, sizeof target, "/api/sinkhole/lists/%u/held", f->list[0].id);
    struct answer a = api_get(f, target);
    assert_int_equal(a.status, 200);
    check_schema("GET", "/api/sinkhole/lists/{id}/held", &a);
    answer_free(&a);
}

static void every_change_answers_as_the_document_says(void **state)
{
    struct api_fixture *f = *state;
    static const char *const bodies[] = {
        NULL,
        "{}",
        "[]",
        "[{}]",
        "null",
        "\"x\"",
        "{broken",
        "{\"blocking\":\"yes\"}",
        "[{\"item\":\"x\"}]",
        "{\"domain\":\"ads.example\",\"address\":\"https://new.example/"
        "list\",\"type\":\"block\",\"name\":\"kids\",\"client\":\"192.0.2.7\"}",
        "{\"domain\":[\"a.example\",5],\"address\":[1],\"name\":[{}],\"client\":[null],\"levels\":{"
        "\"x\":1},\"settings\":{\"a\":1}}",
        "{\"domain\":\"..\",\"address\":\"ftp://"
        "x\",\"name\":\"\",\"client\":\"\",\"password\":5,\"version\":9}",
        "{\"comment\":5,\"groups\":\"x\",\"enabled\":\"x\",\"domain\":\"b.example\",\"timer\":"
        "\"x\"}",
    };
    for (size_t i = 0; i < sizeof all_routes / sizeof all_routes[0]; i++) {
        char target[256];
        if (strcmp(all_routes[i].method, "GET") == 0) {
            continue;
        }
        for (size_t b = 0; b < 2 * (sizeof bodies / sizeof bodies[0]); b++) {
            fill_pattern(all_routes[i].path, b % 2, target, sizeof target);
            struct answer a = api_send(f, all_routes[i].method, target, bodies[b / 2]);
            check_schema(all_routes[i].method, all_routes[i].path, &a);
            answer_free(&a);
            api_log_in(f); /* some of these log out */
        }
    }
}

static void common_headers_are_there(void **state)
{
    struct api_fixture *f = *state;
    static const char *const targets[] = {"/api/stats/summary", "/api/queries", "/nothing",
                                          "/api/auth", "/metrics"};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct answer a = api_get(f, targets[i]);
        assert_string_equal(answer_header(&a, "Cache-Control"), "no-store");
        assert_string_equal(answer_header(&a, "X-Content-Type-Options"), "nosniff");
        assert_string_equal(answer_header(&a, "Referrer-Policy"), "no-referrer");
        assert_string_equal(answer_header(&a, "Content-Security-Policy"),
                            "default-src 'none'; frame-ancestors 'none'");
        if (a.json) {
            assert_string_equal(answer_header(&a, "Content-Type"),
                                "application/json; charset=utf-8");
            assert_true(json_is_number(json_object_get(a.json, "took")));
        }
        answer_free(&a);
    }
}

/* --- numbers --------------------------------------------------------------------------------- */

static void summary_adds_up(void **state)
{
    struct api_fixture *f = *state;
    make_traffic(f);
    struct answer a = api_get(f, "/api/stats/summary");
    assert_int_equal(number(&a, "queries.total"), 11);
    assert_int_equal(number(&a, "queries.blocked"), 3);
    assert_int_equal(number(&a, "queries.cached"), 5);
    assert_int_equal(number(&a, "queries.forwarded"), 3);
    assert_int_equal(number(&a, "queries.unique_domains"), 5);
    assert_float_equal(json_real_value(json_at_path(a.json, "queries.percent_blocked")), 27.272727,
                       1e-6);
    assert_int_equal(number(&a, "queries.status.GRAVITY"), 3);
    assert_int_equal(number(&a, "queries.status.CACHE"), 5);
    assert_int_equal(number(&a, "queries.status.FORWARDED"), 3);
    assert_int_equal(number(&a, "queries.status.UNKNOWN"), 0);
    assert_int_equal(number(&a, "queries.types.A"), 11);
    assert_int_equal(number(&a, "queries.replies.IP"), 11);
    assert_int_equal(number(&a, "clients.active"), 3);
    assert_int_equal(number(&a, "gravity.domains_being_blocked"), 1005);
    assert_int_equal(number(&a, "gravity.last_update"), FIXTURE_UNIX_S - 50);
    answer_free(&a);
}

static void empty_house_gives_zeroes_not_gaps(void **state)
{
    struct api_fixture *f = *state;
    static const char *const targets[] = {"/api/stats/summary",     "/api/stats/top_domains",
                                          "/api/stats/top_clients", "/api/stats/upstreams",
                                          "/api/history",           "/api/history/clients",
                                          "/api/queries",           "/api/padd",
                                          "/api/info/ftl",          "/api/sinkhole/status"};
    static const char *const patterns[] = {"/api/stats/summary",     "/api/stats/top_domains",
                                           "/api/stats/top_clients", "/api/stats/upstreams",
                                           "/api/history",           "/api/history/clients",
                                           "/api/queries",           "/api/padd",
                                           "/api/info/ftl",          "/api/sinkhole/status"};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct answer a = api_get(f, targets[i]);
        assert_int_equal(a.status, 200);
        check_schema("GET", patterns[i], &a);
        answer_free(&a);
    }
    struct answer a = api_get(f, "/api/padd");
    assert_true(json_is_null(json_at_path(a.json, "top_domain")));
    assert_true(json_is_null(json_at_path(a.json, "recent_blocked")));
    answer_free(&a);
}

static void top_lists_are_in_order(void **state)
{
    struct api_fixture *f = *state;
    make_traffic(f);
    struct answer a = api_get(f, "/api/stats/top_domains?count=2&n=5&unknown=");
    assert_int_equal(json_array_size(json_at_path(a.json, "domains")), 2);
    assert_string_equal(text(&a, "domains.0.domain"), "www.example.com");
    assert_int_equal(number(&a, "domains.0.count"), 4);
    assert_string_equal(text(&a, "domains.1.domain"), "api.example.net");
    assert_int_equal(number(&a, "total_queries"), 11);
    assert_int_equal(number(&a, "blocked_queries"), 3);
    answer_free(&a);
    static const char *const blocked[] = {"true", "1"};
    for (int i = 0; i < 2; i++) {
        char target[64];
        snprintf(target, sizeof target, "/api/stats/top_domains?blocked=%s", blocked[i]);
        a = api_get(f, target);
        assert_int_equal(json_array_size(json_at_path(a.json, "domains")), 1);
        assert_string_equal(text(&a, "domains.0.domain"), "ads.example");
        answer_free(&a);
    }
    a = api_get(f, "/api/stats/top_domains?blocked=false&count=0");
    assert_int_equal(json_array_size(json_at_path(a.json, "domains")), 0);
    answer_free(&a);
    a = api_get(f, "/api/stats/top_clients");
    assert_string_equal(text(&a, "clients.0.ip"), "192.0.2.1");
    assert_string_equal(text(&a, "clients.0.name"), "");
    assert_int_equal(number(&a, "clients.0.count"), 7);
    answer_free(&a);
    a = api_get(f, "/api/stats/top_clients?blocked=true");
    assert_int_equal(json_array_size(json_at_path(a.json, "clients")), 1);
    assert_int_equal(number(&a, "clients.0.count"), 3);
    answer_free(&a);
    a = api_get(f, "/api/stats/recent_blocked?count=2");
    assert_int_equal(json_array_size(json_at_path(a.json, "blocked")), 2);
    assert_string_equal(text(&a, "blocked.1"), "ads.example");
    answer_free(&a);
}

static void a_span_is_counted_from_the_log(void **state)
{
    struct api_fixture *f = *state;
    make_traffic(f);
    stats_fixture_wait(&f->stats, 100);
    stats_fixture_query(&f->stats, "late.example", "192.0.2.9", QUERY_CACHED);
    stats_fixture_wait(&f->stats, 1);
    char target[128];
    snprintf(target, sizeof target, "/api/stats/top_domains?from=%lld",
             (long long)FIXTURE_UNIX_S + 50);
    struct answer a = api_get(f, target);
    assert_int_equal(number(&a, "total_queries"), 1);
    assert_string_equal(text(&a, "domains.0.domain"), "late.example");
    answer_free(&a);
    snprintf(target, sizeof target, "/api/stats/top_domains?until=%lld&blocked=true",
             (long long)FIXTURE_UNIX_S + 50);
    a = api_get(f, target);
    assert_int_equal(number(&a, "total_queries"), 11);
    assert_int_equal(number(&a, "blocked_queries"), 3);
    assert_string_equal(text(&a, "domains.0.domain"), "ads.example");
    assert_int_equal(number(&a, "domains.0.count"), 3);
    answer_free(&a);
    snprintf(target, sizeof target, "/api/stats/top_clients?from=%lld", (long long)FIXTURE_UNIX_S);
    a = api_get(f, target);
    assert_int_equal(number(&a, "total_queries"), 12);
    assert_int_equal(number(&a, "clients.0.count"), 7);
    assert_int_equal(json_array_size(json_at_path(a.json, "clients")), 4);
    answer_free(&a);
    snprintf(target, sizeof target, "/api/stats/upstreams?from=%lld", (long long)FIXTURE_UNIX_S);
    a = api_get(f, target);
    check_schema("GET", "/api/stats/upstreams", &a);
    assert_int_equal(number(&a, "upstreams.0.count"), 3);
    assert_int_equal(number(&a, "upstreams.2.count"), 2);
    assert_float_equal(json_real_value(json_at_path(a.json, "upstreams.2.statistics.response")),
                       0.02, 1e-6);
    answer_free(&a);
}

static void one_device_is_one_row(void **state)
{
    struct api_fixture *f = *state;
    static const char *const addrs[] = {"192.0.2.1", "2001:db8::1", "192.0.2.2"};
    for (unsigned i = 0; i < 3; i++) {
        f->device[i] = (struct policy_address){
            .has_mac = true, .mac = {2, 0, 0, 0, 0, i == 2}, .source = API_NAME_LEASE};
        f->device[i].name = i == 2 ? NULL : "tv";
        assert_int_equal(ip_parse(span_str(addrs[i]), &f->device[i].addr), ERR_OK);
        stats_fixture_query(&f->stats, "a.example", addrs[i], QUERY_CACHED);
        stats_fixture_query(&f->stats, "a.example", addrs[i], QUERY_CACHED);
    }
    stats_fixture_query(&f->stats, "a.example", "192.0.2.2", QUERY_CACHED);
    f->devices = 3;
    stats_fixture_wait(&f->stats, 1);
    char target[64];
    for (int span = 0; span < 2; span++) {
        snprintf(target, sizeof target, "/api/stats/top_clients%s", span ? "?from=1" : "");
        struct answer a = api_get(f, target);
        check_schema("GET", "/api/stats/top_clients", &a);
        assert_int_equal(json_array_size(json_at_path(a.json, "clients")), 2);
        assert_string_equal(text(&a, "clients.0.name"), "tv");
        assert_int_equal(number(&a, "clients.0.count"), 4);
        assert_string_equal(text(&a, "clients.1.ip"), "192.0.2.2");
        assert_int_equal(number(&a, "clients.1.count"), 3);
        answer_free(&a);
    }
    struct answer a = api_get(f, "/api/network/devices");
    check_schema("GET", "/api/network/devices", &a);
    assert_int_equal(json_array_size(json_at_path(a.json, "devices")), 2);
    assert_string_equal(text(&a, "devices.0.hwaddr"), "02:00:00:00:00:00");
    assert_int_equal(json_array_size(json_at_path(a.json, "devices.0.ips")), 2);
    assert_int_equal(number(&a, "devices.0.numQueries"), 4);
    assert_string_equal(text(&a, "devices.0.name_source"), "lease");
    answer_free(&a);
    a = api_get(f, "/api/clients/_suggestions");
    check_schema("GET", "/api/clients/_suggestions", &a);
    assert_string_equal(text(&a, "clients.0.addresses"), "192.0.2.1,2001:db8::1");
    assert_string_equal(text(&a, "clients.0.hwaddr"), "02:00:00:00:00:00");
    answer_free(&a);
    a = api_get(f, "/api/history/clients");
    check_schema("GET", "/api/history/clients", &a);
    json_t *tv = json_object_get(json_at_path(a.json, "clients"), "192.0.2.1");
    assert_int_equal(json_integer_value(json_object_get(tv, "total")), 4);
    assert_null(json_object_get(json_at_path(a.json, "clients"), "2001:db8::1"));
    answer_free(&a);
    a = api_get(f, "/api/sinkhole/check?domain=a.example&client=TV");
    check_schema("GET", "/api/sinkhole/check", &a);
    assert_string_equal(text(&a, "client.ip"), "192.0.2.1");
    assert_string_equal(text(&a, "client.name_source"), "lease");
    answer_free(&a);
    a = api_get(f, "/api/sinkhole/check?domain=a.example&client=nobody");
    assert_int_equal(a.status, 400);
    answer_free(&a);
}

/* Page, local record, lease: what stands above names it. */
static void a_person_names_first(void **state)
{
    struct api_fixture *f = *state;
    f->device[0] = (struct policy_address){
        .has_mac = true, .mac = {2, 0, 0, 0, 0, 1}, .name = "tv", .source = API_NAME_LEASE};
    assert_int_equal(ip_parse(span_str("192.0.2.1"), &f->device[0].addr), ERR_OK);
    f->devices = 1;
    static const char *const check = "/api/sinkhole/check?domain=a.example&client=192.0.2.1";
    struct answer a = api_get(f, check);
    assert_string_equal(text(&a, "client.name"), "tv");
    answer_free(&a);
    snprintf(f->client_name, sizeof f->client_name, "tv.home.arpa");
    a = api_get(f, check);
    assert_string_equal(text(&a, "client.name"), "tv.home.arpa");
    assert_string_equal(text(&a, "client.name_source"), "record");
    answer_free(&a);
    static const char *const clients[] = {"tv", "02-00-00-00-00-01", "192.0.2.1"};
    for (unsigned i = 0; i < 3; i++) {
        char body[128], comment[32];
        snprintf(comment, sizeof comment, "comment %u", i);
        snprintf(body, sizeof body, "{\"client\":\"%s\",\"comment\":\"%s\"}", clients[i], comment);
        a = api_send(f, "POST", "/api/clients", body);
        check_schema("POST", "/api/clients", &a);
        assert_int_equal(a.status, 201);
        assert_string_equal(text(&a, "clients.0.name"), "tv.home.arpa");
        answer_free(&a);
        a = api_get(f, check);
        assert_string_equal(text(&a, "client.name"), comment);
        assert_string_equal(text(&a, "client.name_source"), "page");
        answer_free(&a);
    }
}

static void upstreams_have_the_two_rows_that_are_none(void **state)
{
    struct api_fixture *f = *state;
    make_traffic(f);
    struct answer a = api_get(f, "/api/stats/upstreams");
    assert_string_equal(text(&a, "upstreams.0.ip"), "blocklist");
    assert_int_equal(number(&a, "upstreams.0.port"), -1);
    assert_int_equal(number(&a, "upstreams.0.count"), 3);
    assert_string_equal(text(&a, "upstreams.1.name"), "cache");
    assert_int_equal(number(&a, "upstreams.1.count"), 5);
    assert_string_equal(text(&a, "upstreams.2.ip"), "198.51.100.53");
    assert_int_equal(number(&a, "upstreams.2.port"), 53);
    assert_int_equal(number(&a, "upstreams.2.count"), 2);
    assert_float_equal(json_real_value(json_at_path(a.json, "upstreams.2.statistics.response")),
                       0.02, 1e-9);
    assert_int_equal(number(&a, "forwarded_queries"), 3);
    answer_free(&a);
}

static void history_is_a_day_of_ten_minutes(void **state)
{
    struct api_fixture *f = *state;
    make_traffic(f);
    stats_fixture_wait(&f->stats, 1200);
    struct answer a = api_get(f, "/api/history");
    assert_int_equal(json_array_size(json_at_path(a.json, "history")), 145);
    assert_int_equal(number(&a, "history.144.timestamp"), FIXTURE_UNIX_S + 1200);
    assert_int_equal(number(&a, "history.0.timestamp"), FIXTURE_UNIX_S + 1200 - 144 * 600);
    assert_int_equal(number(&a, "history.142.timestamp"), FIXTURE_UNIX_S);
    assert_int_equal(number(&a, "history.142.total"), 11);
    assert_int_equal(number(&a, "history.142.blocked"), 3);
    assert_int_equal(number(&a, "history.142.cached"), 5);
    assert_int_equal(number(&a, "history.142.forwarded"), 3);
    answer_free(&a);
    a = api_get(f, "/api/history/clients?N=1");
    assert_int_equal(json_object_size(json_at_path(a.json, "clients")), 1);
    assert_int_equal(
        json_integer_value(json_object_get(json_at_path(a.json, "history.142.data"), "192.0.2.1")),
        7);
    assert_int_equal(json_object_size(json_at_path(a.json, "history.141.data")), 0);
    answer_free(&a);
}

static void page_spans_start_with_the_records(void **state)
{
    struct api_fixture *f = *state;
    static const struct {
        const char *span;
        json_int_t span_s, slot_s;
    } rows[] = {
        {"1h", 3600, 60}, {"24h", 86400, 600}, {"7d", 604800, 3600}, {"30d", 2592000, 21600}};
    make_traffic(f);
    stats_fixture_wait(&f->stats, 7 * 3600);
    api_log_in(f);
    for (size_t i = 0; i < 4; i++) {
        char target[64];
        snprintf(target, sizeof target, "/api/sinkhole/history?span=%s", rows[i].span);
        struct answer a = api_get(f, target);
        const json_t *history = json_at_path(a.json, "history");
        assert_int_equal(number(&a, "span_s"), rows[i].span_s);
        assert_int_equal(number(&a, "slot_s"), rows[i].slot_s);
        json_int_t total = 0, before = 0;
        for (size_t k = 0; k < json_array_size(history); k++) {
            const json_t *slot = json_array_get(history, k);
            json_int_t at = json_integer_value(json_object_get(slot, "timestamp"));
            assert_int_equal(at % rows[i].slot_s, 0);
            assert_true(k == 0 || at == before + rows[i].slot_s);
            assert_true(at >= FIXTURE_UNIX_S);
            before = at;
            total += json_integer_value(json_object_get(slot, "total"));
        }
        assert_int_equal(total, i == 0 ? 0 : 11);
        assert_true(json_array_size(history) >= 2);
        answer_free(&a);
    }
    for (int day = 0; day < 40; day++) {
        stats_fixture_wait(&f->stats, 86400);
    }
    api_log_in(f);
    struct answer a = api_get(f, "/api/sinkhole/history?span=30d");
    assert_in_range(json_array_size(json_at_path(a.json, "history")), 120, 121);
    answer_free(&a);
    a = api_get(f, "/api/sinkhole/history?span=1h");
    assert_in_range(json_array_size(json_at_path(a.json, "history")), 60, 61);
    answer_free(&a);
}

static void padd_has_what_it_wants(void **state)
{
    struct api_fixture *f = *state;
    make_traffic(f);
    struct answer a = api_get(f, "//api//padd/");
    assert_int_equal(a.status, 200);
    check_schema("GET", "/api/padd", &a);
    assert_string_equal(text(&a, "top_domain"), "www.example.com");
    assert_string_equal(text(&a, "top_blocked"), "ads.example");
    assert_string_equal(text(&a, "recent_blocked"), "ads.example");
    assert_string_equal(text(&a, "top_client"), "192.0.2.1");
    assert_string_equal(text(&a, "blocking"), "enabled");
    assert_int_equal(number(&a, "config.dns_port"), 53);
    assert_int_equal(number(&a, "config.dns_num_upstreams"), 1);
    assert_int_equal(number(&a, "iface.v4.num_addrs"), 1);
    assert_string_equal(text(&a, "iface.v4.rx_bytes.unit"), "M");
    assert_true(json_is_null(json_at_path(a.json, "iface.v6.addr")));
    assert_string_equal(text(&a, "version.core.local.version"), "v1.2.3");
    answer_free(&a);
    a = api_get(f, "/api/padd?full=false");
    assert_null(json_at_path(a.json, "iface"));
    assert_null(json_at_path(a.json, "version"));
    check_schema("GET", "/api/padd", &a);
    answer_free(&a);
}

static void version_shows_no_update(void **state)
{
    struct api_fixture *f = *state;
    struct answer a = api_get(f, "/api/info/version");
    static const char *const parts[] = {"core", "web", "ftl"};
    for (int i = 0; i < 3; i++) {
        char local[64], remote[64];
        snprintf(local, sizeof local, "version.%s.local.hash", parts[i]);
        snprintf(remote, sizeof remote, "version.%s.remote.hash", parts[i]);
        assert_string_equal(text(&a, local), text(&a, remote));
    }
    assert_string_equal(text(&a, "version.core.local.branch"), "master");
    assert_true(json_is_null(json_at_path(a.json, "version.docker.local")));
    answer_free(&a);
}

static void messages_tell_of_lists_in_trouble(void **state)
{
    struct api_fixture *f = *state;
    struct answer a = api_get(f, "/api/info/messages");
    assert_int_equal(json_array_size(json_at_path(a.json, "messages")), 1);
    assert_string_equal(text(&a, "messages.0.plain"),
                        "List " FIXTURE_ALLOW_URL ": could not resolve <host>");
    assert_string_equal(text(&a, "messages.0.html"),
                        "List " FIXTURE_ALLOW_URL ": could not resolve &lt;host&gt;");
    answer_free(&a);
    a = api_get(f, "/api/info/messages/count");
    assert_int_equal(number(&a, "count"), 1);
    answer_free(&a);
}

static void status_says_what_the_page_may_use(void **state)
{
    struct api_fixture *f = *state;
    make_traffic(f);
    struct answer a = api_get(f, "/api/sinkhole/status");
    assert_string_equal(text(&a, "version"), "1.2.3");
    assert_int_equal(number(&a, "uptime"), 1);
    assert_int_equal(number(&a, "lists.count"), 2);
    assert_int_equal(number(&a, "lists.failed"), 1);
    assert_int_equal(number(&a, "lists.rules"), 1005);
    assert_int_equal(number(&a, "upstream.answers"), 2);
    assert_int_equal(number(&a, "upstream.failures"), 1);
    double median = json_real_value(json_at_path(a.json, "upstream.median_ms"));
    assert_true(median >= 20 && median < 22.5);
    assert_int_equal(number(&a, "memory.resident"), 20000 * 1024);
    answer_free(&a);
}

static void no_window_is_longer_than_there_are_counts(void **state)
{
    static const struct {
        uint64_t wait_s; /* from a row to the next; counting begins with an hour */
        int64_t from, tops_from, until;
    } rows[] = {
        {3, 1, 1, 3},
        {56, 1, 1, 59},
        {86400 - 600 - 60, 1, 1, 86400 - 601},
        {601, 600, 3600, 86400},
        {1799, 1800, 3600, 88199},
    };
    struct api_fixture *f = *state;
    f->no_password = true; /* no session lasts so long */
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        stats_fixture_wait(&f->stats, rows[i].wait_s);
        struct answer a = api_get(f, "/api/sinkhole/status");
        int64_t until = number(&a, "window.until");
        assert_int_equal(until - FIXTURE_UNIX_S, rows[i].until);
        assert_int_equal(number(&a, "window.from") - FIXTURE_UNIX_S, rows[i].from);
        assert_int_equal(number(&a, "window_tops.from") - FIXTURE_UNIX_S, rows[i].tops_from);
        assert_int_equal(number(&a, "window_tops.until"), until);
        assert_int_equal(number(&a, "since"), FIXTURE_UNIX_S + 1);
        assert_true(until - number(&a, "window.from") <= number(&a, "uptime"));
        answer_free(&a);
    }
}

static void checking_a_name_tells_who_decides(void **state)
{
    struct api_fixture *f = *state;
    f->verdict = (struct api_verdict){.blocked = true, .reason = "list", .count = 2, .left_off = 3};
    f->verdict.match[0] = (struct api_match){.list = f->list[0].id,
                                             .line = 42,
                                             .subtree = true,
                                             .wins = true,
                                             .rule = name_of("tracker.example")};
    f->verdict.match[1] =
        (struct api_match){.line = 7, .allow = true, .rule = name_of("ads.tracker.example")};
    struct answer a =
        api_get(f, "/api/sinkhole/check?domain=ADS.tracker.example.&client=192.0.2.7");
    assert_int_equal(a.status, 200);
    check_schema("GET", "/api/sinkhole/check", &a);
    assert_string_equal(text(&a, "domain"), "ads.tracker.example");
    assert_string_equal(text(&a, "client.ip"), "192.0.2.7");
    assert_string_equal(text(&a, "verdict"), "blocked");
    assert_string_equal(text(&a, "answer"), "0.0.0.0, ::");
    assert_string_equal(text(&a, "decided_by.source"), "list");
    assert_string_equal(text(&a, "decided_by.list"), "Ads");
    assert_string_equal(text(&a, "decided_by.rule"), "tracker.example");
    assert_int_equal(number(&a, "decided_by.line"), 42);
    assert_string_equal(text(&a, "others.0.source"), "rule");
    assert_true(json_is_null(json_at_path(a.json, "others.0.line")));
    assert_int_equal(number(&a, "left_off"), 3);
    answer_free(&a);

    f->verdict = (struct api_verdict){.reason = "none"};
    a = api_get(f, "/api/sinkhole/check?domain=fine.example");
    check_schema("GET", "/api/sinkhole/check", &a);
    assert_string_equal(text(&a, "verdict"), "allowed");
    assert_true(json_is_null(json_at_path(a.json, "decided_by")));
    assert_true(json_is_null(json_at_path(a.json, "answer")));
    answer_free(&a);

    f->verdict = (struct api_verdict){.reason = "local record"};
    a = api_get(f, "/api/sinkhole/check?domain=nas.home.arpa");
    check_schema("GET", "/api/sinkhole/check", &a);
    assert_string_equal(text(&a, "verdict"), "local");
    assert_string_equal(text(&a, "decided_by.source"), "local");
    answer_free(&a);

    f->verdict = (struct api_verdict){.paused = true, .reason = "list"};
    a = api_get(f, "/api/sinkhole/check?domain=ads.example");
    assert_string_equal(text(&a, "verdict"), "blocked");
    answer_free(&a);

    static const char *const bad[] = {"", "?domain=", "?domain=a..b", "?domain=a.example&client=x",
                                      "?domain=%zz"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char target[96];
        snprintf(target, sizeof target, "/api/sinkhole/check%s", bad[i]);
        a = api_get(f, target);
        assert_int_equal(a.status, 400);
        answer_free(&a);
    }
}

/* --- paths ----------------------------------------------------------------------------------- */

static void paths_are_forgiving_where_clients_need_it(void **state)
{
    struct api_fixture *f = *state;
    static const struct {
        const char *method, *target;
        int status;
    } rows[] = {
        {"GET", "/api/stats/summary/", 200},
        {"GET", "//api///stats/summary", 200},
        {"GET", "/api/stats%2Fsummary", 404},
        {"HEAD", "/api/stats/summary", 200},
        {"GET", "/api/nothing", 404},
        {"GET", "/api", 404},
        {"GET", "/api/../api/stats/summary", 404},
        {"GET", "/etc/passwd", 404},
        {"GET", "/%2e%2e/%2e%2e/etc/passwd", 404},
        {"GET", "/api/stats/%zz", 400},
        {"GET", "/api/stats/%4", 400},
        {"GET", "/api/%00/summary", 400},
        {"GET", "/1/2/3/4/5/6/7/8/9/10/11", 400},
        {"DELETE", "/api/stats/summary", 405},
        {"PATCH", "/api/config", 404},
        {"OTHER", "/api/stats/summary", 405},
        {"GET", "/admin", 308},
        {"GET", "/admin/login", 308},
        {"POST", "/admin/login", 404},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct answer a = api_send(f, rows[i].method, rows[i].target, NULL);
        if (a.status != rows[i].status) {
            fail_msg("%s %s: %d", rows[i].method, rows[i].target, a.status);
        }
        answer_free(&a);
    }
    struct answer a = api_send(f, "DELETE", "/api/dns/blocking", NULL);
    assert_string_equal(answer_header(&a, "Allow"), "GET, POST");
    answer_free(&a);
}

static void clients_for_version_5_are_told_where_to_go(void **state)
{
    struct api_fixture *f = *state;
    static const char *const targets[] = {"/admin/api.php?summaryRaw&auth=x", "/admin/api/auth",
                                          "/admin/api"};
    for (int i = 0; i < 3; i++) {
        struct answer a = api_ask(f, &(struct ask){.target = targets[i]});
        assert_int_equal(a.status, 400);
        assert_string_equal(text(&a, "error.key"), "bad_request");
        assert_string_equal(text(&a, "error.message"), "Bad request");
        assert_string_equal(text(&a, "error.hint"),
                            "The API is hosted at pi.hole/api, not pi.hole/admin/api");
        answer_free(&a);
    }
}

static void the_page_is_served_to_anybody(void **state)
{
    struct api_fixture *f = *state;
    struct answer a = api_ask(f, &(struct ask){.target = "/"});
    assert_int_equal(a.status, 200);
    assert_string_equal(answer_header(&a, "Content-Encoding"), "gzip");
    assert_string_equal(answer_header(&a, "Content-Type"), "text/html; charset=utf-8");
    assert_string_equal(answer_header(&a, "Cache-Control"), "no-cache");
    assert_string_equal(answer_header(&a, "X-Content-Type-Options"), "nosniff");
    assert_non_null(strstr(answer_header(&a, "Content-Security-Policy"), "default-src 'none'"));
    assert_non_null(strstr(answer_header(&a, "Content-Security-Policy"), "frame-ancestors 'none'"));
    assert_null(strstr(answer_header(&a, "Content-Security-Policy"), "unsafe"));
    assert_true(a.len > 100);
    char etag[64];
    snprintf(etag, sizeof etag, "%s", answer_header(&a, "ETag"));
    answer_free(&a);
    a = api_ask(f, &(struct ask){.target = "/", .match = etag});
    assert_int_equal(a.status, 304);
    assert_int_equal(a.len, 0);
    answer_free(&a);
    a = api_ask(f, &(struct ask){.target = "/", .match = "\"other\""});
    assert_int_equal(a.status, 200);
    answer_free(&a);
}

static void health_and_readiness(void **state)
{
    struct api_fixture *f = *state;
    struct answer a = api_ask(f, &(struct ask){.target = "/healthz"});
    assert_string_equal(a.text, "ok\n");
    answer_free(&a);
    a = api_ask(f, &(struct ask){.target = "/readyz"});
    assert_int_equal(a.status, 200);
    answer_free(&a);
    f->gauges.ready = false;
    a = api_ask(f, &(struct ask){.target = "/readyz"});
    assert_int_equal(a.status, 503);
    answer_free(&a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, load_document, drop_document)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(document_has_the_routes_and_no_others),
        TEST(every_get_answers_as_the_document_says),
        TEST(every_change_answers_as_the_document_says),
        TEST(an_update_held_back_answers_as_the_document_says),
        TEST(common_headers_are_there),
        TEST(summary_adds_up),
        TEST(empty_house_gives_zeroes_not_gaps),
        TEST(top_lists_are_in_order),
        TEST(a_span_is_counted_from_the_log),
        TEST(one_device_is_one_row),
        TEST(a_person_names_first),
        TEST(upstreams_have_the_two_rows_that_are_none),
        TEST(history_is_a_day_of_ten_minutes),
        TEST(page_spans_start_with_the_records),
        TEST(padd_has_what_it_wants),
        TEST(version_shows_no_update),
        TEST(messages_tell_of_lists_in_trouble),
        TEST(status_says_what_the_page_may_use),
        TEST(no_window_is_longer_than_there_are_counts),
        TEST(checking_a_name_tells_who_decides),
        TEST(paths_are_forgiving_where_clients_need_it),
        TEST(clients_for_version_5_are_told_where_to_go),
        TEST(the_page_is_served_to_anybody),
        TEST(health_and_readiness),
    };
    return UNIT_RUN(tests);
}
