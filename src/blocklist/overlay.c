/*
 * Own rules: rows in order of adding, a table of their indexes by the hash of the whole name, and
 * the names. A look-up probes the table for each suffix of the asked name whose depth any rule has;
 * the most specific rule of the stronger action is told.
 */
#include "blocklist/overlay.h"

#include "base/require.h"

struct row {
    uint64_t hash;
    struct bl_own own;
    uint32_t name; /* offset in names */
    uint8_t len;
};

struct bl_overlay {
    uint64_t depths[2]; /* bit d: some rule's name has d labels */
    uint32_t count, cap;
    uint32_t mask; /* slots - 1 */
    usec_t allow_ends;
    size_t names_len, names_cap;
    struct row *rows;
    uint32_t *slots; /* index + 1; 0: empty */
    uint8_t *names;
};

static uint32_t slots_for(uint32_t rules)
{
    uint32_t slots = 4;
    while (slots < UINT32_MAX / 4 && slots < (uint64_t)rules * 2) {
        slots *= 2;
    }
    return slots;
}

size_t bl_overlay_memory(uint32_t rules, size_t name_octets)
{
    return sizeof(struct bl_overlay) + (size_t)rules * sizeof(struct row) +
           slots_for(rules) * sizeof(uint32_t) + name_octets;
}

enum err bl_overlay_init(struct bl_overlay **out, void *mem, size_t len, uint32_t rules)
{
    REQUIRE((uintptr_t)mem % _Alignof(max_align_t) == 0);
    size_t fixed = bl_overlay_memory(rules, 0);
    if (len < fixed) {
        return ERR_SPACE;
    }
    struct bl_overlay *o = mem;
    uint32_t slots = slots_for(rules);
    *o = (struct bl_overlay){
        .cap = rules, .mask = slots - 1, .allow_ends = USEC_NEVER, .names_cap = len - fixed};
    o->rows = (struct row *)(void *)(o + 1);
    o->slots = (uint32_t *)(void *)(o->rows + rules);
    o->names = (uint8_t *)(o->slots + slots);
    memset(o->slots, 0, slots * sizeof(uint32_t));
    *out = o;
    return ERR_OK;
}

enum err bl_overlay_add(struct bl_overlay *o, const struct dns_name *name, const struct bl_own *own)
{
    REQUIRE(own->action == BL_BLOCK || own->action == BL_ALLOW);
    if (o->count == o->cap || name->len > o->names_cap - o->names_len) {
        return ERR_SPACE;
    }
    struct dns_suffixes s;
    dns_suffixes_make(name, &s);
    struct row *r = &o->rows[o->count];
    *r = (struct row){
        .hash = s.hash[0], .own = *own, .name = (uint32_t)o->names_len, .len = name->len};
    memcpy(o->names + o->names_len, name->wire, name->len);
    o->names_len += name->len;
    if (own->action == BL_ALLOW && own->expires != 0 && own->expires < o->allow_ends) {
        o->allow_ends = own->expires;
    }
    o->depths[name->labels / 64] |= UINT64_C(1) << name->labels % 64;
    uint32_t slot = (uint32_t)(r->hash >> 32) & o->mask;
    while (o->slots[slot] != 0) {
        slot = (slot + 1) & o->mask;
    }
    o->slots[slot] = ++o->count;
    return ERR_OK;
}

bool bl_own_counts(const struct bl_own *own, const struct bl_asker *asker)
{
    if (LIKELY(own->client == 0)) {
        return (own->groups & asker->groups) != 0;
    }
    for (unsigned i = 0; i < asker->client_count; i++) {
        if (asker->clients[i] == own->client) {
            return true;
        }
    }
    return false;
}

/* The rules on the suffix of `name` at `label`, as far as they are in force. An allow ends the
 * search. */
static bool judge_suffix(const struct bl_overlay *o, const struct dns_name *name, uint64_t hash,
                         unsigned label, const struct bl_asker *asker, usec_t now,
                         struct bl_overlay_verdict *out)
{
    struct span suffix = dns_name_suffix(name, label);
    unsigned needs = label == 0 ? BL_EXACT : BL_BELOW;
    for (uint32_t slot = (uint32_t)(hash >> 32) & o->mask; o->slots[slot] != 0;
         slot = (slot + 1) & o->mask) {
        const struct row *r = &o->rows[o->slots[slot] - 1];
        if (r->hash != hash || !(r->own.kind & needs) ||
            (asker && !bl_own_counts(&r->own, asker)) ||
            (r->own.expires != 0 && now >= r->own.expires) ||
            !span_equal(span_of(o->names + r->name, r->len), suffix)) {
            continue;
        }
        if (out->action == BL_NONE || r->own.action == BL_ALLOW) {
            *out = (struct bl_overlay_verdict){
                .action = r->own.action, .label = (uint8_t)label, .id = r->own.id};
        }
        if (r->own.action == BL_ALLOW) {
            return true;
        }
    }
    return false;
}

enum bl_action bl_overlay_match(const struct bl_overlay *o, const struct dns_name *name,
                                const struct dns_suffixes *suffixes, const struct bl_asker *asker,
                                usec_t now, struct bl_overlay_verdict *out)
{
    *out = (struct bl_overlay_verdict){.action = BL_NONE};
    if (!o || o->count == 0) {
        return BL_NONE;
    }
    for (unsigned label = 0; label <= name->labels; label++) {
        unsigned depth = name->labels - label;
        if (o->depths[depth / 64] >> depth % 64 & 1 &&
            judge_suffix(o, name, suffixes->hash[label], label, asker, now, out)) {
            break;
        }
    }
    return (enum bl_action)out->action;
}

usec_t bl_overlay_allow_ends(const struct bl_overlay *o)
{
    return o ? o->allow_ends : USEC_NEVER;
}

uint32_t bl_overlay_count(const struct bl_overlay *o)
{
    return o ? o->count : 0;
}
