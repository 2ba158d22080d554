/* The rules document: what is accepted, what is refused and how that is told, what comes back. */
#include <stdio.h>
#include <stdlib.h>

#include "api/rules_int.h"
#include "api/rules_snapshot.h"
#include "base/arena.h"
#include "base/log.h"
#include "blocklist/rule.h"
#include "resolver/local.h"
#include "unit.h"

static enum err parse(struct rules *r, const char *text, char what[256])
{
    what[0] = '\0';
    return rules_parse(r, span_str(text), what, 256);
}

static int keep(const char *text, size_t len, void *arg)
{
    struct strbuf *s = arg;
    strbuf_bytes(s, text, len);
    return 0;
}

static const char *print(const struct rules *r)
{
    static char text[65536];
    struct strbuf s;
    strbuf_init(&s, text, sizeof text);
    assert_int_equal(rules_print(r, keep, &s), ERR_OK);
    assert_false(s.truncated);
    return text;
}

static void empty_document_has_all_sections(void **state)
{
    (void)state;
    struct rules r = {0};
    char what[256];
    assert_int_equal(rules_clear(&r), ERR_OK);
    assert_int_equal(rules_own_count(&r) + rules_list_count(&r) + rules_group_count(&r) +
                         rules_client_count(&r),
                     0);
    assert_null(rules_local_at(&r, RULES_HOSTS, 0));
    assert_int_equal(rules_pause_until(&r, 5, 5), 0);
    assert_int_equal(rules_next_end(&r), 0);
    struct rules again = {0};
    assert_int_equal(parse(&again, print(&r), what), ERR_OK);
    assert_true(json_equal(r.doc, again.doc));
    rules_free(&r);
    rules_free(&again);
}

static void what_may_be_left_out_is_filled_in(void **state)
{
    (void)state;
    struct rules r = {0};
    struct rule_view v;
    struct list_view l;
    char what[256];
    assert_int_equal(parse(&r,
                           "{\"version\":1,\"own\":[{\"id\":3,\"type\":\"deny\",\"kind\":\"exact\","
                           "\"domain\":\"ADS.Example.\"}],"
                           "\"lists\":[{\"url\":\"https://x.example/"
                           "l\",\"type\":\"block\",\"configured\":false}]}",
                           what),
                     ERR_OK);
    assert_true(rules_own_at(&r, 0, &v));
    assert_int_equal(v.id, 3);
    assert_false(v.allow);
    assert_int_equal(v.kind, RULE_EXACT);
    assert_string_equal(v.domain, "ads.example");
    assert_string_equal(v.written, "ads.example");
    assert_null(v.comment);
    assert_true(v.enabled);
    assert_int_equal(v.until_unix, 0);
    assert_null(v.client);
    assert_int_equal(json_array_size(v.groups), 1);
    assert_true(rules_own_active(&v, 1000));
    assert_false(rules_own_at(&r, 1, &v));
    assert_true(rules_list_at(&r, 0, &l));
    assert_true(l.enabled);
    assert_int_equal(l.id, rules_list_id("https://x.example/l", false));
    assert_int_not_equal(l.id, rules_list_id("https://x.example/l", true));
    rules_free(&r);
}

static void kinds_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *domain;
        enum rule_kind is;
        const char *name;
        bool active;
    } rows[] = {
        {"exact", "ads.example", RULE_EXACT, "ads.example", true},
        {"subtree", "Ads.example", RULE_SUBTREE, "ads.example", true},
        {"regex", "(\\\\.|^)ads\\\\.example$", RULE_SUBTREE, "ads.example", true},
        {"regex", "(^|\\\\.)a-b_c\\\\.example$", RULE_SUBTREE, "a-b_c.example", true},
        {"regex", "(\\\\.|^)example$", RULE_SUBTREE, "example", true},
        {"regex", "^ad[0-9]+\\\\.", RULE_REGEX, "^ad[0-9]+\\.", true},
        {"regex", "(\\\\.|^)ads.example$", RULE_REGEX, "(\\.|^)ads.example$",
         true}, /* a bare dot is any character */
        {"regex", "(\\\\.|^)ads\\\\.example", RULE_REGEX, "(\\.|^)ads\\.example", true},
        {"regex", "(\\\\.|^)\\\\.example$", RULE_REGEX, "(\\.|^)\\.example$", true},
        {"regex", "(\\\\.|^)ads\\\\.$", RULE_REGEX, "(\\.|^)ads\\.$", true},
        {"regex", "(\\\\.|^)$", RULE_REGEX, "(\\.|^)$", true},
        {"regex", "x(\\\\.|^)ads\\\\.example$", RULE_REGEX, "x(\\.|^)ads\\.example$", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rules r = {0};
        struct rule_view v;
        char text[512], what[256];
        snprintf(text, sizeof text,
                 "{\"version\":1,\"own\":[{\"id\":1,\"type\":\"allow\",\"kind\":\"%s\",\"domain\":"
                 "\"%s\"}]}",
                 rows[i].kind, rows[i].domain);
        if (parse(&r, text, what) != ERR_OK || !rules_own_at(&r, 0, &v)) {
            fail_msg("%s: %s", rows[i].domain, what);
        }
        if (v.kind != rows[i].is || strcmp(v.domain, rows[i].name) != 0 ||
            rules_own_active(&v, 1) != rows[i].active) {
            fail_msg("%s: kind %d, %s", rows[i].domain, v.kind, v.domain);
        }
        assert_int_equal(v.regex_form, strcmp(rows[i].kind, "regex") == 0);
        rules_free(&r);
    }
}

#define OWN(fields)                                                                          \
    "{\"version\":1,\"own\":[{\"id\":1,\"type\":\"deny\",\"kind\":\"exact\",\"domain\":\"a." \
    "example\"" fields "}]}"

static void errors_name_the_field(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err e;
        const char *what;
    } rows[] = {
        {"", ERR_FORMAT, "line 1: "},
        {"{", ERR_FORMAT, "line 1: "},
        {"{\"version\":1}x", ERR_FORMAT, "line 1: "},
        {"[]", ERR_FORMAT, "version: "},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", ERR_FORMAT, "more than 32 values within values"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", ERR_FORMAT, "line 1: "},
        {"{\"version\":1,\"hosts\":[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"{{{\"]}", ERR_FORMAT,
         "hosts[0]: expected ADDRESS"},
        {"{}", ERR_FORMAT, "version: "},
        {"{\"version\":\"1\"}", ERR_FORMAT, "version: "},
        {"{\"version\":2}", ERR_VERSION, "version: 2, expected 1"},
        {"{\"version\":1,\"version\":1}", ERR_FORMAT, "line 1: duplicate"},
        {"{\"version\":1,\"ovn\":[]}", ERR_FORMAT, "ovn: a field that is not known"},
        {"{\"version\":1,\"own\":{}}", ERR_FORMAT, "own: expected an array"},
        {"{\"version\":1,\"own\":[1]}", ERR_FORMAT, "own[0]: expected an object"},
        {"{\"version\":1,\"own\":[{}]}", ERR_FORMAT, "own[0].id: is missing"},
        {OWN(",\"enbled\":false"), ERR_FORMAT, "own[0]: a field that is not known"},
        {OWN(",\"enabled\":1"), ERR_FORMAT, "own[0].enabled: expected true or false"},
        {OWN(",\"added\":-1"), ERR_FORMAT, "own[0].added: expected a time"},
        {OWN(",\"added\":99999999999"), ERR_FORMAT, "own[0].added: expected a time"},
        {OWN(",\"until\":1.5"), ERR_FORMAT, "own[0].until: expected a time"},
        {OWN(",\"comment\":5"), ERR_FORMAT, "own[0].comment: expected a text"},
        {OWN(",\"client\":\"192.0.2.300\""), ERR_FORMAT,
         "own[0].client: not an IP address or prefix, hardware"},
        {OWN(",\"groups\":0"), ERR_FORMAT, "own[0].groups: expected an array"},
        {OWN(",\"groups\":[-1]"), ERR_FORMAT, "own[0].groups: expected an array"},
        {"{\"version\":1,\"own\":[{\"id\":1,\"type\":\"block\",\"kind\":\"exact\",\"domain\":\"a\"}"
         "]}",
         ERR_FORMAT, "own[0].type: not one of"},
        {"{\"version\":1,\"own\":[{\"id\":1,\"type\":\"deny\",\"kind\":\"glob\",\"domain\":\"a\"}]"
         "}",
         ERR_FORMAT, "own[0].kind: not one of"},
        {"{\"version\":1,\"own\":[{\"id\":4294967296,\"type\":\"deny\",\"kind\":\"exact\","
         "\"domain\":\"a\"}]}",
         ERR_FORMAT, "own[0].id: expected a number"},
        {"{\"version\":1,\"own\":[{\"id\":1,\"type\":\"deny\",\"kind\":\"exact\",\"domain\":\"a.."
         "b\"}]}",
         ERR_FORMAT, "own[0].domain: not a domain name"},
        {"{\"version\":1,\"own\":[{\"id\":1,\"type\":\"deny\",\"kind\":\"exact\",\"domain\":\".\"}]"
         "}",
         ERR_FORMAT, "own[0].domain: not a domain name"},
        {"{\"version\":1,\"own\":[{\"id\":1,\"type\":\"deny\",\"kind\":\"exact\",\"domain\":\"a "
         "b\"}]}",
         ERR_FORMAT, "own[0].domain: not a domain name"},
        {"{\"version\":1,\"own\":[{\"id\":1,\"type\":\"deny\",\"kind\":\"exact\",\"domain\":"
         "\"b\\u00fccher.example\"}]}",
         ERR_FORMAT, "own[0].domain: write an international name"},
        {"{\"version\":1,\"own\":[{\"id\":1,\"type\":\"deny\",\"kind\":\"regex\",\"domain\":\"\"}]"
         "}",
         ERR_FORMAT, "own[0].domain: an empty regular expression"},
        {"{\"version\":1,\"own\":[{\"id\":1,\"type\":\"deny\",\"kind\":\"regex\",\"domain\":"
         "\"a\\nb\"}]}",
         ERR_FORMAT, "own[0].domain: control characters"},
        {"{\"version\":1,\"lists\":[{\"url\":\"\",\"type\":\"block\",\"configured\":true}]}",
         ERR_FORMAT, "lists[0].url: not an address"},
        {"{\"version\":1,\"lists\":[{\"url\":\"https://u:p@x.example/"
         "\",\"type\":\"block\",\"configured\":true}]}",
         ERR_FORMAT, "lists[0].url: a user name"},
        {"{\"version\":1,\"lists\":[{\"url\":\"http://"
         "x\\u0001\",\"type\":\"block\",\"configured\":true}]}",
         ERR_FORMAT, "lists[0].url: not an address"},
        {"{\"version\":1,\"lists\":[{\"url\":\"x\",\"type\":\"deny\",\"configured\":true}]}",
         ERR_FORMAT, "lists[0].type: not one of"},
        {"{\"version\":1,\"lists\":[{\"url\":\"x\",\"type\":\"block\"}]}", ERR_FORMAT,
         "lists[0].configured: is missing"},
        {"{\"version\":1,\"groups\":[{\"id\":1,\"name\":\"\"}]}", ERR_FORMAT,
         "groups[0].name: expected a name"},
        {"{\"version\":1,\"clients\":[{\"id\":1,\"client\":\"a\\u0007\"}]}", ERR_FORMAT,
         "clients[0].client: expected"},
        {"{\"version\":1,\"hosts\":[5]}", ERR_FORMAT, "hosts[0]: expected a text"},
        {"{\"version\":1,\"hosts\":[\"192.0.2.1 nas.home.arpa\",\"192.0.2.1\"]}", ERR_FORMAT,
         "hosts[1]: expected ADDRESS NAME"},
        {"{\"version\":1,\"hosts\":[\"192.0.2.300 nas\"]}", ERR_FORMAT,
         "hosts[0]: expected ADDRESS NAME"},
        {"{\"version\":1,\"hosts\":[\"192.0.2.1 a..b\"]}", ERR_FORMAT,
         "hosts[0]: not a domain name"},
        {"{\"version\":1,\"cnames\":[\"a.example\"]}", ERR_FORMAT,
         "cnames[0]: expected ALIAS,TARGET"},
        {"{\"version\":1,\"records\":[\"a.example TXT x\",\"a.example MX x\"]}", ERR_FORMAT,
         "records[1]: expected a number from 0 to 65535"},
        {"{\"version\":1,\"records\":[\"a.example TXT \\u0001\"]}", ERR_FORMAT,
         "records[0]: expected at most 2048 octets"},
        {"{\"version\":1,\"cnames\":[\"a.example,b.example,x\"]}", ERR_FORMAT,
         "cnames[0]: expected ALIAS,TARGET"},
        {"{\"version\":1,\"cnames\":[\"a.example,\"]}", ERR_FORMAT,
         "cnames[0]: expected ALIAS,TARGET"},
        {"{\"version\":1,\"pause\":5}", ERR_FORMAT, "pause: expected"},
        {"{\"version\":1,\"pause\":{\"until\":-1}}", ERR_FORMAT, "pause: expected"},
        {"{\"version\":1,\"pause\":{\"until\":1,\"x\":1}}", ERR_FORMAT, "pause: expected"},
        {"{\"version\":1,\"settings\":[]}", ERR_FORMAT, "settings: expected an object"},
        {"{\"version\":1,\"settings\":{\"block-ttl\":5}}", ERR_FORMAT,
         "settings.block-ttl: expected a text"},
        {"{\"version\":1,\"settings\":{\"Bad Name\":\"x\"}}", ERR_FORMAT,
         "settings.Bad Name: not the name"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rules r = {0};
        char what[256];
        enum err e = parse(&r, rows[i].text, what);
        if (e != rows[i].e || strncmp(what, rows[i].what, strlen(rows[i].what)) != 0) {
            fail_msg("%s: %s, \"%s\"", rows[i].text, err_text(e), what);
        }
        assert_null(r.doc);
    }
}

static void a_bad_document_leaves_the_old_one(void **state)
{
    (void)state;
    struct rules r = {0};
    char what[256];
    assert_int_equal(parse(&r, OWN(""), what), ERR_OK);
    assert_int_equal(parse(&r, OWN(",\"x\":1"), what), ERR_FORMAT);
    assert_int_equal(rules_own_count(&r), 1);
    rules_free(&r);
}

static void good_values_are_accepted(void **state)
{
    (void)state;
    struct rules r = {0};
    const char *name, *value;
    char what[256];
    assert_int_equal(parse(&r,
                           "{\"version\":1,\"took\":0.1,\"own\":[{\"id\":1,\"type\":\"deny\","
                           "\"kind\":\"exact\",\"domain\":\"_dmarc.xn--bcher-kva.example\","
                           "\"comment\":\"\\u00fc <b> "
                           "\\\"\",\"client\":\"192.0.2.0/24\",\"groups\":[0,2],\"until\":50}],"
                           "\"hosts\":[\"2001:db8::1 "
                           "nas.home.arpa\"],\"cnames\":[\"www.home.arpa,nas.home.arpa\",\"x.home."
                           "arpa,nas.home.arpa,300\"],"
                           "\"groups\":[{\"id\":1,\"name\":\"Kids\"}],\"clients\":[{\"id\":1,"
                           "\"client\":\"aa:bb:cc:dd:ee:ff\"}],"
                           "\"pause\":{\"until\":0},\"settings\":{\"block-mode\":\"nxdomain\"}}",
                           what),
                     ERR_OK);
    assert_string_equal(rules_local_at(&r, RULES_HOSTS, 0), "2001:db8::1 nas.home.arpa");
    assert_string_equal(rules_local_at(&r, RULES_CNAMES, 1), "x.home.arpa,nas.home.arpa,300");
    assert_null(rules_local_at(&r, RULES_CNAMES, 2));
    assert_true(rules_setting_at(&r, 0, &name, &value));
    assert_string_equal(name, "block-mode");
    assert_string_equal(value, "nxdomain");
    assert_false(rules_setting_at(&r, 1, &name, &value));
    assert_int_equal(rules_next_end(&r), 50);
    assert_int_equal(rules_pause_until(&r, 100, 5), USEC_NEVER);
    assert_null(json_object_get(r.doc, "took"));
    struct rules again = {0};
    assert_int_equal(parse(&again, print(&r), what), ERR_OK);
    assert_true(json_equal(r.doc, again.doc));
    rules_free(&again);
    rules_free(&r);
}

static void pause_is_counted_from_wall_time(void **state)
{
    (void)state;
    struct rules r = {0};
    assert_int_equal(rules_clear(&r), ERR_OK);
    assert_int_equal(rules_set_pause(&r, 1800001100), ERR_OK);
    assert_int_equal(rules_pause_until(&r, 7, 1800001000), 7 + 100 * USEC_PER_SEC);
    assert_int_equal(rules_pause_until(&r, 7, 1000), 0); /* a clock that was never set */
    assert_int_equal(rules_pause_until(&r, 7, 1800001100), 0);
    assert_int_equal(rules_set_pause(&r, 0), ERR_OK);
    assert_true(rules_pause_until(&r, 7, 1100) == USEC_NEVER);
    assert_int_equal(rules_set_pause(&r, -1), ERR_OK);
    assert_int_equal(rules_pause_until(&r, 7, 1000), 0);
    rules_free(&r);
}

static void own_rules_are_added_found_and_removed(void **state)
{
    (void)state;
    struct rules r = {0};
    const char *why = NULL;
    uint32_t index = 99;
    struct rule_view v;
    const struct rule_edit plain = {.enabled = true};
    assert_int_equal(rules_clear(&r), ERR_OK);
    const struct rule_key key = {.text = "ADS.example."};
    assert_int_equal(rules_own_add(&r, &key, &plain, 100, &why), ERR_OK);
    assert_int_equal(rules_own_add(&r, &key, &plain, 100, &why), ERR_EXISTS);
    assert_int_equal(rules_own_find(&r, &(struct rule_key){.text = "ads.EXAMPLE"}, &index), ERR_OK);
    assert_int_equal(index, 0);
    assert_int_equal(
        rules_own_find(&r, &(struct rule_key){.text = "ads.example", .allow = true}, &index),
        ERR_NOT_FOUND);
    assert_int_equal(
        rules_own_find(&r, &(struct rule_key){.text = "ads.example", .regex = true}, &index),
        ERR_NOT_FOUND);
    assert_int_equal(
        rules_own_find(&r, &(struct rule_key){.text = "ads.example", .client = "192.0.2.1"},
                       &index),
        ERR_NOT_FOUND);
    /* The same name for a client is another rule. */
    assert_int_equal(rules_own_add(&r,
                                   &(struct rule_key){.text = "ads.example", .client = "192.0.2.1"},
                                   &plain, 100, &why),
                     ERR_OK);
    assert_int_equal(
        rules_own_add(
            &r, &(struct rule_key){.text = "(\\.|^)x\\.example$", .regex = true, .allow = true},
            &plain, 100, &why),
        ERR_OK);
    assert_true(rules_own_at(&r, 2, &v));
    assert_int_equal(v.kind, RULE_SUBTREE);
    assert_string_equal(v.domain, "x.example");
    assert_int_equal(v.id, 3);
    assert_int_equal(v.added_unix, 100);
    assert_true(rules_own_at(&r, 1, &v));
    assert_true(rules_own_active(&v, 100));
    assert_string_equal(v.client, "192.0.2.1");

    const struct rule_edit edit = {.comment = "because", .enabled = false, .until_unix = 500};
    assert_int_equal(rules_own_set(&r, 0, &edit, 200), ERR_OK);
    assert_true(rules_own_at(&r, 0, &v));
    assert_string_equal(v.comment, "because");
    assert_false(v.enabled);
    assert_int_equal(v.modified_unix, 200);
    assert_int_equal(v.added_unix, 100);
    assert_int_equal(rules_own_set(&r, 9, &edit, 200), ERR_NOT_FOUND);

    assert_int_equal(rules_own_expire(&r, 499), 0);
    assert_int_equal(rules_own_expire(&r, 500), 1);
    assert_int_equal(rules_own_count(&r), 2);
    rules_own_remove(&r, 0);
    assert_int_equal(rules_own_count(&r), 1);
    /* Numbers are not given twice while the rule with the highest one is there. */
    assert_int_equal(rules_own_add(&r, &key, &plain, 100, &why), ERR_OK);
    assert_true(rules_own_at(&r, 1, &v));
    assert_int_equal(v.id, 4);
    rules_free(&r);
}

static void bad_edits_change_nothing(void **state)
{
    (void)state;
    struct rules r = {0};
    const char *why = NULL;
    char comment[RULES_COMMENT_MAX + 2], pattern[BL_PATTERN_MAX + 2];
    json_t *groups = json_string("x");
    memset(comment, 'c', sizeof comment - 1);
    comment[sizeof comment - 1] = '\0';
    memset(pattern, 'p', sizeof pattern - 1);
    pattern[sizeof pattern - 1] = '\0';
    assert_int_equal(rules_clear(&r), ERR_OK);
    struct rules before = {0};
    assert_int_equal(rules_copy(&before, &r), ERR_OK);
    const struct {
        struct rule_key key;
        struct rule_edit edit;
    } rows[] = {
        {{.text = ""}, {0}},
        {{.text = "a..b"}, {0}},
        {{.text = "."}, {0}},
        {{.text = "*.example"}, {0}},
        {{.text = "", .regex = true}, {0}},
        {{.text = pattern, .regex = true}, {0}},
        {{.text = "a.example", .client = "a b"}, {0}},
        {{.text = "a.example"}, {.comment = comment}},
        {{.text = "a.example"}, {.groups = groups}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum err e = rules_own_add(&r, &rows[i].key, &rows[i].edit, 1, &why);
        if (e != ERR_FORMAT || !why) {
            fail_msg("row %zu: %s", i, err_text(e));
        }
    }
    assert_true(json_equal(r.doc, before.doc));
    json_decref(groups);
    rules_free(&before);
    rules_free(&r);
}

static void sections_are_bounded(void **state)
{
    (void)state;
    struct rules r = {0};
    const char *why = NULL;
    const struct rule_edit plain = {.enabled = true};
    enum err e = ERR_OK;
    uint32_t n = 0;
    assert_int_equal(rules_clear(&r), ERR_OK);
    for (; e == ERR_OK; n++) {
        char name[32];
        snprintf(name, sizeof name, "g%u", n);
        e = rules_group_add(&r, name, NULL, true, 1, &why);
    }
    assert_int_equal(e, ERR_LIMIT);
    assert_int_equal(n - 1, RULES_GROUPS_MAX);
    for (e = ERR_OK, n = 0; e == ERR_OK; n++) {
        char url[64];
        snprintf(url, sizeof url, "https://x.example/%u", n);
        e = rules_list_add(&r, url, false, false, NULL, true, NULL, 1, &why);
    }
    assert_int_equal(e, ERR_LIMIT);
    assert_int_equal(n - 1, RULES_LISTS_MAX);
    (void)plain;
    rules_free(&r);
}

static void other_sections_are_edited(void **state)
{
    (void)state;
    struct rules r = {0};
    const char *why = NULL;
    uint32_t index;
    struct list_view l;
    struct group_view g;
    struct client_view c;
    assert_int_equal(rules_clear(&r), ERR_OK);
    assert_int_equal(
        rules_list_add(&r, "https://x.example/l", true, true, "c", false, NULL, 5, &why), ERR_OK);
    assert_int_equal(
        rules_list_add(&r, "https://x.example/l", true, true, NULL, true, NULL, 5, &why),
        ERR_EXISTS);
    assert_int_equal(rules_list_find(&r, "https://x.example/l", false, &index), ERR_NOT_FOUND);
    assert_int_equal(rules_list_find(&r, "https://x.example/l", true, &index), ERR_OK);
    assert_int_equal(rules_list_set(&r, index, NULL, true, NULL, 6), ERR_OK);
    assert_true(rules_list_at(&r, 0, &l) && l.enabled && l.configured && l.allow && !l.comment);
    assert_int_equal(l.modified_unix, 6);
    rules_list_remove(&r, 0);
    assert_int_equal(rules_list_count(&r), 0);

    assert_int_equal(rules_group_add(&r, "Default", NULL, true, 1, &why), ERR_EXISTS);
    assert_int_equal(rules_group_add(&r, "Kids", NULL, true, 1, &why), ERR_OK);
    assert_int_equal(rules_group_add(&r, "TV", NULL, true, 1, &why), ERR_OK);
    assert_int_equal(rules_group_set(&r, 0, "TV", NULL, true, 1, &why), ERR_EXISTS);
    assert_int_equal(rules_group_set(&r, 0, "Children", "x", false, 2, &why), ERR_OK);
    assert_true(rules_group_at(&r, 0, &g));
    assert_string_equal(g.name, "Children");
    assert_int_equal(g.id, 1);

    assert_int_equal(rules_client_add(&r, "192.0.2.1", "tv", NULL, 1, &why), ERR_OK);
    assert_int_equal(rules_client_find(&r, "192.0.2.1", &index), ERR_OK);
    json_t *groups = json_pack("[i, i]", 0, 2);
    assert_int_equal(rules_client_set(&r, index, NULL, groups, 3), ERR_OK);
    json_decref(groups);
    assert_true(rules_client_at(&r, 0, &c));
    assert_int_equal(json_array_size(c.groups), 2);

    assert_int_equal(rules_local_add(&r, RULES_HOSTS, "192.0.2.9 nas.home.arpa", &why), ERR_OK);
    assert_int_equal(rules_local_add(&r, RULES_HOSTS, "192.0.2.9 nas.home.arpa", &why), ERR_EXISTS);
    assert_int_equal(rules_local_add(&r, RULES_HOSTS, "nas.home.arpa", &why), ERR_FORMAT);
    assert_int_equal(rules_local_add(&r, RULES_CNAMES, "a.home.arpa,nas.home.arpa", &why), ERR_OK);
    assert_int_equal(rules_local_remove(&r, RULES_CNAMES, "192.0.2.9 nas.home.arpa"),
                     ERR_NOT_FOUND);
    assert_int_equal(rules_local_remove(&r, RULES_HOSTS, "192.0.2.9 nas.home.arpa"), ERR_OK);
    assert_null(rules_local_at(&r, RULES_HOSTS, 0));

    assert_int_equal(rules_set_setting(&r, "block-ttl", "10s", &why), ERR_OK);
    assert_int_equal(rules_set_setting(&r, "Block TTL", "10s", &why), ERR_FORMAT);
    assert_int_equal(rules_set_setting(&r, "block-ttl", NULL, &why), ERR_OK);
    assert_int_equal(rules_set_setting(&r, "block-ttl", NULL, &why), ERR_NOT_FOUND);
    rules_free(&r);
}

static char last_warning[LOG_LINE_MAX];
static unsigned warnings;

static void keep_warning(enum log_area area, enum log_level level, const char *line)
{
    (void)area;
    if (level == LOG_LEVEL_WARNING) {
        snprintf(last_warning, sizeof last_warning, "%s", line);
        warnings++;
    }
}

/* Local names go into a table; what has no room in it is told, one by one. */
static void local_records_without_room_are_told(void **state)
{
    (void)state;
    static const struct {
        uint32_t room, taken;
        unsigned told;
        const char *last;
    } rows[] = {
        {16, 5, 0, ""}, /* an address has its reverse name */
        {4, 4, 1, "record \"home.arpa 60 MX 10 nas.home.arpa\""},
        {3, 3, 2, "record"},
        {1, 1, 4, "record"},
    };
    struct rules r = {0};
    char what[256];
    assert_int_equal(parse(&r,
                           "{\"version\":1,\"hosts\":[\"192.0.2.9 nas.home.arpa\"],"
                           "\"cnames\":[\"www.home.arpa,nas.home.arpa\","
                           "\"x.home.arpa,nas.home.arpa,300\"],"
                           "\"records\":[\"home.arpa 60 MX 10 nas.home.arpa\"]}",
                           what),
                     ERR_OK);
    assert_true(rules_local_bound(&r) >= 5);
    log_set_sink(keep_warning);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        static uint8_t room[1 << 16];
        struct arena arena;
        const struct local_records *table;
        warnings = 0;
        last_warning[0] = '\0';
        arena_init(&arena, room, sizeof room);
        struct local_builder *b = local_builder_new(&arena, rows[i].room);
        assert_non_null(b);
        rules_local_fill(&r, b, NULL, 30);
        assert_int_equal(local_build(b, &table), ERR_OK);
        if (local_count(table) != rows[i].taken || warnings != rows[i].told ||
            !strstr(last_warning, rows[i].last)) {
            fail_msg("room for %u: %u taken, %u told, %s", rows[i].room, local_count(table),
                     warnings, last_warning);
        }
    }
    log_set_sink(NULL);
    rules_free(&r);
}

/* Each allocation of the parser and of the check fails in turn. */
static unsigned long allocations, fails_at;

static void *failing_malloc(size_t size)
{
    return ++allocations == fails_at ? NULL : malloc(size);
}

static char *text_of(const struct rules *r)
{
    return json_dumps(r->doc, JSON_INDENT(2));
}

static void no_memory_is_never_taken_for_damage_or_for_another_text(void **state)
{
    (void)state;
    static const char doc[] =
        "{\"version\": 1, \"own\": [{\"id\": 1, \"type\": \"deny\", \"kind\": \"exact\", "
        "\"domain\": "
        "\"a-name-of-more-than-sixteen-octets.example\"},"
        "{\"id\": 2, \"type\": \"allow\", \"kind\": \"regex\", \"domain\": "
        "\"^ads[0-9]+\\\\.example$\", "
        "\"comment\": \"eins \\u00e4 zwei\", \"groups\": [0, 1]}], \"hosts\": [\"192.0.2.1 "
        "nas.lan\"],"
        "\"groups\": [{\"id\": 1, \"name\": \"Children\"}], \"settings\": {\"block-ttl\": "
        "\"10s\"}}";
    struct rules whole = {0};
    assert_int_equal(rules_clear(&whole), ERR_OK);
    allocations = 0;
    char problem[200] = "";
    if (rules_parse(&whole, span_str(doc), problem, sizeof problem) != ERR_OK) {
        fail_msg("%s", problem);
    }
    unsigned long all = allocations;
    char *expected = text_of(&whole);
    assert_true(all > 50);
    for (unsigned long i = 1; i <= all; i++) {
        struct rules r = {0};
        char what[200] = "";
        assert_int_equal(rules_clear(&r), ERR_OK);
        allocations = 0;
        fails_at = i;
        enum err e = rules_parse(&r, span_str(doc), what, sizeof what);
        fails_at = 0;
        if (e != ERR_OK && e != ERR_MEMORY) {
            fail_msg("allocation %lu of %lu: %s: %s", i, all, err_text(e), what);
        }
        if (e == ERR_OK) {
            char *found = text_of(&r);
            assert_string_equal(found, expected);
            free(found);
        }
        rules_free(&r);
    }
    free(expected);
    rules_free(&whole);
}

static void list_ids_are_small_and_stable(void **state)
{
    (void)state;
    /* They are stored in statistics and in other people's notes: they never change. */
    assert_int_equal(rules_list_id("https://lists.example/ads.txt", false), 958945579);
    assert_int_equal(rules_list_id("https://lists.example/ads.txt", true), 279171767);
    for (int i = 0; i < 1000; i++) {
        char url[64];
        snprintf(url, sizeof url, "https://x.example/%d", i);
        uint32_t id = rules_list_id(url, i % 2);
        assert_in_range(id, 1, INT32_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_document_has_all_sections),
        cmocka_unit_test(what_may_be_left_out_is_filled_in),
        cmocka_unit_test(kinds_are_told_apart),
        cmocka_unit_test(errors_name_the_field),
        cmocka_unit_test(a_bad_document_leaves_the_old_one),
        cmocka_unit_test(good_values_are_accepted),
        cmocka_unit_test(pause_is_counted_from_wall_time),
        cmocka_unit_test(local_records_without_room_are_told),
        cmocka_unit_test(own_rules_are_added_found_and_removed),
        cmocka_unit_test(bad_edits_change_nothing),
        cmocka_unit_test(sections_are_bounded),
        cmocka_unit_test(other_sections_are_edited),
        cmocka_unit_test(no_memory_is_never_taken_for_damage_or_for_another_text),
        cmocka_unit_test(list_ids_are_small_and_stable),
    };
    json_set_alloc_funcs(failing_malloc, free); /* before the first document is read */
    return UNIT_RUN(tests);
}
