/*
 * One question on its way. It lives on the stack of the call that answers it; one that has to wait
 * for an upstream is kept as a waiter (pending.h) and becomes a query again when its answer is
 * there.
 */
#ifndef SINKHOLE_RESOLVER_QUERY_H
#define SINKHOLE_RESOLVER_QUERY_H

#include "dns/build.h"
#include "dns/msg.h"
#include "dns/suffix.h"
#include "resolver/resolver.h"
#include "stats/event.h"

struct query {
    const struct peer *peer;
    const struct ip_addr *client;  /* who asks: the peer's address, or one in `told` */
    const struct profile *profile; /* how this client is treated; set when it is admitted */
    struct packet *packet;         /* holds the question, and in the end the answer */
    usec_t arrived;
    size_t request_len; /* octets of the request */
    enum resolver_outcome outcome;

    bool cookie_valid; /* the client has shown that it gets what we send to its address */
    bool allowed;      /* a rule allows the name: its CNAME chain is not judged */
    bool is_error;     /* the answer counts against the limit for errors */
    bool again;        /* it goes on as a question for another name */
    uint8_t verdict;   /* enum verdict, policy.h */
    uint32_t
        alias; /* what the client asked, if that led to another name, alias.h; else ALIAS_NONE */

    /* For the event and the answer's OPT. */
    uint8_t status; /* enum query_status */
    uint8_t flags;  /* enum stats_event_flag */
    uint16_t list;
    uint16_t upstream;
    uint8_t match_labels;
    int16_t ede;
    const char *ede_text;         /* borrowed until query_finish */
    const struct dns_name *cname; /* the blocked name of a chain */
    char text[96];                /* room for ede_text */

    struct dns_edns_client told; /* by a trusted router; nothing of it for all others */

    struct dns_request req;
    struct dns_suffixes suffixes; /* of req.qname */
};

#endif
