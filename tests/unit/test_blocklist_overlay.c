/*
 * Own rules: against a model that looks at each, and by hand where times, groups and bounds meet.
 */
#include "blocklist/overlay.h"

#include <stdlib.h>

#include "lists_fixture.h"
#include "octets.h"
#include "unit.h"

struct own_set {
    void *mem;
    struct bl_overlay *o;
};

static void open_set(struct own_set *s, uint32_t rules, size_t octets)
{
    size_t len = bl_overlay_memory(rules, octets);
    s->mem = malloc(len);
    assert_non_null(s->mem);
    memset(s->mem, 0xa5, len);
    assert_int_equal(bl_overlay_init(&s->o, s->mem, len, rules), ERR_OK);
}

static void add(struct own_set *s, const char *name, unsigned kind, unsigned action, uint32_t id)
{
    struct dns_name n = fixture_name(name);
    struct bl_own own = {
        .groups = BL_GROUPS_ALL, .id = id, .kind = (uint8_t)kind, .action = (uint8_t)action};
    assert_int_equal(bl_overlay_add(s->o, &n, &own), ERR_OK);
}

static struct bl_overlay_verdict ask(const struct own_set *s, const char *name, uint64_t groups,
                                     usec_t now)
{
    struct dns_name n = fixture_name(name);
    struct dns_suffixes suffixes;
    struct bl_overlay_verdict v;
    dns_suffixes_make(&n, &suffixes);
    enum bl_action action =
        bl_overlay_match(s->o, &n, &suffixes, &(struct bl_asker){.groups = groups}, now, &v);
    assert_int_equal(action, v.action);
    return v;
}

static void kinds_and_actions(void **state)
{
    (void)state;
    struct own_set s;
    open_set(&s, 8, 200);
    add(&s, "exact.example", BL_EXACT, BL_BLOCK, 1);
    add(&s, "below.example", BL_BELOW, BL_BLOCK, 2);
    add(&s, "both.example", BL_BOTH, BL_BLOCK, 3);
    add(&s, "ok.both.example", BL_BOTH, BL_ALLOW, 4);
    add(&s, "deny.ok.both.example", BL_EXACT, BL_BLOCK, 5);
    add(&s, "nas", BL_EXACT, BL_ALLOW, 6);
    static const struct {
        const char *name;
        unsigned action;
        uint32_t id;
        unsigned label;
    } rows[] = {
        {"exact.example", BL_BLOCK, 1, 0},
        {"x.exact.example", BL_NONE, 0, 0},
        {"below.example", BL_NONE, 0, 0},
        {"x.below.example", BL_BLOCK, 2, 1},
        {"both.example", BL_BLOCK, 3, 0},
        {"a.b.both.example", BL_BLOCK, 3, 2},
        {"ok.both.example", BL_ALLOW, 4, 0},
        {"x.ok.both.example", BL_ALLOW, 4, 1},
        {"deny.ok.both.example", BL_ALLOW, 4,
         1}, /* an own allow beats an own deny, however specific */
        {"nas", BL_ALLOW, 6, 0},
        {"example", BL_NONE, 0, 0},
        {".", BL_NONE, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bl_overlay_verdict v = ask(&s, rows[i].name, 1, 0);
        if (v.action != rows[i].action ||
            (v.action && (v.id != rows[i].id || v.label != rows[i].label))) {
            fail_msg("%s: action %d, rule %u, label %d", rows[i].name, v.action, v.id, v.label);
        }
    }
    assert_int_equal(bl_overlay_count(s.o), 6);
    free(s.mem);
}

static void time_and_groups(void **state)
{
    (void)state;
    struct own_set s;
    struct dns_name n = fixture_name("ads.example");
    open_set(&s, 4, 200);
    struct bl_own brief = {
        .groups = 2, .expires = 100, .id = 1, .kind = BL_BOTH, .action = BL_ALLOW};
    struct bl_own always = {.groups = 6, .id = 2, .kind = BL_BOTH, .action = BL_BLOCK};
    assert_int_equal(bl_overlay_add(s.o, &n, &brief), ERR_OK);
    assert_int_equal(bl_overlay_add(s.o, &n, &always), ERR_OK);
    assert_int_equal(ask(&s, "ads.example", 2, 99).action, BL_ALLOW);
    assert_int_equal(ask(&s, "ads.example", 2, 100).action, BL_BLOCK);
    assert_int_equal(ask(&s, "ads.example", 4, 99).action, BL_BLOCK);
    assert_int_equal(ask(&s, "ads.example", 4 | 2, 99).action, BL_ALLOW);
    assert_int_equal(ask(&s, "ads.example", 1, 99).action, BL_NONE);
    assert_int_equal(ask(&s, "ads.example", 0, 99).action, BL_NONE);
    free(s.mem);
}

static void the_root_and_any_octets(void **state)
{
    (void)state;
    struct own_set s;
    open_set(&s, 3, 200);
    add(&s, ".", BL_BELOW, BL_BLOCK, 1);
    add(&s, "a\\.b.example", BL_EXACT, BL_ALLOW, 2);
    assert_int_equal(ask(&s, "anything.at.all", 1, 0).action, BL_BLOCK);
    assert_int_equal(ask(&s, "anything.at.all", 1, 0).label, 3);
    assert_int_equal(ask(&s, "a\\.b.example", 1, 0).action, BL_ALLOW);
    assert_int_equal(ask(&s, "a.b.example", 1, 0).action, BL_BLOCK);
    assert_int_equal(ask(&s, ".", 1, 0).action, BL_NONE);
    free(s.mem);
}

static void bounds(void **state)
{
    (void)state;
    static _Alignas(16) uint8_t mem[4096];
    struct bl_overlay *o;
    struct dns_name n = fixture_name("ads.example"); /* 13 octets */
    struct bl_own own = {.groups = 1, .kind = BL_EXACT, .action = BL_BLOCK};
    assert_int_equal(bl_overlay_init(&o, mem, bl_overlay_memory(2, 0) - 1, 2), ERR_SPACE);
    assert_int_equal(bl_overlay_init(&o, mem, bl_overlay_memory(2, 25), 2), ERR_OK);
    assert_int_equal(bl_overlay_add(o, &n, &own), ERR_OK);
    assert_int_equal(bl_overlay_add(o, &n, &own), ERR_SPACE); /* 12 octets are left */
    assert_int_equal(bl_overlay_init(&o, mem, bl_overlay_memory(1, 100), 1), ERR_OK);
    assert_int_equal(bl_overlay_add(o, &n, &own), ERR_OK);
    assert_int_equal(bl_overlay_add(o, &n, &own), ERR_SPACE);
    assert_int_equal(bl_overlay_count(o), 1);
    assert_int_equal(bl_overlay_init(&o, mem, bl_overlay_memory(0, 0), 0), ERR_OK);
    struct own_set s = {.o = o};
    assert_int_equal(ask(&s, "ads.example", 1, 0).action, BL_NONE);
    s.o = NULL;
    assert_int_equal(ask(&s, "ads.example", 1, 0).action, BL_NONE);
    assert_int_equal(bl_overlay_count(NULL), 0);
}

static void agrees_with_the_model(void **state)
{
    (void)state;
    static const char *const labels[] = {"a", "b", "ab", "x-y", "com"};
    struct test_random r = {17};
    for (unsigned round = 0; round < 60; round++) {
        enum { RULES = 300 };
        struct own_set s;
        struct dns_name name[RULES];
        struct bl_own own[RULES];
        unsigned count = round % 3 ? 12 : RULES;
        open_set(&s, count, count * 64);
        for (unsigned i = 0; i < count + 300; i++) {
            char text[64] = "";
            unsigned n = 1 + test_random_below(&r, 4);
            for (unsigned k = 0; k < n; k++) {
                strcat(text, k ? "." : "");
                strcat(text, labels[test_random_below(&r, 5)]);
            }
            if (i < count) {
                name[i] = fixture_name(text);
                own[i] = (struct bl_own){.groups = test_random_below(&r, 16),
                                         .expires = test_random_below(&r, 4),
                                         .id = i,
                                         .kind = (uint8_t)(1 + test_random_below(&r, 3)),
                                         .action = (uint8_t)(1 + test_random_below(&r, 2))};
                assert_int_equal(bl_overlay_add(s.o, &name[i], &own[i]), ERR_OK);
                continue;
            }
            uint64_t groups = test_random_below(&r, 16);
            usec_t now = test_random_below(&r, 4);
            struct dns_name q = fixture_name(text);
            unsigned action = BL_NONE, label = 0;
            for (unsigned k = 0; k < count; k++) {
                if (name[k].labels > q.labels || (own[k].expires && now >= own[k].expires) ||
                    !(own[k].groups & groups)) {
                    continue;
                }
                unsigned at = (unsigned)(q.labels - name[k].labels);
                if (!(own[k].kind & (at ? BL_BELOW : BL_EXACT)) ||
                    !span_equal(dns_name_suffix(&q, at), dns_name_suffix(&name[k], 0))) {
                    continue;
                }
                if (own[k].action > action || (own[k].action == action && at < label)) {
                    action = own[k].action;
                    label = at;
                }
            }
            struct bl_overlay_verdict v = ask(&s, text, groups, now);
            assert_int_equal(v.action, action);
            if (action != BL_NONE) {
                assert_int_equal(v.label, label);
                assert_int_equal(own[v.id].action, action);
            }
        }
        free(s.mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_and_actions),       cmocka_unit_test(time_and_groups),
        cmocka_unit_test(the_root_and_any_octets), cmocka_unit_test(bounds),
        cmocka_unit_test(agrees_with_the_model),
    };
    return UNIT_RUN(tests);
}
