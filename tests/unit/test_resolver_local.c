/*
 * Local records: texts, hosts files, look-ups.
 */
#include <stdio.h>
#include <stdlib.h>

#include "dns/proto.h"
#include "resolver/local_int.h"
#include "unit.h"

enum { ROOM = 1 << 20 };

static struct arena arena;
static struct local_builder *b;
static void *mem;

static void begin(uint32_t max)
{
    mem = calloc(1, ROOM);
    assert_non_null(mem);
    arena_init(&arena, mem, ROOM);
    b = local_builder_new(&arena, max);
    assert_non_null(b);
}

static void end(void)
{
    free(mem);
}

static const struct local_name *find(const char *text)
{
    const struct local_records *t;
    struct dns_name name;
    struct dns_suffixes s;
    assert_int_equal(local_build(b, &t), ERR_OK);
    assert_int_equal(dns_name_parse(span_str(text), &name), ERR_OK);
    dns_suffixes_make(&name, &s);
    return local_find(t, &name, &s);
}

/* Record number i of a name, as type and rdata. */
static const struct local_record *record(const char *text, unsigned i)
{
    const struct local_records *t;
    const struct local_name *n = find(text);
    assert_non_null(n);
    assert_int_equal(local_build(b, &t), ERR_OK);
    const struct local_record *rr = local_next(t, n, NULL);
    while (i-- > 0 && rr != NULL) {
        rr = local_next(t, n, rr);
    }
    return rr;
}

static void reads_each_type(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *name;
        uint16_t type;
        const char *rdata;
        size_t len;
    } rows[] = {
        {"a.lan A 192.168.1.9", "a.lan", DNS_A, "\xc0\xa8\x01\x09", 4},
        {"A2.LAN aaaa fd00::1", "a2.lan", DNS_AAAA, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16},
        {"w.lan CNAME a.lan.", "w.lan", DNS_CNAME,
         "\x01"
         "a\x03"
         "lan",
         7},
        {"9.1.in-addr.arpa PTR a.lan", "9.1.in-addr.arpa", DNS_PTR,
         "\x01"
         "a\x03"
         "lan",
         7},
        {"lan NS a.lan", "lan", DNS_NS,
         "\x01"
         "a\x03"
         "lan",
         7},
        {"m.lan MX 10 a.lan", "m.lan", DNS_MX,
         "\0\x0a\x01"
         "a\x03"
         "lan",
         9},
        {"s.lan SRV 1 2 443 a.lan", "s.lan", DNS_SRV,
         "\0\x01\0\x02\x01\xbb\x01"
         "a\x03"
         "lan",
         13},
        {"t.lan TXT \"one two\" three", "t.lan", DNS_TXT,
         "\x07"
         "one two\x05"
         "three",
         14},
        {"t2.lan TXT \"q\\\"\\\\\\065\"", "t2.lan", DNS_TXT,
         "\x04"
         "q\"\\A",
         5},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *what = "unset";
        begin(16);
        if (local_add_text(b, span_str(rows[i].text), 60, &what) != ERR_OK) {
            fail_msg("%s: %s", rows[i].text, what);
        }
        const struct local_record *rr = record(rows[i].name, 0);
        assert_non_null(rr);
        assert_int_equal(rr->type, rows[i].type);
        assert_int_equal(rr->ttl_s, 60);
        assert_int_equal(rr->rdlen, rows[i].len);
        assert_memory_equal(rr->rdata, rows[i].rdata, rows[i].len);
        end();
    }
}

static void tells_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err want;
    } rows[] = {
        {"", ERR_FORMAT},
        {"a.lan", ERR_FORMAT},
        {"a..lan A 1.2.3.4", ERR_FORMAT},
        {"a.lan A", ERR_FORMAT},
        {"a.lan A 1.2.3", ERR_FORMAT},
        {"a.lan A ::1", ERR_FORMAT},
        {"a.lan AAAA 1.2.3.4", ERR_FORMAT},
        {"a.lan A 1.2.3.4 5.6.7.8", ERR_FORMAT},
        {"a.lan MX mail.lan", ERR_FORMAT},
        {"a.lan MX 65536 mail.lan", ERR_FORMAT},
        {"a.lan SRV 1 2 mail.lan", ERR_FORMAT},
        {"a.lan TXT", ERR_FORMAT},
        {"a.lan TXT \"open", ERR_FORMAT},
        {"a.lan WHAT 1.2.3.4", ERR_FORMAT},
        {"a.lan HTTPS 1 .", ERR_UNSUPPORTED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *what = NULL;
        begin(16);
        enum err e = local_add_text(b, span_str(rows[i].text), 60, &what);
        if (e != rows[i].want || what == NULL || local_count(&b->table) != 0) {
            fail_msg("'%s': %s", rows[i].text, err_text(e));
        }
        end();
    }
}

static void an_address_brings_its_reverse_name(void **state)
{
    (void)state;
    const char *what;
    begin(16);
    assert_int_equal(local_add_text(b, span_str("first.lan A 192.168.1.200"), 60, &what), ERR_OK);
    assert_int_equal(local_add_text(b, span_str("second.lan A 192.168.1.200"), 60, &what), ERR_OK);
    assert_int_equal(local_add_text(b, span_str("six.lan AAAA 2001:db8::1"), 60, &what), ERR_OK);
    const struct local_record *rr = record("200.1.168.192.in-addr.arpa", 0);
    assert_int_equal(rr->type, DNS_PTR);
    assert_memory_equal(rr->rdata,
                        "\x05"
                        "first\x03"
                        "lan",
                        11);
    assert_null(record("200.1.168.192.in-addr.arpa", 1));
    assert_non_null(
        find("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"));
    end();
}

static void wildcards_stand_for_names_below(void **state)
{
    (void)state;
    const char *what;
    begin(16);
    assert_int_equal(local_add_text(b, span_str("*.lan A 10.0.0.1"), 60, &what), ERR_OK);
    assert_int_equal(local_add_text(b, span_str("*.a.lan A 10.0.0.2"), 60, &what), ERR_OK);
    assert_int_equal(local_add_text(b, span_str("x.a.lan A 10.0.0.3"), 60, &what), ERR_OK);
    assert_memory_equal(record("b.lan", 0)->rdata, "\x0a\0\0\x01", 4);
    assert_memory_equal(record("c.b.lan", 0)->rdata, "\x0a\0\0\x01", 4);
    assert_memory_equal(record("y.a.lan", 0)->rdata, "\x0a\0\0\x02", 4);
    assert_memory_equal(record("x.a.lan", 0)->rdata, "\x0a\0\0\x03", 4);
    assert_null(find("lan"));
    assert_null(find("other"));
    assert_null(find("1.0.0.10.in-addr.arpa"));
    end();
}

static void the_same_twice_and_a_cname_beside_others(void **state)
{
    (void)state;
    const char *what;
    begin(16);
    assert_int_equal(local_add_text(b, span_str("a.lan A 10.0.0.1"), 60, &what), ERR_OK);
    assert_int_equal(local_add_text(b, span_str("a.lan A 10.0.0.1"), 60, &what), ERR_EXISTS);
    assert_int_equal(local_add_text(b, span_str("a.lan A 10.0.0.2"), 60, &what), ERR_OK);
    assert_int_equal(local_add_text(b, span_str("a.lan CNAME b.lan"), 60, &what), ERR_STATE);
    assert_int_equal(local_add_text(b, span_str("c.lan CNAME b.lan"), 60, &what), ERR_OK);
    assert_int_equal(local_add_text(b, span_str("c.lan TXT x"), 60, &what), ERR_STATE);
    assert_int_equal(local_count(&b->table), 5); /* two addresses, two PTRs, one CNAME */
    end();
}

static void a_hosts_file(void **state)
{
    (void)state;
    static const char text[] = "# comment\n"
                               "127.0.0.1 localhost\n"
                               "192.168.1.5\tnas  Storage # the big one\r\n"
                               "\n"
                               "192.168.1.6\n"
                               "not-an-address nas\n"
                               "fe80::1%eth0 router\n"
                               "fd00::5 nas.lan\n"
                               "192.168.1.7 good bad..name";
    struct dns_name domain;
    uint32_t rejected = 9, first = 9;
    begin(64);
    assert_int_equal(dns_name_parse(span_str("lan"), &domain), ERR_OK);
    assert_int_equal(local_add_hosts(b, span_str(text), &domain, 60, &rejected, &first), ERR_OK);
    assert_int_equal(rejected, 3);
    assert_int_equal(first, 5);
    assert_non_null(find("nas"));
    assert_non_null(find("storage.lan"));
    assert_non_null(find("good"));
    assert_int_equal(record("nas.lan", 1)->type, DNS_AAAA);
    assert_memory_equal(record("5.1.168.192.in-addr.arpa", 0)->rdata,
                        "\x03"
                        "nas\x03"
                        "lan",
                        9);
    assert_null(find("router"));
    end();
}

static void a_full_table_says_so(void **state)
{
    (void)state;
    const char *what;
    begin(3);
    assert_int_equal(local_add_text(b, span_str("a.lan A 10.0.0.1"), 60, &what), ERR_OK);
    assert_int_equal(local_add_text(b, span_str("b.lan TXT x"), 60, &what), ERR_OK);
    assert_int_equal(local_add_text(b, span_str("c.lan TXT x"), 60, &what), ERR_SPACE);
    uint32_t rejected, first;
    assert_int_equal(local_add_hosts(b, span_str("10.0.0.9 z\n"), NULL, 60, &rejected, &first),
                     ERR_SPACE);
    assert_non_null(find("a.lan"));
    assert_null(find("c.lan"));
    end();
    assert_null(local_builder_new(&arena, 0));
    assert_null(local_builder_new(&arena, LOCAL_RECORDS_MAX + 1));
}

static void many_names_are_all_found(void **state)
{
    (void)state;
    const char *what;
    char text[64];
    begin(4000);
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(text, sizeof text, "h%u.lan TXT %u", i, i);
        assert_int_equal(local_add_text(b, span_str(text), 60, &what), ERR_OK);
    }
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(text, sizeof text, "h%u.lan", i);
        assert_non_null(find(text));
        snprintf(text, sizeof text, "h%u.len", i);
        assert_null(find(text));
    }
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_each_type),
        cmocka_unit_test(tells_what_is_wrong),
        cmocka_unit_test(an_address_brings_its_reverse_name),
        cmocka_unit_test(wildcards_stand_for_names_below),
        cmocka_unit_test(the_same_twice_and_a_cname_beside_others),
        cmocka_unit_test(a_hosts_file),
        cmocka_unit_test(a_full_table_says_so),
        cmocka_unit_test(many_names_are_all_found),
    };
    return UNIT_RUN(tests);
}
