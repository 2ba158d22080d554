#include "blocklist/checksum.h"

#include <string.h>

#include "base/attr.h"
#include "base/span.h"

#define FACTOR UINT64_C(0x9e6c63d0876a9a47)

static ALWAYS_INLINE uint64_t mix(uint64_t lane, uint64_t word)
{
    lane = (lane ^ word) * FACTOR;
    return lane ^ lane >> 29;
}

static const uint8_t *add_blocks(uint64_t lane[4], const uint8_t *p, size_t blocks)
{
    uint64_t a = lane[0], b = lane[1], c = lane[2], d = lane[3];
    for (; blocks > 0; blocks--, p += BL_CHECKSUM_BLOCK) {
        a = mix(a, le64_read(p));
        b = mix(b, le64_read(p + 8));
        c = mix(c, le64_read(p + 16));
        d = mix(d, le64_read(p + 24));
    }
    lane[0] = a;
    lane[1] = b;
    lane[2] = c;
    lane[3] = d;
    return p;
}

void bl_checksum_init(struct bl_checksum *c)
{
    *c = (struct bl_checksum){.lane = {1, 2, 3, 4}};
}

void bl_checksum_add(struct bl_checksum *c, const void *data, size_t len)
{
    const uint8_t *p = data;
    c->len += len;
    if (c->held > 0) {
        size_t n = BL_CHECKSUM_BLOCK - c->held < len ? BL_CHECKSUM_BLOCK - c->held : len;
        memcpy(c->rest + c->held, p, n);
        c->held += (unsigned)n;
        p += n;
        len -= n;
        if (c->held < BL_CHECKSUM_BLOCK) {
            return;
        }
        add_blocks(c->lane, c->rest, 1);
    }
    p = add_blocks(c->lane, p, len / BL_CHECKSUM_BLOCK);
    c->held = (unsigned)(len % BL_CHECKSUM_BLOCK);
    memcpy(c->rest, p, c->held);
}

uint64_t bl_checksum_end(struct bl_checksum *c)
{
    memset(c->rest + c->held, 0, BL_CHECKSUM_BLOCK - c->held);
    add_blocks(c->lane, c->rest, 1);
    uint64_t sum = c->len;
    for (unsigned i = 0; i < 4; i++) {
        sum = mix(sum << 17 | sum >> 47, c->lane[i]);
    }
    return sum;
}

uint64_t bl_checksum_of(const void *data, size_t len)
{
    struct bl_checksum c;
    bl_checksum_init(&c);
    bl_checksum_add(&c, data, len);
    return bl_checksum_end(&c);
}
