/*
 * The names stand in the table of own rules (overlay.h), where groups and ids have another meaning.
 */
#include "resolver/safe.h"

#include "resolver/resolver_int.h"

static uint8_t bit_of(const struct catalog_section *s)
{
    return span_equal(s->id, span_str("youtube-strict"))     ? SAFE_YOUTUBE_STRICT
           : span_equal(s->id, span_str("youtube-moderate")) ? SAFE_YOUTUBE_MODERATE
                                                             : SAFE_SEARCH;
}

size_t safe_names_memory(const struct catalog *c)
{
    return (c->count + 1) * sizeof(struct dns_name) + _Alignof(max_align_t) +
           bl_overlay_memory(c->names, c->name_octets);
}

static enum err add_section(const struct catalog_section *s, uint32_t target, struct bl_overlay *o)
{
    const struct bl_own own = {
        .groups = bit_of(s), .id = target, .kind = BL_EXACT, .action = BL_BLOCK};
    struct dns_name name;
    enum err e = ERR_OK;
    for (size_t cursor = 0; e == ERR_OK && catalog_name(s, &cursor, &name);) {
        e = bl_overlay_add(o, &name, &own);
    }
    return e;
}

enum err safe_names_make(const struct catalog *c, void *mem, size_t len, struct safe_names *out)
{
    struct arena arena;
    arena_init(&arena, mem, len);
    struct dns_name *target = ARENA_ARRAY(&arena, struct dns_name, c->count + 1);
    size_t octets = bl_overlay_memory(c->names, c->name_octets);
    void *table = arena_alloc(&arena, octets, _Alignof(max_align_t));
    struct bl_overlay *o = NULL;
    if (!target || !table) {
        return ERR_SPACE;
    }
    enum err e = bl_overlay_init(&o, table, octets, c->names);
    for (uint32_t i = 0; e == ERR_OK && i < c->count; i++) {
        e = dns_name_parse(c->section[i].title, &target[i]);
        e = e == ERR_OK ? add_section(&c->section[i], i, o) : e;
    }
    if (e == ERR_OK) {
        *out = (struct safe_names){.names = o, .target = target};
    }
    return e;
}

static const struct dns_name *find(const struct safe_names *s, const struct dns_name *name,
                                   const struct dns_suffixes *suffixes, uint8_t bits)
{
    const struct bl_asker asker = {.groups = bits};
    struct bl_overlay_verdict v;
    return bl_overlay_match(s->names, name, suffixes, &asker, 0, &v) == BL_NONE ? NULL
                                                                                : &s->target[v.id];
}

const struct dns_name *safe_names_find(const struct safe_names *s, const struct dns_name *name,
                                       uint8_t bits)
{
    struct dns_suffixes suffixes;
    dns_suffixes_make(name, &suffixes);
    return find(s, name, &suffixes, bits);
}

bool safe_answer(struct resolver *r, struct query *q)
{
    const struct safe_names *s = r->snap->safe_names;
    struct dns_build b;
    if (s == NULL) {
        return false;
    }
    const struct dns_name *target = find(s, &q->req.qname, &q->suffixes, q->profile->safe_search);
    if (target == NULL || dns_name_equal(target, &q->req.qname)) {
        return false;
    }
    query_build(q, &b, DNS_NOERROR);
    dns_build_record(&b, DNS_SECTION_ANSWER, NULL, DNS_CNAME, r->snap->block_ttl_s, target->wire,
                     target->len);
    if (b.w.bad) {
        pipeline_failure(r, q);
        return true;
    }
    stats_count(r->stats, COUNTER_safe_search, 1);
    alias_follow(r, q, b.w.len, 1, target);
    return true;
}
