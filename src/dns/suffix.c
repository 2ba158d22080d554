/*
 * Suffix hashes. Each label is hashed by itself, eight octets a step, and the results are chained
 * from the root to the left. Every step can be undone, so two labels of up to eight octets under
 * one parent never share a hash; longer ones share one by chance only. Unkeyed, since it is part of
 * the image format: who looks something up must compare what it found, and a crafted collision
 * costs a probe, not a wrong verdict.
 */
#include "dns/suffix.h"

#include "base/attr.h"
#include "base/span.h"

#define ROOT_HASH  UINT64_C(0x243f6a8885a308d3)
#define LABEL_STEP UINT64_C(0x9fb21c651e98df25)
#define CHAIN_STEP UINT64_C(0xd6e8feb86659fd93)

static ALWAYS_INLINE uint64_t step(uint64_t h, uint64_t word, uint64_t factor)
{
    h = (h ^ word) * factor;
    return h ^ h >> 32;
}

/*
 * The octets of a label as words, the last one filled with zeros; the length makes the start. Most
 * labels have one word or two, in no order that a processor could foresee, so the first of two is
 * done always and taken if it counts.
 */
static ALWAYS_INLINE uint64_t label_hash(const uint8_t *octets, size_t n)
{
    uint64_t h = n * CHAIN_STEP;
    for (; UNLIKELY(n > 16); n -= 8, octets += 8) {
        h = step(h, le64_read(octets), LABEL_STEP);
    }
    uint64_t two = (uint64_t)0 - (n > 8);
    h ^= (h ^ step(h, le64_read(octets), LABEL_STEP)) & two;
    octets += two & 8;
    n -= two & 8;
    uint64_t last = le64_read(octets) & (UINT64_MAX >> (64 - 8 * n));
    return step(h, last, LABEL_STEP);
}

static ALWAYS_INLINE uint64_t chain(uint64_t parent, uint64_t label)
{
    return step(parent << 23 | parent >> 41, label, CHAIN_STEP);
}

void dns_suffixes_make(const struct dns_name *name, struct dns_suffixes *out)
{
    unsigned i = name->labels;
    uint64_t h = ROOT_HASH;
    out->hash[i] = h;
    while (i-- > 0) {
        const uint8_t *label = name->wire + name->off[i];
        h = chain(h, label_hash(label + 1, label[0]));
        out->hash[i] = h;
    }
}

uint64_t dns_suffix_child(uint64_t parent, const uint8_t *label, size_t len)
{
    return chain(parent, label_hash(label, len));
}

uint64_t dns_suffix_root(void)
{
    return ROOT_HASH;
}
