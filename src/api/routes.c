/* Finding the route of a path: segment by segment, in the order of routes.def. */
#include "api/routes.h"

#include <string.h>

const struct api_route api_routes[] = {
#define ROUTE(method, access, pattern, function) {HTTP_##method, ROUTE_##access, pattern, function},
#include "api/routes.def"
#undef ROUTE
};
const size_t api_routes_count = ARRAY_LEN(api_routes);

static bool matches(struct call *c, const char *pattern)
{
    uint32_t i = 0, params = 0;
    const char *p = pattern;
    while (*p == '/') {
        p++;
        size_t len = strcspn(p, "/");
        if (i == c->segments) {
            return false;
        }
        if (p[0] == '{') {
            if (params == PARAMS_MAX) {
                return false;
            }
            c->param[params++] = c->segment[i];
        } else if (strncmp(c->segment[i], p, len) != 0 || c->segment[i][len] != '\0') {
            return false;
        }
        i++;
        p += len;
    }
    return i == c->segments;
}

static const char *method_name(enum http_method m)
{
    static const char *const names[] = {"GET",   "HEAD",   "POST",    "PUT",
                                        "PATCH", "DELETE", "OPTIONS", "OTHER"};
    return names[m];
}

const struct api_route *route_find(struct call *c, struct strbuf *allow)
{
    enum http_method method = c->req->method == HTTP_HEAD ? HTTP_GET : c->req->method;
    for (size_t i = 0; i < api_routes_count; i++) {
        if (!matches(c, api_routes[i].pattern)) {
            continue;
        }
        if (api_routes[i].method == method) {
            return &api_routes[i];
        }
        strbuf_str(allow, allow->len > 0 ? ", " : "");
        strbuf_str(allow, method_name(api_routes[i].method));
    }
    return NULL;
}
