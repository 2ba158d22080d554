/*
 * The table of routes; routes.def has the rows. The OpenAPI document describes the same rows, and a
 * test compares the two.
 */
#ifndef SINKHOLE_API_ROUTES_H
#define SINKHOLE_API_ROUTES_H

#include "api/api_int.h"

/* Who may. */
enum route_access {
    ROUTE_OPEN,  /* anybody */
    ROUTE_READ,  /* with any log-in; a cookie needs the CSRF token beside it */
    ROUTE_PAGE,  /* the same, but a cookie alone will do: what a person opens in a browser */
    ROUTE_WRITE, /* changes state: not with a read-only key, not from a page of another origin */
    ROUTE_OWNER  /* … and only with the password itself */
};

struct api_route {
    enum http_method method;
    enum route_access access;
    const char *pattern; /* "/api/domains/{type}/{kind}": a part in braces takes one segment */
    handler *handle;
};

extern const struct api_route api_routes[];
extern const size_t api_routes_count;

/* The route of a call, its parameters in c->param. If there is none, *allow lists methods that the
 * path has ("" if the path is unknown). */
const struct api_route *route_find(struct call *c, struct strbuf *allow);

#define ROUTE(method, access, pattern, function) handler function;
#include "api/routes.def"
#undef ROUTE

/* What /api/stats/database/summary answers where there is no history. */
handler view_summary_of_hours;

#endif
