/*
 * Questions that people have about names, and packets do not: who answers for one, and what an
 * address is called.
 */
#include "resolver/local_int.h"
#include "resolver/resolver_int.h"

static bool is_routed(const struct snapshot *s, const struct dns_name *name)
{
    for (uint32_t i = 0; i < s->route_count; i++) {
        if (dns_name_within(name, &s->routes[i].domain)) {
            return true;
        }
    }
    return false;
}

enum resolver_source resolver_source_of(const struct snapshot *s, const struct dns_name *name)
{
    struct dns_suffixes suffixes;
    const struct local_name *found;
    dns_suffixes_make(name, &suffixes);
    if (s->local != NULL && local_find(s->local, name, &suffixes, &found) != LOCAL_NONE) {
        return RESOLVER_SOURCE_LOCAL;
    }
    return !is_routed(s, name) && special_covers(s, name) ? RESOLVER_SOURCE_SPECIAL
                                                          : RESOLVER_SOURCE_LISTS;
}

bool local_name_of(const struct local_records *l, const struct ip_addr *addr, struct dns_name *out)
{
    struct dns_name reverse;
    struct dns_suffixes suffixes;
    local_reverse_name(addr, &reverse);
    dns_suffixes_make(&reverse, &suffixes);
    const struct local_name *name = NULL;
    const struct local_record *r = NULL;
    if (local_find(l, &reverse, &suffixes, &name) != LOCAL_HERE) {
        return false;
    }
    while ((r = local_next(l, name, r)) != NULL) {
        if (r->type == DNS_PTR) {
            return dns_name_from_wire(r->rdata, r->rdlen, out) == ERR_OK;
        }
    }
    return false;
}
