/*
 * Snapshots from configuration and rules document: upstreams, routes, who may ask, own rules, local
 * records, sharing of parts.
 */
#include "host/snapshots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "blocklist/overlay.h"
#include "host/sys.h"
#include "resolver/local.h"

struct fixture {
    void *mem;
    struct config *config;
    struct rules rules;
    struct snapshots *s;
    struct snapshot_source source;
};

static struct fixture *make(const char *config, const char *rules)
{
    static const uint8_t key[16] = {1, 2, 3};
    struct fixture *f = calloc(1, sizeof *f);
    struct cfg_error error = {""};
    char what[200] = "";
    assert_non_null(f);
    f->mem = malloc(cfg_memory());
    assert_int_equal(cfg_init(&f->config, f->mem, cfg_memory()), ERR_OK);
    if (cfg_apply_text(f->config, "test.conf", span_str(config), &error) != ERR_OK ||
        cfg_finish(f->config, &error) != ERR_OK) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(rules_clear(&f->rules), ERR_OK);
    if (rules && rules_parse(&f->rules, span_str(rules), what, sizeof what) != ERR_OK) {
        fail_msg("%s", what);
    }
    assert_int_equal(snapshots_new(&f->s, key), ERR_OK);
    f->source = (struct snapshot_source){.config = f->config,
                                         .regex_users = 1,
                                         .rules = &f->rules,
                                         .version = "",
                                         .api_url = "http://pi.hole:80/api/",
                                         .now = 1000 * USEC_PER_SEC,
                                         .now_unix = 1700000000};
    return f;
}

static void drop(struct fixture *f)
{
    snapshots_free(f->s);
    rules_free(&f->rules);
    free(f->mem);
    free(f);
}

static const struct snapshot *snapshot_of(struct fixture *f, unsigned parts)
{
    const struct snapshot *s = NULL;
    assert_int_equal(snapshots_make(f->s, &f->source, parts, &s), ERR_OK);
    return s;
}

static void takes_settings_over(void **state)
{
    (void)state;
    struct fixture *f =
        make("block-mode = nxdomain\nblock-ttl = 90s\nttl-max = 2h\nserve-stale = off\n"
             "cname-check = off\nupstream = 192.0.2.1\n",
             NULL);
    const struct snapshot *s = snapshot_of(f, SNAPSHOT_ALL);
    assert_int_equal(s->everybody.block_mode, BLOCK_NXDOMAIN);
    assert_int_equal(s->block_ttl_s, 90);
    assert_int_equal(s->ttl_max_s, 7200);
    assert_int_equal(s->stale_s, 0);
    assert_false(s->cname_check);
    assert_true(s->case_random);
    assert_string_equal(s->api_url, "http://pi.hole:80/api/");
    assert_int_equal(s->cookie_key[2], 3);
    assert_null(s->rules);
    assert_null(s->local);
    assert_null(s->image);
    snapshots_release(f->s, s);
    drop(f);
}

static void upstreams_keep_their_ids(void **state)
{
    (void)state;
    struct fixture *f =
        make("upstream = 192.0.2.1\nupstream = tls://dns.example@192.0.2.1\nupstream = 192.0.2.1\n",
             NULL);
    const struct snapshot *a = snapshot_of(f, SNAPSHOT_ALL);
    const struct snapshot *b = snapshot_of(f, 0);
    assert_int_equal(a->upstream_count, 2); /* the third is the first once more */
    assert_int_not_equal(a->upstreams[0].id, a->upstreams[1].id);
    assert_int_equal(a->upstreams[0].id, b->upstreams[0].id);
    assert_int_equal(a->upstreams[1].transport, UPSTREAM_TLS);
    assert_string_equal(a->upstreams[1].name, "dns.example");
    assert_int_equal(a->upstreams[1].endpoint.port, 853);
    assert_true(b->generation > a->generation);
    snapshots_release(f->s, a);
    snapshots_release(f->s, b);
    drop(f);
}

static void routes_with_the_same_upstreams_share_a_number(void **state)
{
    (void)state;
    struct fixture *f = make("upstream = 192.0.2.1\n"
                             "route = corp.example=192.0.2.5\n"
                             "route = lab.example=192.0.2.6\n"
                             "route = corp.example=192.0.2.7\n"
                             "route = other.example=192.0.2.5 other.example=192.0.2.7\n"
                             "route = 192.168.0.0/16=192.0.2.6\n",
                             NULL);
    const struct snapshot *s = snapshot_of(f, SNAPSHOT_ALL);
    uint16_t number[4] = {0};
    assert_int_equal(s->route_count, 4);
    for (uint32_t i = 0; i < s->route_count; i++) {
        number[i] = s->routes[i].route;
        assert_true(number[i] >= 1 && number[i] <= 2);
    }
    assert_int_equal(s->upstream_count, 1 + 2 + 1);
    assert_int_equal(number[0], 1); /* corp */
    assert_int_equal(number[1], 2); /* lab */
    assert_int_equal(number[2], 1); /* other */
    assert_int_equal(number[3], 2); /* a reverse zone */
    snapshots_release(f->s, s);
    drop(f);
}

static void networks_are_sorted_for_the_first_match(void **state)
{
    (void)state;
    struct fixture *f =
        make("allow-from = 10.0.0.0/8 !10.1.0.0/16 connected\nupstream = 192.0.2.1\n", NULL);
    const struct snapshot *s = snapshot_of(f, SNAPSHOT_ALL);
    struct ip_addr inside = ip_v4((const uint8_t[]){10, 1, 2, 3});
    for (uint32_t i = 0; i < s->allow_from_count; i++) {
        if (ip_in_prefix(&inside, &s->allow_from[i])) {
            assert_true(s->allow_from_negated[i]);
            break;
        }
        assert_true(i + 1 < s->allow_from_count);
    }
    for (uint32_t i = 1; i < s->allow_from_count; i++) {
        assert_true(s->allow_from[i].bits <= s->allow_from[i - 1].bits);
    }
    snapshots_release(f->s, s);
    drop(f);
}

static const char own_rules[] =
    "{\"version\":1,\"own\":["
    "{\"id\":1,\"type\":\"deny\",\"kind\":\"exact\",\"domain\":\"ads.example\",\"enabled\":true},"
    "{\"id\":2,\"type\":\"allow\",\"kind\":\"exact\",\"domain\":\"good.example\",\"enabled\":true},"
    "{\"id\":3,\"type\":\"deny\",\"kind\":\"exact\",\"domain\":\"off.example\",\"enabled\":false}]"
    "}";

static enum bl_action judge(const struct snapshot *s, const char *text)
{
    struct dns_name name;
    struct dns_suffixes suffixes;
    struct bl_overlay_verdict v;
    assert_int_equal(dns_name_parse(span_str(text), &name), ERR_OK);
    dns_suffixes_make(&name, &suffixes);
    return bl_overlay_match(s->rules, &name, &suffixes, &s->everybody.asker, 1000 * USEC_PER_SEC,
                            &v);
}

static void own_rules_are_in_force(void **state)
{
    (void)state;
    struct fixture *f = make("upstream = 192.0.2.1\n", own_rules);
    const struct snapshot *s = snapshot_of(f, SNAPSHOT_ALL);
    assert_non_null(s->rules);
    assert_int_equal(judge(s, "ads.example"), BL_BLOCK);
    assert_int_equal(judge(s, "good.example"), BL_ALLOW);
    assert_int_equal(judge(s, "off.example"), BL_NONE);
    assert_int_equal(judge(s, "x.ads.example"), BL_NONE);
    snapshots_release(f->s, s);
    drop(f);
}

static void parts_are_shared_and_outlive_their_makers(void **state)
{
    (void)state;
    struct fixture *f =
        make("upstream = 192.0.2.1\nrecord = nas.house.example A 192.168.1.2\n", own_rules);
    const struct snapshot *a = snapshot_of(f, SNAPSHOT_ALL);
    const struct snapshot *b = snapshot_of(f, 0);
    assert_non_null(a->local);
    assert_ptr_equal(a->local, b->local);
    assert_ptr_equal(a->rules, b->rules);
    const struct snapshot *c = snapshot_of(f, SNAPSHOT_LOCAL);
    assert_ptr_equal(a->rules, c->rules);
    assert_ptr_not_equal(a->local, c->local);
    snapshots_release(f->s, a);
    assert_int_equal(local_count(b->local), local_count(c->local));
    assert_int_equal(judge(c, "ads.example"), BL_BLOCK);
    snapshots_release(f->s, c);
    assert_true(local_count(b->local) >= 1);
    snapshots_release(f->s, b);
    drop(f);
}

static void names_of_addresses_are_found(void **state)
{
    (void)state;
    struct fixture *f =
        make("upstream = 192.0.2.1\nrecord = nas.house.example A 192.168.1.2\n", NULL);
    const struct snapshot *s = snapshot_of(f, SNAPSHOT_ALL);
    struct ip_addr nas = ip_v4((const uint8_t[]){192, 168, 1, 2});
    struct ip_addr none = ip_v4((const uint8_t[]){192, 168, 1, 3});
    struct dns_name name;
    char text[DNS_NAME_TEXT];
    if (local_name_of(s->local, &nas, &name)) {
        dns_name_format(&name, text);
        assert_string_equal(text, "nas.house.example");
    } else {
        fail_msg("192.168.1.2 has no name");
    }
    assert_false(local_name_of(s->local, &none, &name));
    assert_int_equal(dns_name_parse(span_str("nas.house.example"), &name), ERR_OK);
    assert_int_equal(resolver_source_of(s, &name), RESOLVER_SOURCE_LOCAL);
    assert_int_equal(dns_name_parse(span_str("x.onion"), &name), ERR_OK);
    assert_int_equal(resolver_source_of(s, &name), RESOLVER_SOURCE_SPECIAL);
    assert_int_equal(dns_name_parse(span_str("www.example"), &name), ERR_OK);
    assert_int_equal(resolver_source_of(s, &name), RESOLVER_SOURCE_LISTS);
    snapshots_release(f->s, s);
    drop(f);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_settings_over),
        cmocka_unit_test(upstreams_keep_their_ids),
        cmocka_unit_test(routes_with_the_same_upstreams_share_a_number),
        cmocka_unit_test(networks_are_sorted_for_the_first_match),
        cmocka_unit_test(own_rules_are_in_force),
        cmocka_unit_test(parts_are_shared_and_outlive_their_makers),
        cmocka_unit_test(names_of_addresses_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
