/*
 * DNS messages over HTTP/1.1 (RFC 8484), as octets: the request for a question, and a reader of
 * what comes back. One request is under way on a connection at a time; the next one goes out when
 * its answer has come, so that a server need not know pipelining.
 */
#ifndef UNIKERNEL_DOH_H
#define UNIKERNEL_DOH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http_parser.h"

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

enum { DOH_FIELD_MAX = 32, DOH_INTERIM_MAX = 8, DOH_REQUEST_ROOM = 512 };

enum doh_state {
    DOH_MORE,    /* the answer goes on */
    DOH_MESSAGE, /* body, body_len hold a DNS message */
    DOH_REFUSED, /* another status, or no DNS message */
    DOH_BAD      /* not HTTP, or more than was asked for: the connection is of no use */
};

struct doh_reader {
    http_parser parser;
    uint8_t *body; /* the caller's */
    size_t body_cap, body_len;
    bool complete;
    bool keep;     /* valid after an answer: the connection can be used again */
    bool is_dns;   /* the body's type */
    bool in_value; /* of the header being read; both parts in lower case, cut if long */
    char field[DOH_FIELD_MAX], value[DOH_FIELD_MAX];
    uint32_t field_len, value_len;
    unsigned interim; /* answers of 1xx before the real one */
};

/* The server's name in an upstream's URL, "https://NAME/PATH", and the path; an IPv6 address
 * without its brackets. */
void doh_url(const char *url, struct span *host, struct span *path);

/*
 * A POST request for a DNS message, into out. *len is written on ERR_OK. ERR_SPACE: it does not fit
 * (DOH_REQUEST_ROOM beside URL and message is enough).
 */
MUST_CHECK enum err doh_request(const char *url, struct span message, uint8_t *out, size_t cap,
                                size_t *len);

/* Read the answer to the next request. `body` is kept until it is complete. */
void doh_expect(struct doh_reader *r, uint8_t *body, size_t cap);

/* What came; len 0: the server has ended the connection properly. After anything but DOH_MORE call
 * doh_expect before the next. */
enum doh_state doh_read(struct doh_reader *r, const uint8_t *data, size_t len);

#endif
