/*
 * A house in virtual time for tests: workers with real resolvers, one cache, lists that are parsed
 * and compiled, upstreams that are whatever the test says. Packets out are kept until the test
 * takes them.
 */
#ifndef SINKHOLE_TESTS_WORLD_H
#define SINKHOLE_TESTS_WORLD_H

#include <stdbool.h>

#include "api/policy_groups.h"
#include "api/rules.h"
#include "base/tz.h"
#include "blocklist/overlay.h"
#include "resolver/cache.h"
#include "resolver/resolver.h"
#include "resolver/snapshot.h"
#include "shared/regex_pcre2.h"
#include "stats/worker.h"

#define WORLD_START    (1000 * USEC_PER_SEC) /* "0 s" of a test */
#define WORLD_WORKERS  4
#define WORLD_LISTS    8
#define WORLD_RULES    64
#define WORLD_PREFIXES 16
#define WORLD_ROUTES   8

/* An answer that a client got. */
struct world_answer {
    struct world_answer *next;
    usec_t time;
    struct peer peer;
    size_t len;
    uint8_t data[];
};

/* A message to an upstream; its ticket may be over by now. */
struct world_sent {
    struct world_sent *next;
    usec_t time;
    unsigned worker;
    uint32_t ticket;
    uint16_t upstream;
    bool stream;
    size_t len;
    uint8_t data[];
};

struct world {
    usec_t now;
    unsigned workers;
    struct resolver_config rc; /* cache, stats, worker are filled in */
    struct cache_config cc;
    uint8_t seed;

    /* What goes into the next snapshot; change it, then world_apply. draft.image is built from the
     * lists if it is NULL. */
    struct snapshot draft;
    char *list_text[WORLD_LISTS];
    const char *list_name[WORLD_LISTS];
    bool list_allows[WORLD_LISTS];
    struct bl_own own[WORLD_RULES];
    struct dns_name own_name[WORLD_RULES];
    unsigned own_count;
    struct regex_source regex[WORLD_RULES]; /* own ones; those of lists come with the image */
    unsigned regex_count;
    struct ip_prefix addresses[WORLD_PREFIXES]; /* not wanted in answers, by everybody */
    unsigned address_count;
    const char *services[WORLD_RULES]; /* blocked for everybody */
    uint32_t service_count, safe_youtube;
    bool safe_search;
    struct ip_prefix allow_from[WORLD_PREFIXES];
    bool allow_from_negated[WORLD_PREFIXES];
    struct ip_prefix client_id_from[WORLD_PREFIXES];
    struct route routes[WORLD_ROUTES];
    struct dns_name rebind_allow[WORLD_RULES];
    struct rules rules; /* groups and clients, world_policy.c; none while doc is NULL */
    struct policy_address device[WORLD_PREFIXES];
    uint32_t devices;
    char *config_text;   /* lines of a configuration file; NULL: none */
    int64_t next_change; /* of a schedule, unix seconds */
    struct tz tz;
    int64_t unix_start; /* wall time at WORLD_START */
    char *local_text;   /* lines of local_add_text */
    char *hosts_text;

    /* Private. */
    struct snapshot *snap, *old_snaps;
    struct snapshot *first_snap, first_draft; /* of the first world_apply */
    size_t first_garbage, first_local_octets;
    const struct local_records *local; /* of so many octets of text */
    size_t local_octets;
    void *cache_mem;
    struct cache *cache;
    struct resolver *resolver[WORLD_WORKERS];
    void *resolver_mem[WORLD_WORKERS], *stats_mem[WORLD_WORKERS];
    struct stats_worker *stats[WORLD_WORKERS];
    struct world_answer *answers, **answers_end;
    struct world_sent *sent, **sent_end;
    uint32_t *tickets; /* open ones */
    size_t ticket_count, ticket_cap;
    struct regex_set *regexes[WORLD_RULES]; /* of all snapshots */
    unsigned regexes_count;
    void **garbage; /* freed by world_close */
    size_t garbage_count;
};

/* Defaults as the daemon has them, but for one upstream "up", no list, and clients of 192.0.2.0/24
 * and 10/8 and 2001:db8::/32 allowed. */
void world_open(struct world *w);

/* Build what was drafted into a snapshot and give it to all workers; the first call starts them. */
void world_apply(struct world *w);

/* Sends everything home: false if something is left in flight, with *why telling what. */
bool world_is_idle(struct world *w, const char **why);
void world_close(struct world *w);

/* Back to after the first world_apply: an empty cache, no client known, nothing in flight. Much
 * cheaper than a new world. */
void world_rewind(struct world *w);

void world_add_list_line(struct world *w, unsigned list, const char *line);
void world_add_own(struct world *w, const char *rule, uint8_t action);
/* Groups, their members and lists, and rules of the rules document; false if it cannot be. Lists
 * are named as in list_name. */
bool world_add_group(struct world *w, const char *name);
bool world_add_member(struct world *w, const char *group, const char *client);
bool world_add_group_list(struct world *w, const char *group, const char *list);
bool world_add_rule(struct world *w, bool allow, const char *rule, const char *owner, usec_t until);
/* An address of a device, as the neighbour table tells it; name: NULL for none. */
bool world_add_device(struct world *w, const char *mac, const char *name, const char *addr);
/* Line of a configuration file: groups and their settings. */
void world_add_config(struct world *w, const char *line);

/* Pause one group or client until then, 0: for good; < 0: no more. */
bool world_pause(struct world *w, const char *group, const char *client, int64_t until_unix);
bool world_add_schedule(struct world *w, const char *group, const char *text);
bool world_has_policy(const struct world *w);
int64_t world_unix(const struct world *w);
usec_t world_time_of(const struct world *w, int64_t unix_s);

/* What the draft comes to with the document: profiles and own rules. */
void world_apply_policy(struct world *w, struct snapshot *s);

/* Memory that lives as long as the world. */
void *world_memory(struct world *w, size_t size);

/* Of the catalogs inside the program. With them own rules stand in the document, as with groups. */
bool world_block_service(struct world *w, const char *id);
bool world_safe_search(struct world *w, bool on, const char *youtube);
void world_add_regex(struct world *w, const char *pattern, uint8_t action);
void world_add_local(struct world *w, const char *line);
void world_add_hosts(struct world *w, const char *line);
uint16_t world_add_upstream(struct world *w, enum upstream_transport transport, uint16_t route);

/* A client's packet; false if it was dropped. It may arrive at any worker. */
bool world_ask(struct world *w, unsigned worker, const struct peer *peer, const uint8_t *data,
               size_t len);

/* Let time pass; timers fire when they are due. */
void world_advance(struct world *w, usec_t to);

/* An upstream's answer, or its end, for a message that was sent. */
void world_respond(struct world *w, const struct world_sent *s, const uint8_t *data, size_t len);
void world_fail(struct world *w, const struct world_sent *s, enum resolver_failure why);

/* Is the ticket of this message still open? */
bool world_is_open(const struct world *w, const struct world_sent *s);

/* Take the oldest out; NULL if there is none. The caller frees. */
struct world_answer *world_take_answer(struct world *w);
struct world_sent *world_take_sent(struct world *w);

/* Sum over workers. */
uint64_t world_count_status(const struct world *w, enum query_status status);
uint64_t world_count(const struct world *w, enum stats_counter counter);

#endif
