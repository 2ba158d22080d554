/*
 * Who is treated how, held against a plain reading of the document: for each address the entry with
 * the longest prefix, the groups that are on, each rule and pause by itself.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/policy_plan.h"

#define NOW  (1000 * USEC_PER_SEC)
#define UNIX INT64_C(1800000000)

enum { GROUPS = 5, CLIENTS = 12, RULES = 20, PAUSES = 4, TEXT = 16384, ROUNDS = 400 };

static uint32_t seed;

static uint32_t dice(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

/* What a document says, as numbers. */
struct story {
    bool on[GROUPS + 1];
    struct {
        struct ip_prefix prefix;
        unsigned groups; /* bit: group id */
    } client[CLIENTS];
    struct {
        bool owned;
        struct ip_prefix prefix;
        unsigned groups;
    } rule[RULES];
    struct {
        int group; /* 0: of a client */
        struct ip_prefix prefix;
        int64_t until;
    } pause[PAUSES];
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
        s->client[i].prefix = any_prefix(text);
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
        s->rule[i].prefix = any_prefix(text);
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
        s->pause[i].prefix = any_prefix(text);
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
        const struct ip_prefix *p = &s->client[i].prefix;
        if (ip_in_prefix(a, p) && (int)p->bits > best) { /* of equals the first */
            best = p->bits;
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
                                        : ip_in_prefix(a, &s->pause[i].prefix);
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
        bool counts = s->rule[i].owned ? ip_in_prefix(a, &s->rule[i].prefix) : (on & groups) != 0;
        assert_true(rules_own_at(r, i, &v));
        policy_plan_asker(plan, &v, &own);
        assert_int_equal(bl_own_counts(&own, &p->asker), counts);
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
        write_story(&s, text);
        if (rules_parse(&r, span_str(text), what, sizeof what) != ERR_OK) {
            fail_msg("%s in %s", what, text);
        }
        const struct policy_source src = {
            .config = config, .rules = &r, .now = NOW, .now_unix = UNIX, .list_id = no_list};
        size_t len = policy_plan_memory(&src);
        void *mem = malloc(len);
        assert_int_equal(policy_plan_make(&plan, &src, mem, len), ERR_OK);
        for (unsigned i = 0; i < 64; i++) {
            struct ip_addr a =
                ip_v4((const uint8_t[]){10, 0, (uint8_t)(i / 32), (uint8_t)(i % 32)});
            compare(&s, &plan, &r, &a);
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
