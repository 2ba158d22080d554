/*
 * The answer cache, shared by all workers of the process. Key: (lower-case name, type, class, DO,
 * CD, view). Readers take no lock: an entry is copied out and the copy checked against its set's
 * sequence number. Each question has one writing worker (see resolver.h), so writers seldom meet;
 * one that finds its set being written gives way (the insert is dropped and counted).
 *
 * What is kept of an answer are its records as they stand behind the question in a message, with
 * owners that point at offset 12; so a hit is one copy into the client's own packet, behind the
 * client's own question.
 *
 * Bounded by `entries` and by the memory given. Full: an entry that was not hit lately goes first
 * (a scan of names asked once does not push out popular ones). docs/adr/0004 tells why it is built
 * so.
 */
#ifndef SINKHOLE_RESOLVER_CACHE_H
#define SINKHOLE_RESOLVER_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/siphash.h"
#include "base/time.h"
#include "dns/name.h"

struct cache;

struct cache_config {
    uint32_t entries;     /* 256 … 4 Mi */
    uint32_t octets_each; /* average room for an answer, 64 … 1024; 0: the default of 256 */
};

size_t cache_memory(const struct cache_config *cfg);

/* ERR_RANGE: a field of cfg. ERR_SPACE: less than cache_memory(cfg). `mem` is kept, and aligned
 * inside. */
MUST_CHECK enum err cache_init(struct cache **out, void *mem, size_t len,
                               const struct cache_config *cfg, struct siphash_key key);

/* Forget everything; safe while workers read. */
void cache_flush(struct cache *c);

struct cache_gauges {
    uint32_t entries, entries_max;
    uint64_t inserted, evicted, dropped, octets, octets_max;
};
void cache_get_gauges(const struct cache *c, struct cache_gauges *out);

/* What an answer is filed under. */
struct cache_key {
    const struct dns_name *name;
    uint64_t hash; /* cache_hash of name */
    uint64_t view; /* whose upstreams answered, profile.h */
    uint16_t type; /* CACHE_ANY_TYPE: an NXDOMAIN, which answers every type (RFC 2308 5) */
    uint16_t klass;
    bool dnssec_ok;
    bool checking_disabled;
};
#define CACHE_ANY_TYPE 0 /* no question has this type: it is reserved */

uint64_t cache_hash(const struct cache *c, const struct dns_name *name);

enum cache_flag {
    CACHE_HAS_CNAME = 1,   /* the answer has a CNAME chain: to be judged by the policy */
    CACHE_HAS_PRIVATE = 2, /* it has a private address (rebinding) */
    CACHE_HAS_NULL = 4,    /* it has 0.0.0.0 or :: */
    CACHE_DANGLING = 8     /* it ends in a CNAME without what that leads to */
};

#define CACHE_RECORDS_MAX 256 /* records in an answer that is kept */

/* An answer to keep. */
struct cache_value {
    const uint8_t *records;  /* answer, then authority section, as they stand behind the question */
    uint32_t len;            /* octets of records */
    const uint16_t *ttl_off; /* offsets of the TTL fields in records, one a record */
    uint16_t answers, authorities; /* together at most CACHE_RECORDS_MAX */
    uint32_t ttl_s;                /* how long it is fresh; > 0 */
    uint8_t rcode;
    uint8_t flags;   /* enum cache_flag */
    int16_t ede;     /* EDE code that goes with it, DNS_EDE_NONE if none */
    uint32_t judged; /* the policy generation that let its CNAME chain pass, 0: none */
};

/*
 * Keep an answer, in place of an older one of the same key. What is too large (more than half of a
 * set: 8 times octets_each; or too many records) or meets another writer is not kept. A positive
 * answer ends an NXDOMAIN of the same name.
 */
void cache_insert(struct cache *c, const struct cache_key *key, usec_t now,
                  const struct cache_value *value);

/* Forget one answer. */
void cache_remove(struct cache *c, const struct cache_key *key);

enum cache_state {
    CACHE_MISS,
    CACHE_FRESH, /* copied out, TTLs aged */
    CACHE_STALE, /* expired not longer than stale_s ago; copied only if asked for */
    CACHE_BUSY   /* was being written all the while; treat as a miss, but `room` may hold rubbish */
};

/* What a look-up found, beside the records. */
struct cache_hit {
    uint32_t len; /* octets of records; if more than `cap` nothing was copied */
    uint16_t answers, authorities;
    uint32_t ttl_s; /* left */
    uint32_t judged;
    int16_t ede;
    uint8_t rcode;
    uint8_t flags;
    bool prefetch;      /* popular and near its end, and you are the one to ask for it anew */
    bool failed_lately; /* with CACHE_STALE: asking anew failed a moment ago */
};

/*
 * HOT. Look an answer up: the exact type, else an NXDOMAIN of the name.
 *
 * room, cap  where records go; up to 7 octets behind them may be overwritten if they are within cap
 * stale_s    how long after its end an entry may still be told of; 0: never
 * stale_ttl  > 0: copy stale records too, with all TTLs set to this many seconds
 *
 * Cost: two lines of the set and those of the entry; no lock. Writes a hit counter until it is
 * saturated.
 */
enum cache_state cache_find(struct cache *c, const struct cache_key *key, usec_t now,
                            uint32_t stale_s, uint32_t stale_ttl, uint8_t *room, size_t cap,
                            struct cache_hit *out);

/* A look-up of this key comes soon: get its set on the way. */
void cache_prefetch(const struct cache *c, const struct cache_key *key);

/* Remember that asking anew for a stale answer failed, until `until`. */
void cache_mark_failed(struct cache *c, const struct cache_key *key, usec_t until);

/* Remember that a policy generation let the CNAME chain of an answer pass. */
void cache_mark_judged(struct cache *c, const struct cache_key *key, uint32_t judged);

#endif
