/*
 * What the platform supplies to the API, as one table of functions, and the structs they fill. All
 * of them are called from within api_handle, api_tick or an api_more, so by one thread at a time.
 * Functions marked "may be NULL" are left out by platforms that have no such thing; the routes that
 * need them then answer with empty collections or 501.
 */
#ifndef SINKHOLE_API_BACKEND_H
#define SINKHOLE_API_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/history.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/log_ring.h"
#include "base/span.h"
#include "base/time.h"
#include "blocklist/diff.h"
#include "blocklist/guard.h"
#include "resolver/cache.h"
#include "resolver/resolver.h"
#include "resolver/snapshot.h"

struct config;         /* config/config.h */
struct policy_address; /* policy_groups.h */
struct policy_source;
struct rules;  /* rules.h */
struct strbuf; /* base/strbuf.h */

/* What a password opens. */
enum api_credential {
    CREDENTIAL_WRONG,
    CREDENTIAL_UNSET,     /* no password is set: everything is open */
    CREDENTIAL_PASSWORD,  /* the person's password */
    CREDENTIAL_APP,       /* an app password: as good as the password, but it cannot change it */
    CREDENTIAL_READ_ONLY, /* a key that may only read */
    CREDENTIAL_LOCAL /* this machine's own command line: as good as the password, and asked for no
                        one-time password */
};

#define API_KEY_TEXT 64 /* octets of an app password with NUL */

/* One app password as it is listed; the secret itself is known to nobody. */
struct api_key_info {
    uint32_t id;
    char name[64];
    bool read_only;
    int64_t created_unix;
};

/* The machine. Sizes in KiB; shares in percent; -1 where the platform does not know. */
struct api_system {
    int64_t uptime_s; /* of the machine */
    int64_t process_uptime_s;
    uint64_t ram_total, ram_free, ram_available, ram_used;
    uint64_t swap_total, swap_free;
    uint64_t process_ram; /* resident memory of ours */
    uint32_t processes;   /* in the whole machine */
    uint32_t cpus;
    double cpu_percent; /* of the machine, 0..100 */
    double process_cpu_percent;
    double load[3];       /* 1, 5, 15 minutes */
    double temperature_c; /* below -273: unknown */
    int64_t pid;
    char node_name[65], model[128], os_name[65], os_release[65], os_version[128], machine[65];
    char domain[65]; /* local domain, "" if none */
    struct {
        char name[16];                                /* "" if there is none */
        char addr[IP_TEXT_MAX], gateway[IP_TEXT_MAX]; /* "" if unknown */
        uint32_t addresses;                           /* how many addresses it has */
        uint64_t rx_octets, tx_octets;
    } v4, v6; /* the interface of the default route */
};

/* Gauges of the running engine, summed over workers. */
struct api_gauges {
    struct cache_gauges cache;
    struct resolver_gauges resolver;
    uint32_t workers;
    uint32_t tcp_clients; /* open now */
    uint32_t tcp_clients_max;
    uint64_t rules_in_image; /* names blocked or allowed by lists, each once */
    uint64_t image_octets;
    int64_t image_built_unix; /* 0: no image yet */
    bool ready;               /* queries are answered */
};

/* Who named a device, the most trusted first. */
enum api_name_source {
    API_NAME_NONE,
    API_NAME_PERSON, /* on the page */
    API_NAME_RECORD, /* a local record or hosts file */
    API_NAME_LEASE,  /* a DHCP server's file */
    API_NAME_ROUTER, /* a reverse look-up */
    API_NAME_MDNS    /* the device itself */
};

#define API_LIST_URL_MAX 1024
#define API_WHY_MAX      256 /* octets of a message */

/* Order of the API's `status` field of a list. */
enum api_list_status {
    API_LIST_NEVER = 0, /* not tried yet */
    API_LIST_UPDATED = 1,
    API_LIST_UNCHANGED = 2,
    API_LIST_KEPT = 3,       /* unavailable or refused: the last good copy stays in force */
    API_LIST_UNAVAILABLE = 4 /* … and there is no copy */
};

/* One list, from the configuration or from the rules document. */
struct api_list {
    uint32_t id; /* rules_list_id(url, allow) */
    char url[API_LIST_URL_MAX];
    char name[128];   /* for people; "" if it has none */
    char error[256];  /* why the last update did not succeed, or is held back; "" if neither */
    char notice[256]; /* what a person should know of its content; "": nothing */
    bool allow;       /* an allow list */
    bool enabled;
    bool configured;    /* stands in the configuration: may be disabled, not removed */
    bool fetching;      /* under way now */
    bool needs_confirm; /* an update is held back: list_confirm takes it, list_refuse drops it */
    bool guard;         /* updates that look wrong are held back */
    enum api_list_status status;
    char format[16];      /* "hosts", "adblock" …; "" if not known yet */
    char example[5][160]; /* the first rejected lines, printable ASCII */
    uint32_t example_count;
    uint32_t rules; /* accepted */
    uint32_t duplicates;
    uint32_t rejected; /* lines that look like rules and are not usable */
    uint32_t ignored;  /* comments, cosmetic rules and the like */
    uint32_t unique;   /* rules that no other list has; UINT32_MAX: not counted */
    uint32_t adblock;  /* rules in Adblock style among them */
    uint64_t octets;   /* size of the text */
    int64_t added_unix, modified_unix;
    int64_t checked_unix; /* last attempt, 0: never */
    int64_t updated_unix; /* when its content last changed, 0: never */
};

/* An update of a list that waits for a person. */
struct api_held {
    char reason[256];
    int64_t fetched_unix;
    uint64_t octets;
    uint32_t rules, rules_before;
    bool compared; /* the rest is filled */
    struct bl_guard_names names;
    struct bl_diff_side added, removed;
};

/* What of the rules document has changed, so that the platform does no more than it must. */
enum rules_part {
    RULES_PAUSE = 1,
    RULES_OWN = 2, /* own allow and deny rules */
    RULES_LISTS = 4,
    RULES_LOCAL = 8,   /* local records */
    RULES_GROUPS = 16, /* groups and clients */
    RULES_SETTINGS = 32,
    RULES_ALL = 63
};

/* One rule that speaks about a name, most important first; what `explain` finds. */
struct api_match {
    uint32_t list; /* id of the list, 0: an own rule */
    uint32_t line; /* in the list, 0: unknown; for own rules their id */
    bool allow;
    bool important;
    bool subtree;         /* the rule's name and all below */
    bool wins;            /* the one that decides */
    struct span service;  /* id of a blocked service whose name it is, borrowed; "": none */
    struct span regex;    /* a regular expression in place of a name, borrowed as the snapshot is */
    struct dns_name rule; /* its name, if it is none */
};
#define API_MATCHES_MAX 64

#define API_WHY_TEXT 256 /* octets of a text of it, with NUL; cut where it is longer */

struct api_verdict {
    bool blocked;
    bool paused; /* would be blocked, but blocking is paused */
    const char
        *reason; /* static text: "list", "own rule", "local record", "special-use name", "none" */
    struct api_match match[API_MATCHES_MAX];
    uint32_t count;
    uint32_t left_off; /* matches beyond the bound */

    /* How the client is treated at that moment. */
    char entry[API_WHY_TEXT];  /* what describes it: "192.0.2.0/28 (configuration)"; "": nothing */
    char groups[API_WHY_TEXT]; /* their names, "kids, Default" */
    char schedule[API_WHY_TEXT]; /* the time that is in force, "kids: mon-fri 21:00-06:30 block" */
    char pause[API_WHY_TEXT];    /* what is paused: "everything", "group kids" …; "": nothing */
    bool at_times;               /* the schedule blocks the name: no own rule allows it */
    bool no_clock;
    enum block_mode block_mode;
    struct ip_addr block_v4, block_v6;
};

/*
 * What a list would have done to the queries of the last days. Counts are of queries that were
 * answered and not blocked.
 */
enum api_preview_state {
    API_PREVIEW_FETCHING, /* the list is on its way */
    API_PREVIEW_MATCHING, /* `list` and the fields below it up to new_rules are filled */
    API_PREVIEW_DONE,
    API_PREVIEW_FAILED /* `list.error` says why */
};
#define API_PREVIEW_NAMES   100 /* names that are told; they are counted all the same */
#define API_PREVIEW_CLIENTS 16  /* clients that are told, in all and of each name */

struct api_client_count {
    struct ip_addr client;
    uint64_t count;
};

struct api_preview_name {
    struct dns_name name;
    uint64_t count;
    uint32_t clients; /* in `client`; there may be more */
    struct api_client_count client[API_PREVIEW_CLIENTS];
};

struct api_preview {
    uint32_t id; /* grows with each preview_start */
    enum api_preview_state state;
    struct api_list list;          /* url, format, counts, examples, error; not in force */
    uint32_t new_rules;            /* names that are not blocked now */
    int64_t from_unix, until_unix; /* time that the queries below cover */
    bool from_history;             /* false: no history is kept, the log in memory was looked at */
    bool partial;                  /* not all of that time was looked at */
    uint64_t queries;              /* looked at */
    uint64_t hits;                 /* of them, those that it would have blocked */
    uint32_t names_hit;            /* how many different names */
    uint32_t clients_hit;
    uint32_t name_count, client_count;
    struct api_preview_name name[API_PREVIEW_NAMES]; /* most first */
    struct api_client_count client[API_PREVIEW_CLIENTS];
};

struct api_backend {
    void *ctx; /* handed to each function */

    usec_t (*clock)(void *ctx);    /* monotonic; for "took" only. May be NULL */
    int64_t (*unix_us)(void *ctx); /* wall time */

    /* Is a password set at all? May be NULL: it is. */
    bool (*password_exists)(void *ctx);

    /* Slow on purpose (a memory-hard hash); failures are rate-limited before this is asked. */
    enum api_credential (*password_check)(void *ctx, struct span password);
    enum err (*password_set)(void *ctx, struct span password); /* may be NULL */

    /* App passwords; all may be NULL. key_new writes the secret once. Full: ERR_LIMIT. */
    enum err (*key_new)(void *ctx, const char *name, bool read_only, char secret[API_KEY_TEXT],
                        uint32_t *id);
    uint32_t (*key_list)(void *ctx, struct api_key_info *out, uint32_t max);
    enum err (*key_delete)(void *ctx, uint32_t id);

    /*
     * The secret of one-time passwords (totp.h): get says whether there is one; set stores one, or
     * with NULL removes it. May be NULL both.
     */
    bool (*totp_get)(void *ctx, uint8_t secret[20]);
    enum err (*totp_set)(void *ctx, const uint8_t secret[20]);

    void (*system)(void *ctx, struct api_system *out); /* out is zeroed before */
    void (*gauges)(void *ctx, struct api_gauges *out); /* out is zeroed before */

    /*
     * What the workers answer from now. Borrowed until the call into the API returns: a platform
     * with threads frees old snapshots under the lock that serialises the API.
     */
    const struct snapshot *(*snapshot)(void *ctx);
    void (*upstream)(void *ctx, uint16_t index,
                     struct upstream_health *out); /* the best or the mean over workers */

    uint32_t (*list_count)(void *ctx);
    void (*list_at)(void *ctx, uint32_t i,
                    struct api_list *out); /* i < list_count; out is zeroed before */

    /* The client's name by a local record, NUL-terminated; returns its length, 0 if none is known.
     * May be NULL. */
    size_t (*client_name)(void *ctx, const struct ip_addr *client, char out[DNS_NAME_TEXT]);

    /* What else is known of an address: hardware address, name and who gave it; borrowed until the
     * call into the API returns. NULL: nothing. May be NULL. */
    const struct policy_address *(*device)(void *ctx, const struct ip_addr *client);

    /*
     * A changed rules document: make it durable, then in force (pause: before returning, as clients
     * ask again at once; lists may be fetched later). `next` is borrowed. On an error the API keeps
     * the old document and reports the failure.
     */
    enum err (*rules_apply)(void *ctx, const struct rules *next, unsigned parts);

    /* The configuration in force, with what a person set; borrowed for the call. May be NULL. */
    const struct config *(*config)(void *ctx);

    /* Would this setting be taken? ERR_FORMAT, ERR_RANGE, ERR_LIMIT: no, and `why` says what was
     * found and expected. May be NULL: yes. */
    enum err (*setting_check)(void *ctx, const char *name, const char *value, struct strbuf *why);

    /* Which rules speak about a name at a moment (0: now). `client` may be NULL: somebody whom
     * nothing describes. out is zeroed before. */
    enum err (*explain)(void *ctx, const struct dns_name *name, const struct ip_addr *client,
                        int64_t at_unix, struct api_verdict *out);

    /* What groups and clients are planned from; borrowed until the call into the API returns. */
    void (*policy_source)(void *ctx, int64_t now_unix, struct policy_source *out);

    /*
     * May a regular expression be used? ERR_FORMAT with one line in `why` (API_WHY_MAX octets);
     * ERR_MEMORY. May be NULL: there is no engine, expressions are kept and not in force.
     */
    enum err (*regex_check)(void *ctx, struct span pattern, char *why);

    /* Start fetching all lists now; returns at once. ERR_STATE: already at it. */
    enum err (*update_lists)(void *ctx);
    bool (*update_running)(void *ctx);
    enum err (*list_update)(void *ctx, uint32_t id); /* one list, now; may be NULL */
    /* Take what is held back of a list, or else its next copy whatever it is; drop what is held
     * back; look at it: NULL if nothing is, else borrowed until the call into the API returns. May
     * be NULL each. */
    enum err (*list_confirm)(void *ctx, uint32_t id);
    enum err (*list_refuse)(void *ctx, uint32_t id);
    const struct api_held *(*list_held)(void *ctx, uint32_t id);

    /*
     * What a block list would have blocked; see struct api_preview. start fetches a list aside, in
     * place of a preview that is under way. ERR_FORMAT: the URL is refused, *why (static or of the
     * platform) says why. get: false if there was none since the start; out is zeroed before. All
     * may be NULL.
     */
    enum err (*preview_start)(void *ctx, const char *url, const char **why);
    bool (*preview_get)(void *ctx, struct api_preview *out);
    void (*preview_end)(void *ctx);

    /*
     * Query history beyond the log in memory; see history.h. All may be NULL: there is none.
     * open: NULL if too many jobs are under way. poll: *out is the job's until next or close.
     */
    bool (*history_status)(void *ctx, struct history_status *out); /* false: switched off */
    void *(*history_open)(void *ctx, const struct history_ask *ask);
    enum history_state (*history_poll)(void *ctx, void *job, const struct history_result **out);
    void (*history_next)(void *ctx, void *job);
    void (*history_close)(void *ctx, void *job);
    enum err (*history_erase)(void *ctx); /* all that is kept, on the disk and in memory */

    enum err (*flush_cache)(void *ctx);

    /* As log_ring_read. May be NULL. */
    uint32_t (*log_lines)(void *ctx, uint64_t after, struct log_ring_line *out, uint32_t max);
    enum err (*reload)(void *ctx); /* reread the configuration, as SIGHUP does. May be NULL */

    /* The platform's own numbers for /metrics, in that format. May be NULL. */
    void (*metrics)(void *ctx, struct strbuf *out);
};

#endif
