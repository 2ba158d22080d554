/*
 * The table is that of clients (profile.h): both ask for the longest prefix of an address.
 */
#include "resolver/address.h"

#include <string.h>

#include "base/arena.h"
#include "base/require.h"
#include "base/span.h"
#include "base/strbuf.h"
#include "dns/msg.h"

enum { HINT_V4 = 4, HINT_V6 = 6 }; /* SvcParamKeys, RFC 9460 14.3.2 */

size_t address_rules_memory(uint32_t count)
{
    return sizeof(struct address_rules) + count * sizeof(struct address_rule) +
           client_map_memory(count) + 3 * _Alignof(max_align_t);
}

enum err address_rules_init(struct address_rules **out, void *mem, size_t len, uint32_t count)
{
    struct arena arena;
    REQUIRE(count <= ADDRESS_RULES_MAX);
    arena_init(&arena, mem, len);
    struct address_rules *a = ARENA_NEW(&arena, struct address_rules);
    struct address_rule *rule = ARENA_ARRAY(&arena, struct address_rule, count);
    void *map = arena_alloc(&arena, client_map_memory(count), _Alignof(struct client_row));
    if (!a || !rule || !map) {
        return ERR_SPACE;
    }
    *a = (struct address_rules){.rule = rule, .cap = count};
    client_map_init(&a->map, map, count);
    *out = a;
    return ERR_OK;
}

void address_rules_add(struct address_rules *a, const struct ip_prefix *prefix, uint64_t groups)
{
    char text[IP_PREFIX_TEXT];
    struct strbuf reason;
    uint16_t other;
    REQUIRE(a->count < a->cap);
    if (client_map_add(&a->map, prefix, (uint16_t)a->count, &other) != ERR_OK) {
        a->rule[other].groups |= groups;
        return;
    }
    struct address_rule *rule = &a->rule[a->count++];
    *rule = (struct address_rule){.groups = groups, .next = ADDRESS_NONE};
    ip_prefix_format(prefix, text);
    strbuf_init(&reason, rule->reason, sizeof rule->reason);
    strbuf_printf(&reason, "address %s is blocked", text);
}

void address_rules_add_listed(struct address_rules *a, const struct ip_prefix *prefix,
                              uint16_t list, uint8_t rank)
{
    char text[IP_PREFIX_TEXT];
    struct strbuf reason;
    uint16_t first;
    REQUIRE(a->count < a->cap);
    uint16_t place = (uint16_t)a->count++;
    struct address_rule *rule = &a->rule[place];
    *rule = (struct address_rule){.list = list, .rank = rank, .next = ADDRESS_NONE};
    ip_prefix_format(prefix, text);
    strbuf_init(&reason, rule->reason, sizeof rule->reason);
    strbuf_printf(&reason, "address %s is blocked by a list", text);
    if (client_map_add(&a->map, prefix, place, &first) != ERR_OK) {
        rule->next = a->rule[first].next;
        a->rule[first].next = place;
    }
}

/* The next address rule of the image's lists. */
static bool next_listed(const struct bl_image *image, uint32_t *cursor, struct bl_pattern *p,
                        struct ip_prefix *out)
{
    while (bl_image_pattern(image, cursor, p)) {
        if (p->text.len > 1 && p->text.ptr[0] == BL_PATTERN_ADDRESS &&
            ip_prefix_parse(span_of(p->text.ptr + 1, p->text.len - 1), out) == ERR_OK) {
            return true;
        }
    }
    return false;
}

uint32_t address_rules_count_listed(const struct bl_image *image)
{
    struct bl_pattern p;
    struct ip_prefix prefix;
    uint32_t count = 0;
    for (uint32_t cursor = 0;
         count < ADDRESS_RULES_MAX && next_listed(image, &cursor, &p, &prefix);) {
        count++;
    }
    return count;
}

void address_rules_add_image(struct address_rules *a, const struct bl_image *image)
{
    struct bl_pattern p;
    struct ip_prefix prefix;
    for (uint32_t cursor = 0; a->count < a->cap && next_listed(image, &cursor, &p, &prefix);) {
        address_rules_add_listed(a, &prefix, p.list, p.rank);
    }
}

void address_rules_done(struct address_rules *a)
{
    client_map_done(&a->map);
}

const struct address_rule *address_rules_find(const struct address_rules *a,
                                              const struct ip_addr *addr,
                                              const struct bl_asker *asker)
{
    for (unsigned i = 0; i < a->map.length_count; i++) {
        uint16_t place;
        if (client_map_at(&a->map, addr, a->map.lengths[i], &place) &&
            (!asker || (a->rule[place].groups & asker->groups) != 0)) {
            return &a->rule[place];
        }
    }
    return NULL;
}

const struct address_rule *address_rules_find_listed(const struct address_rules *a,
                                                     const struct ip_addr *addr,
                                                     const struct bl_filter *filter)
{
    const struct address_rule *best = NULL;
    for (unsigned i = 0; i < a->map.length_count; i++) {
        uint16_t place;
        if (!client_map_at(&a->map, addr, a->map.lengths[i], &place)) {
            continue;
        }
        for (; place != ADDRESS_NONE; place = a->rule[place].next) {
            const struct address_rule *rule = &a->rule[place];
            if ((!filter || bl_list_set_has(&filter->lists, rule->list)) &&
                (!best || rule->rank > best->rank)) {
                best = rule;
            }
        }
    }
    return best;
}

/* What an address is held against. */
struct look {
    const struct address_rules *a;
    const struct bl_asker *asker;
    const struct bl_filter *filter;
    bool listed, any; /* any: rules that allow, too */
};

static const struct address_rule *find(const struct look *l, const struct ip_addr *addr)
{
    if (!l->listed) {
        return address_rules_find(l->a, addr, l->asker);
    }
    const struct address_rule *rule = address_rules_find_listed(l->a, addr, l->filter);
    return rule && (l->any || bl_rank_action(rule->rank) == BL_BLOCK) ? rule : NULL;
}

bool address_in_type(uint16_t type)
{
    return type == DNS_A || type == DNS_AAAA || type == DNS_HTTPS || type == DNS_SVCB;
}

/* A row of addresses of 4 or 16 octets. */
static const struct address_rule *judge_row(const struct look *l, const uint8_t *p, size_t len,
                                            size_t each)
{
    const struct address_rule *rule = NULL;
    for (; len >= each && !rule; p += each, len -= each) {
        struct ip_addr addr;
        if (each == 4) {
            addr = ip_v4(p);
        } else {
            memcpy(addr.b, p, 16);
        }
        rule = find(l, &addr);
    }
    return rule;
}

/* Priority, target, then parameters of key, length, value (RFC 9460 2.2). */
static const struct address_rule *judge_hints(const struct look *l, const uint8_t *msg, size_t pos,
                                              size_t end)
{
    struct dns_name target;
    const struct address_rule *rule = NULL;
    pos += 2;
    if (pos >= end || dns_name_read(msg, end, &pos, &target) != ERR_OK) {
        return NULL;
    }
    while (!rule && pos <= end && end - pos >= 4) {
        uint16_t key = be16_read(msg + pos), len = be16_read(msg + pos + 2);
        pos += 4;
        if (len > end - pos) {
            break;
        }
        if (key == HINT_V4 || key == HINT_V6) {
            rule = judge_row(l, msg + pos, len, key == HINT_V4 ? 4 : 16);
        }
        pos += len;
    }
    return rule;
}

static const struct address_rule *judge(const struct look *l, const uint8_t *msg, size_t len)
{
    struct dns_walk walk;
    struct dns_record rr;
    const struct address_rule *rule = NULL;
    if (dns_walk_begin(msg, len, &walk) != ERR_OK) {
        return NULL;
    }
    while (!rule && dns_walk_next(&walk, &rr) && rr.section == DNS_SECTION_ANSWER) {
        if ((rr.type == DNS_A && rr.rdlen == 4) || (rr.type == DNS_AAAA && rr.rdlen == 16)) {
            rule = judge_row(l, msg + rr.rdata, rr.rdlen, rr.rdlen);
        } else if (rr.type == DNS_HTTPS || rr.type == DNS_SVCB) {
            rule = judge_hints(l, msg, rr.rdata, rr.rdata + rr.rdlen);
        }
    }
    return rule;
}

const struct address_rule *address_rules_judge(const struct address_rules *a, const uint8_t *msg,
                                               size_t len, const struct bl_asker *asker)
{
    return judge(&(struct look){.a = a, .asker = asker}, msg, len);
}

const struct address_rule *address_rules_judge_listed(const struct address_rules *a,
                                                      const uint8_t *msg, size_t len,
                                                      const struct bl_filter *filter, bool any)
{
    return judge(&(struct look){.a = a, .filter = filter, .listed = true, .any = any}, msg, len);
}
