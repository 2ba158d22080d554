/*
 * The rules document (rules.json): what a person decided. Own allow and deny rules, lists added or
 * switched off, groups and clients, local records, pause, settings. It is the backup format and the
 * thing to copy between two appliances.
 *
 * Held as one JSON value with checked content; the functions here are its only users. Text is
 * UTF-8; names are in presentation format, lower case, without trailing dot.
 */
#ifndef SINKHOLE_API_RULES_H
#define SINKHOLE_API_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "base/time.h"
#include "config/group.h"
#include "dns/name.h"

#define RULES_VERSION       1
#define RULES_TEXT_MAX      (4 * 1024 * 1024) /* octets of a document */
#define RULES_OWN_MAX       10000             /* entries; more are refused */
#define RULES_LISTS_MAX     256
#define RULES_GROUPS_MAX    63 /* beside that of everybody */
#define RULES_CLIENTS_MAX   1024
#define RULES_PAUSES_MAX    256  /* clients and groups at once */
#define RULES_LOCAL_MAX     4096 /* of hosts, of cnames, and of records */
#define RULES_RECORD_MAX    2048 /* octets of a record's text */
#define RULES_ADDRESSES_MAX 4096 /* prefixes that are not wanted in answers */
#define RULES_COMMENT_MAX   512  /* octets */

/* A document. Zero-initialise, then rules_clear or rules_parse; rules_free at the end. */
struct rules {
    json_t *doc;
};

enum rule_kind {
    RULE_EXACT,   /* this name */
    RULE_SUBTREE, /* this name and all below */
    RULE_REGEX    /* what matches; in force where the platform has an engine for it */
};

/* One own rule. The texts are borrowed from the document. */
struct rule_view {
    int64_t id;
    bool allow;
    enum rule_kind kind;
    const char *domain;  /* the name, or the regular expression if kind is RULE_REGEX */
    const char *written; /* as the person gave it: the regular expression "(\\.|^)ads\\.example$" is
                            RULE_SUBTREE of ads.example */
    bool regex_form;     /* `written` is a regular expression */
    const char *comment; /* may be NULL */
    bool enabled;
    int64_t added_unix, modified_unix;
    int64_t until_unix;   /* ends by itself; 0: never */
    const char *client;   /* only for this client (address, prefix or device); NULL: everybody */
    const json_t *groups; /* array of group ids */
};

/* A prefix that is not wanted in answers. */
struct address_view {
    int64_t id;
    const char *address; /* ADDR or ADDR/BITS in one form */
    const char *comment; /* may be NULL */
    bool enabled;
    int64_t added_unix, modified_unix;
    const json_t *groups; /* array of group ids */
};

struct list_view {
    uint32_t id; /* rules_list_id(url, allow) */
    const char *url;
    bool allow;
    bool enabled;
    bool configured; /* an entry that only switches a list of the configuration off, or comments on
                        it */
    bool guard;      /* updates that look wrong wait for a person */
    const char *comment; /* may be NULL */
    int64_t added_unix, modified_unix;
    const json_t *groups; /* array of group ids */
};

struct group_view {
    int64_t id; /* 0: the group of everybody, "Default" */
    const char *name;
    const char *comment; /* may be NULL */
    bool enabled;
    int64_t added_unix, modified_unix;
    const json_t *item; /* how its members are treated: rules_group_value */
};

/* A client or group that is not blocked for a while; one of the two texts is NULL. */
struct pause_view {
    const char *group;  /* its name */
    const char *client; /* as in struct client_view */
    int64_t until_unix; /* 0: until resumed */
};

struct client_view {
    int64_t id;
    const char *client;  /* address, prefix, hardware address or name */
    const char *comment; /* may be NULL */
    int64_t added_unix, modified_unix;
    const json_t *groups;
};

/* An empty document. ERR_MEMORY. */
MUST_CHECK enum err rules_clear(struct rules *r);
void rules_free(struct rules *r);

/*
 * Text to document; *r is replaced only on ERR_OK. On errors `what` (cap octets, may be NULL) gets
 * one line naming the field: "own[3].domain: not a domain name". ERR_FORMAT, ERR_VERSION,
 * ERR_LIMIT, ERR_MEMORY.
 */
MUST_CHECK enum err rules_parse(struct rules *r, struct span text, char *what, size_t cap);

/* Document to text, piece by piece; `put` returns 0 to go on. ERR_IO if put stopped it. */
typedef int rules_put(const char *text, size_t len, void *arg);
MUST_CHECK enum err rules_print(const struct rules *r, rules_put *put, void *arg);

/* Own rules, in the order they were added. */
uint32_t rules_own_count(const struct rules *r);
bool rules_own_at(const struct rules *r, uint32_t i, struct rule_view *out);

/* Is the rule one that the matcher can take now: enabled, not ended? */
bool rules_own_active(const struct rule_view *v, int64_t now_unix);

/* Prefixes that are not wanted in answers. */
uint32_t rules_address_count(const struct rules *r);
bool rules_address_at(const struct rules *r, uint32_t i, struct address_view *out);

/* Lists added by the person, and configured ones switched off. */
uint32_t rules_list_count(const struct rules *r);
bool rules_list_at(const struct rules *r, uint32_t i, struct list_view *out);

/* The number by which the API, the log and the statistics know a list: 1..2^31-1, from its URL and
 * kind, the same after each start. */
uint32_t rules_list_id(const char *url, bool allow);

uint32_t rules_group_count(const struct rules *r); /* without group 0, which is always there */
bool rules_group_at(const struct rules *r, uint32_t i, struct group_view *out);

/* The nth value of a key of a group as text, as the configuration writes it; NULL beyond the last.
 * Keys that are no part of a group here (client, list ...) have none. */
const char *rules_group_value(const struct group_view *v, enum cfg_group_key key, uint32_t n);
uint32_t rules_client_count(const struct rules *r);
bool rules_client_at(const struct rules *r, uint32_t i, struct client_view *out);

/* Local records as text: the two kinds that Pi-hole has, and all others. */
enum rules_local {
    RULES_HOSTS,  /* "192.168.1.9 nas.home.arpa" */
    RULES_CNAMES, /* "alias,target[,ttl]" */
    RULES_RECORDS /* "NAME [SECONDS] TYPE VALUE", as resolver/local.h reads it */
};

/* NULL beyond the end. */
const char *rules_local_at(const struct rules *r, enum rules_local kind, uint32_t i);

/* Settings that stand above the configuration file: an option of options.def and its value as a
 * person writes it. false beyond the end. */
bool rules_setting_at(const struct rules *r, uint32_t i, const char **name, const char **value);

/*
 * Pause. Kept in wall time so that it survives a restart; as a deadline it is monotonic: 0 not
 * paused, USEC_NEVER until resumed (snapshot.h).
 */
usec_t rules_pause_until(const struct rules *r, usec_t now, int64_t now_unix);

/* The same of one client or group. */
bool rules_pause_at(const struct rules *r, uint32_t i, struct pause_view *out);
usec_t rules_pause_deadline(int64_t until_unix, usec_t now, int64_t now_unix);

/* When the next rule that has an end does so, in unix seconds; 0: none has one. */
int64_t rules_next_end(const struct rules *r);

/* --- changes. They touch *r alone: to change what is in force, change a copy and hand it over. ---
 */

/* *to is an empty struct. ERR_MEMORY. */
MUST_CHECK enum err rules_copy(struct rules *to, const struct rules *from);

/*
 * Each returns ERR_FORMAT (*why, a static text, says what is wrong), ERR_LIMIT (too many),
 * ERR_EXISTS, ERR_NOT_FOUND or ERR_MEMORY. A rule is named by type, form (exact or regex), text and
 * client; names are compared without regard to case.
 */
struct rule_key {
    bool allow;
    bool regex;
    const char *text;
    const char *client; /* NULL: everybody */
};
struct rule_edit {
    const char *comment; /* NULL: none */
    bool enabled;
    int64_t until_unix; /* 0: never */
    json_t *groups;     /* array of integers, borrowed; NULL: [0] */
};
MUST_CHECK enum err rules_own_add(struct rules *r, const struct rule_key *key,
                                  const struct rule_edit *edit, int64_t now_unix, const char **why);
MUST_CHECK enum err rules_own_find(const struct rules *r, const struct rule_key *key,
                                   uint32_t *index);
MUST_CHECK enum err rules_own_set(struct rules *r, uint32_t index, const struct rule_edit *edit,
                                  int64_t now_unix);
void rules_own_remove(struct rules *r, uint32_t index);

/* Drop rules that have ended; returns how many. */
uint32_t rules_own_expire(struct rules *r, int64_t now_unix);

MUST_CHECK enum err rules_address_add(struct rules *r, const char *address, const char *comment,
                                      bool enabled, json_t *groups, int64_t now_unix,
                                      const char **why);
MUST_CHECK enum err rules_address_find(const struct rules *r, const char *address, uint32_t *index);
MUST_CHECK enum err rules_address_set(struct rules *r, uint32_t index, const char *comment,
                                      bool enabled, json_t *groups, int64_t now_unix);
void rules_address_remove(struct rules *r, uint32_t index);

MUST_CHECK enum err rules_list_add(struct rules *r, const char *url, bool allow, bool configured,
                                   const char *comment, bool enabled, json_t *groups,
                                   int64_t now_unix, const char **why);
MUST_CHECK enum err rules_list_find(const struct rules *r, const char *url, bool allow,
                                    uint32_t *index);
MUST_CHECK enum err rules_list_set(struct rules *r, uint32_t index, const char *comment,
                                   bool enabled, json_t *groups, int64_t now_unix);
MUST_CHECK enum err rules_list_set_guard(struct rules *r, uint32_t index, bool guard);
void rules_list_remove(struct rules *r, uint32_t index);

MUST_CHECK enum err rules_group_add(struct rules *r, const char *name, const char *comment,
                                    bool enabled, int64_t now_unix, const char **why);
MUST_CHECK enum err rules_group_find(const struct rules *r, const char *name, uint32_t *index);
MUST_CHECK enum err rules_group_set(struct rules *r, uint32_t index, const char *name,
                                    const char *comment, bool enabled, int64_t now_unix,
                                    const char **why);
void rules_group_remove(struct rules *r, uint32_t index);

MUST_CHECK enum err rules_client_add(struct rules *r, const char *client, const char *comment,
                                     json_t *groups, int64_t now_unix, const char **why);
MUST_CHECK enum err rules_client_find(const struct rules *r, const char *client, uint32_t *index);
MUST_CHECK enum err rules_client_set(struct rules *r, uint32_t index, const char *comment,
                                     json_t *groups, int64_t now_unix);
void rules_client_remove(struct rules *r, uint32_t index);

MUST_CHECK enum err rules_local_add(struct rules *r, enum rules_local kind, const char *text,
                                    const char **why);
MUST_CHECK enum err rules_local_remove(struct rules *r, enum rules_local kind, const char *text);

/* until_unix: 0 until resumed, < 0: not paused. */
MUST_CHECK enum err rules_set_pause(struct rules *r, int64_t until_unix);

/* Pause one client or group (the other is NULL), or end that (until_unix < 0). ERR_FORMAT,
 * ERR_LIMIT, ERR_MEMORY. Pauses that have ended go. */
MUST_CHECK enum err rules_set_pause_of(struct rules *r, const char *group, const char *client,
                                       int64_t until_unix, int64_t now_unix, const char **why);

/* How members of a group are treated: `values` is an object of block_mode, safe_search, upstreams,
 * schedules and services, each of which may be absent (unchanged) or null (not set). A group that
 * the document does not have, such as Default, gets an entry. */
MUST_CHECK enum err rules_group_treat(struct rules *r, const char *name, const json_t *values,
                                      int64_t now_unix, const char **why);

/* value NULL: take the setting back. */
MUST_CHECK enum err rules_set_setting(struct rules *r, const char *name, const char *value,
                                      const char **why);

#endif
