/*
 * Groups, clients and schedules of a configuration and of a rules document, put together to
 * profiles: "TIME CONFIGURATION === DOCUMENT", where the first four octets are a moment and a line
 * of === parts the two. What both take can always be planned in the memory that was asked for;
 * every client finds a profile that is there; nothing changes before the moment that is told.
 */
#include <string.h>

#include "api/policy_plan.h"
#include "fuzz.h"

static uint32_t id_of_list(const char *text, bool allow)
{
    return rules_list_id(text, allow);
}

static uint32_t id_of_slot(const void *ctx, unsigned slot)
{
    (void)ctx;
    return slot;
}

static struct config *configuration(struct span text)
{
    static void *mem;
    struct config *c = NULL;
    struct cfg_error error;
    mem = mem ? mem : malloc(cfg_memory());
    FUZZ_CHECK(mem && cfg_init(&c, mem, cfg_memory()) == ERR_OK);
    return cfg_apply_text(c, "fuzz", text, &error) == ERR_OK && cfg_finish(c, &error) == ERR_OK
               ? c
               : NULL;
}

static void check_clients(const struct policy_plan *plan)
{
    static const char *const clients[] = {"192.0.2.1", "192.0.2.7", "10.0.0.9", "2001:db8::1",
                                          "::",        "127.0.0.1", "fe80::1"};
    uint64_t all = plan->groups.count >= 64 ? UINT64_MAX : (UINT64_C(1) << plan->groups.count) - 1;
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        struct ip_addr addr;
        FUZZ_CHECK(ip_parse(span_str(clients[i]), &addr) == ERR_OK);
        uint16_t number = policy_plan_number(plan, &addr);
        FUZZ_CHECK(number < plan->profile_count);
        FUZZ_CHECK(policy_plan_profile(plan, &addr) == &plan->profile[number]);
        FUZZ_CHECK(plan->upstreams[number] < (int)plan->groups.count);
        const struct policy_entry *entry = policy_plan_entry(plan, &addr);
        FUZZ_CHECK(!entry || (entry->client && (entry->groups & ~all) == 0));
    }
}

static void *exactly(size_t len)
{
    void *p = malloc(len ? len : 1);
    FUZZ_CHECK(p != NULL);
    return p;
}

static void check_apply(const struct policy_plan *plan)
{
    static struct snapshot snap;
    struct arena arena;
    size_t len = policy_apply_memory(plan, NULL, id_of_slot, NULL);
    void *mem = exactly(len);
    snap = (struct snapshot){.upstream_count = 1};
    arena_init(&arena, mem, len);
    FUZZ_CHECK(policy_apply(plan, id_of_slot, NULL, &arena, &snap) == ERR_OK);
    FUZZ_CHECK(snap.upstream_count >= 1 && snap.upstream_count <= UPSTREAM_MAX);
    free(mem);
}

/* Which groups schedules block or pause, a bit each. */
static uint64_t in_force(const struct policy_groups *g)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < g->count; i++) {
        bits ^= (uint64_t)g->item[i].blocks << i ^ (uint64_t)g->item[i].pauses << (63 - i);
    }
    return bits;
}

static void check_plan(const struct config *c, const struct rules *r, const struct tz *tz,
                       int64_t now_unix)
{
    struct policy_plan plan, later;
    struct policy_source from = {.config = c,
                                 .rules = r,
                                 .tz = tz,
                                 .now = 1000 * USEC_PER_SEC,
                                 .now_unix = now_unix,
                                 .list_id = id_of_list};
    size_t len = policy_plan_memory(&from);
    void *mem = exactly(len);
    FUZZ_CHECK(policy_plan_make(&plan, &from, mem, len) == ERR_OK);
    FUZZ_CHECK(plan.profile_count >= 1 && plan.groups.count >= 1 &&
               plan.groups.count <= POLICY_GROUPS_MAX);
    check_clients(&plan);
    check_apply(&plan);
    FUZZ_CHECK(plan.groups.next_change > now_unix);
    if (plan.groups.next_change != INT64_MAX) {
        from.now_unix = plan.groups.next_change - 1;
        void *mem_later = exactly(len);
        FUZZ_CHECK(policy_plan_memory(&from) == len);
        FUZZ_CHECK(policy_plan_make(&later, &from, mem_later, len) == ERR_OK);
        FUZZ_CHECK(later.groups.count == plan.groups.count);
        FUZZ_CHECK(in_force(&later.groups) == in_force(&plan.groups));
        FUZZ_CHECK(later.groups.next_change == plan.groups.next_change);
        free(mem_later);
    }
    free(mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rules rules = {0};
    struct tz tz = {0};
    char what[256];
    if (len < 4 || len > 4000) {
        return 0;
    }
    int64_t now = SCHEDULE_CLOCK_MIN + be32_read(data) % (10U * 366 * 86400);
    const uint8_t *cut = memmem(data + 4, len - 4, "===\n", 4);
    size_t n = cut ? (size_t)(cut - data) - 4 : len - 4;
    struct span document = cut ? span_of(cut + 4, len - n - 8) : span_str("{\"version\":1}");
    if (data[0] & 1) {
        FUZZ_CHECK(tz_parse(span_str("CET-1CEST,M3.5.0,M10.5.0/3"), &tz) == ERR_OK);
    }
    const struct config *c = configuration(span_of(data + 4, n));
    if (c && rules_parse(&rules, document, what, sizeof what) == ERR_OK) {
        check_plan(c, &rules, &tz, now);
    }
    rules_free(&rules);
    return 0;
}
