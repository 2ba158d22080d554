/*
 * What a worker's epoll set says about a descriptor: which table it belongs to and where it stands
 * there. One word, so that an event needs no look-up.
 */
#ifndef SINKHOLE_HOST_POLL_TAG_H
#define SINKHOLE_HOST_POLL_TAG_H

#include <stdint.h>

enum poll_kind {
    POLL_TCP,      /* index: listener */
    POLL_CLIENT,   /* index: slot of tcp.h */
    POLL_OUTBOUND, /* index: slot of outbound.h */
    POLL_STREAM,   /* index: slot of outstream.h */
    POLL_MAILBOX
};

static inline uint64_t poll_tag(enum poll_kind kind, uint32_t index)
{
    return (uint64_t)kind << 32 | index;
}

static inline enum poll_kind poll_tag_kind(uint64_t tag)
{
    return (enum poll_kind)(tag >> 32);
}

static inline uint32_t poll_tag_index(uint64_t tag)
{
    return (uint32_t)tag;
}

#endif
