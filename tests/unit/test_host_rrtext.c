/*
 * Records and messages as text, and the oracle of response policy zones: what our parser of lists
 * makes of a zone must be what ldns reads in it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/attr.h"
#include "blocklist/parse.h"
#include "dns/msg.h"
#include "host/rrtext_ldns.h"
#include "resolver/local_int.h"
#include "shared/decode.h"
#include "unit.h"

static void reads_records_from_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        uint16_t type;
        uint32_t ttl;
        size_t len;
        const char *rdata;
    } rows[] = {
        {"nas.home.arpa. 300 IN A 192.168.1.9", 1, 300, 4, "\xc0\xa8\x01\x09"},
        {"NAS.home.arpa A 192.168.1.9", 1, 60, 4, "\xc0\xa8\x01\x09"},
        {"nas.home.arpa. AAAA ::1", 28, 60, 16, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"},
        {"nas.home.arpa. TXT \"a b\" c", 16, 60, 6,
         "\x03"
         "a b\x01"
         "c"},
        {"nas.home.arpa. 5 MX 10 mail.example.", 15, 5, 16,
         "\0\x0a\x04mail\x07"
         "example\0"},
        {"nas.home.arpa. TYPE65280 \\# 3 010203", 65280, 60, 3, "\1\2\3"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t buf[64];
        char problem[RRTEXT_ERROR_MAX], owner[DNS_NAME_TEXT];
        struct rrtext_record r;
        if (rrtext_record(rows[i].line, 60, buf, sizeof buf, &r, problem) != ERR_OK) {
            fail_msg("%s: %s", rows[i].line, problem);
        }
        dns_name_format(&r.owner, owner);
        assert_string_equal(owner, "nas.home.arpa");
        assert_int_equal(r.type, rows[i].type);
        assert_int_equal(r.klass, 1);
        assert_int_equal(r.ttl_s, rows[i].ttl);
        assert_int_equal(r.rdata.len, rows[i].len);
        assert_memory_equal(r.rdata.ptr, rows[i].rdata, rows[i].len);
    }
}

static void refuses_lines_that_are_no_records(void **state)
{
    (void)state;
    static const char *const rows[] = {"",
                                       "nas",
                                       "nas.home.arpa. A",
                                       "nas.home.arpa. A 1.2.3",
                                       "nas.home.arpa. WHAT 1",
                                       "a..b. A 192.0.2.1"};
    uint8_t buf[64];
    struct rrtext_record r = {.type = 77};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char problem[RRTEXT_ERROR_MAX] = "";
        assert_int_equal(rrtext_record(rows[i], 60, buf, sizeof buf, &r, problem), ERR_FORMAT);
        assert_string_not_equal(problem, "");
    }
    assert_int_equal(rrtext_record("a. A 192.0.2.1", 60, buf, 3, &r, NULL), ERR_SPACE);
    assert_int_equal(r.type, 77);
}

struct seen {
    unsigned count, stop_at;
    struct rrtext_record last;
    char owner[DNS_NAME_TEXT];
};

static bool see(void *ctx, const struct rrtext_record *r)
{
    struct seen *s = ctx;
    s->count++;
    s->last = *r;
    dns_name_format(&r->owner, s->owner);
    return s->count != s->stop_at;
}

static void reads_zones_with_their_directives(void **state)
{
    (void)state;
    static const char zone[] =
        "$TTL 300\n$ORIGIN rpz.example.\n@ SOA ns. mail. ( 1 ; serial\n 2 3 4 5 )\n  NS ns.\n"
        "ads.example CNAME .\n   60 IN A 0.0.0.0\n; comment\nthis is no record\n$ORIGIN other.\nx "
        "A 192.0.2.1\n";
    struct seen s = {.count = 0};
    struct rrtext_errors errors;
    assert_int_equal(rrtext_zone(span_of(zone, sizeof zone - 1), ".", 5, see, &s, &errors), ERR_OK);
    assert_int_equal(s.count, 5);
    assert_string_equal(s.owner, "x.other");
    assert_int_equal(s.last.ttl_s, 300);
    assert_int_equal(errors.count, 1);
    assert_true(errors.line >= 9 && errors.line <= 10);

    s = (struct seen){.stop_at = 4};
    assert_int_equal(rrtext_zone(span_of(zone, sizeof zone - 1), ".", 5, see, &s, &errors), ERR_OK);
    assert_int_equal(s.count, 4);
    assert_string_equal(s.owner, "ads.example.rpz.example");
    assert_int_equal(s.last.ttl_s, 60);
    assert_int_equal(rrtext_zone(span_of(zone, 0), ".", 5, see, &s, &errors), ERR_OK);
    assert_int_equal(rrtext_zone(span_of(zone, 5), "a..b", 5, see, &s, &errors), ERR_FORMAT);
}

static void formats_a_message(void **state)
{
    (void)state;
    static const uint8_t msg[] = "\x12\x34\x81\x80\0\1\0\2\0\0\0\1"
                                 "\3ads\7example\0\0\1\0\1"
                                 "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\4\1b\xc0\x10"
                                 "\1b\xc0\x10\0\1\0\1\0\0\0\x3c\0\4\0\0\0\0"
                                 "\0\0\x29\4\xd0\0\0\x80\0\0\x0b\0\x0f\0\7\0\x0fLi\1st";
    static const char expected[] =
        ";; NOERROR (0), id 4660, flags qr rd ra; 2 answer, 0 authority, 1 additional\n"
        ";ads.example. IN A\n"
        ";; answer\n"
        "ads.example. 60 IN CNAME b.example.\n"
        "b.example. 60 IN A 0.0.0.0\n"
        ";; EDNS version 0, UDP size 1232, DO\n"
        ";; extended error 15: Li\\x01st\n";
    char text[1024];
    struct strbuf s;
    strbuf_init(&s, text, sizeof text);
    assert_int_equal(rrtext_message(msg, sizeof msg - 1, &s), ERR_OK);
    assert_string_equal(text, expected);
    for (size_t len = 0; len < sizeof msg - 1; len++) {
        strbuf_clear(&s);
        assert_int_not_equal(rrtext_message(msg, len, &s), ERR_OK);
    }
}

/* Oracle */

struct rule_text {
    char text[DNS_NAME_TEXT + 8]; /* "name kind rank" */
};

struct rules {
    struct rule_text *item;
    size_t count, cap;
    struct dns_name zone; /* len 0: none */
};

static void add_rule(struct rules *r, const struct dns_name *name, unsigned kind, unsigned rank)
{
    char text[DNS_NAME_TEXT];
    if (r->count == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 64;
        r->item = realloc(r->item, r->cap * sizeof *r->item);
        assert_non_null(r->item);
    }
    dns_name_format(name, text);
    (void)snprintf(r->item[r->count++].text, sizeof r->item->text, "%s %u %u", text, kind, rank);
}

static void our_rule(void *ctx, const struct bl_rule *rule)
{
    add_rule(ctx, &rule->name, rule->kind, rule->rank);
}

/* `len` octets of a wire name that are followed by the root. */
static struct dns_name part_of(const struct dns_name *name, unsigned from, unsigned to)
{
    uint8_t wire[DNS_NAME_MAX];
    struct dns_name out;
    size_t pos = 0, len = (size_t)(name->off[to] - name->off[from]);
    memcpy(wire, name->wire + name->off[from], len);
    wire[len] = 0;
    assert_int_equal(dns_name_read(wire, len + 1, &pos, &out), ERR_OK);
    return out;
}

static bool is_name(const struct dns_name *name, const char *text)
{
    struct dns_name other;
    assert_int_equal(dns_name_parse(span_str(text), &other), ERR_OK);
    return dns_name_equal(name, &other);
}

/* What draft-vixie-dnsop-dns-rpz says about a record, read by ldns. */
static bool oracle_record(void *ctx, const struct rrtext_record *r)
{
    struct rules *rules = ctx;
    static const uint8_t zeros[16];
    if (r->type == 6) {
        rules->zone = r->owner;
        return true;
    }
    unsigned end = r->owner.labels;
    if (rules->zone.labels > 0) {
        if (!dns_name_within(&r->owner, &rules->zone) || r->owner.labels == rules->zone.labels) {
            return true;
        }
        end -= rules->zone.labels;
    }
    bool wild = r->owner.wire[0] == 1 && r->owner.wire[1] == '*';
    if (end == 0 || (wild && end == 1)) {
        return true;
    }
    struct dns_name trigger = part_of(&r->owner, wild ? 1 : 0, end);
    struct dns_name last = part_of(&r->owner, end - 1, end);
    if (last.wire[0] > 3 && memcmp(last.wire + 1, "rpz-", 4) == 0) {
        return true;
    }
    int rank = -1;
    if (r->type == 5) {
        struct dns_name target;
        size_t pos = 0;
        assert_int_equal(dns_name_read(r->rdata.ptr, r->rdata.len, &pos, &target), ERR_OK);
        if (target.labels == 0 || is_name(&target, "*") || is_name(&target, "rpz-drop")) {
            rank = BL_RANK_BLOCK;
        } else if (is_name(&target, "rpz-passthru") || dns_name_equal(&target, &trigger)) {
            rank = BL_RANK_ALLOW;
        }
    } else if ((r->type == 1 || r->type == 28) && memcmp(r->rdata.ptr, zeros, r->rdata.len) == 0) {
        rank = BL_RANK_BLOCK;
    }
    if (rank >= 0) {
        add_rule(rules, &trigger, wild ? BL_BELOW : BL_EXACT, (unsigned)rank);
    }
    return true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct rule_text *)a)->text, ((const struct rule_text *)b)->text);
}

static void sort_unique(struct rules *r)
{
    size_t n = 0;
    if (r->count > 0) {
        qsort(r->item, r->count, sizeof *r->item, by_text);
    }
    for (size_t i = 0; i < r->count; i++) {
        if (n == 0 || strcmp(r->item[n - 1].text, r->item[i].text) != 0) {
            r->item[n++] = r->item[i];
        }
    }
    r->count = n;
}

/* Would our rules about names let it in? A rule text starts with the name. */
static bool name_is_for_lists(const char *rule)
{
    struct bl_rule out;
    enum bl_reason why;
    size_t len = strcspn(rule, " ");
    return memchr(rule, '.', len) != NULL && bl_parse_one(span_of(rule, len), &out, &why) == ERR_OK;
}

/* Returns how many rules both found. */
static size_t compare(struct span zone, const char *what)
{
    static struct bl_parser parser;
    struct rules ours = {.item = NULL}, theirs = {.item = NULL};
    struct rrtext_errors errors;
    struct bl_parse_config cfg = {.format = BL_FORMAT_RPZ, .ctx = &ours, .rule = our_rule};
    bl_parse_init(&parser, &cfg);
    assert_int_equal(bl_parse_feed(&parser, zone.ptr, zone.len), ERR_OK);
    assert_int_equal(bl_parse_end(&parser), ERR_OK);
    assert_int_equal(rrtext_zone(zone, ".", 60, oracle_record, &theirs, &errors), ERR_OK);
    sort_unique(&ours);
    sort_unique(&theirs);
    size_t i = 0, j = 0, both = 0;
    while (i < ours.count || j < theirs.count) {
        int order = i == ours.count     ? 1
                    : j == theirs.count ? -1
                                        : by_text(&ours.item[i], &theirs.item[j]);
        if (order < 0) {
            fail_msg("%s: ldns does not find \"%s\" (its first error: %s)", what, ours.item[i].text,
                     errors.text);
        }
        if (order > 0 && name_is_for_lists(theirs.item[j].text)) {
            fail_msg("%s: we do not find \"%s\"", what, theirs.item[j].text);
        }
        both += order == 0;
        i += order <= 0;
        j += order >= 0;
    }
    free(ours.item);
    free(theirs.item);
    return both;
}

static void policy_zones_are_read_as_ldns_reads_them(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *zone;
        size_t rules;
    } rows[] = {
        {"published without SOA", "ads.example CNAME .\n*.ads.example CNAME .\n", 2},
        {"absolute owners", "ads.example. CNAME .\n*.ads.example. CNAME .\n", 2},
        {"zone with origin",
         "$TTL 60\n$ORIGIN rpz.example.\n@ SOA ns. mail. 1 2 3 4 5\n NS ns.\nads.example CNAME "
         ".\n*.ads.example CNAME .\nb.example CNAME rpz-passthru.\n",
         3},
        {"absolute owners inside the zone",
         "$ORIGIN rpz.example.\n@ 60 IN SOA ns. mail. 1 2 3 4 5\nads.example.rpz.example. CNAME "
         ".\nads.other. CNAME .\n",
         1},
        /* RFC 1035 5.1 allows the class before the TTL too; we read that, ldns does not. */
        {"TTL and class",
         "$ORIGIN z.\n@ SOA n. m. 1 2 3 4 5\na.example 60 IN CNAME .\nc.example IN CNAME "
         ".\nd.example 60 CNAME .\n",
         3},
        {"SOA over several lines",
         "$ORIGIN z.\n@ SOA n. m. (\n 1 ; serial\n 2 3 4\n 5 )\na.example CNAME .\n", 1},
        {"actions",
         "a.example CNAME *.\nb.example CNAME rpz-drop.\nc.example CNAME rpz-passthru.\nd.example "
         "CNAME walled.garden.example.\ne.example CNAME rpz-tcp-only.\n",
         3},
        {"local data",
         "a.example A 0.0.0.0\nb.example A 192.0.2.1\nc.example AAAA ::\nd.example TXT "
         "\"blocked\"\n",
         2},
        {"the old passthru", "a.example CNAME a.example.\n*.b.example CNAME b.example.\n", 2},
        {"other triggers",
         "32.1.2.0.192.rpz-ip CNAME .\n32.1.2.0.192.rpz-client-ip CNAME .\nns.example.rpz-nsdname "
         "CNAME .\na.example CNAME .\n",
         1},
        {"inherited owners", "a.example A 0.0.0.0\n          AAAA ::\nb.example CNAME .\n", 2},
        {"comments and capitals", "; text\nADS.Example CNAME . ; why\n\n;x CNAME .\n", 1},
        {"change of origin",
         "$ORIGIN rpz.example.\n@ SOA n. m. 1 2 3 4 5\n$ORIGIN example.rpz.example.\nads CNAME "
         ".\n$ORIGIN rpz.example.\nb.example CNAME .\n",
         2},
        {"tabs", "ads.example\tIN\tCNAME\t.\n", 1},
        {"CR LF", "ads.example CNAME .\r\nb.example CNAME .\r\n", 2},
        {"no line end", "ads.example CNAME .", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t both = compare(span_str(rows[i].zone), rows[i].why);
        if (both != rows[i].rules) {
            fail_msg("%s: %zu rules, expected %zu", rows[i].why, both, rows[i].rules);
        }
    }
}

/* RFC 1035 5.1: a relative $ORIGIN stands under the one before. ldns takes it for absolute. */
static void a_relative_origin_stands_under_the_one_before(void **state)
{
    (void)state;
    static const char zone[] =
        "$ORIGIN rpz.example.\n@ SOA n. m. 1 2 3 4 5\n$ORIGIN example\nads CNAME .\n";
    static struct bl_parser parser;
    struct rules ours = {.item = NULL};
    struct bl_parse_config cfg = {.format = BL_FORMAT_RPZ, .ctx = &ours, .rule = our_rule};
    bl_parse_init(&parser, &cfg);
    assert_int_equal(bl_parse_feed(&parser, zone, sizeof zone - 1), ERR_OK);
    assert_int_equal(bl_parse_end(&parser), ERR_OK);
    assert_int_equal(ours.count, 1);
    assert_string_equal(ours.item[0].text, "ads.example 1 0");
    free(ours.item);
}

struct grown {
    uint8_t *data;
    size_t len;
};

static bool grow(void *arg, struct span data)
{
    struct grown *g = arg;
    g->data = realloc(g->data, g->len + data.len);
    assert_non_null(g->data);
    memcpy(g->data + g->len, data.ptr, data.len);
    g->len += data.len;
    return true;
}

static void published_zones_are_read_as_ldns_reads_them(void **state)
{
    (void)state;
    static const char *const files[] = {"rpz/no-google.rpz.gz", "rpz/ph00lt0.rpz.gz"};
    static const size_t rules[] = {6312, 21180};
    const char *shared = getenv("SINKHOLE_SHARED");
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char path[512];
        uint8_t buf[8192];
        struct grown text = {NULL, 0};
        struct decoder *d;
        (void)snprintf(path, sizeof path, "%s/data/%s", shared && shared[0] ? shared : "../shared",
                       files[i]);
        FILE *f = fopen(path, "rb");
        if (!f) {
            print_message("# %s is not here\n", path);
            skip();
        }
        assert_int_equal(decode_open(DECODE_GZIP, 1 << 26, grow, &text, &d), ERR_OK);
        for (size_t n = fread(buf, 1, sizeof buf, f); n > 0; n = fread(buf, 1, sizeof buf, f)) {
            assert_int_equal(decode_feed(d, span_of(buf, n)), ERR_OK);
        }
        assert_int_equal(decode_finish(d), ERR_OK);
        decode_close(d);
        (void)fclose(f);
        assert_int_equal(compare(span_of(text.data, text.len), files[i]), rules[i]);
        free(text.data);
    }
}

/* Local records are read by a reader of their own, which works without ldns too: what it takes must
 * mean what ldns says. */
static void local_records_are_what_ldns_reads(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "nas.home.arpa A 192.168.1.9",
        "nas.home.arpa 5 A 192.168.1.9",
        "nas.home.arpa. 5 IN AAAA fd00::9",
        "www.home.arpa CNAME nas.home.arpa.",
        "9.1.168.192.in-addr.arpa PTR nas.home.arpa.",
        "home.arpa NS nas.home.arpa.",
        "home.arpa MX 10 mail.home.arpa.",
        "home.arpa MX 65535 .",
        "_ipp._tcp.home.arpa SRV 0 5 631 printer.home.arpa.",
        "_x._udp.home.arpa SRV 65535 0 0 .",
        "home.arpa TXT \"v=1 x\" y",
        "home.arpa TXT \"semi;colon\" \"a\\\"b\" \"\\226\\130\\172\"",
        "home.arpa TXT \"\" \"after nothing\"",
        "*.home.arpa TXT wild",
        "odd\\.label.home.arpa TXT \"x\"",
        "sp\\032ace.home.arpa TXT \"x\"",
        "nas.home.arpa HTTPS \\# 3 000100",
        "nas.home.arpa TYPE65280 \\# 4 0102 0304",
        "nas.home.arpa CAA \\# 8 0005697373756500",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        static uint8_t room[65536];
        struct arena arena;
        const struct local_records *t;
        const struct local_name *name = NULL;
        const char *what = "";
        char problem[RRTEXT_ERROR_MAX];
        uint8_t buf[1024];
        struct rrtext_record r;
        struct dns_suffixes hashes;
        arena_init(&arena, room, sizeof room);
        struct local_builder *b = local_builder_new(&arena, 8);
        if (rrtext_record(rows[i], 60, buf, sizeof buf, &r, problem) != ERR_OK) {
            fail_msg("%s: ldns: %s", rows[i], problem);
        }
        if (local_add_text(b, span_str(rows[i]), 60, &what) != ERR_OK) {
            fail_msg("%s: %s", rows[i], what);
        }
        assert_int_equal(local_build(b, &t), ERR_OK);
        dns_suffixes_make(&r.owner, &hashes);
        assert_int_equal(local_find(t, &r.owner, &hashes, &name), LOCAL_HERE);
        const struct local_record *rr = local_next(t, name, NULL);
        struct dns_record place = {.type = r.type, .rdlen = rr->rdlen};
        assert_true(dns_record_rdata_ok(rr->rdata, rr->rdlen, &place));
        if (rr->type != r.type || rr->ttl_s != r.ttl_s || rr->rdlen != r.rdata.len ||
            memcmp(rr->rdata, r.rdata.ptr, rr->rdlen) != 0) {
            fail_msg("%s: read in another way", rows[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_records_from_lines),
        cmocka_unit_test(local_records_are_what_ldns_reads),
        cmocka_unit_test(refuses_lines_that_are_no_records),
        cmocka_unit_test(reads_zones_with_their_directives),
        cmocka_unit_test(formats_a_message),
        cmocka_unit_test(policy_zones_are_read_as_ldns_reads_them),
        cmocka_unit_test(a_relative_origin_stands_under_the_one_before),
        cmocka_unit_test(published_zones_are_read_as_ldns_reads_them),
    };
    return UNIT_RUN(tests);
}
