/* Who may: logging in, where the SID may stand, CSRF, keys, limits on failures, seats, Host and
 * Origin. */
#include <stdio.h>

#include "api/totp.h"
#include "api_fixture.h"
#include "unit.h"

#define LOG_IN(f, word)                             \
    api_ask(f, &(struct ask){.method = "POST",      \
                             .target = "/api/auth", \
                             .body = "{\"password\":\"" word "\"}"})

static int status_of(struct api_fixture *f, const struct ask *ask)
{
    struct answer a = api_ask(f, ask);
    int status = a.status;
    answer_free(&a);
    return status;
}

static void assert_text(const struct answer *a, const char *path, const char *expected)
{
    const json_t *value = json_at_path(a->json, path);
    if (!json_is_string(value)) {
        fail_msg("%s is no text in %s", path, a->text);
    }
    assert_string_equal(json_string_value(value), expected);
}

static void good_password_opens_a_session(void **state)
{
    struct api_fixture *f = *state;
    struct answer a = LOG_IN(f, FIXTURE_PASSWORD);
    assert_int_equal(a.status, 200);
    assert_true(json_is_true(json_at_path(a.json, "session.valid")));
    assert_true(json_is_false(json_at_path(a.json, "session.totp")));
    assert_int_equal(strlen(json_string_value(json_at_path(a.json, "session.sid"))), 24);
    assert_int_equal(strlen(json_string_value(json_at_path(a.json, "session.csrf"))), 24);
    assert_int_equal(json_integer_value(json_at_path(a.json, "session.validity")), 1800);
    assert_text(&a, "session.message", "password correct");
    assert_true(json_is_real(json_at_path(a.json, "took")));
    const char *cookie = answer_header(&a, "Set-Cookie");
    assert_non_null(strstr(cookie, "sid="));
    assert_non_null(strstr(cookie, "; SameSite=Strict; Path=/; Max-Age=1800; HttpOnly"));
    assert_null(strstr(cookie, "Secure"));
    answer_free(&a);
}

static void app_password_is_told_as_such(void **state)
{
    struct api_fixture *f = *state;
    struct answer a =
        api_ask(f, &(struct ask){.method = "POST",
                                 .target = "/api/auth",
                                 .body = "{\"password\":\"" FIXTURE_APP "\",\"totp\":123456}"});
    assert_int_equal(a.status, 200);
    assert_text(&a, "session.message", "app-password correct");
    answer_free(&a);
}

static void bad_password_is_401_with_a_session_object(void **state)
{
    struct api_fixture *f = *state;
    struct answer a = LOG_IN(f, "wrong_password");
    assert_int_equal(a.status, 401);
    assert_true(json_is_false(json_at_path(a.json, "session.valid")));
    assert_true(json_is_null(json_at_path(a.json, "session.sid")));
    assert_int_equal(json_integer_value(json_at_path(a.json, "session.validity")), -1);
    assert_text(&a, "session.message", "password incorrect");
    assert_string_equal(answer_header(&a, "Set-Cookie"), "");
    answer_free(&a);
}

static void log_in_without_password_is_400(void **state)
{
    struct api_fixture *f = *state;
    static const char *const bodies[] = {NULL,
                                         "",
                                         "{}",
                                         "{\"password\":5}",
                                         "{\"password\":null}",
                                         "[]",
                                         "not json",
                                         "{\"password\":\"x\"",
                                         "{\"password\":\"a\",\"password\":\"b\"}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct answer a =
            api_ask(f, &(struct ask){.method = "POST", .target = "/api/auth", .body = bodies[i]});
        if (a.status != 400) {
            fail_msg("%s: %d", bodies[i] ? bodies[i] : "(none)", a.status);
        }
        assert_text(&a, "error.key", "bad_request");
        answer_free(&a);
    }
    assert_int_equal(f->password_checks, 1); /* the fixture's own log-in */
}

static void content_type_does_not_matter(void **state)
{
    struct api_fixture *f = *state;
    static const char *const types[] = {NULL, "application/x-www-form-urlencoded", "text/plain",
                                        "application/json"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        assert_int_equal(
            status_of(f, &(struct ask){.method = "POST",
                                       .target = "/api/auth",
                                       .content_type = types[i],
                                       .body = " \r\n{\"password\":\"" FIXTURE_PASSWORD "\"}"}),
            200);
    }
}

static void sid_is_taken_from_everywhere(void **state)
{
    struct api_fixture *f = *state;
    char body[64], query[64], cookie[64], spaced[64];
    snprintf(body, sizeof body, "{\"sid\":\"%s\"}", f->sid);
    snprintf(query, sizeof query, "/api/stats/summary?sid=%s", f->sid);
    snprintf(cookie, sizeof cookie, "theme=dark; sid=%s; x=y", f->sid);
    snprintf(spaced, sizeof spaced, ";;  sid=%s", f->sid);
    const struct ask rows[] = {
        {.target = "/api/stats/summary", .body = body},
        {.target = "/api/stats/summary", .sid = f->sid},
        {.target = "/api/stats/summary", .ftl_sid = f->sid},
        {.target = query},
        {.target = "/api/stats/summary", .cookie = cookie, .csrf = f->csrf},
        {.target = "/api/stats/summary", .cookie = spaced, .csrf = f->csrf},
        /* A stale one elsewhere does no harm. */
        {.target = query,
         .sid = "AAAAAAAAAAAAAAAAAAAAAAAA",
         .cookie = "sid=AAAAAAAAAAAAAAAAAAAAAAAA"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (status_of(f, &rows[i]) != 200) {
            fail_msg("row %zu", i);
        }
    }
}

static void cookie_alone_is_not_enough(void **state)
{
    struct api_fixture *f = *state;
    char cookie[64];
    snprintf(cookie, sizeof cookie, "sid=%s", f->sid);
    const struct ask rows[] = {
        {.target = "/api/stats/summary", .cookie = cookie},
        {.target = "/api/stats/summary", .cookie = cookie, .csrf = "AAAAAAAAAAAAAAAAAAAAAAAA"},
        {.target = "/api/stats/summary", .cookie = cookie, .csrf = ""},
        {.method = "DELETE", .target = "/api/auth", .cookie = cookie},
        {.method = "POST",
         .target = "/api/dns/blocking",
         .body = "{\"blocking\":false}",
         .cookie = cookie},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (status_of(f, &rows[i]) != 401) {
            fail_msg("row %zu", i);
        }
    }
    struct answer a = api_ask(f, &(struct ask){.target = "/api/auth", .cookie = cookie});
    assert_int_equal(a.status, 200);
    assert_text(&a, "session.csrf", f->csrf);
    answer_free(&a);
    assert_int_equal(status_of(f, &(struct ask){.target = "/metrics", .cookie = cookie}), 200);
    assert_int_equal(status_of(f, &(struct ask){.target = "/api/docs", .cookie = cookie}), 200);
}

static void without_log_in_everything_is_401(void **state)
{
    struct api_fixture *f = *state;
    static const char *const targets[] = {"/api/stats/summary",
                                          "/api/info/version",
                                          "/api/info/ftl",
                                          "/api/dns/blocking",
                                          "/api/queries",
                                          "/api/history",
                                          "/api/padd",
                                          "/api/domains",
                                          "/api/lists",
                                          "/api/config/dns/hosts",
                                          "/api/sinkhole/events",
                                          "/api/auth/sessions",
                                          "/api/docs",
                                          "/metrics",
                                          "/api/sinkhole/rules",
                                          "/api/sinkhole/keys",
                                          "/api/search/x.example"};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct answer a = api_ask(f, &(struct ask){.target = targets[i]});
        if (a.status != 401) {
            fail_msg("%s: %d", targets[i], a.status);
        }
        assert_text(&a, "error.key", "unauthorized");
        assert_text(&a, "error.message", "Unauthorized");
        assert_true(json_is_null(json_at_path(a.json, "error.hint")));
        answer_free(&a);
    }
    struct answer a = api_ask(f, &(struct ask){.target = "/api/auth"});
    assert_int_equal(a.status, 401);
    assert_true(json_is_string(json_at_path(a.json, "session.message")));
    answer_free(&a);
    assert_int_equal(status_of(f, &(struct ask){.target = "/healthz"}), 200);
    assert_int_equal(status_of(f, &(struct ask){.target = "/readyz"}), 200);
}

static void every_route_but_the_open_ones_wants_a_log_in(void **state)
{
    struct api_fixture *f = *state;
    static const struct {
        const char *method, *path;
        bool open;
    } rows[] = {
#define ROUTE(method, access, pattern, function) \
    {#method, pattern, #access[0] == 'O' && #access[1] == 'P'},
#include "api/routes.def"
#undef ROUTE
    };
    uint32_t closed = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!rows[i].open) {
            int status = status_of(
                f, &(struct ask){.method = rows[i].method, .target = rows[i].path, .body = "{}"});
            if (status != 401) {
                fail_msg("%s %s: %d", rows[i].method, rows[i].path, status);
            }
            closed++;
        }
    }
    assert_true(closed > 60);
    assert_int_equal(f->applied, 0);
}

static void log_out_ends_the_session(void **state)
{
    struct api_fixture *f = *state;
    struct answer a = api_send(f, "DELETE", "/api/auth", NULL);
    assert_int_equal(a.status, 204);
    assert_int_equal(a.len, 0);
    answer_free(&a);
    assert_int_equal(status_of(f, &(struct ask){.target = "/api/auth", .sid = f->sid}), 401);
    assert_int_equal(
        status_of(f, &(struct ask){.method = "DELETE", .target = "/api/auth", .sid = f->sid}), 401);
}

static void sessions_last_half_an_hour_after_their_last_use(void **state)
{
    struct api_fixture *f = *state;
    for (int i = 0; i < 5; i++) {
        stats_fixture_wait(&f->stats, 1799);
        api_tick(f->api, f->stats.now);
        assert_int_equal(status_of(f, &(struct ask){.target = "/api/auth", .sid = f->sid}), 200);
    }
    stats_fixture_wait(&f->stats, 1801);
    assert_int_equal(status_of(f, &(struct ask){.target = "/api/auth", .sid = f->sid}), 401);
}

static void an_older_clock_reading_ends_no_session(void **state)
{
    struct api_fixture *f = *state;
    assert_int_equal(status_of(f, &(struct ask){.target = "/api/auth", .sid = f->sid}), 200);
    api_tick(f->api, f->stats.now - 1);
    assert_int_equal(status_of(f, &(struct ask){.target = "/api/auth", .sid = f->sid}), 200);
}

static void nobody_is_refused_a_seat(void **state)
{
    struct api_fixture *f = *state;
    for (int i = 0; i < 200; i++) {
        stats_fixture_wait(&f->stats, 1);
        struct answer a = LOG_IN(f, FIXTURE_PASSWORD);
        assert_int_equal(a.status, 200);
        answer_free(&a);
        /* The session that is in use stays. */
        assert_int_equal(status_of(f, &(struct ask){.target = "/api/auth", .sid = f->sid}), 200);
    }
    struct answer a = api_get(f, "/api/auth/sessions");
    assert_int_equal(json_array_size(json_at_path(a.json, "sessions")), 64);
    answer_free(&a);
}

static void only_failures_are_limited(void **state)
{
    struct api_fixture *f = *state;
    uint32_t before = f->password_checks;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(status_of(f, &(struct ask){.method = "POST",
                                                    .target = "/api/auth",
                                                    .body = "{\"password\":\"x\"}"}),
                         401);
    }
    struct answer a = LOG_IN(f, "x");
    assert_int_equal(a.status, 429);
    assert_text(&a, "error.key", "rate_limiting");
    assert_string_equal(answer_header(&a, "Retry-After"), "60");
    answer_free(&a);
    /* Not even the right one is tried, but for others. */
    a = LOG_IN(f, FIXTURE_PASSWORD);
    assert_int_equal(a.status, 429);
    answer_free(&a);
    assert_int_equal(f->password_checks, before + 5);
    assert_int_equal(status_of(f, &(struct ask){.method = "POST",
                                                .target = "/api/auth",
                                                .peer = "192.0.2.11",
                                                .body = "{\"password\":\"" FIXTURE_PASSWORD "\"}"}),
                     200);
    stats_fixture_wait(&f->stats, 60);
    a = LOG_IN(f, FIXTURE_PASSWORD);
    assert_int_equal(a.status, 200);
    answer_free(&a);
    /* Success wipes the slate. */
    for (int i = 0; i < 20; i++) {
        a = LOG_IN(f, "x");
        assert_int_equal(a.status, 401);
        answer_free(&a);
        a = LOG_IN(f, FIXTURE_PASSWORD);
        assert_int_equal(a.status, 200);
        answer_free(&a);
    }
}

static void one_ipv6_network_is_one_source(void **state)
{
    struct api_fixture *f = *state;
    char peer[64];
    int last = 0;
    for (int i = 0; i < 6; i++) {
        snprintf(peer, sizeof peer, "2001:db8:1:2::%x", i + 1);
        last = status_of(f, &(struct ask){.method = "POST",
                                          .target = "/api/auth",
                                          .peer = peer,
                                          .body = "{\"password\":\"x\"}"});
    }
    assert_int_equal(last, 429);
    assert_int_equal(status_of(f, &(struct ask){.method = "POST",
                                                .target = "/api/auth",
                                                .peer = "2001:db8:1:3::1",
                                                .body = "{\"password\":\"x\"}"}),
                     401);
}

static void many_sources_of_failures_are_bounded(void **state)
{
    struct api_fixture *f = *state;
    char peer[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(peer, sizeof peer, "10.0.%d.%d", i / 250, i % 250 + 1);
        assert_int_equal(status_of(f, &(struct ask){.method = "POST",
                                                    .target = "/api/auth",
                                                    .peer = peer,
                                                    .body = "{\"password\":\"x\"}"}),
                         401);
    }
}

static void keys_work_without_log_in(void **state)
{
    struct api_fixture *f = *state;
    uint32_t before = f->password_checks;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(status_of(f, &(struct ask){.target = "/api/stats/summary",
                                                    .authorization = "Bearer " FIXTURE_APP}),
                         200);
    }
    assert_int_equal(f->password_checks, before + 1); /* the slow hash was asked once */
    assert_int_equal(status_of(f, &(struct ask){.target = "/api/stats/summary",
                                                .authorization = "bearer   " FIXTURE_PASSWORD}),
                     200);
    assert_int_equal(status_of(f, &(struct ask){.target = "/api/stats/summary",
                                                .authorization = "Bearer wrong"}),
                     401);
    assert_int_equal(
        status_of(f, &(struct ask){.target = "/api/stats/summary", .authorization = "Bearer "}),
        401);
    assert_int_equal(
        status_of(f, &(struct ask){.target = "/api/stats/summary", .authorization = "Basic abc"}),
        401);
    /* A key's session gives no SID away. */
    struct answer a =
        api_ask(f, &(struct ask){.target = "/api/auth", .authorization = "Bearer " FIXTURE_APP});
    assert_int_equal(a.status, 200);
    assert_true(json_is_null(json_at_path(a.json, "session.sid")));
    answer_free(&a);
}

static void wrong_keys_are_limited_too(void **state)
{
    struct api_fixture *f = *state;
    int last = 0;
    for (int i = 0; i < 6; i++) {
        last = status_of(
            f, &(struct ask){.target = "/api/stats/summary", .authorization = "Bearer wrong"});
    }
    assert_int_equal(last, 429);
}

static void read_only_keys_change_nothing(void **state)
{
    struct api_fixture *f = *state;
    const char *key = "Bearer " FIXTURE_READ;
    assert_int_equal(
        status_of(f, &(struct ask){.target = "/api/stats/summary", .authorization = key}), 200);
    assert_int_equal(status_of(f, &(struct ask){.target = "/metrics", .authorization = key}), 200);
    struct answer a = api_ask(f, &(struct ask){.method = "POST",
                                               .target = "/api/dns/blocking",
                                               .body = "{\"blocking\":false}",
                                               .authorization = key});
    assert_int_equal(a.status, 403);
    assert_text(&a, "error.key", "forbidden");
    answer_free(&a);
    assert_int_equal(f->applied, 0);
}

static void app_passwords_do_not_reach_the_password(void **state)
{
    struct api_fixture *f = *state;
    const char *key = "Bearer " FIXTURE_APP;
    assert_int_equal(status_of(f, &(struct ask){.method = "POST",
                                                .target = "/api/dns/blocking",
                                                .body = "{\"blocking\":false}",
                                                .authorization = key}),
                     200);
    assert_int_equal(status_of(f, &(struct ask){.method = "PUT",
                                                .target = "/api/sinkhole/password",
                                                .body = "{\"password\":\"new password\"}",
                                                .authorization = key}),
                     403);
    assert_int_equal(
        status_of(f, &(struct ask){.target = "/api/sinkhole/keys", .authorization = key}), 403);
}

static void a_new_password_ends_other_sessions(void **state)
{
    struct api_fixture *f = *state;
    struct answer other = LOG_IN(f, FIXTURE_PASSWORD);
    char sid[32];
    snprintf(sid, sizeof sid, "%s", json_string_value(json_at_path(other.json, "session.sid")));
    answer_free(&other);
    struct answer a = api_send(f, "PUT", "/api/sinkhole/password", "{\"password\":\"short\"}");
    assert_int_equal(a.status, 400);
    answer_free(&a);
    a = api_send(f, "PUT", "/api/sinkhole/password", "{\"password\":\"another password\"}");
    assert_int_equal(a.status, 200);
    answer_free(&a);
    assert_string_equal(f->password, "another password");
    assert_int_equal(status_of(f, &(struct ask){.target = "/api/auth", .sid = sid}), 401);
    assert_int_equal(status_of(f, &(struct ask){.target = "/api/auth", .sid = f->sid}), 200);
}

static void without_a_password_everything_is_open(void **state)
{
    struct api_fixture *f = *state;
    f->no_password = true;
    struct answer a = LOG_IN(f, "anything");
    assert_int_equal(a.status, 200);
    assert_true(json_is_true(json_at_path(a.json, "session.valid")));
    assert_true(json_is_null(json_at_path(a.json, "session.sid")));
    assert_int_equal(json_integer_value(json_at_path(a.json, "session.validity")), -1);
    assert_text(&a, "session.message", "no password set");
    answer_free(&a);
    assert_int_equal(status_of(f, &(struct ask){.target = "/api/stats/summary"}), 200);
    /* … but not to pages of others. */
    const struct ask theirs = {.method = "POST",
                               .target = "/api/dns/blocking",
                               .body = "{\"blocking\":false}",
                               .host = "192.0.2.2",
                               .origin = "http://evil.example"};
    assert_int_equal(status_of(f, &theirs), 403);
    assert_int_equal(f->applied, 0);
}

static void changes_by_cookie_come_from_our_own_page(void **state)
{
    struct api_fixture *f = *state;
    char cookie[64];
    snprintf(cookie, sizeof cookie, "sid=%s", f->sid);
    static const struct {
        const char *why, *host, *origin, *site;
        int status;
    } rows[] = {
        {"no word of an origin", "192.0.2.2", NULL, NULL, 200},
        {"same origin", "192.0.2.2:8080", "http://192.0.2.2:8080", "same-origin", 200},
        {"same origin over TLS", "pi.hole", "https://pi.hole", NULL, 200},
        {"case of the host", "PI.hole", "http://pi.HOLE", NULL, 200},
        {"typed by the person", "192.0.2.2", NULL, "none", 200},
        {"an extension", "192.0.2.2", "chrome-extension://abc", "cross-site", 200},
        {"another site", "192.0.2.2", "http://evil.example", "cross-site", 403},
        {"another port", "192.0.2.2:80", "http://192.0.2.2:8080", NULL, 403},
        {"another site, origin hidden", "192.0.2.2", NULL, "cross-site", 403},
        {"a sibling", "192.0.2.2", NULL, "same-site", 403},
        {"a file", "192.0.2.2", "null", NULL, 403},
        {"the host as a prefix", "192.0.2.2", "http://192.0.2.2.evil.example", NULL, 403},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct ask ask = {.method = "POST",
                                .target = "/api/sinkhole/flush",
                                .cookie = cookie,
                                .csrf = f->csrf,
                                .host = rows[i].host,
                                .origin = rows[i].origin,
                                .site = rows[i].site};
        int status = status_of(f, &ask);
        if (status != rows[i].status) {
            fail_msg("%s: %d", rows[i].why, status);
        }
    }
    /* What a browser does not send by itself needs no such proof. */
    assert_int_equal(status_of(f, &(struct ask){.method = "POST",
                                                .target = "/api/sinkhole/flush",
                                                .sid = f->sid,
                                                .host = "192.0.2.2",
                                                .origin = "http://other.example",
                                                .site = "cross-site"}),
                     200);
}

static void host_must_be_one_of_ours(void **state)
{
    struct api_fixture *f = *state;
    static const char *const own[] = {"house.example"};
    static const struct {
        const char *host;
        int status;
    } rows[] = {
        {"", 200},
        {"192.0.2.2", 200},
        {"192.0.2.2:8080", 200},
        {"[2001:db8::1]", 200},
        {"[2001:db8::1]:80", 200},
        {"localhost", 200},
        {"localhost:3000", 200},
        {"LOCALHOST.", 200},
        {"pi.hole", 200},
        {"sinkhole", 200},
        {"sinkhole.local", 200},
        {"raspberry.local", 200},
        {"dns.home.arpa:80", 200},
        {"dns.lan", 200},
        {"House.Example", 200},
        {"evil.example", 403},
        {"house.example.evil.example", 403},
        {"local", 403},
        {".local", 403},
        {"192.0.2.2.evil.example", 403},
        {"evil.example:80", 403},
        {"evillocalhost", 403},
        {"[2001:db8::1", 403},
        {"pi.hole@evil.example", 403},
    };
    f->config.hosts = own;
    f->config.host_count = 1;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int status = status_of(f, &(struct ask){.target = "/healthz", .host = rows[i].host});
        if (status != rows[i].status) {
            fail_msg("%s: %d", rows[i].host, status);
        }
    }
}

static void cors_is_opt_in(void **state)
{
    struct api_fixture *f = *state;
    static const char *const allowed[] = {"http://homer.lan:8080"};
    struct answer a = api_ask(f, &(struct ask){.target = "/api/stats/summary",
                                               .sid = f->sid,
                                               .origin = "http://homer.lan:8080"});
    assert_string_equal(answer_header(&a, "Access-Control-Allow-Origin"), "");
    answer_free(&a);
    f->config.cors_origins = allowed;
    f->config.cors_count = 1;
    a = api_ask(f, &(struct ask){.target = "/api/stats/summary",
                                 .sid = f->sid,
                                 .origin = "http://homer.lan:8080"});
    assert_string_equal(answer_header(&a, "Access-Control-Allow-Origin"), "http://homer.lan:8080");
    assert_string_equal(answer_header(&a, "Vary"), "Origin");
    answer_free(&a);
    a = api_ask(f, &(struct ask){.method = "OPTIONS",
                                 .target = "/api/auth",
                                 .origin = "http://homer.lan:8080"});
    assert_int_equal(a.status, 204);
    assert_non_null(strstr(answer_header(&a, "Access-Control-Allow-Headers"), "X-FTL-SID"));
    assert_string_equal(answer_header(&a, "Access-Control-Allow-Credentials"), "");
    answer_free(&a);
    a = api_ask(f, &(struct ask){.target = "/api/stats/summary",
                                 .sid = f->sid,
                                 .origin = "http://evil.example"});
    assert_string_equal(answer_header(&a, "Access-Control-Allow-Origin"), "");
    answer_free(&a);
}

static void sessions_are_listed_and_ended(void **state)
{
    struct api_fixture *f = *state;
    struct answer login = api_ask(f, &(struct ask){.method = "POST",
                                                   .target = "/api/auth",
                                                   .agent = "<script>\x01\xff",
                                                   .body = "{\"password\":\"" FIXTURE_APP "\"}"});
    answer_free(&login);
    struct answer a = api_get(f, "/api/auth/sessions");
    assert_int_equal(a.status, 200);
    assert_int_equal(json_array_size(json_at_path(a.json, "sessions")), 2);
    assert_true(json_is_true(json_at_path(a.json, "sessions.0.current_session")));
    assert_true(json_is_false(json_at_path(a.json, "sessions.1.current_session")));
    assert_true(json_is_true(json_at_path(a.json, "sessions.1.app")));
    assert_text(&a, "sessions.0.remote_addr", "192.0.2.10");
    assert_text(&a, "sessions.1.user_agent", "<script>\\x01\\xff");
    assert_null(strstr(a.text, "<script>"));
    assert_null(strstr(a.text, f->sid)); /* secrets are not shown */
    long long id = json_integer_value(json_at_path(a.json, "sessions.1.id"));
    answer_free(&a);
    char path[64];
    snprintf(path, sizeof path, "/api/auth/session/%lld", id);
    a = api_send(f, "DELETE", path, NULL);
    assert_int_equal(a.status, 204);
    answer_free(&a);
    a = api_send(f, "DELETE", path, NULL);
    assert_int_equal(a.status, 404);
    answer_free(&a);
    a = api_send(f, "DELETE", "/api/auth/session/x", NULL);
    assert_int_equal(a.status, 404);
    answer_free(&a);
}

static void tokens_do_not_repeat(void **state)
{
    struct api_fixture *f = *state;
    enum { N = 60 };
    static char seen[2 * N][32];
    for (int i = 0; i < N; i++) {
        struct answer a = LOG_IN(f, FIXTURE_PASSWORD);
        snprintf(seen[2 * i], 32, "%s", json_string_value(json_at_path(a.json, "session.sid")));
        snprintf(seen[2 * i + 1], 32, "%s",
                 json_string_value(json_at_path(a.json, "session.csrf")));
        answer_free(&a);
    }
    for (int i = 0; i < 2 * N; i++) {
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(seen[i], seen[k]);
        }
        assert_int_equal(
            strspn(seen[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            24);
    }
}

/* --- one-time passwords ---------------------------------------------------------------------- */

/* RFC 6238 appendix B, the last six of its eight digits. */
static void codes_are_those_of_the_rfc(void **state)
{
    (void)state;
    static const struct {
        int64_t unix_s;
        uint32_t code;
    } rows[] = {{59, 287082},       {1111111109, 81804},  {1111111111, 50471},
                {1234567890, 5924}, {2000000000, 279037}, {20000000000, 353130}};
    const uint8_t *secret = (const uint8_t *)"12345678901234567890";
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(totp_code(secret, (uint64_t)rows[i].unix_s / 30), rows[i].code);
    }
    char text[TOTP_SECRET_TEXT];
    uint8_t back[TOTP_SECRET_OCTETS];
    totp_secret_format(secret, text);
    assert_string_equal(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    assert_int_equal(totp_secret_parse(span_str("gezd-gnbv GY3TQOJQ GEZDGNBVGY3TQOJQ="), back),
                     ERR_OK);
    assert_memory_equal(back, secret, sizeof back);
    static const char *const bad[] = {"", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ",
                                      "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQG",
                                      "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(totp_secret_parse(span_str(bad[i]), back), ERR_FORMAT);
    }
}

static void a_code_counts_once_and_for_a_moment(void **state)
{
    (void)state;
    const uint8_t *secret = (const uint8_t *)"12345678901234567890";
    uint64_t last = 0, none = 0;
    uint32_t code = totp_code(secret, 1000);
    assert_int_equal(totp_check(secret, 30 * 998 + 29, code, &none), TOTP_BAD);
    assert_int_equal(totp_check(secret, 30 * 999, code, &last), TOTP_GOOD);
    assert_int_equal(totp_check(secret, 30 * 1000, code, &last), TOTP_USED);
    assert_int_equal(totp_check(secret, 30 * 1001, totp_code(secret, 999), &last), TOTP_BAD);
    assert_int_equal(totp_check(secret, 30 * 1001 + 29, code, &none), TOTP_GOOD);
    none = 0;
    assert_int_equal(totp_check(secret, 30 * 1002, code, &none), TOTP_BAD);
}

static uint32_t code_now(const struct api_fixture *f)
{
    return totp_code(f->totp_secret, (uint64_t)(f->stats.unix_us / 1000000) / 30);
}

static struct answer log_in_with(struct api_fixture *f, const char *password, const char *code)
{
    char body[128];
    snprintf(body, sizeof body, "{\"password\":\"%s\"%s%s}", password, code ? ",\"totp\":" : "",
             code ? code : "");
    return api_ask(f, &(struct ask){.method = "POST", .target = "/api/auth", .body = body});
}

static void second_step_is_asked_for(void **state)
{
    struct api_fixture *f = *state;
    char code[32];
    f->totp = true;
    struct answer a = log_in_with(f, FIXTURE_PASSWORD, NULL);
    assert_int_equal(a.status, 400);
    assert_text(&a, "error.message", "No 2FA token found in JSON payload");
    answer_free(&a);
    a = log_in_with(f, FIXTURE_PASSWORD, "null");
    assert_int_equal(a.status, 400);
    answer_free(&a);
    snprintf(code, sizeof code, "%u", (code_now(f) + 1) % 1000000);
    a = log_in_with(f, FIXTURE_PASSWORD, code);
    assert_int_equal(a.status, 401);
    assert_text(&a, "error.message", "Invalid 2FA token");
    assert_string_equal(answer_header(&a, "Set-Cookie"), "");
    answer_free(&a);
    snprintf(code, sizeof code, "\"%06u\"", code_now(f));
    a = log_in_with(f, FIXTURE_PASSWORD, code);
    assert_int_equal(a.status, 200);
    assert_true(json_is_true(json_at_path(a.json, "session.totp")));
    answer_free(&a);
    a = log_in_with(f, FIXTURE_PASSWORD, code);
    assert_int_equal(a.status, 401);
    assert_text(&a, "error.message", "Reused 2FA token");
    answer_free(&a);
    /* A wrong password says nothing of codes, and apps need none. */
    a = log_in_with(f, "wrong_password", code);
    assert_text(&a, "session.message", "password incorrect");
    answer_free(&a);
    a = log_in_with(f, FIXTURE_APP, NULL);
    assert_int_equal(a.status, 200);
    answer_free(&a);
    /* The password alone is no key. */
    assert_int_equal(status_of(f, &(struct ask){.target = "/api/stats/summary",
                                                .authorization = "Bearer " FIXTURE_PASSWORD}),
                     401);
    assert_int_equal(status_of(f, &(struct ask){.target = "/api/stats/summary",
                                                .authorization = "Bearer " FIXTURE_APP}),
                     200);
}

static void guessing_codes_is_limited(void **state)
{
    struct api_fixture *f = *state;
    char code[32];
    f->totp = true;
    for (uint32_t i = 1; i <= 5; i++) {
        snprintf(code, sizeof code, "%u", (code_now(f) + i * 1000) % 1000000);
        struct answer a = log_in_with(f, FIXTURE_PASSWORD, code);
        assert_int_equal(a.status, 401);
        answer_free(&a);
    }
    snprintf(code, sizeof code, "%u", code_now(f));
    struct answer a = log_in_with(f, FIXTURE_PASSWORD, code);
    assert_int_equal(a.status, 429);
    answer_free(&a);
}

static void second_step_begins_with_a_code(void **state)
{
    struct api_fixture *f = *state;
    char body[160];
    struct answer a = api_get(f, "/api/auth/totp");
    const char *secret = json_string_value(json_at_path(a.json, "totp.secret"));
    assert_non_null(secret);
    assert_non_null(strstr(json_string_value(json_at_path(a.json, "totp.uri")), secret));
    assert_false(f->totp);
    uint8_t octets[TOTP_SECRET_OCTETS];
    assert_int_equal(totp_secret_parse(span_str(secret), octets), ERR_OK);
    uint32_t code = totp_code(octets, (uint64_t)(f->stats.unix_us / 1000000) / 30);
    for (int i = 0; i < 3; i++) { /* no code, a code of letters, a secret that is too short */
        snprintf(body, sizeof body, "{\"secret\":\"%.*s\"%s}", i == 2 ? 31 : 32, secret,
                 i == 0 ? "" : ",\"totp\":\"x\"");
        struct answer bad = api_send(f, "PUT", "/api/sinkhole/totp", body);
        assert_int_equal(bad.status, 400);
        answer_free(&bad);
    }
    snprintf(body, sizeof body, "{\"secret\":\"%s\",\"totp\":%u}", secret, (code + 1) % 1000000);
    struct answer b = api_send(f, "PUT", "/api/sinkhole/totp", body);
    assert_int_equal(b.status, 400);
    assert_false(f->totp);
    answer_free(&b);
    snprintf(body, sizeof body, "{\"secret\":\"%s\",\"totp\":%u}", secret, code);
    b = api_send(f, "PUT", "/api/sinkhole/totp", body);
    assert_int_equal(b.status, 200);
    assert_true(f->totp);
    assert_memory_equal(f->totp_secret, octets, sizeof octets);
    answer_free(&b);
    /* The code that switched it on opens no session. */
    snprintf(body, sizeof body, "%u", code);
    b = log_in_with(f, FIXTURE_PASSWORD, body);
    assert_int_equal(b.status, 401);
    answer_free(&b);
    b = api_send(f, "DELETE", "/api/sinkhole/totp", NULL);
    assert_int_equal(b.status, 200);
    assert_false(f->totp);
    answer_free(&b);
    answer_free(&a);
}

/* A disk that is full: the secret that was is in force still. */
static void second_step_that_cannot_be_kept_is_an_error(void **state)
{
    struct api_fixture *f = *state;
    char body[160], secret[TOTP_SECRET_TEXT];
    uint8_t octets[TOTP_SECRET_OCTETS] = {7, 11, 13};
    totp_secret_format(octets, secret);
    snprintf(body, sizeof body, "{\"secret\":\"%s\",\"totp\":%u}", secret,
             totp_code(octets, (uint64_t)(f->stats.unix_us / 1000000) / 30));
    f->totp_error = ERR_IO;
    struct answer a = api_send(f, "PUT", "/api/sinkhole/totp", body);
    assert_int_equal(a.status, 500);
    assert_text(&a, "error.message", "The change could not be stored");
    answer_free(&a);
    assert_false(f->totp);
    f->totp = true;
    a = api_send(f, "DELETE", "/api/sinkhole/totp", NULL);
    assert_int_equal(a.status, 500);
    answer_free(&a);
    assert_true(f->totp);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, api_fixture_setup, api_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(good_password_opens_a_session),
        TEST(app_password_is_told_as_such),
        TEST(bad_password_is_401_with_a_session_object),
        TEST(log_in_without_password_is_400),
        TEST(content_type_does_not_matter),
        TEST(sid_is_taken_from_everywhere),
        TEST(cookie_alone_is_not_enough),
        TEST(without_log_in_everything_is_401),
        TEST(every_route_but_the_open_ones_wants_a_log_in),
        TEST(log_out_ends_the_session),
        TEST(sessions_last_half_an_hour_after_their_last_use),
        TEST(an_older_clock_reading_ends_no_session),
        TEST(nobody_is_refused_a_seat),
        TEST(only_failures_are_limited),
        TEST(one_ipv6_network_is_one_source),
        TEST(many_sources_of_failures_are_bounded),
        TEST(keys_work_without_log_in),
        TEST(wrong_keys_are_limited_too),
        TEST(read_only_keys_change_nothing),
        TEST(app_passwords_do_not_reach_the_password),
        TEST(a_new_password_ends_other_sessions),
        TEST(without_a_password_everything_is_open),
        TEST(changes_by_cookie_come_from_our_own_page),
        TEST(host_must_be_one_of_ours),
        TEST(cors_is_opt_in),
        TEST(sessions_are_listed_and_ended),
        TEST(tokens_do_not_repeat),
        TEST(codes_are_those_of_the_rfc),
        TEST(a_code_counts_once_and_for_a_moment),
        TEST(second_step_is_asked_for),
        TEST(guessing_codes_is_limited),
        TEST(second_step_begins_with_a_code),
        TEST(second_step_that_cannot_be_kept_is_an_error),
    };
    return UNIT_RUN(tests);
}
