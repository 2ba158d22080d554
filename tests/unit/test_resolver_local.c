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
static uint32_t sorted; /* names that were there when they were sorted */

static void begin(uint32_t max)
{
    mem = calloc(1, ROOM);
    assert_non_null(mem);
    arena_init(&arena, mem, ROOM);
    b = local_builder_new(&arena, max);
    assert_non_null(b);
    sorted = 0;
}

static void end(void)
{
    free(mem);
}

static enum local_found found(const char *text, const struct local_name **out)
{
    const struct local_records *t;
    struct dns_name name;
    struct dns_suffixes s;
    if (sorted != b->table.name_count) {
        assert_int_equal(local_build(b, &t), ERR_OK);
        sorted = t->name_count;
    }
    assert_int_equal(dns_name_parse(span_str(text), &name), ERR_OK);
    dns_suffixes_make(&name, &s);
    return local_find(&b->table, &name, &s, out);
}

static const struct local_name *find(const char *text)
{
    const struct local_name *name = NULL;
    return found(text, &name) == LOCAL_HERE ? name : NULL;
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
        {"c.lan TYPE257 \\# 8 00 05 6973737565 3b", "c.lan", 257, "\0\x05issue;", 8},
        {"h.lan HTTPS \\# 3 000100", "h.lan", DNS_HTTPS, "\0\1\0", 3},
        {"x.lan TYPE65280 \\# 0", "x.lan", 65280, "", 0},
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

static void a_record_may_have_its_own_ttl(void **state)
{
    (void)state;
    const char *what;
    begin(16);
    assert_int_equal(local_add_text(b, span_str("a.lan 5 A 192.168.1.9"), 60, &what), ERR_OK);
    assert_int_equal(local_add_text(b, span_str("b.lan 0 IN TXT x"), 60, &what), ERR_OK);
    assert_int_equal(local_add_text(b, span_str("c.lan in TXT x"), 60, &what), ERR_OK);
    assert_int_equal(record("a.lan", 0)->ttl_s, 5);
    assert_int_equal(record("9.1.168.192.in-addr.arpa", 0)->ttl_s, 5);
    assert_int_equal(record("b.lan", 0)->ttl_s, 0);
    assert_int_equal(record("c.lan", 0)->ttl_s, 60);
    assert_null(local_text_problem(span_str("a.lan 5 A 192.168.1.9")));
    assert_string_equal(local_text_problem(span_str("a.lan 5 A 192.168.1")),
                        "expected an IPv4 address");
    end();
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
        {"a.lan HTTPS 1 .", ERR_FORMAT},
        {"a.lan HTTPS \\# 3 0001", ERR_FORMAT},
        {"a.lan HTTPS \\# 2 00010", ERR_FORMAT},
        {"a.lan HTTPS \\# 1 00", ERR_FORMAT},
        {"a.lan TYPE65280 \\# 3 01020", ERR_FORMAT},
        {"a.lan A \\# 4 01020304", ERR_FORMAT},
        {"a.lan 4294967296 A 1.2.3.4", ERR_FORMAT},
        {"a.lan 60", ERR_FORMAT},
        {"a.lan SOA a.lan a.lan 1 2 3 4 5", ERR_UNSUPPORTED},
        {"a.lan TYPE39 \\# 1 00", ERR_UNSUPPORTED},
        {"a.lan ANY \\# 0", ERR_UNSUPPORTED},
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

static void a_wildcard_ends_at_what_exists(void **state)
{
    (void)state;
    static const char *const records[] = {
        /* RFC 4592 2.2.1, without what delegates */
        "example A 10.0.0.9",
        "*.example TXT \"this is a wildcard\"",
        "*.example MX 10 host1.example",
        "sub.*.example TXT \"this is not a wildcard\"",
        "host1.example A 10.0.0.1",
        "_ssh._tcp.host1.example SRV 0 0 22 host1.example",
        "_ssh._tcp.host2.example SRV 0 0 22 host1.example",
    };
    static const struct {
        const char *name;
        enum local_found want;
        unsigned types; /* records that it has */
    } rows[] = {
        {"host3.example", LOCAL_HERE, 2},
        {"foo.bar.example", LOCAL_HERE, 2},
        {"host1.example", LOCAL_HERE, 1},
        {"_ssh._tcp.host1.example", LOCAL_HERE, 1},
        {"sub.*.example", LOCAL_HERE, 1},
        {"*.example", LOCAL_HERE, 2},
        {"_telnet._tcp.host1.example", LOCAL_MISSING, 0},
        {"ghost.*.example", LOCAL_MISSING, 0},
        {"host2.example", LOCAL_EMPTY, 0},
        {"_tcp.host1.example", LOCAL_EMPTY, 0},
        {"a.b.host2.example", LOCAL_MISSING, 0},
        {"exampl", LOCAL_NONE, 0},
        {"host1", LOCAL_NONE, 0},
        {".", LOCAL_NONE, 0},
    };
    const char *what;
    begin(32);
    for (size_t i = 0; i < ARRAY_LEN(records); i++) {
        assert_int_equal(local_add_text(b, span_str(records[i]), 60, &what), ERR_OK);
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct local_name *name = NULL;
        enum local_found got = found(rows[i].name, &name);
        unsigned types = 0;
        for (const struct local_record *rr = NULL;
             name != NULL && (rr = local_next(&b->table, name, rr)) != NULL;) {
            types++;
        }
        if (got != rows[i].want || types != rows[i].types) {
            fail_msg("%s: found %d with %u records", rows[i].name, (int)got, types);
        }
    }
    end();
}

/* A name of up to four labels of few letters, so that much meets. */
static void random_name(uint32_t *seed, char *out, bool wildcard)
{
    unsigned labels = 1 + (*seed >> 10) % 4;
    char *p = out;
    if (wildcard) {
        *p++ = '*';
        *p++ = '.';
    }
    for (unsigned i = 0; i < labels; i++) {
        *seed = *seed * 1664525 + 1013904223;
        unsigned letter = *seed >> 16;
        p += sprintf(p, "%s%c%s", i > 0 ? "." : "", "abc"[letter % 3], letter & 64 ? "x" : "");
    }
    *seed = *seed * 1664525 + 1013904223;
}

/* Is `name` the other one or below it, as texts? */
static bool within(const char *name, const char *other)
{
    size_t n = strlen(name), m = strlen(other);
    return n >= m && strcmp(name + n - m, other) == 0 && (n == m || name[n - m - 1] == '.');
}

static bool exists(char owner[][32], unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        if (within(owner[i], name)) {
            return true;
        }
    }
    return false;
}

static bool owns(char owner[][32], unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(owner[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* RFC 4592 by its words: walk up to the closest encloser; any wildcard above makes it ours. */
static enum local_found reference(char owner[][32], unsigned count, const char *name)
{
    if (owns(owner, count, name)) {
        return LOCAL_HERE;
    }
    bool closest = true;
    enum local_found result = exists(owner, count, name) ? LOCAL_EMPTY : LOCAL_MISSING;
    bool reached = result == LOCAL_EMPTY;
    for (const char *up = strchr(name, '.'); up != NULL; up = strchr(up + 1, '.')) {
        char wildcard[40];
        snprintf(wildcard, sizeof wildcard, "*.%.31s", up + 1);
        bool here = owns(owner, count, wildcard);
        if (here && closest && !reached) {
            return LOCAL_HERE;
        }
        if (here) {
            return result;
        }
        closest = closest && !exists(owner, count, up + 1);
    }
    return LOCAL_NONE;
}

static void is_what_the_rfc_says_of_any_names(void **state)
{
    (void)state;
    uint32_t seed = 20260822;
    unsigned seen[4] = {0};
    for (unsigned round = 0; round < 400; round++) {
        char owner[12][32], name[32], text[64];
        const char *what;
        const struct local_name *unused;
        unsigned count = 1 + round % 12;
        begin(16);
        for (unsigned i = 0; i < count; i++) {
            random_name(&seed, owner[i], seed >> 20 & 1);
            snprintf(text, sizeof text, "%.31s TXT %u", owner[i], i);
            assert_int_equal(local_add_text(b, span_str(text), 60, &what), ERR_OK);
        }
        for (unsigned i = 0; i < 50; i++) {
            random_name(&seed, name, false);
            enum local_found got = found(name, &unused), want = reference(owner, count, name);
            if (got != want) {
                fail_msg("round %u, %s: found %d, expected %d", round, name, (int)got, (int)want);
            }
            seen[got]++;
        }
        end();
    }
    for (unsigned i = 0; i < 4; i++) {
        if (seen[i] < 50) {
            fail_msg("case %u was seen %u times", i, seen[i]);
        }
    }
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
        cmocka_unit_test(a_record_may_have_its_own_ttl),
        cmocka_unit_test(a_wildcard_ends_at_what_exists),
        cmocka_unit_test(is_what_the_rfc_says_of_any_names),
        cmocka_unit_test(wildcards_stand_for_names_below),
        cmocka_unit_test(the_same_twice_and_a_cname_beside_others),
        cmocka_unit_test(a_hosts_file),
        cmocka_unit_test(a_full_table_says_so),
        cmocka_unit_test(many_names_are_all_found),
    };
    return UNIT_RUN(tests);
}
