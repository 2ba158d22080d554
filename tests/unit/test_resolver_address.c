/* Addresses that are not wanted: the table against a model, and records as upstreams may send them.
 */
#include "resolver/address.h"

#include <stdlib.h>

#include "base/rng.h"
#include "octets.h"
#include "unit.h"

struct fixture {
    void *mem;
    struct address_rules *a;
};

static struct fixture open_rules(uint32_t count)
{
    struct fixture f;
    size_t len = address_rules_memory(count);
    f.mem = malloc(len);
    assert_non_null(f.mem);
    assert_int_equal(address_rules_init(&f.a, f.mem, len, count), ERR_OK);
    return f;
}

static struct ip_prefix prefix(const char *text)
{
    struct ip_prefix p;
    assert_int_equal(ip_prefix_parse(span_str(text), &p), ERR_OK);
    return p;
}

static const char *reason(const struct address_rules *a, const char *addr, uint64_t groups)
{
    struct ip_addr ip;
    const struct bl_asker asker = {.groups = groups};
    assert_int_equal(ip_parse(span_str(addr), &ip), ERR_OK);
    const struct address_rule *rule = address_rules_find(a, &ip, &asker);
    return rule ? rule->reason : "";
}

static void groups_and_longest_prefixes(void **state)
{
    (void)state;
    struct fixture f = open_rules(4);
    struct ip_prefix p[] = {prefix("203.0.113.0/24"), prefix("203.0.113.9"),
                            prefix("203.0.113.9/32"), prefix("2001:db8::/32")};
    address_rules_add(f.a, &p[0], 1);
    address_rules_add(f.a, &p[1], 2);
    address_rules_add(f.a, &p[2], 4); /* the same again, for others */
    address_rules_add(f.a, &p[3], 1);
    address_rules_done(f.a);
    assert_int_equal(f.a->count, 3);
    assert_string_equal(reason(f.a, "203.0.113.8", 1), "address 203.0.113.0/24 is blocked");
    assert_string_equal(reason(f.a, "203.0.113.9", 1), "address 203.0.113.0/24 is blocked");
    assert_string_equal(reason(f.a, "203.0.113.9", 2), "address 203.0.113.9/32 is blocked");
    assert_string_equal(reason(f.a, "203.0.113.9", 4), "address 203.0.113.9/32 is blocked");
    assert_string_equal(reason(f.a, "203.0.113.9", 7), "address 203.0.113.9/32 is blocked");
    assert_string_equal(reason(f.a, "203.0.113.8", 2), "");
    assert_string_equal(reason(f.a, "203.0.114.8", 7), "");
    assert_string_equal(reason(f.a, "2001:db8::1", 1), "address 2001:db8::/32 is blocked");
    assert_string_equal(reason(f.a, "2001:db9::1", 1), "");
    free(f.mem);
}

static void agrees_with_a_model(void **state)
{
    (void)state;
    enum { RULES = 200, ASKS = 20000 };
    struct fixture f = open_rules(RULES);
    struct ip_prefix p[RULES];
    uint64_t groups[RULES];
    uint8_t seed[32] = {3};
    struct rng rng;
    unsigned hits = 0;
    rng_init(&rng, seed);
    for (unsigned i = 0; i < RULES; i++) {
        uint64_t v = rng_u64(&rng);
        const uint8_t v4[4] = {10, (uint8_t)(v % 4), (uint8_t)(v >> 8), (uint8_t)(v >> 16)};
        p[i] = (struct ip_prefix){.addr = ip_v4(v4), .bits = (uint8_t)(96 + 22 + v % 11)};
        for (unsigned bit = p[i].bits; bit < 128; bit++) {
            p[i].addr.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
        }
        groups[i] = 1 + (v >> 40) % 3;
        address_rules_add(f.a, &p[i], groups[i]);
    }
    address_rules_done(f.a);
    for (unsigned n = 0; n < ASKS; n++) {
        uint64_t v = rng_u64(&rng);
        const uint8_t v4[4] = {10, (uint8_t)(v % 4), (uint8_t)(v >> 8), (uint8_t)(v >> 16)};
        const struct bl_asker asker = {.groups = 1 + (v >> 40) % 3};
        struct ip_addr addr = ip_v4(v4);
        bool expected = false;
        for (unsigned i = 0; i < RULES; i++) {
            expected |= ip_in_prefix(&addr, &p[i]) && (groups[i] & asker.groups) != 0;
        }
        assert_int_equal(address_rules_find(f.a, &addr, &asker) != NULL, expected);
        hits += expected;
    }
    assert_true(hits > 100 && hits < ASKS);
    free(f.mem);
}

/* A message with one HTTPS record of this rdata. */
static bool judge_https(const struct address_rules *a, const char *rdata)
{
    uint8_t msg[512];
    static const char head[] = "0000 8180 0001 0001 0000 0000 01 78 00 0041 0001"
                               " c00c 0041 0001 0000003c ";
    size_t at = octets_of_hex(head, msg, sizeof msg);
    size_t n = octets_of_hex(rdata, msg + at + 2, sizeof msg - at - 2);
    const struct bl_asker asker = {.groups = 1};
    be16_write(msg + at, (uint16_t)n);
    return address_rules_judge(a, msg, at + 2 + n, &asker) != NULL;
}

static void hints_of_https_records(void **state)
{
    (void)state;
    struct fixture f = open_rules(2);
    struct ip_prefix p[] = {prefix("203.0.113.0/24"), prefix("2001:db8:bad::/48")};
    address_rules_add(f.a, &p[0], 1);
    address_rules_add(f.a, &p[1], 1);
    address_rules_done(f.a);
    static const struct {
        const char *rdata;
        bool blocked;
        const char *why;
    } rows[] = {
        {"0001 00 0004 0004 cb007109", true, "an IPv4 hint"},
        {"0001 00 0004 0004 c6336401", false, "another one"},
        {"0001 00 0004 0008 c6336401 cb007109", true, "the second of two"},
        {"0001 00 0001 0003 026832 0004 0004 cb007109", true, "behind another parameter"},
        {"0001 00 0006 0010 20010db80bad00000000000000000001", true, "an IPv6 hint"},
        {"0001 01 79 00 0004 0004 cb007109", true, "behind a target"},
        {"0000 01 79 00", false, "an alias"},
        {"0001 00 0004 0005 cb00710900", true, "a length that is no multiple"},
        {"0001 00 0004 0003 cb0071", false, "a hint that is too short"},
        {"0001 00 0004 0008 cb007109", false, "a hint that runs out"},
        {"0001 00 0004", false, "a parameter that runs out"},
        {"0001", false, "no target"},
        {"00", false, "no priority"},
        {"", false, "nothing"},
        {"0001 05 79", false, "a target that runs out"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (judge_https(f.a, rows[i].rdata) != rows[i].blocked) {
            fail_msg("%s", rows[i].why);
        }
    }
    free(f.mem);
}

static void memory_that_is_too_small(void **state)
{
    (void)state;
    struct address_rules *a;
    size_t len = address_rules_memory(8);
    void *mem = malloc(len);
    assert_non_null(mem);
    assert_int_equal(address_rules_init(&a, mem, len / 2, 8), ERR_SPACE);
    free(mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_and_longest_prefixes),
        cmocka_unit_test(agrees_with_a_model),
        cmocka_unit_test(hints_of_https_records),
        cmocka_unit_test(memory_that_is_too_small),
    };
    return UNIT_RUN(tests);
}
