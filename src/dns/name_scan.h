/*
 * Inner parts of name reading, inline for the two that are HOT: dns_name_read and
 * dns_request_parse.
 */
#ifndef SINKHOLE_DNS_NAME_SCAN_H
#define SINKHOLE_DNS_NAME_SCAN_H

#include "base/attr.h"
#include "base/span.h"
#include "dns/name.h"

/*
 * Lower A-Z in eight octets at once. Adding 63 sets the top bit of octets from 'A' on, adding 37 of
 * those after 'Z'; with top bits taken away first no sum carries into its neighbour.
 */
static ALWAYS_INLINE uint64_t dns_lower8(uint64_t v)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t low = v & (ones * 0x7f);
    uint64_t from_a = low + ones * (0x80 - 'A');
    uint64_t after_z = low + ones * (0x80 - 'Z' - 1);
    uint64_t upper = (from_a & ~after_z & ~v) & (ones * 0x80);
    return v | upper >> 2;
}

static ALWAYS_INLINE uint8_t dns_lower1(uint8_t c)
{
    return (uint8_t)(c | (uint8_t)((uint8_t)(c - 'A') < 26) << 5);
}

/*
 * Copy and lower n octets. Length octets are below 'A', so whole names may pass through. The last
 * word overlaps the one before it, so that nothing beyond n is read or written.
 */
static ALWAYS_INLINE void dns_lower_copy(uint8_t *to, const uint8_t *from, size_t n)
{
    uint64_t v;
    if (n < 8) {
        for (size_t i = 0; i < n; i++) {
            to[i] = dns_lower1(from[i]);
        }
        return;
    }
    for (size_t i = 0; i < n - 8; i += 8) {
        memcpy(&v, from + i, 8);
        v = dns_lower8(v);
        memcpy(to + i, &v, 8);
    }
    memcpy(&v, from + n - 8, 8);
    v = dns_lower8(v);
    memcpy(to + n - 8, &v, 8);
}

/*
 * Find the labels of an uncompressed name at `wire`: off[] and the count are written as it goes.
 * Returns the octets of the name with its root, or 0 if it does not end within `len` octets and
 * DNS_NAME_MAX, or holds anything but plain labels.
 */
static ALWAYS_INLINE size_t dns_labels_scan(const uint8_t *wire, size_t len,
                                            uint8_t off[DNS_LABELS_MAX + 1], uint8_t *labels)
{
    size_t max = len < DNS_NAME_MAX ? len : DNS_NAME_MAX;
    size_t pos = 0;
    unsigned n = 0;
    while (pos < max) {
        unsigned octets = wire[pos];
        off[n] = (uint8_t)pos;
        if (octets == 0) {
            *labels = (uint8_t)n;
            return pos + 1;
        }
        if (octets > DNS_LABEL_MAX) {
            return 0;
        }
        pos += octets + 1;
        n++;
    }
    return 0;
}

/*
 * What has been learnt about the names of one message. Which offsets begin a label (or a pointer)
 * of a name in its proper place: pointers must lead to one of those. So no name can borrow octets
 * of a TTL, that ages in the cache, or of opaque rdata. And where pointers led to and how long the
 * names there are, and how many steps behind pointers may still be taken: real messages point at
 * few places again and again; one that does not is a compression bomb and is called malformed once
 * the steps are spent.
 */
#define DNS_POINTER_REACH 16384 /* offsets that 14 bits can tell */
#define DNS_MEMO_SLOTS    256   /* a power of two */
#define DNS_MEMO_STEPS    8192  /* labels and pointers behind pointers in one message */

struct dns_name_memo {
    uint64_t begins[DNS_POINTER_REACH / 64]; /* one bit an offset */
    uint16_t target[DNS_MEMO_SLOTS];         /* offset pointed to; 0 is a free slot */
    uint8_t size[DNS_MEMO_SLOTS];            /* octets of the expanded name there, 1..255 */
    uint8_t hops[DNS_MEMO_SLOTS];            /* pointers followed from there */
    unsigned steps;                          /* labels and pointers that may still be looked at */
};

/* For a message of len octets. */
static inline void dns_name_memo_init(struct dns_name_memo *memo, size_t len)
{
    size_t words = (len < DNS_POINTER_REACH ? len : DNS_POINTER_REACH - 1) / 64 + 1;
    memset(memo->begins, 0, words * sizeof memo->begins[0]);
    memset(memo->target, 0, sizeof memo->target);
    memo->steps = DNS_MEMO_STEPS;
}

/*
 * Judge the name at *pos as dns_name_read does and step over it, without reading it. With a memo
 * (which may be NULL) all names of the message must be judged in their order, and pointers must
 * lead to names judged before.
 */
MUST_CHECK enum err dns_name_check(const uint8_t *msg, size_t len, size_t *pos,
                                   struct dns_name_memo *memo);

#endif
