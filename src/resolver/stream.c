/*
 * Framing for streams. There is no state but the platform's buffer, so there is nothing to get out
 * of step.
 */
#include "resolver/stream.h"

#include "base/require.h"
#include "base/span.h"

enum stream_state stream_next(const uint8_t *buf, size_t have, size_t min, size_t *off, size_t *len)
{
    if (have < STREAM_PREFIX) {
        *len = STREAM_PREFIX;
        return STREAM_MORE;
    }
    size_t size = be16_read(buf);
    if (size < min || size == 0) {
        return STREAM_BAD;
    }
    if (have < STREAM_PREFIX + size) {
        *len = STREAM_PREFIX + size;
        return STREAM_MORE;
    }
    *off = STREAM_PREFIX;
    *len = size;
    return STREAM_MESSAGE;
}

void stream_prefix(uint8_t out[STREAM_PREFIX], size_t len)
{
    REQUIRE(len <= UINT16_MAX);
    be16_write(out, (uint16_t)len);
}
