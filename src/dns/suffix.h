/*
 * Hashes of all suffixes of a name, made in one pass: what the blocklist is searched with. Suffix i
 * starts at label i; suffix `labels` is the root. The hash of a suffix depends on the hash of its
 * parent and on its own label only, so that a trie can step from a node to its child.
 */
#ifndef SINKHOLE_DNS_SUFFIX_H
#define SINKHOLE_DNS_SUFFIX_H

#include "dns/name.h"

struct dns_suffixes {
    uint64_t hash[DNS_LABELS_MAX + 1];
};

/* Fill hash[0..labels]. Cost: O(octets in the name). Part of the image format: the same on every
 * machine. */
void dns_suffixes_make(const struct dns_name *name, struct dns_suffixes *out);

/* One step of it: the hash of the child that has this label, 1..63 lower-case octets. Up to seven
 * octets after the label are read, never used. */
uint64_t dns_suffix_child(uint64_t parent, const uint8_t *label, size_t len);
uint64_t dns_suffix_root(void);

#endif
