/*
 * Values of options: what is taken, what is refused, and that what is printed is read back as the
 * same.
 */
#include <stdlib.h>

#include "config/config.h"
#include "unit.h"

static struct config *fresh(void)
{
    struct config *c;
    void *mem = malloc(cfg_memory());
    assert_non_null(mem);
    assert_int_equal(cfg_init(&c, mem, cfg_memory()), ERR_OK);
    return c;
}

static enum err set(struct config *c, const char *name, const char *value, struct cfg_error *error)
{
    return cfg_apply_pair(c, CFG_ARGUMENT, name, 0, span_str(name), span_str(value), error);
}

static const char *shown(const struct config *c, const char *name, uint32_t index)
{
    static char text[4096];
    enum cfg_option option;
    struct strbuf s;
    assert_int_equal(cfg_find(span_str(name), &option), ERR_OK);
    strbuf_init(&s, text, sizeof text);
    cfg_value_format(c, option, index, &s);
    assert_false(s.truncated);
    return text;
}

static void defaults_are_those_of_the_interface(void **state)
{
    (void)state;
    struct config *c = fresh();
    assert_int_equal(c->cache_entries, 65536);
    assert_int_equal(c->workers, 0);
    assert_int_equal(c->block_ttl_us, 60 * USEC_PER_SEC);
    assert_int_equal(c->update_interval_us, 24 * 3600 * USEC_PER_SEC);
    assert_int_equal(c->rate_limit, 1000);
    assert_int_equal(c->block_mode.mode, BLOCK_NULL);
    assert_int_equal(c->serve_stale_us, 86400 * USEC_PER_SEC);
    assert_true(c->rebind_protection);
    assert_string_equal(c->state_dir, "/var/lib/sinkhole");
    assert_int_equal(c->listen.count, 2);
    assert_string_equal(shown(c, "listen", 0), "0.0.0.0:53");
    assert_string_equal(shown(c, "listen", 1), "[::]:53");
    assert_int_equal(c->http.count, 1);
    assert_string_equal(shown(c, "http", 0), "0.0.0.0:80");
    assert_int_equal(c->list.count, 1);
    assert_string_equal(c->list.item[0], "builtin");
    assert_int_equal(c->upstream.count, 0);
    assert_null(c->local_domain);
    assert_int_equal(c->log_level, LOG_LEVEL_INFO);
    free(c);
}

static void values_are_read_and_printed(void **state)
{
    (void)state;
    static const struct {
        const char *name, *in, *out;
    } rows[] = {
        {"prefetch", "off", "off"},
        {"prefetch", "YES", "on"},
        {"prefetch", "0", "off"},
        {"cache-entries", "256", "256"},
        {"cache-entries", "4194304", "4194304"},
        {"workers", "auto", "auto"},
        {"workers", "64", "64"},
        {"rate-limit", "off", "off"},
        {"block-ttl", "0", "0s"},
        {"block-ttl", "90", "90s"},
        {"block-ttl", "1m30s", "90s"},
        {"block-ttl", "1d", "1d"},
        {"block-ttl", "1500ms", "1500ms"},
        {"update-interval", "5m", "5m"},
        {"update-interval", "30d", "30d"},
        {"update-interval", "off", "off"},
        {"serve-stale", "OFF", "off"},
        {"list-max-size", "64MiB", "64M"},
        {"list-max-size", "64mb", "64M"},
        {"list-max-size", "1025", "1025"},
        {"list-max-size", "1048576b", "1M"},
        {"list-max-size", "1g", "1G"},
        {"dns64", "on", "64:ff9b::/96"},
        {"dns64", "off", "off"},
        {"dns64", "2001:DB8:122::/48", "2001:db8:122::/48"},
        {"dns64", "fd00:64::/96", "fd00:64::/96"},
        {"block-mode", "NXDOMAIN", "nxdomain"},
        {"block-mode", "nodata", "nodata"},
        {"block-mode", "refused", "refused"},
        {"block-mode", "192.0.2.1,2001:db8::1", "192.0.2.1,2001:db8::1"},
        {"block-mode", "192.0.2.1, 2001:DB8::1", "192.0.2.1,2001:db8::1"},
        {"local-domain", "Home.Arpa.", "home.arpa"},
        {"local-domain", "none", "none"},
        {"local-domain", "none.", "none."},
        {"local-domain", "lan", "lan."},
        {"route", "lan=192.168.1.1", "lan.=192.168.1.1:53"},
        {"route", "0/25.2.0.192.in-addr.arpa=192.168.1.1",
         "0/25.2.0.192.in-addr.arpa=192.168.1.1:53"},
        {"log-level", "debug", "debug"},
        {"log-format", "json", "json"},
        {"user", "none", "none"},
        {"user", "nobody", "nobody"},
        {"state-dir", "/srv/sink hole", "/srv/sink hole"},
        {"http", "[::1]:8080", "[::1]:8080"},
        {"http", "192.0.2.1", "192.0.2.1:80"},
        {"listen", "2001:db8::1", "[2001:db8::1]:53"},
        {"allow-from", "192.0.2.7", "192.0.2.7/32"},
        {"allow-from", "!192.0.2.0/24", "!192.0.2.0/24"},
        {"allow-from", "connected", "connected"},
        {"allow-from", "any", "::/0"},
        {"upstream", "9.9.9.9", "9.9.9.9:53"},
        {"upstream", "udp://9.9.9.9:5353", "9.9.9.9:5353"},
        {"upstream", "tcp://[2620:fe::fe]:53", "tcp://[2620:fe::fe]:53"},
        {"upstream", "tls://dns.quad9.net@9.9.9.9", "tls://dns.quad9.net@9.9.9.9:853"},
        {"upstream", "tls://9.9.9.9", "tls://9.9.9.9:853"},
        {"upstream", "https://dns.quad9.net@9.9.9.9/dns-query",
         "https://dns.quad9.net@9.9.9.9:443/dns-query"},
        {"upstream", "https://[2620:fe::fe]/dns-query", "https://[2620:fe::fe]:443/dns-query"},
        {"route", "home.arpa=192.168.1.1", "home.arpa=192.168.1.1:53"},
        {"route", "192.168.1.0/24=192.168.1.1", "1.168.192.in-addr.arpa=192.168.1.1:53"},
        {"route", "10.0.0.0/8=tcp://192.168.1.1", "10.in-addr.arpa=tcp://192.168.1.1:53"},
        {"route", "192.0.2.9=192.168.1.1", "9.2.0.192.in-addr.arpa=192.168.1.1:53"},
        {"route", "fd12:3400::/24=192.168.1.1", "4.3.2.1.d.f.ip6.arpa=192.168.1.1:53"},
        {"route", "2001:db8::/32=192.168.1.1", "8.b.d.0.1.0.0.2.ip6.arpa=192.168.1.1:53"},
        {"rebind-allow", "Plex.Direct", "plex.direct"},
        {"record", "printer.home.arpa A 192.168.1.9", "printer.home.arpa A 192.168.1.9"},
        {"record", "*.lab.home.arpa TXT \"v=1 x\"", "*.lab.home.arpa TXT \"v=1 x\""},
        {"list", "https://lists.example/a.txt#part", "https://lists.example/a.txt#part"},
        {"list", "rpz+https://lists.example/a", "rpz+https://lists.example/a"},
        {"list", "/srv/my lists/a.txt", "/srv/my lists/a.txt"},
        {"list", "file:///srv/a.txt", "file:///srv/a.txt"},
        {"hosts-file", "/etc/hosts", "/etc/hosts"},
        {"http-origin", "http://homer.lan:8080", "http://homer.lan:8080"},
        {"http-origin", "*", "*"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct config *c = fresh();
        struct cfg_error error;
        for (int round = 0; round < 2; round++) { /* what was printed is read back as the same */
            const char *text = round == 0 ? rows[i].in : rows[i].out;
            enum cfg_option option;
            if (set(c, rows[i].name, text, &error) != ERR_OK) {
                fail_msg("%s = %s: %s", rows[i].name, text, error.text);
            }
            assert_int_equal(cfg_find(span_str(rows[i].name), &option), ERR_OK);
            uint32_t count = cfg_value_count(c, option);
            const char *out = count == 0 ? rows[i].out : shown(c, rows[i].name, count - 1);
            if (strcmp(out, rows[i].out) != 0) {
                fail_msg("%s = %s: found %s, expected %s", rows[i].name, text, out, rows[i].out);
            }
        }
        free(c);
    }
}

static void bad_values_are_refused_and_change_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *name, *in;
        enum err err;
        const char *text; /* the whole message */
    } rows[] = {
        {"cache-entries", "255", ERR_RANGE,
         "cache-entries: found \"255\", expected a number from 256 to 4194304"},
        {"cache-entries", "4194305", ERR_RANGE, NULL},
        {"cache-entries", "65536x", ERR_FORMAT, NULL},
        {"cache-entries", "-1", ERR_FORMAT, NULL},
        {"cache-entries", "", ERR_FORMAT,
         "cache-entries: found no value, expected a number from 256 to 4194304"},
        {"cache-entries", "99999999999999999999999", ERR_RANGE, NULL},
        {"cache-entries", "off", ERR_FORMAT, NULL},
        {"workers", "0", ERR_RANGE,
         "workers: found \"0\", expected a number from 1 to 64, or auto"},
        {"workers", "65", ERR_RANGE, NULL},
        {"prefetch", "maybe", ERR_FORMAT, "prefetch: found \"maybe\", expected on or off"},
        {"block-ttl", "25h", ERR_RANGE,
         "block-ttl: found \"25h\", expected a time such as 90s, 30m, 24h or 1d, from 0s to 1d"},
        {"block-ttl", "1h 30m", ERR_FORMAT, NULL},
        {"block-ttl", "1h30", ERR_FORMAT, NULL},
        {"block-ttl", "h", ERR_FORMAT, NULL},
        {"block-ttl", "1y", ERR_FORMAT, NULL},
        {"block-ttl", "213503982334602d", ERR_RANGE,
         NULL}, /* more microseconds than 64 bits hold */
        {"block-ttl", "213503982334601d1d", ERR_RANGE, NULL},
        {"update-interval", "4m59s", ERR_RANGE, NULL},
        {"update-interval", "0", ERR_RANGE, NULL},
        {"list-max-size", "1025M", ERR_RANGE, NULL},
        {"list-max-size", "1023", ERR_RANGE, NULL},
        {"list-max-size", "64Mx", ERR_FORMAT, NULL},
        {"list-max-size", "18446744073709551615G", ERR_RANGE, NULL},
        {"block-mode", "nul", ERR_FORMAT,
         "block-mode: found \"nul\", expected null, nxdomain, nodata, refused or ADDR4,ADDR6"},
        {"dns64", "64:ff9b::/95", ERR_FORMAT, NULL},
        {"dns64", "192.0.2.0/24", ERR_FORMAT, NULL},
        {"dns64", "2001:db8::100:0:0:0/96", ERR_FORMAT, NULL},
        {"dns64", "no", ERR_FORMAT, NULL},
        {"block-mode", "192.0.2.1", ERR_FORMAT, NULL},
        {"block-mode", "2001:db8::1,192.0.2.1", ERR_FORMAT, NULL},
        {"block-mode", "192.0.2.1,192.0.2.2", ERR_FORMAT, NULL},
        {"log-level", "verbose", ERR_FORMAT,
         "log-level: found \"verbose\", expected error, warning, info or debug"},
        {"log-level", "error|info", ERR_FORMAT, NULL},
        {"local-domain", "a..b", ERR_FORMAT, NULL},
        {"listen", "0.0.0.0:0", ERR_RANGE, NULL},
        {"listen", "0.0.0.0:65536", ERR_RANGE, NULL},
        {"listen", "localhost:53", ERR_FORMAT,
         "listen: found \"localhost:53\", expected ADDR:PORT or [ADDR6]:PORT"},
        {"listen", "", ERR_FORMAT, NULL},
        {"listen", "127.0.0.1:53 nonsense", ERR_FORMAT, NULL},
        {"allow-from", "192.0.2.0/33", ERR_RANGE, NULL},
        {"allow-from", "!", ERR_FORMAT, NULL},
        {"allow-from", "everyone", ERR_FORMAT, NULL},
        {"upstream", "dns.quad9.net", ERR_FORMAT, NULL},
        {"upstream", "tls://", ERR_FORMAT, NULL},
        {"upstream", "https://9.9.9.9", ERR_FORMAT,
         "upstream: found \"https://9.9.9.9\", expected https://NAME@ADDR[:PORT]/PATH, such as "
         "https://dns.quad9.net@9.9.9.9/dns-query"},
        {"upstream", "https://dns.quad9.net/dns-query", ERR_FORMAT, NULL},
        {"upstream", "tls://a..b@9.9.9.9", ERR_FORMAT, NULL},
        {"upstream", "9.9.9.9:0", ERR_RANGE, NULL},
        {"route", "home.arpa", ERR_FORMAT, NULL},
        {"route", "192.168.1.0/24.=192.168.1.1", ERR_FORMAT, NULL},
        {"route", "192.16801.0/24=192.168.1.1", ERR_FORMAT, NULL},
        {"route", "fd00::/8x=192.168.1.1", ERR_FORMAT, NULL},
        {"route", ".=192.168.1.1", ERR_FORMAT, NULL},
        {"route", "192.168.1.0/25=192.168.1.1", ERR_RANGE, NULL},
        {"route", "2001:db8::/30=192.168.1.1", ERR_RANGE, NULL},
        {"route", "0.0.0.0/0=192.168.1.1", ERR_RANGE, NULL},
        {"record", "printer.home.arpa A 192.168.1", ERR_FORMAT,
         "record: found \"printer.home.arpa A 192.168.1\", expected an IPv4 address"},
        {"record", "printer.home.arpa A 192.168.1.1 x", ERR_FORMAT, NULL},
        {"record", "printer.home.arpa MX mail.home.arpa", ERR_FORMAT, NULL},
        {"record", "x.home.arpa TXT \"open", ERR_FORMAT, NULL},
        {"record", "printer.home.arpa A", ERR_FORMAT, NULL},
        {"record", "printer.home.arpa", ERR_FORMAT, NULL},
        {"record", "printer.home.arpa FOO x", ERR_FORMAT, NULL},
        {"record", "a..b A 192.0.2.1", ERR_FORMAT, NULL},
        {"list", "ftp://lists.example/a", ERR_FORMAT, NULL},
        {"list", "gopher://lists.example/a", ERR_FORMAT, NULL},
        {"list", "file://host/a", ERR_FORMAT, NULL},
        {"list", "http://", ERR_FORMAT, NULL},
        {"list", "http:///a", ERR_FORMAT, NULL},
        {"list", "hosts+", ERR_FORMAT, NULL},
        {"list", "https://user:secret@lists.example/", ERR_FORMAT,
         "list: found \"https://user:secret@lists.example/\", expected a URL without a user name "
         "and password"},
        {"list", "https://lists.example/a b", ERR_FORMAT, NULL},
        {"list", "", ERR_FORMAT, NULL},
        {"state-dir", "", ERR_RANGE, NULL},
        {"http-origin", "homer.lan", ERR_FORMAT,
         "http-origin: found \"homer.lan\", expected http://HOST[:PORT], https://HOST[:PORT] or *, "
         "or none"},
        {"http-origin", "http://homer.lan/", ERR_FORMAT, NULL},
        {"http-origin", "https://", ERR_FORMAT, NULL},
        {"cash-entries", "1000", ERR_FORMAT,
         "cash-entries: found \"cash-entries\", expected the name of an option (did you mean "
         "cache-entries?)"},
        {"qwertz", "1000", ERR_FORMAT, "qwertz: found \"qwertz\", expected the name of an option"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct config *c = fresh(), *before = fresh();
        struct cfg_error error = {""};
        enum err e = set(c, rows[i].name, rows[i].in, &error);
        if (e != rows[i].err) {
            fail_msg("%s = %s: found %s, expected %s", rows[i].name, rows[i].in, err_text(e),
                     err_text(rows[i].err));
        }
        assert_true(error.text[0] != '\0');
        if (rows[i].text != NULL) {
            assert_string_equal(error.text, rows[i].text);
        }
        for (unsigned k = 0; k < CFG_OPT_COUNT; k++) {
            bool repeatable = cfg_is_repeatable(cfg_row((enum cfg_option)k)->type);
            assert_true(repeatable || cfg_equal(c, before, (enum cfg_option)k));
        }
        free(c);
        free(before);
    }
}

static void foreign_octets_in_messages_are_escaped_and_cut(void **state)
{
    (void)state;
    struct config *c = fresh();
    struct cfg_error error;
    char value[1000];
    memset(value, '\x1b', sizeof value);
    assert_int_equal(cfg_apply_pair(c, CFG_FILE, "f", 7, span_str("workers"),
                                    span_of(value, sizeof value), &error),
                     ERR_FORMAT);
    assert_null(strchr(error.text, '\x1b'));
    assert_non_null(strstr(error.text, "f:7: found \"\\x1b"));
    assert_non_null(strstr(error.text, "...\", expected a number"));
    free(c);
}

static void words_for_networks_stand_for_all_of_them(void **state)
{
    (void)state;
    struct config *c = fresh();
    struct cfg_error error;
    assert_int_equal(set(c, "allow-from", "private loopback !10.9.0.0/16 10.9.0.0/16", &error),
                     ERR_OK);
    assert_int_equal(cfg_finish(c, &error), ERR_OK);
    static const struct {
        const char *addr;
        int expect; /* 1 allowed, 0 refused by an entry, -1 nothing said */
    } rows[] = {{"10.1.2.3", 1},    {"10.9.1.1", 0},  {"192.168.7.7", 1}, {"172.31.255.255", 1},
                {"172.32.0.0", -1}, {"127.0.0.1", 1}, {"100.64.0.1", 1},  {"8.8.8.8", -1},
                {"::1", 1},         {"fd00::1", 1},   {"fe80::1", 1},     {"2001:db8::1", -1},
                {"169.254.1.1", 1}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip_addr a;
        int found = -1;
        assert_int_equal(ip_parse(span_str(rows[i].addr), &a), ERR_OK);
        for (uint32_t k = 0; k < c->allow_from.count && found < 0; k++) {
            if (ip_in_prefix(&a, &c->allow_from.item[k].prefix)) {
                found = !c->allow_from.item[k].negated;
            }
        }
        if (found != rows[i].expect) {
            fail_msg("%s: found %d, expected %d", rows[i].addr, found, rows[i].expect);
        }
    }
    assert_int_equal(set(c, "allow-from", "any", &error), ERR_OK);
    free(c);
}

static void networks_are_sorted_so_that_the_most_specific_decides(void **state)
{
    (void)state;
    static const char *const in[] = {"10.0.0.0/8", "!10.1.0.0/16", "10.1.0.0/16", "10.1.2.0/24",
                                     "::/0"};
    static const char *const out[] = {"10.1.2.0/24", "!10.1.0.0/16", "10.1.0.0/16", "10.0.0.0/8",
                                      "::/0"};
    struct config *c = fresh();
    struct cfg_error error;
    for (size_t i = 0; i < ARRAY_LEN(in); i++) {
        assert_int_equal(set(c, "allow-from", in[i], &error), ERR_OK);
    }
    assert_int_equal(cfg_finish(c, &error), ERR_OK);
    for (uint32_t i = 0; i < ARRAY_LEN(out); i++) {
        assert_string_equal(shown(c, "allow-from", i), out[i]);
    }
    free(c);
}

static void names_near_a_known_one_are_suggested(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {{"lsit", "list"},
                {"listt", "list"},
                {"cache-entrys", "cache-entries"},
                {"block_mod", "block-mode"},
                {"blockmode", "block-mode"},
                {"rate-limits", "rate-limit"},
                {"upstreams", "upstream"},
                {"x", NULL},
                {"", NULL},
                {"something-else-entirely", NULL},
                {"a-name-that-is-much-longer-than-any-option-has", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *found = cfg_nearest(span_str(rows[i].in));
        if (rows[i].out == NULL ? found != NULL
                                : found == NULL || strcmp(found, rows[i].out) != 0) {
            fail_msg("%s: found %s, expected %s", rows[i].in, found != NULL ? found : "nothing",
                     rows[i].out != NULL ? rows[i].out : "nothing");
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_interface),
        cmocka_unit_test(values_are_read_and_printed),
        cmocka_unit_test(bad_values_are_refused_and_change_nothing),
        cmocka_unit_test(foreign_octets_in_messages_are_escaped_and_cut),
        cmocka_unit_test(words_for_networks_stand_for_all_of_them),
        cmocka_unit_test(networks_are_sorted_so_that_the_most_specific_decides),
        cmocka_unit_test(names_near_a_known_one_are_suggested),
    };
    return UNIT_RUN(tests);
}
