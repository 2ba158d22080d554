/*
 * The table of local records, as its files share it.
 */
#ifndef SINKHOLE_RESOLVER_LOCAL_INT_H
#define SINKHOLE_RESOLVER_LOCAL_INT_H

#include "dns/suffix.h"
#include "resolver/local.h"

struct local_record {
    const uint8_t *rdata; /* wire form, uncompressed */
    uint32_t next;        /* number of the name's next record, from 1; 0: none */
    uint32_t ttl_s;
    uint16_t type;
    uint16_t rdlen;
};

struct local_name {
    uint64_t hash;
    const uint8_t *wire; /* without the "*" of a wildcard */
    uint32_t first;      /* as local_record.next */
    uint8_t len;
    bool wildcard;
};

struct local_records {
    uint32_t *slots; /* open addressing: number of a name, from 1; 0: free */
    uint32_t mask;
    struct local_name *names;
    struct local_record *records;
    uint32_t *order; /* numbers of names from 0, in canonical order */
    uint32_t name_count, record_count;
    bool has_wildcards;
};

struct local_builder {
    struct local_records table;
    struct arena *arena;
    uint32_t max;
};

/* What the records say about a name, as a zone would (RFC 4592). */
enum local_found {
    LOCAL_NONE,   /* nothing: it is for others to answer */
    LOCAL_HERE,   /* it has records, its own or a wildcard's */
    LOCAL_EMPTY,  /* below a wildcard, it exists only as an ancestor of others: no data */
    LOCAL_MISSING /* below a wildcard, which does not reach it past a nearer name: NXDOMAIN */
};

/*
 * HOT. *out is set with LOCAL_HERE. A wildcard speaks for the names below its own that do not exist
 * and have no existing name between. Cost: one probe without wildcards; with them one for each
 * label, and below one a binary search.
 */
enum local_found local_find(const struct local_records *t, const struct dns_name *name,
                            const struct dns_suffixes *suffixes, const struct local_name **out);

/* Does the name exist, if only as an ancestor of one that has records? */
bool local_exists(const struct local_records *t, const struct dns_name *name);

/* local_order.c: sort the names; then how many labels, counted from the root, a name shares with
 * the one among them that it shares most with. */
void local_order_make(struct local_records *t);
unsigned local_order_shared(const struct local_records *t, const struct dns_name *name);

/* The name's records one by one; after NULL: the first. NULL at the end. */
const struct local_record *local_next(const struct local_records *t, const struct local_name *name,
                                      const struct local_record *after);

/* The name under which an address has its PTR. */
void local_reverse_name(const struct ip_addr *addr, struct dns_name *out);

#endif
