/*
 * A question that goes on as another one: its name is an alias (a local CNAME that leads out of the
 * house, or an upstream's answer that ends in a CNAME), or there are no IPv6 addresses and DNS64
 * makes some. The query then goes on as a question for what the CNAME leads to, or for A; its
 * answer is put behind the CNAMEs at the end.
 */
#ifndef SINKHOLE_RESOLVER_ALIAS_H
#define SINKHOLE_RESOLVER_ALIAS_H

#include "base/arena.h"
#include "base/pool.h"
#include "dns/build.h"
#include "resolver/query.h"

#define ALIAS_NONE   POOL_NONE
#define ALIAS_MAX    128  /* such questions at a time; more are answered SERVFAIL */
#define ALIAS_OCTETS 1024 /* of CNAMEs on the way; likewise */
#define ALIAS_HOPS   11

struct alias {
    struct dns_name name;           /* as the client asked */
    uint8_t spelled[DNS_NAME_ROOM]; /* as it spelled it */
    uint8_t hops;
    bool dns64;         /* it goes on as a question for A, whose addresses are turned */
    uint16_t type;      /* that was asked for */
    uint32_t ttl_max_s; /* of turned addresses */
    uint16_t len;
    uint8_t msg[ALIAS_OCTETS]; /* header, the client's question, the CNAMEs so far */
};

struct aliases {
    struct alias *slots;
    struct pool pool;
    uint8_t *room; /* to put answers together in */
};

struct resolver;

size_t aliases_memory(void);
void aliases_init(struct aliases *a, struct arena *arena);

/*
 * Go on with `target`. The packet holds the question and, in its first `len` octets, `records`
 * records that lead to the target. False if there were too many; then the query has been answered.
 */
bool alias_follow(struct resolver *r, struct query *q, size_t len, unsigned records,
                  const struct dns_name *target);

/* Go on with the same name, for A, to make AAAA of at most this TTL. False: there is no place. */
bool alias_as_a(struct resolver *r, struct query *q, uint32_t ttl_max_s);

/* Take that back: the answer that comes now is for the question as it was asked. */
void alias_as_asked(struct resolver *r, struct query *q);

/* Make the finished answer to the target one to the client's question: b is begun anew over it. */
void alias_wrap(struct resolver *r, struct query *q, struct dns_build *b);

/* Put the client's own question back; the alias is over. */
void alias_restore(struct resolver *r, struct query *q);

void alias_free(struct resolver *r, uint32_t alias);

#endif
