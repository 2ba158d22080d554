/* Connections to upstreams: what those over HTTPS (service_doh.c) share with the others. */
#ifndef UNIKERNEL_SERVICE_LINE_INT_H
#define UNIKERNEL_SERVICE_LINE_INT_H

#include "net/doh.h"
#include "net/service_int.h"
#include "net/stream.h"
#include "resolver/stream.h"

enum { MESSAGE_MAX = 65535 + STREAM_PREFIX, QUERY_MAX = 512 };

struct flight {
    uint32_t ticket; /* 0: free */
    uint16_t id;     /* DNS ID, as on the wire */
    uint16_t len;    /* of the question with its prefix */
    uint8_t resent;  /* times */
    bool sent, answered;
    usec_t since;
    uint8_t question[QUERY_MAX + STREAM_PREFIX];
};

struct line {
    struct stream *stream; /* NULL: the slot is free */
    uint64_t upstream_id;  /* of its upstream_spec */
    bool ready;
    bool suspect; /* gets no new questions */
    bool busy;    /* one of its callbacks is at work */
    uint32_t answered;
    usec_t opened;
    struct flight flight[SERVICE_STREAM_FLIGHTS];
    uint8_t *in; /* MESSAGE_MAX */
    size_t in_len;
    struct doh_reader *http; /* NULL: messages have a prefix of two octets */
    bool asking;             /* HTTPS: an answer is awaited */
    uint32_t asked;          /* the ticket it is for, which may be released meanwhile */
};

/* service_line.c */
const struct upstream_spec *line_upstream(uint64_t id); /* NULL: it is no more */
void line_tell_failure(uint32_t ticket, enum resolver_failure why);
void line_send_waiting(struct line *l); /* questions that wait go out as far as they may */
void line_close(struct line *l, enum resolver_failure why);

/* service_doh.c */
MUST_CHECK bool post_write(struct line *l, const struct flight *f);
void post_data(void *ctx, struct stream *s, const uint8_t *data, size_t len); /* a stream_events' */
void post_end(struct line *l); /* the server ended it properly while an answer was awaited */

#endif
