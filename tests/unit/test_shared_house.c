/*
 * The table of devices: what several sources say of one address, and what there is room for.
 */
#include "unit.h"

#include <stdio.h>

#include "shared/house.h"

#define HOUR (3600 * USEC_PER_SEC)

static struct house *d;

static int begin(void **state)
{
    (void)state;
    return house_new(&d) == ERR_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    house_free(d);
    return 0;
}

static struct ip_addr ip(const char *text)
{
    struct ip_addr a;
    assert_int_equal(ip_parse(span_str(text), &a), ERR_OK);
    return a;
}

static struct policy_address neighbour(const char *addr, uint8_t device)
{
    return (struct policy_address){
        .addr = ip(addr), .has_mac = true, .mac = {2, 0, 0, 0, 0, device}};
}

static bool update(usec_t now)
{
    bool changed;
    assert_int_equal(house_update(d, now, &changed), ERR_OK);
    return changed;
}

static void expect(const char *addr, int device, const char *name, enum api_name_source source)
{
    struct ip_addr a = ip(addr);
    const struct policy_address *p = house_find(d, &a);
    if (!p || p->has_mac != (device >= 0) || (device >= 0 && p->mac[5] != device) ||
        strcmp(p->name ? p->name : "", name) != 0 || p->source != source) {
        fail_msg("%s: %d %s %d", addr, p ? p->mac[5] : -2, p && p->name ? p->name : "",
                 p ? p->source : -1);
    }
}

static void the_best_source_names_all_addresses_of_a_device(void **state)
{
    (void)state;
    struct policy_address n[] = {neighbour("192.168.1.20", 1), neighbour("fd00::20", 1),
                                 neighbour("192.168.1.21", 2)};
    struct ip_addr a = ip("192.168.1.20"), b = ip("192.168.1.21"), c = ip("10.0.0.9");
    house_set_neighbours(d, n, 3, HOUR);
    assert_true(update(HOUR));
    assert_false(update(HOUR));
    expect("fd00::20", 1, "", API_NAME_NONE);
    house_put_found(d, &a, API_NAME_MDNS, "tv.local", 3 * HOUR);
    assert_true(update(HOUR));
    expect("fd00::20", 1, "tv.local", API_NAME_MDNS);
    house_put_found(d, &a, API_NAME_ROUTER, "tv.lan", 2 * HOUR);
    assert_true(update(HOUR));
    expect("192.168.1.20", 1, "tv.lan", API_NAME_ROUTER);
    expect("fd00::20", 1, "tv.lan", API_NAME_ROUTER);
    house_begin_leases(d);
    house_add_leases(d,
                       span_str("0 02:00:00:00:00:01 192.168.1.20 telly *\n"
                                "0 02:00:00:00:00:07 10.0.0.9 far *\n"
                                "0 02:00:00:00:00:09 192.168.1.21 phone *\n"),
                       0);
    assert_true(update(HOUR));
    expect("192.168.1.20", 1, "telly", API_NAME_LEASE);
    expect("fd00::20", 1, "telly", API_NAME_LEASE);
    expect("192.168.1.21", 2, "phone", API_NAME_LEASE); /* the neighbour's hardware address */
    expect("10.0.0.9", 7, "far", API_NAME_LEASE);       /* … where there is one */
    house_begin_leases(d);
    assert_true(update(HOUR));
    expect("fd00::20", 1, "tv.lan", API_NAME_ROUTER);
    assert_true(update(2 * HOUR)); /* its answer is too old */
    expect("fd00::20", 1, "tv.local", API_NAME_MDNS);
    assert_null(house_find(d, &c));
    house_put_found(d, &b, API_NAME_ROUTER, "<b>x</b>", 9 * HOUR);
    (void)update(2 * HOUR);
    expect("192.168.1.21", 2, "", API_NAME_NONE);
    assert_true(house_was_asked(d, &b, API_NAME_ROUTER, 8 * HOUR));
    assert_false(house_was_asked(d, &b, API_NAME_ROUTER, 9 * HOUR));
    assert_false(house_was_asked(d, &b, API_NAME_MDNS, 2 * HOUR));
}

static void neighbours_that_are_gone_are_past_for_a_day(void **state)
{
    (void)state;
    struct policy_address n[] = {neighbour("fd00::20", 1)}, m[] = {neighbour("fd00::21", 1)};
    struct ip_addr a = ip("fd00::20");
    house_set_neighbours(d, n, 1, HOUR);
    (void)update(HOUR);
    assert_false(house_find(d, &a)->past);
    house_set_neighbours(d, m, 1, 2 * HOUR);
    assert_true(update(2 * HOUR));
    assert_true(house_find(d, &a)->past);
    expect("fd00::20", 1, "", API_NAME_NONE);
    m[0] = neighbour("fd00::20", 2); /* somebody else has it now */
    house_set_neighbours(d, m, 1, 3 * HOUR);
    (void)update(3 * HOUR);
    expect("fd00::20", 2, "", API_NAME_NONE);
    assert_false(house_find(d, &a)->past);
    house_set_neighbours(d, NULL, 0, 28 * HOUR);
    (void)update(28 * HOUR);
    assert_null(house_find(d, &a));
}

static void of_one_address_the_last_lease_counts(void **state)
{
    (void)state;
    struct ip_addr a = ip("192.168.1.20");
    house_begin_leases(d);
    house_add_leases(d, span_str("192.168.1.20 old\n192.168.1.20 new\n"), 0);
    (void)update(1);
    expect("192.168.1.20", -1, "new", API_NAME_LEASE);
    house_begin_leases(d);
    house_add_leases(d,
                       span_str("192.168.1.20 old\n"
                                "lease 192.168.1.20 {\n binding state free;\n}\n"),
                       0);
    assert_true(update(1));
    assert_null(house_find(d, &a));
}

static void what_there_is_no_room_for_is_left_out(void **state)
{
    (void)state;
    static struct policy_address n[HOUSE_MAX];
    static char text[HOUSE_LEASE_MAX * 2 * 40];
    uint32_t count;
    size_t len = 0;
    for (uint32_t i = 0; i < HOUSE_MAX; i++) {
        n[i] = neighbour("10.0.0.0", 1);
        n[i].addr.b[14] = (uint8_t)(i >> 8);
        n[i].addr.b[15] = (uint8_t)i;
    }
    for (uint32_t i = 0; i < HOUSE_LEASE_MAX * 2; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "172.16.%u.%u name%u\n", i >> 8,
                                i & 255, i);
    }
    house_begin_leases(d);
    house_add_leases(d, span_of(text, len), 0);
    (void)update(1);
    (void)house_table(d, &count);
    assert_int_equal(count, HOUSE_LEASE_MAX);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < HOUSE_MAX; i++) {
            n[i].addr.b[13] = (uint8_t)round;
        }
        house_set_neighbours(d, n, HOUSE_MAX, HOUR + round);
        (void)update(HOUR);
        (void)house_table(d, &count);
        assert_int_equal(count, HOUSE_MAX);
    }
    for (uint32_t i = 0; i < 3 * HOUSE_FOUND_MAX; i++) {
        struct ip_addr a = ip("10.9.0.0");
        a.b[14] = (uint8_t)(i >> 8);
        a.b[15] = (uint8_t)i;
        house_put_found(d, &a, API_NAME_ROUTER, "x", 100 + i);
        assert_true(house_was_asked(d, &a, API_NAME_ROUTER, 99));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_best_source_names_all_addresses_of_a_device, begin,
                                        end),
        cmocka_unit_test_setup_teardown(neighbours_that_are_gone_are_past_for_a_day, begin, end),
        cmocka_unit_test_setup_teardown(of_one_address_the_last_lease_counts, begin, end),
        cmocka_unit_test_setup_teardown(what_there_is_no_room_for_is_left_out, begin, end),
    };
    return UNIT_RUN(tests);
}
