/*
 * Questions in flight at upstreams, and the clients that wait for them. All tables have a size from
 * the configuration.
 *
 *      pending   one question (name, type, class, DO, CD, view), up to four attempts at upstreams,
 * its clients attempt   one ticket: a socket or a place on a stream, with its own random ID and
 * letter case waiter    one client: where its answer goes, and what of its request the answer must
 * repeat
 *
 * Full: the oldest question in flight gives way and is answered as failed. A client has at most
 * three quarters of the places; beyond, its own oldest question gives way.
 */
#ifndef SINKHOLE_RESOLVER_PENDING_H
#define SINKHOLE_RESOLVER_PENDING_H

#include "base/arena.h"
#include "base/pool.h"
#include "resolver/cache.h"
#include "resolver/query.h"
#include "resolver/resolver.h"

#define PENDING_NONE        UINT32_MAX
#define PENDING_ATTEMPTS    4
#define PENDING_PACKETS_MAX 8   /* to upstreams, for one question */
#define PENDING_WRONG_MAX   32  /* answers that did not fit before it goes on by TCP */
#define PENDING_SHARES      256 /* buckets of clients */
#define PENDING_SPARE \
    64 /* places beyond the limits, for what gave way but is not told to the platform yet */
#define PENDING_LIMIT 16000 /* most that pending_max may be: tickets hold 16 bits of place */

enum attempt_state {
    ATTEMPT_FREE,
    ATTEMPT_OPEN,
    ATTEMPT_CLOSING /* OUTPUT_RELEASE has to be told yet */
};

struct attempt {
    usec_t sent;        /* last time; 0: not yet handed to the platform */
    uint64_t case_bits; /* bit i % 64: octet i of the name is sent in capitals, if a letter */
    uint32_t next;      /* in the queue of work for the platform */
    uint16_t generation;
    uint16_t id;
    uint16_t upstream;
    uint8_t state; /* enum attempt_state */
    uint8_t sends;
    bool stream, edns, case_random;
    bool want_send; /* hand it to the platform */
    bool told;      /* the platform knows the ticket */
    bool queued;    /* is in the queue of work */
};

enum pending_kind {
    PENDING_QUESTION, /* of clients */
    PENDING_REFRESH,  /* for the cache: prefetch, or behind a stale answer */
    PENDING_PROBE     /* is this upstream alive? */
};

enum pending_state {
    PENDING_ACTIVE,
    PENDING_DONE /* only answers and releases have to be told yet */
};

struct pending {
    uint64_t hash; /* cache_hash of the name */
    uint64_t view; /* as in struct cache_key */
    usec_t started, next_try, stale_at, give_up;
    uint32_t hash_next;
    uint32_t older, newer;             /* all active ones by age */
    uint32_t share_older, share_newer; /* those of one bucket of clients by age */
    uint32_t first_waiter, last_waiter;
    uint32_t untold; /* waiters in the answer queue and attempts that are not free */
    uint16_t share;  /* bucket of the client that began it; PENDING_SHARES: none */
    uint16_t type, klass;
    uint16_t route;
    uint16_t refused; /* bit: this upstream gave nothing of use */
    uint16_t last;    /* upstream of the last send, whose silence next_try will notice */
    uint8_t tries[UPSTREAM_MAX];
    uint8_t kind, state;
    uint8_t packets;
    uint8_t wrong;
    int16_t ede; /* the last upstream's reason */
    bool dnssec_ok, checking_disabled;
    bool use_stream;    /* TCP from now on */
    bool no_edns;       /* plain from now on */
    bool edns_refused;  /* … because an upstream refused EDNS */
    bool unreachable;   /* the network said no */
    bool stale_told;    /* waiters got a stale answer; only the cache still wants a fresh one */
    bool refused_rcode; /* an upstream answered, with SERVFAIL or the like */
    struct attempt attempts[PENDING_ATTEMPTS];
    struct dns_name name;
};

enum waiter_result {
    WAITER_WAITING,
    WAITER_RESPONSE, /* the response at hand */
    WAITER_CACHED,   /* what the cache has now, fresh or stale; else a failure */
    WAITER_FAILED
};

struct waiter {
    struct peer peer;
    usec_t arrived;
    uint64_t capitals[4]; /* bit i: octet i of the name was a capital letter */
    uint32_t next;        /* of the pending, or in the answer queue */
    uint32_t alias;       /* as in struct query */
    uint32_t pending;
    uint16_t id, flags;
    uint16_t request_len;
    uint16_t udp_size;
    uint8_t cookie[DNS_COOKIE_CLIENT];
    struct dns_edns_client told; /* as in struct query */
    uint16_t share;
    bool has_edns, has_cookie, has_keepalive, cookie_valid, allowed;
    uint8_t result; /* enum waiter_result */
};

struct pending_share {
    uint32_t oldest, newest; /* of the questions its clients began */
    uint32_t pending, waiting;
};

struct pendings {
    struct pending *slots;
    struct waiter *waiters;
    uint32_t *buckets; /* hash table of active questions */
    uint32_t bucket_mask;
    struct pool slot_pool, waiter_pool;
    struct pending_share shares[PENDING_SHARES];
    uint32_t share_max, waiter_share_max;
    uint32_t oldest, newest;
    uint32_t pending_max, active, active_peak;
    uint32_t waiting_max, waiting, waiting_peak;
    uint32_t tcp_waiters;               /* so that resolver_peer_gone seldom has to look */
    uint32_t answer_first, answer_last; /* waiters whose answer is there */
    uint32_t work_first, work_last;     /* attempts to hand to the platform */
};

struct resolver;

size_t pendings_memory(uint32_t pending_max, uint32_t waiting_max);
void pendings_init(struct pendings *t, struct arena *arena, uint32_t pending_max,
                   uint32_t waiting_max);

/* What its answer is filed under. */
void pending_key(const struct pending *p, struct cache_key *key);

/* The bucket of clients that a peer is in. */
uint16_t pending_share_of(const struct resolver *r, const struct peer *peer);

/* The active question of that key, PENDING_NONE if there is none. */
uint32_t pending_find(const struct resolver *r, const struct cache_key *key);

/*
 * A slot for a new question; an old one gives way if need be. `peer` NULL: nobody waits (refresh,
 * probe); then it may be PENDING_NONE, since no client gives way for it.
 */
uint32_t pending_open(struct resolver *r, const struct cache_key *key, enum pending_kind kind,
                      const struct peer *peer);

/* Keep the client of q as a waiter of p. */
enum wait_result {
    WAIT_BEGUN,
    WAIT_AGAIN, /* it waits already, and asked again */
    WAIT_FULL   /* no place for it */
};
enum wait_result pending_wait(struct resolver *r, uint32_t p, const struct query *q);

/* p is over: all its waiters get `result`, all its attempts are released. */
void pending_finish(struct resolver *r, uint32_t p, enum waiter_result result);

/* All waiters of p get `result`, but the question goes on. */
void pending_answer(struct resolver *r, uint32_t p, enum waiter_result result);

/* Forget that a waiter or attempt of p has to be told; frees the slot after the last. */
void pending_told(struct resolver *r, uint32_t p);

/* The TCP connection is gone: its waiters of p are forgotten. */
void pending_forget(struct resolver *r, uint32_t p, uint32_t conn);

void waiter_free(struct resolver *r, uint32_t w);

/* A free attempt of p at upstream, opened; NULL if none is free. */
struct attempt *attempt_open(struct resolver *r, uint32_t p, uint16_t upstream, bool stream);
void attempt_send(struct resolver *r, uint32_t p, struct attempt *a);
void attempt_close(struct resolver *r, uint32_t p, struct attempt *a);

/* Ticket of an attempt and back; NULL if the attempt is over. */
uint32_t attempt_ticket(const struct resolver *r, uint32_t p, const struct attempt *a);
struct attempt *attempt_of(struct resolver *r, uint32_t ticket, uint32_t *p);

/* Set the timer of p to the first of its times. */
void pending_arm(struct resolver *r, uint32_t p);

#endif
