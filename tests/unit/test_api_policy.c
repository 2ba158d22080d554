/*
 * Who is treated how, held against a plain reading of the document: for each address the entry that
 * is nearest to it, the groups that are on, each rule and pause by itself. Clients are prefixes,
 * hardware addresses and names of devices.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/policy_plan.h"
#include "base/device.h"

#define NOW  (1000 * USEC_PER_SEC)
#define UNIX INT64_C(1800000000)

enum { GROUPS = 5, CLIENTS = 12, RULES = 20, PAUSES = 4, TEXT = 16384, ROUNDS = 400 };
enum { DEVICES = 6, ADDRESSES = 64 };

static uint32_t seed;

static uint32_t dice(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

/* Whom a text means: a prefix, or a device by its hardware address or its name. */
struct whom {
    enum { BY_PREFIX, BY_MAC, BY_NAME } how;
    struct ip_prefix prefix;
    unsigned device;
};

/* What a document says, as numbers. */
struct story {
    bool on[GROUPS + 1];
    struct {
        struct whom whom;
        unsigned groups; /* bit: group id */
    } client[CLIENTS];
    struct {
        bool owned;
        struct whom whom;
        unsigned groups;
    } rule[RULES];
    struct {
        int group; /* 0: of a client */
        struct whom whom;
        int64_t until;
    } pause[PAUSES];
    struct policy_address address[ADDRESSES]; /* of devices */
    unsigned device[ADDRESSES];
    uint32_t addresses;
};

static struct ip_prefix any_prefix(char text[IP_PREFIX_TEXT])
{
    struct ip_prefix p;
    char addr[64];
    snprintf(addr, sizeof addr, "10.0.%u.%u/%u", dice(2), dice(16), 26 + dice(7));
    assert_int_equal(ip_prefix_parse(span_str(addr), &p), ERR_OK);
    ip_prefix_format(&p, text);
    return p;
}

static struct whom anybody(char text[IP_PREFIX_TEXT])
{
    struct whom w = {.how = dice(2) == 0 ? BY_PREFIX : BY_MAC + dice(2), .device = dice(DEVICES)};
    w.prefix = any_prefix(text);
    if (w.how == BY_MAC) {
        static const char *const forms[] = {"02:00:00:00:aa:%02x", "02-00-00-00-AA-%02X"};
        snprintf(text, IP_PREFIX_TEXT, forms[dice(2)], w.device);
    } else if (w.how == BY_NAME) {
        snprintf(text, IP_PREFIX_TEXT, dice(2) ? "dev-%u" : "Dev-%u", w.device);
    }
    return w;
}

/* Devices have a few addresses each, some of which have no name. */
static void give_addresses(struct story *s)
{
    static char name[DEVICES][16];
    for (unsigned i = 0; i < ADDRESSES / 2; i++) {
        unsigned d = dice(2 * DEVICES);
        struct policy_address *a = &s->address[s->addresses];
        if (d >= DEVICES) {
            continue;
        }
        snprintf(name[d], sizeof name[d], "dev-%u", d);
        *a = (struct policy_address){
            .addr = ip_v4((const uint8_t[]){10, 0, (uint8_t)dice(2), (uint8_t)i}),
            .has_mac = true,
            .mac = {2, 0, 0, 0, 0xaa, (uint8_t)d},
            .name = dice(2) ? name[d] : NULL};
        s->device[s->addresses++] = d;
    }
}

/* -1: not meant; else how near the description is to the address. */
static int nearness(const struct story *s, const struct whom *w, const struct ip_addr *a)
{
    if (w->how == BY_PREFIX) {
        return !ip_in_prefix(a, &w->prefix) ? -1 : w->prefix.bits == 128 ? 1000 : w->prefix.bits;
    }
    for (uint32_t i = 0; i < s->addresses; i++) {
        if (ip_equal(&s->address[i].addr, a) && s->device[i] == w->device) {
            return w->how == BY_MAC ? 999 : s->address[i].name ? 998 : -1;
        }
    }
    return -1;
}

static size_t add_groups(char *out, size_t cap, unsigned groups)
{
    size_t n = (size_t)snprintf(out, cap, "\"groups\":[");
    const char *comma = "";
    for (unsigned g = 0; g <= GROUPS; g++) {
        if (groups >> g & 1) {
            n += (size_t)snprintf(out + n, cap - n, "%s%u", comma, g);
            comma = ",";
        }
    }
    return n + (size_t)snprintf(out + n, cap - n, "]");
}

static void write_story(struct story *s, char *out)
{
    char text[IP_PREFIX_TEXT];
    size_t n = (size_t)snprintf(out, TEXT, "{\"version\":1,\"groups\":[");
    s->on[0] = true;
    for (unsigned g = 1; g <= GROUPS; g++) {
        s->on[g] = dice(5) != 0;
        n += (size_t)snprintf(out + n, TEXT - n, "%s{\"id\":%u,\"name\":\"g%u\",\"enabled\":%s}",
                              g > 1 ? "," : "", g, g, s->on[g] ? "true" : "false");
    }
    n += (size_t)snprintf(out + n, TEXT - n, "],\"clients\":[");
    for (unsigned i = 0; i < CLIENTS; i++) {
        s->client[i].whom = anybody(text);
        s->client[i].groups = dice(1u << (GROUPS + 1));
        n += (size_t)snprintf(out + n, TEXT - n, "%s{\"id\":%u,\"client\":\"%s\",", i ? "," : "",
                              i + 1, text);
        n += add_groups(out + n, TEXT - n, s->client[i].groups);
        n += (size_t)snprintf(out + n, TEXT - n, "}");
    }
    n += (size_t)snprintf(out + n, TEXT - n, "],\"own\":[");
    for (unsigned i = 0; i < RULES; i++) {
        s->rule[i].owned = dice(2) != 0;
        s->rule[i].groups = dice(1u << (GROUPS + 1));
        s->rule[i].whom = anybody(text);
        n += (size_t)snprintf(out + n, TEXT - n,
                              "%s{\"id\":%u,\"type\":\"deny\",\"kind\":\"exact\",\"domain\":"
                              "\"n%u.example\",\"client\":%s%s%s,",
                              i ? "," : "", i + 1, i, s->rule[i].owned ? "\"" : "",
                              s->rule[i].owned ? text : "null", s->rule[i].owned ? "\"" : "");
        n += add_groups(out + n, TEXT - n, s->rule[i].groups);
        n += (size_t)snprintf(out + n, TEXT - n, "}");
    }
    n += (size_t)snprintf(out + n, TEXT - n, "],\"pauses\":[");
    for (unsigned i = 0; i < PAUSES; i++) {
        char who[IP_PREFIX_TEXT + 2];
        s->pause[i].group = (int)dice(2) * (1 + (int)dice(GROUPS));
        s->pause[i].whom = anybody(text);
        s->pause[i].until = dice(3) == 0 ? 0 : UNIX - 50 + (int64_t)dice(100);
        snprintf(who, sizeof who, "g%d", s->pause[i].group);
        n += (size_t)snprintf(out + n, TEXT - n, "%s{\"%s\":\"%s\",\"until\":%lld}", i ? "," : "",
                              s->pause[i].group ? "group" : "client",
                              s->pause[i].group ? who : text, (long long)s->pause[i].until);
    }
    snprintf(out + n, TEXT - n, "]}");
}

/* The groups of an address that are on: bit by id, which is the place in the plan, too. */
static unsigned groups_of(const struct story *s, const struct ip_addr *a)
{
    int best = -1;
    unsigned groups = 1, on = 0;
    for (unsigned i = 0; i < CLIENTS; i++) {
        int near = nearness(s, &s->client[i].whom, a);
        if (near > best) { /* of equals the first */
            best = near;
            groups = s->client[i].groups;
        }
    }
    for (unsigned g = 0; g <= GROUPS; g++) {
        on |= s->on[g] ? groups & 1u << g : 0;
    }
    return on;
}

static bool is_paused(const struct story *s, const struct ip_addr *a, unsigned groups)
{
    for (unsigned i = 0; i < PAUSES; i++) {
        bool for_it = s->pause[i].group ? (groups >> s->pause[i].group & 1) != 0
                                        : nearness(s, &s->pause[i].whom, a) >= 0;
        if (for_it && (s->pause[i].until == 0 || s->pause[i].until > UNIX)) {
            return true;
        }
    }
    return false;
}

static void compare(const struct story *s, const struct policy_plan *plan, const struct rules *r,
                    const struct ip_addr *a)
{
    const struct profile *p = policy_plan_profile(plan, a);
    unsigned groups = groups_of(s, a);
    assert_int_equal(p->asker.groups, groups);
    assert_int_equal(NOW < p->pause_until, is_paused(s, a, groups));
    for (uint32_t i = 0; i < RULES; i++) {
        struct rule_view v;
        struct bl_own own;
        unsigned on = 0;
        for (unsigned g = 0; g <= GROUPS; g++) {
            on |= s->on[g] ? s->rule[i].groups & 1u << g : 0;
        }
        bool counts = s->rule[i].owned ? nearness(s, &s->rule[i].whom, a) >= 0 : (on & groups) != 0;
        assert_true(rules_own_at(r, i, &v));
        policy_plan_asker(plan, &v, &own);
        assert_int_equal(bl_own_counts(&own, &p->asker), counts);
    }
}

/* A device that is known by its hardware address alone, as a router tells it, is treated as that
 * says. */
static void compare_device(const struct story *s, const struct policy_plan *plan, unsigned device)
{
    struct ip_addr key = device_of_mac((const uint8_t[]){2, 0, 0, 0, 0xaa, (uint8_t)device});
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (s->client[i].whom.how == BY_MAC && s->client[i].whom.device == device) {
            unsigned on = 0;
            for (unsigned g = 0; g <= GROUPS; g++) {
                on |= s->on[g] ? s->client[i].groups & 1u << g : 0;
            }
            assert_int_equal(policy_plan_profile(plan, &key)->asker.groups, on);
            return;
        }
    }
}

static uint32_t no_list(const char *text, bool allow)
{
    (void)text;
    (void)allow;
    return 1;
}

static void a_plan_is_what_the_document_says(void **state)
{
    (void)state;
    static char text[TEXT];
    struct config *config;
    void *config_mem = malloc(cfg_memory());
    assert_int_equal(cfg_init(&config, config_mem, cfg_memory()), ERR_OK);
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        seed = round * 7919;
        struct story s = {0};
        struct rules r = {0};
        struct policy_plan plan;
        char what[200] = "";
        give_addresses(&s);
        write_story(&s, text);
        if (rules_parse(&r, span_str(text), what, sizeof what) != ERR_OK) {
            fail_msg("%s in %s", what, text);
        }
        const struct policy_source src = {.config = config,
                                          .rules = &r,
                                          .now = NOW,
                                          .now_unix = UNIX,
                                          .list_id = no_list,
                                          .address = s.address,
                                          .address_count = s.addresses};
        size_t len = policy_plan_memory(&src);
        void *mem = malloc(len);
        assert_int_equal(policy_plan_make(&plan, &src, mem, len), ERR_OK);
        for (unsigned i = 0; i < ADDRESSES; i++) {
            struct ip_addr a =
                ip_v4((const uint8_t[]){10, 0, (uint8_t)(i / 32), (uint8_t)(i % 32)});
            compare(&s, &plan, &r, &a);
        }
        for (unsigned i = 0; i < DEVICES; i++) {
            compare_device(&s, &plan, i);
        }
        free(mem);
        rules_free(&r);
    }
    free(config_mem);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_is_what_the_document_says),
    };
    return UNIT_RUN(tests);
}
