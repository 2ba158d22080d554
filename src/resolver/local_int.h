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
    uint32_t name_count, record_count;
    bool has_wildcards;
};

struct local_builder {
    struct local_records table;
    struct arena *arena;
    uint32_t max;
};

/* The name itself, else the nearest wildcard above it; NULL if neither is there. */
const struct local_name *local_find(const struct local_records *t, const struct dns_name *name,
                                    const struct dns_suffixes *suffixes);

/* The name's records one by one; after NULL: the first. NULL at the end. */
const struct local_record *local_next(const struct local_records *t, const struct local_name *name,
                                      const struct local_record *after);

/* The name under which an address has its PTR. */
void local_reverse_name(const struct ip_addr *addr, struct dns_name *out);

#endif
