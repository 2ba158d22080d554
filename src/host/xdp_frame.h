/*
 * Ethernet frames with a UDP packet in them: where a question stands, and its answer in the same
 * frame. Plain IPv4 and IPv6: what has options, extension headers or is a fragment is the kernel's.
 */
#ifndef SINKHOLE_HOST_XDP_FRAME_H
#define SINKHOLE_HOST_XDP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "resolver/resolver.h"

#define XDP_HEADERS_V4  (14 + 20 + 8)
#define XDP_HEADERS_V6  (14 + 40 + 8)
#define XDP_HEADERS_MAX XDP_HEADERS_V6

/*
 * Read the headers of a frame of `len` octets. On true: *data and *data_len are the UDP payload,
 * peer's addr, port and local are set, its other fields cleared; *port is the one that was asked.
 * False: it is nothing that can be answered. Checksums are not looked at: a packet that another
 * process of this machine sent has none yet.
 */
bool xdp_frame_read(uint8_t *frame, size_t len, struct peer *peer, uint16_t *port, uint8_t **data,
                    size_t *data_len);

/* The payload, which xdp_frame_read told, was replaced by an answer of `len` octets: turn the
 * headers around, with checksums. Returns the octets of the frame. Cost: one sum over the answer.
 */
size_t xdp_frame_answer(uint8_t *frame, size_t len);

#endif
