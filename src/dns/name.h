/*
 * Domain names: read from the wire, compare, walk up, to and from text.
 */
#ifndef SINKHOLE_DNS_NAME_H
#define SINKHOLE_DNS_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

#define DNS_NAME_MAX   255 /* octets on the wire, RFC 1035 2.3.4 */
#define DNS_LABEL_MAX  63
#define DNS_LABELS_MAX 127
#define DNS_NAME_TEXT \
    1016 /* octets of any name as text with escapes, NUL included: 253 * 4 + NUL, rounded */
#define DNS_NAME_HOPS \
    127 /* pointers followed in one name: one a label is the most that compression can use */
#define DNS_NAME_ROOM \
    264 /* octets of dns_name.wire: words of eight may be written and read past the name's end */

/*
 * A domain name in wire format, lower case, never compressed. Some 400 octets: pass it by pointer,
 * copy it with dns_name_copy, and do not zero it before it is filled.
 */
struct dns_name {
    uint8_t len;    /* octets used in wire[], 1..DNS_NAME_MAX */
    uint8_t labels; /* labels without the root, 0..DNS_LABELS_MAX */
    uint8_t off[DNS_LABELS_MAX +
                1]; /* off[i]: offset of label i, leftmost first; off[labels] is the root's */
    uint8_t wire[DNS_NAME_ROOM]; /* e.g. 3 'a' 'd' 's' 2 'i' 'o' 0; past len without meaning */
};

/*
 * Read a possibly compressed name out of a DNS message.
 *
 * msg, len   the whole message in octets; read only, may be hostile
 * pos        in: offset of the name, < len; out: offset after it as it stands there
 * out        filled only on ERR_OK; letters A-Z are lowered
 *
 * Each pointer must lead to before the labels it was reached by, and not into the header, so the
 * walk always ends; at most DNS_NAME_HOPS of them are followed, so its cost does not grow with the
 * message. Returns ERR_OK, ERR_SHORT (runs past len) or ERR_FORMAT (label > 63, name > 255, forward
 * pointer, pointer into the header, too many pointers, reserved label type). Cost: O(octets in the
 * name), no allocation.  RFC 1035 3.1, 4.1.4.
 */
MUST_CHECK enum err dns_name_read(const uint8_t *msg, size_t len, size_t *pos,
                                  struct dns_name *out);

/*
 * Step over a possibly compressed name without following its pointer, whose direction alone is
 * checked; pos as above. ERR_SHORT or ERR_FORMAT.
 */
MUST_CHECK enum err dns_name_skip(const uint8_t *msg, size_t len, size_t *pos);

/*
 * Presentation format to name: a trailing dot is allowed, "." is the root, \DDD and \X escapes as
 * in RFC 1035 5.1; letters are lowered, octets above 127 are taken as they are. ERR_FORMAT (empty
 * text or label, bad escape, bare blank or control octet, label > 63, name > 255).
 */
MUST_CHECK enum err dns_name_parse(struct span text, struct dns_name *out);

/* To text without trailing dot (the root is "."), RFC 1035 5.1 escapes; NUL-terminated; returns the
 * length. */
size_t dns_name_format(const struct dns_name *name, char out[DNS_NAME_TEXT]);

/* A name out of exactly len octets of uncompressed wire format; letters are lowered. ERR_SHORT or
 * ERR_FORMAT. */
MUST_CHECK enum err dns_name_from_wire(const uint8_t *wire, size_t len, struct dns_name *out);

/* Copy the used part of a name. */
static inline void dns_name_copy(struct dns_name *to, const struct dns_name *from)
{
    to->len = from->len;
    to->labels = from->labels;
    memcpy(to->off, from->off, (size_t)from->labels + 1);
    memcpy(to->wire, from->wire, from->len);
}

static inline bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
    return a->len == b->len && memcmp(a->wire, b->wire, a->len) == 0;
}

/* Is `name` equal to or below `ancestor`? */
bool dns_name_within(const struct dns_name *name, const struct dns_name *ancestor);

/* The wire form of the suffix that starts at label i (0: the whole name; labels: the root). */
static inline struct span dns_name_suffix(const struct dns_name *name, unsigned i)
{
    return span_of(name->wire + name->off[i], (size_t)(name->len - name->off[i]));
}

/* Is the name at offset pos of a message, compressed or not, equal to `name`? False too if it is
 * malformed. */
bool dns_name_matches(const uint8_t *msg, size_t len, size_t pos, const struct dns_name *name);

/* Canonical order, RFC 4034 6.1: by labels from the right. <0, 0, >0. */
int dns_name_compare(const struct dns_name *a, const struct dns_name *b);

#endif
