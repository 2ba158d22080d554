/*
 * Labels as images store them: three characters in two octets. A name has 38 characters; with the
 * dot that joins the labels of a run and nothing for the end that makes 40 digits, and 40 * 40 * 40
 * fits in 16 bits. A unit is digit0 + 40 * digit1 + 1600 * digit2, little-endian; a last unit of
 * one character has one octet.
 */
#ifndef SINKHOLE_BLOCKLIST_CODES_H
#define SINKHOLE_BLOCKLIST_CODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "dns/name.h"

#define BL_CODE_DOT   39
#define BL_CODE_FILL  0x80       /* an octet that stands for nothing, digit 0 */
#define BL_CODE_JOIN  0x81       /* an octet that stands for the dot between labels of a run */
#define BL_CODE_VALID (1u << 20) /* in each weight of an octet that has a digit */

/* By place in the unit and octet: digit * 40^place + BL_CODE_VALID; 0 for octets that no name of an
 * image has. */
extern const uint32_t bl_code_weight[3][256];

/* Octets that n characters take. */
static ALWAYS_INLINE size_t bl_code_size(size_t n)
{
    return (n * 2 + 2) / 3;
}

/*
 * Encode a run of labels: the path's octets with 0 between labels, nearest the root first. Returns
 * the octets written to `out`, or 0 when they are more than `cap` or an octet has no digit. Up to
 * seven octets are read after the path, and written after the codes.
 */
size_t bl_code_run(const uint8_t *path, size_t len, uint8_t *out, size_t cap);

/* The reverse. Returns the octets written to `path`, 0 if the codes are broken or `cap` is too
 * small. */
size_t bl_decode_run(const uint8_t *codes, size_t len, uint8_t *path, size_t cap);

/* As bl_code_match(), for runs of several labels and for long labels. */
bool bl_code_match_run(const uint8_t *codes, size_t len, const struct dns_name *name,
                       unsigned *label);

/* Twelve octets to four units. False if one of them has no digit. */
static ALWAYS_INLINE bool bl_code_twelve(const uint8_t *c, uint64_t *out)
{
    const uint32_t(*w)[256] = bl_code_weight;
    uint32_t u0 = w[0][c[0]] + w[1][c[1]] + w[2][c[2]];
    uint32_t u1 = w[0][c[3]] + w[1][c[4]] + w[2][c[5]];
    uint32_t u2 = w[0][c[6]] + w[1][c[7]] + w[2][c[8]];
    uint32_t u3 = w[0][c[9]] + w[1][c[10]] + w[2][c[11]];
    *out = (uint64_t)(u0 & 0xffff) | (uint64_t)(u1 & 0xffff) << 16 | (uint64_t)(u2 & 0xffff) << 32 |
           (uint64_t)u3 << 48;
    return (u0 & u1 & u2 & u3) >= 3 * BL_CODE_VALID;
}

/*
 * HOT. Does the run of labels in `codes` lead from the suffix after *label down? *label is the
 * first one to compare; on true it becomes the last one of the run, on false it stays. Exact for
 * every name. Encodes the asked label and compares; reads up to seven octets after codes.
 */
static ALWAYS_INLINE bool bl_code_match(const uint8_t *codes, size_t len,
                                        const struct dns_name *name, unsigned *label)
{
    const uint8_t *at = name->wire + name->off[*label];
    unsigned n = at[0];
    if (UNLIKELY(n > 24 || bl_code_size(n) != len)) {
        return bl_code_match_run(codes, len, name, label);
    }
    /* The label's octets, then fill. Wire format has room for words of eight behind any label. */
    const uint64_t fill = UINT64_C(0x8080808080808080);
    uint8_t octets[24];
    uint64_t mine, w0 = le64_read(at + 1), w1 = le64_read(at + 9);
    if (LIKELY(n <= 12)) {
        uint64_t keep0 = n >= 8 ? UINT64_MAX : (UINT64_C(1) << 8 * n) - 1;
        uint64_t keep1 = n > 8 ? (UINT64_C(1) << 8 * (n - 8)) - 1 : 0;
        le64_write(octets, (w0 & keep0) | (fill & ~keep0));
        le64_write(octets + 8, (w1 & keep1) | (fill & ~keep1));
        return (((w0 & keep0) | (w1 & keep1)) & fill) == 0 && bl_code_twelve(octets, &mine) &&
               (mine ^ le64_read(codes)) << (64 - 8 * len) == 0;
    }
    uint64_t w2 = le64_read(at + 17), more;
    uint64_t keep1 = n >= 16 ? UINT64_MAX : (UINT64_C(1) << 8 * (n - 8)) - 1;
    uint64_t keep2 = n > 16 ? UINT64_MAX >> (8 * (24 - n)) : 0;
    le64_write(octets, w0);
    le64_write(octets + 8, (w1 & keep1) | (fill & ~keep1));
    le64_write(octets + 16, (w2 & keep2) | (fill & ~keep2));
    return ((w0 | (w1 & keep1) | (w2 & keep2)) & fill) == 0 && bl_code_twelve(octets, &mine) &&
           bl_code_twelve(octets + 12, &more) && mine == le64_read(codes) &&
           (more ^ le64_read(codes + 8)) << (128 - 8 * len) == 0;
}

#endif
