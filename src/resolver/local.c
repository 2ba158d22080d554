/*
 * Local records: one flat hash table of names, each with a chain of its records; wildcards are
 * names of their own with a mark. The builder is the table while it grows. A name that is here is
 * answered from here alone: a type that it does not have is "no data", so that an upstream never
 * sees a question about the house.
 */
#include "resolver/local.h"

#include <string.h>

#include "base/require.h"
#include "dns/msg.h"
#include "dns/proto.h"
#include "resolver/local_int.h"

static uint32_t table_size(uint32_t max_records)
{
    uint32_t n = 16;
    while (n < 2 * max_records) {
        n *= 2;
    }
    return n;
}

struct local_builder *local_builder_new(struct arena *arena, uint32_t max_records)
{
    if (max_records == 0 || max_records > LOCAL_RECORDS_MAX) {
        return NULL;
    }
    struct local_builder *b = ARENA_NEW(arena, struct local_builder);
    if (b == NULL) {
        return NULL;
    }
    struct local_records *t = &b->table;
    b->arena = arena;
    b->max = max_records;
    t->mask = table_size(max_records) - 1;
    t->slots = ARENA_ARRAY(arena, uint32_t, t->mask + 1);
    t->names = ARENA_ARRAY(arena, struct local_name, max_records);
    t->records = ARENA_ARRAY(arena, struct local_record, max_records);
    t->order = ARENA_ARRAY(arena, uint32_t, max_records);
    return t->slots != NULL && t->names != NULL && t->records != NULL && t->order != NULL ? b
                                                                                          : NULL;
}

static bool is_name(const struct local_name *n, const uint8_t *wire, size_t len, uint64_t hash,
                    bool wildcard)
{
    return n->hash == hash && n->len == len && n->wildcard == wildcard &&
           memcmp(n->wire, wire, len) == 0;
}

static uint32_t first_slot(const struct local_records *t, uint64_t hash, bool wildcard)
{
    return (uint32_t)(hash ^ hash >> 32 ^ (wildcard ? UINT32_C(0x5bd1e995) : 0)) & t->mask;
}

/* The name's number plus one, 0 if it is not there; *slot is where it is or would be. */
static uint32_t find_slot(const struct local_records *t, const uint8_t *wire, size_t len,
                          uint64_t hash, bool wildcard, uint32_t *slot)
{
    uint32_t i = first_slot(t, hash, wildcard);
    while (t->slots[i] != 0 && !is_name(&t->names[t->slots[i] - 1], wire, len, hash, wildcard)) {
        i = (i + 1) & t->mask;
    }
    *slot = i;
    return t->slots[i];
}

enum local_found local_find(const struct local_records *t, const struct dns_name *name,
                            const struct dns_suffixes *suffixes, const struct local_name **out)
{
    uint32_t slot;
    uint32_t n = find_slot(t, name->wire, name->len, suffixes->hash[0], false, &slot);
    if (n != 0) {
        *out = &t->names[n - 1];
        return LOCAL_HERE;
    }
    unsigned i = 1;
    for (; n == 0 && t->has_wildcards && i <= name->labels; i++) {
        struct span s = dns_name_suffix(name, i);
        n = find_slot(t, s.ptr, s.len, suffixes->hash[i], true, &slot);
    }
    if (LIKELY(n == 0)) {
        return LOCAL_NONE;
    }
    bool itself = i == 2 && name->wire[0] == 1 && name->wire[1] == '*';
    unsigned encloser = name->labels - (i - 1); /* labels of what the wildcard is directly below */
    unsigned shared = local_order_shared(t, name);
    if (shared > encloser && !itself) {
        return shared == name->labels ? LOCAL_EMPTY : LOCAL_MISSING;
    }
    *out = &t->names[n - 1];
    return LOCAL_HERE;
}

bool local_exists(const struct local_records *t, const struct dns_name *name)
{
    return t->name_count > 0 && local_order_shared(t, name) == name->labels;
}

const struct local_record *local_next(const struct local_records *t, const struct local_name *name,
                                      const struct local_record *after)
{
    uint32_t i = after != NULL ? after->next : name->first;
    return i != 0 ? &t->records[i - 1] : NULL;
}

static struct local_name *add_name(struct local_builder *b, const struct dns_name *owner)
{
    struct local_records *t = &b->table;
    struct dns_suffixes hashes;
    dns_suffixes_make(owner, &hashes);
    bool wildcard = owner->labels > 0 && owner->wire[0] == 1 && owner->wire[1] == '*';
    struct span wire = dns_name_suffix(owner, wildcard ? 1 : 0);
    uint64_t hash = hashes.hash[wildcard ? 1 : 0];
    uint32_t slot;
    uint32_t n = find_slot(t, wire.ptr, wire.len, hash, wildcard, &slot);
    if (n != 0) {
        return &t->names[n - 1];
    }
    uint8_t *copy = t->name_count < b->max ? arena_alloc(b->arena, wire.len, 1) : NULL;
    if (copy == NULL) {
        return NULL;
    }
    memcpy(copy, wire.ptr, wire.len);
    struct local_name *name = &t->names[t->name_count++];
    *name = (struct local_name){
        .hash = hash, .wire = copy, .len = (uint8_t)wire.len, .wildcard = wildcard};
    t->slots[slot] = t->name_count;
    t->has_wildcards = t->has_wildcards || wildcard;
    return name;
}

enum err local_add(struct local_builder *b, const struct dns_name *owner, uint16_t type,
                   uint32_t ttl_s, const uint8_t *rdata, size_t rdlen)
{
    struct local_records *t = &b->table;
    REQUIRE(t->records != NULL);
    if (rdlen > UINT16_MAX || type == DNS_OPT || type == 0) {
        return ERR_RANGE;
    }
    if (t->record_count == b->max) {
        return ERR_SPACE;
    }
    struct local_name *name = add_name(b, owner);
    if (name == NULL) {
        return ERR_SPACE;
    }
    const struct local_record *last = NULL;
    for (const struct local_record *rr = local_next(t, name, NULL); rr != NULL;
         rr = local_next(t, name, rr)) {
        if (rr->type == type && rr->rdlen == rdlen && memcmp(rr->rdata, rdata, rdlen) == 0) {
            return ERR_EXISTS;
        }
        if (rr->type == DNS_CNAME || type == DNS_CNAME) {
            return ERR_STATE; /* a CNAME stands alone, RFC 1034 3.6.2 */
        }
        last = rr;
    }
    uint8_t *copy = arena_alloc(b->arena, rdlen > 0 ? rdlen : 1, 1);
    if (copy == NULL) {
        return ERR_SPACE;
    }
    memcpy(copy, rdata, rdlen);
    t->records[t->record_count++] = (struct local_record){
        .rdata = copy, .ttl_s = ttl_s, .type = type, .rdlen = (uint16_t)rdlen};
    if (last == NULL) {
        name->first = t->record_count;
    } else {
        t->records[last - t->records].next = t->record_count;
    }
    return ERR_OK;
}

static void append_label(struct dns_name *n, const char *text, size_t len)
{
    n->off[n->labels++] = n->len;
    n->wire[n->len++] = (uint8_t)len;
    memcpy(n->wire + n->len, text, len);
    n->len = (uint8_t)(n->len + len);
}

/* 192.0.2.1 -> 1.2.0.192.in-addr.arpa, RFC 1035 3.5; IPv6 by nibbles, RFC 3596 2.5. */
void local_reverse_name(const struct ip_addr *addr, struct dns_name *out)
{
    static const char hex[] = "0123456789abcdef";
    out->len = out->labels = 0;
    if (ip_is_v4(addr)) {
        for (unsigned i = 16; i-- > 12;) {
            char text[3];
            unsigned v = addr->b[i], n = 0;
            if (v >= 100) {
                text[n++] = (char)('0' + v / 100);
            }
            if (v >= 10) {
                text[n++] = (char)('0' + v / 10 % 10);
            }
            text[n++] = (char)('0' + v % 10);
            append_label(out, text, n);
        }
        append_label(out, "in-addr", 7);
    } else {
        for (unsigned i = 16; i-- > 0;) {
            append_label(out, &hex[addr->b[i] & 0xf], 1);
            append_label(out, &hex[addr->b[i] >> 4], 1);
        }
        append_label(out, "ip6", 3);
    }
    append_label(out, "arpa", 4);
    out->off[out->labels] = out->len;
    out->wire[out->len++] = 0;
}

static bool has_type(const struct local_builder *b, const struct dns_name *name, uint16_t type)
{
    struct dns_suffixes hashes;
    const struct local_records *t = &b->table;
    uint32_t slot;
    dns_suffixes_make(name, &hashes);
    uint32_t n = find_slot(t, name->wire, name->len, hashes.hash[0], false, &slot);
    const struct local_record *rr = n != 0 ? local_next(t, &t->names[n - 1], NULL) : NULL;
    while (rr != NULL && rr->type != type) {
        rr = local_next(t, &t->names[n - 1], rr);
    }
    return rr != NULL;
}

enum err local_add_address(struct local_builder *b, const struct dns_name *owner,
                           const struct ip_addr *addr, uint32_t ttl_s)
{
    bool v4 = ip_is_v4(addr);
    enum err e = v4 ? local_add(b, owner, DNS_A, ttl_s, addr->b + 12, 4)
                    : local_add(b, owner, DNS_AAAA, ttl_s, addr->b, 16);
    bool wildcard = owner->labels > 0 && owner->wire[0] == 1 && owner->wire[1] == '*';
    struct dns_name reverse;
    local_reverse_name(addr, &reverse);
    if (e == ERR_OK && !wildcard && !has_type(b, &reverse, DNS_PTR)) {
        e = local_add(b, &reverse, DNS_PTR, ttl_s, owner->wire, owner->len);
    }
    return e;
}

enum err local_build(struct local_builder *b, const struct local_records **out)
{
    local_order_make(&b->table);
    *out = &b->table;
    return ERR_OK;
}

uint32_t local_count(const struct local_records *l)
{
    return l->record_count;
}
