/*
 * Policy zones as text, read by us and by ldns: random zones in all the ways that master files can
 * say a thing must give the same rules. Left out is what RFC 1035 5.1 has and ldns does not: the
 * class before the TTL, relative and lower-case $ORIGIN (test_blocklist_parse.c has them).
 */
/* OpenSSL, which ldns includes, has a type of the name of one of our errors. */
#define ERR_STATE openssl_err_state
#include <stdbool.h> /* or ldns makes a bool of its own */

#include <ldns/ldns.h>
#undef ERR_STATE

#include <stdio.h>
#include <stdlib.h>

#include "lists_fixture.h"
#include "octets.h"
#include "unit.h"

enum { ZONE_MAX = 65536, RULES_MAX = 2048 };

static struct test_random rnd = {4711};

static unsigned below(unsigned n)
{
    return test_random_below(&rnd, n);
}

static const char *pick(const char *const *from, unsigned n)
{
    return from[below(n)];
}

#define PICK(list) pick((list), sizeof(list) / sizeof(list)[0])

/* ------------------------------------------------------------------ zones */

struct zone_text {
    char text[ZONE_MAX];
    size_t len;
    char origin[64]; /* at hand, without trailing dot */
};

static void put(struct zone_text *z, const char *text)
{
    size_t n = strlen(text);
    assert_true(z->len + n < ZONE_MAX);
    memcpy(z->text + z->len, text, n + 1);
    z->len += n;
}

static void put_blanks(struct zone_text *z)
{
    static const char *const blanks[] = {" ", "  ", "\t", " \t ", "\t\t"};
    put(z, PICK(blanks));
}

static void put_end(struct zone_text *z)
{
    static const char *const ends[] = {
        "\n",  "\n", " \n", "\t; a comment\n", " ; CNAME . (\n", "\n\n", "\n; a line of comment\n",
        "\r\n"};
    put(z, PICK(ends));
}

static void put_name(struct zone_text *z, bool wild)
{
    static const char *const labels[] = {"ads",  "Track", "a",       "b-c", "x1",
                                         "_srv", "cdn",   "EXAMPLE", "com", "zz9"};
    char name[128] = "";
    unsigned n = 2 + below(3);
    strcat(name, wild ? "*." : "");
    for (unsigned i = 0; i < n; i++) {
        strcat(name, i ? "." : "");
        strcat(name, PICK(labels));
    }
    put(z, name);
    if (below(4) == 0) { /* absolute; sometimes outside of the zone */
        put(z, below(8) ? ".rpz.test." : ".");
    }
}

static void put_ttl_and_class(struct zone_text *z)
{
    static const char *const both[] = {"", "", "300 ", "IN ", "in ", "1h IN ", "3600\tIN\t", "1d "};
    put(z, PICK(both));
}

static void put_record(struct zone_text *z, bool first)
{
    static const char *const data[] = {"CNAME .",
                                       "CNAME .",
                                       "cname *.",
                                       "CNAME rpz-passthru.",
                                       "CNAME\trpz-drop.",
                                       "CNAME rpz-tcp-only.",
                                       "CNAME wall.example.net.",
                                       "CNAME (\n\t. )",
                                       "( CNAME\n  * \n )",
                                       "A 0.0.0.0",
                                       "A 192.0.2.1",
                                       "A 127.0.0.1",
                                       "AAAA ::",
                                       "AAAA 2001:db8::1",
                                       "TXT \"CNAME . ; (\"",
                                       "MX 10 mail"};
    if (first || below(6)) {
        put_name(z, below(3) == 0);
    }
    put_blanks(z);
    put_ttl_and_class(z);
    const char *rr = PICK(data);
    put(z, strstr(rr, "* \n") ? "CNAME ." : rr);
    put_end(z);
}

static void make_zone(struct zone_text *z)
{
    static const char *const origins[] = {"$ORIGIN com.rpz.test.\n", "$ORIGIN a.b.rpz.test.\n",
                                          "$ORIGIN rpz.test.\n", "$TTL 1h\n"};
    z->len = 0;
    put(z, "$ORIGIN rpz.test.\n$TTL 60\n");
    put(z, below(2) ? "@ IN SOA ns hm 1 2 3 4 5\n"
                    : "@ 60 IN SOA ns.rpz.test. hm (\n 1 ; serial\n 2 3 4\n 5 )\n");
    put(z, below(2) ? "\tIN NS ns\n" : "@ NS localhost.\n");
    for (unsigned i = 0, n = 5 + below(60); i < n; i++) {
        bool moved = below(15) == 0;
        if (moved) {
            put(z, PICK(origins));
        }
        put_record(z, i == 0 || moved);
    }
}

/* ------------------------------------------------------------------ what ldns makes of them */

static char *theirs[RULES_MAX];
static size_t theirs_count;

static void add_theirs(const char *name, size_t len, const char *flags)
{
    char text[300];
    assert_true(theirs_count < RULES_MAX);
    snprintf(text, sizeof text, "%.*s %s", (int)len, name, flags);
    theirs[theirs_count++] = strdup(text);
}

static bool is_null_or_loopback(const ldns_rdf *address)
{
    const uint8_t *p = ldns_rdf_data(address);
    static const uint8_t zeros[16];
    if (ldns_rdf_size(address) == 4) {
        return memcmp(p, zeros, 4) == 0 || p[0] == 127;
    }
    return memcmp(p, zeros, 15) == 0 && p[15] <= 1;
}

/* "block", "allow" or NULL, by draft-vixie-dnsop-dns-rpz and docs/blocklist.md. */
static const char *policy_of(const ldns_rr *rr, const char *owner)
{
    const ldns_rdf *data = ldns_rr_rdf(rr, 0);
    const char *policy = NULL;
    if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_A || ldns_rr_get_type(rr) == LDNS_RR_TYPE_AAAA) {
        return is_null_or_loopback(data) ? "" : NULL;
    }
    if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_CNAME) {
        return NULL;
    }
    char *target = ldns_rdf2str(data);
    if (strcmp(target, ".") == 0 || strcmp(target, "*.") == 0 || strcmp(target, "rpz-drop.") == 0) {
        policy = "";
    } else if (strcmp(target, "rpz-passthru.") == 0) {
        policy = "@";
    }
    (void)owner;
    free(target);
    return policy;
}

static void take_theirs(const ldns_rr *rr)
{
    ldns_rdf *owner = ldns_rdf_clone(ldns_rr_owner(rr));
    ldns_dname2canonical(owner);
    char *text = ldns_rdf2str(owner);
    static const char zone[] = ".rpz.test.";
    size_t len = strlen(text);
    const char *policy = policy_of(rr, text);
    if (policy && len > sizeof zone - 1 && strcmp(text + len - (sizeof zone - 1), zone) == 0) {
        bool wild = strncmp(text, "*.", 2) == 0;
        char flags[8];
        snprintf(flags, sizeof flags, "%s%s", policy, wild ? "S" : "E");
        add_theirs(text + (wild ? 2 : 0), len - (sizeof zone - 1) - (wild ? 2 : 0), flags);
    }
    free(text);
    ldns_rdf_deep_free(owner);
}

static void read_theirs(const struct zone_text *z)
{
    ldns_rdf *origin = ldns_dname_new_frm_str("rpz.test.");
    ldns_zone *zone = NULL;
    FILE *f = fmemopen((void *)(uintptr_t)z->text, z->len, "r");
    int line = 0;
    assert_non_null(f);
    if (ldns_zone_new_frm_fp_l(&zone, f, origin, 60, LDNS_RR_CLASS_IN, &line) != LDNS_STATUS_OK) {
        fail_msg("ldns does not read line %d of\n%s", line, z->text);
    }
    fclose(f);
    theirs_count = 0;
    ldns_rr_list *rrs = ldns_zone_rrs(zone);
    for (size_t i = 0; i < ldns_rr_list_rr_count(rrs); i++) {
        take_theirs(ldns_rr_list_rr(rrs, i));
    }
    ldns_zone_deep_free(zone);
    ldns_rdf_deep_free(origin);
}

/* ------------------------------------------------------------------ comparing */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void same_rules(void **state)
{
    (void)state;
    static struct zone_text z;
    static char *ours[RULES_MAX];
    size_t all = 0;
    for (unsigned round = 0; round < 1500; round++) {
        struct parsed p;
        make_zone(&z);
        read_theirs(&z);
        parsed_make(&p, round % 2 ? BL_FORMAT_AUTO : BL_FORMAT_RPZ, span_of(z.text, z.len),
                    round % 3 ? 0 : 1 + below(50), NULL);
        assert_int_equal(p.err, ERR_OK);
        for (size_t i = 0; i < p.rules.count; i++) {
            struct fixture_rules one = {.rule = &p.rules.rule[i], .count = 1};
            char text[300];
            rules_format(&one, text, sizeof text);
            ours[i] = strdup(text);
        }
        qsort(ours, p.rules.count, sizeof ours[0], by_text);
        qsort(theirs, theirs_count, sizeof theirs[0], by_text);
        for (size_t i = 0; i < p.rules.count || i < theirs_count; i++) {
            const char *o = i < p.rules.count ? ours[i] : "nothing",
                       *t = i < theirs_count ? theirs[i] : "nothing";
            if (strcmp(o, t) != 0) {
                fail_msg("we read %s, ldns %s, in\n%s", o, t, z.text);
            }
        }
        all += theirs_count;
        for (size_t i = 0; i < p.rules.count; i++) {
            free(ours[i]);
            free(theirs[i]);
        }
        parsed_free(&p);
    }
    assert_true(all > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_rules)};
    return UNIT_RUN(tests);
}
