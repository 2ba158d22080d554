/* Changes by the API: stored and in force before the answer, undone when they cannot be stored. */
#include <stdio.h>
#include <stdlib.h>

#include "api_fixture.h"
#include "base/log.h"
#include "unit.h"

static int status_of(struct api_fixture *f, const char *method, const char *target,
                     const char *body)
{
    struct answer a = api_send(f, method, target, body);
    int status = a.status;
    answer_free(&a);
    return status;
}

static const char *text(const struct answer *a, const char *path)
{
    const json_t *v = json_at_path(a->json, path);
    if (!json_is_string(v)) {
        fail_msg("%s is no text in %s", path, a->text);
    }
    return json_string_value(v);
}

static size_t count(struct api_fixture *f, const char *target, const char *path)
{
    struct answer a = api_get(f, target);
    assert_int_equal(a.status, 200);
    size_t n = json_array_size(json_at_path(a.json, path));
    answer_free(&a);
    return n;
}

/* --- pause ----------------------------------------------------------------------------------- */

static void assert_blocking(struct api_fixture *f, const char *state, int timer)
{
    struct answer a = api_get(f, "/api/dns/blocking");
    assert_string_equal(text(&a, "blocking"), state);
    const json_t *t = json_at_path(a.json, "timer");
    assert_non_null(t);
    if (timer < 0) {
        assert_true(json_is_null(t));
    } else {
        assert_int_equal(json_integer_value(t), timer);
    }
    answer_free(&a);
}

static void pause_with_timer_ends_by_itself(void **state)
{
    struct api_fixture *f = *state;
    assert_blocking(f, "enabled", -1);
    struct answer a = api_send(f, "POST", "/api/dns/blocking", "{\"blocking\":false,\"timer\":30}");
    assert_int_equal(a.status, 200);
    assert_string_equal(text(&a, "blocking"), "disabled");
    assert_int_equal(json_integer_value(json_at_path(a.json, "timer")), 30);
    answer_free(&a);
    assert_int_equal(f->applied_parts, RULES_PAUSE);
    assert_non_null(strstr(f->applied_text, "\"until\": 1767225630"));
    stats_fixture_wait(&f->stats, 10);
    assert_blocking(f, "disabled", 20);
    stats_fixture_wait(&f->stats, 19);
    assert_blocking(f, "disabled", 1);
    stats_fixture_wait(&f->stats, 1);
    assert_blocking(f, "enabled", -1);
    api_tick(f->api, f->stats.now);
    assert_blocking(f, "enabled", -1);
}

static void pause_without_timer_lasts(void **state)
{
    struct api_fixture *f = *state;
    static const char *const bodies[] = {"{\"blocking\":false}", "{\"blocking\":false,\"timer\":0}",
                                         "{\"blocking\":false,\"timer\":null}",
                                         "{\"blocking\":false,\"timer\":0.0}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        assert_int_equal(status_of(f, "POST", "/api/dns/blocking", bodies[i]), 200);
        assert_blocking(f, "disabled", -1);
        stats_fixture_wait(&f->stats, 1700);
        api_tick(f->api, f->stats.now);
        assert_blocking(f, "disabled", -1);
        assert_int_equal(status_of(f, "POST", "/api/dns/blocking", "{\"blocking\":true}"), 200);
        assert_blocking(f, "enabled", -1);
    }
}

static void fractions_of_a_second_are_not_for_ever(void **state)
{
    struct api_fixture *f = *state;
    assert_int_equal(
        status_of(f, "POST", "/api/dns/blocking", "{\"blocking\":false,\"timer\":0.4}"), 200);
    assert_blocking(f, "disabled", 1);
    assert_int_equal(
        status_of(f, "POST", "/api/dns/blocking", "{\"blocking\":false,\"timer\":59.5}"), 200);
    assert_blocking(f, "disabled", 60);
}

static void bad_pauses_are_refused(void **state)
{
    struct api_fixture *f = *state;
    static const char *const bodies[] = {NULL,
                                         "",
                                         "{}",
                                         "{\"blocking\":\"false\"}",
                                         "{\"blocking\":0}",
                                         "{\"blocking\":null}",
                                         "{\"blocking\":false,\"timer\":\"5\"}",
                                         "{\"blocking\":false,\"timer\":-1}",
                                         "{\"blocking\":false,\"timer\":1e300}",
                                         "{\"blocking\":false,\"timer\":true}",
                                         "[]",
                                         "x"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct answer a = api_send(f, "POST", "/api/dns/blocking", bodies[i]);
        if (a.status != 400) {
            fail_msg("%s: %d", bodies[i] ? bodies[i] : "(none)", a.status);
        }
        assert_string_equal(text(&a, "error.key"), "body_error");
        answer_free(&a);
    }
    assert_int_equal(f->applied, 0);
}

static void resuming_what_runs_writes_nothing(void **state)
{
    struct api_fixture *f = *state;
    assert_int_equal(status_of(f, "POST", "/api/dns/blocking", "{\"blocking\":true}"), 200);
    assert_int_equal(f->applied, 0);
}

static void a_pause_ignores_the_wall_clock(void **state)
{
    struct api_fixture *f = *state;
    assert_int_equal(status_of(f, "POST", "/api/dns/blocking", "{\"blocking\":false,\"timer\":30}"),
                     200);
    f->stats.unix_us += INT64_C(2) * 86400 * 1000000;
    assert_blocking(f, "disabled", 30);
    f->stats.unix_us -= INT64_C(4) * 86400 * 1000000;
    assert_blocking(f, "disabled", 30);
}

static void what_cannot_be_stored_does_not_happen(void **state)
{
    struct api_fixture *f = *state;
    f->apply_result = ERR_IO;
    log_set_level_all(LOG_LEVEL_ERROR);
    assert_int_equal(status_of(f, "POST", "/api/dns/blocking", "{\"blocking\":false}"), 500);
    assert_blocking(f, "enabled", -1);
    assert_int_equal(
        status_of(f, "POST", "/api/domains/deny/exact", "{\"domain\":\"ads.example\"}"), 500);
    assert_int_equal(count(f, "/api/domains", "domains"), 0);
    f->apply_result = ERR_OK;
    assert_int_equal(
        status_of(f, "POST", "/api/domains/deny/exact", "{\"domain\":\"ads.example\"}"), 201);
    f->apply_result = ERR_IO;
    assert_int_equal(status_of(f, "DELETE", "/api/domains/deny/exact/ads.example", NULL), 500);
    assert_int_equal(count(f, "/api/domains", "domains"), 1);
}

/* --- own rules ------------------------------------------------------------------------------- */

static void a_rule_lives_and_dies(void **state)
{
    struct api_fixture *f = *state;
    struct answer a = api_send(
        f, "POST", "/api/domains/deny/exact",
        "{\"domain\":\"ADS.Example\",\"comment\":\"noise\",\"groups\":[0],\"enabled\":true}");
    assert_int_equal(a.status, 201);
    assert_string_equal(answer_header(&a, "Location"), "/api/domains/deny/exact/ADS.Example");
    assert_string_equal(text(&a, "domains.0.domain"), "ads.example");
    assert_string_equal(text(&a, "domains.0.type"), "deny");
    assert_string_equal(text(&a, "domains.0.kind"), "exact");
    assert_string_equal(text(&a, "domains.0.comment"), "noise");
    assert_true(json_is_true(json_at_path(a.json, "domains.0.active")));
    assert_string_equal(text(&a, "processed.success.0.item"), "ADS.Example");
    assert_int_equal(json_array_size(json_at_path(a.json, "processed.errors")), 0);
    answer_free(&a);
    assert_int_equal(f->applied_parts, RULES_OWN);
    assert_non_null(strstr(f->applied_text, "\"ads.example\""));

    assert_int_equal(count(f, "/api/domains", "domains"), 1);
    assert_int_equal(count(f, "/api/domains/deny", "domains"), 1);
    assert_int_equal(count(f, "/api/domains/allow", "domains"), 0);
    assert_int_equal(count(f, "/api/domains/deny/exact", "domains"), 1);
    assert_int_equal(count(f, "/api/domains/deny/regex", "domains"), 0);
    assert_int_equal(count(f, "/api/domains/deny/exact/ads.EXAMPLE.", "domains"), 1);
    assert_int_equal(count(f, "/api/domains/deny/exact/other.example", "domains"), 0);
    assert_int_equal(status_of(f, "GET", "/api/domains/block", NULL), 400);
    assert_int_equal(status_of(f, "GET", "/api/domains/deny/glob", NULL), 400);

    a = api_send(f, "PUT", "/api/domains/deny/exact/ads.example",
                 "{\"comment\":null,\"enabled\":false}");
    assert_int_equal(a.status, 200);
    assert_true(json_is_false(json_at_path(a.json, "domains.0.enabled")));
    assert_true(json_is_null(json_at_path(a.json, "domains.0.comment")));
    assert_true(json_is_false(json_at_path(a.json, "domains.0.active")));
    answer_free(&a);
    assert_int_equal(status_of(f, "PUT", "/api/domains/deny/exact/other.example", "{}"), 404);

    a = api_send(f, "DELETE", "/api/domains/deny/exact/ads.example", NULL);
    assert_int_equal(a.status, 204);
    assert_int_equal(a.len, 0);
    answer_free(&a);
    assert_int_equal(status_of(f, "DELETE", "/api/domains/deny/exact/ads.example", NULL), 404);
    assert_int_equal(count(f, "/api/domains", "domains"), 0);
}

static void several_at_once_are_told_one_by_one(void **state)
{
    struct api_fixture *f = *state;
    struct answer a =
        api_send(f, "POST", "/api/domains/allow/exact",
                 "{\"domain\":[\"a.example\",\"b..example\",\"c.example\",\"a.example\"]}");
    assert_int_equal(a.status, 201);
    assert_int_equal(json_array_size(json_at_path(a.json, "processed.success")), 2);
    assert_string_equal(text(&a, "processed.errors.0.item"), "b..example");
    assert_string_equal(text(&a, "processed.errors.0.error"), "not a domain name");
    assert_string_equal(text(&a, "processed.errors.1.error"), "it is there already");
    answer_free(&a);
    assert_int_equal(f->applied, 1);
    assert_int_equal(count(f, "/api/domains/allow/exact", "domains"), 2);
}

static void one_bad_or_double_rule_is_told(void **state)
{
    struct api_fixture *f = *state;
    struct answer a = api_send(f, "POST", "/api/domains/deny/exact", "{\"domain\":\"not a name\"}");
    assert_int_equal(a.status, 201);
    assert_int_equal(json_array_size(json_at_path(a.json, "processed.errors")), 1);
    assert_int_equal(json_array_size(json_at_path(a.json, "domains")), 0);
    answer_free(&a);
    assert_int_equal(f->applied, 0);
    assert_int_equal(status_of(f, "POST", "/api/domains/deny/exact", "{\"domain\":\"a.example\"}"),
                     201);
    a = api_send(f, "POST", "/api/domains/deny/exact", "{\"domain\":\"A.example\"}");
    assert_int_equal(a.status, 400);
    assert_string_equal(text(&a, "error.key"), "database_error");
    answer_free(&a);
    static const char *const bad[] = {NULL,
                                      "{}",
                                      "{\"domain\":5}",
                                      "{\"domain\":[5]}",
                                      "[]",
                                      "{\"domain\":\"x\",\"timer\":\"1\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(status_of(f, "POST", "/api/domains/deny/exact", bad[i]), 400);
    }
}

static void subtrees_are_written_as_clients_do(void **state)
{
    struct api_fixture *f = *state;
    struct answer a = api_send(f, "POST", "/api/domains/deny/regex",
                               "{\"domain\":\"(\\\\.|^)ads\\\\.example$\"}");
    assert_int_equal(a.status, 201);
    assert_string_equal(text(&a, "domains.0.domain"), "(\\.|^)ads\\.example$");
    assert_string_equal(text(&a, "domains.0.kind"), "regex");
    assert_true(json_is_true(json_at_path(a.json, "domains.0.active")));
    answer_free(&a);
    a = api_send(f, "POST", "/api/domains/deny/regex", "{\"domain\":\"^ad[0-9]+\"}");
    assert_true(json_is_false(
        json_at_path(a.json, "domains.0.active"))); /* kept, and said not to be in force */
    answer_free(&a);
    assert_int_equal(
        status_of(f, "DELETE", "/api/domains/deny/regex/%28%5C.%7C%5E%29ads%5C.example%24", NULL),
        204);
    assert_int_equal(count(f, "/api/domains", "domains"), 1);
}

static void a_rule_for_one_client_is_told_from_that_for_all(void **state)
{
    struct api_fixture *f = *state;
    static const char *const all = "{\"domain\":\"ads.example\"}";
    static const char *const one = "{\"domain\":\"ads.example\",\"client\":\"192.0.2.7\"}";
    assert_int_equal(status_of(f, "POST", "/api/domains/allow/exact", all), 201);
    assert_int_equal(status_of(f, "POST", "/api/domains/allow/exact", one), 201);
    assert_int_equal(count(f, "/api/domains", "domains"), 2);
    assert_int_equal(status_of(f, "PUT", "/api/domains/allow/exact/ads.example?client=192.0.2.7",
                               "{\"enabled\":false}"),
                     200);
    assert_int_equal(
        status_of(f, "DELETE", "/api/domains/allow/exact/ads.example?client=192.0.2.8", NULL), 404);
    assert_int_equal(
        status_of(f, "DELETE", "/api/domains/allow/exact/ads.example?client=192.0.2.7", NULL), 204);
    struct answer a = api_get(f, "/api/domains");
    assert_int_equal(json_array_size(json_at_path(a.json, "domains")), 1);
    assert_true(json_is_null(json_at_path(a.json, "domains.0.client")));
    assert_true(json_is_true(json_at_path(a.json, "domains.0.enabled")));
    answer_free(&a);
    a = api_send(f, "POST", "/api/domains/allow/exact",
                 "{\"domain\":\"x.example\",\"client\":\"192.0.2.300\"}");
    assert_string_equal(text(&a, "processed.errors.0.error"),
                        "not an IP address or prefix, hardware address or name of a device");
    answer_free(&a);
}

static void timed_rules_go_by_themselves(void **state)
{
    struct api_fixture *f = *state;
    struct answer a = api_send(f, "POST", "/api/domains/allow/exact",
                               "{\"domain\":\"cdn.example\",\"timer\":600}");
    assert_int_equal(json_integer_value(json_at_path(a.json, "domains.0.expires")),
                     FIXTURE_UNIX_S + 600);
    answer_free(&a);
    assert_int_equal(
        status_of(f, "POST", "/api/domains/allow/exact", "{\"domain\":\"stays.example\"}"), 201);
    /* The wall clock may be set meanwhile. */
    f->stats.unix_us += INT64_C(86400) * 1000000;
    stats_fixture_wait(&f->stats, 599);
    api_tick(f->api, f->stats.now);
    assert_int_equal(count(f, "/api/domains", "domains"), 2);
    stats_fixture_wait(&f->stats, 1);
    f->apply_result = ERR_IO;
    api_tick(f->api, f->stats.now);
    f->apply_result = ERR_OK;
    uint32_t before = f->applied;
    api_tick(f->api, f->stats.now);
    assert_int_equal(f->applied, before); /* it waits a minute */
    stats_fixture_wait(&f->stats, 60);
    api_tick(f->api, f->stats.now);
    assert_int_equal(f->applied, before + 1);
    assert_int_equal(f->applied_parts, RULES_OWN);
    assert_int_equal(count(f, "/api/domains", "domains"), 1);
    api_tick(f->api, f->stats.now);
    assert_int_equal(f->applied, before + 1);
}

static void batches_delete_what_exists(void **state)
{
    struct api_fixture *f = *state;
    assert_int_equal(status_of(f, "POST", "/api/domains/deny/exact",
                               "{\"domain\":[\"a.example\",\"b.example\",\"c.example\"]}"),
                     201);
    assert_int_equal(status_of(f, "POST", "/api/domains:batchDelete",
                               "[{\"item\":\"a.example\",\"type\":\"deny\",\"kind\":\"exact\"},{"
                               "\"item\":\"b.example\",\"type\":\"allow\",\"kind\":\"exact\"},"
                               "{\"item\":\"c.example\",\"type\":\"deny\",\"kind\":\"exact\"}]"),
                     204);
    assert_int_equal(count(f, "/api/domains", "domains"), 1);
    assert_int_equal(status_of(f, "POST", "/api/domains:batchDelete",
                               "[{\"item\":\"x.example\",\"type\":\"deny\",\"kind\":\"exact\"}]"),
                     404);
    assert_int_equal(status_of(f, "POST", "/api/domains:batchDelete", "{}"), 400);
    assert_int_equal(status_of(f, "POST", "/api/domains:batchDelete", "[5]"), 400);
}

static void thousands_of_rules_are_streamed(void **state)
{
    struct api_fixture *f = *state;
    size_t cap = RULES_OWN_MAX * 80, len = 0;
    char *body = malloc(cap);
    assert_non_null(body);
    len += (size_t)snprintf(body, cap, "{\"version\":1,\"own\":[");
    for (int i = 1; i < RULES_OWN_MAX; i++) {
        len += (size_t)snprintf(
            body + len, cap - len,
            "%s{\"id\":%d,\"type\":\"deny\",\"kind\":\"exact\",\"domain\":\"n%d.example\"}",
            i > 1 ? "," : "", i, i);
    }
    snprintf(body + len, cap - len, "]}");
    assert_int_equal(rules_parse(&f->rules, span_str(body), NULL, 0), ERR_OK);
    free(body);
    assert_int_equal(
        status_of(f, "POST", "/api/domains/deny/exact", "{\"domain\":\"last.example\"}"), 201);
    struct answer a = api_get(f, "/api/domains");
    assert_int_equal(json_array_size(json_at_path(a.json, "domains")), RULES_OWN_MAX);
    assert_true(a.pieces > 50);
    answer_free(&a);
    assert_int_equal(
        status_of(f, "POST", "/api/domains/deny/exact", "{\"domain\":\"one-more.example\"}"), 400);
}

/* --- lists ----------------------------------------------------------------------------------- */

static void lists_are_added_switched_and_removed(void **state)
{
    struct api_fixture *f = *state;
    assert_int_equal(count(f, "/api/lists", "lists"), 2);
    assert_int_equal(count(f, "/api/lists?type=block", "lists"), 1);
    struct answer a =
        api_send(f, "POST", "/api/lists?type=block",
                 "{\"address\":\"https://new.example/list.txt\",\"comment\":\"try\"}");
    assert_int_equal(a.status, 201);
    assert_string_equal(text(&a, "lists.0.address"), "https://new.example/list.txt");
    assert_string_equal(text(&a, "lists.0.name"), "list.txt");
    assert_string_equal(text(&a, "lists.0.comment"), "try");
    assert_string_equal(answer_header(&a, "Location"),
                        "/api/lists/https%3A%2F%2Fnew.example%2Flist.txt");
    answer_free(&a);
    assert_int_equal(f->applied_parts, RULES_LISTS);
    assert_int_equal(count(f, "/api/lists", "lists"), 3);
    assert_int_equal(status_of(f, "POST", "/api/lists?type=block",
                               "{\"address\":\"https://new.example/list.txt\"}"),
                     400);
    assert_int_equal(
        status_of(f, "POST", "/api/lists?type=block", "{\"address\":\"" FIXTURE_BLOCK_URL "\"}"),
        400);
    assert_int_equal(status_of(f, "PUT",
                               "/api/lists/https%3A%2F%2Fnew.example%2Flist.txt?type=block",
                               "{\"enabled\":false}"),
                     200);
    assert_false(f->list[2].enabled);
    assert_int_equal(
        status_of(f, "DELETE", "/api/lists/https%3A%2F%2Fnew.example%2Flist.txt?type=block", NULL),
        204);
    assert_int_equal(count(f, "/api/lists", "lists"), 2);
    assert_int_equal(
        status_of(f, "DELETE", "/api/lists/https%3A%2F%2Fnew.example%2Flist.txt?type=block", NULL),
        404);
}

static void lists_of_the_configuration_stay(void **state)
{
    struct api_fixture *f = *state;
    const char *target = "/api/lists/https%3A%2F%2Flists.example%2Fads.txt?type=block";
    struct answer a = api_send(f, "DELETE", target, NULL);
    assert_int_equal(a.status, 400);
    answer_free(&a);
    a = api_send(f, "PUT", target, "{\"enabled\":false,\"comment\":\"too much\"}");
    assert_int_equal(a.status, 200);
    assert_true(json_is_false(json_at_path(a.json, "lists.0.enabled")));
    assert_string_equal(text(&a, "lists.0.comment"), "too much");
    answer_free(&a);
    assert_false(f->list[0].enabled);
    assert_non_null(strstr(f->applied_text, "\"configured\": true"));
    assert_int_equal(status_of(f, "DELETE", target, NULL), 400);
    assert_int_equal(status_of(f, "PUT", target, "{\"enabled\":true}"), 200);
    assert_true(f->list[0].enabled);
}

static void list_addresses_are_not_files(void **state)
{
    struct api_fixture *f = *state;
    static const char *const bad[] = {"file:///etc/passwd",
                                      "/etc/passwd",
                                      "gopher://x/",
                                      "ftp://x/",
                                      "https://user:word@x.example/",
                                      "",
                                      "https://x.example/a b",
                                      "https://x\\u0001/",
                                      "javascript:alert(1)",
                                      "rpz+file:///x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char body[128];
        snprintf(body, sizeof body, "{\"address\":\"%s\",\"type\":\"block\"}", bad[i]);
        if (status_of(f, "POST", "/api/lists", body) != 400) {
            fail_msg("%s was taken", bad[i]);
        }
    }
    assert_int_equal(status_of(f, "POST", "/api/lists", "{\"address\":\"https://x.example/\"}"),
                     400); /* which type? */
    assert_int_equal(status_of(f, "POST", "/api/lists",
                               "{\"address\":\"rpz+https://x.example/z\",\"type\":\"block\"}"),
                     201);
    assert_int_equal(f->applied, 1);
}

static void a_list_shows_what_it_did(void **state)
{
    struct api_fixture *f = *state;
    struct dns_name name = name_of("ads.example");
    struct stats_event e = stats_fixture_event(&f->stats, &name, "192.0.2.1");
    e.status = QUERY_BLOCKED_LIST;
    e.list = 0;
    stats_record(f->stats.worker, &e);
    stats_fixture_wait(&f->stats, 1);
    struct answer a = api_get(f, "/api/lists?type=block");
    assert_int_equal(json_integer_value(json_at_path(a.json, "lists.0.hits")), 1);
    assert_int_equal(json_integer_value(json_at_path(a.json, "lists.0.number")), 1000);
    assert_int_equal(json_integer_value(json_at_path(a.json, "lists.0.status")), 1);
    assert_int_equal(json_integer_value(json_at_path(a.json, "lists.0.unique")), 17);
    answer_free(&a);
    a = api_get(f, "/api/lists?type=allow");
    assert_string_equal(text(&a, "lists.0.error"), "could not resolve <host>");
    assert_null(strstr(a.text, "<host>"));
    assert_true(json_is_null(json_at_path(a.json, "lists.0.unique")));
    answer_free(&a);
    char target[64];
    snprintf(target, sizeof target, "/api/sinkhole/lists/%u/update", f->list[0].id);
    assert_int_equal(status_of(f, "POST", target, NULL), 202);
    assert_int_equal(f->list_updates, 1);
    snprintf(target, sizeof target, "/api/sinkhole/lists/%u/confirm", f->list[0].id);
    assert_int_equal(status_of(f, "POST", target, NULL), 409);
    assert_int_equal(status_of(f, "POST", "/api/sinkhole/lists/99999999999999999999/update", NULL),
                     404);
    f->backend.list_update = NULL;
    snprintf(target, sizeof target, "/api/sinkhole/lists/%u/update", f->list[0].id);
    assert_int_equal(status_of(f, "POST", target, NULL), 501);
}

static void an_update_that_is_held_back_is_shown(void **state)
{
    struct api_fixture *f = *state;
    static struct api_held held = {.reason = "held back: adds a public suffix (com and all below)",
                                   .fetched_unix = 1767225000,
                                   .rules = 900,
                                   .rules_before = 1000,
                                   .compared = true,
                                   .names = {.count = {[BL_GUARD_SUFFIX] = 1}, .shown = 1},
                                   .added = {.count = 70, .shown = 1},
                                   .removed = {.count = 170}};
    char target[64];
    assert_int_equal(dns_name_parse(span_str("com"), &held.names.name[0].name), ERR_OK);
    held.names.name[0].below = true;
    assert_int_equal(dns_name_parse(span_str("com"), &held.added.rule[0].name), ERR_OK);
    held.added.rule[0].kind = BL_BOTH;
    snprintf(target, sizeof target, "/api/sinkhole/lists/%u/held", f->list[0].id);
    assert_int_equal(status_of(f, "GET", target, NULL), 404);
    assert_int_equal(status_of(f, "GET", "/api/sinkhole/lists/x/held", NULL), 404);
    f->held = &held;
    f->list[0].needs_confirm = true;
    (void)snprintf(f->list[0].error, sizeof f->list[0].error, "%s", held.reason);
    struct answer a = api_get(f, target);
    assert_string_equal(text(&a, "held.reason"), held.reason);
    assert_string_equal(text(&a, "held.names.0.name"), "com");
    assert_string_equal(text(&a, "held.names.0.kind"), "suffix");
    assert_string_equal(text(&a, "held.added_rules.0.name"), "com");
    assert_int_equal(json_integer_value(json_at_path(a.json, "held.removed")), 170);
    assert_true(json_is_true(json_at_path(a.json, "list.needs_confirm")));
    answer_free(&a);
    a = api_get(f, "/api/info/messages");
    assert_string_equal(text(&a, "messages.0.type"), "LIST_HELD");
    assert_non_null(strstr(text(&a, "messages.0.plain"), "public suffix (com"));
    answer_free(&a);
    snprintf(target, sizeof target, "/api/sinkhole/lists/%u/refuse", f->list[0].id);
    assert_int_equal(status_of(f, "POST", target, NULL), 202);
    assert_int_equal(f->list_refusals, 1);
}

static void the_guard_is_switched_off_for_a_list(void **state)
{
    struct api_fixture *f = *state;
    static const char ads[] = "/api/lists/https%3A%2F%2Flists.example%2Fads.txt?type=block";
    assert_int_equal(status_of(f, "PUT", ads, "{\"guard\":false,\"comment\":\"changes much\"}"),
                     200);
    assert_int_equal(f->applied_parts, RULES_LISTS);
    struct answer a = api_get(f, "/api/sinkhole/rules");
    assert_true(json_is_false(json_at_path(a.json, "lists.0.guard")));
    answer_free(&a);
    assert_int_equal(status_of(f, "PUT", ads, "{\"comment\":\"still\"}"), 200);
    a = api_get(f, "/api/sinkhole/rules");
    assert_true(json_is_false(json_at_path(a.json, "lists.0.guard")));
    answer_free(&a);
}

/* --- the rest -------------------------------------------------------------------------------- */

static void groups_and_clients_are_kept(void **state)
{
    struct api_fixture *f = *state;
    assert_int_equal(count(f, "/api/groups", "groups"), 1);
    struct answer a = api_get(f, "/api/groups");
    assert_string_equal(text(&a, "groups.0.name"), "Default");
    answer_free(&a);
    assert_int_equal(status_of(f, "POST", "/api/groups", "{\"name\":\"Kids & Co/\"}"), 201);
    assert_int_equal(status_of(f, "POST", "/api/groups", "{\"name\":\"Default\"}"), 400);
    assert_int_equal(count(f, "/api/groups/Kids%20%26%20Co%2F", "groups"), 1);
    assert_int_equal(status_of(f, "PUT", "/api/groups/Kids%20%26%20Co%2F",
                               "{\"name\":\"Children\",\"enabled\":false}"),
                     200);
    assert_int_equal(status_of(f, "DELETE", "/api/groups/Default", NULL), 404);
    assert_int_equal(status_of(f, "DELETE", "/api/groups/Children", NULL), 204);
    assert_int_equal(
        status_of(f, "POST", "/api/clients", "{\"client\":\"192.0.2.7\",\"groups\":[0]}"), 201);
    assert_int_equal(status_of(f, "POST", "/api/clients", "{\"client\":\"192.0.2.7\"}"), 400);
    assert_int_equal(count(f, "/api/clients/192.0.2.7", "clients"), 1);
    assert_int_equal(status_of(f, "PUT", "/api/clients/192.0.2.7", "{\"comment\":\"tv\"}"), 200);
    assert_int_equal(status_of(f, "POST", "/api/clients:batchDelete", "[{\"item\":\"192.0.2.7\"}]"),
                     204);
    assert_int_equal(count(f, "/api/clients", "clients"), 0);
}

static void groups_are_treated_and_paused(void **state)
{
    struct api_fixture *f = *state;
    assert_int_equal(status_of(f, "POST", "/api/groups", "{\"name\":\"kids\"}"), 201);
    const char *good = "{\"schedules\":[\"mon-fri 21:00-06:30 block\"],\"block_mode\":\"nxdomain\","
                       "\"safe_search\":true}";
    assert_int_equal(status_of(f, "PUT", "/api/sinkhole/groups/kids", good), 200);
    assert_int_equal(
        status_of(f, "PUT", "/api/sinkhole/groups/Default", "{\"upstreams\":[\"192.0.2.53\"]}"),
        200);
    assert_int_equal(
        status_of(f, "PUT", "/api/sinkhole/groups/kids", "{\"schedules\":[\"mon 21\"]}"), 400);
    assert_int_equal(status_of(f, "PUT", "/api/sinkhole/groups/nobody", "{}"), 404);
    assert_int_equal(
        status_of(f, "POST", "/api/sinkhole/pause", "{\"group\":\"kids\",\"timer\":60}"), 200);
    assert_int_equal(status_of(f, "POST", "/api/sinkhole/pause", "{\"client\":\"192.0.2.9\"}"),
                     200);
    assert_int_equal(status_of(f, "POST", "/api/sinkhole/pause", "{\"group\":\"nobody\"}"), 404);
    assert_int_equal(status_of(f, "POST", "/api/sinkhole/pause", "{}"), 400);
    assert_int_equal(
        status_of(f, "POST", "/api/sinkhole/pause", "{\"group\":\"kids\",\"timer\":-1}"), 400);
    struct answer a = api_get(f, "/api/sinkhole/policy");
    assert_string_equal(text(&a, "groups.0.name"), "Default");
    assert_string_equal(text(&a, "groups.0.upstreams.0"), "192.0.2.53");
    assert_string_equal(text(&a, "groups.1.schedules.0"), "mon-fri 21:00-06:30 block");
    assert_string_equal(text(&a, "groups.1.block_mode"), "nxdomain");
    assert_string_equal(text(&a, "pauses.0.group"), "kids");
    assert_string_equal(text(&a, "pauses.1.client"), "192.0.2.9");
    answer_free(&a);
    assert_int_equal(
        status_of(f, "POST", "/api/sinkhole/pause", "{\"group\":\"kids\",\"blocking\":true}"), 200);
    assert_int_equal(count(f, "/api/sinkhole/policy", "pauses"), 1);
    assert_int_equal(count(f, "/api/groups", "groups"), 2); /* Default is there once */
}

static void local_records_are_kept(void **state)
{
    struct api_fixture *f = *state;
    struct answer a = api_send(f, "PUT", "/api/config/dns/hosts/192.0.2.9%20nas.home.arpa", NULL);
    assert_int_equal(a.status, 201);
    answer_free(&a);
    assert_int_equal(f->applied_parts, RULES_LOCAL);
    assert_int_equal(status_of(f, "PUT", "/api/config/dns/hosts/192.0.2.9%20nas.home.arpa", NULL),
                     400);
    assert_int_equal(status_of(f, "PUT", "/api/config/dns/hosts/nonsense", NULL), 400);
    a = api_get(f, "/api/config/dns/hosts");
    assert_string_equal(text(&a, "config.dns.hosts.0"), "192.0.2.9 nas.home.arpa");
    answer_free(&a);
    assert_int_equal(
        status_of(f, "PUT", "/api/config/dns/cnameRecords/www.home.arpa,nas.home.arpa,300", NULL),
        201);
    a = api_get(f, "/api/config/dns/cnameRecords");
    assert_string_equal(text(&a, "config.dns.cnameRecords.0"), "www.home.arpa,nas.home.arpa,300");
    answer_free(&a);
    assert_int_equal(
        status_of(f, "DELETE", "/api/config/dns/hosts/192.0.2.9%20nas.home.arpa", NULL), 204);
    assert_int_equal(
        status_of(f, "DELETE", "/api/config/dns/hosts/192.0.2.9%20nas.home.arpa", NULL), 404);
}

static void records_of_any_type_are_kept(void **state)
{
    struct api_fixture *f = *state;
    struct answer a =
        api_send(f, "POST", "/api/sinkhole/records", "{\"record\":\"home.arpa TXT \\\"a b\\\"\"}");
    assert_int_equal(a.status, 201);
    assert_string_equal(text(&a, "records.0"), "home.arpa TXT \"a b\"");
    assert_string_equal(text(&a, "processed.success.0.item"), "home.arpa TXT \"a b\"");
    answer_free(&a);
    assert_int_equal(f->applied_parts, RULES_LOCAL);
    a = api_send(f, "POST", "/api/sinkhole/records", "{\"record\":\"home.arpa MX mail\"}");
    assert_int_equal(a.status, 400);
    assert_string_equal(text(&a, "error.hint"), "expected a number from 0 to 65535");
    answer_free(&a);
    a = api_send(f, "POST", "/api/sinkhole/records",
                 "{\"record\":[\"*.home.arpa A 192.0.2.9\",\"home.arpa TXT \\\"a b\\\"\","
                 "\"_ipp._tcp.home.arpa SRV 0 5 631 printer.home.arpa\"]}");
    assert_int_equal(a.status, 201);
    assert_string_equal(text(&a, "records.2"), "_ipp._tcp.home.arpa SRV 0 5 631 printer.home.arpa");
    assert_string_equal(text(&a, "processed.errors.0.error"), "it is there already");
    answer_free(&a);
    assert_int_equal(
        status_of(f, "DELETE", "/api/sinkhole/records/home.arpa%20TXT%20%22a%20b%22", NULL), 204);
    assert_int_equal(
        status_of(f, "DELETE", "/api/sinkhole/records/home.arpa%20TXT%20%22a%20b%22", NULL), 404);
    assert_int_equal(count(f, "/api/sinkhole/records", "records"), 2);
}

static void deep_bodies_are_not_parsed(void **state)
{
    struct api_fixture *f = *state;
    enum { DEEP = 100000 };
    char *body = malloc(DEEP + 1);
    memset(body, '[', DEEP);
    body[DEEP] = '\0';
    static const char *const targets[] = {"/api/auth", "/api/dns/blocking",
                                          "/api/domains/deny/exact", "/api/domains:batchDelete"};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        assert_int_equal(status_of(f, "POST", targets[i], body), 400);
    }
    assert_int_equal(status_of(f, "PUT", "/api/sinkhole/rules", body), 400);
    assert_int_equal(status_of(f, "GET", "/api/stats/summary", body),
                     200); /* it has no say there */
    free(body);
}

static void backup_and_restore(void **state)
{
    struct api_fixture *f = *state;
    assert_int_equal(
        status_of(f, "POST", "/api/domains/deny/exact", "{\"domain\":\"ads.example\"}"), 201);
    struct answer backup = api_get(f, "/api/sinkhole/rules");
    assert_int_equal(backup.status, 200);
    assert_int_equal(status_of(f, "DELETE", "/api/domains/deny/exact/ads.example", NULL), 204);
    assert_int_equal(status_of(f, "PUT", "/api/sinkhole/rules", backup.text),
                     200); /* with its "took" */
    answer_free(&backup);
    assert_int_equal(f->applied_parts, RULES_ALL);
    assert_int_equal(count(f, "/api/domains", "domains"), 1);
    struct answer a = api_send(f, "PUT", "/api/sinkhole/rules", "{\"version\":1,\"own\":[{}]}");
    assert_int_equal(a.status, 400);
    assert_string_equal(text(&a, "error.hint"), "own[0].id: is missing");
    answer_free(&a);
    assert_int_equal(status_of(f, "PUT", "/api/sinkhole/rules", "[]"), 400);
    assert_int_equal(count(f, "/api/domains", "domains"), 1);
}

static void settings_are_kept_and_taken_back(void **state)
{
    struct api_fixture *f = *state;
    struct answer a = api_send(f, "PUT", "/api/sinkhole/settings",
                               "{\"settings\":{\"block-mode\":\"nxdomain\",\"block-ttl\":\"5s\"}}");
    assert_int_equal(a.status, 200);
    assert_string_equal(text(&a, "settings.block-mode"), "nxdomain");
    answer_free(&a);
    assert_int_equal(f->applied_parts, RULES_SETTINGS);
    assert_int_equal(status_of(f, "PUT", "/api/sinkhole/settings",
                               "{\"settings\":{\"block-mode\":null,\"never-was\":null}}"),
                     200);
    a = api_get(f, "/api/sinkhole/settings");
    assert_int_equal(json_object_size(json_at_path(a.json, "settings")), 1);
    answer_free(&a);
    assert_int_equal(
        status_of(f, "PUT", "/api/sinkhole/settings", "{\"settings\":{\"block-ttl\":5}}"), 400);
    assert_int_equal(
        status_of(f, "PUT", "/api/sinkhole/settings", "{\"settings\":{\"Bad\":\"x\"}}"), 400);
    assert_int_equal(status_of(f, "PUT", "/api/sinkhole/settings", "{}"), 400);
    const char *const refused[] = {"{\"settings\":{\"no-such-option\":\"x\"}}",
                                   "{\"settings\":{\"hosts-file\":\"/etc/shadow\"}}",
                                   "{\"settings\":{\"list\":\"/etc/shadow\"}}"};
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        assert_int_equal(status_of(f, "PUT", "/api/sinkhole/settings", refused[i]), 400);
    }
    f->apply_result = ERR_RANGE; /* the platform knows the option and refuses the value */
    assert_int_equal(
        status_of(f, "PUT", "/api/sinkhole/settings", "{\"settings\":{\"block-ttl\":\"x\"}}"), 400);
}

static void actions_reach_the_platform(void **state)
{
    struct api_fixture *f = *state;
    assert_int_equal(status_of(f, "POST", "/api/sinkhole/flush", NULL), 200);
    assert_int_equal(status_of(f, "POST", "/api/action/restartdns", NULL), 200);
    assert_int_equal(f->flushes + f->reloads, 2);
    f->backend.reload = NULL;
    assert_int_equal(status_of(f, "POST", "/api/action/restartdns", NULL), 501);
}

static void log_levels_are_read_and_set(void **state)
{
    struct api_fixture *f = *state;
    log_set_level_all(LOG_LEVEL_INFO);
    struct answer a =
        api_send(f, "PUT", "/api/sinkhole/log", "{\"levels\":{\"resolver\":\"debug\"}}");
    assert_int_equal(a.status, 200);
    assert_string_equal(text(&a, "levels.resolver"), "debug");
    assert_string_equal(text(&a, "levels.main"), "info");
    answer_free(&a);
    assert_int_equal(log_get_level(LOG_AREA_RESOLVER), LOG_LEVEL_DEBUG);
    /* All or nothing. */
    assert_int_equal(status_of(f, "PUT", "/api/sinkhole/log",
                               "{\"levels\":{\"main\":\"debug\",\"http\":\"loud\"}}"),
                     400);
    assert_int_equal(status_of(f, "PUT", "/api/sinkhole/log",
                               "{\"levels\":{\"main\":\"debug\",\"cellar\":\"debug\"}}"),
                     400);
    assert_int_equal(log_get_level(LOG_AREA_MAIN), LOG_LEVEL_INFO);
    log_set_level_all(LOG_LEVEL_INFO);
}

static void keys_are_made_listed_and_revoked(void **state)
{
    struct api_fixture *f = *state;
    struct answer a =
        api_send(f, "POST", "/api/sinkhole/keys", "{\"name\":\"grafana\",\"read_only\":true}");
    assert_int_equal(a.status, 201);
    assert_string_equal(text(&a, "key.secret"), "shk-100-secret");
    answer_free(&a);
    a = api_get(f, "/api/sinkhole/keys");
    assert_string_equal(text(&a, "keys.0.name"), "grafana");
    assert_true(json_is_true(json_at_path(a.json, "keys.0.read_only")));
    assert_null(strstr(a.text, "secret"));
    answer_free(&a);
    assert_int_equal(status_of(f, "POST", "/api/sinkhole/keys", "{\"name\":\"a:b\"}"), 400);
    assert_int_equal(status_of(f, "DELETE", "/api/sinkhole/keys/100", NULL), 204);
    assert_int_equal(status_of(f, "DELETE", "/api/sinkhole/keys/100", NULL), 404);
    assert_int_equal(status_of(f, "DELETE", "/api/sinkhole/keys/x", NULL), 404);
    assert_int_equal(status_of(f, "GET", "/api/auth", NULL), 200); /* the owner stays */
    f->backend.key_new = NULL;
    assert_int_equal(status_of(f, "POST", "/api/sinkhole/keys", "{}"), 501);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, api_fixture_setup, api_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pause_with_timer_ends_by_itself),
        TEST(pause_without_timer_lasts),
        TEST(fractions_of_a_second_are_not_for_ever),
        TEST(bad_pauses_are_refused),
        TEST(resuming_what_runs_writes_nothing),
        TEST(a_pause_ignores_the_wall_clock),
        TEST(what_cannot_be_stored_does_not_happen),
        TEST(a_rule_lives_and_dies),
        TEST(several_at_once_are_told_one_by_one),
        TEST(one_bad_or_double_rule_is_told),
        TEST(subtrees_are_written_as_clients_do),
        TEST(a_rule_for_one_client_is_told_from_that_for_all),
        TEST(timed_rules_go_by_themselves),
        TEST(batches_delete_what_exists),
        TEST(thousands_of_rules_are_streamed),
        TEST(lists_are_added_switched_and_removed),
        TEST(lists_of_the_configuration_stay),
        TEST(list_addresses_are_not_files),
        TEST(a_list_shows_what_it_did),
        TEST(an_update_that_is_held_back_is_shown),
        TEST(the_guard_is_switched_off_for_a_list),
        TEST(groups_and_clients_are_kept),
        TEST(groups_are_treated_and_paused),
        TEST(local_records_are_kept),
        TEST(records_of_any_type_are_kept),
        TEST(deep_bodies_are_not_parsed),
        TEST(backup_and_restore),
        TEST(settings_are_kept_and_taken_back),
        TEST(actions_reach_the_platform),
        TEST(log_levels_are_read_and_set),
        TEST(keys_are_made_listed_and_revoked),
    };
    return UNIT_RUN(tests);
}
