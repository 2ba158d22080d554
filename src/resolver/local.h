/*
 * Local records (A, AAAA, CNAME, PTR, TXT …) of the configuration and of hosts files, and the
 * special-use names that never leave the house. Built once into memory of the caller, then
 * immutable; a part of the snapshot.
 */
#ifndef SINKHOLE_RESOLVER_LOCAL_H
#define SINKHOLE_RESOLVER_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/span.h"
#include "dns/name.h"

struct local_records;

#define LOCAL_RECORDS_MAX 65536

/* Collects records; then local_build makes the immutable table in the same arena. */
struct local_builder;

struct local_builder *local_builder_new(struct arena *arena, uint32_t max_records);

/* rdata in wire form, uncompressed. ERR_SPACE: arena or max_records used up. ERR_EXISTS: the same
 * record is there (harmless). */
MUST_CHECK enum err local_add(struct local_builder *b, const struct dns_name *owner, uint16_t type,
                              uint32_t ttl_s, const uint8_t *rdata, size_t rdlen);

/* A or AAAA with its PTR (the first name given for an address is its PTR). */
MUST_CHECK enum err local_add_address(struct local_builder *b, const struct dns_name *owner,
                                      const struct ip_addr *addr, uint32_t ttl_s);

/*
 * One record as text: "NAME [SECONDS] TYPE VALUE", e.g. "printer.home.arpa A 192.168.1.9",
 * "www.home.arpa CNAME nas.home.arpa", "home.arpa TXT \"v=1 x\"", "home.arpa 60 MX 10
 * mail.home.arpa", "_ipp._tcp.home.arpa SRV 0 5 631 printer.home.arpa"; names are whole, with or
 * without their last dot. A leading "*." makes a wildcard. Types without a form of their own here
 * and without names in them are written as octets (RFC 3597): "nas.home.arpa HTTPS \# 3 000100".
 * ttl_s is for texts without one. ERR_FORMAT or ERR_UNSUPPORTED with *what telling what was wrong
 * (static text).
 */
MUST_CHECK enum err local_add_text(struct local_builder *b, struct span text, uint32_t ttl_s,
                                   const char **what);

/* What is wrong with such a text, NULL: nothing. */
const char *local_text_problem(struct span text);

/*
 * A hosts file: "ADDR NAME [NAME…]" lines, # comments. Lines that cannot be used are counted in
 * *rejected, the first one's number in *first_rejected (0: none). A single label also gets `domain`
 * appended as an alias if domain is not NULL.
 */
MUST_CHECK enum err local_add_hosts(struct local_builder *b, struct span text,
                                    const struct dns_name *domain, uint32_t ttl_s,
                                    uint32_t *rejected, uint32_t *first_rejected);

MUST_CHECK enum err local_build(struct local_builder *b, const struct local_records **out);
uint32_t local_count(const struct local_records *l);

/* The first name that an address has (its PTR); false if it has none. */
bool local_name_of(const struct local_records *l, const struct ip_addr *addr, struct dns_name *out);

#endif
