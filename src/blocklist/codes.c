/*
 * The label code, see codes.h. A look-up encodes the asked label and compares bits, so it never decodes.
 */
#include "blocklist/codes.h"

#include <string.h>

#include "base/span.h"

const uint16_t bl_codes[BL_CODE_SYMBOLS][BL_CODE_SYMBOLS] = {
#include "blocklist/codes.inc"
};

#define X BL_CODE_NONE
/* clang-format off */
const uint8_t bl_code_symbol[256] = {
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  36, X,  X,
    26, 27, 28, 29, 30, 31, 32, 33, 34, 35, X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  37,
    X,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
    X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,  X,
};
/* clang-format on */

static const char characters[BL_CODE_SYMBOLS] = "abcdefghijklmnopqrstuvwxyz0123456789-_\0";

/* Bits being put together, the first one highest. */
struct bits {
    uint64_t acc;
    unsigned held; /* bits of acc not yet in out, below 32 */
    size_t len;    /* octets in out */
    uint8_t *out;
    size_t cap;
};

static ALWAYS_INLINE bool put(struct bits *b, unsigned cell)
{
    unsigned n = cell >> 12;
    b->acc = b->acc << n | (cell & 0xfff);
    b->held += n;
    if (b->held >= 32) {
        if (b->len + 4 > b->cap) {
            return false;
        }
        b->held -= 32;
        be32_write(b->out + b->len, (uint32_t)(b->acc >> b->held));
        b->len += 4;
    }
    return true;
}

/* The octets so far with the last one filled with ones; `bits` may go on. 0 when there is no room. */
static size_t filled(const struct bits *b, uint8_t *tail)
{
    uint64_t v = b->acc << (32 - b->held) | ((UINT64_C(1) << (32 - b->held)) - 1);
    size_t n = (b->held + 7) / 8;
    for (size_t i = 0; i < n; i++) {
        tail[i] = (uint8_t)(v >> (24 - 8 * i));
    }
    return n;
}

size_t bl_code_run(const uint8_t *path, size_t len, uint8_t *out, size_t cap)
{
    struct bits b = {.out = out, .cap = cap};
    unsigned before = BL_CODE_DOT;
    for (size_t i = 0; i < len; i++) {
        unsigned s = path[i] == 0 ? BL_CODE_DOT : bl_code_symbol[path[i]];
        if (s == BL_CODE_NONE || !put(&b, bl_codes[before][s])) {
            return 0;
        }
        before = s;
    }
    uint8_t tail[4];
    size_t n = filled(&b, tail);
    if (b.len + n > cap) {
        return 0;
    }
    memcpy(out + b.len, tail, n);
    return b.len + n;
}

/* The symbol whose code begins at bit `at`; its length in *n. BL_CODE_NONE if none fits in what is left. */
static unsigned decode_one(const uint8_t *codes, size_t bits, size_t at, unsigned before, unsigned *n)
{
    unsigned ahead = 0; /* the next twelve bits, zeros behind the end */
    for (size_t bit = at; bit < at + 12; bit++) {
        ahead = ahead << 1 | (bit < bits ? (unsigned)codes[bit / 8] >> (7 - bit % 8) & 1u : 0);
    }
    for (unsigned s = 0; s < BL_CODE_SYMBOLS; s++) {
        unsigned cell = bl_codes[before][s];
        *n = cell >> 12;
        if (ahead >> (12 - *n) == (cell & 0xfff) && *n <= bits - at) {
            return s;
        }
    }
    return BL_CODE_NONE;
}

size_t bl_decode_run(const uint8_t *codes, size_t len, uint8_t *path, size_t cap)
{
    unsigned before = BL_CODE_DOT, n;
    size_t used = 0;
    for (size_t at = 0; at < len * 8; at += n) {
        unsigned s = decode_one(codes, len * 8, at, before, &n);
        if (s == BL_CODE_NONE) { /* the fill of ones, or broken */
            return len * 8 - at < 8 ? used : 0;
        }
        if (used == cap) {
            return 0;
        }
        path[used++] = (uint8_t)characters[s];
        before = s;
    }
    return used;
}
