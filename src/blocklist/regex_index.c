/*
 * Rules by one of the bits that they need, so that a name is held against few of them.
 */
#include <string.h>

#include "base/require.h"
#include "blocklist/regex.h"

enum { BITS = 256 };

static bool has_bit(const struct bl_sieve *s, unsigned bit)
{
    return s->bits[bit / 64] >> bit % 64 & 1;
}

/* Of the bits that a rule needs the one that the fewest rules need; BITS: it needs none. */
static unsigned key_of(const struct bl_regex_rule *r, const uint16_t *uses)
{
    unsigned best = BITS;
    for (unsigned bit = 0; bit < BITS; bit++) {
        if (has_bit(&r->needs, bit) && (best == BITS || uses[bit] < uses[best])) {
            best = bit;
        }
    }
    return best;
}

void bl_regex_index_make(struct bl_regex_index *out, const struct bl_regex_rule *rules,
                         uint32_t count)
{
    uint16_t uses[BITS] = {0}, key[BL_REGEXES_MAX];
    REQUIRE(count <= BL_REGEXES_MAX);
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < count; i++) {
        for (unsigned bit = 0; bit < BITS; bit++) {
            uses[bit] = (uint16_t)(uses[bit] + has_bit(&rules[i].needs, bit));
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        key[i] = (uint16_t)key_of(&rules[i], uses);
        if (key[i] == BITS) {
            out->free[i / 64] |= UINT64_C(1) << i % 64;
        } else {
            out->keys.bits[key[i] / 64] |= UINT64_C(1) << key[i] % 64;
        }
    }
    uint16_t n = 0;
    for (unsigned bit = 0; bit < BITS; bit++) {
        out->at[bit] = n;
        for (uint32_t i = 0; has_bit(&out->keys, bit) && i < count; i++) {
            if (key[i] == bit) {
                out->rule[n++] = (uint16_t)i;
            }
        }
    }
    out->at[BITS] = n;
}

void bl_regex_index_find(const struct bl_regex_index *index, const struct bl_sieve *has,
                         uint64_t *out)
{
    memcpy(out, index->free, sizeof index->free);
    for (unsigned word = 0; word < ARRAY_LEN(has->bits); word++) {
        for (uint64_t left = has->bits[word] & index->keys.bits[word]; left != 0;
             left &= left - 1) {
            unsigned bit = word * 64 + (unsigned)__builtin_ctzll(left);
            for (unsigned n = index->at[bit]; n < index->at[bit + 1]; n++) {
                out[index->rule[n] / 64] |= UINT64_C(1) << index->rule[n] % 64;
            }
        }
    }
}
