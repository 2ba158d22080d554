/*
 * Leases as DHCP servers write them, and what no server would write.
 */
#include "unit.h"

#include <stdio.h>

#include "config/lease.h"

#define NOW 1790000000

struct told {
    char text[2000];
    size_t len;
};

static void keep(void *ctx, const struct lease *l)
{
    struct told *t = ctx;
    char addr[IP_TEXT_MAX], mac[MAC_TEXT] = "-";
    ip_format(&l->addr, addr);
    if (l->has_mac) {
        mac_format(l->mac, mac);
    }
    t->len += (size_t)snprintf(t->text + t->len, sizeof t->text - t->len, "%s%s %s %s%s",
                               t->len ? "|" : "", addr, mac, l->name[0] ? l->name : "-",
                               l->ended ? " ended" : "");
}

static void each_form_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *why, *text, *told;
    } rows[] = {
        {"dnsmasq", "1790000001 3c:22:fb:01:02:03 192.168.1.20 Laptop 01:3c:22:fb:01:02:03\n",
         "192.168.1.20 3c:22:fb:01:02:03 laptop"},
        {"for good", "0 3c:22:fb:01:02:03 192.168.1.20 laptop *",
         "192.168.1.20 3c:22:fb:01:02:03 laptop"},
        {"over", "1789999999 3c:22:fb:01:02:03 192.168.1.20 laptop *\n",
         "192.168.1.20 3c:22:fb:01:02:03 laptop ended"},
        {"no name", "0 3c:22:fb:01:02:03 192.168.1.20 * *\n", "192.168.1.20 3c:22:fb:01:02:03 -"},
        {"IPv6 has no hardware address", "duid 00:01\n0 1196 fd00::20 laptop 00:01\n",
         "fd00::20 - laptop"},
        {"ISC",
         "lease 192.168.1.20 {\n  binding state active;\n  next binding state free;\n"
         "  hardware ethernet 3c:22:fb:01:02:03;\n  client-hostname \"laptop\";\n}\n",
         "192.168.1.20 3c:22:fb:01:02:03 laptop"},
        {"ISC, given back", "lease 192.168.1.20 {\n binding state free;\n}\n",
         "192.168.1.20 - - ended"},
        {"ISC, cut off", "lease 192.168.1.20 {\n binding state active;\n", ""},
        {"ISC, a name of two words", "lease 10.0.0.1 {\n client-hostname \"my tv\";\n}\n",
         "10.0.0.1 - -"},
        {"Kea",
         "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,"
         "state\n192.168.1.20,3c:22:fb:01:02:03,,3600,1790000001,1,0,0,laptop.lan,0\n"
         "192.168.1.21,,,3600,1789999999,1,0,0,tv,0\n192.168.1.22,,,3600,1790000001,1,0,0,x,2\n",
         "192.168.1.20 3c:22:fb:01:02:03 laptop.lan|192.168.1.21 - tv ended|192.168.1.22 - x "
         "ended"},
        {"Kea, other columns", "address,hostname\nfd00::20,Laptop.\n", "fd00::20 - laptop"},
        {"Kea, a line that breaks off", "address,hwaddr,hostname\n192.168.1.20\n,\n",
         "192.168.1.20 - -"},
        {"odhcpd", "# br-lan 0001 1 laptop 1790000001 20 128 fd00::20/128\nfd00::20\tlaptop\n",
         "fd00::20 - laptop"},
        {"Windows ends of lines", "192.168.1.20 laptop\r\n192.168.1.21 tv\r\n",
         "192.168.1.20 - laptop|192.168.1.21 - tv"},
        {"nothing of it", "\n\nhello world\n1.2.3 x\n{ } ; \"\n,,,,\n", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct told t = {.len = 0};
        leases_read(span_str(rows[i].text), NOW, keep, &t);
        if (strcmp(t.text, rows[i].told) != 0) {
            fail_msg("%s: %s", rows[i].why, t.text);
        }
    }
}

static void names_are_a_hosts(void **state)
{
    (void)state;
    char longest[LEASE_NAME + 1], out[LEASE_NAME];
    static const struct {
        const char *text, *name; /* NULL: none */
    } rows[] = {
        {"Laptop", "laptop"},  {"tv.lan.", "tv.lan"}, {"a_b-1", "a_b-1"},    {"", NULL},
        {".", NULL},           {"*", NULL},           {"-x", NULL},          {".x", NULL},
        {"a..b", NULL},        {"<b>", NULL},         {"a b", NULL},         {"a\x01", NULL},
        {"192.168.1.1", NULL}, {"12", NULL},          {"caf\xc3\xa9", NULL}, {"a\"onload=x", NULL},
        {"../x", NULL},        {"a/b", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        strcpy(out, "before");
        bool good = lease_name_read(span_str(rows[i].text), out);
        if (good != (rows[i].name != NULL) ||
            strcmp(out, rows[i].name ? rows[i].name : "before") != 0) {
            fail_msg("%s: %s", rows[i].text, out);
        }
    }
    memset(longest, 'a', sizeof longest);
    assert_true(lease_name_read(span_of(longest, LEASE_NAME - 1), out));
    assert_false(lease_name_read(span_of(longest, LEASE_NAME), out));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_is_read),
        cmocka_unit_test(names_are_a_hosts),
    };
    return UNIT_RUN(tests);
}
