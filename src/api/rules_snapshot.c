/* Own rules and local records of the rules document, for a snapshot. */
#include "api/rules_snapshot.h"

#include <string.h>

#include "api/policy_plan.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "blocklist/catalog.h"
#include "blocklist/overlay.h"
#include "config/config.h"
#include "config/schedule.h"
#include "resolver/address.h"
#include "resolver/local.h"

enum { HOST_RECORDS = 16, TTL_MAX_S = 86400 }; /* records that one hosts line can make, usually */

/* ---- own rules ---- */

static usec_t end_of(const struct rule_view *v, usec_t now, int64_t now_unix)
{
    if (now_unix < SCHEDULE_CLOCK_MIN) {
        return 0; /* until a clock is known */
    }
    usec_t left = v->until_unix > now_unix ? (usec_t)(v->until_unix - now_unix) : 0;
    return v->until_unix != 0 ? now + left * USEC_PER_SEC : 0;
}

bool rules_regex_at(const struct rules *r, uint32_t i, const struct policy_plan *plan, usec_t now,
                    int64_t now_unix, struct span *pattern, struct bl_regex_rule *out)
{
    struct rule_view v;
    if (!rules_own_at(r, i, &v) || !rules_own_active(&v, now_unix) || v.kind != RULE_REGEX) {
        return false;
    }
    *pattern = span_str(v.written);
    *out =
        (struct bl_regex_rule){.own = {.expires = end_of(&v, now, now_unix), .id = (uint32_t)v.id},
                               .list = BL_REGEX_OWN,
                               .rank = v.allow ? BL_RANK_OWN_ALLOW : BL_RANK_OWN_DENY};
    policy_plan_asker(plan, &v, &out->own);
    return true;
}

/* The rule as the matcher wants it. False: not one for it. */
static bool own_rule(const struct rules *r, uint32_t i, const struct policy_plan *plan, usec_t now,
                     int64_t now_unix, struct dns_name *name, struct bl_own *out)
{
    struct rule_view v;
    if (!rules_own_at(r, i, &v) || !rules_own_active(&v, now_unix) || v.kind == RULE_REGEX ||
        dns_name_parse(span_str(v.domain), name) != ERR_OK) {
        return false;
    }
    *out = (struct bl_own){.expires = end_of(&v, now, now_unix),
                           .id = (uint32_t)v.id,
                           .kind = v.kind == RULE_SUBTREE ? BL_BOTH : BL_EXACT,
                           .action = v.allow ? BL_ALLOW : BL_BLOCK};
    policy_plan_asker(plan, &v, out);
    return true;
}

/* Names of blocked services, one after another: *section and *cursor are 0 before the first. */
struct service_walk {
    uint32_t section;
    size_t cursor;
    struct dns_name name;
    struct bl_own own;
};

static bool next_service_name(const struct policy_plan *plan, struct service_walk *w)
{
    for (; plan->services && w->section < plan->services->count; w->section++, w->cursor = 0) {
        if (policy_plan_service(plan, w->section, &w->own) &&
            catalog_name(&plan->services->section[w->section], &w->cursor, &w->name)) {
            return true;
        }
    }
    return false;
}

size_t rules_overlay_memory(const struct rules *r, const struct policy_plan *plan, int64_t now_unix,
                            uint32_t *count)
{
    size_t octets = 0;
    struct dns_name name;
    struct bl_own own;
    *count = 0;
    for (uint32_t i = 0; i < rules_own_count(r); i++) {
        if (own_rule(r, i, plan, 0, now_unix, &name, &own)) {
            octets += name.len;
            ++*count;
        }
    }
    for (struct service_walk w = {0}; next_service_name(plan, &w);) {
        octets += w.name.len;
        ++*count;
    }
    return *count > 0 ? bl_overlay_memory(*count, octets) : 0;
}

enum err rules_overlay_make(const struct rules *r, const struct policy_plan *plan, usec_t now,
                            int64_t now_unix, void *mem, size_t len, uint32_t count,
                            struct bl_overlay **out)
{
    struct bl_overlay *overlay = NULL;
    struct dns_name name;
    struct bl_own own;
    enum err e = bl_overlay_init(&overlay, mem, len, count);
    for (uint32_t i = 0; i < rules_own_count(r) && e == ERR_OK; i++) {
        if (own_rule(r, i, plan, now, now_unix, &name, &own)) {
            e = bl_overlay_add(overlay, &name, &own);
        }
    }
    for (struct service_walk w = {0}; e == ERR_OK && next_service_name(plan, &w);) {
        e = bl_overlay_add(overlay, &w.name, &w.own);
    }
    if (e == ERR_OK) {
        *out = overlay;
    }
    return e;
}

/* ---- addresses ---- */

static uint32_t count_addresses(const struct config *config, const struct rules *r)
{
    uint32_t count = config->block_address.count;
    struct address_view v;
    for (uint32_t i = 0; rules_address_at(r, i, &v); i++) {
        count += v.enabled;
    }
    return count < ADDRESS_RULES_MAX ? count : ADDRESS_RULES_MAX;
}

size_t rules_addresses_memory(const struct config *config, const struct rules *r)
{
    uint32_t count = count_addresses(config, r);
    return count > 0 ? address_rules_memory(count) : 0;
}

enum err rules_addresses_make(const struct config *config, const struct rules *r,
                              const struct policy_plan *plan, void *mem, size_t len,
                              const struct address_rules **out)
{
    struct address_rules *a = NULL;
    struct address_view v;
    struct ip_prefix prefix;
    enum err e = address_rules_init(&a, mem, len, count_addresses(config, r));
    for (uint32_t i = 0; e == ERR_OK && i < config->block_address.count; i++) {
        if (ip_prefix_parse(span_str(config->block_address.item[i]), &prefix) == ERR_OK) {
            address_rules_add(a, &prefix, BL_GROUPS_ALL);
        }
    }
    for (uint32_t i = 0; e == ERR_OK && rules_address_at(r, i, &v); i++) {
        if (v.enabled && ip_prefix_parse(span_str(v.address), &prefix) == ERR_OK) {
            address_rules_add(a, &prefix, policy_plan_groups(plan, v.groups));
        }
    }
    if (e == ERR_OK) {
        address_rules_done(a);
        *out = a;
    }
    return e;
}

/* ---- local records ---- */

uint32_t rules_local_bound(const struct rules *r)
{
    uint64_t count = 0;
    for (uint32_t i = 0; rules_local_at(r, RULES_HOSTS, i) != NULL; i++) {
        count += HOST_RECORDS;
    }
    for (uint32_t i = 0; rules_local_at(r, RULES_CNAMES, i) != NULL; i++) {
        count++;
    }
    for (uint32_t i = 0; rules_local_at(r, RULES_RECORDS, i) != NULL; i++) {
        count += 2; /* an address has its reverse name */
    }
    return count < LOCAL_RECORDS_MAX ? (uint32_t)count : LOCAL_RECORDS_MAX;
}

static uint32_t read_ttl(const char *text)
{
    uint32_t ttl = 0;
    for (; *text >= '0' && *text <= '9' && ttl < TTL_MAX_S; text++) {
        ttl = ttl * 10 + (uint32_t)(*text - '0');
    }
    return ttl < TTL_MAX_S ? ttl : TTL_MAX_S;
}

/* "alias,target[,ttl]" */
static void add_cname(struct local_builder *b, const char *text, uint32_t ttl_s)
{
    char record[2 * DNS_NAME_TEXT + 16];
    struct strbuf out;
    const char *comma = strchr(text, ',');
    const char *second = comma ? strchr(comma + 1, ',') : NULL;
    size_t target = comma ? (second ? (size_t)(second - comma - 1) : strlen(comma + 1)) : 0;
    if (target == 0) {
        return;
    }
    const char *what = "";
    strbuf_init(&out, record, sizeof record);
    strbuf_printf(&out, "%.*s CNAME %.*s", (int)(comma - text), text, (int)target, comma + 1);
    enum err e =
        local_add_text(b, span_of(out.text, out.len), second ? read_ttl(second + 1) : ttl_s, &what);
    if (e != ERR_OK && e != ERR_EXISTS) {
        log_warning(RESOLVER, "rules.json: alias \"%s\": %s", text, what[0] ? what : err_text(e));
    }
}

static void add_host(struct local_builder *b, const char *text, const struct dns_name *domain,
                     uint32_t ttl_s)
{
    uint32_t rejected = 0;
    uint32_t first = 0;
    enum err e = local_add_hosts(b, span_str(text), domain, ttl_s, &rejected, &first);
    if (e != ERR_OK || rejected > 0) {
        log_warning(RESOLVER, "rules.json: \"%s\": %s", text,
                    e != ERR_OK ? err_text(e) : "expected ADDR NAME…");
    }
}

static void add_record(struct local_builder *b, const char *text, uint32_t ttl_s)
{
    const char *what = "";
    enum err e = local_add_text(b, span_str(text), ttl_s, &what);
    if (e != ERR_OK && e != ERR_EXISTS) {
        log_warning(RESOLVER, "rules.json: record \"%s\": %s", text, what[0] ? what : err_text(e));
    }
}

void rules_local_fill(const struct rules *r, struct local_builder *b, const struct dns_name *domain,
                      uint32_t ttl_s)
{
    const char *text;
    for (uint32_t i = 0; (text = rules_local_at(r, RULES_HOSTS, i)) != NULL; i++) {
        add_host(b, text, domain, ttl_s);
    }
    for (uint32_t i = 0; (text = rules_local_at(r, RULES_CNAMES, i)) != NULL; i++) {
        add_cname(b, text, ttl_s);
    }
    for (uint32_t i = 0; (text = rules_local_at(r, RULES_RECORDS, i)) != NULL; i++) {
        add_record(b, text, ttl_s);
    }
}
