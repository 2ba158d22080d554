/*
 * Inside of the API: what its files share. A request becomes a struct call; a route's handler
 * answers it by one of the reply_ functions.
 */
#ifndef SINKHOLE_API_API_INT_H
#define SINKHOLE_API_API_INT_H

#include <jansson.h>

#include "api/api.h"
#include "api/backend.h"
#include "api/json.h"
#include "api/rules.h"
#include "base/rng.h"
#include "base/siphash.h"
#include "base/strbuf.h"
#include "stats/stats.h"

#define SESSIONS_MAX    64   /* full: the least recently used goes */
#define FAILURES_MAX    64   /* sources of failed log-ins; full: the oldest goes */
#define FEEDS_MAX       24   /* streamed responses under way; full: 503 */
#define PATH_MAX_OCTETS 4096 /* of a decoded path */
#define SEGMENTS_MAX    10
#define PARAMS_MAX      4
#define TOP_NAMES_MAX   250 /* rows of a top list that are given at most */
#define SID_TEXT        25  /* 24 characters: 18 random octets in base64 */

/* What a request may do. */
enum access { ACCESS_NONE, ACCESS_READ, ACCESS_APP, ACCESS_FULL };

struct session {
    bool used;
    bool bearer; /* stands for an Authorization header, has no SID of its own */
    uint32_t id; /* for /api/auth/sessions */
    char sid[SID_TEXT], csrf[SID_TEXT];
    uint64_t key_mac[2]; /* of the Bearer key */
    enum access access;
    bool encrypted;
    struct ip_addr peer;
    char user_agent[128];
    usec_t last; /* last use */
    usec_t cookie_sent;
    int64_t login_unix, last_unix;
};

struct failure {
    bool used;
    struct ip_addr source; /* the address, or the /64 of an IPv6 one */
    usec_t since;          /* start of its minute */
    uint32_t count;
};

/* What open pages are told to read again. */
/* Octets of a key of the scratch table: a name, or a name and an id. */
#define API_SCRATCH_KEY (DNS_NAME_MAX + 4)

enum change { CHANGE_LISTS, CHANGE_DOMAINS, CHANGE_BLOCKING, CHANGE_SETTINGS, CHANGE_COUNT };

struct feed; /* feed.h */

#define API_GROUPS_ROOM \
    (128 * 1024) /* octets; groups with longer texts of upstreams are not told */

struct api {
    const struct api_config *cfg;
    const struct api_backend *be;
    struct stats *stats;
    struct rules *rules;
    usec_t start;
    usec_t validity; /* of sessions */
    struct rng rng;
    struct siphash_key mac_key[2]; /* of Bearer keys that were checked */
    struct session sessions[SESSIONS_MAX];
    struct failure failures[FAILURES_MAX];
    uint32_t next_session;
    uint64_t totp_last;             /* newest period whose one-time password was taken */
    uint32_t changes[CHANGE_COUNT]; /* how often each has changed */
    struct feed *feeds;             /* FEEDS_MAX */
    struct topk *scratch;           /* for top lists of a span of the log */
    struct stats_name *names;       /* TOP_NAMES_MAX */
    void *groups_room;              /* API_GROUPS_ROOM, for groups as they are now */
    struct {
        uint32_t id;
        char name[128];
    } list_names[RULES_LISTS_MAX * 2];
    uint32_t list_names_count;
    struct client_map people; /* places in the document of clients that a person described */
    void *people_room;
    struct device_rows *devices; /* device_rows.h, as of the last look */
    struct api_verdict verdict;  /* of the explanation under way */
    struct api_preview preview;  /* as of the last look */
    char *response;              /* response_cap octets */
    size_t response_cap;
    usec_t pause_until;    /* as in struct snapshot */
    usec_t next_end;       /* when a timed rule ends next; USEC_NEVER */
    int64_t next_end_unix; /* the `until` of that rule */
};

/* How the request proved who it is. */
enum proof { PROOF_NONE, PROOF_OPEN, PROOF_COOKIE, PROOF_SID, PROOF_BEARER };

struct call {
    struct api *api;
    usec_t now;
    int64_t unix_us;
    usec_t clock_start; /* of the platform's clock, for "took" */
    const struct api_request *req;
    struct api_response *res;
    char path[PATH_MAX_OCTETS + 1]; /* decoded segments, each with its NUL */
    const char *segment[SEGMENTS_MAX];
    uint32_t segments;
    const char *param[PARAMS_MAX]; /* segments that stand for {…} in the route, in order */
    json_t *body;                  /* NULL: none, or no JSON */
    bool body_bad;                 /* there is one, and it is no JSON */
    enum access access;
    enum proof proof;
    struct session *session; /* NULL: none, or no password is set */
};

typedef void handler(struct call *c);

/* --- request.c ------------------------------------------------------------------------------- */

/* Cut and decode the path, parse the body. ERR_FORMAT: bad escapes, NUL, too long. */
MUST_CHECK enum err request_open(struct call *c);
void request_close(struct call *c);

/* A parameter of the query, decoded into buf. false if it is absent or does not fit. */
bool param_text(const struct call *c, const char *name, char *buf, size_t cap);
bool param_bool(const struct call *c, const char *name, bool absent);
int64_t param_number(const struct call *c, const char *name, int64_t min, int64_t max,
                     int64_t absent); /* clamped */
double param_real(const struct call *c, const char *name, double absent);

/* Percent-decode len octets. Returns the length, or -1 for a bad escape, a NUL or too little room
 * (NUL-terminated). */
long percent_decode(struct span in, bool plus_is_space, char *out, size_t cap);

/* --- reply.c --------------------------------------------------------------------------------- */

/* Takes over `body` (an object; NULL: out of memory, answered as 500); adds "took". */
void reply_json(struct call *c, int status, json_t *body);
void reply_error(struct call *c, int status, const char *key, const char *message,
                 const char *hint);
void reply_empty(struct call *c, int status);
void reply_text(struct call *c, int status, const char *content_type, struct strbuf *text);
void reply_static(struct call *c, int status, const char *content_type, const void *body,
                  size_t len);

/* A header; the value is cut if it is too long, and is refused if it has control characters. */
void reply_header(struct call *c, const char *name, const char *value);
const char *reply_find_header(const struct call *c, const char *name);

#define bad_request(c, message) reply_error(c, 400, "bad_request", message, NULL)
#define not_found(c, message)   reply_error(c, 404, "not_found", message, NULL)

double call_took(const struct call *c);

/* --- auth.c ---------------------------------------------------------------------------------- */

/* Who asks. Writes c->access, proof and session; true unless it has answered already (429). */
bool auth_identify(struct call *c);

/* Is a state change by this request meant by the person, and not by a page of somebody else? */
bool auth_same_origin(const struct call *c);
bool auth_has_csrf(const struct call *c);

/* Is the Host header one of ours? */
bool origin_host_ok(const struct call *c);
bool origin_is_allowed(const struct call *c); /* the Origin is on the CORS list */

void auth_end_all_sessions(struct api *a, const struct session *but);
void auth_tick(struct api *a, usec_t now);

/* --- shared by views ------------------------------------------------------------------------- */

struct span_of_time {
    int64_t from_us, until_us; /* unix time in us; until is not in it */
    bool given;                /* the request names one */
};
struct span_of_time param_span(const struct call *c);

const char *blocking_state(const struct call *c, int64_t *timer_s); /* timer -1: none */
void add_blocking(const struct call *c, json_t *object);

/* Apply a changed copy of the rules; on success it becomes the document. Takes over *next. Answers
 * errors itself and returns false then. */
bool rules_commit(struct call *c, struct rules *next, unsigned parts);
void reply_rules_error(struct call *c, enum err e, const char *why, const char *what);

/* When the next timed rule ends. */
void api_plan(struct api *a, usec_t now, int64_t now_unix);

enum api_name_source client_name_of(const struct api *a, const struct ip_addr *addr,
                                    char out[DNS_NAME_TEXT]); /* "" if none */
/* The same, whatever a person calls it. */
enum api_name_source device_name_of(const struct api *a, const struct ip_addr *addr,
                                    char out[DNS_NAME_TEXT]);
const char *name_source_text(enum api_name_source source);

/* What stands for the device that has an address, the same for each address of it: the hardware
 * address or, if a client is described so, the name; else the address itself. */
struct ip_addr device_key_of(const struct api *a, const struct ip_addr *addr);

/* After a change of the rules document. */
void people_load(struct api *a);
/* An address of a device by its hardware address or name, as the platform knows it. */
bool device_by_text(const struct call *c, const char *text, struct ip_addr *out);

/* Who is meant by an address, or by the hardware address or name of a device. false: nobody of that
 * name is known. */
bool client_by_text(const struct call *c, const char *text, struct ip_addr *out);
bool list_by_id(const struct api *a, uint32_t id, struct api_list *out);
void list_display_name(const struct api_list *list, char *out, size_t cap);
void list_names_load(struct api *a); /* for list_name_of */
const char *list_name_of(const struct api *a,
                         uint32_t id); /* as of list_names_load; "" if there is no such list */
/* An item of /api/queries; after list_names_load. upstream: NULL is that of the entry's row. */
json_t *query_object(struct api *a, const struct stats_log_entry *e, const char *upstream);

/* Is there a history on the disk to ask? */
bool history_exists(const struct api *a);

int privacy_level(const struct stats *s);
json_t *version_object(const struct call *c);
json_t *system_object(const struct call *c, const struct api_system *s);
json_t *sensors_object(const struct api_system *s);
json_t *types_object(const struct stats_totals *t);

#endif
