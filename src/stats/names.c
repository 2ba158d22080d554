/*
 * Tables of names. Pi-hole has fewer statuses than we count, so several of ours share one of its
 * names. Its SPECIAL_DOMAIN means a blocked one; what we answer by rule alone (localhost, ANY) is
 * not.
 */
#include "stats/names.h"

#include <stddef.h>

#include "base/attr.h"
#include "stats/counters.h"

static const struct {
    const char *name, *label;
    enum query_outcome outcome;
} status_rows[QUERY_STATUS_COUNT] = {
    [QUERY_FORWARDED] = {"FORWARDED", "forwarded", OUTCOME_FORWARDED},
    [QUERY_CACHED] = {"CACHE", "cached", OUTCOME_CACHED},
    [QUERY_STALE] = {"CACHE_STALE", "stale", OUTCOME_CACHED},
    [QUERY_LOCAL] = {"CACHE", "local", OUTCOME_LOCAL},
    [QUERY_SPECIAL] = {"CACHE", "special", OUTCOME_LOCAL},
    [QUERY_BLOCKED_LIST] = {"GRAVITY", "blocked_list", OUTCOME_BLOCKED},
    [QUERY_BLOCKED_RULE] = {"DENYLIST", "blocked_rule", OUTCOME_BLOCKED},
    [QUERY_BLOCKED_REGEX] = {"REGEX", "blocked_regex", OUTCOME_BLOCKED},
    [QUERY_BLOCKED_CNAME] = {"GRAVITY_CNAME", "blocked_cname", OUTCOME_BLOCKED},
    [QUERY_BLOCKED_UPSTREAM] = {"EXTERNAL_BLOCKED_EDE15", "blocked_upstream", OUTCOME_BLOCKED},
    [QUERY_BLOCKED_REBIND] = {"EXTERNAL_BLOCKED_IP", "blocked_rebind", OUTCOME_BLOCKED},
    [QUERY_REFUSED] = {"UNKNOWN", "refused", OUTCOME_IGNORED},
    [QUERY_RATE_LIMITED] = {"UNKNOWN", "rate_limited", OUTCOME_IGNORED},
    [QUERY_INVALID] = {"UNKNOWN", "invalid", OUTCOME_IGNORED},
    [QUERY_FAILED] = {"FORWARDED", "failed", OUTCOME_FAILED},
};

static const char *const reply_names[REPLY_COUNT] = {
    "NONE",     "NODATA",  "NXDOMAIN", "CNAME", "IP",    "DOMAIN",
    "SERVFAIL", "REFUSED", "NOTIMP",   "BLOB",  "OTHER",
};

static const char *const type_names[STATS_TYPE_COUNT] = {
    "A",  "AAAA", "ANY",   "SRV",    "SOA", "PTR",  "TXT",   "NAPTR",
    "MX", "DS",   "RRSIG", "DNSKEY", "NS",  "SVCB", "HTTPS", "OTHER",
};

static const char *const outcome_names[OUTCOME_COUNT] = {
    "forwarded", "cached", "blocked", "local", "failed", "ignored",
};

static const struct {
    const char *name, *help;
} counter_rows[COUNTER_COUNT] = {
#define COUNTER(name, help) {#name, help},
#include "stats/counters.def"
#undef COUNTER
};

const char *query_status_name(enum query_status s)
{
    return (unsigned)s < QUERY_STATUS_COUNT ? status_rows[s].name : NULL;
}

const char *query_status_label(enum query_status s)
{
    return (unsigned)s < QUERY_STATUS_COUNT ? status_rows[s].label : NULL;
}

enum query_outcome query_outcome_of(enum query_status s)
{
    return (unsigned)s < QUERY_STATUS_COUNT ? status_rows[s].outcome : OUTCOME_IGNORED;
}

const char *query_outcome_name(enum query_outcome o)
{
    return (unsigned)o < OUTCOME_COUNT ? outcome_names[o] : NULL;
}

const char *query_reply_name(enum query_reply r)
{
    return (unsigned)r < REPLY_COUNT ? reply_names[r] : NULL;
}

const char *query_type_name(enum query_type t)
{
    return (unsigned)t < STATS_TYPE_COUNT ? type_names[t] : NULL;
}

const char *counter_name(enum stats_counter c)
{
    return (unsigned)c < COUNTER_COUNT ? counter_rows[c].name : NULL;
}

const char *counter_help(enum stats_counter c)
{
    return (unsigned)c < COUNTER_COUNT ? counter_rows[c].help : NULL;
}
