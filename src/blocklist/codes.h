/*
 * Labels as images store them: about 4.7 bits a character. What follows which is much the same in all lists, so the code is fixed and part of the
 * format (tools/train_codes.py made it); the unused last octet is filled with ones.
 */
#ifndef SINKHOLE_BLOCKLIST_CODES_H
#define SINKHOLE_BLOCKLIST_CODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "dns/name.h"

#define BL_CODE_SYMBOLS 39 /* 38 characters and the dot that joins labels of a run */
#define BL_CODE_DOT     38 /* as a row: the start of a label */
#define BL_CODE_NONE    0xff

/* Row: the character before; column: the character. length << 12 | code, at most 12 bits. */
extern const uint16_t bl_codes[BL_CODE_SYMBOLS][BL_CODE_SYMBOLS];
extern const uint8_t bl_code_symbol[256]; /* lower-case octet to symbol; BL_CODE_NONE */

/*
 * Encode a run of labels: the path's octets with 0 between labels, nearest the root first. Returns the octets written to `out`, or 0 when they are more
 * than `cap` or a character has no code.
 */
size_t bl_code_run(const uint8_t *path, size_t len, uint8_t *out, size_t cap);

/* The reverse. Returns the octets written to `path`, 0 if the codes are broken or `cap` is too small. */
size_t bl_decode_run(const uint8_t *codes, size_t len, uint8_t *path, size_t cap);

/*
 * HOT. Does the run of labels in `codes` lead from the suffix after *label down? *label is the first one to compare; on true it is the last one of
 * the run. Exact for every name. Encodes the asked labels and compares bits as they come; reads up to three octets after codes.
 */
static ALWAYS_INLINE bool bl_code_match(const uint8_t *codes, size_t len, const struct dns_name *name, unsigned *label)
{
    uint64_t acc = 0;
    unsigned held = 0; /* bits of acc not yet compared, below 32 */
    unsigned before = BL_CODE_DOT;
    const uint8_t *end = codes + len;
    for (unsigned i = *label;; i--) {
        const uint8_t *at = name->wire + name->off[i];
        const uint8_t *stop = at + 1 + *at;
        for (at++; at < stop; at++) {
            unsigned s = bl_code_symbol[*at];
            if (UNLIKELY(s == BL_CODE_NONE)) {
                return false;
            }
            unsigned cell = bl_codes[before][s];
            acc = acc << (cell >> 12) | (cell & 0xfff);
            held += cell >> 12;
            before = s;
            if (held >= 32) {
                held -= 32;
                if (end - codes < 4 || be32_read(codes) != (uint32_t)(acc >> held)) {
                    return false;
                }
                codes += 4;
            }
        }
        size_t octets = (held + 7) / 8;
        if ((size_t)(end - codes) < octets) {
            return false;
        }
        if (LIKELY((size_t)(end - codes) == octets)) {
            uint32_t spare = 32 - 8 * (uint32_t)octets;
            uint32_t mine = (uint32_t)(acc << (32 - held) | ((UINT64_C(1) << (32 - held)) - 1));
            if ((uint64_t)(be32_read(codes) ^ mine) >> spare == 0) {
                *label = i;
                return true;
            }
        }
        if (i == 0) {
            return false;
        }
        unsigned cell = bl_codes[before][BL_CODE_DOT];
        acc = acc << (cell >> 12) | (cell & 0xfff);
        held += cell >> 12;
        before = BL_CODE_DOT;
    }
}

#endif
