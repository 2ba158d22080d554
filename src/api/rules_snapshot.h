/*
 * From the rules document to what the resolver looks names up in: own rules and local records. The
 * same on every platform; memory is the caller's.
 */
#ifndef SINKHOLE_API_RULES_SNAPSHOT_H
#define SINKHOLE_API_RULES_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/rules.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/time.h"
#include "blocklist/regex.h"

struct bl_overlay;
struct config;
struct local_builder;
struct policy_plan;

/* Octets for the own rules that are in force now and for the names of blocked services, and their
 * number; 0 if there are none. */
size_t rules_overlay_memory(const struct rules *r, const struct policy_plan *plan, int64_t now_unix,
                            uint32_t *count);

/* Build them in such memory, `count` as told; whose they are says the plan. The errors of
 * bl_overlay_init and bl_overlay_add. */
MUST_CHECK enum err rules_overlay_make(const struct rules *r, const struct policy_plan *plan,
                                       usec_t now, int64_t now_unix, void *mem, size_t len,
                                       uint32_t count, struct bl_overlay **out);

/* Prefixes that are not wanted in answers, of configuration and document: octets for them, 0 if
 * there are none, and making them. */
struct address_rules;
size_t rules_addresses_memory(const struct config *config, const struct rules *r);
MUST_CHECK enum err rules_addresses_make(const struct config *config, const struct rules *r,
                                         const struct policy_plan *plan, void *mem, size_t len,
                                         const struct address_rules **out);

/* The i-th own rule if it is a regular expression in force now: for a set of them. `pattern` is
 * borrowed from the document. */
bool rules_regex_at(const struct rules *r, uint32_t i, const struct policy_plan *plan, usec_t now,
                    int64_t now_unix, struct span *pattern, struct bl_regex_rule *out);

/* Local records of the document: a bound of how many the builder must hold for them, and adding
 * them. `domain` is the local domain as local_add_hosts takes it. What cannot be used is told in
 * the log and left out. */
uint32_t rules_local_bound(const struct rules *r);
void rules_local_fill(const struct rules *r, struct local_builder *b, const struct dns_name *domain,
                      uint32_t ttl_s);

#endif
