/*
 * What each kind of line gives, and why the others give nothing. Expected rules are "name flags",
 * flags as in dumps: [@][!]{E|S|ES}.
 */
#include <stdio.h>

#include "lists_fixture.h"
#include "unit.h"

#define NONE BL_REASON_COUNT

struct row {
    const char *why;
    const char *text;
    const char *rules;
    unsigned reason; /* of what was rejected first; NONE */
};

static void check(enum bl_format format, const struct row *row, size_t piece)
{
    struct parsed p;
    char got[4096];
    parsed_make(&p, format, span_str(row->text), piece, NULL);
    rules_format(&p.rules, got, sizeof got);
    unsigned reason = p.stats.examples ? p.stats.example[0].reason : NONE;
    if (p.err != ERR_OK || strcmp(got, row->rules) != 0) {
        fail_msg("%s: got \"%s\", not \"%s\"", row->why, got, row->rules);
    }
    if (reason != row->reason) {
        fail_msg("%s: rejected for %s, not %s", row->why, bl_reason_name((enum bl_reason)reason),
                 bl_reason_name((enum bl_reason)row->reason));
    }
    parsed_free(&p);
}

/* The same text inside of a longer file. */
static void check_inside(enum bl_format format, const struct row *row)
{
    static char text[4096];
    struct row longer = *row;
    size_t n = (size_t)snprintf(text, sizeof text, "# head\n%s\n#", row->text);
    memset(text + n, 'x', 600);
    text[n + 600] = '\0';
    longer.text = text;
    check(format, &longer, 0);
}

/* Whole, in small pieces, and amid other lines, so that each way through the reader is taken. */
static void check_rows(enum bl_format format, const struct row *row, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check(format, &row[i], 0);
        check(format, &row[i], 1);
        check(format, &row[i], 7);
        check_inside(format, &row[i]);
    }
}

#define CHECK(format, rows) check_rows((format), (rows), sizeof(rows) / sizeof(rows)[0])

static void hosts_lines(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a null address", "0.0.0.0 ads.example\n", "ads.example E", NONE},
        {"a loopback address", "127.0.0.1 ads.example\n", "ads.example E", NONE},
        {"another loopback address", "127.5.6.7 ads.example\n", "ads.example E", NONE},
        {"null, in short", "0 ads.example\n", "ads.example E", NONE},
        {"IPv6 null", ":: ads.example\n", "ads.example E", NONE},
        {"IPv6 loopback", "::1 ads.example\n", "ads.example E", NONE},
        {"a tab", "0.0.0.0\tads.example\n", "ads.example E", NONE},
        {"blanks around", " \t0.0.0.0 \t ads.example \t\n", "ads.example E", NONE},
        {"VT and FF", "0.0.0.0\vads.example\f\n", "ads.example E", NONE},
        {"a no-break space",
         "0.0.0.0\xc2\xa0"
         "ads.example\xc2\xa0\n",
         "ads.example E", NONE},
        {"several names", "0.0.0.0 a.example b.example\tc.example\n",
         "a.example E; b.example E; c.example E", NONE},
        {"a comment behind", "0.0.0.0 ads.example # why\n", "ads.example E", NONE},
        {"a comment close behind", "0.0.0.0 ads.example#why\n", "ads.example E", NONE},
        {"two signs of a comment", "0.0.0.0 ads.example  ## why\n", "ads.example E", NONE},
        {"capitals", "0.0.0.0 ADS.Example.COM\n", "ads.example.com E", NONE},
        {"a trailing dot", "0.0.0.0 ads.example.\n", "ads.example E", NONE},
        {"an underscore", "0.0.0.0 _ads._tcp.example\n", "_ads._tcp.example E", NONE},
        {"hyphens at the ends of a label", "0.0.0.0 -ads-.example\n", "-ads-.example E", NONE},
        {"another address", "192.0.2.1 ads.example\n", "", BL_REASON_NOT_SINK},
        {"broadcast", "255.255.255.255 broadcasthost\n", "", BL_REASON_NOT_SINK},
        {"an address with a scope", "fe80::1%lo0 localhost\n", "", BL_REASON_NOT_SINK},
        {"localhost", "127.0.0.1 localhost\n", "", BL_REASON_LOCAL_NAME},
        {"localhost.localdomain", "127.0.0.1 localhost.localdomain\n", "", BL_REASON_LOCAL_NAME},
        {"ip6-localhost and what follows", "::1 ip6-localhost ip6-loopback ads.example\n",
         "ads.example E", BL_REASON_LOCAL_NAME},
        {"the head of many files", "0.0.0.0 0.0.0.0\n", "", BL_REASON_ADDRESS},
        {"an address for a name", "0.0.0.0 192.0.2.1\n", "", BL_REASON_ADDRESS},
        {"an address alone", "0.0.0.0\n", "", BL_REASON_ADDRESS},
        {"a single label", "0.0.0.0 ads\n", "", BL_REASON_SINGLE_LABEL},
        {"a top-level domain of digits", "0.0.0.0 ads.123\n", "", BL_REASON_NUMERIC_TLD},
        {"two lines glued", "0.0.0.0 r1.ads0.0.0.0 r6.ads.example\n", "r6.ads.example E",
         BL_REASON_NUMERIC_TLD},
        {"a URL", "0.0.0.0 http://ads.example/\n", "", BL_REASON_URL},
        {"an empty label", "0.0.0.0 ads..example\n", "", BL_REASON_EMPTY_LABEL},
        {"two trailing dots", "0.0.0.0 ads.example..\n", "", BL_REASON_EMPTY_LABEL},
        {"a foreign character", "0.0.0.0 ads,example.com\n", "", BL_REASON_BAD_CHARACTER},
        {"raw international", "0.0.0.0 sykkeltr\xc3\xb8ye.com\n", "", BL_REASON_NOT_ASCII},
        {"its ASCII form", "0.0.0.0 xn--sykkeltrye-68a.com\n", "xn--sykkeltrye-68a.com E", NONE},
        {"no end of line", "0.0.0.0 ads.example", "ads.example E", NONE},
    };
    CHECK(BL_FORMAT_AUTO, rows);
    CHECK(BL_FORMAT_HOSTS, rows);
}

static void domain_lines(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a name", "ads.example\n", "ads.example E", NONE},
        {"all below too", "*.ads.example\n", "ads.example ES", NONE},
        {"a dot before", ".ads.example\n", "ads.example ES", NONE},
        {"a whole top-level domain", "*.zip\n", "zip ES", NONE},
        {"the same with a dot", ".zip\n", "zip ES", NONE},
        {"a single label", "zip\n", "", BL_REASON_SINGLE_LABEL},
        {"a comment behind", "ads.example # why\n", "ads.example E", NONE},
        {"a blank before", " ads.example\n", "ads.example E", NONE},
        {"a blank behind", "ads.example \n", "ads.example E", NONE},
        {"comments", "# a\n! b\n; c\n[d]\n// e\n\n", "", NONE},
        {"an address", "192.0.2.1\n", "", BL_REASON_ADDRESS},
        {"an IPv6 address", "2001:db8::1\n", "", BL_REASON_ADDRESS},
        {"a range", "192.0.2.0/24\n", "", BL_REASON_ADDRESS},
        {"an address and a port", "192.0.2.1:80\n", "", BL_REASON_PORT},
        {"a name and a port", "ads.example:8080\n", "", BL_REASON_PORT},
        {"a URL", "https://ads.example/x\n", "", BL_REASON_URL},
        {"a name and a path", "ads.example/x\n", "", BL_REASON_URL},
        {"a star inside", "ads*.example\n", "", BL_REASON_GLOB},
        {"a star at the end", "ads.*\n", "", BL_REASON_GLOB},
        {"stars twice", "*.ads.*.example\n", "", BL_REASON_GLOB},
        {"several words", "ads.example b.example\n", "", BL_REASON_WORDS},
        {"an empty label", "a..example\n", "", BL_REASON_EMPTY_LABEL},
        {"only dots", "..\n", "", BL_REASON_EMPTY_LABEL},
        {"a star and a dot alone", "*.\n", "", BL_REASON_EMPTY_LABEL},
        {"digits for a top-level domain", "ads.1\n", "", BL_REASON_NUMERIC_TLD},
        {"digits and letters", "ads.1a\n", "ads.1a E", NONE},
        {"a hyphen before the top-level domain", "ads.-com\n", "", BL_REASON_HYPHEN_TLD},
        {"a hyphen behind", "ads.com-\n", "", BL_REASON_HYPHEN_TLD},
        {"a foreign character", "ads@example.com\n", "", BL_REASON_BAD_CHARACTER},
        {"a quote", "\"ads.example\"\n", "", BL_REASON_BAD_CHARACTER},
    };
    CHECK(BL_FORMAT_AUTO, rows);
    CHECK(BL_FORMAT_DOMAINS, rows);
}

static void adblock_lines(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a name and all below", "||ads.example^\n", "ads.example ES", NONE},
        {"exactly", "|ads.example^\n", "ads.example E", NONE},
        {"only below", "||*.ads.example^\n", "ads.example S", NONE},
        {"allow", "@@||ads.example^\n", "ads.example @ES", NONE},
        {"allow exactly", "@@|ads.example^\n", "ads.example @E", NONE},
        {"important", "||ads.example^$important\n", "ads.example !ES", NONE},
        {"important allow", "@@||ads.example^$important\n", "ads.example @!ES", NONE},
        {"important twice", "||ads.example^$important,important\n", "ads.example !ES", NONE},
        {"closed by a bar", "||ads.example^|\n", "ads.example ES", NONE},
        {"capitals", "||Ads.Example^\n", "ads.example ES", NONE},
        {"a whole top-level domain", "||zip^\n", "zip ES", NONE},
        {"all below a top-level domain", "||*.zip^\n", "zip S", NONE},
        {"a top-level domain exactly", "|zip^\n", "", BL_REASON_SINGLE_LABEL},
        {"a comment behind", "||ads.example^ # why\n", "ads.example ES", NONE},
        {"a plain name", "ads.example\n", "ads.example E", NONE},
        {"no caret", "||ads.example\n", "", BL_REASON_PATTERN},
        {"a dot for a caret", "||ads.\n", "", BL_REASON_PATTERN},
        {"no bars", "ads.example^\n", "", BL_REASON_PATTERN},
        {"one bar and no caret", "|ads.example|\n", "", BL_REASON_PATTERN},
        {"a part of a name", "-banner-ads-^\n", "", BL_REASON_PATTERN},
        {"a path", "||ads.example/x^\n", "", BL_REASON_URL},
        {"a path behind", "||ads.example^/x\n", "", BL_REASON_URL},
        {"a port", "||ads.example:8080^\n", "", BL_REASON_PORT},
        {"a scheme", "|http://ads.example^\n", "", BL_REASON_URL},
        {"a star", "||ads*.example^\n", "", BL_REASON_GLOB},
        {"a star for a label", "||ads.*.example^\n", "", BL_REASON_GLOB},
        {"a star behind", "||ads.example^*\n", "", BL_REASON_GLOB},
        {"a modifier", "||ads.example^$third-party\n", "", BL_REASON_MODIFIER},
        {"one of two modifiers", "||ads.example^$important,script\n", "", BL_REASON_MODIFIER},
        {"a type of question", "||ads.example^$dnstype=~CNAME\n", "", BL_REASON_MODIFIER},
        {"a client", "||ads.example^$client=192.0.2.1\n", "", BL_REASON_MODIFIER},
        {"nothing behind the dollar", "||ads.example^$\n", "", BL_REASON_MODIFIER},
        {"element hiding", "ads.example##.banner\n", "", BL_REASON_COSMETIC},
        {"element hiding, allowed", "ads.example#@#.banner\n", "", BL_REASON_COSMETIC},
        {"extended hiding", "ads.example#?#.banner\n", "", BL_REASON_COSMETIC},
        {"a style", "ads.example#$#body {}\n", "", BL_REASON_COSMETIC},
        {"a script", "ads.example#%#x()\n", "", BL_REASON_COSMETIC},
        {"HTML filtering", "ads.example$$script[x]\n", "", BL_REASON_COSMETIC},
        {"an expression", "/^ads[0-9]+\\./\n", "", BL_REASON_REGEX},
        {"an allowed expression", "@@/^ads[0-9]+\\./\n", "", BL_REASON_REGEX},
        {"an expression with a modifier", "/^ads/$script\n", "", BL_REASON_MODIFIER},
        {"a path alone", "/ads/x.js\n", "", BL_REASON_URL},
        {"an address", "||192.0.2.1^\n", "", BL_REASON_ADDRESS},
        {"only bars", "||^\n", "", BL_REASON_EMPTY_LABEL},
        {"an empty label", "||ads..example^\n", "", BL_REASON_EMPTY_LABEL},
    };
    CHECK(BL_FORMAT_AUTO, rows);
    CHECK(BL_FORMAT_ADBLOCK, rows);
}

static void dnsmasq_lines(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"address, empty", "address=/ads.example/\n", "ads.example ES", NONE},
        {"address, null for both families", "address=/ads.example/#\n", "ads.example ES", NONE},
        {"address, null", "address=/ads.example/0.0.0.0\n", "ads.example ES", NONE},
        {"address, IPv6 null", "address=/ads.example/::\n", "ads.example ES", NONE},
        {"address, loopback", "address=/ads.example/127.0.0.1\n", "ads.example ES", NONE},
        {"local", "local=/ads.example/\n", "ads.example ES", NONE},
        {"server without a server", "server=/ads.example/\n", "ads.example ES", NONE},
        {"several names", "address=/a.example/b.example/\n", "a.example ES; b.example ES", NONE},
        {"a whole top-level domain", "local=/zip/\n", "zip ES", NONE},
        {"a dot before", "local=/.ads.example/\n", "ads.example ES", NONE},
        {"a star before", "local=/*.ads.example/\n", "ads.example ES", NONE},
        {"address, another", "address=/ads.example/192.0.2.1\n", "", BL_REASON_FORWARD},
        {"server with a server", "server=/ads.example/192.0.2.53\n", "", BL_REASON_FORWARD},
        {"server, the usual ones", "server=/ads.example/#\n", "", BL_REASON_FORWARD},
        {"server alone", "server=192.0.2.53\n", "", BL_REASON_FORWARD},
        {"another option", "cache-size=1000\n", "", BL_REASON_FORWARD},
        {"no second slash", "address=/ads.example\n", "", BL_REASON_FORWARD},
        {"all names", "address=/#/\n", "", BL_REASON_BAD_CHARACTER},
        {"a comment", "# local=/ads.example/\n", "", NONE},
    };
    CHECK(BL_FORMAT_AUTO, rows);
    CHECK(BL_FORMAT_DNSMASQ, rows);
}

static void unbound_lines(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"always_null", "local-zone: \"ads.example\" always_null\n", "ads.example ES", NONE},
        {"a trailing dot", "local-zone: \"ads.example.\" always_nxdomain\n", "ads.example ES",
         NONE},
        {"no quotes", "local-zone: ads.example refuse\n", "ads.example ES", NONE},
        {"single quotes", "local-zone: 'ads.example' static\n", "ads.example ES", NONE},
        {"indented", "    local-zone: \"ads.example\" always_refuse\n", "ads.example ES", NONE},
        {"no blank", "local-zone:\"ads.example\" deny\n", "ads.example ES", NONE},
        {"a comment behind", "local-zone: \"ads.example\" redirect # why\n", "ads.example ES",
         NONE},
        {"a type in quotes", "local-zone: \"ads.example\" \"always_nodata\"\n", "ads.example ES",
         NONE},
        {"a whole top-level domain", "local-zone: \"zip\" always_deny\n", "zip ES", NONE},
        {"a type that answers", "local-zone: \"ads.example\" transparent\n", "",
         BL_REASON_OTHER_DATA},
        {"no type", "local-zone: \"ads.example\"\n", "", BL_REASON_OTHER_DATA},
        {"a quote that does not end", "local-zone: \"ads.example always_null\n", "",
         BL_REASON_OTHER_DATA},
        {"null data", "local-data: \"ads.example A 0.0.0.0\"\n", "ads.example E", NONE},
        {"null data with TTL and class", "local-data: 'ads.example. 3600 IN AAAA ::'\n",
         "ads.example E", NONE},
        {"loopback data", "local-data: \"ads.example. A 127.0.0.1\"\n", "ads.example E", NONE},
        {"data of another address", "local-data: \"ads.example A 192.0.2.1\"\n", "",
         BL_REASON_OTHER_DATA},
        {"data of another type", "local-data: \"ads.example TXT x\"\n", "", BL_REASON_OTHER_DATA},
        {"the head", "server:\n", "", BL_REASON_OTHER_DATA},
    };
    CHECK(BL_FORMAT_AUTO, rows);
    CHECK(BL_FORMAT_UNBOUND, rows);
}

static void rpz_lines(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"NXDOMAIN", "ads.example CNAME .\n", "ads.example E", NONE},
        {"NODATA", "ads.example CNAME *.\n", "ads.example E", NONE},
        {"drop", "ads.example CNAME rpz-drop.\n", "ads.example E", NONE},
        {"passthru", "ads.example CNAME rpz-passthru.\n", "ads.example @E", NONE},
        {"only below", "*.ads.example CNAME .\n", "ads.example S", NONE},
        {"below a top-level domain", "*.zip CNAME .\n", "zip S", NONE},
        {"class and TTL", "ads.example 300 IN CNAME .\n", "ads.example E", NONE},
        {"TTL with a unit, class first", "ads.example IN 1h CNAME .\n", "ads.example E", NONE},
        {"a comment behind", "ads.example CNAME . ; why\n", "ads.example E", NONE},
        {"small letters and tabs", "ads.example\tin\tcname\t.\n", "ads.example E", NONE},
        {"a null address", "$TTL 60\nads.example A 0.0.0.0\n", "ads.example E", NONE},
        {"TCP only", "ads.example CNAME rpz-tcp-only.\n", "", BL_REASON_OTHER_DATA},
        {"a walled garden", "ads.example CNAME wall.example.\n", "", BL_REASON_OTHER_DATA},
        {"its address", "$TTL 60\nads.example A 192.0.2.1\n", "", BL_REASON_OTHER_DATA},
        {"the old passthru", "$ORIGIN rpz.\nads.example CNAME ads.example.\n", "ads.example @E",
         NONE},
        {"the old passthru, below", "$ORIGIN rpz.\n*.ads.example CNAME ads.example.\n",
         "ads.example @S", NONE},
        {"an address trigger", "32.1.2.0.192.rpz-ip CNAME .\n", "", BL_REASON_TRIGGER},
        {"a name server trigger", "ns.example.rpz-nsdname CNAME .\n", "", BL_REASON_TRIGGER},
        {"a client trigger", "32.1.2.0.192.rpz-client-ip CNAME .\n", "", BL_REASON_TRIGGER},
        {"relative to the origin", "$ORIGIN rpz.local.\nads.example CNAME .\n", "ads.example E",
         NONE},
        {"absolute in the zone", "$ORIGIN rpz.local.\nads.example.rpz.local. CNAME .\n",
         "ads.example E", NONE},
        {"outside of the zone", "$ORIGIN rpz.local.\nads.example. CNAME .\n", "",
         BL_REASON_OTHER_DATA},
        {"origins below the zone",
         "@ SOA a. b. 1 2 3 4 5\n$ORIGIN rpz.\n@ SOA a. b. 1 2 3 4 5\n$ORIGIN com.rpz.\nads CNAME "
         ".\n",
         "ads.com E", NONE},
        {"the zone's name by its SOA",
         "rpz.local. SOA a. b. 1 2 3 4 5\nads.example.rpz.local. CNAME .\n", "ads.example E", NONE},
        {"a SOA over lines",
         "$TTL 60\n@ SOA a. b. (\n  1 ; serial\n  2 3 4 5 )\n  NS c.\nads.example CNAME .\n",
         "ads.example E", NONE},
        {"an alias over lines", "$TTL 60\nads.example CNAME (\n . )\n", "ads.example E", NONE},
        {"the owner of the line before", "$TTL 60\nads.example TXT x\n  CNAME .\n", "ads.example E",
         BL_REASON_OTHER_DATA},
        {"a name and all below", "ads.example CNAME .\n*.ads.example CNAME .\n",
         "ads.example E; ads.example S", NONE},
        {"a file of another", "$TTL 60\n$INCLUDE other\n", "", BL_REASON_OTHER_DATA},
        {"no zone file: a comment sign of shells", "# title\nads.example CNAME .\n",
         "ads.example E", NONE},
        {"a star alone", "* CNAME .\n", "", BL_REASON_GLOB},
    };
    CHECK(BL_FORMAT_AUTO, rows);
    CHECK(BL_FORMAT_RPZ, rows);
}

static void mixed_files(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"each line by itself",
         "0.0.0.0 a.example\nb.example\n||c.example^\n*.d.example\nlocal=/e.example/\nlocal-zone: "
         "\"f.example\" deny\n",
         "a.example E; b.example E; c.example ES; d.example ES; e.example ES; f.example ES", NONE},
        {"lines end by CR LF", "a.example\r\nb.example\r\n", "a.example E; b.example E", NONE},
        {"lines end by CR", "a.example\rb.example\r", "a.example E; b.example E", NONE},
        {"every way to end a line", "a.example\nb.example\r\nc.example\r\r\nd.example",
         "a.example E; b.example E; c.example E; d.example E", NONE},
        {"a byte order mark",
         "\xef\xbb\xbf"
         "a.example\nb.example\n",
         "a.example E; b.example E", NONE},
        {"a byte order mark where files were glued",
         "a.example\n\xef\xbb\xbf# head\n\xef\xbb\xbf"
         "b.example\n",
         "a.example E; b.example E", NONE},
        {"a byte order mark and a blank", "\xef\xbb\xbf a.example\n", "a.example E", NONE},
        {"a record over lines that look like others",
         "ads.example CNAME (\nb.example\n0.0.0.0 c.example\n)\nd.example\n", "d.example E",
         BL_REASON_OTHER_DATA},
        {"nothing", "", "", NONE},
        {"empty lines", "\n\n\r\n \n", "", NONE},
    };
    CHECK(BL_FORMAT_AUTO, rows);
}

static void keep(void *ctx, const struct bl_rule *rule)
{
    rules_add_rule(ctx, 0, rule);
}

static size_t upper_to_ascii(void *ctx, struct span utf8, char *out, size_t cap)
{
    (void)ctx;
    const char *ascii = utf8.len == 9 ? "xn--bcher-kva.example" : "not..a..name";
    assert_true(strlen(ascii) <= cap);
    memcpy(out, ascii, strlen(ascii));
    return utf8.len == 3 ? 0 : strlen(ascii);
}

static void list_may_be_subscribed_to_as_allow_list(void **state)
{
    (void)state;
    static const char text[] =
        "a.example\n0.0.0.0 b.example\n||c.example^$important\n@@||d.example^\ne.example CNAME .\n";
    static struct bl_parser p;
    struct fixture_rules rules = {0};
    char got[256];
    bl_parse_init(&p, &(struct bl_parse_config){.as_allow = true, .ctx = &rules, .rule = keep});
    assert_int_equal(bl_parse_feed(&p, text, sizeof text - 1), ERR_OK);
    assert_int_equal(bl_parse_end(&p), ERR_OK);
    rules_format(&rules, got, sizeof got);
    assert_string_equal(got,
                        "a.example @E; b.example @E; c.example @!ES; d.example @ES; e.example @E");
    assert_int_equal(p.stats.by_format[BL_FORMAT_ADBLOCK], 2);
    assert_int_equal(p.stats.by_format[BL_FORMAT_DOMAINS], 1);
    assert_int_equal(p.stats.by_format[BL_FORMAT_HOSTS], 1);
    assert_int_equal(p.stats.by_format[BL_FORMAT_RPZ], 1);
    fixture_rules_free(&rules);
}

static void international_names_go_through_the_callback(void **state)
{
    (void)state;
    struct parsed p;
    char got[256];
    parsed_make(&p, BL_FORMAT_AUTO,
                span_str("b\xc3\xbc"
                         "cher\xc3\xbc\n*.b\xc3\xbc"
                         "cher\xc3\xbc\n0.0.0.0 b\xc3\xbc\n||\xc3\xbc.\xc3\xbc.x^\n"),
                0, upper_to_ascii);
    rules_format(&p.rules, got, sizeof got);
    assert_string_equal(got, "xn--bcher-kva.example E; xn--bcher-kva.example ES");
    assert_int_equal(p.stats.by_reason[BL_REASON_NOT_ASCII], 1);
    assert_int_equal(p.stats.by_reason[BL_REASON_EMPTY_LABEL], 1);
    parsed_free(&p);
}

struct seen {
    char text[256];
    uint32_t line[4];
    uint8_t rank[4];
    unsigned count;
};

static bool keep_regex(void *ctx, struct span pattern, uint8_t rank, uint32_t line)
{
    struct seen *s = ctx;
    assert_true(s->count < 4);
    memcpy(s->text + strlen(s->text), pattern.ptr, pattern.len);
    strcat(s->text, "|");
    s->line[s->count] = line;
    s->rank[s->count++] = rank;
    return true;
}

static void no_rule(void *ctx, const struct bl_rule *rule)
{
    (void)ctx;
    (void)rule;
    fail();
}

static void expressions_go_to_their_callback(void **state)
{
    (void)state;
    static const char text[] = "# x\n/^ads[0-9]+\\./\n@@/ok$/\n/a\\/b/$important\n";
    static struct bl_parser p;
    struct seen s = {.count = 0};
    bl_parse_init(&p, &(struct bl_parse_config){.ctx = &s, .rule = no_rule, .regex = keep_regex});
    assert_int_equal(bl_parse_feed(&p, text, sizeof text - 1), ERR_OK);
    assert_string_equal(s.text, "^ads[0-9]+\\.|ok$|a\\/b|");
    assert_int_equal(s.rank[0], BL_RANK_BLOCK);
    assert_int_equal(s.rank[1], BL_RANK_ALLOW);
    assert_int_equal(s.rank[2], BL_RANK_IMPORTANT_BLOCK);
    assert_int_equal(s.line[2], 4);
    assert_int_equal(p.stats.by_reason[BL_REASON_REGEX], 0);
    assert_int_equal(p.stats.patterns, 3);
    s = (struct seen){.count = 0};
    bl_parse_init(&p,
                  &(struct bl_parse_config){
                      .format = BL_FORMAT_REGEX, .ctx = &s, .rule = no_rule, .regex = keep_regex});
    assert_int_equal(bl_parse_feed(&p, "# x\n(^|\\.)ads\n[ad]s\n", 20), ERR_OK);
    assert_string_equal(s.text, "(^|\\.)ads|[ad]s|");
}

static void one_rule_as_typed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *rule; /* NULL: rejected */
        unsigned why;
    } rows[] = {
        {"ads.example", "ads.example E", NONE},
        {" Ads.Example. ", "ads.example E", NONE},
        {"*.ads.example", "ads.example ES", NONE},
        {".ads.example", "ads.example ES", NONE},
        {"||ads.example^", "ads.example ES", NONE},
        {"|ads.example^", "ads.example E", NONE},
        {"@@||ads.example^", "ads.example @ES", NONE},
        {"||ads.example^$important", "ads.example !ES", NONE},
        {"nas", "nas E", NONE},
        {"", NULL, BL_REASON_EMPTY_LABEL},
        {"ads..example", NULL, BL_REASON_EMPTY_LABEL},
        {"192.0.2.1", NULL, BL_REASON_ADDRESS},
        {"https://ads.example/", NULL, BL_REASON_URL},
        {"||ads.example^$script", NULL, BL_REASON_MODIFIER},
        {"/ads/", NULL, BL_REASON_URL},
        {"ads*.example", NULL, BL_REASON_GLOB},
        {"ads example", NULL, BL_REASON_BAD_CHARACTER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bl_rule rule = {.line = 77};
        enum bl_reason why = BL_REASON_COUNT;
        enum err e = bl_parse_one(span_str(rows[i].text), &rule, &why);
        if (!rows[i].rule) {
            if (e != ERR_FORMAT || why != (enum bl_reason)rows[i].why || rule.line != 77) {
                fail_msg("\"%s\" should be rejected for %s, not %s", rows[i].text,
                         bl_reason_name((enum bl_reason)rows[i].why), bl_reason_name(why));
            }
            continue;
        }
        struct fixture_rules one = {0};
        char got[256];
        assert_int_equal(e, ERR_OK);
        rules_add_rule(&one, 0, &rule);
        rules_format(&one, got, sizeof got);
        assert_string_equal(got, rows[i].rule);
        fixture_rules_free(&one);
    }
}

static void names_of_reasons_and_formats(void **state)
{
    (void)state;
    for (unsigned i = 0; i < BL_REASON_COUNT; i++) {
        assert_true(strlen(bl_reason_text((enum bl_reason)i)) > 10);
        assert_true(strlen(bl_reason_name((enum bl_reason)i)) > 2);
    }
    assert_string_equal(bl_reason_name(BL_REASON_COUNT), "unknown");
    for (unsigned i = 0; i < BL_FORMAT_COUNT; i++) {
        enum bl_format back;
        assert_int_equal(bl_format_parse(span_str(bl_format_name((enum bl_format)i)), &back),
                         ERR_OK);
        assert_int_equal(back, i);
    }
    enum bl_format f;
    assert_int_equal(bl_format_parse(span_str("hosts "), &f), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_lines),
        cmocka_unit_test(domain_lines),
        cmocka_unit_test(adblock_lines),
        cmocka_unit_test(dnsmasq_lines),
        cmocka_unit_test(unbound_lines),
        cmocka_unit_test(rpz_lines),
        cmocka_unit_test(mixed_files),
        cmocka_unit_test(list_may_be_subscribed_to_as_allow_list),
        cmocka_unit_test(international_names_go_through_the_callback),
        cmocka_unit_test(expressions_go_to_their_callback),
        cmocka_unit_test(one_rule_as_typed),
        cmocka_unit_test(names_of_reasons_and_formats),
    };
    return UNIT_RUN(tests);
}
