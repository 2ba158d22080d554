/*
 * The label code, see codes.h. A look-up encodes the asked label and compares octets, so it never
 * decodes.
 */
#include "blocklist/codes.h"

#include <string.h>

#define UNIT_DIGITS 40

/* clang-format off */
#define V BL_CODE_VALID
#define CHARACTERS(w) \
    ['a'] = V + 1 * (w),  ['b'] = V + 2 * (w),  ['c'] = V + 3 * (w),  ['d'] = V + 4 * (w),  ['e'] = V + 5 * (w),  \
    ['f'] = V + 6 * (w),  ['g'] = V + 7 * (w),  ['h'] = V + 8 * (w),  ['i'] = V + 9 * (w),  ['j'] = V + 10 * (w), \
    ['k'] = V + 11 * (w), ['l'] = V + 12 * (w), ['m'] = V + 13 * (w), ['n'] = V + 14 * (w), ['o'] = V + 15 * (w), \
    ['p'] = V + 16 * (w), ['q'] = V + 17 * (w), ['r'] = V + 18 * (w), ['s'] = V + 19 * (w), ['t'] = V + 20 * (w), \
    ['u'] = V + 21 * (w), ['v'] = V + 22 * (w), ['w'] = V + 23 * (w), ['x'] = V + 24 * (w), ['y'] = V + 25 * (w), \
    ['z'] = V + 26 * (w), ['0'] = V + 27 * (w), ['1'] = V + 28 * (w), ['2'] = V + 29 * (w), ['3'] = V + 30 * (w), \
    ['4'] = V + 31 * (w), ['5'] = V + 32 * (w), ['6'] = V + 33 * (w), ['7'] = V + 34 * (w), ['8'] = V + 35 * (w), \
    ['9'] = V + 36 * (w), ['-'] = V + 37 * (w), ['_'] = V + 38 * (w)
#define ASKED(w) { CHARACTERS(w), [BL_CODE_FILL] = V, [BL_CODE_JOIN] = V + BL_CODE_DOT * (w) }
#define LISTED(w) { CHARACTERS(w), [0] = V + BL_CODE_DOT * (w) }
const uint32_t bl_code_weight[3][256] = {ASKED(1), ASKED(40), ASKED(1600)};
/* The same for paths, where 0 stands between labels. */
static const uint32_t path_weight[3][256] = {LISTED(1), LISTED(40), LISTED(1600)};
/* clang-format on */

/* By digit; that of the dot is 0, as in paths. */
static const uint8_t characters[UNIT_DIGITS] = "\x80"
                                               "abcdefghijklmnopqrstuvwxyz0123456789-_";

size_t bl_code_run(const uint8_t *path, size_t len, uint8_t *out, size_t cap)
{
    const uint32_t(*w)[256] = path_weight;
    size_t size = bl_code_size(len), i = 0;
    uint32_t all = UINT32_MAX;
    if (len > DNS_NAME_MAX || size > cap) {
        return 0;
    }
    for (; len - i >= 3; i += 3, out += 2) {
        uint32_t unit = w[0][path[i]] + w[1][path[i + 1]] + w[2][path[i + 2]];
        all &= unit;
        le16_write(out, (uint16_t)unit);
    }
    if (len - i == 2) {
        uint32_t unit = w[0][path[i]] + w[1][path[i + 1]] + BL_CODE_VALID;
        all &= unit;
        le16_write(out, (uint16_t)unit);
    } else if (len - i == 1) {
        uint32_t unit = w[0][path[i]] + 2 * BL_CODE_VALID;
        all &= unit;
        *out = (uint8_t)unit;
    }
    return all >= 3 * BL_CODE_VALID ? size : 0;
}

size_t bl_decode_run(const uint8_t *codes, size_t len, uint8_t *path, size_t cap)
{
    size_t used = 0;
    for (size_t i = 0; i < len; i += 2) {
        unsigned unit = len - i > 1 ? le16_read(codes + i) : codes[i];
        unsigned digits = len - i > 1 ? 3 : 1;
        for (unsigned k = 0; k < digits; k++, unit /= UNIT_DIGITS) {
            unsigned d = unit % UNIT_DIGITS;
            if (d == 0 && (k == 2 && i + 2 >= len)) {
                break; /* the end, in a last unit of two characters */
            }
            if (d == 0 || used == cap) {
                return 0;
            }
            path[used++] = characters[d];
        }
        if (unit != 0) {
            return 0;
        }
    }
    return used;
}

/* Copy a label's octets, by words. False if one of them is beyond ASCII and could pass for fill. */
static bool copy_label(const uint8_t *label, uint8_t *to)
{
    unsigned n = label[0];
    uint64_t all = 0;
    for (unsigned k = 0; k < n; k += 8) {
        uint64_t v = le64_read(label + 1 + k);
        le64_write(to + k, v);
        all |= n - k < 8 ? v & ((UINT64_C(1) << 8 * (n - k)) - 1) : v;
    }
    return (all & UINT64_C(0x8080808080808080)) == 0;
}

/* Are these n octets, with fill behind them, what `codes` say? */
static bool equals_codes(const uint8_t *octets, size_t n, const uint8_t *codes)
{
    for (size_t i = 0; i < n; i += 12, codes += 8) {
        uint64_t mine;
        size_t left = bl_code_size(n - i);
        if (!bl_code_twelve(octets + i, &mine)) {
            return false;
        }
        uint64_t differs = mine ^ le64_read(codes);
        if (left < 8) {
            differs <<= 64 - 8 * left;
        }
        if (differs != 0) {
            return false;
        }
    }
    return true;
}

bool bl_code_match_run(const uint8_t *codes, size_t len, const struct dns_name *name,
                       unsigned *label)
{
    uint8_t octets[DNS_NAME_MAX + 32];
    size_t n = 0;
    for (unsigned i = *label;; i--) {
        const uint8_t *at = name->wire + name->off[i];
        if (bl_code_size(n + at[0]) > len || !copy_label(at, octets + n)) {
            return false;
        }
        n += at[0];
        if (bl_code_size(n) == len) {
            memset(octets + n, BL_CODE_FILL, 12);
            bool same = equals_codes(octets, n, codes);
            *label = same ? i : *label;
            return same;
        }
        if (i == 0) {
            return false;
        }
        octets[n++] = BL_CODE_JOIN;
    }
}
