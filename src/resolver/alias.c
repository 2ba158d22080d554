/*
 * Everything between the two ends, lists, cache, upstreams, sees an ordinary question for the
 * target; only the beginning and the end are here.
 */
#include "resolver/alias.h"

#include <string.h>

#include "resolver/dns64.h"
#include "resolver/resolver_int.h"

size_t aliases_memory(void)
{
    return ALIAS_MAX * (sizeof(struct alias) + sizeof(uint32_t)) + RESOLVER_MESSAGE_ROOM +
           4 * CACHE_LINE;
}

void aliases_init(struct aliases *a, struct arena *arena)
{
    a->slots = ARENA_ARRAY(arena, struct alias, ALIAS_MAX);
    pool_init(&a->pool, ARENA_ARRAY(arena, uint32_t, ALIAS_MAX), ALIAS_MAX);
    a->room = arena_alloc(arena, RESOLVER_MESSAGE_ROOM, CACHE_LINE);
}

void alias_free(struct resolver *r, uint32_t alias)
{
    if (alias != ALIAS_NONE) {
        pool_give(&r->aliases.pool, alias);
    }
}

/* Write a question into the packet. */
static void set_question(struct query *q, const struct dns_name *name, const uint8_t *spelled)
{
    uint8_t *p = q->packet->data + DNS_HEADER_OCTETS;
    memcpy(p, spelled, name->len);
    be16_write(p + name->len, q->req.qtype);
    be16_write(p + name->len + 2, q->req.qclass);
    dns_name_copy(&q->req.qname, name);
    q->req.question_len = (uint16_t)(name->len + 4);
}

static bool copy_records(struct rewrite *rw, const uint8_t *msg, size_t len)
{
    struct dns_walk walk;
    struct dns_record rr;
    if (dns_walk_begin(msg, len, &walk) != ERR_OK) {
        return false;
    }
    rewrite_from(rw, msg, len, 0);
    while (dns_walk_next(&walk, &rr)) {
        rewrite_record(rw, &rr, rr.ttl);
    }
    return !walk.bad && !rw->w.bad;
}

/* The counts of a message that is being made. */
static void set_counts(uint8_t *msg, unsigned answers, unsigned authorities)
{
    be16_write(msg + 4, 1);
    be16_write(msg + 6, (uint16_t)answers);
    be16_write(msg + 8, (uint16_t)authorities);
    be16_write(msg + 10, 0);
}

static bool open_alias(struct resolver *r, struct query *q)
{
    struct aliases *t = &r->aliases;
    q->alias = pool_take(&t->pool);
    if (q->alias == ALIAS_NONE) {
        return false;
    }
    struct alias *a = &t->slots[q->alias];
    dns_name_copy(&a->name, &q->req.qname);
    memcpy(a->spelled, q->packet->data + DNS_HEADER_OCTETS, q->req.qname.len);
    a->hops = 0;
    a->dns64 = false;
    a->type = q->req.qtype;
    a->len = (uint16_t)(DNS_HEADER_OCTETS + q->req.question_len);
    memcpy(a->msg, q->packet->data, a->len);
    set_counts(a->msg, 0, 0);
    return true;
}

/* Add the CNAMEs in the packet to those that we have. */
static bool append(struct alias *a, const struct query *q, size_t len, unsigned records)
{
    uint8_t room[ALIAS_OCTETS];
    struct rewrite rw;
    unsigned before = be16_read(a->msg + 6);
    set_counts(q->packet->data, records, 0);
    rewrite_begin(&rw, room, sizeof room, &a->name, q->req.qtype, q->req.qclass);
    if (!copy_records(&rw, a->msg, a->len) || !copy_records(&rw, q->packet->data, len)) {
        return false;
    }
    memcpy(a->msg, room, rw.w.len);
    a->len = (uint16_t)rw.w.len;
    set_counts(a->msg, before + records, 0);
    a->hops = (uint8_t)(a->hops + records);
    return a->hops <= ALIAS_HOPS;
}

bool alias_follow(struct resolver *r, struct query *q, size_t len, unsigned records,
                  const struct dns_name *target)
{
    if ((q->alias == ALIAS_NONE && !open_alias(r, q)) ||
        !append(&r->aliases.slots[q->alias], q, len, records) ||
        q->packet->cap < DNS_HEADER_OCTETS + (size_t)target->len + 4) {
        q->ede = DNS_EDE_OTHER;
        q->ede_text = "CNAME chain too long";
        pipeline_failure(r, q);
        return false;
    }
    set_question(q, target, target->wire);
    dns_suffixes_make(&q->req.qname, &q->suffixes);
    q->again = true;
    return true;
}

bool alias_as_a(struct resolver *r, struct query *q, uint32_t ttl_max_s)
{
    if (q->alias == ALIAS_NONE && !open_alias(r, q)) {
        return false;
    }
    struct alias *a = &r->aliases.slots[q->alias];
    a->dns64 = true;
    a->ttl_max_s = ttl_max_s;
    q->req.qtype = DNS_A;
    be16_write(q->packet->data + DNS_HEADER_OCTETS + q->req.qname.len, DNS_A);
    q->ede = DNS_EDE_NONE;
    q->ede_text = NULL;
    q->again = true;
    return true;
}

void alias_as_asked(struct resolver *r, struct query *q)
{
    struct alias *a = q->alias != ALIAS_NONE ? &r->aliases.slots[q->alias] : NULL;
    if (a != NULL && a->dns64) {
        a->dns64 = false;
        q->req.qtype = a->type;
        be16_write(q->packet->data + DNS_HEADER_OCTETS + q->req.qname.len, a->type);
    }
}

void alias_restore(struct resolver *r, struct query *q)
{
    const struct alias *a = &r->aliases.slots[q->alias];
    q->req.qtype = a->type;
    set_question(q, &a->name, a->spelled);
    alias_free(r, q->alias);
    q->alias = ALIAS_NONE;
}

void alias_wrap(struct resolver *r, struct query *q, struct dns_build *b)
{
    const struct alias *a = &r->aliases.slots[q->alias];
    unsigned rcode = (unsigned)b->ext_rcode << 4 | (b->flags & DNS_RCODE_MASK);
    unsigned answers = b->answers, authorities = b->authorities;
    bool cut = b->w.bad;
    struct rewrite rw;
    rewrite_begin(&rw, r->aliases.room, DNS_TCP_MAX, &a->name, a->type, q->req.qclass);
    if (!cut && (rcode == DNS_NOERROR || rcode == DNS_NXDOMAIN)) {
        set_counts(q->packet->data, answers, authorities);
        cut = !copy_records(&rw, a->msg, a->len) ||
              !(a->dns64 ? dns64_copy(r, &rw, q->packet->data, b->w.len, a->ttl_max_s, &answers)
                         : copy_records(&rw, q->packet->data, b->w.len));
        answers += be16_read(a->msg + 6);
    }
    alias_restore(r, q);
    query_build(q, b, rcode);
    size_t start = DNS_HEADER_OCTETS + (size_t)q->req.question_len;
    if (cut || rw.w.len - start > b->w.cap - b->w.len) {
        b->w.bad = true;
        return;
    }
    memcpy(q->packet->data + start, r->aliases.room + start, rw.w.len - start);
    b->w.len = rw.w.len;
    b->answers = (uint16_t)answers;
    b->authorities = (uint16_t)authorities;
}
