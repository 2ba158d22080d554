/*
 * What upstreams answer: does it belong to the question, what does it say, and which of its records
 * are kept. Kept are the CNAME chain from the asked name, what stands at its end, and for negative
 * answers the SOA (with DO also the proofs); everything is written anew, so that no octet of an
 * upstream's message reaches a client or the cache unread.
 */
#ifndef SINKHOLE_RESOLVER_REPLY_H
#define SINKHOLE_RESOLVER_REPLY_H

#include "base/cursor.h"
#include "dns/msg.h"
#include "resolver/cache.h"

enum reply_kind {
    RESPONSE_FOREIGN,   /* not an answer to this question: wait on */
    RESPONSE_CASE,      /* all fits but the letters' case */
    RESPONSE_TRUNCATED, /* TC: what it holds is not used */
    RESPONSE_NO_EDNS,   /* FORMERR or NOTIMP to a question with EDNS */
    RESPONSE_FAILURE,   /* SERVFAIL, REFUSED …, or a referral */
    RESPONSE_MALFORMED,
    RESPONSE_GOOD
};

/* The question as it was sent. */
struct reply_expect {
    const struct dns_name *name; /* lower case */
    const uint8_t *wire;         /* name->len octets, with the case as sent */
    uint16_t id, type, klass;
    bool stream;
    bool edns;
    bool dnssec_ok;
};

/* TTL rules of the snapshot. */
struct reply_limits {
    uint32_t ttl_min_s, ttl_max_s, negative_max_s;
};

#define REPLY_NAMES  128   /* a power of two: places to remember names in, for compression */
#define REPLY_LABELS 32768 /* labels that may be written anew in one message */

/* A message being written: header, question, records. */
struct rewrite {
    struct writer w;
    const uint8_t *msg; /* the message that records come from */
    size_t len;
    size_t quiet;    /* letters of msg before this offset are lowered: they are the question, in our
                        random case */
    uint32_t labels; /* rewritten so far */
    uint16_t from, to; /* the last owner that was a pointer: where it pointed, and where that name
                          stands now; 0: none */
    uint16_t off[REPLY_NAMES];  /* by hash of the suffix: where it stands in w; 0: free */
    uint32_t hash[REPLY_NAMES]; /* more of the hash */
};

/* The response at hand, rewritten: question in lower case at offset 12, then records. */
struct reply {
    uint8_t *msg;
    size_t cap;
    size_t records; /* offset of the first record */
    uint16_t ttl_off[CACHE_RECORDS_MAX];
    uint32_t ttl_count; /* may be more than CACHE_RECORDS_MAX: then it is not cached */
    uint32_t ttl_s;     /* 0: not to be cached */
    bool nxdomain;      /* of the asked name itself: answers every type */
    bool case_changed;  /* the question came back in other letters, over a stream */
    bool edns;          /* it had an OPT record */
    struct cache_hit hit;
    struct dns_name end; /* last name of the chain */
    struct rewrite rewrite;
};

/* Judge a message; `out` is filled on RESPONSE_GOOD, and out->hit.rcode and .ede on
 * RESPONSE_FAILURE. */
enum reply_kind reply_read(const uint8_t *msg, size_t len, const struct reply_expect *expect,
                           const struct reply_limits *limits, struct reply *out);

/* scrub.c: keep what belongs to the answer of a sound message; RESPONSE_GOOD, _FAILURE (a referral)
 * or _MALFORMED. */
enum reply_kind reply_scrub(const uint8_t *msg, size_t len, const struct reply_expect *expect,
                            const struct reply_limits *limits, struct reply *out);

/* rewrite.c */

/* Begin a message in out's room with the question (name, type, class). */
void rewrite_begin(struct rewrite *rw, uint8_t *room, size_t cap, const struct dns_name *name,
                   uint16_t type, uint16_t klass);

/* Where records come from; letters of names before offset `quiet` are lowered. */
void rewrite_from(struct rewrite *rw, const uint8_t *msg, size_t len, size_t quiet);

/* Copy one record (its rdata must have been found good), with this TTL. Returns the offset of the
 * TTL field. */
size_t rewrite_record(struct rewrite *rw, const struct dns_record *rr, uint32_t ttl_s);

#endif
