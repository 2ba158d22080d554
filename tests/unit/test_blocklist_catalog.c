/*
 * Catalogs: what is read, where errors are told, and that those inside the program are sound.
 */
#include "blocklist/catalog.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/catalogs.h"
#include "resolver/safe.h"
#include "unit.h"

static enum err read_text(struct catalog *c, const char *text, bool title_is_name, char what[256])
{
    struct strbuf s;
    strbuf_init(&s, what, 256);
    return catalog_read(c, span_str(text), title_is_name, &s);
}

static void names_of(const struct catalog_section *s, char out[512])
{
    struct dns_name name;
    char text[DNS_NAME_TEXT];
    out[0] = '\0';
    for (size_t cursor = 0; catalog_name(s, &cursor, &name);) {
        dns_name_format(&name, text);
        strncat(out, text, 511 - strlen(out));
        strncat(out, "|", 511 - strlen(out));
    }
}

static void sections_and_names(void **state)
{
    (void)state;
    static struct catalog c;
    char what[256], names[512];
    assert_int_equal(read_text(&c,
                               "# services\n\n[one] The  first\nA.example b.example # x.example\n"
                               "\tc.example\r\n[two]\n#[no] x\n[three-3] Third\nd.example",
                               false, what),
                     ERR_OK);
    assert_int_equal(c.count, 3);
    assert_int_equal(c.names, 4);
    assert_int_equal(c.name_octets, 4 * 11);
    const struct catalog_section *one = catalog_find(&c, span_str("one"));
    assert_non_null(one);
    assert_true(span_equal(one->title, span_str("The  first")));
    assert_int_equal(one->line, 3);
    assert_int_equal(one->names, 3);
    names_of(one, names);
    assert_string_equal(names, "a.example|b.example|c.example|");
    names_of(&c.section[1], names);
    assert_string_equal(names, "");
    names_of(&c.section[2], names);
    assert_string_equal(names, "d.example|");
    assert_null(catalog_find(&c, span_str("on")));
    assert_null(catalog_find(&c, span_str("no")));
}

static void errors_name_the_line(void **state)
{
    (void)state;
    static struct catalog c;
    static const struct {
        const char *text, *says;
        bool title_is_name;
    } rows[] = {
        {"\nads.example\n", "2: found \"ads.example\", expected [name] before", false},
        {"[one] x\n[one] y\n", "2: found \"one\", expected each section once", false},
        {"[One] x\n", "1: found \"[One] x\", expected [name] of lower-case", false},
        {"[] x\n", "1: found \"[] x\", expected [name]", false},
        {"[one\n", "1: found \"[one\", expected [name]", false},
        {"[one] x\nads..example\n", "2: found \"ads..example\", expected a domain name", false},
        {"[one] x\nok.example com\n", "2: found \"com\", expected a domain name", false},
        {"[one] x\nok.example\n*.ads.example http://x\n", "3: found \"http://x\"", false},
        {"[one] not a name\n", "1: found \"not a name\", expected the name that stands in", true},
        {"[one]\n", "1: found \"\", expected the name that stands in", true},
        {"[one] "
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "\n",
         "expected a title of at most 80", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char what[256] = "";
        if (read_text(&c, rows[i].text, rows[i].title_is_name, what) != ERR_FORMAT ||
            !strstr(what, rows[i].says)) {
            fail_msg("row %zu: \"%s\"", i, what);
        }
    }
}

static void bounds(void **state)
{
    (void)state;
    static struct catalog c;
    size_t cap = 400000, len = 0;
    char *text = malloc(cap), what[256];
    assert_non_null(text);
    for (int i = 0; i < CATALOG_SECTIONS_MAX; i++) {
        len += (size_t)snprintf(text + len, cap - len, "[s%d]\n", i);
    }
    assert_int_equal(read_text(&c, text, false, what), ERR_OK);
    snprintf(text + len, cap - len, "[more]\n");
    assert_int_equal(read_text(&c, text, false, what), ERR_LIMIT);
    assert_non_null(strstr(what, "257: found \"more\", expected at most 256 sections"));
    len = (size_t)snprintf(text, cap, "[s]\n");
    for (int i = 0; i < CATALOG_NAMES_MAX; i++) {
        len += (size_t)snprintf(text + len, cap - len, "a%d.example\n", i % 10);
    }
    assert_int_equal(read_text(&c, text, false, what), ERR_OK);
    snprintf(text + len, cap - len, "b.example\n");
    assert_int_equal(read_text(&c, text, false, what), ERR_LIMIT);
    free(text);
}

static const struct catalogs *builtin(void)
{
    static struct catalogs c;
    const struct catalog_text none = {.file = NULL};
    struct cfg_error error;
    if (catalogs_read(&c, &none, &none, &error) != ERR_OK) {
        fail_msg("%s", error.text);
    }
    return &c;
}

/* A name in two services would be told as the first one's; one in itself and above is of no use. */
static void built_in_services_have_no_name_twice(void **state)
{
    (void)state;
    const struct catalog *c = &builtin()->services;
    assert_true(c->count >= 60);
    for (uint32_t i = 0; i < c->count; i++) {
        struct dns_name a, b;
        unsigned n = 0;
        assert_true(c->section[i].names > 0);
        assert_true(c->section[i].title.len > 0);
        for (size_t at = 0; catalog_name(&c->section[i], &at, &a); n++) {
            unsigned m = 0;
            for (size_t to = 0; catalog_name(&c->section[i], &to, &b); m++) {
                char text[DNS_NAME_TEXT];
                dns_name_format(&a, text);
                if (m != n && dns_name_within(&a, &b)) {
                    fail_msg("%.*s: %s is there already", (int)c->section[i].id.len,
                             (const char *)c->section[i].id.ptr, text);
                }
            }
        }
    }
}

static void built_in_safe_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned bits;
        const char *target; /* NULL: none */
    } rows[] = {
        {"www.google.com", SAFE_SEARCH, "forcesafesearch.google.com"},
        {"google.co.uk", SAFE_SEARCH, "forcesafesearch.google.com"},
        {"www.google.com.tr", SAFE_SEARCH, "forcesafesearch.google.com"},
        {"maps.google.com", SAFE_SEARCH, NULL},
        {"x.www.google.com", SAFE_SEARCH, NULL},
        {"google.com", SAFE_YOUTUBE_STRICT, NULL},
        {"forcesafesearch.google.com", SAFE_SEARCH, NULL},
        {"www.bing.com", SAFE_SEARCH, "strict.bing.com"},
        {"duckduckgo.com", SAFE_SEARCH, "safe.duckduckgo.com"},
        {"www.youtube.com", SAFE_SEARCH, NULL},
        {"www.youtube.com", SAFE_SEARCH | SAFE_YOUTUBE_STRICT, "restrict.youtube.com"},
        {"www.youtube.com", SAFE_SEARCH | SAFE_YOUTUBE_MODERATE, "restrictmoderate.youtube.com"},
        {"pixabay.com", SAFE_SEARCH, "safesearch.pixabay.com"},
        {"www.ecosia.org", SAFE_SEARCH, "strict-safe-search.ecosia.org"},
        {"yandex.ru", SAFE_SEARCH, "familysearch.yandex.ru"},
        {"example.org", 0xff, NULL},
    };
    const struct catalog *c = &builtin()->safe_search;
    struct safe_names s;
    size_t len = safe_names_memory(c);
    void *mem = malloc(len);
    assert_non_null(mem);
    assert_int_equal(safe_names_make(c, mem, len / 2, &s), ERR_SPACE);
    assert_int_equal(safe_names_make(c, mem, len, &s), ERR_OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct dns_name name;
        char text[DNS_NAME_TEXT] = "none";
        assert_int_equal(dns_name_parse(span_str(rows[i].name), &name), ERR_OK);
        const struct dns_name *target = safe_names_find(&s, &name, (uint8_t)rows[i].bits);
        if (target != NULL) {
            dns_name_format(target, text);
        }
        if ((target == NULL) != (rows[i].target == NULL) ||
            (target != NULL && strcmp(text, rows[i].target) != 0)) {
            fail_msg("%s (%u): %s", rows[i].name, rows[i].bits, text);
        }
    }
    /* No stand-in is itself replaced: that would go round. */
    for (uint32_t i = 0; i < c->count; i++) {
        assert_null(safe_names_find(&s, &s.target[i], 0xff));
    }
    free(mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_and_names),
        cmocka_unit_test(errors_name_the_line),
        cmocka_unit_test(bounds),
        cmocka_unit_test(built_in_services_have_no_name_twice),
        cmocka_unit_test(built_in_safe_names),
    };
    return UNIT_RUN(tests);
}
