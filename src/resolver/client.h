/*
 * Who asks: the access list, a limit of questions a client, and a limit of answers a network for
 * what could be turned against somebody else (errors, large answers) when the sender's address is
 * forged.
 */
#ifndef SINKHOLE_RESOLVER_CLIENT_H
#define SINKHOLE_RESOLVER_CLIENT_H

#include "base/arena.h"
#include "base/ip.h"
#include "resolver/query.h"

struct resolver;

/* Half a cache line; the tables have sets of four, in which the one that was idle longest goes
 * first. */
struct client {
    struct ip_addr addr;
    uint32_t seen_ms; /* when tokens were last filled up; 0 in an unused slot with generation 0 */
    uint32_t tokens;  /* thousandths of a question; unused while limits are off */
    uint32_t generation; /* of the snapshot that the two below came from */
    uint8_t allowed;
    uint8_t trusted; /* a router that tells for whom it asks */
    uint16_t profile;
};

_Static_assert(sizeof(struct client) == 32, "half a line");

struct client_network {
    struct ip_addr net; /* /24 or /56 */
    uint32_t seen_ms;
    uint32_t errors; /* tokens, thousandths of an answer */
    uint32_t large;
    uint32_t slip; /* counts limited answers: each second one is sent with TC */
};

struct client_table {
    struct client *table;
    struct client_network *networks;
    uint32_t sets, network_sets;
    uint32_t rate;       /* questions a second, 0: off */
    uint32_t generation; /* of the snapshot */
    uint64_t key[2];
};

enum client_admission { CLIENT_ADMITTED, CLIENT_REFUSED, CLIENT_LIMITED };
enum client_limit { CLIENT_SEND, CLIENT_SLIP, CLIENT_DROP };

size_t client_table_memory(uint32_t clients_max);
void client_table_init(struct client_table *c, struct arena *arena, uint32_t clients_max,
                       uint32_t rate, const uint64_t key[2]);

/* HOT. May this client ask now? Sets the query's profile, and its client if a trusted router tells
 * that. Cost: one set of the table, and access list and table of clients once a client and
 * snapshot; for questions of a trusted router twice that. The router has to be on the access list,
 * the limit is for whom it asks. */
enum client_admission client_admit(struct resolver *r, struct query *q);

/* How somebody is treated; `told` is what a trusted router tells, if anything. */
const struct profile *client_profile(const struct resolver *r, const struct ip_addr *sender,
                                     const struct dns_edns_client *told);

/* Take over what the request tells of who asks, if it comes from a trusted router. */
void client_tell(const struct resolver *r, struct query *q);

/* Set client and profile by the sender and by what it was trusted to tell. */
void client_known(const struct resolver *r, struct query *q);

/* What becomes of a UDP answer of `len` octets. */
enum client_limit client_limit_answer(struct resolver *r, const struct query *q, size_t len);

/* Is the address on the access list? */
bool client_is_allowed(const struct resolver *r, const struct ip_addr *addr);

/* A keyed hash of an address, for tables. */
uint64_t client_hash(const struct client_table *c, const struct ip_addr *addr);

#endif
