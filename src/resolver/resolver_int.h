/*
 * What the files of this folder share: the resolver itself and the steps of a query's way.
 */
#ifndef SINKHOLE_RESOLVER_RESOLVER_INT_H
#define SINKHOLE_RESOLVER_RESOLVER_INT_H

#include "base/rng.h"
#include "resolver/alias.h"
#include "resolver/cache.h"
#include "resolver/client.h"
#include "resolver/memo.h"
#include "resolver/pending.h"
#include "resolver/policy.h"
#include "resolver/query.h"
#include "resolver/reply.h"
#include "resolver/resolver.h"
#include "resolver/safe.h"
#include "resolver/snapshot.h"
#include "resolver/upstream.h"
#include "resolver/wheel.h"
#include "stats/stats.h"

#define RESOLVER_STALE_TTL_S  30 /* RFC 8767 4 */
#define RESOLVER_TCP_IDLE_S   10 /* what we tell clients in edns-tcp-keepalive, RFC 7828 */
#define RESOLVER_MESSAGE_ROOM 65536

struct resolver {
    usec_t now;
    const struct snapshot *snap;
    struct cache *cache;
    struct stats_worker *stats;
    struct resolver_config cfg;
    uint32_t
        policy; /* number of the snapshot's policy, 20 bits, never 0; cache entries remember it */
    struct dns_cookie_key cookie_key;
    struct policy list_policy;
    struct memo memo;
    struct client_table clients;
    struct pendings pendings;
    struct aliases aliases;
    struct upstream upstreams[UPSTREAM_MAX];
    usec_t asked;       /* last time a client's question went upstream */
    struct wheel wheel; /* items: pendings, then one an upstream for probes */
    struct rng rng;
    struct reply reply; /* the response at hand */
    uint8_t *room;      /* RESOLVER_MESSAGE_ROOM octets: what resolver_output hands out */
};

/* pipeline.c: the way of a query. */
void pipeline_query(struct resolver *r, struct query *q, uint16_t *owner);

/* An answer whose records stand behind the question in q's packet already (or are cut if they were
 * too long). */
void pipeline_records(struct resolver *r, struct query *q, const struct cache_hit *hit,
                      const struct cache_key *key);

/* Judge the response at hand, once for all of one profile who wait for it. */
void pipeline_judge_reply(struct resolver *r, const struct profile *profile, uint16_t type);

/* The answer for a client that waited; its question stands in q's packet again. */
void pipeline_waited(struct resolver *r, struct query *q, enum waiter_result result);

/* SERVFAIL with q->ede. */
void pipeline_failure(struct resolver *r, struct query *q);

void query_key(const struct resolver *r, const struct query *q, struct cache_key *key);

/* Begin an answer over q's packet; query_close ends it and finishes the query. */
void query_build(struct query *q, struct dns_build *b, unsigned rcode);
void query_close(struct resolver *r, struct query *q, struct dns_build *b);

/* An error answer without records. */
void query_error(struct resolver *r, struct query *q, unsigned rcode, enum query_status status,
                 int ede, const char *text);

/*
 * The end of every query: limits the answer if it has to be, counts, and sets the outcome. The only
 * place that lets an answer out and the only place that records. packet->len is the answer's
 * length, 0: no answer.
 */
void query_finish(struct resolver *r, struct query *q, enum query_reply reply, unsigned rcode);

/* special.c, local.c, blocked.c: answers of our own. True if they had one. */
bool special_answer(struct resolver *r, struct query *q);
bool special_covers(const struct snapshot *s, const struct dns_name *name); /* would it have one? */
bool special_class_answer(struct resolver *r, struct query *q);
bool special_type_answer(struct resolver *r, struct query *q);
bool local_answer(struct resolver *r, struct query *q);
void blocked_answer(struct resolver *r, struct query *q);
void blocked_rebind_answer(struct resolver *r, struct query *q);

/* forward.c: questions on their way to upstreams. */
void forward_query(struct resolver *r, struct query *q, const struct cache_key *key,
                   bool has_stale);
void forward_refresh(struct resolver *r, const struct cache_key *key);
void forward_probe(struct resolver *r, uint16_t upstream);
void forward_timer(struct resolver *r, uint32_t i);

/* Send question i (a place in the table of pending ones) to one upstream, again on the same socket
 * if there is one. */
void forward_send(struct resolver *r, uint32_t i, uint16_t upstream);

/* The next send, if there still is one. False: no upstream is left that could answer. */
bool forward_next(struct resolver *r, uint32_t i);

/* Every upstream failed it: remember that for a moment and tell the clients. */
void forward_give_up(struct resolver *r, uint32_t i);

void forward_fail(struct resolver *r, uint32_t i);
void forward_swap(struct resolver *r, const uint16_t to[UPSTREAM_MAX]);

/* The name in the case in which this attempt sends it; out has room for DNS_NAME_MAX octets. */
void forward_spell(const struct pending *p, const struct attempt *a, uint8_t *out);

/* The number of the upstreams that are asked about this name: of the longest conditional domain
 * that holds it, else 0. */
uint16_t forward_route(const struct resolver *r, const struct dns_name *name);

/* The same for clients of a view; everybody's if the view is no more. */
uint16_t forward_route_of(const struct resolver *r, const struct dns_name *name, uint64_t view);

#endif
