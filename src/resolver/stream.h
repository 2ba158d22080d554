/*
 * DNS over a stream: each message stands behind its length in two octets (RFC 1035 4.2.2). Pure
 * functions over a buffer of the platform's, for both directions; octets may come one by one, and
 * many messages at once.
 */
#ifndef SINKHOLE_RESOLVER_STREAM_H
#define SINKHOLE_RESOLVER_STREAM_H

#include <stddef.h>
#include <stdint.h>

#define STREAM_PREFIX 2

enum stream_state {
    STREAM_MORE,    /* not all of the next message is there */
    STREAM_MESSAGE, /* a message: *off, *len */
    STREAM_BAD      /* a length that no message can have: close the connection */
};

/*
 * Look at the octets that have come and were not consumed. On STREAM_MESSAGE the message is
 * buf[*off .. *off + *len), and *off + *len octets are used up when it has been dealt with. On
 * STREAM_MORE *len is how many octets are wanted in all, prefix included (at least have + 1), so
 * that the platform knows what room to give.
 *
 * min  the least a message may have: DNS_HEADER_OCTETS; a shorter one is STREAM_BAD
 */
enum stream_state stream_next(const uint8_t *buf, size_t have, size_t min, size_t *off,
                              size_t *len);

/* Write the length in front of a message. */
void stream_prefix(uint8_t out[STREAM_PREFIX], size_t len);

#endif
