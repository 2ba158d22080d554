/*
 * The HTTP API without HTTP: a request as data in, a response as data out. The platform's server
 * (libmicrohttpd on the host, lwIP on bare metal) parses and sends; routes, authentication,
 * sessions and JSON are here, and the same on both. The contract is docs/api.md.
 *
 * All functions here are called by one thread at a time, never by a worker, and not at the same
 * time as stats_collect: a platform with threads takes one lock around each of them.
 */
#ifndef SINKHOLE_API_API_H
#define SINKHOLE_API_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/span.h"
#include "base/time.h"

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_OTHER
};

#define API_BODY_MAX (4 * 1024 * 1024) /* octets of a body that are read: a rules document fits */
#define API_BODIES_MAX \
    (8 * 1024 * 1024)       /* octets of all bodies that a server should hold at a time */
#define API_LARGE_ANSWERS 4 /* that are larger than the room for answers, at a time */

/* Header values that the API looks at; absent ones have len 0. Borrowed for the call. */
struct api_request {
    enum http_method method;
    struct span path;  /* percent-decoding is done here, not by the platform; without the query */
    struct span query; /* after '?', raw */
    struct span body;
    struct span host;          /* Host */
    struct span origin;        /* Origin */
    struct span fetch_site;    /* Sec-Fetch-Site */
    struct span sid;           /* sid */
    struct span ftl_sid;       /* X-FTL-SID */
    struct span csrf;          /* X-CSRF-TOKEN or X-FTL-CSRF */
    struct span authorization; /* Authorization */
    struct span cookie;        /* Cookie */
    struct span content_type;
    struct span user_agent;
    struct span if_none_match;
    struct ip_addr peer;
    bool encrypted; /* came over TLS */
};

/*
 * More of a body that is made piece by piece. Writes up to cap octets (cap is at least
 * API_MORE_MIN); returns how many, API_MORE_END at the end, or API_MORE_LATER if there is nothing
 * now: ask again after the next stats_collect. Serialised with api_handle.
 */
typedef long api_more(void *state, char *buf, size_t cap, usec_t now);
#define API_MORE_END   0
#define API_MORE_LATER (-1)
#define API_MORE_MIN   8192

#define API_HEADERS_MAX 16

struct api_header {
    const char *name;
    char value[320];
};

/*
 * A response. Either `body` (NULL with body_len 0: none) or `more`. A body that is not
 * `body_static` lies in the API's own buffer and is overwritten by the next api_handle: a platform
 * with threads copies it before it lets go of the lock. Content-Length, Transfer-Encoding, Date and
 * Connection are the platform's to send, all other headers stand here.
 */
struct api_response {
    int status;
    struct api_header headers[API_HEADERS_MAX];
    uint32_t header_count;
    const void *body;
    size_t body_len;
    bool body_static; /* the body is a constant of the program */
    api_more *more;
    void *more_state;
    void (*release)(void *more_state); /* call once when the stream is over or broken; serialised
                                          like the rest */
    bool event_stream;                 /* stays open until the client goes */
};

/*
 * Names under which the page may be asked for besides IP literals, "localhost", "pi.hole",
 * "sinkhole", and names below ".local",
 * ".home.arpa", ".lan" and ".internal"; against DNS rebinding.
 */
struct api_config {
    const char *version;      /* "v0.1.0" */
    const char *commit;       /* hash of the source, "" if unknown */
    const char *date;         /* of the build, "" if unknown */
    const char *const *hosts; /* further names allowed in Host */
    uint32_t host_count;
    const char *const *cors_origins; /* origins that may read by script ("http://homer.lan:8080"),
                                        "*" for all; none by default */
    uint32_t cors_count;
    uint16_t dns_port, http_port;
    uint32_t session_validity_s; /* 0: 1800 */
    uint32_t
        response_octets; /* room for one response that is not streamed, 0: 1 MiB, at least 64 KiB */
};

struct api;
struct api_backend; /* backend.h */
struct rules;       /* rules.h */
struct stats;

/* Octets that api_init wants, aligned to CACHE_LINE. */
size_t api_memory(const struct api_config *cfg);

/*
 * cfg, backend and stats are kept (not copied) until the end; *cfg's texts too. `rules` becomes the
 * API's: it changes the document in place after backend->rules_apply succeeded. ERR_SPACE: mem too
 * small. ERR_RANGE: a field of cfg.
 */
MUST_CHECK enum err api_init(struct api **out, void *mem, size_t len, const struct api_config *cfg,
                             const struct api_backend *backend, struct stats *stats,
                             struct rules *rules, const uint8_t seed[32], usec_t now);

/* Answer one request. Always fills *response; errors of the client and of the backend are responses
 * too. */
void api_handle(struct api *a, usec_t now, const struct api_request *request,
                struct api_response *response);

/* Something that pages show has changed without the API's doing (lists were fetched, the
 * configuration was read again): open event streams tell. */
void api_changed(struct api *a, unsigned parts /* enum rules_part */);

/* Once a second or so: timed rules and pauses that end, sessions that expire. */
void api_tick(struct api *a, usec_t now);

#endif
